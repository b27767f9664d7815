//! What a client asks by RFC 5176, unsigned and signed: nothing unsigned is believed, each request is handed out once
//! at most, and every answer is a packet for it.
#![no_main]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, UNIX_EPOCH};

use libfuzzer_sys::fuzz_target;
use md5::{Digest, Md5};
use tollgate_aaa::Secret;
use tollgate_backends::radius::dynamic::{
    DynamicAuthorization, DynamicClient, DynamicSettings, ErrorCause, Received,
};
use tollgate_backends::radius::packet::{Key, Packet, Required};

const SECRET: &[u8] = b"testing123";

fuzz_target!(|datagram: &[u8]| {
    let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 9));
    let from = SocketAddr::new(address, 3799);
    let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let client = DynamicClient {
        require_message_authenticator: false,
        require_event_timestamp: false,
        ..DynamicClient::new(address, Secret::from(SECRET))
    };
    let mut listener = DynamicAuthorization::new(DynamicSettings {
        identifiers: vec!["gate".to_owned()],
        is_own_address: |address| address == Ipv4Addr::new(192, 0, 2, 1),
        clients: vec![client],
    });
    let Ok(packet) = Packet::parse(datagram) else {
        assert!(matches!(listener.receive(from, datagram, now), Received::Dropped(_)));
        return;
    };
    let mut signed = packet.octets().to_vec();
    signed[4..20].fill(0);
    let signature: [u8; 16] = Md5::new().chain_update(&signed).chain_update(SECRET).finalize().into();
    if datagram[4..20] != signature {
        assert!(matches!(listener.receive(from, datagram, now), Received::Dropped(_)));
    }
    signed[4..20].copy_from_slice(&signature);
    let answer = match listener.receive(from, &signed, now) {
        Received::Request(request) => {
            assert!(matches!(listener.receive(from, &signed, now), Received::UnderWay));
            let refused = listener.answer(&request, Err(ErrorCause::SessionContextNotFound));
            refused.expect("it fits, or the request had not been handed out")
        }
        Received::Answer(answer) => answer,
        Received::UnderWay => panic!("nothing is under way"),
        Received::Dropped(_) => return,
    };
    let believed = Packet::parse(&answer).expect("a packet");
    assert_eq!(believed.identifier(), signed[1]);
    assert_eq!(
        believed.verify(&signature, &Key::new(Secret::from(SECRET)), Required::MessageAuthenticator),
        Ok(())
    );
    assert_eq!(answer[0], signed[0] + 2);
    match listener.receive(from, &signed, now) {
        Received::Answer(again) => assert_eq!(again, answer),
        other => panic!("{other:?}"),
    }
    let elsewhere = SocketAddr::new(address, 4000);
    assert!(matches!(listener.receive(elsewhere, &signed, now), Received::Dropped(_)));
});
