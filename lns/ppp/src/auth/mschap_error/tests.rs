use super::*;

#[test]
fn a_failure_is_written_as_rfc_2759_6_says() {
    let challenge =
        [0x0F, 0x1E, 0x2D, 0x3C, 0x4B, 0x5A, 0x69, 0x78, 0x87, 0x96, 0xA5, 0xB4, 0xC3, 0xD2, 0xE1, 0xF0];
    assert_eq!(
        encode(691, true, &challenge, b"Access denied"),
        b"E=691 R=1 C=0F1E2D3C4B5A69788796A5B4C3D2E1F0 V=3 M=Access denied"
    );
    assert_eq!(encode(648, false, &challenge[..8], b""), b"E=648 R=0 C=0F1E2D3C4B5A6978 V=3 M=");
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
        Failure { code: Some(691), retry: true, message: b"Try again M=once".to_vec() }
    );
    assert_eq!(decode(b"E=648 R=0"), Failure { code: Some(648), retry: false, message: vec![] });
    assert_eq!(decode(b"go away"), Failure { code: None, retry: false, message: b"go away".to_vec() });
    assert_eq!(decode(b""), Failure { code: None, retry: false, message: vec![] });
}
