//! Active Directory, as Samba does it.

use std::net::Ipv4Addr;

use tollgate_aaa::FramedAddress;

use super::attributes::rule;
use super::samba::{BASE, HOST_NAME, PASSWORD, Samba, USERS};
use super::*;

fn secured(samba: &Samba) -> LdapSettings {
    LdapSettings {
        endpoint: Endpoint { host: samba.address().to_string(), port: 636 },
        security: Security::Ldaps(tls(Some(samba.ca()), Some(HOST_NAME))),
        base_dn: BASE.to_owned(),
        naming_attributes: vec!["sAMAccountName".to_owned()],
        login: Some(("alice@corp.test".to_owned(), PASSWORD.to_owned().into())),
        ..settings(0)
    }
}

#[tokio::test]
async fn every_state_of_an_account_has_its_reason() {
    let backend = LdapBackend::new(secured(Samba::shared())).unwrap();
    accepted(ask(&backend, "alice", PASSWORD).await);
    accepted(ask(&backend, "ALICE", PASSWORD).await);
    for (user, password, reason) in [
        ("bob", "wrong", RejectReason::WrongPassword),
        ("nobody", PASSWORD, RejectReason::UnknownUser),
        ("bob", "", RejectReason::EmptyPassword),
        ("disabled", PASSWORD, RejectReason::Disabled),
        ("expired", PASSWORD, RejectReason::Expired),
        ("mustchange", PASSWORD, RejectReason::PasswordMustChange),
        ("oldpassword", PASSWORD, RejectReason::PasswordExpired),
        ("locked", PASSWORD, RejectReason::LockedOut),
        ("hours", PASSWORD, RejectReason::RestrictedHours),
        ("workstation", PASSWORD, RejectReason::RestrictedWorkstation),
        ("*)(cn=*", PASSWORD, RejectReason::UnknownUser),
    ] {
        let verdict = ask(&backend, user, password).await;
        assert!(
            matches!(&verdict, Verdict::Reject(reject) if reject.reason == reason),
            "{user}: {verdict:?}"
        );
    }
}

#[tokio::test]
async fn starttls_works_and_the_clear_is_refused_in_words() {
    let samba = Samba::shared();
    let endpoint = Endpoint { host: samba.address().to_string(), port: 389 };
    let security = Security::StartTls(tls(Some(samba.ca()), Some(HOST_NAME)));
    let start_tls = LdapSettings { endpoint: endpoint.clone(), security, ..secured(samba) };
    accepted(login(start_tls.clone(), "alice", PASSWORD).await);
    let clear = LdapSettings { security: Security::Clear, ..start_tls };
    unavailable(login(clear, "alice", PASSWORD).await, Layer::Tls, &["StartTLS or LDAPS"]);
}

#[tokio::test]
async fn our_own_account_is_named_when_it_is_refused() {
    let samba = Samba::shared();
    let wrong = Some(("nobody@corp.test".to_owned(), "wrong".to_owned().into()));
    let wrong = LdapSettings { login: wrong, ..secured(samba) };
    unavailable(login(wrong, "alice", PASSWORD).await, Layer::Secret, &["ldap-login-dn nobody@corp.test"]);
    let anonymous = LdapSettings { login: None, ..secured(samba) };
    unavailable(login(anonymous, "alice", PASSWORD).await, Layer::Secret, &["set ldap-login-dn"]);
}

#[tokio::test]
async fn a_template_may_be_a_principal_name() {
    let samba = Samba::shared();
    let dn_template = Some("{user}@corp.test".to_owned());
    let template = LdapSettings { dn_template, login: None, ..secured(samba) };
    accepted(login(template.clone(), "bob", PASSWORD).await);
    assert_eq!(refused(login(template.clone(), "disabled", PASSWORD).await), RejectReason::Disabled);
    // The user reads its own groups.
    let outer = format!("CN=outer,{USERS}");
    let map = AttributeMap::new(vec![rule("memberOf", Some(&outer), "Group-Policy", Some("of-outer"))]);
    let mapped = LdapSettings { attribute_map: Arc::new(map), ..template };
    let bob = accepted(login(mapped.clone(), "bob", PASSWORD).await);
    assert_eq!(bob.group_policy.as_deref(), Some("of-outer"));
    assert_eq!(accepted(login(mapped, "alice", PASSWORD).await).group_policy, None);
}

#[tokio::test]
async fn groups_within_groups_count_and_the_alphabetically_first_wins() {
    let samba = Samba::shared();
    let group = |name: &str| format!("CN={name},{USERS}");
    let policy = async |groups: &[&str], user: &str| {
        let rules = groups
            .iter()
            .map(|name| rule("memberOf", Some(&group(name)), "Group-Policy", Some(&format!("of-{name}"))))
            .collect();
        let attribute_map = Arc::new(AttributeMap::new(rules));
        let backend = LdapBackend::new(LdapSettings { attribute_map, ..secured(samba) }).unwrap();
        accepted(ask(&backend, user, PASSWORD).await).group_policy
    };
    assert_eq!(policy(&["outer"], "bob").await.as_deref(), Some("of-outer"));
    assert_eq!(policy(&["OUTER"], "bob").await.as_deref(), Some("of-OUTER"));
    assert_eq!(policy(&["outer", "direct"], "bob").await.as_deref(), Some("of-direct"));
    assert_eq!(policy(&["outer", "inner"], "bob").await.as_deref(), Some("of-inner"));
    assert_eq!(policy(&["outer"], "alice").await, None);
    assert_eq!(
        policy(&["Domain Admins", "no such (group)", "outer"], "bob").await.as_deref(),
        Some("of-outer")
    );
}

#[tokio::test]
async fn dial_in_settings_are_read_by_the_map_alone() {
    let samba = Samba::shared();
    samba.add_user("dialin", PASSWORD, "msNPAllowDialin: TRUE\nmsRADIUSFramedIPAddress: -1062731510\n");
    samba.add_user("nodialin", PASSWORD, "msNPAllowDialin: FALSE\n");
    let map = AttributeMap::new(vec![
        rule("msNPAllowDialin", Some("TRUE"), "Tunneling-Protocols", Some("8")),
        rule("msNPAllowDialin", Some("FALSE"), "Tunneling-Protocols", Some("1")),
        rule("msRADIUSFramedIPAddress", None, "IETF-Radius-Framed-IP-Address", None),
    ]);
    let mapped = LdapSettings { attribute_map: Arc::new(map), ..secured(samba) };
    let allowed = accepted(login(mapped.clone(), "dialin", PASSWORD).await);
    assert_eq!(allowed.tunneling_protocols, Some(8));
    assert_eq!(allowed.framed_address, Some(FramedAddress::Address(Ipv4Addr::new(192, 168, 1, 10))));
    assert_eq!(accepted(login(mapped, "nodialin", PASSWORD).await).tunneling_protocols, Some(1));
    assert_eq!(accepted(login(secured(samba), "nodialin", PASSWORD).await).tunneling_protocols, None);
}

#[tokio::test]
async fn passwords_of_every_kind_fit() {
    let samba = Samba::shared();
    let backend = LdapBackend::new(secured(samba)).unwrap();
    let long = "y".repeat(128);
    let passwords = [" two  words ", "'quotes\"`", "pässwörd 密码", "\\28*)(", &long];
    for (number, password) in passwords.iter().enumerate() {
        let name = format!("kind{number}");
        samba.add_user(&name, password, "");
        accepted(ask(&backend, &name, password).await);
        assert_eq!(refused(ask(&backend, &name, &format!("{password}.")).await), RejectReason::WrongPassword);
    }
}

#[tokio::test]
async fn a_user_whom_somebody_else_has_authenticated_is_looked_up_without_a_password() {
    let samba = Samba::shared();
    let map = AttributeMap::new(vec![rule("sAMAccountName", Some("alice"), "Group-Policy", Some("staff"))]);
    let backend = LdapBackend::new(LdapSettings { attribute_map: Arc::new(map), ..secured(samba) }).unwrap();
    let context = SessionContext::default();
    let credentials = Credentials::Chap { identifier: 1, challenge: vec![1; 16], response: [0; 16] };
    let about = |name: &'static str| AuthRequest {
        name: name.as_bytes(),
        typed_name: name.as_bytes(),
        credentials: &credentials,
        tunnel_group: "DefaultRAGroup",
        context: &context,
    };
    let attributes = accepted(backend.authorize(&about("alice")).await);
    assert_eq!(attributes.group_policy.as_deref(), Some("staff"));
    let verdict = backend.authorize(&about("nobody")).await;
    assert!(matches!(&verdict, Verdict::Reject(reject) if reject.reason == RejectReason::UnknownUser));
}
