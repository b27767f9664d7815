//! What is seen only after a while: clients that are gone, ports that are shut, phases that end.

use std::time::Duration;

use tollgate_tests::gateway::{self, KEY, PASSWORD, USER};
use tollgate_tests::network::{Network, SERVER};
use tollgate_tests::vpn::{Client, Ipsec};
use tollgate_tests::{Server, wait_until};

/// Silence is looked into soon.
fn with_dpd() -> String {
    gateway::config_with_key("dpd = { threshold = 10, retry = 2 }")
}

fn session_count(server: &Server) -> usize {
    server.show("sessions").as_array().map_or(0, Vec::len)
}

#[test]
fn a_vanished_client_is_missed_and_one_that_returns_is_served_at_once() {
    let network = Network::new();
    let mut server = gateway::start(&network, &with_dpd());
    let seats = [network.seat(), network.seat()];
    let mut clients = Client::boot_all(&seats, &Ipsec::with_key(SERVER, KEY));
    for client in &clients {
        client.raise().ok();
        client.dial(USER, PASSWORD, "").unwrap_or_else(|said| panic!("{said}"));
    }
    clients[0].vanish();
    clients[1].come_back();
    clients[1].raise().ok();
    let link = clients[1].dial(USER, PASSWORD, "").unwrap_or_else(|said| panic!("{said}"));
    assert_eq!(clients[1].ping(link.peer, 3, 56).answered, 3);
    let ended = |server: &mut Server, address: &str| {
        let mut found = None;
        wait_until(&format!("the session of {address} ends"), Duration::from_secs(40), || {
            let ends = server.process().lines_with("session ended");
            found = ends.into_iter().find(|line| line.contains(address));
            found.is_some()
        });
        found.expect("waited for")
    };
    let returned = ended(&mut server, "address=10.77.0.11");
    assert!(returned.contains("cause=lost carrier"), "{returned}");
    let vanished = ended(&mut server, "address=10.77.0.10");
    assert!(vanished.contains("cause=lost carrier"), "{vanished}");
    assert!(vanished.contains("does not answer dead peer detection"), "{vanished}");
    server.wait_for_log("cause=the peer does not answer dead peer detection");
    assert_eq!(session_count(&server), 1, "the one that came back");
    assert_eq!(clients[1].ping(link.peer, 3, 56).answered, 3);
}

#[test]
fn a_phase_1_that_ends_leaves_phase_2_and_its_session_alone() {
    let network = Network::new();
    let mut server = gateway::start(&network, &with_dpd());
    let ipsec = Ipsec { rekey_ike: Some(3), ..Ipsec::with_key(SERVER, KEY) };
    let (client, link) = Client::connect(&network.seat(), &ipsec, USER, PASSWORD);
    // Its kernel goes on with what stands, which is ESP without UDP.
    client.run("kill -KILL $(cat /run/charon.pid)").ok();
    client.ping_on(link.peer);
    wait_until("phase 1 is over", Duration::from_secs(90), || server.show("ipsec")[0]["phase1"].is_null());
    let pings = client.pinged();
    assert!(pings.sent > 200 && pings.answered == pings.sent, "{pings:?}");
    assert_eq!(client.ping(link.peer, 5, 56).answered, 5);
    assert_eq!(server.process().lines_with("session ended"), Vec::<String>::new());
}

#[test]
fn esp_that_is_shut_out_and_a_silent_client_are_named_in_the_log() {
    let network = Network::new();
    let mut server = gateway::start(&network, &gateway::config_with_key(""));
    let ipsec = Ipsec::with_key(SERVER, KEY);
    let seats = [network.seat(), network.seat()];
    let [no_esp, no_l2tp] = seats.each_ref().map(|seat| seat.address());
    let clients = Client::boot_all(&seats, &ipsec);
    // The wire is a bridge in the server's namespace; what comes for the server passes the input chain.
    let rules = format!(
        "table ip shut {{\nchain input {{\ntype filter hook input priority 0;\nip saddr {no_esp} ip protocol esp \
         drop\n}}\n}}\n"
    );
    network.server().run("nft", &["-f", "-"], &rules);
    clients[0].raise().ok();
    clients[1].raise().ok();
    clients[0].call(USER, PASSWORD, "");
    let line_of = |server: &mut Server, peer: &str, words: &str| {
        let mut found = Vec::new();
        wait_until(&format!("{words} of {peer}"), Duration::from_secs(60), || {
            found = server.process().lines_with(words);
            found.retain(|line| line.contains("WARN") && line.contains(&format!("peer={peer}:")));
            !found.is_empty()
        });
        assert_eq!(found.len(), 1, "once: {found:?}");
        found.remove(0)
    };
    for address in [no_esp, no_l2tp] {
        let line = line_of(&mut server, &address.to_string(), "no L2TP has come for 30 s");
        assert!(line.contains("IP protocol 50") && line.contains("force-udp-encapsulation"), "{line}");
    }
}
