//! `legacy-clients` and what each old algorithm costs: what is weak is served by name only, and priced.

use std::fmt;
use std::str::FromStr;

use tollgate_ipsec::algorithm::{Cipher, EspCipher, Group, Hash, Integrity};

use super::super::section::Section;

/// Clients that need algorithms which are not served otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LegacyClient {
    /// The client built into Android up to version 11: AES, but no group other than 2.
    Android,
    /// Windows 2000 and XP: triple DES, SHA-1 and group 2 in phase 1, triple DES with SHA-1 or MD5 in ESP.
    WindowsXp,
    /// Routers of that time: triple DES with SHA-1 or MD5, groups 2 and 5.
    OldRouters,
}

impl LegacyClient {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Android, Self::WindowsXp, Self::OldRouters];

    /// The name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Android => "android",
            Self::WindowsXp => "windows-xp",
            Self::OldRouters => "old-routers",
        }
    }

    /// Ciphers, hashes and groups of phase 1, in all combinations.
    pub(super) fn phase_1(self) -> (&'static [Cipher], &'static [Hash], &'static [Group]) {
        match self {
            Self::Android => (
                &[Cipher::Aes256, Cipher::Aes128],
                &[Hash::Sha384, Hash::Sha256, Hash::Sha512, Hash::Sha1],
                &[Group::Modp1024],
            ),
            Self::WindowsXp => (&[Cipher::TripleDes], &[Hash::Sha1], &[Group::Modp1024]),
            Self::OldRouters => (
                &[Cipher::Aes256, Cipher::Aes128, Cipher::TripleDes],
                &[Hash::Sha1, Hash::Md5],
                &[Group::Modp1536, Group::Modp1024],
            ),
        }
    }

    /// Suites of ESP that the default sets do not have.
    pub(super) fn phase_2(self) -> &'static [(EspCipher, Integrity)] {
        match self {
            Self::Android => &[],
            Self::WindowsXp | Self::OldRouters => {
                &[(EspCipher::TripleDes, Integrity::HmacSha1), (EspCipher::TripleDes, Integrity::HmacMd5)]
            }
        }
    }

    /// What serving it weakens.
    fn price(self) -> &'static str {
        match self {
            Self::Android => {
                "phase 1 is served with group 2: 1024 bits are within reach of a state, which may then read what it \
                 recorded"
            }
            Self::WindowsXp => {
                "phase 1 is served with 3des and group 2, ESP with 3des and md5: 1024 bits are within reach of a \
                 state, which may then read what it recorded, and 3des gives parts of a long transfer away (Sweet32)"
            }
            Self::OldRouters => {
                "phase 1 is served with 3des, md5 and groups 2 and 5, ESP with 3des and md5: 1024 bits are within \
                 reach of a state, which may then read what it recorded, and 3des gives parts of a long transfer away \
                 (Sweet32)"
            }
        }
    }
}

impl fmt::Display for LegacyClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for LegacyClient {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|client| client.name() == word).ok_or(())
    }
}

pub(super) fn read(table: &mut Section<'_>) -> Vec<LegacyClient> {
    const KEY: &str = "legacy-clients";
    let mut clients: Vec<LegacyClient> =
        table.list(KEY, "\"android\", \"windows-xp\" or \"old-routers\" in quotes").unwrap_or_default();
    clients.sort_unstable();
    clients.dedup();
    for client in &clients {
        table.warn(
            KEY,
            format!("{client}: {}", client.price()),
            format!("remove {client} when the last of these clients is gone"),
        );
    }
    clients
}

/// What a cipher of phase 1 costs.
pub(super) fn price_of_cipher(cipher: Cipher) -> &'static str {
    match cipher {
        Cipher::Des => DES,
        Cipher::TripleDes => TRIPLE_DES,
        Cipher::Aes128 | Cipher::Aes192 | Cipher::Aes256 => "",
    }
}

/// What a cipher of ESP costs.
pub(super) fn price_of_esp_cipher(cipher: EspCipher) -> &'static str {
    match cipher {
        EspCipher::Des => DES,
        EspCipher::TripleDes => TRIPLE_DES,
        EspCipher::Aes128
        | EspCipher::Aes192
        | EspCipher::Aes256
        | EspCipher::Aes128Gcm
        | EspCipher::Aes256Gcm => "",
    }
}

/// What MD5 costs, as a hash and in an HMAC.
pub(super) const MD5: &str = "is a broken hash; its HMAC is not broken, but nobody vouches for it";

const DES: &str = "has a key of 56 bits, which is found within a day";
const TRIPLE_DES: &str = "has blocks of 64 bits and gives parts of a long transfer away (Sweet32)";

/// What a group costs.
pub(super) fn price_of_group(group: Group) -> &'static str {
    match group {
        Group::Modp768 => "has 768 bits, which have been broken in public",
        Group::Modp1024 => {
            "has 1024 bits, which are within reach of a state: it may then read what it recorded"
        }
        Group::Modp1536 => "has 1536 bits, less than is advised for anything that must stay secret",
        Group::Modp2048
        | Group::Modp3072
        | Group::Modp4096
        | Group::Ecp256
        | Group::Ecp384
        | Group::Ecp521 => "",
    }
}

/// Refuses a weak algorithm without `legacy = true`, and prices it with.
pub(super) fn weigh(table: &Section<'_>, key: &str, name: &str, price: &str, legacy: bool, instead: &str) {
    if legacy {
        table.warn(key, format!("{name} {price}"), format!("write {instead} when all clients can"));
    } else {
        table.error(
            key,
            format!("{name} {price}"),
            format!("write {instead}, or add legacy = true to this table if a client can do nothing better"),
        );
    }
}
