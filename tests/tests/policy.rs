//! What a group policy allows, as the client at the other end of the tunnel sees it.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use tollgate_tests::capture::Capture;
use tollgate_tests::client::{address, connect, hears_something, send_ping};
use tollgate_tests::tollgate::{LOOPBACK, output, text};
use tollgate_tests::{Namespace, Server, wait_until};

const USERS: &[(&str, &str)] = &[("jdoe", "x"), ("ada", "x")];
const INSIDE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const MOMENT: Duration = Duration::from_millis(700);

/// A server with a pool of `addresses`; `policy` goes into the group policy, `more` after all.
fn config(addresses: u8, policy: &str, more: &str) -> String {
    format!(
        r#"{LOOPBACK}
{more}
[local]
users = "users.toml"
[pool.clients]
range = "10.77.0.10-10.77.0.{}"
mask = "255.255.255.0"
[access-list.web]
rules = ["deny icmp any any", "permit tcp any any eq 443"]
[group-policy.staff]
{policy}
[tunnel-group.DefaultRAGroup]
address-pool = ["clients"]
default-group-policy = "staff"
"#,
        9 + addresses
    )
}

fn start(policy: &str) -> Server {
    Server::start(&config(10, policy, ""), USERS, None)
}

fn sessions(server: &Server) -> usize {
    server.show("sessions").as_array().map_or(0, Vec::len)
}

#[test]
fn one_login_too_many_ends_the_session_that_was_idle_longest() {
    let mut server = start("vpn-simultaneous-logins = 2");
    let mut first = connect(&server.address(), "jdoe", "x");
    let mut second = connect(&server.address(), "jdoe", "x");
    let mut other = connect(&server.address(), "ada", "x");
    // Idleness is kept by the second.
    std::thread::sleep(Duration::from_millis(1100));
    assert!(first.ping(INSIDE, 1, MOMENT).is_some(), "the older one is in use");
    let third = connect(&server.address(), "jdoe", "x");
    assert_eq!(address(&third), Ipv4Addr::new(10, 77, 0, 13));
    second.hold(Instant::now() + Duration::from_secs(5));
    let ended = second.ended().expect("the idle one went").to_string();
    assert!(ended.contains("logged in again beyond vpn-simultaneous-logins"), "{ended}");
    let line = server.wait_for_log("session ended");
    assert!(line.contains("address=10.77.0.11") && line.contains("cause=port preempted"), "{line}");
    for dial in [&mut first, &mut other] {
        assert!(dial.ping(INSIDE, 2, MOMENT).is_some(), "nobody else is touched");
    }
    assert_eq!(sessions(&server), 3);
}

#[test]
fn one_login_too_many_stays_out_where_the_policy_says_so() {
    let mut server = start("vpn-simultaneous-logins = 1\nat-login-limit = \"refuse\"");
    let mut first = connect(&server.address(), "jdoe", "x");
    let (said, code) = text(&server.dial("jdoe", "ms-chap-v2", "x", &[]));
    assert_eq!(code, 1);
    assert!(said.contains("not allowed by policy (error 649)"), "{said}");
    let line = server.wait_for_log("login refused by policy");
    assert!(line.contains("vpn-simultaneous-logins (1) is reached"), "{line}");
    assert!(first.ping(INSIDE, 1, MOMENT).is_some());
    first.hang_up();
    wait_until("the first is gone", Duration::from_secs(10), || sessions(&server) == 0);
    let (said, code) = text(&server.dial("jdoe", "ms-chap-v2", "x", &[]));
    assert_eq!(code, 0, "{said}");
}

#[test]
fn a_policy_of_no_logins_or_without_l2tp_refuses_in_words() {
    for (policy, words) in [
        ("vpn-simultaneous-logins = 0", "vpn-simultaneous-logins is 0 for this user (group policy staff)"),
        (
            "vpn-tunnel-protocol = [\"ikev1\", \"ssl-client\"]",
            "group policy staff does not allow l2tp-ipsec (vpn-tunnel-protocol)",
        ),
    ] {
        let mut server = start(policy);
        let (said, code) = text(&server.dial("jdoe", "ms-chap-v2", "x", &[]));
        assert_eq!(code, 1);
        assert!(said.contains("authentication") && said.contains("(error 649)"), "{said}");
        let line = server.wait_for_log("login refused by policy");
        assert!(line.contains(words), "{line}");
        assert_eq!(server.show("pools")[0]["used"], 0);
    }
}

#[test]
fn an_empty_pool_ends_the_call_with_its_reason_and_never_by_rejecting_the_address() {
    let namespace = Namespace::new();
    let capture = Capture::start(&namespace, "lo");
    let config = config(1, "", "").replace("127.0.0.1:0", "127.0.0.1:1701");
    let mut server = Server::start(&config, USERS, Some(&namespace));
    let held = server.dial_and_hold("jdoe", "ms-chap-v2", "x", &[]);
    let (said, code) = text(&server.dial("ada", "ms-chap-v2", "x", &[]));
    assert_eq!(code, 1);
    assert!(said.contains("No address available"), "{said}");
    let line = server.wait_for_log("no address for an accepted login");
    assert!(line.contains("user=ada") && line.contains("clients"), "the pool is named: {line}");
    assert_eq!(server.process().lines_with("no address for an accepted login").len(), 1, "in one line");
    let pools = server.show("pools");
    assert_eq!((&pools[0]["used"], &pools[0]["size"]), (&1.into(), &1.into()));
    drop(held);
    server.stop();
    let packets = capture.stop();
    assert_eq!(packets.matching("_ws.malformed"), Vec::<String>::new());
    assert!(!packets.matching("ipcp.opt.ip_address && ppp.code == 1").is_empty(), "IPCP is in the capture");
    assert_eq!(packets.matching("ipcp.opt.ip_address && ppp.code == 4"), Vec::<String>::new());
}

#[test]
fn an_address_that_somebody_has_is_not_given_twice() {
    let mut server = start("");
    let users = server.folder().join("users.toml").display().to_string();
    for name in ["fixed1", "fixed2"] {
        let add = ["user", "add", name, "--mschap", "--address", "10.77.0.10", "--users", &users];
        assert!(output(&add, "x").status.success());
    }
    wait_until("the new users are known", Duration::from_secs(10), || {
        server.dial("fixed1", "ms-chap-v2", "x", &[]).status.success()
    });
    let first = connect(&server.address(), "fixed1", "x");
    assert_eq!(address(&first), Ipv4Addr::new(10, 77, 0, 10));
    let (said, code) = text(&server.dial("fixed2", "ms-chap-v2", "x", &[]));
    assert_eq!(code, 1, "{said}");
    let line = server.wait_for_log("no address for an accepted login");
    assert!(line.contains("user=fixed2") && line.contains("10.77.0.10"), "{line}");
    let pooled = connect(&server.address(), "jdoe", "x");
    assert_ne!(address(&pooled), address(&first), "the pool passes over it");
}

#[test]
fn clients_reach_each_other_only_where_that_is_configured() {
    for (more, reached) in [("", false), ("client-to-client = true", true)] {
        let server = Server::start(&config(10, "", more), USERS, None);
        let mut one = connect(&server.address(), "jdoe", "x");
        let mut two = connect(&server.address(), "ada", "x");
        let (from, to) = (address(&one), address(&two));
        send_ping(&mut one, from, to);
        assert_eq!(hears_something(&mut two, MOMENT), reached, "{more:?}");
        let dropped = u64::from(!reached);
        assert_eq!(server.show("counters")["data-client-to-client"], dropped, "{more:?}");
    }
}

#[test]
fn a_packet_under_a_false_source_address_goes_nowhere() {
    let server = start("");
    let mut one = connect(&server.address(), "jdoe", "x");
    let mut two = connect(&server.address(), "ada", "x");
    let own = address(&one);
    for source in [address(&two), Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::UNSPECIFIED, INSIDE] {
        send_ping(&mut one, source, INSIDE);
    }
    assert!(!hears_something(&mut one, MOMENT) && !hears_something(&mut two, MOMENT));
    assert_eq!(server.show("counters")["data-spoofed"], 4);
    send_ping(&mut one, own, INSIDE);
    assert!(hears_something(&mut one, MOMENT), "its own address is answered");
    let sessions = server.show("sessions");
    let own = sessions.as_array().into_iter().flatten().find(|session| session["user"] == "jdoe");
    assert_eq!(own.expect("it is there")["packets-in"], 1, "what was dropped is not billed");
}

#[test]
fn a_filter_lets_nothing_pass_that_it_does_not_permit() {
    let server = start("vpn-filter = \"web\"");
    let mut dial = connect(&server.address(), "jdoe", "x");
    assert!(dial.ping(INSIDE, 1, MOMENT).is_none(), "the filter denies pings");
    assert_eq!(server.show("counters")["data-filtered"], 1);
    let open = start("");
    let mut dial = connect(&open.address(), "jdoe", "x");
    assert!(dial.ping(INSIDE, 1, MOMENT).is_some());
}
