//! Authentication as server and as client against a scripted peer (RFC 1334, 1994, 2433, 2759).

mod common;

use std::net::Ipv4Addr;
use std::time::Duration;

use common::script::{CHAP, IPCP, LCP, PAP, Packet, Script, challenged, hex, reject, unhex, v2_response};
use common::{client_config, network};
use tollgate_ppp::AuthProtocol::{ChapMd5, MsChapV1, MsChapV2, Pap};
use tollgate_ppp::{AuthDecision, ClientConfig, DownReason, Event, Network, Phase, Proof};
use zeroize::Zeroizing;

// PAP

#[test]
fn a_pap_login_becomes_a_request_and_its_decision_an_ack() {
    let (mut script, request) = Script::pap_pending();
    assert_eq!(request.name, b"alice");
    assert!(matches!(&request.proof, Proof::Pap { password } if password.as_slice() == b"pwd"));
    script.silent();
    script.accept();
    assert_eq!(script.one(), Packet { protocol: PAP, code: 2, id: 9, data: b"\x07Welcome".to_vec() });
    assert_eq!((script.one().protocol, script.link.phase()), (IPCP, Phase::Network));
}

#[test]
fn a_repeated_pap_request_waits_without_a_second_event_and_gets_the_same_answer_ever_after() {
    let (mut script, _) = Script::pap_pending();
    script.send(PAP, 1, 10, b"\x05alice\x03pwd");
    script.send(PAP, 1, 11, b"\x03bob\x03pwd");
    script.silent();
    assert_eq!(script.requests(), 1);
    script.accept();
    assert_eq!(script.one().id, 10, "the answer goes to the latest copy of the decided request");
    let request = script.one();
    script.send(PAP, 1, 12, b"\x05alice\x03pwd");
    let ack = Packet { protocol: PAP, code: 2, id: 12, data: b"\x07Welcome".to_vec() };
    assert_eq!(script.one(), ack, "the Ack may have been lost");
    script.finish_ipcp(&request);
    script.send(PAP, 1, 12, b"\x05alice\x03pwd");
    assert_eq!(script.one(), ack);
    assert!(script.link.is_up());
    assert_eq!(script.requests(), 1);
}

#[test]
fn a_refused_pap_login_gets_a_nak_and_the_link_ends() {
    let (mut script, _) = Script::pap_pending();
    script.decide(reject(true));
    assert_eq!(script.one(), Packet { protocol: PAP, code: 3, id: 9, data: b"\x0DAccess denied".to_vec() });
    script.acknowledge_terminate();
    assert_eq!(script.down(), Some(&DownReason::AuthenticationFailed));
}

#[test]
fn a_malformed_pap_request_is_discarded_and_a_nul_in_the_name_refused() {
    let mut script = Script::lcp_open(&[Pap]);
    for data in [&b""[..], b"\x05alic", b"\x05alice", b"\x05alice\x04pwd"] {
        script.send(PAP, 1, 1, data);
    }
    script.silent();
    script.send(PAP, 1, 2, b"\x06ali\0ce\x03pwd");
    assert_eq!((script.one().code, script.requests()), (3, 0));
    script.acknowledge_terminate();
    assert_eq!(script.down(), Some(&DownReason::AuthenticationFailed));
}

#[test]
fn an_over_long_pap_message_is_cut() {
    let (mut script, _) = Script::pap_pending();
    script.decide(AuthDecision::Accept { message: vec![b'x'; 5000], network: network(), encryption: None });
    let ack = script.one();
    assert_eq!((ack.data.len(), ack.data[0]), (256, 255));
}

#[test]
fn a_pap_client_repeats_its_request_and_takes_the_answer() {
    let mut script = Script::client(client_config(&[Pap]));
    script.link.start(script.now);
    let request = script.one();
    script.open_lcp(&request, &[3, 4, 0xC0, 0x23]);
    let first = script.one();
    assert_eq!((first.protocol, first.code, &first.data[..]), (PAP, 1, &b"\x05alice\x0Bopen sesame"[..]));
    assert_eq!(script.wait(), Duration::from_secs(1));
    let second = script.one();
    assert_ne!(second.id, first.id);
    assert_eq!(second.data, first.data);
    script.send(PAP, 2, second.id, b"\x02hi");
    assert!(
        script
            .events
            .iter()
            .any(|event| matches!(event, Event::Authenticated { message } if message == b"hi"))
    );
    assert_eq!(script.one().protocol, IPCP);
}

#[test]
fn a_pap_client_that_is_refused_says_so_and_ends() {
    let mut script = Script::client(client_config(&[Pap]));
    script.link.start(script.now);
    let request = script.one();
    script.open_lcp(&request, &[3, 4, 0xC0, 0x23]);
    let login = script.one();
    script.send(PAP, 3, login.id, b"\x03bad");
    assert!(script.events.iter().any(|event| matches!(
        event,
        Event::AuthenticationFailed { message, code: None, retry: false } if message == b"bad"
    )));
    script.acknowledge_terminate();
    assert_eq!(script.down(), Some(&DownReason::AuthenticationFailed));
}

// CHAP

#[test]
fn rfc_1994_a_chap_login_through_the_server() {
    let (mut script, challenge, value) = challenged(ChapMd5);
    assert_eq!(value.len(), 16);
    script.send(CHAP, 2, challenge.id, &[&[16][..], &[0x5A; 16], b"alice"].concat());
    let request = script.request();
    assert_eq!(request.name, b"alice");
    let Proof::Chap { identifier, challenge: told, response } = request.proof else { panic!() };
    assert_eq!((identifier, told, response), (challenge.id, value, [0x5A; 16]));
    script.accept();
    assert_eq!(script.one(), Packet { protocol: CHAP, code: 3, id: challenge.id, data: b"Welcome".to_vec() });
    assert_eq!(script.one().protocol, IPCP);
}

#[test]
fn rfc_1994_the_client_answers_the_known_challenge_with_the_known_response() {
    // Identifier 1, secret "MyPw", challenge 102DB5DF085D3041: MD5(01 'MyPw' challenge).
    let config = ClientConfig { password: Zeroizing::new(b"MyPw".to_vec()), ..client_config(&[ChapMd5]) };
    let mut script = Script::client(config);
    script.link.start(script.now);
    let request = script.one();
    script.open_lcp(&request, &[3, 5, 0xC2, 0x23, 0x05]);
    script.silent();
    script.send(CHAP, 1, 1, &[&[8][..], &unhex(b"102DB5DF085D3041"), b"lns"].concat());
    let response = script.one();
    assert_eq!((response.code, response.id, response.data[0]), (2, 1, 16));
    assert_eq!(hex(&response.data[1..17]), "8F028814450D66D94C72331EF455A172");
    assert_eq!(&response.data[17..], b"alice");
    script.send(CHAP, 3, 1, b"fine");
    assert!(
        script
            .events
            .iter()
            .any(|event| matches!(event, Event::Authenticated { message } if message == b"fine"))
    );
}

#[test]
fn an_unanswered_challenge_is_replaced_by_a_new_one_until_the_tries_are_used_up() {
    let (mut script, first, value) = challenged(ChapMd5);
    assert_eq!(script.wait(), Duration::from_secs(1));
    let second = script.one();
    assert_ne!((second.id, &second.data[1..17]), (first.id, &value[..]));
    script.send(CHAP, 2, first.id, &[&[16][..], &[1; 16], b"alice"].concat());
    assert_eq!(script.requests(), 0, "the answer to the first challenge came too late");
    for _ in 2..10 {
        script.wait();
        assert_eq!(script.one().protocol, CHAP);
    }
    script.wait();
    script.acknowledge_terminate();
    assert_eq!(script.down(), Some(&DownReason::NegotiationTimeout(Phase::Authenticate)));
}

#[test]
fn a_repeated_response_waits_quietly_and_then_gets_the_same_success() {
    let (mut script, challenge, _) = challenged(ChapMd5);
    let response = [&[16][..], &[0x5A; 16], b"alice"].concat();
    for _ in 0..3 {
        script.send(CHAP, 2, challenge.id, &response);
    }
    script.silent();
    assert_eq!(script.requests(), 1);
    script.accept();
    let success = script.one();
    let request = script.one();
    script.send(CHAP, 2, challenge.id, &response);
    assert_eq!(script.one(), success, "the Success may have been lost");
    script.finish_ipcp(&request);
    script.send(CHAP, 2, challenge.id, &response);
    assert_eq!(script.one(), success);
    script.send(CHAP, 2, challenge.id.wrapping_add(1), &response);
    script.silent();
    assert_eq!(script.requests(), 1);
}

#[test]
fn responses_of_the_wrong_size_or_to_another_challenge_are_discarded() {
    for (method, right) in [(ChapMd5, 16), (MsChapV1, 49), (MsChapV2, 49)] {
        let (mut script, challenge, _) = challenged(method);
        for size in [0, 1, right - 1, right + 1, 200] {
            let data = [&[size as u8][..], &vec![0; size], b"alice"].concat();
            script.send(CHAP, 2, challenge.id, &data);
        }
        script.send(CHAP, 2, challenge.id, &[]);
        script.send(CHAP, 2, challenge.id, &[right as u8, 0]);
        script.send(CHAP, 2, challenge.id.wrapping_add(9), &[&[right as u8][..], &vec![0; right]].concat());
        script.silent();
        assert_eq!(script.requests(), 0, "{method}");
        script.send(CHAP, 2, challenge.id, &[&[right as u8][..], &vec![0; right], b"alice"].concat());
        assert_eq!(script.requests(), 1, "{method}");
    }
}

#[test]
fn names_that_are_too_long_or_have_a_nul_never_reach_a_backend() {
    for name in [&[b'a'; 256][..], b"ali\0ce", b"alice\0"] {
        let (mut script, challenge, _) = challenged(MsChapV2);
        script.send(CHAP, 2, challenge.id, &[&[49][..], &[0; 49], name].concat());
        assert_eq!(script.requests(), 0);
        assert!(script.one().data.starts_with(b"E=691 R=0 C="));
        script.acknowledge_terminate();
        assert_eq!(script.down(), Some(&DownReason::AuthenticationFailed));
    }
    let (mut script, challenge, _) = challenged(MsChapV2);
    script.send(CHAP, 2, challenge.id, &[&[49][..], &[0; 49], &[b'a'; 255]].concat());
    assert_eq!(script.request().name.len(), 255);
}

#[test]
fn a_refused_chap_md5_login_has_a_plain_text_and_no_second_try() {
    let (mut script, challenge, _) = challenged(ChapMd5);
    script.send(CHAP, 2, challenge.id, &[&[16][..], &[0; 16], b"alice"].concat());
    script.decide(reject(true));
    assert_eq!(
        script.one(),
        Packet { protocol: CHAP, code: 4, id: challenge.id, data: b"Access denied".to_vec() }
    );
    script.acknowledge_terminate();
    assert_eq!(script.down(), Some(&DownReason::AuthenticationFailed));
}

// The decision

#[test]
fn while_a_decision_is_awaited_the_link_keeps_quiet_and_answers_echoes() {
    let (mut script, _) = Script::pap_pending();
    for second in 0..50 {
        script.pass(Duration::from_secs(1));
        script.silent();
        script.send(LCP, 9, second, &[0xAA, 0xBB, 0xCC, 0xDD]);
        assert_eq!(script.one().code, 10);
        script.send(IPCP, 1, 1, &[3, 6, 0, 0, 0, 0]);
        script.send(0x80FD, 1, 1, &[0x12, 6, 1, 0, 0, 0]);
        script.silent();
    }
    script.accept();
    assert_eq!(script.one().code, 2);
    let request = script.one();
    script.send(IPCP, 1, 1, &[3, 6, 0, 0, 0, 0]);
    assert_eq!(script.one().code, 3, "the same request again, now it counts");
    script.finish_ipcp(&request);
}

#[test]
fn a_decision_that_never_comes_ends_with_the_limit_of_the_phase() {
    let (mut script, _) = Script::pap_pending();
    assert_eq!(script.wait(), Duration::from_secs(60));
    script.acknowledge_terminate();
    assert_eq!(script.down(), Some(&DownReason::NegotiationTimeout(Phase::Authenticate)));
    script.accept();
    script.silent();
}

#[test]
fn unavailable_ends_with_its_text_in_the_terminate_request_and_no_failure() {
    let (mut script, challenge, value) = challenged(MsChapV2);
    let (_, data) = v2_response(&value, 1, "alice", "pw");
    script.send(CHAP, 2, challenge.id, &data);
    script.decide(AuthDecision::Unavailable { message: b"no server answered".to_vec() });
    let request = script.acknowledge_terminate();
    assert_eq!(request.data, b"no server answered");
    let message = "no server answered".to_owned();
    assert_eq!(script.down(), Some(&DownReason::Unavailable { message }));
}

#[test]
fn an_acceptance_without_an_address_is_none() {
    let (mut script, _) = Script::pap_pending();
    let network = Network { peer: Ipv4Addr::UNSPECIFIED, ..network() };
    script.decide(AuthDecision::Accept { message: vec![], network, encryption: None });
    script.acknowledge_terminate();
    assert!(matches!(script.down(), Some(DownReason::Unavailable { .. })));
}

#[test]
fn a_decision_nobody_asked_for_is_ignored() {
    let mut script = Script::lcp_open(&[Pap]);
    script.accept();
    script.silent();
    assert_eq!(script.link.phase(), Phase::Authenticate);
    let mut script = Script::up();
    script.decide(reject(false));
    assert!(script.link.is_up());
    script.silent();
}

#[test]
fn another_protocol_than_the_agreed_one_is_not_answered() {
    let mut script = Script::lcp_open(&[MsChapV2]);
    script.one();
    script.send(PAP, 1, 1, b"\x05alice\x03pwd");
    script.send(0xC227, 1, 1, &[1]);
    script.silent();
    assert_eq!(script.requests(), 0);
    assert!(script.warned_of("PAP from the peer, which LCP did not agree on"));
}

#[test]
fn no_secret_is_printed() {
    let (script, request) = Script::pap_pending();
    let printed = format!("{:?} {:?} {:?}", request, script.link, client_config(&[Pap]));
    assert!(!printed.contains("pwd") && !printed.contains("sesame"), "{printed}");
    assert!(printed.contains("Pap(..)"));
}
