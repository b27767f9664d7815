//! Octets of any kind, in any phase, at either end: no panic, no growth without bound, and no way in.

mod common;

use std::time::Duration;

use common::script::{CCP, CHAP, IPCP, LCP, PAP, Script, frame};
use common::{ALL, client_config, server_config};
use proptest::prelude::*;
use tollgate_ppp::AuthProtocol::{ChapMd5, MsChapV1, MsChapV2, Pap};
use tollgate_ppp::{Event, Phase, ProxyAuth, ProxyLcp, ipv4_payload};

const STAGES: usize = 10;

fn stage(number: usize) -> Script {
    let client = || {
        let mut script = Script::client(client_config(&ALL));
        script.link.start(script.now);
        script
    };
    match number {
        0 => Script::server(server_config(&ALL)),
        1 => Script::started(&ALL).0,
        2 => Script::lcp_open(&[MsChapV2]),
        3 => Script::lcp_open(&[MsChapV1]),
        4 => Script::lcp_open(&[ChapMd5]),
        5 => Script::pap_pending().0,
        6 => Script::in_network().0,
        7 => Script::up(),
        8 => client(),
        _ => {
            let mut script = client();
            let request = script.one();
            script.open_lcp(&request, &[3, 5, 0xC2, 0x23, 0x81]);
            script
        }
    }
}

/// Frames that look right from the outside, so that the inner parsers are reached.
fn plausible() -> impl Strategy<Value = Vec<u8>> {
    let protocol = proptest::sample::select(vec![LCP, IPCP, PAP, CHAP, CCP, 0x0021, 0x8057, 0xC227]);
    let options = proptest::collection::vec(
        (
            proptest::sample::select(vec![1u8, 2, 3, 5, 7, 8, 13, 17, 129, 130, 132]),
            proptest::collection::vec(any::<u8>(), 0..8),
        ),
        0..6,
    )
    .prop_map(|options| {
        options
            .into_iter()
            .flat_map(|(kind, value)| [vec![kind, value.len() as u8 + 2], value].concat())
            .collect::<Vec<u8>>()
    });
    let data = prop_oneof![options, proptest::collection::vec(any::<u8>(), 0..80)];
    (protocol, 0u8..16, 0u8..4, data).prop_map(|(protocol, code, id, data)| frame(protocol, code, id, &data))
}

fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![3 => plausible(), 1 => proptest::collection::vec(any::<u8>(), 0..200)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_frames_in_any_phase_do_no_harm(
        number in 0..STAGES,
        frames in proptest::collection::vec((any_frame(), 0u64..4000), 0..60),
    ) {
        let mut script = stage(number);
        let accepted = matches!(number, 6 | 7);
        let client = number >= 8;
        for (frame, millis) in &frames {
            script.send_frame(frame);
            script.pass(Duration::from_millis(*millis));
            let mut out = 0;
            while script.link.poll_frame().is_some() {
                out += 1;
            }
            prop_assert!(out <= 64);
        }
        prop_assert!(script.events.iter().filter(|event| matches!(event, Event::Down(_))).count() <= 1);
        let up = script.events.iter().any(|event| matches!(event, Event::Up(_)));
        prop_assert!(!up || accepted || client, "nobody was let in");
    }

    #[test]
    fn an_end_that_gets_only_rubbish_ends_by_itself(
        number in 1..STAGES,
        frames in proptest::collection::vec(any_frame(), 0..20),
    ) {
        let mut script = stage(number);
        for frame in &frames {
            script.send_frame(frame);
        }
        for _ in 0..200 {
            while script.link.poll_frame().is_some() {}
            match script.link.next_timeout() {
                Some(_) => { script.wait(); }
                None => break,
            }
        }
        // An echo that the peer has rejected leaves an open link without a timer.
        prop_assert!(script.link.phase() == Phase::Dead || script.link.is_up());
    }

    #[test]
    fn any_proxy_report_does_no_harm(
        sent in proptest::collection::vec(any::<u8>(), 0..40),
        received in proptest::collection::vec(any::<u8>(), 0..40),
        auth_type in 0u16..7,
        name in proptest::collection::vec(any::<u8>(), 0..300),
        challenge in proptest::collection::vec(any::<u8>(), 0..300),
        response in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut script = Script::server(server_config(&ALL));
        let auth = ProxyAuth { auth_type, name: &name, challenge: &challenge, identifier: 1, response: &response };
        let proxy = ProxyLcp {
            initial_received: None,
            last_sent: Some(&sent),
            last_received: Some(&received),
            auth: Some(auth),
        };
        script.link.start_with_proxy(script.now, proxy);
        let good = [3, 4, 0xC0, 0x23];
        let mut script = Script::server(server_config(&[Pap]));
        let proxy = ProxyLcp { last_sent: Some(&good), last_received: Some(&[]), ..proxy };
        script.link.start_with_proxy(script.now, proxy);
        script.take_events();
        prop_assert!(script.link.phase() != Phase::Network);
    }

    #[test]
    fn the_hot_path_takes_any_octets(frame in proptest::collection::vec(any::<u8>(), 0..60)) {
        if let Some(packet) = ipv4_payload(&frame) {
            prop_assert!(frame.ends_with(packet) && frame.len() - packet.len() <= 4);
        }
    }
}
