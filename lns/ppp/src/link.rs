//! One PPP link from the first Configure-Request to the last Terminate-Ack: the phases of RFC 1661 section 3 and the
//! machines that work in each. What comes in is sorted in `link/receive`, logins are `link/authenticate`, CCP and MPPE
//! `link/encryption`.

mod authenticate;
mod encryption;
mod receive;

use std::sync::Arc;
use std::time::Instant;

use tollgate_sansio::Entropy;

use crate::auth::{Authenticator, Settled, Step, Supplicant};
use crate::config::Timers;
use crate::echo::{Echo, Silence};
use crate::frame::{Framing, Protocol};
use crate::fsm::State;
use crate::ipcp::Ipcp;
use crate::lcp::{self, Lcp};
use crate::negotiate::{Negotiator, Outcome};
use crate::shared::{DEFAULT_MRU, Shared};
pub use encryption::Unsealed;

use crate::{ClientConfig, CloseReason, DownReason, Event, Phase, ProxyLcp, ServerConfig};

/// Renegotiations of an open LCP by the peer without coming up in between: each may cost a backend a login.
const MOST_RENEGOTIATIONS: u8 = 5;

/// One PPP link, either end. An idle open one takes less than a kibibyte, what it has on the heap included.
pub struct Link {
    role: Role,
    shared: Shared,
    phase: Phase,
    lcp: Negotiator<Lcp>,
    auth: Auth,
    /// On the heap because most of a link's life it only waits for a renegotiation that never comes.
    ipcp: Option<Box<Negotiator<Ipcp>>>,
    /// CCP and MPPE, where the login brings encryption with it.
    secret: Option<Box<encryption::Secret>>,
    echo: Echo,
    /// Limit of everything before `Up`.
    negotiation_deadline: Option<Instant>,
    /// Limit of the authentication.
    auth_deadline: Option<Instant>,
    /// Why the link is being ended.
    ending: Option<DownReason>,
    down_told: bool,
    renegotiations: u8,
    authentications: u32,
    reject_identifier: u8,
    echo_loops: u8,
}

enum Role {
    Server(Arc<ServerConfig>),
    Client(Arc<ClientConfig>),
}

enum Auth {
    None,
    Server(Box<Authenticator>),
    Client(Box<Supplicant>),
    Settled(Settled),
}

impl Link {
    /// The answering end: authenticates its peer and assigns it an address.
    pub fn server(config: Arc<ServerConfig>, entropy: Entropy) -> Self {
        let timers = Timers::of_server(&config);
        let echo = Echo::new(config.echo_interval, config.echo_misses);
        let lcp = Lcp::server(&config);
        Self::new(Role::Server(config), Shared::new(entropy, timers), lcp, echo)
    }

    /// The calling end: proves who it is and takes the address it is given.
    pub fn client(config: Arc<ClientConfig>, entropy: Entropy) -> Self {
        let timers = Timers::of_client(&config);
        let echo = Echo::new(config.echo_interval, config.echo_misses);
        let lcp = Lcp::client(&config);
        Self::new(Role::Client(config), Shared::new(entropy, timers), lcp, echo)
    }

    fn new(role: Role, shared: Shared, lcp: Lcp, echo: Echo) -> Self {
        Self {
            role,
            shared,
            phase: Phase::Dead,
            lcp: Negotiator::new(lcp),
            auth: Auth::None,
            ipcp: None,
            secret: None,
            echo,
            negotiation_deadline: None,
            auth_deadline: None,
            ending: None,
            down_told: false,
            renegotiations: 0,
            authentications: 0,
            reject_identifier: 0,
            echo_loops: 0,
        }
    }

    /// The lower layer is up: the first Configure-Request goes out. Has no effect on a link that was started.
    pub fn start(&mut self, now: Instant) {
        if self.phase != Phase::Dead || self.lcp.state() != State::Initial || self.down_told {
            return;
        }
        if matches!(self.role, Role::Server(_)) && !self.lcp.options.has_methods() {
            // Nothing that could be offered must never become "no authentication".
            self.ending = Some(DownReason::MethodRefused { wanted: Vec::new() });
            self.down();
            return;
        }
        self.establish(now);
        self.lcp.start(now, &mut self.shared);
    }

    /// The lower layer is up and a LAC has negotiated LCP, perhaps begun the authentication too (RFC 2661 4.4.5).
    ///
    /// Returns true when that is complete and what we would have agreed to: LCP then counts as open, and an
    /// authentication whose method is one of ours becomes an [`Event::Authenticate`] at once. Returns false when it
    /// is not; then LCP has been started afresh, as by [`Link::start`].
    pub fn start_with_proxy(&mut self, now: Instant, proxy: ProxyLcp<'_>) -> bool {
        if self.phase != Phase::Dead || self.lcp.state() != State::Initial || self.down_told {
            return false;
        }
        let adopted = self.adopt(now, &proxy);
        if !adopted {
            self.start(now);
        }
        adopted
    }

    fn adopt(&mut self, now: Instant, proxy: &ProxyLcp<'_>) -> bool {
        let (Role::Server(config), Some(sent), Some(received)) =
            (&self.role, proxy.last_sent, proxy.last_received)
        else {
            return false;
        };
        let config = Arc::clone(config);
        if !self.lcp.options.adopt(sent, received, &mut self.shared) {
            return false;
        }
        let suits = self
            .lcp
            .options
            .method()
            .is_some_and(|method| proxy.auth.as_ref().is_none_or(|auth| auth.suits(method)));
        if !suits {
            return false;
        }
        self.lcp.adopt();
        self.establish(now);
        self.enter_authentication(now);
        match proxy.auth.as_ref().and_then(|auth| auth.take_over(config, &mut self.shared)) {
            Some(taken) => {
                self.authentications = self.authentications.wrapping_add(1);
                self.auth = Auth::Server(Box::new(taken));
            }
            None => self.start_authentication(now),
        }
        true
    }

    fn establish(&mut self, now: Instant) {
        self.phase = Phase::Establish;
        let limit = match &self.role {
            Role::Server(config) => config.negotiation_timeout,
            Role::Client(config) => config.negotiation_timeout,
        };
        self.negotiation_deadline = now.checked_add(limit);
    }

    /// The time of [`Link::next_timeout`] has come. Calling it earlier does nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.phase == Phase::Dead {
            return;
        }
        let passed = |deadline: Option<Instant>| deadline.is_some_and(|deadline| deadline <= now);
        if passed(self.auth_deadline) {
            self.end(now, DownReason::NegotiationTimeout(Phase::Authenticate));
        } else if passed(self.negotiation_deadline) {
            self.end(now, DownReason::NegotiationTimeout(self.phase));
        }
        let outcome = self.lcp.timeout(now, &mut self.shared);
        self.after_lcp(now, outcome);
        let step = match &mut self.auth {
            Auth::Server(auth) => auth.timeout(now, &mut self.shared),
            Auth::Client(auth) => auth.timeout(now, &mut self.shared),
            Auth::None | Auth::Settled(_) => Step::Wait,
        };
        self.after_auth(now, step);
        if let Some(ipcp) = &mut self.ipcp {
            let outcome = ipcp.timeout(now, &mut self.shared);
            self.after_ipcp(now, outcome);
        }
        self.ccp_timeout(now);
        match self.echo.timeout(now) {
            Silence::Short => {}
            Silence::Ask(identifier) => {
                let magic = self.lcp.options.magic().to_be_bytes();
                self.shared.send(Protocol::LCP, lcp::ECHO_REQUEST, identifier, &magic);
            }
            Silence::Dead => self.end(now, DownReason::EchoTimeout),
        }
    }

    /// When to call [`Link::handle_timeout`], if no input comes first. Traffic moves it further away.
    pub fn next_timeout(&self) -> Option<Instant> {
        if self.phase == Phase::Dead {
            return None;
        }
        let auth = match &self.auth {
            Auth::Server(auth) => auth.timer(),
            Auth::Client(auth) => auth.timer(),
            Auth::None | Auth::Settled(_) => None,
        };
        let ipcp = self.ipcp.as_ref().and_then(|ipcp| ipcp.timer());
        let (lcp, ccp) = (self.lcp.timer(), self.ccp_timer());
        [lcp, auth, ipcp, ccp, self.echo.due(), self.auth_deadline, self.negotiation_deadline]
            .into_iter()
            .flatten()
            .min()
    }

    /// A data packet came from the peer, so that it is alive. To be called for each of them; costs next to nothing.
    pub fn note_traffic(&mut self, now: Instant) {
        self.echo.note_traffic(now);
    }

    /// The next frame to send.
    pub fn poll_frame(&mut self) -> Option<Vec<u8>> {
        self.shared.poll_frame()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.shared.poll_event()
    }

    /// Ends the link properly: a Terminate-Request with `reason` in it, and [`Event::Down`] when it is answered or
    /// was repeated often enough. Does nothing on a link that ends already.
    pub fn close(&mut self, now: Instant, reason: CloseReason) {
        self.end_with_text(now, DownReason::Closed, &reason.text);
    }

    /// IPCP is open: packets may flow.
    pub fn is_up(&self) -> bool {
        self.phase == Phase::Up
    }

    /// The largest packet we may send, in octets: the peer's MRU, 1500 if it named none, and not more than the
    /// configured limit.
    pub fn peer_mru(&self) -> u16 {
        let limit = match &self.role {
            Role::Server(config) => config.mtu_limit,
            Role::Client(_) => DEFAULT_MRU,
        };
        self.shared.peer_mru.min(limit)
    }

    /// Where the link stands.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Why the link is ending, from the moment it begins to end until [`Event::Down`] has told it.
    pub fn ending(&self) -> Option<&DownReason> {
        self.ending.as_ref()
    }

    /// What the peer allows us to leave out: address and control field (ACFC), first octet of the protocol (PFC).
    pub fn send_protocol_compressed(&self) -> (bool, bool) {
        (self.shared.framing.acfc, self.shared.framing.pfc)
    }

    /// The PPP header for an IPv4 packet towards the peer: 4 octets, or 3, 2 or 1 as far as the peer allows.
    pub fn ipv4_header(&self) -> &'static [u8] {
        self.shared.framing.ipv4_header()
    }

    fn after_lcp(&mut self, now: Instant, outcome: Outcome) {
        if let Some(reason) = outcome.stop {
            self.end(now, reason);
        } else if outcome.down && self.ending.is_none() {
            self.renegotiate(now);
        } else if outcome.up && self.ending.is_none() {
            self.enter_authentication(now);
            self.start_authentication(now);
        }
        if outcome.finished && !self.down_told {
            self.ending.get_or_insert(DownReason::NegotiationTimeout(Phase::Establish));
            self.down();
        }
    }

    /// The peer has begun LCP anew on an open link (RFC 1661 4.4, This-Layer-Down): nothing that came after LCP
    /// stands any more, the authentication least of all.
    fn renegotiate(&mut self, now: Instant) {
        self.shared.warn(format!("the peer renegotiates LCP during {}", self.phase));
        self.leave_network();
        self.auth = Auth::None;
        self.auth_deadline = None;
        self.shared.framing = Framing::default();
        self.shared.peer_mru = DEFAULT_MRU;
        self.establish(now);
        self.renegotiations += 1;
        if self.renegotiations > MOST_RENEGOTIATIONS {
            self.end(now, DownReason::NotConverging("LCP"));
        }
    }

    fn enter_network(&mut self, now: Instant, ipcp: Ipcp) {
        self.phase = Phase::Network;
        self.auth_deadline = None;
        let mut ipcp = Box::new(Negotiator::new(ipcp));
        ipcp.start(now, &mut self.shared);
        self.ipcp = Some(ipcp);
    }

    fn after_ipcp(&mut self, now: Instant, outcome: Outcome) {
        if let Some(reason) = outcome.stop {
            self.end(now, reason);
            return;
        }
        if outcome.down && self.ending.is_none() {
            self.echo.stop();
            self.establish(now);
            self.phase = Phase::Network;
            self.stop_waiting_for_encryption();
        }
        if outcome.up {
            match self.ipcp.as_ref().and_then(|ipcp| ipcp.options.addresses()) {
                Some(addresses) if self.waits_for_encryption(addresses) => {}
                Some(addresses) => self.come_up(now, addresses),
                None => self.end(now, DownReason::NotConverging("an IP address for us")),
            }
        }
        if outcome.finished {
            self.end(now, DownReason::NegotiationTimeout(Phase::Network));
        }
    }

    fn come_up(&mut self, now: Instant, addresses: crate::Addresses) {
        self.phase = Phase::Up;
        self.negotiation_deadline = None;
        self.renegotiations = 0;
        self.lcp.options.settle();
        self.echo.start(now);
        self.shared.event(Event::Up(addresses));
    }

    fn leave_network(&mut self) {
        self.ipcp = None;
        self.secret = None;
        self.echo.stop();
    }

    fn end(&mut self, now: Instant, reason: DownReason) {
        let text = reason.to_string();
        self.end_with_text(now, reason, &text);
    }

    /// The first reason stands: what follows is only the ending of it.
    fn end_with_text(&mut self, now: Instant, reason: DownReason, text: &str) {
        if self.ending.is_some() || self.down_told {
            return;
        }
        self.ending = Some(reason);
        self.phase = Phase::Terminate;
        self.leave_network();
        self.auth = Auth::None;
        self.auth_deadline = None;
        self.negotiation_deadline = None;
        let outcome = self.lcp.close(now, text, &mut self.shared);
        let waits = self.lcp.state() == State::Closing;
        if outcome.finished || !waits {
            self.down();
        }
    }

    fn down(&mut self) {
        self.phase = Phase::Dead;
        self.leave_network();
        self.auth = Auth::None;
        self.auth_deadline = None;
        self.negotiation_deadline = None;
        let reason = self.ending.take().unwrap_or(DownReason::Closed);
        if !self.down_told {
            self.down_told = true;
            self.shared.event(Event::Down(reason));
        }
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link")
            .field("server", &matches!(self.role, Role::Server(_)))
            .field("phase", &self.phase)
            .field("lcp", &self.lcp.state())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
