use rsa::pkcs8::DecodePrivateKey;

use super::*;
use crate::testing::*;

fn private(pem: &str) -> PrivateKey {
    PrivateKey::from_pkcs8(&pem_der(pem)).unwrap()
}

#[test]
fn a_signature_matches_its_hash_and_key_alone() {
    for (key, bits) in [(CLIENT_KEY, 2048), (SERVER_KEY, 3072), (LARGE_KEY, 4096)] {
        let key = private(key);
        assert_eq!(key.public_key().bits(), bits);
        for length in HASH_OCTETS {
            let hash = vec![0x5a; length];
            let signature = key.sign(&hash, &mut entropy()).unwrap();
            assert_eq!(signature.len() * 8, usize::try_from(bits).unwrap());
            let public = key.public_key();
            assert_eq!(public.verify(&hash, &signature), Ok(()));
            let mut other = hash.clone();
            other[0] ^= 1;
            assert_eq!(public.verify(&other, &signature), Err(SignatureMismatch));
            let mut changed = signature.clone();
            changed[9] ^= 1;
            assert_eq!(public.verify(&hash, &changed), Err(SignatureMismatch));
            assert_eq!(public.verify(&hash, &signature[1..]), Err(SignatureMismatch));
            assert_eq!(public.verify(&hash, &[&[0], signature.as_slice()].concat()), Err(SignatureMismatch));
            assert_eq!(private(ROOT_KEY).public_key().verify(&hash, &signature), Err(SignatureMismatch));
        }
    }
}

#[test]
fn the_padding_is_that_of_rfc_8017_around_the_bare_hash() {
    use rsa::traits::PublicKeyParts;
    let key = private(CLIENT_KEY);
    let hash = [0xab; 20];
    let signature = key.sign(&hash, &mut entropy()).unwrap();
    // signature ^ 65537 mod n with another library's arithmetic.
    let modulus = num_bigint::BigUint::from_bytes_be(&key.key.n().to_be_bytes());
    let opened = num_bigint::BigUint::from_bytes_be(&signature).modpow(&65_537_u32.into(), &modulus);
    // The zero in front is not among the digits of a number.
    let mut expected = vec![1];
    expected.resize(2048 / 8 - 1 - 21, 0xff);
    expected.push(0);
    expected.extend(hash);
    assert_eq!(opened.to_bytes_be(), expected);
}

#[test]
fn a_signature_over_a_digest_info_is_refused() {
    let key = rsa::PrivateKey::from_pkcs8_der(&pem_der(CLIENT_KEY)).unwrap();
    let hash = [0x5a; 20];
    let prefix: [u8; 15] = [0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 3, 2, 26, 5, 0, 4, 0x14];
    let info = [prefix.as_slice(), &hash].concat();
    let signature = key.sign(rsa::Pkcs1v15Sign::new_unprefixed(), &info).unwrap();
    let public = private(CLIENT_KEY).public_key();
    assert_eq!(public.verify(&hash, &signature), Err(SignatureMismatch));
    assert_eq!(
        public.verify(&info, &signature),
        Err(SignatureMismatch),
        "nor is a DigestInfo taken for a hash"
    );
    assert_eq!(private(CLIENT_KEY).sign(&info, &mut entropy()), Err(SignError));
    assert_eq!(private(CLIENT_KEY).sign(&[], &mut entropy()), Err(SignError));
}

#[test]
fn blinding_draws_on_the_callers_entropy_and_leaves_the_signature_the_same() {
    let key = private(CLIENT_KEY);
    let (mut one, mut two) = (entropy(), Entropy::from_seed([8; 32]));
    let untouched = entropy().u32();
    assert_eq!(key.sign(&[1; 32], &mut one), key.sign(&[1; 32], &mut two));
    assert_ne!(one.u32(), untouched);
}

#[test]
fn private_keys_of_other_sizes_and_kinds_are_refused() {
    let refused = |pem: &str| PrivateKey::from_pkcs8(&pem_der(pem)).err();
    assert_eq!(refused(SMALL_KEY), Some(KeyError::TooSmall { bits: 1024 }));
    assert_eq!(refused(EC_KEY), Some(KeyError::NotRsa));
    assert_eq!(PrivateKey::from_pkcs8(&[0x30, 0]).err(), Some(KeyError::Malformed));
    let whole = pem_der(CLIENT_KEY);
    assert_eq!(PrivateKey::from_pkcs8(&whole[..whole.len() - 1]).err(), Some(KeyError::Malformed));
    // A modulus that is not the product of the primes.
    let mut damaged = whole.clone();
    let modulus = damaged.windows(4).position(|window| window == [0x02, 0x82, 1, 1]).unwrap();
    damaged[modulus + 20] ^= 1;
    assert_eq!(PrivateKey::from_pkcs8(&damaged).err(), Some(KeyError::Malformed));
}
