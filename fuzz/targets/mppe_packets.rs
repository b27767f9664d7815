//! CCP and MPPE after a login: negotiation, resets, and encrypted packets with every count.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tollgate_fuzz::link::{CCP, Peer};
use tollgate_fuzz::script::Script;
use tollgate_ppp::AuthProtocol::Pap;

fuzz_target!(|octets: &[u8]| {
    let mut script = Script::new(octets);
    let choice = script.octet();
    let mut peer = Peer::of_server(&[Pap]);
    peer.encrypt(choice & 1 == 0, choice & 2 != 0);
    peer.start();
    peer.log_in();
    if choice & 4 == 0 {
        peer.open_network(if choice & 2 != 0 { 0x40 } else { 0x0100_0040 });
    }
    peer.play(&mut script, Some(CCP));
    peer.leave();
});
