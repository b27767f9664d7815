use super::*;

#[test]
fn the_windows_trailer_gives_the_number_and_its_meaning() {
    let data = [0x4A, 0x2B, 0x1C, 0x0D, 0x00, 0x3C, 0xCD, 0x74, 0x00, 0x00, 0x02, 0xE2];
    assert_eq!(
        decode(&data),
        Farewell {
            text: "Windows error 738: the server assigned no address".to_owned(),
            windows_error: Some(738),
        }
    );
    let data = [0, 0, 0, 0, 0x00, 0x3C, 0xCD, 0x74, 0x00, 0x00, 0x02, 0xDC];
    assert_eq!(decode(&data).windows_error, Some(732));
}

#[test]
fn a_windows_hang_up_has_error_zero() {
    let farewell = decode(&[1, 2, 3, 4, 0x00, 0x3C, 0xCD, 0x74, 0, 0, 0, 0]);
    assert_eq!(farewell.windows_error, Some(0));
    assert_eq!(farewell.text, "hung up by the user (Windows)");
}

#[test]
fn an_unknown_windows_error_keeps_its_number() {
    let farewell = decode(&[1, 2, 3, 4, 0x00, 0x3C, 0xCD, 0x74, 0, 0, 0x27, 0x0F]);
    assert_eq!(farewell.text, "Windows error 9999");
}

#[test]
fn other_data_is_text_without_control_characters() {
    assert_eq!(decode(b"User request").text, "User request");
    assert_eq!(decode(b"a\x1b[31mb\n\0").text, "a.[31mb.");
    assert_eq!(decode(b"").text, "");
    assert_eq!(decode(&[1, 2, 3, 4, 0x00, 0x3C, 0xCD, 0x74, 0]).windows_error, None);
    assert!(decode(&[0xFF; 4000]).text.chars().count() <= 255);
}

#[test]
fn our_own_text_is_cut_at_a_character() {
    assert_eq!(encode("bye"), b"bye");
    let long = "é".repeat(200);
    assert_eq!(encode(&long).len(), 254);
}
