//! The data of a Change-Password packet of MS-CHAP version 2 (RFC 2759 7).
//!
//! ```text
//! Encrypted-Password (516)  Encrypted-Hash (16)
//! Peer-Challenge (16)  reserved, zero (8)  NT-Response (24)  Flags, zero (2)
//! ```

use tollgate_mschap::{PASSWORD_BLOCK, encrypt_new_password, encrypt_old_hash, nt_password_hash};
use tollgate_sansio::{Entropy, Reader};
use zeroize::Zeroizing;

use super::Proof;
use super::mschap_v2::Exchange;

/// Reads a packet that answers a failure with this challenge.
pub(super) fn proof(identifier: u8, authenticator_challenge: [u8; 16], data: &[u8]) -> Option<Proof> {
    let mut reader = Reader::new(data);
    let encrypted_password = Box::new(Zeroizing::new(reader.array::<PASSWORD_BLOCK>().ok()?));
    let encrypted_hash = reader.array().ok()?;
    let peer_challenge = reader.array().ok()?;
    let _reserved = reader.array::<8>().ok()?;
    let nt_response = reader.array().ok()?;
    let flags = reader.array().ok()?;
    reader.is_empty().then_some(Proof::PasswordChange {
        identifier,
        authenticator_challenge,
        encrypted_password,
        encrypted_hash,
        peer_challenge,
        nt_response,
        flags,
    })
}

/// What a client sends to change its password from `old` to `new`; `exchange` was made with the new one. `None` where
/// the new password is too long.
pub(super) fn data(exchange: &Exchange, old: &[u8], new: &[u8], entropy: &mut Entropy) -> Option<Vec<u8>> {
    let (old, new_hash) = (nt_password_hash(old), nt_password_hash(new));
    let block = encrypt_new_password(new, &old, &entropy.array())?;
    let hash = encrypt_old_hash(&old, &new_hash);
    // The Response ends with one octet of flags, this packet with two.
    Some([block.as_slice(), &hash, &exchange.value(), &[0]].concat())
}

#[cfg(test)]
mod tests;
