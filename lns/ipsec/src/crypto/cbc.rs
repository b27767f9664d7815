//! Block ciphers in CBC mode over whole blocks, in place. Padding is the business of who encrypts.

use cbc::cipher::{
    Array, Block, BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, InnerIvInit,
    KeyInit,
};

use crate::algorithm::Cipher;

/// Data that is not whole blocks, or an initialization vector that is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not whole blocks")]
pub struct LengthError;

/// Declares one direction of the cipher; the key schedules are wiped by their crates.
macro_rules! direction {
    ($name:ident, $des:ty, $triple_des:ty, $aes128:ty, $aes192:ty, $aes256:ty, $run:ident) => {
        #[derive(Clone)]
        pub(crate) enum $name {
            Des($des),
            TripleDes($triple_des),
            Aes128($aes128),
            Aes192($aes192),
            Aes256($aes256),
        }

        impl $name {
            /// `None` when the key has not the cipher's length.
            pub(crate) fn new(cipher: Cipher, key: &[u8]) -> Option<Self> {
                Some(match cipher {
                    Cipher::Des => Self::Des(<$des>::new_from_slice(key).ok()?),
                    Cipher::TripleDes => Self::TripleDes(<$triple_des>::new_from_slice(key).ok()?),
                    Cipher::Aes128 => Self::Aes128(<$aes128>::new_from_slice(key).ok()?),
                    Cipher::Aes192 => Self::Aes192(<$aes192>::new_from_slice(key).ok()?),
                    Cipher::Aes256 => Self::Aes256(<$aes256>::new_from_slice(key).ok()?),
                })
            }

            pub(crate) fn run(&self, iv: &[u8], data: &mut [u8]) -> Result<(), LengthError> {
                match self {
                    Self::Des(key) => $run(key, iv, data),
                    Self::TripleDes(key) => $run(key, iv, data),
                    Self::Aes128(key) => $run(key, iv, data),
                    Self::Aes192(key) => $run(key, iv, data),
                    Self::Aes256(key) => $run(key, iv, data),
                }
            }
        }
    };
}

direction!(Encryptor, des::Des, des::TdesEde3, aes::Aes128Enc, aes::Aes192Enc, aes::Aes256Enc, encrypt);
direction!(Decryptor, des::Des, des::TdesEde3, aes::Aes128Dec, aes::Aes192Dec, aes::Aes256Dec, decrypt);

fn encrypt<C: BlockCipherEncrypt>(key: &C, iv: &[u8], data: &mut [u8]) -> Result<(), LengthError> {
    let (iv, blocks) = blocks::<C>(iv, data)?;
    cbc::Encryptor::inner_iv_init(key, iv).encrypt_blocks(blocks);
    Ok(())
}

fn decrypt<C: BlockCipherDecrypt>(key: &C, iv: &[u8], data: &mut [u8]) -> Result<(), LengthError> {
    let (iv, blocks) = blocks::<C>(iv, data)?;
    cbc::Decryptor::inner_iv_init(key, iv).decrypt_blocks(blocks);
    Ok(())
}

type Blocks<'a, C> = (&'a Block<C>, &'a mut [Block<C>]);

fn blocks<'a, C: cbc::cipher::BlockSizeUser>(
    iv: &'a [u8],
    data: &'a mut [u8],
) -> Result<Blocks<'a, C>, LengthError> {
    let iv = <&Block<C>>::try_from(iv).map_err(|_| LengthError)?;
    match Array::slice_as_chunks_mut(data) {
        (blocks, []) => Ok((iv, blocks)),
        _ => Err(LengthError),
    }
}

/// A key for both directions, as phase 1 needs it.
#[derive(Clone)]
pub struct CbcKey {
    encryptor: Encryptor,
    decryptor: Decryptor,
}

impl CbcKey {
    /// A key of this cipher; `None` when it has not the cipher's length.
    pub fn new(cipher: Cipher, key: &[u8]) -> Option<Self> {
        Some(Self { encryptor: Encryptor::new(cipher, key)?, decryptor: Decryptor::new(cipher, key)? })
    }

    /// Encrypts whole blocks in place. The next initialization vector of phase 1 is the last block of the result.
    pub fn encrypt(&self, iv: &[u8], data: &mut [u8]) -> Result<(), LengthError> {
        self.encryptor.run(iv, data)
    }

    /// Decrypts whole blocks in place.
    pub fn decrypt(&self, iv: &[u8], data: &mut [u8]) -> Result<(), LengthError> {
        self.decryptor.run(iv, data)
    }
}

impl std::fmt::Debug for CbcKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CbcKey").finish_non_exhaustive()
    }
}
