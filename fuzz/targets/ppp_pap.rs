//! PAP: requests at a server, answers at a client.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tollgate_fuzz::link::{ALL, PAP, Peer};
use tollgate_fuzz::script::Script;

fuzz_target!(|octets: &[u8]| {
    let mut script = Script::new(octets);
    let server = script.octet().is_multiple_of(2);
    let mut peer = if server { Peer::of_server(&ALL[3..]) } else { Peer::of_client(&ALL) };
    peer.start();
    peer.open_lcp(if server { &[] } else { &[3, 4, 0xC0, 0x23] });
    peer.play(&mut script, Some(PAP));
    peer.leave();
});
