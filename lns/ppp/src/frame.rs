//! Frames: address and control field, protocol field, and the packet shape that LCP, IPCP, PAP and CHAP share
//! (RFC 1661 2 and 5).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-------------------------------+-------------------------------+
//! | Address 0xFF, Control 0x03    | Protocol                      |
//! +---------------+---------------+-------------------------------+
//! | Code          | Identifier    | Length                        |
//! +---------------+---------------+-------------------------------+
//! | Data ...
//! ```

use tollgate_sansio::Reader;

/// A PPP protocol number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Protocol(pub(crate) u16);

impl Protocol {
    pub(crate) const IPV4: Self = Self(0x0021);
    pub(crate) const COMPRESSED: Self = Self(0x00FD);
    pub(crate) const IPCP: Self = Self(0x8021);
    pub(crate) const CCP: Self = Self(0x80FD);
    pub(crate) const LCP: Self = Self(0xC021);
    pub(crate) const PAP: Self = Self(0xC023);
    pub(crate) const CHAP: Self = Self(0xC223);
    pub(crate) const EAP: Self = Self(0xC227);

    /// A Network Control Protocol (RFC 1661 2: 0x8000 to 0xBFFF). All of them share the LCP packet shape.
    pub(crate) fn is_network_control(self) -> bool {
        (0x8000..0xC000).contains(&self.0)
    }
}

impl std::fmt::Display for Protocol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self.0 {
            0x0021 => "IPv4",
            0x002D | 0x002F => "Van Jacobson compression",
            0x0057 => "IPv6",
            0x00FD => "compressed datagram",
            0x8021 => "IPCP",
            0x8057 => "IPV6CP",
            0x80FD => "CCP",
            0x8235 => "ACSCP",
            0x8281 => "MPLSCP",
            0xC021 => "LCP",
            0xC023 => "PAP",
            0xC025 => "LQR",
            0xC027 => "SPAP",
            0xC223 => "CHAP",
            0xC227 => "EAP",
            other => return write!(f, "protocol 0x{other:04X}"),
        };
        f.write_str(name)
    }
}

/// The header forms that were agreed on for what we send (RFC 1661 6.5 and 6.6).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Framing {
    /// Address and control fields may be left out.
    pub(crate) acfc: bool,
    /// Protocol numbers below 256 may take one octet.
    pub(crate) pfc: bool,
}

impl Framing {
    pub(crate) fn ipv4_header(self) -> &'static [u8] {
        match (self.acfc, self.pfc) {
            (false, false) => &[0xFF, 0x03, 0x00, 0x21],
            (false, true) => &[0xFF, 0x03, 0x21],
            (true, false) => &[0x00, 0x21],
            (true, true) => &[0x21],
        }
    }

    /// What stands before an IPv4 packet that is to be encrypted (RFC 3078 3): the protocol of compressed datagrams, two
    /// octets for bits and count, and the hidden protocol, which is never compressed.
    pub(crate) fn sealed_ipv4_header(self) -> &'static [u8] {
        match (self.acfc, self.pfc) {
            (false, false) => &[0xFF, 0x03, 0x00, 0xFD, 0, 0, 0x00, 0x21],
            (false, true) => &[0xFF, 0x03, 0xFD, 0, 0, 0x00, 0x21],
            (true, false) => &[0x00, 0xFD, 0, 0, 0x00, 0x21],
            (true, true) => &[0xFD, 0, 0, 0x00, 0x21],
        }
    }

    /// The octets before the two of bits and count.
    pub(crate) fn compressed_header_length(self) -> usize {
        self.sealed_ipv4_header().len() - 4
    }
}

/// Splits a frame into protocol number and information field. `None` if it is too short or the protocol field is
/// malformed: the lowest bit of its last octet must be 1 and that of a first octet of two must be 0.
pub(crate) fn split(frame: &[u8]) -> Option<(Protocol, &[u8])> {
    let frame = frame.strip_prefix(&[0xFF, 0x03]).unwrap_or(frame);
    match frame {
        [low, rest @ ..] if low & 1 == 1 => Some((Protocol(u16::from(*low)), rest)),
        [high, low, rest @ ..] if low & 1 == 1 => Some((Protocol(u16::from_be_bytes([*high, *low])), rest)),
        _ => None,
    }
}

/// Whether a frame can be read: its protocol field and, where a protocol of ours follows, the Length of its packet. A
/// link discards what cannot be read without a word, as RFC 1661 wants; this is for those who count.
pub fn is_well_formed(frame: &[u8]) -> bool {
    match split(frame) {
        Some((
            Protocol::LCP | Protocol::IPCP | Protocol::PAP | Protocol::CHAP | Protocol::EAP,
            information,
        )) => Packet::parse(information).is_some(),
        Some(_) => true,
        None => false,
    }
}

/// The IPv4 packet inside a frame, with or without address, control and the first protocol octet.
pub fn ipv4_payload(frame: &[u8]) -> Option<&[u8]> {
    match frame {
        [0xFF, 0x03, 0x00, 0x21, packet @ ..]
        | [0xFF, 0x03, 0x21, packet @ ..]
        | [0x00, 0x21, packet @ ..]
        | [0x21, packet @ ..] => Some(packet),
        _ => None,
    }
}

/// The common packet of the control protocols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packet<'a> {
    pub(crate) code: u8,
    pub(crate) identifier: u8,
    pub(crate) data: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads a packet. What follows the octets that Length counts is padding (RFC 1661 5); a Length that is too
    /// small or too large makes the packet one to discard silently.
    pub(crate) fn parse(information: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(information);
        let code = reader.u8().ok()?;
        let identifier = reader.u8().ok()?;
        let length = usize::from(reader.u16().ok()?);
        let data = reader.take(length.checked_sub(4)?).ok()?;
        Some(Self { code, identifier, data })
    }
}

/// Builds a frame around one packet. `data` is cut so that the packet's Length stays within 16 bits.
pub(crate) fn encode(framing: Framing, protocol: Protocol, code: u8, identifier: u8, data: &[u8]) -> Vec<u8> {
    let data = data.get(..data.len().min(0xFFFF - 4)).unwrap_or_default();
    let mut frame = Vec::with_capacity(8 + data.len());
    if !framing.acfc {
        frame.extend_from_slice(&[0xFF, 0x03]);
    }
    // Control protocols are all above 0xFF, so that protocol field compression never applies to them.
    frame.extend_from_slice(&protocol.0.to_be_bytes());
    frame.push(code);
    frame.push(identifier);
    let length = u16::try_from(data.len() + 4).unwrap_or(u16::MAX);
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(data);
    frame
}

#[cfg(test)]
mod tests;
