use super::*;

#[test]
fn a_frame_is_read_with_and_without_address_control_and_the_high_protocol_octet() {
    for frame in [&[0xFF, 0x03, 0x00, 0x21, 9][..], &[0xFF, 0x03, 0x21, 9], &[0x00, 0x21, 9], &[0x21, 9]] {
        assert_eq!(split(frame), Some((Protocol::IPV4, &[9][..])), "{frame:02X?}");
        assert_eq!(ipv4_payload(frame), Some(&[9][..]), "{frame:02X?}");
    }
    assert_eq!(split(&[0xC0, 0x21, 1]), Some((Protocol::LCP, &[1][..])));
}

#[test]
fn malformed_protocol_fields_are_refused() {
    for frame in [&[][..], &[0xFF], &[0xFF, 0x03], &[0x00], &[0xC0], &[0xC0, 0x20], &[0xFF, 0x03, 0xC0, 0x22]]
    {
        // A lone FF is an odd octet and so a compressed protocol number that nobody serves.
        if frame != [0xFF] {
            assert_eq!(split(frame), None, "{frame:02X?}");
        }
        assert_eq!(ipv4_payload(frame), None, "{frame:02X?}");
    }
}

#[test]
fn only_ipv4_is_taken_as_ipv4() {
    assert_eq!(ipv4_payload(&[0xFF, 0x03, 0xC0, 0x21, 1, 0, 0, 4]), None);
    assert_eq!(ipv4_payload(&[0x80, 0x21, 1, 0, 0, 4]), None);
    assert_eq!(ipv4_payload(&[0x00, 0x57, 0x60]), None);
    assert_eq!(ipv4_payload(&[0xFF, 0x03, 0x00, 0x21]), Some(&[][..]));
}

#[test]
fn a_length_beyond_the_packet_is_refused_and_padding_is_ignored() {
    assert_eq!(
        Packet::parse(&[1, 7, 0, 5, 0xAA, 0, 0]),
        Some(Packet { code: 1, identifier: 7, data: &[0xAA] })
    );
    assert_eq!(Packet::parse(&[1, 7, 0, 3]), None);
    assert_eq!(Packet::parse(&[1, 7, 0, 5]), None);
    assert_eq!(Packet::parse(&[1, 7, 0]), None);
}

#[test]
fn what_is_encoded_is_read_back() {
    let frame = encode(Framing::default(), Protocol::LCP, 9, 3, &[1, 2, 3, 4]);
    assert_eq!(frame, [0xFF, 0x03, 0xC0, 0x21, 9, 3, 0, 8, 1, 2, 3, 4]);
    let compressed = encode(Framing { acfc: true, pfc: true }, Protocol::IPCP, 1, 1, &[]);
    assert_eq!(compressed, [0x80, 0x21, 1, 1, 0, 4]);
}

#[test]
fn what_cannot_be_read_is_told_from_what_is_only_not_ours() {
    for (frame, expected) in [
        (&[0xFF, 0x03, 0xC0, 0x21, 9, 1, 0, 4][..], true),
        (&[0xC0, 0x21, 9, 1, 0, 4, 0xAA], true),
        (&[0xC0, 0x21, 9, 1, 0, 3], false),
        (&[0xC0, 0x21, 9, 1, 0, 5], false),
        (&[0x80, 0x21, 1], false),
        (&[0x80, 0xFD, 1], true),
        (&[0xC0, 0x20, 9, 1, 0, 4], false),
        (&[0xFF, 0x03], false),
        (&[], false),
    ] {
        assert_eq!(is_well_formed(frame), expected, "{frame:02x?}");
    }
}
