//! MS-CHAP version 1 and 2 as server and as client against a scripted peer (RFC 2433, RFC 2759).

mod common;

use common::script::{CHAP, IPCP, Packet, Script, challenged, hex, reject, unhex, v2_response};
use common::{client_config, network, server_config};
use tollgate_mschap::{NtHash, challenge_response, generate_authenticator_response, verify_nt_response_v2};
use tollgate_ppp::AuthProtocol::{ChapMd5, MsChapV1, MsChapV2};
use tollgate_ppp::{AuthDecision, ClientConfig, DownReason, Event, Phase, Proof, ServerConfig};
use zeroize::Zeroizing;

const MAGIC: [u8; 6] = [0x05, 0x06, 0xAA, 0xBB, 0xCC, 0xDD];

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
    script.decide(AuthDecision::Accept { message: message.clone(), network: network(), encryption: None });
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
