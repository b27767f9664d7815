use super::*;
use crate::algorithm::{EspCipher, Integrity};
use crate::esp::tests::{keymat, pair, seal, suites};
use crate::esp::{DEFAULT_WINDOW, OutboundSa};
use tollgate_sansio::Entropy;

#[test]
fn a_packet_cut_at_any_length_is_refused() {
    for suite in suites() {
        let (mut outbound, mut inbound) = pair(suite);
        let packet = seal(&mut outbound, &[0x33; 100]);
        for length in 0..packet.len() {
            let reason = inbound.open(&mut packet[..length].to_vec()).unwrap_err();
            let expected = if length < 8 + Layout::of(suite).iv + Layout::of(suite).icv + TRAILER {
                &[DropReason::Truncated][..]
            } else {
                &[DropReason::Alignment, DropReason::Integrity]
            };
            assert!(expected.contains(&reason), "{suite} cut at {length}: {reason:?}");
        }
        assert!(inbound.open(&mut packet.clone()).is_ok(), "what was refused has no effect");
        assert_eq!(inbound.replay_drops(), 0);
    }
}

#[test]
fn a_packet_with_octets_behind_it_is_refused() {
    for suite in suites() {
        let (mut outbound, mut inbound) = pair(suite);
        let packet = seal(&mut outbound, &[0x33; 100]);
        for extra in 1..40 {
            let mut longer = packet.clone();
            longer.resize(packet.len() + extra, 0);
            assert!(inbound.open(&mut longer).is_err(), "{suite} and {extra} more");
        }
    }
}

/// Padding as a peer that breaks section 2.4 would send it: sealed by the right key, so that only its form is wrong.
#[test]
fn wrong_padding_is_refused() {
    for suite in suites() {
        let layout = Layout::of(suite);
        let key = crate::esp::keys::SealingKey::new(suite, &keymat(suite), &mut Entropy::from_seed([0; 32]))
            .unwrap();
        let mut sequence = 0_u32;
        let (_, mut inbound) = pair(suite);
        let mut send = |text: &[u8]| {
            sequence += 1;
            let mut packet = vec![0x12, 0x34, 0x56, 0x78];
            packet.extend(sequence.to_be_bytes());
            packet.extend(vec![0xc4; layout.iv]);
            packet.extend(text);
            packet.extend(vec![0; layout.icv]);
            key.seal(layout, &mut packet).unwrap();
            inbound.open(&mut packet).map(|opened| packet[opened.payload].to_vec())
        };
        let good = [0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 1, 2, 3, 4, 5, 5, 17];
        assert_eq!(send(&good), Ok(vec![0x55; 9]), "{suite}");
        for index in 9..14 {
            let mut bad = good;
            bad[index] ^= 0x80;
            assert_eq!(send(&bad), Err(DropReason::Padding), "{suite}, octet {index}");
        }
        for length in [6, 15, 16, 255] {
            let mut bad = good;
            bad[14] = length;
            assert_eq!(send(&bad), Err(DropReason::Padding), "{suite}, pad length {length}");
        }
        // All 255 octets that the field allows, and a packet that is nothing but padding.
        let mut longest: Vec<u8> = vec![0x55; 15];
        longest.extend(1..=255);
        longest.extend([255, 17]);
        assert_eq!(send(&longest), Ok(vec![0x55; 15]), "{suite}");
        let empty: Vec<u8> = (1..=14).chain([14, 59]).collect();
        assert_eq!(send(&empty), Ok(vec![]), "{suite}");
    }
}

#[test]
fn a_packet_is_taken_once_and_in_any_order() {
    for suite in suites() {
        let (mut outbound, mut inbound) = pair(suite);
        let packets: Vec<Vec<u8>> = (0..100_u8).map(|octet| seal(&mut outbound, &[octet; 40])).collect();
        for packet in packets.iter().rev() {
            assert!(inbound.open(&mut packet.clone()).is_ok(), "{suite}");
        }
        for packet in &packets {
            assert_eq!(inbound.open(&mut packet.clone()), Err(DropReason::Replayed), "{suite}");
        }
        assert_eq!((inbound.packets(), inbound.octets(), inbound.replay_drops()), (100, 4000, 100));
    }
}

#[test]
fn a_forged_sequence_number_does_not_move_the_window() {
    for suite in suites() {
        let (mut outbound, mut inbound) = pair(suite);
        let packet = seal(&mut outbound, b"payload");
        let mut forged = packet.clone();
        forged[4..8].copy_from_slice(&u32::MAX.to_be_bytes());
        assert_eq!(inbound.open(&mut forged), Err(DropReason::Integrity), "{suite}");
        assert!(inbound.open(&mut packet.clone()).is_ok(), "{suite}");
    }
}

#[test]
fn sequence_number_zero_and_a_foreign_spi_are_refused() {
    let suite = EspSuite::new(EspCipher::Aes128, Some(Integrity::HmacSha1)).unwrap();
    let (mut outbound, mut inbound) = pair(suite);
    let packet = seal(&mut outbound, b"payload");
    let mut zero = packet.clone();
    zero[4..8].fill(0);
    assert_eq!(inbound.open(&mut zero), Err(DropReason::SequenceZero));
    assert_eq!(inbound.replay_drops(), 1);
    let mut foreign = packet;
    foreign[0] ^= 1;
    assert_eq!(inbound.open(&mut foreign), Err(DropReason::UnknownSpi));
}

#[test]
fn keys_of_another_association_open_nothing() {
    for suite in suites() {
        let (_, mut inbound) = pair(suite);
        let mut other = keymat(suite);
        for octet in &mut other {
            *octet ^= 0x55;
        }
        let mut entropy = Entropy::from_seed([9; 32]);
        let mut outbound = OutboundSa::new(inbound.spi(), suite, &other, &mut entropy).unwrap();
        let mut packet = seal(&mut outbound, &[1; 64]);
        assert_eq!(inbound.open(&mut packet), Err(DropReason::Integrity), "{suite}");
    }
}

#[test]
fn windows_that_are_not_offered_are_refused_and_keys_do_not_print() {
    let suite = EspSuite::new(EspCipher::Aes128Gcm, None).unwrap();
    let spi = Spi::new(256).unwrap();
    for window in [0, 63, 4097] {
        assert!(InboundSa::new(spi, suite, &keymat(suite), window).is_none());
    }
    for window in [64, DEFAULT_WINDOW, 4096] {
        assert!(InboundSa::new(spi, suite, &keymat(suite), window).is_some());
    }
    let inbound = InboundSa::new(spi, suite, &keymat(suite), 64).unwrap();
    let printed = "InboundSa { spi: Spi(256), suite: EspSuite { cipher: Aes128Gcm, integrity: None, is_truncated: \
                   false }, packets: 0, octets: 0, replay_drops: 0, .. }";
    assert_eq!(format!("{inbound:?}"), printed);
}
