//! The life of a link after its negotiation, against a scripted peer: keep-alive, renegotiation and every way to end
//! (RFC 1661 3.7, 5.5 to 5.8).

mod common;

use std::time::Duration;

use common::script::{CHAP, IPCP, LCP, PAP, Packet, Script, option};
use common::server_config;
use tollgate_ppp::AuthProtocol::{ChapMd5, Pap};
use tollgate_ppp::{CloseReason, DownReason, Event, Phase, ServerConfig};

const SECOND: Duration = Duration::from_secs(1);
const MAGIC: [u8; 6] = [0x05, 0x06, 0xAA, 0xBB, 0xCC, 0xDD];

#[test]
fn echo_requests_with_our_own_magic_number_mean_a_loop_too() {
    let (mut script, request) = Script::started(&[Pap]);
    script.open_lcp(&request, &MAGIC);
    let ours = option(&request.data, 5).unwrap();
    for id in 0..3 {
        script.send(LCP, 9, id, &ours);
    }
    script.acknowledge_terminate();
    assert_eq!(script.down(), Some(&DownReason::Loopback));
}

#[test]
fn a_code_reject_of_something_essential_ends_the_link_and_of_an_echo_only_the_echoes() {
    let (mut script, _) = Script::started(&[Pap]);
    script.send(LCP, 7, 1, &[1, 1, 0, 4]);
    assert_eq!(script.down(), Some(&DownReason::PeerRejected("LCP")));

    let mut script = Script::up();
    assert!(script.link.next_timeout().is_some());
    script.send(LCP, 7, 1, &[9, 1, 0, 8, 0, 0, 0, 0]);
    assert_eq!(script.link.next_timeout(), None, "a peer without echoes is not asked any more");
    assert!(script.link.is_up());
}

#[test]
fn a_reject_that_crosses_our_goodbye_ends_the_link_as_well() {
    let mut script = Script::up();
    script.link.close(script.now, CloseReason { text: String::new() });
    script.one();
    script.send(LCP, 7, 1, &[5, 2, 0, 4]);
    assert_eq!(script.down(), Some(&DownReason::Closed), "a peer that knows no Terminate-Request");
    assert_eq!((script.link.phase(), script.link.next_timeout()), (Phase::Dead, None));
}

#[test]
fn protocol_rejects_of_what_we_need_end_the_link_and_others_do_not() {
    let mut script = Script::up();
    script.send(LCP, 8, 1, &[0x80, 0x57, 1, 1, 0, 4]);
    assert!(script.link.is_up() && script.warned_of("IPV6CP"));
    script.send(LCP, 8, 2, &[0x80]);
    assert!(script.link.is_up());
    script.send(LCP, 8, 3, &[0x80, 0x21, 1, 1, 0, 4]);
    script.acknowledge_terminate();
    assert_eq!(script.down(), Some(&DownReason::PeerRejected("IPCP")));

    let mut script = Script::up();
    script.send(LCP, 8, 1, &[0xC0, 0x21, 1, 1, 0, 4]);
    script.acknowledge_terminate();
    assert_eq!(script.down(), Some(&DownReason::PeerRejected("LCP")));

    let mut script = Script::lcp_open(&[ChapMd5]);
    script.one();
    script.send(LCP, 8, 1, &[0xC2, 0x23, 1, 1, 0, 4]);
    script.acknowledge_terminate();
    assert!(matches!(script.down(), Some(DownReason::PeerRejected(_))));
}

#[test]
fn echoes_go_out_only_on_silence_and_death_follows_four_misses() {
    let mut script = Script::up();
    for round in 1..=4 {
        assert_eq!(script.wait(), 30 * SECOND, "round {round}");
        let echo = script.one();
        assert_eq!((echo.protocol, echo.code, echo.data.len()), (LCP, 9, 4));
    }
    assert_eq!(script.wait(), 30 * SECOND);
    script.one();
    assert_eq!(script.link.phase(), Phase::Terminate);
    assert_eq!(script.wait(), SECOND);
    script.one();
    assert_eq!(script.wait(), 2 * SECOND);
    assert_eq!(script.down(), Some(&DownReason::EchoTimeout));
}

#[test]
fn an_echo_reply_data_or_anything_else_keeps_the_link_alive() {
    let mut script = Script::up();
    for round in 0..20 {
        script.pass(29 * SECOND);
        match round % 3 {
            0 => script.link.note_traffic(script.now),
            1 => script.send(LCP, 10, 1, &[0; 4]),
            _ => script.send(CHAP, 1, 1, &[]),
        }
        script.silent();
    }
    assert!(script.link.is_up());
}

#[test]
fn echo_requests_are_answered_with_our_magic_and_their_data_even_before_authentication() {
    let (mut script, request) = Script::started(&[Pap]);
    script.send(LCP, 9, 1, &[0; 4]);
    script.silent();
    script.open_lcp(&request, &MAGIC);
    script.send(LCP, 9, 77, &[0xAA, 0xBB, 0xCC, 0xDD, b'h', b'i']);
    let data = [&option(&request.data, 5).unwrap()[..], b"hi"].concat();
    assert_eq!(script.one(), Packet { protocol: LCP, code: 10, id: 77, data });
}

#[test]
fn a_terminate_request_ends_the_link_at_every_stage() {
    type Make = fn() -> Script;
    let stages: [(&str, Make); 5] = [
        ("establish", || Script::started(&[Pap]).0),
        ("authenticate", || Script::lcp_open(&[Pap])),
        ("pending", || Script::pap_pending().0),
        ("network", || Script::in_network().0),
        ("up", Script::up),
    ];
    for (stage, make) in stages {
        let mut script = make();
        while script.next().is_some() {}
        script.send(LCP, 5, 33, b"bye");
        assert_eq!(script.one(), Packet { protocol: LCP, code: 6, id: 33, data: vec![] }, "{stage}");
        let reason = DownReason::PeerTerminated { text: "bye".to_owned(), windows_error: None };
        assert_eq!(script.down(), Some(&reason), "{stage}");
        assert_eq!(script.link.phase(), Phase::Dead);
        assert_eq!(script.link.next_timeout(), None);
        script.send(LCP, 5, 34, b"bye");
        assert_eq!(script.one().code, 6, "{stage}: the first Ack may have been lost");
        assert_eq!(script.events.iter().filter(|event| matches!(event, Event::Down(_))).count(), 1);
    }
}

#[test]
fn close_sends_the_reason_twice_and_gives_up() {
    let mut script = Script::up();
    script.link.close(script.now, CloseReason { text: "maintenance".to_owned() });
    let request = script.one();
    assert_eq!((request.code, &request.data[..]), (5, &b"maintenance"[..]));
    assert!(!script.link.is_up());
    assert_eq!(script.wait(), SECOND);
    assert_eq!(script.one(), request);
    assert_eq!(script.wait(), 2 * SECOND);
    script.silent();
    assert_eq!(script.down(), Some(&DownReason::Closed));
}

#[test]
fn close_ends_with_the_peers_ack_and_works_at_every_stage() {
    let stages: [fn() -> Script; 4] =
        [|| Script::started(&[Pap]).0, || Script::lcp_open(&[Pap]), || Script::in_network().0, Script::up];
    for make in stages {
        let mut script = make();
        while script.next().is_some() {}
        script.link.close(script.now, CloseReason { text: String::new() });
        script.link.close(script.now, CloseReason { text: "twice".to_owned() });
        let request = script.acknowledge_terminate();
        assert!(request.data.is_empty());
        script.silent();
        assert_eq!(script.down(), Some(&DownReason::Closed));
    }
    let mut script = Script::server(server_config(&[Pap]));
    script.link.close(script.now, CloseReason { text: String::new() });
    script.take_events();
    assert_eq!(script.down(), Some(&DownReason::Closed), "a link that was never started");
}

#[test]
fn crossing_terminate_requests_end_both_sides() {
    let mut script = Script::up();
    script.link.close(script.now, CloseReason { text: String::new() });
    script.one();
    script.send(LCP, 5, 1, &[]);
    assert_eq!(script.one().code, 6);
    assert_eq!(script.down(), Some(&DownReason::Closed), "the first reason stands");
}

#[test]
fn a_configure_request_on_an_open_link_starts_everything_anew() {
    let mut script = Script::up();
    script.send(LCP, 1, 7, &[0x05, 0x06, 1, 2, 3, 4]);
    assert!(!script.link.is_up());
    assert_eq!(script.link.phase(), Phase::Establish);
    let request = script.one();
    assert_eq!((request.code, script.one().code), (1, 2));
    script.send(IPCP, 1, 9, &[3, 6, 0, 0, 0, 0]);
    script.silent();
    script.send(LCP, 2, request.id, &request.data);
    assert_eq!(script.link.phase(), Phase::Authenticate);
    script.send(PAP, 1, 10, b"\x05alice\x03pwd");
    assert_eq!(script.requests(), 2, "the earlier login does not count any more");
    assert_eq!(script.link.authentication_round(), 2);
    script.accept();
    assert_eq!(script.one().protocol, PAP);
    let request = script.one();
    script.finish_ipcp(&request);
}

#[test]
fn a_decision_on_a_login_that_was_given_up_lets_nobody_in() {
    let (mut script, _) = Script::pap_pending();
    script.send(LCP, 1, 7, &[0x05, 0x06, 1, 2, 3, 4]);
    while script.next().is_some() {}
    script.accept();
    script.silent();
    assert_eq!(script.link.phase(), Phase::Establish);
}

#[test]
fn renegotiating_over_and_over_is_bounded() {
    let mut script = Script::up();
    let mut id = 10;
    while script.link.phase() != Phase::Terminate {
        id += 1;
        assert!(id < 100);
        script.send(LCP, 1, id, &[0x05, 0x06, 1, 2, 3, id]);
        while let Some(packet) = script.next() {
            if packet.code == 1 && packet.protocol == LCP {
                script.send(LCP, 2, packet.id, &packet.data);
            }
        }
    }
}

#[test]
fn a_copy_of_the_request_that_was_acknowledged_changes_nothing_but_a_third_one_restarts() {
    let mut script = Script::up();
    for _ in 0..2 {
        script.send(LCP, 1, 1, &MAGIC);
        assert_eq!(script.one().code, 2);
        assert!(script.link.is_up());
    }
    script.send(LCP, 1, 1, &MAGIC);
    assert_eq!(script.link.phase(), Phase::Establish, "the peer has forgotten us");
}

#[test]
fn a_repeated_request_under_a_new_identifier_is_known_by_its_magic_number() {
    let (mut script, request) = Script::started(&[Pap]);
    script.open_lcp(&request, &MAGIC);
    script.send(LCP, 1, 2, &MAGIC);
    assert_eq!(script.one(), Packet { protocol: LCP, code: 2, id: 2, data: MAGIC.to_vec() });
    assert_eq!(script.link.phase(), Phase::Authenticate);

    let (mut script, request) = Script::started(&[Pap]);
    script.open_lcp(&request, &[7, 2]);
    script.send(LCP, 1, 2, &[7, 2]);
    assert_eq!(script.link.phase(), Phase::Establish, "without one the peer may have started over");
}

#[test]
fn the_whole_negotiation_has_a_limit() {
    let config = ServerConfig { negotiation_timeout: 5 * SECOND, ..server_config(&[Pap]) };
    let mut script = Script::lcp_open_with(config, &MAGIC);
    assert_eq!(script.wait(), 5 * SECOND);
    script.acknowledge_terminate();
    assert_eq!(script.down(), Some(&DownReason::NegotiationTimeout(Phase::Authenticate)));
}

#[test]
fn frames_before_the_start_and_after_the_end_are_ignored() {
    let mut script = Script::server(server_config(&[Pap]));
    script.send(LCP, 1, 1, &MAGIC);
    script.send(LCP, 5, 1, &[]);
    script.silent();
    let mut script = Script::up();
    script.send(LCP, 5, 1, &[]);
    script.one();
    script.send(LCP, 1, 2, &MAGIC);
    script.send(IPCP, 1, 2, &[]);
    script.link.start(script.now);
    script.silent();
    assert_eq!(script.link.phase(), Phase::Dead);
}
