//! What a login holds while it waits for its turn at a busy server: ten thousand of them may take 64 MiB.
#![allow(clippy::unwrap_used)]

#[path = "support/securid.rs"]
mod securid;

use std::sync::Arc;
use std::time::Duration;

use securid::SecurId;
use tollgate_aaa::{AuthRequest, Backend, Credentials, Secret, SessionContext};
use tollgate_backends::kerberos::{KerberosBackend, KerberosSettings, Transport};
use tollgate_backends::ldap::{AttributeMap, DirectoryType, LdapBackend, LdapSettings, Scope, Security};
use tollgate_backends::net::Endpoint;
use tollgate_backends::nt::{NtBackend, NtSettings};
use tollgate_backends::sdi::{SdiBackend, SdiSettings};
use tollgate_backends::tacacs::{TacacsBackend, TacacsSettings};
use tollgate_backends::tls::TlsSettings;

/// Octets of a backend's own; the router, the task and what is allocated beside come to as much again.
const MOST: usize = 2560;
const TIMEOUT: Duration = Duration::from_secs(5);

fn endpoint() -> Endpoint {
    Endpoint { host: "127.0.0.1".to_owned(), port: 9 }
}

fn key() -> Secret {
    Secret::from("testing123".to_owned())
}

fn ldap(dn_template: Option<&str>) -> Arc<LdapBackend> {
    LdapBackend::new(LdapSettings {
        endpoint: endpoint(),
        security: Security::Clear,
        base_dn: "dc=example,dc=test".to_owned(),
        scope: Scope::Subtree,
        naming_attributes: vec!["uid".to_owned()],
        login: None,
        dn_template: dn_template.map(str::to_owned),
        filter: None,
        server_type: DirectoryType::OpenLdap,
        timeout: TIMEOUT,
        attribute_map: Arc::new(AttributeMap::default()),
    })
    .unwrap()
}

#[test]
fn a_waiting_login_holds_no_room_for_what_it_will_do_later() {
    let server = SecurId::start();
    let kerberos = KerberosBackend::new(KerberosSettings {
        endpoint: endpoint(),
        realm: "EXAMPLE.TEST".to_owned(),
        realm_from_user: false,
        keytab: None,
        service_principal: None,
        insecure_without_keytab: true,
        timeout: TIMEOUT,
        transport: Transport::Auto,
    });
    let sdi = SdiBackend::new(SdiSettings {
        url: server.url(),
        client_key: key(),
        client_id: "vpn".to_owned(),
        tls: TlsSettings { ca: Some(server.ca()), ..TlsSettings::default() },
        timeout: TIMEOUT,
        challenge_lifetime: Duration::from_secs(60),
    });
    let nt = NtBackend::new(NtSettings {
        endpoint: endpoint(),
        domain_controller: None,
        domain: "CORP".to_owned(),
        timeout: TIMEOUT,
    });
    let backends: [Arc<dyn Backend>; 6] = [
        TacacsBackend::new(TacacsSettings::new("127.0.0.1", 9, key())).unwrap(),
        ldap(None),
        ldap(Some("uid={user},dc=example,dc=test")),
        nt.unwrap(),
        kerberos.unwrap(),
        sdi.unwrap(),
    ];
    let (credentials, context) = (Credentials::Pap { password: key() }, SessionContext::default());
    let request = AuthRequest {
        name: b"joe",
        typed_name: b"joe",
        credentials: &credentials,
        tunnel_group: "vpn",
        context: &context,
    };
    for backend in backends {
        let login = backend.authenticate(&request);
        let size = size_of_val(&*login);
        assert!(size <= MOST, "{}: {size} octets", backend.server_type().title());
    }
}
