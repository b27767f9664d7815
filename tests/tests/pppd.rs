//! A real pppd under a real xl2tpd, on a Linux kernel of its own.

use std::time::Duration;

use tollgate_tests::capture::Capture;
use tollgate_tests::guest::{self, Guest};
use tollgate_tests::{Server, wait_until};

const USERS: &[(&str, &str)] = &[("jdoe", "j!doe1")];

/// A server on the guest's link; `more` is added to `[lns]`.
fn config(methods: &str, more: &str) -> String {
    format!(
        r#"
[lns]
hostname = "vpn"
require-ipsec = false
l2tp-listen = "{}:1701"
{more}
[local]
users = "users.toml"
[pool.clients]
range = "10.77.0.10-10.77.0.20"
mask = "255.255.255.0"
[group-policy.clients]
dns-server = ["10.77.0.53", "10.77.0.54"]
[tunnel-group.DefaultRAGroup]
address-pool = ["clients"]
default-group-policy = "clients"
ppp-authentication = [{methods}]
"#,
        guest::SERVER
    )
}

/// Logs in by one method and looks at both ends.
fn login(method: &str, pppd_options: &str) {
    let namespace = guest::namespace();
    let capture = Capture::start(&namespace, "guest0");
    let mut server = Server::start(&config(&format!("\"{method}\""), ""), USERS, Some(&namespace));
    let script = format!(
        "dial jdoe 'j!doe1' <<X\n{pppd_options}\nX\nwait_up && ping -c 3 -i 0.2 10.77.0.1 && sleep 1\nhang_up\nwait_down"
    );
    let mut guest = Guest::boot(&namespace, &script);
    let up = guest.wait_for("GUEST up");
    assert!(up.contains("10.77.0.10 peer 10.77.0.1/32"), "{up}");
    let started = server.wait_for_log("session started");
    assert!(started.contains("user=jdoe") && started.contains(&format!("method={method}")), "{started}");
    guest.wait_for("3 received, 0% packet loss");
    let sessions = server.show("sessions");
    assert_eq!(sessions[0]["user"], "jdoe");
    assert_eq!(sessions[0]["address"], "10.77.0.10");
    assert_eq!(sessions[0]["packets-in"], 3, "{sessions}");
    let ended = server.wait_for_log("session ended");
    assert!(ended.contains("cause=user request"), "{ended}");
    let lines = guest.finish();
    for text in ["primary   DNS address 10.77.0.53", "secondary DNS address 10.77.0.54", "GUEST down"] {
        assert!(lines.iter().any(|line| line.contains(text)), "{text} in {}", lines.join("\n"));
    }
    let packets = capture.stop();
    assert_eq!(packets.matching("_ws.malformed"), Vec::<String>::new());
    assert!(!packets.matching("l2tp.avp.message_type == 12").is_empty(), "the capture holds the call");
    server.stop();
}

#[test]
fn pap() {
    login("pap", "refuse-chap\nrefuse-mschap\nrefuse-mschap-v2\nrefuse-eap");
}

#[test]
fn ms_chap_v1() {
    login("ms-chap-v1", "refuse-chap\nrefuse-mschap-v2\nrefuse-pap\nrefuse-eap");
}

#[test]
fn ms_chap_v2() {
    login("ms-chap-v2", "refuse-chap\nrefuse-mschap\nrefuse-pap\nrefuse-eap");
}

#[test]
fn a_wrong_password_is_told_to_the_user() {
    let namespace = guest::namespace();
    let mut server = Server::start(&config("\"ms-chap-v2\"", ""), USERS, Some(&namespace));
    let mut guest = Guest::boot(&namespace, "dial jdoe wrong <<X\nX\nsleep 4");
    guest.wait_for("E=691");
    let refused = server.wait_for_log("login refused");
    assert!(refused.contains("reason=wrong password"), "{refused}");
    assert!(server.process().lines_with("INFO session started").is_empty());
}

#[test]
fn a_client_that_can_do_chap_only_is_refused_with_the_cell_of_the_matrix() {
    let namespace = guest::namespace();
    let mut server = Server::start(&config("\"ms-chap-v2\", \"pap\"", ""), USERS, Some(&namespace));
    let script =
        "dial jdoe 'j!doe1' <<X\nrefuse-pap\nrefuse-mschap\nrefuse-mschap-v2\nrefuse-eap\nX\nsleep 4";
    let guest = Guest::boot(&namespace, script);
    let refused = server.wait_for_log("login refused");
    assert!(refused.contains("CHAP is not served by LOCAL (type matrix)"), "{refused}");
    let lines = guest.finish();
    assert!(!lines.iter().any(|line| line.contains("GUEST up")));
}

#[test]
fn the_server_hangs_up() {
    let namespace = guest::namespace();
    let mut server = Server::start(&config("\"ms-chap-v2\"", ""), USERS, Some(&namespace));
    let mut guest = Guest::boot(&namespace, "dial jdoe 'j!doe1' <<X\nX\nwait_up && wait_down");
    guest.wait_for("GUEST up");
    server.wait_for_log("session started");
    let done = server.run(&["disconnect", "--user", "jdoe"], "");
    assert!(done.status.success());
    let ended = server.wait_for_log("session ended");
    assert!(ended.contains("cause=administrator reset"), "{ended}");
    guest.wait_for("GUEST down");
    assert!(server.show("sessions").as_array().is_some_and(Vec::is_empty));
    assert_eq!(server.show("pools")[0]["used"], 0);
}

#[test]
fn a_client_that_vanishes_is_noticed_by_its_silence() {
    let namespace = guest::namespace();
    let more = "ppp-echo-interval = 5\nppp-echo-misses = 1";
    let mut server = Server::start(&config("\"ms-chap-v2\"", more), USERS, Some(&namespace));
    let mut guest = Guest::boot(&namespace, "dial jdoe 'j!doe1' <<X\nX\nwait_up; sleep 60");
    guest.wait_for("GUEST up");
    server.wait_for_log("session started");
    drop(guest);
    let process = server.process();
    wait_until("the session ends", Duration::from_secs(30), || {
        !process.lines_with("session ended").is_empty()
    });
    let ended = server.wait_for_log("session ended");
    assert!(ended.contains("cause=lost carrier"), "{ended}");
    assert_eq!(server.show("pools")[0]["used"], 0);
}

#[test]
fn a_server_that_stops_closes_the_session_properly() {
    let namespace = guest::namespace();
    let mut server = Server::start(&config("\"ms-chap-v2\"", ""), USERS, Some(&namespace));
    let mut guest = Guest::boot(&namespace, "dial jdoe 'j!doe1' <<X\nX\nwait_up && wait_down");
    guest.wait_for("GUEST up");
    server.wait_for_log("session started");
    let log = server.stop();
    assert!(log.iter().any(|line| line.contains("cause=administrator shutdown")), "{}", log.join("\n"));
    guest.wait_for("GUEST down");
}
