//! What 10,000 logins cost in memory that wait for a server which is silent, each kind in a process of its own.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use tollgate_aaa::{Backend, Secret, Verdict};
use tollgate_backends::kerberos::{KerberosBackend, KerberosSettings, Transport};
use tollgate_backends::ldap::{LdapBackend, LdapSettings, Security};
use tollgate_backends::net::Endpoint;
use tollgate_backends::nt::{NtBackend, NtSettings};
use tollgate_backends::radius::{RadiusBackend, RadiusSettings, RadiusTransport};
use tollgate_backends::sdi::{SdiBackend, SdiSettings};
use tollgate_backends::tacacs::{TacacsBackend, TacacsSettings};
use tollgate_backends::tls::TlsSettings;
use tollgate_benches::router_to;
use tollgate_tests::pki::Authority;

use crate::contests;

/// The argument that measures one kind.
pub(crate) const WORD: &str = "waiting";

const LOGINS: usize = 10_000;
const KINDS: [&str; 11] = [
    "RADIUS",
    "RADIUS over TCP",
    "TACACS+",
    "TACACS+, shared",
    "LDAP, template",
    "LDAP, search",
    "LDAP over TLS",
    "NT",
    "Kerberos",
    "Kerberos over TCP",
    "SDI",
];

pub(crate) fn all() {
    println!("{LOGINS} logins that wait for a silent server");
    for kind in KINDS {
        let program = std::env::current_exe().expect("the program's path");
        let status = Command::new(program).args([WORD, kind]).status().expect("it can be started");
        assert!(status.success(), "{kind}");
    }
}

/// Measures in this process and prints a line.
pub(crate) fn measure(kind: &str) {
    let runtime = crate::runtime();
    // One port that is free by both.
    let (listener, silent) = std::iter::repeat_with(|| {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("bound");
        UdpSocket::bind(address).map(|silent| (listener, silent))
    })
    .find_map(Result::ok)
    .expect("there are many");
    let port = silent.local_addr().expect("bound").port();
    std::thread::spawn(move || listener.incoming().collect::<Vec<_>>());
    let timeout = Duration::from_secs(5);
    let backend: Arc<dyn Backend> = match kind {
        "RADIUS" | "RADIUS over TCP" => {
            let transport = match kind {
                "RADIUS" => RadiusTransport::Udp,
                _ => RadiusTransport::Tcp,
            };
            let settings = RadiusSettings {
                transport,
                authentication_port: port,
                timeout,
                ..RadiusSettings::new("127.0.0.1", key())
            };
            RadiusBackend::new(settings, runtime.handle().clone()).expect("settings")
        }
        "LDAP, template" | "LDAP, search" | "LDAP over TLS" => {
            let security = if kind == "LDAP over TLS" { Security::Ldaps(trust()) } else { Security::Clear };
            let template = (kind != "LDAP, search").then(|| "uid={user},dc=example,dc=test".to_owned());
            let settings = LdapSettings { security, timeout, ..contests::ldap_settings(port, template) };
            LdapBackend::new(settings).expect("settings")
        }
        "Kerberos" | "Kerberos over TCP" => KerberosBackend::new(KerberosSettings {
            endpoint: Endpoint { host: "127.0.0.1".to_owned(), port },
            realm: "EXAMPLE.TEST".to_owned(),
            realm_from_user: false,
            keytab: None,
            service_principal: None,
            insecure_without_keytab: true,
            timeout,
            transport: if kind == "Kerberos" { Transport::Auto } else { Transport::Tcp },
        })
        .expect("settings"),
        "SDI" => SdiBackend::new(SdiSettings {
            url: format!("https://127.0.0.1:{port}/mfa/v1_1"),
            client_key: key(),
            client_id: "vpn".to_owned(),
            tls: trust(),
            timeout,
            challenge_lifetime: Duration::from_secs(60),
        })
        .expect("settings"),
        "NT" => NtBackend::new(NtSettings {
            endpoint: Endpoint { host: "127.0.0.1".to_owned(), port },
            domain_controller: None,
            domain: "CORP".to_owned(),
            timeout,
        })
        .expect("settings"),
        _ => TacacsBackend::new(TacacsSettings {
            single_connect: kind != "TACACS+",
            timeout,
            ..TacacsSettings::new("127.0.0.1", port, key())
        })
        .expect("settings"),
    };
    let router = Arc::new(router_to(backend));
    let before = memory();
    let most = runtime.block_on(async {
        let logins: Vec<_> = (0..LOGINS)
            .map(|number| {
                let router = Arc::clone(&router);
                tokio::spawn(async move {
                    let outcome = router.login(crate::request(&format!("user{number}"), "open sesame")).await;
                    assert!(matches!(outcome.verdict, Verdict::Unavailable(_)), "{:?}", outcome.verdict);
                })
            })
            .collect();
        let mut most = before;
        while !logins.iter().all(tokio::task::JoinHandle::is_finished) {
            most = most.max(memory());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        for login in logins {
            login.await.expect("no panic");
        }
        most
    });
    println!("{kind:<22} {:>10.1} MiB more", (most - before) as f64 / f64::from(1 << 20));
}

/// An authority, so that there is one: nothing that it vouches for ever comes.
fn trust() -> TlsSettings {
    let authority = Authority::new("/CN=nobody");
    let ca = contests::file("ca.pem", &authority.certificate());
    TlsSettings { ca: Some(ca), ..TlsSettings::default() }
}

fn key() -> Secret {
    Secret::from("testing123".to_owned())
}

/// Octets of this process.
fn memory() -> u64 {
    tollgate_sys::process::resident(std::process::id()).expect("Linux")
}
