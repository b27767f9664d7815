//! What is refused, and in which words; what is taken although it makes no sense.

use tollgate_l2tp::message::Message;
use tollgate_l2tp::{
    CallDisconnect, CdnResult, IncomingCall, MessageType, OpenError, Received, SessionEnd, SessionId,
    SessionKey, StopResult, TunnelEnd, TunnelId,
};

use crate::peer::{Peer, avp, body, sccrq};
use crate::wire::{Side, Wire, from_port, lac_config, lns_config};

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
    let mut wire = Wire::new(lac_config(), lns_config());
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
    let first = side.endpoint.open_session(now, tunnel, IncomingCall::default()).unwrap();
    let again = side.endpoint.open_session(now, tunnel, IncomingCall::default());
    assert_eq!(again, Err(OpenError::TooManySessions));
    let nowhere = TunnelId::new(tunnel.get() ^ 1).unwrap();
    assert_eq!(
        side.endpoint.open_session(now, nowhere, IncomingCall::default()),
        Err(OpenError::TooManySessions)
    );
    side.endpoint.close_session(now, first, CallDisconnect::new(CdnResult::Administrative, "test"));
    assert_eq!(side.endpoint.open_session(now, nowhere, IncomingCall::default()), Err(OpenError::NoTunnel));
    let none = SessionKey { tunnel: nowhere, session: SessionId::new(1).unwrap() };
    side.endpoint.close_session(now, none, CallDisconnect::new(CdnResult::Administrative, "test"));
    assert_eq!(side.endpoint.session_info(none), None);
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
