//! What an Access-Accept says is what the session is, and what the session was is what the records say.

use tollgate_tests::radius::{self, FreeRadius, wait_for_record};
use tollgate_tests::tollgate::{LOOPBACK, text};
use tollgate_tests::{Server, wait_until};

use std::time::Duration;

const ACCOUNTS: &str = r#"
joe Cleartext-Password := "x"
    Framed-IP-Address = 10.88.0.7,
    MS-Primary-DNS-Server = 10.0.0.53,
    MS-Secondary-DNS-Server = 10.0.0.54,
    MS-Primary-NBNS-Server = 10.0.0.137,
    Class = 0x4f553d73616c65733b,
    Class += 0x00ff0102,
    Filter-Id = "inside",
    Session-Timeout = 3600,
    Idle-Timeout = 600,
    Reply-Message = "Welcome"

short Cleartext-Password := "x"
    Session-Timeout = 2

idle Cleartext-Password := "x"
    Idle-Timeout = 2

interim Cleartext-Password := "x"
    Acct-Interim-Interval = 2

stray Cleartext-Password := "x"
    Filter-Id = "nosuch"

plain Cleartext-Password := "x"
"#;

fn config(radius: &FreeRadius) -> String {
    let host = radius::host(radius, "retry-interval = 1");
    format!(
        r##"{LOOPBACK}group-delimiter = "#"
[pool.clients]
range = "10.77.0.10-10.77.0.20"
mask = "255.255.255.0"
[pool.sales]
range = "10.78.0.10-10.78.0.20"
mask = "255.255.255.0"
[access-list.inside]
rules = ["permit icmp any any"]
[group-policy.sales]
address-pool = ["sales"]
vpn-simultaneous-logins = 7
[server-group.corp]
protocol = "radius"
{host}
[tunnel-group.DefaultRAGroup]
address-pool = ["clients"]
authentication-server-group = "corp"
accounting-server-group = "corp"
ppp-authentication = ["ms-chap-v2", "chap", "pap"]
strip-realm = true
"##
    )
}

fn start(radius: &FreeRadius) -> Server {
    Server::start(&config(radius), &[], None)
}

#[test]
fn the_attributes_of_an_accept_make_the_session() {
    let radius = radius::start(ACCOUNTS);
    let mut server = start(&radius);
    let dialled = server.dial_and_hold("joe", "chap", "x", &["--ping", "2"]);
    let up = dialled.lines_with("  ipcp ").concat();
    assert!(up.contains("address 10.88.0.7"), "{up}");
    assert!(up.contains("dns 10.0.0.53, 10.0.0.54, wins 10.0.0.137"), "{up}");
    let line = server.wait_for_log("session started");
    assert!(line.contains("policy=\"sales\"") && line.contains("address=10.88.0.7"), "{line}");
    let sessions = server.show("sessions");
    assert_eq!(sessions[0]["group-policy"], "sales", "{sessions:#}");
    assert_eq!(sessions[0]["address"], "10.88.0.7");
    assert_eq!(sessions[0]["method"], "chap");
    let (said, code) = text(&server.run(&["aaa", "test", "--user", "joe", "--method", "pap", "--json"], "x"));
    assert_eq!(code, 0, "{said}");
    let said: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    let policy = &said["policy"];
    assert_eq!((&policy["session-timeout"], &policy["idle-timeout"]), (&3600.into(), &600.into()));
    assert_eq!((&policy["filter"], &policy["simultaneous-logins"]), (&"inside".into(), &7.into()));
    assert_eq!(said["attributes"]["reply-message"], "Welcome");
}

#[test]
fn a_filter_that_nobody_configured_keeps_the_user_out() {
    let radius = radius::start(ACCOUNTS);
    let mut server = start(&radius);
    let (said, code) = text(&server.dial("stray", "ms-chap-v2", "x", &[]));
    assert_eq!(code, 1);
    assert!(said.contains("not allowed by policy (error 649)"), "{said}");
    let line = server.wait_for_log("login refused by policy");
    assert!(line.contains("access list nosuch is not configured"), "{line}");
}

#[test]
fn start_and_stop_records_arrive_with_all_that_billing_needs() {
    let radius = radius::start(ACCOUNTS);
    let server = start(&radius);
    let (said, code) = text(&server.dial("joe@acme", "pap", "x", &["--ping", "5"]));
    assert_eq!(code, 0, "{said}");
    let start = wait_for_record(&radius, "Start", "joe");
    let stop = wait_for_record(&radius, "Stop", "joe");
    for record in [&start, &stop] {
        assert_eq!(record.all("Class"), ["0x4f553d73616c65733b", "0x00ff0102"], "{record:?}");
        assert_eq!(record.get("Framed-IP-Address"), Some("10.88.0.7"));
        assert_eq!(record.get("NAS-Identifier"), Some("vpn"));
        assert_eq!(record.get("Acct-Authentic"), Some("RADIUS"));
        assert_eq!(record.get("Calling-Station-Id"), Some("127.0.0.1"));
        assert_eq!(record.get("ASA-TunnelGroupName"), Some("DefaultRAGroup"));
    }
    assert_eq!(start.get("Acct-Session-Id"), stop.get("Acct-Session-Id"));
    let request = &radius::records(&radius.request_detail())[0];
    assert_eq!(request.get("Acct-Session-Id"), stop.get("Acct-Session-Id"), "the login's and the record's");
    assert_eq!(request.get("User-Name"), Some("joe"), "the name that was sent");
    // Five pings of 84 octets each way.
    assert_eq!(stop.number("Acct-Input-Octets"), 420);
    assert_eq!(stop.number("Acct-Output-Octets"), 420);
    assert_eq!((stop.number("Acct-Input-Packets"), stop.number("Acct-Output-Packets")), (5, 5));
    assert_eq!(stop.get("Acct-Terminate-Cause"), Some("User-Request"));
    assert!(stop.get("Acct-Input-Gigawords").is_none_or(|words| words == "0"), "{stop:?}");
    assert!(start.get("Acct-Terminate-Cause").is_none());
}

#[test]
fn timeouts_of_the_server_end_the_session_with_their_cause() {
    let radius = radius::start(ACCOUNTS);
    let mut server = start(&radius);
    let mut short = server.dial_and_hold("short", "pap", "x", &[]);
    let mut idle = server.dial_and_hold("idle", "pap", "x", &[]);
    let mut plain = server.dial_and_hold("plain", "pap", "x", &[]);
    assert_eq!(short.wait(Duration::from_secs(20)), Some(1));
    assert_eq!(idle.wait(Duration::from_secs(20)), Some(1));
    let stop = wait_for_record(&radius, "Stop", "short");
    assert_eq!(stop.get("Acct-Terminate-Cause"), Some("Session-Timeout"));
    assert!((2..=4).contains(&stop.number("Acct-Session-Time")), "{stop:?}");
    let stop = wait_for_record(&radius, "Stop", "idle");
    assert_eq!(stop.get("Acct-Terminate-Cause"), Some("Idle-Timeout"));
    // The user is told.
    let line = short.wait_for_line("failed: ", Duration::from_secs(5));
    assert!(line.contains("session timeout"), "{line}");
    let sessions = server.show("sessions");
    assert_eq!(sessions.as_array().map(Vec::len), Some(1), "{sessions:#}");
    assert!(server.run(&["disconnect", "--user", "plain"], "").status.success());
    assert_eq!(plain.wait(Duration::from_secs(10)), Some(1));
    let stop = wait_for_record(&radius, "Stop", "plain");
    assert_eq!(stop.get("Acct-Terminate-Cause"), Some("Admin-Reset"));
    server.wait_for_log("cause=admin");
}

#[test]
fn a_record_waits_for_a_server_that_is_down_and_is_not_lost() {
    let mut radius = radius::start(ACCOUNTS);
    let mut server = start(&radius);
    let mut dialled = server.dial_and_hold("plain", "ms-chap-v2", "x", &[]);
    wait_for_record(&radius, "Start", "plain");
    radius.stop();
    dialled.signal(libc::SIGKILL);
    assert!(server.run(&["disconnect", "--all"], "").status.success());
    dialled.wait(Duration::from_secs(5));
    server.wait_for_log("accounting is not acknowledged, kept for later");
    radius.start_again();
    let stop = wait_for_record(&radius, "Stop", "plain");
    assert_eq!(stop.get("Acct-Terminate-Cause"), Some("Admin-Reset"));
    server.wait_for_log("accounting is acknowledged again");
}

#[test]
fn a_secret_changed_in_mid_session_reaches_its_stop_record_too() {
    let mut radius = radius::start(ACCOUNTS);
    let mut server = start(&radius);
    let _dialled = server.dial_and_hold("plain", "ms-chap-v2", "x", &[]);
    wait_for_record(&radius, "Start", "plain");
    radius.stop();
    radius.change_secret("another secret");
    radius.start_again();
    server.reload(|text| text.replace(radius::SECRET, "another secret"));
    assert!(server.run(&["disconnect", "--user", "plain"], "").status.success());
    wait_for_record(&radius, "Stop", "plain");
    let (said, code) = text(&server.dial("plain", "pap", "x", &[]));
    assert_eq!(code, 0, "{said}");
}

#[test]
fn an_interim_record_tells_how_much_has_flowed_so_far() {
    let radius = radius::start(ACCOUNTS);
    let server = start(&radius);
    let _dialled = server.dial_and_hold("interim", "pap", "x", &["--ping", "3"]);
    let mut interim = None;
    wait_until("an interim record arrives", Duration::from_secs(20), || {
        interim = radius::records(&radius.accounting_detail())
            .into_iter()
            .find(|record| record.get("Acct-Status-Type") == Some("Interim-Update"));
        interim.is_some()
    });
    let interim = interim.expect("just found");
    assert_eq!((interim.number("Acct-Input-Octets"), interim.number("Acct-Input-Packets")), (252, 3));
    assert!((2..=10).contains(&interim.number("Acct-Session-Time")), "{interim:?}");
}
