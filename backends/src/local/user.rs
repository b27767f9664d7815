//! One account and how its password is kept.

use std::net::Ipv4Addr;
use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, Params, PasswordHasher, PasswordVerifier};
use tollgate_mschap::{NtHash, nt_password_hash};

use super::date::Date;

/// How a password is kept. No `Debug`: an NT hash is as good as the password.
#[derive(Clone, PartialEq, Eq)]
pub enum StoredPassword {
    /// MD4 over the password in UTF-16 (RFC 2759 section 8.3): serves PAP, MS-CHAPv1 and MS-CHAPv2.
    NtHash(NtHash),
    /// A PHC string, `$argon2id$v=19$m=...,t=...,p=...$salt$hash`: serves PAP only.
    Argon2id(Arc<str>),
}

/// A stored password that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPassword {
    /// Not 32 hexadecimal digits.
    #[error("an NT hash has 32 hexadecimal digits")]
    NtHash,
    /// Not an Argon2id PHC string, or one whose cost no login should have to pay.
    #[error("not an Argon2id string ($argon2id$v=19$...) with at most 1 GiB of memory, 64 passes, 16 lanes")]
    Argon2id,
    /// The hash could not be made.
    #[error("cannot hash the password: {0}")]
    Hashing(String),
}

/// Highest costs taken from a file: whoever can write it must not be able to stall the server by a typing error.
const MOST_MEMORY_KIB: u32 = 1 << 20;
const MOST_PASSES: u32 = 64;
const MOST_LANES: u32 = 16;

impl StoredPassword {
    /// The NT hash of `password` (UTF-8).
    pub fn nt(password: &[u8]) -> Self {
        Self::NtHash(nt_password_hash(password))
    }

    /// Argon2id of `password` with a fresh salt. Takes some ten milliseconds and 19 MiB.
    pub fn argon2id(password: &[u8]) -> Result<Self, BadPassword> {
        let hash: PasswordHash = Argon2::default()
            .hash_password(password)
            .map_err(|error| BadPassword::Hashing(error.to_string()))?;
        Ok(Self::Argon2id(hash.to_string().into()))
    }

    /// An NT hash as 32 hexadecimal digits.
    pub fn from_nt_hex(hex: &str) -> Result<Self, BadPassword> {
        let mut hash = [0; 16];
        if hex.len() != 32 || !hex.is_ascii() {
            return Err(BadPassword::NtHash);
        }
        for (octet, pair) in hash.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            *octet = std::str::from_utf8(pair)
                .ok()
                .filter(|pair| pair.bytes().all(|digit| digit.is_ascii_hexdigit()))
                .and_then(|pair| u8::from_str_radix(pair, 16).ok())
                .ok_or(BadPassword::NtHash)?;
        }
        Ok(Self::NtHash(NtHash::from_bytes(hash)))
    }

    /// A PHC string.
    pub fn from_phc(phc: &str) -> Result<Self, BadPassword> {
        cost(phc).map(|_| Self::Argon2id(phc.into()))
    }

    /// The key of the users file that holds it, and its value there.
    pub(super) fn to_entry(&self) -> (&'static str, String) {
        match self {
            Self::NtHash(hash) => {
                ("nt-hash", hash.as_bytes().iter().map(|octet| format!("{octet:02x}")).collect())
            }
            Self::Argon2id(phc) => ("password-hash", phc.to_string()),
        }
    }

    /// The words of `tollgate user list`: what the user can log in with.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NtHash(_) => "nt-hash (PAP, MS-CHAPv1, MS-CHAPv2)",
            Self::Argon2id(_) => "argon2id (PAP)",
        }
    }
}

/// What a PHC string costs to check, for choosing the dearest one; refuses what this server does not check.
pub(super) fn cost(phc: &str) -> Result<u64, BadPassword> {
    let hash = PasswordHash::new(phc).map_err(|_| BadPassword::Argon2id)?;
    let params = Params::try_from(&hash).map_err(|_| BadPassword::Argon2id)?;
    let served = hash.algorithm.as_str() == "argon2id"
        && hash.version == Some(0x13)
        && hash.salt.is_some()
        && hash.hash.is_some()
        && params.m_cost() <= MOST_MEMORY_KIB
        && params.t_cost() <= MOST_PASSES
        && params.p_cost() <= MOST_LANES;
    if served {
        Ok(u64::from(params.m_cost()) * u64::from(params.t_cost()))
    } else {
        Err(BadPassword::Argon2id)
    }
}

/// Checks a password against a PHC string that [`cost`] has accepted. Blocks for as long as the string costs.
pub(super) fn verify(phc: &str, password: &[u8]) -> bool {
    PasswordHash::new(phc).is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok())
}

/// One account.
#[derive(Clone)]
pub struct User {
    /// Exact: upper and lower case differ.
    pub name: String,
    /// How its password is kept.
    pub password: StoredPassword,
    /// Group policy of its sessions.
    pub group_policy: Option<String>,
    /// Its fixed address.
    pub address: Option<Ipv4Addr>,
    /// Last day on which it may log in, to the end of that day in UTC.
    pub expires: Option<Date>,
    /// `false`: it may not log in.
    pub enabled: bool,
}

impl User {
    /// An enabled account without anything special.
    pub fn new(name: impl Into<String>, password: StoredPassword) -> Self {
        Self { name: name.into(), password, group_policy: None, address: None, expires: None, enabled: true }
    }
}
