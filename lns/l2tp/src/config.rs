//! What the operator or the caller decides about an endpoint.

use std::time::Duration;

use zeroize::Zeroizing;

use crate::reliable::Schedule;

/// Which end of the protocol an endpoint is, RFC 2661 section 1.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Network server: takes tunnels and incoming calls.
    Lns,
    /// Access concentrator (here: a client): opens tunnels and places calls; refuses both from others.
    Lac,
}

/// Settings of an endpoint. [`Config::new`] gives the defaults named at each.
#[derive(Clone)]
pub struct Config {
    /// Which end we are.
    pub role: Role,
    /// Our name for the peer's logs, 1..=1017 octets.
    pub host_name: String,
    /// Vendor name for the SCCRQ; empty: none is sent. Never sent in an SCCRP, where only the basic AVPs are safe.
    pub vendor_name: String,
    /// Firmware revision for the SCCRQ, in our own numbering. Sent together with the vendor name.
    pub firmware_revision: u16,
    /// Tunnel authentication (section 5.1.1): with a secret we challenge every peer and require the answer; without
    /// one a peer that challenges us is refused. Default none.
    pub shared_secret: Option<Zeroizing<Vec<u8>>>,
    /// Send AVPs hidden wherever they may be and there is a secret. Default false.
    pub hide_avps: bool,
    /// Silence after which the peer is asked for a sign of life, 10..=300 s. Default 60 s.
    pub hello_interval: Duration,
    /// Control messages that we take before the peer must wait for an acknowledgement, 1..=32767. Default 16.
    pub receive_window: u16,
    /// Wait before the first retransmission. Default 1 s.
    pub retransmit_initial: Duration,
    /// Longest wait between retransmissions; each is twice the one before. At least 8 s by the RFC. Default 8 s.
    pub retransmit_cap: Duration,
    /// Retransmissions before the peer is given up, at least 5 by the RFC. Default 6.
    pub retransmit_tries: u32,
    /// Tunnels of the whole endpoint. Default 65535.
    pub max_tunnels: usize,
    /// Sessions of the whole endpoint. Default 65536.
    pub max_sessions: usize,
    /// Tunnels that peers have asked for and not yet confirmed; the oldest makes place for a new one. Default 1024.
    pub max_half_open: usize,
    /// Ask the peer to number data packets: as LAC by the Sequencing Required AVP, as LNS by numbering our own, which
    /// a LAC must then do too (section 5.4). Default false.
    pub require_sequencing: bool,
    /// Pass over vendors' mandatory AVPs that are not known here instead of ending the tunnel or session as the RFC
    /// wants. Default false.
    pub ignore_unknown_mandatory_vendor_avps: bool,
    /// Take new tunnels; false while draining. Default true.
    pub accept_incoming: bool,
    /// Put a Tie Breaker AVP into our SCCRQ, so that of two tunnels opened at once only one stays. Default false.
    pub send_tie_breaker: bool,
}

impl Config {
    /// The defaults, for this end and under this name.
    pub fn new(role: Role, host_name: impl Into<String>) -> Self {
        Self {
            role,
            host_name: host_name.into(),
            vendor_name: String::from("Tollgate"),
            firmware_revision: 0x0001,
            shared_secret: None,
            hide_avps: false,
            hello_interval: Duration::from_secs(60),
            receive_window: 16,
            retransmit_initial: Duration::from_secs(1),
            retransmit_cap: Duration::from_secs(8),
            retransmit_tries: 6,
            max_tunnels: 65_535,
            max_sessions: 65_536,
            max_half_open: 1024,
            require_sequencing: false,
            ignore_unknown_mandatory_vendor_avps: false,
            accept_incoming: true,
            send_tie_breaker: false,
        }
    }

    /// The retransmission timing.
    pub(crate) fn schedule(&self) -> Schedule {
        Schedule { initial: self.retransmit_initial, cap: self.retransmit_cap, tries: self.retransmit_tries }
    }

    pub(crate) fn secret(&self) -> Option<&[u8]> {
        self.shared_secret.as_ref().map(|secret| secret.as_slice())
    }

    /// Kept inside its range, so that a slip in a caller neither floods a peer nor keeps a dead one for ever.
    pub(crate) fn hello_after(&self) -> Duration {
        self.hello_interval.clamp(Duration::from_secs(10), Duration::from_secs(300))
    }
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("role", &self.role)
            .field("host_name", &self.host_name)
            .field("shared_secret", &self.shared_secret.is_some())
            .finish_non_exhaustive()
    }
}
