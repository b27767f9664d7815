//! EAP between a client and a real FreeRADIUS, passed on by the server untouched.

use std::fs;
use std::path::{Path, PathBuf};

use tollgate_tests::guest::{self, Guest, Root};
use tollgate_tests::pki::Authority;
use tollgate_tests::radius::{self, Eap, FreeRadius, Options};
use tollgate_tests::tollgate::{LOOPBACK, text};
use tollgate_tests::{Namespace, Server};

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

/// FreeRADIUS and a server where a guest calls it.
struct Called {
    server: Server,
    authority: Authority,
    _radius: FreeRadius,
    namespace: Namespace,
}

impl Called {
    /// `first_method` is what FreeRADIUS offers: pppd does not ask for another.
    fn start(first_method: &'static str, policy: &str) -> Self {
        let namespace = guest::namespace();
        let authority = Authority::new("/O=Corp/CN=Corp CA");
        let own = authority.issue("/O=Corp/CN=radius.corp.test", Some("DNS:radius.corp.test"));
        let eap =
            Eap { certificate: own.certificate, key: own.key, ca: authority.certificate(), first_method };
        let radius = FreeRadius::start(Options {
            users: ACCOUNTS.into(),
            eap: Some(eap),
            namespace: Some(namespace.name().to_owned()),
            ..Options::default()
        });
        let lns = LOOPBACK.replace("127.0.0.1:0", &format!("{}:1701", guest::SERVER));
        let config = config(&lns, &radius::host(&radius, ""), policy);
        let server = Server::start(&config, &[], Some(&namespace));
        Self { server, authority, _radius: radius, namespace }
    }

    /// A call that is refused for this reason.
    fn is_refused(&mut self, reason: &str) {
        let refused = self.server.wait_for_log("login refused");
        assert!(refused.contains("user=joe") && refused.contains(reason), "{refused}");
    }

    /// A call that comes in and sends two pings; `encryption` is what its session has.
    fn is_let_in(&mut self, mut guest: Guest, encryption: &str) {
        guest.wait_for("GUEST up");
        let started = self.server.wait_for_log("INFO session started");
        assert!(started.contains("user=joe") && started.contains("method=eap-proxy"), "{started}");
        assert!(started.contains(encryption), "the keys of the method: {started}");
        guest.wait_for("2 received, 0% packet loss");
        self.server.wait_for_log("session ended");
        guest.finish();
    }
}

/// Calls by EAP alone; `more` are pppd's options.
fn dial(password: &str, more: &str) -> String {
    format!(
        "dial joe '\"{password}\"' <<X\nrefuse-pap\nrefuse-chap\nrefuse-mschap\nrefuse-mschap-v2\n{more}\nX\n"
    )
}

/// What follows a call that is to be refused.
const REFUSED: &str =
    "until grep -q 'Connection terminated' /tmp/pppd.log; do sleep 0.1; done\nhang_up; sleep 1\n";
/// What follows a call that is to come in.
const LET_IN: &str = "wait_up && ping -c 2 -i 0.2 10.77.0.1 && sleep 1\nhang_up\nwait_down";
const ENCRYPTED: &str = "ppp-encryption = \"required\"";

#[test]
fn a_real_pppd_is_let_in_by_eap_md5() {
    let mut called = Called::start("md5", "");
    let script = dial("correct horse", "") + LET_IN;
    let guest = Guest::boot(&called.namespace, &script);
    called.is_let_in(guest, "encryption=\"none\"");
}

#[test]
fn a_real_pppd_is_let_in_by_eap_tls_and_not_with_a_certificate_of_another_authority() {
    let mut called = Called::start("tls", ENCRYPTED);
    let joe = called.authority.issue("/O=Corp/CN=joe", None);
    let stranger = Authority::new("/O=Other/CN=Other CA").issue("/O=Corp/CN=joe", None);
    let files = [
        ("ca.pem", called.authority.certificate()),
        ("joe.pem", joe.certificate),
        ("joe.key", joe.key),
        ("stranger.pem", stranger.certificate),
        ("stranger.key", stranger.key),
    ];
    let files: String =
        files.iter().map(|(name, content)| format!("cat > /tmp/{name} <<'X'\n{content}\nX\n")).collect();
    let by = |who: &str| {
        let files = format!("ca /tmp/ca.pem\ncert /tmp/{who}.pem\nkey /tmp/{who}.key\n");
        dial("none", &(files + "remotename radius.corp.test\nrequire-mppe"))
    };
    let script = [&files, &by("stranger"), REFUSED, &by("joe"), LET_IN].concat();
    let mut guest = Guest::boot(&called.namespace, &script);
    guest.wait_for("peer reports authentication failure");
    called.is_refused("rejected by the server");
    called.is_let_in(guest, "MPPE-128");
}

#[test]
fn a_real_pppd_is_let_in_by_eap_mschapv2_and_not_with_a_wrong_password() {
    let mut called = Called::start("mschapv2", ENCRYPTED);
    let by = |password: &str| dial(password, "require-mppe-128");
    let script = [&by("not this one"), REFUSED, &by("correct horse"), LET_IN].concat();
    let guest = Guest::boot_from(Root::Trixie, &called.namespace, &script);
    called.is_refused("reason=wrong password");
    called.is_let_in(guest, "MPPE-128");
}
