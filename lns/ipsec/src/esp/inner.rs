//! What ESP carries for L2TP: UDP, by itself in transport mode, or in an IP packet of its own in tunnel mode (RFC 791,
//! 8200, 768). Fragments and extension headers inside are refused: the peer is the packet's source and has no reason to
//! make them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::Range;

use tollgate_sansio::Reader;

use super::DropReason;
use crate::algorithm::Mode;
use checksum::Sum;

mod checksum;
mod write;

pub use write::write;

/// Protocol numbers, as next header of ESP and inside IP.
const IPV4: u8 = 4;
const UDP: u8 = 17;
const IPV6: u8 = 41;
const IPV6_FRAGMENT: u8 = 44;
const NO_NEXT_HEADER: u8 = 59;

const UDP_HEADER: usize = 8;
const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;

/// Octets before a payload that [`write()`] needs at most.
pub const HEADROOM: usize = IPV6_HEADER + UDP_HEADER;

/// Octets of the headers that [`write`] puts before a payload.
pub fn header_length(mode: Mode, is_v6: bool) -> usize {
    match (mode, is_v6) {
        (Mode::Transport, _) => UDP_HEADER,
        (Mode::Tunnel, false) => IPV4_HEADER + UDP_HEADER,
        (Mode::Tunnel, true) => IPV6_HEADER + UDP_HEADER,
    }
}

/// More Fragments and the offset: both zero in a packet that is whole.
const FRAGMENT: u16 = 0x3fff;

/// What a UDP checksum is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChecksumRule {
    /// It must be right, or absent (zero) over IPv4.
    Verify,
    /// It may be anything: a NAT between the peers has changed the addresses that it covers, and ESP has authenticated
    /// the packet (RFC 3948 section 3.1.2).
    Accept,
}

/// A UDP datagram that came out of ESP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InnerUdp {
    /// The peer's port.
    pub source_port: u16,
    /// Our port.
    pub destination_port: u16,
    /// Where its payload lies in the ESP packet.
    pub payload: Range<usize>,
    /// In tunnel mode, the source of the packet inside.
    pub source: Option<IpAddr>,
    /// In tunnel mode, the destination of the packet inside.
    pub destination: Option<IpAddr>,
}

/// The ends of a UDP datagram that goes into ESP: in tunnel mode those of the packet inside, in transport mode those of
/// the packet outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InnerAddresses {
    /// Ours.
    pub source: SocketAddr,
    /// The peer's.
    pub destination: SocketAddr,
}

/// Reads the payload of an opened packet. `outer` is source and destination of the packet outside, which in transport
/// mode the checksum covers.
pub fn read(
    mode: Mode,
    next_header: u8,
    packet: &[u8],
    payload: Range<usize>,
    outer: (IpAddr, IpAddr),
    rule: ChecksumRule,
) -> Result<InnerUdp, DropReason> {
    let inside = packet.get(payload.clone()).ok_or(DropReason::Truncated)?;
    let (part, addresses) = match (mode, next_header) {
        (_, NO_NEXT_HEADER) => return Err(DropReason::Dummy),
        (Mode::Transport, UDP) => (0..inside.len(), None),
        (Mode::Tunnel, IPV4) => ipv4(inside)?,
        (Mode::Tunnel, IPV6) => ipv6(inside)?,
        (Mode::Transport | Mode::Tunnel, _) => return Err(DropReason::NextHeader),
    };
    let start = payload.start + part.start + UDP_HEADER;
    let datagram = inside.get(part).ok_or(DropReason::InnerHeader)?;
    let header = udp(datagram, addresses.unwrap_or(outer), rule)?;
    let (source, destination) = addresses.unzip();
    Ok(InnerUdp {
        source_port: header.source,
        destination_port: header.destination,
        payload: start..start + header.payload,
        source,
        destination,
    })
}

/// Where the datagram lies inside an IP packet, and the packet's addresses.
type Inside = (Range<usize>, Option<(IpAddr, IpAddr)>);

/// Octets behind the packet's own length are padding that hides it (RFC 4303 section 2.7).
fn ipv4(packet: &[u8]) -> Result<Inside, DropReason> {
    let mut reader = Reader::new(packet);
    let [version, _] = reader.array()?;
    let length = usize::from(reader.u16()?);
    let [_, fragment] = [reader.u16()?, reader.u16()?];
    let [_, protocol] = reader.array()?;
    reader.u16()?;
    let source = Ipv4Addr::from(reader.array::<4>()?);
    let destination = Ipv4Addr::from(reader.array::<4>()?);
    let header_len = usize::from(version & 0x0f) * 4;
    if version >> 4 != 4 || header_len < IPV4_HEADER || length < header_len || length > packet.len() {
        return Err(DropReason::InnerHeader);
    }
    let header = packet.get(..header_len).ok_or(DropReason::InnerHeader)?;
    if !Sum::default().add(header).is_right() {
        return Err(DropReason::InnerHeader);
    }
    if fragment & FRAGMENT != 0 {
        return Err(DropReason::InnerFragment);
    }
    if protocol != UDP {
        return Err(DropReason::InnerProtocol);
    }
    Ok((header_len..length, Some((source.into(), destination.into()))))
}

fn ipv6(packet: &[u8]) -> Result<Inside, DropReason> {
    let mut reader = Reader::new(packet);
    let [version, ..] = reader.array::<4>()?;
    let length = IPV6_HEADER + usize::from(reader.u16()?);
    let [protocol, _] = reader.array()?;
    let source = Ipv6Addr::from(reader.array::<16>()?);
    let destination = Ipv6Addr::from(reader.array::<16>()?);
    // A mapped address would pass for an IPv4 peer; on the wire there is none (RFC 4038 section 4.2).
    let mapped = [source, destination].iter().any(|address| address.to_ipv4_mapped().is_some());
    if version >> 4 != 6 || length > packet.len() || mapped {
        return Err(DropReason::InnerHeader);
    }
    match protocol {
        UDP => Ok((IPV6_HEADER..length, Some((source.into(), destination.into())))),
        IPV6_FRAGMENT => Err(DropReason::InnerFragment),
        _ => Err(DropReason::InnerProtocol),
    }
}

struct UdpHeader {
    source: u16,
    destination: u16,
    /// Octets behind the header.
    payload: usize,
}

fn udp(datagram: &[u8], addresses: (IpAddr, IpAddr), rule: ChecksumRule) -> Result<UdpHeader, DropReason> {
    let mut reader = Reader::new(datagram);
    let mut field = || reader.u16().map_err(|_| DropReason::UdpLength);
    let [source, destination, length, checksum] = [field()?, field()?, field()?, field()?];
    let payload = usize::from(length).checked_sub(UDP_HEADER).ok_or(DropReason::UdpLength)?;
    let datagram = datagram.get(..usize::from(length)).ok_or(DropReason::UdpLength)?;
    let right = match rule {
        ChecksumRule::Accept => true,
        // Zero says that there is none, which over IPv6 is not allowed (RFC 8200 section 8.1).
        ChecksumRule::Verify if checksum == 0 => addresses.0.to_canonical().is_ipv4(),
        ChecksumRule::Verify => Sum::pseudo_header(addresses, UDP, length).add(datagram).is_right(),
    };
    if right { Ok(UdpHeader { source, destination, payload }) } else { Err(DropReason::UdpChecksum) }
}

#[cfg(test)]
mod tests;
