//! EAP (RFC 3748): the server passes it through to whoever decides (section 7), the client answers by methods.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +---------------+---------------+-------------------------------+
//! | Code          | Identifier    | Length                        |
//! +---------------+---------------+-------------------------------+
//! | Type          | Type-Data ...      (Requests and Responses only)
//! ```

mod authenticator;
mod md5;
mod method;
mod mschap_v2;
mod supplicant;

pub(crate) use authenticator::Authenticator;
pub use method::{EapMethod, EapMethods, EapRefusal, EapReply};
pub(crate) use supplicant::Supplicant;

use tollgate_sansio::Entropy;
use zeroize::Zeroizing;

use crate::frame::Packet;

pub(crate) const REQUEST: u8 = 1;
pub(crate) const RESPONSE: u8 = 2;
pub(crate) const SUCCESS: u8 = 3;
pub(crate) const FAILURE: u8 = 4;

/// The types of EAP that are known by name here (RFC 3748 5, and the registry that it began).
pub mod eap_type {
    /// Who the peer is.
    pub const IDENTITY: u8 = 1;
    /// A text for the user.
    pub const NOTIFICATION: u8 = 2;
    /// Another method, please.
    pub const NAK: u8 = 3;
    /// The hash of CHAP (RFC 3748 5.4).
    pub const MD5_CHALLENGE: u8 = 4;
    /// EAP-TLS (RFC 5216).
    pub const TLS: u8 = 13;
    /// Protected EAP.
    pub const PEAP: u8 = 25;
    /// EAP-MSCHAPv2 (draft-kamath-pppext-eap-mschapv2).
    pub const MSCHAP_V2: u8 = 26;
    /// Types of vendors (RFC 3748 5.7).
    pub const EXPANDED: u8 = 254;
}

/// A method of this crate, for the inside of one that protects it: MD5-Challenge or EAP-MSCHAPv2.
pub fn eap_method(
    kind: u8,
    user: &[u8],
    password: &Zeroizing<Vec<u8>>,
    entropy: Entropy,
) -> Option<Box<dyn EapMethod>> {
    match kind {
        eap_type::MD5_CHALLENGE => Some(Box::new(md5::Md5Challenge::new(password.clone()))),
        eap_type::MSCHAP_V2 => {
            Some(Box::new(mschap_v2::MsChapV2::new(user.to_vec(), password.clone(), entropy)))
        }
        _ => None,
    }
}

/// The whole of a packet, header included.
fn whole(packet: Packet<'_>) -> Vec<u8> {
    let mut octets = Vec::with_capacity(4 + packet.data.len());
    octets.extend_from_slice(&[packet.code, packet.identifier]);
    octets.extend_from_slice(&u16::try_from(4 + packet.data.len()).unwrap_or(u16::MAX).to_be_bytes());
    octets.extend_from_slice(packet.data);
    octets
}

/// Type and Type-Data of a Request or Response.
fn typed(data: &[u8]) -> Option<(u8, &[u8])> {
    data.split_first().map(|(kind, data)| (*kind, data))
}

#[cfg(test)]
mod tests;
