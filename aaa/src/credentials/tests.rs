use super::*;

fn each() -> [Credentials; 6] {
    [
        Credentials::Pap { password: Secret::from(b"hunter2".to_vec()) },
        Credentials::Chap { identifier: 1, challenge: vec![7; 16], response: [0xAB; 16] },
        Credentials::MsChapV1 {
            identifier: 1,
            challenge: [7; 8],
            lm_response: [0xAB; 24],
            nt_response: [0xAB; 24],
            use_nt: true,
        },
        Credentials::MsChapV2 {
            identifier: 1,
            authenticator_challenge: [7; 16],
            peer_challenge: [8; 16],
            nt_response: [0xAB; 24],
            flags: 0,
        },
        Credentials::PasswordChange {
            identifier: 1,
            authenticator_challenge: [7; 16],
            encrypted_password: Box::new(Zeroizing::new([0xAB; 516])),
            encrypted_hash: [0xAB; 16],
            peer_challenge: [8; 16],
            nt_response: [0xAB; 24],
            flags: [0; 2],
        },
        Credentials::Eap { message: vec![2, 1, 0, 5, 4], state: Vec::new() },
    ]
}

#[test]
fn debug_shows_the_method_and_no_secret() {
    let shown: Vec<String> = each().iter().map(|credentials| format!("{credentials:?}")).collect();
    assert_eq!(
        shown,
        ["pap", "chap", "ms-chap-v1", "ms-chap-v2", "password change", "eap-proxy"]
            .map(|method| format!("Credentials({method})"))
    );
    assert_eq!(format!("{:?}", Secret::from(b"hunter2".to_vec())), "Secret(..)");
}

#[test]
fn zeroize_wipes_what_could_be_replayed_or_cracked() {
    for mut credentials in each() {
        credentials.zeroize();
        match &credentials {
            Credentials::Pap { password } => assert!(password.is_empty()),
            Credentials::Chap { response, .. } => assert_eq!(response, &[0; 16]),
            Credentials::MsChapV1 { lm_response, nt_response, .. } => {
                assert_eq!((lm_response, nt_response), (&[0; 24], &[0; 24]));
            }
            Credentials::MsChapV2 { nt_response, .. } => assert_eq!(nt_response, &[0; 24]),
            Credentials::PasswordChange { encrypted_password, encrypted_hash, nt_response, .. } => {
                assert_eq!((***encrypted_password, encrypted_hash), ([0; 516], &[0; 16]));
                assert_eq!(nt_response, &[0; 24]);
            }
            Credentials::Eap { message, .. } => assert!(message.is_empty()),
        }
    }
}

#[test]
fn secrets_compare_by_content() {
    assert_eq!(Secret::from(b"a".to_vec()), Secret::from("a".to_owned()));
    assert_ne!(Secret::from(b"a".to_vec()), Secret::from(b"ab".to_vec()));
}
