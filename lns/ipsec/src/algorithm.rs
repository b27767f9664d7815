//! The algorithms that can be negotiated, under their numbers of RFC 2407 and RFC 2409 and the names that an operator
//! writes.

use std::fmt;
use std::str::FromStr;

/// A word that names no algorithm of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not one of {0}")]
pub struct UnknownAlgorithm(pub String);

/// Declares an enum of algorithms with their names, and nothing else that could fall out of step.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name in configuration, log and reports.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }

        impl FromStr for $name {
            type Err = UnknownAlgorithm;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|algorithm| algorithm.name() == word).ok_or_else(|| {
                    let names: Vec<_> = Self::ALL.iter().map(|algorithm| algorithm.name()).collect();
                    UnknownAlgorithm(names.join(", "))
                })
            }
        }
    };
}

named! {
    /// A cipher of phase 1, always in CBC mode (RFC 2409 appendix A, RFC 3602).
    Cipher {
        /// DES: broken, by `legacy` only.
        Des = "des",
        /// Triple DES: by `legacy` only.
        TripleDes = "3des",
        /// AES with a 128-bit key.
        Aes128 = "aes-128",
        /// AES with a 192-bit key.
        Aes192 = "aes-192",
        /// AES with a 256-bit key.
        Aes256 = "aes-256",
    }
}

named! {
    /// A hash of phase 1, and its HMAC as pseudo-random function.
    Hash {
        /// MD5: broken, by `legacy` only.
        Md5 = "md5",
        /// SHA-1.
        Sha1 = "sha1",
        /// SHA-256.
        Sha256 = "sha256",
        /// SHA-384.
        Sha384 = "sha384",
        /// SHA-512.
        Sha512 = "sha512",
    }
}

named! {
    /// A Diffie-Hellman group (RFC 2409, 3526, 5903), written as its number.
    Group {
        /// 768-bit MODP: broken, by `legacy` only.
        Modp768 = "1",
        /// 1024-bit MODP: by `legacy` only.
        Modp1024 = "2",
        /// 1536-bit MODP: by `legacy` only.
        Modp1536 = "5",
        /// 2048-bit MODP.
        Modp2048 = "14",
        /// 3072-bit MODP.
        Modp3072 = "15",
        /// 4096-bit MODP.
        Modp4096 = "16",
        /// NIST P-256.
        Ecp256 = "19",
        /// NIST P-384.
        Ecp384 = "20",
        /// NIST P-521.
        Ecp521 = "21",
    }
}

named! {
    /// A cipher of ESP.
    EspCipher {
        /// DES-CBC: broken, by `legacy` only.
        Des = "des",
        /// Triple DES in CBC mode: by `legacy` only.
        TripleDes = "3des",
        /// AES-CBC with a 128-bit key (RFC 3602).
        Aes128 = "aes-128",
        /// AES-CBC with a 192-bit key.
        Aes192 = "aes-192",
        /// AES-CBC with a 256-bit key.
        Aes256 = "aes-256",
        /// AES-GCM with a 128-bit key and a 16-octet check value (RFC 4106).
        Aes128Gcm = "aes-128-gcm",
        /// AES-GCM with a 256-bit key and a 16-octet check value.
        Aes256Gcm = "aes-256-gcm",
    }
}

named! {
    /// An integrity algorithm of ESP; AES-GCM needs none.
    Integrity {
        /// HMAC-MD5-96 (RFC 2403): by `legacy` only.
        HmacMd5 = "md5",
        /// HMAC-SHA1-96 (RFC 2404).
        HmacSha1 = "sha1",
        /// HMAC-SHA2-256-128 (RFC 4868).
        HmacSha256 = "sha256",
        /// HMAC-SHA2-384-192 (RFC 4868).
        HmacSha384 = "sha384",
        /// HMAC-SHA2-512-256 (RFC 4868).
        HmacSha512 = "sha512",
    }
}

named! {
    /// What ESP encapsulates.
    Mode {
        /// The payload of an IP packet (RFC 4303 section 3.1.1).
        Transport = "transport",
        /// A whole IP packet (RFC 4303 section 3.1.2).
        Tunnel = "tunnel",
    }
}

named! {
    /// How the peers of phase 1 prove who they are.
    Authentication {
        /// By a key that both know.
        PreSharedKey = "pre-share",
        /// By RSA signatures, the keys vouched for by certificates.
        RsaSignature = "rsa-sig",
    }
}

impl Cipher {
    /// Length of its key in octets.
    pub fn key_length(self) -> usize {
        match self {
            Self::Des => 8,
            Self::TripleDes => 24,
            Self::Aes128 => 16,
            Self::Aes192 => 24,
            Self::Aes256 => 32,
        }
    }

    /// Length of its block, and of an initialization vector, in octets.
    pub fn block_length(self) -> usize {
        match self {
            Self::Des | Self::TripleDes => 8,
            Self::Aes128 | Self::Aes192 | Self::Aes256 => 16,
        }
    }

    /// Whether it is served by explicit consent only.
    pub fn is_legacy(self) -> bool {
        matches!(self, Self::Des | Self::TripleDes)
    }
}

impl Hash {
    /// Length of its output in octets.
    pub fn length(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// Whether it is served by explicit consent only.
    pub fn is_legacy(self) -> bool {
        self == Self::Md5
    }
}

impl Group {
    /// Its number in the IANA registry.
    pub fn number(self) -> u16 {
        match self {
            Self::Modp768 => 1,
            Self::Modp1024 => 2,
            Self::Modp1536 => 5,
            Self::Modp2048 => 14,
            Self::Modp3072 => 15,
            Self::Modp4096 => 16,
            Self::Ecp256 => 19,
            Self::Ecp384 => 20,
            Self::Ecp521 => 21,
        }
    }

    /// The group of a number.
    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL.iter().copied().find(|group| group.number() == number)
    }

    /// Length of a public value on the wire in octets (RFC 5903 section 7: both coordinates).
    pub fn public_length(self) -> usize {
        match self {
            Self::Modp768 => 96,
            Self::Modp1024 => 128,
            Self::Modp1536 => 192,
            Self::Modp2048 => 256,
            Self::Modp3072 => 384,
            Self::Modp4096 => 512,
            Self::Ecp256 => 64,
            Self::Ecp384 => 96,
            Self::Ecp521 => 132,
        }
    }

    /// Whether it is served by explicit consent only.
    pub fn is_legacy(self) -> bool {
        matches!(self, Self::Modp768 | Self::Modp1024 | Self::Modp1536)
    }
}

impl EspCipher {
    /// Octets of key material: the key, and for AES-GCM the salt after it (RFC 4106 section 8.1).
    pub fn keymat_length(self) -> usize {
        match self {
            Self::Des => 8,
            Self::TripleDes => 24,
            Self::Aes128 => 16,
            Self::Aes192 => 24,
            Self::Aes256 => 32,
            Self::Aes128Gcm => 20,
            Self::Aes256Gcm => 36,
        }
    }

    /// Whether it authenticates too.
    pub fn is_combined(self) -> bool {
        matches!(self, Self::Aes128Gcm | Self::Aes256Gcm)
    }

    /// Whether it is served by explicit consent only.
    pub fn is_legacy(self) -> bool {
        matches!(self, Self::Des | Self::TripleDes)
    }
}

impl Integrity {
    /// Length of its key in octets.
    pub fn key_length(self) -> usize {
        match self {
            Self::HmacMd5 => 16,
            Self::HmacSha1 => 20,
            Self::HmacSha256 => 32,
            Self::HmacSha384 => 48,
            Self::HmacSha512 => 64,
        }
    }

    /// Length of the check value in octets.
    pub fn icv_length(self) -> usize {
        match self {
            Self::HmacMd5 | Self::HmacSha1 => 12,
            Self::HmacSha256 => 16,
            Self::HmacSha384 => 24,
            Self::HmacSha512 => 32,
        }
    }

    /// Whether it is served by explicit consent only.
    pub fn is_legacy(self) -> bool {
        self == Self::HmacMd5
    }
}

/// What one ESP association uses: a cipher with its integrity algorithm, or a combined one alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EspSuite {
    cipher: EspCipher,
    integrity: Option<Integrity>,
    /// HMAC-SHA2-256 with the 96 bits of a draft that was never a standard: some old kernels know no other.
    is_truncated: bool,
}

impl EspSuite {
    /// A suite; `None` when a combined cipher comes with integrity or another without: ESP never goes unauthenticated
    /// here.
    pub fn new(cipher: EspCipher, integrity: Option<Integrity>) -> Option<Self> {
        (cipher.is_combined() == integrity.is_none()).then_some(Self {
            cipher,
            integrity,
            is_truncated: false,
        })
    }

    /// Its cipher.
    pub fn cipher(self) -> EspCipher {
        self.cipher
    }

    /// Its integrity algorithm; `None` for AES-GCM.
    pub fn integrity(self) -> Option<Integrity> {
        self.integrity
    }

    /// The same with the check value of HMAC-SHA2-256 cut to 96 bits, as Android 6 and 7 and Apple's systems before 2020
    /// send and expect it; other suites are left as they are.
    pub fn with_truncated_sha256(self) -> Self {
        Self { is_truncated: self.integrity == Some(Integrity::HmacSha256), ..self }
    }

    /// Length of the check value in octets.
    pub fn icv_length(self) -> usize {
        // The shorter ones of RFC 4106 section 6 are not negotiated.
        const GCM: usize = 16;
        const TRUNCATED: usize = 12;
        match self.integrity {
            Some(_) if self.is_truncated => TRUNCATED,
            Some(integrity) => integrity.icv_length(),
            None => GCM,
        }
    }

    /// Octets of key material for one direction: the cipher's, then the integrity key (RFC 2409 section 5.5, RFC 2407).
    pub fn keymat_length(self) -> usize {
        self.cipher.keymat_length() + self.integrity.map_or(0, Integrity::key_length)
    }

    /// Whether it is served by explicit consent only.
    pub fn is_legacy(self) -> bool {
        self.cipher.is_legacy() || self.integrity.is_some_and(Integrity::is_legacy)
    }
}

impl fmt::Display for EspSuite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.integrity {
            Some(integrity) => write!(f, "{}/{}", self.cipher, integrity),
            None => self.cipher.fmt(f),
        }
    }
}
