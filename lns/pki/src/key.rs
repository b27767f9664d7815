//! RSA keys and the signatures of IKEv1 (RFC 2409 5.1).

/// The shortest modulus that is accepted, in bits.
pub const MIN_KEY_BITS: u32 = 2048;
/// The longest modulus that is accepted, in bits: longer ones cost the time of a flood.
pub const MAX_KEY_BITS: u32 = 4096;

/// Why a key is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not an RSA key.
    #[error(
        "the key is not an RSA key; IKEv1 signs with RSA: issue a certificate for an RSA key of 2048 to 4096 bits"
    )]
    NotRsa,
    /// Fewer than [`MIN_KEY_BITS`].
    #[error("the RSA key has {bits} bits, too few: make one of 2048 to 4096 bits")]
    TooSmall {
        /// Bits of the modulus.
        bits: u32,
    },
    /// More than [`MAX_KEY_BITS`].
    #[error("the RSA key has {bits} bits, too many: make one of 2048 to 4096 bits")]
    TooLarge {
        /// Bits of the modulus.
        bits: u32,
    },
    /// An exponent that is even, below 3 or above 32 bits.
    #[error("the RSA key has an unusual public exponent: make a key with 65537")]
    Exponent,
    /// Not a key at all.
    #[error("the key cannot be read")]
    Malformed,
}

/// A signature could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the private key made no signature")]
pub struct SignError;

/// A signature is not that of this key over this hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the signature does not match: the peer does not hold the key of its certificate, or an attacker is between"
)]
pub struct SignatureMismatch;

/// An RSA public key of acceptable size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    key: rsa::PublicKey,
}

impl PublicKey {
    /// Checks a signature over the bare HASH_I or HASH_R (RFC 2409 5.1).
    pub fn verify(&self, hash: &[u8], signature: &[u8]) -> Result<(), SignatureMismatch> {
        self.key.verify(rsa::Pkcs1v15Sign::new_unprefixed(), hash, signature).map_err(|_| SignatureMismatch)
    }
}
