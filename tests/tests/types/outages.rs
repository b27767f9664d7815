//! Servers that are gone, silent, slow or not to be believed: who comes in meanwhile, who waits, and what happens when
//! they are back. A relay stands in front of each.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tollgate_tests::client;
use tollgate_tests::front::Way;
use tollgate_tests::pki::Authority;
use tollgate_tests::radius::{FreeRadius, Options, RadSec, Transport};
use tollgate_tests::servers::samba::REALM;
use tollgate_tests::tollgate::text;
use tollgate_tests::types::{self, Lab, PASSWORD, REMOTE, SERVICE};
use tollgate_tests::{Server, wait_until};

use super::site::{LOCALS, NOBODY, Site, WRONG, comes_in, is_refused, tested};

#[test]
fn without_a_server_local_decides_where_it_may_and_the_server_again_once_it_is_back() {
    let site =
        Site::start(|group| group.host("timeout", 2).group("dead-time", 0).group("max-failed-attempts", 2));
    site.set(Way::Down);
    site.each(|group, _| {
        let server = &site.server;
        let (alone, safe) = (format!("otto#{group}"), format!("otto#{group}-safe"));
        let begun = Instant::now();
        is_refused(server, &alone, PASSWORD, NOBODY);
        assert!(begun.elapsed() < Duration::from_secs(8), "{group}: {:?}", begun.elapsed());
        comes_in(server, &safe, LOCALS);
        is_refused(server, &safe, PASSWORD, WRONG);
        assert_eq!(site.state(group), "failed", "{group}");
        let (report, code) = tested(server, &alone, PASSWORD);
        assert_eq!((code, &report["layer"]), (2, &"connection".into()), "{group}: {report:#}");
        let (report, code) = tested(server, &safe, LOCALS);
        assert_eq!((code, &report["fell-back"]), (0, &true.into()), "{group}: {report:#}");
    });
    site.set(Way::Open);
    site.each(|group, _| {
        let server = &site.server;
        let safe = format!("otto#{group}-safe");
        is_refused(server, &safe, LOCALS, "");
        assert_eq!(site.state(group), "active", "{group}: a no is an answer");
        comes_in(server, &safe, PASSWORD);
        comes_in(server, &format!("otto#{group}"), PASSWORD);
    });
    let mut server = site.server;
    assert_eq!(server.process().lines_with("server marked failed").len(), REMOTE.len());
    assert_eq!(server.process().lines_with("server marked active").len(), REMOTE.len());
    assert!(server.process().lines_with("login not decided").len() >= REMOTE.len());
}

#[test]
fn a_silent_server_holds_up_its_own_logins_until_its_timeout_and_nobody_else() {
    const TIMEOUT: Duration = Duration::from_secs(3);
    let site = Site::start(|group| group.host("timeout", 3).group("max-failed-attempts", 5));
    let server = &site.server;
    let mut held = client::connect(&server.address(), "jdoe", "j!doe1");
    site.set(Way::Silent);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let pings = scope.spawn(|| {
            let inside = Ipv4Addr::new(10, 77, 0, 1);
            let mut answered = 0;
            while !done.load(Ordering::Acquire) {
                answered += 1;
                let answer = held.ping(inside, answered, Duration::from_secs(2));
                assert!(answer.is_some(), "ping {answered} of a live session went unanswered");
                thread::sleep(Duration::from_millis(20));
            }
            answered
        });
        let waiting = scope.spawn(|| {
            site.each(|group, front| {
                thread::scope(|both| {
                    both.spawn(|| {
                        let begun = Instant::now();
                        is_refused(server, &format!("otto#{group}"), PASSWORD, NOBODY);
                        let took = begun.elapsed();
                        assert!(took >= TIMEOUT && took < 3 * TIMEOUT, "{group}: {took:?}");
                    });
                    both.spawn(|| {
                        let begun = Instant::now();
                        comes_in(server, &format!("sam#{group}-safe"), LOCALS);
                        assert!(begun.elapsed() >= TIMEOUT, "{group}: the server was asked first");
                    });
                });
                assert!(front.questions() >= 2, "{group}: both asked");
            });
        });
        wait_until("every silent server is asked", Duration::from_secs(3), || {
            site.fronts.iter().all(|(_, front)| front.questions() > 0)
        });
        let begun = Instant::now();
        comes_in(server, "both", PASSWORD);
        assert!(!waiting.is_finished(), "somebody else's login took {:?}", begun.elapsed());
        waiting.join().expect("see above");
        done.store(true, Ordering::Release);
        assert!(pings.join().expect("see above") > 20);
    });
    site.each(|group, _| {
        let status = site.status(group);
        assert_eq!(status["counters"]["timeouts"], 2, "{group}: {status:#}");
    });
}

#[test]
fn a_server_that_comes_back_is_greeted_by_one_login_and_not_by_all() {
    let site = Site::start(|group| {
        let group = group.host("timeout", 20).group("dead-time", 0).group("max-failed-attempts", 1);
        // Nothing that is sent twice shall count twice.
        if group.is("radius") {
            group.host("retry-interval", 20)
        } else if group.is("kerberos") {
            group.host("transport", "\"tcp\"")
        } else {
            group
        }
    });
    let server = &site.server;
    site.set(Way::Down);
    site.each(|group, _| {
        is_refused(server, &format!("both#{group}"), PASSWORD, NOBODY);
        assert_eq!(site.state(group), "failed", "{group}");
    });
    site.set(Way::Slow);
    site.each(|group, front| {
        let safe = format!("both#{group}-safe");
        let requests = || site.status(group)["counters"]["requests"].as_u64().expect("a number");
        let (asked, before) = (requests(), front.questions());
        thread::scope(|scope| {
            let probe = scope.spawn(|| comes_in(server, &safe, PASSWORD));
            wait_until("the server is probed", Duration::from_secs(5), || site.state(group) == "probing");
            let (shown, _) = text(&server.run(&["show", "aaa"], ""));
            assert!(shown.lines().any(|line| line.contains("state") && line.contains("probing")), "{shown}");
            let burst: Vec<_> = (0..4).map(|_| scope.spawn(|| comes_in(server, &safe, PASSWORD))).collect();
            burst.into_iter().for_each(|login| login.join().expect("see above"));
            assert!(!probe.is_finished(), "{group}: LOCAL decided the others at once");
            assert_eq!(requests(), asked + 1, "{group}: the probe alone reached the server");
            probe.join().expect("see above");
        });
        // One login: LDAP searches and binds, TACACS+ authenticates and authorizes, a KDC is asked three times.
        assert!(front.questions() - before <= 3, "{group}: {} questions", front.questions() - before);
        assert_eq!(site.state(group), "active", "{group}");
        front.set(Way::Open);
        comes_in(server, &safe, PASSWORD);
        assert_eq!(requests(), asked + 2, "{group}: it is asked again");
    });
}

/// A keytab of our service with a key that is not its key.
fn wrong_keytab(folder: &Path) -> PathBuf {
    let text =
        |text: &str| [&u16::try_from(text.len()).expect("short").to_be_bytes(), text.as_bytes()].concat();
    let (service, host) = SERVICE.split_once('/').expect("two parts");
    let mut file = vec![5, 2];
    for version in 1..=4u8 {
        for etype in [17u16, 18] {
            let key = vec![7; if etype == 18 { 32 } else { 16 }];
            let entry = [
                &2u16.to_be_bytes()[..],
                &text(REALM),
                &text(service),
                &text(host),
                &1u32.to_be_bytes(),
                &0u32.to_be_bytes(),
                &[version],
                &etype.to_be_bytes(),
                &u16::try_from(key.len()).expect("short").to_be_bytes(),
                &key,
            ]
            .concat();
            file.extend(u32::try_from(entry.len()).expect("short").to_be_bytes());
            file.extend(entry);
        }
    }
    let path = folder.join("wrong.keytab");
    std::fs::write(&path, file).expect("writable");
    path
}

#[test]
fn what_is_not_to_be_believed_is_no_answer_and_its_layer_is_named() {
    let lab = Lab::start();
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let authority = Authority::new("/O=Other/CN=Another CA");
    let own = authority.issue("/CN=radius.corp.test", Some("DNS:radius.corp.test"));
    let us = authority.issue("/CN=vpn.corp.test", None);
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).expect("writable");
        path
    };
    let quoted = |path: &PathBuf| format!("\"{}\"", path.display());
    let other_ca = quoted(&lab.securid.ca());
    let radsec_ca = file("radsec-ca.pem", &authority.certificate());
    let radsec = FreeRadius::start(Options {
        secret: "radsec".to_owned(),
        users: format!("joe Cleartext-Password := \"{PASSWORD}\"\n"),
        transport: Transport::Tls(RadSec {
            certificate: file("radius.pem", &own.certificate),
            key: file("radius.key", &own.key),
            ca: radsec_ca.clone(),
            highest_version: "1.3",
        }),
        ..Options::default()
    });
    let over_tls = |ca: &str, name: &str| {
        lab.group("radius")
            .at(radsec.address())
            .without("key")
            .host("transport", "\"tls\"")
            .host("accounting-port", radsec.address().port())
            .host("ca", ca)
            .host("server-name", format!("\"{name}\""))
            .host("certificate", quoted(&file("us.pem", &us.certificate)))
            .host("private-key", quoted(&file("us.key", &us.key)))
    };
    let right = over_tls(&quoted(&radsec_ca), "radius.corp.test").named("right");
    let other_name = "\"other.corp.test\"";
    let cases = [
        // RADIUS servers drop what another secret signs; that looks like no server.
        (lab.group("radius").host("key", "\"another secret\""), "connection", "did not answer within"),
        (over_tls(&other_ca, "radius.corp.test"), "tls", "signed by an authority that ca does not hold"),
        (over_tls(&quoted(&radsec_ca), "other.corp.test"), "tls", "not valid for name"),
        (lab.group("tacacs").host("key", "\"another secret key\""), "secret", "the key is most likely not"),
        (lab.group("directory").host("ca", &other_ca), "tls", "ca does not hold"),
        (lab.group("directory").host("server-name", other_name), "tls", "carries another name"),
        (
            lab.group("directory").host("ldap-login-password", "\"not this one\""),
            "secret",
            "refuses ldap-login-dn joe@corp.test: wrong password",
        ),
        (
            lab.group("nt").host("nt-auth-domain-controller", "\"DC2\""),
            "secret",
            "nt-auth-domain-controller names",
        ),
        (
            lab.group("kerberos").group("keytab", quoted(&wrong_keytab(folder.path()))),
            "secret",
            "does not decrypt with the keytab's key",
        ),
        (
            lab.group("sdi").host("ca", quoted(&lab.domain.ca())),
            "tls",
            "signed by an authority that ca does not hold",
        ),
        (lab.group("sdi").host("server-name", other_name), "tls", "not valid for name"),
        (lab.group("sdi").host("client-key", "\"another key\""), "secret", "refuses our client-key"),
    ];
    let mut config =
        types::head() + &right.to_string() + &types::tunnel_group("right", "right", &["pap"], "");
    for (number, (group, ..)) in cases.iter().enumerate() {
        let name = format!("group{number}");
        config += &group.clone().named(&name).host("timeout", 3).to_string();
        config += &types::tunnel_group(&name, &name, &["pap"], "");
        config += &types::tunnel_group(&format!("{name}-safe"), &name, &["pap"], "local-fallback = true");
    }
    config += &types::tunnel_group("DefaultRAGroup", "LOCAL", &["pap"], "");
    let mut server = Server::start(&config, &[("joe", PASSWORD)], None);
    comes_in(&server, "joe#right", PASSWORD);
    thread::scope(|scope| {
        for (number, (group, layer, words)) in cases.iter().enumerate() {
            let server = &server;
            scope.spawn(move || {
                let name = format!("joe#group{number}");
                is_refused(server, &name, PASSWORD, NOBODY);
                let (report, code) = tested(server, &name, PASSWORD);
                assert_eq!((code, &report["layer"]), (2, &(*layer).into()), "{group}: {report:#}");
                assert!(
                    report["reason"].as_str().is_some_and(|why| why.contains(words)),
                    "{group}: {report:#}"
                );
                // A no is believed of anybody, so that only a right password shows that the KDC is not to be.
                comes_in(server, &format!("{name}-safe"), PASSWORD);
                let (report, code) = tested(server, &format!("{name}-safe"), PASSWORD);
                assert_eq!((code, &report["fell-back"]), (0, &true.into()), "{group}: {report:#}");
                is_refused(server, &format!("{name}-safe"), LOCALS, WRONG);
            });
        }
    });
    let undecided = server.process().lines_with("login not decided");
    for (number, (group, _, words)) in cases.iter().enumerate() {
        let group_name = format!("tunnel_group=\"group{number}\"");
        let line = undecided.iter().find(|line| line.contains(&group_name));
        assert!(line.is_some_and(|line| line.contains(words)), "{group}: {line:?}");
    }
}
