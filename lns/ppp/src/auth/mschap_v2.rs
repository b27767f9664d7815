//! MS-CHAP version 2 (RFC 2759): the value field of its Response and the client's check of the server's Success.
//!
//! ```text
//! Peer-Challenge (16)  reserved, zero (8)  NT-Response (24)  Flags, zero (1)
//! ```

use tollgate_mschap::{
    Direction, KeyStrength, generate_nt_response, master_key, nt_password_hash, strip_domain,
    verify_authenticator_response,
};
use tollgate_sansio::Reader;

use super::Proof;
use super::mschap_v1::RESPONSE_LENGTH;
use crate::MppeStartKeys;

/// Reads the value of a Response.
pub(super) fn proof(identifier: u8, authenticator_challenge: [u8; 16], value: &[u8]) -> Option<Proof> {
    let mut reader = Reader::new(value);
    let peer_challenge = reader.array().ok()?;
    let _reserved = reader.array::<8>().ok()?;
    let nt_response = reader.array().ok()?;
    let flags = reader.u8().ok()?;
    reader.is_empty().then_some(Proof::MsChapV2 {
        identifier,
        authenticator_challenge,
        peer_challenge,
        nt_response,
        flags,
    })
}

/// What a client has to remember of its Response to check the Success that follows.
pub(super) struct Exchange {
    authenticator_challenge: [u8; 16],
    peer_challenge: [u8; 16],
    nt_response: [u8; 24],
}

impl Exchange {
    pub(super) fn new(
        user: &[u8],
        password: &[u8],
        authenticator_challenge: [u8; 16],
        peer_challenge: [u8; 16],
    ) -> Self {
        let nt_response = generate_nt_response(
            &authenticator_challenge,
            &peer_challenge,
            strip_domain(user),
            &nt_password_hash(password),
        );
        Self { authenticator_challenge, peer_challenge, nt_response }
    }

    /// The value of the Response.
    pub(super) fn value(&self) -> Vec<u8> {
        let mut value = Vec::with_capacity(RESPONSE_LENGTH);
        value.extend_from_slice(&self.peer_challenge);
        value.extend_from_slice(&[0; 8]);
        value.extend_from_slice(&self.nt_response);
        value.push(0);
        value
    }

    /// The keys for MPPE of the end whose packets go in the direction `sends` (RFC 3079 3.3).
    pub(super) fn start_keys(&self, password: &[u8], sends: Direction) -> MppeStartKeys {
        let receives = match sends {
            Direction::ClientToServer => Direction::ServerToClient,
            Direction::ServerToClient => Direction::ClientToServer,
        };
        let master = master_key(&nt_password_hash(password), &self.nt_response);
        let key = |direction| {
            let key = master.start_key(direction, KeyStrength::Bits128);
            key.as_bytes().first_chunk().copied().unwrap_or_default()
        };
        MppeStartKeys::Asymmetric { send: key(sends), receive: key(receives) }
    }

    /// True if the text of a Success proves that the server knows the password.
    pub(super) fn is_proven_by(&self, user: &[u8], password: &[u8], text: &[u8]) -> bool {
        verify_authenticator_response(
            &nt_password_hash(password),
            &self.nt_response,
            &self.peer_challenge,
            &self.authenticator_challenge,
            strip_domain(user),
            text,
        )
    }
}

/// The text for the user after `M=` in a Success.
pub(super) fn message_of(text: &[u8]) -> Vec<u8> {
    let after_proof = text.get(42..).unwrap_or_default();
    let after_proof = after_proof.trim_ascii_start();
    after_proof.strip_prefix(b"M=").unwrap_or(after_proof).to_vec()
}

#[cfg(test)]
mod tests;
