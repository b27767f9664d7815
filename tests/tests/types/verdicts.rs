//! Each no of each server: what the client is told, what the log says, and that LOCAL is never asked behind it. Every
//! refused name and password would let its user in at LOCAL.

use std::sync::Once;
use std::time::Duration;

use serde_json::Value;
use tollgate_tests::servers::samba;
use tollgate_tests::servers::securid::NEXT_TOKENCODE;
use tollgate_tests::tollgate::{output, text};
use tollgate_tests::types::{self, Lab, PASSWORD, REMOTE, ROWS};
use tollgate_tests::{Server, wait_until};

/// What somebody types who is not right at the server; LOCAL knows it.
const OTHER: &str = "only LOCAL knows this";

/// A login that must be refused.
struct Case {
    group: &'static str,
    user: &'static str,
    password: &'static str,
    /// Of the log and of `aaa test`.
    reason: &'static str,
    layer: &'static str,
    /// What the client hears.
    words: &'static str,
}

const fn case(
    group: &'static str,
    user: &'static str,
    password: &'static str,
    [reason, layer, words]: [&'static str; 3],
) -> Case {
    Case { group, user, password, reason, layer, words }
}

const WRONG: [&str; 3] = ["wrong password", "password", TOLD_ALIKE];
const TOLD_ALIKE: &str = "wrong user name or password";
const UNKNOWN: [&str; 3] = ["unknown user", "password", TOLD_ALIKE];
const DISABLED: [&str; 3] = ["account disabled", "account", "this account is not active"];
const EXPIRED: [&str; 3] = ["account expired", "account", "this account is not active"];
const REVOKED: [&str; 3] = ["account disabled", "account", "this account is disabled, locked or expired"];
const OLD: [&str; 3] = ["password expired", "account", "the password has expired"];
const CHANGE: [&str; 3] = ["password must be changed", "account", "the password must be changed first"];
const LOCKED: [&str; 3] = ["locked out after too many failures", "account", TOLD_ALIKE];
const HOURS: [&str; 3] = ["outside the allowed hours", "account", "not allowed at this hour"];
const ELSEWHERE: [&str; 3] = ["not allowed from this workstation", "account", "not allowed from here"];

/// A server that says no more than no, with words for the user or without.
const fn no(words: &'static str) -> [&'static str; 3] {
    ["rejected by the server", "password", words]
}

/// Which server has which notion: LOCAL knows its users' states; RADIUS and TACACS+ have a no, and words for the user;
/// a directory, a domain and a realm tell states apart; SecurID has a no alone.
const CASES: &[Case] = &[
    case("LOCAL", "vera", OTHER, WRONG),
    case("LOCAL", "nobody here", OTHER, UNKNOWN),
    case("LOCAL", "off", PASSWORD, DISABLED),
    case("LOCAL", "past", PASSWORD, EXPIRED),
    case("radius", "vera", OTHER, no(TOLD_ALIKE)),
    case("radius", "nobody", OTHER, no(TOLD_ALIKE)),
    case("radius", "disabled", samba::PASSWORD, no("this account is disabled, says FreeRADIUS")),
    case("radius", "expired", samba::PASSWORD, no("this account has expired, says FreeRADIUS")),
    case("tacacs", "vera", OTHER, no("go  away")),
    case("tacacs", "nobody", OTHER, no("go  away")),
    case("tacacs", "disabled", samba::PASSWORD, no("this account is disabled, says TACACS+")),
    case("tacacs", "expired", samba::PASSWORD, no("your password has expired, says TACACS+")),
    case("tacacs", "hours", samba::PASSWORD, ["no right to dial in", "account", "not for you"]),
    case("directory", "vera", OTHER, WRONG),
    case("directory", "nobody", OTHER, UNKNOWN),
    case("directory", "disabled", samba::PASSWORD, DISABLED),
    case("directory", "expired", samba::PASSWORD, EXPIRED),
    case("directory", "oldpassword", samba::PASSWORD, OLD),
    case("directory", "mustchange", samba::PASSWORD, CHANGE),
    case("directory", "locked", samba::PASSWORD, LOCKED),
    case("directory", "hours", samba::PASSWORD, HOURS),
    case("directory", "workstation", samba::PASSWORD, ELSEWHERE),
    case("nt", "vera", OTHER, WRONG),
    // A controller says no more of a user whom it does not know.
    case("nt", "nobody", OTHER, WRONG),
    case("nt", "disabled", samba::PASSWORD, DISABLED),
    case("nt", "expired", samba::PASSWORD, EXPIRED),
    case("nt", "oldpassword", samba::PASSWORD, OLD),
    case("nt", "mustchange", samba::PASSWORD, CHANGE),
    case("nt", "locked", samba::PASSWORD, LOCKED),
    case("nt", "hours", samba::PASSWORD, HOURS),
    case("nt", "workstation", samba::PASSWORD, ELSEWHERE),
    case("kerberos", "vera", OTHER, WRONG),
    case("kerberos", "nobody", OTHER, UNKNOWN),
    case("kerberos", "disabled", samba::PASSWORD, DISABLED),
    case("kerberos", "expired", samba::PASSWORD, EXPIRED),
    case("kerberos", "oldpassword", samba::PASSWORD, OLD),
    case("kerberos", "mustchange", samba::PASSWORD, CHANGE),
    // Samba has no status for it, and Kerberos one word for three states.
    case("kerberos", "locked", samba::PASSWORD, REVOKED),
    case("kerberos", "hours", samba::PASSWORD, HOURS),
    case("sdi", "vera", OTHER, WRONG),
    case("sdi", "unknown", PASSWORD, WRONG),
];

const RADIUS_USERS: &str = concat!(
    "vera Cleartext-Password := \"1234567890\"\n",
    "disabled Auth-Type := Reject\n    Reply-Message = \"this account is disabled, says FreeRADIUS\"\n",
    "expired Auth-Type := Reject\n    Reply-Message = \"this account has expired, says FreeRADIUS\"\n",
    "mslocked Cleartext-Password := \"correct horse 1\", SMB-Account-Ctrl-Text := \"[UL]\"\n",
    "msexpired Cleartext-Password := \"correct horse 1\", SMB-Account-Ctrl-Text := \"[Ue]\"\n",
);
const TACACS_USERS: &str = concat!(
    r#", "vera": "1234567890", "disabled": "correct horse 1", "expired": "correct horse 1""#,
    r#", "hours": "correct horse 1""#
);
const TACACS_SETTINGS: &str = concat!(
    r#""refused": {"disabled": "this account is disabled, says TACACS+","#,
    r#" "expired": "your password has expired, says TACACS+"}, "unauthorized": ["hours"],"#
);

fn lab() -> Lab {
    assert_eq!(PASSWORD, "1234567890");
    let lab = Lab::with_settings(RADIUS_USERS, TACACS_USERS, TACACS_SETTINGS);
    static VERA: Once = Once::new();
    VERA.call_once(|| lab.domain.add_user("vera", PASSWORD, ""));
    lab
}

/// A server on which LOCAL may decide for every tunnel group.
fn serve(lab: &Lab) -> Server {
    let servers: String = REMOTE.iter().map(|group| lab.group(group).to_string()).collect();
    let tunnel_groups: String = ROWS
        .iter()
        .map(|(name, _, methods)| types::tunnel_group(name, name, methods, "local-fallback = true"))
        .collect();
    let arrival =
        types::tunnel_group("DefaultRAGroup", "radius", &["ms-chap-v2", "ms-chap-v1", "chap", "pap"], "");
    let config = format!("{}{servers}{tunnel_groups}{arrival}", types::head());
    let remote = ["disabled", "expired", "oldpassword", "mustchange", "locked", "hours", "workstation"];
    let mut server = Server::start(&config, &[("vera", PASSWORD)], None);
    let users = server.folder().join("users.toml").display().to_string();
    let add = |name: &str, password: &str, more: &[&str]| {
        let mut all = vec!["user", "add", name, "--mschap", "--users", users.as_str()];
        all.extend(more);
        let (said, code) = text(&output(&all, password));
        assert_eq!(code, 0, "{said}");
    };
    add("vera2", OTHER, &[]);
    add("nobody", OTHER, &[]);
    add("unknown", PASSWORD, &[]);
    remote.iter().for_each(|name| add(name, samba::PASSWORD, &[]));
    add("off", PASSWORD, &["--disabled"]);
    add("past", PASSWORD, &["--expires", "2020-01-02"]);
    server.reload(|config| config);
    server
}

/// Runs a login that must be refused; gives what the client said and the line of the log.
fn refused(server: &mut Server, name: &str, method: &str, password: &str) -> (String, String) {
    let bare = name.split('#').next().expect("a name");
    let lines = |server: &mut Server| {
        let users = [name, bare].map(|name| {
            if name.contains(' ') { format!("user=\"{name}\"") } else { format!("user={name} ") }
        });
        let of_ours = |line: &String| !line.contains("DEBUG") && users.iter().any(|user| line.contains(user));
        server.process().lines_with("login ").into_iter().filter(of_ours).collect::<Vec<_>>()
    };
    let before = lines(server).len();
    let (said, code) = text(&server.dial(name, method, password, &[]));
    assert_eq!(code, 1, "{name} {method}: {said}");
    wait_until(&format!("a line about {name}"), Duration::from_secs(5), || lines(server).len() > before);
    (said, lines(server).pop().expect("just seen"))
}

#[test]
fn each_no_is_told_by_its_reason_and_local_is_not_asked() {
    let lab = lab();
    let mut server = serve(&lab);
    for (group, ..) in ROWS {
        let (said, code) = text(&server.dial(&format!("vera#{group}"), "pap", PASSWORD, &["--ping", "1"]));
        assert_eq!(code, 0, "{group}: {said}");
    }
    let mut wrong = Vec::new();
    for Case { group, user, password, reason, layer, words } in CASES {
        let name = format!("{user}#{group}");
        let (said, line) = refused(&mut server, &name, "pap", password);
        let test = ["aaa", "test", "--user", &name, "--method", "pap", "--json"];
        let (report, code) = text(&server.run(&test, password));
        let report: Value = serde_json::from_str(&report).unwrap_or_else(|_| panic!("{report}"));
        let told = said.contains(words)
            && line.contains("login refused")
            && line.ends_with(&format!("reason={reason}"))
            && line.contains("fell_back=false")
            && line.contains(&format!("tunnel_group=\"{group}\""))
            && (code, &report["layer"], &report["reason"], &report["fell-back"])
                == (1, &(*layer).into(), &(*reason).into(), &false.into());
        if !told {
            wrong.push(format!("--- {name}: {reason} ({layer})\n{said}{line}\n{report:#}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn local_would_have_let_in_whoever_was_refused() {
    let lab = lab();
    let server = serve(&lab);
    for Case { group, user, password, .. } in CASES.iter().filter(|case| case.group != "LOCAL") {
        // Names are unique at LOCAL, passwords are not: `vera` has another one there.
        let twin = if *user == "vera" { "vera2" } else { user };
        let (said, code) = text(&server.dial(&format!("{twin}#LOCAL"), "pap", password, &[]));
        assert_eq!(code, 0, "{user} ({group}): {said}");
    }
}

#[test]
fn a_second_question_is_a_no_with_words_and_the_next_login_answers_it() {
    let lab = lab();
    let mut server = serve(&lab);
    for (user, words, answer, then) in [
        ("next", "Wait until your token shows another code", NEXT_TOKENCODE, None),
        ("newpin", "Choose a new PIN", "8765", Some("Now log in again with your passcode")),
    ] {
        let name = format!("{user}#sdi");
        let (said, line) = refused(&mut server, &name, "pap", PASSWORD);
        assert!(said.contains(words) && line.contains("asks a second question"), "{said}{line}");
        match then {
            None => {
                let (said, code) = text(&server.dial(&name, "pap", answer, &["--ping", "1"]));
                assert_eq!(code, 0, "{said}");
            }
            Some(then) => {
                let (said, _) = refused(&mut server, &name, "pap", answer);
                assert!(said.contains(then), "{said}");
            }
        }
    }
}

#[test]
fn a_wrong_password_is_a_no_by_every_method_and_local_is_not_asked() {
    let lab = lab();
    let mut server = serve(&lab);
    for method in ["ms-chap-v2", "ms-chap-v1", "chap", "pap"] {
        let (said, code) = text(&server.dial("vera", method, PASSWORD, &["--ping", "1"]));
        assert_eq!(code, 0, "{method}: {said}");
    }
    for (group, _, methods) in ROWS {
        // EAP is a conversation with the server alone: tests/eap.rs.
        for method in methods.iter().filter(|method| **method != "eap") {
            for (user, password) in [("vera", OTHER), ("nobody here", OTHER)] {
                // An MS-CHAPv2 response covers the name as it was typed: who names a group is right at LOCAL alone.
                let name = match group {
                    "LOCAL" => format!("{user}#LOCAL"),
                    "radius" => user.trim_end_matches(" here").to_owned(),
                    _ => format!("{}#{group}", user.trim_end_matches(" here")),
                };
                let (said, line) = refused(&mut server, &name, method, password);
                let rejected = ["wrong password", "unknown user", "rejected by the server"];
                assert!(
                    rejected.iter().any(|reason| line.ends_with(&format!("reason={reason}"))),
                    "{method}: {line}"
                );
                assert!(line.contains("fell_back=false"), "{method}: {line}");
                let logged = if group == "sdi" { "sdi" } else { method };
                assert!(line.contains(&format!("method={logged} ")), "{line}");
                let told = if group == "tacacs" { "go  away" } else { TOLD_ALIKE };
                assert!(said.contains(told), "{group} {method}: {said}");
            }
        }
    }
    for (user, reason, words) in [
        ("mslocked", "account disabled", "(error 647)"),
        ("msexpired", "password expired", "expired (error 691)"),
    ] {
        for method in ["ms-chap-v1", "ms-chap-v2"] {
            let (said, line) = refused(&mut server, user, method, samba::PASSWORD);
            assert!(line.ends_with(&format!("reason={reason}")), "{line}");
            assert!(said.contains(words), "{said}");
        }
    }
}
