//! Kerberos logins against real MIT KDCs, and against what is none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/kdc.rs"]
mod kdc;

use std::sync::Arc;
use std::time::Duration;

use kdc::{ETYPES, Kdc, Options, PASSWORD, REALM};
use tollgate_aaa::{
    AuthRequest, Backend, Credentials, Layer, RejectReason, Secret, SessionContext, Unavailable, Verdict,
};
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

async fn ask(backend: &KerberosBackend, name: &str, password: &[u8]) -> Verdict {
    let credentials = Credentials::Pap { password: Secret::from(password) };
    let context = SessionContext::default();
    let request = AuthRequest {
        name: name.as_bytes(),
        typed_name: name.as_bytes(),
        credentials: &credentials,
        tunnel_group: "DefaultRAGroup",
        context: &context,
    };
    backend.authenticate(&request).await
}

#[track_caller]
fn accepted(verdict: &Verdict) {
    assert!(matches!(verdict, Verdict::Accept(_)), "{verdict:?}");
}

#[track_caller]
fn refused(verdict: &Verdict, reason: &RejectReason) {
    let Verdict::Reject(reject) = verdict else { panic!("{verdict:?}") };
    assert_eq!(reject.reason, *reason);
}

#[track_caller]
fn silent(verdict: Verdict, layer: Layer, words: &str) {
    let Verdict::Unavailable(Unavailable { layer: at, why }) = verdict else { panic!("{verdict:?}") };
    assert_eq!(at, layer, "{why}");
    assert!(why.contains(words), "{why}");
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
    silent(ask(&without(true).unwrap(), "joe", b"password").await, Layer::Connection, "refused");
}
