//! New keys while packets flow.

use std::time::Duration;

use tollgate_tests::gateway::{self, KEY, PASSWORD, USER};
use tollgate_tests::network::{Network, SERVER};
use tollgate_tests::vpn::{Client, Ipsec};

#[test]
fn pings_go_on_over_new_keys_of_both_phases() {
    let network = Network::new();
    let mut server = gateway::start(&network, &gateway::config_with_key(""));
    let nat = network.nat();
    let ipsec = Ipsec { rekey_child: Some(4), rekey_ike: Some(7), ..Ipsec::with_key(SERVER, KEY) };
    let (client, link) = Client::connect(&nat.seat(), &ipsec, USER, PASSWORD);
    client.ping_on(link.peer);
    std::thread::sleep(Duration::from_secs(20));
    let pings = client.pinged();
    assert!(pings.sent >= 80 && pings.answered == pings.sent, "{pings:?}");
    let shown = server.show("ipsec");
    assert!(shown[0]["rekeyed"].as_u64().is_some_and(|times| times >= 3), "{shown}");
    assert_eq!(shown.as_array().map(Vec::len), Some(1), "one association all the time: {shown}");
    let authenticated = server.process().lines_with("IKE peer authenticated");
    assert!(authenticated.len() >= 3, "phase 1 too: {authenticated:?}");
    assert_eq!(server.process().lines_with("session ended"), Vec::<String>::new());
}
