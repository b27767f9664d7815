//! Servers that are away, silent, elsewhere or not believed.

use std::time::Instant;

use tokio::net::TcpListener;

use super::slapd::SERVER_NAME;
use super::*;

#[tokio::test]
async fn starttls_and_ldaps_carry_logins() {
    let server = Slapd::start(joe());
    let trusted = tls(Some(server.ca()), Some(SERVER_NAME));
    let over_start_tls =
        LdapSettings { security: Security::StartTls(trusted.clone()), ..settings(server.port) };
    let over_tls = LdapSettings { security: Security::Ldaps(trusted), ..settings(server.tls_port) };
    for settings in [over_start_tls, over_tls] {
        let backend = LdapBackend::new(settings).unwrap();
        accepted(ask(&backend, "joe", PASSWORD).await);
        assert_eq!(refused(ask(&backend, "joe", "wrong").await), RejectReason::WrongPassword);
    }
    assert!(server.log().matches("TLS established").count() >= 4, "{}", server.log());
}

#[tokio::test]
async fn a_certificate_that_is_not_believed_gets_no_password() {
    let server = Slapd::start(joe());
    let other = Slapd::start(Options::default());
    let expired = Slapd::start(Options { expired_certificate: true, ..joe() });
    for (server, ca, name, words) in [
        (&server, other.ca(), Some(SERVER_NAME), "authority that ca does not hold"),
        (&server, server.ca(), Some("other.example.test"), "another name"),
        (&server, server.ca(), None, "another name"),
        (&expired, expired.ca(), Some(SERVER_NAME), "has expired"),
    ] {
        let tls = tls(Some(ca), name);
        let start_tls = LdapSettings { security: Security::StartTls(tls.clone()), ..settings(server.port) };
        unavailable(login(start_tls, "joe", PASSWORD).await, Layer::Tls, &[words, "127.0.0.1"]);
        let ldaps = LdapSettings { security: Security::Ldaps(tls), ..settings(server.tls_port) };
        unavailable(login(ldaps, "joe", PASSWORD).await, Layer::Tls, &[words, "127.0.0.1"]);
    }
    assert!(!server.log().contains("BIND"), "{}", server.log());
}

#[tokio::test]
async fn a_server_that_wants_tls_says_so() {
    let server = Slapd::start(Options { global: "security simple_bind=128\n".to_owned(), ..joe() });
    unavailable(login(settings(server.port), "joe", PASSWORD).await, Layer::Tls, &["StartTLS"]);
    let anonymous = LdapSettings { login: None, ..settings(server.port) };
    unavailable(login(anonymous, "joe", PASSWORD).await, Layer::Tls, &["StartTLS"]);
}

#[tokio::test]
async fn our_own_account_s_troubles_are_not_the_user_s() {
    let server = Slapd::start(joe());
    let wrong = Some((READER.to_owned(), Secret::from(&b"wrong"[..])));
    let wrong = LdapSettings { login: wrong, ..settings(server.port) };
    unavailable(login(wrong, "joe", PASSWORD).await, Layer::Secret, &["ldap-login-dn", READER]);
    let base = LdapSettings { base_dn: "ou=nowhere,dc=example,dc=test".to_owned(), ..settings(server.port) };
    unavailable(login(base, "joe", PASSWORD).await, Layer::Configuration, &["ou=nowhere"]);
    let no_name = LdapSettings { base_dn: "no name".to_owned(), ..settings(server.port) };
    unavailable(login(no_name, "joe", PASSWORD).await, Layer::Configuration, &["no name"]);
}

#[tokio::test]
async fn nobody_there_is_told_by_layer_and_in_time() {
    let (port, _) = slapd::free_ports();
    unavailable(login(settings(port), "joe", PASSWORD).await, Layer::Connection, &["127.0.0.1"]);
    let endpoint = Endpoint { host: "nowhere.invalid".to_owned(), port };
    let unresolved = LdapSettings { endpoint, ..settings(port) };
    unavailable(login(unresolved, "joe", PASSWORD).await, Layer::NameResolution, &["nowhere.invalid"]);

    let silent = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let timeout = Duration::from_secs(1);
    let begun = Instant::now();
    let hurried = LdapSettings { timeout, ..settings(port) };
    let backend = LdapBackend::new(hurried).unwrap();
    assert_eq!(backend.timeout(), Some(timeout));
    unavailable(ask(&backend, "joe", PASSWORD).await, Layer::Connection, &["the bind", "timeout"]);
    let elapsed = begun.elapsed();
    let ca = Slapd::start(Options::default());
    let security = Security::Ldaps(tls(Some(ca.ca()), Some(SERVER_NAME)));
    let secured = LdapSettings { timeout, security, ..settings(port) };
    unavailable(login(secured, "joe", PASSWORD).await, Layer::Tls, &["handshake", "timeout"]);
    assert!(elapsed >= timeout && elapsed < timeout * 2, "{elapsed:?}");
}

#[tokio::test]
async fn a_server_that_comes_back_is_used_again() {
    let mut server = Slapd::start(joe());
    let backend = LdapBackend::new(settings(server.port)).unwrap();
    accepted(ask(&backend, "joe", PASSWORD).await);
    server.stop();
    unavailable(ask(&backend, "joe", PASSWORD).await, Layer::Connection, &["127.0.0.1"]);
    server.start_again();
    accepted(ask(&backend, "joe", PASSWORD).await);
    // The connections that stand idle are dead now, and nobody has noticed.
    server.stop();
    server.start_again();
    accepted(ask(&backend, "joe", PASSWORD).await);
}

#[tokio::test]
async fn connections_are_used_again_and_user_binds_keep_off_the_search_connection() {
    let server = Slapd::start(joe());
    let backend = LdapBackend::new(settings(server.port)).unwrap();
    for _ in 0..5 {
        accepted(ask(&backend, "joe", PASSWORD).await);
        refused(ask(&backend, "joe", "wrong").await);
    }
    let log = server.log();
    // One more is the harness's own, from waiting until the server serves.
    let connections = |what: &str| {
        let of = |line: &str| {
            line.split_once("conn=").and_then(|(_, rest)| rest.split(' ').next()).map(str::to_owned)
        };
        let mut found: Vec<String> = log.lines().filter(|line| line.contains(what)).filter_map(of).collect();
        found.sort();
        found.dedup();
        found
    };
    let (searching, binding) = (connections("SRCH base="), connections("BIND dn=\"uid=joe"));
    assert_eq!((searching.len(), binding.len()), (1, 1), "{log}");
    assert_ne!(searching, binding, "{log}");
}

#[tokio::test]
async fn many_logins_at_once_are_all_answered() {
    let server = Slapd::start(joe());
    let backend = LdapBackend::new(settings(server.port)).unwrap();
    let tasks: Vec<_> = (0..60)
        .map(|number| {
            let backend = Arc::clone(&backend);
            tokio::spawn(async move {
                let password = if number % 2 == 0 { PASSWORD } else { "wrong" };
                matches!(ask(&backend, "joe", password).await, Verdict::Accept(_)) == (number % 2 == 0)
            })
        })
        .collect();
    for task in tasks {
        assert!(task.await.unwrap());
    }
    assert!(server.log().matches("ACCEPT from").count() <= 33);
}

#[tokio::test]
async fn referrals_are_followed_but_not_for_ever() {
    let server = Slapd::start(joe());
    let refer = |port: u16| Options {
        suffix: Some("dc=other".to_owned()),
        global: format!("referral ldap://127.0.0.1:{port}\n"),
        ..Options::default()
    };
    let before = Slapd::start(refer(server.port));
    let anonymous = |port| LdapSettings { login: None, ..settings(port) };
    accepted(login(anonymous(before.port), "joe", PASSWORD).await);
    assert_eq!(refused(login(anonymous(before.port), "joe", "wrong").await), RejectReason::WrongPassword);

    // A branch that another server has.
    let branch = format!(
        "dn: ou=branch,dc=example,dc=test\nobjectClass: referral\nobjectClass: extensibleObject\nou: branch\n\
         ref: ldap://127.0.0.1:{}/{PEOPLE}\n\n",
        server.port
    );
    let trunk =
        Slapd::start(Options { entries: branch + &Slapd::person("ann", PASSWORD, ""), ..Options::default() });
    for (user, password) in [("joe", PASSWORD), ("ann", PASSWORD)] {
        accepted(login(settings(trunk.port), user, password).await);
        let wrong = login(settings(trunk.port), user, "wrong").await;
        assert_eq!(refused(wrong), RejectReason::WrongPassword);
    }
    assert_eq!(refused(login(settings(trunk.port), "bob", PASSWORD).await), RejectReason::UnknownUser);

    // One that refers to itself.
    let ports = slapd::free_ports();
    let circle = Slapd::start(Options { ports: Some(ports), ..refer(ports.0) });
    unavailable(login(anonymous(circle.port), "joe", PASSWORD).await, Layer::Protocol, &["refers"]);
}
