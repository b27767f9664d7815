//! What entries of OpenLDAP say about a session and about the account.

use std::net::Ipv4Addr;

use tollgate_aaa::FramedAddress;
use tollgate_backends::ldap::AttributeRule;

use super::*;

pub(super) fn rule(
    attribute: &str,
    value: Option<&str>,
    target: &str,
    result: Option<&str>,
) -> AttributeRule {
    AttributeRule {
        attribute: attribute.to_owned(),
        value: value.map(str::to_owned),
        target: target.parse().unwrap(),
        result: result.map(str::to_owned),
    }
}

fn mapped(port: u16, rules: Vec<AttributeRule>) -> LdapSettings {
    LdapSettings { attribute_map: Arc::new(AttributeMap::new(rules)), ..settings(port) }
}

#[tokio::test]
async fn the_map_makes_attributes_of_an_entry() {
    let entries = Slapd::person(
        "joe",
        PASSWORD,
        "departmentNumber: sales\ndepartmentNumber: field\ntitle: -1062731510\n",
    ) + &Slapd::person("ann", PASSWORD, "departmentNumber: Sales\ntitle: 10.4.5.7\n")
        + &Slapd::person("bob", PASSWORD, "title: ten\n");
    let server = Slapd::start(Options { entries, ..Options::default() });
    let rules = vec![
        rule("departmentNumber", Some("sales"), "Group-Policy", Some("policy-of-sales")),
        rule("departmentNumber", Some("field"), "Group-Policy", Some("policy-of-field")),
        rule("title", None, "IETF-Radius-Framed-IP-Address", None),
        rule("cn", None, "Banner1", None),
    ];
    let dn_template = Some(format!("uid={{user}},{PEOPLE}"));
    let by_search = mapped(server.port, rules);
    let by_template = LdapSettings { dn_template: dn_template.clone(), ..by_search.clone() };
    let as_user = LdapSettings { dn_template, login: None, ..by_search.clone() };
    for settings in [by_search, by_template, as_user] {
        let backend = LdapBackend::new(settings).unwrap();
        let joe = accepted(ask(&backend, "joe", PASSWORD).await);
        assert_eq!(joe.group_policy.as_deref(), Some("policy-of-field"));
        assert_eq!(joe.framed_address, Some(FramedAddress::Address(Ipv4Addr::new(192, 168, 1, 10))));
        assert_eq!(joe.reply_message.as_deref(), Some("joe"));
        let ann = accepted(ask(&backend, "ann", PASSWORD).await);
        assert_eq!(ann.group_policy, None);
        assert_eq!(ann.framed_address, Some(FramedAddress::Address(Ipv4Addr::new(10, 4, 5, 7))));
        let RejectReason::UnusableAccept(why) = refused(ask(&backend, "bob", PASSWORD).await) else {
            panic!("no unusable accept")
        };
        assert!(why.contains("title") && why.contains("ten"), "{why}");
        assert_eq!(refused(ask(&backend, "bob", "wrong").await), RejectReason::WrongPassword);
    }
}

#[tokio::test]
async fn openldap_is_not_asked_for_groups_within_groups() {
    let server = Slapd::start(joe());
    let rules = vec![rule("memberOf", Some("cn=vpn,dc=example,dc=test"), "Group-Policy", Some("vpn"))];
    let joe = accepted(login(mapped(server.port, rules), "joe", PASSWORD).await);
    assert_eq!(joe.group_policy, None);
    assert!(!server.log().contains("1.2.840.113556"), "{}", server.log());
}

#[tokio::test]
async fn the_password_policy_tells_the_state_of_the_account() {
    let policy = |name: &str, more: &str| {
        format!(
            "dn: cn={name},dc=example,dc=test\nobjectClass: device\nobjectClass: pwdPolicy\ncn: {name}\n\
             pwdAttribute: userPassword\n{more}\n"
        )
    };
    let entries = policy("standard", "pwdLockout: TRUE\npwdMaxFailure: 3\npwdMustChange: TRUE\n")
        + &policy("ageing", "pwdMaxAge: 86400\n")
        + &policy("graceful", "pwdMaxAge: 86400\npwdGraceAuthNLimit: 5\n")
        + &policy("warning", "pwdMaxAge: 1000000000\npwdExpireWarning: 999999999\n")
        + &Slapd::person("joe", PASSWORD, "")
        + &Slapd::person("locked", PASSWORD, "pwdAccountLockedTime: 000001010000Z\n")
        + &Slapd::person("reset", PASSWORD, "pwdReset: TRUE\n");
    let aged = |name: &str, policy: &str| {
        let more =
            format!("pwdChangedTime: 20200101000000Z\npwdPolicySubentry: cn={policy},dc=example,dc=test\n");
        Slapd::person(name, PASSWORD, &more)
    };
    let entries = entries + &aged("old", "ageing") + &aged("grace", "graceful") + &aged("warned", "warning");
    let database =
        "overlay ppolicy\nppolicy_default \"cn=standard,dc=example,dc=test\"\nppolicy_use_lockout\n";
    let server = Slapd::start(Options { entries, database: database.to_owned(), ..Options::default() });
    let backend = LdapBackend::new(settings(server.port)).unwrap();
    accepted(ask(&backend, "joe", PASSWORD).await);
    assert_eq!(refused(ask(&backend, "locked", PASSWORD).await), RejectReason::LockedOut);
    assert_eq!(refused(ask(&backend, "old", PASSWORD).await), RejectReason::PasswordExpired);
    assert_eq!(refused(ask(&backend, "old", "wrong").await), RejectReason::WrongPassword);
    assert_eq!(refused(ask(&backend, "reset", PASSWORD).await), RejectReason::PasswordMustChange);
    accepted(ask(&backend, "grace", PASSWORD).await);
    accepted(ask(&backend, "warned", PASSWORD).await);
    for _ in 0..3 {
        assert_eq!(refused(ask(&backend, "joe", "wrong").await), RejectReason::WrongPassword);
    }
    assert_eq!(refused(ask(&backend, "joe", PASSWORD).await), RejectReason::LockedOut);
}
