//! Servers that are not there, know another key, or answer what they should not.

use std::time::Instant;

use super::*;

#[tokio::test]
async fn another_key_on_either_side_is_told_as_such() {
    let server = Server::start();
    let other = TacacsSettings { key: Secret::from("wrong".to_owned()), ..settings(server.port) };
    let backend = TacacsBackend::new(other).unwrap();
    unavailable(login(&backend).await, Layer::Secret, &["127.0.0.1", "the authentication", "key"]);
    server.logged(&["wrong key"]);
    assert_eq!(backend.counters().values().bad_authenticators, 1);

    let server = Server::with(r#""key": "another","#);
    unavailable(login(&super::backend(&server)).await, Layer::Secret, &["key"]);
}

#[tokio::test]
async fn an_answer_without_encryption_is_not_believed() {
    let server = Server::that("unencrypted");
    unavailable(login(&backend(&server)).await, Layer::Secret, &["unencrypted"]);
}

#[tokio::test]
async fn a_server_that_is_down_is_told_at_once() {
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let backend = TacacsBackend::new(settings(port)).unwrap();
    unavailable(login(&backend).await, Layer::Connection, &["cannot connect"]);
}

#[tokio::test]
async fn a_silent_or_never_ending_server_is_given_up_in_time() {
    for (behaviour, layer, sign) in [
        ("silent", Layer::Connection, "did not answer the authentication within the timeout"),
        ("endless", Layer::Protocol, "did not finish its answer to the authentication"),
    ] {
        let server = Server::that(behaviour);
        for backend in [hasty(&server), {
            let settings = settings(server.port);
            let timeout = Duration::from_secs(1);
            TacacsBackend::new(TacacsSettings { timeout, single_connect: true, ..settings }).unwrap()
        }] {
            let begun = Instant::now();
            unavailable(login(&backend).await, layer, &[sign]);
            assert!(begun.elapsed() < Duration::from_millis(1400), "{:?}", begun.elapsed());
        }
    }
}

#[tokio::test]
async fn a_slow_server_is_waited_for_and_all_stages_share_the_time() {
    let server = Server::that("slow");
    accepted(login(&backend(&server)).await);
    let settings = TacacsSettings { timeout: Duration::from_millis(1600), ..settings(server.port) };
    let backend = TacacsBackend::new(settings).unwrap();
    unavailable(login(&backend).await, Layer::Connection, &["the authorization within the timeout"]);
}

#[tokio::test]
async fn an_answer_that_is_no_yes_or_no_decides_nothing() {
    for (behaviour, sign) in [
        ("follow", "FOLLOW"),
        ("restart", "RESTART"),
        ("error", "(ERROR) in the authentication: [2Jlog words"),
        ("getdata", "more data"),
        ("getuser", "the user name"),
        ("getpass", "the password"),
        ("status", "status 99"),
    ] {
        let server = Server::that(behaviour);
        let why = unavailable(login(&backend(&server)).await, Layer::Protocol, &[sign]).why;
        assert!(!why.contains(char::is_control), "{why:?}");
        server.logged_times("\"authorization\"", 0);
    }
}

#[tokio::test]
async fn an_answer_that_is_not_to_the_question_is_not_believed() {
    for (behaviour, sign) in [
        ("sequence", "sequence number 4 instead of 2"),
        ("session", "instead of"),
        ("type", "type 3 instead of 1"),
        ("version", "no TACACS+"),
        ("too-long", "65537 octets"),
        ("truncated", "in the middle"),
        ("truncated-header", "in the middle"),
        ("flood", "no TACACS+"),
    ] {
        let server = Server::that(behaviour);
        let backend = backend(&server);
        unavailable(login(&backend).await, Layer::Protocol, &[sign]);
        assert_eq!(backend.counters().values().malformed, 1);
    }
    let server = Server::that("lengths");
    unavailable(login(&backend(&server)).await, Layer::Secret, &["do not add up", "key"]);
}

#[tokio::test]
async fn a_server_that_hangs_up_is_asked_whether_it_knows_us() {
    let server = Server::that("hang-up");
    unavailable(login(&backend(&server)).await, Layer::Connection, &["closed", "the same key"]);
}

#[test]
fn a_server_that_cannot_be_used_is_refused_from_the_start() {
    let error = |settings| TacacsBackend::new(settings).err().unwrap().to_string();
    let empty = TacacsSettings { key: Secret::default(), ..settings(49) };
    assert!(error(empty).contains("127.0.0.1:49 has an empty key"));
    assert!(error(TacacsSettings::new("", 49, Secret::from(KEY.to_owned()))).contains("empty address"));
}
