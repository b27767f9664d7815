//! What a peer hands over to prove itself, and the decision on it.

use std::net::Ipv4Addr;
use std::time::Duration;

use tollgate_mschap::PASSWORD_BLOCK;
use zeroize::Zeroizing;

use crate::Encryption;

/// A peer that wants to be let in.
#[derive(Debug, Clone)]
pub struct AuthRequest {
    /// The name as the peer sent it, `DOMAIN\` included; at most 255 octets, without NUL.
    pub name: Vec<u8>,
    /// What it offers as proof.
    pub proof: Proof,
}

/// The proof of a peer's identity. Passwords are wiped when dropped; `Debug` prints none of it.
#[derive(Clone)]
pub enum Proof {
    /// RFC 1334.
    Pap {
        /// The password, at most 255 octets.
        password: Zeroizing<Vec<u8>>,
    },
    /// RFC 1994.
    Chap {
        /// The identifier, which is part of the hash.
        identifier: u8,
        /// Our challenge (or that of a LAC).
        challenge: Vec<u8>,
        /// MD5 over identifier, password and challenge.
        response: [u8; 16],
    },
    /// RFC 2433.
    MsChapV1 {
        /// The identifier of the exchange.
        identifier: u8,
        /// Our challenge.
        challenge: [u8; 8],
        /// The LAN Manager response; zeros from any current client.
        lm_response: [u8; 24],
        /// The NT response.
        nt_response: [u8; 24],
        /// The peer says that the NT response is the one to look at.
        use_nt: bool,
    },
    /// RFC 2759.
    MsChapV2 {
        /// The identifier of the exchange.
        identifier: u8,
        /// Our challenge.
        authenticator_challenge: [u8; 16],
        /// The peer's own challenge.
        peer_challenge: [u8; 16],
        /// The response to both.
        nt_response: [u8; 24],
        /// Zero from any known client.
        flags: u8,
    },
    /// RFC 2759 7: the login with a new password, after [`AuthDecision::PasswordExpired`]. The name is that of the
    /// login before.
    PasswordChange {
        /// The identifier of the exchange.
        identifier: u8,
        /// The challenge of the failure that told of the expiry.
        authenticator_challenge: [u8; 16],
        /// The new password, encrypted with the hash of the old one.
        encrypted_password: Box<Zeroizing<[u8; PASSWORD_BLOCK]>>,
        /// The hash of the old password, encrypted with that of the new one.
        encrypted_hash: [u8; 16],
        /// The peer's own challenge.
        peer_challenge: [u8; 16],
        /// The response to both, made with the new password.
        nt_response: [u8; 24],
        /// Zero from any known client.
        flags: [u8; 2],
    },
    /// RFC 3748: one of several rounds, decided by [`AuthDecision::Continue`] but for the last.
    Eap {
        /// The Response, from its code on, without padding; at most 1,500 octets.
        packet: Vec<u8>,
    },
}

impl std::fmt::Debug for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Pap { .. } => "Pap(..)",
            Self::Chap { .. } => "Chap(..)",
            Self::MsChapV1 { .. } => "MsChapV1(..)",
            Self::MsChapV2 { .. } => "MsChapV2(..)",
            Self::PasswordChange { .. } => "PasswordChange(..)",
            Self::Eap { .. } => "Eap(..)",
        })
    }
}

/// The decision on an [`AuthRequest`].
#[derive(Debug, Clone)]
pub enum AuthDecision {
    /// Let in.
    Accept {
        /// Text for the peer: free for PAP and CHAP; for MS-CHAPv2 `S=<40 hexadecimal digits> M=text`, sent as it is.
        /// For EAP the whole EAP-Success of the server; where it is none, one is made.
        message: Vec<u8>,
        /// The addresses of the session.
        network: Network,
        /// What the peer has to encrypt, or may; `None`: CCP is not spoken.
        encryption: Option<Encryption>,
    },
    /// Turned away.
    Reject {
        /// Text for the peer; for EAP the whole EAP-Failure of the server, or nothing.
        message: Vec<u8>,
        /// The MS-CHAP error code (RFC 2759 6): 691, 646, 647, 648, 649, ...; unused by PAP and CHAP.
        code: u32,
        /// Another attempt is allowed; MS-CHAP only, and only as often as the configuration says.
        retry: bool,
    },
    /// MS-CHAPv2 only: turned away, but for a new password, which the peer may send on this link (RFC 2759 7). It is
    /// asked for once.
    PasswordExpired {
        /// Text for the peer.
        message: Vec<u8>,
        /// The challenge for the new password, where whoever decides has one; `None`: a fresh one.
        challenge: Option<[u8; 16]>,
    },
    /// EAP only: the server asks for more before it decides.
    Continue {
        /// Its Request, from its code on. It goes out as it is.
        packet: Vec<u8>,
        /// How long the peer may take before the Request is sent again (RFC 3579 2.3); `None`: the link's own timer.
        timeout: Option<Duration>,
    },
    /// Nobody could decide, or there is no address to give: the link ends with the text in its Terminate-Request
    /// instead of a failure that would make the peer doubt its password.
    Unavailable {
        /// Text for the peer.
        message: Vec<u8>,
    },
}

/// What an accepted peer gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// Our own address on the link.
    pub local: Ipv4Addr,
    /// The address assigned to the peer.
    pub peer: Ipv4Addr,
    /// DNS servers for the peer.
    pub dns: [Option<Ipv4Addr>; 2],
    /// NBNS (WINS) servers for the peer.
    pub nbns: [Option<Ipv4Addr>; 2],
}
