//! Sessions from the first packet to the last, however they end.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use tollgate_tests::capture::Capture;
use tollgate_tests::client::connect;
use tollgate_tests::radius::{self, wait_for_record};
use tollgate_tests::relay::Relay;
use tollgate_tests::tollgate::{LOOPBACK, binary, text};
use tollgate_tests::{Namespace, Server, wait_until};

const USERS: &[(&str, &str)] = &[("jdoe", "x"), ("ada", "x")];
const INSIDE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const MOMENT: Duration = Duration::from_secs(5);

fn config(more: &str, tunnel_group: &str) -> String {
    format!(
        r#"{LOOPBACK}
{more}
[local]
users = "users.toml"
[pool.clients]
range = "10.77.0.10-10.77.0.200"
mask = "255.255.255.0"
[group-policy.DfltGrpPolicy]
vpn-simultaneous-logins = 200
dns-server = ["10.77.0.53"]
[tunnel-group.DefaultRAGroup]
address-pool = ["clients"]
ppp-authentication = ["ms-chap-v2", "ms-chap-v1", "pap"]
{tunnel_group}
"#
    )
}

fn start(more: &str) -> Server {
    Server::start(&config(more, ""), USERS, None)
}

fn count(server: &Server, what: &str) -> usize {
    server.show(what).as_array().map_or(0, Vec::len)
}

#[test]
fn a_hang_up_of_the_client_leaves_nothing_behind() {
    let mut server = start("");
    let (said, code) = text(&server.dial("jdoe", "ms-chap-v2", "x", &["--ping", "3"]));
    assert_eq!(code, 0, "{said}");
    let line = server.wait_for_log("session ended");
    assert!(line.contains("cause=user request"), "{line}");
    assert!(line.contains("octets_in=252 octets_out=252"), "{line}");
    wait_until("the tunnel is gone", Duration::from_secs(60), || count(&server, "tunnels") == 0);
    assert_eq!(count(&server, "sessions"), 0);
    assert_eq!(server.show("pools")[0]["used"], 0);
}

#[test]
fn an_operator_ends_the_session_that_is_meant_and_no_other() {
    let server = start("");
    let mut one = connect(&server.address(), "jdoe", "x");
    let mut two = connect(&server.address(), "ada", "x");
    let mut three = connect(&server.address(), "ada", "x");
    let (said, code) = text(&server.run(&["disconnect", "--address", "10.77.0.11"], ""));
    assert_eq!((said.as_str(), code), ("1 sessions disconnected\n", 0));
    two.hold(Instant::now() + MOMENT);
    let ended = two.ended().expect("it was told").to_string();
    assert!(ended.contains("disconnected by the administrator"), "{ended}");
    assert!(one.ping(INSIDE, 1, MOMENT).is_some() && three.ping(INSIDE, 1, MOMENT).is_some());
    assert_eq!(server.run(&["disconnect", "--user", "nobody"], "").status.code(), Some(1));
    assert!(server.run(&["disconnect", "--all"], "").status.success());
    for dial in [&mut one, &mut three] {
        dial.hold(Instant::now() + MOMENT);
        assert!(dial.ended().is_some());
    }
    wait_until("all are gone", Duration::from_secs(10), || count(&server, "sessions") == 0);
}

#[test]
fn a_source_port_that_changes_in_mid_session_changes_nothing_else() {
    let server = start("");
    let relay = Relay::start(&server.address());
    let mut dial = connect(&relay.address(), "jdoe", "x");
    for sequence in 1..=8 {
        // Each port may lead to another shard's socket.
        relay.change_port();
        assert!(dial.ping(INSIDE, sequence, MOMENT).is_some(), "after change {sequence}");
    }
    assert_eq!((count(&server, "sessions"), count(&server, "tunnels")), (1, 1));
    assert_eq!(server.show("sessions")[0]["packets-in"], 8);
    dial.hang_up();
    wait_until("it is closed", Duration::from_secs(10), || count(&server, "sessions") == 0);
}

#[test]
fn many_sessions_in_several_tunnels_come_and_go() {
    let mut server = start("");
    let password = server.folder().join("password");
    std::fs::write(&password, "x").expect("writable");
    let password = password.display().to_string();
    let address = server.address();
    let arguments = [
        "bench",
        "login",
        "--server",
        &address,
        "--user",
        "jdoe",
        "--password-file",
        &password,
        "--auth",
        "ms-chap-v1",
        "--tunnels",
        "8",
        "--sessions",
        "12",
        "--hold",
        "2",
    ];
    let mut command = tollgate_tests::process::bound_to_us(binary());
    command.args(arguments);
    let mut bench = tollgate_tests::process::Process::start("bench", command);
    wait_until("all are up", Duration::from_secs(30), || server.show("pools")[0]["used"] == 96);
    assert_eq!((count(&server, "tunnels"), count(&server, "sessions")), (8, 96));
    assert_eq!(bench.wait(Duration::from_secs(60)), Some(0));
    let report: serde_json::Value =
        serde_json::from_str(&bench.wait_for_line("{", MOMENT)).expect("one JSON line");
    assert_eq!((&report["sessions"], &report["closed"]), (&96.into(), &96.into()), "{report:#}");
    assert_eq!((&report["failed"], &report["lost-while-held"]), (&0.into(), &0.into()), "{report:#}");
    wait_until("all are gone", Duration::from_secs(10), || count(&server, "sessions") == 0);
    wait_until("each end is told", Duration::from_secs(10), || {
        server.process().lines_with("session ended").len() == 96
    });
    assert_eq!(server.show("pools")[0]["used"], 0);
}

#[test]
fn a_client_that_vanishes_is_noticed_and_billed_as_lost() {
    let radius = radius::start("jdoe Cleartext-Password := \"x\"\n");
    let group = format!("[server-group.corp]\nprotocol = \"radius\"\n{}", radius::host(&radius, ""));
    let tunnel_group = format!("accounting-server-group = \"corp\"\n{group}");
    let config = config("ppp-echo-interval = 5\nppp-echo-misses = 1", &tunnel_group);
    let mut server = Server::start(&config, USERS, None);
    drop(server.dial_and_hold("jdoe", "pap", "x", &["--ping", "1"]));
    let stop = wait_for_record(&radius, "Stop", "jdoe");
    assert_eq!(stop.get("Acct-Terminate-Cause"), Some("Lost-Carrier"));
    assert_eq!(stop.number("Acct-Input-Packets"), 1);
    let line = server.wait_for_log("session ended");
    assert!(line.contains("cause=lost carrier"), "{line}");
}

#[test]
fn a_stop_closes_every_session_and_sends_its_record() {
    let radius = radius::start("jdoe Cleartext-Password := \"x\"\n");
    let group = format!("[server-group.corp]\nprotocol = \"radius\"\n{}", radius::host(&radius, ""));
    let config = config("", &format!("accounting-server-group = \"corp\"\n{group}"));
    let server = Server::start(&config, USERS, None);
    let mut polite = server.dial_and_hold("jdoe", "ms-chap-v2", "x", &["--ping", "2"]);
    let vanished = server.dial_and_hold("ada", "pap", "x", &[]);
    drop(vanished);
    wait_for_record(&radius, "Start", "ada");
    let begun = Instant::now();
    let log = server.stop();
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert_eq!(polite.wait(MOMENT), Some(1));
    let line = polite.wait_for_line("failed: ", MOMENT);
    assert!(line.contains("the server is shutting down"), "{line}");
    for user in ["jdoe", "ada"] {
        let stop = wait_for_record(&radius, "Stop", user);
        assert_eq!(stop.get("Acct-Terminate-Cause"), Some("Admin-Reboot"), "{user}");
    }
    assert_eq!(log.iter().filter(|line| line.contains("session ended")).count(), 2);
    assert!(!log.iter().any(|line| line.contains("are lost")), "{}", log.join("\n"));
}

#[test]
fn wireshark_finds_nothing_malformed_from_the_first_packet_to_the_last() {
    let namespace = Namespace::new();
    let capture = Capture::start(&namespace, "lo");
    let more = "l2tp-tunnel-password = \"word-of-the-lac\"\nhide-avps = true";
    let config = config(more, "").replace("127.0.0.1:0", "127.0.0.1:1701");
    let server = Server::start(&config, USERS, Some(&namespace));
    let secret = server.folder().join("lac");
    std::fs::write(&secret, "word-of-the-lac").expect("writable");
    let secret = secret.display().to_string();
    let more = ["--tunnel-secret-file", secret.as_str(), "--ping", "3"];
    for method in ["pap", "ms-chap-v1", "ms-chap-v2"] {
        let (said, code) = text(&server.dial("jdoe", method, "x", &more));
        assert_eq!(code, 0, "{method}: {said}");
        let (said, code) = text(&server.dial("jdoe", method, "wrong", &more));
        assert_eq!(code, 1, "{method}: {said}");
    }
    assert_eq!(text(&server.dial("jdoe", "chap", "x", &more)).1, 1);
    assert_eq!(text(&server.dial("jdoe", "pap", "x", &[])).1, 1, "without the tunnel secret");
    let held = server.dial_and_hold("ada", "pap", "x", &more[..2]);
    assert!(server.run(&["disconnect", "--all"], "").status.success());
    drop(held);
    server.stop();
    let packets = capture.stop();
    assert_eq!(packets.matching("_ws.malformed"), Vec::<String>::new());
    for (filter, what) in [
        ("l2tp.avp.message_type == 3", "SCCCN"),
        ("l2tp.avp.message_type == 12", "ICCN"),
        ("l2tp.avp.message_type == 14", "CDN"),
        ("l2tp.avp.message_type == 4", "StopCCN"),
        ("pap", "PAP"),
        ("chap", "CHAP"),
        ("ipcp.opt.ip_address", "IPCP"),
        ("icmp && l2tp", "pings inside"),
    ] {
        assert!(!packets.matching(filter).is_empty(), "{what} is in the capture");
    }
}
