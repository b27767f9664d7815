//! RADIUS over TCP (RFC 6613) and over TLS (RFC 6614).

use std::path::PathBuf;
use std::process::Command;

use super::accounting::record;
use super::harness::{RadSec, Transport};
use super::*;
use tollgate_aaa::{Layer, Unavailable};
use tollgate_backends::radius::{RadiusError, RadiusTransport};
use tollgate_backends::tls::TlsSettings;

const SERVER_NAME: &str = "radius.example.test";

/// An authority and what it issued: `ca.pem`, `server.pem`, `client.pem`, and a stranger's `other.pem`, each with its
/// key.
struct Certificates(PathBuf);

impl Certificates {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("tollgate-radsec-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let script = format!(
            "set -e\n\
             new='openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'\n\
             for ca in ca other; do\n\
               $new -x509 -days 30 -subj \"/CN=$ca\" -keyout $ca.key -out $ca.pem\n\
             done\n\
             for who in server client; do\n\
               $new -subj \"/CN=$who\" -keyout $who.key -out $who.csr\n\
               printf 'subjectAltName=DNS:{SERVER_NAME}\\n' > extensions\n\
               openssl x509 -req -in $who.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 \
                 -extfile extensions -out $who.pem\n\
             done\n"
        );
        let done = Command::new("sh").args(["-c", &script]).current_dir(&folder).output().unwrap();
        assert!(done.status.success(), "openssl: {}", String::from_utf8_lossy(&done.stderr));
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn server(&self, highest_version: &'static str) -> Transport {
        Transport::Tls(RadSec {
            certificate: self.path("server.pem"),
            key: self.path("server.key"),
            ca: self.path("ca.pem"),
            highest_version,
        })
    }

    fn client(&self) -> TlsSettings {
        TlsSettings {
            ca: Some(self.path("ca.pem")),
            identity: Some((self.path("client.pem"), self.path("client.key"))),
            server_name: Some(SERVER_NAME.to_owned()),
        }
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn on_streams(options: Options) -> FreeRadius {
    FreeRadius::start(Options { users: USERS.to_owned(), transport: Transport::Tcp, ..options })
}

fn over_tcp(server: &FreeRadius) -> RadiusSettings {
    RadiusSettings { transport: RadiusTransport::Tcp, ..settings(server) }
}

fn radsec(certificates: &Certificates, highest_version: &'static str) -> FreeRadius {
    FreeRadius::start(Options {
        users: USERS.to_owned(),
        secret: "radsec".to_owned(),
        transport: certificates.server(highest_version),
        ..Options::default()
    })
}

fn over_tls(server: &FreeRadius, tls: TlsSettings) -> RadiusSettings {
    RadiusSettings {
        authentication_port: server.authentication_port,
        accounting_port: server.authentication_port,
        timeout: Duration::from_secs(6),
        ..RadiusSettings::over_tls("127.0.0.1", tls)
    }
}

async fn login(backend: &Arc<RadiusBackend>) -> Verdict {
    ask(backend, "joe", &credentials(AuthMethod::Pap, "joe", PASSWORD)).await
}

fn unavailable(verdict: Verdict) -> Unavailable {
    match verdict {
        Verdict::Unavailable(unavailable) => unavailable,
        other => panic!("{other:?}"),
    }
}

async fn both_services_work(backend: &Arc<RadiusBackend>, server: &FreeRadius) {
    for method in METHODS {
        accepted(ask(backend, "joe", &credentials(method, "joe", PASSWORD)).await);
        let verdict = ask(backend, "joe", &credentials(method, "joe", "wrong")).await;
        assert!(matches!(verdict, Verdict::Reject(_)), "{method}: {verdict:?}");
    }
    for kind in [RecordKind::Start, RecordKind::Interim, RecordKind::Stop] {
        assert_eq!(backend.account(&record(kind, Duration::ZERO)).await, Ok(()), "{kind}");
    }
    assert_eq!(server.accounting_detail().matches("Acct-Status-Type").count(), 3);
    let counters = backend.counters().values();
    assert_eq!((counters.malformed, counters.bad_authenticators, counters.retransmissions), (0, 0, 0));
}

#[tokio::test]
async fn over_tcp_each_method_is_accepted_and_rejected_and_records_are_acknowledged() {
    let server = on_streams(Options::default());
    both_services_work(&backend(over_tcp(&server)), &server).await;
}

#[tokio::test]
async fn over_tls_each_method_is_accepted_and_rejected_and_records_are_acknowledged() {
    let certificates = Certificates::new("right");
    for version in ["1.2", "1.3"] {
        let server = radsec(&certificates, version);
        let backend = backend(over_tls(&server, certificates.client()));
        both_services_work(&backend, &server).await;
    }
}

#[tokio::test]
async fn whoever_trusts_another_authority_or_has_no_certificate_is_told_that_tls_failed() {
    let certificates = Certificates::new("wrong");
    for version in ["1.2", "1.3"] {
        let server = radsec(&certificates, version);
        let fails = async |tls: TlsSettings, sign: &str| {
            let why = unavailable(login(&backend(over_tls(&server, tls))).await);
            assert_eq!(why.layer, Layer::Tls, "{why}");
            assert!(why.why.contains(sign), "{why}");
        };
        fails(
            TlsSettings { ca: Some(certificates.path("other.pem")), ..certificates.client() },
            "signed by an authority that ca does not hold",
        )
        .await;
        fails(TlsSettings { server_name: None, ..certificates.client() }, "127.0.0.1").await;
        fails(TlsSettings { identity: None, ..certificates.client() }, "127.0.0.1").await;
        let stranger = Some((certificates.path("other.pem"), certificates.path("other.key")));
        fails(TlsSettings { identity: stranger, ..certificates.client() }, "127.0.0.1").await;
    }
}

#[test]
fn a_certificate_that_is_not_there_is_told_from_the_start() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let missing = TlsSettings { ca: Some("/nowhere/ca.pem".into()), ..TlsSettings::default() };
    let settings = RadiusSettings::over_tls("127.0.0.1", missing);
    assert_eq!((settings.authentication_port, settings.accounting_port), (2083, 2083));
    let error = RadiusBackend::new(settings, runtime.handle().clone()).err().unwrap();
    assert!(matches!(error, RadiusError::Tls { .. }), "{error}");
    assert!(error.to_string().contains("/nowhere/ca.pem"), "{error}");
}

#[tokio::test]
async fn a_server_that_is_down_is_told_at_once() {
    let (authentication_port, accounting_port) = harness::free_stream_ports(Ipv4Addr::LOCALHOST.into());
    let backend = backend(RadiusSettings {
        transport: RadiusTransport::Tcp,
        authentication_port,
        accounting_port,
        ..RadiusSettings::new("127.0.0.1", Secret::from("testing123".to_owned()))
    });
    let begun = Instant::now();
    let why = unavailable(login(&backend).await);
    assert_eq!(why.layer, Layer::Connection);
    assert!(why.why.contains("refused"), "{why}");
    assert!(begun.elapsed() < Duration::from_secs(1));
    let told = backend.account(&record(RecordKind::Start, Duration::ZERO)).await;
    assert!(matches!(told, Err(AccountingError::NoAnswer(_))), "{told:?}");
}

#[tokio::test]
async fn a_name_that_is_not_known_is_told_as_such() {
    let backend = backend(RadiusSettings {
        transport: RadiusTransport::Tcp,
        ..RadiusSettings::new("no-such-host.invalid", Secret::from("testing123".to_owned()))
    });
    assert_eq!(unavailable(login(&backend).await).layer, Layer::NameResolution);
}

#[tokio::test]
async fn a_question_under_which_the_server_dies_is_answered_by_the_one_that_comes_back() {
    let certificates = Certificates::new("restart");
    let slow = Options { authorize: failures::SLOW.to_owned(), ..Options::default() };
    let servers = [
        (on_streams(slow.clone()), None),
        (
            FreeRadius::start(Options {
                users: USERS.to_owned(),
                secret: "radsec".to_owned(),
                transport: certificates.server("1.2"),
                ..slow
            }),
            Some(certificates.client()),
        ),
    ];
    for (mut server, tls) in servers {
        let settings = match tls {
            None => over_tcp(&server),
            Some(tls) => over_tls(&server, tls),
        };
        let backend = backend(RadiusSettings { timeout: Duration::from_secs(15), ..settings });
        accepted(login(&backend).await);
        let slow = {
            let backend = Arc::clone(&backend);
            tokio::spawn(async move {
                ask(&backend, "slow", &credentials(AuthMethod::Pap, "slow", PASSWORD)).await
            })
        };
        tokio::time::sleep(Duration::from_millis(500)).await;
        server.stop();
        assert!(!slow.is_finished());
        server.start_again();
        accepted(slow.await.expect("no panic"));
        assert!(backend.counters().values().retransmissions >= 1);
        // And the next ones find the new connection.
        accepted(login(&backend).await);
    }
}

#[tokio::test]
async fn three_hundred_logins_at_once_share_the_one_connection_that_the_server_grants() {
    let server = on_streams(Options { max_connections: 1, ..Options::default() });
    let backend = backend(RadiusSettings { timeout: Duration::from_secs(30), ..over_tcp(&server) });
    let logins: Vec<_> = (0..300)
        .map(|_| {
            let backend = Arc::clone(&backend);
            tokio::spawn(async move {
                let verdict = ask(&backend, "joe", &credentials(AuthMethod::MsChapV2, "joe", PASSWORD)).await;
                assert!(matches!(verdict, Verdict::Accept(_)), "{verdict:?}");
            })
        })
        .collect();
    for login in logins {
        login.await.expect("accepted");
    }
    let counters = backend.counters().values();
    assert_eq!((counters.malformed, counters.bad_authenticators, counters.unexpected), (0, 0, 0));
}

#[tokio::test]
async fn three_hundred_logins_at_once_are_served_over_tls() {
    let certificates = Certificates::new("storm");
    let server = radsec(&certificates, "1.3");
    let settings = over_tls(&server, certificates.client());
    let backend = backend(RadiusSettings { timeout: Duration::from_secs(30), ..settings });
    let logins: Vec<_> = (0..300)
        .map(|_| {
            let backend = Arc::clone(&backend);
            tokio::spawn(async move {
                let verdict = ask(&backend, "joe", &credentials(AuthMethod::MsChapV2, "joe", PASSWORD)).await;
                assert!(matches!(verdict, Verdict::Accept(_)), "{verdict:?}");
            })
        })
        .collect();
    for login in logins {
        login.await.expect("accepted");
    }
}

#[tokio::test]
async fn a_wrong_secret_is_no_answer_with_a_hint() {
    let server = on_streams(Options::default());
    let wrong = RadiusSettings {
        key: Secret::from("another".to_owned()),
        timeout: Duration::from_secs(2),
        ..over_tcp(&server)
    };
    let why = unavailable(login(&backend(wrong)).await);
    assert!(why.why.contains("does it know this client"), "{why}");
}

#[tokio::test]
async fn answers_without_message_authenticator_are_believed_only_where_configured_on_streams_too() {
    let server = on_streams(Options { message_authenticator: false, ..Options::default() });
    let why = unavailable(login(&backend(over_tcp(&server))).await);
    assert_eq!(why.layer, Layer::Secret, "{why}");
    let lenient = RadiusSettings { require_message_authenticator: false, ..over_tcp(&server) };
    accepted(login(&backend(lenient)).await);
}
