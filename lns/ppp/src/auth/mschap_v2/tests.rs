//! The worked example of RFC 2759 9.2, in packets.
use super::*;

const AUTHENTICATOR: [u8; 16] = *b"[]|}{?/><,`!2&&(";
const PEER: [u8; 16] = *b"!@#$%^&*()_+:3|~";
const SUCCESS: &[u8] = b"S=407A5589115FD0D6209F510FE9C04566932CDA56 M=Welcome";

#[test]
fn rfc_2759_9_2_the_clients_value_and_its_check_of_the_success() {
    let exchange = Exchange::new(br"BIGCO\User", b"clientPass", AUTHENTICATOR, PEER);
    let value = exchange.value();
    assert_eq!(value.len(), RESPONSE_LENGTH);
    assert_eq!(value[..16], PEER);
    assert_eq!(value[16..24], [0; 8]);
    assert_eq!(value[24..27], [0x82, 0x30, 0x9E]);
    assert_eq!(value[48], 0);
    assert!(exchange.is_proven_by(b"User", b"clientPass", SUCCESS));
    assert!(!exchange.is_proven_by(b"User", b"clientPass", &SUCCESS[1..]));
    assert!(!exchange.is_proven_by(b"User", b"ClientPass", SUCCESS));
    assert!(matches!(
        proof(7, AUTHENTICATOR, &value),
        Some(Proof::MsChapV2 { identifier: 7, peer_challenge: PEER, flags: 0, .. })
    ));
}

#[test]
fn the_message_is_found_with_and_without_the_blank() {
    assert_eq!(message_of(SUCCESS), b"Welcome");
    assert_eq!(message_of(b"S=407A5589115FD0D6209F510FE9C04566932CDA56M=Hello"), b"Hello");
    assert_eq!(message_of(b"S=407A5589115FD0D6209F510FE9C04566932CDA56"), b"");
}
