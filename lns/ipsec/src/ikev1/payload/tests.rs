use proptest::prelude::*;

use super::*;
use crate::ikev1::header::{Cookie, Cookies, ExchangeType, HeaderError};
use crate::ikev1::identification::Identification;
use crate::ikev1::nat::{self, Nat};
use crate::ikev1::notify::{Delete, Notification};
use crate::ikev1::vendor::{self, Draft, NatTraversal, Vendor};

const COOKIES: Cookies = Cookies { initiator: Cookie([1; 8]), responder: Cookie([2; 8]) };

fn header(exchange: ExchangeType, message_id: u32) -> Header {
    Header { cookies: COOKIES, next_payload: 0, exchange, flags: 0, message_id }
}

#[test]
fn a_header_is_written_and_read_at_the_places_of_the_rfc() {
    let header = Header { next_payload: 8, flags: 1, ..header(ExchangeType::Quick, 0x0102_0304) };
    let message = [header.encode(30).as_slice(), &[0xaa, 0xbb, 0xcc]].concat();
    assert_eq!(
        message[..28],
        [1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 8, 0x10, 32, 1, 1, 2, 3, 4, 0, 0, 0, 30]
    );
    let (read, body) = Header::decode(&message).unwrap();
    assert_eq!((read, body), (header, [0xaa, 0xbb].as_slice()), "what follows the length is ignored");
    assert!(read.is_encrypted());
}

#[test]
fn headers_that_are_none_are_refused_with_the_reason() {
    let good = header(ExchangeType::Main, 0).encode(28);
    let with = |at: usize, octet: u8| {
        let mut message = good;
        message[at] = octet;
        Header::decode(&message).map(|_| ())
    };
    assert_eq!(Header::decode(&good[..27]).map(|_| ()), Err(HeaderError::Truncated));
    assert_eq!(with(17, 0x20), Err(HeaderError::Version(2)));
    assert_eq!(with(17, 0x11), Ok(()), "a minor version of later times");
    assert_eq!(with(27, 27), Err(HeaderError::Length));
    assert_eq!(with(27, 29), Err(HeaderError::Length));
    assert_eq!(with(24, 0xff), Err(HeaderError::Length));
    let nobody = Header { cookies: Cookies::default(), ..header(ExchangeType::Main, 0) };
    assert_eq!(Header::decode(&nobody.encode(28)).map(|_| ()), Err(HeaderError::NoCookie));
}

#[test]
fn every_type_and_exchange_keeps_its_number() {
    for number in 0..=u8::MAX {
        assert_eq!(Kind::from(number).number(), number);
        assert_eq!(ExchangeType::from(number).number(), number);
    }
}

#[test]
fn a_chain_that_was_built_is_read_with_what_its_hash_covers() {
    let mut rest = Builder::new();
    rest.add(Kind::Nonce, &[b"nonce"])
        .add(Kind::Identification, &[b"id", b"1"])
        .add(Kind::Identification, &[b"2"]);
    let mut whole = Builder::new();
    whole.add(Kind::Hash, &[b"hash"]).append(&rest);
    let (first, octets) = whole.chain();
    let padded = [octets, &[0; 11]].concat();
    let payloads = Payloads::decode(first, &padded).unwrap();
    assert_eq!(payloads.first(), Some(Kind::Hash));
    assert_eq!(payloads.after_first(), rest.chain().1, "without the padding");
    assert_eq!(payloads.all(Kind::Identification).collect::<Vec<_>>(), [b"id1".as_slice(), b"2"]);
    assert_eq!(payloads.one(Kind::Nonce, "nonce"), Ok(b"nonce".as_slice()));
    assert_eq!(payloads.one(Kind::Sa, "SA"), Err(PayloadError::NotOne("SA")));
    assert_eq!(payloads.one(Kind::Identification, "id"), Err(PayloadError::NotOne("id")));
    assert_eq!(payloads.optional(Kind::Sa, "SA"), Ok(None));
}

#[test]
fn chains_that_leave_the_message_or_have_no_end_are_refused() {
    for (octets, error) in [
        (&[0, 0, 0, 3][..], PayloadError::Length),
        (&[0, 0, 0, 5], PayloadError::Length),
        (&[0, 0, 0], PayloadError::Length),
        (&[13, 0, 0, 4], PayloadError::Length),
        (&[13, 0, 0, 4].repeat(MOST_PAYLOADS + 1), PayloadError::TooMany),
    ] {
        assert_eq!(Payloads::decode(13, octets).map(|_| ()), Err(error));
    }
    let mut most = [13, 0, 0, 4].repeat(MOST_PAYLOADS);
    let at = most.len() - 4;
    most[at] = 0;
    assert_eq!(Payloads::decode(13, &most).unwrap().iter().count(), MOST_PAYLOADS);
    assert_eq!(Payloads::decode(0, &[1, 2, 3]).unwrap().iter().count(), 0);
}

#[test]
fn a_payload_too_long_for_its_length_field_is_left_out() {
    let mut builder = Builder::new();
    builder.add(Kind::Certificate, &[&vec![0; 65_532]]).add(Kind::Nonce, &[b"n"]);
    let (first, octets) = builder.chain();
    assert_eq!((first, octets.len()), (10, 5));
}

#[test]
fn identities_of_wrong_lengths_are_refused_and_others_come_back() {
    let v4 = Identification::address("192.0.2.1".parse().unwrap(), 17, 1701);
    assert_eq!(v4.encode(), [1, 17, 0x06, 0xa5, 192, 0, 2, 1]);
    let v6 = Identification::address("2001:db8::1".parse().unwrap(), 0, 0);
    for id in [v4.clone(), v6, Identification::key_id(b"\xff\x00group")] {
        assert_eq!(Identification::decode(&id.encode()), Ok(id));
    }
    for wrong in
        [&[1, 0, 0, 0, 1, 2, 3][..], &[1, 0, 0, 0, 1, 2, 3, 4, 5], &[5, 0, 0, 0, 1], &[4, 0, 0, 0], &[1, 0]]
    {
        assert!(Identification::decode(wrong).is_err(), "{wrong:?}");
    }
    assert_eq!(v4.to_string(), "192.0.2.1");
    assert_eq!(Identification::key_id(b"a\nb\x1b[0m").to_string(), "a\\nb\\u{1b}[0m", "no control in a log");
}

#[test]
fn notifications_and_deletes_come_back_and_cut_ones_do_not() {
    let notification = Notification { kind: 36136, protocol: 1, spi: &[7; 16], data: &[0, 0, 0, 1] };
    let body = notification.encode();
    assert_eq!(body[..8], [0, 0, 0, 1, 1, 16, 0x8d, 0x28]);
    assert_eq!(Notification::decode(&body), Ok(notification));
    assert!(Notification::decode(&body[..20]).is_err());
    for delete in [Delete::Esp(vec![1, 2, 3]), Delete::Isakmp(vec![COOKIES, COOKIES])] {
        assert_eq!(Delete::decode(&delete.encode()), Ok(Some(delete.clone())));
        let body = delete.encode();
        assert!(Delete::decode(&body[..body.len() - 1]).is_err());
    }
    assert_eq!(Delete::decode(&[0, 0, 0, 1, 2, 4, 0, 1, 1, 2, 3, 4]), Ok(None), "AH is not served");
    assert!(Delete::decode(&[0, 0, 0, 1, 3, 4, 0xff, 0xff, 1, 2, 3, 4]).is_err(), "a count that lies");
}

#[test]
fn the_best_nat_traversal_of_both_is_confirmed() {
    let of = |ids: &[&[u8]]| Vendor::of(ids.iter().copied());
    let both = of(&[&vendor::DRAFT_02_LINE_END, &vendor::RFC_3947, &vendor::DRAFT_02]);
    assert_eq!(
        (both.nat_traversal, both.nat_traversal_id()),
        (Some(NatTraversal::Rfc3947), Some(vendor::RFC_3947))
    );
    let drafts = of(&[&vendor::DRAFT_02, &vendor::DRAFT_02_LINE_END]);
    assert_eq!(
        (drafts.draft, drafts.nat_traversal_id()),
        (Some(Draft::TwoLineEnd), Some(vendor::DRAFT_02_LINE_END))
    );
    let mut windows = vendor::MICROSOFT.to_vec();
    windows.extend([0, 0, 0, 9]);
    assert_eq!(of(&[&windows]).microsoft, Some(9));
    let mut dpd = vendor::DPD;
    dpd[15] = 7;
    assert!(of(&[&dpd]).dpd, "a later version");
    assert_eq!(of(&[b"short", &[9; 40], &[]]), Vendor::default());
}

#[test]
fn nats_are_found_on_either_side_and_fewer_than_two_hashes_tell_nothing() {
    use crate::algorithm::Hash;
    let (us, them) = ("192.0.2.1:500".parse().unwrap(), "198.51.100.7:500".parse().unwrap());
    let hash = |address| nat::detection(Hash::Sha1, COOKIES, address).to_vec();
    let (ours, theirs, other) = (hash(us), hash(them), hash("10.0.0.1:500".parse().unwrap()));
    let detect = |payloads: &[&[u8]]| nat::detect(Hash::Sha1, COOKIES, us, them, payloads.iter().copied());
    assert_eq!(detect(&[&ours, &theirs]), Some(Nat { local: false, remote: false }));
    assert_eq!(detect(&[&other, &theirs]), Some(Nat { local: true, remote: false }));
    assert_eq!(detect(&[&ours, &other]), Some(Nat { local: false, remote: true }));
    assert_eq!(
        detect(&[&ours, &other, &theirs]),
        Some(Nat { local: false, remote: false }),
        "one of several"
    );
    assert_eq!(detect(&[&ours]), None);
    assert_eq!(detect(&[]), None);
}

proptest! {
    #[test]
    fn no_octets_make_a_reader_panic(octets in proptest::collection::vec(any::<u8>(), 0..400), first: u8) {
        if let Ok((header, body)) = Header::decode(&octets) {
            let _ = Payloads::decode(header.next_payload, body);
        }
        let _ = Payloads::decode(first, &octets);
        let _ = Identification::decode(&octets).map(|id| id.to_string());
        let _ = Notification::decode(&octets);
        let _ = Delete::decode(&octets);
    }

    #[test]
    fn chains_come_back_as_they_went(
        bodies in proptest::collection::vec((1u8..=255, proptest::collection::vec(any::<u8>(), 0..60)), 0..12)
    ) {
        let mut builder = Builder::new();
        for (kind, body) in &bodies {
            builder.add((*kind).into(), &[body]);
        }
        let message = builder.finish(header(ExchangeType::Main, 0));
        let (header, body) = Header::decode(&message).unwrap();
        let payloads = Payloads::decode(header.next_payload, body).unwrap();
        let read: Vec<_> = payloads.iter().map(|one| (one.kind.number(), one.body.to_vec())).collect();
        prop_assert_eq!(read, bodies);
    }
}
