//! What goes in and out of an endpoint besides datagrams: paths, events, calls, and why something ended.

use std::fmt;
use std::net::SocketAddr;
use std::ops::Range;

use zeroize::Zeroize;

use crate::codes::{CdnResult, ErrorCode, ProxyAuthenType, StopResult};
use crate::ids::{SessionKey, TunnelId};
use crate::info::{DropReason, TunnelInfo};

/// Where datagrams of a tunnel come from and go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Path {
    /// Our address.
    pub local: SocketAddr,
    /// The peer's address as seen from here (behind a NAT, the NAT's).
    pub remote: SocketAddr,
    /// The IPsec association that carries the datagrams; `None` for plain UDP. It must stay the same over rekeying;
    /// see [`crate::Endpoint::move_tunnel`] for when it cannot.
    pub association: Option<u64>,
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.remote.fmt(f)
    }
}

/// What became of a datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// A control message: fetch what it led to with `poll_event` and `poll_transmit`.
    Control,
    /// A PPP frame.
    Data {
        /// Whose it is.
        key: SessionKey,
        /// The number given with [`crate::Endpoint::set_token`]; zero before.
        token: u32,
        /// Where in the datagram the frame lies; never empty.
        frame: Range<usize>,
    },
    /// Nothing that can be used. It has been counted.
    Dropped(DropReason),
}

/// A datagram to send.
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
    /// A tunnel is established.
    TunnelUp {
        /// Which.
        tunnel: TunnelId,
        /// Everything known about it.
        info: TunnelInfo,
    },
    /// A tunnel is gone, after a [`Event::SessionDown`] for each of its sessions. Given for tunnels that were up and
    /// for those that the caller opened.
    TunnelDown {
        /// Which.
        tunnel: TunnelId,
        /// Why.
        cause: TunnelEnd,
    },
    /// A call is established: data may flow. As LNS the acknowledgement of the ICCN is already waiting in
    /// `poll_transmit`; send it before the first PPP frame, some clients lose what comes earlier.
    SessionUp {
        /// Which.
        key: SessionKey,
        /// What the LAC told about the call.
        call: Box<CallInfo>,
    },
    /// A call has ended. Given for calls that were up and for those that the caller opened.
    SessionDown {
        /// Which.
        key: SessionKey,
        /// Why.
        cause: SessionEnd,
    },
    /// A line for the log: what a peer did wrong.
    Warning {
        /// The peer, where one is known.
        path: Option<Path>,
        /// What it did.
        text: String,
    },
}

/// LCP as the LAC negotiated it before the call was handed over, RFC 2661 section 4.4.5. Each is the options of a
/// CONFREQ without its header.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxyLcp {
    /// The first CONFREQ from the user.
    pub initial_received: Option<Vec<u8>>,
    /// The last CONFREQ to the user.
    pub last_sent: Option<Vec<u8>>,
    /// The last CONFREQ from the user.
    pub last_received: Option<Vec<u8>>,
}

/// Authentication as the LAC did it, RFC 2661 section 4.4.5.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyAuth {
    /// The method.
    pub kind: ProxyAuthenType,
    /// The user's name.
    pub name: Option<Vec<u8>>,
    /// What the LAC challenged the user with.
    pub challenge: Option<Vec<u8>>,
    /// The identifier of challenge or request.
    pub id: Option<u8>,
    /// The user's response; the password itself for PAP and text.
    pub response: Option<Vec<u8>>,
}

impl Drop for ProxyAuth {
    fn drop(&mut self) {
        self.response.zeroize();
    }
}

impl fmt::Debug for ProxyAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The response can be a password.
        f.debug_struct("ProxyAuth").field("kind", &self.kind).field("id", &self.id).finish_non_exhaustive()
    }
}

/// What the LAC told about a call (at the LAC: what we told).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallInfo {
    /// Call serial number; equal at both ends.
    pub serial_number: u32,
    /// Bearer type: 1 digital, 2 analogue.
    pub bearer_type: Option<u32>,
    /// Framing type: 1 synchronous, 2 asynchronous.
    pub framing_type: Option<u32>,
    /// The number that called, unprintable octets replaced.
    pub calling_number: Option<String>,
    /// The number that was called, unprintable octets replaced.
    pub called_number: Option<String>,
    /// Sub-address of the call.
    pub sub_address: Option<String>,
    /// Bits per second towards the user.
    pub tx_speed: Option<u32>,
    /// Bits per second from the user; when absent, the same as `tx_speed`.
    pub rx_speed: Option<u32>,
    /// The LAC's channel.
    pub physical_channel: Option<u32>,
    /// The private group that the LAC puts the call into.
    pub private_group: Option<Vec<u8>>,
    /// LCP as the LAC negotiated it; `None` when it told nothing.
    pub proxy_lcp: Option<ProxyLcp>,
    /// Authentication as the LAC did it; `None` when it told nothing.
    pub proxy_auth: Option<ProxyAuth>,
    /// Data packets are numbered in both directions because the LAC requires it.
    pub sequencing_required: bool,
    /// Where the peer is.
    pub path: Path,
    /// The peer's host name.
    pub peer_host_name: String,
}

/// A call for [`crate::Endpoint::open_session`] to place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IncomingCall {
    /// Call serial number, for both ends' logs.
    pub serial_number: u32,
    /// Bearer type: 1 digital, 2 analogue.
    pub bearer_type: Option<u32>,
    /// Framing type: 1 synchronous, 2 asynchronous; zero is sent as 1.
    pub framing_type: u32,
    /// The number that calls.
    pub calling_number: Option<String>,
    /// The number that is called.
    pub called_number: Option<String>,
    /// Sub-address of the call.
    pub sub_address: Option<String>,
    /// Bits per second towards the user.
    pub tx_speed: u32,
    /// Bits per second from the user, when they differ.
    pub rx_speed: Option<u32>,
    /// Our channel.
    pub physical_channel: Option<u32>,
    /// The private group of the call.
    pub private_group: Option<Vec<u8>>,
    /// LCP as we negotiated it with the user.
    pub proxy_lcp: Option<ProxyLcp>,
    /// Authentication as we did it.
    pub proxy_auth: Option<ProxyAuth>,
}

/// Why we end a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallDisconnect {
    /// Result code of the CDN.
    pub result: CdnResult,
    /// Error code, where the result is a general error.
    pub error: Option<ErrorCode>,
    /// In words, for the peer's log. Not sent to Microsoft's clients, see [`crate::Endpoint::close_session`].
    pub message: String,
}

impl CallDisconnect {
    /// A result without error code.
    pub fn new(result: CdnResult, message: impl Into<String>) -> Self {
        Self { result, error: None, message: message.into() }
    }
}

/// Why we end a tunnel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TunnelStop {
    /// Result code of the StopCCN.
    pub result: StopResult,
    /// Error code, where the result is a general error.
    pub error: Option<ErrorCode>,
    /// In words, for the peer's log. Not sent to Microsoft's clients.
    pub message: String,
}

impl TunnelStop {
    /// A result without error code.
    pub fn new(result: StopResult, message: impl Into<String>) -> Self {
        Self { result, error: None, message: message.into() }
    }

    pub(crate) fn general(error: ErrorCode, message: impl Into<String>) -> Self {
        Self { result: StopResult::GeneralError, error: Some(error), message: message.into() }
    }
}

/// How a tunnel ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TunnelEnd {
    /// The peer sent StopCCN.
    ByPeer {
        /// Its result code.
        result: StopResult,
        /// Its error code, if any.
        error: Option<ErrorCode>,
        /// Its words, if any.
        message: String,
    },
    /// We sent StopCCN.
    ByUs {
        /// Our result code.
        result: StopResult,
        /// Our error code, if any.
        error: Option<ErrorCode>,
        /// Our words.
        message: String,
    },
    /// The peer stopped acknowledging for a full retransmission cycle.
    ControlTimeout,
    /// The peer acknowledged, but did not go on with setting the tunnel up.
    SetupTimeout,
    /// The peer opened the same tunnel anew, so it has forgotten this one; or it won the tie of two openings.
    Replaced,
}

impl fmt::Display for TunnelEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByPeer { result, error, message } => {
                phrase(f, "peer closed the tunnel", result, *error, message)
            }
            Self::ByUs { result, error, message } => phrase(f, "tunnel closed here", result, *error, message),
            Self::ControlTimeout => f.write_str("peer stopped acknowledging"),
            Self::SetupTimeout => f.write_str("peer did not complete the tunnel"),
            Self::Replaced => f.write_str("replaced by a new tunnel of the same peer"),
        }
    }
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionEnd {
    /// The peer sent CDN.
    ByPeer {
        /// Its result code.
        result: CdnResult,
        /// Its error code, if any.
        error: Option<ErrorCode>,
        /// Its words, if any, and what PPP or the telephone network said.
        message: String,
    },
    /// We sent CDN.
    ByUs {
        /// Our result code.
        result: CdnResult,
        /// Our error code, if any.
        error: Option<ErrorCode>,
        /// Our words.
        message: String,
    },
    /// The peer acknowledged, but did not go on with setting the call up.
    SetupTimeout,
    /// Its tunnel ended.
    TunnelDown(TunnelEnd),
}

impl fmt::Display for SessionEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByPeer { result, error, message } => {
                phrase(f, "peer ended the call", result, *error, message)
            }
            Self::ByUs { result, error, message } => phrase(f, "call ended here", result, *error, message),
            Self::SetupTimeout => f.write_str("peer did not complete the call"),
            Self::TunnelDown(end) => end.fmt(f),
        }
    }
}

fn phrase(
    f: &mut fmt::Formatter<'_>,
    who: &str,
    result: &dyn fmt::Display,
    error: Option<ErrorCode>,
    message: &str,
) -> fmt::Result {
    write!(f, "{who}: {result}")?;
    if let Some(error) = error.filter(|error| *error != ErrorCode::NoError) {
        write!(f, " ({error})")?;
    }
    if !message.is_empty() {
        write!(f, ", \"{message}\"")?;
    }
    Ok(())
}

/// Why a tunnel or session could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The tunnel is not there or is closing.
    #[error("no such tunnel")]
    NoTunnel,
    /// [`crate::Config::max_tunnels`] is reached, or there is no id left.
    #[error("too many tunnels")]
    TooManyTunnels,
    /// [`crate::Config::max_sessions`] is reached, or the tunnel has no id left.
    #[error("too many sessions")]
    TooManySessions,
}
