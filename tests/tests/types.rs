//! The same login through every type of server, each the real one, by changing one line of the configuration; and every
//! cell of the type matrix.

#[path = "types/factors.rs"]
mod factors;
#[path = "types/outages.rs"]
mod outages;
#[path = "types/passwords.rs"]
mod passwords;
#[path = "types/reload.rs"]
mod reload;
#[path = "types/site.rs"]
mod site;
#[path = "types/verdicts.rs"]
mod verdicts;

use std::time::Duration;

use tollgate_tests::tollgate::text;
use tollgate_tests::types::{self, Lab, PASSWORD, REMOTE, ROWS};
use tollgate_tests::{Server, wait_until};

const METHODS: [(&str, &str); 5] = [
    ("pap", "PAP"),
    ("chap", "CHAP"),
    ("ms-chap-v1", "MS-CHAPv1"),
    ("ms-chap-v2", "MS-CHAPv2"),
    ("eap", "EAP"),
];

const ALL: &str = r#"["ms-chap-v2", "ms-chap-v1", "chap", "eap-proxy", "pap"]"#;

/// Every server has its group; the default tunnel group asks `LOCAL`. `joe#NAME` arrives there and asks NAME.
fn config(lab: &Lab) -> String {
    let servers: String = REMOTE.iter().map(|group| lab.group(group).to_string()).collect();
    let tunnel_groups: String =
        ROWS.iter().map(|(name, _, methods)| types::tunnel_group(name, name, methods, "")).collect();
    format!(
        r#"{}{servers}{tunnel_groups}
[tunnel-group.DefaultRAGroup]
address-pool = ["clients"]
strip-group = true
ppp-authentication = {ALL}
authentication-server-group = "LOCAL" # the one line
"#,
        types::head()
    )
}

fn serve(lab: &Lab) -> Server {
    Server::start(&config(lab), &[("joe", PASSWORD), ("jdoe", "j!doe1")], None)
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
    let mut server = serve(&lab);
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
    let mut server = serve(&lab);
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
fn aaa_test_asks_by_the_ascii_login_where_the_type_has_one() {
    let lab = Lab::start();
    let mut server = serve(&lab);
    switch(&mut server, "tacacs");
    let ask = |more: &[&str], password: &str| {
        let test = [&["aaa", "test", "--user", "joe", "--ascii", "--json"], more].concat();
        let (said, code) = text(&server.run(&test, password));
        let report: serde_json::Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}"));
        (report, code)
    };
    let (report, code) = ask(&[], PASSWORD);
    assert_eq!((code, &report["verdict"]), (0, &"accepted".into()), "{report:#}");
    assert_eq!(report["method"], "ASCII", "{report:#}");
    lab.tacacs.logged(&["\"authentication\"", "\"authen_type\": 1"]);
    let (report, code) = ask(&[], "not this one");
    assert_eq!((code, &report["layer"]), (1, &"password".into()), "{report:#}");
    for (group, title, _) in ROWS.iter().filter(|(group, ..)| *group != "tacacs") {
        let (report, code) = ask(&["--server-group", group], PASSWORD);
        assert_eq!((code, &report["verdict"]), (3, &"refused".into()), "{group}: {report:#}");
        let reason = report["reason"].as_str().expect("words");
        assert!(reason.contains(title) && reason.contains("ASCII"), "{group}: {reason}");
    }
}

#[test]
fn a_name_switches_between_types_and_aaa_test_names_the_layer_of_each() {
    let lab = Lab::start();
    let server = serve(&lab);
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
