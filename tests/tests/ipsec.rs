//! Real IPsec clients at our server.

use tollgate_tests::capture::Capture;
use tollgate_tests::gateway::{self, KEY, PASSWORD, USER};
use tollgate_tests::network::{Network, SERVER, WIRE};
use tollgate_tests::vpn::{Client, Ipsec, Pings};

#[test]
fn a_client_with_a_key_behind_a_nat_gets_in() {
    let network = Network::new();
    let mut server = gateway::start(&network, &gateway::config_with_key(""));
    let capture = Capture::start(network.server(), WIRE);
    let nat = network.nat();
    let ipsec = Ipsec::with_key(SERVER, KEY);
    let (client, link) = Client::connect(&nat.seat(), &ipsec, USER, PASSWORD);
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
    let mut server = gateway::start(&network, &gateway::config_with_key(""));
    let nat = network.nat();
    let ipsec = Ipsec::with_key(SERVER, KEY);
    let mut clients = Client::boot_all(&[nat.seat(), nat.seat(), nat.seat()], &ipsec);
    let mut addresses = Vec::new();
    for client in &clients {
        client.raise().ok();
        let link = client.dial(USER, PASSWORD, "").unwrap_or_else(|said| panic!("{said}"));
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
    let link = clients[0].dial(USER, PASSWORD, "").unwrap_or_else(|said| panic!("{said}"));
    assert_eq!(clients[0].ping(link.peer, 5, 56).answered, 5);
    assert_eq!(clients[1].ping(link.peer, 5, 56).answered, 5, "its neighbour is not disturbed");
    server.wait_for_log("session started");
}

#[test]
fn libreswan_on_the_wire_gets_in_by_raw_esp() {
    let network = Network::new();
    let _server = gateway::start(&network, &gateway::config_with_key(""));
    let capture = Capture::start(network.server(), WIRE);
    let ipsec = Ipsec::with_key(SERVER, KEY).by_libreswan();
    let (client, link) = Client::connect(&network.seat(), &ipsec, USER, PASSWORD);
    assert_eq!(client.ping(link.peer, 5, 56).answered, 5);
    client.hang_up();
    client.lower();
    let packets = capture.stop();
    assert!(!packets.matching("ip.proto == 50").is_empty(), "protocol 50, no UDP around it");
    assert_eq!(packets.matching("l2tp || ppp || _ws.malformed"), Vec::<String>::new());
}
