//! One connection for all sessions.

use super::*;

async fn logins(backend: &Arc<TacacsBackend>, count: usize) {
    let logins: Vec<_> = (0..count)
        .map(|number| {
            let backend = Arc::clone(backend);
            tokio::spawn(async move {
                // Every third with a wrong password, so that no answer can go to the wrong session unnoticed.
                let right = number % 3 != 0;
                let password = if right { PASSWORD } else { "wrong" };
                match ask(&backend, USER, &pap(password)).await {
                    Verdict::Accept(_) => assert!(right, "{number}"),
                    Verdict::Reject(_) => assert!(!right, "{number}"),
                    other => panic!("{number}: {other:?}"),
                }
            })
        })
        .collect();
    for login in logins {
        login.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_logins_at_a_time_share_one_connection_and_get_their_own_answers() {
    let server = Server::with(r#""single_connect": true, "behaviour": "parallel","#);
    let backend = sharing(&server);
    logins(&backend, 100).await;
    server.connected(1);
    server.logged_times("\"type\": \"authentication\"", 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_agree_gets_a_connection_for_each_session() {
    let server = Server::start();
    let backend = sharing(&server);
    logins(&backend, 10).await;
    // Four of the ten come no further than the authentication.
    server.connected(16);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_connections_are_opened_a_few_at_a_time() {
    let server = Server::start();
    logins(&backend(&server), 150).await;
}

#[tokio::test]
async fn a_connection_that_has_died_is_opened_again() {
    let server = Server::with(r#""single_connect": true,"#);
    let port = server.port;
    let backend = sharing(&server);
    accepted(login(&backend).await);
    drop(server);
    let server = Server::with(&format!(r#""single_connect": true, "port": {port},"#));
    accepted(login(&backend).await);
    accepted(login(&backend).await);
    server.connected(1);

    // Found out only when it is used.
    let server = Server::with(r#""single_connect": true, "behaviour": "hang-up-second","#);
    let backend = sharing(&server);
    accepted(login(&backend).await);
    server.connected(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_the_server_would_go_on_with_is_ended() {
    let server = Server::with(r#""single_connect": true, "behaviour": "getpass","#);
    let backend = sharing(&server);
    for _ in 0..2 {
        unavailable(login(&backend).await, Layer::Protocol, &["the password"]);
        server.logged(&["\"continue\"", "\"number\": 3", "\"flags\": 1"]);
    }
    server.connected(1);
}

#[tokio::test]
async fn a_wrong_answer_ends_the_sharing_of_that_connection() {
    let server = Server::with(r#""single_connect": true, "behaviour": "lengths","#);
    let backend = sharing(&server);
    unavailable(login(&backend).await, Layer::Secret, &["key"]);
    unavailable(login(&backend).await, Layer::Secret, &["key"]);
    unavailable(login(&backend).await, Layer::Secret, &["key"]);
    server.connected(3);
}

#[tokio::test]
async fn a_connection_that_has_fallen_silent_is_not_used_again() {
    let server = Server::with(r#""single_connect": true, "behaviour": "silent-second","#);
    let settings = TacacsSettings { timeout: Duration::from_secs(1), ..settings(server.port) };
    let backend = TacacsBackend::new(TacacsSettings { single_connect: true, ..settings }).unwrap();
    for connections in 1..=2 {
        unavailable(login(&backend).await, Layer::Connection, &["the authorization within the timeout"]);
        server.connected(connections);
    }
}

#[tokio::test]
async fn nobody_waits_long_for_another_to_open_the_connection() {
    let server = Server::that("silent");
    let settings = TacacsSettings { timeout: Duration::from_secs(2), ..settings(server.port) };
    let backend = TacacsBackend::new(TacacsSettings { single_connect: true, ..settings }).unwrap();
    let (one, other) = tokio::join!(login(&backend), login(&backend));
    for verdict in [one, other] {
        unavailable(verdict, Layer::Connection, &["did not answer the authentication"]);
    }
    server.connected(2);
}
