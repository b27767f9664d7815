//! MS-CHAP version 1 (RFC 2433): the value field of its Response.
//!
//! ```text
//! LAN Manager response (24)  NT response (24)  1 if the NT response is to be used (1)
//! ```

use tollgate_mschap::{challenge_response, nt_password_hash};
use tollgate_sansio::Reader;

use super::Proof;

/// Octets of a Response's value, in either version of MS-CHAP.
pub(super) const RESPONSE_LENGTH: usize = 49;

/// Reads the value of a Response.
pub(super) fn proof(identifier: u8, challenge: [u8; 8], value: &[u8]) -> Option<Proof> {
    let mut reader = Reader::new(value);
    let lm_response = reader.array().ok()?;
    let nt_response = reader.array().ok()?;
    let use_nt = reader.u8().ok()? != 0;
    reader.is_empty().then_some(Proof::MsChapV1 { identifier, challenge, lm_response, nt_response, use_nt })
}

/// The value of a client's Response. The LAN Manager part stays zero: it would give the password away.
pub(super) fn respond(password: &[u8], challenge: &[u8; 8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(RESPONSE_LENGTH);
    value.extend_from_slice(&[0; 24]);
    value.extend_from_slice(&challenge_response(challenge, &nt_password_hash(password)));
    value.push(1);
    value
}

#[cfg(test)]
mod tests;
