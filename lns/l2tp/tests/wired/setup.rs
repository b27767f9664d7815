//! Setting tunnels and calls up, in both roles.

use std::time::Duration;

use tollgate_l2tp::message::Message;
use tollgate_l2tp::{
    CdnResult, Event, IdSpace, IncomingCall, MessageType, OpenError, ProxyAuth, ProxyAuthenType, ProxyLcp,
    Received, Role, SessionEnd, SessionState, StopResult, TunnelEnd, TunnelId, TunnelState, peek_tunnel_id,
};

use crate::peer::{Peer, avp, body, sccrq};
use crate::wire::{Side, Wire, from_port, lac_config, lns_config, reversed, types};

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
fn a_lac_refuses_tunnels_and_calls_in_words() {
    let mut peer = Peer::new(lac_config());
    peer.say(0, &sccrq(7));
    let heard = peer.hear();
    let [(header, Some(Message::StopCcn(stop)))] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!((header.tunnel, header.ns, header.nr), (7, 0, 1));
    assert_eq!(stop.result, StopResult::NotAuthorized);
    assert!(stop.message.contains("takes none"));
    assert_eq!(peer.lns.endpoint.tunnel_count(), 0);
    assert!(peer.lns.endpoint.is_idle(), "a refusal leaves nothing behind");

    // An LNS that would have its LAC take a call.
    let mut lns = lns_config();
    lns.role = Role::Lns;
    let mut wire = Wire::new(lac_config(), lns);
    wire.open();
    wire.run();
    let tunnel = wire.lns.endpoint.tunnels().next().unwrap().id;
    wire.lns.endpoint.open_session(wire.now, tunnel, IncomingCall::default()).unwrap();
    wire.run();
    let ends = wire.lns.session_ends();
    let [SessionEnd::ByPeer { result: CdnResult::NoFacilitiesEver, message, .. }] = &ends[..] else {
        panic!("{ends:?}")
    };
    assert!(message.contains("takes none"));
}

#[test]
fn a_draining_lns_refuses_new_tunnels_and_keeps_the_old() {
    let mut wire = Wire::new(lac_config(), lns_config());
    let (key, _) = wire.call();
    let mut draining = lns_config();
    draining.accept_incoming = false;
    wire.lns.endpoint.reconfigure(draining);
    wire.open();
    wire.run();
    let ends = wire.lac.tunnel_ends();
    let [TunnelEnd::ByPeer { result: StopResult::GeneralError, error: Some(error), .. }] = &ends[..] else {
        panic!("{ends:?}")
    };
    assert_eq!(error.number(), 4);
    assert!(matches!(wire.up(key, b"x"), Received::Data { .. }));
    wire.call_in(key.tunnel);
}

#[test]
fn bounds_on_tunnels_and_sessions_hold() {
    let mut lns = lns_config();
    (lns.max_tunnels, lns.max_sessions) = (2, 3);
    let mut wire = Wire::new(lac_config(), lns);
    let tunnels: Vec<_> = (0..3)
        .map(|_| {
            let tunnel = wire.open();
            wire.run();
            tunnel
        })
        .collect();
    assert_eq!(wire.lac.tunnel_ends().len(), 1);
    assert_eq!(wire.lns.endpoint.tunnel_count(), 2);
    for tunnel in &tunnels[..2] {
        for _ in 0..2 {
            wire.lac.endpoint.open_session(wire.now, *tunnel, IncomingCall::default()).unwrap();
        }
    }
    wire.run();
    let ends = wire.lac.session_ends();
    assert!(matches!(&ends[..], [SessionEnd::ByPeer { result: CdnResult::NoFacilitiesNow, .. }]), "{ends:?}");
    assert_eq!(wire.lns.endpoint.session_count(), 3);
    let mut lac = lac_config();
    (lac.max_tunnels, lac.max_sessions) = (1, 1);
    let mut side = Side::new(lac, 1);
    let now = wire.now;
    let tunnel = side.endpoint.open_tunnel(now, from_port(1)).unwrap();
    assert_eq!(side.endpoint.open_tunnel(now, from_port(2)), Err(OpenError::TooManyTunnels));
    side.endpoint.open_session(now, tunnel, IncomingCall::default()).unwrap();
    let again = side.endpoint.open_session(now, tunnel, IncomingCall::default());
    assert_eq!(again, Err(OpenError::TooManySessions));
    let nowhere = TunnelId::new(tunnel.get() ^ 1).unwrap();
    side.endpoint.close_session(
        now,
        tollgate_l2tp::SessionKey { tunnel, session: again_key(&side) },
        cause(),
    );
    assert_eq!(side.endpoint.open_session(now, nowhere, IncomingCall::default()), Err(OpenError::NoTunnel));
}

fn again_key(side: &Side) -> tollgate_l2tp::SessionId {
    // The one session there is: found by asking for each id.
    let tunnel = side.endpoint.tunnels().next().unwrap().id;
    (1..=u16::MAX)
        .filter_map(tollgate_l2tp::SessionId::new)
        .find(|session| {
            let key = tollgate_l2tp::SessionKey { tunnel, session: *session };
            side.endpoint.session_info(key).is_some()
        })
        .unwrap()
}

fn cause() -> tollgate_l2tp::CallDisconnect {
    tollgate_l2tp::CallDisconnect::new(CdnResult::Administrative, "test")
}

#[test]
fn a_protocol_version_that_is_not_spoken_is_refused_with_the_one_that_is() {
    let mut peer = Peer::new(lns_config());
    let request = body(MessageType::Sccrq, &[avp(2, &[2, 0]), avp(7, b"x"), avp(9, &[0, 7])]);
    peer.say(0, &request);
    let heard = peer.hear();
    let [(_, Some(Message::StopCcn(stop)))] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!((stop.result, stop.error.unwrap().number()), (StopResult::VersionNotSupported, 0x0100));
}

#[test]
fn an_unknown_mandatory_avp_ends_the_tunnel_with_result_2_error_8() {
    let mut peer = Peer::new(lns_config());
    let mut request = sccrq(7);
    request.extend(avp(99, &[1]));
    peer.say(0, &request);
    let heard = peer.hear();
    let [(_, Some(Message::StopCcn(stop)))] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!((stop.result.number(), stop.error.unwrap().number()), (2, 8));
    assert!(stop.message.contains("99"), "the attribute is named: {}", stop.message);
    assert_eq!(peer.lns.endpoint.tunnel_count(), 0);

    // Later on it ends the tunnel that stands.
    let mut peer = Peer::new(lns_config());
    peer.connect();
    peer.call(3);
    peer.say(0, &body(MessageType::Hello, &[avp(99, &[])]));
    assert_eq!(peer.names(), ["StopCCN"]);
    assert_eq!(peer.lns.tunnel_ends().len(), 1);
    assert_eq!(peer.lns.session_ends().len(), 1);
}

#[test]
fn an_unknown_mandatory_avp_in_a_call_ends_the_call_and_not_the_tunnel() {
    let mut peer = Peer::new(lns_config());
    peer.connect();
    peer.say(0, &body(MessageType::Icrq, &[avp(14, &[0, 3]), avp(15, &[0, 0, 0, 1]), avp(99, &[])]));
    let heard = peer.hear();
    let [(header, Some(Message::Cdn(notice)))] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!((header.session, notice.result.number(), notice.error.unwrap().number()), (3, 2, 8));
    // In the ICCN, where the call is there already.
    peer.say(0, &body(MessageType::Icrq, &[avp(14, &[0, 4]), avp(15, &[0, 0, 0, 1])]));
    let heard = peer.hear();
    let [(_, Some(Message::Icrp(reply)))] = &heard[..] else { panic!("{heard:?}") };
    let session = reply.assigned_session.get();
    peer.say(session, &body(MessageType::Iccn, &[avp(24, &[0, 0, 1, 0]), avp(99, &[])]));
    let heard = peer.hear();
    let [(header, Some(Message::Cdn(notice)))] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!((header.session, notice.assigned_session.unwrap().get()), (4, session));
    assert_eq!(peer.lns.endpoint.session_count(), 0);
    assert_eq!(peer.lns.endpoint.tunnel_count(), 1);
    assert!(peer.lns.session_ends().is_empty(), "the caller never knew of them");
}

#[test]
fn vendor_avps_are_silent_when_optional_and_a_setting_when_mandatory() {
    let vendor = |m: u8| vec![m, 8, 0x0d, 0xe9, 0, 1, 1, 2];
    let icrq = |m| body(MessageType::Icrq, &[avp(14, &[0, 3]), avp(15, &[0, 0, 0, 1]), vendor(m)]);
    for (lenient, m, answer) in [(false, 0, "ICRP"), (false, 0x80, "CDN"), (true, 0x80, "ICRP")] {
        let mut config = lns_config();
        config.ignore_unknown_mandatory_vendor_avps = lenient;
        let mut peer = Peer::new(config);
        peer.connect();
        peer.say(0, &icrq(m));
        assert_eq!(peer.names(), [answer]);
        assert_eq!(peer.lns.story().is_empty(), m == 0, "what is passed over is told");
    }
}

#[test]
fn an_unknown_message_ends_the_tunnel_when_mandatory_and_is_acknowledged_when_not() {
    let mut peer = Peer::new(lns_config());
    peer.connect();
    peer.say(0, &[0, 8, 0, 0, 0, 0, 0, 77]);
    assert_eq!(peer.names(), ["ZLB"]);
    peer.say(0, &[0x80, 8, 0, 0, 0, 0, 0, 77]);
    assert_eq!(peer.names(), ["StopCCN"]);
}

#[test]
fn outgoing_calls_are_refused_with_a_cdn() {
    let mut peer = Peer::new(lns_config());
    peer.connect();
    let request = body(
        MessageType::Ocrq,
        &[
            avp(14, &[0, 9]),
            avp(15, &[0, 0, 0, 1]),
            avp(16, &[0, 0, 1, 0]),
            avp(17, &[0, 0, 2, 0]),
            avp(18, &[0, 0, 0, 1]),
            avp(19, &[0, 0, 0, 1]),
            avp(21, b"12"),
        ],
    );
    peer.say(0, &request);
    let heard = peer.hear();
    let [(header, Some(Message::Cdn(notice)))] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!((header.session, notice.result), (9, CdnResult::NoFacilitiesEver));
    assert_eq!(peer.lns.endpoint.tunnel_count(), 1);
}

#[test]
fn wen_and_sli_are_taken_even_when_they_make_no_sense() {
    let mut peer = Peer::new(lns_config());
    peer.connect();
    let session = peer.call(3);
    for (message_type, avps) in [
        (MessageType::Wen, vec![avp(34, &[0; 26])]),
        (MessageType::Wen, vec![avp(34, &[0; 5])]),
        (MessageType::Sli, vec![avp(35, &[0; 10])]),
        (MessageType::Sli, vec![avp(99, &[])]),
    ] {
        peer.say(session, &body(message_type, &avps));
        assert_eq!(peer.names(), ["ZLB"]);
    }
    assert_eq!(peer.lns.endpoint.session_count(), 1);
}

#[test]
fn messages_out_of_turn_end_what_they_concern() {
    // SCCCN twice, with a new number.
    let mut peer = Peer::new(lns_config());
    peer.connect();
    peer.say(0, &body(MessageType::Scccn, &[]));
    let heard = peer.hear();
    let [(_, Some(Message::StopCcn(stop)))] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!(stop.result, StopResult::StateMachineError);

    // ICCN twice; OCCN for a call that came in; ICRP to one who never asked.
    for message_type in [MessageType::Iccn, MessageType::Occn, MessageType::Icrp] {
        let mut peer = Peer::new(lns_config());
        peer.connect();
        let session = peer.call(3);
        let avps = [avp(24, &[0, 0, 1, 0]), avp(19, &[0, 0, 0, 1]), avp(14, &[0, 3])];
        peer.say(session, &body(message_type, &avps));
        assert_eq!(peer.names(), ["CDN"], "{message_type}");
        assert_eq!(peer.lns.session_ends().len(), 1);
        assert_eq!(peer.lns.endpoint.tunnel_count(), 1);
    }

    // A call before the tunnel is confirmed.
    let mut peer = Peer::new(lns_config());
    peer.say(0, &sccrq(7));
    peer.hear();
    peer.say(0, &body(MessageType::Icrq, &[avp(14, &[0, 3]), avp(15, &[0, 0, 0, 1])]));
    assert_eq!(peer.names(), ["StopCCN"]);

    // A call that is not there.
    let mut peer = Peer::new(lns_config());
    peer.connect();
    peer.say(4711, &body(MessageType::Iccn, &[]));
    assert_eq!(peer.names(), ["ZLB"]);
    assert_eq!(peer.lns.endpoint.tunnel_count(), 1);
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
