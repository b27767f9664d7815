//! The few inner packets that the client makes and reads itself: pings and UDP datagrams.

use std::net::Ipv4Addr;

/// An ICMP echo message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Echo {
    /// Tells apart pings of different programs.
    pub identifier: u16,
    /// Counts the pings.
    pub sequence: u16,
}

/// An ICMP echo request with `payload` octets of payload.
pub fn ping(from: Ipv4Addr, to: Ipv4Addr, echo: Echo, payload: usize) -> Vec<u8> {
    let mut icmp = vec![8, 0, 0, 0];
    icmp.extend(echo.identifier.to_be_bytes());
    icmp.extend(echo.sequence.to_be_bytes());
    icmp.extend((0..payload).map(|octet| octet as u8));
    let sum = checksum(&icmp, 0);
    icmp[2..4].copy_from_slice(&sum.to_be_bytes());
    packet(1, from, to, &icmp)
}

/// The echo reply in a packet, if it is one.
pub fn echo_reply(packet: &[u8]) -> Option<(Ipv4Addr, Echo)> {
    let (header, icmp) = parts(packet, 1)?;
    match icmp {
        [0, 0, _, _, id_high, id_low, sequence_high, sequence_low, ..] => Some((
            Ipv4Addr::new(header[12], header[13], header[14], header[15]),
            Echo {
                identifier: u16::from_be_bytes([*id_high, *id_low]),
                sequence: u16::from_be_bytes([*sequence_high, *sequence_low]),
            },
        )),
        _ => None,
    }
}

/// A UDP datagram.
pub fn datagram(from: (Ipv4Addr, u16), to: (Ipv4Addr, u16), payload: &[u8]) -> Vec<u8> {
    let mut udp = Vec::with_capacity(8 + payload.len());
    udp.extend(from.1.to_be_bytes());
    udp.extend(to.1.to_be_bytes());
    udp.extend(((8 + payload.len()) as u16).to_be_bytes());
    udp.extend([0, 0]);
    udp.extend_from_slice(payload);
    let pseudo = sum(&from.0.octets()) + sum(&to.0.octets()) + 17 + udp.len() as u32;
    let sum = match checksum(&udp, pseudo) {
        // RFC 768: zero means that there is no checksum.
        0 => 0xffff,
        sum => sum,
    };
    udp[6..8].copy_from_slice(&sum.to_be_bytes());
    packet(17, from.0, to.0, &udp)
}

/// The payload of a UDP datagram to `port`, if the packet is one.
pub fn datagram_payload(packet: &[u8], port: u16) -> Option<&[u8]> {
    let (_, udp) = parts(packet, 17)?;
    (udp.get(2..4)? == port.to_be_bytes()).then(|| udp.get(8..)).flatten()
}

/// An IPv4 packet without options.
fn packet(protocol: u8, from: Ipv4Addr, to: Ipv4Addr, payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::with_capacity(20 + payload.len());
    packet.extend([0x45, 0]);
    packet.extend(((20 + payload.len()) as u16).to_be_bytes());
    packet.extend([0, 0, 0, 0, 64, protocol, 0, 0]);
    packet.extend(from.octets());
    packet.extend(to.octets());
    let sum = checksum(&packet, 0);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet.extend_from_slice(payload);
    packet
}

fn parts(packet: &[u8], protocol: u8) -> Option<(&[u8; 20], &[u8])> {
    let header = packet.first_chunk::<20>()?;
    let length = usize::from(header[0] & 0x0f) * 4;
    (header[0] >> 4 == 4 && header[9] == protocol)
        .then(|| packet.get(length..))
        .flatten()
        .map(|rest| (header, rest))
}

fn sum(bytes: &[u8]) -> u32 {
    bytes
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)])))
        .sum()
}

/// RFC 1071, over `bytes` and what a pseudo-header adds.
fn checksum(bytes: &[u8], pseudo: u32) -> u16 {
    let mut total = sum(bytes) + pseudo;
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    !(total as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_have_right_checksums_and_are_read_back() {
        let (from, to) = (Ipv4Addr::new(10, 0, 0, 9), Ipv4Addr::new(10, 0, 0, 1));
        let echo = Echo { identifier: 7, sequence: 3 };
        let mut request = ping(from, to, echo, 13);
        assert_eq!((checksum(&request[..20], 0), checksum(&request[20..], 0)), (0, 0));
        assert_eq!(echo_reply(&request), None, "a request is no reply");
        request[20] = 0;
        assert_eq!(echo_reply(&request), Some((from, echo)));
        let data = datagram((from, 4000), (to, 7), b"octets");
        assert_eq!(datagram_payload(&data, 7), Some(&b"octets"[..]));
        assert_eq!(datagram_payload(&data, 8), None);
        assert_eq!(echo_reply(&data), None);
    }
}
