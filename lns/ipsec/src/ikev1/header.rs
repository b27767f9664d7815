//! The ISAKMP header (RFC 2408 section 3.1).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                     initiator cookie (8)                      |
//! |                     responder cookie (8)                      |
//! | next payload  | MjVer | MnVer | exchange type |     flags     |
//! |                          message id                           |
//! |                            length                             |
//! ```

use std::fmt;

use tollgate_sansio::{Reader, Truncated};

/// Length of the header in octets.
pub const HEADER: usize = 28;

/// Flag: the payloads are encrypted.
pub const ENCRYPTED: u8 = 0x01;
/// Flag: the commit bit.
pub const COMMIT: u8 = 0x02;

/// A cookie; eight octets that its owner chose.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Cookie(pub [u8; 8]);

impl Cookie {
    /// The responder's cookie in the first message.
    pub const ZERO: Self = Self([0; 8]);
}

impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

/// Both cookies: the name of an ISAKMP association.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Cookies {
    /// The initiator's.
    pub initiator: Cookie,
    /// The responder's; zero in the first message.
    pub responder: Cookie,
}

impl Cookies {
    /// One after the other, as hashes and Delete payloads want them.
    pub fn octets(&self) -> [u8; 16] {
        let mut out = [0; 16];
        let (initiator, responder) = out.split_at_mut(8);
        initiator.copy_from_slice(&self.initiator.0);
        responder.copy_from_slice(&self.responder.0);
        out
    }
}

/// Exchange types (RFC 2408 section 3.1, RFC 2409 appendix A).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExchangeType {
    /// Identity protection: main mode.
    Main,
    /// Aggressive mode.
    Aggressive,
    /// Informational.
    Informational,
    /// Quick mode.
    Quick,
    /// Anything else.
    Other(u8),
}

impl ExchangeType {
    /// Its number.
    pub fn number(self) -> u8 {
        match self {
            Self::Main => 2,
            Self::Aggressive => 4,
            Self::Informational => 5,
            Self::Quick => 32,
            Self::Other(number) => number,
        }
    }
}

impl From<u8> for ExchangeType {
    fn from(number: u8) -> Self {
        match number {
            2 => Self::Main,
            4 => Self::Aggressive,
            5 => Self::Informational,
            32 => Self::Quick,
            number => Self::Other(number),
        }
    }
}

/// A header that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Whose message it is.
    pub cookies: Cookies,
    /// Type of the first payload.
    pub next_payload: u8,
    /// The exchange.
    pub exchange: ExchangeType,
    /// The flags as received.
    pub flags: u8,
    /// Zero in phase 1.
    pub message_id: u32,
}

/// Why a datagram is no ISAKMP message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Shorter than it says, or than a header.
    #[error("truncated")]
    Truncated,
    /// Not major version 1; IKEv2 comes as version 2.
    #[error("version {0} is not IKEv1")]
    Version(u8),
    /// The initiator's cookie is zero.
    #[error("no initiator cookie")]
    NoCookie,
    /// The length field does not cover the header or exceeds the datagram.
    #[error("the length field is wrong")]
    Length,
}

impl From<Truncated> for HeaderError {
    fn from(_: Truncated) -> Self {
        Self::Truncated
    }
}

impl Header {
    /// Reads the header; gives what follows it as far as the length field says. Octets after that are ignored.
    pub fn decode(message: &[u8]) -> Result<(Self, &[u8]), HeaderError> {
        let mut reader = Reader::new(message);
        let cookies = Cookies { initiator: Cookie(reader.array()?), responder: Cookie(reader.array()?) };
        let next_payload = reader.u8()?;
        let version = reader.u8()?;
        let exchange = reader.u8()?.into();
        let flags = reader.u8()?;
        let message_id = reader.u32()?;
        let length = reader.u32()? as usize;
        if version >> 4 != 1 {
            return Err(HeaderError::Version(version >> 4));
        }
        if cookies.initiator == Cookie::ZERO {
            return Err(HeaderError::NoCookie);
        }
        let body = length.checked_sub(HEADER).and_then(|length| reader.take(length).ok());
        let body = body.ok_or(HeaderError::Length)?;
        Ok((Self { cookies, next_payload, exchange, flags, message_id }, body))
    }

    /// Whether the payloads are encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.flags & ENCRYPTED != 0
    }

    /// Writes the header with the length of a whole message.
    pub fn encode(&self, length: usize) -> [u8; HEADER] {
        let mut out = [0; HEADER];
        let fields: [&[u8]; 6] = [
            &self.cookies.initiator.0,
            &self.cookies.responder.0,
            &[self.next_payload, 0x10, self.exchange.number(), self.flags],
            &self.message_id.to_be_bytes(),
            &(length as u32).to_be_bytes(),
            &[],
        ];
        for (to, from) in out.iter_mut().zip(fields.into_iter().flatten()) {
            *to = *from;
        }
        out
    }
}
