//! Many at once: those who mean harm, and those who only are many.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use tollgate_l2tp::{ControlHeader, IncomingCall, MessageType, Path, Received};

use crate::peer::{Peer, avp, body, sccrq};
use crate::wire::{Wire, data, lac_config, lns_config};

fn forged(number: u32) -> Path {
    let remote = SocketAddr::from((Ipv4Addr::from_bits(0x0a00_0000 + number), 1701));
    Path { local: "192.0.2.1:1701".parse().unwrap(), remote, association: None }
}

#[test]
fn ten_thousand_forged_requests_leave_little_and_a_real_login_gets_in() {
    let mut config = lns_config();
    config.max_half_open = 256;
    let mut wire = Wire::new(lac_config(), config);
    let flood = |wire: &mut Wire, range: std::ops::Range<u32>| {
        for number in range {
            let request =
                ControlHeader { tunnel: 0, session: 0, ns: 0, nr: 0 }.encode(&sccrq(number as u16 | 1));
            assert_eq!(
                wire.lns.endpoint.handle_datagram(wire.now, forged(number), &request),
                Received::Control
            );
            // The answers go to strangers.
            while wire.lns.endpoint.poll_transmit().is_some() {}
        }
    };
    flood(&mut wire, 0..5000);
    let tunnel = wire.open();
    wire.lac.endpoint.open_session(wire.now, tunnel, IncomingCall::default()).unwrap();
    let request = wire.lac.endpoint.poll_transmit().unwrap();
    wire.lns.endpoint.handle_datagram(wire.now, wire.seen, &request.datagram);
    // A hundred more while the answer is on its way.
    let answer = wire.lns.endpoint.poll_transmit().unwrap();
    flood(&mut wire, 5000..5100);
    wire.lac.endpoint.handle_datagram(wire.now, crate::wire::reversed(wire.seen), &answer.datagram);
    wire.run();
    flood(&mut wire, 5100..10_000);
    assert_eq!(wire.lns.story(), ["tunnel up", "session up"], "and not one line about the flood");
    assert_eq!(wire.lns.endpoint.half_open_count(), 256);
    assert_eq!(wire.lns.endpoint.tunnels().count(), 257);
    assert_eq!(wire.lns.endpoint.counters().half_open_evicted, 10_000 - 256);
    // The login survives all of it, and what the flood left is gone in a minute.
    wire.pass(Duration::from_secs(60));
    assert_eq!((wire.lns.endpoint.tunnels().count(), wire.lns.endpoint.half_open_count()), (1, 0));
    assert_eq!(wire.lns.endpoint.session_count(), 1);
}

#[test]
fn forged_requests_that_are_taken_back_leave_nothing_at_all() {
    let mut peer = Peer::new(lns_config());
    for number in 0..3000 {
        peer.path = forged(number);
        (peer.ns, peer.nr, peer.theirs) = (0, 0, 0);
        peer.say(0, &sccrq(7));
        peer.say(0, &body(MessageType::StopCcn, &[avp(9, &[0, 7]), avp(1, &[0, 1, 0, 0])]));
        peer.datagrams();
    }
    assert_eq!(peer.lns.endpoint.tunnels().count(), 0);
    assert_eq!(peer.lns.endpoint.next_timeout(), None);
}

#[test]
fn a_flood_of_refusals_is_not_a_flood_of_warnings() {
    let mut config = lns_config();
    config.accept_incoming = false;
    let mut peer = Peer::new(config);
    for number in 0..1000 {
        peer.path = forged(number);
        peer.ns = 0;
        peer.say(0, &sccrq(7));
        peer.datagrams();
    }
    assert!(peer.lns.story().len() <= 20);
    let counters = peer.lns.endpoint.counters();
    assert_eq!((counters.tunnels_refused, counters.warnings_suppressed), (1000, 980));
    assert_eq!(peer.lns.endpoint.tunnels().count(), 0);
}

#[test]
fn full_of_real_tunnels_is_full_and_says_so() {
    let mut config = lns_config();
    config.max_tunnels = 3;
    let mut wire = Wire::new(lac_config(), config);
    for _ in 0..5 {
        wire.open();
        wire.run();
    }
    assert_eq!(wire.lns.endpoint.tunnel_count(), 3);
    assert_eq!(wire.lac.tunnel_ends().len(), 2, "no tunnel in use makes place for a new one");
}

#[test]
fn as_many_sessions_as_there_may_be_are_found_at_once() {
    let mut wire = Wire::new(lac_config(), lns_config());
    let begun = Instant::now();
    let tunnels: Vec<_> = (0..128).map(|_| wire.open()).collect();
    wire.run();
    for tunnel in &tunnels {
        for _ in 0..512 {
            wire.lac.endpoint.open_session(wire.now, *tunnel, IncomingCall::default()).unwrap();
        }
        wire.run();
        wire.log.clear();
    }
    assert_eq!(wire.lns.endpoint.session_count(), 65_536);
    let refused = wire.lac.endpoint.open_session(wire.now, tunnels[0], IncomingCall::default());
    assert!(refused.is_err(), "65,536 is the limit");
    let keys: Vec<_> = wire.lac.sessions_up().into_iter().map(|(key, _)| key).collect();
    for key in keys.iter().step_by(97) {
        let packet = data(&mut wire.lac.endpoint, *key, b"frame").unwrap();
        let received = wire.lns.endpoint.handle_datagram(wire.now, wire.seen, &packet);
        assert!(matches!(received, Received::Data { .. }));
    }
    // Generous: what this would not survive is a cost that grows with the number of sessions.
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
}

#[test]
fn a_peer_that_asks_without_end_and_never_acknowledges_is_held_back() {
    let mut peer = Peer::new(lns_config());
    peer.connect();
    let mut refused = 0;
    for number in 0..5000_u16 {
        let avps = [avp(14, &(number + 1).to_be_bytes()), avp(15, &[0, 0, 0, 1])];
        if peer.say(0, &body(MessageType::Icrq, &avps)) != Received::Control {
            refused += 1;
            peer.ns -= 1;
        }
    }
    let info = peer.lns.endpoint.tunnels().next().unwrap();
    assert_eq!((info.unacknowledged, refused), (1024, 5000 - 1024));
}
