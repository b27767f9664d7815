//! The NT password hash: MD4 over the password in UTF-16LE (RFC 2433 A.4, RFC 2759 8.3). Whoever holds it can log
//! in without the password, so it is kept like one.

use md4::{Digest, Md4};
use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// An NT password hash. It is wiped when dropped, prints nothing of itself and compares in constant time.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct NtHash([u8; 16]);

impl NtHash {
    /// The hash of a password.
    pub fn from_password(password: &str) -> Self {
        Self::of_units(password.encode_utf16())
    }

    /// A hash that was computed elsewhere (a users file, a directory's `sambaNTPassword`).
    pub fn from_bytes(hash: [u8; 16]) -> Self {
        Self(hash)
    }

    /// The sixteen octets.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// MD4 over the hash itself, the `PasswordHashHash` of RFC 2759 8.4: it proves the server's knowledge to the
    /// peer and is the root of the MPPE keys.
    pub fn hash_again(&self) -> Self {
        Self(Md4::digest(self.0).into())
    }

    pub(crate) fn of_units(units: impl Iterator<Item = u16>) -> Self {
        let mut hasher = Md4::new();
        for unit in units {
            let octets = Zeroizing::new(unit.to_le_bytes());
            hasher.update(octets.as_slice());
        }
        Self(hasher.finalize().into())
    }
}

impl ConstantTimeEq for NtHash {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl PartialEq for NtHash {
    fn eq(&self, other: &Self) -> bool {
        self.ct_eq(other).into()
    }
}

impl Eq for NtHash {}

impl std::fmt::Debug for NtHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NtHash(..)")
    }
}

/// The hash of a password given as octets.
///
/// Octets that are valid UTF-8 are read as UTF-8. Any others are read as Latin-1, one character per octet: that is
/// what a client that passes its 8-bit code page through means, and it keeps the function total, so that a strange
/// password is a wrong password and not an error of its own kind.
pub fn nt_password_hash(password: &[u8]) -> NtHash {
    NtHash::of_units(units_of(password).iter().copied())
}

/// The UTF-16 units of a password given as octets.
pub(crate) fn units_of(password: &[u8]) -> Zeroizing<Vec<u16>> {
    // No more units than octets: nothing is left behind by a vector that grew.
    let mut units = Zeroizing::new(Vec::with_capacity(password.len()));
    match std::str::from_utf8(password) {
        Ok(text) => units.extend(text.encode_utf16()),
        Err(_) => units.extend(password.iter().map(|&octet| u16::from(octet))),
    }
    units
}

#[cfg(test)]
mod tests;
