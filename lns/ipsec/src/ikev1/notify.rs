//! Notification and Delete payloads (RFC 2408 sections 3.14 and 3.15, RFC 2407 section 4.6.3, RFC 3706).

use tollgate_sansio::Reader;

use super::header::{Cookie, Cookies};
use super::payload::PayloadError;
use super::proposal::protocol;

const DOI_IPSEC: [u8; 4] = [0, 0, 0, 1];

/// Types of notification that are sent or understood here.
pub mod kind {
    /// The cookie is not known.
    pub const INVALID_COOKIE: u16 = 4;
    /// The payload or exchange cannot be used.
    pub const INVALID_EXCHANGE_TYPE: u16 = 7;
    /// The SPI is not known.
    pub const INVALID_SPI: u16 = 11;
    /// None of the proposals.
    pub const NO_PROPOSAL_CHOSEN: u16 = 14;
    /// The payloads cannot be read.
    pub const PAYLOAD_MALFORMED: u16 = 16;
    /// The identity is refused.
    pub const INVALID_ID_INFORMATION: u16 = 18;
    /// The certificate is refused.
    pub const INVALID_CERTIFICATE: u16 = 20;
    /// The hash is wrong.
    pub const INVALID_HASH_INFORMATION: u16 = 23;
    /// Authentication failed.
    pub const AUTHENTICATION_FAILED: u16 = 24;
    /// The signature is wrong.
    pub const INVALID_SIGNATURE: u16 = 25;
    /// The fourth message of quick mode (commit bit).
    pub const CONNECTED: u16 = 16384;
    /// The responder's lifetime.
    pub const RESPONDER_LIFETIME: u16 = 24576;
    /// The sender has no other associations with the receiver.
    pub const INITIAL_CONTACT: u16 = 24578;
    /// Is there anybody? (RFC 3706)
    pub const R_U_THERE: u16 = 36136;
    /// There is. (RFC 3706)
    pub const R_U_THERE_ACK: u16 = 36137;
}

/// A notification that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notification<'a> {
    /// [`kind`].
    pub kind: u16,
    /// [`protocol`].
    pub protocol: u8,
    /// What it is about.
    pub spi: &'a [u8],
    /// What it says besides.
    pub data: &'a [u8],
}

impl<'a> Notification<'a> {
    /// Reads the body of a payload.
    pub fn decode(body: &'a [u8]) -> Result<Self, PayloadError> {
        let mut reader = Reader::new(body);
        reader.u32()?;
        let protocol = reader.u8()?;
        let spi_length = usize::from(reader.u8()?);
        let kind = reader.u16()?;
        let spi = reader.take(spi_length)?;
        Ok(Self { kind, protocol, spi, data: reader.rest() })
    }

    /// The body of a payload.
    pub fn encode(&self) -> Vec<u8> {
        let mut body = DOI_IPSEC.to_vec();
        body.extend([self.protocol, self.spi.len() as u8]);
        body.extend(self.kind.to_be_bytes());
        body.extend_from_slice(self.spi);
        body.extend_from_slice(self.data);
        body
    }

    /// Its name, for logs.
    pub fn name(&self) -> &'static str {
        name(self.kind)
    }
}

/// The name of a type, for logs.
pub fn name(kind: u16) -> &'static str {
    match kind {
        kind::INVALID_COOKIE => "INVALID-COOKIE",
        kind::INVALID_EXCHANGE_TYPE => "INVALID-EXCHANGE-TYPE",
        kind::INVALID_SPI => "INVALID-SPI",
        kind::NO_PROPOSAL_CHOSEN => "NO-PROPOSAL-CHOSEN",
        kind::PAYLOAD_MALFORMED => "PAYLOAD-MALFORMED",
        kind::INVALID_ID_INFORMATION => "INVALID-ID-INFORMATION",
        kind::INVALID_CERTIFICATE => "INVALID-CERTIFICATE",
        kind::INVALID_HASH_INFORMATION => "INVALID-HASH-INFORMATION",
        kind::AUTHENTICATION_FAILED => "AUTHENTICATION-FAILED",
        kind::INVALID_SIGNATURE => "INVALID-SIGNATURE",
        kind::CONNECTED => "CONNECTED",
        kind::RESPONDER_LIFETIME => "RESPONDER-LIFETIME",
        kind::INITIAL_CONTACT => "INITIAL-CONTACT",
        kind::R_U_THERE => "R-U-THERE",
        kind::R_U_THERE_ACK => "R-U-THERE-ACK",
        _ => "another notification",
    }
}

/// Whether a type tells of an error (RFC 2408 section 3.14.1).
pub fn is_error(kind: u16) -> bool {
    kind < 16384
}

/// What a Delete payload takes away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delete {
    /// ISAKMP associations.
    Isakmp(Vec<Cookies>),
    /// ESP associations, by the SPI of the packets that its sender receives.
    Esp(Vec<u32>),
}

impl Delete {
    /// Reads the body of a payload; `None` for a protocol that is not served here.
    pub fn decode(body: &[u8]) -> Result<Option<Self>, PayloadError> {
        const MALFORMED: PayloadError = PayloadError::Malformed("delete");
        let mut reader = Reader::new(body);
        reader.u32()?;
        let protocol = reader.u8()?;
        let length = reader.u8()?;
        let count = usize::from(reader.u16()?);
        if reader.remaining() < count * usize::from(length) {
            return Err(MALFORMED);
        }
        match (protocol, length) {
            (protocol::ISAKMP, 16) => {
                let read = |_| {
                    let (initiator, responder) = (reader.array()?, reader.array()?);
                    Ok(Cookies { initiator: Cookie(initiator), responder: Cookie(responder) })
                };
                (0..count).map(read).collect::<Result<_, PayloadError>>().map(|all| Some(Self::Isakmp(all)))
            }
            (protocol::ESP, 4) => {
                let read = |_| Ok(reader.u32()?);
                (0..count).map(read).collect::<Result<_, PayloadError>>().map(|all| Some(Self::Esp(all)))
            }
            _ => Ok(None),
        }
    }

    /// The body of a payload.
    pub fn encode(&self) -> Vec<u8> {
        let mut body = DOI_IPSEC.to_vec();
        match self {
            Self::Isakmp(all) => {
                body.extend([protocol::ISAKMP, 16]);
                body.extend((all.len() as u16).to_be_bytes());
                all.iter().for_each(|cookies| body.extend(cookies.octets()));
            }
            Self::Esp(all) => {
                body.extend([protocol::ESP, 4]);
                body.extend((all.len() as u16).to_be_bytes());
                all.iter().for_each(|spi| body.extend(spi.to_be_bytes()));
            }
        }
        body
    }
}
