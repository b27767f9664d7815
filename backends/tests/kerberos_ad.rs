//! Kerberos logins against a domain controller (Samba).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/asking.rs"]
mod asking;
#[path = "support/samba.rs"]
mod samba;

use std::sync::Arc;
use std::time::Duration;

use asking::{accepted, ask};
use samba::{PASSWORD, REALM, Samba, USERS};
use tollgate_aaa::{Layer, RejectReason, Unavailable, Verdict};
use tollgate_backends::kerberos::{KerberosBackend, KerberosSettings, Transport};
use tollgate_backends::net::Endpoint;

const SERVICE: &str = "vpn/gate.corp.test";

/// The controller with an account for our service, whose key is in the keytab.
fn backend(samba: &Samba, transport: Transport) -> Arc<KerberosBackend> {
    static KEYTAB: std::sync::OnceLock<std::path::PathBuf> = std::sync::OnceLock::new();
    let keytab = KEYTAB.get_or_init(|| {
        // 24: keys for both AES types of RFC 3962, and no RC4.
        let more = format!("servicePrincipalName: {SERVICE}\nmsDS-SupportedEncryptionTypes: 24");
        samba.add_user("gate", "S3rvice of a test", &more);
        samba.export_keytab(Some(SERVICE))
    });
    KerberosBackend::new(KerberosSettings {
        endpoint: Endpoint { host: samba.address().to_string(), port: 88 },
        realm: REALM.to_owned(),
        realm_from_user: true,
        keytab: Some(keytab.clone()),
        service_principal: Some(SERVICE.to_owned()),
        insecure_without_keytab: false,
        timeout: Duration::from_secs(10),
        transport,
    })
    .unwrap()
}

#[tokio::test]
async fn the_right_password_comes_in_under_each_form_of_the_name() {
    let samba = Samba::shared();
    for transport in [Transport::Auto, Transport::Tcp] {
        let backend = backend(samba, transport);
        for name in ["alice", "ALICE", "alice@corp.test", "alice@CORP.TEST"] {
            accepted(&ask(&backend, name, PASSWORD.as_bytes()).await);
        }
    }
}

#[tokio::test]
async fn each_no_has_its_reason() {
    let backend = backend(Samba::shared(), Transport::Auto);
    for (name, password, reason) in [
        ("alice", "wrong", RejectReason::WrongPassword),
        ("nobody", PASSWORD, RejectReason::UnknownUser),
        ("alice@other.test", PASSWORD, RejectReason::UnknownUser),
        ("alice", "", RejectReason::EmptyPassword),
        ("disabled", PASSWORD, RejectReason::Disabled),
        // Samba looks at this before all else, and has no status for it.
        ("locked", PASSWORD, RejectReason::Disabled),
        ("hours", PASSWORD, RejectReason::RestrictedHours),
        ("expired", PASSWORD, RejectReason::Expired),
        ("mustchange", PASSWORD, RejectReason::PasswordMustChange),
        ("oldpassword", PASSWORD, RejectReason::PasswordExpired),
    ] {
        let verdict = ask(&backend, name, password.as_bytes()).await;
        assert!(
            matches!(&verdict, Verdict::Reject(reject) if reject.reason == reason),
            "{name}: {verdict:?}"
        );
    }
}

#[tokio::test]
async fn passwords_of_every_kind_are_checked_whole() {
    let samba = Samba::shared();
    let backend = backend(samba, Transport::Auto);
    let long = "Aa1 ".repeat(32);
    for (number, password) in
        ["two words 1A", "\"quoted\" 'A1'", "grüße-1A-日本語", long.as_str()].into_iter().enumerate()
    {
        let user = format!("kerb{number}");
        samba.add_user(&user, password, "");
        accepted(&ask(&backend, &user, password.as_bytes()).await);
        let cut = password.strip_suffix(password.chars().last().unwrap()).unwrap();
        let verdict = ask(&backend, &user, cut.as_bytes()).await;
        assert!(
            matches!(&verdict, Verdict::Reject(reject) if reject.reason == RejectReason::WrongPassword),
            "{verdict:?}"
        );
    }
}

#[tokio::test]
async fn a_user_of_many_groups_comes_in_by_tcp() {
    let samba = Samba::shared();
    let backend = backend(samba, Transport::Auto);
    samba.add_user("joiner", PASSWORD, "");
    let groups = (0..40).map(|number| {
        let name = format!("a-group-with-a-long-name-{number}");
        format!(
            "dn: CN={name},{USERS}\nchangetype: add\nobjectClass: group\nsAMAccountName: {name}\n\
             member: CN=joiner,{USERS}\n\n"
        )
    });
    samba.change(&groups.collect::<String>());
    accepted(&ask(&backend, "joiner", PASSWORD.as_bytes()).await);
}

#[tokio::test]
async fn a_service_that_the_controller_does_not_know_is_named() {
    let samba = Samba::shared();
    let more = "servicePrincipalName: vpn/stranger.corp.test\nmsDS-SupportedEncryptionTypes: 24";
    samba.add_user("stranger", "S3rvice of a test", more);
    let keytab = samba.export_keytab(Some("vpn/stranger.corp.test"));
    samba.change(&format!("dn: CN=stranger,{USERS}\nchangetype: delete\n"));
    let backend = KerberosBackend::new(KerberosSettings {
        endpoint: Endpoint { host: samba.address().to_string(), port: 88 },
        realm: REALM.to_owned(),
        realm_from_user: true,
        keytab: Some(keytab),
        service_principal: Some("vpn/stranger.corp.test".to_owned()),
        insecure_without_keytab: false,
        timeout: Duration::from_secs(10),
        transport: Transport::Auto,
    });
    let Verdict::Unavailable(Unavailable { layer, why }) =
        ask(&backend.unwrap(), "alice", PASSWORD.as_bytes()).await
    else {
        panic!()
    };
    assert_eq!(layer, Layer::Secret, "{why}");
    assert!(why.contains("vpn/stranger.corp.test"), "{why}");
}
