//! A whole link: any protocol in any phase, decisions and time in any order, proxy LCP from a carrier in front.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tollgate_fuzz::link::{ALL, Peer};
use tollgate_fuzz::script::Script;
use tollgate_ppp::ipv4_payload;

fuzz_target!(|octets: &[u8]| {
    if let Some(packet) = ipv4_payload(octets) {
        assert!(octets.ends_with(packet) && octets.len() - packet.len() <= 4);
    }
    let mut script = Script::new(octets);
    let choice = script.octet();
    let first = usize::from(choice >> 2 & 3);
    let mut peer =
        if choice & 1 == 0 { Peer::of_server(&ALL[first..]) } else { Peer::of_client(&ALL[first..]) };
    if choice & 3 == 2 {
        peer.start_with_proxy(&mut script);
    } else {
        peer.start();
    }
    peer.play(&mut script, None);
    peer.leave();
});
