//! TACACS+ over TLS 1.3 (RFC 9887).

use super::server::{Certificates, SERVER_NAME};
use super::*;
use tollgate_backends::tls::TlsSettings;

fn tls(certificates: &Certificates) -> TlsSettings {
    TlsSettings {
        ca: Some(certificates.path("ca.pem")),
        identity: Some((certificates.path("client.pem"), certificates.path("client.key"))),
        server_name: Some(SERVER_NAME.to_owned()),
    }
}

fn over(tls: TlsSettings, server: &Server, single_connect: bool) -> Arc<TacacsBackend> {
    let settings =
        TacacsSettings { key: Secret::default(), tls: Some(tls), single_connect, ..settings(server.port) };
    TacacsBackend::new(settings).unwrap()
}

#[tokio::test]
async fn with_both_certificates_right_the_login_needs_no_key() {
    let certificates = Certificates::new("right");
    let server = Server::with(&(certificates.settings("") + r#""single_connect": true,"#));
    for single_connect in [false, true] {
        let backend = over(tls(&certificates), &server, single_connect);
        accepted(login(&backend).await);
        refused(ask(&backend, USER, &pap("wrong")).await);
    }
    server.connected(4);
}

#[tokio::test]
async fn whoever_has_no_certificate_or_trusts_another_authority_is_told_that_tls_failed() {
    let certificates = Certificates::new("wrong");
    let server = Server::with(&certificates.settings(""));
    let stranger = TlsSettings { ca: Some(certificates.path("other.pem")), ..tls(&certificates) };
    unavailable(
        login(&over(stranger, &server, false)).await,
        Layer::Tls,
        &["signed by an authority that ca does not hold"],
    );
    let misnamed = TlsSettings { server_name: None, ..tls(&certificates) };
    unavailable(login(&over(misnamed, &server, false)).await, Layer::Tls, &["carries another name"]);
    let nobody = TlsSettings { identity: None, ..tls(&certificates) };
    unavailable(login(&over(nobody, &server, false)).await, Layer::Tls, &["ertificate"]);
}

#[tokio::test]
async fn tls_1_2_is_not_enough() {
    let certificates = Certificates::new("old");
    let server = Server::with(&certificates.settings(r#", "highest": "TLSv1_2""#));
    unavailable(login(&over(tls(&certificates), &server, false)).await, Layer::Tls, &["127.0.0.1"]);
}

#[tokio::test]
async fn an_obfuscated_answer_in_tls_is_refused() {
    let certificates = Certificates::new("flag");
    let server = Server::with(&(certificates.settings("") + r#""behaviour": "unencrypted","#));
    unavailable(login(&over(tls(&certificates), &server, false)).await, Layer::Protocol, &["RFC 9887"]);
}

#[test]
fn a_file_that_is_not_there_is_told_from_the_start() {
    let missing = TlsSettings { ca: Some("/nowhere/ca.pem".into()), ..TlsSettings::default() };
    let settings = TacacsSettings { tls: Some(missing), ..settings(49) };
    let error = TacacsBackend::new(settings).err().unwrap().to_string();
    assert!(error.contains("/nowhere/ca.pem"), "{error}");
}
