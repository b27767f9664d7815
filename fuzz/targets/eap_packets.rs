//! EAP: Responses and rounds at a server that passes them through, Requests of every type at a client.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tollgate_fuzz::link::{EAP, Peer};
use tollgate_fuzz::script::Script;
use tollgate_ppp::AuthProtocol::Eap;

fuzz_target!(|octets: &[u8]| {
    let mut script = Script::new(octets);
    let server = script.octet() & 1 == 0;
    let mut peer = if server { Peer::of_server(&[Eap]) } else { Peer::of_client(&[Eap]) };
    peer.start();
    peer.open_lcp(if server { &[] } else { &[3, 4, 0xC2, 0x27] });
    peer.play(&mut script, Some(EAP));
    peer.leave();
});
