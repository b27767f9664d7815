//! TCP through a real pppd: segments fit the link of the client, whatever the two ends of the connection believe.

use tollgate_tests::Server;
use tollgate_tests::capture::Capture;
use tollgate_tests::guest::{self, Guest};
use tollgate_tests::transfer;

const OCTETS: usize = 300_000;

#[test]
fn a_transfer_each_way_fits_the_links_mtu() {
    let namespace = guest::namespace();
    let config = format!(
        r#"
[lns]
require-ipsec = false
l2tp-listen = "{}:1701"
[local]
users = "users.toml"
[pool.clients]
range = "10.77.0.10-10.77.0.20"
mask = "255.255.255.0"
[tunnel-group.DefaultRAGroup]
address-pool = ["clients"]
"#,
        guest::SERVER
    );
    let _server = Server::start(&config, &[("jdoe", "x")], Some(&namespace));
    let capture = Capture::start(&namespace, "tollgate0");
    // Sends, then receives, one connection each.
    let inside = transfer::serve(&namespace, "10.77.0.1:7000", OCTETS);
    // The client takes packets of 1,200 octets at most but does not tell its own TCP.
    let script = format!(
        "dial jdoe x <<X\nmru 1200\nX\nwait_up || exit\n\
         bash -c 'echo GUEST down $(cat < /dev/tcp/10.77.0.1/7000 | wc -c)'\n\
         bash -c 'head -c {OCTETS} /dev/zero > /dev/tcp/10.77.0.1/7000; echo GUEST sent'\nhang_up\nwait_down"
    );
    let mut guest = Guest::boot(&namespace, &script);
    guest.wait_for(&format!("GUEST down {OCTETS}"));
    guest.wait_for("GUEST sent");
    assert_eq!(inside.join().expect("no panic"), OCTETS);
    let packets = capture.stop();
    let syn = "tcp.flags.syn == 1 && tcp.flags.ack == 0";
    assert!(!packets.matching(syn).is_empty());
    assert_eq!(
        packets.matching(&format!("{syn} && tcp.options.mss_val > 1160")),
        Vec::<String>::new(),
        "clamped to what the client takes"
    );
    assert_eq!(packets.matching("ip.dst == 10.77.0.10 && ip.len > 1200 && tcp"), Vec::<String>::new());
    assert_eq!(packets.matching("_ws.malformed"), Vec::<String>::new());
}
