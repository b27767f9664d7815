//! A real FreeRADIUS decides the logins of our own client, and a real pppd's.

use tollgate_tests::guest::{self, Guest};
use tollgate_tests::radius::{self, FreeRadius, Options, SECRET};
use tollgate_tests::tollgate::{LOOPBACK, text};
use tollgate_tests::{Server, wait_until};

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

const ACCOUNTS: &str = r#"
joe Cleartext-Password := "correct horse"
    Reply-Message = "Welcome to the inside"

DEFAULT Auth-Type := Reject
    Reply-Message = "who are you?"
"#;

const METHODS: [&str; 4] = ["pap", "chap", "ms-chap-v1", "ms-chap-v2"];

/// A server whose logins go to server group `corp` with this host table.
fn config(host: &str) -> String {
    format!(
        r#"{LOOPBACK}
[pool.clients]
range = "10.77.0.10-10.77.0.20"
mask = "255.255.255.0"
[server-group.corp]
protocol = "radius"
{host}
[tunnel-group.DefaultRAGroup]
address-pool = ["clients"]
authentication-server-group = "corp"
ppp-authentication = ["ms-chap-v2", "ms-chap-v1", "chap", "pap"]
"#
    )
}

fn start(radius: &FreeRadius, host_more: &str) -> Server {
    Server::start(&config(&radius::host(radius, host_more)), &[], None)
}

#[test]
fn each_method_lets_the_right_password_in_and_no_other() {
    let radius = radius::start(ACCOUNTS);
    let server = start(&radius, "");
    for method in METHODS {
        let (said, code) = text(&server.dial("joe", method, "correct horse", &["--ping", "1"]));
        assert_eq!(code, 0, "{method}: {said}");
        assert!(said.contains("accepted: Welcome to the inside"), "{method}: {said}");
        let (said, code) = text(&server.dial("joe", method, "battery staple", &[]));
        assert_eq!(code, 1, "{method}: {said}");
        assert!(said.contains("authentication  failed: "), "{method}: {said}");
        assert!(said.contains("wrong user name or password"), "{method}: {said}");
        let error = said.contains("(error 691)");
        assert_eq!(error, method.starts_with("ms"), "MS-CHAP tells its number: {said}");
    }
    let aaa = server.show("aaa");
    let counters = &aaa[0]["servers"][0]["counters"];
    assert_eq!((&counters["accepts"], &counters["rejects"]), (&4.into(), &4.into()), "{aaa:#}");
    assert_eq!((&counters["malformed"], &counters["bad-authenticators"]), (&0.into(), &0.into()), "{aaa:#}");
}

#[test]
fn a_server_that_refuses_has_its_words_shown_to_the_user() {
    let radius = radius::start(ACCOUNTS);
    let mut server = start(&radius, "");
    let (said, code) = text(&server.dial("eve", "pap", "x", &[]));
    assert_eq!(code, 1);
    assert!(said.contains("who are you?"), "{said}");
    let refused = server.wait_for_log("login refused");
    assert!(refused.contains("user=eve") && refused.contains("reason=rejected by the server"), "{refused}");
}

#[test]
fn a_server_that_is_down_is_told_from_one_that_refuses() {
    let (authentication, accounting) = radius::free_ports(Ipv4Addr::LOCALHOST.into());
    let host = radius::host_at(authentication, accounting, "timeout = 2\nretry-interval = 1");
    let mut server = Server::start(&config(&host), &[], None);
    let (said, code) = text(&server.dial("joe", "ms-chap-v2", "correct horse", &[]));
    assert_eq!(code, 1);
    assert!(said.contains("no server answers"), "{said}");
    assert!(said.contains("its authentication servers do not answer (show aaa)"), "{said}");
    let why = server.wait_for_log("no server answered");
    assert!(why.contains("did not answer within 2 s (2 sent)"), "{why}");
    let aaa = server.show("aaa");
    let counters = &aaa[0]["servers"][0]["counters"];
    assert_eq!((&counters["timeouts"], &counters["retransmissions"]), (&1.into(), &1.into()), "{aaa:#}");
}

#[test]
fn a_slow_server_is_waited_for_and_holds_nobody_else_up() {
    let radius = FreeRadius::start(Options {
        users: format!("slow Cleartext-Password := \"correct horse\"\n{ACCOUNTS}"),
        authorize: "if (&User-Name == \"slow\") { update control { &Tmp-String-0 := `/bin/sleep 3` } }"
            .into(),
        ..Options::default()
    });
    let server = start(&radius, "retry-interval = 1");
    std::thread::scope(|scope| {
        let begun = Instant::now();
        let slow = scope.spawn(|| server.dial("slow", "ms-chap-v2", "correct horse", &["--ping", "1"]));
        wait_until("the slow login is being asked", Duration::from_secs(10), || {
            server.show("sessions").as_array().is_some_and(|sessions| !sessions.is_empty())
        });
        let quick = text(&server.dial("joe", "pap", "correct horse", &["--ping", "1"]));
        assert_eq!(quick.1, 0, "{}", quick.0);
        assert!(begun.elapsed() < Duration::from_secs(3), "the quick one did not wait for the slow one");
        let slow = text(&slow.join().expect("no panic"));
        assert_eq!(slow.1, 0, "{}", slow.0);
        assert!(begun.elapsed() >= Duration::from_secs(3));
    });
    let aaa = server.show("aaa");
    let counters = &aaa[0]["servers"][0]["counters"];
    assert_eq!((&counters["accepts"], &counters["timeouts"]), (&2.into(), &0.into()), "{aaa:#}");
    assert!(counters["retransmissions"].as_u64() >= Some(2), "{aaa:#}");
}

#[test]
fn a_wrong_secret_lets_nobody_in_until_a_reload_brings_the_right_one() {
    let radius = radius::start(ACCOUNTS);
    let right = radius::host(&radius, "timeout = 1\nretry-interval = 1");
    let mut server = Server::start(&config(&right.replace(SECRET, "wrong")), &[], None);
    let (said, code) = text(&server.dial("joe", "pap", "correct horse", &[]));
    assert_eq!(code, 1);
    assert!(said.contains("no server answers"), "{said}");
    assert!(radius.log().contains("Shared secret is incorrect"), "{}", radius.log());
    server.reload(|text| text.replace("\"wrong\"", &format!("\"{SECRET}\"")));
    for method in METHODS {
        let (said, code) = text(&server.dial("joe", method, "correct horse", &[]));
        assert_eq!(code, 0, "at once: {said}");
    }
    server.reload(|text| text.replace(&format!("\"{SECRET}\""), "\"wrong\""));
    assert_eq!(text(&server.dial("joe", "pap", "correct horse", &[])).1, 1);
}

#[test]
fn answers_without_message_authenticator_are_believed_only_where_configured() {
    let radius = FreeRadius::start(Options {
        users: ACCOUNTS.to_owned(),
        message_authenticator: false,
        ..Options::default()
    });
    let mut server = start(&radius, "timeout = 1\nretry-interval = 1");
    let (said, code) = text(&server.dial("joe", "pap", "correct horse", &[]));
    assert_eq!(code, 1);
    assert!(said.contains("no server answers"), "{said}");
    let why = server.wait_for_log("no server answered");
    assert!(why.contains("no Message-Authenticator, which this server is required to send"), "{why}");
    let aaa = server.show("aaa");
    let counters = &aaa[0]["servers"][0]["counters"];
    assert!(counters["bad-authenticators"].as_u64() >= Some(1), "{aaa:#}");
    server.reload(|text| {
        text.replace("retry-interval = 1", "retry-interval = 1\nrequire-message-authenticator = false")
    });
    server.wait_for_log("answers without Message-Authenticator are believed");
    for method in METHODS {
        let (said, code) = text(&server.dial("joe", method, "correct horse", &["--ping", "1"]));
        assert_eq!(code, 0, "{method}: {said}");
    }
    let requests = radius::records(&radius.request_detail());
    assert!(requests.len() >= 5);
    for request in requests {
        assert!(request.get("Message-Authenticator").is_some(), "every request is signed: {request:?}");
    }
}

#[test]
fn a_real_pppd_is_let_in_by_chap() {
    let namespace = guest::namespace();
    let radius = FreeRadius::start(Options {
        users: ACCOUNTS.to_owned(),
        namespace: Some(namespace.name().to_owned()),
        ..Options::default()
    });
    let host = radius::host(&radius, "");
    let config = config(&host).replace("127.0.0.1:0", &format!("{}:1701", guest::SERVER));
    let mut server = Server::start(&config, &[], Some(&namespace));
    let script = "dial joe '\"correct horse\"' <<X\nrefuse-pap\nrefuse-mschap\nrefuse-mschap-v2\nrefuse-eap\nX\n\
                  wait_up && ping -c 2 -i 0.2 10.77.0.1 && sleep 1\nhang_up\nwait_down";
    let mut guest = Guest::boot(&namespace, script);
    guest.wait_for("GUEST up");
    let started = server.wait_for_log("session started");
    assert!(started.contains("user=joe") && started.contains("method=chap"), "{started}");
    guest.wait_for("2 received, 0% packet loss");
    server.wait_for_log("session ended");
    let request = radius::records(&radius.request_detail()).into_iter().next().expect("a request");
    assert!(request.get("CHAP-Password").is_some() && request.get("CHAP-Challenge").is_some(), "{request:?}");
    guest.finish();
}
