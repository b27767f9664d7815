//! Diffie-Hellman in the groups of IKEv1: `modp` has those modulo a prime (RFC 2409 section 6, RFC 3526), `ecp` those
//! on a curve (RFC 5903).

use std::fmt;

use crypto_bigint::{U768, U1024, U1536, U2048, U3072, U4096};
use tollgate_sansio::Entropy;
use zeroize::Zeroizing;

use crate::algorithm::Group;
use modp::Exponent;

mod ecp;
mod modp;
mod primes;

/// Why there is no shared secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DhError {
    /// The peer's public value has not the length that the group's values have.
    #[error("public value of {0} octets")]
    Length(usize),
    /// The peer's public value is none of the group, or one that would give the secret away: modulo a prime 0, 1, p - 1
    /// or more, on a curve a point beside it.
    #[error("public value that the group does not have")]
    PublicValue,
}

/// A private value of a group with its public value.
pub struct KeyPair {
    group: Group,
    private: Private,
    public: Box<[u8]>,
}

/// The private value as each arithmetic takes it; each type wipes itself.
enum Private {
    Modp768(Exponent<{ U768::LIMBS }>),
    Modp1024(Exponent<{ U1024::LIMBS }>),
    Modp1536(Exponent<{ U1536::LIMBS }>),
    Modp2048(Exponent<{ U2048::LIMBS }>),
    Modp3072(Exponent<{ U3072::LIMBS }>),
    Modp4096(Exponent<{ U4096::LIMBS }>),
    Ecp256(p256::SecretKey),
    Ecp384(p384::SecretKey),
    Ecp521(p521::SecretKey),
}

impl KeyPair {
    /// A new one.
    pub fn generate(group: Group, entropy: &mut Entropy) -> Self {
        let (private, public) = match group {
            Group::Modp768 => pair(Private::Modp768, Exponent::generate(&primes::MODP_768, entropy)),
            Group::Modp1024 => pair(Private::Modp1024, Exponent::generate(&primes::MODP_1024, entropy)),
            Group::Modp1536 => pair(Private::Modp1536, Exponent::generate(&primes::MODP_1536, entropy)),
            Group::Modp2048 => pair(Private::Modp2048, Exponent::generate(&primes::MODP_2048, entropy)),
            Group::Modp3072 => pair(Private::Modp3072, Exponent::generate(&primes::MODP_3072, entropy)),
            Group::Modp4096 => pair(Private::Modp4096, Exponent::generate(&primes::MODP_4096, entropy)),
            Group::Ecp256 => pair(Private::Ecp256, ecp::generate(0xff, entropy)),
            Group::Ecp384 => pair(Private::Ecp384, ecp::generate(0xff, entropy)),
            Group::Ecp521 => pair(Private::Ecp521, ecp::generate(0x01, entropy)),
        };
        Self { group, private, public }
    }

    /// Its group.
    pub fn group(&self) -> Group {
        self.group
    }

    /// The public value, as the key exchange payload carries it: filled up to the group's length (RFC 2409 section 5).
    pub fn public_value(&self) -> &[u8] {
        &self.public
    }

    /// What this private value and the peer's have in common, filled up to the group's length; on a curve the x
    /// coordinate alone (RFC 5903 section 9).
    pub fn shared_secret(&self, peer: &[u8]) -> Result<Zeroizing<Vec<u8>>, DhError> {
        match &self.private {
            Private::Modp768(exponent) => exponent.shared_secret(peer),
            Private::Modp1024(exponent) => exponent.shared_secret(peer),
            Private::Modp1536(exponent) => exponent.shared_secret(peer),
            Private::Modp2048(exponent) => exponent.shared_secret(peer),
            Private::Modp3072(exponent) => exponent.shared_secret(peer),
            Private::Modp4096(exponent) => exponent.shared_secret(peer),
            Private::Ecp256(private) => ecp::shared_secret(private, peer),
            Private::Ecp384(private) => ecp::shared_secret(private, peer),
            Private::Ecp521(private) => ecp::shared_secret(private, peer),
        }
    }
}

/// Puts a private value among the others.
fn pair<P>(private: impl FnOnce(P) -> Private, (value, public): (P, Box<[u8]>)) -> (Private, Box<[u8]>) {
    (private(value), public)
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair").field("group", &self.group).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
