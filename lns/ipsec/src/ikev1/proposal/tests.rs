use proptest::prelude::*;

use super::*;

#[test]
fn attributes_are_read_in_both_forms_and_cut_ones_are_errors() {
    let read = |octets: &[u8]| attributes(octets).collect::<Vec<_>>();
    assert_eq!(read(&[0x80, 1, 0, 7]), [Ok((1, 7))]);
    assert_eq!(read(&[0, 1, 0, 2, 0, 7]), [Ok((1, 7))], "a small value in the long form");
    assert_eq!(read(&[0, 12, 0, 4, 0, 0, 0x70, 0x80, 0x80, 11, 0, 1]), [Ok((12, 28_800)), Ok((11, 1))]);
    assert_eq!(read(&[0, 12, 0, 0]), [Ok((12, 0))]);
    assert_eq!(read(&[0, 12, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]), [Ok((12, 9))], "leading zeros");
    assert_eq!(read(&[0, 12, 0, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0]), [Ok((12, u64::MAX))], "more than any number");
    assert_eq!(read(&[0x80, 1, 0, 7, 0, 12, 0, 9, 1]), [Ok((1, 7)), Err(PayloadError::Length)]);
    assert_eq!(read(&[0x80]), [Err(PayloadError::Length)]);
}

#[test]
fn attributes_are_written_in_the_shortest_form() {
    for (value, octets) in [
        (7, &[0x80, 12, 0, 7][..]),
        (65_536, &[0, 12, 0, 4, 0, 1, 0, 0]),
        (1 << 32, &[0, 12, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0]),
    ] {
        let mut out = Vec::new();
        put_attribute(&mut out, 12, value);
        assert_eq!(out, octets);
        assert_eq!(attributes(&out).next(), Some(Ok((12, value))));
    }
}

#[test]
fn an_answer_is_the_transform_octet_for_octet_under_our_spi() {
    let own = |id, attributes: &[u8]| OwnTransform { id, attributes: attributes.to_vec() };
    let body =
        encode(protocol::ESP, &[1, 2, 3, 4], &[own(12, &[0x80, 6, 1, 0]), own(3, &[0, 2, 0, 2, 0x0e, 0x10])]);
    let proposals = decode(&body).unwrap();
    assert_eq!(
        (proposals.len(), proposals[0].spi, proposals[0].transforms.len()),
        (1, [1, 2, 3, 4].as_slice(), 2)
    );
    let answer = answer(&proposals[0], &[9, 8, 7, 6], &proposals[0].transforms[1]);
    let expected = [
        &[0, 0, 0, 1, 0, 0, 0, 1][..],
        &[0, 0, 0, 26, 1, 3, 4, 1, 9, 8, 7, 6],
        &[0, 0, 0, 14, 2, 3, 0, 0, 0, 2, 0, 2, 0x0e, 0x10],
    ];
    assert_eq!(answer, expected.concat());
}

#[test]
fn payloads_that_lie_about_their_parts_are_refused() {
    let good = encode(protocol::ISAKMP, &[], &[OwnTransform { id: 1, attributes: vec![0x80, 1, 0, 7] }]);
    assert!(decode(&good).is_ok());
    for (at, octet, why) in [
        (3, 9, "another domain of interpretation"),
        (7, 2, "a situation that is not identity only"),
        (11, 3, "a proposal shorter than its header"),
        (11, 0xff, "a proposal longer than the payload"),
        (14, 0xff, "an SPI longer than the proposal"),
        (15, 2, "more transforms than there are"),
        (19, 7, "a transform shorter than its header"),
        (19, 0xff, "a transform longer than the proposal"),
    ] {
        let mut body = good.clone();
        body[at] = octet;
        assert!(decode(&body).is_err(), "{why}");
    }
    for length in 0..good.len() {
        assert!(decode(&good[..length]).is_err(), "cut after {length}");
    }
    let mut zero = good;
    zero[3] = 0;
    assert!(decode(&zero).is_ok(), "the generic domain");
}

#[test]
fn transforms_are_bounded() {
    let transform = OwnTransform { id: 1, attributes: Vec::new() };
    let most = encode(protocol::ISAKMP, &[], &vec![transform.clone(); 200]);
    assert_eq!(decode(&most).unwrap()[0].transforms.len(), 200);
    let proposals = vec![transform; MOST_TRANSFORMS + 1];
    let body = encode_each(protocol::ESP, &[1, 2, 3, 4], &proposals[..MOST_TRANSFORMS / 2]);
    assert_eq!(decode(&body).unwrap().len(), MOST_TRANSFORMS / 2);
    let many = [&body[..], &body[8..].repeat(3)].concat();
    assert_eq!(decode(&many).map(|_| ()), Err(PayloadError::TooMany));
}

proptest! {
    #[test]
    fn no_octets_make_a_reader_panic(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
        let body = [&[0, 0, 0, 1, 0, 0, 0, 1], octets.as_slice()].concat();
        for proposal in decode(&body).unwrap_or_default() {
            for transform in &proposal.transforms {
                let _ = attributes(transform.attributes).count();
                let again = answer(&proposal, &[1, 2, 3, 4], transform);
                prop_assert_eq!(decode(&again).unwrap()[0].transforms[0].attributes, transform.attributes);
            }
        }
    }
}
