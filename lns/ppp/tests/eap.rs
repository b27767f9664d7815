//! EAP: both ends against each other and against packets written by hand (RFC 3748).

mod common;

use std::time::Duration;

use common::eap_server::packet;
use common::{Pair, USER, client_config, network, server_config};
use tollgate_ppp::AuthProtocol::{Eap, MsChapV2, Pap};
use tollgate_ppp::{AuthDecision, DownReason, Event, Phase, Proof, eap_type};
use zeroize::Zeroizing;

const LIMIT: Duration = Duration::from_secs(200);

fn pair() -> Pair {
    Pair::of(&[Eap], &[Eap])
}

fn authenticated(pair: &Pair) -> Option<Vec<u8>> {
    pair.client.events.iter().find_map(|event| match event {
        Event::Authenticated { message } => Some(message.clone()),
        _ => None,
    })
}

#[test]
fn mschap_v2_inside_eap_lets_in_and_proves_the_server() {
    let mut pair = pair();
    pair.start();
    pair.run_until_settled(LIMIT);
    assert!(pair.both_up(), "{:?} {:?}", pair.server.events, pair.client.events);
    assert_eq!(authenticated(&pair).as_deref(), Some(&b"Welcome"[..]));
    assert_eq!(pair.client.addresses().unwrap().local, network().peer);
    assert_eq!(pair.server.requests(), 3, "identity, response, acknowledgement");
    assert_eq!(pair.eap.seen[0][4..], [&[eap_type::IDENTITY], USER.as_bytes()].concat());
}

#[test]
fn md5_challenge_lets_in_and_a_nak_finds_it() {
    for types in [vec![eap_type::MD5_CHALLENGE], vec![eap_type::PEAP, eap_type::MD5_CHALLENGE]] {
        let refused = types.len() > 1;
        let mut pair = pair();
        pair.eap.types = types;
        pair.start();
        pair.run_until_settled(LIMIT);
        assert!(pair.both_up());
        let nak = pair.eap.seen.iter().find(|packet| packet[4] == eap_type::NAK);
        assert_eq!(nak.map(|packet| &packet[5..]), refused.then_some(&[26, 4][..]));
    }
}

#[test]
fn a_server_that_wants_what_the_client_has_not_says_no() {
    let mut pair = pair();
    pair.eap.types = vec![eap_type::TLS];
    pair.start();
    pair.run(LIMIT);
    assert_eq!(pair.client.down_reason(), Some(&DownReason::AuthenticationFailed));
    assert!(pair.server.is_down());
}

#[test]
fn a_wrong_password_is_told_with_the_servers_words() {
    let mut client = client_config(&[Eap]);
    client.password = Zeroizing::new(b"open sesam".to_vec());
    let mut pair = Pair::new(server_config(&[Eap]), client);
    pair.start();
    pair.run(LIMIT);
    let told = pair.client.events.iter().find_map(|event| match event {
        Event::AuthenticationFailed { message, code, .. } => Some((message.as_slice(), *code)),
        _ => None,
    });
    assert_eq!(told, Some((&b"Access denied"[..], Some(691))));
    assert_eq!(pair.client.down_reason(), Some(&DownReason::AuthenticationFailed));
}

#[test]
fn a_server_that_does_not_know_the_password_is_left() {
    let mut pair = pair();
    pair.eap.impostor = true;
    pair.start();
    pair.run(LIMIT);
    assert_eq!(pair.client.down_reason(), Some(&DownReason::ServerUnproven));
    assert_eq!(authenticated(&pair), None);
}

#[test]
fn the_link_makes_the_verdict_that_the_server_left_out() {
    for types in [vec![eap_type::MSCHAP_V2], vec![eap_type::MD5_CHALLENGE], vec![eap_type::TLS]] {
        let mut pair = pair();
        pair.eap.silent = true;
        let refused = types == [eap_type::TLS];
        pair.eap.types = types;
        pair.start();
        pair.run_until_settled(LIMIT);
        assert_eq!(pair.both_up(), !refused);
        if refused {
            assert_eq!(pair.client.down_reason(), Some(&DownReason::AuthenticationFailed));
        }
    }
}

#[test]
fn a_client_without_eap_gets_another_method_and_the_other_way_round() {
    let mut pair = Pair::of(&[Eap, MsChapV2], &[MsChapV2, Pap]);
    pair.start();
    pair.run_until_settled(LIMIT);
    assert!(pair.both_up());
    assert_eq!(pair.server.method(), Some(MsChapV2));
    let mut pair = Pair::of(&[MsChapV2, Eap], &[Eap]);
    pair.start();
    pair.run_until_settled(LIMIT);
    assert!(pair.both_up());
    assert_eq!(pair.server.method(), Some(Eap));
}

#[test]
fn many_rounds_are_passed_through_and_a_circle_is_ended() {
    let mut long = pair();
    long.eap.talk = 60;
    long.eap.notification = 1200;
    long.thinking = Duration::from_secs(2);
    long.start();
    long.run_until_settled(LIMIT);
    assert!(long.both_up(), "each round has its own limit: {:?}", long.server.down_reason());
    let mut circle = pair();
    circle.eap.talk = 1000;
    circle.thinking = Duration::from_millis(10);
    circle.start();
    circle.run(LIMIT);
    assert_eq!(circle.server.down_reason(), Some(&DownReason::NotConverging("EAP")));
    assert!(circle.server.requests() <= 101);
    let mut slow = pair();
    slow.eap.talk = 90;
    slow.thinking = Duration::from_secs(30);
    slow.start();
    slow.run(LIMIT * 10);
    assert!(slow.server.is_down() && slow.now - slow.begun < LIMIT, "the whole is limited too");
}

#[test]
fn a_login_comes_through_bad_weather() {
    let mut seed: u32 = 1;
    for case in 0..300 {
        let mut pair = pair();
        pair.eap.talk = case % 4;
        pair.eap.types = match case % 3 {
            0 => vec![eap_type::MD5_CHALLENGE],
            1 => vec![eap_type::MSCHAP_V2],
            _ => vec![eap_type::TLS, eap_type::MSCHAP_V2],
        };
        pair.weather.fates = (0..60)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 24) as u8
            })
            .collect();
        pair.start();
        pair.run_until_settled(LIMIT);
        assert!(pair.both_up(), "case {case}: {:?} {:?}", pair.server.events, pair.client.events);
        let mut seen = pair.eap.seen.clone();
        seen.dedup();
        assert_eq!(seen.len(), pair.eap.seen.len(), "no Response is handed over twice");
    }
}

/// A server that is past LCP, and the identifier of its Request for the identity.
fn asking() -> (Pair, u8) {
    let mut pair = pair();
    pair.start();
    while pair.server.link.phase() != Phase::Authenticate {
        assert!(pair.step(LIMIT));
    }
    // From here on the client is written by hand.
    let identifier = loop {
        let now = pair.now;
        let frame = pair.server.link.poll_frame();
        match frame {
            Some(frame) if frame.ends_with(&[1]) && frame[..4] == [0xFF, 0x03, 0xC2, 0x27] => break frame[5],
            Some(frame) if frame[..2] == [0xC2, 0x27] => break frame[3],
            Some(_) => {}
            None => pair.server.link.handle_timeout(now + Duration::from_secs(2)),
        }
    };
    (pair, identifier)
}

fn give(pair: &mut Pair, packet: &[u8]) -> Vec<(u32, Vec<u8>)> {
    let now = pair.now;
    pair.server.link.handle_frame(now, &[&[0xFF, 0x03, 0xC2, 0x27], packet].concat());
    let mut requests = Vec::new();
    while let Some(event) = pair.server.link.poll_event() {
        if let Event::Authenticate(request) = event {
            let Proof::Eap { packet } = request.proof else { panic!() };
            requests.push((pair.server.link.authentication_round(), packet));
        }
    }
    requests
}

fn sent(pair: &mut Pair) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| pair.server.link.poll_frame())
        .filter_map(|frame| {
            let frame = frame.strip_prefix(&[0xFF, 0x03][..]).unwrap_or(&frame);
            frame.strip_prefix(&[0xC2, 0x27][..]).map(<[u8]>::to_vec)
        })
        .collect()
}

#[test]
fn only_the_response_that_is_waited_for_is_handed_over_and_only_once() {
    let (mut pair, id) = asking();
    let identity = packet(2, id, b"\x01alice");
    for wrong in [
        packet(2, id.wrapping_add(1), b"\x01alice"),
        packet(1, id, b"\x01alice"),
        packet(3, id, b""),
        packet(2, id, b""),
        packet(2, id, b"\x03\x1a"),
        packet(2, id, b"\x04\x10"),
        packet(2, id, &[b'\x01'; 1600]),
        vec![2, id, 0, 3, 1],
        vec![2, id, 0, 60, 1, b'a'],
        vec![2, id],
    ] {
        assert_eq!(give(&mut pair, &wrong), [], "{wrong:?}");
    }
    let padded = [&identity[..], &[0; 20]].concat();
    assert_eq!(give(&mut pair, &padded), [(1, identity.clone())], "padding is cut");
    assert_eq!(give(&mut pair, &identity), [], "a copy waits like the first");
    assert_eq!(give(&mut pair, &packet(2, id, b"\x01mallory")), []);
    sent(&mut pair);
    let next = packet(1, 200, b"\x19\x20");
    let now = pair.now;
    pair.server.link.authenticated(
        now,
        AuthDecision::Continue {
            packet: [&next[..], &[0; 9]].concat(),
            timeout: Some(Duration::from_secs(30)),
        },
    );
    assert_eq!(
        sent(&mut pair),
        std::slice::from_ref(&next),
        "it goes out untouched, under its own identifier"
    );
    assert_eq!(give(&mut pair, &identity), [], "the Response to an earlier Request");
    pair.server.link.handle_timeout(now + Duration::from_secs(29));
    assert_eq!(sent(&mut pair).len(), 0, "the server's own timer counts");
    pair.server.link.handle_timeout(now + Duration::from_secs(30));
    assert_eq!(sent(&mut pair), [next]);
    let nak = packet(2, 200, b"\x03\x1a");
    assert_eq!(give(&mut pair, &nak), [(2, nak.clone())], "a Nak is the server's matter");
    let success = packet(3, 200, b"");
    pair.server.link.authenticated(
        now,
        AuthDecision::Accept { message: success.clone(), network: network(), encryption: None },
    );
    assert_eq!(sent(&mut pair), std::slice::from_ref(&success));
    assert_eq!(pair.server.link.phase(), Phase::Network);
    assert_eq!(give(&mut pair, &nak), []);
    assert_eq!(sent(&mut pair), [success], "the Success was lost");
    assert_eq!(give(&mut pair, &packet(2, 199, b"\x03\x1a")), []);
    assert_eq!(sent(&mut pair).len(), 0);
}

#[test]
fn a_next_request_that_is_none_ends_the_login() {
    for packet in [
        packet(3, 9, b""),
        packet(2, 9, b"\x04\x00"),
        packet(1, 9, b""),
        packet(1, 9, &[26; 1600]),
        vec![1, 9, 0, 200, 4],
        Vec::new(),
    ] {
        let (mut pair, id) = asking();
        give(&mut pair, &common::eap_server::packet(2, id, b"\x01alice"));
        let now = pair.now;
        pair.server.link.authenticated(now, AuthDecision::Continue { packet, timeout: None });
        assert!(matches!(pair.server.link.ending(), Some(DownReason::Unavailable { .. })));
    }
}

#[test]
fn a_verdict_that_says_the_opposite_is_not_sent() {
    for message in [packet(4, 3, b""), packet(3, 3, b"x"), b"Welcome".to_vec(), vec![3, 3, 0, 3]] {
        let (mut pair, id) = asking();
        give(&mut pair, &packet(2, id, b"\x01alice"));
        sent(&mut pair);
        let now = pair.now;
        pair.server
            .link
            .authenticated(now, AuthDecision::Accept { message, network: network(), encryption: None });
        assert_eq!(sent(&mut pair), [packet(3, id, b"")]);
    }
}

#[test]
fn a_name_that_no_backend_should_see_is_refused_at_once() {
    let (mut pair, id) = asking();
    sent(&mut pair);
    assert_eq!(give(&mut pair, &packet(2, id, b"\x01al\0ice")), []);
    assert_eq!(sent(&mut pair), [packet(4, id, b"")]);
    assert_eq!(pair.server.link.ending(), Some(&DownReason::AuthenticationFailed));
}

#[test]
fn a_success_that_nothing_led_to_is_not_believed() {
    let mut pair = pair();
    pair.start();
    while pair.client.link.phase() != Phase::Authenticate {
        assert!(pair.step(LIMIT));
    }
    let now = pair.now;
    for id in 0..=255 {
        let frame = [&[0xFF, 0x03, 0xC2, 0x27][..], &packet(3, id, b"")].concat();
        pair.client.link.handle_frame(now, &frame);
    }
    assert_eq!(pair.client.link.phase(), Phase::Authenticate);
    pair.run_until_settled(LIMIT);
    assert!(pair.both_up());
}

#[test]
fn a_lost_success_is_read_from_what_follows_it() {
    for kind in [eap_type::MSCHAP_V2, eap_type::MD5_CHALLENGE] {
        let mut pair = pair();
        pair.eap.types = vec![kind];
        pair.lose = |frame| frame.windows(3).any(|at| at == [0xC2, 0x27, 3]);
        pair.start();
        pair.run_until_settled(LIMIT);
        assert!(pair.both_up());
    }
}
