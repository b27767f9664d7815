//! The client's side of CHAP: answers each challenge, repeats the answers until one is judged, and with MS-CHAPv2
//! judges the server in turn.
//!
//! A server replaces a challenge that it had no answer to by another, and the network may deliver both late and in
//! any order. Which of them the server still waits for cannot be known from here, so that the latest few answers
//! are all kept, repeated and judged.

use std::sync::Arc;
use std::time::Instant;

use tollgate_mschap::{Direction, nt_password_hash};

use super::{
    CHALLENGE, CHANGE_PASSWORD, FAILURE, Flavour, RESPONSE, SUCCESS, encode_value, md5_response, parse_value,
};
use crate::auth::{Step, mschap_error, mschap_v1, mschap_v2, password_change};
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
    /// The server has been sent the new password, now or before the link was negotiated anew.
    renewed: bool,
}

/// A challenge and what we said to it.
struct Answer {
    /// RESPONSE or CHANGE_PASSWORD.
    code: u8,
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
    pub(crate) fn new(flavour: Flavour, config: Arc<ClientConfig>, shared: &Shared) -> Self {
        let renewed = shared.password_changed;
        Self { flavour, config, answers: Vec::new(), attempt: 0, timer: None, passed: false, renewed }
    }

    pub(crate) fn receive(&mut self, now: Instant, packet: Packet<'_>, shared: &mut Shared) -> Step {
        match packet.code {
            CHALLENGE => {
                self.receive_challenge(now, packet, shared);
                Step::Wait
            }
            SUCCESS | FAILURE if self.judged(packet.identifier).is_none() => Step::Wait,
            SUCCESS => self.receive_success(packet, shared),
            FAILURE => self.receive_failure(now, packet, shared),
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
                shared.send(Protocol::CHAP, answer.code, answer.identifier, &answer.data);
            }
            return;
        }
        let Some(answer) = self.answer_to(packet.identifier, challenge, shared) else {
            shared.warn(format!("CHAP: a Challenge of {} octets", challenge.len()));
            return;
        };
        self.say(now, answer, shared);
    }

    fn say(&mut self, now: Instant, answer: Answer, shared: &mut Shared) {
        shared.send(Protocol::CHAP, answer.code, answer.identifier, &answer.data);
        if self.answers.len() >= MOST_ANSWERS {
            self.answers.remove(0);
        }
        self.answers.push(answer);
        self.attempt = 1;
        self.timer = Some(now + shared.timers.interval(self.attempt));
    }

    /// The password that counts.
    fn password(&self) -> &[u8] {
        match &self.config.new_password {
            Some(new) if self.renewed => new,
            Some(_) | None => &self.config.password,
        }
    }

    fn answer_to(&self, identifier: u8, challenge: &[u8], shared: &mut Shared) -> Option<Answer> {
        let config = &self.config;
        let mut exchange = None;
        let value = match self.flavour {
            Flavour::Md5 if challenge.is_empty() => return None,
            Flavour::Md5 => md5_response(identifier, self.password(), challenge).to_vec(),
            Flavour::MsV1 => mschap_v1::respond(self.password(), challenge.try_into().ok()?),
            Flavour::MsV2 => {
                let ours = shared.entropy.array();
                let theirs = challenge.try_into().ok()?;
                let made = mschap_v2::Exchange::new(&config.user, self.password(), theirs, ours);
                let value = made.value();
                exchange = Some(made);
                value
            }
        };
        let data = encode_value(&value, &config.user);
        let (code, challenge) = (RESPONSE, challenge.to_vec());
        Some(Answer { code, identifier, challenge, data, exchange, standing: Standing::Open })
    }

    /// The answer to a failure that asks for a new password (RFC 2759 7): where there is one, and not a second time.
    fn new_password(
        &self,
        identifier: u8,
        failure: &mschap_error::Failure,
        shared: &mut Shared,
    ) -> Option<Answer> {
        let asked = self.flavour == Flavour::MsV2 && failure.code == Some(mschap_error::PASSWORD_EXPIRED);
        let (Some(new), true) = (&self.config.new_password, asked && !self.renewed) else { return None };
        let challenge = failure.challenge?;
        let exchange = mschap_v2::Exchange::new(&self.config.user, new, challenge, shared.entropy.array());
        let Some(data) = password_change::data(&exchange, self.password(), new, &mut shared.entropy) else {
            shared.warn("CHAP: the new password is too long to be sent");
            return None;
        };
        Some(Answer {
            code: CHANGE_PASSWORD,
            identifier: identifier.wrapping_add(1),
            challenge: challenge.to_vec(),
            data,
            exchange: Some(exchange),
            standing: Standing::Open,
        })
    }

    fn repeat(&mut self, now: Instant, shared: &mut Shared) {
        self.attempt = self.attempt.saturating_add(1);
        self.timer = Some(now + shared.timers.interval(self.attempt));
        for answer in self.answers.iter().filter(|answer| answer.standing == Standing::Open) {
            shared.send(Protocol::CHAP, answer.code, answer.identifier, &answer.data);
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
        let judged = self.judged(packet.identifier);
        let changed = judged.is_some_and(|answer| answer.code == CHANGE_PASSWORD);
        let exchange = judged.and_then(|answer| answer.exchange.as_ref());
        let message = match (self.flavour, exchange) {
            (Flavour::MsV2, Some(exchange)) => {
                if !exchange.is_proven_by(&self.config.user, self.password(), packet.data) {
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
        if changed {
            shared.password_changed = true;
            shared.event(Event::PasswordChanged);
        }
        shared.event(Event::Authenticated { message });
        Step::Passed
    }

    /// There is but one password, so that an invitation to try again is told and not taken up; there may be a new one,
    /// for when it has expired.
    fn receive_failure(&mut self, now: Instant, packet: Packet<'_>, shared: &mut Shared) -> Step {
        self.settle(packet.identifier, Standing::Over);
        let failure = match self.flavour {
            Flavour::Md5 => {
                let message = packet.data.to_vec();
                mschap_error::Failure { code: None, retry: false, challenge: None, message }
            }
            Flavour::MsV1 | Flavour::MsV2 => mschap_error::decode(packet.data),
        };
        if let Some(answer) = self.new_password(packet.identifier, &failure, shared) {
            self.renewed = true;
            self.say(now, answer, shared);
            return Step::Wait;
        }
        let mschap_error::Failure { code, retry, message, .. } = failure;
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
                let nt = *nt_password_hash(self.password()).hash_again().as_bytes();
                let challenge = answer.challenge.first_chunk().copied();
                Some((MppeStartKeys::Symmetric { lm: [0; 8], nt }, challenge))
            }
            Flavour::MsV2 => {
                let exchange = answer.exchange.as_ref()?;
                Some((exchange.start_keys(self.password(), Direction::ClientToServer), None))
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
