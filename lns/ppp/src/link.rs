//! One PPP link, from the first Configure-Request to the last Terminate-Ack.

use std::sync::Arc;
use std::time::Instant;

use tollgate_sansio::Entropy;

use crate::frame::Framing;
use crate::{AuthDecision, ClientConfig, CloseReason, Event, Phase, ProxyLcp, ServerConfig};

/// One PPP link, either end.
pub struct Link {
    _entropy: Entropy,
}

impl Link {
    /// The answering end.
    pub fn server(_config: Arc<ServerConfig>, entropy: Entropy) -> Self {
        Self { _entropy: entropy }
    }
    /// The calling end.
    pub fn client(_config: Arc<ClientConfig>, entropy: Entropy) -> Self {
        Self { _entropy: entropy }
    }
    /// The lower layer is up: negotiation begins.
    pub fn start(&mut self, _now: Instant) {}
    /// The lower layer is up and a LAC has negotiated already.
    pub fn start_with_proxy(&mut self, _now: Instant, _proxy: ProxyLcp<'_>) -> bool {
        false
    }
    /// A frame arrived.
    pub fn handle_frame(&mut self, _now: Instant, _frame: &[u8]) {}
    /// The time of [`Link::next_timeout`] has come.
    pub fn handle_timeout(&mut self, _now: Instant) {}
    /// When to call [`Link::handle_timeout`].
    pub fn next_timeout(&self) -> Option<Instant> {
        None
    }
    /// A data packet arrived: the peer is alive.
    pub fn note_traffic(&mut self, _now: Instant) {}
    /// The next frame to send.
    pub fn poll_frame(&mut self) -> Option<Vec<u8>> {
        None
    }
    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        None
    }
    /// The decision on the last [`Event::Authenticate`].
    pub fn authenticated(&mut self, _now: Instant, _decision: AuthDecision) {}
    /// Ends the link properly.
    pub fn close(&mut self, _now: Instant, _reason: CloseReason) {}
    /// IPCP is open.
    pub fn is_up(&self) -> bool {
        false
    }
    /// What we may send, in octets.
    pub fn peer_mru(&self) -> u16 {
        1500
    }
    /// Where the link stands.
    pub fn phase(&self) -> Phase {
        Phase::Dead
    }
    /// Address-and-control and protocol field compression of what we send.
    pub fn send_protocol_compressed(&self) -> (bool, bool) {
        (false, false)
    }
    /// PPP header for an IPv4 packet towards the peer.
    pub fn ipv4_header(&self) -> &'static [u8] {
        Framing::default().ipv4_header()
    }
}
