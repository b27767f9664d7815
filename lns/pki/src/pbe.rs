//! Encryption with a password, as private keys and PKCS#12 files have it: PBES2 (RFC 8018 6.2) with AES or 3DES, and
//! the older kind of PKCS#12 (RFC 7292 C) with 3DES or RC2.

use std::num::NonZeroU32;

use cbc::cipher::array::Array;
use cbc::cipher::{Block, BlockCipherDecrypt, BlockModeDecrypt, InnerIvInit, KeyInit};
use ring::{digest, pbkdf2};
use zeroize::{Zeroize, Zeroizing};

use crate::der::{self, Der, Malformed};

/// Rounds of key derivation in one file altogether: some seconds. Real files ask for a thousand to a million.
const MAX_ROUNDS: u32 = 10_000_000;

/// Why something is not decrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PbeError {
    /// An algorithm that we do not have.
    Unknown,
    /// The padding is wrong, and so is the password then.
    Password,
    /// More rounds than are worth it.
    Rounds,
    Malformed,
}

impl From<Malformed> for PbeError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// A password in the two forms that key derivation takes, and how much work may still be done with it.
pub(crate) struct Password {
    utf8: Zeroizing<Vec<u8>>,
    /// UTF-16 with a zero at the end (RFC 7292 B.1).
    utf16: Zeroizing<Vec<u8>>,
    rounds: u32,
}

impl Password {
    pub(crate) fn new(password: &str) -> Self {
        let mut utf16 = Zeroizing::new(Vec::with_capacity(2 * password.len() + 2));
        for unit in password.encode_utf16().chain([0]) {
            let octets = Zeroizing::new(unit.to_be_bytes());
            utf16.extend_from_slice(octets.as_slice());
        }
        Self { utf8: Zeroizing::new(password.as_bytes().to_vec()), utf16, rounds: MAX_ROUNDS }
    }

    /// The other form of no password at all: not even the zero. Some programs write such files.
    pub(crate) fn none() -> Self {
        Self { utf8: Zeroizing::new(Vec::new()), utf16: Zeroizing::new(Vec::new()), rounds: MAX_ROUNDS }
    }

    fn spend(&mut self, rounds: u32) -> Result<(), PbeError> {
        self.rounds = self.rounds.checked_sub(rounds.max(1)).ok_or(PbeError::Rounds)?;
        Ok(())
    }

    /// The key derivation of PKCS#12 (RFC 7292 B.2).
    pub(crate) fn derive(
        &mut self,
        hash: &'static digest::Algorithm,
        purpose: Purpose,
        salt: &[u8],
        rounds: u32,
        length: usize,
    ) -> Result<Zeroizing<Vec<u8>>, PbeError> {
        let block = hash.block_len();
        let mut input = Zeroizing::new(filled(salt, block));
        input.extend_from_slice(&Zeroizing::new(filled(&self.utf16, block)));
        let mut out = Zeroizing::new(Vec::with_capacity(length + hash.output_len()));
        loop {
            self.spend(rounds)?;
            let mut context = digest::Context::new(hash);
            context.update(&vec![purpose as u8; block]);
            context.update(&input);
            let mut sum = context.finish();
            for _ in 1..rounds {
                sum = digest::digest(hash, sum.as_ref());
            }
            out.extend_from_slice(sum.as_ref());
            if out.len() >= length {
                out.truncate(length);
                return Ok(out);
            }
            let addend = Zeroizing::new(filled_once(sum.as_ref(), block));
            for part in input.chunks_mut(block) {
                add_and_one(part, &addend);
            }
        }
    }

    /// Decrypts what an AlgorithmIdentifier (its contents) says how to.
    pub(crate) fn decrypt(
        &mut self,
        algorithm: Der<'_>,
        data: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, PbeError> {
        let mut algorithm = algorithm;
        let oid = algorithm.expect(der::OID)?.value;
        if oid == PBES2 {
            return self.decrypt_pbes2(algorithm.sequence()?, data);
        }
        let Some([kind]) = oid.strip_prefix(PKCS12_PBE) else { return Err(PbeError::Unknown) };
        let mut parameters = algorithm.sequence()?;
        let salt = parameters.expect(der::OCTET_STRING)?.value;
        let rounds = parameters.small_number()?;
        let (cipher, key_length) = match kind {
            3 => (Cipher::TripleDes, 24),
            4 => (Cipher::TripleDes, 16),
            5 => (Cipher::Rc2, 16),
            6 => (Cipher::Rc2, 5),
            // 1 and 2 are RC4, which nobody used for this.
            _ => return Err(PbeError::Unknown),
        };
        let sha1 = &digest::SHA1_FOR_LEGACY_USE_ONLY;
        let mut key = self.derive(sha1, Purpose::Key, salt, rounds, key_length)?;
        if *kind == 4 {
            key.extend_from_within(..8);
        }
        let iv = self.derive(sha1, Purpose::Iv, salt, rounds, 8)?;
        cipher.decrypt(&key, &iv, data)
    }

    fn decrypt_pbes2(&mut self, parameters: Der<'_>, data: &[u8]) -> Result<Zeroizing<Vec<u8>>, PbeError> {
        let mut parameters = parameters;
        let mut derivation = parameters.sequence()?;
        if derivation.expect(der::OID)?.value != PBKDF2 {
            return Err(PbeError::Unknown);
        }
        let derivation = derivation.sequence()?;
        let mut scheme = parameters.sequence()?;
        let oid = scheme.expect(der::OID)?.value;
        let (cipher, key_length) = match oid {
            AES_128_CBC => (Cipher::Aes, 16),
            AES_192_CBC => (Cipher::Aes, 24),
            AES_256_CBC => (Cipher::Aes, 32),
            DES_EDE3_CBC => (Cipher::TripleDes, 24),
            _ => return Err(PbeError::Unknown),
        };
        let iv = scheme.expect(der::OCTET_STRING)?.value;
        let key = self.pbkdf2(derivation, Some(key_length))?;
        cipher.decrypt(&key, iv, data)
    }

    /// PBKDF2 with its parameters (RFC 8018 A.2). The length of the key stands in them, or follows from the cipher.
    pub(crate) fn pbkdf2(
        &mut self,
        parameters: Der<'_>,
        expected: Option<usize>,
    ) -> Result<Zeroizing<Vec<u8>>, PbeError> {
        let mut parameters = parameters;
        let salt = parameters.expect(der::OCTET_STRING)?.value;
        let rounds = parameters.small_number()?;
        let mut length = expected;
        if let Some(element) = parameters.optional(der::INTEGER)? {
            let stated =
                usize::try_from(Der::new(element.whole).small_number()?).map_err(|_| PbeError::Malformed)?;
            if expected.is_some_and(|expected| expected != stated) {
                return Err(PbeError::Malformed);
            }
            length = Some(stated);
        }
        let length = length.filter(|length| *length <= 64).ok_or(PbeError::Malformed)?;
        let prf = match parameters.optional(der::SEQUENCE)? {
            None => pbkdf2::PBKDF2_HMAC_SHA1,
            Some(prf) => match Der::new(prf.value).expect(der::OID)?.value.strip_prefix(HMAC_WITH) {
                Some([7]) => pbkdf2::PBKDF2_HMAC_SHA1,
                Some([9]) => pbkdf2::PBKDF2_HMAC_SHA256,
                Some([10]) => pbkdf2::PBKDF2_HMAC_SHA384,
                Some([11]) => pbkdf2::PBKDF2_HMAC_SHA512,
                _ => return Err(PbeError::Unknown),
            },
        };
        // A key longer than one block of the hash takes as many passes: four of SHA-1 at most.
        self.spend(rounds.saturating_mul(4))?;
        let rounds = NonZeroU32::new(rounds).ok_or(PbeError::Malformed)?;
        let mut key = Zeroizing::new(vec![0; length]);
        pbkdf2::derive(prf, rounds, salt, &self.utf8, &mut key);
        Ok(key)
    }
}

/// What a derived key is for: the number that diversifies it (RFC 7292 B.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Purpose {
    Key = 1,
    Iv = 2,
    Mac = 3,
}

const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 13];
pub(crate) const PBKDF2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 12];
/// pkcs-12PbeIds.
const PKCS12_PBE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 1];
/// digestAlgorithm: hmacWithSHA1 is 7, with SHA-256, SHA-384 and SHA-512 9 to 11.
const HMAC_WITH: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2];
const DES_EDE3_CBC: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 3, 7];
const AES_128_CBC: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 2];
const AES_192_CBC: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 22];
const AES_256_CBC: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 42];

/// `octets` again and again, up to the next multiple of a block; nothing stays nothing.
fn filled(octets: &[u8], block: usize) -> Vec<u8> {
    let length = octets.len().div_ceil(block) * block;
    octets.iter().copied().cycle().take(length).collect()
}

fn filled_once(octets: &[u8], block: usize) -> Vec<u8> {
    octets.iter().copied().cycle().take(block).collect()
}

/// `number` + `addend` + 1, modulo its size.
fn add_and_one(number: &mut [u8], addend: &[u8]) {
    let mut carry = 1_u16;
    for (digit, other) in number.iter_mut().zip(addend).rev() {
        let [high, low] = (u16::from(*digit) + u16::from(*other) + carry).to_be_bytes();
        *digit = low;
        carry = u16::from(high);
    }
}

#[derive(Debug, Clone, Copy)]
enum Cipher {
    Aes,
    TripleDes,
    Rc2,
}

impl Cipher {
    fn decrypt(self, key: &[u8], iv: &[u8], data: &[u8]) -> Result<Zeroizing<Vec<u8>>, PbeError> {
        match (self, key.len()) {
            (Self::Aes, 16) => cbc(aes::Aes128::new_from_slice(key), iv, data),
            (Self::Aes, 24) => cbc(aes::Aes192::new_from_slice(key), iv, data),
            (Self::Aes, _) => cbc(aes::Aes256::new_from_slice(key), iv, data),
            (Self::TripleDes, _) => cbc(des::TdesEde3::new_from_slice(key), iv, data),
            (Self::Rc2, length) => {
                // The effective length of an RC2 key is its length in both cases.
                cbc(Ok::<_, ()>(rc2::Rc2::new_with_eff_key_len(key, length * 8)), iv, data)
            }
        }
    }
}

fn cbc<C: BlockCipherDecrypt, E>(
    cipher: Result<C, E>,
    iv: &[u8],
    data: &[u8],
) -> Result<Zeroizing<Vec<u8>>, PbeError> {
    let cipher = cipher.map_err(|_| PbeError::Malformed)?;
    let iv = Array::try_from(iv).map_err(|_| PbeError::Malformed)?;
    let mut mode = cbc::Decryptor::inner_iv_init(cipher, &iv);
    let mut plain = Zeroizing::new(data.to_vec());
    let (blocks, rest) = Block::<C>::slice_as_chunks_mut(&mut plain);
    if !rest.is_empty() {
        return Err(PbeError::Malformed);
    }
    mode.decrypt_blocks(blocks);
    // PKCS#7 padding. Whoever reads the file knows the password or does not: there is nobody to learn from the timing.
    let padding = plain.last().copied().map(usize::from).ok_or(PbeError::Malformed)?;
    let length = plain.len().checked_sub(padding).ok_or(PbeError::Password)?;
    let tail = plain.get_mut(length..).ok_or(PbeError::Password)?;
    let right =
        padding > 0 && padding <= C::block_size() && tail.iter().all(|octet| usize::from(*octet) == padding);
    if !right {
        return Err(PbeError::Password);
    }
    tail.zeroize();
    plain.truncate(length);
    Ok(plain)
}

#[cfg(test)]
mod tests;
