//! The LDAP backend against a real OpenLDAP, a real Samba, and servers that answer nonsense.

#[path = "ldap/active_directory.rs"]
mod active_directory;
#[path = "ldap/attributes.rs"]
mod attributes;
#[path = "ldap/failures.rs"]
mod failures;
#[path = "ldap/malformed.rs"]
mod malformed;
#[path = "support/samba.rs"]
mod samba;
#[path = "support/slapd.rs"]
mod slapd;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use slapd::{BASE, Options, PEOPLE, READER, READER_PASSWORD, Slapd};
use tollgate_aaa::{
    Attributes, AuthRequest, Backend, Credentials, Layer, RejectReason, Secret, SessionContext, Unavailable,
    Verdict,
};
use tollgate_backends::ldap::{AttributeMap, DirectoryType, LdapBackend, LdapSettings, Scope, Security};
use tollgate_backends::net::Endpoint;
use tollgate_backends::tls::TlsSettings;

const PASSWORD: &str = "correct horse";

fn settings(port: u16) -> LdapSettings {
    LdapSettings {
        endpoint: Endpoint { host: "127.0.0.1".to_owned(), port },
        security: Security::Clear,
        base_dn: BASE.to_owned(),
        scope: Scope::Subtree,
        naming_attributes: vec!["uid".to_owned()],
        login: Some((READER.to_owned(), READER_PASSWORD.to_owned().into())),
        dn_template: None,
        filter: None,
        server_type: DirectoryType::AutoDetect,
        timeout: Duration::from_secs(10),
        attribute_map: Arc::new(AttributeMap::default()),
    }
}

async fn ask(backend: &LdapBackend, user: &str, password: &str) -> Verdict {
    let credentials = Credentials::Pap { password: password.to_owned().into() };
    ask_with(backend, user.as_bytes(), &credentials).await
}

async fn ask_with(backend: &LdapBackend, name: &[u8], credentials: &Credentials) -> Verdict {
    let context = SessionContext::default();
    let request = AuthRequest { name, typed_name: name, credentials, tunnel_group: "vpn", context: &context };
    backend.authenticate(&request).await
}

async fn login(settings: LdapSettings, user: &str, password: &str) -> Verdict {
    ask(&LdapBackend::new(settings).unwrap(), user, password).await
}

#[track_caller]
fn accepted(verdict: Verdict) -> Attributes {
    match verdict {
        Verdict::Accept(attributes) => *attributes,
        other => panic!("no accept: {other:?}"),
    }
}

#[track_caller]
fn refused(verdict: Verdict) -> RejectReason {
    match verdict {
        Verdict::Reject(reject) => reject.reason,
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

fn tls(ca: Option<PathBuf>, server_name: Option<&str>) -> TlsSettings {
    TlsSettings { ca, identity: None, server_name: server_name.map(str::to_owned) }
}

fn joe() -> Options {
    Options { entries: Slapd::person("joe", PASSWORD, ""), ..Options::default() }
}

#[tokio::test]
async fn search_then_bind_tells_right_wrong_and_unknown_apart() {
    let server = Slapd::start(joe());
    let backend = LdapBackend::new(settings(server.port)).unwrap();
    accepted(ask(&backend, "joe", PASSWORD).await);
    assert_eq!(refused(ask(&backend, "joe", "wrong").await), RejectReason::WrongPassword);
    assert_eq!(refused(ask(&backend, "ann", PASSWORD).await), RejectReason::UnknownUser);
    accepted(ask(&backend, "joe", PASSWORD).await);
}

#[tokio::test]
async fn what_no_directory_takes_is_never_sent() {
    let server = Slapd::start(joe());
    let backend = LdapBackend::new(settings(server.port)).unwrap();
    assert_eq!(refused(ask(&backend, "joe", "").await), RejectReason::EmptyPassword);
    for (name, password) in [(&b"jo\0e"[..], &b"x"[..]), (b"joe", b"x\0y"), (b"jo\xffe", b"x"), (b"", b"x")] {
        let credentials = Credentials::Pap { password: Secret::from(password) };
        let reason = refused(ask_with(&backend, name, &credentials).await);
        assert!(matches!(reason, RejectReason::CannotBeSent(_)), "{reason}");
    }
    let chap = Credentials::Chap { identifier: 1, challenge: vec![1; 16], response: [2; 16] };
    assert!(matches!(refused(ask_with(&backend, b"joe", &chap).await), RejectReason::CannotBeSent(_)));
    assert!(!server.log().contains("ACCEPT from"), "{}", server.log());
}

#[tokio::test]
async fn what_the_user_types_is_a_value_and_never_a_filter() {
    let server = Slapd::start(joe());
    let backend = LdapBackend::new(settings(server.port)).unwrap();
    for name in ["*", "jo*", "*)(uid=*", "joe)(|(uid=*", "joe\\2a", "(", ")", "\\", "jœ"] {
        assert_eq!(refused(ask(&backend, name, PASSWORD).await), RejectReason::UnknownUser, "{name}");
    }
    let filter = Some("(&(objectClass=person)(cn={user}))".to_owned());
    let backend = LdapBackend::new(LdapSettings { filter, ..settings(server.port) }).unwrap();
    assert_eq!(refused(ask(&backend, "*", PASSWORD).await), RejectReason::UnknownUser);
    accepted(ask(&backend, "joe", PASSWORD).await);
}

#[tokio::test]
async fn passwords_and_names_of_every_kind_fit() {
    let long = "x".repeat(128);
    let users = [
        ("with blank", " two  words "),
        ("o'neill", "'\"`quotes\"'"),
        ("jürgen", "pässwörd 密码"),
        ("a+b=c", "\\28*)("),
        ("long", &long),
    ];
    let escaped = |name: &str| name.replace('+', "\\2B").replace('=', "\\3D");
    let entries: String = users
        .iter()
        .map(|(name, password)| {
            let name64 = slapd::base64(name.as_bytes());
            let dn = slapd::base64(format!("uid={},{PEOPLE}", escaped(name)).as_bytes());
            let person = Slapd::person("UID", password, "");
            let rest =
                person.split_once("objectClass").unwrap().1.replace("uid: UID", &format!("uid:: {name64}"));
            format!("dn:: {dn}\nobjectClass{rest}")
        })
        .collect();
    let server = Slapd::start(Options { entries, ..Options::default() });
    let backend = LdapBackend::new(settings(server.port)).unwrap();
    let dn_template = Some(format!("uid={{user}},{PEOPLE}"));
    let by_template = LdapBackend::new(LdapSettings { dn_template, ..settings(server.port) }).unwrap();
    for (name, password) in users {
        for backend in [&backend, &by_template] {
            accepted(ask(backend, name, password).await);
            let other = format!("{password}.");
            assert_eq!(refused(ask(backend, name, &other).await), RejectReason::WrongPassword);
        }
    }
}

#[tokio::test]
async fn naming_attributes_scope_and_filter_choose_the_entry() {
    let entries = Slapd::person("joe", PASSWORD, "mail: joe@example.test\ntitle: boss\n")
        + &Slapd::person("ann", PASSWORD, "mail: joe\n");
    let server = Slapd::start(Options { entries, ..Options::default() });
    let both = || vec!["uid".to_owned(), "mail".to_owned()];
    let with_mail = LdapSettings { naming_attributes: both(), ..settings(server.port) };
    accepted(login(with_mail.clone(), "joe@example.test", PASSWORD).await);
    accepted(login(with_mail.clone(), "ann", PASSWORD).await);
    assert_eq!(refused(login(with_mail.clone(), "joe", PASSWORD).await), RejectReason::AmbiguousUser(2));
    let filter = Some("title=boss".to_owned());
    accepted(login(LdapSettings { filter: filter.clone(), ..with_mail.clone() }, "joe", PASSWORD).await);
    let filtered = LdapSettings { filter, ..with_mail.clone() };
    assert_eq!(refused(login(filtered, "ann", PASSWORD).await), RejectReason::UnknownUser);
    let level = LdapSettings { scope: Scope::OneLevel, ..with_mail.clone() };
    assert_eq!(refused(login(level.clone(), "ann", PASSWORD).await), RejectReason::UnknownUser);
    let people = LdapSettings { base_dn: PEOPLE.to_owned(), ..level };
    accepted(login(people, "ann", PASSWORD).await);
    accepted(login(LdapSettings { login: None, ..with_mail }, "ann", PASSWORD).await);
}

#[tokio::test]
async fn a_template_needs_no_search() {
    let entries = Slapd::person("joe", PASSWORD, "title: boss\n") + &Slapd::person("ann", PASSWORD, "");
    let server = Slapd::start(Options { entries, ..Options::default() });
    let dn_template = Some(format!("uid={{user}},{PEOPLE}"));
    let plain = LdapSettings { dn_template, login: None, naming_attributes: vec![], ..settings(server.port) };
    accepted(login(plain.clone(), "joe", PASSWORD).await);
    assert_eq!(refused(login(plain.clone(), "joe", "wrong").await), RejectReason::WrongPassword);
    assert_eq!(refused(login(plain.clone(), "bob", PASSWORD).await), RejectReason::WrongPassword);
    let other = format!("joe,{PEOPLE}");
    assert_eq!(refused(login(plain.clone(), &other, PASSWORD).await), RejectReason::WrongPassword);
    assert!(!server.log().contains("SRCH"), "{}", server.log());
    let filter = Some("(title=boss)".to_owned());
    for login_as in [None, settings(0).login] {
        let filtered = LdapSettings { filter: filter.clone(), login: login_as, ..plain.clone() };
        accepted(login(filtered.clone(), "joe", PASSWORD).await);
        assert_eq!(refused(login(filtered, "ann", PASSWORD).await), RejectReason::UnknownUser);
    }
}

#[tokio::test]
async fn settings_that_cannot_work_are_told_at_once() {
    let bad = |change: &dyn Fn(&mut LdapSettings)| {
        let mut settings = settings(389);
        change(&mut settings);
        LdapBackend::new(settings).err().expect("an error").to_string()
    };
    for (error, word) in [
        (bad(&|s| s.endpoint.host.clear()), "empty address"),
        (bad(&|s| s.naming_attributes.clear()), "ldap-naming-attribute"),
        (bad(&|s| s.naming_attributes = vec!["a)(b".to_owned()]), "a)(b"),
        (bad(&|s| s.login = Some((READER.to_owned(), Secret::default()))), READER),
        (bad(&|s| s.dn_template = Some("uid=joe".to_owned())), "{user}"),
        (bad(&|s| s.filter = Some("(broken".to_owned())), "(broken"),
        (
            bad(&|s| s.security = Security::Ldaps(tls(Some("/nonexistent.pem".into()), None))),
            "/nonexistent.pem",
        ),
    ] {
        assert!(error.contains(word), "{error}");
    }
}
