use super::*;

const CHALLENGE: [u8; 8] = [0x10, 0x2D, 0xB5, 0xDF, 0x08, 0x5D, 0x30, 0x41];
const RESPONSE: [u8; 24] = [
    0x4E, 0x9D, 0x3C, 0x8F, 0x9C, 0xFD, 0x38, 0x5D, 0x5B, 0xF4, 0xD3, 0x24, 0x67, 0x91, 0x95, 0x6C, 0xA4,
    0xC3, 0x51, 0xAB, 0x40, 0x9A, 0x3D, 0x61,
];

#[test]
fn rfc_2433_appendix_b_2_response() {
    assert_eq!(challenge_response(&CHALLENGE, &NtHash::from_password("MyPw")), RESPONSE);
}

#[test]
fn verification_accepts_the_response_and_nothing_else() {
    let hash = NtHash::from_password("MyPw");
    assert!(verify_nt_response_v1(&CHALLENGE, &hash, &RESPONSE));
    for index in 0..RESPONSE.len() {
        let mut wrong = RESPONSE;
        wrong[index] ^= 1;
        assert!(!verify_nt_response_v1(&CHALLENGE, &hash, &wrong));
    }
    assert!(!verify_nt_response_v1(&CHALLENGE, &NtHash::from_password("mypw"), &RESPONSE));
}
