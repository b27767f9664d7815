//! MS-CHAP version 1 (RFC 2433): the NT response, three DES encryptions of the challenge under pieces of the hash.

use des::Des;
use des::cipher::{BlockCipherEncrypt, KeyInit};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::NtHash;

/// The response to an 8-octet challenge (RFC 2433 A.5, also step 3 of RFC 2759 8.1): the hash, padded with zeros to
/// 21 octets, gives three DES keys; the response is the challenge encrypted under each of them in turn.
pub fn challenge_response(challenge: &[u8; 8], hash: &NtHash) -> [u8; 24] {
    let mut padded = Zeroizing::new([0u8; 21]);
    for (to, from) in padded.iter_mut().zip(hash.as_bytes()) {
        *to = *from;
    }
    let mut response = [0u8; 24];
    let (keys, _) = padded.as_chunks::<7>();
    let (blocks, _) = response.as_chunks_mut::<8>();
    for (key, block) in keys.iter().zip(blocks) {
        *block = des_encrypt(challenge, key);
    }
    response
}

/// True when `response` is the one that a peer with this password would give. Takes the same time for any response.
pub fn verify_nt_response_v1(challenge: &[u8; 8], hash: &NtHash, response: &[u8; 24]) -> bool {
    challenge_response(challenge, hash).ct_eq(response).into()
}

/// RFC 2433 A.6: a 7-octet key becomes the eight octets of DES by leaving room for a parity bit after each 7 bits.
/// DES ignores the parity, so it stays zero.
pub(crate) fn des_key(key: &[u8; 7]) -> Zeroizing<[u8; 8]> {
    let [a, b, c, d, e, f, g] = key.map(u64::from);
    let bits = Zeroizing::new(a << 48 | b << 40 | c << 32 | d << 24 | e << 16 | f << 8 | g);
    let mut expanded = Zeroizing::new([0u8; 8]);
    for (octet, shift) in expanded.iter_mut().zip((0..8u32).rev().map(|index| index * 7)) {
        *octet = (((*bits >> shift) & 0x7F) as u8) << 1;
    }
    expanded
}

pub(crate) fn des_encrypt(clear: &[u8; 8], key: &[u8; 7]) -> [u8; 8] {
    let mut block = (*clear).into();
    Des::new(&(*des_key(key)).into()).encrypt_block(&mut block);
    block.into()
}

#[cfg(test)]
mod tests;
