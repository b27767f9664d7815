use super::*;

const CHALLENGE: [u8; 16] =
    [0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff];

/// MD5(02 "secret" challenge) and MD5(03 "secret" challenge), computed apart from this crate.
#[test]
fn responses_match_those_worked_out_by_hand() {
    let reply = challenge_response(MessageType::Sccrp, b"secret", &CHALLENGE);
    assert_eq!(u128::from_be_bytes(reply), 0x4584_2102_c2f5_c31a_c7b1_610b_789b_451d);
    let connected = challenge_response(MessageType::Scccn, b"secret", &CHALLENGE);
    assert_eq!(u128::from_be_bytes(connected), 0xc30a_b3cb_ccc2_1f13_27a3_35a2_7014_bc77);
}

#[test]
fn only_the_right_response_in_the_right_message_verifies() {
    let mut response = challenge_response(MessageType::Sccrp, b"secret", &CHALLENGE);
    assert!(verify(MessageType::Sccrp, b"secret", &CHALLENGE, &response));
    assert!(!verify(MessageType::Scccn, b"secret", &CHALLENGE, &response));
    assert!(!verify(MessageType::Sccrp, b"Secret", &CHALLENGE, &response));
    response[15] ^= 1;
    assert!(!verify(MessageType::Sccrp, b"secret", &CHALLENGE, &response));
}
