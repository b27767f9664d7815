//! Hidden AVPs, RFC 2661 section 4.3: the value and its true length, padded, under a chain of MD5 digests that starts
//! from the attribute type, the shared secret and the last Random Vector.

use md5::{Digest, Md5};
use tollgate_sansio::{Entropy, Reader};
use zeroize::Zeroizing;

const BLOCK: usize = 16;

/// What hides AVPs of one message: the tunnel's secret, and where vector and padding come from.
pub struct Hiding<'a> {
    /// The shared secret of the tunnel.
    pub secret: &'a [u8],
    /// Source of the Random Vector and of the padding.
    pub entropy: &'a mut Entropy,
}

/// Hides `value`. The hidden form is padded to a whole number of blocks, so that its length tells little.
pub(crate) fn hide(
    attribute: u16,
    secret: &[u8],
    vector: &[u8],
    value: &[u8],
    entropy: &mut Entropy,
) -> Vec<u8> {
    let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
    let mut text = Vec::with_capacity(value.len() + 2 + BLOCK);
    text.extend_from_slice(&length.to_be_bytes());
    text.extend_from_slice(value);
    let padding: [u8; BLOCK] = entropy.array();
    let missing = text.len().next_multiple_of(BLOCK) - text.len();
    text.extend(padding.iter().take(missing));
    hide_exactly(attribute, secret, vector, &mut text);
    text
}

/// Hides a subformat that already has its length and padding.
fn hide_exactly(attribute: u16, secret: &[u8], vector: &[u8], text: &mut [u8]) {
    let mut key = first_key(attribute, secret, vector);
    for block in text.chunks_mut(BLOCK) {
        apply(block, &key);
        key = next_key(secret, block);
    }
}

/// Reveals a hidden value; `None` when the length inside does not fit, which is what a wrong secret looks like.
pub(crate) fn reveal(
    attribute: u16,
    secret: &[u8],
    vector: &[u8],
    hidden: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let mut text = Zeroizing::new(hidden.to_vec());
    let mut key = first_key(attribute, secret, vector);
    for (block, cipher) in text.chunks_mut(BLOCK).zip(hidden.chunks(BLOCK)) {
        apply(block, &key);
        key = next_key(secret, cipher);
    }
    let mut reader = Reader::new(&text);
    let length = reader.u16().ok()?;
    let value = reader.take(usize::from(length)).ok()?;
    Some(Zeroizing::new(value.to_vec()))
}

fn first_key(attribute: u16, secret: &[u8], vector: &[u8]) -> [u8; BLOCK] {
    Md5::new()
        .chain_update(attribute.to_be_bytes())
        .chain_update(secret)
        .chain_update(vector)
        .finalize()
        .into()
}

fn next_key(secret: &[u8], cipher: &[u8]) -> [u8; BLOCK] {
    Md5::new().chain_update(secret).chain_update(cipher).finalize().into()
}

fn apply(block: &mut [u8], key: &[u8; BLOCK]) {
    for (octet, mask) in block.iter_mut().zip(key) {
        *octet ^= mask;
    }
}

#[cfg(test)]
mod tests;
