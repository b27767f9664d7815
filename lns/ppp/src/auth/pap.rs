//! PAP (RFC 1334 section 2): name and password in the clear, repeated by the client until it is answered.
//!
//! ```text
//! Authenticate-Request:  Peer-ID Length (1), Peer-ID, Passwd-Length (1), Password
//! Authenticate-Ack/-Nak: Msg-Length (1), Message
//! ```

use std::sync::Arc;
use std::time::Instant;

use subtle::ConstantTimeEq;
use tollgate_sansio::Reader;
use zeroize::Zeroizing;

use super::{AuthRequest, Proof, Settled, Step, is_fit_name};
use crate::frame::{Packet, Protocol};
use crate::shared::Shared;
use crate::{ClientConfig, DownReason, Event, Phase};

pub(crate) const REQUEST: u8 = 1;
pub(crate) const ACK: u8 = 2;
pub(crate) const NAK: u8 = 3;

/// The server's side: waits for a request, passes it on once and repeats its answer for as long as it is asked.
pub(crate) struct Authenticator {
    state: State,
    /// Of the latest request; each try of a client has a new one.
    identifier: u8,
}

enum State {
    Waiting,
    /// The data of the request that waits for its decision.
    Pending(Zeroizing<Vec<u8>>),
    Answered {
        code: u8,
        data: Vec<u8>,
    },
}

impl Authenticator {
    pub(crate) fn new() -> Self {
        Self { state: State::Waiting, identifier: 0 }
    }

    /// A LAC has received the request already; it waits for its decision.
    pub(crate) fn pending(identifier: u8, name: &[u8], password: &[u8], shared: &mut Shared) -> Option<Self> {
        let mut pap = Self::new();
        let request = encode_request(name, password)?;
        let packet = Packet { code: REQUEST, identifier, data: &request };
        match pap.receive(packet, shared) {
            Step::Wait => Some(pap),
            Step::Passed | Step::Failed(_) => None,
        }
    }

    pub(crate) fn receive(&mut self, packet: Packet<'_>, shared: &mut Shared) -> Step {
        if packet.code != REQUEST {
            shared.warn(format!("PAP: code {} from the client", packet.code));
            return Step::Wait;
        }
        match &self.state {
            State::Answered { code, data } => {
                shared.send(Protocol::PAP, *code, packet.identifier, data);
                return Step::Wait;
            }
            State::Pending(request) => {
                if bool::from(request.as_slice().ct_eq(packet.data)) {
                    self.identifier = packet.identifier;
                } else {
                    shared.warn("PAP: another request before the first was decided");
                }
                return Step::Wait;
            }
            State::Waiting => {}
        }
        let Some((name, password)) = parse_request(packet.data) else {
            shared.warn("PAP: malformed Authenticate-Request");
            return Step::Wait;
        };
        self.identifier = packet.identifier;
        if !is_fit_name(name) {
            shared.warn("PAP: the user name has a NUL in it");
            return self.reject(b"Malformed user name", shared);
        }
        let password = Zeroizing::new(password.to_vec());
        shared
            .event(Event::Authenticate(AuthRequest { name: name.to_vec(), proof: Proof::Pap { password } }));
        self.state = State::Pending(Zeroizing::new(packet.data.to_vec()));
        Step::Wait
    }

    pub(crate) fn is_pending(&self) -> bool {
        matches!(self.state, State::Pending(_))
    }

    pub(crate) fn accept(&mut self, message: &[u8], shared: &mut Shared) {
        self.answer(ACK, message, shared);
    }

    pub(crate) fn reject(&mut self, message: &[u8], shared: &mut Shared) -> Step {
        self.answer(NAK, message, shared);
        Step::Failed(DownReason::AuthenticationFailed)
    }

    fn answer(&mut self, code: u8, message: &[u8], shared: &mut Shared) {
        let message = message.get(..message.len().min(255)).unwrap_or_default();
        let mut data = vec![u8::try_from(message.len()).unwrap_or(u8::MAX)];
        data.extend_from_slice(message);
        shared.send(Protocol::PAP, code, self.identifier, &data);
        self.state = State::Answered { code, data };
    }

    pub(crate) fn settle(&self) -> Option<Settled> {
        match &self.state {
            State::Answered { code, data } => Some(Settled {
                protocol: Protocol::PAP,
                question: REQUEST,
                identifier: self.identifier,
                code: *code,
                data: data.as_slice().into(),
            }),
            State::Waiting | State::Pending(_) => None,
        }
    }
}

/// The client's side: asks until it is answered.
pub(crate) struct Supplicant {
    config: Arc<ClientConfig>,
    identifier: u8,
    attempt: u8,
    timer: Option<Instant>,
}

impl Supplicant {
    pub(crate) fn start(config: Arc<ClientConfig>, now: Instant, shared: &mut Shared) -> Self {
        let mut pap = Self { config, identifier: 0, attempt: 0, timer: None };
        pap.ask(now, shared);
        pap
    }

    fn ask(&mut self, now: Instant, shared: &mut Shared) {
        self.identifier = self.identifier.wrapping_add(1);
        self.attempt += 1;
        self.timer = Some(now + shared.timers.interval(self.attempt));
        if let Some(request) = encode_request(&self.config.user, &self.config.password) {
            shared.send(Protocol::PAP, REQUEST, self.identifier, &request);
        }
    }

    pub(crate) fn receive(&mut self, packet: Packet<'_>, shared: &mut Shared) -> Step {
        // An answer to an earlier try is as good as one to the latest: the credentials were the same.
        if self.timer.is_none() {
            return Step::Wait;
        }
        match packet.code {
            ACK => {
                self.timer = None;
                shared.event(Event::Authenticated { message: message_of(packet.data) });
                Step::Passed
            }
            NAK => {
                self.timer = None;
                let message = message_of(packet.data);
                shared.event(Event::AuthenticationFailed { message, code: None, retry: false });
                Step::Failed(DownReason::AuthenticationFailed)
            }
            code => {
                shared.warn(format!("PAP: code {code} from the server"));
                Step::Wait
            }
        }
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
}

fn parse_request(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut reader = Reader::new(data);
    let length = usize::from(reader.u8().ok()?);
    let name = reader.take(length).ok()?;
    let length = usize::from(reader.u8().ok()?);
    let password = reader.take(length).ok()?;
    Some((name, password))
}

/// `None` if name or password do not fit their length octets.
fn encode_request(name: &[u8], password: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut data = Zeroizing::new(Vec::with_capacity(2 + name.len() + password.len()));
    data.push(u8::try_from(name.len()).ok()?);
    data.extend_from_slice(name);
    data.push(u8::try_from(password.len()).ok()?);
    data.extend_from_slice(password);
    Some(data)
}

/// The text of an answer. Some servers leave the length octet out or get it wrong; what is there is taken.
fn message_of(data: &[u8]) -> Vec<u8> {
    match data.split_first() {
        Some((&length, text)) => text.get(..usize::from(length)).unwrap_or(text).to_vec(),
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
