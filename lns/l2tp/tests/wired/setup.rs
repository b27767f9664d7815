//! Setting tunnels and calls up, in both roles.

use std::time::Duration;

use tollgate_l2tp::message::Message;
use tollgate_l2tp::{
    Event, IdSpace, IncomingCall, MessageType, ProxyAuth, ProxyAuthenType, ProxyLcp, Received, SessionState,
    TunnelEnd, TunnelState, peek_tunnel_id,
};

use crate::peer::{Peer, avp, body, sccrq};
use crate::wire::{Wire, from_port, lac_config, lns_config, reversed, types};

#[test]
fn a_tunnel_and_a_call_come_up_in_the_order_of_the_rfc() {
    let mut wire = Wire::new(lac_config(), lns_config());
    let tunnel = wire.open();
    wire.lac.endpoint.open_session(wire.now, tunnel, IncomingCall::default()).unwrap();
    wire.run();
    assert_eq!(
        types(&wire.log),
        // The window has opened to two by then, so the call does not wait for the acknowledgement of the SCCCN.
        ["-> SCCRQ", "<- SCCRP", "-> SCCCN", "-> ICRQ", "<- ZLB", "<- ICRP", "-> ICCN", "<- ZLB"]
    );
    assert_eq!(wire.lac.story(), ["tunnel up", "session up"]);
    assert_eq!(wire.lns.story(), ["tunnel up", "session up"]);
    assert_eq!((wire.lac.endpoint.session_count(), wire.lns.endpoint.session_count()), (1, 1));
    assert!(!wire.lns.endpoint.is_idle());
}

#[test]
fn states_are_those_of_the_rfc_on_the_way() {
    let mut wire = Wire::new(lac_config(), lns_config());
    let tunnel = wire.open();
    let key = wire.lac.endpoint.open_session(wire.now, tunnel, IncomingCall::default()).unwrap();
    let lac_tunnel = |wire: &Wire| wire.lac.endpoint.tunnel_info(tunnel).unwrap().state;
    let lac_call = |wire: &Wire| wire.lac.endpoint.session_info(key).unwrap().state;
    let lns_tunnel = |wire: &Wire| wire.lns.endpoint.tunnels().next().unwrap().state;
    assert_eq!((lac_tunnel(&wire), lac_call(&wire)), (TunnelState::WaitCtlReply, SessionState::WaitTunnel));
    let step = |wire: &mut Wire| {
        if let Some(transmit) = wire.lac.endpoint.poll_transmit() {
            wire.lns.endpoint.handle_datagram(wire.now, wire.seen, &transmit.datagram);
        } else if let Some(transmit) = wire.lns.endpoint.poll_transmit() {
            wire.lac.endpoint.handle_datagram(wire.now, reversed(wire.seen), &transmit.datagram);
        }
    };
    step(&mut wire);
    assert_eq!(lns_tunnel(&wire), TunnelState::WaitCtlConn);
    assert_eq!(lns_tunnel(&wire).to_string(), "wait-ctl-conn");
    step(&mut wire);
    // SCCCN has gone; ICRQ waits behind it in the window.
    assert_eq!((lac_tunnel(&wire), lac_call(&wire)), (TunnelState::Established, SessionState::WaitReply));
    step(&mut wire);
    assert_eq!(lns_tunnel(&wire), TunnelState::Established);
    step(&mut wire);
    step(&mut wire);
    let id = wire.lns.endpoint.tunnels().next().unwrap();
    assert_eq!(id.sessions, 1, "wait-connect");
    wire.run();
    assert_eq!(lac_call(&wire), SessionState::Established);
}

#[test]
fn everything_told_about_a_call_is_handed_out() {
    let mut wire = Wire::new(lac_config(), lns_config());
    let tunnel = wire.open();
    let call = IncomingCall {
        serial_number: 0x1234_5678,
        bearer_type: Some(1),
        framing_type: 3,
        calling_number: Some("5551".into()),
        called_number: Some("5552".into()),
        sub_address: Some("3".into()),
        tx_speed: 100_000_000,
        rx_speed: Some(10_000_000),
        physical_channel: Some(9),
        private_group: Some(b"blue".to_vec()),
        proxy_lcp: Some(ProxyLcp {
            initial_received: Some(vec![1, 4, 5, 0xdc]),
            last_sent: Some(vec![3, 5, 0xc2, 0x23, 5]),
            last_received: Some(vec![1, 4, 5, 0x78]),
        }),
        proxy_auth: Some(ProxyAuth {
            kind: ProxyAuthenType::Chap,
            name: Some(b"user@isp".to_vec()),
            challenge: Some(vec![1; 16]),
            id: Some(4),
            response: Some(vec![2; 16]),
        }),
    };
    wire.lac.endpoint.open_session(wire.now, tunnel, call.clone()).unwrap();
    wire.run();
    let (_, told) = wire.lac.sessions_up().remove(0);
    let (_, heard) = wire.lns.sessions_up().remove(0);
    assert_eq!(heard.serial_number, 0x1234_5678);
    assert_eq!((heard.bearer_type, heard.framing_type), (Some(1), Some(3)));
    assert_eq!(
        (heard.calling_number.as_deref(), heard.called_number.as_deref()),
        (Some("5551"), Some("5552"))
    );
    assert_eq!((heard.tx_speed, heard.rx_speed), (Some(100_000_000), Some(10_000_000)));
    assert_eq!((heard.physical_channel, heard.private_group.as_deref()), (Some(9), Some(b"blue".as_slice())));
    assert_eq!((&heard.proxy_lcp, &heard.proxy_auth), (&call.proxy_lcp, &call.proxy_auth));
    assert_eq!((heard.peer_host_name.as_str(), heard.path), ("client", wire.seen));
    assert_eq!(told.peer_host_name, "lns.example.net");
    let same =
        tollgate_l2tp::CallInfo { path: heard.path, peer_host_name: heard.peer_host_name.clone(), ..told };
    assert_eq!(same, heard);
    assert!(!format!("{heard:?}").contains("2, 2, 2"), "a response can be a password");
}

#[test]
fn several_tunnels_of_one_peer_and_several_calls_in_a_tunnel() {
    let mut wire = Wire::new(lac_config(), lns_config());
    let tunnels: Vec<_> = (0..5).map(|_| wire.open()).collect();
    for tunnel in &tunnels {
        for _ in 0..20 {
            wire.lac.endpoint.open_session(wire.now, *tunnel, IncomingCall::default()).unwrap();
        }
    }
    wire.run();
    assert_eq!((wire.lns.endpoint.tunnel_count(), wire.lns.endpoint.session_count()), (5, 100));
    let keys: Vec<_> = wire.lac.sessions_up().into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys.len(), 100);
    for (token, (key, _)) in (1..).zip(wire.lns.sessions_up()) {
        wire.lns.endpoint.set_token(key, token);
    }
    let mut tokens: Vec<_> = keys
        .into_iter()
        .map(|key| match wire.up(key, b"frame") {
            Received::Data { token, .. } => token,
            other => panic!("{other:?}"),
        })
        .collect();
    tokens.sort_unstable();
    assert_eq!(tokens, (1..=100).collect::<Vec<_>>());
}

#[test]
fn lost_messages_come_again_and_the_call_comes_up_all_the_same() {
    for lost in 0..8 {
        let mut wire = Wire::new(lac_config(), lns_config());
        let tunnel = wire.open();
        wire.lac.endpoint.open_session(wire.now, tunnel, IncomingCall::default()).unwrap();
        let mut at = 0;
        for _ in 0..40 {
            let (lac, lns) = (wire.lac.endpoint.poll_transmit(), wire.lns.endpoint.poll_transmit());
            if let Some(transmit) = lac {
                if at != lost {
                    wire.lns.endpoint.handle_datagram(wire.now, wire.seen, &transmit.datagram);
                }
                at += 1;
            }
            if let Some(transmit) = lns {
                if at != lost {
                    wire.lac.endpoint.handle_datagram(wire.now, reversed(wire.seen), &transmit.datagram);
                }
                at += 1;
            }
        }
        wire.pass(Duration::from_secs(5));
        assert_eq!(wire.lac.story(), ["tunnel up", "session up"], "datagram {lost} lost");
        assert_eq!(wire.lns.story(), ["tunnel up", "session up"], "datagram {lost} lost");
        let again = [&wire.lac, &wire.lns].map(|side| side.endpoint.counters().retransmissions);
        // The acknowledgement of the SCCCN is made good by the ICRP's.
        assert!(again != [0, 0] || lost == 4, "datagram {lost} lost");
    }
}

#[test]
fn a_repeated_sccrq_is_answered_by_the_same_tunnel() {
    let mut peer = Peer::new(lns_config());
    let request = sccrq(7);
    peer.say(0, &request);
    let first = peer.datagrams();
    peer.ns = 0;
    peer.say(0, &request);
    assert_eq!(peer.datagrams(), first, "the same SCCRP, octet by octet");
    assert_eq!((peer.lns.endpoint.tunnel_count(), peer.lns.endpoint.counters().duplicates), (1, 1));
    // Another tunnel id, or another port, is another tunnel.
    peer.ns = 0;
    peer.say(0, &sccrq(8));
    peer.path = from_port(40_000);
    peer.ns = 0;
    peer.say(0, &request);
    assert_eq!(peer.lns.endpoint.tunnel_count(), 3);
}

#[test]
fn duplicates_of_every_message_are_acknowledged_and_lead_to_nothing() {
    let mut peer = Peer::new(lns_config());
    peer.connect();
    let session = peer.call(3);
    let messages = [
        (0, body(MessageType::Scccn, &[])),
        (0, body(MessageType::Icrq, &[avp(14, &[0, 3]), avp(15, &[0, 0, 0, 1])])),
        (session, body(MessageType::Iccn, &[avp(24, &[0, 0, 1, 0]), avp(19, &[0, 0, 0, 1])])),
    ];
    let next = peer.ns;
    for (number, (session, message)) in (1..).zip(&messages) {
        peer.ns = number;
        peer.say(*session, message);
        let heard = peer.hear();
        assert_eq!(heard.len(), 1);
        assert_eq!((heard[0].0.nr, &heard[0].1), (next, &None), "a ZLB that tells where we are");
    }
    assert!(peer.lns.story().is_empty());
    assert_eq!(peer.lns.endpoint.session_count(), 1);
    assert_eq!(peer.lns.endpoint.counters().duplicates, 3);
}

#[test]
fn a_receive_window_of_zero_or_none_counts_as_four() {
    for (window, expected) in [(None, 4), (Some(0), 4), (Some(1), 1), (Some(0xffff), 0x7fff)] {
        let mut peer = Peer::new(lns_config());
        let mut request = sccrq(7);
        request.extend(window.into_iter().flat_map(|window: u16| avp(10, &window.to_be_bytes())));
        peer.say(0, &request);
        assert_eq!(peer.lns.endpoint.tunnels().next().unwrap().peer_window, expected);
    }
}

#[test]
fn of_two_openings_at_once_the_lower_tie_breaker_stays() {
    // An LNS that opens a tunnel itself, and a peer that opens one at the same time.
    let outcome = |ours: bool, theirs: Option<[u8; 8]>| {
        let mut config = lns_config();
        config.send_tie_breaker = ours;
        let mut peer = Peer::new(config);
        let path = peer.path;
        peer.lns.endpoint.open_tunnel(peer.now, path).unwrap();
        peer.datagrams();
        let mut request = sccrq(7);
        request.extend(theirs.into_iter().flat_map(|value| avp(5, &value)));
        let answered = peer.say(0, &request) == Received::Control;
        (answered, peer.lns.tunnel_ends() == [TunnelEnd::Replaced], peer.lns.endpoint.tunnel_count())
    };
    assert_eq!(outcome(false, None), (true, false, 2), "without any two tunnels are made");
    assert_eq!(outcome(true, None), (false, false, 1), "theirs has none: ours stays");
    assert_eq!(outcome(false, Some([9; 8])), (true, true, 1), "ours has none: theirs stays");
    assert_eq!(outcome(true, Some([0; 8])), (true, true, 1));
    assert_eq!(outcome(true, Some([0xff; 8])), (false, false, 1));
}

#[test]
fn equal_tie_breakers_both_lose() {
    let mut config = lns_config();
    config.send_tie_breaker = true;
    let mut peer = Peer::new(config);
    let path = peer.path;
    peer.lns.endpoint.open_tunnel(peer.now, path).unwrap();
    let ours = match peer.hear().remove(0).1 {
        Some(Message::Sccrq(request)) => request.tie_breaker.unwrap(),
        other => panic!("{other:?}"),
    };
    let mut request = sccrq(7);
    request.extend(avp(5, &ours.to_be_bytes()));
    assert!(matches!(peer.say(0, &request), Received::Dropped(_)));
    assert_eq!(peer.lns.endpoint.tunnel_count(), 0);
}

#[test]
fn shards_find_their_own_from_the_first_octets() {
    let ids = IdSpace { shard: 2, shard_bits: 2 };
    let mut endpoint =
        tollgate_l2tp::Endpoint::new(lns_config(), ids, tollgate_sansio::Entropy::from_seed([3; 32]));
    let mut wire = Wire::new(lac_config(), lns_config());
    std::mem::swap(&mut wire.lns.endpoint, &mut endpoint);
    let (key, _) = wire.call();
    assert_eq!(peek_tunnel_id(&wire.log[0].1), Some(0), "an SCCRQ has no owner yet");
    for (_, datagram) in wire.log.iter().skip(1).filter(|(from_lac, _)| *from_lac) {
        assert_eq!(ids.shard_of(peek_tunnel_id(datagram).unwrap()), 2);
    }
    let packet = crate::wire::data(&mut wire.lac.endpoint, key, b"x").unwrap();
    assert_eq!(ids.shard_of(peek_tunnel_id(&packet).unwrap()), 2);
}

#[test]
fn the_end_of_another_shards_tunnel_is_left_to_that_shard() {
    let ids = IdSpace { shard: 2, shard_bits: 2 };
    let mut peer = Peer::new(lns_config());
    peer.lns.endpoint =
        tollgate_l2tp::Endpoint::new(lns_config(), ids, tollgate_sansio::Entropy::from_seed([3; 32]));
    let stop = body(MessageType::StopCcn, &[avp(9, &[0, 7]), avp(1, &[0, 1, 0, 0])]);
    peer.theirs = 0x101;
    assert!(matches!(peer.say(0, &stop), Received::Dropped(_)));
    assert!(peer.datagrams().is_empty());
    peer.theirs = 0x102;
    assert_eq!(peer.say(0, &stop), Received::Control, "ours, if there were one: acknowledged");
    assert_eq!(peer.names(), ["ZLB"]);
}

#[test]
fn a_tunnel_up_tells_who_is_there() {
    let mut wire = Wire::new(lac_config(), lns_config());
    wire.open();
    wire.run();
    let infos: Vec<_> = wire
        .lns
        .events
        .iter()
        .filter_map(|event| match event {
            Event::TunnelUp { info, .. } => Some(info.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(infos.len(), 1);
    assert_eq!((infos[0].host_name.as_str(), infos[0].vendor_name.as_str()), ("client", "Tollgate"));
    assert_eq!((infos[0].state, infos[0].opened_here), (TunnelState::Established, false));
    assert_eq!((infos[0].peer_window, infos[0].own_window), (16, 16));
}
