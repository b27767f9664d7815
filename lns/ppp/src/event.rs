//! What a link tells its owner.

use std::net::Ipv4Addr;

use crate::{AuthProtocol, AuthRequest, MppeMode};

/// Something that the owner of a link has to act on or to log.
#[derive(Debug, Clone)]
pub enum Event {
    /// LCP is open. May come again when the peer renegotiates.
    LcpOpened {
        /// The largest packet we may send: the peer's MRU (1500 if it named none), cut to the configured limit.
        peer_mru: u16,
        /// The authentication agreed on; `None` on a client whose server asks for none.
        method: Option<AuthProtocol>,
        /// The peer's magic number, 0 if it has none.
        peer_magic: u32,
    },
    /// Server: decide and call [`Link::authenticated`](crate::Link::authenticated). A decision on an earlier request
    /// must not be delivered any more once a new one has come.
    Authenticate(AuthRequest),
    /// Client: the server said yes (and, with MS-CHAPv2, proved that it knows the password).
    Authenticated {
        /// The server's text, possibly empty.
        message: Vec<u8>,
    },
    /// Client: the password had expired, and the server has taken the new one (RFC 2759 7). Comes before
    /// [`Event::Authenticated`].
    PasswordChanged,
    /// Client: the server said no.
    AuthenticationFailed {
        /// The server's text, possibly empty; for MS-CHAP the part after `M=`.
        message: Vec<u8>,
        /// The number after `E=` of MS-CHAP (RFC 2759 6): 691 wrong password, 648 expired, ...
        code: Option<u32>,
        /// The server would take another attempt (`R=1`).
        retry: bool,
    },
    /// The peer's own description (RFC 1570 2.1, Identification), for the log.
    Identification(Vec<u8>),
    /// What the peer did wrong, for the log.
    Warning(String),
    /// CCP is open: packets are encrypted in this way. Comes before [`Event::Up`] where encryption is required, and may
    /// come again when the peer renegotiates.
    Encrypted {
        /// What we send.
        send: MppeMode,
        /// What we receive.
        receive: MppeMode,
    },
    /// IPCP is open (and CCP, where encryption is required): packets may flow. May come again when the peer renegotiates.
    Up(Addresses),
    /// The link is dead; drop it. Comes once.
    Down(DownReason),
}

/// The addresses that IPCP agreed on, as seen from this end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// Our own address on the link.
    pub local: Ipv4Addr,
    /// The peer's address; unspecified on a client whose server named none.
    pub peer: Ipv4Addr,
    /// Primary and secondary DNS server (RFC 1877 1.1, 1.3).
    pub dns: [Option<Ipv4Addr>; 2],
    /// Primary and secondary NBNS (WINS) server (RFC 1877 1.2, 1.4).
    pub nbns: [Option<Ipv4Addr>; 2],
}

/// Why we close a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseReason {
    /// Goes into the Terminate-Request; at most 255 octets of it are sent.
    pub text: String,
}

/// Where a link stands (RFC 1661 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// LCP is being negotiated.
    Establish,
    /// LCP is open and the peer proves who it is.
    Authenticate,
    /// IPCP is being negotiated.
    Network,
    /// IPCP is open. RFC 1661 counts this as Network; operators do not.
    Up,
    /// A Terminate-Request is out.
    Terminate,
    /// Not started yet, or ended.
    Dead,
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Establish => "link establishment (LCP)",
            Self::Authenticate => "authentication",
            Self::Network => "address negotiation (IPCP)",
            Self::Up => "open link",
            Self::Terminate => "termination",
            Self::Dead => "dead link",
        })
    }
}

/// Why a link ended, in one phrase for the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DownReason {
    /// The peer sent a Terminate-Request.
    #[error("the peer hung up{}", if text.is_empty() { String::new() } else { format!(": {text}") })]
    PeerTerminated {
        /// What it said, readable; empty if it said nothing.
        text: String,
        /// The RAS error of a Windows peer: its own diagnosis (0: plain hang-up).
        windows_error: Option<u32>,
    },
    /// The credentials were refused.
    #[error("authentication failed")]
    AuthenticationFailed,
    /// The peer refused every authentication method that we may offer.
    #[error("no common authentication method; the peer wanted {}", if wanted.is_empty() { "none that it named".to_owned() } else { wanted.join(", ") })]
    MethodRefused {
        /// The methods it asked for instead, each once.
        wanted: Vec<String>,
    },
    /// No decision could be had: no server answered, no address was free.
    #[error("the login could not be decided: {message}")]
    Unavailable {
        /// The text of the decision.
        message: String,
    },
    /// Client: the server's MS-CHAPv2 proof was wrong, so it does not know the password.
    #[error("the server could not prove that it knows the password")]
    ServerUnproven,
    /// Client: the method of EAP cannot go on.
    #[error("EAP failed: {message}")]
    EapFailed {
        /// Why.
        message: String,
    },
    /// We closed it.
    #[error("closed by this side")]
    Closed,
    /// The peer stopped answering Echo-Requests.
    #[error("the peer stopped answering (no echo reply)")]
    EchoTimeout,
    /// The peer stopped answering during this phase, or took too long over it.
    #[error("timed out during {0}")]
    NegotiationTimeout(Phase),
    /// What we send comes back to us (RFC 1661 6.4).
    #[error("the line is looped back")]
    Loopback,
    /// Encryption is required, and there will be none.
    #[error("encryption is required, and {0}")]
    NotEncrypted(&'static str),
    /// The peer and we cannot agree on this.
    #[error("no agreement on {0}")]
    NotConverging(&'static str),
    /// The peer refused something without which there is no link.
    #[error("the peer rejected {0}")]
    PeerRejected(&'static str),
}
