//! What goes in and out of an endpoint besides datagrams.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use crate::esp::Spi;
use crate::ikev1::header::Cookies;
use crate::ikev1::nat::Nat;
use crate::ikev1::selection::{Encapsulation, Policy, TransformSet};

/// The way of an ISAKMP message or of ESP in UDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Path {
    /// Our address and port.
    pub local: SocketAddr,
    /// The peer's as seen from here.
    pub remote: SocketAddr,
    /// On the port of NAT traversal (4500), where ISAKMP messages bear the non-ESP marker.
    pub nat_t: bool,
}

/// Names an association: what an L2TP tunnel belongs to. It stays the same over every rekeying.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AssociationId(pub u64);

/// Names an attempt to connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// A message to send; on a path with `nat_t` the marker is already in front.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmit {
    /// Where to.
    pub path: Path,
    /// The UDP payload.
    pub datagram: Vec<u8>,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// A peer has proved who it is.
    PeerAuthenticated {
        /// Its way.
        path: Path,
        /// Who it is.
        peer: Arc<PeerIdentity>,
        /// What protects phase 1.
        policy: Policy,
    },
    /// An association is there: packets may come and go.
    AssociationUp {
        /// Which.
        association: AssociationId,
        /// The attempt that it came of, where we are the initiator.
        connection: Option<ConnectionId>,
        /// Whose.
        peer: Arc<PeerIdentity>,
        /// Its way.
        path: Path,
        /// Algorithms and mode.
        set: TransformSet,
    },
    /// An association has new keys.
    AssociationRekeyed {
        /// Which.
        association: AssociationId,
    },
    /// An association is gone.
    AssociationDown {
        /// Which.
        association: AssociationId,
        /// Why.
        cause: DownCause,
    },
    /// An association is up, and nothing has come through it for the time that a client needs.
    NoTraffic {
        /// Which.
        association: AssociationId,
        /// Whose.
        path: Path,
    },
    /// A set-up failed.
    Failed {
        /// The attempt, where we are the initiator.
        connection: Option<ConnectionId>,
        /// The peer's way.
        path: Path,
        /// Why.
        failure: Failure,
    },
    /// A key for a dissector, where the configuration asks for it.
    Keys(KeyLog),
}

/// Keys of our own for a dissector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyLog {
    /// An ISAKMP association.
    Isakmp {
        /// Its name.
        cookies: Cookies,
        /// Its encryption key, in hexadecimal.
        key: String,
    },
    /// One direction of an ESP association.
    Esp {
        /// From.
        source: SocketAddr,
        /// To.
        destination: SocketAddr,
        /// The SPI.
        spi: Spi,
        /// The algorithms.
        set: TransformSet,
        /// Encryption key, in hexadecimal, a combined cipher's salt included.
        encryption: String,
        /// Integrity key, in hexadecimal.
        integrity: String,
    },
}

/// Who a peer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerIdentity {
    /// What it calls itself, in words.
    pub name: String,
    /// The tunnel group that it was placed in.
    pub tunnel_group: Arc<str>,
    /// How it proved it, in words: the number of the pre-shared key, or the certificate's subject.
    pub proof: String,
    /// Its identity as it came.
    pub id: Vec<u8>,
}

/// Why an association ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DownCause {
    /// The peer deleted it.
    DeletedByPeer,
    /// Its lifetime ended without new keys.
    Expired,
    /// The peer does not answer.
    DeadPeer,
    /// The peer says that it begins anew.
    InitialContact,
    /// We ended it.
    Closed,
}

impl fmt::Display for DownCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DeletedByPeer => "the peer deleted its IPsec association",
            Self::Expired => "the IPsec association expired and the peer negotiated no new one",
            Self::DeadPeer => "the peer does not answer dead peer detection",
            Self::InitialContact => "the peer has begun anew",
            Self::Closed => "the IPsec association was closed",
        })
    }
}

/// Why a set-up failed, with the cause and the fix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// No policy matches.
    #[error(
        "no common phase-1 proposal: the peer offers {}; allowed here: {}{}",
        offered.join(", "),
        allowed.join(", "),
        change.as_ref().map(|change| format!("; smallest change that would match: an [[ipsec.policy]] with {change}"))
            .unwrap_or_default()
    )]
    NoPhase1Proposal {
        /// In the peer's order.
        offered: Vec<String>,
        /// In ours.
        allowed: Vec<String>,
        /// What to change.
        change: Option<String>,
    },
    /// No transform set matches.
    #[error(
        "no common phase-2 proposal: the peer offers {}; allowed here: {}; add an [ipsec.transform-set] for one of them",
        offered.join(", "),
        allowed.join(", ")
    )]
    NoPhase2Proposal {
        /// In the peer's order, with the reason against each.
        offered: Vec<String>,
        /// In ours.
        allowed: Vec<String>,
    },
    /// The first encrypted message makes no sense under any key.
    #[error(
        "wrong pre-shared key or corrupted packet (tunnel group {tunnel_group}): compare pre-shared-key there with the \
         client's"
    )]
    WrongKey {
        /// The group whose key was expected.
        tunnel_group: Arc<str>,
    },
    /// No key for the peer.
    #[error("no pre-shared key for {identity}: set pre-shared-key in [tunnel-group.{tunnel_group}]")]
    NoKey {
        /// What the peer calls itself.
        identity: String,
        /// The group that would need one.
        tunnel_group: Arc<str>,
    },
    /// Aggressive mode.
    #[error(
        "the peer asks for aggressive mode, which is off: remove the group name from the client, or set \
         aggressive-mode = true in [ipsec]"
    )]
    AggressiveMode,
    /// The certificate.
    #[error("{0}")]
    Certificate(String),
    /// The identity is not the certificate's.
    #[error(
        "unknown identity: the peer calls itself {identity}, and its certificate ({subject}) does not say so"
    )]
    UnknownIdentity {
        /// What the peer calls itself.
        identity: String,
        /// What its certificate says.
        subject: String,
    },
    /// The traffic that the peer wants protected is not L2TP.
    #[error("the peer asks for IPsec for {wanted}; served is UDP port 1701 of this server")]
    Selectors {
        /// In words.
        wanted: String,
    },
    /// Nobody answers.
    #[error("{0}")]
    NoAnswer(&'static str),
    /// The peer refuses.
    #[error("the peer answers {notification} {stage}: {advice}")]
    Refused {
        /// What it says.
        notification: &'static str,
        /// When.
        stage: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// The peer cannot do what has to be.
    #[error("{0}")]
    Unsupported(&'static str),
}

/// What `show ipsec` tells of an association.
#[derive(Debug, Clone)]
pub struct AssociationInfo {
    /// Which.
    pub id: AssociationId,
    /// Its way.
    pub path: Path,
    /// Whose.
    pub peer: Arc<PeerIdentity>,
    /// Who is behind a NAT.
    pub nat: Nat,
    /// What protects phase 1; `None` when it has expired.
    pub policy: Option<Policy>,
    /// Algorithms and mode; `None` between two associations.
    pub set: Option<TransformSet>,
    /// How it travels.
    pub encapsulation: Encapsulation,
    /// SPI of packets that we receive.
    pub spi_in: Option<Spi>,
    /// SPI of packets that we send.
    pub spi_out: Option<Spi>,
    /// When phase 1 ends.
    pub phase1_expires: Option<Instant>,
    /// When phase 2 ends.
    pub expires: Option<Instant>,
    /// Since when it is up.
    pub since: Instant,
    /// Times that it got new keys.
    pub rekeyed: u32,
    /// Octets of ESP payload received.
    pub octets_in: u64,
    /// Octets of ESP payload sent.
    pub octets_out: u64,
    /// Packets received.
    pub packets_in: u64,
    /// Packets sent.
    pub packets_out: u64,
    /// Packets refused because they came twice or too late.
    pub replay_drops: u64,
}
