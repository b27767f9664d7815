//! Authentication as server and as client against a scripted peer (RFC 1334, 1994, 2433, 2759).

mod common;

use std::net::Ipv4Addr;
use std::time::Duration;

use common::script::{CHAP, IPCP, LCP, PAP, Packet, Script};
use common::{client_config, network, server_config};
use tollgate_mschap::{
    NtHash, challenge_response, generate_authenticator_response, generate_nt_response, verify_nt_response_v2,
};
use tollgate_ppp::AuthProtocol::{ChapMd5, MsChapV1, MsChapV2, Pap};
use tollgate_ppp::{
    AuthDecision, AuthProtocol, ClientConfig, DownReason, Event, Network, Phase, Proof, ServerConfig,
};
use zeroize::Zeroizing;

const MAGIC: [u8; 6] = [0x05, 0x06, 0xAA, 0xBB, 0xCC, 0xDD];

fn reject(retry: bool) -> AuthDecision {
    AuthDecision::Reject { message: b"Access denied".to_vec(), code: 691, retry }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|octet| format!("{octet:02X}")).collect()
}

fn unhex(text: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(text).unwrap();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// A server whose CHAP challenge is out, and that challenge.
fn challenged(method: AuthProtocol) -> (Script, Packet, Vec<u8>) {
    let mut script = Script::lcp_open(&[method]);
    let challenge = script.one();
    assert_eq!((challenge.protocol, challenge.code), (CHAP, 1));
    let size = usize::from(challenge.data[0]);
    let value = challenge.data[1..=size].to_vec();
    assert_eq!(&challenge.data[size + 1..], b"tollgate");
    (script, challenge, value)
}

fn v2_response(challenge: &[u8], peer: u8, user: &str, password: &str) -> ([u8; 24], Vec<u8>) {
    let peer = [peer; 16];
    let hash = NtHash::from_password(password);
    let response = generate_nt_response(challenge.try_into().unwrap(), &peer, user.as_bytes(), &hash);
    let data = [&[49][..], &peer, &[0; 8], &response, &[0], user.as_bytes()].concat();
    (response, data)
}

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
    script.decide(AuthDecision::Accept { message: vec![b'x'; 5000], network: network() });
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

// MS-CHAP

#[test]
fn rfc_2433_a_version_1_login_and_its_failure_with_a_challenge_of_16_digits() {
    let (mut script, challenge, value) = challenged(MsChapV1);
    assert_eq!(value.len(), 8);
    let response = [&[49][..], &[1; 24], &[2; 24], &[1], b"alice"].concat();
    script.send(CHAP, 2, challenge.id, &response);
    let Proof::MsChapV1 { challenge: told, lm_response, nt_response, use_nt, .. } = script.request().proof
    else {
        panic!()
    };
    assert_eq!((told.to_vec(), lm_response, nt_response, use_nt), (value, [1; 24], [2; 24], true));
    script.decide(reject(false));
    let failure = script.one();
    let text = failure.data.strip_prefix(b"E=691 R=0 C=").unwrap();
    assert_eq!(&text[16..], b" V=3 M=Access denied");
    unhex(&text[..16]);
    script.acknowledge_terminate();
}

#[test]
fn rfc_2433_the_client_answers_the_known_challenge_with_the_known_response() {
    let config = ClientConfig { password: Zeroizing::new(b"MyPw".to_vec()), ..client_config(&[MsChapV1]) };
    let mut script = Script::client(config);
    script.link.start(script.now);
    let request = script.one();
    script.open_lcp(&request, &[3, 5, 0xC2, 0x23, 0x80]);
    script.send(CHAP, 1, 5, &[&[8][..], &unhex(b"102DB5DF085D3041")].concat());
    let response = script.one();
    assert_eq!(response.data[0], 49);
    assert_eq!(response.data[1..25], [0; 24], "no LAN Manager response");
    assert_eq!(hex(&response.data[25..49]), "4E9D3C8F9CFD385D5BF4D3246791956CA4C351AB409A3D61");
    assert_eq!(&response.data[49..], b"\x01alice");
}

#[test]
fn an_mschapv2_login_is_handed_over_whole_and_its_success_sent_as_it_is() {
    let (mut script, challenge, value) = challenged(MsChapV2);
    let (response, data) = v2_response(&value, 3, r"CORP\alice", "pw");
    script.send(CHAP, 2, challenge.id, &data);
    let request = script.request();
    assert_eq!(request.name, br"CORP\alice", "the domain stays for the backend");
    let Proof::MsChapV2 { identifier, authenticator_challenge, peer_challenge, nt_response, flags } =
        request.proof
    else {
        panic!()
    };
    assert_eq!((identifier, flags, peer_challenge, nt_response), (challenge.id, 0, [3; 16], response));
    assert_eq!(authenticator_challenge.to_vec(), value);
    let message = b"S=0123456789ABCDEF0123456789ABCDEF01234567 M=Welcome".to_vec();
    script.decide(AuthDecision::Accept { message: message.clone(), network: network() });
    assert_eq!(script.one(), Packet { protocol: CHAP, code: 3, id: challenge.id, data: message });
}

#[test]
fn a_wrong_password_may_be_tried_again_with_the_challenge_of_the_failure_and_not_for_ever() {
    for counts_up in [true, false] {
        let (mut script, challenge, value) = challenged(MsChapV2);
        let mut id = challenge.id;
        let mut value = value;
        for attempt in 0..3u8 {
            let (_, data) = v2_response(&value, attempt, "alice", "wrong");
            script.send(CHAP, 2, id, &data);
            assert_eq!(script.requests(), usize::from(attempt) + 1);
            let Proof::MsChapV2 { authenticator_challenge, .. } = script.request().proof else { panic!() };
            assert_eq!(authenticator_challenge.to_vec(), value);
            script.decide(reject(true));
            let failure = script.one();
            assert_eq!((failure.code, failure.id), (4, id));
            let retry = if attempt < 2 { b"E=691 R=1 C=" } else { b"E=691 R=0 C=" };
            let text = failure.data.strip_prefix(retry).expect("the last one without R=1");
            assert_eq!(&text[32..], b" V=3 M=Access denied");
            assert_ne!(unhex(&text[..32]), value, "a fresh challenge");
            if attempt == 2 {
                break;
            }
            script.send(CHAP, 2, id, &data);
            assert_eq!(script.one(), failure, "a copy of the refused response gets the same failure");
            assert_eq!(script.requests(), usize::from(attempt) + 1);
            value = unhex(&text[..32]);
            id = if counts_up { id.wrapping_add(1) } else { id };
        }
        script.acknowledge_terminate();
        assert_eq!(script.down(), Some(&DownReason::AuthenticationFailed));
    }
}

#[test]
fn the_second_try_can_succeed() {
    let (mut script, challenge, value) = challenged(MsChapV2);
    let (_, data) = v2_response(&value, 1, "alice", "wrong");
    script.send(CHAP, 2, challenge.id, &data);
    script.decide(reject(true));
    let failure = script.one();
    let fresh = unhex(&failure.data[12..44]);
    let id = challenge.id.wrapping_add(1);
    let (_, data) = v2_response(&fresh, 2, "alice", "right");
    script.send(CHAP, 2, id, &data);
    let Proof::MsChapV2 { authenticator_challenge, peer_challenge, nt_response, .. } = script.request().proof
    else {
        panic!()
    };
    let hash = NtHash::from_password("right");
    assert!(verify_nt_response_v2(&authenticator_challenge, &peer_challenge, b"alice", &hash, &nt_response));
    script.accept();
    assert_eq!((script.one().id, script.one().protocol), (id, IPCP));
}

#[test]
fn a_client_checks_the_servers_proof() {
    let open = || {
        let mut script = Script::client(client_config(&[MsChapV2]));
        script.link.start(script.now);
        let request = script.one();
        script.open_lcp(&request, &[3, 5, 0xC2, 0x23, 0x81]);
        script.send(CHAP, 1, 7, &[&[16][..], &[9; 16], b"lns"].concat());
        let response = script.one();
        let peer: [u8; 16] = response.data[1..17].try_into().unwrap();
        let nt: [u8; 24] = response.data[25..49].try_into().unwrap();
        (script, peer, nt)
    };
    let (mut script, peer, nt) = open();
    let hash = NtHash::from_password(common::PASSWORD);
    let proof = generate_authenticator_response(&hash, &nt, &peer, &[9; 16], b"alice");
    script.send(CHAP, 3, 7, format!("{proof} M=Hello").as_bytes());
    assert!(
        script
            .events
            .iter()
            .any(|event| matches!(event, Event::Authenticated { message } if message == b"Hello"))
    );
    assert_eq!(script.one().protocol, IPCP);

    for text in ["S=0123456789ABCDEF0123456789ABCDEF01234567 M=Hello", "M=Hello", ""] {
        let (mut script, ..) = open();
        script.send(CHAP, 3, 7, text.as_bytes());
        script.acknowledge_terminate();
        assert_eq!(script.down(), Some(&DownReason::ServerUnproven));
        assert!(!script.events.iter().any(|event| matches!(event, Event::Authenticated { .. })));
    }
}

#[test]
fn a_client_answers_copies_of_a_challenge_alike_and_repeats_its_answer_until_it_is_judged() {
    let mut script = Script::client(client_config(&[MsChapV2]));
    script.link.start(script.now);
    let request = script.one();
    script.open_lcp(&request, &[3, 5, 0xC2, 0x23, 0x81]);
    let challenge = [&[16][..], &[9; 16], b"lns"].concat();
    script.send(CHAP, 1, 7, &challenge);
    let first = script.one();
    script.send(CHAP, 1, 7, &challenge);
    assert_eq!(script.one(), first, "else the server's proof could not fit both");
    script.wait();
    assert_eq!(script.one(), first);
    script.send(CHAP, 1, 8, &[&[16][..], &[10; 16], b"lns"].concat());
    let second = script.one();
    assert_eq!(second.id, 8);
    script.wait();
    assert_eq!(
        (script.one(), script.one()),
        (first.clone(), second),
        "which of them counts, the server knows"
    );
    let peer: [u8; 16] = first.data[1..17].try_into().unwrap();
    let nt: [u8; 24] = first.data[25..49].try_into().unwrap();
    let hash = NtHash::from_password(common::PASSWORD);
    let proof = generate_authenticator_response(&hash, &nt, &peer, &[9; 16], b"alice");
    script.send(CHAP, 3, 6, proof.as_bytes());
    assert_eq!(script.link.phase(), Phase::Authenticate, "a verdict on nothing that was said");
    script.send(CHAP, 3, 7, proof.as_bytes());
    assert_eq!(script.link.phase(), Phase::Network);
    script.one();
    script.send(CHAP, 1, 7, &challenge);
    script.silent();
}

#[test]
fn a_client_reads_the_failure_of_mschap() {
    let mut script = Script::client(client_config(&[MsChapV2]));
    script.link.start(script.now);
    let request = script.one();
    script.open_lcp(&request, &[3, 5, 0xC2, 0x23, 0x81]);
    script.send(CHAP, 1, 7, &[&[16][..], &[9; 16]].concat());
    script.one();
    script.send(CHAP, 4, 7, b"E=648 R=0 C=00000000000000000000000000000000 V=3 M=Password expired");
    assert!(script.events.iter().any(|event| matches!(
        event,
        Event::AuthenticationFailed { message, code: Some(648), retry: false } if message == b"Password expired"
    )));
    script.acknowledge_terminate();
    assert_eq!(script.down(), Some(&DownReason::AuthenticationFailed));
}

#[test]
fn a_client_answers_a_challenge_on_the_open_link() {
    let mut script = Script::client(client_config(&[ChapMd5]));
    script.link.start(script.now);
    let request = script.one();
    script.open_lcp(&request, &[3, 5, 0xC2, 0x23, 0x05]);
    script.send(CHAP, 1, 7, &[&[4][..], &[9; 4]].concat());
    script.one();
    script.send(CHAP, 3, 7, b"");
    let ipcp = script.one();
    script.send(IPCP, 1, 1, &[3, 6, 10, 0, 0, 1]);
    script.one();
    script.send(IPCP, 3, ipcp.id, &[3, 6, 10, 0, 0, 2]);
    let ipcp = script.one();
    script.send(IPCP, 2, ipcp.id, &ipcp.data);
    assert!(script.link.is_up());
    script.send(CHAP, 1, 8, &[&[4][..], &[1; 4]].concat());
    assert_eq!((script.one().id, script.link.is_up()), (8, true));
    script.send(CHAP, 3, 8, b"");
    let told = script.events.iter().filter(|event| matches!(event, Event::Authenticated { .. })).count();
    assert_eq!(told, 1);
    script.send(CHAP, 1, 9, &[&[4][..], &[2; 4]].concat());
    for _ in 0..10 {
        script.one();
        script.wait();
    }
    assert!(script.link.is_up(), "a verdict on an open link that never comes");
    script.send(CHAP, 1, 10, &[&[4][..], &[3; 4]].concat());
    script.one();
    script.send(CHAP, 4, 10, b"no more");
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
    script.decide(AuthDecision::Accept { message: vec![], network });
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

#[test]
fn max_auth_retries_zero_never_offers_another_try() {
    let config = ServerConfig { max_auth_retries: 0, ..server_config(&[MsChapV1]) };
    let mut script = Script::lcp_open_with(config, &MAGIC);
    let challenge = script.one();
    let value: [u8; 8] = challenge.data[1..9].try_into().unwrap();
    let nt = challenge_response(&value, &NtHash::from_password("x"));
    script.send(CHAP, 2, challenge.id, &[&[49][..], &[0; 24], &nt, &[1], b"alice"].concat());
    script.decide(reject(true));
    assert!(script.one().data.starts_with(b"E=691 R=0"));
    script.acknowledge_terminate();
}
