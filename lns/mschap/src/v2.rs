//! MS-CHAP version 2 (RFC 2759): the peer proves the password against both sides' challenges, then the server
//! proves that it knows the password too.

use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;

use crate::{NtHash, challenge_response};

/// The part of a user name after the last backslash: Windows sends `DOMAIN\user` and hashes `user` alone
/// (RFC 2759 4). A name without a backslash is returned whole.
pub fn strip_domain(name: &[u8]) -> &[u8] {
    name.rsplit(|&octet| octet == b'\\').next().unwrap_or(name)
}

/// The 8-octet challenge that both sides really encrypt (RFC 2759 8.2). `user_name` is hashed as given: take the
/// domain off first with [`strip_domain`].
pub fn challenge_hash(
    peer_challenge: &[u8; 16],
    authenticator_challenge: &[u8; 16],
    user_name: &[u8],
) -> [u8; 8] {
    let digest: [u8; 20] = Sha1::new()
        .chain_update(peer_challenge)
        .chain_update(authenticator_challenge)
        .chain_update(user_name)
        .finalize()
        .into();
    let [a, b, c, d, e, f, g, h, ..] = digest;
    [a, b, c, d, e, f, g, h]
}

/// What a peer with this password answers (RFC 2759 8.1). `user_name` without its domain.
pub fn generate_nt_response(
    authenticator_challenge: &[u8; 16],
    peer_challenge: &[u8; 16],
    user_name: &[u8],
    hash: &NtHash,
) -> [u8; 24] {
    challenge_response(&challenge_hash(peer_challenge, authenticator_challenge, user_name), hash)
}

/// True when `response` is the one that a peer with this password would give (RFC 2759 8.1), in constant time.
pub fn verify_nt_response_v2(
    authenticator_challenge: &[u8; 16],
    peer_challenge: &[u8; 16],
    user_name: &[u8],
    hash: &NtHash,
    response: &[u8; 24],
) -> bool {
    generate_nt_response(authenticator_challenge, peer_challenge, user_name, hash).ct_eq(response).into()
}

/// The server's proof for the Success packet (RFC 2759 8.7): `S=` and 40 upper-case hexadecimal digits, 42
/// characters in all. A message follows it on the wire as ` M=text`, the blank included.
pub fn generate_authenticator_response(
    hash: &NtHash,
    nt_response: &[u8; 24],
    peer_challenge: &[u8; 16],
    authenticator_challenge: &[u8; 16],
    user_name: &[u8],
) -> String {
    use std::fmt::Write;
    let proof = authenticator_proof(hash, nt_response, peer_challenge, authenticator_challenge, user_name);
    let mut text = String::with_capacity(42);
    text.push_str("S=");
    for octet in proof {
        // Writing to a String cannot fail.
        let _ = write!(text, "{octet:02X}");
    }
    text
}

/// The peer's check of the server (RFC 2759 8.8): `received` is the Success message from its first octet. What
/// follows the 42 characters (` M=...`) is not looked at; lower-case digits are taken too. Constant time once the
/// form is right.
pub fn verify_authenticator_response(
    hash: &NtHash,
    nt_response: &[u8; 24],
    peer_challenge: &[u8; 16],
    authenticator_challenge: &[u8; 16],
    user_name: &[u8],
    received: &[u8],
) -> bool {
    let Some(Some((digits, _))) = received.strip_prefix(b"S=").map(|rest| rest.split_first_chunk::<40>())
    else {
        return false;
    };
    let expected = generate_authenticator_response(
        hash,
        nt_response,
        peer_challenge,
        authenticator_challenge,
        user_name,
    );
    expected.as_bytes().strip_prefix(b"S=").is_some_and(|hex| hex.ct_eq(&digits.to_ascii_uppercase()).into())
}

fn authenticator_proof(
    hash: &NtHash,
    nt_response: &[u8; 24],
    peer_challenge: &[u8; 16],
    authenticator_challenge: &[u8; 16],
    user_name: &[u8],
) -> [u8; 20] {
    let signed = Sha1::new()
        .chain_update(hash.hash_again().as_bytes())
        .chain_update(nt_response)
        .chain_update(b"Magic server to client signing constant")
        .finalize();
    Sha1::new()
        .chain_update(signed)
        .chain_update(challenge_hash(peer_challenge, authenticator_challenge, user_name))
        .chain_update(b"Pad to make it do more than one iteration")
        .finalize()
        .into()
}

#[cfg(test)]
mod tests;
