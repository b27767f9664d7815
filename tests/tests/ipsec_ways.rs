//! The ways of phase 1 and of ESP that differ from the usual one.

use std::time::Duration;

use tollgate_tests::capture::Capture;
use tollgate_tests::gateway::{self, KEY, PASSWORD, USER};
use tollgate_tests::network::{Network, SERVER, WIRE};
use tollgate_tests::vpn::{Client, Ipsec};
use tollgate_tests::wait_until;

const OLD_KEY: &str = "the key of last year";
const SALES_KEY: &str = "the key of sales";

#[test]
fn each_key_finds_its_group_by_main_and_by_aggressive_mode() {
    let network = Network::new();
    let group = format!(
        "pre-shared-key = [\"{KEY}\", \"{OLD_KEY}\"]\n[tunnel-group.sales]\naddress-pool = \
         [\"clients\"]\npre-shared-key = \"{SALES_KEY}\""
    );
    let server = gateway::start(&network, &gateway::config("aggressive-mode = true", &group));
    let named = Ipsec {
        aggressive: true,
        identity: Some("keyid:sales".into()),
        ..Ipsec::with_key(SERVER, SALES_KEY)
    };
    let nat = network.nat();
    let guests = [
        (network.seat(), named),
        (nat.seat(), Ipsec::with_key(SERVER, OLD_KEY)),
        (nat.seat(), Ipsec { tunnel: true, ..Ipsec::with_key(SERVER, SALES_KEY) }),
    ];
    let clients = Client::boot_each(&guests);
    let expected = [
        ["sales", "pre-shared key 1 of sales, in aggressive mode", "transport"],
        ["DefaultRAGroup", "pre-shared key 2 of DefaultRAGroup", "transport"],
        ["sales", "pre-shared key 1 of sales", "tunnel"],
    ];
    for (client, words) in clients.iter().zip(expected) {
        client.raise().ok();
        let link = client.dial(USER, PASSWORD, "").unwrap_or_else(|said| panic!("{said}"));
        assert_eq!(client.ping_full(link.peer, 3).answered, 3, "{words:?}");
        let shown = server.show("ipsec");
        let known = shown.as_array().into_iter().flatten().any(|association| {
            association["tunnel-group"] == words[0]
                && association["proof"] == words[1]
                && association["phase2"].as_str().is_some_and(|phase2| phase2.contains(words[2]))
        });
        assert!(known, "{words:?}: {shown}");
    }
    assert_eq!(server.show("sessions").as_array().map(Vec::len), Some(3));
}

#[test]
fn esp_goes_bare_without_a_nat_in_udp_where_that_is_asked_for_and_follows_a_nat_that_forgets() {
    let network = Network::new();
    let server = gateway::start(&network, &gateway::config_with_key(""));
    let ipsec = Ipsec::with_key(SERVER, KEY);
    let nat = network.nat();
    let forced = Ipsec { force_encapsulation: true, ..ipsec.clone() };
    let seats = [network.seat(), network.seat(), nat.seat()];
    let [bare, wrapped, _] = seats.each_ref().map(|seat| seat.address());
    let guests: Vec<_> = seats.into_iter().zip([ipsec.clone(), forced, ipsec]).collect();
    let clients = Client::boot_each(&guests);
    let capture = Capture::start(network.server(), WIRE);
    let mut peer = None;
    for client in &clients {
        client.raise().ok();
        let link = client.dial(USER, PASSWORD, "").unwrap_or_else(|said| panic!("{said}"));
        assert_eq!(client.ping(link.peer, 3, 56).answered, 3);
        peer = Some(link.peer);
    }
    let roamer = &clients[2];
    let peer = peer.expect("three have one");
    roamer.ping_on(peer);
    nat.change_ports(30_000);
    let moved = |server: &tollgate_tests::Server| server.show("ipsec").to_string().contains(":30");
    wait_until("the server sees the new port", Duration::from_secs(10), || moved(&server));
    let pings = roamer.pinged();
    assert!(pings.answered + 3 >= pings.sent, "{pings:?}");
    assert_eq!(roamer.ping(peer, 5, 56).answered, 5, "the same session goes on");
    assert_eq!(server.show("counters")["ipsec-moved"], 1);
    assert_eq!(server.show("sessions").as_array().map(Vec::len), Some(3));
    let packets = capture.stop();
    let seen = |filter: String| !packets.matching(&filter).is_empty();
    assert!(seen(format!("ip.proto == 50 && ip.src == {bare}")));
    assert!(!seen(format!("udpencap && ip.addr == {bare}")), "no UDP around it");
    assert!(seen(format!("udpencap && esp && ip.src == {wrapped}")));
    assert!(!seen(format!("ip.proto == 50 && ip.addr == {wrapped}")));
    assert!(!seen("l2tp || ppp || _ws.malformed".into()));
}
