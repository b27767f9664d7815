//! HMAC (RFC 2104) with a key that serves for many messages.

use hmac::digest::Output;
use hmac::{Hmac, KeyInit, Mac};
use ring::hmac as ring_hmac;
use subtle::ConstantTimeEq;

use super::Digest;
use crate::algorithm::Hash;

/// A key with its first blocks already hashed.
#[derive(Clone)]
pub(crate) enum MacKey {
    Md5(Hmac<md5::Md5>),
    Sha1(Hmac<sha1::Sha1>),
    Sha2(ring_hmac::Key),
}

impl MacKey {
    pub(crate) fn new(hash: Hash, key: &[u8]) -> Self {
        let algorithm = match hash {
            // `ring` has no MD5, and its SHA-1 does not use the processor's instructions for it.
            Hash::Md5 => return Self::Md5(rust_crypto_key(key)),
            Hash::Sha1 => return Self::Sha1(rust_crypto_key(key)),
            Hash::Sha256 => ring_hmac::HMAC_SHA256,
            Hash::Sha384 => ring_hmac::HMAC_SHA384,
            Hash::Sha512 => ring_hmac::HMAC_SHA512,
        };
        Self::Sha2(ring_hmac::Key::new(algorithm, key))
    }

    /// The keyed hash of the parts one after the other.
    pub(crate) fn sign(&self, parts: &[&[u8]]) -> Digest {
        self.compute(parts, Digest::new)
    }

    /// Puts the beginning of the message's keyed hash into `check`; `None` when that is longer than the hash.
    pub(crate) fn fill(&self, message: &[u8], check: &mut [u8]) -> Option<()> {
        self.compute(&[message], |value| {
            check.copy_from_slice(value.get(..check.len())?);
            Some(())
        })
    }

    /// Whether `check` is what begins the message's keyed hash, in constant time. The caller has seen to its length:
    /// nothing at all begins everything.
    pub(crate) fn verify(&self, message: &[u8], check: &[u8]) -> bool {
        self.compute(&[message], |value| {
            value.get(..check.len()).is_some_and(|begin| begin.ct_eq(check).into())
        })
    }

    fn compute<R>(&self, parts: &[&[u8]], take: impl FnOnce(&[u8]) -> R) -> R {
        match self {
            Self::Md5(key) => take(&rust_crypto_value(key, parts)),
            Self::Sha1(key) => take(&rust_crypto_value(key, parts)),
            Self::Sha2(key) => {
                let mut context = ring_hmac::Context::with_key(key);
                for part in parts {
                    context.update(part);
                }
                take(context.sign().as_ref())
            }
        }
    }
}

/// HMAC has no wrong key length: longer keys are hashed, shorter ones filled up (RFC 2104 section 2).
fn rust_crypto_key<M: KeyInit>(key: &[u8]) -> M {
    M::new_from_slice(key).unwrap_or_else(|_| M::new(&Default::default()))
}

fn rust_crypto_value<M: Mac + Clone>(key: &M, parts: &[&[u8]]) -> Output<M> {
    let mut context = key.clone();
    for part in parts {
        context.update(part);
    }
    context.finalize().into_bytes()
}
