//! Hashes, keyed hashes and block ciphers as IKEv1 uses them (RFC 2409 sections 3.2 and 4, appendix B). ESP takes the
//! halves of the cipher and the keyed hash that `cbc` and `mac` hold.

use std::fmt;
use std::ops::Deref;

use ring::digest;
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use crate::algorithm::Hash;

mod cbc;
mod mac;

pub use cbc::{CbcKey, LengthError};
pub(crate) use cbc::{Decryptor, Encryptor};
pub(crate) use mac::MacKey;

/// The longest output of a hash.
const MAX_LENGTH: usize = 64;

/// What a hash or keyed hash gives. It may be a key, so it is wiped, does not print and compares in constant time.
#[derive(Clone)]
pub struct Digest {
    octets: [u8; MAX_LENGTH],
    length: usize,
}

impl Digest {
    /// Takes the output of a hash; what is beyond the longest of them is not there.
    fn new(output: &[u8]) -> Self {
        let mut octets = [0; MAX_LENGTH];
        let length = output.len().min(MAX_LENGTH);
        if let (Some(to), Some(from)) = (octets.get_mut(..length), output.get(..length)) {
            to.copy_from_slice(from);
        }
        Self { octets, length }
    }
}

impl Deref for Digest {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or_default()
    }
}

impl AsRef<[u8]> for Digest {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        equal(self, other)
    }
}

impl Eq for Digest {}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({} octets)", self.length)
    }
}

impl Drop for Digest {
    fn drop(&mut self) {
        self.octets.zeroize();
    }
}

/// The hash of the parts one after the other.
pub fn hash(hash: Hash, parts: &[&[u8]]) -> Digest {
    match hash {
        Hash::Md5 => rust_crypto::<md5::Md5>(parts),
        Hash::Sha1 => rust_crypto::<sha1::Sha1>(parts),
        Hash::Sha256 => sha2(&digest::SHA256, parts),
        Hash::Sha384 => sha2(&digest::SHA384, parts),
        Hash::Sha512 => sha2(&digest::SHA512, parts),
    }
}

fn rust_crypto<D: md5::Digest>(parts: &[&[u8]]) -> Digest {
    let mut context = D::new();
    for part in parts {
        context.update(part);
    }
    Digest::new(&context.finalize())
}

fn sha2(algorithm: &'static digest::Algorithm, parts: &[&[u8]]) -> Digest {
    let mut context = digest::Context::new(algorithm);
    for part in parts {
        context.update(part);
    }
    Digest::new(context.finish().as_ref())
}

/// The pseudo-random function of a hash, which is its HMAC (RFC 2409 section 4), over the parts one after the other.
pub fn prf(hash: Hash, key: &[u8], parts: &[&[u8]]) -> Digest {
    MacKey::new(hash, key).sign(parts)
}

/// Whether both are the same, in a time that tells at most their lengths.
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

#[cfg(test)]
pub(crate) mod tests;
