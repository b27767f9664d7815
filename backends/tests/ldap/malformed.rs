//! Servers that answer what is no LDAP.

use std::sync::atomic::Ordering;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// `SEQUENCE { INTEGER id, operation, ... }`.
fn message(id: u8, operation: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap();
    let mut out = vec![0x30, length + 5, 0x02, 1, id, operation, length];
    out.extend_from_slice(content);
    out
}

const SUCCESS: [u8; 7] = [0x0a, 1, 0, 4, 0, 4, 0];

/// A server that answers each question with the next of these, and the last for ever if `endless`.
async fn answering(answers: Vec<Vec<u8>>, endless: bool) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answers = answers.clone();
            tokio::spawn(async move {
                let mut question = [0; 4096];
                for answer in &answers {
                    match stream.read(&mut question).await {
                        Ok(1..) => {}
                        Ok(0) | Err(_) => return,
                    }
                    if stream.write_all(answer).await.is_err() {
                        return;
                    }
                }
                while endless && let Some(last) = answers.last() {
                    if stream.write_all(last).await.is_err() {
                        return;
                    }
                }
                // Open, until the other side has enough.
                while matches!(stream.read(&mut question).await, Ok(1..)) {}
            });
        }
    });
    port
}

async fn outcome(answers: Vec<Vec<u8>>, endless: bool) -> (Verdict, u64) {
    let port = answering(answers, endless).await;
    let timeout = Duration::from_secs(2);
    let backend = LdapBackend::new(LdapSettings { timeout, ..settings(port) }).unwrap();
    let begun = Instant::now();
    let verdict = ask(&backend, "joe", PASSWORD).await;
    assert!(begun.elapsed() < Duration::from_secs(4), "{verdict:?} after {:?}", begun.elapsed());
    (verdict, backend.counters().malformed.load(Ordering::Relaxed))
}

#[tokio::test]
async fn answers_that_are_no_ldap_are_told_and_counted() {
    let bind_ok = message(1, 0x61, &SUCCESS);
    let entry = |dn: &[u8]| {
        let mut content = vec![0x04, u8::try_from(dn.len()).unwrap()];
        content.extend_from_slice(dn);
        content.extend_from_slice(&[0x30, 0]);
        message(2, 0x64, &content)
    };
    for (what, answers) in [
        ("text", vec![b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()]),
        ("an indefinite length", vec![vec![0x30, 0x80, 2, 1, 1, 0, 0]]),
        ("a message of 2 GB", vec![vec![0x30, 0x84, 0x7f, 0xff, 0xff, 0xff]]),
        ("a length of 8 octets", vec![vec![0x30, 0x88, 1, 1, 1, 1, 1, 1, 1, 1]]),
        ("no content", vec![vec![0x30, 0]]),
        ("a result without its parts", vec![message(1, 0x61, &[0x0a, 1, 0])]),
        ("another question's number", vec![message(9, 0x61, &SUCCESS)]),
        ("a negative number", vec![message(0xff, 0x61, &SUCCESS)]),
        ("a search's answer to a bind", vec![message(1, 0x65, &SUCCESS)]),
        ("a question", vec![message(1, 0x60, &SUCCESS)]),
        ("an element that leaves its place", vec![message(1, 0x61, &[0x0a, 1, 0, 4, 9, 4, 0])]),
        ("a bind's answer to a search", vec![bind_ok.clone(), message(2, 0x61, &SUCCESS)]),
        ("an entry without attributes", vec![bind_ok.clone(), message(2, 0x64, &[4, 1, b'a'])]),
        ("an entry without a name", vec![bind_ok.clone(), [entry(b""), message(2, 0x65, &SUCCESS)].concat()]),
        ("an entry's name that is not UTF-8", vec![bind_ok.clone(), entry(b"\xff\xfe")]),
    ] {
        let (verdict, malformed) = outcome(answers, false).await;
        unavailable(verdict, Layer::Protocol, &["127.0.0.1"]);
        assert_eq!(malformed, 1, "{what}");
    }
}

#[tokio::test]
async fn answers_that_end_too_early_or_never_are_waited_for_no_longer_than_the_timeout() {
    let whole = message(1, 0x61, &SUCCESS);
    for end in [1, 2, 5, whole.len() - 1] {
        let (verdict, _) = outcome(vec![whole[..end].to_vec()], false).await;
        unavailable(verdict, Layer::Connection, &["within the timeout"]);
    }
    let (verdict, _) = outcome(vec![whole, vec![0x30]], false).await;
    unavailable(verdict, Layer::Protocol, &["the search", "within the timeout"]);
}

#[tokio::test]
async fn an_answer_without_an_end_is_cut_off() {
    let bind_ok = message(1, 0x61, &SUCCESS);
    // Entries for ever: many users, whatever the size limit was.
    let entry = message(2, 0x64, &[4, 4, b'c', b'n', b'=', b'a', 0x30, 0]);
    let (verdict, _) = outcome(vec![bind_ok.clone(), entry], true).await;
    assert!(matches!(refused(verdict), RejectReason::AmbiguousUser(2..)));
    // References for ever, which are kept only so far.
    let url = b"ldap://127.0.0.1:1/dc=x";
    let mut reference = vec![0x04, u8::try_from(url.len()).unwrap()];
    reference.extend_from_slice(url);
    let (verdict, malformed) = outcome(vec![bind_ok, message(2, 0x73, &reference)], true).await;
    unavailable(verdict, Layer::Protocol, &["without an end"]);
    assert_eq!(malformed, 1);
    // Octets for ever within one message.
    let (verdict, _) = outcome(vec![vec![0x30, 0x83, 0x0f, 0xff, 0xff], vec![0]], true).await;
    assert!(matches!(verdict, Verdict::Unavailable(_)));
}

#[tokio::test]
async fn a_server_that_hangs_up_or_says_goodbye_is_told() {
    let goodbye = message(0, 0x78, &[0x0a, 1, 52, 4, 0, 4, 3, b'b', b'y', b'e']);
    let (verdict, _) = outcome(vec![goodbye], false).await;
    unavailable(verdict, Layer::Connection, &["ends the connection", "unavailable (52): bye"]);

    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    unavailable(login(settings(port), "joe", PASSWORD).await, Layer::Connection, &["127.0.0.1"]);
}

#[tokio::test]
async fn what_follows_starttls_in_the_clear_is_not_taken() {
    let ca = Slapd::start(Options::default());
    let injected = [message(1, 0x78, &SUCCESS), message(2, 0x61, &SUCCESS)].concat();
    let port = answering(vec![injected], false).await;
    let security = Security::StartTls(tls(Some(ca.ca()), Some("x.test")));
    let verdict = login(LdapSettings { security, ..settings(port) }, "joe", PASSWORD).await;
    unavailable(verdict, Layer::Protocol, &["in the clear"]);

    let port = answering(vec![message(1, 0x78, &[0x0a, 1, 2, 4, 0, 4, 0])], false).await;
    let security = Security::StartTls(tls(Some(ca.ca()), Some("x.test")));
    let verdict = login(LdapSettings { security, ..settings(port) }, "joe", PASSWORD).await;
    unavailable(verdict, Layer::Tls, &["does not do StartTLS"]);
}

#[tokio::test]
async fn a_bind_that_is_referred_elsewhere_goes_there_and_no_further_than_three_servers() {
    let server = Slapd::start(joe());
    let refer = |port: u16| {
        let url = format!("ldap://127.0.0.1:{port}");
        let length = u8::try_from(url.len()).unwrap();
        let mut content = vec![0x0a, 1, 10, 4, 0, 4, 0, 0xa3, length + 2, 4, length];
        content.extend_from_slice(url.as_bytes());
        vec![message(1, 0x61, &content)]
    };
    let mut port = server.port;
    for hops in 1..=4 {
        port = answering(refer(port), false).await;
        let dn_template = Some(format!("uid={{user}},{PEOPLE}"));
        let settings = LdapSettings { dn_template, login: None, ..settings(port) };
        let verdict = login(settings.clone(), "joe", PASSWORD).await;
        if hops <= 3 {
            accepted(verdict);
            assert_eq!(refused(login(settings, "joe", "wrong").await), RejectReason::WrongPassword);
        } else {
            unavailable(verdict, Layer::Protocol, &["more than 3"]);
        }
    }
}
