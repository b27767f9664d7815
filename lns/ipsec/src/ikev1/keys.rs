//! Key derivation and the encryption of messages (RFC 2409 section 5 and appendix B).

use zeroize::Zeroizing;

use super::header::{COMMIT, Cookies, ENCRYPTED, HEADER, Header};
use super::payload::Builder;
use crate::algorithm::{Cipher, EspSuite, Hash};
use crate::crypto::{self, CbcKey, Digest};

/// What both sides know at the end of phase 1's key exchange.
#[derive(Debug, Clone, Copy)]
pub struct Exchange<'a> {
    /// Whose keys.
    pub cookies: Cookies,
    /// The initiator's nonce, without its header.
    pub nonce_i: &'a [u8],
    /// The responder's nonce.
    pub nonce_r: &'a [u8],
    /// The initiator's public value.
    pub public_i: &'a [u8],
    /// The responder's public value.
    pub public_r: &'a [u8],
    /// The shared secret.
    pub shared: &'a [u8],
}

/// The keys of an ISAKMP association.
pub struct Keys {
    hash: Hash,
    cipher: Cipher,
    skeyid: Digest,
    skeyid_d: Digest,
    skeyid_a: Digest,
    key: CbcKey,
    /// The last block of ciphertext of phase 1, from which the vectors of phase 2 come.
    phase1: Vec<u8>,
    /// What a dissector needs, where it was asked for.
    raw_key: Option<Zeroizing<Vec<u8>>>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("hash", &self.hash).field("cipher", &self.cipher).finish_non_exhaustive()
    }
}

impl Keys {
    /// SKEYID from a pre-shared key.
    pub fn skeyid_from_key(hash: Hash, key: &[u8], nonce_i: &[u8], nonce_r: &[u8]) -> Digest {
        crypto::prf(hash, key, &[nonce_i, nonce_r])
    }

    /// SKEYID where signatures authenticate.
    pub fn skeyid_from_signature(hash: Hash, exchange: &Exchange<'_>) -> Digest {
        let nonces = [exchange.nonce_i, exchange.nonce_r].concat();
        crypto::prf(hash, &nonces, &[exchange.shared])
    }

    /// SKEYID_d, SKEYID_a and SKEYID_e from SKEYID; the encryption key from SKEYID_e. `None` cannot happen for the
    /// ciphers that there are.
    pub fn derive(hash: Hash, cipher: Cipher, skeyid: Digest, exchange: &Exchange<'_>) -> Option<Self> {
        let cookies = exchange.cookies.octets();
        let skeyid_d = crypto::prf(hash, &skeyid, &[exchange.shared, &cookies, &[0]]);
        let skeyid_a = crypto::prf(hash, &skeyid, &[&skeyid_d, exchange.shared, &cookies, &[1]]);
        let skeyid_e = crypto::prf(hash, &skeyid, &[&skeyid_a, exchange.shared, &cookies, &[2]]);
        let raw = stretch(hash, &skeyid_e, cipher.key_length());
        let key = CbcKey::new(cipher, &raw)?;
        let vector = crypto::hash(hash, &[exchange.public_i, exchange.public_r]);
        let phase1 = vector.get(..cipher.block_length())?.to_vec();
        Some(Self { hash, cipher, skeyid, skeyid_d, skeyid_a, key, phase1, raw_key: Some(raw) })
    }

    /// The encryption key, once: for a caller who logs his own keys. Whoever does not want it drops it here.
    pub fn take_raw_key(&mut self) -> Option<Zeroizing<Vec<u8>>> {
        self.raw_key.take()
    }

    /// HASH_I (`of_initiator`) or HASH_R: the proof of phase 1 over the initiator's SA and the side's identity.
    pub fn proof(&self, exchange: &Exchange<'_>, of_initiator: bool, sa_i: &[u8], id: &[u8]) -> Digest {
        let Cookies { initiator, responder } = exchange.cookies;
        let parts: [&[u8]; 4] = match of_initiator {
            true => [exchange.public_i, exchange.public_r, &initiator.0, &responder.0],
            false => [exchange.public_r, exchange.public_i, &responder.0, &initiator.0],
        };
        let [first, second, third, fourth] = parts;
        crypto::prf(self.hash, &self.skeyid, &[first, second, third, fourth, sa_i, id])
    }

    /// The authentication of phase 2 over message id and further parts.
    pub fn authenticate(&self, parts: &[&[u8]]) -> Digest {
        crypto::prf(self.hash, &self.skeyid_a, parts)
    }

    /// The vector that phase 1 goes on with.
    pub fn phase1_vector(&self) -> Vec<u8> {
        self.phase1.clone()
    }

    /// Notes how far phase 1's chain of ciphertext has come.
    pub fn set_phase1_vector(&mut self, vector: &[u8]) {
        self.phase1 = vector.to_vec();
    }

    /// The first vector of an exchange of phase 2.
    pub fn phase2_vector(&self, message_id: u32) -> Vec<u8> {
        let digest = crypto::hash(self.hash, &[&self.phase1, &message_id.to_be_bytes()]);
        digest.get(..self.cipher.block_length()).unwrap_or_default().to_vec()
    }

    /// Encrypts a chain of payloads into a message; `vector` moves on to the message's last block.
    pub fn seal(&self, header: Header, chain: &Builder, vector: &mut Vec<u8>) -> Vec<u8> {
        let (first, payloads) = chain.chain();
        let block = self.cipher.block_length();
        let mut body = payloads.to_vec();
        body.resize(body.len().next_multiple_of(block), 0);
        // Whole blocks by construction.
        let _ = self.key.encrypt(vector, &mut body);
        if let Some(last) = body.len().checked_sub(block).and_then(|at| body.get(at..)) {
            *vector = last.to_vec();
        }
        let flags = (header.flags | ENCRYPTED) & !COMMIT;
        let header = Header { next_payload: first, flags, ..header };
        let mut message = header.encode(HEADER + body.len()).to_vec();
        message.extend(body);
        message
    }

    /// Decrypts what follows a header; gives the clear text and the vector for the next message.
    pub fn open(&self, vector: &[u8], body: &[u8]) -> Option<(Zeroizing<Vec<u8>>, Vec<u8>)> {
        let block = self.cipher.block_length();
        let next = body.get(body.len().checked_sub(block)?..)?.to_vec();
        let mut clear = Zeroizing::new(body.to_vec());
        self.key.decrypt(vector, &mut clear).ok()?;
        Some((clear, next))
    }

    /// KEYMAT of one direction of an ESP association (RFC 2409 section 5.5); `shared` with PFS.
    pub fn keymat(
        &self,
        suite: EspSuite,
        protocol: u8,
        spi: u32,
        nonce_i: &[u8],
        nonce_r: &[u8],
        shared: Option<&[u8]>,
    ) -> Zeroizing<Vec<u8>> {
        let (protocol, spi, shared) = ([protocol], spi.to_be_bytes(), shared.unwrap_or_default());
        let wanted = suite.keymat_length();
        let mut keymat = Zeroizing::new(Vec::with_capacity(wanted + self.hash.length()));
        let mut last = crypto::prf(self.hash, &self.skeyid_d, &[shared, &protocol, &spi, nonce_i, nonce_r]);
        loop {
            keymat.extend_from_slice(&last);
            if keymat.len() >= wanted {
                keymat.truncate(wanted);
                return keymat;
            }
            last =
                crypto::prf(self.hash, &self.skeyid_d, &[&last, shared, &protocol, &spi, nonce_i, nonce_r]);
        }
    }
}

/// Makes a key of the cipher's length of SKEYID_e (RFC 2409 appendix B).
fn stretch(hash: Hash, skeyid_e: &[u8], length: usize) -> Zeroizing<Vec<u8>> {
    let mut key = Zeroizing::new(Vec::with_capacity(length + hash.length()));
    if let Some(enough) = skeyid_e.get(..length) {
        key.extend_from_slice(enough);
        return key;
    }
    let mut last = crypto::prf(hash, skeyid_e, &[&[0]]);
    while key.len() < length {
        key.extend_from_slice(&last);
        last = crypto::prf(hash, skeyid_e, &[&last]);
    }
    key.truncate(length);
    key
}

#[cfg(test)]
mod tests;
