//! What an endpoint tells about itself: tunnels, sessions, counters.

use std::fmt;
use std::time::Instant;

use crate::codes::MessageType;
use crate::event::Path;
use crate::header::HeaderError;
use crate::ids::{PeerSessionId, PeerTunnelId, SessionKey, TunnelId};

/// Where a tunnel stands, named as in RFC 2661 section 7.2.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TunnelState {
    /// Our SCCRQ waits for its SCCRP.
    WaitCtlReply,
    /// Our SCCRP waits for its SCCCN.
    WaitCtlConn,
    /// In use.
    Established,
    /// Ended; kept only to acknowledge what the peer may still repeat.
    Closing,
}

impl fmt::Display for TunnelState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WaitCtlReply => "wait-ctl-reply",
            Self::WaitCtlConn => "wait-ctl-conn",
            Self::Established => "established",
            Self::Closing => "closing",
        })
    }
}

/// A tunnel as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TunnelInfo {
    /// Our id.
    pub id: TunnelId,
    /// The peer's id, once known.
    pub peer: Option<PeerTunnelId>,
    /// Where the peer is.
    pub path: Path,
    /// Where the tunnel stands.
    pub state: TunnelState,
    /// We opened it.
    pub opened_here: bool,
    /// The peer's host name, fit for a log; empty while unknown.
    pub host_name: String,
    /// The peer's vendor name, fit for a log; empty when not told.
    pub vendor_name: String,
    /// The peer's firmware revision.
    pub firmware_revision: Option<u16>,
    /// When it was established (or, before that, begun).
    pub since: Instant,
    /// When the peer was last heard.
    pub last_received: Instant,
    /// Control messages that the peer takes ahead.
    pub peer_window: u16,
    /// Congestion window within the peer's.
    pub congestion_window: u16,
    /// Control messages that we take ahead.
    pub own_window: u16,
    /// Control messages that the peer has not acknowledged.
    pub unacknowledged: usize,
    /// Sessions, those being set up included.
    pub sessions: usize,
}

/// Where a session stands, named as in RFC 2661 sections 7.4.1 and 7.4.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionState {
    /// Waits for its tunnel to be established.
    WaitTunnel,
    /// Our ICRQ waits for its ICRP.
    WaitReply,
    /// Our ICRP waits for its ICCN.
    WaitConnect,
    /// Data may flow.
    Established,
}

impl fmt::Display for SessionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WaitTunnel => "wait-tunnel",
            Self::WaitReply => "wait-reply",
            Self::WaitConnect => "wait-connect",
            Self::Established => "established",
        })
    }
}

/// A session as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionInfo {
    /// Our ids.
    pub key: SessionKey,
    /// The peer's id, once known.
    pub peer: Option<PeerSessionId>,
    /// Where the session stands.
    pub state: SessionState,
    /// We number the data packets that we send.
    pub sequencing: bool,
    /// The caller's number.
    pub token: u32,
    /// When it was established; `None` before.
    pub since: Option<Instant>,
}

/// Why a datagram led to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum DropReason {
    /// The datagram ends inside its header.
    Truncated,
    /// Another version of the protocol.
    Version,
    /// A control message without length or sequence numbers.
    ControlFlags,
    /// A length or offset that does not fit the datagram.
    Length,
    /// A data message without a frame.
    EmptyFrame,
    /// A control message whose AVPs cannot be read and that belongs to no tunnel.
    BadMessage,
    /// A tunnel id that is not ours, or a message without tunnel id that is not an SCCRQ.
    UnknownTunnel,
    /// The right tunnel id from the wrong place: another association, or another address.
    WrongPath,
    /// A data message for a session that is not established.
    UnknownSession,
    /// A data message older than one already delivered.
    OutOfSequence,
    /// A control message beyond our receive window.
    OutsideWindow,
    /// A control message that acknowledges what was never sent.
    BadAcknowledgement,
    /// An SCCRQ that lost the tie against our own.
    LostTie,
}

impl DropReason {
    /// Every reason, in the order of their declaration.
    pub const ALL: [Self; 13] = [
        Self::Truncated,
        Self::Version,
        Self::ControlFlags,
        Self::Length,
        Self::EmptyFrame,
        Self::BadMessage,
        Self::UnknownTunnel,
        Self::WrongPath,
        Self::UnknownSession,
        Self::OutOfSequence,
        Self::OutsideWindow,
        Self::BadAcknowledgement,
        Self::LostTie,
    ];

    /// The word for metrics: lower case, hyphens.
    pub fn name(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::Version => "version",
            Self::ControlFlags => "control-flags",
            Self::Length => "length",
            Self::EmptyFrame => "empty-frame",
            Self::BadMessage => "bad-message",
            Self::UnknownTunnel => "unknown-tunnel",
            Self::WrongPath => "wrong-path",
            Self::UnknownSession => "unknown-session",
            Self::OutOfSequence => "out-of-sequence",
            Self::OutsideWindow => "outside-window",
            Self::BadAcknowledgement => "bad-acknowledgement",
            Self::LostTie => "lost-tie",
        }
    }
}

impl From<HeaderError> for DropReason {
    fn from(error: HeaderError) -> Self {
        match error {
            HeaderError::Truncated(_) => Self::Truncated,
            HeaderError::Version(_) => Self::Version,
            HeaderError::ControlFlags => Self::ControlFlags,
            HeaderError::Length(_) | HeaderError::Offset(_) => Self::Length,
            HeaderError::Empty => Self::EmptyFrame,
        }
    }
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Counts since the endpoint began. All wrap at 2^64.
#[derive(Debug, Clone, Default)]
pub struct Counters {
    /// Control messages taken, ZLB and duplicates not included.
    pub messages_in: u64,
    /// Control messages sent for the first time, ZLB not included.
    pub messages_out: u64,
    /// ZLB acknowledgements received.
    pub zlb_in: u64,
    /// ZLB acknowledgements sent.
    pub zlb_out: u64,
    /// Control messages sent again.
    pub retransmissions: u64,
    /// Control messages received again.
    pub duplicates: u64,
    /// Control messages received before their turn and kept.
    pub out_of_order: u64,
    /// Control messages of a tunnel that could not be used.
    pub bad_messages: u64,
    /// Data packets delivered.
    pub data_in: u64,
    /// Data headers written.
    pub data_out: u64,
    /// Tunnels established.
    pub tunnels_up: u64,
    /// Tunnels that peers asked for and that were refused.
    pub tunnels_refused: u64,
    /// Half-open tunnels given up for newer ones.
    pub half_open_evicted: u64,
    /// Sessions established.
    pub sessions_up: u64,
    /// Calls that were refused.
    pub calls_refused: u64,
    /// Warnings that were left out because there were too many at once.
    pub warnings_suppressed: u64,
    drops: [u64; DropReason::ALL.len()],
    by_type: [u64; 17],
}

impl Counters {
    /// Datagrams dropped for this reason.
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.drops.get(reason as usize).copied().unwrap_or(0)
    }

    /// Control messages of this type taken.
    pub fn received(&self, message_type: MessageType) -> u64 {
        self.by_type.get(usize::from(message_type.number())).copied().unwrap_or(0)
    }

    pub(crate) fn count_drop(&mut self, reason: DropReason) {
        if let Some(count) = self.drops.get_mut(reason as usize) {
            *count = count.wrapping_add(1);
        }
    }

    pub(crate) fn count_message(&mut self, message_type: MessageType) {
        self.messages_in = self.messages_in.wrapping_add(1);
        if let Some(count) = self.by_type.get_mut(usize::from(message_type.number())) {
            *count = count.wrapping_add(1);
        }
    }
}
