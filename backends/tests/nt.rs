//! NT logins against a real domain controller (Samba), and against what is none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/asking.rs"]
mod asking;
#[path = "support/samba.rs"]
mod samba;

use std::sync::Arc;
use std::time::{Duration, Instant};

use asking::{accepted, ask, silent};
use samba::{DOMAIN, PASSWORD, Samba};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tollgate_aaa::{Backend, Layer, RejectReason, Verdict};
use tollgate_backends::net::Endpoint;
use tollgate_backends::nt::{NtBackend, NtSettings};

fn settings(host: impl ToString, port: u16) -> NtSettings {
    NtSettings {
        endpoint: Endpoint { host: host.to_string(), port },
        domain_controller: None,
        domain: DOMAIN.to_owned(),
        timeout: Duration::from_secs(10),
    }
}

fn controller() -> Arc<NtBackend> {
    NtBackend::new(settings(Samba::shared().address(), 445)).unwrap()
}

#[track_caller]
fn refused(verdict: &Verdict, reasons: &[RejectReason]) {
    let Verdict::Reject(reject) = verdict else { panic!("{verdict:?}") };
    assert!(reasons.contains(&reject.reason), "{reject:?}");
}

#[tokio::test]
async fn the_right_password_comes_in_under_each_form_of_the_name() {
    let backend = controller();
    for name in ["alice", "ALICE", "CORP\\alice", "corp\\Alice", "alice@corp.test"] {
        accepted(&ask(&backend, name, PASSWORD.as_bytes()).await);
    }
}

#[tokio::test]
async fn each_no_has_its_reason() {
    let backend = controller();
    for (name, password, reasons) in [
        ("alice", "wrong", vec![RejectReason::WrongPassword]),
        ("nobody", PASSWORD, vec![RejectReason::UnknownUser, RejectReason::WrongPassword]),
        ("alice", "", vec![RejectReason::EmptyPassword]),
        ("disabled", PASSWORD, vec![RejectReason::Disabled]),
        ("expired", PASSWORD, vec![RejectReason::Expired]),
        ("mustchange", PASSWORD, vec![RejectReason::PasswordMustChange]),
        ("oldpassword", PASSWORD, vec![RejectReason::PasswordExpired]),
        ("locked", PASSWORD, vec![RejectReason::LockedOut]),
        ("hours", PASSWORD, vec![RejectReason::RestrictedHours]),
        ("workstation", PASSWORD, vec![RejectReason::RestrictedWorkstation]),
        ("", PASSWORD, vec![RejectReason::UnknownUser, RejectReason::WrongPassword]),
    ] {
        let verdict = ask(&backend, name, password.as_bytes()).await;
        assert!(
            matches!(&verdict, Verdict::Reject(reject) if reasons.contains(&reject.reason)),
            "{name}: {verdict:?}"
        );
    }
}

#[tokio::test]
async fn passwords_of_every_kind_are_checked_whole() {
    let samba = Samba::shared();
    let backend = controller();
    let long = "Aa1 ".repeat(32);
    for (number, password) in
        ["two words 1A", "\"quoted\" 'A1'", "grüße-1A-日本語", long.as_str()].into_iter().enumerate()
    {
        let user = format!("kind{number}");
        samba.add_user(&user, password, "");
        accepted(&ask(&backend, &user, password.as_bytes()).await);
        let cut = password.strip_suffix(password.chars().last().unwrap()).unwrap();
        refused(&ask(&backend, &user, cut.as_bytes()).await, &[RejectReason::WrongPassword]);
    }
    for password in [&b"with\0nul"[..], b"\xff\xfe"] {
        let verdict = ask(&backend, "alice", password).await;
        let Verdict::Reject(reject) = verdict else { panic!("{verdict:?}") };
        assert!(matches!(reject.reason, RejectReason::CannotBeSent(_)), "{reject:?}");
    }
}

#[tokio::test]
async fn the_controller_must_be_the_one_that_is_named() {
    let address = Samba::shared().address();
    let named =
        |name: &str| NtSettings { domain_controller: Some(name.to_owned()), ..settings(address, 445) };
    accepted(&ask(&NtBackend::new(named("dc1")).unwrap(), "alice", PASSWORD.as_bytes()).await);
    let other = NtBackend::new(named("dc2")).unwrap();
    silent(&ask(&other, "alice", PASSWORD.as_bytes()).await, Layer::Secret, "answers as \"DC1\"");
}

#[tokio::test]
async fn many_log_in_at_once() {
    // A busy machine may have its controller take long for all of them.
    let patient = Duration::from_secs(60);
    let settings = NtSettings { timeout: patient, ..settings(Samba::shared().address(), 445) };
    let backend = NtBackend::new(settings).unwrap();
    let begun = Instant::now();
    let logins = (0..200).map(|number| {
        let backend = Arc::clone(&backend);
        tokio::spawn(async move {
            let right = number % 4 != 0;
            let password = if right { PASSWORD } else { "wrong" };
            (right, ask(&backend, "bob", password.as_bytes()).await)
        })
    });
    let logins: Vec<_> = logins.collect();
    for login in logins {
        let (right, verdict) = login.await.unwrap();
        match verdict {
            Verdict::Accept(_) => assert!(right),
            // Wrong passwords in a row lock the account for a while.
            Verdict::Reject(_) => {}
            other => panic!("{other:?}"),
        }
    }
    println!("200 logins in {:?}", begun.elapsed());
}

/// A listener that answers every message of a connection with what `answer` makes of it.
async fn impostor(answer: impl Fn(usize, Vec<u8>) -> Vec<u8> + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = Arc::clone(&answer);
            tokio::spawn(async move {
                for number in 0.. {
                    let mut length = [0; 4];
                    if stream.read_exact(&mut length).await.is_err() {
                        return;
                    }
                    let mut message = vec![0; u32::from_be_bytes(length) as usize];
                    stream.read_exact(&mut message).await.unwrap();
                    if stream.write_all(&answer(number, message)).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

/// What a controller might say, made of the question: its header turned into an answer, a status, a body.
fn said(question: &[u8], status: u32, body: &[u8]) -> Vec<u8> {
    let mut message = question[..64].to_vec();
    message[8..12].copy_from_slice(&status.to_le_bytes());
    message[16] |= 1;
    message.extend(body);
    [&u32::try_from(message.len()).unwrap().to_be_bytes()[..], &message].concat()
}

#[tokio::test]
async fn a_yes_that_nobody_signed_lets_nobody_in() {
    let port = impostor(|number, question| match number {
        0 => said(&question, 0, &[&[65, 0, 1, 0, 0x10, 2][..], &[0; 60]].concat()),
        1 => {
            let mut challenge = b"NTLMSSP\0\x02\0\0\0".to_vec();
            challenge.extend([0; 8]);
            challenge.extend(0xe288_8215u32.to_le_bytes());
            challenge.extend([7; 8]);
            challenge.extend([0; 8]);
            challenge.extend([4, 0, 4, 0, 56, 0, 0, 0]);
            challenge.extend([0; 12]);
            let length = u16::try_from(challenge.len()).unwrap().to_le_bytes();
            said(&question, 0xc000_0016, &[&[9, 0, 0, 0, 72, 0][..], &length, &challenge].concat())
        }
        _ => said(&question, 0, &[9, 0, 0, 0, 72, 0, 0, 0]),
    })
    .await;
    let backend = NtBackend::new(settings("127.0.0.1", port)).unwrap();
    silent(&ask(&backend, "alice", b"anything").await, Layer::Secret, "not signed");
    assert_eq!(backend.counters().values().bad_authenticators, 1);
}

#[tokio::test]
async fn what_is_no_smb_is_no_answer() {
    type Answer = fn(usize, Vec<u8>) -> Vec<u8>;
    let cases: [(Answer, &str); 7] = [
        (|_, _| b"HTTP/1.0 400 Bad Request\r\n\r\n".to_vec(), "no SMB 2"),
        (|_, _| vec![0; 4], "no SMB 2"),
        (|_, _| [&[0, 0, 0, 64][..], &[0x41; 64]].concat(), "it does not speak SMB"),
        (|_, question| said(&question, 0, &[0; 8]), "none of SMB 2.0.2 and 2.1"),
        (|_, question| said(&question, 0xc000_00bb, &[]), "it does not take NTLM"),
        (
            |_, mut question| {
                question[24] ^= 1;
                said(&question, 0, &[0; 8])
            },
            "belongs to no question",
        ),
        (
            |number, question| match number {
                0 => said(&question, 0, &[&[65, 0, 1, 0, 0x10, 2][..], &[0; 60]].concat()),
                _ => said(&question, 0xc000_0016, &[9, 0, 0, 0, 72, 0, 255, 255]),
            },
            "no token where it says",
        ),
    ];
    for (answer, words) in cases {
        let backend = NtBackend::new(settings("127.0.0.1", impostor(answer).await)).unwrap();
        silent(&ask(&backend, "alice", b"password").await, Layer::Protocol, words);
    }
}

#[tokio::test]
async fn a_controller_that_is_down_slow_or_endless_is_told_from_one_that_refuses() {
    let quick = |port| NtSettings { timeout: Duration::from_secs(1), ..settings("127.0.0.1", port) };
    let down = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap().port();
    let backend = NtBackend::new(quick(down)).unwrap();
    silent(&ask(&backend, "alice", b"password").await, Layer::Connection, "cannot connect");

    let mute = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let backend = NtBackend::new(quick(mute.local_addr().unwrap().port())).unwrap();
    let begun = Instant::now();
    silent(
        &ask(&backend, "alice", b"password").await,
        Layer::Connection,
        "did not answer within the timeout",
    );
    assert!(begun.elapsed() < Duration::from_secs(3));

    // "Not yet", for ever.
    let endless = impostor(|_, mut question| {
        question[16] |= 2;
        said(&question, 0x103, &[0; 8]).repeat(64)
    })
    .await;
    let backend = NtBackend::new(quick(endless)).unwrap();
    silent(&ask(&backend, "alice", b"password").await, Layer::Protocol, "no SMB 2");

    let backend = NtBackend::new(settings("no-such-host.invalid", 445)).unwrap();
    silent(&ask(&backend, "alice", b"password").await, Layer::NameResolution, "was not resolved");
}
