use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::auth::Step;
use crate::config::Timers;
use crate::frame::{self, Protocol};
use crate::shared::Shared;
use crate::{ClientConfig, DownReason};

fn config(eap_types: &[u8]) -> ClientConfig {
    ClientConfig {
        user: b"alice".to_vec(),
        password: Zeroizing::new(b"open sesame".to_vec()),
        eap_types: eap_types.to_vec(),
        ..ClientConfig::default()
    }
}

struct Bench {
    shared: Shared,
    supplicant: Supplicant,
}

impl Bench {
    fn new(eap_types: &[u8]) -> Self {
        let config = config(eap_types);
        let shared = Shared::new(Entropy::from_seed([3; 32]), Timers::of_client(&config));
        Self { shared, supplicant: Supplicant::new(Arc::new(config)) }
    }

    fn give(&mut self, code: u8, identifier: u8, data: &[u8]) -> (Step, Vec<u8>) {
        let step = self.supplicant.receive(Packet { code, identifier, data }, &mut self.shared);
        let frame = self.shared.poll_frame().unwrap_or_default();
        let answer = frame::split(&frame)
            .filter(|(protocol, _)| *protocol == Protocol::EAP)
            .and_then(|(_, information)| Packet::parse(information))
            .map(|packet| {
                assert_eq!((packet.code, packet.identifier), (RESPONSE, identifier));
                packet.data.to_vec()
            });
        (step, answer.unwrap_or_default())
    }

    fn ask(&mut self, identifier: u8, data: &[u8]) -> Vec<u8> {
        let (step, answer) = self.give(REQUEST, identifier, data);
        assert_eq!(step, Step::Wait);
        answer
    }
}

#[test]
fn a_nak_names_what_would_be_taken() {
    let mut bench = Bench::new(&[26, 4]);
    assert_eq!(bench.ask(1, &[1]), b"\x01alice");
    assert_eq!(bench.ask(2, &[13, 0x20]), [3, 26, 4]);
    assert_eq!(
        bench.ask(3, &[254, 0, 0, 1, 0, 0, 0, 9]),
        [254, 0, 0, 0, 0, 0, 0, 3, 254, 0, 0, 0, 0, 0, 0, 26, 254, 0, 0, 0, 0, 0, 0, 4]
    );
    assert_eq!(Bench::new(&[]).ask(2, &[4, 1, 9]), [3, 0]);
    assert_eq!(Bench::new(&[26]).ask(2, &[4, 1, 9]), [3, 26]);
}

#[test]
fn a_copy_of_a_request_has_the_same_answer() {
    let mut bench = Bench::new(&[26]);
    let challenge = [&[26, 1, 5, 0, 21, 16][..], &[7; 16]].concat();
    let first = bench.ask(9, &challenge);
    assert_eq!(first.len(), 5 + 50 + 5);
    assert_eq!(bench.ask(9, &challenge), first);
    assert_ne!(bench.ask(10, &challenge), first, "another Request is another exchange");
}

#[test]
fn a_notification_is_acknowledged_and_changes_nothing() {
    let mut bench = Bench::new(&[4]);
    bench.ask(1, &[4, 1, 9]);
    assert_eq!(bench.ask(2, b"\x02the password expires"), [2]);
    assert_eq!(bench.give(SUCCESS, 2, &[]).0, Step::Passed);
}

#[test]
fn there_is_one_method_in_a_login() {
    let mut bench = Bench::new(&[4, 26]);
    assert!(!bench.ask(1, &[4, 1, 9]).is_empty());
    let challenge = [&[26, 1, 5, 0, 21, 16][..], &[7; 16]].concat();
    assert!(bench.ask(2, &challenge).is_empty());
}

#[test]
fn md5_of_rfc_1994_is_md5_of_eap() {
    let mut method =
        eap_method(4, b"alice", &Zeroizing::new(b"open sesame".to_vec()), Entropy::from_seed([0; 32]))
            .unwrap();
    let EapReply::Respond(data) = method.receive(7, b"\x03abcserver") else { panic!() };
    assert_eq!(data[0], 16);
    assert_eq!(data[1..], chap_digest(7, b"open sesame", b"abc"));
    for broken in [&b""[..], b"\0name", b"\x09abc"] {
        assert!(matches!(method.receive(7, broken), EapReply::Discard));
    }
}

fn chap_digest(identifier: u8, secret: &[u8], challenge: &[u8]) -> [u8; 16] {
    use ::md5::Digest;
    ::md5::Md5::digest([&[identifier][..], secret, challenge].concat()).into()
}

#[test]
fn lengths_that_lie_are_not_answered() {
    let method = |data: &[u8]| {
        let password = Zeroizing::new(b"open sesame".to_vec());
        let mut method = eap_method(26, b"alice", &password, Entropy::from_seed([0; 32])).unwrap();
        method.receive(1, data)
    };
    let whole = [&[1, 5, 0, 21, 16][..], &[7; 16]].concat();
    assert!(matches!(method(&whole), EapReply::Respond(_)));
    for end in 0..whole.len() {
        assert!(matches!(method(&whole[..end]), EapReply::Discard), "{end}");
    }
    for (at, value) in [(0, 2), (0, 9), (2, 1), (3, 3), (3, 20), (3, 22), (4, 15), (4, 17), (4, 255)] {
        let mut lying = whole.clone();
        lying[at] = value;
        assert!(matches!(method(&lying), EapReply::Discard), "{at} {value}");
    }
    assert!(matches!(method(&[3, 5, 0, 4]), EapReply::Discard), "a verdict before there was a challenge");
}

#[test]
fn a_forged_proof_ends_the_login_and_leaves_no_keys() {
    let mut bench = Bench::new(&[26]);
    let challenge = [&[26, 1, 5, 0, 21, 16][..], &[7; 16]].concat();
    bench.ask(1, &challenge);
    let proof = [&[26, 3, 5, 0, 46][..], b"S=", &[b'0'; 40]].concat();
    let other_exchange = [&[26, 3, 6, 0, 46][..], b"S=", &[b'0'; 40]].concat();
    assert!(bench.ask(2, &other_exchange).is_empty());
    assert_eq!(bench.give(REQUEST, 3, &proof).0, Step::Failed(DownReason::ServerUnproven));
    assert!(bench.supplicant.keys().is_none());
    assert_eq!(bench.give(SUCCESS, 3, &[]).0, Step::Wait);
}

#[test]
fn a_verdict_bears_the_identifier_of_the_response_or_the_next() {
    for (identifier, taken) in [(8, false), (9, true), (10, true), (11, false)] {
        let mut bench = Bench::new(&[4]);
        bench.ask(9, &[4, 1, 9]);
        let passed = bench.give(SUCCESS, identifier, &[]).0 == Step::Passed;
        assert_eq!(passed, taken, "{identifier}");
        let mut bench = Bench::new(&[4]);
        bench.ask(9, &[4, 1, 9]);
        let failed = bench.give(FAILURE, identifier, &[]).0 != Step::Wait;
        assert_eq!(failed, taken, "{identifier}");
    }
}

#[test]
fn the_retransmission_timer_of_a_server_is_kept_in_bounds() {
    let config = config(&[]);
    let mut shared = Shared::new(Entropy::from_seed([3; 32]), Timers::of_client(&config));
    let now = std::time::Instant::now();
    let mut eap = Authenticator::start(now, &mut shared);
    for (asked, due) in [(0, 1), (7, 7), (100_000, 120)] {
        eap.proceed(now, &[1, 1, 0, 5, 4], Some(Duration::from_secs(asked)), &mut shared);
        assert_eq!(eap.timer(), Some(now + Duration::from_secs(due)));
    }
}
