use super::*;

#[test]
fn a_control_header_goes_out_with_exactly_t_l_and_s() {
    let header = ControlHeader { tunnel: 0x0102, session: 0x0304, ns: 5, nr: 0x0607 };
    let datagram = header.encode(&[0xaa]);
    assert_eq!(datagram, [0xc8, 0x02, 0, 13, 1, 2, 3, 4, 0, 5, 6, 7, 0xaa]);
    assert_eq!(ControlHeader::decode(&datagram), Ok((header, &[0xaa][..])));
}

#[test]
fn control_bits_that_must_be_zero_are_ignored() {
    let (header, body) = ControlHeader::decode(&[0xff, 0xf2, 0, 12, 0, 1, 0, 0, 0, 0, 0, 0]).unwrap();
    assert_eq!(header.tunnel, 1);
    assert!(body.is_empty());
}

#[test]
fn control_headers_without_length_or_sequence_are_malformed() {
    for flags in [0x8802_u16, 0xc002, 0x8002] {
        let mut datagram = vec![0; 12];
        datagram[..2].copy_from_slice(&flags.to_be_bytes());
        assert_eq!(ControlHeader::decode(&datagram), Err(HeaderError::ControlFlags));
        assert_eq!(peek_tunnel_id(&datagram), None);
    }
}

#[test]
fn octets_behind_the_length_do_not_belong_to_the_message() {
    let (_, body) = ControlHeader::decode(&[0xc8, 2, 0, 12, 0, 1, 0, 0, 0, 0, 0, 0, 9, 9]).unwrap();
    assert!(body.is_empty());
}

#[test]
fn a_length_that_lies_is_malformed() {
    for length in [0, 3, 4, 11, 13, 0xffff] {
        let mut datagram = vec![0xc8, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        datagram[2..4].copy_from_slice(&u16::to_be_bytes(length));
        assert_eq!(ControlHeader::decode(&datagram), Err(HeaderError::Length(length)));
    }
}

#[test]
fn other_versions_are_told_apart() {
    assert_eq!(is_control(&[0xc8, 0x03]), Err(HeaderError::Version(3)));
    assert_eq!(is_control(&[0x20, 0x01]), Err(HeaderError::Version(1)));
    assert_eq!(is_control(&[0xc8, 0x02]), Ok(true));
    assert_eq!(is_control(&[0x00, 0x02]), Ok(false));
    assert!(matches!(is_control(&[0xc8]), Err(HeaderError::Truncated(_))));
}

#[test]
fn every_form_of_data_header_is_read() {
    let plain = DataHeader::decode(&[0, 2, 0, 7, 0, 9, 0xff, 3]).unwrap();
    assert_eq!(plain, DataHeader { tunnel: 7, session: 9, ns: None, frame: 6..8 });

    // Length given, two octets of padding behind it.
    let with_length = DataHeader::decode(&[0x40, 2, 0, 10, 0, 7, 0, 9, 0xff, 3, 0, 0]).unwrap();
    assert_eq!(with_length, DataHeader { tunnel: 7, session: 9, ns: None, frame: 8..10 });

    let numbered = DataHeader::decode(&[0x48, 2, 0, 14, 0, 7, 0, 9, 1, 2, 3, 4, 0xff, 3]).unwrap();
    assert_eq!(numbered, DataHeader { tunnel: 7, session: 9, ns: Some(0x0102), frame: 12..14 });

    // Offset of three, priority bit set.
    let with_offset = DataHeader::decode(&[0x03, 2, 0, 7, 0, 9, 0, 3, 1, 2, 3, 0xff, 3]).unwrap();
    assert_eq!(with_offset, DataHeader { tunnel: 7, session: 9, ns: None, frame: 11..13 });
}

#[test]
fn malformed_data_headers_are_told_apart() {
    assert_eq!(DataHeader::decode(&[0, 2, 0, 7, 0, 9]), Err(HeaderError::Empty));
    assert_eq!(DataHeader::decode(&[0x40, 2, 0, 8, 0, 7, 0, 9, 1]), Err(HeaderError::Empty));
    assert_eq!(DataHeader::decode(&[0x40, 2, 0, 3, 0, 7, 0, 9, 1]), Err(HeaderError::Empty));
    assert_eq!(DataHeader::decode(&[0x40, 2, 0, 10, 0, 7, 0, 9, 1]), Err(HeaderError::Length(10)));
    assert_eq!(DataHeader::decode(&[2, 2, 0, 7, 0, 9, 0xff, 0xff, 1]), Err(HeaderError::Offset(0xffff)));
    assert_eq!(DataHeader::decode(&[2, 2, 0, 7, 0, 9, 0, 1, 1]), Err(HeaderError::Empty));
    assert!(matches!(DataHeader::decode(&[0x48, 2, 0, 9, 0, 7, 0, 9, 0]), Err(HeaderError::Truncated(_))));
    // The length ends inside an offset that the datagram would have room for.
    assert_eq!(DataHeader::decode(&[0x42, 2, 0, 11, 0, 7, 0, 9, 0, 2, 0, 0, 1]), Err(HeaderError::Empty));
}

#[test]
fn a_data_header_is_written_with_length_and_read_back() {
    for (ns, length) in [(None, 8), (Some(0xfffe), 12)] {
        let mut out = [0xee; MAX_DATA_HEADER];
        assert_eq!(DataHeader::encode(7, 9, ns, 2, &mut out), Some(length));
        let mut datagram = out[..length].to_vec();
        datagram.extend_from_slice(&[0xff, 3]);
        let header = DataHeader::decode(&datagram).unwrap();
        assert_eq!(header, DataHeader { tunnel: 7, session: 9, ns, frame: length..length + 2 });
        assert_eq!(usize::from(u16::from_be_bytes([datagram[2], datagram[3]])), datagram.len());
    }
}

#[test]
fn a_frame_too_long_for_udp_gets_no_header() {
    let mut out = [0; MAX_DATA_HEADER];
    assert_eq!(DataHeader::encode(1, 1, None, 65_527, &mut out), Some(8));
    assert_eq!(DataHeader::encode(1, 1, None, 65_528, &mut out), None);
    assert_eq!(DataHeader::encode(1, 1, Some(0), usize::MAX, &mut out), None);
}

#[test]
fn the_tunnel_id_is_peeked_without_parsing_the_rest() {
    assert_eq!(peek_tunnel_id(&[0xc8, 2, 0, 69, 0, 0, 0, 0]), Some(0));
    assert_eq!(peek_tunnel_id(&[0xc8, 2, 0, 12, 0x12, 0x34]), Some(0x1234));
    assert_eq!(peek_tunnel_id(&[0x00, 2, 0x12, 0x34]), Some(0x1234));
    assert_eq!(peek_tunnel_id(&[0x40, 2, 0, 9, 0x12, 0x34]), Some(0x1234));
    assert_eq!(peek_tunnel_id(&[0xc8, 3, 0, 12, 0x12, 0x34]), None);
    assert_eq!(peek_tunnel_id(&[0xc8, 2, 0, 12, 0x12]), None);
    assert_eq!(peek_tunnel_id(&[]), None);
}
