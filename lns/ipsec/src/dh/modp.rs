//! Diffie-Hellman modulo a prime with the generator 2. The primes are safe, so an exponent of twice the group's strength
//! is as good as one of full length (RFC 3526 section 8), and the only values of small order are 1 and p - 1.

use std::sync::OnceLock;

use crypto_bigint::modular::{FixedMontyForm, FixedMontyParams};
use crypto_bigint::{CtAssign, CtEq, Odd, U512, Uint};
use tollgate_sansio::Entropy;
use zeroize::{Zeroize, Zeroizing};

use super::DhError;

/// The longest exponent in octets.
const EXPONENT_OCTETS: usize = 64;

/// Rows into which the comb cuts an exponent.
const TEETH: u32 = 5;

/// A prime as the arithmetic modulo it needs it.
pub(super) struct Modulus<const LIMBS: usize> {
    prime: FixedMontyParams<LIMBS>,
    /// Bits of a private exponent.
    exponent_bits: u32,
    /// For each choice of rows the product of the generator's powers that they stand for, in Montgomery form; computed
    /// when the group is used for the first time.
    comb: OnceLock<Box<[Uint<LIMBS>]>>,
}

impl<const LIMBS: usize> Modulus<LIMBS> {
    pub(super) const fn new(exponent_bits: u32, prime: &str) -> Self {
        let prime = FixedMontyParams::new_vartime(Odd::<Uint<LIMBS>>::from_be_hex(prime));
        Self { prime, exponent_bits, comb: OnceLock::new() }
    }

    /// The power, in a time that depends on the modulus alone.
    fn power(&self, base: &Uint<LIMBS>, exponent: &U512) -> Zeroizing<Vec<u8>> {
        let base = FixedMontyForm::new(base, &self.prime);
        let power = Zeroizing::new(base.pow_bounded_exp(exponent, self.exponent_bits));
        octets(&Zeroizing::new(power.retrieve()))
    }

    /// The generator's power, in a time that depends on the modulus alone, and in a third of the time of another base's
    /// (Lim and Lee, CRYPTO '94): the exponent's bits lie in rows, and of each column one product is looked up.
    fn power_of_generator(&self, exponent: &U512) -> Zeroizing<Vec<u8>> {
        let comb = self.comb.get_or_init(|| self.comb());
        let columns = self.columns();
        let mut power = Zeroizing::new(FixedMontyForm::one(&self.prime));
        for column in (0..columns).rev() {
            *power = power.square();
            let mut choice = 0;
            for row in (0..TEETH).rev() {
                choice = choice << 1 | u32::from(exponent.bit(row * columns + column).to_u8());
            }
            // Every entry is read, so that the cache does not tell which one counts.
            let mut product = Zeroizing::new(Uint::<LIMBS>::ZERO);
            for (entry, number) in comb.iter().zip(0_u32..) {
                product.ct_assign(entry, number.ct_eq(&choice));
            }
            *power = power.mul(&FixedMontyForm::from_montgomery(*product, &self.prime));
        }
        octets(&Zeroizing::new(power.retrieve()))
    }

    fn columns(&self) -> u32 {
        self.exponent_bits.div_ceil(TEETH)
    }

    fn comb(&self) -> Box<[Uint<LIMBS>]> {
        let mut comb = vec![FixedMontyForm::one(&self.prime)];
        let mut tooth = FixedMontyForm::new(&Uint::from_u8(2), &self.prime);
        for _ in 0..TEETH {
            let with_tooth: Vec<_> = comb.iter().map(|product| product.mul(&tooth)).collect();
            comb.extend(with_tooth);
            for _ in 0..self.columns() {
                tooth = tooth.square();
            }
        }
        comb.iter().map(FixedMontyForm::to_montgomery).collect()
    }
}

/// A private exponent.
pub(super) struct Exponent<const LIMBS: usize> {
    modulus: &'static Modulus<LIMBS>,
    value: U512,
}

impl<const LIMBS: usize> Drop for Exponent<LIMBS> {
    fn drop(&mut self) {
        self.value.zeroize();
    }
}

impl<const LIMBS: usize> Exponent<LIMBS> {
    /// Draws one, with the public value that goes with it. Its first bit is set: all are equally long, and none is
    /// zero.
    pub(super) fn generate(modulus: &'static Modulus<LIMBS>, entropy: &mut Entropy) -> (Self, Box<[u8]>) {
        let octets = Zeroizing::new(entropy.array::<EXPONENT_OCTETS>());
        let random = Zeroizing::new(U512::from_be_slice(&*octets));
        let bits = modulus.exponent_bits;
        let mut value = random.shr_vartime(U512::BITS - bits);
        value |= U512::ONE.shl_vartime(bits - 1);
        let public = modulus.power_of_generator(&value).as_slice().into();
        (Self { modulus, value }, public)
    }

    /// The peer's value to the power of this.
    pub(super) fn shared_secret(&self, peer: &[u8]) -> Result<Zeroizing<Vec<u8>>, DhError> {
        if peer.len() != Uint::<LIMBS>::BYTES {
            return Err(DhError::Length(peer.len()));
        }
        let value = Uint::<LIMBS>::from_be_slice(peer);
        // Public values, so the comparisons may tell.
        let highest = self.modulus.prime.modulus().as_ref().wrapping_sub(&Uint::from_u8(2));
        if value <= Uint::ONE || value > highest {
            return Err(DhError::PublicValue);
        }
        Ok(self.modulus.power(&value, &self.value))
    }
}

/// Most significant octet first, with the zeros before it (RFC 2409 section 5).
fn octets<const LIMBS: usize>(value: &Uint<LIMBS>) -> Zeroizing<Vec<u8>> {
    let mut octets = Zeroizing::new(Vec::with_capacity(Uint::<LIMBS>::BYTES));
    for limb in value.as_limbs().iter().rev() {
        octets.extend_from_slice(&limb.0.to_be_bytes());
    }
    octets
}

#[cfg(test)]
mod tests;
