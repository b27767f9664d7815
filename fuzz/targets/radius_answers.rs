//! What a RADIUS server answers: parsing, belief, and the verdict for each method.
#![no_main]

use libfuzzer_sys::fuzz_target;
use md5::{Digest, Md5};
use tollgate_aaa::{AuthMethod, Secret, Verdict};
use tollgate_backends::radius::answer;
use tollgate_backends::radius::packet::{Disbelief, Key, Packet, Required};

const SECRET: &[u8] = b"testing123";
const REQUEST: [u8; 16] = [9; 16];

fuzz_target!(|datagram: &[u8]| {
    let key = Key::new(Secret::from(SECRET));
    let Ok(packet) = Packet::parse(datagram) else { return };
    let attributes: usize = packet.attributes().map(|attribute| 2 + attribute.value.len()).sum();
    assert!(20 + attributes <= datagram.len());
    let length = 20 + attributes;

    // Octets that nobody signed are not believed; signed ones are, unless the Message-Authenticator says otherwise.
    let mut signed = datagram[..length].to_vec();
    let signature: [u8; 16] = Md5::new()
        .chain_update(&signed[..4])
        .chain_update(REQUEST)
        .chain_update(&signed[20..])
        .chain_update(SECRET)
        .finalize()
        .into();
    if signed[4..20] != signature {
        assert_eq!(packet.verify(&REQUEST, &key, Required::Nothing), Err(Disbelief::Authenticator));
    }
    signed[4..20].copy_from_slice(&signature);
    let believed = Packet::parse(&signed).expect("only the authenticator has changed");
    let carries = |kind| believed.attributes().any(|attribute| attribute.kind == kind);
    match believed.verify(&REQUEST, &key, Required::Nothing) {
        Ok(()) => {}
        Err(Disbelief::MessageAuthenticator) => assert!(carries(80)),
        Err(Disbelief::ProxyState) => assert!(carries(33) && !carries(80)),
        Err(other) => panic!("{other}"),
    }
    if !carries(80) {
        assert!(believed.verify(&REQUEST, &key, Required::MessageAuthenticator).is_err());
    }

    for method in [AuthMethod::Pap, AuthMethod::Chap, AuthMethod::MsChapV1, AuthMethod::MsChapV2] {
        match answer::decode(&packet, method, &REQUEST, &key) {
            Verdict::Accept(attributes) => {
                assert_eq!(datagram[0], 2);
                assert!(method != AuthMethod::MsChapV2 || attributes.ms_chap2_success.is_some());
            }
            Verdict::Reject(reject) => assert!(!reject.reason.to_string().is_empty()),
            Verdict::Challenge(_) => assert_eq!(datagram[0], 11),
            Verdict::Unavailable(unavailable) => assert!(!unavailable.why.is_empty()),
        }
    }
});
