//! Traffic through IPsec: full packets, TCP, and what pppd asks for that IPsec makes needless.

use std::time::Duration;

use tollgate_tests::capture::Capture;
use tollgate_tests::gateway::{self, KEY, PASSWORD, USER};
use tollgate_tests::network::{Network, SERVER, WIRE};
use tollgate_tests::vpn::{Client, Ipsec};
use tollgate_tests::{transfer, wait_until};

/// Octets each way.
const OCTETS: usize = 1_500_000;
const INSIDE: &str = "10.88.0.1";

#[test]
fn full_packets_and_tcp_fit_without_a_fragment_and_mppe_is_refused_without_a_hang() {
    let network = Network::new();
    let mut server = gateway::start(&network, &gateway::config_with_key(""));
    // A host behind the server.
    network.server().ip(&["addr", "add", &format!("{INSIDE}/32"), "dev", "lo"]);
    let inside = INSIDE.parse().expect("an address");
    let nat = network.nat();
    let ipsec = Ipsec { esp: "aes256-sha256".into(), ..Ipsec::with_key(SERVER, KEY) };
    let seats = [nat.seat(), network.seat()];
    let clients = Client::boot_all(&seats, &ipsec);
    for client in &clients {
        client.raise().ok();
    }
    let link = clients[0].dial(USER, PASSWORD, "").unwrap_or_else(|said| panic!("{said}"));
    let route = format!("ip route add {INSIDE} dev ppp0");
    let capture = Capture::start(network.server(), WIRE);
    clients[0].run(&route).ok();
    assert!(clients[0].mtu() >= 1280, "{}", clients[0].mtu());
    for address in [link.peer, inside] {
        assert_eq!(clients[0].ping_full(address, 5).answered, 5);
    }
    let far_end = transfer::serve(network.server(), &format!("{INSIDE}:5001"), OCTETS);
    assert_eq!(clients[0].download(inside, 5001), OCTETS);
    clients[0].upload(inside, 5001, OCTETS);
    assert_eq!(far_end.join().expect("the far end ends"), OCTETS);
    let packets = capture.stop();
    assert_eq!(
        packets.matching("ip.flags.mf == 1 || ip.frag_offset > 0 || icmp.type == 3 || _ws.malformed"),
        Vec::<String>::new(),
        "no fragments outside"
    );
    clients[1].call(USER, PASSWORD, "require-mppe");
    let ended = server.wait_for_log("call ended before its session started");
    assert!(ended.contains("the peer hung up: MPPE required but peer negotiation failed"), "{ended}");
    wait_until("one session is left", Duration::from_secs(10), || {
        server.show("sessions").as_array().map(Vec::len) == Some(1)
    });
}
