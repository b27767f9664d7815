//! Right and wrong proofs of every kind.

use tollgate_mschap::{challenge_response, nt_password_hash};

use super::*;

fn chap(password: &str) -> Credentials {
    let (identifier, challenge) = (7, b"sixteen octets..".to_vec());
    let hashed = [&[identifier], password.as_bytes(), &challenge].concat();
    Credentials::Chap { identifier, response: md5_of(&hashed), challenge }
}

fn md5_of(octets: &[u8]) -> [u8; 16] {
    use md5::{Digest, Md5};
    Md5::digest(octets).into()
}

fn ms_chap(password: &str) -> Credentials {
    let challenge = [0x10, 0x2d, 0xb5, 0xdf, 0x08, 0x5d, 0x30, 0x41];
    let nt_response = challenge_response(&challenge, &nt_password_hash(password.as_bytes()));
    Credentials::MsChapV1 { identifier: 9, challenge, lm_response: [0; 24], nt_response, use_nt: true }
}

#[tokio::test]
async fn every_kind_of_proof_tells_right_from_wrong() {
    let server = Server::start();
    let backend = backend(&server);
    for (kind, credentials) in [(2, pap as fn(&str) -> Credentials), (3, chap), (5, ms_chap)] {
        let attributes = accepted(ask(&backend, USER, &credentials(PASSWORD)).await);
        assert_eq!(attributes.reply_message.as_deref(), Some("welcome"));
        server.logged(&["\"authentication\"", &format!("\"authen_type\": {kind}")]);
        server.logged(&["\"authorization\"", &format!("\"authen_type\": {kind}")]);
        for (user, password) in [(USER, "wrong"), (USER, ""), ("ann", PASSWORD)] {
            let reject = refused(ask(&backend, user, &credentials(password)).await);
            assert_eq!(reject.reason, RejectReason::ServerRejected);
            assert_eq!(reject.message, "go  away");
        }
    }
}

#[tokio::test]
async fn the_server_learns_who_asks_for_what_from_where() {
    let server = Server::start();
    accepted(login(&backend(&server)).await);
    server.logged(&[
        "\"authentication\"",
        "\"action\": 1",
        "\"service\": 3",
        "\"user\": \"joe\"",
        "\"port\": \"17\"",
        "\"remote\": \"198.51.100.7\"",
    ]);
    server.logged(&[
        "\"authorization\"",
        "\"authen_method\": 6",
        "\"service\": 3",
        r#"["service=ppp", "protocol=ip"]"#,
    ]);
}

#[tokio::test]
async fn names_and_passwords_go_over_octet_for_octet() {
    let server = Server::start();
    let backend = backend(&server);
    let (user, password) = ("quoted \"name\"", format!("pass \"wörd\" 'x' \\ {}", "p".repeat(128)));
    accepted(ask(&backend, user, &pap(&password)).await);
    accepted(ask(&backend, user, &ms_chap(&password)).await);
    refused(ask(&backend, user, &pap(password.trim_end_matches('p'))).await);
}

#[tokio::test]
async fn what_the_protocol_cannot_carry_is_refused_without_a_question() {
    let server = Server::start();
    let backend = backend(&server);
    cannot_be_sent(ask(&backend, USER, &pap(&"p".repeat(256))).await, "password");
    cannot_be_sent(ask(&backend, USER, &pap(&format!("{PASSWORD}\0"))).await, "NUL");
    cannot_be_sent(ask(&backend, &"u".repeat(256), &pap(PASSWORD)).await, "user name");
    cannot_be_sent(ask(&backend, "", &pap(PASSWORD)).await, "user name");
    let eap = Credentials::Eap { message: vec![2, 1, 0, 5, 1], state: Vec::new() };
    cannot_be_sent(ask(&backend, USER, &eap).await, "EAP");
    assert_eq!(server.log(), Vec::<String>::new());
}
