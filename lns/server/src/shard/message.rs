//! What others ask of a shard, and what it tells of itself.

use std::net::Ipv4Addr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tollgate_backends::radius::dynamic::DynamicRequest;
use tollgate_l2tp::Path;

use super::dynamic::{Act, Found};
use super::session::Ending;
use crate::login::Decision;
use crate::registry::Handle;

/// A message to a shard.
pub(crate) enum Message {
    /// The AAA side decided a login.
    Decision {
        /// Whose.
        handle: Handle,
        /// Which of the link's requests was decided; after a renegotiation there is a newer one.
        round: u32,
        /// What.
        decision: Decision,
    },
    /// A datagram of one of its tunnels came in at another shard's socket.
    Datagram {
        /// Its way.
        path: Path,
        /// Its payload.
        bytes: Vec<u8>,
    },
    /// An ISAKMP message or ESP packet of one of its associations came in at another shard's socket.
    Secure {
        /// Its way.
        path: tollgate_ipsec::Path,
        /// ESP, and not ISAKMP.
        is_esp: bool,
        /// It, without marker.
        bytes: Vec<u8>,
    },
    /// A piece of work is done.
    JobDone(Box<tollgate_ipsec::JobResult>),
    /// A packet for one of its clients came in at another shard.
    Packet(Vec<u8>),
    /// End one session now: its user's new one waits for its place, and its peer may be long gone.
    Preempt {
        /// Which.
        handle: Handle,
        /// Why.
        ending: Ending,
    },
    /// End all sessions that match; answers with their number.
    Disconnect(Selector, oneshot::Sender<usize>),
    /// Which sessions a request of dynamic authorization means.
    Find(Arc<DynamicRequest>, oneshot::Sender<Vec<Found>>),
    /// Do what such a request asks to one session; answers whether it was still there.
    Apply {
        /// Which.
        handle: Handle,
        /// What.
        act: Act,
        /// Where the answer goes.
        done: oneshot::Sender<bool>,
    },
    /// `show sessions`.
    Sessions(oneshot::Sender<Vec<SessionReport>>),
    /// `show tunnels`.
    Tunnels(oneshot::Sender<Vec<TunnelReport>>),
    /// `show ipsec`.
    Ipsec(oneshot::Sender<Vec<IpsecReport>>),
    /// `show counters`.
    Counters(oneshot::Sender<Vec<(String, u64)>>),
    /// The configuration was swapped.
    Reloaded,
    /// Close everything properly and end.
    Drain,
}

/// Which sessions `tollgate disconnect` means.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Selector {
    /// All sessions of a user.
    User(String),
    /// The session with this Acct-Session-Id.
    Session(String),
    /// The session with this inner address.
    Address(Ipv4Addr),
    /// All of them.
    All,
}

/// A line of `show sessions`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct SessionReport {
    /// Acct-Session-Id.
    pub(crate) session: String,
    /// The name that was sent to the server; absent before the login.
    pub(crate) user: Option<String>,
    /// `lcp`, `authentication`, `network`, `up`.
    pub(crate) state: String,
    /// The client's inner address.
    pub(crate) address: Option<Ipv4Addr>,
    /// The client's outer address and port.
    pub(crate) peer: String,
    pub(crate) tunnel: u16,
    pub(crate) call: u16,
    pub(crate) tunnel_group: Option<String>,
    pub(crate) group_policy: Option<String>,
    pub(crate) server: Option<String>,
    pub(crate) method: Option<String>,
    /// How MPPE encrypts it.
    #[serde(default)]
    pub(crate) encryption: Option<String>,
    /// The access list that its packets must pass.
    #[serde(default)]
    pub(crate) filter: Option<String>,
    /// Seconds that it may last.
    #[serde(default)]
    pub(crate) session_timeout: Option<u64>,
    /// Seconds that it may be silent.
    #[serde(default)]
    pub(crate) idle_timeout: Option<u64>,
    /// Seconds since the session began.
    pub(crate) duration: u64,
    /// Seconds since its last packet.
    pub(crate) idle: Option<u64>,
    pub(crate) octets_in: u64,
    pub(crate) octets_out: u64,
    pub(crate) packets_in: u64,
    pub(crate) packets_out: u64,
}

/// A line of `show tunnels`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct TunnelReport {
    pub(crate) tunnel: u16,
    pub(crate) peer_tunnel: u16,
    pub(crate) peer: String,
    pub(crate) host_name: String,
    pub(crate) vendor: String,
    pub(crate) state: String,
    pub(crate) sessions: usize,
    /// The IPsec association that it belongs to.
    pub(crate) ipsec: Option<IpsecReport>,
}

/// A line of `show ipsec`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct IpsecReport {
    /// The association's number.
    pub(crate) association: u64,
    /// The peer's outer address and port.
    pub(crate) peer: String,
    /// What the peer calls itself.
    pub(crate) identity: String,
    /// How it proved it.
    pub(crate) proof: String,
    pub(crate) tunnel_group: String,
    /// `none`, `client`, `server` or `both`.
    pub(crate) nat: String,
    /// `esp` or `udp`.
    pub(crate) encapsulation: String,
    /// Cipher, hash, group and authentication of phase 1; absent when it has expired.
    pub(crate) phase1: Option<String>,
    /// Cipher, integrity and mode of phase 2; absent between two associations.
    pub(crate) phase2: Option<String>,
    pub(crate) spi_in: Option<String>,
    pub(crate) spi_out: Option<String>,
    /// Seconds left of phase 1.
    pub(crate) phase1_lifetime: Option<u64>,
    /// Seconds left of phase 2.
    pub(crate) phase2_lifetime: Option<u64>,
    /// Seconds since the association came up.
    pub(crate) duration: u64,
    pub(crate) rekeyed: u32,
    pub(crate) octets_in: u64,
    pub(crate) octets_out: u64,
    pub(crate) packets_in: u64,
    pub(crate) packets_out: u64,
    pub(crate) replay_drops: u64,
}
