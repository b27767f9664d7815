//! The keys of a suite, and what they do with the octets of one packet: integrity over everything before the check value
//! (RFC 4303 section 3.3.2), or AES-GCM as RFC 4106 sets it.

use ring::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use tollgate_sansio::Entropy;
use zeroize::Zeroizing;

use super::{DropReason, HEADER, Layout, TRAILER};
use crate::algorithm::{Cipher, EspCipher, EspSuite, Hash, Integrity};
use crate::crypto::{Decryptor, Encryptor, MacKey};

/// Octets of an association's secret part of AES-GCM's nonce (RFC 4106 section 4).
const SALT: usize = 4;

/// Key material cut into its parts.
#[expect(clippy::large_enum_variant, reason = "there is one while an association is made")]
enum Keymat<'a> {
    Cbc { cipher: Cipher, key: &'a [u8], mac: MacKey },
    Gcm(GcmKey),
}

impl<'a> Keymat<'a> {
    /// `None` when it has not the suite's length. The cipher's key comes first.
    fn split(suite: EspSuite, keymat: &'a [u8]) -> Option<Self> {
        if keymat.len() != suite.keymat_length() {
            return None;
        }
        let (key, mac_key) = keymat.split_at_checked(suite.cipher().keymat_length())?;
        let cipher = match suite.cipher() {
            EspCipher::Des => Cipher::Des,
            EspCipher::TripleDes => Cipher::TripleDes,
            EspCipher::Aes128 => Cipher::Aes128,
            EspCipher::Aes192 => Cipher::Aes192,
            EspCipher::Aes256 => Cipher::Aes256,
            EspCipher::Aes128Gcm => return GcmKey::new(&aead::AES_128_GCM, key).map(Self::Gcm),
            EspCipher::Aes256Gcm => return GcmKey::new(&aead::AES_256_GCM, key).map(Self::Gcm),
        };
        let hash = match suite.integrity()? {
            Integrity::HmacMd5 => Hash::Md5,
            Integrity::HmacSha1 => Hash::Sha1,
            Integrity::HmacSha256 => Hash::Sha256,
            Integrity::HmacSha384 => Hash::Sha384,
            Integrity::HmacSha512 => Hash::Sha512,
        };
        Some(Self::Cbc { cipher, key, mac: MacKey::new(hash, mac_key) })
    }
}

/// A key of AES-GCM with its salt.
pub(super) struct GcmKey {
    key: LessSafeKey,
    salt: Zeroizing<[u8; SALT]>,
}

impl GcmKey {
    fn new(algorithm: &'static aead::Algorithm, keymat: &[u8]) -> Option<Self> {
        let (key, salt) = keymat.split_last_chunk::<SALT>()?;
        let key = LessSafeKey::new(UnboundKey::new(algorithm, key).ok()?);
        Some(Self { key, salt: Zeroizing::new(*salt) })
    }

    /// Salt and initialization vector (RFC 4106 section 4).
    fn nonce(&self, iv: &[u8]) -> Option<Nonce> {
        let mut nonce = [0; aead::NONCE_LEN];
        let (salt, rest) = nonce.split_first_chunk_mut::<SALT>()?;
        *salt = *self.salt;
        if iv.len() != rest.len() {
            return None;
        }
        rest.copy_from_slice(iv);
        Some(Nonce::assume_unique_for_key(nonce))
    }
}

/// The keys of the peer's packets.
pub(super) enum OpeningKey {
    Cbc { decryptor: Decryptor, mac: MacKey },
    Gcm(GcmKey),
}

impl OpeningKey {
    /// `None` when the key material has not the suite's length.
    pub(super) fn new(suite: EspSuite, keymat: &[u8]) -> Option<Self> {
        Some(match Keymat::split(suite, keymat)? {
            Keymat::Cbc { cipher, key, mac } => Self::Cbc { decryptor: Decryptor::new(cipher, key)?, mac },
            Keymat::Gcm(key) => Self::Gcm(key),
        })
    }

    /// Verifies a whole packet and then decrypts it; gives payload, padding and trailer.
    pub(super) fn open<'a>(&self, layout: Layout, packet: &'a mut [u8]) -> Result<&'a mut [u8], DropReason> {
        let text_len = packet.len().checked_sub(layout.before() + layout.icv);
        let text_len = text_len.filter(|length| *length >= TRAILER).ok_or(DropReason::Truncated)?;
        if !text_len.is_multiple_of(layout.alignment) {
            return Err(DropReason::Alignment);
        }
        match self {
            Self::Cbc { decryptor, mac } => {
                let covered = layout.before() + text_len;
                let (covered, icv) = packet.split_at_mut_checked(covered).ok_or(DropReason::Truncated)?;
                if !mac.verify(covered, icv) {
                    return Err(DropReason::Integrity);
                }
                let (_, iv, text) = parts(layout, covered).ok_or(DropReason::Truncated)?;
                decryptor.run(iv, text).map_err(|_| DropReason::Alignment)?;
                Ok(text)
            }
            Self::Gcm(key) => {
                let (header, iv, text) = parts(layout, packet).ok_or(DropReason::Truncated)?;
                let nonce = key.nonce(iv).ok_or(DropReason::Truncated)?;
                key.key.open_in_place(nonce, Aad::from(*header), text).map_err(|_| DropReason::Integrity)
            }
        }
    }
}

/// The keys of our own packets.
#[expect(clippy::large_enum_variant, reason = "each association has one, and reads it for every packet")]
pub(super) enum SealingKey {
    Cbc { encryptor: Encryptor, mac: MacKey, ivs: Encryptor },
    Gcm(GcmKey),
}

impl SealingKey {
    /// `None` when the key material has not the suite's length.
    pub(super) fn new(suite: EspSuite, keymat: &[u8], entropy: &mut Entropy) -> Option<Self> {
        Some(match Keymat::split(suite, keymat)? {
            Keymat::Cbc { cipher, key, mac } => {
                let encryptor = Encryptor::new(cipher, key)?;
                let iv_key = Zeroizing::new(entropy.array::<16>());
                Self::Cbc { encryptor, mac, ivs: Encryptor::new(Cipher::Aes128, &*iv_key)? }
            }
            Keymat::Gcm(key) => Self::Gcm(key),
        })
    }

    /// The initialization vector of a packet; a shorter one is the beginning of this. None repeats in the life of an
    /// association, whose sequence numbers do not. In CBC mode nobody may foretell it (RFC 3602 section 3), so it is the
    /// sequence number encrypted with a key that serves for nothing else; for AES-GCM it must only differ (RFC 4106
    /// section 3.1), and is the sequence number.
    pub(super) fn iv(&self, sequence: u32) -> [u8; 16] {
        let [a, b, c, d] = sequence.to_be_bytes();
        let mut iv = [0, 0, 0, 0, a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0];
        if let Self::Cbc { ivs, .. } = self {
            // One block under a vector of one block, so it does not fail.
            let _ = ivs.run(&[0; 16], &mut iv);
        }
        iv
    }

    /// Encrypts a whole packet whose header, initialization vector, payload, padding and trailer stand, and fills in the
    /// check value. `None` when the packet has not the suite's lengths.
    pub(super) fn seal(&self, layout: Layout, packet: &mut [u8]) -> Option<()> {
        let covered = packet.len().checked_sub(layout.icv)?;
        let (covered, icv) = packet.split_at_mut_checked(covered)?;
        match self {
            Self::Cbc { encryptor, mac, .. } => {
                let (_, iv, text) = parts(layout, covered)?;
                encryptor.run(iv, text).ok()?;
                mac.fill(covered, icv)?;
            }
            Self::Gcm(key) => {
                let (header, iv, text) = parts(layout, covered)?;
                let aad = Aad::from(*header);
                let tag = key.key.seal_in_place_separate_tag(key.nonce(iv)?, aad, text).ok()?;
                icv.copy_from_slice(tag.as_ref().get(..icv.len())?);
            }
        }
        Some(())
    }
}

/// Header, initialization vector and what comes after them.
type Parts<'a> = (&'a [u8; HEADER], &'a [u8], &'a mut [u8]);

fn parts(layout: Layout, packet: &mut [u8]) -> Option<Parts<'_>> {
    let (header, rest) = packet.split_first_chunk_mut::<HEADER>()?;
    let (iv, text) = rest.split_at_mut_checked(layout.iv)?;
    Some((header, iv, text))
}

#[cfg(test)]
mod tests;
