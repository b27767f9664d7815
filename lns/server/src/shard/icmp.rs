//! Packets that are too large for a client: an ICMP error where they must not be cut (RFC 791, RFC 1191), pieces where
//! they may.

use std::net::Ipv4Addr;

/// What becomes of a packet of more than `mtu` octets.
pub(super) enum Oversize {
    /// Send these pieces instead.
    Fragments(Vec<Vec<u8>>),
    /// Tell its sender with this packet.
    TooBig(Vec<u8>),
    /// Nothing sensible: drop it.
    Drop,
}

/// Octets of the packet in error that an ICMP message carries besides its IP header (RFC 792).
const QUOTED: usize = 8;

/// Decides about a packet that is larger than `mtu`; `router` is the address that an ICMP error comes from.
pub(super) fn oversize(packet: &[u8], mtu: u16, router: Ipv4Addr) -> Oversize {
    let Some(header) = packet.first_chunk::<20>() else { return Oversize::Drop };
    let header_length = usize::from(header[0] & 0x0f) * 4;
    let (Some(full_header), true) = (packet.get(..header_length), header_length >= 20) else {
        return Oversize::Drop;
    };
    let flags = u16::from_be_bytes([header[6], header[7]]);
    if flags & 0x4000 != 0 {
        return too_big(packet, header, header_length, mtu, router);
    }
    let room = usize::from(mtu).saturating_sub(header_length) & !7;
    if room == 0 {
        return Oversize::Drop;
    }
    let payload = &packet[header_length..];
    let more_follow = flags & 0x2000;
    let first_offset = flags & 0x1fff;
    let pieces = payload.chunks(room).enumerate().map(|(index, chunk)| {
        let last = (index + 1) * room >= payload.len();
        let offset = first_offset + (index * room / 8) as u16;
        let mut piece = Vec::with_capacity(header_length + chunk.len());
        piece.extend_from_slice(full_header);
        piece.extend_from_slice(chunk);
        piece[2..4].copy_from_slice(&((header_length + chunk.len()) as u16).to_be_bytes());
        let flags = offset & 0x1fff | if last { more_follow } else { 0x2000 };
        piece[6..8].copy_from_slice(&flags.to_be_bytes());
        set_checksum(&mut piece, 10, header_length);
        piece
    });
    Oversize::Fragments(pieces.collect())
}

/// Destination unreachable, fragmentation needed (RFC 1191 section 4); never about an ICMP error itself.
fn too_big(packet: &[u8], header: &[u8; 20], header_length: usize, mtu: u16, router: Ipv4Addr) -> Oversize {
    let is_icmp_error = header[9] == 1 && !matches!(packet.get(header_length), Some(0 | 8 | 13 | 14));
    if is_icmp_error {
        return Oversize::Drop;
    }
    let quoted = &packet[..packet.len().min(header_length + QUOTED)];
    let total = 28 + quoted.len();
    let mut error = vec![0x45, 0];
    error.extend((total as u16).to_be_bytes());
    error.extend([0, 0, 0, 0, 64, 1, 0, 0]);
    error.extend(router.octets());
    error.extend_from_slice(&header[12..16]);
    error.extend([3, 4, 0, 0, 0, 0]);
    error.extend(mtu.to_be_bytes());
    error.extend_from_slice(quoted);
    set_checksum(&mut error, 10, 20);
    let sum = checksum(&error[20..]);
    error[22..24].copy_from_slice(&sum.to_be_bytes());
    Oversize::TooBig(error)
}

/// Computes the checksum of the first `length` octets into the two at `at`.
fn set_checksum(packet: &mut [u8], at: usize, length: usize) {
    packet[at..at + 2].fill(0);
    let sum = checksum(&packet[..length]);
    packet[at..at + 2].copy_from_slice(&sum.to_be_bytes());
}

/// RFC 1071.
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)])))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(length: usize, flags: u16) -> Vec<u8> {
        let mut packet = vec![0x45, 0];
        packet.extend((length as u16).to_be_bytes());
        packet.extend([0, 7]);
        packet.extend(flags.to_be_bytes());
        packet.extend([64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 9]);
        packet.extend((20..length).map(|octet| octet as u8));
        packet
    }

    #[test]
    fn a_packet_that_may_be_cut_is_cut_on_eight_octet_borders() {
        let whole = packet(1220, 0);
        let Oversize::Fragments(pieces) = oversize(&whole, 576, Ipv4Addr::LOCALHOST) else { panic!() };
        let fields: Vec<_> =
            pieces.iter().map(|piece| (piece.len(), u16::from_be_bytes([piece[6], piece[7]]))).collect();
        assert_eq!(fields, [(572, 0x2000), (572, 0x2000 | 69), (116, 138)]);
        assert!(pieces.iter().all(|piece| checksum(&piece[..20]) == 0));
        let joined: Vec<u8> = pieces.iter().flat_map(|piece| piece[20..].to_vec()).collect();
        assert_eq!(joined, whole[20..]);
    }

    #[test]
    fn a_packet_that_must_not_be_cut_is_answered_with_the_mtu() {
        let router = Ipv4Addr::new(10, 0, 0, 254);
        let Oversize::TooBig(error) = oversize(&packet(1400, 0x4000), 1280, router) else { panic!() };
        assert_eq!(error[12..20], [10, 0, 0, 254, 10, 0, 0, 1]);
        assert_eq!((error[20], error[21], u16::from_be_bytes([error[26], error[27]])), (3, 4, 1280));
        assert_eq!((checksum(&error[..20]), checksum(&error[20..])), (0, 0));
        let mut unreachable = packet(1400, 0x4000);
        unreachable[9] = 1;
        unreachable[20] = 3;
        assert!(matches!(oversize(&unreachable, 1280, router), Oversize::Drop));
    }
}
