//! The server's side of EAP, a pass-through authenticator (RFC 3748 7, RFC 3579 2): it asks who is there, hands each
//! Response to the owner once and sends what the owner brings back. Types are nothing to it.
//!
//! Of the peer only the Response to the Request that is out is taken. Copies of what was handed over wait for the
//! decision like the original; a Request that nothing is heard to is sent again by the timer (RFC 3748 4.3).

use std::time::{Duration, Instant};

use super::{FAILURE, REQUEST, RESPONSE, SUCCESS, eap_type, typed, whole};
use crate::auth::{AuthRequest, Proof, Settled, Step, is_fit_name};
use crate::frame::{Packet, Protocol};
use crate::shared::{DEFAULT_MRU, Shared};
use crate::{DownReason, Event, Phase};

/// Requests of one login at the most: a method that needs more goes in a circle.
const MOST_ROUNDS: u8 = 100;
/// A retransmission timer that the backend names is kept within these bounds.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// See the module.
pub(crate) struct Authenticator {
    state: State,
    /// Of the packet that is out.
    identifier: u8,
    /// Of the Response that was handed over last.
    answered: u8,
    request: Vec<u8>,
    attempt: u8,
    /// The time between transmissions that the backend asked for (RFC 3579 2.3, Session-Timeout).
    wait: Option<Duration>,
    timer: Option<Instant>,
    identity: Option<Vec<u8>>,
    rounds: u8,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    /// A Request is out.
    Asking,
    /// A Response waits for its decision.
    Pending,
    /// A verdict with this code was sent.
    Decided(u8),
}

impl Authenticator {
    /// Sends the Request for the identity.
    pub(crate) fn start(now: Instant, shared: &mut Shared) -> Self {
        let [identifier] = shared.entropy.array();
        let mut eap = Self {
            state: State::Asking,
            identifier,
            answered: identifier,
            request: vec![eap_type::IDENTITY],
            attempt: 0,
            wait: None,
            timer: None,
            identity: None,
            rounds: 0,
        };
        eap.ask(now, shared);
        eap
    }

    fn ask(&mut self, now: Instant, shared: &mut Shared) {
        self.attempt = self.attempt.saturating_add(1);
        let wait = self.wait.unwrap_or_else(|| shared.timers.interval(self.attempt));
        self.timer = now.checked_add(wait);
        shared.send(Protocol::EAP, REQUEST, self.identifier, &self.request);
    }

    pub(crate) fn receive(&mut self, packet: Packet<'_>, shared: &mut Shared) -> Step {
        if packet.code != RESPONSE {
            shared.warn(format!("EAP: code {} from the client", packet.code));
            return Step::Wait;
        }
        if let State::Decided(code) = self.state {
            if packet.identifier == self.answered {
                shared.send(Protocol::EAP, code, self.identifier, &[]);
            }
            return Step::Wait;
        }
        if self.state != State::Asking || packet.identifier != self.identifier {
            return Step::Wait;
        }
        let Some((kind, data)) = typed(packet.data) else {
            shared.warn("EAP: a Response without a type");
            return Step::Wait;
        };
        if packet.data.len() + 4 > usize::from(DEFAULT_MRU) {
            shared.warn(format!("EAP: a Response of {} octets", packet.data.len() + 4));
            return Step::Wait;
        }
        let name = match (&self.identity, kind) {
            (Some(name), _) => name.clone(),
            (None, eap_type::IDENTITY) => data.to_vec(),
            (None, _) => {
                shared.warn(format!("EAP: type {kind} instead of an identity"));
                return Step::Wait;
            }
        };
        self.timer = None;
        self.answered = packet.identifier;
        if !is_fit_name(&name) {
            shared.warn("EAP: the identity is too long or has a NUL in it");
            return self.reject(&[], shared);
        }
        self.state = State::Pending;
        self.identity = Some(name.clone());
        shared.event(Event::Authenticate(AuthRequest { name, proof: Proof::Eap { packet: whole(packet) } }));
        Step::Wait
    }

    pub(crate) fn is_pending(&self) -> bool {
        self.state == State::Pending
    }

    /// The backend's next Request, which goes out as it is.
    pub(crate) fn proceed(
        &mut self,
        now: Instant,
        packet: &[u8],
        wait: Option<Duration>,
        shared: &mut Shared,
    ) -> Step {
        let Some(packet) = Packet::parse(packet).filter(|packet| {
            packet.code == REQUEST
                && !packet.data.is_empty()
                && packet.data.len() + 4 <= usize::from(DEFAULT_MRU)
        }) else {
            let message = "the server's next EAP packet is no Request that fits a frame".to_owned();
            return Step::Failed(DownReason::Unavailable { message });
        };
        self.rounds = self.rounds.saturating_add(1);
        if self.rounds > MOST_ROUNDS {
            self.reject(&[], shared);
            return Step::Failed(DownReason::NotConverging("EAP"));
        }
        if packet.data.len() + 4 > usize::from(shared.peer_mru) {
            shared.warn(format!(
                "EAP: a Request of {} octets for a peer that takes {}",
                packet.data.len() + 4,
                shared.peer_mru
            ));
        }
        self.identifier = packet.identifier;
        self.request = packet.data.to_vec();
        self.wait = wait.map(|wait| wait.clamp(SHORTEST_WAIT, LONGEST_WAIT));
        self.attempt = 0;
        self.state = State::Asking;
        self.ask(now, shared);
        Step::Wait
    }

    pub(crate) fn accept(&mut self, message: &[u8], shared: &mut Shared) {
        self.decide(SUCCESS, message, shared);
    }

    pub(crate) fn reject(&mut self, message: &[u8], shared: &mut Shared) -> Step {
        self.decide(FAILURE, message, shared);
        Step::Failed(DownReason::AuthenticationFailed)
    }

    /// Sends the backend's own verdict; where it made none, one on the last Response (RFC 3579 2.6.3). One that says
    /// the opposite of what was decided is never sent.
    fn decide(&mut self, code: u8, message: &[u8], shared: &mut Shared) {
        let theirs = Packet::parse(message).filter(|packet| packet.code == code && packet.data.is_empty());
        if let Some(packet) = theirs {
            self.identifier = packet.identifier;
        }
        shared.send(Protocol::EAP, code, self.identifier, &[]);
        self.state = State::Decided(code);
        self.timer = None;
        self.request = Vec::new();
    }

    pub(crate) fn timer(&self) -> Option<Instant> {
        self.timer
    }

    pub(crate) fn timeout(&mut self, now: Instant, shared: &mut Shared) -> Step {
        match self.timer {
            Some(due) if due <= now && self.attempt >= shared.timers.max_configure => {
                Step::Failed(DownReason::NegotiationTimeout(Phase::Authenticate))
            }
            Some(due) if due <= now => {
                self.ask(now, shared);
                Step::Wait
            }
            Some(_) | None => Step::Wait,
        }
    }

    pub(crate) fn settle(&self) -> Option<Settled> {
        match self.state {
            State::Decided(code) => Some(Settled {
                protocol: Protocol::EAP,
                question: RESPONSE,
                identifier: self.answered,
                code,
                data: Box::default(),
            }),
            State::Asking | State::Pending => None,
        }
    }
}
