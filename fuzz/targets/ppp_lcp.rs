//! LCP: negotiation, echoes, rejections and the end, at either end of the link.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tollgate_fuzz::link::{ALL, LCP, Peer};
use tollgate_fuzz::script::Script;

fuzz_target!(|octets: &[u8]| {
    let mut script = Script::new(octets);
    let mut peer = match script.octet() % 3 {
        0 => Peer::of_server(&ALL),
        1 => Peer::of_server(&ALL[3..]),
        _ => Peer::of_client(&ALL),
    };
    peer.start();
    peer.play(&mut script, Some(LCP));
    peer.leave();
});
