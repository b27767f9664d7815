use super::*;

#[test]
fn a_key_of_pkcs12_is_that_of_rfc_7292() {
    // From the tests of Bouncy Castle and BoringSSL for the password "smeg".
    let mut password = Password::new("smeg");
    let salt = [0x0a, 0x58, 0xcf, 0x64, 0x53, 0x0d, 0x82, 0x3f];
    let sha1 = &digest::SHA1_FOR_LEGACY_USE_ONLY;
    let key = password.derive(sha1, Purpose::Key, &salt, 1, 24).unwrap();
    assert_eq!(
        key.as_slice(),
        [
            0x8a, 0xaa, 0xe6, 0x29, 0x7b, 0x6c, 0xb0, 0x46, 0x42, 0xab, 0x5b, 0x07, 0x78, 0x51, 0x28, 0x4e,
            0xb7, 0x12, 0x8f, 0x1a, 0x2a, 0x7f, 0xbc, 0xa3
        ]
    );
    let iv = password.derive(sha1, Purpose::Iv, &salt, 1, 8).unwrap();
    assert_eq!(iv.as_slice(), [0x79, 0x99, 0x3d, 0xfe, 0x04, 0x8d, 0x3b, 0x76]);
}

#[test]
fn rounds_are_counted_over_the_whole_file() {
    let mut password = Password::new("x");
    let sha256 = &digest::SHA256;
    assert!(password.derive(sha256, Purpose::Mac, &[1], 1000, 32).is_ok());
    assert_eq!(
        password.derive(sha256, Purpose::Mac, &[1], MAX_ROUNDS - 999, 32).unwrap_err(),
        PbeError::Rounds
    );
}

#[test]
fn the_sum_carries_and_overflows() {
    let mut number = [0x00, 0xff, 0xff];
    add_and_one(&mut number, &[0, 0, 0]);
    assert_eq!(number, [1, 0, 0]);
    let mut number = [0xff, 0xff];
    add_and_one(&mut number, &[0xff, 0xff]);
    assert_eq!(number, [0xff, 0xff]);
}

#[test]
fn wrong_padding_is_a_wrong_password() {
    let decrypt = |data: &[u8]| Cipher::Aes.decrypt(&[0; 16], &[0; 16], data);
    assert_eq!(decrypt(&[0; 16]).unwrap_err(), PbeError::Password);
    assert_eq!(decrypt(&[0; 15]).unwrap_err(), PbeError::Malformed);
    assert_eq!(decrypt(&[]).unwrap_err(), PbeError::Malformed);
    assert_eq!(Cipher::Aes.decrypt(&[0; 16], &[0; 8], &[0; 16]).unwrap_err(), PbeError::Malformed);
}

#[test]
fn algorithms_that_are_not_known_are_told_apart_from_wrong_passwords() {
    use crate::testing::{sequence, tlv};
    let decrypt = |oid: &[u8], parameters: &[u8]| {
        let algorithm = [tlv(der::OID, oid), parameters.to_vec()].concat();
        Password::new("x").decrypt(Der::new(&algorithm), &[0; 16]).unwrap_err()
    };
    let pkcs12 = sequence(&[&tlv(der::OCTET_STRING, [1; 8]), &tlv(der::INTEGER, [1])]);
    let rc4 = [PKCS12_PBE, &[1]].concat();
    assert_eq!(decrypt(&rc4, &pkcs12), PbeError::Unknown);
    assert_eq!(decrypt(&[0x2a, 3], &pkcs12), PbeError::Unknown);
    let scrypt = sequence(&[&tlv(der::OID, [0x2b, 6, 1, 4, 1, 0xda, 0x47, 4, 11]), &pkcs12]);
    let cipher = |oid: &[u8]| sequence(&[&tlv(der::OID, oid), &tlv(der::OCTET_STRING, [0; 16])]);
    assert_eq!(decrypt(PBES2, &sequence(&[&scrypt, &cipher(AES_256_CBC)])), PbeError::Unknown);
    let pbkdf2 = sequence(&[&tlv(der::OID, PBKDF2), &pkcs12]);
    assert_eq!(decrypt(PBES2, &sequence(&[&pbkdf2, &cipher(&[0x2a, 3])])), PbeError::Unknown);
    assert_eq!(decrypt(PBES2, &sequence(&[&pbkdf2, &cipher(AES_256_CBC)])), PbeError::Password);
}

#[test]
fn what_key_derivation_is_asked_for_is_bounded() {
    use crate::testing::tlv;
    let derive = |rounds: &[u8], length: &[u8], expected| {
        let parameters =
            [tlv(der::OCTET_STRING, [1; 8]), tlv(der::INTEGER, rounds), tlv(der::INTEGER, length)];
        Password::new("x").pbkdf2(Der::new(&parameters.concat()), expected).map(|key| key.len())
    };
    assert_eq!(derive(&[1], &[64], None), Ok(64));
    assert_eq!(derive(&[1], &[65], None), Err(PbeError::Malformed));
    assert_eq!(derive(&[1], &[16], Some(32)), Err(PbeError::Malformed));
    assert_eq!(derive(&[0], &[32], None), Err(PbeError::Malformed));
    assert_eq!(derive(&[0x7f, 0xff, 0xff, 0xff], &[32], None), Err(PbeError::Rounds));
}
