//! The sample derivations of RFC 3079 2.5.3 and 3.5.
use super::*;

const NT_RESPONSE: [u8; 24] = [
    0x82, 0x30, 0x9E, 0xCD, 0x8D, 0x70, 0x8B, 0x5E, 0xA0, 0x8F, 0xAA, 0x39, 0x81, 0xCD, 0x83, 0x54, 0x42,
    0x33, 0x11, 0x4A, 0x3D, 0x85, 0xD6, 0xDF,
];
const SEND_START_128: [u8; 16] =
    [0x8B, 0x7C, 0xDC, 0x14, 0x9B, 0x99, 0x3A, 0x1B, 0xA1, 0x18, 0xCB, 0x15, 0x3F, 0x56, 0xDC, 0xCB];

fn master() -> MasterKey {
    master_key(&NtHash::from_password("clientPass"), &NT_RESPONSE)
}

#[test]
fn rfc_3079_3_5_master_key() {
    assert_eq!(
        master().as_bytes(),
        &[0xFD, 0xEC, 0xE3, 0x71, 0x7A, 0x8C, 0x83, 0x8C, 0xB3, 0x88, 0xE5, 0x27, 0xAE, 0x3C, 0xDD, 0x31]
    );
}

#[test]
fn rfc_3079_3_5_1_forty_bits() {
    let start = master().start_key(Direction::ServerToClient, KeyStrength::Bits40);
    assert_eq!(start.as_bytes(), &SEND_START_128[..8]);
    assert_eq!(start.first_session_key().as_bytes(), &[0xD1, 0x26, 0x9E, 0xC4, 0x9F, 0xA6, 0x2E, 0x3E]);
}

#[test]
fn rfc_3079_3_5_2_fifty_six_bits() {
    let start = master().start_key(Direction::ServerToClient, KeyStrength::Bits56);
    assert_eq!(start.as_bytes(), &SEND_START_128[..8]);
    assert_eq!(start.first_session_key().as_bytes(), &[0xD1, 0x5C, 0x00, 0xC4, 0x9F, 0xA6, 0x2E, 0x3E]);
}

#[test]
fn rfc_3079_3_5_3_hundred_and_twenty_eight_bits() {
    let start = master().start_key(Direction::ServerToClient, KeyStrength::Bits128);
    assert_eq!(start.as_bytes(), &SEND_START_128);
    assert_eq!(
        start.first_session_key().as_bytes(),
        &[0x40, 0x5C, 0xB2, 0x24, 0x7A, 0x79, 0x56, 0xE6, 0xE2, 0x11, 0x00, 0x7A, 0xE2, 0x7B, 0x22, 0xD4]
    );
}

#[test]
fn the_other_direction_has_the_other_key() {
    // Not printed in the RFC; the value is the one that other implementations pin for the same login.
    assert_eq!(
        master().start_key(Direction::ClientToServer, KeyStrength::Bits128).as_bytes(),
        &[0xD5, 0xF0, 0xE9, 0x52, 0x1E, 0x3E, 0xA9, 0x58, 0x96, 0x45, 0xE8, 0x60, 0x51, 0xC8, 0x22, 0x26]
    );
}

#[test]
fn rfc_3079_2_5_3_version_1_hundred_and_twenty_eight_bits() {
    let challenge = [0x10, 0x2D, 0xB5, 0xDF, 0x08, 0x5D, 0x30, 0x41];
    // The RFC prints the eighth octet of this key as CA in one place and as C1 in the next; its session key needs C1.
    let start = start_key_v1(&NtHash::from_password("clientPass"), &challenge);
    assert_eq!(
        start.as_bytes(),
        &[0xA8, 0x94, 0x78, 0x50, 0xCF, 0xC0, 0xAC, 0xC1, 0xD1, 0x78, 0x9F, 0xB6, 0x2D, 0xDC, 0xDD, 0xB0]
    );
    assert_eq!(
        start.first_session_key().as_bytes(),
        &[0x59, 0xD1, 0x59, 0xBC, 0x09, 0xF7, 0x6F, 0x1D, 0xA2, 0xA8, 0x6A, 0x28, 0xFF, 0xEC, 0x0B, 0x1E]
    );
}

#[test]
fn debug_prints_no_key() {
    assert_eq!(format!("{:?}", master()), "MasterKey(..)");
    let start = master().start_key(Direction::ServerToClient, KeyStrength::Bits128);
    assert_eq!(format!("{start:?}"), "SessionKey { strength: Bits128, .. }");
}

/// What RFC 3079 3.5 encrypts with each of its session keys.
fn test_message(strength: KeyStrength) -> Vec<u8> {
    let key = master().start_key(Direction::ServerToClient, strength).first_session_key();
    let mut message = b"test message".to_vec();
    Rc4::new_from_slice(key.as_bytes()).unwrap().apply_keystream(&mut message);
    message
}

#[test]
fn rfc_3079_3_5_the_test_message() {
    let expected = [0x92, 0x91, 0x37, 0x91, 0x7E, 0x58, 0x03, 0xD6, 0x68, 0xD7, 0x58, 0x98];
    assert_eq!(test_message(KeyStrength::Bits40), expected, "3.5.1");
    let expected = [0x81, 0x84, 0x83, 0x17, 0xDF, 0x68, 0x84, 0x62, 0x72, 0xFB, 0x5A, 0xBE];
    assert_eq!(test_message(KeyStrength::Bits128), expected, "3.5.3");
}

#[test]
fn a_changed_key_is_the_hash_encrypted_under_itself_and_salted() {
    for strength in [KeyStrength::Bits40, KeyStrength::Bits56, KeyStrength::Bits128] {
        let start = master().start_key(Direction::ServerToClient, strength);
        let first = start.first_session_key();
        let length = first.as_bytes().len();
        let mut digest =
            Sha1::digest([start.as_bytes(), &[0x00; 40], first.as_bytes(), &[0xF2; 40]].concat());
        let key = digest[..length].to_vec();
        Rc4::new_from_slice(&key).unwrap().apply_keystream(&mut digest[..length]);
        let salt = strength.salt();
        let changed = first.changed(&start);
        assert_eq!(&changed.as_bytes()[..salt.len()], salt);
        assert_eq!(changed.as_bytes()[salt.len()..], digest[salt.len()..length]);
    }
}

#[test]
fn keys_from_elsewhere_are_cut_and_never_filled_up() {
    let long = [7; 32];
    assert_eq!(SessionKey::start(&long, KeyStrength::Bits40).unwrap().as_bytes(), [7; 8]);
    assert_eq!(SessionKey::start(&long, KeyStrength::Bits128).unwrap().as_bytes(), [7; 16]);
    assert!(SessionKey::start(&long[..15], KeyStrength::Bits128).is_none());
    assert!(SessionKey::start(&long[..7], KeyStrength::Bits56).is_none());
}
