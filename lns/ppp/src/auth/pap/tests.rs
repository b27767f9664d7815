use super::*;

#[test]
fn a_request_is_two_counted_strings() {
    assert_eq!(encode_request(b"alice", b"pwd").unwrap().as_slice(), b"\x05alice\x03pwd");
    assert_eq!(parse_request(b"\x05alice\x03pwd"), Some((&b"alice"[..], &b"pwd"[..])));
    assert_eq!(parse_request(b"\x00\x00"), Some((&b""[..], &b""[..])));
    assert_eq!(parse_request(b"\x05alice\x03pw"), None);
    assert!(encode_request(&[b'x'; 256], b"").is_none() && encode_request(b"", &[b'x'; 256]).is_none());
}

#[test]
fn a_message_is_read_whether_its_length_is_right_or_not() {
    assert_eq!(message_of(b"\x02hi"), b"hi");
    assert_eq!(message_of(b"\x02hidden"), b"hi");
    assert_eq!(message_of(b"\x09hi"), b"hi");
    assert_eq!(message_of(b""), b"");
}
