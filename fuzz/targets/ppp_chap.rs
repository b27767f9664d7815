//! CHAP with MD5 and both versions of MS-CHAP: responses and retries at a server, challenges and results at a client.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tollgate_fuzz::link::{ALL, CHAP, Peer};
use tollgate_fuzz::script::Script;
use tollgate_ppp::AuthProtocol::{ChapMd5, MsChapV1, MsChapV2};

fuzz_target!(|octets: &[u8]| {
    let mut script = Script::new(octets);
    let choice = script.octet();
    let (method, algorithm) = match choice % 3 {
        0 => (ChapMd5, 5),
        1 => (MsChapV1, 0x80),
        _ => (MsChapV2, 0x81),
    };
    let server = choice & 0x80 == 0;
    let mut peer = if server { Peer::of_server(&[method]) } else { Peer::of_client(&ALL) };
    peer.start();
    let asked = [3, 5, 0xC2, 0x23, algorithm];
    peer.open_lcp(if server { &[] } else { &asked });
    peer.play(&mut script, Some(CHAP));
    peer.leave();
});
