//! More servers than one for a login: a second factor, and authorization by somebody else than who knows the password.

use serde_json::Value;
use tollgate_tests::Server;
use tollgate_tests::front::{Front, Way};
use tollgate_tests::radius::{FreeRadius, Options};
use tollgate_tests::servers::tacacs;
use tollgate_tests::types::{self, Lab, PASSWORD, REMOTE, ROWS};

use super::site::{NOBODY, WRONG, comes_in, is_refused, tested};

/// What the token of `fay` shows.
const CODE: &str = "424242";
/// With the separator in it.
const COMMAS: &str = "one,two,three";

/// `fay` is known everywhere, `ghost` to RADIUS and LOCAL alone.
fn lab() -> Lab {
    let radius =
        ["fay", "ghost"].map(|user| format!("{user} Cleartext-Password := \"{PASSWORD}\"\n")).concat()
            + &format!("commas Cleartext-Password := \"{COMMAS}\"\n");
    let lab = Lab::with(&radius, &format!(", \"fay\": \"{PASSWORD}\""));
    static FAY: std::sync::Once = std::sync::Once::new();
    FAY.call_once(|| {
        let entitlements = "physicalDeliveryOfficeName: staff\ndescription: 10.77.0.77\n";
        lab.domain.add_user("fay", PASSWORD, entitlements);
    });
    lab.securid.set_passcode("fay", CODE);
    lab.securid.set_passcode("commas", CODE);
    lab
}

fn head(lab: &Lab) -> String {
    let mut config = types::head() + "[group-policy.DfltGrpPolicy]\nvpn-simultaneous-logins = 100\n";
    REMOTE.iter().for_each(|group| config += &lab.group(group).to_string());
    config + &types::tunnel_group("DefaultRAGroup", "LOCAL", &["pap"], "")
}

/// Users of LOCAL, who are right there.
const LOCAL: &[(&str, &str)] = &[("fay", PASSWORD), ("ghost", PASSWORD)];

/// A relay behind which nobody is.
fn gone(lab: &Lab, group: &str) -> Front {
    let front = Front::start(lab.address(group));
    front.set(Way::Down);
    front
}

/// Words of a tunnel group that asks for a second factor.
fn second(group: &str, more: &str) -> String {
    format!("secondary-authentication-server-group = \"{group}\"\nlocal-fallback = true\n{more}")
}

#[test]
fn both_factors_must_be_right_whoever_checks_them() {
    let lab = lab();
    let mut config = head(&lab);
    for (group, ..) in ROWS.iter().filter(|(group, ..)| *group != "LOCAL") {
        config += &types::tunnel_group(&format!("{group}-sdi"), group, &["pap"], &second("sdi", ""));
        config += &types::tunnel_group(&format!("LOCAL-{group}"), "radius", &["pap"], &second(group, ""));
    }
    let slash = second("sdi", "secondary-authentication-separator = \"/\"");
    config += &types::tunnel_group("slash", "radius", &["pap"], &slash);
    let server = Server::start(&config, LOCAL, None);
    for group in REMOTE {
        let first_code = if group == "sdi" { CODE } else { PASSWORD };
        let name = format!("fay#{group}-sdi");
        comes_in(&server, &name, &format!("{first_code},{CODE}"));
        let asked = lab.securid.counts().1;
        if group != "sdi" {
            is_refused(
                &server,
                &name,
                &format!("wrong,{CODE}"),
                if group == "tacacs" { "go  away" } else { WRONG },
            );
            assert_eq!(lab.securid.counts().1, asked, "{group}: a wrong password leaves the code unspent");
        }
        is_refused(&server, &name, &format!("{first_code},000000"), WRONG);
        let wrong_code = tested(&server, &name, &format!("{first_code},000000")).0;
        assert_eq!((&wrong_code["server-group"], &wrong_code["layer"]), (&"sdi".into(), &"password".into()));
        for incomplete in [first_code.to_owned(), format!("{first_code},"), format!("{first_code}/{CODE}")] {
            is_refused(&server, &name, &incomplete, "type your password, , and the code of your token");
        }
        is_refused(&server, &name, &format!(",{CODE}"), if group == "tacacs" { "go  away" } else { "" });

        let name = format!("fay#LOCAL-{group}");
        comes_in(&server, &name, &format!("{PASSWORD},{first_code}"));
        is_refused(&server, &name, &format!("{PASSWORD},wrong"), "");
        is_refused(&server, &name, &format!("wrong,{first_code}"), WRONG);
    }
    comes_in(&server, "commas#radius-sdi", &format!("{COMMAS},{CODE}"));
    comes_in(&server, "commas#slash", &format!("{COMMAS}/{CODE}"));
    is_refused(&server, "commas#slash", &format!("{COMMAS},{CODE}"), "the code of your token");
}

#[test]
fn local_stands_in_for_the_first_server_and_never_for_the_second() {
    let lab = lab();
    let mut config = head(&lab);
    let fronts: Vec<_> = REMOTE.into_iter().map(|group| (group, gone(&lab, group))).collect();
    for (group, front) in &fronts {
        let away = format!("{group}-gone");
        config += &lab.group(group).named(&away).through(front).timeout(1).to_string();
        config += &types::tunnel_group(&format!("first-{group}"), &away, &["pap"], &second("sdi", ""));
        config += &types::tunnel_group(&format!("second-{group}"), "radius", &["pap"], &second(&away, ""));
    }
    let mut server = Server::start(&config, LOCAL, None);
    for group in REMOTE {
        let name = format!("fay#first-{group}");
        comes_in(&server, &name, &format!("{PASSWORD},{CODE}"));
        is_refused(&server, &name, &format!("{PASSWORD},000000"), WRONG);
        is_refused(&server, &name, &format!("wrong,{CODE}"), WRONG);

        let name = format!("fay#second-{group}");
        is_refused(&server, &name, &format!("{PASSWORD},{PASSWORD}"), NOBODY);
        let line = server.process().lines_with("login not decided").pop().expect("it is logged");
        assert!(line.contains("second factor: ") && line.contains("fell_back=false"), "{line}");
        let (report, code) = tested(&server, &name, &format!("{PASSWORD},{PASSWORD}"));
        assert_eq!((code, &report["layer"]), (2, &"connection".into()), "{report:#}");
    }
}

/// What `show sessions` says of the session in a tunnel group.
fn session(server: &Server, tunnel_group: &str) -> (Value, Value) {
    let shown = server.show("sessions");
    let session = shown.as_array().into_iter().flatten().find(|shown| shown["tunnel-group"] == tunnel_group);
    let session = session.unwrap_or_else(|| panic!("{tunnel_group}: {shown:#}"));
    (session["address"].clone(), session["group-policy"].clone())
}

#[test]
fn who_authorizes_says_what_a_session_gets_and_may_say_no() {
    let lab = lab();
    let tacacs = tacacs::Server::with(
        r#""authorization": ["addr=10.77.0.88", "group-policy=staff"], "unauthorized": ["ghost"],"#,
    );
    let radius = FreeRadius::start(Options {
        users: "fay Cleartext-Password := \"of nobody\"\n    Framed-IP-Address = 10.77.0.99, Class = \"OU=staff;\"\n"
            .to_owned(),
        ..Options::default()
    });
    let mut config = head(&lab);
    config += "[group-policy.staff]\nvpn-idle-timeout = 7\n[ldap-attribute-map.corp]\nmap-name = { \
               physicalDeliveryOfficeName = \"Group-Policy\", description = \"IETF-Radius-Framed-IP-Address\" }\n";
    let entitled = [
        lab.group("directory").named("by-directory").group("ldap-attribute-map", "\"corp\""),
        lab.group("tacacs").named("by-tacacs").at(([127, 0, 0, 1], tacacs.port).into()),
        lab.group("radius").named("by-radius").at(radius.address()).host("radius-common-pw", "\"of nobody\""),
    ];
    let fronts: Vec<_> = ["directory", "tacacs", "radius"].map(|group| (group, gone(&lab, group))).into();
    entitled.iter().for_each(|group| config += &group.to_string());
    for (group, front) in &fronts {
        let away = format!("{group}-gone");
        let by_nobody = lab.group(group).named(&away).through(front).timeout(1);
        config += &by_nobody.to_string();
        let more = format!("authorization-server-group = \"{away}\"\nlocal-fallback = true");
        config += &types::tunnel_group(&format!("{group}-away"), "radius", &["pap"], &more);
        for (first, ..) in ROWS {
            let more = format!("authorization-server-group = \"by-{group}\"\nlocal-fallback = true");
            config += &types::tunnel_group(&format!("{first}-{group}"), first, &["pap"], &more);
        }
    }
    let mut server = Server::start(&config, LOCAL, None);
    for (group, address) in [("directory", "10.77.0.77"), ("tacacs", "10.77.0.88"), ("radius", "10.77.0.99")]
    {
        for (first, ..) in ROWS {
            let tunnel_group = format!("{first}-{group}");
            let name = format!("fay#{tunnel_group}");
            let password = if first == "sdi" { CODE } else { PASSWORD };
            let held = server.dial_and_hold(&name, "pap", password, &[]);
            let (got, policy) = session(&server, &tunnel_group);
            assert_eq!((got, policy), (address.into(), "staff".into()), "{tunnel_group}");
            drop(held);
        }
        let name = format!("fay#radius-{group}");
        is_refused(&server, &name, "wrong", WRONG);
        // Right at RADIUS, and unknown or not allowed here; LOCAL is not asked.
        let name = format!("ghost#radius-{group}");
        is_refused(&server, &name, PASSWORD, "");
        let line = server.process().lines_with("login refused").pop().expect("it is logged");
        let reason = match group {
            "directory" => "unknown user",
            "tacacs" => "no right to dial in",
            _ => "rejected by the server",
        };
        assert!(line.ends_with(&format!("reason={reason}")) && line.contains("fell_back=false"), "{line}");
        let (report, code) = tested(&server, &name, PASSWORD);
        assert_eq!((code, &report["server-group"]), (1, &format!("by-{group}").into()), "{report:#}");

        is_refused(&server, &format!("fay#{group}-away"), PASSWORD, NOBODY);
        let line = server.process().lines_with("login not decided").pop().expect("it is logged");
        assert!(line.contains("authorization: ") && line.contains("fell_back=false"), "{line}");
    }
    let asked = tacacs.log().iter().filter(|line| line.contains("\"authentication\"")).count();
    assert_eq!(asked, 0, "no password went to the server that authorizes");
}
