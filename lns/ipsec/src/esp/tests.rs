use super::*;
use crate::algorithm::Integrity;
use tollgate_sansio::Entropy;

/// Every suite that can be negotiated.
pub(super) fn suites() -> Vec<EspSuite> {
    let integrities = Integrity::ALL.iter().copied().map(Some).chain([None]);
    integrities
        .flat_map(|integrity| {
            EspCipher::ALL.iter().filter_map(move |cipher| EspSuite::new(*cipher, integrity))
        })
        .collect()
}

/// Both ends of an association, with keys that differ from suite to suite and octet to octet.
pub(super) fn pair(suite: EspSuite) -> (OutboundSa, InboundSa) {
    let spi = Spi::new(0x1234_5678).unwrap();
    let keymat = keymat(suite);
    let outbound = OutboundSa::new(spi, suite, &keymat, &mut Entropy::from_seed([9; 32])).unwrap();
    (outbound, InboundSa::new(spi, suite, &keymat, DEFAULT_WINDOW).unwrap())
}

pub(super) fn keymat(suite: EspSuite) -> Vec<u8> {
    (0..suite.keymat_length()).map(|index| (index * 7 + suite.keymat_length()) as u8).collect()
}

/// A payload as a packet of its own.
pub(super) fn seal(outbound: &mut OutboundSa, payload: &[u8]) -> Vec<u8> {
    let mut buffer = vec![0xee; HEADROOM + payload.len() + TAILROOM];
    let range = HEADROOM..HEADROOM + payload.len();
    buffer[range.clone()].copy_from_slice(payload);
    let packet = outbound.seal(&mut buffer, range, 17).unwrap();
    buffer[packet].to_vec()
}

#[test]
fn every_suite_carries_payloads_of_every_length() {
    for suite in suites() {
        let (mut outbound, mut inbound) = pair(suite);
        for length in (0..200).chain([1399, 1400, 1401, 9000]) {
            let payload: Vec<u8> = (0..length).map(|index| (index * 31 + length) as u8).collect();
            let mut packet = seal(&mut outbound, &payload);
            assert_eq!(packet.len(), payload.len() + outbound.overhead(payload.len()), "{suite} {length}");
            let opened = inbound.open(&mut packet).unwrap();
            assert_eq!(packet[opened.payload.clone()], payload, "{suite} {length}");
            assert_eq!((opened.next_header, opened.sequence), (17, outbound.sequence()));
        }
        assert_eq!((outbound.packets(), outbound.octets()), (204, inbound.octets()), "{suite}");
        assert_eq!(inbound.packets(), 204);
    }
}

#[test]
fn reserved_spis_are_none() {
    for spi in [0, 1, 255] {
        assert_eq!(Spi::new(spi), None);
    }
    assert_eq!(Spi::new(256).map(Spi::get), Some(256));
    assert_eq!(Spi::new(0xdead_beef).unwrap().to_string(), "0xdeadbeef");
}

#[test]
fn every_reason_has_a_name_and_a_place_of_its_own() {
    let names: std::collections::BTreeSet<_> = DropReason::ALL.iter().map(|reason| reason.name()).collect();
    assert_eq!(names.len(), DropReason::COUNT);
    for (index, reason) in DropReason::ALL.iter().enumerate() {
        assert_eq!(reason.index(), index);
    }
}

#[test]
fn a_truncated_check_value_is_96_bits_long_and_only_its_like_takes_it() {
    let suite = EspSuite::new(EspCipher::Aes128, Some(Integrity::HmacSha256)).unwrap();
    let truncated = suite.with_truncated_sha256();
    let ((mut short, mut short_in), (mut full, mut full_in)) = (pair(truncated), pair(suite));
    let (packet, whole) = (seal(&mut short, &[7; 100]), seal(&mut full, &[7; 100]));
    assert_eq!((packet.len() + 4, truncated.icv_length()), (whole.len(), 12));
    assert!(short_in.open(&mut packet.clone()).is_ok());
    assert!(full_in.open(&mut packet.clone()).is_err());
    assert!(short_in.open(&mut whole.clone()).is_err());
    let other = EspSuite::new(EspCipher::Aes128, Some(Integrity::HmacSha1)).unwrap();
    assert_eq!(other.with_truncated_sha256(), other, "SHA-1 has nothing to cut");
}
