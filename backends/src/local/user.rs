//! One account.

use std::net::Ipv4Addr;

use tollgate_mschap::{NtHash, nt_password_hash};

/// A day of the calendar, `YYYY-MM-DD`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    /// 1970..=9999
    pub year: u16,
    /// 1..=12
    pub month: u8,
    /// 1..=31
    pub day: u8,
}

/// How a password is kept.
#[derive(Clone)]
pub enum StoredPassword {
    /// MD4 over the password in UTF-16: serves PAP and MS-CHAP.
    NtHash(NtHash),
    /// A PHC string, `$argon2id$...`: serves PAP only.
    Argon2id(String),
}

impl StoredPassword {
    /// The NT hash of `password`.
    pub fn nt(password: &[u8]) -> Self {
        Self::NtHash(nt_password_hash(password))
    }

    pub(crate) fn matches(&self, password: &[u8]) -> bool {
        match self {
            Self::NtHash(hash) => *hash == nt_password_hash(password),
            Self::Argon2id(_) => false,
        }
    }
}

/// One account.
#[derive(Clone)]
pub struct User {
    /// Exact, upper and lower case differ.
    pub name: String,
    /// How its password is kept.
    pub password: StoredPassword,
    /// Group policy of its sessions.
    pub group_policy: Option<String>,
    /// Its fixed address.
    pub address: Option<Ipv4Addr>,
    /// Last day on which it may log in (UTC).
    pub expires: Option<Date>,
    /// `false`: it may not log in.
    pub enabled: bool,
}
