//! The primes against their formulas, the powers against another library.

use num_bigint::BigUint;

use super::super::primes::*;
use super::*;

/// A group with what its RFC says of it.
struct Group {
    bits: u32,
    /// The number in the formula that makes the prime a safe one.
    offset: u32,
    prime: BigUint,
}

fn big<const LIMBS: usize>(value: &Uint<LIMBS>) -> BigUint {
    BigUint::from_bytes_be(&octets(value))
}

fn group<const LIMBS: usize>(modulus: &Modulus<LIMBS>, offset: u32) -> Group {
    Group { bits: Uint::<LIMBS>::BITS, offset, prime: big(modulus.prime.modulus().as_ref()) }
}

fn groups() -> [Group; 6] {
    [
        group(&MODP_768, 149_686),
        group(&MODP_1024, 129_093),
        group(&MODP_1536, 741_804),
        group(&MODP_2048, 124_476),
        group(&MODP_3072, 1_690_314),
        group(&MODP_4096, 240_904),
    ]
}

/// The first digits of pi: `2^bits * pi` without its fraction, by Machin's formula.
fn pi(bits: u32) -> BigUint {
    let guard = 64;
    let unit = BigUint::from(1_u8) << (bits + guard);
    let arctangent = |inverse: u32| {
        let square = BigUint::from(inverse * inverse);
        let (mut power, mut sum, mut divisor, mut plus) = (&unit / inverse, &unit / inverse, 3_u32, false);
        loop {
            power /= &square;
            let term = &power / divisor;
            if term == BigUint::ZERO {
                return sum;
            }
            if plus {
                sum += term;
            } else {
                sum -= term;
            }
            divisor += 2;
            plus = !plus;
        }
    };
    ((arctangent(5) * 4_u8 - arctangent(239)) * 4_u8) >> guard
}

#[test]
fn the_primes_are_those_of_the_formula() {
    let one = BigUint::from(1_u8);
    for Group { bits, offset, prime } in groups() {
        let middle = (pi(bits - 130) + offset) << 64;
        let formula = (&one << bits) - (&one << (bits - 64)) - 1_u8 + middle;
        assert_eq!(prime, formula, "{bits} bits");
    }
}

#[test]
fn the_primes_are_safe() {
    let one = BigUint::from(1_u8);
    for Group { bits, prime, .. } in groups() {
        // Fermat's test, which is enough to find a wrong digit.
        for candidate in [prime.clone(), (&prime - 1_u8) / 2_u8] {
            assert_eq!(BigUint::from(3_u8).modpow(&(&candidate - 1_u8), &candidate), one, "{bits} bits");
        }
    }
}

fn compare<const LIMBS: usize>(modulus: &'static Modulus<LIMBS>, seed: u8) {
    let mut entropy = Entropy::from_seed([seed; 32]);
    let prime = big(modulus.prime.modulus().as_ref());
    let (ours, our_public) = Exponent::generate(modulus, &mut entropy);
    let (theirs, their_public) = Exponent::generate(modulus, &mut entropy);
    let exponent = big(&ours.value);
    assert_eq!(exponent.bits(), u64::from(modulus.exponent_bits));
    assert_ne!(ours.value, theirs.value);
    assert_eq!(BigUint::from_bytes_be(&our_public), BigUint::from(2_u8).modpow(&exponent, &prime));
    assert_eq!(our_public.len(), Uint::<LIMBS>::BYTES);

    let secret = ours.shared_secret(&their_public).unwrap();
    assert_eq!(secret, theirs.shared_secret(&our_public).unwrap());
    assert_eq!(
        BigUint::from_bytes_be(&secret),
        BigUint::from_bytes_be(&their_public).modpow(&exponent, &prime)
    );
    assert_eq!(secret.len(), Uint::<LIMBS>::BYTES);

    // Values that need not be powers of the generator, from the smallest allowed to the largest.
    let random = loop {
        let mut octets = vec![0; Uint::<LIMBS>::BYTES];
        entropy.fill(&mut octets);
        if BigUint::from_bytes_be(&octets) < &prime - 1_u8 {
            break BigUint::from_bytes_be(&octets);
        }
    };
    for peer in [BigUint::from(2_u8), BigUint::from(3_u8), random, &prime - 2_u8] {
        let secret = ours.shared_secret(&padded::<LIMBS>(&peer)).unwrap();
        assert_eq!(BigUint::from_bytes_be(&secret), peer.modpow(&exponent, &prime));
    }
}

/// Filled up with zeros to the group's length.
fn padded<const LIMBS: usize>(value: &BigUint) -> Vec<u8> {
    let digits = value.to_bytes_be();
    let mut octets = vec![0; Uint::<LIMBS>::BYTES - digits.len()];
    octets.extend(digits);
    octets
}

#[test]
fn powers_are_those_that_another_library_finds() {
    for seed in 0..3 {
        compare(&MODP_768, seed);
        compare(&MODP_1024, seed);
        compare(&MODP_1536, seed);
        compare(&MODP_2048, seed);
        compare(&MODP_3072, seed);
        compare(&MODP_4096, seed);
    }
}

/// Exponents that reach every digit of either exponentiation, or all but one.
#[test]
fn extreme_exponents_give_right_powers() {
    fn compare<const LIMBS: usize>(modulus: &Modulus<LIMBS>) {
        let bits = modulus.exponent_bits;
        let all = U512::MAX.shr_vartime(U512::BITS - bits);
        let values = (0..bits).map(|bit| U512::ONE.shl_vartime(bit)).chain([U512::ZERO, U512::ONE, all]);
        for value in values {
            let power = BigUint::from(2_u8).modpow(&big(&value), &big(modulus.prime.modulus().as_ref()));
            assert_eq!(BigUint::from_bytes_be(&modulus.power_of_generator(&value)), power);
        }
        for value in [U512::ONE, all] {
            let (generator, other) = (Uint::from_u8(2), modulus.power_of_generator(&value));
            assert_eq!(modulus.power(&generator, &value), other);
        }
    }
    compare(&MODP_768);
    compare(&MODP_2048);
    compare(&MODP_3072);
}

#[test]
fn a_secret_with_leading_zeros_keeps_them() {
    let (exponent, _) = Exponent::generate(&MODP_768, &mut Entropy::from_seed([3; 32]));
    let prime = big(MODP_768.prime.modulus().as_ref());
    // The peer's value whose power is 5: 5 to the inverse of our exponent modulo the group's order.
    let order = &prime - 1_u8;
    let inverse = (0..64_u8).find_map(|more| (big(&exponent.value) + more).modinv(&order));
    let Some(inverse) = inverse else { panic!("no exponent near it has an inverse") };
    let more = (0..64_u8).find(|more| (big(&exponent.value) + *more).modinv(&order).is_some()).unwrap();
    let exponent = Exponent { modulus: &MODP_768, value: exponent.value.wrapping_add(&U512::from_u8(more)) };
    let peer = BigUint::from(5_u8).modpow(&inverse, &prime);
    let secret = exponent.shared_secret(&padded::<{ 768 / 64 }>(&peer)).unwrap();
    assert_eq!(*secret, [vec![0; 95], vec![5]].concat());
}

#[test]
fn values_that_give_the_secret_away_are_refused() {
    fn refuses<const LIMBS: usize>(modulus: &'static Modulus<LIMBS>) {
        let (exponent, _) = Exponent::generate(modulus, &mut Entropy::from_seed([1; 32]));
        let prime = big(modulus.prime.modulus().as_ref());
        let all_ones = vec![0xff; Uint::<LIMBS>::BYTES];
        let bad = [BigUint::ZERO, BigUint::from(1_u8), &prime - 1_u8, prime.clone(), &prime + 1_u8];
        for value in bad.iter().map(padded::<LIMBS>).chain([all_ones]) {
            assert_eq!(exponent.shared_secret(&value).unwrap_err(), DhError::PublicValue, "{value:02x?}");
        }
    }
    refuses(&MODP_768);
    refuses(&MODP_1024);
    refuses(&MODP_1536);
    refuses(&MODP_2048);
    refuses(&MODP_3072);
    refuses(&MODP_4096);
}
