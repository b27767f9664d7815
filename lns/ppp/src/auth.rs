//! Authentication: the methods, what a peer hands over to prove itself, and the decision on it.

use std::net::Ipv4Addr;

use zeroize::Zeroizing;

/// An authentication protocol as LCP names it (RFC 1661 6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuthProtocol {
    /// Password in the clear (RFC 1334).
    Pap,
    /// CHAP with MD5 (RFC 1994).
    ChapMd5,
    /// MS-CHAP version 1 (RFC 2433).
    MsChapV1,
    /// MS-CHAP version 2 (RFC 2759).
    MsChapV2,
    /// EAP (RFC 3748): known by name, not offered.
    Eap,
}

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
}

impl std::fmt::Debug for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Pap { .. } => "Pap(..)",
            Self::Chap { .. } => "Chap(..)",
            Self::MsChapV1 { .. } => "MsChapV1(..)",
            Self::MsChapV2 { .. } => "MsChapV2(..)",
        })
    }
}

/// The decision on an [`AuthRequest`].
#[derive(Debug, Clone)]
pub enum AuthDecision {
    /// Let in.
    Accept {
        /// Text for the peer: free for PAP and CHAP; for MS-CHAPv2 `S=<40 hexadecimal digits> M=text`, sent as it is.
        message: Vec<u8>,
        /// The addresses of the session.
        network: Network,
    },
    /// Turned away.
    Reject {
        /// Text for the peer.
        message: Vec<u8>,
        /// The MS-CHAP error code (RFC 2759 6): 691, 646, 647, 648, 649, ...; unused by PAP and CHAP.
        code: u32,
        /// Another attempt is allowed; MS-CHAP only, and only as often as the configuration says.
        retry: bool,
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
