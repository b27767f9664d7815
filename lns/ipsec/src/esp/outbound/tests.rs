use std::collections::HashSet;

use super::*;
use crate::esp::tests::{keymat, pair, seal, suites};
use crate::esp::{HEADROOM, TAILROOM};

#[test]
fn the_last_sequence_number_is_used_and_then_nothing_is_sealed() {
    for suite in suites() {
        let (mut outbound, mut inbound) = pair(suite);
        outbound.sequence = u32::MAX - 2;
        for expected in [u32::MAX - 1, u32::MAX] {
            let mut packet = seal(&mut outbound, b"payload");
            assert_eq!(inbound.open(&mut packet).unwrap().sequence, expected, "{suite}");
        }
        let mut buffer = vec![0x42; HEADROOM + 40 + TAILROOM];
        let before = buffer.clone();
        for _ in 0..3 {
            let sealed = outbound.seal(&mut buffer, HEADROOM..HEADROOM + 40, 17);
            assert_eq!(sealed, Err(SealError::Exhausted), "{suite}");
        }
        assert_eq!(buffer, before, "a payload that does not go out stays as it is");
        assert_eq!((outbound.sequence(), outbound.packets()), (u32::MAX, 2));
    }
}

/// The initialization vector of the next packet.
fn next_iv(outbound: &mut OutboundSa) -> Vec<u8> {
    seal(outbound, b"the same payload")[HEADER..outbound.layout.before()].to_vec()
}

#[test]
fn no_initialization_vector_repeats() {
    for suite in suites() {
        let (mut outbound, _) = pair(suite);
        let mut seen = HashSet::new();
        for _ in 0..2_000 {
            assert!(seen.insert(next_iv(&mut outbound)), "{suite}");
        }
    }
}

/// RFC 4106 section 3.1: the same nonce twice under a key gives AES-GCM away, whatever the sequence number.
#[test]
fn the_vectors_of_gcm_follow_the_sequence_number_to_its_end() {
    for suite in suites().into_iter().filter(|suite| suite.cipher().is_combined()) {
        let (mut outbound, _) = pair(suite);
        for sequence in [0, 1, 2, 0xffff, 0x1_0000, u32::MAX - 1] {
            outbound.sequence = sequence;
            assert_eq!(next_iv(&mut outbound), u64::from(sequence + 1).to_be_bytes(), "{suite}");
        }
    }
}

/// RFC 3602 section 3: not to be foretold. Vectors of successive packets share no more bits than chance has it, and
/// another seed gives others under the same keys.
#[test]
fn the_vectors_of_cbc_are_not_to_be_foretold() {
    for suite in suites().into_iter().filter(|suite| !suite.cipher().is_combined()) {
        let (mut outbound, _) = pair(suite);
        let mut other =
            OutboundSa::new(outbound.spi(), suite, &keymat(suite), &mut Entropy::from_seed([8; 32])).unwrap();
        let mut last = next_iv(&mut outbound);
        next_iv(&mut other);
        let (mut ones, mut flipped, mut bits) = (0, 0, 0);
        for _ in 0..500 {
            let next = next_iv(&mut outbound);
            assert_ne!(next, next_iv(&mut other), "{suite}");
            ones += next.iter().map(|octet| octet.count_ones()).sum::<u32>();
            flipped += next.iter().zip(&last).map(|(a, b)| (a ^ b).count_ones()).sum::<u32>();
            bits += 8 * next.len() as u32;
            last = next;
        }
        for count in [ones, flipped] {
            assert!((bits * 48 / 100..bits * 52 / 100).contains(&count), "{suite}: {count} of {bits}");
        }
    }
}

#[test]
fn a_buffer_without_room_is_left_alone() {
    for suite in suites() {
        let (mut outbound, _) = pair(suite);
        for length in 0..64 {
            let before = outbound.layout.before();
            let behind = outbound.overhead(length) - before;
            assert!(before <= HEADROOM && behind <= TAILROOM, "{suite} {length}");
            for (short_before, short_behind) in [(1, 0), (0, 1), (before, 0), (0, behind)] {
                let start = before - short_before;
                let mut buffer = vec![7; start + length + behind - short_behind];
                let sealed = outbound.seal(&mut buffer, start..start + length, 17);
                assert_eq!(sealed, Err(SealError::NoRoom), "{suite} {length}");
                assert!(buffer.iter().all(|octet| *octet == 7));
            }
            let mut buffer = vec![7; before + length + behind];
            let range = 0..buffer.len();
            assert_eq!(
                outbound.seal(&mut buffer, before..before + length, 17),
                Ok(range),
                "{suite} {length}"
            );
        }
        assert_eq!(outbound.sequence(), 64, "a failure uses no number");
    }
}

#[test]
#[expect(clippy::reversed_empty_ranges, reason = "what is tested")]
fn ranges_that_are_none_are_refused() {
    for suite in suites() {
        let (mut outbound, _) = pair(suite);
        let mut buffer = vec![7; 300];
        for range in [50..40, 290..310, usize::MAX - 1..usize::MAX, 24..usize::MAX, 100..0] {
            assert_eq!(outbound.seal(&mut buffer, range, 17), Err(SealError::NoRoom), "{suite}");
        }
        assert!(outbound.overhead(usize::MAX) > 0 && outbound.overhead(usize::MAX - 40) > 0);
    }
}

#[test]
fn the_largest_payload_just_fits() {
    for suite in suites() {
        let (outbound, _) = pair(suite);
        for room in 0..2_000 {
            let largest = outbound.largest_payload(room);
            if largest > 0 {
                assert!(largest + outbound.overhead(largest) <= room, "{suite} {room}");
            }
            let more = largest + 1;
            assert!(more + outbound.overhead(more) > room, "{suite} {room}");
        }
    }
}

#[test]
fn octets_outside_the_packet_are_not_touched() {
    for suite in suites() {
        let (mut outbound, _) = pair(suite);
        let mut buffer = vec![0xab; 400];
        let packet = outbound.seal(&mut buffer, 100..177, 17).unwrap();
        assert!(buffer[..packet.start].iter().all(|octet| *octet == 0xab), "{suite}");
        assert!(buffer[packet.end..].iter().all(|octet| *octet == 0xab), "{suite}");
        assert_eq!(buffer[packet.start..packet.start + 8], [0x12, 0x34, 0x56, 0x78, 0, 0, 0, 1]);
    }
}
