//! The RADIUS backend against a real FreeRADIUS.

#[path = "freeradius/accounting.rs"]
mod accounting;
#[path = "freeradius/failures.rs"]
mod failures;
#[path = "support/freeradius.rs"]
mod harness;
#[path = "freeradius/status.rs"]
mod status;
#[path = "freeradius/streams.rs"]
mod streams;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use harness::{FreeRadius, Options};
use tokio::runtime::Handle;
use tollgate_aaa::accounting::{AccountingError, Authentic, Record, RecordKind, TerminateCause, Traffic};
use tollgate_aaa::{
    AccountingMode, Attributes, AuthMethod, AuthRequest, Backend, Credentials, FramedAddress, GroupSettings,
    LoginOutcome, LoginRequest, Reactivation, RejectReason, Router, Secret, ServerGroup, ServerState,
    ServerType, SessionContext, TunnelGroupRoute, Verdict,
};
use tollgate_backends::local::{LocalBackend, StoredPassword, User};
use tollgate_backends::radius::{RadiusBackend, RadiusSettings};
use tollgate_mschap::{
    Direction, KeyStrength, NtHash, challenge_response, generate_nt_response, master_key, nt_password_hash,
    verify_authenticator_response,
};

const PASSWORD: &str = "correct horse";

const USERS: &str = r#"
joe Cleartext-Password := "correct horse"
    Framed-IP-Address = 10.4.5.7,
    Framed-IP-Netmask = 255.255.255.0,
    Framed-MTU = 1380,
    Framed-Route = "10.9.0.0/16 10.4.5.7 1",
    Framed-Route += "10.10.0.0/16 10.4.5.7 1",
    Session-Timeout = 3600,
    Idle-Timeout = 600,
    Acct-Interim-Interval = 300,
    Class = 0x4f553d73616c65733b,
    Class += 0x00ff0102,
    Filter-Id = "inside-only",
    Reply-Message = "Welcome",
    Reply-Message += "to the inside",
    MS-Primary-DNS-Server = 10.0.0.53,
    MS-Secondary-DNS-Server = 10.0.0.54,
    MS-Primary-NBNS-Server = 10.0.0.137,
    MS-Secondary-NBNS-Server = 10.0.0.138

kim Cleartext-Password := "correct horse"
    Framed-IP-Address = 255.255.255.254,
    Class = 0x4f553d73616c65733b,
    ASA-Group-Policy = "field",
    ASA-Primary-DNS = 10.1.0.53,
    ASA-Secondary-DNS = 10.1.0.54,
    ASA-Primary-WINS = 10.1.0.137,
    ASA-Secondary-WINS = 10.1.0.138,
    ASA-Address-Pools = "east",
    ASA-Simultaneous-Logins = 2,
    ASA-Tunneling-Protocols = 8

max Cleartext-Password := "correct horse"
    Framed-IP-Address = 255.255.255.255

bad Cleartext-Password := "correct horse"
    Framed-MTU = 1

slow Cleartext-Password := "correct horse"

token Auth-Type := Accept, Response-Packet-Type := Access-Challenge
    State = 0x01020304,
    Reply-Message = "next code"

DEFAULT Auth-Type := Reject
    Reply-Message = "who are you?"
"#;

fn server() -> FreeRadius {
    FreeRadius::start(Options { users: USERS.to_owned(), ..Options::default() })
}

fn settings(server: &FreeRadius) -> RadiusSettings {
    RadiusSettings {
        authentication_port: server.authentication_port,
        accounting_port: server.accounting_port,
        timeout: Duration::from_secs(6),
        retry_interval: Duration::from_secs(2),
        ..RadiusSettings::new("127.0.0.1", Secret::from("testing123".to_owned()))
    }
}

fn backend(settings: RadiusSettings) -> Arc<RadiusBackend> {
    RadiusBackend::new(settings, Handle::current()).expect("valid settings")
}

fn context() -> SessionContext {
    SessionContext {
        acct_session_id: "64f00000-0001".to_owned(),
        nas_port: 77,
        nas_identifier: "gate.example.net".to_owned(),
        nas_ip: Some(Ipv4Addr::new(192, 0, 2, 1).into()),
        client_endpoint: Some(Ipv4Addr::new(198, 51, 100, 9).into()),
        server_endpoint: Some(Ipv4Addr::new(192, 0, 2, 1).into()),
        calling_station_id: "198.51.100.9".to_owned(),
        called_station_id: "192.0.2.1".to_owned(),
    }
}

const CHALLENGE: [u8; 16] = *b"0123456789abcdef";
const PEER_CHALLENGE: [u8; 16] = *b"fedcba9876543210";

/// The proof of somebody who types `name` and `password`.
fn credentials(method: AuthMethod, name: &str, password: &str) -> Credentials {
    let hash = NtHash::from_password(password);
    match method {
        AuthMethod::Pap => Credentials::Pap { password: Secret::from(password.to_owned()) },
        AuthMethod::Chap => {
            use md5::{Digest, Md5};
            let response =
                Md5::new().chain_update([7]).chain_update(password).chain_update(CHALLENGE).finalize();
            Credentials::Chap { identifier: 7, challenge: CHALLENGE.to_vec(), response: response.into() }
        }
        AuthMethod::MsChapV1 => {
            let challenge = *b"01234567";
            let nt_response = challenge_response(&challenge, &hash);
            Credentials::MsChapV1 {
                identifier: 7,
                challenge,
                lm_response: [0; 24],
                nt_response,
                use_nt: true,
            }
        }
        AuthMethod::MsChapV2 => Credentials::MsChapV2 {
            identifier: 7,
            authenticator_challenge: CHALLENGE,
            peer_challenge: PEER_CHALLENGE,
            nt_response: generate_nt_response(&CHALLENGE, &PEER_CHALLENGE, name.as_bytes(), &hash),
            flags: 0,
        },
        AuthMethod::EapProxy | AuthMethod::SdiPasscode => panic!("not tested here"),
    }
}

async fn ask(backend: &impl AsBackend, name: &str, credentials: &Credentials) -> Verdict {
    let context = context();
    let request = AuthRequest {
        name: name.as_bytes(),
        typed_name: name.as_bytes(),
        credentials,
        tunnel_group: "sales",
        context: &context,
    };
    backend.ask(&request).await
}

/// One server or a group of them.
trait AsBackend {
    async fn ask(&self, request: &AuthRequest<'_>) -> Verdict;
}

impl AsBackend for Arc<RadiusBackend> {
    async fn ask(&self, request: &AuthRequest<'_>) -> Verdict {
        self.authenticate(request).await
    }
}

impl AsBackend for ServerGroup {
    async fn ask(&self, request: &AuthRequest<'_>) -> Verdict {
        self.authenticate(request).await.verdict
    }
}

fn accepted(verdict: Verdict) -> Attributes {
    match verdict {
        Verdict::Accept(attributes) => *attributes,
        other => panic!("{other:?}"),
    }
}

fn silence(verdict: Verdict) -> String {
    match verdict {
        Verdict::Unavailable(unavailable) => unavailable.why,
        other => panic!("{other:?}"),
    }
}

const METHODS: [AuthMethod; 4] =
    [AuthMethod::Pap, AuthMethod::Chap, AuthMethod::MsChapV1, AuthMethod::MsChapV2];

#[tokio::test]
async fn each_method_is_accepted_and_rejected() {
    let server = server();
    let backend = backend(settings(&server));
    for method in METHODS {
        accepted(ask(&backend, "joe", &credentials(method, "joe", PASSWORD)).await);
        let verdict = ask(&backend, "joe", &credentials(method, "joe", "wrong")).await;
        let Verdict::Reject(reject) = verdict else { panic!("{method}: {verdict:?}") };
        match method {
            AuthMethod::MsChapV1 | AuthMethod::MsChapV2 => {
                assert_eq!(reject.reason, RejectReason::WrongPassword, "{method}");
                assert_eq!(reject.ms_chap_error.map(|error| error.code), Some(691), "{method}");
            }
            _ => assert_eq!(reject.reason, RejectReason::ServerRejected, "{method}"),
        }
    }
    let verdict = ask(&backend, "nobody", &credentials(AuthMethod::Pap, "nobody", PASSWORD)).await;
    assert!(matches!(verdict, Verdict::Reject(reject) if reject.message == "who are you?"));
    let counters = backend.counters().values();
    assert_eq!((counters.malformed, counters.bad_authenticators, counters.retransmissions), (0, 0, 0));
}

#[tokio::test]
async fn every_attribute_of_an_accept_is_honoured() {
    let server = server();
    let backend = backend(settings(&server));
    let joe = accepted(ask(&backend, "joe", &credentials(AuthMethod::Pap, "joe", PASSWORD)).await);
    assert_eq!(joe.framed_address, Some(FramedAddress::Address(Ipv4Addr::new(10, 4, 5, 7))));
    assert_eq!(joe.framed_netmask, Some(Ipv4Addr::new(255, 255, 255, 0)));
    assert_eq!(joe.framed_mtu, Some(1380));
    assert_eq!(joe.framed_routes, ["10.9.0.0/16 10.4.5.7 1", "10.10.0.0/16 10.4.5.7 1"]);
    assert_eq!(joe.session_timeout, Some(Duration::from_secs(3600)));
    assert_eq!(joe.idle_timeout, Some(Duration::from_secs(600)));
    assert_eq!(joe.interim_interval, Some(Duration::from_secs(300)));
    assert_eq!(joe.classes, [b"OU=sales;".to_vec(), vec![0x00, 0xff, 0x01, 0x02]]);
    assert_eq!(joe.group_policy.as_deref(), Some("sales"));
    assert_eq!(joe.filter_id.as_deref(), Some("inside-only"));
    assert_eq!(joe.reply_message.as_deref(), Some("Welcome\nto the inside"));
    assert_eq!(joe.dns, [Some(Ipv4Addr::new(10, 0, 0, 53)), Some(Ipv4Addr::new(10, 0, 0, 54))]);
    assert_eq!(joe.nbns, [Some(Ipv4Addr::new(10, 0, 0, 137)), Some(Ipv4Addr::new(10, 0, 0, 138))]);

    let kim = accepted(ask(&backend, "kim", &credentials(AuthMethod::Pap, "kim", PASSWORD)).await);
    assert_eq!(kim.framed_address, Some(FramedAddress::Pool));
    assert_eq!(kim.group_policy.as_deref(), Some("field"), "3076/25 goes before Class");
    assert_eq!(kim.dns, [Some(Ipv4Addr::new(10, 1, 0, 53)), Some(Ipv4Addr::new(10, 1, 0, 54))]);
    assert_eq!(kim.nbns, [Some(Ipv4Addr::new(10, 1, 0, 137)), Some(Ipv4Addr::new(10, 1, 0, 138))]);
    assert_eq!(kim.address_pools, ["east"]);
    assert_eq!((kim.simultaneous_logins, kim.tunneling_protocols), (Some(2), Some(8)));

    let max = accepted(ask(&backend, "max", &credentials(AuthMethod::Pap, "max", PASSWORD)).await);
    assert_eq!(max.framed_address, Some(FramedAddress::PeerChooses));
}

#[tokio::test]
async fn an_accept_that_cannot_be_honoured_lets_nobody_in() {
    let server = server();
    let backend = backend(settings(&server));
    let verdict = ask(&backend, "bad", &credentials(AuthMethod::Pap, "bad", PASSWORD)).await;
    let Verdict::Reject(reject) = verdict else { panic!("{verdict:?}") };
    assert_eq!(
        reject.reason.to_string(),
        "the server's accept cannot be used: Framed-MTU has an impossible value"
    );
}

#[tokio::test]
async fn a_challenge_is_told_as_one() {
    let server = server();
    let backend = backend(settings(&server));
    let verdict = ask(&backend, "token", &credentials(AuthMethod::Pap, "token", "123456")).await;
    let Verdict::Challenge(challenge) = verdict else { panic!("{verdict:?}\n{}", server.log()) };
    assert_eq!((challenge.state.as_slice(), challenge.message.as_str()), (&[1, 2, 3, 4][..], "next code"));
}

#[tokio::test]
async fn ms_chap_version_2_brings_the_proof_and_the_mppe_keys() {
    let server = server();
    let backend = backend(settings(&server));
    let credentials = credentials(AuthMethod::MsChapV2, "joe", PASSWORD);
    let attributes = accepted(ask(&backend, "joe", &credentials).await);
    let Credentials::MsChapV2 { nt_response, .. } = &credentials else { unreachable!() };
    let hash = NtHash::from_password(PASSWORD);
    let proof = attributes.ms_chap2_success.expect("the proof");
    assert!(verify_authenticator_response(&hash, nt_response, &PEER_CHALLENGE, &CHALLENGE, b"joe", &proof));

    let master = master_key(&hash, nt_response);
    let keys = attributes.mppe.expect("the keys");
    let send = master.start_key(Direction::ServerToClient, KeyStrength::Bits128);
    let receive = master.start_key(Direction::ClientToServer, KeyStrength::Bits128);
    assert_eq!(keys.send.as_deref(), Some(send.as_bytes()));
    assert_eq!(keys.receive.as_deref(), Some(receive.as_bytes()));
}

#[tokio::test]
async fn ms_chap_version_1_brings_its_mppe_keys() {
    let server = server();
    let backend = backend(settings(&server));
    let attributes =
        accepted(ask(&backend, "joe", &credentials(AuthMethod::MsChapV1, "joe", PASSWORD)).await);
    let keys = attributes.mppe.expect("the keys");
    let nt_key = nt_password_hash(PASSWORD.as_bytes()).hash_again();
    assert_eq!(keys.nt_key.as_deref(), Some(&nt_key.as_bytes()[..]));
}

#[tokio::test]
async fn long_and_empty_passwords_arrive() {
    let password = "p".repeat(128);
    let users = format!("long Cleartext-Password := \"{password}\"\nempty Cleartext-Password := \"x\"\n");
    let server = FreeRadius::start(Options { users, ..Options::default() });
    let backend = backend(settings(&server));
    accepted(ask(&backend, "long", &credentials(AuthMethod::Pap, "long", &password)).await);
    let verdict = ask(&backend, "empty", &credentials(AuthMethod::Pap, "empty", "")).await;
    assert!(matches!(verdict, Verdict::Reject(_)));
    let verdict = ask(&backend, "long", &credentials(AuthMethod::Pap, "long", &"p".repeat(129))).await;
    let Verdict::Reject(reject) = verdict else { panic!("{verdict:?}") };
    assert_eq!(
        reject.reason.to_string(),
        "the login cannot be sent to this server: the password has more than 128 octets"
    );
    // The server would look at `x` alone, and say yes.
    for password in ["x\0", "x\0y"] {
        let verdict = ask(&backend, "empty", &credentials(AuthMethod::Pap, "empty", password)).await;
        let Verdict::Reject(reject) = verdict else { panic!("{verdict:?}") };
        assert!(reject.reason.to_string().contains("the password holds a NUL"), "{reject:?}");
    }
}

#[tokio::test]
async fn a_request_says_everything_about_the_session() {
    let server = server();
    let backend = backend(settings(&server));
    accepted(ask(&backend, "joe", &credentials(AuthMethod::Pap, "joe", PASSWORD)).await);
    let detail = server.request_detail();
    for line in [
        "User-Name = \"joe\"",
        "NAS-IP-Address = 192.0.2.1",
        "NAS-Identifier = \"gate.example.net\"",
        "NAS-Port = 77",
        "NAS-Port-Type = Virtual",
        "Service-Type = Framed-User",
        "Framed-Protocol = PPP",
        "Calling-Station-Id = \"198.51.100.9\"",
        "Called-Station-Id = \"192.0.2.1\"",
        "Acct-Session-Id = \"64f00000-0001\"",
        "Tunnel-Type:0 = L2TP",
        "Tunnel-Medium-Type:0 = IPv4",
        "Tunnel-Client-Endpoint:0 = \"198.51.100.9\"",
        "Tunnel-Server-Endpoint:0 = \"192.0.2.1\"",
        "ASA-TunnelGroupName = \"sales\"",
        "ASA-ClientType = L2TP/IPsec",
        "Message-Authenticator = 0x",
    ] {
        assert!(detail.lines().any(|one| one.trim().starts_with(line)), "missing {line} in\n{detail}");
    }
    let first = detail.lines().nth(2).unwrap_or_default();
    assert!(first.contains("Message-Authenticator"), "first attribute: {first}");
}

#[tokio::test]
async fn more_than_256_questions_are_under_way_at_once() {
    let server = server();
    // The server's own receive buffer holds some hundred requests; what it drops is sent again.
    let backend = backend(RadiusSettings {
        timeout: Duration::from_secs(40),
        retry_interval: Duration::from_secs(1),
        ..settings(&server)
    });
    let logins: Vec<_> = (0..1500)
        .map(|_| {
            let backend = Arc::clone(&backend);
            tokio::spawn(async move {
                let verdict = ask(&backend, "joe", &credentials(AuthMethod::MsChapV2, "joe", PASSWORD)).await;
                matches!(verdict, Verdict::Accept(_))
            })
        })
        .collect();
    for login in logins {
        assert!(login.await.expect("no panic"));
    }
    let counters = backend.counters().values();
    assert_eq!((counters.malformed, counters.bad_authenticators), (0, 0));
}

#[tokio::test]
async fn answers_without_message_authenticator_are_believed_only_where_configured() {
    let server = FreeRadius::start(Options {
        users: USERS.to_owned(),
        message_authenticator: false,
        ..Options::default()
    });
    let strict = backend(RadiusSettings { timeout: Duration::from_secs(1), ..settings(&server) });
    let why = silence(ask(&strict, "joe", &credentials(AuthMethod::Pap, "joe", PASSWORD)).await);
    assert!(why.contains("no Message-Authenticator, which this server is required to send"), "{why}");
    assert!(strict.counters().values().bad_authenticators >= 1);

    let lenient = backend(RadiusSettings { require_message_authenticator: false, ..settings(&server) });
    accepted(ask(&lenient, "joe", &credentials(AuthMethod::Pap, "joe", PASSWORD)).await);
}

#[tokio::test]
async fn a_server_configured_without_ms_chap_v2_is_never_asked_so() {
    let server = server();
    let backend = backend(RadiusSettings { ms_chap_v2_capable: false, ..settings(&server) });
    let verdict = ask(&backend, "joe", &credentials(AuthMethod::MsChapV2, "joe", PASSWORD)).await;
    assert!(
        matches!(verdict, Verdict::Reject(reject) if matches!(reject.reason, RejectReason::CannotBeSent(_)))
    );
    assert_eq!(server.request_detail(), "");
}
