//! What a peer proved itself with. Secrets are wiped on drop and no `Debug` shows one.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::matrix::AuthMethod;
use crate::secret::Secret;

/// The material of one login attempt, as the access protocol collected it.
#[derive(Clone)]
pub enum Credentials {
    /// RFC 1334: the password in the clear.
    Pap {
        /// As typed; may be empty (a backend decides whether an empty password is an error).
        password: Secret,
    },
    /// RFC 1994 with MD5.
    Chap {
        /// Identifier octet of the Challenge and Response, part of the hash.
        identifier: u8,
        /// The challenge that was sent, 1 to 255 octets.
        challenge: Vec<u8>,
        /// MD5 of identifier, password and challenge.
        response: [u8; 16],
    },
    /// RFC 2433.
    MsChapV1 {
        /// Identifier octet of the Response.
        identifier: u8,
        /// The challenge that was sent.
        challenge: [u8; 8],
        /// LAN Manager response; obsolete, never accepted by LOCAL.
        lm_response: [u8; 24],
        /// Windows NT response.
        nt_response: [u8; 24],
        /// The flag octet: the NT response is the one to check.
        use_nt: bool,
    },
    /// RFC 2759.
    MsChapV2 {
        /// Identifier octet of the Response.
        identifier: u8,
        /// The challenge that was sent.
        authenticator_challenge: [u8; 16],
        /// The peer's own challenge.
        peer_challenge: [u8; 16],
        /// NT response over both challenges and the user name.
        nt_response: [u8; 24],
        /// Reserved, zero on the wire.
        flags: u8,
    },
    /// RFC 2759 section 7: a login by MS-CHAPv2 with a new password, after the server has called the old one expired.
    PasswordChange {
        /// Identifier octet of the Change-Password packet.
        identifier: u8,
        /// The challenge of the failure that told of the expiry.
        authenticator_challenge: [u8; 16],
        /// The new password, encrypted with the NT hash of the old one.
        encrypted_password: Box<Zeroizing<[u8; 516]>>,
        /// The old NT hash, encrypted with the new one.
        encrypted_hash: [u8; 16],
        /// The peer's own challenge.
        peer_challenge: [u8; 16],
        /// NT response over both challenges and the user name, made with the new password.
        nt_response: [u8; 24],
        /// Reserved, zero on the wire.
        flags: [u8; 2],
    },
    /// RFC 3748, passed on untouched (RFC 3579).
    Eap {
        /// The peer's whole Response packet.
        message: Vec<u8>,
        /// State of the server's last challenge; empty in the first round.
        state: Vec<u8>,
    },
}

impl Credentials {
    /// The column of the type matrix that these belong to.
    pub fn method(&self) -> AuthMethod {
        match self {
            Self::Pap { .. } => AuthMethod::Pap,
            Self::Chap { .. } => AuthMethod::Chap,
            Self::MsChapV1 { .. } => AuthMethod::MsChapV1,
            Self::MsChapV2 { .. } | Self::PasswordChange { .. } => AuthMethod::MsChapV2,
            Self::Eap { .. } => AuthMethod::EapProxy,
        }
    }
}

impl Zeroize for Credentials {
    fn zeroize(&mut self) {
        match self {
            // A `Secret` wipes itself when it is replaced.
            Self::Pap { password } => *password = Secret::default(),
            Self::Chap { response, .. } => response.zeroize(),
            Self::MsChapV1 { lm_response, nt_response, .. } => {
                lm_response.zeroize();
                nt_response.zeroize();
            }
            Self::MsChapV2 { nt_response, .. } => nt_response.zeroize(),
            Self::PasswordChange { encrypted_password, encrypted_hash, nt_response, .. } => {
                encrypted_password.zeroize();
                encrypted_hash.zeroize();
                nt_response.zeroize();
            }
            Self::Eap { message, .. } => message.zeroize(),
        }
    }
}

impl Drop for Credentials {
    fn drop(&mut self) {
        self.zeroize();
    }
}

impl ZeroizeOnDrop for Credentials {}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PasswordChange { .. } => f.write_str("Credentials(password change)"),
            _ => write!(f, "Credentials({})", self.method()),
        }
    }
}

#[cfg(test)]
mod tests;
