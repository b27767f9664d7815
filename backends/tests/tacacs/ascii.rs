//! The login at a terminal.

use super::*;

async fn converse(backend: &TacacsBackend, user: &str, credentials: &Credentials) -> Verdict {
    let context = SessionContext::default();
    let name = user.as_bytes();
    let request = AuthRequest { name, typed_name: name, credentials, tunnel_group: "vpn", context: &context };
    backend.converse(&request).await
}

#[tokio::test]
async fn the_password_is_typed_when_the_server_asks_for_it() {
    let server = Server::start();
    for backend in [backend(&server), sharing(&server)] {
        let attributes = accepted(converse(&backend, USER, &pap(PASSWORD)).await);
        assert_eq!(attributes.reply_message.as_deref(), Some("hello"));
        for (user, password) in [(USER, "wrong"), (USER, ""), ("ann", PASSWORD)] {
            let reject = refused(converse(&backend, user, &pap(password)).await);
            assert_eq!((reject.reason, reject.message.as_str()), (RejectReason::ServerRejected, "no"));
        }
    }
    server.logged(&["\"authentication\"", "\"authen_type\": 1"]);
    server.logged(&["\"continue\"", "\"number\": 3", "\"flags\": 0"]);
}

#[tokio::test]
async fn the_name_is_typed_where_the_server_asks_for_it() {
    let server = Server::start();
    // Without a name the server asks for one, and gets the same: it asks again, but not for ever.
    let reject = refused(converse(&backend(&server), "", &pap(PASSWORD)).await);
    assert_eq!(reject.reason, RejectReason::ServerRejected);
    server.logged(&["\"continue\"", "\"number\": 9"]);
}

#[tokio::test]
async fn a_password_with_a_nul_is_not_typed() {
    let server = Server::start();
    let reject = refused(converse(&backend(&server), USER, &pap(&format!("{PASSWORD}\0more"))).await);
    assert!(matches!(reject.reason, RejectReason::CannotBeSent(_)), "{:?}", reject.reason);
}

#[tokio::test]
async fn a_server_that_goes_on_asking_is_left() {
    let server = Server::that("again");
    let reject = refused(converse(&backend(&server), USER, &pap(PASSWORD)).await);
    assert_eq!(reject.message, "asked for the same again");
    server.logged_times("\"continue\"", 4);
}

#[tokio::test]
async fn what_else_a_server_wants_is_told() {
    let server = Server::that("next-code");
    match converse(&backend(&server), USER, &pap(PASSWORD)).await {
        Verdict::Challenge(challenge) => assert_eq!(challenge.message, "Next tokencode:"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_dialogue_that_breaks_off_is_no_verdict() {
    for (behaviour, layer) in [
        ("hang-up", Layer::Connection),
        ("sequence", Layer::Protocol),
        ("lengths", Layer::Secret),
        ("follow", Layer::Protocol),
        ("restart", Layer::Protocol),
        ("error", Layer::Protocol),
    ] {
        let server = Server::that(behaviour);
        match converse(&backend(&server), USER, &pap(PASSWORD)).await {
            Verdict::Unavailable(unavailable) => assert_eq!(unavailable.layer, layer, "{}", unavailable.why),
            other => panic!("{behaviour}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn only_a_password_can_be_typed() {
    let server = Server::start();
    let credentials = Credentials::Chap { identifier: 1, challenge: vec![1; 16], response: [0; 16] };
    let reject = refused(converse(&backend(&server), USER, &credentials).await);
    assert!(matches!(reject.reason, RejectReason::CannotBeSent(_)));
    server.connected(0);
}
