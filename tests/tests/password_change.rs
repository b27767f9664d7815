//! A client whose password has expired changes it (RFC 2759 7): FreeRADIUS passes it on to an Active
//! Directory by Samba.

use tempfile::TempDir;
use tollgate_mschap::NtHash;
use tollgate_tests::guest::{self, Guest};
use tollgate_tests::radius::{self, FreeRadius, Options};
use tollgate_tests::servers::samba::{BASE, DOMAIN, Samba, USERS};
use tollgate_tests::tollgate::{LOOPBACK, text};
use tollgate_tests::{Namespace, Server};

const OLD: &str = "correct horse";
const NEW: &str = "battery staple €";

/// FreeRADIUS before an Active Directory.
struct Directory {
    samba: &'static Samba,
    radius: FreeRadius,
    folder: TempDir,
}

impl Directory {
    fn start(namespace: Option<&Namespace>) -> Self {
        let samba = Samba::shared();
        let ask = samba.ntlm_auth();
        let radius = FreeRadius::start(Options {
            mschap: format!(
                r#"
        ntlm_auth = "{ask} --request-nt-key --domain={DOMAIN} --username=%{{mschap:User-Name}} --challenge=%{{mschap:Challenge}} --nt-response=%{{mschap:NT-Response}}"
        passchange {{
            ntlm_auth = "{ask} --helper-protocol=ntlm-change-password-1"
            ntlm_auth_username = "username: %{{mschap:User-Name}}"
            ntlm_auth_domain = "nt-domain: {DOMAIN}"
        }}
        "#
            ),
            namespace: namespace.map(|namespace| namespace.name().to_owned()),
            ..Options::default()
        });
        Self { samba, radius, folder: tempfile::tempdir().expect("a temporary folder can be made") }
    }

    /// A user who has to change the password, which is [`OLD`].
    fn add_user(&self, name: &str) {
        self.samba.add_user(name, OLD, "pwdLastSet: 0\n");
    }

    fn new_password(&self, password: &str) -> String {
        let file = self.folder.path().join("new-password");
        std::fs::write(&file, format!("{password}\n")).expect("writable");
        file.display().to_string()
    }

    fn config(&self, management: bool) -> String {
        format!(
            r#"{LOOPBACK}
[pool.clients]
range = "10.77.0.10-10.77.0.20"
mask = "255.255.255.0"
[group-policy.keyed]
ppp-encryption = "allowed"
[server-group.corp]
protocol = "radius"
{}
[tunnel-group.DefaultRAGroup]
address-pool = ["clients"]
default-group-policy = "keyed"
authentication-server-group = "corp"
password-management = {management}
"#,
            radius::host(&self.radius, "")
        )
    }
}

/// Neither a password nor an NT hash is in the log.
fn assert_no_secrets(log: &[String]) {
    let log = log.join("\n").to_lowercase();
    for password in [OLD, NEW] {
        let hash = NtHash::from_password(password);
        let hash: String = hash.as_bytes().iter().map(|octet| format!("{octet:02x}")).collect();
        assert!(!log.contains(&password.to_lowercase()) && !log.contains(&hash), "{password} is in the log");
    }
}

#[test]
fn an_expired_password_is_changed_and_the_new_one_lets_in() {
    let directory = Directory::start(None);
    directory.add_user("joe");
    let mut server = Server::start_tracing(&directory.config(true), &[]);
    let (said, code) = text(&server.dial("joe", "ms-chap-v2", OLD, &[]));
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("Password expired (error 648)"), "the server's own words: {said}");
    assert!(said.contains("give it with --new-password-file"), "{said}");
    server.wait_for_log("password expired, the client may change it");

    let file = directory.new_password(NEW);
    let new = ["--new-password-file", &file];
    let (said, code) = text(&server.dial("joe", "ms-chap-v2", "wrong", &new));
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("(error 691)"), "who does not know the old one changes nothing: {said}");

    let more = [&new[..], &["--mppe", "require", "--ping", "2"]].concat();
    let (said, code) = text(&server.dial("joe", "ms-chap-v2", OLD, &more));
    assert_eq!(code, 0, "{said}\n{}", directory.radius.log());
    assert!(said.contains("password changed, accepted: "), "{said}");
    assert_eq!(said.matches(" answered").count(), 2, "with keys that come from the new password: {said}");
    let changed = server.wait_for_log("the client changed its password");
    assert!(changed.contains("user=joe"), "{changed}");

    let (said, code) = text(&server.dial("joe", "ms-chap-v2", OLD, &new));
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("(error 691)"), "{said}");
    let (said, code) = text(&server.dial("joe", "ms-chap-v2", NEW, &["--ping", "1"]));
    assert_eq!(code, 0, "{said}");
    assert!(!said.contains("password changed"), "{said}");
    assert_no_secrets(&server.stop());
}

#[test]
fn a_new_password_that_the_directory_does_not_like_is_refused() {
    let directory = Directory::start(None);
    directory.add_user("kim");
    directory.samba.change(&format!(
        "dn: CN=long,CN=Password Settings Container,CN=System,{BASE}\nchangetype: add\n\
         objectClass: msDS-PasswordSettings\nmsDS-PasswordSettingsPrecedence: 2\n\
         msDS-PasswordReversibleEncryptionEnabled: FALSE\nmsDS-PasswordHistoryLength: 0\n\
         msDS-PasswordComplexityEnabled: FALSE\nmsDS-MinimumPasswordLength: 40\n\
         msDS-MinimumPasswordAge: 0\nmsDS-MaximumPasswordAge: -1728000000000\nmsDS-LockoutThreshold: 0\n\
         msDS-LockoutObservationWindow: -600000000\nmsDS-LockoutDuration: -600000000\n\
         msDS-PSOAppliesTo: CN=kim,{USERS}\n"
    ));
    let mut server = Server::start(&directory.config(true), &[], None);
    let file = directory.new_password(NEW);
    let (said, code) = text(&server.dial("kim", "ms-chap-v2", OLD, &["--new-password-file", &file]));
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("Password change failed (error 709)"), "{said}");
    assert!(said.contains("the server did not take the new password"), "{said}");
    let refused = server.wait_for_log("login refused");
    assert!(refused.contains("reason=the server did not take the new password"), "{refused}");
    let (said, _) = text(&server.dial("kim", "ms-chap-v2", OLD, &[]));
    assert!(said.contains("(error 648)"), "the old one is still the right one: {said}");
}

#[test]
fn without_password_management_an_expired_password_is_a_plain_refusal() {
    let directory = Directory::start(None);
    directory.add_user("lee");
    let mut server = Server::start(&directory.config(false), &[], None);
    let file = directory.new_password(NEW);
    let new = ["--new-password-file", &file];
    let (said, code) = text(&server.dial("lee", "ms-chap-v2", OLD, &new));
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("Password expired (error 691)"), "no invitation to change it: {said}");
    let refused = server.wait_for_log("login refused");
    assert!(refused.contains("reason=password expired"), "{refused}");

    server.reload(|text| text.replace("password-management = false", "password-management = true"));
    let (said, code) = text(&server.dial("lee", "ms-chap-v2", OLD, &new));
    assert_eq!(code, 0, "{said}");
}

/// pppd has no Change-Password packet.
#[test]
fn a_client_that_cannot_change_its_password_is_told_and_goes() {
    let namespace = guest::namespace();
    let directory = Directory::start(Some(&namespace));
    directory.add_user("max");
    let config = directory.config(true).replace("127.0.0.1:0", &format!("{}:1701", guest::SERVER));
    let mut server = Server::start(&config, &[], Some(&namespace));
    let options = "refuse-pap\nrefuse-chap\nrefuse-mschap\nrefuse-eap";
    let mut guest = Guest::boot(&namespace, &format!("dial max '\"{OLD}\"' <<X\n{options}\nX\nsleep 4"));
    server.wait_for_log("password expired, the client may change it");
    guest.wait_for("E=648");
    server.wait_for_log("call ended before its session started");
    let lines = guest.finish();
    assert!(!lines.iter().any(|line| line.contains("GUEST up")));
}
