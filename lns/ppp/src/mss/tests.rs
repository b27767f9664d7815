use proptest::prelude::*;

use super::*;

/// An IPv4 TCP packet with `ip_options` (a multiple of 4) and `tcp_options` (padded), checksum included.
fn packet(ip_options: &[u8], flags: u8, tcp_options: &[u8], data: &[u8]) -> Vec<u8> {
    let mut tcp_options = tcp_options.to_vec();
    while !tcp_options.len().is_multiple_of(4) {
        tcp_options.push(0);
    }
    let ip_header = 20 + ip_options.len();
    let tcp_header = 20 + tcp_options.len();
    let total = ip_header + tcp_header + data.len();
    let mut bytes = vec![0x40 | (ip_header / 4) as u8, 0];
    bytes.extend_from_slice(&(total as u16).to_be_bytes());
    bytes.extend_from_slice(&[0x12, 0x34, 0x40, 0, 64, TCP, 0, 0, 10, 0, 0, 1, 192, 0, 2, 7]);
    bytes.extend_from_slice(ip_options);
    bytes.extend_from_slice(&[0xC0, 0x01, 0x00, 0x50, 1, 2, 3, 4, 0, 0, 0, 0]);
    bytes.extend_from_slice(&[((tcp_header / 4) as u8) << 4, flags, 0xFF, 0xFF, 0, 0, 0, 0]);
    bytes.extend_from_slice(&tcp_options);
    bytes.extend_from_slice(data);
    let sum = checksum(&bytes);
    bytes[ip_header + 16..ip_header + 18].copy_from_slice(&sum.to_be_bytes());
    bytes
}

/// The TCP checksum over pseudo-header and segment; zero when the stored one is right.
fn checksum(packet: &[u8]) -> u16 {
    let header = usize::from(packet[0] & 0x0F) * 4;
    let segment = &packet[header..];
    let mut pseudo = packet[12..20].to_vec();
    pseudo.extend_from_slice(&[0, TCP]);
    pseudo.extend_from_slice(&(segment.len() as u16).to_be_bytes());
    pseudo.extend_from_slice(segment);
    if pseudo.len() % 2 == 1 {
        pseudo.push(0);
    }
    let mut sum: u32 = pseudo.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !(sum as u16)
}

#[test]
fn a_syn_is_cut_to_the_mtu_and_its_checksum_stays_right() {
    let mut bytes = packet(&[], SYN, &[2, 4, 0x05, 0xB4, 1, 3, 3, 8], b"");
    assert!(clamp_mss(&mut bytes, 1400));
    assert_eq!(bytes[42..44], 1360u16.to_be_bytes());
    assert_eq!(checksum(&bytes), 0);
    assert!(!clamp_mss(&mut bytes, 1400), "a second time there is nothing to do");
}

#[test]
fn an_option_at_an_odd_offset_keeps_the_checksum_right() {
    let mut bytes = packet(&[], SYN | 0x10, &[1, 2, 4, 0x05, 0xB4], b"xyz");
    assert!(clamp_mss(&mut bytes, 1280));
    assert_eq!(bytes[43..45], 1240u16.to_be_bytes());
    assert_eq!(checksum(&bytes), 0);
}

#[test]
fn ipv4_options_are_skipped() {
    let mut bytes =
        packet(&[1, 1, 1, 1, 7, 3, 4, 0], SYN, &[8, 10, 0, 0, 0, 0, 0, 0, 0, 0, 2, 4, 0xFF, 0xFF], b"");
    assert!(clamp_mss(&mut bytes, 1400));
    assert_eq!(checksum(&bytes), 0);
}

#[test]
fn what_need_not_be_changed_is_not() {
    let untouched = |mut bytes: Vec<u8>| {
        let before = bytes.clone();
        !clamp_mss(&mut bytes, 1400) && bytes == before
    };
    let syn = packet(&[], SYN, &[2, 4, 0x05, 0xB4], b"");
    assert!(untouched(packet(&[], 0x10, &[2, 4, 0x05, 0xB4], b"")), "no SYN");
    assert!(untouched(packet(&[], SYN, &[2, 4, 0x05, 0x50], b"")), "exactly the limit");
    assert!(untouched(packet(&[], SYN, &[], b"")), "no option");
    assert!(untouched(packet(&[], SYN, &[0, 2, 4, 0x05, 0xB4], b"")), "after the end of options");
    assert!(untouched(packet(&[], SYN, &[9, 0, 2, 4, 0x05, 0xB4], b"")), "an option of length 0");
    assert!(untouched(packet(&[], SYN, &[2, 3, 0x05], b"")), "an MSS option of the wrong length");
    for (at, value, why) in
        [(6, 0x20, "first fragment"), (7, 0x01, "later fragment"), (9, 17, "UDP"), (0, 0x65, "IPv6")]
    {
        let mut bytes = syn.clone();
        bytes[at] = value;
        assert!(untouched(bytes), "{why}");
    }
    for length in 0..syn.len() {
        assert!(untouched(syn[..length].to_vec()), "cut to {length}");
    }
}

#[test]
fn a_tiny_mtu_does_not_go_below_what_every_host_takes() {
    let mut bytes = packet(&[], SYN, &[2, 4, 0x05, 0xB4], b"");
    assert!(clamp_mss(&mut bytes, 40));
    assert_eq!(bytes[42..44], 536u16.to_be_bytes());
}

proptest! {
    #[test]
    fn arbitrary_octets_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..120), mtu: u16) {
        clamp_mss(&mut bytes, mtu);
    }

    #[test]
    fn the_checksum_is_right_for_any_mss(mss: u16, mtu in 68u16.., odd: bool, data in proptest::collection::vec(any::<u8>(), 0..9)) {
        let [high, low] = mss.to_be_bytes();
        let options = if odd { vec![1, 2, 4, high, low] } else { vec![2, 4, high, low] };
        let mut bytes = packet(&[], SYN, &options, &data);
        let changed = clamp_mss(&mut bytes, mtu);
        prop_assert_eq!(changed, mss > mtu.saturating_sub(40).max(536));
        prop_assert_eq!(checksum(&bytes), 0);
    }
}
