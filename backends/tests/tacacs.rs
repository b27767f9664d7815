//! The TACACS+ backend against a server that is built on another codec.

#[path = "tacacs/accounting.rs"]
mod accounting;
#[path = "tacacs/ascii.rs"]
mod ascii;
#[path = "tacacs/authorization.rs"]
mod authorization;
#[path = "tacacs/dissector.rs"]
mod dissector;
#[path = "tacacs/failures.rs"]
mod failures;
#[path = "tacacs/logins.rs"]
mod logins;
#[path = "support/tacacs.rs"]
mod server;
#[path = "tacacs/sharing.rs"]
mod sharing;
#[path = "tacacs/tls.rs"]
mod tls;

use std::sync::Arc;
use std::time::Duration;

use server::{KEY, PASSWORD, Server, USER};
use tollgate_aaa::{
    Attributes, AuthRequest, Backend, Credentials, Layer, Reject, RejectReason, Secret, SessionContext,
    Unavailable, Verdict,
};
use tollgate_backends::tacacs::{TacacsBackend, TacacsSettings};

fn settings(port: u16) -> TacacsSettings {
    TacacsSettings::new("127.0.0.1", port, Secret::from(KEY.to_owned()))
}

fn backend(server: &Server) -> Arc<TacacsBackend> {
    TacacsBackend::new(settings(server.port)).unwrap()
}

fn hasty(server: &Server) -> Arc<TacacsBackend> {
    TacacsBackend::new(TacacsSettings { timeout: Duration::from_secs(1), ..settings(server.port) }).unwrap()
}

fn sharing(server: &Server) -> Arc<TacacsBackend> {
    TacacsBackend::new(TacacsSettings { single_connect: true, ..settings(server.port) }).unwrap()
}

fn pap(password: &str) -> Credentials {
    Credentials::Pap { password: password.to_owned().into() }
}

async fn ask(backend: &TacacsBackend, user: &str, credentials: &Credentials) -> Verdict {
    let context = SessionContext {
        client_endpoint: Some("198.51.100.7".parse().unwrap()),
        nas_port: 17,
        ..SessionContext::default()
    };
    let name = user.as_bytes();
    let request = AuthRequest { name, typed_name: name, credentials, tunnel_group: "vpn", context: &context };
    backend.authenticate(&request).await
}

async fn login(backend: &TacacsBackend) -> Verdict {
    ask(backend, USER, &pap(PASSWORD)).await
}

#[track_caller]
fn accepted(verdict: Verdict) -> Attributes {
    match verdict {
        Verdict::Accept(attributes) => *attributes,
        other => panic!("no accept: {other:?}"),
    }
}

#[track_caller]
fn refused(verdict: Verdict) -> Reject {
    match verdict {
        Verdict::Reject(reject) => reject,
        other => panic!("no reject: {other:?}"),
    }
}

#[track_caller]
fn unavailable(verdict: Verdict, layer: Layer, words: &[&str]) -> Unavailable {
    let Verdict::Unavailable(unavailable) = verdict else { panic!("not unavailable: {verdict:?}") };
    assert_eq!(unavailable.layer, layer, "{unavailable}");
    for word in words {
        assert!(unavailable.why.contains(word), "{word} is missing: {unavailable}");
    }
    unavailable
}

#[track_caller]
fn cannot_be_sent(verdict: Verdict, word: &str) {
    match refused(verdict).reason {
        RejectReason::CannotBeSent(why) => assert!(why.contains(word), "{why}"),
        other => panic!("{other}"),
    }
}
