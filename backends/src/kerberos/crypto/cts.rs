//! AES in CBC mode with ciphertext stealing (RFC 3962 section 5: CBC-CS3, an initial vector of zeros).

use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use aes::{Aes128, Aes256};

/// Octets of a block.
pub(super) const BLOCK: usize = 16;

type Block = [u8; BLOCK];

/// AES with a key of either length; wiped when dropped.
pub(super) enum Cipher {
    Aes128(Box<Aes128>),
    Aes256(Box<Aes256>),
}

impl Cipher {
    pub(super) fn new(key: &[u8]) -> Option<Self> {
        match key.len() {
            16 => Aes128::new_from_slice(key).ok().map(|aes| Self::Aes128(Box::new(aes))),
            32 => Aes256::new_from_slice(key).ok().map(|aes| Self::Aes256(Box::new(aes))),
            _ => None,
        }
    }

    pub(super) fn encrypt(&self, block: &mut Block) {
        match self {
            Self::Aes128(aes) => aes.encrypt_block(block.into()),
            Self::Aes256(aes) => aes.encrypt_block(block.into()),
        }
    }

    fn decrypt(&self, block: &mut Block) {
        match self {
            Self::Aes128(aes) => aes.decrypt_block(block.into()),
            Self::Aes256(aes) => aes.decrypt_block(block.into()),
        }
    }
}

/// In place; at least one block.
pub(super) fn encrypt(cipher: &Cipher, data: &mut [u8]) {
    let mut blocks = blocks(data);
    let mut previous = [0; BLOCK];
    for block in &mut blocks {
        xor(block, &previous);
        cipher.encrypt(block);
        previous = *block;
    }
    swap_last_two(&mut blocks);
    fill(data, &blocks);
}

/// In place; at least one block.
pub(super) fn decrypt(cipher: &Cipher, data: &mut [u8]) {
    let mut blocks = blocks(data);
    // The last but one was encrypted last: its decryption ends with what was stolen from the last one.
    if let [.., full, stolen] = blocks.as_mut_slice() {
        let mut tail = *full;
        cipher.decrypt(&mut tail);
        let present = match data.len() % BLOCK {
            0 => BLOCK,
            part => part,
        };
        for (octet, tail) in stolen.iter_mut().zip(&tail).skip(present) {
            *octet = *tail;
        }
    }
    swap_last_two(&mut blocks);
    let mut previous = [0; BLOCK];
    for block in &mut blocks {
        let encrypted = *block;
        cipher.decrypt(block);
        xor(block, &previous);
        previous = encrypted;
    }
    fill(data, &blocks);
}

/// The last one filled up with zeros.
fn blocks(data: &[u8]) -> Vec<Block> {
    let block = |chunk: &[u8]| {
        let mut block = [0; BLOCK];
        for (octet, value) in block.iter_mut().zip(chunk) {
            *octet = *value;
        }
        block
    };
    data.chunks(BLOCK).map(block).collect()
}

fn fill(data: &mut [u8], blocks: &[Block]) {
    for (octet, value) in data.iter_mut().zip(blocks.iter().flatten()) {
        *octet = *value;
    }
}

fn swap_last_two(blocks: &mut [Block]) {
    if let [.., one, other] = blocks {
        std::mem::swap(one, other);
    }
}

fn xor(block: &mut Block, with: &Block) {
    for (octet, value) in block.iter_mut().zip(with) {
        *octet ^= value;
    }
}
