//! Encryption types: aes128 and aes256 with HMAC-SHA1 (RFC 3962, on RFC 3961's simplified profile) and with HMAC-SHA2
//! (RFC 8009). The older ones, single DES, triple DES and RC4, are not served.

mod cts;

use std::num::NonZeroU32;

use hmac::{Hmac, KeyInit, Mac};
use ring::pbkdf2;
use sha1::Sha1;
use sha2::{Sha256, Sha384};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use cts::{BLOCK, Cipher};

/// A KDC that asks for more rounds than this is not believed: they are counted before it has proved anything.
const MOST_ROUNDS: u32 = 1_000_000;

/// Numbers of IANA's registry of encryption types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Etype {
    /// aes128-cts-hmac-sha1-96
    Aes128Sha1 = 17,
    /// aes256-cts-hmac-sha1-96
    Aes256Sha1 = 18,
    /// aes128-cts-hmac-sha256-128
    Aes128Sha2 = 19,
    /// aes256-cts-hmac-sha384-192
    Aes256Sha2 = 20,
}

/// What a message's key is derived for (RFC 4120 section 7.5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Usage {
    /// PA-ENC-TIMESTAMP, with the user's key.
    Timestamp = 1,
    /// A ticket, with the key of the service.
    Ticket = 2,
    /// AS-REP, with the user's key.
    AsReply = 3,
    /// Checksum over a TGS-REQ's body, with the session key.
    TgsChecksum = 6,
    /// Authenticator of a TGS-REQ, with the session key.
    TgsAuthenticator = 7,
    /// TGS-REP, with the session key.
    TgsReply = 8,
}

/// RFC 3961 section 5.3: the last octet of the constant that a key is derived with.
#[derive(Clone, Copy)]
enum Purpose {
    Checksum = 0x99,
    Encryption = 0xaa,
    Integrity = 0x55,
}

/// Wrong key, or the message was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it does not decrypt with this key")]
pub(super) struct Undecryptable;

/// The KDC's parameters for a password cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the KDC asks for a number of rounds that cannot be right")]
pub(super) struct BadParameters;

impl Etype {
    /// What we ask for, the strongest first.
    pub(super) const ALL: [Self; 4] =
        [Self::Aes256Sha2, Self::Aes256Sha1, Self::Aes128Sha2, Self::Aes128Sha1];

    pub(super) fn of(number: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|etype| etype.number() == number)
    }

    pub(super) fn number(self) -> i32 {
        self as i32
    }

    /// Of the checksum that belongs to it.
    pub(super) fn checksum_number(self) -> i32 {
        match self {
            Self::Aes128Sha1 => 15,
            Self::Aes256Sha1 => 16,
            Self::Aes128Sha2 => 19,
            Self::Aes256Sha2 => 20,
        }
    }

    fn key_length(self) -> usize {
        match self {
            Self::Aes128Sha1 | Self::Aes128Sha2 => 16,
            Self::Aes256Sha1 | Self::Aes256Sha2 => 32,
        }
    }

    /// Octets of a checksum.
    fn tag_length(self) -> usize {
        match self {
            Self::Aes128Sha1 | Self::Aes256Sha1 => 12,
            Self::Aes128Sha2 => 16,
            Self::Aes256Sha2 => 24,
        }
    }

    /// The whole HMAC; who needs less cuts it.
    fn mac(self, key: &[u8], parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
        fn run<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
            // HMAC takes a key of every length. Nothing here is as short as nothing, so that an empty tag fits nobody.
            let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else { return Zeroizing::default() };
            for part in parts {
                mac.update(part);
            }
            Zeroizing::new(mac.finalize().into_bytes().to_vec())
        }
        match self {
            Self::Aes128Sha1 | Self::Aes256Sha1 => run::<Hmac<Sha1>>(key, parts),
            Self::Aes128Sha2 => run::<Hmac<Sha256>>(key, parts),
            Self::Aes256Sha2 => run::<Hmac<Sha384>>(key, parts),
        }
    }

    /// RFC 3962 section 4, RFC 8009 section 4.
    pub(super) fn key_of_password(
        self,
        password: &[u8],
        salt: &[u8],
        parameters: Option<&[u8]>,
    ) -> Result<Key, BadParameters> {
        let rounds = match parameters {
            None => self.usual_rounds(),
            Some(octets) => u32::from_be_bytes(octets.try_into().map_err(|_| BadParameters)?),
        };
        let rounds =
            NonZeroU32::new(rounds).filter(|rounds| rounds.get() <= MOST_ROUNDS).ok_or(BadParameters)?;
        let (algorithm, salt) = match self {
            Self::Aes128Sha1 | Self::Aes256Sha1 => (pbkdf2::PBKDF2_HMAC_SHA1, salt.to_vec()),
            Self::Aes128Sha2 => {
                (pbkdf2::PBKDF2_HMAC_SHA256, [b"aes128-cts-hmac-sha256-128\0", salt].concat())
            }
            Self::Aes256Sha2 => {
                (pbkdf2::PBKDF2_HMAC_SHA384, [b"aes256-cts-hmac-sha384-192\0", salt].concat())
            }
        };
        let mut value = Zeroizing::new(vec![0; self.key_length()]);
        pbkdf2::derive(algorithm, rounds, &salt, password, &mut value);
        let value = Key { etype: self, value }.derived(b"kerberos", self.key_length());
        Ok(Key { etype: self, value })
    }

    fn usual_rounds(self) -> u32 {
        match self {
            Self::Aes128Sha1 | Self::Aes256Sha1 => 4096,
            Self::Aes128Sha2 | Self::Aes256Sha2 => 32_768,
        }
    }
}

/// A key of the protocol (RFC 3961 section 3); wiped when dropped.
#[derive(Clone)]
pub(super) struct Key {
    etype: Etype,
    value: Zeroizing<Vec<u8>>,
}

impl Key {
    /// `None`: a type that is not served, or not its length.
    pub(super) fn new(etype: i32, value: &[u8]) -> Option<Self> {
        let etype = Etype::of(etype)?;
        (value.len() == etype.key_length()).then(|| Self { etype, value: Zeroizing::new(value.to_vec()) })
    }

    pub(super) fn etype(&self) -> Etype {
        self.etype
    }

    pub(super) fn is(&self, etype: i32, value: &[u8]) -> bool {
        self.etype.number() == etype && bool::from(self.value.ct_eq(value))
    }

    /// RFC 3961 section 5.1 (DK), RFC 8009 section 3 (KDF-HMAC-SHA2).
    fn derived(&self, label: &[u8], length: usize) -> Zeroizing<Vec<u8>> {
        let mut out = match self.etype {
            Etype::Aes128Sha1 | Etype::Aes256Sha1 => {
                let Some(cipher) = Cipher::new(&self.value) else { return Zeroizing::default() };
                let mut block = n_fold(label);
                let mut out = Zeroizing::new(Vec::with_capacity(length.next_multiple_of(BLOCK)));
                while out.len() < length {
                    cipher.encrypt(&mut block);
                    out.extend_from_slice(&block);
                }
                out
            }
            Etype::Aes128Sha2 | Etype::Aes256Sha2 => {
                let bits = u32::try_from(length * 8).unwrap_or(u32::MAX);
                self.etype.mac(&self.value, &[&[0, 0, 0, 1], label, &[0], &bits.to_be_bytes()])
            }
        };
        out.truncate(length);
        out
    }

    fn derived_for(&self, usage: Usage, purpose: Purpose) -> Zeroizing<Vec<u8>> {
        let length = match (self.etype, purpose) {
            (Etype::Aes256Sha2, Purpose::Checksum | Purpose::Integrity) => 24,
            (etype, _) => etype.key_length(),
        };
        let [a, b, c, d] = (usage as u32).to_be_bytes();
        self.derived(&[a, b, c, d, purpose as u8], length)
    }

    /// What `confounder`, 16 random octets, and `plain` encrypt to.
    pub(super) fn encrypt(&self, usage: Usage, confounder: [u8; BLOCK], plain: &[u8]) -> Vec<u8> {
        let Some(cipher) = Cipher::new(&self.derived_for(usage, Purpose::Encryption)) else {
            return Vec::new();
        };
        let mut data = Zeroizing::new([&confounder, plain].concat());
        let tag = match self.etype {
            Etype::Aes128Sha1 | Etype::Aes256Sha1 => {
                let tag = self.tag(usage, &data);
                cts::encrypt(&cipher, &mut data);
                tag
            }
            Etype::Aes128Sha2 | Etype::Aes256Sha2 => {
                cts::encrypt(&cipher, &mut data);
                self.tag(usage, &data)
            }
        };
        [data.as_slice(), tag.as_slice()].concat()
    }

    /// The plain text of what came.
    pub(super) fn decrypt(&self, usage: Usage, message: &[u8]) -> Result<Zeroizing<Vec<u8>>, Undecryptable> {
        let length = message.len().checked_sub(self.etype.tag_length()).ok_or(Undecryptable)?;
        let (data, tag) = message.split_at_checked(length).ok_or(Undecryptable)?;
        if data.len() < BLOCK {
            return Err(Undecryptable);
        }
        let cipher = Cipher::new(&self.derived_for(usage, Purpose::Encryption)).ok_or(Undecryptable)?;
        let mut plain = Zeroizing::new(data.to_vec());
        cts::decrypt(&cipher, &mut plain);
        let wanted = match self.etype {
            Etype::Aes128Sha1 | Etype::Aes256Sha1 => self.tag(usage, &plain),
            Etype::Aes128Sha2 | Etype::Aes256Sha2 => self.tag(usage, data),
        };
        if !bool::from(wanted.ct_eq(tag)) {
            return Err(Undecryptable);
        }
        Ok(Zeroizing::new(plain.get(BLOCK..).unwrap_or_default().to_vec()))
    }

    /// Over the plain text (RFC 3962 section 6), or over the initial vector and the cipher text (RFC 8009 section 5).
    fn tag(&self, usage: Usage, data: &[u8]) -> Zeroizing<Vec<u8>> {
        let key = self.derived_for(usage, Purpose::Integrity);
        let vector: &[u8] = match self.etype {
            Etype::Aes128Sha1 | Etype::Aes256Sha1 => &[],
            Etype::Aes128Sha2 | Etype::Aes256Sha2 => &[0; BLOCK],
        };
        let mut tag = self.etype.mac(&key, &[vector, data]);
        tag.truncate(self.etype.tag_length());
        tag
    }

    /// RFC 3961 section 5.4, RFC 8009 section 6.
    pub(super) fn checksum(&self, usage: Usage, data: &[u8]) -> Vec<u8> {
        let key = self.derived_for(usage, Purpose::Checksum);
        let mac = self.etype.mac(&key, &[data]);
        mac.get(..self.etype.tag_length()).unwrap_or_default().to_vec()
    }
}

/// RFC 3961 section 5.1: a constant stretched to a block. Those of this protocol have 5 or 8 octets.
fn n_fold(input: &[u8]) -> [u8; BLOCK] {
    let bits = u32::try_from(input.len() * 8).unwrap_or(128).clamp(8, 64);
    let value = input.iter().take(8).fold(0u64, |sum, &octet| (sum << 8) | u64::from(octet));
    let mask = u64::MAX >> (64 - bits);
    // As many copies as end together with a block, each turned right by 13 bits more than the one before.
    let octets = input.len().clamp(1, 8);
    let copies = BLOCK / greatest_common_divisor(octets, BLOCK);
    let mut stream = Vec::with_capacity(copies * octets);
    for copy in 0..copies {
        let turn = u32::try_from(13 * copy).unwrap_or(0) % bits;
        let turned = if turn == 0 { value } else { ((value >> turn) | (value << (bits - turn))) & mask };
        stream.extend(turned.to_be_bytes().into_iter().skip(8 - octets));
    }
    // Ones' complement sum of the blocks.
    let mut sum = 0u128;
    for block in stream.chunks(BLOCK) {
        let block = block.iter().fold(0u128, |sum, &octet| (sum << 8) | u128::from(octet));
        let (added, carry) = sum.overflowing_add(block);
        sum = added.wrapping_add(u128::from(carry));
    }
    sum.to_be_bytes()
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests;
