//! Sessions whose packets PPP itself encrypts: a real pppd with the kernel's MPPE, and keys of LOCAL and of RADIUS.

use tollgate_tests::Server;
use tollgate_tests::guest::{self, Guest};
use tollgate_tests::radius::{self, FreeRadius, Options};
use tollgate_tests::tollgate::{LOOPBACK, text};

const USERS: &[(&str, &str)] = &[("jdoe", "j!doe1")];

fn config(lns: &str, group: &str, policy: &str) -> String {
    format!(
        r#"{lns}
[local]
users = "users.toml"
[pool.clients]
range = "10.77.0.10-10.77.0.20"
mask = "255.255.255.0"
[group-policy.clients]
{policy}
[tunnel-group.DefaultRAGroup]
address-pool = ["clients"]
default-group-policy = "clients"
ppp-authentication = ["ms-chap-v2", "ms-chap-v1", "pap"]
{group}
"#
    )
}

/// Lets pppd in with these options of its own and looks for the encryption agreed on.
fn pppd(server: &mut Server, namespace: &tollgate_tests::Namespace, options: &str, agreed: &str) {
    let script = format!(
        "modprobe ppp_mppe\ndial jdoe 'j!doe1' <<X\n{options}\nX\n\
         wait_up && ping -c 3 -i 0.2 -s 1000 10.77.0.1 && sleep 1\nhang_up\nwait_down"
    );
    let mut guest = Guest::boot(namespace, &script);
    guest.wait_for("GUEST up");
    let started = server.wait_for_log("session started");
    assert!(started.contains(agreed), "{started}");
    guest.wait_for("3 received, 0% packet loss");
    server.wait_for_log("session ended");
    guest.finish();
}

#[test]
fn a_real_pppd_encrypts_with_keys_of_local() {
    let namespace = guest::namespace();
    let lns = LOOPBACK.replace("127.0.0.1:0", &format!("{}:1701", guest::SERVER));
    let mut server =
        Server::start(&config(&lns, "", "ppp-encryption = \"required\""), USERS, Some(&namespace));
    let v2 = "refuse-pap\nrefuse-chap\nrefuse-mschap\nrefuse-eap\nrequire-mppe-128";
    pppd(&mut server, &namespace, v2, "MPPE-128 stateless");
}

#[test]
fn a_real_pppd_encrypts_with_keys_of_radius() {
    let namespace = guest::namespace();
    let radius = FreeRadius::start(Options {
        users: "jdoe Cleartext-Password := \"j!doe1\"\n".into(),
        namespace: Some(namespace.name().to_owned()),
        ..Options::default()
    });
    let group = format!(
        "authentication-server-group = \"corp\"\n[server-group.corp]\nprotocol = \"radius\"\n{}",
        radius::host(&radius, "")
    );
    let lns = LOOPBACK.replace("127.0.0.1:0", &format!("{}:1701", guest::SERVER));
    let mut server =
        Server::start(&config(&lns, &group, "ppp-encryption = \"allowed\""), USERS, Some(&namespace));
    let v2 = "refuse-pap\nrefuse-chap\nrefuse-mschap\nrefuse-eap\nrequire-mppe-128";
    pppd(&mut server, &namespace, v2, "MPPE-128 stateless");
}

#[test]
fn who_does_not_encrypt_is_let_in_where_allowed_and_not_where_required() {
    let mut server = Server::start(&config(LOOPBACK, "", "ppp-encryption = \"required\""), USERS, None);
    for method in ["ms-chap-v1", "ms-chap-v2"] {
        let (said, code) =
            text(&server.dial("jdoe", method, "j!doe1", &["--mppe", "require", "--ping", "1"]));
        assert_eq!(code, 0, "{method}: {said}");
        let (said, code) = text(&server.dial("jdoe", method, "j!doe1", &["--mppe", "none"]));
        assert_eq!(code, 1, "{method}: {said}");
    }
    let (said, code) = text(&server.dial("jdoe", "pap", "j!doe1", &["--mppe", "require"]));
    assert_eq!(code, 1, "{said}");
    let refused = server.wait_for_log("login refused by policy");
    assert!(refused.contains("it needs MS-CHAP or EAP"), "{refused}");
    server.reload(|text| text.replace("\"required\"", "\"allowed\""));
    for (method, mppe) in [("ms-chap-v2", "none"), ("pap", "none"), ("ms-chap-v2", "require")] {
        let (said, code) = text(&server.dial("jdoe", method, "j!doe1", &["--mppe", mppe, "--ping", "1"]));
        assert_eq!(code, 0, "{method} {mppe}: {said}");
    }
}

#[test]
fn short_keys_are_used_only_where_a_policy_names_them() {
    let policy = "ppp-encryption = \"required\"\nppp-encryption-bits = [40, 56]";
    let mut server = Server::start(&config(LOOPBACK, "", policy), USERS, None);
    for (bits, agreed) in [("40", "MPPE-40 stateless"), ("56", "MPPE-56 stateless")] {
        let more = ["--mppe", "require", "--mppe-bits", bits, "--ping", "1"];
        let (said, code) = text(&server.dial("jdoe", "ms-chap-v2", "j!doe1", &more));
        assert_eq!(code, 0, "{bits}: {said}");
        server.wait_for_log(agreed);
    }
    let more = ["--mppe", "require", "--mppe-bits", "128"];
    assert_eq!(text(&server.dial("jdoe", "ms-chap-v2", "j!doe1", &more)).1, 1);
}
