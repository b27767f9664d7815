//! Data packets: headers, numbering, and peers that move.

use std::time::Duration;

use tollgate_l2tp::message::Message;
use tollgate_l2tp::{DropReason, MAX_DATA_HEADER, MessageType, Received, SessionId, SessionKey};

use crate::peer::{Peer, avp, body};
use crate::wire::{Wire, data, from_port, lac_config, lns_config, reversed};

#[test]
fn frames_go_both_ways_with_token_and_place() {
    let mut wire = Wire::new(lac_config(), lns_config());
    let (lac, lns) = wire.call();
    wire.lns.endpoint.set_token(lns, 42);
    let packet = data(&mut wire.lac.endpoint, lac, b"\xff\x03frame").unwrap();
    assert_eq!(packet[..2], [0x40, 0x02], "length, no numbers, no offset");
    let received = wire.lns.endpoint.handle_datagram(wire.now, wire.seen, &packet);
    assert_eq!(received, Received::Data { key: lns, token: 42, frame: 8..15 });
    assert_eq!(wire.down(lns, b"\xc0\x21"), Received::Data { key: lac, token: 0, frame: 8..10 });
    assert_eq!((wire.lns.endpoint.counters().data_in, wire.lns.endpoint.counters().data_out), (1, 1));
}

#[test]
fn a_header_is_only_written_for_a_session_that_is_up() {
    let mut wire = Wire::new(lac_config(), lns_config());
    let mut out = [0; MAX_DATA_HEADER];
    let tunnel = wire.open();
    let waiting =
        wire.lac.endpoint.open_session(wire.now, tunnel, tollgate_l2tp::IncomingCall::default()).unwrap();
    assert_eq!(wire.lac.endpoint.data_header(waiting, 10, &mut out), None);
    wire.run();
    assert_eq!(wire.lac.endpoint.data_header(waiting, 10, &mut out), Some((8, reversed(wire.seen))));
    assert_eq!(wire.lac.endpoint.data_header(waiting, 70_000, &mut out), None);
    let other = SessionKey { tunnel, session: SessionId::new(waiting.session.get() ^ 0x100).unwrap() };
    assert_eq!(wire.lac.endpoint.data_header(other, 10, &mut out), None);
}

#[test]
fn data_for_a_session_that_is_not_up_is_dropped_and_counted() {
    let mut peer = Peer::new(lns_config());
    peer.connect();
    peer.say(0, &body(MessageType::Icrq, &[avp(14, &[0, 3]), avp(15, &[0, 0, 0, 1])]));
    let heard = peer.hear();
    let [(_, Some(Message::Icrp(reply)))] = &heard[..] else { panic!("{heard:?}") };
    let session = reply.assigned_session.get();
    let mut packet = vec![0, 2];
    packet.extend_from_slice(&peer.theirs.to_be_bytes());
    packet.extend_from_slice(&session.to_be_bytes());
    packet.push(1);
    assert_eq!(peer.raw(&packet), Received::Dropped(DropReason::UnknownSession));
    packet[3] ^= 1;
    assert_eq!(peer.raw(&packet), Received::Dropped(DropReason::UnknownTunnel));
    assert_eq!(peer.lns.endpoint.counters().dropped(DropReason::UnknownSession), 1);
    assert_eq!(peer.lns.endpoint.counters().dropped(DropReason::UnknownTunnel), 1);
}

/// The number in a packet, if it has one.
fn number(packet: &[u8]) -> Option<u16> {
    (packet[0] & 0x08 != 0).then(|| u16::from_be_bytes([packet[8], packet[9]]))
}

#[test]
fn a_lac_that_requires_numbers_gets_them_for_the_whole_call() {
    let mut lac_wants = lac_config();
    lac_wants.require_sequencing = true;
    let mut wire = Wire::new(lac_wants, lns_config());
    let (lac, lns) = wire.call();
    assert!(wire.lns.sessions_up()[0].1.sequencing_required);
    assert!(wire.lns.endpoint.session_info(lns).unwrap().sequencing);
    for expected in 0..3 {
        let packet = data(&mut wire.lns.endpoint, lns, b"x").unwrap();
        assert_eq!(number(&packet), Some(expected));
        assert_eq!(packet[10..12], [0, 0], "Nr is reserved");
        let packet = data(&mut wire.lac.endpoint, lac, b"x").unwrap();
        assert_eq!(number(&packet), Some(expected));
    }
    // A packet without number does not switch it off.
    let plain =
        [&[0, 2][..], &lac.tunnel.get().to_be_bytes(), &lac.session.get().to_be_bytes(), &[9]].concat();
    let received = wire.lac.endpoint.handle_datagram(wire.now, reversed(wire.seen), &plain);
    assert!(matches!(received, Received::Data { .. }));
    assert!(number(&data(&mut wire.lac.endpoint, lac, b"x").unwrap()).is_some());
}

#[test]
fn an_lns_that_wants_numbers_sends_them_and_the_lac_follows() {
    let mut lns_wants = lns_config();
    lns_wants.require_sequencing = true;
    let mut wire = Wire::new(lac_config(), lns_wants);
    let (lac, lns) = wire.call();
    assert_eq!(number(&data(&mut wire.lac.endpoint, lac, b"x").unwrap()), None, "not yet");
    assert!(matches!(wire.down(lns, b"x"), Received::Data { .. }));
    assert_eq!(number(&data(&mut wire.lac.endpoint, lac, b"x").unwrap()), Some(0));
    // The LNS stops: so does the LAC.
    let plain =
        [&[0, 2][..], &lac.tunnel.get().to_be_bytes(), &lac.session.get().to_be_bytes(), &[9]].concat();
    wire.lac.endpoint.handle_datagram(wire.now, reversed(wire.seen), &plain);
    assert_eq!(number(&data(&mut wire.lac.endpoint, lac, b"x").unwrap()), None);
}

#[test]
fn numbered_data_that_comes_late_or_twice_is_dropped() {
    let mut wants = lac_config();
    wants.require_sequencing = true;
    let mut wire = Wire::new(wants, lns_config());
    let (lac, _) = wire.call();
    let packets: Vec<_> = (0..4).map(|n| data(&mut wire.lac.endpoint, lac, &[n]).unwrap()).collect();
    let mut take = |n: usize| wire.lns.endpoint.handle_datagram(wire.now, wire.seen, &packets[n]);
    assert!(matches!(take(0), Received::Data { .. }));
    assert!(matches!(take(2), Received::Data { .. }));
    assert_eq!(take(1), Received::Dropped(DropReason::OutOfSequence));
    assert_eq!(take(2), Received::Dropped(DropReason::OutOfSequence));
    assert!(matches!(take(3), Received::Data { .. }));
}

#[test]
fn a_source_port_that_changes_in_mid_life_is_followed() {
    let mut wire = Wire::new(lac_config(), lns_config());
    let (lac, lns) = wire.call();
    wire.seen = from_port(50_001);
    assert!(matches!(wire.up(lac, b"x"), Received::Data { .. }));
    let mut out = [0; MAX_DATA_HEADER];
    assert_eq!(wire.lns.endpoint.data_header(lns, 1, &mut out).unwrap().1, wire.seen);
    // A control message moves it as well, and everything is still answered there.
    wire.seen = from_port(50_002);
    wire.call_in(lac.tunnel);
    assert_eq!(wire.lns.endpoint.data_header(lns, 1, &mut out).unwrap().1, wire.seen);
}

#[test]
fn a_tunnel_that_moved_with_its_data_is_found_by_path_where_it_is_now() {
    let mut peer = Peer::new(lns_config());
    peer.connect();
    let session = peer.call(3);
    peer.path = from_port(50_001);
    let packet = [&[0, 2][..], &peer.theirs.to_be_bytes(), &session.to_be_bytes(), &[0xff]].concat();
    assert!(matches!(peer.raw(&packet), Received::Data { .. }));
    peer.theirs = 0;
    peer.say(0, &body(MessageType::StopCcn, &[avp(9, &[0, 7]), avp(1, &[0, 1, 0, 0])]));
    assert_eq!(peer.lns.tunnel_ends().len(), 1);
}

#[test]
fn another_address_in_the_clear_is_not_followed() {
    let mut wire = Wire::new(lac_config(), lns_config());
    let (lac, lns) = wire.call();
    let before = wire.seen;
    wire.seen.remote.set_ip([203, 0, 113, 9].into());
    assert_eq!(wire.up(lac, b"x"), Received::Dropped(DropReason::WrongPath));
    let mut out = [0; MAX_DATA_HEADER];
    assert_eq!(wire.lns.endpoint.data_header(lns, 1, &mut out).unwrap().1, before);
    let tunnel = wire.lns.endpoint.tunnels().next().unwrap().id;
    let hello =
        [&[0xc8, 2, 0, 20][..], &tunnel.get().to_be_bytes(), &[0, 0, 0, 4, 0, 2, 0x80, 8, 0, 0, 0, 0, 0, 6]];
    let received = wire.lns.endpoint.handle_datagram(wire.now, wire.seen, &hello.concat());
    assert_eq!(received, Received::Dropped(DropReason::WrongPath));
    assert!(wire.lns.endpoint.poll_transmit().is_none());
}

#[test]
fn an_association_is_followed_anywhere_and_another_one_nowhere() {
    let mut wire = Wire::new(lac_config(), lns_config());
    wire.seen.association = Some(77);
    let (lac, lns) = wire.call();
    wire.seen.remote = "203.0.113.9:61000".parse().unwrap();
    assert!(matches!(wire.up(lac, b"x"), Received::Data { .. }));
    wire.seen.association = Some(78);
    assert_eq!(wire.up(lac, b"x"), Received::Dropped(DropReason::WrongPath));
    // Unless the caller knows that it is the same client.
    wire.lns.endpoint.move_tunnel(lns.tunnel, wire.seen);
    assert!(matches!(wire.up(lac, b"x"), Received::Data { .. }));
}

#[test]
fn a_session_that_ended_takes_no_data_and_its_id_finds_no_other() {
    let mut wire = Wire::new(lac_config(), lns_config());
    let (lac, lns) = wire.call();
    let packet = data(&mut wire.lac.endpoint, lac, b"x").unwrap();
    let cause = tollgate_l2tp::CallDisconnect::new(tollgate_l2tp::CdnResult::Administrative, "");
    wire.lns.endpoint.close_session(wire.now, lns, cause);
    wire.run();
    let (_, next) = wire.call_in(lac.tunnel);
    assert_ne!(next.session, lns.session);
    let received = wire.lns.endpoint.handle_datagram(wire.now, wire.seen, &packet);
    assert_eq!(received, Received::Dropped(DropReason::UnknownSession));
}

#[test]
fn data_puts_a_hello_off() {
    let mut wire = Wire::new(lac_config(), lns_config());
    let (lac, lns) = wire.call();
    wire.log.clear();
    for _ in 0..10 {
        wire.pass(Duration::from_secs(30));
        wire.up(lac, b"x");
        wire.down(lns, b"x");
    }
    assert!(wire.log.is_empty(), "no Hello in five minutes of traffic");
}
