//! Real IPsec clients at our server.

use tollgate_tests::Server;
use tollgate_tests::capture::Capture;
use tollgate_tests::network::{Network, SERVER, WIRE};
use tollgate_tests::vpn::{Client, Ipsec, Pings};

const KEY: &str = "a key of the tests";
const USERS: &[(&str, &str)] = &[("jdoe", "j!doe1")];

/// A server on the wire; `ipsec` is added behind `[ipsec]`.
fn config(ipsec: &str) -> String {
    format!(
        r#"
[lns]
hostname = "vpn"
l2tp-listen = "{SERVER}:1701"
[ipsec]
ike-listen = "{SERVER}:500"
nat-t-listen = "{SERVER}:4500"
{ipsec}
[local]
users = "users.toml"
[pool.clients]
range = "10.77.0.10-10.77.0.20"
mask = "255.255.255.0"
[tunnel-group.DefaultRAGroup]
address-pool = ["clients"]
pre-shared-key = "{KEY}"
"#
    )
}

#[test]
fn a_client_with_a_key_behind_a_nat_gets_in() {
    let network = Network::new();
    let mut server = Server::start(&config(""), USERS, Some(network.server()));
    let capture = Capture::start(network.server(), WIRE);
    let nat = network.nat();
    let ipsec = Ipsec::with_key(SERVER, KEY);
    let (client, link) = Client::connect(&nat.seat(), &ipsec, "jdoe", "j!doe1");
    assert_eq!(client.ping(link.peer, 5, 56), Pings { sent: 5, answered: 5 });
    assert_eq!(client.ping_full(link.peer, 2), Pings { sent: 2, answered: 2 });
    client.rekey_child().ok();
    assert_eq!(client.ping(link.peer, 5, 56).answered, 5, "over the new association");
    client.hang_up();
    client.lower();
    let ended = server.wait_for_log("session ended");
    assert!(ended.contains("cause=user request"), "{ended}");
    let packets = capture.stop();
    assert!(!packets.matching(&format!("udpencap && esp && ip.src == {}", nat.outside())).is_empty());
    assert_eq!(packets.matching("l2tp || ppp || _ws.malformed"), Vec::<String>::new());
}

#[test]
fn three_clients_behind_one_nat_have_their_sessions_at_once() {
    let network = Network::new();
    let mut server = Server::start(&config(""), USERS, Some(network.server()));
    let nat = network.nat();
    let ipsec = Ipsec::with_key(SERVER, KEY);
    let mut clients = Client::boot_all(&[nat.seat(), nat.seat(), nat.seat()], &ipsec);
    let mut addresses = Vec::new();
    for client in &clients {
        client.raise().ok();
        let link = client.dial("jdoe", "j!doe1", "").unwrap_or_else(|said| panic!("{said}"));
        addresses.push(link.address);
        client.ping_on(link.peer);
    }
    addresses.sort_unstable();
    addresses.dedup();
    assert_eq!(addresses.len(), 3, "{addresses:?}");
    for client in &clients {
        let pings = client.pinged();
        assert!(pings.sent > 0 && pings.answered == pings.sent, "{pings:?}");
    }
    assert_eq!(server.show("sessions").as_array().map(Vec::len), Some(3));
    clients[0].vanish();
    clients[0].come_back();
    clients[0].raise().ok();
    let link = clients[0].dial("jdoe", "j!doe1", "").unwrap_or_else(|said| panic!("{said}"));
    assert_eq!(clients[0].ping(link.peer, 5, 56).answered, 5);
    assert_eq!(clients[1].ping(link.peer, 5, 56).answered, 5, "its neighbour is not disturbed");
    server.wait_for_log("session started");
}

#[test]
fn libreswan_on_the_wire_gets_in_by_raw_esp() {
    let network = Network::new();
    let _server = Server::start(&config(""), USERS, Some(network.server()));
    let capture = Capture::start(network.server(), WIRE);
    let ipsec = Ipsec::with_key(SERVER, KEY).by_libreswan();
    let (client, link) = Client::connect(&network.seat(), &ipsec, "jdoe", "j!doe1");
    assert_eq!(client.ping(link.peer, 5, 56).answered, 5);
    client.hang_up();
    client.lower();
    let packets = capture.stop();
    assert!(!packets.matching("ip.proto == 50").is_empty(), "protocol 50, no UDP around it");
    assert_eq!(packets.matching("l2tp || ppp || _ws.malformed"), Vec::<String>::new());
}
