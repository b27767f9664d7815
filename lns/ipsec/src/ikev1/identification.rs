//! The Identification payload (RFC 2407 section 4.6.2): who speaks in phase 1, and for which traffic in phase 2. The
//! NAT-OA payload (RFC 3947 section 5.2) has the same form.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tollgate_sansio::Reader;

use super::payload::PayloadError;

/// Types of identification.
pub mod kind {
    /// An IPv4 address.
    pub const IPV4_ADDR: u8 = 1;
    /// A fully qualified domain name.
    pub const FQDN: u8 = 2;
    /// A user at a domain.
    pub const USER_FQDN: u8 = 3;
    /// An IPv4 network.
    pub const IPV4_SUBNET: u8 = 4;
    /// An IPv6 address.
    pub const IPV6_ADDR: u8 = 5;
    /// An X.500 distinguished name.
    pub const DER_ASN1_DN: u8 = 9;
    /// Octets without a meaning to others: a group's name.
    pub const KEY_ID: u8 = 11;
}

/// Who or what; RFC 2407 section 4.6.2.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Identification {
    /// [`kind`].
    pub kind: u8,
    /// IP protocol; 0 for any.
    pub protocol: u8,
    /// Port; 0 for any.
    pub port: u16,
    /// The identity itself.
    pub data: Vec<u8>,
}

impl Identification {
    /// An address with protocol and port.
    pub fn address(address: IpAddr, protocol: u8, port: u16) -> Self {
        let (kind, data) = match address {
            IpAddr::V4(address) => (kind::IPV4_ADDR, address.octets().to_vec()),
            IpAddr::V6(address) => (kind::IPV6_ADDR, address.octets().to_vec()),
        };
        Self { kind, protocol, port, data }
    }

    /// A group's name (ID_KEY_ID).
    pub fn key_id(name: &[u8]) -> Self {
        Self { kind: kind::KEY_ID, protocol: 0, port: 0, data: name.to_vec() }
    }

    /// Reads the body of a payload.
    pub fn decode(body: &[u8]) -> Result<Self, PayloadError> {
        let mut reader = Reader::new(body);
        let identification = Self {
            kind: reader.u8()?,
            protocol: reader.u8()?,
            port: reader.u16()?,
            data: reader.rest().to_vec(),
        };
        let expected = match identification.kind {
            kind::IPV4_ADDR => Some(4),
            kind::IPV6_ADDR => Some(16),
            kind::IPV4_SUBNET => Some(8),
            _ => None,
        };
        if expected.is_some_and(|expected| expected != identification.data.len()) {
            return Err(PayloadError::Malformed("identification"));
        }
        Ok(identification)
    }

    /// The body of a payload.
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(4 + self.data.len());
        body.extend([self.kind, self.protocol]);
        body.extend(self.port.to_be_bytes());
        body.extend_from_slice(&self.data);
        body
    }

    /// The address, where it is one.
    pub fn ip(&self) -> Option<IpAddr> {
        match self.kind {
            kind::IPV4_ADDR => self.data.first_chunk::<4>().map(|octets| Ipv4Addr::from(*octets).into()),
            kind::IPV6_ADDR => self.data.first_chunk::<16>().map(|octets| Ipv6Addr::from(*octets).into()),
            _ => None,
        }
    }
}

impl fmt::Display for Identification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.ip(), self.kind) {
            (Some(ip), _) => write!(f, "{ip}"),
            (None, kind::FQDN | kind::USER_FQDN | kind::KEY_ID) => {
                // What a stranger sent goes into logs: nothing but what can be read.
                let text = String::from_utf8_lossy(&self.data);
                text.chars().take(128).try_for_each(|c| match c.is_control() {
                    true => write!(f, "{}", c.escape_default()),
                    false => write!(f, "{c}"),
                })
            }
            (None, kind::DER_ASN1_DN) => f.write_str("a distinguished name"),
            (None, kind) => write!(f, "identity of type {kind}"),
        }
    }
}

impl fmt::Debug for Identification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}:{}/{}", self.protocol, self.port)
    }
}
