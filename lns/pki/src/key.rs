//! RSA keys and the signatures that IKEv1 makes with them (RFC 2409 5.1): RSASSA-PKCS1-v1_5 (RFC 8017 8.2) over the
//! bare HASH_I or HASH_R, without the DigestInfo that names a hash.

use std::convert::Infallible;

use rsa::pkcs1::{DecodeRsaPrivateKey, DecodeRsaPublicKey};
use rsa::traits::PublicKeyParts;
use tollgate_sansio::Entropy;

use crate::der::{self, Der, Malformed};

/// The shortest modulus that is accepted, in bits.
pub const MIN_KEY_BITS: u32 = 2048;
/// The longest modulus that is accepted, in bits: longer ones cost the time of a flood.
pub const MAX_KEY_BITS: u32 = 4096;

/// Octets of the hashes that IKEv1 signs: from those of MD5 to those of SHA-512. Anything else is a mistake, and a
/// DigestInfo is one.
const HASH_OCTETS: [usize; 5] = [16, 20, 32, 48, 64];

/// rsaEncryption (RFC 3279 2.3.1).
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];

/// Why a key is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not an RSA key.
    #[error("the key is not an RSA key, and IKEv1 signs with RSA here: use a certificate for an RSA key")]
    NotRsa,
    /// Fewer than [`MIN_KEY_BITS`].
    #[error("the RSA key has {bits} bits, which is too few: use one of 2048 to 4096 bits")]
    TooSmall {
        /// Bits of the modulus.
        bits: u32,
    },
    /// More than [`MAX_KEY_BITS`].
    #[error("the RSA key has {bits} bits, which is too many: use one of 2048 to 4096 bits")]
    TooLarge {
        /// Bits of the modulus.
        bits: u32,
    },
    /// An exponent that is even, below 3 or above 32 bits.
    #[error("the RSA key has an unusual public exponent: make a key with the exponent 65537")]
    Exponent,
    /// Not a key at all.
    #[error("the RSA key is damaged: make the file again from its source")]
    Malformed,
}

/// A signature could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the private key made no signature")]
pub struct SignError;

/// A signature is not that of this key over this hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the signature does not match: the peer does not hold its certificate's key, or somebody changed the exchange"
)]
pub struct SignatureMismatch;

/// What a SubjectPublicKeyInfo (RFC 5280 4.1.2.7) holds, read without any arithmetic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyOutline {
    /// The whole structure.
    pub(crate) spki: Vec<u8>,
    /// None for other keys than RSA.
    rsa: Option<RsaOutline>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct RsaOutline {
    /// RSAPublicKey (RFC 8017 A.1.1).
    key: Vec<u8>,
    bits: u32,
    good_exponent: bool,
}

impl KeyOutline {
    pub(crate) fn from_spki(spki: &[u8]) -> Result<Self, Malformed> {
        let mut outer = Der::only_sequence(spki)?;
        let mut algorithm = outer.sequence()?;
        let oid = algorithm.expect(der::OID)?.value;
        let key = outer.expect(der::BIT_STRING)?.value;
        outer.finish()?;
        let rsa = if oid == RSA { Some(RsaOutline::read(der::whole_octets(key)?)?) } else { None };
        Ok(Self { spki: spki.to_vec(), rsa })
    }

    /// Whether a key is of a kind and size that is taken from a peer.
    pub(crate) fn check(&self) -> Result<(), KeyError> {
        self.rsa.as_ref().ok_or(KeyError::NotRsa)?.check()
    }

    /// The same for an authority, whose key may also be an elliptic one: it signs certificates, not IKE.
    pub(crate) fn check_authority(&self) -> Result<(), KeyError> {
        self.rsa.as_ref().map_or(Ok(()), RsaOutline::check)
    }

    pub(crate) fn public_key(&self) -> Result<PublicKey, KeyError> {
        self.check()?;
        let outline = self.rsa.as_ref().ok_or(KeyError::NotRsa)?;
        let key = rsa::PublicKey::from_pkcs1_der(&outline.key).map_err(|_| KeyError::Malformed)?;
        Ok(PublicKey { key })
    }
}

impl RsaOutline {
    fn read(key: &[u8]) -> Result<Self, Malformed> {
        let mut numbers = Der::only_sequence(key)?;
        let modulus = der::magnitude(numbers.expect(der::INTEGER)?.value)?;
        let exponent = der::magnitude(numbers.expect(der::INTEGER)?.value)?;
        Ok(Self { key: key.to_vec(), bits: der::bits(modulus), good_exponent: good_exponent(exponent) })
    }

    fn check(&self) -> Result<(), KeyError> {
        check_size(self.bits)?;
        if self.good_exponent { Ok(()) } else { Err(KeyError::Exponent) }
    }
}

fn check_size(bits: u32) -> Result<(), KeyError> {
    match bits {
        ..MIN_KEY_BITS => Err(KeyError::TooSmall { bits }),
        MIN_KEY_BITS..=MAX_KEY_BITS => Ok(()),
        _ => Err(KeyError::TooLarge { bits }),
    }
}

/// Odd, at least 3, at most 32 bits: a longer one makes each check of a signature as costly as a signature.
fn good_exponent(digits: &[u8]) -> bool {
    digits.len() <= 4 && digits.last().is_some_and(|last| last & 1 == 1) && digits != [1]
}

/// An RSA public key of acceptable size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    key: rsa::PublicKey,
}

impl PublicKey {
    /// Checks a signature over the bare HASH_I or HASH_R (RFC 2409 5.1). One over a DigestInfo does not match.
    pub fn verify(&self, hash: &[u8], signature: &[u8]) -> Result<(), SignatureMismatch> {
        if !HASH_OCTETS.contains(&hash.len()) {
            return Err(SignatureMismatch);
        }
        let scheme = rsa::Pkcs1v15Sign::new_unprefixed();
        self.key.verify(scheme, hash, signature).map_err(|_| SignatureMismatch)
    }

    /// Bits of the modulus.
    pub fn bits(&self) -> u32 {
        self.key.n().bit_width_vartime()
    }
}

/// An RSA private key of acceptable size. It is wiped when dropped and prints nothing.
pub(crate) struct PrivateKey {
    key: rsa::PrivateKey,
}

impl PrivateKey {
    /// From the DER of PKCS#8 (RFC 5958).
    pub(crate) fn from_pkcs8(octets: &[u8]) -> Result<Self, KeyError> {
        let mut info = Der::only_sequence(octets).map_err(|_| KeyError::Malformed)?;
        info.expect(der::INTEGER).map_err(|_| KeyError::Malformed)?;
        let mut algorithm = info.sequence().map_err(|_| KeyError::Malformed)?;
        if algorithm.expect(der::OID).map_err(|_| KeyError::Malformed)?.value != RSA {
            return Err(KeyError::NotRsa);
        }
        Self::from_pkcs1(info.expect(der::OCTET_STRING).map_err(|_| KeyError::Malformed)?.value)
    }

    /// From the DER of PKCS#1 (RFC 8017 A.1.2).
    pub(crate) fn from_pkcs1(octets: &[u8]) -> Result<Self, KeyError> {
        // The size first: arithmetic with a key of any size may take any time.
        let mut numbers = Der::only_sequence(octets).map_err(|_| KeyError::Malformed)?;
        numbers.expect(der::INTEGER).map_err(|_| KeyError::Malformed)?;
        let mut digits = || der::magnitude(numbers.expect(der::INTEGER)?.value);
        let modulus = digits().map_err(|_| KeyError::Malformed)?;
        let exponent = digits().map_err(|_| KeyError::Malformed)?;
        check_size(der::bits(modulus))?;
        if !good_exponent(exponent) {
            return Err(KeyError::Exponent);
        }
        let mut key = rsa::PrivateKey::from_pkcs1_der(octets).map_err(|_| KeyError::Malformed)?;
        key.precompute().map_err(|_| KeyError::Malformed)?;
        Ok(Self { key })
    }

    pub(crate) fn public_key(&self) -> PublicKey {
        PublicKey { key: self.key.to_public_key() }
    }

    /// Signs the bare hash, blinded with the caller's entropy.
    pub(crate) fn sign(&self, hash: &[u8], entropy: &mut Entropy) -> Result<Vec<u8>, SignError> {
        if !HASH_OCTETS.contains(&hash.len()) {
            return Err(SignError);
        }
        self.key
            .sign_with_rng(&mut Blinding(entropy), rsa::Pkcs1v15Sign::new_unprefixed(), hash)
            .map_err(|_| SignError)
    }
}

/// The machine's entropy as the source that the `rsa` crate draws its blinding factors from.
struct Blinding<'a>(&'a mut Entropy);

impl rand_core::TryRng for Blinding<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.0.u32())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_be_bytes(self.0.array()))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(out);
        Ok(())
    }
}

/// `Entropy` is HMAC-SHA-256 over a counter with a secret key: nobody tells it from chance.
impl rand_core::TryCryptoRng for Blinding<'_> {}

#[cfg(test)]
mod tests;
