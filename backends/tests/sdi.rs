//! Passcodes against a stand-in for RSA Authentication Manager that follows the published API.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/asking.rs"]
mod asking;
#[path = "support/securid.rs"]
mod securid;

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use asking::{accepted, ask};
use securid::{CLIENT_ID, CLIENT_KEY, HOST_NAME, Mood, NEXT_TOKENCODE, PASSCODE, SecurId};
use tollgate_aaa::{Layer, RejectReason, Secret, Unavailable, Verdict};
use tollgate_backends::sdi::{SdiBackend, SdiError, SdiSettings};
use tollgate_backends::tls::TlsSettings;

fn settings(server: &SecurId) -> SdiSettings {
    SdiSettings {
        url: server.url(),
        client_key: Secret::from(CLIENT_KEY.to_owned()),
        client_id: CLIENT_ID.to_owned(),
        tls: TlsSettings { ca: Some(server.ca()), ..TlsSettings::default() },
        timeout: Duration::from_secs(5),
        challenge_lifetime: Duration::from_secs(120),
    }
}

#[track_caller]
fn refused(verdict: &Verdict, reason: &RejectReason) {
    assert!(matches!(verdict, Verdict::Reject(reject) if reject.reason == *reason), "{verdict:?}");
}

#[track_caller]
fn challenged(verdict: &Verdict, words: &str) {
    let Verdict::Challenge(challenge) = verdict else { panic!("{verdict:?}") };
    assert!(challenge.message.contains(words), "{challenge:?}");
}

#[track_caller]
fn silent(verdict: &Verdict, layer: Layer, words: &str) {
    asking::silent(verdict, layer, words);
    let Verdict::Unavailable(Unavailable { why, .. }) = verdict else { panic!("{verdict:?}") };
    assert!(!why.contains(CLIENT_KEY) && !why.contains(PASSCODE), "{why}");
}

#[tokio::test]
async fn the_right_passcode_comes_in_and_no_other() {
    let server = SecurId::start();
    let backend = SdiBackend::new(settings(&server)).unwrap();
    for _ in 0..5 {
        accepted(&ask(&backend, "alice", PASSCODE).await);
        refused(&ask(&backend, "alice", "0000000000").await, &RejectReason::WrongPassword);
        refused(&ask(&backend, "unknown", PASSCODE).await, &RejectReason::WrongPassword);
    }
    refused(&ask(&backend, "alice", "").await, &RejectReason::EmptyPassword);
    for passcode in ["two words", "\"quoted\" '\\", "grüße 日本語", &"x".repeat(128), "with\0nul"] {
        refused(&ask(&backend, "alice", passcode).await, &RejectReason::WrongPassword);
    }
    assert_eq!(server.counts().0, 1, "one connection serves one login after the other");
}

#[tokio::test]
async fn the_next_login_answers_what_the_server_asked() {
    let server = SecurId::start();
    let backend = SdiBackend::new(settings(&server)).unwrap();
    challenged(&ask(&backend, "next", PASSCODE).await, "Wait until your token shows another code");
    accepted(&ask(&backend, "next", NEXT_TOKENCODE).await);

    challenged(&ask(&backend, "newpin", PASSCODE).await, "Choose a new PIN");
    challenged(&ask(&backend, "newpin", "8765").await, "Now log in again with your passcode");
    challenged(&ask(&backend, "newpin", PASSCODE).await, "Choose a new PIN");

    // A wrong answer ends the attempt; the login after it begins anew.
    challenged(&ask(&backend, "next2", PASSCODE).await, "Wait until");
    refused(&ask(&backend, "next2", "000000").await, &RejectReason::WrongPassword);
    challenged(&ask(&backend, "next2", PASSCODE).await, "Wait until");
    // Nobody answers for somebody else.
    refused(&ask(&backend, "alice", NEXT_TOKENCODE).await, &RejectReason::WrongPassword);
    accepted(&ask(&backend, "next2", NEXT_TOKENCODE).await);
}

#[tokio::test]
async fn a_question_is_forgotten_in_time() {
    let server = SecurId::start();
    let quick = SdiSettings { challenge_lifetime: Duration::from_millis(100), ..settings(&server) };
    let backend = SdiBackend::new(quick).unwrap();
    challenged(&ask(&backend, "next", PASSCODE).await, "Wait until");
    tokio::time::sleep(Duration::from_millis(200)).await;
    refused(&ask(&backend, "next", NEXT_TOKENCODE).await, &RejectReason::WrongPassword);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_has_one_attempt_at_a_time_and_others_do_not_wait() {
    let server = SecurId::start();
    let quick = SdiSettings { timeout: Duration::from_secs(2), ..settings(&server) };
    let backend = SdiBackend::new(quick).unwrap();
    server.set_mood(Mood::Silent);
    let held = {
        let backend = Arc::clone(&backend);
        tokio::spawn(async move { ask(&backend, "alice", PASSCODE).await })
    };
    while server.counts().1 == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    server.set_mood(Mood::Good);
    let begun = Instant::now();
    let Verdict::Reject(reject) = ask(&backend, "alice", PASSCODE).await else { panic!("two at once") };
    assert!(reject.reason.to_string().contains("another login of this user"), "{reject:?}");
    accepted(&ask(&backend, "bob", PASSCODE).await);
    assert!(begun.elapsed() < Duration::from_secs(1));
    silent(&held.await.unwrap(), Layer::Connection, "did not answer within the timeout");
    accepted(&ask(&backend, "alice", PASSCODE).await);

    let logins: Vec<_> = (0..200)
        .map(|number| {
            let backend = Arc::clone(&backend);
            tokio::spawn(async move { ask(&backend, &format!("user{number}"), PASSCODE).await })
        })
        .collect();
    for login in logins {
        accepted(&login.await.unwrap());
    }
    assert!(server.counts().0 <= 40, "connections are shared: {:?}", server.counts());
}

#[tokio::test]
async fn what_is_no_answer_lets_nobody_in() {
    let server = SecurId::start();
    let quick = SdiSettings { timeout: Duration::from_secs(1), ..settings(&server) };
    let backend = SdiBackend::new(quick).unwrap();
    for (mood, layer, words) in [
        (Mood::Garbage, Layer::Protocol, "not what the API describes"),
        (Mood::Strange, Layer::Protocol, "not what the API describes"),
        (Mood::Confused, Layer::Protocol, "belongs to another question"),
        (Mood::Endless, Layer::Protocol, "length limit exceeded"),
        (Mood::Cut, Layer::Protocol, ""),
        (Mood::Broken, Layer::Protocol, "500"),
        (Mood::Approve, Layer::Protocol, "it wants APPROVE"),
        (Mood::Silent, Layer::Connection, "did not answer within the timeout"),
    ] {
        server.set_mood(mood);
        silent(&ask(&backend, "alice", PASSCODE).await, layer, words);
    }
    server.set_mood(Mood::Good);
    accepted(&ask(&backend, "alice", PASSCODE).await);
}

#[tokio::test]
async fn the_layer_that_failed_is_named() {
    let server = SecurId::start();
    let verdict = |settings| async { ask(&SdiBackend::new(settings).unwrap(), "alice", PASSCODE).await };
    let wrong_key = SdiSettings { client_key: Secret::from("other".to_owned()), ..settings(&server) };
    silent(&verdict(wrong_key).await, Layer::Secret, "refuses our client-key");
    let wrong_path = SdiSettings { url: server.url().replace("v1_1", "v9"), ..settings(&server) };
    silent(&verdict(wrong_path).await, Layer::Protocol, "no such API at this URL");
    let stranger = SecurId::start();
    let wrong_ca = TlsSettings { ca: Some(stranger.ca()), ..TlsSettings::default() };
    silent(&verdict(SdiSettings { tls: wrong_ca, ..settings(&server) }).await, Layer::Tls, "certificate");
    let tls = |name: &str| TlsSettings {
        ca: Some(server.ca()),
        server_name: Some(name.to_owned()),
        ..TlsSettings::default()
    };
    accepted(&verdict(SdiSettings { tls: tls(HOST_NAME), ..settings(&server) }).await);
    silent(
        &verdict(SdiSettings { tls: tls("www.corp.test"), ..settings(&server) }).await,
        Layer::Tls,
        "name",
    );
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let down = SdiSettings { url: format!("https://127.0.0.1:{port}/mfa/v1_1"), ..settings(&server) };
    silent(&verdict(down).await, Layer::Connection, "cannot connect");
    let nowhere = SdiSettings { url: "https://am.invalid:5555/mfa/v1_1".to_owned(), ..settings(&server) };
    silent(&verdict(nowhere).await, Layer::NameResolution, "was not resolved");

    for url in ["http://am.corp.test/mfa/v1_1", "am.corp.test", "https://", "https://me@am.corp.test/", ""] {
        let bad = SdiSettings { url: url.to_owned(), ..settings(&server) };
        assert!(matches!(SdiBackend::new(bad).err(), Some(SdiError::BadUrl(_))), "{url}");
    }
}
