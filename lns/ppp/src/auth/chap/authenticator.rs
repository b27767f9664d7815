//! The server's side of CHAP: asks, passes each answer on once, and repeats its verdict for as long as it is asked.

use std::sync::Arc;
use std::time::Instant;

use super::{CHALLENGE, CHANGE_PASSWORD, FAILURE, Flavour, RESPONSE, SUCCESS, encode_value, parse_value};
use crate::auth::{AuthRequest, Settled, Step, is_fit_name, mschap_error, password_change};
use crate::frame::{Packet, Protocol};
use crate::shared::Shared;
use crate::{DownReason, Event, Phase, ServerConfig};

/// The longest Success or Failure text that is sent, in octets.
const LONGEST_MESSAGE: usize = 1000;
/// The error that a malformed name is refused with: user name or password wrong (RFC 2759 6).
const AUTHENTICATION_FAILURE: u32 = 691;

/// See the module.
pub(crate) struct Authenticator {
    flavour: Flavour,
    config: Arc<ServerConfig>,
    /// Of the challenge that is out.
    identifier: u8,
    challenge: [u8; 16],
    attempt: u8,
    timer: Option<Instant>,
    state: State,
    retries_left: u32,
    /// The Response or Change-Password that was passed on last, to know its copies by.
    response: Option<Response>,
    /// The verdict on it.
    verdict: Option<(u8, Vec<u8>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A challenge is out.
    Asking,
    /// The password has expired: a failure that asks for a new one is out.
    Expired,
    /// A Response waits for its decision.
    Pending,
    /// The verdict is final.
    Decided,
}

struct Response {
    code: u8,
    identifier: u8,
    /// Empty for a Change-Password.
    data: Vec<u8>,
}

impl Authenticator {
    /// Sends the first challenge.
    pub(crate) fn start(
        flavour: Flavour,
        config: Arc<ServerConfig>,
        now: Instant,
        shared: &mut Shared,
    ) -> Self {
        let mut chap = Self::new(flavour, config, shared);
        chap.ask(now, shared);
        chap
    }

    /// A LAC has challenged the peer and got its answer, which waits for a decision. `None` if challenge or answer
    /// have the wrong size.
    pub(crate) fn pending(
        flavour: Flavour,
        config: Arc<ServerConfig>,
        (identifier, challenge, value, name): (u8, &[u8], &[u8], &[u8]),
        shared: &mut Shared,
    ) -> Option<Self> {
        let proof = flavour.proof(identifier, challenge, value)?;
        if !is_fit_name(name) {
            return None;
        }
        let mut chap = Self::new(flavour, config, shared);
        chap.identifier = identifier;
        for (to, from) in chap.challenge.iter_mut().zip(challenge) {
            *to = *from;
        }
        chap.state = State::Pending;
        chap.response = Some(Response { code: RESPONSE, identifier, data: encode_value(value, name) });
        shared.event(Event::Authenticate(AuthRequest { name: name.to_vec(), proof }));
        Some(chap)
    }

    fn new(flavour: Flavour, config: Arc<ServerConfig>, shared: &mut Shared) -> Self {
        let retries_left = config.max_auth_retries;
        Self {
            flavour,
            config,
            // Not always the same, so that an answer to a challenge of an earlier negotiation does not fit.
            identifier: shared.entropy.array::<1>()[0],
            challenge: [0; 16],
            attempt: 0,
            timer: None,
            state: State::Asking,
            retries_left,
            response: None,
            verdict: None,
        }
    }

    /// A retransmission is a new challenge with a new identifier (RFC 1994 4.1). An MS-CHAPv2 client that answers
    /// two copies of one challenge would answer them differently, and then take our Success for a forgery.
    fn ask(&mut self, now: Instant, shared: &mut Shared) {
        self.identifier = self.identifier.wrapping_add(1);
        self.challenge = shared.entropy.array();
        self.attempt += 1;
        self.timer = Some(now + shared.timers.interval(self.attempt));
        let data = encode_value(self.challenge(), &self.config.server_name);
        shared.send(Protocol::CHAP, CHALLENGE, self.identifier, &data);
    }

    fn challenge(&self) -> &[u8] {
        self.challenge.get(..self.flavour.challenge_length()).unwrap_or_default()
    }

    pub(crate) fn receive(&mut self, packet: Packet<'_>, shared: &mut Shared) -> Step {
        if self.is_copy(packet) {
            // While the decision is awaited there is nothing to say; afterwards the verdict may have been lost.
            if let Some((code, message)) = &self.verdict {
                shared.send_cut(Protocol::CHAP, *code, packet.identifier, message);
            }
            return Step::Wait;
        }
        match packet.code {
            RESPONSE => self.receive_response(packet, shared),
            CHANGE_PASSWORD if self.flavour == Flavour::MsV2 => self.receive_new_password(packet, shared),
            CHALLENGE => {
                shared.warn("CHAP: the peer challenges us, which LCP did not agree on");
                Step::Wait
            }
            code => {
                shared.warn(format!("CHAP: code {code} from the client"));
                Step::Wait
            }
        }
    }

    fn receive_response(&mut self, packet: Packet<'_>, shared: &mut Shared) -> Step {
        if self.state != State::Asking || !self.fits(packet.identifier) {
            return Step::Wait;
        }
        let Some((value, name)) = parse_value(packet.data) else {
            shared.warn("CHAP: malformed Response");
            return Step::Wait;
        };
        let Some(proof) = self.flavour.proof(packet.identifier, self.challenge(), value) else {
            shared.warn(format!("CHAP: a Response of {} octets", value.len()));
            return Step::Wait;
        };
        self.timer = None;
        self.verdict = None;
        self.state = State::Pending;
        let data = packet.data.to_vec();
        self.response = Some(Response { code: RESPONSE, identifier: packet.identifier, data });
        if !is_fit_name(name) {
            shared.warn("CHAP: the user name is too long or has a NUL in it");
            return self.reject(b"Malformed user name", AUTHENTICATION_FAILURE, false, shared);
        }
        shared.event(Event::Authenticate(AuthRequest { name: name.to_vec(), proof }));
        Step::Wait
    }

    /// It carries no name: that of the Response counts.
    fn receive_new_password(&mut self, packet: Packet<'_>, shared: &mut Shared) -> Step {
        if self.state != State::Expired || !self.fits(packet.identifier) {
            shared.warn("CHAP: a new password that was not asked for");
            return Step::Wait;
        }
        let Some(proof) = password_change::proof(packet.identifier, self.challenge, packet.data) else {
            shared.warn(format!("CHAP: a Change-Password of {} octets", packet.data.len()));
            return Step::Wait;
        };
        let name = self.response.as_ref().and_then(|response| parse_value(&response.data));
        let name = name.map(|(_, name)| name.to_vec()).unwrap_or_default();
        self.verdict = None;
        self.state = State::Pending;
        let identifier = packet.identifier;
        self.response = Some(Response { code: CHANGE_PASSWORD, identifier, data: Vec::new() });
        shared.event(Event::Authenticate(AuthRequest { name, proof }));
        Step::Wait
    }

    /// The Response that we have had already. Once the verdict is final, another answer under the same identifier
    /// changes nothing any more and gets the same verdict.
    fn is_copy(&self, packet: Packet<'_>) -> bool {
        self.response.as_ref().is_some_and(|response| {
            response.code == packet.code
                && response.identifier == packet.identifier
                && (self.state != State::Asking || response.data == packet.data)
        })
    }

    /// The identifier of the challenge that is out. After a failure with `R=1` the next answer counts one up
    /// (RFC 2759 6); that of a client which does not is taken too.
    fn fits(&self, identifier: u8) -> bool {
        identifier == self.identifier
            || self.response.as_ref().is_some_and(|response| response.identifier == identifier)
    }

    pub(crate) fn is_pending(&self) -> bool {
        self.state == State::Pending
    }

    pub(crate) fn accept(&mut self, message: &[u8], shared: &mut Shared) {
        let message = message.get(..message.len().min(LONGEST_MESSAGE)).unwrap_or_default();
        self.decide(SUCCESS, message.to_vec(), shared);
    }

    pub(crate) fn reject(&mut self, message: &[u8], code: u32, retry: bool, shared: &mut Shared) -> Step {
        let message = message.get(..message.len().min(LONGEST_MESSAGE)).unwrap_or_default();
        match self.flavour {
            Flavour::Md5 => {
                self.decide(FAILURE, message.to_vec(), shared);
                Step::Failed(DownReason::AuthenticationFailed)
            }
            Flavour::MsV1 | Flavour::MsV2 => {
                let retry = retry && self.retries_left > 0;
                self.challenge = shared.entropy.array();
                let text = mschap_error::encode(code, retry, self.challenge(), message);
                self.decide(FAILURE, text, shared);
                if !retry {
                    return Step::Failed(DownReason::AuthenticationFailed);
                }
                // No timer: the user is typing, and the limit of the whole phase goes on counting.
                self.retries_left -= 1;
                self.state = State::Asking;
                self.identifier = self.answered_identifier().wrapping_add(1);
                Step::Wait
            }
        }
    }

    /// A failure that asks for a new password, once: a new password that has expired again is refused.
    pub(crate) fn ask_for_new_password(
        &mut self,
        message: &[u8],
        challenge: Option<[u8; 16]>,
        shared: &mut Shared,
    ) -> Step {
        let asked_before = self.response.as_ref().is_some_and(|response| response.code == CHANGE_PASSWORD);
        if self.flavour != Flavour::MsV2 || asked_before {
            return self.reject(message, AUTHENTICATION_FAILURE, false, shared);
        }
        self.challenge = challenge.unwrap_or_else(|| shared.entropy.array());
        let text = mschap_error::encode(mschap_error::PASSWORD_EXPIRED, false, self.challenge(), message);
        self.decide(FAILURE, text, shared);
        // No timer here either: the user is thinking of a password.
        self.state = State::Expired;
        self.identifier = self.answered_identifier().wrapping_add(1);
        Step::Wait
    }

    fn decide(&mut self, code: u8, message: Vec<u8>, shared: &mut Shared) {
        shared.send_cut(Protocol::CHAP, code, self.answered_identifier(), &message);
        self.verdict = Some((code, message));
        self.state = State::Decided;
        self.timer = None;
    }

    fn answered_identifier(&self) -> u8 {
        self.response.as_ref().map_or(self.identifier, |response| response.identifier)
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

    /// Part of the keys that MS-CHAPv1 leaves. A failure with `R=1` puts the next challenge in the place of this one.
    pub(crate) fn ms_chap_v1_challenge(&self) -> Option<[u8; 8]> {
        match self.flavour {
            Flavour::MsV1 => self.challenge.first_chunk().copied(),
            Flavour::Md5 | Flavour::MsV2 => None,
        }
    }

    pub(crate) fn settle(&self) -> Option<Settled> {
        let (code, message) = self.verdict.as_ref()?;
        Some(Settled {
            protocol: Protocol::CHAP,
            question: self.response.as_ref().map_or(RESPONSE, |response| response.code),
            identifier: self.answered_identifier(),
            code: *code,
            data: message.as_slice().into(),
        })
    }

    /// Replaces the challenge that is out, for the worked examples of the RFCs.
    #[cfg(test)]
    pub(crate) fn set_challenge(&mut self, identifier: u8, challenge: &[u8]) {
        self.identifier = identifier;
        self.challenge[..challenge.len()].copy_from_slice(challenge);
    }
}
