//! EAP between a client and a real FreeRADIUS, passed on by the server untouched.

use std::fs;
use std::path::{Path, PathBuf};

use tollgate_tests::Server;
use tollgate_tests::guest::{self, Guest, Root};
use tollgate_tests::pki::Authority;
use tollgate_tests::radius::{self, Eap, FreeRadius, Options};
use tollgate_tests::tollgate::{LOOPBACK, text};

const ACCOUNTS: &str = "joe Cleartext-Password := \"correct horse\"\n    Filter-Id = \"inside\"\n";

/// A server whose default tunnel group passes EAP on to server group `corp`; `policy` is added to its group policy.
fn config(lns: &str, host: &str, policy: &str) -> String {
    format!(
        r#"{lns}
[pool.clients]
range = "10.77.0.10-10.77.0.20"
mask = "255.255.255.0"
[access-list.inside]
rules = ["permit ip any any"]
[server-group.corp]
protocol = "radius"
{host}
[group-policy.corp]
{policy}
[tunnel-group.DefaultRAGroup]
address-pool = ["clients"]
default-group-policy = "corp"
authentication-server-group = "corp"
ppp-authentication = ["eap-proxy"]
"#
    )
}

struct Lab {
    radius: FreeRadius,
    folder: tempfile::TempDir,
}

impl Lab {
    /// FreeRADIUS with a certificate of an authority that also vouches for `joe`.
    fn start() -> Self {
        let authority = Authority::new("/O=Corp/CN=Corp CA");
        let server = authority.issue("/O=Corp/CN=radius.corp.test", Some("DNS:radius.corp.test"));
        let joe = authority.issue("/O=Corp/CN=joe", None);
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        for (name, content) in
            [("ca.pem", authority.certificate()), ("joe.pem", joe.certificate), ("joe.key", joe.key)]
        {
            fs::write(folder.path().join(name), content).expect("writable");
        }
        let eap = Eap {
            certificate: server.certificate,
            key: server.key,
            ca: authority.certificate(),
            first_method: "md5",
        };
        let radius =
            FreeRadius::start(Options { users: ACCOUNTS.into(), eap: Some(eap), ..Options::default() });
        Self { radius, folder }
    }

    fn file(&self, name: &str) -> String {
        let path: PathBuf = Path::new(self.folder.path()).join(name);
        path.display().to_string()
    }
}

#[test]
fn any_method_inside_lets_the_right_user_in_and_nobody_else() {
    let lab = Lab::start();
    let server = Server::start(
        &config(LOOPBACK, &radius::host(&lab.radius, ""), "ppp-encryption = \"allowed\""),
        &[],
        None,
    );
    let (ca, certificate, key) = (lab.file("ca.pem"), lab.file("joe.pem"), lab.file("joe.key"));
    let tls = ["--eap-ca", &ca, "--eap-server-name", "radius.corp.test"];
    let own = ["--eap-certificate", &certificate, "--eap-private-key", &key];
    let cases: [(&str, Vec<&str>); 4] = [
        ("md5", vec![]),
        ("mschapv2", vec![]),
        ("peap", tls.to_vec()),
        ("tls", [tls.as_slice(), own.as_slice()].concat()),
    ];
    for (method, more) in cases {
        let mut arguments = vec!["--eap-method", method, "--ping", "1"];
        arguments.extend(&more);
        let (said, code) = text(&server.dial("joe", "eap", "correct horse", &arguments));
        assert_eq!(code, 0, "{method}: {said}");
        if method != "tls" {
            let (said, code) = text(&server.dial("joe", "eap", "battery staple", &arguments));
            assert_eq!(code, 1, "{method}: {said}");
            assert!(said.contains("authentication  failed"), "{method}: {said}");
        }
    }
    let (said, code) = text(&server.dial("eve", "eap", "x", &["--eap-method", "md5"]));
    assert_eq!(code, 1, "{said}");
    for request in radius::records(&lab.radius.request_detail()) {
        assert!(request.get("Message-Authenticator").is_some(), "RFC 3579 3.2: {request:?}");
        assert!(request.get("EAP-Message").is_some(), "{request:?}");
        let framed_mtu = request.number("Framed-MTU");
        assert!((1000..1400).contains(&framed_mtu), "{request:?}");
    }
    let aaa = server.show("aaa");
    let counters = &aaa[0]["servers"][0]["counters"];
    assert_eq!((&counters["accepts"], &counters["timeouts"]), (&4.into(), &0.into()), "{aaa:#}");
}

#[test]
fn the_keys_of_a_method_with_tls_encrypt_the_session_where_the_policy_says_so() {
    let lab = Lab::start();
    let policy = "ppp-encryption = \"required\"";
    let mut server = Server::start(&config(LOOPBACK, &radius::host(&lab.radius, ""), policy), &[], None);
    let ca = lab.file("ca.pem");
    let peap = ["--eap-method", "peap", "--eap-ca", &ca, "--eap-server-name", "radius.corp.test"];
    let (said, code) =
        text(&server.dial("joe", "eap", "correct horse", &[&peap[..], &["--mppe", "require"]].concat()));
    assert_eq!(code, 0, "{said}");
    let started = server.wait_for_log("session started");
    assert!(started.contains("MPPE-128 stateless"), "{started}");
    let (said, code) =
        text(&server.dial("joe", "eap", "correct horse", &[&peap[..], &["--mppe", "none"]].concat()));
    assert_eq!(code, 1, "{said}");
    // EAP-MD5 leaves no keys.
    let (said, code) = text(&server.dial("joe", "eap", "correct horse", &["--eap-method", "md5"]));
    assert_eq!(code, 1, "{said}");
    let refused = server.wait_for_log("login refused by policy");
    assert!(refused.contains("leaves no keys"), "{refused}");
}

#[test]
fn a_login_between_two_rounds_outlives_a_reload_and_aaa_test_goes_through_all_rounds() {
    let lab = Lab::start();
    let mut server = Server::start(&config(LOOPBACK, &radius::host(&lab.radius, ""), ""), &[], None);
    let ask = |server: &Server, password: &str| {
        text(&server.run(&["aaa", "test", "--user", "joe", "--method", "eap", "--json"], password))
    };
    let (said, code) = ask(&server, "correct horse");
    assert_eq!(code, 0, "{said}");
    let (said, code) = ask(&server, "battery staple");
    assert_eq!(code, 1, "{said}");
    let report: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!((&report["verdict"], &report["layer"]), (&"rejected".into(), &"password".into()), "{said}");
    server.reload(|text| text);
    assert_eq!(text(&server.dial("joe", "eap", "correct horse", &[])).1, 0);
}

#[test]
fn a_real_pppd_is_let_in_by_eap_md5() {
    let namespace = guest::namespace();
    let radius = FreeRadius::start(Options {
        users: ACCOUNTS.into(),
        eap: Some({
            let authority = Authority::new("/O=Corp/CN=Corp CA");
            let server = authority.issue("/O=Corp/CN=radius.corp.test", Some("DNS:radius.corp.test"));
            Eap {
                certificate: server.certificate,
                key: server.key,
                ca: authority.certificate(),
                first_method: "md5",
            }
        }),
        namespace: Some(namespace.name().to_owned()),
        ..Options::default()
    });
    let lns = LOOPBACK.replace("127.0.0.1:0", &format!("{}:1701", guest::SERVER));
    let mut server = Server::start(&config(&lns, &radius::host(&radius, ""), ""), &[], Some(&namespace));
    let script = "dial joe '\"correct horse\"' <<X\nrefuse-pap\nrefuse-chap\nrefuse-mschap\nrefuse-mschap-v2\nX\n\
                  wait_up && ping -c 2 -i 0.2 10.77.0.1 && sleep 1\nhang_up\nwait_down";
    let mut guest = Guest::boot(&namespace, script);
    guest.wait_for("GUEST up");
    let started = server.wait_for_log("session started");
    assert!(started.contains("user=joe") && started.contains("method=eap-proxy"), "{started}");
    guest.wait_for("2 received, 0% packet loss");
    server.wait_for_log("session ended");
    guest.finish();
}

#[test]
fn a_real_pppd_is_let_in_by_eap_tls_and_not_with_a_certificate_of_another_authority() {
    let namespace = guest::namespace();
    let authority = Authority::new("/O=Corp/CN=Corp CA");
    let server = authority.issue("/O=Corp/CN=radius.corp.test", Some("DNS:radius.corp.test"));
    let joe = authority.issue("/O=Corp/CN=joe", None);
    let radius = FreeRadius::start(Options {
        users: ACCOUNTS.into(),
        eap: Some(Eap {
            certificate: server.certificate,
            key: server.key,
            ca: authority.certificate(),
            first_method: "tls",
        }),
        namespace: Some(namespace.name().to_owned()),
        ..Options::default()
    });
    let lns = LOOPBACK.replace("127.0.0.1:0", &format!("{}:1701", guest::SERVER));
    let policy = "ppp-encryption = \"required\"";
    let mut server = Server::start(&config(&lns, &radius::host(&radius, ""), policy), &[], Some(&namespace));
    let stranger = Authority::new("/O=Other/CN=Other CA").issue("/O=Corp/CN=joe", None);
    let files: String = [
        ("ca.pem", authority.certificate()),
        ("joe.pem", joe.certificate),
        ("joe.key", joe.key),
        ("stranger.pem", stranger.certificate),
        ("stranger.key", stranger.key),
    ]
    .iter()
    .map(|(name, content)| format!("cat > /tmp/{name} <<'X'\n{content}\nX\n"))
    .collect();
    let dial = |who: &str| {
        format!(
            "dial joe none <<X\nrefuse-pap\nrefuse-chap\nrefuse-mschap\nrefuse-mschap-v2\nca /tmp/ca.pem\ncert \
             /tmp/{who}.pem\nkey /tmp/{who}.key\nremotename radius.corp.test\nrequire-mppe\nX\n"
        )
    };
    let script = format!(
        "{files}{}until grep -q 'Connection terminated' /tmp/pppd.log; do sleep 0.1; done\nhang_up; sleep 1\n\
         {}wait_up && ping -c 2 -i 0.2 10.77.0.1 && sleep 1\nhang_up\nwait_down",
        dial("stranger"),
        dial("joe")
    );
    let mut guest = Guest::boot(&namespace, &script);
    guest.wait_for("peer reports authentication failure");
    let refused = server.wait_for_log("login refused");
    assert!(refused.contains("user=joe") && refused.contains("rejected by the server"), "{refused}");
    guest.wait_for("GUEST up");
    let started = server.wait_for_log("INFO session started");
    assert!(started.contains("user=joe") && started.contains("method=eap-proxy"), "{started}");
    assert!(started.contains("MPPE-128"), "the keys of EAP-TLS: {started}");
    guest.wait_for("2 received, 0% packet loss");
    server.wait_for_log("session ended");
    guest.finish();
}

#[test]
fn a_real_pppd_is_let_in_by_eap_mschapv2_and_not_with_a_wrong_password() {
    let namespace = guest::namespace();
    let authority = Authority::new("/O=Corp/CN=Corp CA");
    let server = authority.issue("/O=Corp/CN=radius.corp.test", None);
    let radius = FreeRadius::start(Options {
        users: ACCOUNTS.into(),
        eap: Some(Eap {
            certificate: server.certificate,
            key: server.key,
            ca: authority.certificate(),
            first_method: "mschapv2",
        }),
        namespace: Some(namespace.name().to_owned()),
        ..Options::default()
    });
    let lns = LOOPBACK.replace("127.0.0.1:0", &format!("{}:1701", guest::SERVER));
    let policy = "ppp-encryption = \"required\"";
    let mut server = Server::start(&config(&lns, &radius::host(&radius, ""), policy), &[], Some(&namespace));
    let dial = |password: &str| {
        format!(
            "dial joe '\"{password}\"' <<X\nrefuse-pap\nrefuse-chap\nrefuse-mschap\nrefuse-mschap-v2\nrequire-mppe-128\nX\n"
        )
    };
    let script = format!(
        "{}until grep -q 'Connection terminated' /tmp/pppd.log; do sleep 0.1; done\nhang_up; sleep 1\n\
         {}wait_up && ping -c 2 -i 0.2 10.77.0.1 && sleep 1\nhang_up\nwait_down",
        dial("not this one"),
        dial("correct horse")
    );
    let mut guest = Guest::boot_from(Root::Trixie, &namespace, &script);
    let refused = server.wait_for_log("login refused");
    assert!(refused.contains("user=joe") && refused.contains("reason=wrong password"), "{refused}");
    guest.wait_for("GUEST up");
    let started = server.wait_for_log("INFO session started");
    assert!(started.contains("user=joe") && started.contains("method=eap-proxy"), "{started}");
    assert!(started.contains("MPPE-128"), "the keys of EAP-MSCHAPv2: {started}");
    guest.wait_for("2 received, 0% packet loss");
    server.wait_for_log("session ended");
    guest.finish();
}
