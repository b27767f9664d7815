//! The same login through every type of server, each the real one, by changing one line of the configuration; and every
//! cell of the type matrix.

use std::path::PathBuf;
use std::sync::Once;
use std::time::Duration;

use tollgate_tests::pki::Authority;
use tollgate_tests::radius::{self, Eap, FreeRadius, Options};
use tollgate_tests::servers::samba::{BASE, DOMAIN, HOST_NAME, REALM, Samba};
use tollgate_tests::servers::securid::{CLIENT_ID, CLIENT_KEY, PASSCODE, SecurId};
use tollgate_tests::servers::tacacs;
use tollgate_tests::tollgate::{LOOPBACK, text};
use tollgate_tests::{Server, wait_until};

/// What `joe` types everywhere. A token shows it, so it is everybody's password.
const PASSWORD: &str = PASSCODE;

/// Each server group with its row of the matrix: what a client does, and what the configuration calls it.
const ROWS: [(&str, &str, &[&str]); 7] = [
    ("LOCAL", "LOCAL", &["pap", "ms-chap-v1", "ms-chap-v2"]),
    ("radius", "RADIUS", &["pap", "chap", "ms-chap-v1", "ms-chap-v2", "eap"]),
    ("tacacs", "TACACS+", &["pap", "chap", "ms-chap-v1"]),
    ("directory", "LDAP", &["pap"]),
    ("nt", "NT", &["pap"]),
    ("kerberos", "Kerberos", &["pap"]),
    ("sdi", "SDI", &["pap"]),
];

/// Our own service in the domain.
const SERVICE: &str = "host/vpn.corp.test";

const METHODS: [(&str, &str); 5] = [
    ("pap", "PAP"),
    ("chap", "CHAP"),
    ("ms-chap-v1", "MS-CHAPv1"),
    ("ms-chap-v2", "MS-CHAPv2"),
    ("eap", "EAP"),
];

const ALL: &str = r#"["ms-chap-v2", "ms-chap-v1", "chap", "eap-proxy", "pap"]"#;

struct Lab {
    radius: FreeRadius,
    tacacs: tacacs::Server,
    domain: &'static Samba,
    keytab: PathBuf,
    securid: SecurId,
}

impl Lab {
    fn start() -> Self {
        let authority = Authority::new("/O=Corp/CN=Corp CA");
        let own = authority.issue("/O=Corp/CN=radius.corp.test", Some("DNS:radius.corp.test"));
        let eap = Eap { certificate: own.certificate, key: own.key, ca: authority.certificate() };
        let users = format!(r#""users": {{"joe": "{PASSWORD}"}},"#);
        static JOE: Once = Once::new();
        let domain = Samba::shared();
        JOE.call_once(|| {
            domain.add_user("joe", PASSWORD, "");
            // 24: AES alone, as every domain of today has it.
            let service = format!("servicePrincipalName: {SERVICE}\nmsDS-SupportedEncryptionTypes: 24\n");
            domain.add_user("vpn", "the key of our own service", &service);
        });
        Self {
            radius: FreeRadius::start(Options {
                users: format!("joe Cleartext-Password := \"{PASSWORD}\"\n"),
                eap: Some(eap),
                ..Options::default()
            }),
            tacacs: tacacs::Server::with(&users),
            domain,
            keytab: domain.export_keytab(Some(SERVICE)),
            securid: SecurId::start(),
        }
    }

    /// Every server has its group; the default tunnel group asks `LOCAL`. `joe#NAME` arrives there and asks NAME.
    fn config(&self) -> String {
        let groups: String = ROWS
            .iter()
            .map(|(name, _, methods)| {
                let methods: Vec<_> = methods.iter().map(|method| word(method)).collect();
                format!(
                    "[tunnel-group.{name}]\naddress-pool = [\"clients\"]\nauthentication-server-group = \"{name}\"\n\
                     ppp-authentication = {methods:?}\nstrip-group = true\n"
                )
            })
            .collect();
        format!(
            r##"{LOOPBACK}
group-delimiter = "#"
[local]
users = "users.toml"
[pool.clients]
range = "10.77.0.10-10.77.0.200"
mask = "255.255.255.0"
[server-group.radius]
protocol = "radius"
{radius}
[server-group.tacacs]
protocol = "tacacs+"
[[server-group.tacacs.host]]
address = "127.0.0.1"
port = {tacacs}
key = "{tacacs_key}"
[server-group.directory]
protocol = "ldap"
[[server-group.directory.host]]
address = "{domain}"
ldap-over-ssl = true
ca = "{ca}"
server-name = "{HOST_NAME}"
ldap-base-dn = "{BASE}"
ldap-scope = "subtree"
ldap-naming-attribute = "sAMAccountName"
ldap-login-dn = "joe@corp.test"
ldap-login-password = "{PASSWORD}"
[server-group.nt]
protocol = "nt"
[[server-group.nt.host]]
address = "{domain}"
domain = "{DOMAIN}"
[server-group.kerberos]
protocol = "kerberos"
keytab = "{keytab}"
service-principal = "{SERVICE}"
[[server-group.kerberos.host]]
address = "{domain}"
kerberos-realm = "{REALM}"
[server-group.sdi]
protocol = "sdi"
[[server-group.sdi.host]]
url = "{url}"
client-id = "{CLIENT_ID}"
client-key = "{CLIENT_KEY}"
ca = "{securid_ca}"
{groups}
[tunnel-group.DefaultRAGroup]
address-pool = ["clients"]
strip-group = true
ppp-authentication = {ALL}
authentication-server-group = "LOCAL" # the one line
"##,
            radius = radius::host(&self.radius, "").replace("server-group.corp", "server-group.radius"),
            tacacs = self.tacacs.port,
            tacacs_key = tacacs::KEY,
            domain = self.domain.address(),
            keytab = self.keytab.display(),
            ca = self.domain.ca().display(),
            url = self.securid.url(),
            securid_ca = self.securid.ca().display(),
        )
    }

    fn serve(&self) -> Server {
        Server::start(&self.config(), &[("joe", PASSWORD), ("jdoe", "j!doe1")], None)
    }
}

/// The configuration's word for a method of `dial`.
fn word(method: &str) -> &str {
    if method == "eap" { "eap-proxy" } else { method }
}

/// Changes the one line.
fn switch(server: &mut Server, group: &str) {
    server.reload(|config| {
        let line =
            config.lines().find(|line| line.ends_with("# the one line")).expect("it is there").to_owned();
        config.replace(&line, &format!("authentication-server-group = \"{group}\" # the one line"))
    });
}

#[test]
fn one_line_changes_who_checks_passwords_while_others_stay_logged_in() {
    let lab = Lab::start();
    let mut server = lab.serve();
    let _held = server.dial_and_hold("jdoe", "ms-chap-v2", "j!doe1", &[]);
    let address = server.show("sessions")[0]["address"].clone();
    for (group, ..) in ROWS {
        switch(&mut server, group);
        let (said, code) = text(&server.dial("joe", "pap", PASSWORD, &["--ping", "1"]));
        assert_eq!(code, 0, "{group}: {said}");
        let (said, code) = text(&server.dial("joe", "pap", "not this one", &[]));
        assert_eq!(code, 1, "{group}: {said}");
        assert!(said.contains("wrong user name or password"), "{group}: {said}");
        let (said, code) = text(&server.dial("nobody", "pap", "not this one", &[]));
        assert_eq!(code, 1, "{group}: {said}");
        assert!(said.contains("wrong user name or password"), "{group}: told alike: {said}");
    }
    let sessions = server.show("sessions");
    let held = sessions.as_array().expect("a list").iter().find(|session| session["user"] == "jdoe");
    assert_eq!(held.expect("it has lasted")["address"], address, "{sessions:#}");
}

#[test]
fn each_cell_that_says_yes_lets_in_and_each_that_says_no_is_refused_in_words() {
    let lab = Lab::start();
    let mut server = lab.serve();
    for (group, _, served) in ROWS {
        switch(&mut server, group);
        for method in served {
            let (said, code) = text(&server.dial("joe", method, PASSWORD, &["--ping", "1"]));
            assert_eq!(code, 0, "{group} {method}: {said}");
            let (said, code) = text(&server.dial("joe", method, "not this one", &[]));
            assert_eq!(code, 1, "{group} {method}: {said}");
        }
    }
    // Whoever arrives where everything is offered, and names a group whose servers cannot do it.
    switch(&mut server, "radius");
    for (group, title, served) in ROWS {
        for (method, method_title) in METHODS.iter().filter(|(method, _)| !served.contains(method)) {
            let words = format!("reason={method_title} is not served by {title} (type matrix)");
            let before = server.process().lines_with(&words).len();
            let (said, code) = text(&server.dial(&format!("joe#{group}"), method, PASSWORD, &[]));
            assert_eq!(code, 1, "{group} {method}: {said}");
            wait_until(&words, Duration::from_secs(5), || server.process().lines_with(&words).len() > before);
        }
    }
}

#[test]
fn a_name_switches_between_types_and_aaa_test_names_the_layer_of_each() {
    let lab = Lab::start();
    let server = lab.serve();
    for (group, ..) in ROWS {
        let name = format!("joe#{group}");
        let (said, code) = text(&server.dial(&name, "pap", PASSWORD, &["--ping", "1"]));
        assert_eq!(code, 0, "{group}: {said}");
        let ask = |name: &str, password: &str| {
            let test = ["aaa", "test", "--user", name, "--method", "pap", "--json"];
            let (said, code) = text(&server.run(&test, password));
            let report: serde_json::Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}"));
            (report, code)
        };
        let (report, code) = ask(&name, PASSWORD);
        assert_eq!((code, &report["verdict"]), (0, &"accepted".into()), "{group}: {report:#}");
        assert_eq!(report["layer"], serde_json::Value::Null);
        let (report, code) = ask(&name, "not this one");
        assert_eq!((code, &report["layer"]), (1, &"password".into()), "{group}: {report:#}");
    }
}
