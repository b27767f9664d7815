//! RFC 2759 has no worked example of these; the known values were computed with OpenSSL's MD4, DES and RC4.
use sha1::{Digest, Sha1};

use super::*;
use crate::nt_password_hash;

const OLD: &str = "clientPass";
const NEW: &str = "Neues Geheimnis €1";
const ENCRYPTED_HASH: [u8; 16] =
    [0xA4, 0xFE, 0x6D, 0xB6, 0x70, 0x81, 0x91, 0xB1, 0xDC, 0x60, 0x95, 0xF9, 0x62, 0xC8, 0x2E, 0x8B];

const SHA1_OF_BLOCK: [u8; 20] = [
    0x4C, 0x13, 0x53, 0x1E, 0x57, 0x5E, 0xFF, 0xCC, 0x6A, 0xF6, 0x25, 0xD3, 0x1F, 0xE0, 0xFA, 0x92, 0x76,
    0x5B, 0x95, 0x07,
];

fn padding() -> [u8; 512] {
    std::array::from_fn(|at| (at * 7 + 3) as u8)
}

fn old() -> NtHash {
    NtHash::from_password(OLD)
}

fn block(new: &[u8]) -> Box<[u8; PASSWORD_BLOCK]> {
    encrypt_new_password(new, &old(), &padding()).unwrap()
}

#[test]
fn the_block_is_what_another_implementation_makes() {
    let block = block(NEW.as_bytes());
    assert_eq!(
        block[..16],
        [0x91, 0xE8, 0xDA, 0xF7, 0xAC, 0xDF, 0xDD, 0x20, 0x13, 0x4E, 0xB2, 0xD8, 0x37, 0x6F, 0x52, 0x8C]
    );
    assert_eq!(
        block[500..],
        [0x34, 0xEC, 0x5D, 0x7F, 0x7A, 0x18, 0xEF, 0x7F, 0x2D, 0x65, 0xCA, 0x58, 0x96, 0x34, 0x3A, 0x7C]
    );
    assert_eq!(Sha1::digest(block.as_slice())[..], SHA1_OF_BLOCK);
}

#[test]
fn the_old_hash_is_encrypted_as_another_implementation_does() {
    let new = NtHash::from_password(NEW);
    assert_eq!(encrypt_old_hash(&old(), &new), ENCRYPTED_HASH);
    assert_eq!(decrypt_old_hash(&ENCRYPTED_HASH, &new), old());
}

#[test]
fn the_server_finds_the_hash_of_the_new_password() {
    for new in [NEW, "", "x", &"ü".repeat(256), &"😀".repeat(128)] {
        let hash = NtHash::from_password(new);
        let block = block(new.as_bytes());
        assert_eq!(decrypt_new_password(&block, &old()), Some(hash.clone()), "{new}");
        let encrypted = encrypt_old_hash(&old(), &hash);
        assert_eq!(verify_new_password(&block, &encrypted, &old()), Some(hash), "{new}");
    }
}

#[test]
fn octets_that_are_not_utf8_are_the_same_password_as_at_the_next_login() {
    let new = b"p\xE4ss";
    assert_eq!(decrypt_new_password(&block(new), &old()), Some(nt_password_hash(new)));
}

#[test]
fn a_password_that_does_not_fit_is_not_cut() {
    assert!(encrypt_new_password("x".repeat(257).as_bytes(), &old(), &padding()).is_none());
    assert!(encrypt_new_password("😀".repeat(129).as_bytes(), &old(), &padding()).is_none());
}

#[test]
fn nothing_is_found_by_who_does_not_know_the_old_password() {
    let (block, stranger) = (block(NEW.as_bytes()), NtHash::from_password("another"));
    // The length under a wrong key is a random number of 32 bits.
    assert_eq!(decrypt_new_password(&block, &stranger), None);
    assert_eq!(verify_new_password(&block, &ENCRYPTED_HASH, &stranger), None);
}

#[test]
fn both_fields_have_to_fit() {
    let block = block(NEW.as_bytes());
    let mut hash = ENCRYPTED_HASH;
    hash[15] ^= 1;
    assert_eq!(verify_new_password(&block, &hash, &old()), None);
}

#[test]
fn a_length_that_is_odd_or_too_long_is_refused() {
    for length in [1u32, 513, 514, u32::MAX] {
        let mut block = [0; PASSWORD_BLOCK];
        block[512..].copy_from_slice(&length.to_le_bytes());
        crypt(&mut block, &old()).unwrap();
        assert_eq!(decrypt_new_password(&block, &old()), None, "{length}");
    }
}
