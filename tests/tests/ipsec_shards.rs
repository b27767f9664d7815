//! IKE's two ports and ESP lead to whatever socket the kernel chooses; what belongs to another shard is handed over.

use tollgate_tests::Server;
use tollgate_tests::tollgate::text;

const CONFIG: &str = r#"
[lns]
shards = 4
l2tp-listen = "127.0.0.1:0"
[ipsec]
ike-listen = "127.0.0.1:0"
nat-t-listen = "127.0.0.1:0"
esp = false
[local]
[pool.clients]
range = "10.77.0.10-10.77.0.100"
[group-policy.DfltGrpPolicy]
vpn-simultaneous-logins = 100
[tunnel-group.DefaultRAGroup]
address-pool = ["clients"]
pre-shared-key = "a key of the tests"
"#;

/// The port that the server's first line names.
fn port(server: &mut Server, name: &str) -> String {
    let line = server.wait_for_log("serving");
    let (_, rest) = line.split_once(&format!("{name}=127.0.0.1:")).expect("the line names the port");
    rest.split_whitespace().next().expect("a port").to_owned()
}

#[test]
fn clients_reach_their_shard_whatever_socket_their_packets_come_to() {
    let mut server = Server::start(CONFIG, &[("jdoe", "j!doe1")], None);
    let (ike, nat_t) = (port(&mut server, "ike"), port(&mut server, "nat_t"));
    std::fs::write(server.folder().join("psk"), "a key of the tests").expect("writable");
    let key = server.folder().join("psk").display().to_string();
    let more = ["--psk-file", &key, "--ike-port", &ike, "--nat-t-port", &nat_t, "--ping", "2"];
    // With four sockets on each of two ports, sixteen clients go astray almost surely.
    for number in 0..16 {
        let (said, code) = text(&server.dial("jdoe", "ms-chap-v2", "j!doe1", &more));
        assert_eq!(code, 0, "client {number}: {said}");
    }
    let numbers: Vec<_> = server
        .process()
        .lines_with("IPsec association up")
        .iter()
        .filter_map(|line| line.split("association=").nth(1)?.split_whitespace().next().map(str::to_owned))
        .collect();
    let shards: std::collections::HashSet<_> =
        numbers.iter().filter_map(|number| number.parse::<u64>().ok()).map(|number| number % 4).collect();
    assert_eq!(numbers.len(), 16);
    assert!(shards.len() > 1, "all sixteen came to one shard: {numbers:?}");
}
