//! CHAP (RFC 1994) and, with other values in the same packets, MS-CHAP version 1 and 2.
//!
//! ```text
//! Challenge, Response: Value-Size (1), Value, Name
//! Success, Failure:    Message
//! ```
//!
//! An MS-CHAPv2 failure with `E=648` is answered by a Change-Password packet, where there is a new password.

mod authenticator;
mod supplicant;

pub(crate) use authenticator::Authenticator;
pub(crate) use supplicant::Supplicant;

use md5::{Digest, Md5};
use tollgate_sansio::Reader;
use zeroize::Zeroize;

use super::{AuthProtocol, Proof, mschap_v1, mschap_v2};

pub(crate) const CHALLENGE: u8 = 1;
pub(crate) const RESPONSE: u8 = 2;
pub(crate) const SUCCESS: u8 = 3;
pub(crate) const FAILURE: u8 = 4;
/// Of MS-CHAP version 2 (RFC 2759 7).
pub(crate) const CHANGE_PASSWORD: u8 = 7;

/// Which algorithm LCP agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flavour {
    Md5,
    MsV1,
    MsV2,
}

impl Flavour {
    pub(crate) fn of(method: AuthProtocol) -> Option<Self> {
        match method {
            AuthProtocol::ChapMd5 => Some(Self::Md5),
            AuthProtocol::MsChapV1 => Some(Self::MsV1),
            AuthProtocol::MsChapV2 => Some(Self::MsV2),
            AuthProtocol::Pap | AuthProtocol::Eap => None,
        }
    }

    /// Octets of a challenge. RFC 1994 leaves it open; 16 is what everybody takes.
    fn challenge_length(self) -> usize {
        match self {
            Self::Md5 | Self::MsV2 => 16,
            Self::MsV1 => 8,
        }
    }

    /// Reads the value of a Response to `challenge`; `None` if it has the wrong size.
    fn proof(self, identifier: u8, challenge: &[u8], value: &[u8]) -> Option<Proof> {
        match self {
            Self::Md5 => Some(Proof::Chap {
                identifier,
                challenge: challenge.to_vec(),
                response: value.try_into().ok()?,
            }),
            Self::MsV1 => mschap_v1::proof(identifier, challenge.try_into().ok()?, value),
            Self::MsV2 => mschap_v2::proof(identifier, challenge.try_into().ok()?, value),
        }
    }
}

/// The Response of RFC 1994 4.1: MD5 over identifier, secret and challenge.
pub(super) fn md5_response(identifier: u8, secret: &[u8], challenge: &[u8]) -> [u8; 16] {
    let mut hasher = Md5::new();
    hasher.update([identifier]);
    hasher.update(secret);
    hasher.update(challenge);
    let mut digest = hasher.finalize();
    let response = digest.into();
    digest.zeroize();
    response
}

/// Value and Name of a Challenge or Response.
pub(super) fn parse_value(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut reader = Reader::new(data);
    let size = usize::from(reader.u8().ok()?);
    let value = reader.take(size).ok()?;
    Some((value, reader.rest()))
}

/// The data of a Challenge or Response; at most 255 octets of the name go along.
pub(super) fn encode_value(value: &[u8], name: &[u8]) -> Vec<u8> {
    let name = name.get(..name.len().min(255)).unwrap_or_default();
    let mut data = Vec::with_capacity(1 + value.len() + name.len());
    data.push(u8::try_from(value.len()).unwrap_or(u8::MAX));
    data.extend_from_slice(value);
    data.extend_from_slice(name);
    data
}

#[cfg(test)]
mod tests;
