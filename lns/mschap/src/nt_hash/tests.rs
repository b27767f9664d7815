use super::*;

#[test]
fn rfc_2433_appendix_b_2_hash_of_my_pw() {
    assert_eq!(
        NtHash::from_password("MyPw").as_bytes(),
        &[0xFC, 0x15, 0x6A, 0xF7, 0xED, 0xCD, 0x6C, 0x0E, 0xDD, 0xE3, 0x33, 0x7D, 0x42, 0x7F, 0x4E, 0xAC]
    );
}

#[test]
fn rfc_2759_9_2_hash_and_hash_of_the_hash() {
    let hash = NtHash::from_password("clientPass");
    assert_eq!(
        hash.as_bytes(),
        &[0x44, 0xEB, 0xBA, 0x8D, 0x53, 0x12, 0xB8, 0xD6, 0x11, 0x47, 0x44, 0x11, 0xF5, 0x69, 0x89, 0xAE]
    );
    assert_eq!(
        hash.hash_again().as_bytes(),
        &[0x41, 0xC0, 0x0C, 0x58, 0x4B, 0xD2, 0xD9, 0x1C, 0x40, 0x17, 0xA2, 0xA1, 0x2F, 0xA5, 0x9F, 0x3F]
    );
}

#[test]
fn octets_that_are_utf8_are_read_as_utf8() {
    assert_eq!(nt_password_hash("pässwörd €😀".as_bytes()), NtHash::from_password("pässwörd €😀"));
}

#[test]
fn octets_that_are_not_utf8_are_read_as_latin_1() {
    assert_eq!(nt_password_hash(b"p\xE4ss"), NtHash::from_password("p\u{E4}ss"));
}

#[test]
fn the_empty_password_has_the_well_known_hash() {
    assert_eq!(
        nt_password_hash(b"").as_bytes(),
        &[0x31, 0xD6, 0xCF, 0xE0, 0xD1, 0x6A, 0xE9, 0x31, 0xB7, 0x3C, 0x59, 0xD7, 0xE0, 0xC0, 0x89, 0xC0]
    );
}

#[test]
fn debug_prints_nothing_of_the_hash() {
    assert_eq!(format!("{:?}", NtHash::from_password("MyPw")), "NtHash(..)");
}
