//! The change of an expired password (RFC 2759 7), as server and as client against a scripted peer.

mod common;

use common::script::{CHAP, IPCP, LCP, Packet, Script, challenged, hex, reject, unhex, v2_response};
use common::{PASSWORD, client_config, network};
use tollgate_mschap::{
    NtHash, encrypt_new_password, encrypt_old_hash, generate_authenticator_response, generate_nt_response,
    verify_new_password, verify_nt_response_v2,
};
use tollgate_ppp::AuthProtocol::{ChapMd5, MsChapV1, MsChapV2};
use tollgate_ppp::{AuthDecision, ClientConfig, DownReason, Event, Phase, Proof};
use zeroize::Zeroizing;

const NEW: &str = "a new one";

fn expired(challenge: Option<[u8; 16]>) -> AuthDecision {
    AuthDecision::PasswordExpired { message: b"Choose another password".to_vec(), challenge }
}

/// What alice sends to change her password.
fn change(challenge: &[u8; 16]) -> Vec<u8> {
    let (old, new) = (NtHash::from_password(PASSWORD), NtHash::from_password(NEW));
    let block = encrypt_new_password(NEW.as_bytes(), &old, &[7; 512]).unwrap();
    let response = generate_nt_response(challenge, &[4; 16], b"alice", &new);
    [block.as_slice(), &encrypt_old_hash(&old, &new), &[4; 16], &[0; 8], &response, &[0; 2]].concat()
}

/// A server that has told a client of the expiry, with the failure.
fn told(challenge: Option<[u8; 16]>) -> (Script, Packet) {
    let (mut script, asked, value) = challenged(MsChapV2);
    let (_, data) = v2_response(&value, 3, r"CORP\alice", PASSWORD);
    script.send(CHAP, 2, asked.id, &data);
    script.decide(expired(challenge));
    let failure = script.one();
    assert_eq!((failure.code, failure.id), (4, asked.id));
    script.send(CHAP, 2, asked.id, &data);
    assert_eq!(script.one(), failure, "a copy of the response gets the same failure");
    script.silent();
    (script, failure)
}

fn challenge_of(failure: &Packet) -> [u8; 16] {
    let text = failure.data.strip_prefix(b"E=648 R=0 C=").expect("an expired password");
    assert_eq!(&text[32..], b" V=3 M=Choose another password");
    unhex(&text[..32]).try_into().unwrap()
}

#[test]
fn a_new_password_is_handed_over_whole_and_its_success_sent_as_it_is() {
    let (mut script, failure) = told(None);
    let challenge = challenge_of(&failure);
    let id = failure.id.wrapping_add(1);
    script.send(CHAP, 7, id, &change(&challenge));
    let request = script.request();
    assert_eq!(request.name, br"CORP\alice", "the packet has no name of its own");
    assert_eq!(format!("{:?}", request.proof), "PasswordChange(..)");
    let Proof::PasswordChange {
        identifier,
        authenticator_challenge,
        encrypted_password,
        encrypted_hash,
        peer_challenge,
        nt_response,
        ..
    } = request.proof
    else {
        panic!()
    };
    assert_eq!((identifier, authenticator_challenge), (id, challenge));
    let old = NtHash::from_password(PASSWORD);
    let new = verify_new_password(&encrypted_password, &encrypted_hash, &old).unwrap();
    assert!(verify_nt_response_v2(&challenge, &peer_challenge, b"alice", &new, &nt_response));

    script.send(CHAP, 7, id, &change(&challenge));
    script.silent();
    assert_eq!(script.requests(), 2, "a copy is not asked about again");
    let message = b"S=0123456789ABCDEF0123456789ABCDEF01234567 M=Welcome".to_vec();
    script.decide(AuthDecision::Accept { message: message.clone(), network: network(), encryption: None });
    let success = Packet { protocol: CHAP, code: 3, id, data: message };
    assert_eq!(script.one(), success);
    assert_eq!(script.one().protocol, IPCP);
    script.send(CHAP, 7, id, &change(&challenge));
    assert_eq!(script.one(), success, "the client may not have had it");
    script.send(CHAP, 2, failure.id, b"");
    script.silent();
}

#[test]
fn the_challenge_of_whoever_decides_goes_out() {
    let (mut script, failure) = told(Some([0xA5; 16]));
    assert_eq!(challenge_of(&failure), [0xA5; 16]);
    script.send(CHAP, 7, failure.id.wrapping_add(1), &change(&[0xA5; 16]));
    let Proof::PasswordChange { authenticator_challenge, .. } = script.request().proof else { panic!() };
    assert_eq!(authenticator_challenge, [0xA5; 16]);
}

#[test]
fn a_client_that_does_not_count_the_identifier_up_is_understood() {
    let (mut script, failure) = told(None);
    script.send(CHAP, 7, failure.id, &change(&challenge_of(&failure)));
    assert!(matches!(script.request().proof, Proof::PasswordChange { .. }));
}

#[test]
fn a_refused_change_ends_the_link_and_a_new_password_is_not_asked_for_twice() {
    for decision in [reject(false), expired(None)] {
        let (mut script, failure) = told(None);
        let id = failure.id.wrapping_add(1);
        script.send(CHAP, 7, id, &change(&challenge_of(&failure)));
        script.decide(decision);
        let answer = script.one();
        assert_eq!((answer.code, answer.id), (4, id));
        assert!(answer.data.starts_with(b"E=691 R=0 C="));
        script.acknowledge_terminate();
        assert_eq!(script.down(), Some(&DownReason::AuthenticationFailed));
    }
}

#[test]
fn malformed_and_uncalled_for_packets_change_nothing() {
    let (mut script, failure) = told(None);
    let (id, good) = (failure.id.wrapping_add(1), change(&challenge_of(&failure)));
    for length in [0, 16, 516, 581] {
        script.send(CHAP, 7, id, &good[..length]);
    }
    script.send(CHAP, 7, id, &[&good[..], &[0]].concat());
    assert!(script.warned_of("a Change-Password of 583 octets"));
    script.send(CHAP, 7, id.wrapping_add(1), &good);
    assert!(script.warned_of("not asked for"));
    // A login instead of a new password: R=0 allows none.
    let (_, data) = v2_response(&challenge_of(&failure), 5, "alice", PASSWORD);
    script.send(CHAP, 2, id, &data);
    script.silent();
    assert_eq!((script.requests(), script.link.phase()), (1, Phase::Authenticate));
    script.send(CHAP, 7, id, &good);
    assert_eq!(script.requests(), 2, "the right one is still taken");

    let (mut script, asked, _) = challenged(MsChapV2);
    script.send(CHAP, 7, asked.id, &good);
    script.silent();
    assert_eq!(script.requests(), 0, "before any login");
}

#[test]
fn the_wait_for_a_new_password_ends() {
    let (mut script, _) = told(None);
    let mut waited = std::time::Duration::ZERO;
    while script.down().is_none() && script.link.phase() == Phase::Authenticate {
        waited += script.wait();
    }
    assert_eq!(waited.as_secs(), 60, "auth-timeout");
    assert_eq!(script.requests(), 1);
}

#[test]
fn methods_that_cannot_carry_a_new_password_refuse() {
    for (method, response) in [(MsChapV1, 49), (ChapMd5, 16)] {
        let (mut script, asked, _) = challenged(method);
        script.send(CHAP, 2, asked.id, &[&[response][..], &vec![1; response.into()], b"alice"].concat());
        script.decide(expired(None));
        let failure = script.one();
        assert_eq!(failure.code, 4);
        assert!(!failure.data.starts_with(b"E=648"), "{failure:?}");
        script.acknowledge_terminate();
    }
}

/// A client that has been told of the expiry by a failure to this text.
fn client(new: Option<&str>, failure: &[u8]) -> Script {
    let new_password = new.map(|new| Zeroizing::new(new.as_bytes().to_vec()));
    let config = ClientConfig { new_password, ..client_config(&[MsChapV2]) };
    let mut script = Script::client(config);
    script.link.start(script.now);
    let request = script.one();
    script.open_lcp(&request, &[3, 5, 0xC2, 0x23, 0x81]);
    script.send(CHAP, 1, 7, &[&[16][..], &[9; 16], b"lns"].concat());
    let response = script.one();
    let peer: [u8; 16] = response.data[1..17].try_into().unwrap();
    let with_old = generate_nt_response(&[9; 16], &peer, b"alice", &NtHash::from_password(PASSWORD));
    assert_eq!(response.data[25..49], with_old, "the new password is not tried before it is asked for");
    script.send(CHAP, 4, 7, failure);
    script
}

const EXPIRED: &[u8] = b"E=648 R=0 C=A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5 V=3 M=Password expired";

/// The challenges of both ends and the response in a Change-Password.
fn exchange(packet: &Packet) -> ([u8; 16], [u8; 16], [u8; 24]) {
    ([0xA5; 16], packet.data[532..548].try_into().unwrap(), packet.data[556..580].try_into().unwrap())
}

#[test]
fn a_client_changes_its_password_and_checks_the_servers_proof_with_the_new_one() {
    let mut script = client(Some(NEW), EXPIRED);
    let sent = script.one();
    assert_eq!((sent.code, sent.id, sent.data.len()), (7, 8, 582));
    script.send(CHAP, 4, 7, EXPIRED);
    script.silent();
    script.wait();
    assert_eq!(script.one(), sent, "repeated until it is judged");
    let (ours, peer, response) = exchange(&sent);
    let old = NtHash::from_password(PASSWORD);
    let hash = sent.data[516..532].try_into().unwrap();
    let new = verify_new_password(sent.data[..516].try_into().unwrap(), hash, &old).unwrap();
    assert!(verify_nt_response_v2(&ours, &peer, b"alice", &new, &response));

    let proof = generate_authenticator_response(&new, &response, &peer, &ours, b"alice");
    script.send(CHAP, 3, 8, format!("{proof} M=Changed").as_bytes());
    let told: Vec<_> = script
        .events
        .iter()
        .filter(|event| matches!(event, Event::PasswordChanged | Event::Authenticated { .. }))
        .collect();
    assert!(matches!(told[..], [Event::PasswordChanged, Event::Authenticated { .. }]), "{told:?}");
    assert_eq!(script.one().protocol, IPCP);

    script.send(CHAP, 1, 9, &[&[16][..], &[1; 16], b"lns"].concat());
    let later = script.one();
    let peer = later.data[1..17].try_into().unwrap();
    let response = later.data[25..49].try_into().unwrap();
    assert!(verify_nt_response_v2(&[1; 16], &peer, b"alice", &new, &response), "the new one counts now");
}

#[test]
fn a_server_that_proves_the_old_password_has_not_changed_it() {
    let mut script = client(Some(NEW), EXPIRED);
    let (ours, peer, response) = exchange(&script.one());
    let old = NtHash::from_password(PASSWORD);
    let proof = generate_authenticator_response(&old, &response, &peer, &ours, b"alice");
    script.send(CHAP, 3, 8, proof.as_bytes());
    script.acknowledge_terminate();
    assert_eq!(script.down(), Some(&DownReason::ServerUnproven));
    assert!(!script.events.iter().any(|event| matches!(event, Event::PasswordChanged)));
}

#[test]
fn a_client_tries_a_new_password_once() {
    let mut script = client(Some(NEW), EXPIRED);
    assert_eq!(script.one().code, 7);
    script.send(CHAP, 4, 8, EXPIRED);
    let packet = script.one();
    assert_eq!((packet.protocol, packet.code), (LCP, 5), "{packet:?}");
    assert!(
        script
            .events
            .iter()
            .any(|event| matches!(event, Event::AuthenticationFailed { code: Some(648), .. }))
    );
}

#[test]
fn a_client_keeps_its_new_password_where_it_is_not_asked_for() {
    let text = |challenge: &[u8]| format!("E=648 R=0 C={} V=3 M=x", hex(challenge)).into_bytes();
    let long = "x".repeat(257);
    for (new, failure) in [
        (None, EXPIRED),
        (Some(NEW), &b"E=691 R=0 C=A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5 V=3 M=no"[..]),
        (Some(NEW), &b"E=648 R=0 V=3 M=no challenge"[..]),
        (Some(NEW), &text(&[0xA5; 8])),
        (Some(long.as_str()), EXPIRED),
    ] {
        let mut script = client(new, failure);
        let packet = script.one();
        assert_eq!((packet.protocol, packet.code), (LCP, 5), "{packet:?}");
        assert_eq!(script.down(), None);
        assert!(script.events.iter().any(|event| matches!(event, Event::AuthenticationFailed { .. })));
    }
}
