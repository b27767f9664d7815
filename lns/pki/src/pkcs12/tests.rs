use super::*;
use crate::testing::*;

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../../fixtures/", $name)).as_slice()
    };
}

fn key() -> Vec<u8> {
    pem_der(CLIENT_KEY)
}

#[test]
fn files_in_new_and_old_encryption_are_opened() {
    for (name, file) in [
        ("AES and SHA-256", fixture!("modern.p12")),
        ("RC2 and 3DES", fixture!("legacy.p12")),
        ("3DES", fixture!("3des.p12")),
        ("nothing", fixture!("plain.p12")),
    ] {
        let contents = open(file, "tollgate").unwrap();
        assert_eq!(contents.keys.len(), 1, "{name}");
        assert_eq!(contents.keys[0].as_slice(), key(), "{name}");
        assert_eq!(contents.certificates.len(), 3, "{name}");
    }
}

#[test]
fn passwords_may_be_empty_or_have_any_letters() {
    assert_eq!(open(fixture!("no-password.p12"), "").unwrap().keys[0].as_slice(), key());
    assert_eq!(open(fixture!("umlaut.p12"), "größe").unwrap().keys[0].as_slice(), key());
}

#[test]
fn a_wrong_password_is_told_apart_from_no_file_at_all() {
    for file in [fixture!("modern.p12"), fixture!("legacy.p12"), fixture!("no-password.p12")] {
        assert_eq!(open(file, "wrong").err(), Some(Pkcs12Error::Password));
    }
    assert_eq!(open(fixture!("modern.p12"), "").err(), Some(Pkcs12Error::Password));
    assert_eq!(open(CLIENT_KEY.as_bytes(), "x").err(), Some(Pkcs12Error::Malformed));
    assert_eq!(open(&[], "x").err(), Some(Pkcs12Error::Malformed));
    let cut = fixture!("modern.p12");
    assert_eq!(open(&cut[..cut.len() - 1], "tollgate").err(), Some(Pkcs12Error::Malformed));
}

#[test]
fn damage_is_found_by_the_mac() {
    let mut file = fixture!("modern.p12").to_vec();
    file[400] ^= 1;
    assert_eq!(open(&file, "tollgate").err(), Some(Pkcs12Error::Password));
}

#[test]
fn the_same_file_in_ber_is_opened() {
    let file = fixture!("plain.p12");
    // The outer SEQUENCE with an indefinite length.
    let mut ber = vec![0x30, 0x80];
    ber.extend(&file[4..]);
    ber.extend([0, 0]);
    assert_eq!(open(&ber, "").unwrap().certificates.len(), 3);
}

#[test]
fn damage_anywhere_in_an_open_file_breaks_nothing() {
    let file = fixture!("plain.p12");
    for place in 0..file.len() {
        let mut damaged = file.to_vec();
        damaged[place] ^= 0x55;
        let _ = open(&damaged, "");
        let _ = open(&file[..place], "");
    }
}

#[test]
fn a_mac_of_the_newer_kind_is_checked() {
    // RFC 9579: the MAC's key is derived with PBKDF2, and salt and rounds of MacData stand idle.
    let file = fixture!("plain.p12");
    let mut pfx = Der::only_sequence(file).unwrap();
    let version = pfx.element().unwrap().whole;
    let safe = pfx.element().unwrap();
    let content = data_of(Der::new(safe.value)).unwrap();
    let mut key = [0; 32];
    let rounds = std::num::NonZeroU32::new(2).unwrap();
    ring::pbkdf2::derive(ring::pbkdf2::PBKDF2_HMAC_SHA256, rounds, &[9; 8], b"tollgate", &mut key);
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), content);

    let sha256 = sequence(&[&tlv(der::OID, [HMAC_WITH, &[9]].concat()), &[5, 0]]);
    let parameters = sequence(&[
        &tlv(der::OCTET_STRING, [9; 8]),
        &tlv(der::INTEGER, [2]),
        &tlv(der::INTEGER, [32]),
        &sha256,
    ]);
    let derivation = sequence(&[&tlv(der::OID, PBKDF2), &parameters]);
    let algorithm = sequence(&[&tlv(der::OID, PBMAC1), &sequence(&[&derivation, &sha256])]);
    let info = sequence(&[&algorithm, &tlv(der::OCTET_STRING, mac.as_ref())]);
    let mac = sequence(&[&info, &tlv(der::OCTET_STRING, b"none"), &tlv(der::INTEGER, [1])]);
    let file = sequence(&[version, safe.whole, &mac]);
    assert_eq!(open(&file, "tollgate").unwrap().certificates.len(), 3);
    assert_eq!(open(&file, "wrong").err(), Some(Pkcs12Error::Password));
}
