//! Passwords that are hard to carry: every server decides about the whole of them, or the login is refused in words.

use std::fmt::Write;
use std::thread;

use tollgate_tests::Server;
use tollgate_tests::tollgate::text;
use tollgate_tests::types::{self, Lab, REMOTE, ROWS};

use super::site::{comes_in, is_refused, tested};

/// What a user may type, and what it tries. A passcode of SDI is digits as a rule; what a server makes of others is its
/// own business, and they travel to it as they are.
fn passwords() -> [(&'static str, String); 8] {
    [
        ("blanks", "two  words ".to_owned()),
        ("blank-first", " leading".to_owned()),
        ("quotes", "\"double\" and 'single'".to_owned()),
        ("escapes", r"back\slash %{User-Name} ${x} $(id) \n".to_owned()),
        ("letters", "grüße-日本語-🔑".to_owned()),
        ("comma", "a,b=c;d#e@f!g*)(|&".to_owned()),
        ("long", "0123456789abcdef".repeat(8)),
        // As long as RADIUS takes, and one more.
        ("longer", "0123456789abcdef".repeat(8) + "g"),
    ]
}

/// Octets in a string of FreeRADIUS's `users` file: anything but letters and digits by its number.
fn quoted(password: &str) -> String {
    password.bytes().fold(String::new(), |mut text, octet| {
        if octet.is_ascii_alphanumeric() {
            text.push(octet.into());
        } else {
            write!(text, "\\{octet:03o}").expect("strings take all");
        }
        text
    })
}

const NUL: &str = "before\0after";
/// The password of `nul`, whose login is [`NUL`].
const BEFORE_NUL: &str = "before";

#[test]
fn a_password_is_checked_whole_by_every_server() {
    let mut users: Vec<_> = passwords().into();
    users.push(("nul", BEFORE_NUL.to_owned()));
    let radius: String = users
        .iter()
        .map(|(user, password)| format!("{user} Cleartext-Password := \"{}\"\n", quoted(password)))
        .collect();
    let tacacs: String = users
        .iter()
        .map(|(user, password)| format!(", \"{user}\": {}", serde_json::Value::from(password.as_str())))
        .collect();
    let lab = Lab::with(&radius, &tacacs);
    for (user, password) in &users {
        lab.domain.add_user(user, password, "");
        lab.securid.set_passcode(user, password);
    }
    let mut config = types::head() + "[group-policy.DfltGrpPolicy]\nvpn-simultaneous-logins = 100\n";
    REMOTE.iter().for_each(|group| config += &lab.group(group).to_string());
    ROWS.iter().for_each(|(group, ..)| config += &types::tunnel_group(group, group, &["pap"], ""));
    config += &types::tunnel_group("DefaultRAGroup", "LOCAL", &["pap"], "");
    let local: Vec<_> = users.iter().map(|(user, password)| (*user, password.as_str())).collect();
    let server = Server::start(&config, &local, None);
    thread::scope(|scope| {
        for (group, ..) in ROWS {
            let server = &server;
            scope.spawn(move || {
                for (user, password) in passwords() {
                    check(server, group, user, &password);
                }
                nul(server, group);
            });
        }
    });
}

fn check(server: &Server, group: &str, user: &str, password: &str) {
    let name = format!("{user}#{group}");
    if group == "radius" && password.len() > 128 {
        is_refused(server, &name, password, "Login refused");
        let (report, code) = tested(server, &name, password);
        let why = "the login cannot be sent to this server: the password has more than 128 octets";
        assert_eq!((code, &report["reason"]), (3, &why.into()), "{report:#}");
        return;
    }
    comes_in(server, &name, password);
    let last = password.chars().next_back().expect("none is empty");
    for other in [password.strip_suffix(last).expect("its last"), &format!("{password}1")] {
        let (said, code) = text(&server.dial(&name, "pap", other, &[]));
        assert_eq!(code, 1, "{name} by {other:?}: {said}");
    }
}

/// What stands before a NUL is right, and the whole is not.
fn nul(server: &Server, group: &str) {
    let name = format!("nul#{group}");
    comes_in(server, &name, BEFORE_NUL);
    for password in [NUL, "before\0"] {
        is_refused(server, &name, password, "Login refused");
        let (report, _) = tested(server, &name, password);
        let reason = report["reason"].as_str().expect("a reason");
        let wrong = reason == "wrong password" || reason == "rejected by the server";
        assert!(wrong || reason.contains("NUL"), "{name}: {report:#}");
    }
}
