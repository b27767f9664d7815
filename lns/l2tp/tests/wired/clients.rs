//! What real clients send and have stumbled over. The numbers are those of the list of regression cases.

use std::time::Duration;

use tollgate_l2tp::message::Message;
use tollgate_l2tp::{
    CdnResult, ControlHeader, DropReason, ErrorCode, MessageType, Received, SessionEnd, StopResult, TunnelEnd,
};

use crate::peer::{Peer, avp, body, sccrq};
use crate::wire::{Wire, from_port, lac_config, lns_config};

/// Android: 69 octets, window of one.
pub(crate) fn android_sccrq(tunnel: u16) -> Vec<u8> {
    let [high, low] = tunnel.to_be_bytes();
    let mut out = vec![
        0xc8, 0x02, 0x00, 0x45, 0, 0, 0, 0, 0, 0, 0, 0, // header
        0x80, 0x08, 0, 0, 0, 0, 0, 1, // SCCRQ
        0x80, 0x08, 0, 0, 0, 2, 1, 0, // version 1.0
        0x80, 0x0f, 0, 0, 0, 7, b'a', b'n', b'o', b'n', b'y', b'm', b'o', b'u', b's', //
        0x80, 0x0a, 0, 0, 0, 3, 0, 0, 0, 3, // synchronous and asynchronous
    ];
    out.extend_from_slice(&[0x80, 0x08, 0, 0, 0, 9, high, low, 0x80, 0x08, 0, 0, 0, 10, 0, 1]);
    out
}

/// Windows 10: 108 octets with a name of 15; firmware and vendor without M bit.
pub(crate) fn microsoft_sccrq(tunnel: u16) -> Vec<u8> {
    let mut firmware = avp(6, &[0x0a, 0]);
    let mut vendor = avp(8, b"Microsoft");
    (firmware[0], vendor[0]) = (0, 0);
    let avps = [
        avp(2, &[1, 0]),
        avp(3, &[0, 0, 0, 1]),
        avp(4, &[0, 0, 0, 0]),
        firmware,
        avp(7, b"DESKTOP-ABCDEFG"),
        vendor,
        avp(9, &tunnel.to_be_bytes()),
        avp(10, &[0, 8]),
    ];
    let header = ControlHeader { tunnel: 0, session: 0, ns: 0, nr: 0 };
    header.encode(&body(MessageType::Sccrq, &avps))
}

/// macOS and iOS: host name with its NUL.
fn apple_sccrq(tunnel: u16) -> Vec<u8> {
    let avps = [
        avp(2, &[1, 0]),
        avp(3, &[0, 0, 0, 3]),
        avp(7, b"macbook.local\0"),
        avp(9, &tunnel.to_be_bytes()),
        avp(10, &[0, 4]),
    ];
    body(MessageType::Sccrq, &avps)
}

#[test]
fn the_sccrq_of_android_has_69_octets_and_is_taken() {
    let request = android_sccrq(0x0301);
    assert_eq!(request.len(), 69);
    let mut peer = Peer::new(lns_config());
    assert_eq!(peer.raw(&request), Received::Control);
    let info = peer.lns.endpoint.tunnels().next().unwrap();
    assert_eq!(
        (info.host_name.as_str(), info.peer_window, info.peer.unwrap().get()),
        ("anonymous", 1, 0x0301)
    );
}

#[test]
fn the_sccrq_of_windows_has_108_octets_and_is_taken() {
    let request = microsoft_sccrq(2);
    assert_eq!(request.len(), 108);
    let mut peer = Peer::new(lns_config());
    assert_eq!(peer.raw(&request), Received::Control);
    let info = peer.lns.endpoint.tunnels().next().unwrap();
    assert_eq!((info.host_name.as_str(), info.vendor_name.as_str()), ("DESKTOP-ABCDEFG", "Microsoft"));
    assert_eq!((info.firmware_revision, info.peer_window), (Some(0x0a00), 8));
}

#[test]
fn windows_may_add_its_correlation_avp_to_the_icrq() {
    let mut peer = Peer::new(lns_config());
    peer.connect();
    let mut correlation = vec![0, 22, 0x01, 0x37, 0, 1];
    correlation.extend_from_slice(&[0x5a; 16]);
    // Windows 98 marks the channel as mandatory.
    let avps = [avp(14, &[0, 1]), avp(15, &[0, 0, 0, 0]), avp(25, &[0, 0, 0, 0]), correlation];
    peer.say(0, &body(MessageType::Icrq, &avps));
    assert_eq!(peer.names(), ["ICRP"]);
    assert!(peer.lns.story().is_empty(), "not a word about it");
}

#[test]
fn case_02_two_clients_behind_one_nat_with_the_same_tunnel_id_do_not_meet() {
    let mut peer = Peer::new(lns_config());
    let mut calls = Vec::new();
    for association in [11, 12] {
        peer.path.association = Some(association);
        (peer.ns, peer.nr, peer.theirs) = (0, 0, 0);
        peer.raw(&microsoft_sccrq(1));
        peer.ns = 1;
        peer.hear();
        peer.say(0, &body(MessageType::Scccn, &[]));
        peer.hear();
        peer.lns.story();
        let session = peer.call(1);
        calls.push((association, peer.theirs, session));
    }
    assert_eq!((peer.lns.endpoint.tunnel_count(), peer.lns.endpoint.session_count()), (2, 2));
    assert_ne!(calls[0].1, calls[1].1);
    // Data of one over the association of the other goes nowhere.
    let (_, tunnel, session) = calls[0];
    let packet = [&[0, 2][..], &tunnel.to_be_bytes(), &session.to_be_bytes(), &[0xff]].concat();
    peer.path.association = Some(12);
    assert_eq!(peer.raw(&packet), Received::Dropped(DropReason::WrongPath));
    peer.path.association = Some(11);
    assert!(matches!(peer.raw(&packet), Received::Data { .. }));
}

#[test]
fn case_03_answers_go_to_the_outer_port_of_the_last_good_packet() {
    let mut peer = Peer::new(lns_config());
    peer.path.association = Some(11);
    peer.connect();
    peer.path.remote.set_port(61_234);
    peer.say(0, &body(MessageType::Hello, &[]));
    let answer = peer.lns.endpoint.poll_transmit().unwrap();
    assert_eq!(answer.path, peer.path);
    // What is wrong changes nothing.
    let good = peer.path;
    peer.path.remote.set_port(2);
    let far = ControlHeader { tunnel: peer.theirs, session: 0, ns: peer.ns + 500, nr: peer.nr };
    assert_eq!(
        peer.raw(&far.encode(&body(MessageType::Hello, &[]))),
        Received::Dropped(DropReason::OutsideWindow)
    );
    assert_eq!(peer.lns.endpoint.tunnels().next().unwrap().path, good);
}

/// Result Code AVP as Apple writes it: 14 octets, little-endian, garbage behind.
fn apple_result(code: u8) -> Vec<u8> {
    avp(1, &[code, 0, 0xde, 0xad, 0xbe, 0xef, 0x55, 0xaa])
}

#[test]
fn case_23_apple_result_codes_are_read_in_apples_order() {
    assert_eq!(apple_result(3)[1], 14);
    let mut peer = Peer::new(lns_config());
    peer.connect();
    let session = peer.call(3);
    peer.say(session, &body(MessageType::Cdn, &[apple_result(3), avp(14, &[0, 3])]));
    peer.say(0, &body(MessageType::StopCcn, &[avp(9, &[0, 7]), apple_result(1)]));
    assert_eq!(peer.names(), ["ZLB", "ZLB"]);
    let by_peer =
        SessionEnd::ByPeer { result: CdnResult::Administrative, error: None, message: String::new() };
    assert_eq!(peer.lns.session_ends(), [by_peer]);
    let by_peer =
        TunnelEnd::ByPeer { result: StopResult::GeneralRequest, error: None, message: String::new() };
    assert_eq!(peer.lns.tunnel_ends(), [by_peer]);
}

#[test]
fn case_24_result_code_without_error_code() {
    // Android: one StopCCN with an AVP of eight octets, no CDN before.
    let mut peer = Peer::new(lns_config());
    peer.connect();
    peer.call(3);
    let short = avp(1, &[0, 6]);
    assert_eq!(short.len(), 8);
    peer.say(0, &body(MessageType::StopCcn, &[avp(9, &[0, 7]), short]));
    assert_eq!(peer.names(), ["ZLB"]);
    let by_peer = TunnelEnd::ByPeer { result: StopResult::ShuttingDown, error: None, message: String::new() };
    assert_eq!(peer.lns.session_ends(), [SessionEnd::TunnelDown(by_peer.clone())]);
    assert_eq!(peer.lns.tunnel_ends(), [by_peer]);

    // MikroTik: the same in a CDN.
    let mut peer = Peer::new(lns_config());
    peer.connect();
    let session = peer.call(3);
    peer.say(session, &body(MessageType::Cdn, &[avp(1, &[0, 3]), avp(14, &[0, 3])]));
    let by_peer =
        SessionEnd::ByPeer { result: CdnResult::Administrative, error: None, message: String::new() };
    assert_eq!(peer.lns.session_ends(), [by_peer]);
}

#[test]
fn case_27_scccn_and_iccn_are_acknowledged_at_once_by_twelve_octets() {
    let mut peer = Peer::new(lns_config());
    peer.raw(&android_sccrq(9));
    peer.ns = 1;
    peer.hear();
    peer.say(0, &body(MessageType::Scccn, &[]));
    let answers = peer.datagrams();
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0].len(), 12);
    peer.lns.story();
    peer.say(0, &body(MessageType::Icrq, &[avp(14, &[0, 1]), avp(15, &[9, 9, 9, 9])]));
    let heard = peer.hear();
    let [(_, Some(Message::Icrp(reply)))] = &heard[..] else { panic!("{heard:?}") };
    let session = reply.assigned_session.get();
    peer.say(session, &body(MessageType::Iccn, &[avp(24, &[5, 0xf5, 0xe1, 0]), avp(19, &[0, 0, 0, 3])]));
    let answers = peer.datagrams();
    assert_eq!(answers.len(), 1, "and it waits before the event that leads to the first PPP frame");
    assert_eq!(answers[0].len(), 12);
    assert_eq!(peer.lns.story(), ["session up"]);
}

#[test]
fn case_28_a_telephone_that_ignores_hello_is_alive_while_its_data_flows() {
    let mut wire = Wire::new(lac_config(), lns_config());
    let (lac, lns) = wire.call();
    wire.lns.story();
    // From now on control messages are lost in both directions, and PPP echoes go on every thirty seconds.
    wire.cut = true;
    wire.pass(Duration::from_secs(65));
    for _ in 0..20 {
        assert!(matches!(wire.up(lac, b"\xc0\x21\x09"), Received::Data { .. }));
        assert!(matches!(wire.down(lns, b"\xc0\x21\x0a"), Received::Data { .. }));
        wire.pass(Duration::from_secs(30));
    }
    assert!(wire.log.len() > 20, "Hello after Hello without an answer");
    assert!(wire.lns.tunnel_ends().is_empty());
    // When PPP stops as well, it is over.
    wire.pass(Duration::from_secs(150));
    assert_eq!(wire.lns.tunnel_ends(), [TunnelEnd::ControlTimeout]);
}

#[test]
fn case_29_hello_with_tunnel_id_zero_is_dropped_without_a_reply() {
    let mut peer = Peer::new(lns_config());
    for _ in 0..11 {
        let hello =
            ControlHeader { tunnel: 0, session: 0, ns: 0, nr: 0 }.encode(&body(MessageType::Hello, &[]));
        assert_eq!(peer.raw(&hello), Received::Dropped(DropReason::UnknownTunnel));
    }
    assert!(peer.datagrams().is_empty());
    assert!(peer.lns.story().is_empty());
    assert_eq!(peer.lns.endpoint.counters().dropped(DropReason::UnknownTunnel), 11);
    // The real login that follows is not harmed.
    peer.connect();
}

#[test]
fn case_29_stop_ccn_with_a_wrong_tunnel_id_finds_its_tunnel_by_path() {
    for wrong in [0, 1, 0x7777] {
        let mut peer = Peer::new(lns_config());
        peer.connect();
        peer.call(3);
        let right = peer.theirs;
        peer.theirs = if wrong == right { wrong ^ 1 } else { wrong };
        peer.say(0, &body(MessageType::StopCcn, &[avp(9, &[0, 7]), avp(1, &[0, 1, 0, 0])]));
        assert_eq!(peer.names(), ["ZLB"]);
        assert_eq!((peer.lns.tunnel_ends().len(), peer.lns.session_ends().len()), (1, 1), "{wrong}");
    }
    // From another path it finds nothing.
    let mut peer = Peer::new(lns_config());
    peer.connect();
    peer.path = from_port(9);
    peer.theirs = 0;
    peer.say(0, &body(MessageType::StopCcn, &[avp(9, &[0, 7]), avp(1, &[0, 1, 0, 0])]));
    assert!(peer.lns.tunnel_ends().is_empty());
    assert_eq!(peer.lns.endpoint.tunnel_count(), 1);
    // Without the sender's id there is nothing to find it by, and no answer.
    peer.datagrams();
    assert!(matches!(peer.say(0, &body(MessageType::StopCcn, &[])), Received::Dropped(_)));
    assert!(peer.datagrams().is_empty());
}

#[test]
fn case_29_messages_with_tunnel_id_zero_in_mid_life_crash_nothing() {
    let mut peer = Peer::new(lns_config());
    peer.connect();
    let theirs = std::mem::take(&mut peer.theirs);
    for message_type in [MessageType::Scccn, MessageType::Icrq, MessageType::Iccn, MessageType::Cdn] {
        let heard = peer.say(0, &body(message_type, &[avp(14, &[0, 3])]));
        assert_eq!(heard, Received::Dropped(DropReason::UnknownTunnel));
        peer.ns -= 1;
    }
    assert!(peer.datagrams().is_empty());
    peer.theirs = theirs;
    peer.call(3);
}

#[test]
fn case_30_a_host_name_with_its_nul_is_stripped() {
    let mut peer = Peer::new(lns_config());
    peer.say(0, &apple_sccrq(7));
    assert_eq!(peer.names(), ["SCCRP"]);
    assert_eq!(peer.lns.endpoint.tunnels().next().unwrap().host_name, "macbook.local");
}

#[test]
fn case_31_a_message_that_comes_early_waits_and_an_old_one_is_acknowledged() {
    let mut peer = Peer::new(lns_config());
    peer.connect();
    let icrq = |session| body(MessageType::Icrq, &[avp(14, &[0, session]), avp(15, &[0, 0, 0, 1])]);
    // Numbers 2, 3, 4: 4 and 3 come first.
    peer.ns = 4;
    peer.say(0, &icrq(6));
    peer.ns = 3;
    peer.say(0, &icrq(5));
    assert!(peer.hear().is_empty());
    assert_eq!(peer.lns.endpoint.counters().out_of_order, 2);
    peer.ns = 2;
    peer.say(0, &icrq(4));
    assert_eq!(peer.lns.endpoint.session_count(), 3, "all of them, in order");
    let heard = peer.hear();
    let sessions: Vec<_> = heard.iter().map(|(header, _)| header.session).collect();
    assert_eq!(sessions, [4, 5], "as far as the window is open");
    assert!(heard.iter().all(|(header, _)| header.nr == 5));
    peer.ns = 5;
    peer.zlb();
    assert_eq!(peer.hear()[0].0.session, 6);
    peer.ns = 3;
    peer.say(0, &icrq(5));
    assert_eq!(peer.names(), ["ZLB"]);
    assert_eq!(peer.lns.endpoint.session_count(), 3);
}

#[test]
fn case_32_scccn_and_icrq_in_one_burst() {
    let mut peer = Peer::new(lns_config());
    peer.say(0, &apple_sccrq(7));
    peer.hear();
    peer.say(0, &body(MessageType::Scccn, &[]));
    peer.say(0, &body(MessageType::Icrq, &[avp(14, &[0x12, 0x34]), avp(15, &[0, 0, 0, 1])]));
    assert_eq!(peer.names(), ["ZLB", "ICRP"]);
    // And when the network turns them round.
    let mut peer = Peer::new(lns_config());
    peer.say(0, &apple_sccrq(7));
    peer.hear();
    peer.ns = 2;
    peer.say(0, &body(MessageType::Icrq, &[avp(14, &[0x12, 0x34]), avp(15, &[0, 0, 0, 1])]));
    peer.ns = 1;
    peer.say(0, &body(MessageType::Scccn, &[]));
    assert_eq!(peer.names(), ["ICRP"], "which acknowledges both");
    assert_eq!(peer.lns.story(), ["tunnel up"]);
}

#[test]
fn case_33_an_sccrp_has_the_basic_avps_only() {
    let mut peer = Peer::new(lns_config());
    peer.say(0, &apple_sccrq(7));
    let answer = peer.datagrams().remove(0);
    let avps = tollgate_l2tp::avp::Avps::new(&answer[12..]).map(Result::unwrap);
    let seen: Vec<_> = avps
        .map(|avp| {
            assert!(avp.mandatory && !avp.hidden && !avp.reserved && avp.vendor == 0);
            avp.attribute
        })
        .collect();
    assert_eq!(seen, [0, 2, 3, 7, 9, 10]);
}

#[test]
fn case_34_an_iccn_without_speed_and_framing_is_taken() {
    let mut peer = Peer::new(lns_config());
    peer.connect();
    peer.say(0, &body(MessageType::Icrq, &[avp(14, &[0, 3]), avp(15, &[0, 0, 0, 1])]));
    let heard = peer.hear();
    let [(_, Some(Message::Icrp(reply)))] = &heard[..] else { panic!("{heard:?}") };
    peer.say(reply.assigned_session.get(), &body(MessageType::Iccn, &[]));
    let up = peer.lns.sessions_up();
    assert_eq!((up[0].1.tx_speed, up[0].1.framing_type), (None, None));
}

#[test]
fn case_35_the_challenge_response_in_scccn_is_checked() {
    let mut config = lns_config();
    config.shared_secret = Some(b"mpd".to_vec().into());
    let mut peer = Peer::new(config);
    let mut request = sccrq(7);
    request.extend(avp(11, &[0x77; 20]));
    peer.say(0, &request);
    let heard = peer.hear();
    let [(_, Some(Message::Sccrp(reply)))] = &heard[..] else { panic!("{heard:?}") };
    assert!(reply.challenge_response.is_some());
    let challenge = reply.challenge.clone().unwrap();
    let response = tollgate_l2tp::auth::challenge_response(MessageType::Scccn, b"mpd", &challenge);
    peer.say(0, &body(MessageType::Scccn, &[avp(13, &response)]));
    assert_eq!(peer.lns.story(), ["tunnel up"]);
}

#[test]
fn case_50_any_source_port_will_do() {
    for port in [1, 500, 1701, 4500, 40_000, 65_535] {
        let mut peer = Peer::new(lns_config());
        peer.path = from_port(port);
        peer.connect();
        peer.call(3);
    }
}

#[test]
fn error_codes_from_clients_are_kept() {
    let mut peer = Peer::new(lns_config());
    peer.connect();
    let stop = body(MessageType::StopCcn, &[avp(9, &[0, 7]), avp(1, &[0, 2, 0, 8, b'7', b'7', 0])]);
    peer.say(0, &stop);
    let by_peer = TunnelEnd::ByPeer {
        result: StopResult::GeneralError,
        error: Some(ErrorCode::UnknownMandatoryAvp),
        message: "77".into(),
    };
    assert_eq!(peer.lns.tunnel_ends(), [by_peer]);
}
