//! Both ends over a network that loses, doubles, delays and reorders: they come up or end, and never hang, and no
//! login is decided twice without cause.

mod common;

use std::time::Duration;

use common::{ALL, NEW_PASSWORD, Pair, client_config, server_config};
use proptest::prelude::*;
use tollgate_ppp::{AuthProtocol, CloseReason, DownReason, Event, Phase, ServerConfig};
use zeroize::Zeroizing;

const LIMIT: Duration = Duration::from_secs(400);

fn methods() -> impl Strategy<Value = Vec<AuthProtocol>> {
    proptest::sample::subsequence(ALL.to_vec(), 1..=4).prop_shuffle()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// After some bad weather the network only delivers: then both must be up.
    #[test]
    fn bad_weather_that_passes_delays_the_link_but_does_not_prevent_it(
        fates in proptest::collection::vec(any::<u8>(), 0..40),
        method in proptest::sample::select(ALL.to_vec()),
    ) {
        let mut pair = Pair::of(&[method], &ALL);
        pair.weather.fates = fates;
        pair.start();
        pair.run_until_settled(LIMIT);
        // A few packets may all have been lost; only then may a side have given up.
        if !pair.both_up() {
            prop_assert!(pair.server.is_down() || pair.client.is_down(), "{:?}", pair.server.events);
        }
    }

    /// In any weather whatever, both ends are up or down in the end, with the addresses that were assigned.
    #[test]
    fn nobody_hangs(
        fates in proptest::collection::vec(any::<u8>(), 0..3000),
        server in methods(),
        client in methods(),
        thinking in 0u64..5000,
    ) {
        let mut pair = Pair::of(&server, &client);
        pair.weather.fates = fates;
        pair.thinking = Duration::from_millis(thinking);
        pair.start();
        pair.run_until_settled(LIMIT);
        for end in [&pair.server, &pair.client] {
            prop_assert!(end.link.is_up() || end.is_down());
            prop_assert!(end.events.iter().filter(|event| matches!(event, Event::Down(_))).count() <= 1);
        }
        if pair.both_up() {
            prop_assert_eq!(pair.server.addresses().unwrap().peer, pair.client.addresses().unwrap().local);
        }
        prop_assert!(pair.frames < 2000);
    }

    /// A network that turns bits does no harm either; UDP's checksum only makes it rare.
    #[test]
    fn turned_bits_neither_hang_nor_break_anything(
        corrupt in proptest::collection::vec((0usize..30, 0usize..80, any::<u8>()), 1..12),
        method in proptest::sample::select(ALL.to_vec()),
    ) {
        let mut pair = Pair::of(&[method], &ALL);
        pair.corrupt = corrupt;
        pair.start();
        pair.run_until_settled(LIMIT);
        for end in [&pair.server, &pair.client] {
            prop_assert!(end.link.is_up() || end.is_down(), "{:?}", end.events);
        }
    }

    /// A wrong password never comes in, in any weather.
    #[test]
    fn a_wrong_password_never_comes_in(
        fates in proptest::collection::vec(any::<u8>(), 0..500),
        server in methods(),
    ) {
        let mut client = client_config(&ALL);
        client.password = Zeroizing::new(b"wrong".to_vec());
        let mut pair = Pair::new(server_config(&server), client);
        pair.weather.fates = fates;
        pair.start();
        pair.run_until_settled(LIMIT);
        prop_assert!(!pair.server.link.is_up() && pair.server.addresses().is_none());
        prop_assert!(!pair.client.link.is_up());
    }

    /// An expired password is changed once or not at all, and the client that is in knows it.
    #[test]
    fn an_expired_password_is_changed_in_any_weather(
        fates in proptest::collection::vec(any::<u8>(), 0..60),
        thinking in 0u64..3000,
    ) {
        let clear = fates.is_empty();
        let mut client = client_config(&[AuthProtocol::MsChapV2]);
        client.new_password = Some(Zeroizing::new(NEW_PASSWORD.into()));
        let mut pair = Pair::new(server_config(&[AuthProtocol::MsChapV2]), client);
        pair.weather.fates = fates;
        pair.thinking = Duration::from_millis(thinking);
        pair.expired = true;
        pair.start();
        pair.run_until_settled(LIMIT);
        for end in [&pair.server, &pair.client] {
            prop_assert!(end.link.is_up() || end.is_down(), "{:?}", end.events);
        }
        let told = pair.client.events.iter().any(|event| matches!(event, Event::PasswordChanged));
        prop_assert!(!told || pair.password == NEW_PASSWORD);
        prop_assert!(pair.both_up() || !clear, "{:?}", pair.client.events);
        if pair.both_up() {
            prop_assert!(told && !pair.expired);
        }
    }

    /// Closing at any moment from either side ends both.
    #[test]
    fn closing_at_any_moment_ends_both(
        fates in proptest::collection::vec(any::<u8>(), 0..60),
        steps in 0usize..40,
        by_server: bool,
    ) {
        let mut pair = Pair::of(&ALL, &ALL);
        pair.weather.fates = fates;
        pair.start();
        for _ in 0..steps {
            pair.step(LIMIT);
        }
        let reason = CloseReason { text: "enough".to_owned() };
        let now = pair.now;
        if by_server { pair.server.link.close(now, reason) } else { pair.client.link.close(now, reason) }
        pair.drain();
        pair.run(LIMIT);
        prop_assert!(pair.server.is_down(), "{:?}", pair.server.events);
        prop_assert!(pair.client.is_down(), "{:?}", pair.client.events);
        prop_assert_eq!(pair.server.link.next_timeout(), None);
        prop_assert_eq!(pair.client.link.next_timeout(), None);
    }
}

/// The share that is lost, doubled or late is the same as in the properties: a fifth of all frames never arrives.
#[test]
fn where_a_fifth_is_lost_and_much_is_late_logins_succeed_all_the_same() {
    let mut state = 0x2545_F491_4F6C_DD1Du64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut failed = Vec::new();
    for round in 0..1000 {
        let method = ALL[round % ALL.len()];
        let mut pair = Pair::of(&[method], &[method]);
        pair.weather.fates = (0..2000).map(|_| (random() >> 40) as u8).collect();
        pair.thinking = Duration::from_millis((random() >> 20) % 5000);
        pair.start();
        pair.run_until_settled(LIMIT);
        if !pair.both_up() {
            failed.push((method, pair.server.down_reason().cloned(), pair.client.down_reason().cloned()));
        }
    }
    assert!(failed.len() <= 3, "{failed:?}");
}

#[test]
fn a_doubled_network_makes_no_second_login() {
    for method in ALL {
        let mut pair = Pair::of(&[method], &[method]);
        pair.weather.fates = vec![4; 200];
        pair.start();
        pair.run_until_settled(LIMIT);
        assert!(pair.both_up(), "{method}");
        assert_eq!(pair.server.requests(), 1, "{method}");
        pair.run(Duration::from_secs(20));
        assert!(pair.both_up(), "{method}: late copies change nothing");
        assert_eq!(pair.server.requests(), 1, "{method}");
    }
}

#[test]
fn copies_that_come_a_second_and_a_half_late_change_nothing() {
    for method in ALL {
        let mut pair = Pair::of(&[method], &[method]);
        pair.weather.fates = vec![6; 200];
        pair.start();
        pair.run(Duration::from_secs(10));
        assert!(pair.both_up(), "{method}");
        assert_eq!(pair.server.requests(), 1, "{method}");
    }
}

#[test]
fn a_lost_success_is_repeated_when_the_client_repeats_its_answer() {
    for method in ALL {
        // The frames in the order of sending; the last before IPCP is the server's verdict.
        let mut pair = Pair::of(&[method], &[method]);
        pair.start();
        while pair.server.link.phase() != Phase::Authenticate || pair.server.requests() == 0 {
            pair.step(LIMIT);
        }
        pair.weather = common::Weather { fates: vec![1, 1], next: 0 };
        pair.run_until_settled(LIMIT);
        assert!(pair.both_up(), "{method} {:?}", pair.client.events);
        assert_eq!(pair.server.requests(), 1, "{method}");
    }
}

#[test]
fn an_idle_pair_stays_up_by_its_echoes() {
    let mut pair = Pair::of(&ALL, &ALL);
    pair.start();
    pair.run(Duration::from_secs(3600));
    assert!(pair.both_up());
    assert!(pair.frames < 20 + 2 * 2 * 130, "{} frames in an hour", pair.frames);
}

#[test]
fn a_slow_decision_is_waited_for() {
    let mut pair = Pair::of(&ALL, &ALL);
    pair.thinking = Duration::from_secs(20);
    pair.start();
    pair.run_until_settled(LIMIT);
    assert!(pair.both_up(), "{:?}", pair.client.events);
    assert_eq!(pair.server.requests(), 1);
}

#[test]
fn nobody_answers() {
    let mut pair = Pair::new(ServerConfig { ..server_config(&ALL) }, client_config(&ALL));
    pair.weather.fates = vec![1; 1000];
    pair.start();
    pair.run(LIMIT);
    let reason = DownReason::NegotiationTimeout(Phase::Establish);
    assert_eq!(pair.server.down_reason(), Some(&reason));
    assert_eq!(pair.client.down_reason(), Some(&reason));
    assert!(pair.now - pair.begun < Duration::from_secs(30));
}
