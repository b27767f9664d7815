//! A whole endpoint, as network server or access concentrator: datagrams, calls, time and closing in any order.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tollgate_fuzz::endpoint::Peer;
use tollgate_fuzz::script::Script;

fuzz_target!(|octets: &[u8]| {
    let mut script = Script::new(octets);
    let mut peer = Peer::new(script.octet());
    peer.play(&mut script);
    peer.leave();
});
