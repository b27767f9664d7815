use super::*;

#[test]
fn a_body_is_hidden_by_the_pads_of_rfc_8907_and_shown_by_the_same() {
    let header = Header::first(Kind::Authentication, 1, 0x0102_0304);
    let pad = |before: &[u8]| -> [u8; 16] {
        let hashed = [&[1, 2, 3, 4][..], b"key", &[0xc1, 1], before].concat();
        Md5::digest(hashed).into()
    };
    let first = pad(&[]);
    let expected = [first, pad(&first)].concat();
    let mut body = [0; 20];
    header.obfuscate(&mut body, b"key");
    assert_eq!(body, expected[..20]);
    header.obfuscate(&mut body, b"key");
    assert_eq!(body, [0; 20]);
}

#[test]
fn a_header_survives_the_wire_and_a_foreign_or_long_one_is_refused() {
    let header = Header { flags: SINGLE_CONNECT, length: 65536, ..Header::first(Kind::Accounting, 0, 7) };
    assert_eq!(Header::parse(header.octets()), Ok(header));
    let long = Header { length: 65537, ..header };
    assert_eq!(Header::parse(long.octets()), Err(Malformed::Long(65537)));
    assert_eq!(Header::parse(*b"HTTP/1.1 400"), Err(Malformed::Version(b'H')));
}

#[test]
fn an_answer_shorter_or_longer_than_its_lengths_is_refused() {
    let body = b"\x01\x02\0\x03\0\x01\x04\x06yesdabcdefghij";
    let answer = authorization_response(body).unwrap();
    assert_eq!((answer.message, answer.data), (&b"yes"[..], &b"d"[..]));
    assert_eq!(answer.arguments, [&b"abcd"[..], b"efghij"]);
    for end in 0..body.len() {
        assert_eq!(authorization_response(&body[..end]), Err(Malformed::Lengths));
    }
    assert_eq!(authorization_response(&[&body[..], b"x"].concat()), Err(Malformed::Lengths));
    assert_eq!(authentication_reply(&[9, 0, 0, 0, 0, 0]), Err(Malformed::Status(9)));
    assert_eq!(accounting_reply(&[0, 0, 0, 0, 1]).map(|answer| answer.status), Ok(AccountingStatus::Success));
}

#[test]
fn a_field_that_its_length_octet_cannot_tell_is_refused() {
    let who = Who { authen_type: 2, user: b"joe", port: b"vpn", remote: b"" };
    assert!(who.start(&[b'x'; 255]).is_ok());
    assert_eq!(who.start(&[b'x'; 256]), Err(LongField("the password or response")));
    assert_eq!(who.authorization(6, &["x".repeat(256)]), Err(LongField("an argument")));
}

#[test]
fn words_are_short_and_without_control_characters() {
    assert_eq!(words(b" no\r\nway\x1b[2J\xff\n"), "no  way [2J\u{fffd}");
    assert_eq!(words(&[b'x'; 5000]).len(), 250);
}
