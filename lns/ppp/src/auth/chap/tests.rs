//! The worked examples of the RFCs, from the challenge that is out to the verdict, through the server's machine.
use std::sync::Arc;
use std::time::Instant;

use tollgate_mschap::{
    NtHash, generate_authenticator_response, verify_nt_response_v1, verify_nt_response_v2,
};
use tollgate_sansio::Entropy;

use super::*;
use crate::auth::Step;
use crate::config::Timers;
use crate::frame::{self, Packet};
use crate::shared::Shared;
use crate::{Event, ServerConfig};

fn challenged(flavour: Flavour, identifier: u8, challenge: &[u8]) -> (Authenticator, Shared) {
    let config = Arc::new(ServerConfig::default());
    let mut shared = Shared::new(Entropy::from_seed([3; 32]), Timers::of_server(&config));
    let mut chap = Authenticator::start(flavour, config, Instant::now(), &mut shared);
    chap.set_challenge(identifier, challenge);
    shared.poll_frame();
    (chap, shared)
}

fn respond(chap: &mut Authenticator, shared: &mut Shared, identifier: u8, value: &[u8]) -> Proof {
    let data = encode_value(value, b"User");
    let step = chap.receive(Packet { code: RESPONSE, identifier, data: &data }, shared);
    assert_eq!(step, Step::Wait);
    match shared.poll_event() {
        Some(Event::Authenticate(request)) => request.proof,
        other => panic!("{other:?}"),
    }
}

#[test]
fn rfc_1994_md5_over_identifier_secret_and_challenge() {
    let challenge = [0x10, 0x2D, 0xB5, 0xDF, 0x08, 0x5D, 0x30, 0x41];
    assert_eq!(
        md5_response(1, b"MyPw", &challenge),
        [0x8F, 0x02, 0x88, 0x14, 0x45, 0x0D, 0x66, 0xD9, 0x4C, 0x72, 0x33, 0x1E, 0xF4, 0x55, 0xA1, 0x72]
    );
    let (mut chap, mut shared) = challenged(Flavour::Md5, 1, &[0x33; 16]);
    let value = md5_response(1, b"MyPw", &[0x33; 16]);
    let Proof::Chap { identifier, challenge, response } = respond(&mut chap, &mut shared, 1, &value) else {
        panic!()
    };
    assert_eq!(md5_response(identifier, b"MyPw", &challenge), response);
}

#[test]
fn rfc_2433_appendix_b_2_through_the_server() {
    let challenge = [0x10, 0x2D, 0xB5, 0xDF, 0x08, 0x5D, 0x30, 0x41];
    let (mut chap, mut shared) = challenged(Flavour::MsV1, 9, &challenge);
    let nt = [
        0x4E, 0x9D, 0x3C, 0x8F, 0x9C, 0xFD, 0x38, 0x5D, 0x5B, 0xF4, 0xD3, 0x24, 0x67, 0x91, 0x95, 0x6C, 0xA4,
        0xC3, 0x51, 0xAB, 0x40, 0x9A, 0x3D, 0x61,
    ];
    let value = [&[0; 24][..], &nt, &[1]].concat();
    let Proof::MsChapV1 { challenge, nt_response, use_nt, .. } = respond(&mut chap, &mut shared, 9, &value)
    else {
        panic!()
    };
    assert!(use_nt && verify_nt_response_v1(&challenge, &NtHash::from_password("MyPw"), &nt_response));
}

#[test]
fn rfc_2759_9_2_through_the_server() {
    let (mut chap, mut shared) = challenged(Flavour::MsV2, 4, b"[]|}{?/><,`!2&&(");
    let nt = [
        0x82, 0x30, 0x9E, 0xCD, 0x8D, 0x70, 0x8B, 0x5E, 0xA0, 0x8F, 0xAA, 0x39, 0x81, 0xCD, 0x83, 0x54, 0x42,
        0x33, 0x11, 0x4A, 0x3D, 0x85, 0xD6, 0xDF,
    ];
    let value = [&b"!@#$%^&*()_+:3|~"[..], &[0; 8], &nt, &[0]].concat();
    let Proof::MsChapV2 { authenticator_challenge, peer_challenge, nt_response, .. } =
        respond(&mut chap, &mut shared, 4, &value)
    else {
        panic!()
    };
    let hash = NtHash::from_password("clientPass");
    assert!(verify_nt_response_v2(&authenticator_challenge, &peer_challenge, b"User", &hash, &nt_response));
    let proof = generate_authenticator_response(
        &hash,
        &nt_response,
        &peer_challenge,
        &authenticator_challenge,
        b"User",
    );
    chap.accept(format!("{proof} M=Welcome").as_bytes(), &mut shared);
    let success = shared.poll_frame().unwrap();
    let (_, information) = frame::split(&success).unwrap();
    let packet = Packet::parse(information).unwrap();
    assert_eq!((packet.code, packet.identifier), (SUCCESS, 4));
    assert_eq!(packet.data, b"S=407A5589115FD0D6209F510FE9C04566932CDA56 M=Welcome");
}

#[test]
fn a_value_is_a_counted_string_and_a_name() {
    assert_eq!(parse_value(b"\x02abname"), Some((&b"ab"[..], &b"name"[..])));
    assert_eq!(parse_value(b"\x00"), Some((&b""[..], &b""[..])));
    assert_eq!(parse_value(b"\x03ab"), None);
    assert_eq!(parse_value(b""), None);
    assert_eq!(encode_value(b"ab", &[b'x'; 300]).len(), 1 + 2 + 255);
}
