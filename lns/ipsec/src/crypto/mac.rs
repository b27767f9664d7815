//! HMAC (RFC 2104) with a key that serves for many messages.

use hmac::{KeyInit, Mac};
use ring::hmac as ring_hmac;
use subtle::ConstantTimeEq;

use super::Digest;
use crate::algorithm::Hash;

/// A key with its first blocks already hashed.
#[derive(Clone)]
pub(crate) enum MacKey {
    /// `ring` has no MD5.
    Md5(hmac::Hmac<md5::Md5>),
    Ring(ring_hmac::Key),
}

impl MacKey {
    pub(crate) fn new(hash: Hash, key: &[u8]) -> Self {
        let algorithm = match hash {
            // HMAC has no wrong key length: longer keys are hashed, shorter ones filled up (RFC 2104 section 2).
            Hash::Md5 => match hmac::Hmac::<md5::Md5>::new_from_slice(key) {
                Ok(key) => return Self::Md5(key),
                Err(_) => return Self::Md5(hmac::Hmac::new(&Default::default())),
            },
            Hash::Sha1 => ring_hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Hash::Sha256 => ring_hmac::HMAC_SHA256,
            Hash::Sha384 => ring_hmac::HMAC_SHA384,
            Hash::Sha512 => ring_hmac::HMAC_SHA512,
        };
        Self::Ring(ring_hmac::Key::new(algorithm, key))
    }

    pub(crate) fn sign(&self, parts: &[&[u8]]) -> Digest {
        match self {
            Self::Md5(key) => {
                let mut context = key.clone();
                for part in parts {
                    context.update(part);
                }
                Digest::new(&context.finalize().into_bytes())
            }
            Self::Ring(key) => {
                let mut context = ring_hmac::Context::with_key(key);
                for part in parts {
                    context.update(part);
                }
                Digest::new(context.sign().as_ref())
            }
        }
    }

    /// Whether `check` is what begins the message's keyed hash, in constant time. The caller has seen to its length:
    /// nothing at all begins everything.
    pub(crate) fn verify(&self, message: &[u8], check: &[u8]) -> bool {
        let digest = self.sign(&[message]);
        digest.get(..check.len()).is_some_and(|begin| begin.ct_eq(check).into())
    }
}
