//! Bad lines and bad octets, drawn at random.

use std::time::Duration;

use proptest::prelude::*;
use tollgate_l2tp::{CallDisconnect, CdnResult, IncomingCall, Received, SessionKey, StopResult, TunnelStop};

use crate::wire::{Side, Wire, data, lac_config, lns_config, reversed};

#[derive(Debug, Clone)]
enum Step {
    Open,
    Call(usize),
    HangUp(bool, usize),
    Close(bool, usize),
    /// Move one datagram, or lose it, double it, or put it behind.
    Move(bool, Fate),
    Wait(u16),
}

#[derive(Debug, Clone, Copy)]
enum Fate {
    Arrives,
    Lost,
    Twice,
    Late,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let fate = prop_oneof![
        6 => Just(Fate::Arrives),
        1 => Just(Fate::Lost),
        1 => Just(Fate::Twice),
        1 => Just(Fate::Late),
    ];
    let step = prop_oneof![
        1 => Just(Step::Open),
        3 => (0..8_usize).prop_map(Step::Call),
        1 => (any::<bool>(), 0..8_usize).prop_map(|(end, at)| Step::HangUp(end, at)),
        1 => (any::<bool>(), 0..20_usize).prop_map(|(end, at)| Step::Close(end, at)),
        20 => (any::<bool>(), fate).prop_map(|(end, fate)| Step::Move(end, fate)),
        3 => (0..5000_u16).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 0..250)
}

/// Calls that an end believes to be up.
fn calls(side: &mut Side) -> Vec<SessionKey> {
    let up: Vec<_> = side.sessions_up().into_iter().map(|(key, _)| key).collect();
    up.into_iter().filter(|key| side.endpoint.session_info(*key).is_some()).collect()
}

fn side(wire: &mut Wire, lac: bool) -> &mut Side {
    if lac { &mut wire.lac } else { &mut wire.lns }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever the line does, both ends agree in the end: the calls up at one are up at the other, under the ids
    /// that the other knows, and a frame gets through in both directions.
    #[test]
    fn both_ends_agree_when_the_line_heals(steps in steps()) {
        let mut wire = Wire::new(lac_config(), lns_config());
        let mut tunnels = Vec::new();
        let mut late: [Vec<Vec<u8>>; 2] = [Vec::new(), Vec::new()];
        for step in steps {
            match step {
                Step::Open => tunnels.push(wire.open()),
                Step::Call(at) => {
                    if let Some(tunnel) = tunnels.get(at) {
                        let _ = wire.lac.endpoint.open_session(wire.now, *tunnel, IncomingCall::default());
                    }
                }
                Step::HangUp(lac, at) => {
                    let now = wire.now;
                    let side = side(&mut wire, lac);
                    if let Some(key) = calls(side).get(at).copied() {
                        side.endpoint.close_session(now, key, CallDisconnect::new(CdnResult::Administrative, "x"));
                    }
                }
                Step::Close(lac, at) => {
                    let now = wire.now;
                    let side = side(&mut wire, lac);
                    let tunnel = side.endpoint.tunnels().nth(at).map(|info| info.id);
                    if let Some(tunnel) = tunnel {
                        side.endpoint.close_tunnel(now, tunnel, TunnelStop::new(StopResult::GeneralRequest, "x"));
                    }
                }
                Step::Move(lac, fate) => {
                    let (now, seen) = (wire.now, wire.seen);
                    let Some(transmit) = side(&mut wire, lac).endpoint.poll_transmit() else { continue };
                    let copies = match fate {
                        Fate::Arrives => 1,
                        Fate::Lost => 0,
                        Fate::Twice => 2,
                        Fate::Late => {
                            late[usize::from(lac)].push(transmit.datagram);
                            continue;
                        }
                    };
                    let path = if lac { seen } else { reversed(seen) };
                    let mut arriving = vec![transmit.datagram; copies];
                    arriving.extend(late[usize::from(lac)].pop());
                    for datagram in arriving {
                        side(&mut wire, !lac).endpoint.handle_datagram(now, path, &datagram);
                    }
                }
                Step::Wait(milliseconds) => {
                    wire.now += Duration::from_millis(milliseconds.into());
                    wire.lac.endpoint.handle_timeout(wire.now);
                    wire.lns.endpoint.handle_timeout(wire.now);
                }
            }
        }
        wire.pass(Duration::from_secs(200));
        let (lac, lns) = (calls(&mut wire.lac), calls(&mut wire.lns));
        prop_assert_eq!(lac.len(), lns.len());
        prop_assert_eq!(wire.lac.endpoint.session_count(), lac.len());
        prop_assert_eq!(wire.lns.endpoint.session_count(), lns.len());
        prop_assert_eq!(wire.lac.endpoint.tunnel_count(), wire.lns.endpoint.tunnel_count());
        for key in lac {
            let received = wire.up(key, b"up");
            let Received::Data { key: other, .. } = received else { panic!("{received:?}") };
            let back = wire.down(other, b"down");
            prop_assert_eq!(back, Received::Data { key, token: 0, frame: 8..12 });
        }
        // And everything can be ended and is forgotten.
        let now = wire.now;
        wire.lac.endpoint.close_all(now, TunnelStop::new(StopResult::ShuttingDown, ""));
        wire.pass(Duration::from_secs(100));
        for side in [&wire.lac, &wire.lns] {
            prop_assert!(side.endpoint.is_idle());
            prop_assert_eq!(side.endpoint.session_count(), 0);
            prop_assert_eq!(side.endpoint.tunnels().count(), 0);
            prop_assert_eq!(side.endpoint.next_timeout(), None);
        }
    }

    #[test]
    fn arbitrary_octets_never_panic(datagrams in prop::collection::vec(
        (prop::collection::vec(any::<u8>(), 0..64), prop::option::of(0..4_usize)), 0..60)
    ) {
        // Beginnings that get past the first checks.
        let starts: [&[u8]; 4] = [
            &[0xc8, 0x02, 0, 40, 0, 0, 0, 0, 0, 0, 0, 0],
            &[0xc8, 0x02, 0, 30, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 8, 0, 0, 0, 0, 0, 1],
            &[0x4a, 0x02],
            &[0xc8, 0x02, 0, 28, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 8, 0, 0, 0, 0, 0, 4, 0x80, 8, 0, 0, 0, 9, 0, 7],
        ];
        let mut wire = Wire::new(lac_config(), lns_config());
        for (octets, start) in datagrams {
            let datagram = [start.map_or(&[][..], |start| starts[start]), &octets].concat();
            wire.lns.endpoint.handle_datagram(wire.now, wire.seen, &datagram);
            wire.lac.endpoint.handle_datagram(wire.now, wire.seen, &datagram);
            tollgate_l2tp::peek_tunnel_id(&datagram);
        }
        wire.pass(Duration::from_secs(100));
        prop_assert!(wire.lns.endpoint.is_idle());
    }

    /// A good conversation, with octets changed on the way: nothing panics, bounds hold, and in the end all is
    /// either well or forgotten.
    #[test]
    fn mutated_conversations_never_panic(
        changes in prop::collection::vec((0..40_usize, any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 1..8),
        hide: bool,
    ) {
        let mut configs = [lac_config(), lns_config()];
        for config in &mut configs {
            config.shared_secret = Some(b"secret".to_vec().into());
            config.hide_avps = hide;
        }
        let [lac, lns] = configs;
        let mut wire = Wire::new(lac, lns);
        let tunnel = wire.open();
        for _ in 0..3 {
            wire.lac.endpoint.open_session(wire.now, tunnel, IncomingCall::default()).unwrap();
        }
        let mut number = 0;
        for round in 0..60 {
            for lac in [true, false] {
                let (now, seen) = (wire.now, wire.seen);
                let Some(transmit) = side(&mut wire, lac).endpoint.poll_transmit() else { continue };
                let mut datagram = transmit.datagram;
                for (_, at, octet, kind) in changes.iter().filter(|(which, ..)| *which == number) {
                    let at = at.index(datagram.len());
                    match kind {
                        0 => datagram.truncate(at),
                        1 => datagram.insert(at, *octet),
                        _ => {
                            if let Some(slot) = datagram.get_mut(at) {
                                *slot = *octet;
                            }
                        }
                    }
                    if datagram.is_empty() {
                        break;
                    }
                }
                number += 1;
                let path = if lac { seen } else { reversed(seen) };
                side(&mut wire, !lac).endpoint.handle_datagram(now, path, &datagram);
            }
            if round % 20 == 19 {
                wire.now += Duration::from_secs(1);
                wire.lac.endpoint.handle_timeout(wire.now);
                wire.lns.endpoint.handle_timeout(wire.now);
            }
        }
        if let Some(key) = calls(&mut wire.lac).first().copied() {
            let packet = data(&mut wire.lac.endpoint, key, b"x").unwrap();
            wire.lns.endpoint.handle_datagram(wire.now, wire.seen, &packet);
        }
        wire.pass(Duration::from_secs(200));
        prop_assert!(wire.lns.endpoint.session_count() <= 3);
        wire.lac.endpoint.close_all(wire.now, TunnelStop::new(StopResult::ShuttingDown, ""));
        wire.lns.endpoint.close_all(wire.now, TunnelStop::new(StopResult::ShuttingDown, ""));
        wire.pass(Duration::from_secs(100));
        prop_assert!(wire.lns.endpoint.is_idle() && wire.lac.endpoint.is_idle());
        prop_assert_eq!(wire.lns.endpoint.tunnels().count(), 0);
    }
}
