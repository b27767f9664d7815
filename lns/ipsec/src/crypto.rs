//! Hashes, keyed hashes and block ciphers as IKEv1 uses them (RFC 2409 sections 3.2 and 4, appendix B). ESP takes the
//! halves of the cipher and the keyed hash that `cbc` and `mac` hold.

use std::fmt;
use std::ops::Deref;

use md5::Digest as _;
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
        let mut length = 0;
        for (to, from) in octets.iter_mut().zip(output) {
            *to = *from;
            length += 1;
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
    let algorithm = match hash {
        Hash::Md5 => {
            let mut context = md5::Md5::new();
            for part in parts {
                context.update(part);
            }
            return Digest::new(&context.finalize());
        }
        Hash::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        Hash::Sha256 => &digest::SHA256,
        Hash::Sha384 => &digest::SHA384,
        Hash::Sha512 => &digest::SHA512,
    };
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
