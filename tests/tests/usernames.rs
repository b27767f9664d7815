//! `user[@realm][#group]`: which tunnel group decides and what the server is sent. The table is the specification.

use std::fs;

use serde_json::Value;
use tollgate_tests::Server;
use tollgate_tests::tollgate::{LOOPBACK, output, text};

const USERS: &[&str] = &["joe", "joe@acme", "joe@acme#sales", "ACME\\\\joe"];

fn config(delimiter: &str, options: &str) -> String {
    let delimiter = match delimiter {
        "" => String::new(),
        delimiter => format!("group-delimiter = \"{delimiter}\"\n"),
    };
    format!(
        r#"{LOOPBACK}{delimiter}
[local]
users = "users.toml"
[pool.clients]
range = "10.77.0.10-10.77.0.20"
mask = "255.255.255.0"
[pool.sales]
range = "10.78.0.10-10.78.0.20"
mask = "255.255.255.0"
[tunnel-group.DefaultRAGroup]
address-pool = ["clients"]
ppp-authentication = ["ms-chap-v2", "pap"]
{options}
[tunnel-group.sales]
address-pool = ["sales"]
ppp-authentication = ["pap"]
{options}
"#
    )
}

/// `aaa test --json` by PAP under these options.
fn ask(delimiter: &str, options: &str, name: &str) -> (Value, i32) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("tollgate.toml");
    fs::write(&file, config(delimiter, options)).expect("writable");
    let users = folder.path().join("users.toml").display().to_string();
    let add = |name: &str| output(&["user", "add", name, "--mschap", "--users", &users], "x");
    for user in USERS.iter().map(|user| user.replace("\\\\", "\\")) {
        assert!(add(&user).status.success(), "{}", text(&add(&user)).0);
    }
    let file = file.display().to_string();
    let arguments = ["aaa", "test", "--config", &file, "--user", name, "--method", "pap", "--json"];
    let tested = output(&arguments, "x");
    let (said, code) = text(&tested);
    (serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}")), code)
}

#[test]
fn every_row_of_the_table_chooses_and_sends_as_it_says() {
    const ARRIVAL: &str = "DefaultRAGroup";
    let group = "strip-group = true\n";
    let realm = "strip-realm = true\n";
    let both = "strip-group = true\nstrip-realm = true\n";
    let domain = "strip-domain = true\n";
    for (delimiter, options, typed, tunnel_group, sent) in [
        ("", "", "joe@acme#sales", ARRIVAL, "joe@acme#sales"),
        ("#", "", "joe@acme#sales", ARRIVAL, "joe@acme#sales"),
        ("#", group, "joe@acme#sales", "sales", "joe@acme"),
        ("#", both, "joe@acme#sales", "sales", "joe"),
        ("#", realm, "joe@acme#sales", ARRIVAL, "joe"),
        ("", realm, "joe@acme", ARRIVAL, "joe"),
        ("@", group, "joe@sales", "sales", "joe"),
        ("!", both, "joe@acme!sales", "sales", "joe"),
        ("", realm, "joe@acme@lab", ARRIVAL, "joe@acme"),
        ("", "", "ACME\\joe", ARRIVAL, "ACME\\joe"),
        ("#", both, "ACME\\joe", ARRIVAL, "ACME\\joe"),
        ("", domain, "ACME\\joe", ARRIVAL, "joe"),
    ] {
        let (said, code) = ask(delimiter, options, typed);
        let row = format!("{delimiter:?} {options:?} {typed}: {said:#}");
        assert_eq!(code, 0, "{row}");
        assert_eq!(
            (&said["tunnel-group"], &said["name-sent"]),
            (&tunnel_group.into(), &sent.into()),
            "{row}"
        );
        let pool = if tunnel_group == ARRIVAL { "pool clients" } else { "pool sales" };
        assert_eq!(said["policy"]["address"][0], pool, "{row}");
    }
}

#[test]
fn a_group_that_nobody_configured_is_refused_in_words_and_nobody_is_asked() {
    let (said, code) = ask("#", "strip-group = true\n", "joe#nosuch");
    assert_eq!((code, &said["verdict"]), (3, &"refused".into()), "{said:#}");
    assert_eq!(said["reason"], "the user name asks for tunnel group `nosuch`, which does not exist");
    assert_eq!(said["server"], Value::Null);
    for (typed, words) in [
        ("#sales", "nothing is left of the user name once the tunnel group is taken off"),
        ("@acme#sales", "nothing is left of the user name once the realm is taken off"),
    ] {
        let (said, code) = ask("#", "strip-group = true\nstrip-realm = true\n", typed);
        assert_eq!((code, &said["reason"]), (3, &words.into()), "{said:#}");
    }
}

#[test]
fn a_login_goes_to_the_group_that_its_name_asks_for() {
    let config = config("#", "strip-group = true\nstrip-realm = true\n");
    let mut server = Server::start(&config, &[("joe", "x")], None);
    let dialled = server.dial_and_hold("joe@acme#sales", "pap", "x", &["--ping", "1"]);
    let up = dialled.lines_with("  ipcp ").concat();
    assert!(up.contains("address 10.78.0.10"), "the group's own pool: {up}");
    let sessions = server.show("sessions");
    assert_eq!((&sessions[0]["tunnel-group"], &sessions[0]["user"]), (&"sales".into(), &"joe".into()));
    // The group serves a method only where its own list has it, whatever the group of arrival offered.
    let (said, code) = text(&server.dial("joe#sales", "ms-chap-v2", "x", &[]));
    assert_eq!(code, 1);
    assert!(said.contains("MS-CHAPv2 is not available for this login"), "{said}");
    let refused = server.wait_for_log("login refused");
    assert!(
        refused.contains("MS-CHAPv2 is not among the ppp-authentication methods of tunnel group sales"),
        "{refused}"
    );
    // MS-CHAPv2 hashes the name as it was typed, realm and all.
    let (said, code) = text(&server.dial("joe@acme", "ms-chap-v2", "x", &["--ping", "1"]));
    assert_eq!(code, 0, "{said}");
}
