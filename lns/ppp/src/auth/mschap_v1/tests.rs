use super::*;

#[test]
fn a_response_is_read_back_as_it_was_written() {
    let challenge = [0x10, 0x2D, 0xB5, 0xDF, 0x08, 0x5D, 0x30, 0x41];
    let value = respond(b"MyPw", &challenge);
    assert_eq!(value.len(), RESPONSE_LENGTH);
    let Some(Proof::MsChapV1 { nt_response, use_nt: true, lm_response, identifier: 4, challenge: told }) =
        proof(4, challenge, &value)
    else {
        panic!()
    };
    assert_eq!((lm_response, told), ([0; 24], challenge));
    assert!(tollgate_mschap::verify_nt_response_v1(&challenge, &nt_password_hash(b"MyPw"), &nt_response));
    assert!(proof(4, challenge, &value[..48]).is_none());
    assert!(proof(4, challenge, &[0; 50]).is_none());
}

#[test]
fn a_response_of_the_lan_manager_kind_is_told_as_such() {
    let Some(Proof::MsChapV1 { use_nt, .. }) = proof(1, [0; 8], &[0; 49]) else { panic!() };
    assert!(!use_nt);
}
