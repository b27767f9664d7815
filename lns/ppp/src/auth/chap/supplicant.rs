//! The client's side of CHAP: answers each challenge, repeats the answers until one is judged, and with MS-CHAPv2
//! judges the server in turn.
//!
//! A server replaces a challenge that it had no answer to by another, and the network may deliver both late and in
//! any order. Which of them the server still waits for cannot be known from here, so that the latest few answers
//! are all kept, repeated and judged.

use std::sync::Arc;
use std::time::Instant;

use tollgate_mschap::{Direction, nt_password_hash};

use super::{CHALLENGE, FAILURE, Flavour, RESPONSE, SUCCESS, encode_value, md5_response, parse_value};
use crate::auth::{Step, mschap_error, mschap_v1, mschap_v2};
use crate::frame::{Packet, Protocol};
use crate::shared::Shared;
use crate::{ClientConfig, DownReason, Event, MppeStartKeys, Phase};

/// Answers that are kept at the most.
const MOST_ANSWERS: usize = 3;

/// See the module.
pub(crate) struct Supplicant {
    flavour: Flavour,
    config: Arc<ClientConfig>,
    /// The latest is the last.
    answers: Vec<Answer>,
    attempt: u8,
    /// Runs while an answer waits for its verdict.
    timer: Option<Instant>,
    /// A later challenge on the open link is answered without telling the owner each time.
    passed: bool,
}

/// A challenge and what we said to it.
struct Answer {
    identifier: u8,
    challenge: Vec<u8>,
    data: Vec<u8>,
    exchange: Option<mschap_v2::Exchange>,
    standing: Standing,
}

/// What became of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It waits for its verdict.
    Open,
    /// The verdict was on another: only a late copy of its challenge can come now.
    Over,
    /// It let us in.
    Accepted,
}

impl Supplicant {
    pub(crate) fn new(flavour: Flavour, config: Arc<ClientConfig>) -> Self {
        Self { flavour, config, answers: Vec::new(), attempt: 0, timer: None, passed: false }
    }

    pub(crate) fn receive(&mut self, now: Instant, packet: Packet<'_>, shared: &mut Shared) -> Step {
        match packet.code {
            CHALLENGE => {
                self.receive_challenge(now, packet, shared);
                Step::Wait
            }
            SUCCESS | FAILURE if self.judged(packet.identifier).is_none() => Step::Wait,
            SUCCESS => self.receive_success(packet, shared),
            FAILURE => self.receive_failure(packet, shared),
            code => {
                shared.warn(format!("CHAP: code {code} from the server"));
                Step::Wait
            }
        }
    }

    /// The answer that a verdict with this identifier is on, while verdicts are awaited.
    fn judged(&self, identifier: u8) -> Option<&Answer> {
        self.timer?;
        let mut open = self.answers.iter().rev().filter(|answer| answer.standing == Standing::Open);
        open.find(|answer| answer.identifier == identifier)
    }

    fn receive_challenge(&mut self, now: Instant, packet: Packet<'_>, shared: &mut Shared) {
        let Some((challenge, _name)) = parse_value(packet.data) else {
            shared.warn("CHAP: malformed Challenge");
            return;
        };
        let known = self
            .answers
            .iter()
            .find(|answer| answer.identifier == packet.identifier && answer.challenge == challenge);
        if let Some(answer) = known {
            // The same answer again: with MS-CHAPv2 another one could not be proven by the same Success. And none to
            // a late copy of a challenge whose answer has been judged.
            if answer.standing == Standing::Open {
                shared.send(Protocol::CHAP, RESPONSE, answer.identifier, &answer.data);
            }
            return;
        }
        let Some(answer) = self.answer_to(packet.identifier, challenge, shared) else {
            shared.warn(format!("CHAP: a Challenge of {} octets", challenge.len()));
            return;
        };
        shared.send(Protocol::CHAP, RESPONSE, answer.identifier, &answer.data);
        if self.answers.len() >= MOST_ANSWERS {
            self.answers.remove(0);
        }
        self.answers.push(answer);
        self.attempt = 1;
        self.timer = Some(now + shared.timers.interval(self.attempt));
    }

    fn answer_to(&self, identifier: u8, challenge: &[u8], shared: &mut Shared) -> Option<Answer> {
        let config = &self.config;
        let mut exchange = None;
        let value = match self.flavour {
            Flavour::Md5 if challenge.is_empty() => return None,
            Flavour::Md5 => md5_response(identifier, &config.password, challenge).to_vec(),
            Flavour::MsV1 => mschap_v1::respond(&config.password, challenge.try_into().ok()?),
            Flavour::MsV2 => {
                let ours = shared.entropy.array();
                let theirs = challenge.try_into().ok()?;
                let made = mschap_v2::Exchange::new(&config.user, &config.password, theirs, ours);
                let value = made.value();
                exchange = Some(made);
                value
            }
        };
        let data = encode_value(&value, &config.user);
        Some(Answer { identifier, challenge: challenge.to_vec(), data, exchange, standing: Standing::Open })
    }

    fn repeat(&mut self, now: Instant, shared: &mut Shared) {
        self.attempt = self.attempt.saturating_add(1);
        self.timer = Some(now + shared.timers.interval(self.attempt));
        for answer in self.answers.iter().filter(|answer| answer.standing == Standing::Open) {
            shared.send(Protocol::CHAP, RESPONSE, answer.identifier, &answer.data);
        }
    }

    /// The verdict has been had: of the answers only the copies of their challenges matter from here on. Answered anew,
    /// such a copy would be met with the Success of the first answer, which proves nothing of the second.
    fn settle(&mut self, identifier: u8, verdict: Standing) {
        self.timer = None;
        for answer in self.answers.iter_mut().filter(|answer| answer.standing == Standing::Open) {
            answer.standing = if answer.identifier == identifier { verdict } else { Standing::Over };
        }
    }

    fn receive_success(&mut self, packet: Packet<'_>, shared: &mut Shared) -> Step {
        let exchange = self.judged(packet.identifier).and_then(|answer| answer.exchange.as_ref());
        let message = match (self.flavour, exchange) {
            (Flavour::MsV2, Some(exchange)) => {
                if !exchange.is_proven_by(&self.config.user, &self.config.password, packet.data) {
                    return Step::Failed(DownReason::ServerUnproven);
                }
                mschap_v2::message_of(packet.data)
            }
            (Flavour::MsV2, None) => return Step::Failed(DownReason::ServerUnproven),
            (Flavour::Md5 | Flavour::MsV1, _) => packet.data.to_vec(),
        };
        self.settle(packet.identifier, Standing::Accepted);
        if self.passed {
            return Step::Wait;
        }
        self.passed = true;
        shared.event(Event::Authenticated { message });
        Step::Passed
    }

    /// There is but one password, so that an invitation to try again is told and not taken up.
    fn receive_failure(&mut self, packet: Packet<'_>, shared: &mut Shared) -> Step {
        self.settle(packet.identifier, Standing::Over);
        let failure = match self.flavour {
            Flavour::Md5 => mschap_error::Failure { code: None, retry: false, message: packet.data.to_vec() },
            Flavour::MsV1 | Flavour::MsV2 => mschap_error::decode(packet.data),
        };
        let mschap_error::Failure { code, retry, message } = failure;
        shared.event(Event::AuthenticationFailed { message, code, retry });
        Step::Failed(DownReason::AuthenticationFailed)
    }

    /// What the answer that was judged leaves for MPPE. Of MS-CHAPv1 the short keys are missing: they come from the LAN
    /// Manager hash, which is never made here.
    pub(crate) fn keys(&self) -> Option<(MppeStartKeys, Option<[u8; 8]>)> {
        let answer = self.answers.iter().rev().find(|answer| answer.standing == Standing::Accepted)?;
        match self.flavour {
            Flavour::Md5 => None,
            Flavour::MsV1 => {
                let nt = *nt_password_hash(&self.config.password).hash_again().as_bytes();
                let challenge = answer.challenge.first_chunk().copied();
                Some((MppeStartKeys::Symmetric { lm: [0; 8], nt }, challenge))
            }
            Flavour::MsV2 => {
                let exchange = answer.exchange.as_ref()?;
                Some((exchange.start_keys(&self.config.password, Direction::ClientToServer), None))
            }
        }
    }

    pub(crate) fn timer(&self) -> Option<Instant> {
        self.timer
    }

    pub(crate) fn timeout(&mut self, now: Instant, shared: &mut Shared) -> Step {
        match self.timer {
            Some(due) if due <= now && self.attempt >= shared.timers.max_configure => {
                self.timer = None;
                if self.passed {
                    // The link was open before this challenge and is none the worse for a verdict that got lost.
                    return Step::Wait;
                }
                Step::Failed(DownReason::NegotiationTimeout(Phase::Authenticate))
            }
            Some(due) if due <= now => {
                self.repeat(now, shared);
                Step::Wait
            }
            Some(_) | None => Step::Wait,
        }
    }
}
