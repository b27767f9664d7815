//! The headers of what goes into ESP.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use super::checksum::Sum;
use super::{IPV4, IPV4_HEADER, IPV6, IPV6_HEADER, InnerAddresses, UDP, UDP_HEADER};
use crate::algorithm::Mode;

const HOP_LIMIT: u8 = 64;
const DONT_FRAGMENT: u16 = 0x4000;

/// Writes the headers that a mode wants directly before a UDP payload; gives where they and the payload lie, and the
/// next header for ESP. `None` when there is no room, the packet would exceed its length field, or the addresses are not
/// of one family.
///
/// In transport mode over IPv4 there is no checksum: behind a NAT it could not be right (RFC 3948 section 3.1.2), and ESP
/// protects more than it would.
pub fn write(
    mode: Mode,
    addresses: &InnerAddresses,
    buffer: &mut [u8],
    payload: Range<usize>,
) -> Option<(Range<usize>, u8)> {
    let ends = (addresses.source.ip().to_canonical(), addresses.destination.ip().to_canonical());
    let ports = (addresses.source.port(), addresses.destination.port());
    match (mode, ends) {
        (Mode::Transport, (IpAddr::V4(_), IpAddr::V4(_))) => {
            let (range, packet) = room(buffer, payload, UDP_HEADER)?;
            udp(packet, ports)?;
            Some((range, UDP))
        }
        (Mode::Transport, (IpAddr::V6(_), IpAddr::V6(_))) => {
            let (range, packet) = room(buffer, payload, UDP_HEADER)?;
            checked_udp(packet, ends, ports)?;
            Some((range, UDP))
        }
        (Mode::Tunnel, (IpAddr::V4(source), IpAddr::V4(destination))) => {
            let (range, packet) = room(buffer, payload, IPV4_HEADER + UDP_HEADER)?;
            let length = u16::try_from(packet.len()).ok()?;
            let (header, datagram) = packet.split_first_chunk_mut()?;
            ipv4(header, source, destination, length);
            checked_udp(datagram, ends, ports)?;
            Some((range, IPV4))
        }
        (Mode::Tunnel, (IpAddr::V6(source), IpAddr::V6(destination))) => {
            let (range, packet) = room(buffer, payload, IPV6_HEADER + UDP_HEADER)?;
            let (header, datagram) = packet.split_first_chunk_mut()?;
            ipv6(header, source, destination, u16::try_from(datagram.len()).ok()?);
            checked_udp(datagram, ends, ports)?;
            Some((range, IPV6))
        }
        (_, (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_))) => None,
    }
}

/// The payload with the octets for its headers.
fn room(buffer: &mut [u8], payload: Range<usize>, headers: usize) -> Option<(Range<usize>, &mut [u8])> {
    let range = payload.start.checked_sub(headers)?..payload.end;
    let packet = buffer.get_mut(range.clone())?;
    Some((range, packet))
}

/// The header of a datagram, without checksum.
fn udp(datagram: &mut [u8], (source, destination): (u16, u16)) -> Option<u16> {
    let length = u16::try_from(datagram.len()).ok()?;
    let fields = [source, destination, length, 0].map(u16::to_be_bytes);
    *datagram.first_chunk_mut::<UDP_HEADER>()? = *fields.as_flattened().first_chunk()?;
    Some(length)
}

/// The header of a datagram, with checksum.
fn checked_udp(datagram: &mut [u8], ends: (IpAddr, IpAddr), ports: (u16, u16)) -> Option<()> {
    let length = udp(datagram, ports)?;
    let checksum = match Sum::pseudo_header(ends, UDP, length).add(datagram).checksum() {
        // Zero would say that there is none (RFC 768).
        [0, 0] => [0xff, 0xff],
        checksum => checksum,
    };
    let [.., high, low] = datagram.first_chunk_mut::<UDP_HEADER>()?;
    [*high, *low] = checksum;
    Some(())
}

/// May not be fragmented, and so needs no identification (RFC 6864 section 4.1).
fn ipv4(header: &mut [u8; IPV4_HEADER], source: Ipv4Addr, destination: Ipv4Addr, length: u16) {
    let protocol = u16::from_be_bytes([HOP_LIMIT, UDP]);
    let fields = [0x4500, length, 0, DONT_FRAGMENT, protocol, 0].map(u16::to_be_bytes);
    fill(header, [fields.as_flattened(), &source.octets(), &destination.octets()]);
    let checksum = Sum::default().add(header).checksum();
    let [_, _, _, _, _, _, _, _, _, _, high, low, ..] = header;
    [*high, *low] = checksum;
}

fn ipv6(header: &mut [u8; IPV6_HEADER], source: Ipv6Addr, destination: Ipv6Addr, length: u16) {
    let fields = [0x6000, 0, length, u16::from_be_bytes([UDP, HOP_LIMIT])].map(u16::to_be_bytes);
    fill(header, [fields.as_flattened(), &source.octets(), &destination.octets()]);
}

fn fill(header: &mut [u8], parts: [&[u8]; 3]) {
    for (to, from) in header.iter_mut().zip(parts.into_iter().flatten()) {
        *to = *from;
    }
}
