//! The change of a password (RFC 2759 8.9 to 8.13): the new one travels encrypted under the hash of the old
//! one, and the hash of the old one under that of the new, so that neither can be put in without the other.
//!
//! Whoever knows the old password can read the new one from the wire. The protocol says so.

use des::Des;
use des::cipher::{BlockCipherDecrypt, KeyInit};
use rc4::{Rc4, StreamCipher};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::NtHash;
use crate::nt_hash::units_of;
use crate::v1::{des_encrypt, des_key};

/// Octets of an encrypted password: 512 of padding and password, 4 of length (RFC 2759 8.10).
pub const PASSWORD_BLOCK: usize = 516;
/// The longest new password, in UTF-16 units.
pub const LONGEST_PASSWORD: usize = 256;

const ROOM: usize = 2 * LONGEST_PASSWORD;

/// `NewPasswordEncryptedWithOldNtPasswordHash` (RFC 2759 8.9). The octets of `new` are read as by
/// [`nt_password_hash`](crate::nt_password_hash); `padding` is random and fills what the password leaves. `None` for a
/// password of more than 256 UTF-16 units.
pub fn encrypt_new_password(
    new: &[u8],
    old: &NtHash,
    padding: &[u8; ROOM],
) -> Option<Box<[u8; PASSWORD_BLOCK]>> {
    let units = units_of(new);
    let start = LONGEST_PASSWORD.checked_sub(units.len())?;
    let mut block = Box::new([0; PASSWORD_BLOCK]);
    let (room, length) = block.split_at_mut(ROOM);
    room.copy_from_slice(padding);
    for (place, unit) in room.as_chunks_mut::<2>().0.iter_mut().skip(start).zip(units.iter()) {
        *place = unit.to_le_bytes();
    }
    length.copy_from_slice(&u32::try_from(2 * units.len()).ok()?.to_le_bytes());
    crypt(block.as_mut_slice(), old)?;
    Some(block)
}

/// The other way: the hash of the new password. `None` where the block was not made under this hash.
pub fn decrypt_new_password(block: &[u8; PASSWORD_BLOCK], old: &NtHash) -> Option<NtHash> {
    let mut clear = Zeroizing::new(*block);
    crypt(clear.as_mut_slice(), old)?;
    let (room, length) = clear.split_last_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let password = room.get(ROOM.checked_sub(length)?..)?;
    let (units, rest) = password.as_chunks::<2>();
    rest.is_empty().then(|| NtHash::of_units(units.iter().copied().map(u16::from_le_bytes)))
}

/// `OldNtPasswordHashEncryptedWithNewNtPasswordHash` (RFC 2759 8.12): each half of the old hash under seven
/// octets of the new one.
pub fn encrypt_old_hash(old: &NtHash, new: &NtHash) -> [u8; 16] {
    halves(old.as_bytes(), new, des_encrypt)
}

/// The other way: the old hash that the peer had.
pub fn decrypt_old_hash(encrypted: &[u8; 16], new: &NtHash) -> NtHash {
    NtHash::from_bytes(halves(encrypted, new, des_decrypt))
}

/// What a server does: the hash of the new password, if the peer proved in both fields that it knows the old one.
pub fn verify_new_password(
    block: &[u8; PASSWORD_BLOCK],
    encrypted_hash: &[u8; 16],
    old: &NtHash,
) -> Option<NtHash> {
    let new = decrypt_new_password(block, old)?;
    bool::from(encrypt_old_hash(old, &new).ct_eq(encrypted_hash)).then_some(new)
}

/// RC4 under the hash: the same both ways.
fn crypt(block: &mut [u8], hash: &NtHash) -> Option<()> {
    Rc4::new_from_slice(hash.as_bytes()).ok()?.apply_keystream(block);
    Some(())
}

fn halves(hash: &[u8; 16], key: &NtHash, cipher: fn(&[u8; 8], &[u8; 7]) -> [u8; 8]) -> [u8; 16] {
    let mut result = [0; 16];
    let (blocks, _) = hash.as_chunks::<8>();
    let (keys, _) = key.as_bytes().as_chunks::<7>();
    for ((place, block), key) in result.as_chunks_mut::<8>().0.iter_mut().zip(blocks).zip(keys) {
        *place = cipher(block, key);
    }
    result
}

fn des_decrypt(encrypted: &[u8; 8], key: &[u8; 7]) -> [u8; 8] {
    let mut block = (*encrypted).into();
    Des::new(&(*des_key(key)).into()).decrypt_block(&mut block);
    block.into()
}

#[cfg(test)]
mod tests;
