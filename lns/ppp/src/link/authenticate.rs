//! The phase of authentication (RFC 1661 3.5): its beginning, the decision on it, and what follows from that.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Auth, Link, Role};
use crate::auth::{Authenticator, Step, Supplicant};
use crate::frame::Framing;
use crate::ipcp::Ipcp;
use crate::terminate;
use crate::{AuthDecision, DownReason, Event, Phase};

impl Link {
    /// The decision on the last [`Event::Authenticate`]. Without one that waits, nothing happens. After a
    /// renegotiation by the peer there may be a newer request than the one that was decided: see
    /// [`Link::authentication_round`].
    pub fn authenticated(&mut self, now: Instant, decision: AuthDecision) {
        let Auth::Server(auth) = &mut self.auth else { return };
        if !auth.is_pending() {
            return;
        }
        match decision {
            AuthDecision::Accept { network, .. } if network.peer.is_unspecified() => {
                let message = "no address for the peer".to_owned();
                self.end(now, DownReason::Unavailable { message });
            }
            AuthDecision::Accept { message, network, encryption } => {
                let challenge = auth.ms_chap_v1_challenge();
                auth.accept(&message, &mut self.shared);
                self.auth = auth.settle().map_or(Auth::None, Auth::Settled);
                self.enter_network(now, Ipcp::server(network));
                self.enter_encryption(now, encryption, challenge);
            }
            AuthDecision::Continue { packet, timeout } => {
                let step = auth.proceed(now, &packet, timeout, &mut self.shared);
                let limit = self.auth_timeout().saturating_add(timeout.unwrap_or_default());
                self.auth_deadline = now.checked_add(limit);
                self.after_auth(now, step);
            }
            AuthDecision::PasswordExpired { message, challenge } => {
                let step = auth.ask_for_new_password(&message, challenge, &mut self.shared);
                self.auth_deadline = now.checked_add(self.auth_timeout());
                self.after_auth(now, step);
            }
            AuthDecision::Reject { message, code, retry } => {
                let step = auth.reject(&message, code, retry, &mut self.shared);
                self.after_auth(now, step);
            }
            AuthDecision::Unavailable { message } => {
                let message = terminate::readable(&message);
                self.end_with_text(now, DownReason::Unavailable { message: message.clone() }, &message);
            }
        }
    }

    /// Counts the [`Event::Authenticate`]s of this link. Note it with each of them; a decision that comes back under
    /// another number belongs to a request that the peer has given up, and must be dropped.
    pub fn authentication_round(&self) -> u32 {
        self.authentications
    }

    pub(super) fn enter_authentication(&mut self, now: Instant) {
        let peer = self.lcp.options.peer;
        self.shared.peer_mru = peer.mru;
        self.shared.framing = Framing { acfc: peer.acfc, pfc: peer.pfc };
        self.phase = Phase::Authenticate;
        self.auth_deadline = now.checked_add(self.auth_timeout());
        let (peer_mru, method) = (self.peer_mru(), self.lcp.options.method());
        self.shared.event(Event::LcpOpened { peer_mru, method, peer_magic: peer.magic });
    }

    pub(super) fn auth_timeout(&self) -> Duration {
        match &self.role {
            Role::Server(config) => config.auth_timeout,
            Role::Client(config) => config.auth_timeout,
        }
    }

    pub(super) fn start_authentication(&mut self, now: Instant) {
        let method = self.lcp.options.method();
        let started = match (&self.role, method) {
            (Role::Server(config), Some(method)) => {
                Authenticator::start(method, Arc::clone(config), now, &mut self.shared)
                    .map(|auth| Auth::Server(Box::new(auth)))
            }
            (Role::Client(config), Some(method)) => {
                Supplicant::start(method, Arc::clone(config), now, &mut self.shared)
                    .map(|auth| Auth::Client(Box::new(auth)))
            }
            (Role::Client(config), None) => {
                let ipcp = Ipcp::client(config.request_dns, config.request_nbns);
                let wanted = config.encryption;
                self.enter_network(now, ipcp);
                self.enter_client_encryption(now, wanted);
                return;
            }
            (Role::Server(_), None) => None,
        };
        match started {
            Some(auth) => self.auth = auth,
            None => self.end(now, DownReason::MethodRefused { wanted: Vec::new() }),
        }
    }

    pub(super) fn after_auth(&mut self, now: Instant, step: Step) {
        match step {
            Step::Wait => {}
            Step::Passed => {
                if let Role::Client(config) = &self.role {
                    let ipcp = Ipcp::client(config.request_dns, config.request_nbns);
                    let wanted = config.encryption;
                    self.enter_network(now, ipcp);
                    self.enter_client_encryption(now, wanted);
                }
            }
            Step::Failed(reason) => self.end(now, reason),
        }
    }
}
