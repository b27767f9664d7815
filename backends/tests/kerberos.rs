//! Kerberos logins against real MIT KDCs, and against what is none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/asking.rs"]
mod asking;
#[path = "support/kdc.rs"]
mod kdc;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use asking::{accepted, ask, silent};
use kdc::{ETYPES, Kdc, Options, PASSWORD, REALM};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tollgate_aaa::{AuthRequest, Backend, Credentials, Layer, RejectReason, SessionContext, Verdict};
use tollgate_backends::kerberos::{KerberosBackend, KerberosError, KerberosSettings, Transport};
use tollgate_backends::net::Endpoint;

const SERVICE: &str = "vpn/gate.example.test";

fn settings(port: u16) -> KerberosSettings {
    KerberosSettings {
        endpoint: Endpoint { host: "127.0.0.1".to_owned(), port },
        realm: REALM.to_owned(),
        realm_from_user: true,
        keytab: None,
        service_principal: None,
        insecure_without_keytab: false,
        timeout: Duration::from_secs(10),
        transport: Transport::Auto,
    }
}

/// A KDC with our service, and a backend with its keytab.
fn kdc_and_backend(options: &Options) -> (Kdc, Arc<KerberosBackend>) {
    let kdc = Kdc::start(options);
    let keytab = kdc.add_service(SERVICE, &ETYPES.map(|etype| format!("{etype}:normal")).join(","));
    let backend =
        KerberosBackend::new(KerberosSettings { keytab: Some(keytab), ..settings(kdc.port) }).unwrap();
    (kdc, backend)
}

/// A backend that asks `port` and has this keytab.
fn with_keytab(port: u16, keytab: PathBuf) -> Arc<KerberosBackend> {
    KerberosBackend::new(KerberosSettings { keytab: Some(keytab), ..settings(port) }).unwrap()
}

#[track_caller]
fn refused(verdict: &Verdict, reason: &RejectReason) {
    let Verdict::Reject(reject) = verdict else { panic!("{verdict:?}") };
    assert_eq!(reject.reason, *reason);
}

#[tokio::test]
async fn the_right_password_comes_in_and_the_wrong_does_not() {
    let (kdc, backend) = kdc_and_backend(&Options::default());
    kdc.add_user("joe", PASSWORD, &[]);
    accepted(&ask(&backend, "joe", PASSWORD.as_bytes()).await);
    accepted(&ask(&backend, "joe@EXAMPLE.TEST", PASSWORD.as_bytes()).await);
    accepted(&ask(&backend, "joe@example.test", PASSWORD.as_bytes()).await);
    refused(&ask(&backend, "joe", b"wrong").await, &RejectReason::WrongPassword);
    refused(&ask(&backend, "nobody", PASSWORD.as_bytes()).await, &RejectReason::UnknownUser);
    refused(&ask(&backend, "joe@OTHER.TEST", PASSWORD.as_bytes()).await, &RejectReason::UnknownUser);
    refused(&ask(&backend, "joe", b"").await, &RejectReason::EmptyPassword);
}

#[tokio::test]
async fn without_a_keytab_only_who_says_so_is_served() {
    let without = |insecure_without_keytab| {
        KerberosBackend::new(KerberosSettings { insecure_without_keytab, ..settings(1) })
    };
    assert!(matches!(without(false), Err(KerberosError::NoKeytab(_))));
    silent(&ask(&without(true).unwrap(), "joe", b"password").await, Layer::Connection, "refused");
}

#[tokio::test]
async fn every_encryption_type_serves_for_users_and_for_us() {
    let kdc = Kdc::start(&Options::default());
    for (number, etype) in ETYPES.iter().enumerate() {
        let etype = format!("{etype}:normal");
        let user = format!("user{number}");
        kdc.add_user(&user, PASSWORD, &["-e", &etype]);
        let keytab = kdc.add_service(&format!("vpn/gate{number}"), &etype);
        let backend = with_keytab(kdc.port, keytab);
        for other in 0..=number {
            accepted(&ask(&backend, &format!("user{other}"), PASSWORD.as_bytes()).await);
        }
        refused(&ask(&backend, &user, b"wrong").await, &RejectReason::WrongPassword);
    }
}

#[tokio::test]
async fn the_kdc_says_how_a_password_is_salted() {
    let (kdc, backend) = kdc_and_backend(&Options::default());
    for salt in ["norealm", "onlyrealm", "special"] {
        for etype in ETYPES {
            let user = format!("{salt}-{etype}");
            kdc.add_user(&user, PASSWORD, &["-e", &format!("{etype}:{salt}")]);
            accepted(&ask(&backend, &user, PASSWORD.as_bytes()).await);
        }
    }
    kdc.add_user("joe", PASSWORD, &[]);
    kdc.admin(&["renprinc", "joe", "joseph"]);
    accepted(&ask(&backend, "joseph", PASSWORD.as_bytes()).await);
}

#[tokio::test]
async fn an_account_with_old_keys_alone_is_told_from_a_wrong_password() {
    let (kdc, backend) = kdc_and_backend(&Options::default());
    kdc.add_user("old", PASSWORD, &["-e", "arcfour-hmac:normal"]);
    let Verdict::Reject(reject) = ask(&backend, "old", PASSWORD.as_bytes()).await else { panic!() };
    let RejectReason::CannotBeSent(why) = reject.reason else { panic!("{reject:?}") };
    assert!(why.contains("no AES key"), "{why}");
}

#[tokio::test]
async fn each_no_has_its_reason() {
    let (kdc, backend) = kdc_and_backend(&Options::default());
    kdc.add_user("disabled", PASSWORD, &["-allow_tix"]);
    kdc.add_user("expired", PASSWORD, &["-expire", "2020-01-01"]);
    kdc.add_user("oldpassword", PASSWORD, &["-pwexpire", "2020-01-01"]);
    kdc.add_user("mustchange", PASSWORD, &["+needchange"]);
    kdc.admin(&["addpol", "-maxfailure", "2", "-lockoutduration", "1hour", "lock"]);
    kdc.add_user("locked", PASSWORD, &["-policy", "lock"]);
    for (name, reason) in [
        ("disabled", RejectReason::Disabled),
        ("expired", RejectReason::Expired),
        ("oldpassword", RejectReason::PasswordExpired),
        ("mustchange", RejectReason::PasswordExpired),
    ] {
        refused(&ask(&backend, name, PASSWORD.as_bytes()).await, &reason);
    }
    accepted(&ask(&backend, "locked", PASSWORD.as_bytes()).await);
    for _ in 0..2 {
        refused(&ask(&backend, "locked", b"wrong").await, &RejectReason::WrongPassword);
    }
    let verdict = ask(&backend, "locked", PASSWORD.as_bytes()).await;
    refused(&verdict, &RejectReason::Disabled);
    let Verdict::Reject(reject) = verdict else { unreachable!() };
    assert!(reject.message.contains("disabled, locked or expired"), "{}", reject.message);
}

#[tokio::test]
async fn an_account_without_pre_authentication_is_checked_too() {
    let (kdc, backend) = kdc_and_backend(&Options::default());
    kdc.add_user("joe", PASSWORD, &["-requires_preauth"]);
    accepted(&ask(&backend, "joe", PASSWORD.as_bytes()).await);
    refused(&ask(&backend, "joe", b"wrong").await, &RejectReason::WrongPassword);
}

#[tokio::test]
async fn passwords_and_names_of_every_kind_are_checked_whole() {
    let (kdc, backend) = kdc_and_backend(&Options::default());
    let long = "p".repeat(128);
    let passwords = [" two words ", "\"quoted\" 'it'", "grüße-日本語-🔑", r"back\slash", long.as_str()];
    for (number, password) in passwords.into_iter().enumerate() {
        let user = format!("kind{number}");
        kdc.add_user(&user, password, &[]);
        accepted(&ask(&backend, &user, password.as_bytes()).await);
        let cut = password.strip_suffix(password.chars().last().unwrap()).unwrap();
        refused(&ask(&backend, &user, cut.as_bytes()).await, &RejectReason::WrongPassword);
    }
    for name in ["jörg", "joe/admin", "o'neil", "j"] {
        kdc.add_user(name, PASSWORD, &[]);
        accepted(&ask(&backend, name, PASSWORD.as_bytes()).await);
    }
    for name in ["", "/", "@", "a//b", "krbtgt/EXAMPLE.TEST", SERVICE] {
        let verdict = ask(&backend, name, PASSWORD.as_bytes()).await;
        assert!(matches!(verdict, Verdict::Reject(_)), "{name:?}: {verdict:?}");
    }
    kdc.add_user("joe", "joe's", &[]);
    for password in [&b"\xff\xfe"[..], b"joe's\0", b"joe's\0 and more"] {
        let Verdict::Reject(reject) = ask(&backend, "joe", password).await else { panic!("{password:?}") };
        assert!(matches!(reject.reason, RejectReason::CannotBeSent(_)), "{reject:?}");
    }
}

#[tokio::test]
async fn a_kdc_that_does_not_know_our_key_is_not_believed() {
    let (real, backend) = kdc_and_backend(&Options::default());
    real.add_user("joe", PASSWORD, &[]);
    let keytab = real.keytab(SERVICE);
    // It knows what will be typed as password, and everything else that is no secret.
    let fake = Kdc::start(&Options::default());
    fake.add_user("joe", "its own", &[]);
    let fooled = with_keytab(fake.port, keytab);
    silent(&ask(&fooled, "joe", b"its own").await, Layer::Secret, "does not know the keytab's principal");
    fake.add_service(SERVICE, "aes256-cts-hmac-sha1-96:normal");
    let verdict = ask(&fooled, "joe", b"its own").await;
    silent(&verdict, Layer::Secret, "does not decrypt with the keytab's key");
    assert_eq!(fooled.counters().bad_authenticators.load(Ordering::Relaxed), 1);
    // Only who has no keytab believes it.
    let trusting = KerberosSettings { insecure_without_keytab: true, ..settings(fake.port) };
    accepted(&ask(&KerberosBackend::new(trusting).unwrap(), "joe", b"its own").await);
    accepted(&ask(&backend, "joe", PASSWORD.as_bytes()).await);
}

#[tokio::test]
async fn a_keytab_must_be_ours_and_of_today() {
    let (kdc, _) = kdc_and_backend(&Options::default());
    kdc.add_user("joe", PASSWORD, &[]);
    let old = kdc.keytab(SERVICE);
    let kept = old.with_extension("old");
    std::fs::rename(&old, &kept).unwrap();
    kdc.admin(&["cpw", "-randkey", SERVICE]);
    silent(
        &ask(&with_keytab(kdc.port, kept), "joe", PASSWORD.as_bytes()).await,
        Layer::Secret,
        "does not decrypt with the keytab's key",
    );
    accepted(&ask(&with_keytab(kdc.port, kdc.keytab(SERVICE)), "joe", PASSWORD.as_bytes()).await);

    let new = |keytab: PathBuf, principal: &str| {
        let service_principal = Some(principal.to_owned());
        KerberosBackend::new(KerberosSettings {
            keytab: Some(keytab),
            service_principal,
            ..settings(kdc.port)
        })
    };
    assert!(matches!(new(kdc.keytab(SERVICE), "http/other"), Err(KerberosError::NoKey(..))));
    assert!(matches!(new("/nonexistent".into(), SERVICE), Err(KerberosError::Keytab(_))));
    assert!(matches!(new("/etc/hostname".into(), SERVICE), Err(KerberosError::Keytab(_))));
    let rc4 = kdc.add_service("vpn/old", "arcfour-hmac:normal");
    assert!(matches!(new(rc4, "vpn/old"), Err(KerberosError::NoKey(..))));
    let named = new(kdc.keytab(SERVICE), "vpn/gate.example.test@EXAMPLE.TEST").unwrap();
    accepted(&ask(&named, "joe", PASSWORD.as_bytes()).await);
}

#[tokio::test]
async fn a_key_of_our_service_that_the_keytab_lacks_is_named() {
    let kdc = Kdc::start(&Options::default());
    kdc.add_user("joe", PASSWORD, &[]);
    let keytab = kdc.add_service(SERVICE, "aes128-cts-hmac-sha1-96:normal");
    let kept = keytab.with_extension("old");
    std::fs::rename(&keytab, &kept).unwrap();
    kdc.admin(&["cpw", "-randkey", "-e", "aes256-cts-hmac-sha1-96:normal", SERVICE]);
    let verdict = ask(&with_keytab(kdc.port, kept), "joe", PASSWORD.as_bytes()).await;
    silent(&verdict, Layer::Secret, "no key for a ticket to vpn/gate.example.test@EXAMPLE.TEST");
}

#[tokio::test]
async fn a_realm_that_the_kdc_does_not_serve_is_named() {
    let (kdc, _) = kdc_and_backend(&Options::default());
    let keytab = Some(kdc.keytab(SERVICE));
    let other = KerberosSettings { realm: "OTHER.TEST".to_owned(), keytab, ..settings(kdc.port) };
    let verdict = ask(&KerberosBackend::new(other).unwrap(), "joe", PASSWORD.as_bytes()).await;
    match verdict {
        // MIT's KDC looks for the user first.
        Verdict::Reject(reject) => assert_eq!(reject.reason, RejectReason::UnknownUser),
        other => silent(&other, Layer::Secret, "kerberos-realm"),
    }
}

#[tokio::test]
async fn a_clock_that_differs_is_named_with_its_seconds() {
    let options = Options { clock: Some("+1h".to_owned()), ..Options::default() };
    let (kdc, backend) = kdc_and_backend(&options);
    kdc.add_user("joe", PASSWORD, &[]);
    let Verdict::Unavailable(unavailable) = ask(&backend, "joe", PASSWORD.as_bytes()).await else { panic!() };
    assert_eq!(unavailable.layer, Layer::Protocol);
    let seconds = unavailable.why.split("differs by ").nth(1).and_then(|rest| rest.split(' ').next());
    let seconds: u32 = seconds.and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{unavailable}"));
    assert!((3590..=3610).contains(&seconds), "{unavailable}");
    assert!(unavailable.why.contains("synchronise"), "{unavailable}");
}

#[tokio::test]
async fn what_does_not_fit_into_a_datagram_comes_by_tcp() {
    let options = Options { defaults: "kdc_max_dgram_reply_size = 200".to_owned(), ..Options::default() };
    let (kdc, backend) = kdc_and_backend(&options);
    kdc.add_user("joe", PASSWORD, &[]);
    accepted(&ask(&backend, "joe", PASSWORD.as_bytes()).await);
    refused(&ask(&backend, "joe", b"wrong").await, &RejectReason::WrongPassword);
    assert_eq!(backend.counters().retransmissions.load(Ordering::Relaxed), 0);
    let keytab = Some(kdc.keytab(SERVICE));
    let tcp = KerberosSettings { transport: Transport::Tcp, keytab, ..settings(kdc.port) };
    accepted(&ask(&KerberosBackend::new(tcp).unwrap(), "joe", PASSWORD.as_bytes()).await);
}

#[tokio::test]
async fn a_kdc_that_only_tcp_reaches_is_asked_by_tcp() {
    let (kdc, _) = kdc_and_backend(&Options::default());
    kdc.add_user("joe", PASSWORD, &[]);
    let keytab = kdc.keytab(SERVICE);
    // UDP swallowed, TCP passed on: a firewall between.
    let front = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = front.local_addr().unwrap().port();
    let _swallows = UdpSocket::bind(("127.0.0.1", port)).await.unwrap();
    let behind = kdc.port;
    tokio::spawn(async move {
        while let Ok((mut near, _)) = front.accept().await {
            tokio::spawn(async move {
                let mut far = tokio::net::TcpStream::connect(("127.0.0.1", behind)).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
    let patient =
        KerberosSettings { timeout: Duration::from_secs(6), keytab: Some(keytab), ..settings(port) };
    accepted(&ask(&KerberosBackend::new(patient).unwrap(), "joe", PASSWORD.as_bytes()).await);
}

fn hasty(port: u16) -> Arc<KerberosBackend> {
    let timeout = Duration::from_secs(3);
    KerberosBackend::new(KerberosSettings { timeout, insecure_without_keytab: true, ..settings(port) })
        .unwrap()
}

#[tokio::test]
async fn silence_ends_with_the_timeout() {
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = tcp.local_addr().unwrap().port();
    let udp = UdpSocket::bind(("127.0.0.1", port)).await.unwrap();
    let backend = hasty(port);
    let begun = Instant::now();
    silent(&ask(&backend, "joe", b"password").await, Layer::Connection, "did not answer over UDP");
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    assert_eq!(backend.counters().retransmissions.load(Ordering::Relaxed), 1);
    drop((tcp, udp));
    silent(&ask(&backend, "joe", b"password").await, Layer::Connection, "refused");
    let nowhere = KerberosSettings {
        endpoint: Endpoint { host: "kdc.invalid".to_owned(), port: 88 },
        insecure_without_keytab: true,
        ..settings(88)
    };
    let backend = KerberosBackend::new(nowhere).unwrap();
    silent(&ask(&backend, "joe", b"password").await, Layer::NameResolution, "kdc.invalid");
}

#[tokio::test]
async fn what_is_no_kerberos_is_passed_over_by_udp_and_named_by_tcp() {
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = tcp.local_addr().unwrap().port();
    let udp = UdpSocket::bind(("127.0.0.1", port)).await.unwrap();
    tokio::spawn(async move {
        let mut question = [0; 2048];
        while let Ok((length, from)) = udp.recv_from(&mut question).await {
            let _ = udp.send_to(&question[..length], from).await;
        }
    });
    tokio::spawn(async move {
        let answers =
            [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], &[0, 0, 0, 4, 0x7e, 2, 0x30, 0], &[0, 0, 1, 0], &[]];
        for answer in answers {
            let (mut stream, _) = tcp.accept().await.unwrap();
            let mut question = [0; 2048];
            let _ = stream.read(&mut question).await;
            let _ = stream.write_all(answer).await;
        }
    });
    let backend = hasty(port);
    for words in ["too long", "without a version", "ended the connection", "ended the connection"] {
        silent(&ask(&backend, "joe", b"password").await, Layer::Protocol, words);
    }
    assert!(backend.counters().malformed.load(Ordering::Relaxed) >= 4);
}

#[tokio::test]
async fn other_proofs_than_a_password_are_refused() {
    let backend = hasty(1);
    let context = SessionContext::default();
    let credentials = Credentials::Chap { identifier: 1, challenge: vec![1; 16], response: [0; 16] };
    let request = AuthRequest {
        name: b"joe",
        typed_name: b"joe",
        credentials: &credentials,
        tunnel_group: "DefaultRAGroup",
        context: &context,
    };
    let Verdict::Reject(reject) = backend.authenticate(&request).await else { panic!() };
    assert!(matches!(reject.reason, RejectReason::NotAllowed(_)), "{reject:?}");
}
