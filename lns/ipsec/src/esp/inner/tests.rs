use proptest::prelude::*;

use super::*;
use crate::crypto::tests::hex;

const V4: (IpAddr, IpAddr) =
    (IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7)), IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1)));
const V6: (IpAddr, IpAddr) = (
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1)),
);

fn addresses(ends: (IpAddr, IpAddr)) -> InnerAddresses {
    InnerAddresses { source: SocketAddr::new(ends.0, 1701), destination: SocketAddr::new(ends.1, 40_000) }
}

/// A payload with its headers, and the next header.
fn written(mode: Mode, ends: (IpAddr, IpAddr), payload: &[u8]) -> (Vec<u8>, u8) {
    let mut buffer = vec![0xee; HEADROOM];
    buffer.extend(payload);
    let end = buffer.len();
    let (range, next_header) = write(mode, &addresses(ends), &mut buffer, HEADROOM..end).unwrap();
    assert!(buffer[..range.start].iter().all(|octet| *octet == 0xee));
    (buffer[range].to_vec(), next_header)
}

fn read_all(
    mode: Mode,
    next_header: u8,
    packet: &[u8],
    outer: (IpAddr, IpAddr),
    rule: ChecksumRule,
) -> Result<InnerUdp, DropReason> {
    read(mode, next_header, packet, 0..packet.len(), outer, rule)
}

/// The same sum, a word at a time.
fn plain_sum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0_u32;
    for part in parts {
        for pair in part.chunks(2) {
            sum += u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
            sum = (sum & 0xffff) + (sum >> 16);
        }
    }
    sum as u16
}

/// The example of RFC 1071 section 3.
#[test]
fn the_sum_is_that_of_rfc_1071() {
    assert_eq!(Sum::default().add(&hex("0001f203f4f5f6f7")).checksum(), (!0xddf2_u16).to_be_bytes());
}

proptest! {
    #[test]
    fn sums_are_those_of_one_word_at_a_time(
        first in prop::collection::vec(any::<u8>(), 0..200),
        second in prop::collection::vec(any::<u8>(), 0..3000),
    ) {
        let sum = Sum::default().add(&first).add(&second).checksum();
        prop_assert_eq!(sum, (!plain_sum(&[&first, &second])).to_be_bytes());
    }

    #[test]
    fn what_is_written_is_read(
        payload in prop::collection::vec(any::<u8>(), 0..1600),
        tunnel in any::<bool>(),
        v6 in any::<bool>(),
    ) {
        let mode = if tunnel { Mode::Tunnel } else { Mode::Transport };
        let ends = if v6 { V6 } else { V4 };
        let (packet, next_header) = written(mode, ends, &payload);
        for rule in [ChecksumRule::Verify, ChecksumRule::Accept] {
            let udp = read_all(mode, next_header, &packet, ends, rule).unwrap();
            prop_assert_eq!(&packet[udp.payload.clone()], &payload[..]);
            prop_assert_eq!((udp.source_port, udp.destination_port), (1701, 40_000));
            prop_assert_eq!(udp.source.zip(udp.destination), tunnel.then_some(ends));
        }
    }

    #[test]
    fn no_input_reads_beyond_the_packet(
        packet in prop::collection::vec(any::<u8>(), 0..120),
        next_header in prop::sample::select(vec![4_u8, 17, 41, 59, 50]),
        start in 0_usize..130,
        length in 0_usize..130,
        tunnel in any::<bool>(),
    ) {
        let mode = if tunnel { Mode::Tunnel } else { Mode::Transport };
        let range = start..start + length;
        if let Ok(udp) = read(mode, next_header, &packet, range.clone(), V4, ChecksumRule::Accept) {
            prop_assert!(udp.payload.start >= range.start + UDP_HEADER && udp.payload.end <= range.end);
            prop_assert!(udp.payload.end <= packet.len());
        }
    }
}

#[test]
fn headers_look_as_their_rfcs_draw_them() {
    let (packet, next_header) = written(Mode::Transport, V4, b"hello");
    assert_eq!((next_header, packet), (17, hex("06a5 9c40 000d 0000 68656c6c6f")));

    let (packet, next_header) = written(Mode::Tunnel, V4, b"hello");
    assert_eq!(next_header, 4);
    assert_eq!(packet[..10], hex("45000021 00004000 4011"));
    assert_eq!(packet[12..20], hex("c6336407 cb007101"));
    assert_eq!(packet[20..26], hex("06a5 9c40 000d"));
    assert_eq!(plain_sum(&[&packet[..20]]), 0xffff);
    assert_eq!(plain_sum(&[&packet[12..20], &[0, 17, 0, 13], &packet[20..]]), 0xffff);

    let (packet, next_header) = written(Mode::Transport, V6, b"hello");
    assert_eq!((next_header, &packet[..6]), (17, &hex("06a5 9c40 000d")[..]));
    assert_ne!(packet[6..8], [0, 0]);

    let (packet, next_header) = written(Mode::Tunnel, V6, b"hello");
    assert_eq!(next_header, 41);
    assert_eq!(packet[..8], hex("60000000 000d 1140"));
    assert_eq!(packet[8..40], hex("20010db8000000000000000000000007 20010db8000100000000000000000001"));
    assert_eq!(plain_sum(&[&packet[8..40], &[0, 17, 0, 13], &packet[40..]]), 0xffff);
}

/// Over IPv6 a checksum that comes out as zero is sent as all ones (RFC 768).
#[test]
fn a_checksum_of_zero_is_written_as_ones() {
    let found = (0..=u16::MAX).find_map(|word| {
        let (packet, _) = written(Mode::Transport, V6, &word.to_be_bytes());
        (packet[6..8] == [0xff, 0xff]).then_some(packet)
    });
    let packet = found.expect("one of all words makes the sum zero");
    assert!(read_all(Mode::Transport, 17, &packet, V6, ChecksumRule::Verify).is_ok());
    for word in 0..=u16::MAX {
        assert_ne!(written(Mode::Transport, V6, &word.to_be_bytes()).0[6..8], [0, 0]);
    }
}

/// A datagram of transport mode with a right checksum, which our own over IPv4 has not.
fn summed(ends: (IpAddr, IpAddr), payload: &[u8]) -> Vec<u8> {
    let (tunnel, _) = written(Mode::Tunnel, ends, payload);
    tunnel[if ends.0.is_ipv4() { 20 } else { 40 }..].to_vec()
}

/// RFC 3948 section 3.1.2: behind a NAT the addresses that the checksum covers are no longer those of the packet.
#[test]
fn behind_a_nat_any_checksum_is_accepted_in_transport_mode() {
    let translated = (IpAddr::V4(Ipv4Addr::new(192, 0, 2, 200)), V4.1);
    let datagram = summed(V4, b"payload");
    let read = |outer, rule, datagram: &[u8]| read_all(Mode::Transport, 17, datagram, outer, rule);
    assert!(read(V4, ChecksumRule::Verify, &datagram).is_ok());
    assert_eq!(read(translated, ChecksumRule::Verify, &datagram), Err(DropReason::UdpChecksum));
    let udp = read(translated, ChecksumRule::Accept, &datagram).unwrap();
    assert_eq!(datagram[udp.payload], *b"payload");
}

#[test]
fn without_nat_a_wrong_checksum_is_refused() {
    for ends in [V4, V6] {
        let datagram = summed(ends, b"payload!");
        for index in 0..datagram.len() {
            let mut wrong = datagram.clone();
            wrong[index] ^= 0x01;
            // The length field has a reason of its own.
            if !(4..6).contains(&index) {
                let verdict = read_all(Mode::Transport, 17, &wrong, ends, ChecksumRule::Verify);
                assert_eq!(verdict, Err(DropReason::UdpChecksum), "octet {index}");
                assert!(read_all(Mode::Transport, 17, &wrong, ends, ChecksumRule::Accept).is_ok());
            }
        }
    }
}

#[test]
fn a_missing_checksum_is_for_ipv4_alone() {
    for (ends, verdict) in [(V4, Ok(())), (V6, Err(DropReason::UdpChecksum))] {
        let mut datagram = summed(ends, b"payload");
        datagram[6..8].fill(0);
        let read = |rule| read_all(Mode::Transport, 17, &datagram, ends, rule).map(|_| ());
        assert_eq!(read(ChecksumRule::Verify), verdict);
        assert_eq!(read(ChecksumRule::Accept), Ok(()));
    }
}

/// A socket of both families names IPv4 peers by IPv6 addresses; the checksum knows nothing of that.
#[test]
fn mapped_addresses_count_as_ipv4() {
    let map = |address: IpAddr| match address {
        IpAddr::V4(address) => IpAddr::V6(address.to_ipv6_mapped()),
        IpAddr::V6(_) => address,
    };
    let mapped = (map(V4.0), map(V4.1));
    for mode in [Mode::Transport, Mode::Tunnel] {
        assert_eq!(written(mode, mapped, b"payload"), written(mode, V4, b"payload"));
    }
    let mut datagram = summed(V4, b"payload");
    assert!(read_all(Mode::Transport, 17, &datagram, mapped, ChecksumRule::Verify).is_ok());
    datagram[6..8].fill(0);
    assert!(read_all(Mode::Transport, 17, &datagram, mapped, ChecksumRule::Verify).is_ok());
}

/// Found by fuzzing: such a packet would have passed for one of an IPv4 peer.
#[test]
fn mapped_addresses_inside_a_tunnel_are_refused() {
    let (packet, _) = written(Mode::Tunnel, V6, b"payload");
    for address in [8, 24] {
        let mut packet = packet.clone();
        packet[address..address + 16]
            .copy_from_slice(&Ipv4Addr::new(198, 51, 100, 7).to_ipv6_mapped().octets());
        let verdict = read_all(Mode::Tunnel, 41, &packet, V6, ChecksumRule::Accept);
        assert_eq!(verdict, Err(DropReason::InnerHeader));
    }
}

#[test]
fn packets_cut_short_and_wrong_lengths_are_refused() {
    for (mode, ends) in [(Mode::Transport, V4), (Mode::Transport, V6), (Mode::Tunnel, V4), (Mode::Tunnel, V6)]
    {
        let (packet, next_header) = written(mode, ends, b"payload");
        for length in 0..packet.len() {
            let verdict = read_all(mode, next_header, &packet[..length], ends, ChecksumRule::Accept);
            let reasons = [DropReason::Truncated, DropReason::UdpLength, DropReason::InnerHeader];
            assert!(verdict.is_err_and(|reason| reasons.contains(&reason)), "{mode} {length}");
        }
        let udp = packet.len() - 15;
        for length in [0, 1, 7, 16, 0xffff] {
            let mut wrong = packet.clone();
            wrong[udp + 4..udp + 6].copy_from_slice(&u16::to_be_bytes(length));
            let verdict = read_all(mode, next_header, &wrong, ends, ChecksumRule::Accept);
            assert_eq!(verdict, Err(DropReason::UdpLength), "{mode} {length}");
        }
    }
}

/// RFC 4303 section 2.7: a sender may lengthen the payload to hide how long the packet is.
#[test]
fn octets_behind_the_packet_are_ignored() {
    for (mode, ends) in [(Mode::Transport, V4), (Mode::Tunnel, V4), (Mode::Tunnel, V6)] {
        let (mut packet, next_header) = written(mode, ends, b"payload");
        packet.extend([0xdd; 50]);
        let udp = read_all(mode, next_header, &packet, ends, ChecksumRule::Verify).unwrap();
        assert_eq!(packet[udp.payload], *b"payload", "{mode}");
    }
}

/// Changes a tunnelled IPv4 packet and makes its header's checksum right again.
fn altered(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let (mut packet, _) = written(Mode::Tunnel, V4, b"payload");
    change(&mut packet);
    packet[10..12].fill(0);
    let header = usize::from(packet[0] & 0x0f) * 4;
    let checksum = !plain_sum(&[&packet[..header.clamp(12, packet.len())]]);
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
    packet
}

#[test]
fn inner_packets_that_are_not_whole_udp_over_ipv4_are_refused() {
    let read = |packet: &[u8]| read_all(Mode::Tunnel, 4, packet, V4, ChecksumRule::Accept).map(|_| ());
    assert_eq!(read(&altered(|_| ())), Ok(()));
    assert_eq!(read(&altered(|packet| packet[0] = 0x65)), Err(DropReason::InnerHeader), "version 6");
    assert_eq!(read(&altered(|packet| packet[0] = 0x44)), Err(DropReason::InnerHeader), "short header");
    assert_eq!(read(&altered(|packet| packet[0] = 0x4f)), Err(DropReason::InnerHeader), "long header");
    assert_eq!(read(&altered(|packet| packet[3] = 19)), Err(DropReason::InnerHeader), "total length");
    assert_eq!(read(&altered(|packet| packet[3] += 1)), Err(DropReason::InnerHeader), "total length");
    assert_eq!(read(&altered(|packet| packet[6] = 0x20)), Err(DropReason::InnerFragment), "more fragments");
    assert_eq!(read(&altered(|packet| packet[7] = 0x01)), Err(DropReason::InnerFragment), "an offset");
    assert_eq!(read(&altered(|packet| packet[6] = 0x00)), Ok(()), "may be fragmented");
    assert_eq!(read(&altered(|packet| packet[9] = 6)), Err(DropReason::InnerProtocol), "TCP");
    let mut wrong = altered(|_| ());
    wrong[10] ^= 1;
    assert_eq!(read(&wrong), Err(DropReason::InnerHeader), "header checksum");
    let options = altered(|packet| {
        packet[0] = 0x46;
        packet[3] += 4;
        packet.splice(20..20, [1, 1, 1, 0]);
    });
    let udp = read_all(Mode::Tunnel, 4, &options, V4, ChecksumRule::Verify).unwrap();
    assert_eq!(options[udp.payload], *b"payload");
}

#[test]
fn inner_packets_that_are_not_whole_udp_over_ipv6_are_refused() {
    let (packet, _) = written(Mode::Tunnel, V6, b"payload");
    let read = |index: usize, octet: u8| {
        let mut packet = packet.clone();
        packet[index] = octet;
        read_all(Mode::Tunnel, 41, &packet, V6, ChecksumRule::Accept).map(|_| ())
    };
    assert_eq!(read(7, 1), Ok(()), "hop limit");
    assert_eq!(read(0, 0x40), Err(DropReason::InnerHeader), "version 4");
    assert_eq!(read(5, 16), Err(DropReason::InnerHeader), "length");
    assert_eq!(read(5, 0), Err(DropReason::UdpLength), "length");
    assert_eq!(read(6, 44), Err(DropReason::InnerFragment));
    assert_eq!(read(6, 6), Err(DropReason::InnerProtocol), "TCP");
    assert_eq!(read(6, 0), Err(DropReason::InnerProtocol), "hop-by-hop options");
}

#[test]
fn a_mode_carries_its_own_next_headers_only() {
    let refused = |mode, next_header, packet: &[u8]| {
        read_all(mode, next_header, packet, V4, ChecksumRule::Accept).unwrap_err()
    };
    let (v4, _) = written(Mode::Tunnel, V4, b"payload");
    let (v6, _) = written(Mode::Tunnel, V6, b"payload");
    let (udp, _) = written(Mode::Transport, V4, b"payload");
    for next_header in (0..=255).filter(|number| ![17, 59].contains(number)) {
        assert_eq!(refused(Mode::Transport, next_header, &udp), DropReason::NextHeader, "{next_header}");
    }
    for next_header in (0..=255).filter(|number| ![4, 41, 59].contains(number)) {
        assert_eq!(refused(Mode::Tunnel, next_header, &v4), DropReason::NextHeader, "{next_header}");
    }
    assert_eq!(refused(Mode::Tunnel, 41, &v4), DropReason::Truncated);
    assert_eq!(refused(Mode::Tunnel, 4, &v6), DropReason::InnerHeader);
    for mode in [Mode::Transport, Mode::Tunnel] {
        assert_eq!(refused(mode, 59, &udp), DropReason::Dummy);
        assert_eq!(refused(mode, 59, &[]), DropReason::Dummy);
    }
}

#[test]
fn headers_without_room_or_of_two_families_are_not_written() {
    for (mode, ends, headers) in
        [(Mode::Transport, V4, 8), (Mode::Transport, V6, 8), (Mode::Tunnel, V4, 28), (Mode::Tunnel, V6, 48)]
    {
        assert!(headers <= HEADROOM);
        let addresses = addresses(ends);
        let mut buffer = vec![7; 100];
        for start in 0..headers {
            assert_eq!(write(mode, &addresses, &mut buffer, start..60), None, "{mode} {start}");
        }
        assert_eq!(write(mode, &addresses, &mut buffer, headers..101), None);
        assert!(write(mode, &addresses, &mut buffer, headers..headers).is_some(), "an empty payload");
        let mut buffer = vec![7; 70_000];
        let longest = usize::from(u16::MAX) - if ends.0.is_ipv4() { headers } else { 8 };
        assert!(write(mode, &addresses, &mut buffer, 48..48 + longest).is_some());
        assert_eq!(write(mode, &addresses, &mut buffer, 48..49 + longest), None);
    }
    for mode in [Mode::Transport, Mode::Tunnel] {
        for ends in [(V4.0, V6.1), (V6.0, V4.1)] {
            assert_eq!(write(mode, &addresses(ends), &mut [0; 100], 50..60), None);
        }
    }
}
