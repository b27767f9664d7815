//! MSS clamping: whatever passes through keeps its length, and nothing but the option and the checksum that covers it
//! is changed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tollgate_ppp::clamp_mss;

fuzz_target!(|octets: &[u8]| {
    let Some(([high, low], packet)) = octets.split_first_chunk() else { return };
    let mtu = u16::from_be_bytes([*high, *low]);
    let mut after = packet.to_vec();
    let changed = clamp_mss(&mut after, mtu);
    let places: Vec<usize> = (0..packet.len()).filter(|at| packet[*at] != after[*at]).collect();
    if !changed {
        return assert!(places.is_empty());
    }
    let start = usize::from(packet[0] & 0x0F) * 4;
    let checksum = [start + 16, start + 17];
    let rest: Vec<usize> = places.into_iter().filter(|at| !checksum.contains(at)).collect();
    if let (Some(first), Some(last)) = (rest.first(), rest.last()) {
        assert!(last - first < 2 && *first >= start + 20, "changed at {rest:?}");
    }
    assert_eq!(sum(&packet[start..]), sum(&after[start..]), "the checksum still covers the segment");
    assert!(!clamp_mss(&mut after, mtu), "clamped twice");
});

/// The Internet checksum (RFC 1071) of the segment; equal sums mean that a receiver finds the same as before.
fn sum(segment: &[u8]) -> u16 {
    let words =
        segment.chunks(2).map(|word| u32::from(word[0]) << 8 | word.get(1).map_or(0, |low| u32::from(*low)));
    let sum: u32 = words.sum();
    let folded = (sum & 0xFFFF) + (sum >> 16);
    let folded = (folded & 0xFFFF) + (folded >> 16);
    // 0 and FFFF are the same number in one's complement.
    if folded == 0xFFFF { 0 } else { folded as u16 }
}
