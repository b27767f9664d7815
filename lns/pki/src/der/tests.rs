use super::*;

#[test]
fn an_element_is_its_tag_its_contents_and_the_whole() {
    let mut cursor = Der::new(&[0x30, 3, 2, 1, 5, 0x05, 0]);
    let element = cursor.element().unwrap();
    assert_eq!((element.tag, element.value, element.whole), (0x30, &[2, 1, 5][..], &[0x30, 3, 2, 1, 5][..]));
    assert_eq!(cursor.finish(), Err(Malformed));
    assert_eq!(cursor.expect(0x05).unwrap().value, &[] as &[u8]);
    assert_eq!(cursor.finish(), Ok(()));
}

#[test]
fn lengths_that_lie_or_are_not_shortest_are_refused() {
    for octets in [
        &[0x04, 5, 1, 2][..],
        &[0x04, 0x80, 0, 0],
        &[0x04, 0x81, 2, 1, 2],
        &[0x04, 0x82, 0, 0x80],
        &[0x04, 0x84, 0xff, 0xff, 0xff, 0xff, 1],
        &[0x04, 0x85, 0, 0, 0, 0, 1, 1],
        &[0x1f, 0x20, 0],
        &[0x04],
        &[],
    ] {
        assert_eq!(Der::new(octets).element(), Err(Malformed), "{octets:02x?}");
    }
}

#[test]
fn numbers_and_their_bits() {
    assert_eq!(Der::new(&[2, 3, 0, 0xff, 1]).small_number(), Ok(0xff01));
    assert_eq!(Der::new(&[2, 1, 0x80]).small_number(), Err(Malformed));
    assert_eq!(Der::new(&[2, 5, 1, 0, 0, 0, 0]).small_number(), Err(Malformed));
    assert_eq!(bits(magnitude(&[0, 0x80, 0]).unwrap()), 16);
    assert_eq!(bits(magnitude(&[1, 0]).unwrap()), 9);
    assert_eq!(bits(magnitude(&[0]).unwrap()), 0);
}

#[test]
fn an_identifier_is_shown_with_dots() {
    assert_eq!(dotted(&[0x55, 4, 3]), "2.5.4.3");
    assert_eq!(dotted(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1]), "1.2.840.113549.1.1.1");
    assert_eq!(dotted(&[0x88, 0x37, 3]), "2.999.3");
}

#[test]
fn what_is_written_is_read_again() {
    for length in [0, 1, 0x7f, 0x80, 0xff, 0x100, 70_000] {
        let value = vec![7; length];
        let mut out = Vec::new();
        write(&mut out, OCTET_STRING, &value);
        let mut cursor = Der::new(&out);
        assert_eq!(cursor.expect(OCTET_STRING).unwrap().value, &value[..]);
        assert!(cursor.is_empty());
    }
}
