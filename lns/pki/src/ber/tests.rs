use super::*;

#[test]
fn indefinite_lengths_and_strings_in_parts_become_der() {
    // SEQUENCE { OCTET STRING { 1 2 } { 3 } , [0] { INTEGER 5 } }
    let ber =
        [0x30, 0x80, 0x24, 0x80, 0x04, 2, 1, 2, 0x04, 1, 3, 0, 0, 0xa0, 0x80, 0x02, 0x81, 1, 5, 0, 0, 0, 0];
    assert_eq!(to_der(&ber).unwrap().as_slice(), &[0x30, 10, 0x04, 3, 1, 2, 3, 0xa0, 3, 0x02, 1, 5]);
}

#[test]
fn der_stays_as_it_is() {
    let der = [0x30, 7, 0x04, 2, 1, 2, 0x02, 1, 5];
    assert_eq!(to_der(&der).unwrap().as_slice(), &der);
}

#[test]
fn endless_nesting_is_refused() {
    let deep = [0x30, 0x80].repeat(10_000);
    assert_eq!(to_der(&deep), Err(Malformed));
}

#[test]
fn a_primitive_without_end_a_cut_and_a_tail_are_refused() {
    for octets in [&[0x04, 0x80, 0, 0][..], &[0x30, 0x80, 0x02, 1, 5], &[0x30, 0, 0], &[0x24, 3, 2, 1, 5]] {
        assert_eq!(to_der(octets), Err(Malformed), "{octets:02x?}");
    }
}
