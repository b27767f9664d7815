//! Which kind of server can check which kind of proof: Table 1 of the old system's manual as one constant.
//!
//! A server that stores one-way hashes cannot check CHAP, a directory bind needs the password itself: the limits are
//! facts about the servers, so nothing in the configuration can widen a row.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A way to prove who one is. `Display`, `FromStr` and serde use the words of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum AuthMethod {
    /// Password in the clear, RFC 1334: `pap`.
    #[serde(rename = "pap")]
    Pap,
    /// CHAP with MD5, RFC 1994: `chap`.
    #[serde(rename = "chap")]
    Chap,
    /// Microsoft CHAP version 1, RFC 2433: `ms-chap-v1`.
    #[serde(rename = "ms-chap-v1")]
    MsChapV1,
    /// Microsoft CHAP version 2, RFC 2759: `ms-chap-v2`.
    #[serde(rename = "ms-chap-v2")]
    MsChapV2,
    /// EAP passed through to a RADIUS server, RFC 3579: `eap-proxy`.
    #[serde(rename = "eap-proxy")]
    EapProxy,
    /// A SecurID passcode: `sdi`.
    #[serde(rename = "sdi")]
    SdiPasscode,
}

impl AuthMethod {
    /// Every method, in the order of the matrix columns.
    pub const ALL: [Self; 6] =
        [Self::Pap, Self::Chap, Self::MsChapV1, Self::MsChapV2, Self::EapProxy, Self::SdiPasscode];

    /// The word of the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pap => "pap",
            Self::Chap => "chap",
            Self::MsChapV1 => "ms-chap-v1",
            Self::MsChapV2 => "ms-chap-v2",
            Self::EapProxy => "eap-proxy",
            Self::SdiPasscode => "sdi",
        }
    }

    /// The name people use in a sentence: `PAP`, `CHAP`, `MS-CHAPv2`.
    pub fn title(self) -> &'static str {
        match self {
            Self::Pap => "PAP",
            Self::Chap => "CHAP",
            Self::MsChapV1 => "MS-CHAPv1",
            Self::MsChapV2 => "MS-CHAPv2",
            Self::EapProxy => "EAP",
            Self::SdiPasscode => "SDI passcode",
        }
    }
}

impl fmt::Display for AuthMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that names no method or server type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} `{word}`: use one of {choices}")]
pub struct UnknownWord {
    what: &'static str,
    word: String,
    choices: String,
}

impl FromStr for AuthMethod {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        Self::ALL.into_iter().find(|method| method.as_str() == word).ok_or_else(|| UnknownWord {
            what: "authentication method",
            word: word.chars().take(64).collect(),
            choices: Self::ALL.map(Self::as_str).join(", "),
        })
    }
}

/// A kind of server. `Display`, `FromStr` and serde use the words of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ServerType {
    /// The built-in user file: `local`.
    #[serde(rename = "local")]
    Local,
    /// RFC 2865: `radius`.
    #[serde(rename = "radius")]
    Radius,
    /// RFC 8907: `tacacs+`.
    #[serde(rename = "tacacs+")]
    TacacsPlus,
    /// RFC 4513: `ldap`.
    #[serde(rename = "ldap")]
    Ldap,
    /// A Windows domain controller: `nt`.
    #[serde(rename = "nt")]
    Nt,
    /// RFC 4120: `kerberos`.
    #[serde(rename = "kerberos")]
    Kerberos,
    /// RSA SecurID: `sdi`.
    #[serde(rename = "sdi")]
    Sdi,
}

impl ServerType {
    /// Every type, in the order of the matrix rows.
    pub const ALL: [Self; 7] =
        [Self::Local, Self::Radius, Self::TacacsPlus, Self::Ldap, Self::Nt, Self::Kerberos, Self::Sdi];

    /// The word of the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Radius => "radius",
            Self::TacacsPlus => "tacacs+",
            Self::Ldap => "ldap",
            Self::Nt => "nt",
            Self::Kerberos => "kerberos",
            Self::Sdi => "sdi",
        }
    }

    /// The name people use in a sentence: `LOCAL`, `RADIUS`, `TACACS+`.
    pub fn title(self) -> &'static str {
        match self {
            Self::Local => "LOCAL",
            Self::Radius => "RADIUS",
            Self::TacacsPlus => "TACACS+",
            Self::Ldap => "LDAP",
            Self::Nt => "NT",
            Self::Kerberos => "Kerberos",
            Self::Sdi => "SDI",
        }
    }
}

impl fmt::Display for ServerType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ServerType {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word).ok_or_else(|| UnknownWord {
            what: "server type",
            word: word.chars().take(64).collect(),
            choices: Self::ALL.map(Self::as_str).join(", "),
        })
    }
}

const LOCAL: &[AuthMethod] = &[AuthMethod::Pap, AuthMethod::MsChapV1, AuthMethod::MsChapV2];
const RADIUS: &[AuthMethod] =
    &[AuthMethod::Pap, AuthMethod::Chap, AuthMethod::MsChapV1, AuthMethod::MsChapV2, AuthMethod::EapProxy];
const TACACS_PLUS: &[AuthMethod] = &[AuthMethod::Pap, AuthMethod::Chap, AuthMethod::MsChapV1];
const PAP_ONLY: &[AuthMethod] = &[AuthMethod::Pap];
const SDI: &[AuthMethod] = &[AuthMethod::SdiPasscode];

/// The type matrix: each server type with the methods that it can check.
pub const MATRIX: [(ServerType, &[AuthMethod]); 7] = [
    (ServerType::Local, LOCAL),
    (ServerType::Radius, RADIUS),
    (ServerType::TacacsPlus, TACACS_PLUS),
    (ServerType::Ldap, PAP_ONLY),
    (ServerType::Nt, PAP_ONLY),
    (ServerType::Kerberos, PAP_ONLY),
    (ServerType::Sdi, SDI),
];

/// The row of one server type.
pub fn methods_of(server_type: ServerType) -> &'static [AuthMethod] {
    MATRIX.iter().find(|(row, _)| *row == server_type).map_or(&[], |(_, methods)| methods)
}

/// True when a server of this type can check this method.
pub fn allows(server_type: ServerType, method: AuthMethod) -> bool {
    methods_of(server_type).contains(&method)
}

/// True when a server of this type takes a new password from a peer whose old one has expired. Only RADIUS has a packet
/// for it (RFC 2548 section 2.3.4).
pub fn changes_passwords(server_type: ServerType) -> bool {
    server_type == ServerType::Radius
}

/// One empty cell of the matrix, to be named in a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct MatrixCell {
    /// The row.
    pub server_type: ServerType,
    /// The column.
    pub method: AuthMethod,
}

impl fmt::Display for MatrixCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not served by {} (type matrix)", self.method.title(), self.server_type.title())
    }
}

#[cfg(test)]
mod tests;
