//! The harness of IPsec proves itself: real clients reach a real server through a NAT, before any of ours is judged.

use tollgate_tests::capture::Capture;
use tollgate_tests::network::{Network, SERVER, WIRE};
use tollgate_tests::pki::Authority;
use tollgate_tests::probe::ike_scan;
use tollgate_tests::softether::{self, SoftEther};
use tollgate_tests::vpn::{Client, INNER, Ipsec, Pings, Responder};

const KEY: &str = "a key of the tests";

#[test]
fn strongswan_connects_through_a_nat_vanishes_and_comes_back() {
    let network = Network::new();
    let responder = network.seat();
    let ipsec = Ipsec::with_key(responder.address(), KEY);
    let server = Responder::boot(&responder, &ipsec, "jdoe", "x", "");
    let nat = network.nat();
    let capture = Capture::start(network.server(), WIRE);
    let (mut client, link) = Client::connect(&nat.seat(), &ipsec, "jdoe", "x");
    assert_eq!(link.peer, INNER);
    assert_eq!(client.ping(INNER, 5, 56), Pings { sent: 5, answered: 5 });
    assert_eq!(client.ping_full(INNER, 2), Pings { sent: 2, answered: 2 });
    let seen = ike_scan(network.server(), &["--trans=7/256,2,1,14", &responder.address().to_string()]);
    assert!(seen.contains("Main Mode Handshake returned"), "{seen}");
    assert!(client.associations().contains("AES_CBC-256/HMAC_SHA1_96"), "{}", client.associations());
    server.run("iperf3 --server --daemon --one-off").ok();
    assert!(client.iperf(INNER, 1_000_000, false) > 0.1);
    client.rekey_child().ok();
    assert_eq!(client.ping(INNER, 5, 56).answered, 5, "over the new association");
    client.vanish();
    client.come_back();
    client.raise().ok();
    client.lower().ok();
    assert!(!client.associations().contains("ESTABLISHED"));
    assert!(server.run("swanctl --list-conns").ok().contains("vpn"));
    let packets = capture.stop();
    assert!(!packets.matching(&format!("udpencap && esp && ip.src == {}", nat.outside())).is_empty());
    assert_eq!(
        packets.matching(&format!("(l2tp || ppp) && !icmp && ip.src == {}", nat.outside())),
        Vec::<String>::new(),
        "nothing in clear"
    );
}

#[test]
fn libreswan_connects_with_a_certificate() {
    let network = Network::new();
    let seat = network.seat();
    let authority = Authority::new("/O=Corp/CN=Corp CA");
    let own = authority.issue("/O=Corp/CN=vpn.example.net", Some(&format!("IP:{}", seat.address())));
    let mut ipsec = Ipsec::with_certificate(seat.address(), own);
    ipsec.ike = "aes256-sha256-modp2048".into();
    let _server = Responder::boot(&seat, &ipsec, "jdoe", "x", "");
    let issued = authority.issue("/O=Corp/OU=sales/CN=pc1", None);
    let ipsec = Ipsec { ike: ipsec.ike, ..Ipsec::with_certificate(seat.address(), issued) }.by_libreswan();
    let (client, link) = Client::connect(&network.seat(), &ipsec, "jdoe", "x");
    assert_eq!(link.peer, INNER);
    assert_eq!(client.ping(INNER, 5, 56).answered, 5);
    client.hang_up();
    client.lower();
}

#[test]
fn private_addresses_may_be_equal_behind_different_nats() {
    let network = Network::new();
    let responder = network.seat();
    let ipsec = Ipsec {
        aggressive: true,
        identity: Some("keyid:sales".into()),
        ..Ipsec::with_key(responder.address(), KEY)
    };
    let server = Responder::boot(&responder, &Ipsec { identity: None, ..ipsec.clone() }, "jdoe", "x", "");
    let (home, office) = (network.nat(), network.nat());
    let seats = [home.seat(), home.seat(), office.seat()];
    assert_eq!(seats[0].address(), seats[2].address());
    let clients = Client::boot_all(&seats, &ipsec);
    for client in &clients {
        client.raise().ok();
    }
    let established = server.run("swanctl --list-sas").ok();
    assert_eq!(established.matches("ESTABLISHED").count(), 3, "{established}");
    // The NAT forgets: the client's next packets come from another port.
    home.change_ports(30_000);
    clients[0].rekey_child().ok();
    assert!(server.run("swanctl --list-sas").ok().contains("[30"), "a new port");
}

#[test]
#[ignore = "a proof of the harness that takes long: cargo test -p tollgate-tests --test vpn_guests -- --ignored"]
fn three_clients_behind_one_nat_reach_softether_at_once() {
    let network = Network::new();
    let _server = SoftEther::start(network.server(), "jdoe", "x");
    let inner = SoftEther::INNER.parse().expect("an address");
    let ipsec = Ipsec::with_key(SERVER, softether::KEY);
    let nat = network.nat();
    let clients = Client::boot_all(&[nat.seat(), nat.seat(), nat.seat()], &ipsec);
    for client in &clients {
        client.raise().ok();
        // It would rather have EAP-TLS, and pppd takes it at its word.
        client.dial("jdoe", "x", "refuse-eap").unwrap_or_else(|said| panic!("{said}"));
    }
    for client in &clients {
        client.ping_on(inner);
    }
    for client in &clients {
        let pings = client.pinged();
        assert!(pings.sent > 0 && pings.answered + 1 >= pings.sent, "{pings:?}");
    }
}
