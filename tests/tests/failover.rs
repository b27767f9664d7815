//! Servers that die while logins pour in: no login is lost that somebody could still decide.

use std::fs;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tollgate_tests::process::{Process, bound_to_us};
use tollgate_tests::radius::{self, FreeRadius, Options};
use tollgate_tests::tollgate::{LOOPBACK, binary, text};
use tollgate_tests::{Server, wait_until};

const ACCOUNTS: &str = "DEFAULT User-Name =~ \"^bench\", Cleartext-Password := \"x\"\n";

const LOGINS: usize = 400;

fn config(hosts: &str, tunnel_group: &str) -> String {
    format!(
        r#"{LOOPBACK}
[local]
users = "users.toml"
[pool.clients]
range = "10.77.0.1-10.77.7.250"
mask = "255.255.248.0"
[group-policy.DfltGrpPolicy]
vpn-simultaneous-logins = 2000
[server-group.corp]
protocol = "radius"
max-failed-attempts = 2
{hosts}
[tunnel-group.DefaultRAGroup]
address-pool = ["clients"]
authentication-server-group = "corp"
ppp-authentication = ["ms-chap-v2", "chap", "pap"]
{tunnel_group}
"#
    )
}

fn radius(authorize: &str) -> FreeRadius {
    FreeRadius::start(Options {
        users: ACCOUNTS.to_owned(),
        authorize: authorize.to_owned(),
        ..Options::default()
    })
}

/// Hundreds of logins, some at a time.
fn storm(server: &Server, user: &str, method: &str) -> Process {
    let password = server.folder().join("password");
    fs::write(&password, "x").expect("writable");
    let mut command: Command = bound_to_us(binary());
    command.args(["bench", "login", "--server", &server.address(), "--user", user, "--auth", method]);
    command.args(["--tunnels", "8", "--concurrency", "32", "--sessions", &(LOGINS / 8).to_string()]);
    command.arg("--password-file").arg(password);
    Process::start("bench", command)
}

/// What the storm came to.
fn report(mut storm: Process) -> Value {
    assert_eq!(storm.wait(Duration::from_secs(90)), Some(0));
    let line = storm.wait_for_line("{", Duration::from_secs(5));
    serde_json::from_str(&line).expect("one JSON line")
}

/// What `show aaa` says about the group.
fn corp(server: &Server) -> Value {
    let aaa = server.show("aaa");
    aaa.as_array().into_iter().flatten().find(|group| group["name"] == "corp").expect("corp").clone()
}

/// Waits until so many logins were accepted by a server of the group.
fn wait_for_accepts(server: &Server, index: usize, accepts: u64) {
    wait_until("the storm has begun", Duration::from_secs(30), || {
        corp(server)["servers"][index]["counters"]["accepts"].as_u64() >= Some(accepts)
    });
}

/// Makes each answer take a moment, so that the storm lasts.
const UNHURRIED: &str = "update control { &Tmp-String-0 := `/bin/sleep 0.05` }";

#[test]
fn no_login_is_lost_when_one_of_two_servers_dies_in_a_storm() {
    let (mut first, second) = (radius(UNHURRIED), radius(""));
    let patience = "timeout = 3\nretry-interval = 1";
    let hosts = radius::host(&first, patience) + &radius::host(&second, patience);
    let mut server = Server::start(&config(&hosts, ""), &[("jdoe", "j!doe1")], None);
    let storm = storm(&server, "bench{}", "ms-chap-v2");
    wait_for_accepts(&server, 0, 30);
    first.stop();
    let report = report(storm);
    assert_eq!((&report["sessions"], &report["failed"]), (&LOGINS.into(), &0.into()), "{report:#}");
    server.wait_for_log("server marked failed");
    let aaa = corp(&server);
    let [dead, alive] = [&aaa["servers"][0], &aaa["servers"][1]];
    assert_eq!((&dead["state"], &alive["state"]), (&"failed".into(), &"active".into()), "{aaa:#}");
    let count = |server: &Value, name: &str| server["counters"][name].as_u64().unwrap_or_default();
    assert!(count(dead, "accepts") >= 30 && count(dead, "timeouts") >= 2, "{aaa:#}");
    assert_eq!(count(dead, "accepts") + count(alive, "accepts"), LOGINS as u64, "{aaa:#}");
    assert_eq!(count(dead, "rejects") + count(alive, "rejects"), 0, "{aaa:#}");
    let (said, code) = text(&server.run(&["show", "aaa"], ""));
    assert_eq!(code, 0);
    assert!(said.contains("failed") && said.contains("timeouts"), "{said}");
}

#[test]
fn local_users_get_in_when_every_server_dies_in_a_storm() {
    let (mut first, mut second) = (radius(UNHURRIED), radius(UNHURRIED));
    let patience = "timeout = 1\nretry-interval = 1";
    let hosts = radius::host(&first, patience) + &radius::host(&second, patience);
    let users = [("bench", "x"), ("jdoe", "j!doe1")];
    let mut server = Server::start(&config(&hosts, "local-fallback = true"), &users, None);
    let storm = storm(&server, "bench", "ms-chap-v2");
    wait_for_accepts(&server, 0, 30);
    first.stop();
    second.stop();
    let report = report(storm);
    assert_eq!((&report["sessions"], &report["failed"]), (&LOGINS.into(), &0.into()), "{report:#}");

    for method in ["pap", "ms-chap-v2"] {
        let (said, code) = text(&server.dial("jdoe", method, "j!doe1", &["--ping", "1"]));
        assert_eq!(code, 0, "{method}: {said}");
    }
    // On a busy machine one may have been marked failed before and active again.
    let aaa = corp(&server);
    let states = [0, 1].map(|index| &aaa["servers"][index]["state"]);
    assert_eq!(states, ["failed", "failed"], "{aaa:#}");
    assert!(server.process().lines_with("server marked failed").len() >= 2);
    let (said, code) = text(&server.dial("jdoe", "chap", "j!doe1", &[]));
    assert_eq!(code, 1);
    assert!(said.contains("CHAP is not served by LOCAL (type matrix)"), "{said}");
    let refused = server.wait_for_log("login refused");
    assert!(refused.contains("CHAP is not served by LOCAL (type matrix)"), "{refused}");
    assert!(refused.contains("fell_back=true"), "{refused}");
    let (said, code) = text(&server.dial("jdoe", "pap", "wrong", &[]));
    assert_eq!(code, 1, "{said}");
}

#[test]
fn a_reject_never_falls_back() {
    let radius = radius("");
    let host = radius::host(&radius, "");
    let users = [("jdoe", "j!doe1"), ("bench1", "local")];
    let mut server = Server::start(&config(&host, "local-fallback = true"), &users, None);
    for (user, password) in [("jdoe", "j!doe1"), ("bench1", "local")] {
        for method in ["pap", "ms-chap-v2"] {
            let (said, code) = text(&server.dial(user, method, password, &[]));
            assert_eq!(code, 1, "LOCAL knows {user}, but the server said no: {said}");
        }
    }
    let refused = server.wait_for_log("login refused");
    assert!(refused.contains("fell_back=false"), "{refused}");
}

#[test]
fn without_fallback_silence_lets_nobody_in() {
    let (authentication, accounting) = radius::free_ports(std::net::Ipv4Addr::LOCALHOST.into());
    let host = radius::host_at(authentication, accounting, "timeout = 1\nretry-interval = 1");
    let server = Server::start(&config(&host, ""), &[("jdoe", "j!doe1")], None);
    let (said, code) = text(&server.dial("jdoe", "pap", "j!doe1", &[]));
    assert_eq!(code, 1);
    assert!(said.contains("no server answers"), "{said}");
}
