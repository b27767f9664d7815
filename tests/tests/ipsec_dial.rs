//! Our own client through IPsec, at other servers and at ours.

use std::process::Output;

use tollgate_tests::capture::Capture;
use tollgate_tests::gateway::{self, Files, KEY, PASSWORD, USER};
use tollgate_tests::network::{Network, SERVER, WIRE};
use tollgate_tests::pki::Authority;
use tollgate_tests::softether::{self, SoftEther};
use tollgate_tests::tollgate::{output_in, text};
use tollgate_tests::vpn::{Ipsec, Responder};

/// `dial` from beside the server, which is on the same wire; one ping.
fn dial(network: &Network, server: &str, more: &[&str]) -> Output {
    let mut all = vec!["dial", server, "--user", USER, "--ping", "2", "--timeout", "10"];
    all.extend(more);
    output_in(network.server(), &all, PASSWORD)
}

#[track_caller]
fn assert_connected(dialled: &Output) {
    let (said, _) = text(dialled);
    // pppd drops what comes in the moment after it gave an address.
    assert!(said.contains("ms  10.66.0.1 answered") || said.matches("answered").count() == 2, "{said}");
}

fn psk_file(key: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("psk");
    std::fs::write(&file, format!("{key}\n")).expect("writable");
    let name = file.display().to_string();
    (folder, name)
}

#[test]
fn strongswan_with_xl2tpd_lets_our_client_in_by_main_and_by_aggressive_mode() {
    let network = Network::new();
    let (_folder, psk) = psk_file(KEY);
    let seats = [network.seat(), network.seat()];
    let main = Ipsec::with_key(seats[0].address(), KEY);
    let aggressive = Ipsec { aggressive: true, ..Ipsec::with_key(seats[1].address(), KEY) };
    let responders =
        Responder::boot_each(&[(seats[0].clone(), main), (seats[1].clone(), aggressive)], USER, PASSWORD);
    let address = |number: usize| responders[number].address().to_string();
    assert_connected(&dial(&network, &address(0), &["--psk-file", &psk]));
    let named = ["--psk-file", &psk, "--aggressive", "sales", "--proposal", "aes-256-sha1-14"];
    assert_connected(&dial(&network, &address(1), &named));
    let (said, code) =
        text(&dial(&network, &address(0), &["--psk-file", &psk, "--proposal", "aes-128-sha512-14"]));
    assert_eq!(code, 1);
    assert!(said.contains("ike") && said.contains("NO-PROPOSAL-CHOSEN"), "{said}");
}

#[test]
fn softether_lets_our_client_in() {
    let network = Network::new();
    let _server = SoftEther::start(network.server(), USER, PASSWORD);
    let (_folder, psk) = psk_file(softether::KEY);
    // From another namespace: SoftEther's own address is another machine's.
    let nat = network.nat();
    let server = SERVER.to_string();
    let arguments = ["dial", &server, "--user", USER, "--ping", "2", "--timeout", "15", "--psk-file", &psk];
    assert_connected(&output_in(nat.namespace(), &arguments, PASSWORD));
}

#[test]
fn certificates_let_our_client_in_and_tshark_reads_what_its_keys_open() {
    let network = Network::new();
    let authority = Authority::new("/O=Corp/CN=Corp CA");
    let files = Files::of(&authority);
    files.add_issued("own", &authority.issue("/O=Corp/CN=pc1", None));
    let _server = gateway::start(&network, &gateway::config(&files.table(""), ""));
    let capture = Capture::start(network.server(), WIRE);
    let nat = network.nat();
    let (server, keys) = (SERVER.to_string(), files.argument("keys"));
    let names = ["own.pem", "own.key", "ca.pem"].map(|name| files.argument(name));
    let arguments = [
        "dial",
        &server,
        "--user",
        USER,
        "--ping",
        "2",
        "--timeout",
        "15",
        "--cert",
        &names[0],
        "--key",
        &names[1],
        "--ca",
        &names[2],
        "--key-log",
        &keys,
    ];
    assert_connected(&output_in(nat.namespace(), &arguments, PASSWORD));
    let packets = capture.stop().with_keys(&std::fs::read_to_string(&keys).expect("dial wrote its keys"));
    let seen = |filter: &str| packets.matching(filter).len();
    assert!(
        seen("isakmp.cert.data") > 0 || seen("isakmp.typepayload == 6") > 0,
        "certificates inside phase 1"
    );
    assert!(seen("isakmp.exchangetype == 32 && isakmp.typepayload == 5") > 0, "identities inside phase 2");
    assert!(seen("l2tp.avp.message_type == 1") > 0, "SCCRQ");
    assert!(seen("l2tp && chap.code == 3") > 0, "the login succeeds");
    assert!(seen("l2tp && icmp.type == 0") == 2, "both pings come back");
    assert_eq!(packets.matching("_ws.malformed"), Vec::<String>::new());
}
