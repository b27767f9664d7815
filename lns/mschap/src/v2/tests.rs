//! The worked example of RFC 2759 9.2.
use super::*;

const AUTHENTICATOR: [u8; 16] = *b"[]|}{?/><,`!2&&(";
const PEER: [u8; 16] = *b"!@#$%^&*()_+:3|~";
const NT_RESPONSE: [u8; 24] = [
    0x82, 0x30, 0x9E, 0xCD, 0x8D, 0x70, 0x8B, 0x5E, 0xA0, 0x8F, 0xAA, 0x39, 0x81, 0xCD, 0x83, 0x54, 0x42,
    0x33, 0x11, 0x4A, 0x3D, 0x85, 0xD6, 0xDF,
];
const SUCCESS: &str = "S=407A5589115FD0D6209F510FE9C04566932CDA56";

fn hash() -> NtHash {
    NtHash::from_password("clientPass")
}

#[test]
fn rfc_2759_9_2_challenge_hash() {
    assert_eq!(
        challenge_hash(&PEER, &AUTHENTICATOR, b"User"),
        [0xD0, 0x2E, 0x43, 0x86, 0xBC, 0xE9, 0x12, 0x26]
    );
}

#[test]
fn rfc_2759_9_2_nt_response() {
    assert_eq!(generate_nt_response(&AUTHENTICATOR, &PEER, b"User", &hash()), NT_RESPONSE);
    assert!(verify_nt_response_v2(&AUTHENTICATOR, &PEER, b"User", &hash(), &NT_RESPONSE));
    assert!(!verify_nt_response_v2(&AUTHENTICATOR, &PEER, b"user", &hash(), &NT_RESPONSE));
    let mut wrong = NT_RESPONSE;
    wrong[23] ^= 0x80;
    assert!(!verify_nt_response_v2(&AUTHENTICATOR, &PEER, b"User", &hash(), &wrong));
}

#[test]
fn rfc_2759_9_2_authenticator_response() {
    assert_eq!(
        generate_authenticator_response(&hash(), &NT_RESPONSE, &PEER, &AUTHENTICATOR, b"User"),
        SUCCESS
    );
}

#[test]
fn the_peer_accepts_the_proof_with_or_without_a_message_and_in_either_case() {
    let check = |text: &[u8]| {
        verify_authenticator_response(&hash(), &NT_RESPONSE, &PEER, &AUTHENTICATOR, b"User", text)
    };
    assert!(check(SUCCESS.as_bytes()));
    assert!(check(format!("{SUCCESS} M=Welcome").as_bytes()));
    assert!(check(format!("{SUCCESS}M=no blank").as_bytes()));
    assert!(check(format!("S={}", SUCCESS[2..].to_lowercase()).as_bytes()));
    assert!(!check(&SUCCESS.as_bytes()[..41]));
    assert!(!check(b"S=507A5589115FD0D6209F510FE9C04566932CDA56"));
    assert!(!check(b""));
    assert!(!check(b"M=Welcome"));
}

#[test]
fn a_domain_ends_at_the_last_backslash() {
    assert_eq!(strip_domain(br"CORP\User"), b"User");
    assert_eq!(strip_domain(br"a\b\c"), b"c");
    assert_eq!(strip_domain(b"User"), b"User");
    assert_eq!(strip_domain(br"CORP\"), b"");
    assert_eq!(strip_domain(b""), b"");
}
