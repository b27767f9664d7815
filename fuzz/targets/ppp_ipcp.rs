//! IPCP: addresses and name servers, at either end of the link.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tollgate_fuzz::link::{ALL, IPCP, Peer};
use tollgate_fuzz::script::Script;

fuzz_target!(|octets: &[u8]| {
    let mut script = Script::new(octets);
    let server = script.octet().is_multiple_of(2);
    let mut peer = if server { Peer::of_server(&ALL[3..]) } else { Peer::of_client(&ALL) };
    peer.start();
    if server {
        peer.log_in();
    } else {
        peer.open_lcp(&[]);
    }
    peer.play(&mut script, Some(IPCP));
    peer.leave();
});
