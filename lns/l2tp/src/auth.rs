//! Tunnel authentication, RFC 2661 section 5.1.1: the response to a challenge is CHAP's digest (RFC 1994), with the
//! number of the message that carries it in the place of the identifier.

use md5::{Digest, Md5};
use subtle::ConstantTimeEq;

use crate::codes::MessageType;

/// The Challenge Response AVP's value in a message of type `carrier`.
pub fn challenge_response(carrier: MessageType, secret: &[u8], challenge: &[u8]) -> [u8; 16] {
    // Message types are below 256; the identifier is one octet.
    let [_, identifier] = carrier.number().to_be_bytes();
    Md5::new().chain_update([identifier]).chain_update(secret).chain_update(challenge).finalize().into()
}

/// Whether `response` is right, found in a time that does not depend on where it is wrong.
pub fn verify(carrier: MessageType, secret: &[u8], challenge: &[u8], response: &[u8; 16]) -> bool {
    challenge_response(carrier, secret, challenge).ct_eq(response).into()
}

#[cfg(test)]
mod tests;
