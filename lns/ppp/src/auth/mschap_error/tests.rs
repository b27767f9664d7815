use super::*;

const CHALLENGE: [u8; 16] =
    [0x0F, 0x1E, 0x2D, 0x3C, 0x4B, 0x5A, 0x69, 0x78, 0x87, 0x96, 0xA5, 0xB4, 0xC3, 0xD2, 0xE1, 0xF0];

#[test]
fn a_failure_is_written_as_rfc_2759_6_says() {
    assert_eq!(
        encode(691, true, &CHALLENGE, b"Access denied"),
        b"E=691 R=1 C=0F1E2D3C4B5A69788796A5B4C3D2E1F0 V=3 M=Access denied"
    );
    assert_eq!(encode(648, false, &CHALLENGE[..8], b""), b"E=648 R=0 C=0F1E2D3C4B5A6978 V=3 M=");
}

#[test]
fn the_message_is_bounded_and_has_no_control_characters() {
    let text = encode(691, false, &[0; 16], &[b'\n'; 4000]);
    assert!(text.len() < 256);
    assert!(!text.iter().any(u8::is_ascii_control));
}

#[test]
fn a_client_reads_it_back() {
    assert_eq!(
        decode(b"E=691 R=1 C=0F1E2D3C4B5A69788796A5B4C3D2E1F0 V=3 M=Try again M=once"),
        Failure {
            code: Some(691),
            retry: true,
            challenge: Some(CHALLENGE),
            message: b"Try again M=once".to_vec()
        }
    );
    assert_eq!(
        decode(b"E=648 R=0"),
        Failure { code: Some(648), retry: false, challenge: None, message: vec![] }
    );
    assert_eq!(
        decode(b"go away"),
        Failure { code: None, retry: false, challenge: None, message: b"go away".to_vec() }
    );
    assert_eq!(decode(b""), Failure { code: None, retry: false, challenge: None, message: vec![] });
}

#[test]
fn a_challenge_of_another_size_or_of_no_digits_is_none() {
    for digits in [
        "",
        "0F1E2D3C4B5A6978",
        "0F1E2D3C4B5A69788796A5B4C3D2E1F",
        "0F1E2D3C4B5A69788796A5B4C3D2E1F00",
        "+F1E2D3C4B5A69788796A5B4C3D2E1F0",
        "0F1E2D3C4B5A69788796A5B4C3D2E1é",
    ] {
        assert_eq!(decode(format!("E=648 R=0 C={digits} V=3").as_bytes()).challenge, None, "{digits}");
    }
    assert_eq!(decode(b"E=648 R=0 C=0f1e2d3c4b5a69788796a5b4c3d2e1f0 V=3").challenge, Some(CHALLENGE));
}
