//! Dynamic authorization (RFC 5176): `radclient` ends sessions and changes what they may do.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use serde_json::Value;
use tollgate_tests::client::{address, connect, hears_something, send_ping};
use tollgate_tests::radius::{self, FreeRadius, radclient, radclient_unsigned, wait_for_record};
use tollgate_tests::relay::Relay;
use tollgate_tests::tollgate::LOOPBACK;
use tollgate_tests::{Server, wait_until};

const KEY: &str = "a key for changes";
const ACCOUNTS: &str = "joe Cleartext-Password := \"x\"\nann Cleartext-Password := \"x\"\n\
    bob Cleartext-Password := \"x\"\n\tFilter-Id := \"nothing\", Session-Timeout := 3600\n";
/// The server's own address on the inside.
const INSIDE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const LOOPBACK_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const MOMENT: Duration = Duration::from_millis(700);
const SOON: Duration = Duration::from_secs(10);

struct Lab {
    radius: FreeRadius,
    server: Server,
    port: u16,
}

impl Lab {
    fn new() -> Self {
        let radius = radius::start(ACCOUNTS);
        let port = radius::free_ports(LOOPBACK_ADDRESS).0;
        let host = radius::host(&radius, "");
        let config = format!(
            r#"{LOOPBACK}
[pool.clients]
range = "10.77.0.10-10.77.0.20"
mask = "255.255.255.0"
[access-list.nothing]
rules = ["deny ip any any"]
[access-list.everything]
rules = ["permit ip any any"]
[group-policy.open]
vpn-idle-timeout = 30
[group-policy.field]
vpn-filter = "nothing"
vpn-session-timeout = 60
[group-policy.nobody]
vpn-simultaneous-logins = 0
[server-group.corp]
protocol = "radius"
dynamic-authorization = {{ port = {port}, address = "127.0.0.1", clients = [{{ address = "127.0.0.1", key = "{KEY}" }}] }}
{host}
[tunnel-group.DefaultRAGroup]
address-pool = ["clients"]
authentication-server-group = "corp"
accounting-server-group = "corp"
ppp-authentication = ["ms-chap-v2"]
"#
        );
        let server = Server::start(&config, &[], None);
        Self { radius, server, port }
    }

    fn say(&self, command: &str, attributes: &str) -> String {
        radclient(self.port, command, attributes, KEY)
    }

    #[track_caller]
    fn done(&self, command: &str, attributes: &str) {
        let said = self.say(command, attributes);
        assert!(said.contains("-ACK"), "{attributes}: {said}");
    }

    #[track_caller]
    fn refused(&self, command: &str, attributes: &str, cause: &str) {
        let said = self.say(command, attributes);
        assert!(said.contains("-NAK") && said.contains(cause), "{attributes}: {said}");
    }

    fn sessions(&self) -> Vec<Value> {
        self.server.show("sessions").as_array().cloned().unwrap_or_default()
    }

    /// The only session of a user, as `show sessions` has it.
    fn session_of(&self, user: &str) -> Value {
        let all = self.sessions();
        let mut own = all.iter().filter(|session| session["user"] == user);
        own.next().unwrap_or_else(|| panic!("{user} is not in {all:?}")).clone()
    }

    fn gone(&self, user: &str) {
        wait_until("the session has ended", SOON, || {
            self.sessions().iter().all(|session| session["user"] != user)
        });
    }
}

#[test]
fn a_session_is_ended_by_its_id_its_user_or_its_address() {
    let mut lab = Lab::new();
    let ann = lab.server.dial_and_hold("ann", "ms-chap-v2", "x", &[]);
    for (attribute, cause) in
        [("Acct-Session-Id", ""), ("User-Name", "Session-Timeout"), ("Framed-IP-Address", "")]
    {
        let mut joe = lab.server.dial_and_hold("joe", "ms-chap-v2", "x", &[]);
        let session = lab.session_of("joe");
        let field = match attribute {
            "Acct-Session-Id" => "session",
            "User-Name" => "user",
            _ => "address",
        };
        let mut attributes = format!("{attribute} = {}\nNAS-Identifier = \"vpn\"", session[field]);
        if attribute == "Framed-IP-Address" {
            attributes = attributes.replacen('"', "", 2);
        }
        if !cause.is_empty() {
            attributes += &format!("\nAcct-Terminate-Cause = {cause}");
        }
        lab.done("disconnect", &attributes);
        assert_eq!(joe.wait(SOON), Some(1));
        let line = joe.wait_for_line("failed: ", SOON);
        assert!(line.contains("disconnected by the RADIUS server"), "{line}");
        lab.gone("joe");
        let id = session["session"].as_str().expect("an id");
        let mut stop = None;
        wait_until("the stop record arrives", SOON, || {
            let records = radius::records(&lab.radius.accounting_detail());
            let mut stops =
                records.into_iter().filter(|record| record.get("Acct-Status-Type") == Some("Stop"));
            stop = stops.find(|record| record.get("Acct-Session-Id") == Some(id));
            stop.is_some()
        });
        let wanted = if cause.is_empty() { "Admin-Reset" } else { cause };
        assert_eq!(
            stop.and_then(|stop| stop.get("Acct-Terminate-Cause").map(str::to_owned)).as_deref(),
            Some(wanted)
        );
    }
    assert_eq!(lab.session_of("ann")["state"], "open link", "nobody else's session is touched");
    let line = lab.server.wait_for_log("dynamic authorization");
    assert!(line.contains("127.0.0.1"), "{line}");
    drop(ann);
}

#[test]
fn what_does_not_fit_a_session_ends_none() {
    let lab = Lab::new();
    let _joe = lab.server.dial_and_hold("joe", "ms-chap-v2", "x", &[]);
    let session = lab.session_of("joe");
    let id = &session["session"];
    let unknown = "Session-Context-Not-Found";
    lab.refused("disconnect", "User-Name = \"nobody\"", unknown);
    lab.refused("disconnect", "Acct-Session-Id = \"0000000000000001\"", unknown);
    // Everything that is said has to be true of it.
    lab.refused("disconnect", &format!("Acct-Session-Id = {id}\nUser-Name = \"ann\""), unknown);
    lab.refused("disconnect", &format!("Acct-Session-Id = {id}\nFramed-IP-Address = 10.77.0.99"), unknown);
    lab.refused("disconnect", "NAS-Identifier = \"vpn\"", "Missing-Attribute");
    lab.refused(
        "disconnect",
        &format!("Acct-Session-Id = {id}\nNAS-Identifier = \"another\""),
        "NAS-Identification-Mismatch",
    );
    lab.refused(
        "disconnect",
        &format!("Acct-Session-Id = {id}\nNAS-IP-Address = 192.0.2.77"),
        "NAS-Identification-Mismatch",
    );
    // Whoever has another key, an old clock or no right to ask hears nothing.
    let attributes = format!("Acct-Session-Id = {id}");
    assert!(radclient(lab.port, "disconnect", &attributes, "a guess").contains("No reply"));
    let old = format!("{attributes}\nEvent-Timestamp = 1000000000");
    assert!(lab.say("disconnect", &old).contains("No reply"));
    assert_eq!(lab.session_of("joe")["state"], "open link");
    let counters = lab.server.show("counters");
    assert_ne!(counters["dynamic-bad-authenticators"], 0, "{counters:#}");
    assert_ne!(counters["dynamic-stale"], 0, "{counters:#}");
    lab.done(
        "disconnect",
        &format!("{attributes}\nNAS-IP-Address = 127.0.0.1\nCalling-Station-Id = \"127.0.0.1\""),
    );
    lab.gone("joe");
}

#[test]
fn a_session_is_given_another_filter_and_another_policy() {
    let lab = Lab::new();
    let mut joe = connect(&lab.server.address(), "joe", "x");
    let mut ann = connect(&lab.server.address(), "ann", "x");
    let (from, anns) = (address(&joe), address(&ann));
    send_ping(&mut joe, from, INSIDE);
    assert!(hears_something(&mut joe, SOON), "pings pass");
    let id = lab.session_of("joe")["session"].clone();
    lab.refused("coa", &format!("Acct-Session-Id = {id}\nFilter-Id = \"nosuch\""), "Invalid-Attribute-Value");
    lab.refused("coa", &format!("Acct-Session-Id = {id}\nClass = \"OU=nosuch;\""), "Invalid-Attribute-Value");
    lab.refused(
        "coa",
        &format!("Acct-Session-Id = {id}\nClass = \"OU=nobody;\""),
        "Administratively-Prohibited",
    );
    // All of a request or nothing of it.
    lab.refused(
        "coa",
        &format!("Acct-Session-Id = {id}\nFilter-Id = \"nothing\"\nASA-Group-Policy = \"nosuch\""),
        "Invalid-Attribute-Value",
    );
    send_ping(&mut joe, from, INSIDE);
    assert!(hears_something(&mut joe, SOON), "nothing has changed yet");
    lab.done("coa", &format!("Acct-Session-Id = {id}\nFilter-Id = \"nothing\""));
    send_ping(&mut joe, from, INSIDE);
    assert!(!hears_something(&mut joe, MOMENT), "the filter holds at once");
    assert_eq!(lab.session_of("joe")["group-policy"], "DfltGrpPolicy");

    lab.done("coa", "User-Name = \"ann\"\nClass = \"OU=field;\"");
    assert_eq!(lab.session_of("ann")["group-policy"], "field");
    send_ping(&mut ann, anns, INSIDE);
    assert!(!hears_something(&mut ann, MOMENT), "the policy brings its filter");
    lab.done("disconnect", "User-Name = \"ann\"");
    let stop = wait_for_record(&lab.radius, "Stop", "ann");
    assert_eq!(stop.get("Class"), Some("0x4f553d6669656c643b"), "records carry the new class: {stop:?}");
}

#[test]
fn what_the_server_said_of_the_user_goes_before_the_policy_of_a_change() {
    let lab = Lab::new();
    let mut bob = connect(&lab.server.address(), "bob", "x");
    let from = address(&bob);
    let mut passes = |limit| {
        send_ping(&mut bob, from, INSIDE);
        hears_something(&mut bob, limit)
    };
    assert!(!passes(MOMENT), "the filter of the accept holds");
    lab.done("coa", "User-Name = \"bob\"\nClass = \"OU=open;\"");
    let rights = |lab: &Lab| {
        let session = lab.session_of("bob");
        ["group-policy", "filter", "session-timeout", "idle-timeout"].map(|field| session[field].clone())
    };
    assert_eq!(rights(&lab), ["open".into(), "nothing".into(), 3600.into(), 1800.into()] as [Value; 4]);
    assert!(!passes(MOMENT), "a policy without a filter does not take the user's own away");

    lab.done("coa", "User-Name = \"bob\"\nFilter-Id = \"everything\"\nIdle-Timeout = 900");
    assert!(passes(SOON), "the server changes what it said");
    lab.done("coa", "User-Name = \"bob\"\nClass = \"OU=field;\"");
    assert_eq!(rights(&lab), ["field".into(), "everything".into(), 3600.into(), 900.into()] as [Value; 4]);
    assert!(passes(SOON), "and it stands over the next policy too");
}

#[test]
fn who_may_not_ask_or_asks_again_changes_nothing() {
    let mut lab = Lab::new();
    let _joe = lab.server.dial_and_hold("joe", "ms-chap-v2", "x", &[]);
    let count = |lab: &Lab, name: &str| lab.server.show("counters")[name].as_u64().expect("a number");
    let user = "User-Name = \"joe\"";

    let from_elsewhere = format!("{user}\nPacket-Src-IP-Address = 127.0.0.2");
    assert!(lab.say("disconnect", &from_elsewhere).contains("No reply"));
    assert_eq!(count(&lab, "dynamic-unknown-clients"), 1);

    assert!(radclient_unsigned(lab.port, "disconnect", user, KEY).contains("No reply"));
    assert_eq!(count(&lab, "dynamic-bad-authenticators"), 1);
    assert_eq!(lab.session_of("joe")["state"], "open link");

    let relay = Relay::start(&format!("127.0.0.1:{}", lab.port));
    let port = relay.address().rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    let said = radclient(port, "coa", &format!("{user}\nSession-Timeout = 3600"), KEY);
    assert!(said.contains("CoA-ACK"), "{said}");
    lab.server.wait_for_log("session changed");
    let datagram = relay.seen().remove(0);
    relay.inject(&datagram);
    wait_until("it is known as one sent again", SOON, || count(&lab, "dynamic-duplicates") == 1);
    relay.change_port();
    relay.inject(&datagram);
    wait_until("it is known as a replay", SOON, || count(&lab, "dynamic-replays") == 1);
    assert_eq!(count(&lab, "dynamic-requests"), 1, "only the first is done");
}

#[test]
fn a_session_is_given_other_timeouts() {
    let lab = Lab::new();
    for (user, attribute, cause) in
        [("joe", "Session-Timeout = 2", "Session-Timeout"), ("ann", "Idle-Timeout = 1", "Idle-Timeout")]
    {
        let mut held = lab.server.dial_and_hold(user, "ms-chap-v2", "x", &[]);
        lab.done("coa", &format!("User-Name = \"{user}\"\n{attribute}"));
        assert_eq!(held.wait(SOON), Some(1));
        let stop = wait_for_record(&lab.radius, "Stop", user);
        assert_eq!(stop.get("Acct-Terminate-Cause"), Some(cause));
    }
    lab.refused("coa", "User-Name = \"joe\"\nSession-Timeout = 10", "Session-Context-Not-Found");
}

#[test]
fn a_reload_changes_who_may_ask() {
    let mut lab = Lab::new();
    let _joe = lab.server.dial_and_hold("joe", "ms-chap-v2", "x", &[]);
    lab.server.reload(|text| text.replace(KEY, "another key"));
    assert!(lab.say("disconnect", "User-Name = \"joe\"").contains("No reply"));
    assert_eq!(lab.session_of("joe")["state"], "open link");
    let other = radius::free_ports(LOOPBACK_ADDRESS).0;
    let (old, port) = (format!("port = {}", lab.port), format!("port = {other}"));
    lab.server.reload(|text| text.replacen(&old, &port, 1));
    assert!(radclient(lab.port, "disconnect", "User-Name = \"joe\"", "another key").contains("No reply"));
    let said = radclient(other, "disconnect", "User-Name = \"joe\"", "another key");
    assert!(said.contains("Disconnect-ACK"), "{said}");
    lab.gone("joe");
}
