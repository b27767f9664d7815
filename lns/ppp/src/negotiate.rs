//! The driver of the automaton: packets, restart timer and counters (RFC 1661 4.3 to 5.7) around the table in `fsm`.
//! LCP and IPCP are this driver with their own options.
//!
//! Where it differs from the letter of the RFC, always to survive a datagram network that loses and doubles frames:
//! - An answer to a Configure-Request is taken once; copies of it are ignored rather than counted as crossed
//!   connections.
//! - A copy of the very Configure-Request that was acknowledged last, arriving while open, is acknowledged again
//!   without a restart; only a third copy in a row restarts. A copy has the same identifier, or another one and the
//!   same magic number, which a peer that starts over would have drawn anew.
//! - A Nak that is repeated because its request was repeated does not count against Max-Failure: it was lost, not
//!   disregarded.
//! - The restart counter is set anew when the layer goes down, so that a renegotiation has all its tries.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Instant;

use crate::DownReason;
use crate::frame::{Packet, Protocol};
use crate::fsm::{Action, Input, State, transition};
use crate::options::{self, Answer, ConfigOption};
use crate::shared::Shared;
use crate::terminate;

pub(crate) const CONFIGURE_REQUEST: u8 = 1;
pub(crate) const CONFIGURE_ACK: u8 = 2;
pub(crate) const CONFIGURE_NAK: u8 = 3;
pub(crate) const CONFIGURE_REJECT: u8 = 4;
pub(crate) const TERMINATE_REQUEST: u8 = 5;
pub(crate) const TERMINATE_ACK: u8 = 6;
pub(crate) const CODE_REJECT: u8 = 7;

/// Copies of an acknowledged Configure-Request that are answered without a restart.
const MOST_COPIES: u8 = 2;

/// What a protocol knows about its own options.
pub(crate) trait Negotiable {
    /// Its PPP protocol number.
    const PROTOCOL: Protocol;
    /// Its name for the operator.
    const NAME: &'static str;

    /// A negotiation begins: forget what was agreed on.
    fn begin(&mut self, shared: &mut Shared);

    /// The options of our Configure-Request as things stand.
    fn request(&self) -> Vec<u8>;

    /// True if the request that the peer was granted bears a number that it draws anew whenever it starts over.
    fn is_marked_by_magic(&self) -> bool {
        false
    }

    /// Looks into the peer's Configure-Request. `naks_left` is false once Max-Failure Naks have gone out: then what
    /// would be a Nak has to be a Reject (RFC 1661 4.6). An error ends the link.
    fn judge(
        &mut self,
        asked: &[ConfigOption<'_>],
        naks_left: bool,
        shared: &mut Shared,
    ) -> Result<Answer, DownReason>;

    /// The peer would rather have these values. An error ends the link.
    fn naked(&mut self, hints: &[ConfigOption<'_>], shared: &mut Shared) -> Result<(), DownReason>;

    /// The peer will not talk about these options. An error ends the link.
    fn rejected(&mut self, options: &[ConfigOption<'_>], shared: &mut Shared) -> Result<(), DownReason>;
}

/// What a packet, a timeout or a wish of the owner led to. At most one of `up`, `down` and `finished` matters at a
/// time, and `down` comes before the others.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// This layer is up.
    pub(crate) up: bool,
    /// This layer is not up any more.
    pub(crate) down: bool,
    /// This layer has ended.
    pub(crate) finished: bool,
    /// An Echo-Request may be answered.
    pub(crate) echo: bool,
    /// The owner should end the link, for this reason.
    pub(crate) stop: Option<DownReason>,
}

/// One layer's negotiation.
pub(crate) struct Negotiator<O> {
    pub(crate) options: O,
    state: State,
    timer: Option<Instant>,
    /// Transmissions left before giving up.
    restart_count: u8,
    /// Transmissions since the counter was set, for the schedule.
    attempt: u8,
    /// Identifier of the request that is out.
    identifier: u8,
    /// The request that is out has got its answer.
    answered: bool,
    /// Fingerprint of the request that is out.
    sent: u64,
    reject_identifier: u8,
    /// Naks sent since the last Ack.
    failures: u8,
    /// Identifier of the request that we objected to last, and whether by a Nak.
    objected: Option<(u8, bool)>,
    /// Rounds without agreement.
    rounds: u16,
    /// Identifier and fingerprint of the request that we acknowledged last.
    acknowledged: Option<(u8, u64)>,
    copies: u8,
    farewell: Box<str>,
}

impl<O: Negotiable> Negotiator<O> {
    pub(crate) fn new(options: O) -> Self {
        Self {
            options,
            state: State::Initial,
            timer: None,
            restart_count: 0,
            attempt: 0,
            identifier: 0,
            answered: true,
            sent: 0,
            reject_identifier: 0,
            failures: 0,
            objected: None,
            rounds: 0,
            acknowledged: None,
            copies: 0,
            farewell: Box::default(),
        }
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    pub(crate) fn timer(&self) -> Option<Instant> {
        self.timer
    }

    /// Octets on the heap, those of the options not counted.
    #[cfg(test)]
    pub(crate) fn heap(&self) -> usize {
        self.farewell.len()
    }

    /// Open and Up: negotiation begins.
    pub(crate) fn start(&mut self, now: Instant, shared: &mut Shared) {
        self.options.begin(shared);
        self.fire(Input::Open, now, shared, None);
        self.fire(Input::Up, now, shared, None);
    }

    /// The layer counts as open with what `options` holds: a LAC has negotiated it.
    pub(crate) fn adopt(&mut self) {
        self.state = State::Opened;
        self.timer = None;
    }

    /// Close: ends the layer, with a Terminate-Request where one is due.
    pub(crate) fn close(&mut self, now: Instant, text: &str, shared: &mut Shared) -> Outcome {
        self.farewell = text.into();
        self.fire(Input::Close, now, shared, None)
    }

    /// The time of [`Negotiator::timer`] may have come.
    pub(crate) fn timeout(&mut self, now: Instant, shared: &mut Shared) -> Outcome {
        match self.timer {
            Some(due) if due <= now => {
                self.timer = None;
                let input =
                    if self.restart_count > 0 { Input::TimeoutCounting } else { Input::TimeoutExhausted };
                self.fire(input, now, shared, None)
            }
            _ => Outcome::default(),
        }
    }

    /// An Echo-Request, Echo-Reply or Discard-Request came.
    pub(crate) fn echo(&mut self, now: Instant, shared: &mut Shared) -> Outcome {
        self.fire(Input::Echo, now, shared, None)
    }

    /// The peer rejected our protocol itself.
    pub(crate) fn protocol_rejected(&mut self, now: Instant, shared: &mut Shared) -> Outcome {
        let mut outcome = self.fire(Input::RejectFatal, now, shared, None);
        outcome.stop = Some(DownReason::PeerRejected(O::NAME));
        outcome
    }

    /// A packet with a code of this protocol came.
    pub(crate) fn receive(&mut self, now: Instant, packet: Packet<'_>, shared: &mut Shared) -> Outcome {
        match packet.code {
            CONFIGURE_REQUEST => self.receive_request(now, packet, shared),
            CONFIGURE_ACK => self.receive_ack(now, packet, shared),
            CONFIGURE_NAK | CONFIGURE_REJECT => self.receive_nak(now, packet, shared),
            TERMINATE_REQUEST => self.fire(Input::TerminateRequest, now, shared, Some((packet, None))),
            TERMINATE_ACK => self.fire(Input::TerminateAck, now, shared, None),
            CODE_REJECT => self.receive_code_reject(now, packet, shared),
            _ => self.fire(Input::UnknownCode, now, shared, Some((packet, None))),
        }
    }

    fn receive_request(&mut self, now: Instant, packet: Packet<'_>, shared: &mut Shared) -> Outcome {
        if !self.state.negotiates() {
            return self.fire(Input::ConfigureRequestGood, now, shared, Some((packet, None)));
        }
        let fingerprint = fingerprint(packet.data);
        let copy = self.acknowledged.is_some_and(|(identifier, acknowledged)| {
            acknowledged == fingerprint
                && (identifier == packet.identifier || self.options.is_marked_by_magic())
        });
        if self.state == State::Opened && copy && self.copies < MOST_COPIES {
            self.copies += 1;
            shared.send(O::PROTOCOL, CONFIGURE_ACK, packet.identifier, packet.data);
            return Outcome::default();
        }
        let Some(asked) = options::parse(packet.data) else {
            shared.warn(format!("{}: Configure-Request with a broken option list", O::NAME));
            return Outcome::default();
        };
        let repeated = self.objected.is_some_and(|(identifier, _)| identifier == packet.identifier);
        let naks_left = match self.objected {
            Some((_, nak)) if repeated => nak,
            Some(_) | None => self.failures < shared.timers.max_failure,
        };
        let answer = match self.options.judge(&asked, naks_left, shared) {
            Ok(answer) => answer,
            Err(reason) => return Outcome { stop: Some(reason), ..Outcome::default() },
        };
        let input = match &answer {
            Answer::Ack => {
                self.failures = 0;
                self.objected = None;
                self.copies = 0;
                self.acknowledged = Some((packet.identifier, fingerprint));
                Input::ConfigureRequestGood
            }
            Answer::Nak(_) => {
                self.failures = self.failures.saturating_add(u8::from(!repeated));
                self.objected = Some((packet.identifier, true));
                Input::ConfigureRequestBad
            }
            Answer::Reject(_) => {
                self.objected = Some((packet.identifier, false));
                Input::ConfigureRequestBad
            }
        };
        let mut outcome = self.fire(input, now, shared, Some((packet, Some(&answer))));
        if input == Input::ConfigureRequestBad && !repeated {
            self.count_round(shared, &mut outcome);
        }
        outcome
    }

    fn receive_ack(&mut self, now: Instant, packet: Packet<'_>, shared: &mut Shared) -> Outcome {
        if !self.is_answer(packet) {
            return self.fire_unless_negotiating(Input::ConfigureAck, now, shared, packet);
        }
        if fingerprint(packet.data) != self.sent {
            // RFC 1661 5.2: an Ack must repeat the options exactly; anything else is discarded.
            shared.warn(format!("{}: Configure-Ack for other options than ours", O::NAME));
            return Outcome::default();
        }
        self.answered = true;
        self.fire(Input::ConfigureAck, now, shared, Some((packet, None)))
    }

    fn receive_nak(&mut self, now: Instant, packet: Packet<'_>, shared: &mut Shared) -> Outcome {
        if !self.is_answer(packet) {
            return self.fire_unless_negotiating(Input::ConfigureNak, now, shared, packet);
        }
        let Some(list) = options::parse(packet.data) else {
            shared.warn(format!("{}: Configure-Nak or -Reject with a broken option list", O::NAME));
            return Outcome::default();
        };
        self.answered = true;
        let taken = if packet.code == CONFIGURE_NAK {
            self.options.naked(&list, shared)
        } else {
            self.options.rejected(&list, shared)
        };
        if let Err(reason) = taken {
            return Outcome { stop: Some(reason), ..Outcome::default() };
        }
        let mut outcome = self.fire(Input::ConfigureNak, now, shared, Some((packet, None)));
        self.count_round(shared, &mut outcome);
        outcome
    }

    /// A valid answer: we negotiate, it names the request that is out and that request has had none.
    fn is_answer(&self, packet: Packet<'_>) -> bool {
        self.state.negotiates()
            && self.state != State::Stopped
            && packet.identifier == self.identifier
            && !self.answered
    }

    /// Answers are also told to the states that only say Terminate-Ack to them; the others drop an invalid one.
    fn fire_unless_negotiating(
        &mut self,
        input: Input,
        now: Instant,
        shared: &mut Shared,
        packet: Packet<'_>,
    ) -> Outcome {
        match self.state {
            State::Closed | State::Stopped => self.fire(input, now, shared, Some((packet, None))),
            State::Initial
            | State::Starting
            | State::Closing
            | State::Stopping
            | State::ReqSent
            | State::AckRcvd
            | State::AckSent
            | State::Opened => Outcome::default(),
        }
    }

    fn receive_code_reject(&mut self, now: Instant, packet: Packet<'_>, shared: &mut Shared) -> Outcome {
        match packet.data.first() {
            Some(CONFIGURE_REQUEST..=CODE_REJECT) => {
                let mut outcome = self.fire(Input::RejectFatal, now, shared, None);
                outcome.stop = Some(DownReason::PeerRejected(O::NAME));
                outcome
            }
            Some(_) | None => self.fire(Input::RejectHarmless, now, shared, None),
        }
    }

    /// Two ends that keep objecting to each other would go on forever: RFC 1661 leaves the limit to us.
    fn count_round(&mut self, shared: &Shared, outcome: &mut Outcome) {
        self.rounds = self.rounds.saturating_add(1);
        let timers = shared.timers;
        let most = 2 * (u16::from(timers.max_configure) + u16::from(timers.max_failure));
        if self.rounds > most && outcome.stop.is_none() {
            outcome.stop = Some(DownReason::NotConverging(O::NAME));
        }
    }

    fn fire(
        &mut self,
        input: Input,
        now: Instant,
        shared: &mut Shared,
        packet: Option<(Packet<'_>, Option<&Answer>)>,
    ) -> Outcome {
        let (next, actions) = transition(self.state, input);
        self.state = next;
        let mut outcome = Outcome::default();
        for &action in actions {
            self.act(action, now, shared, packet, &mut outcome);
        }
        if !next.has_timer() {
            self.timer = None;
        }
        outcome
    }

    fn act(
        &mut self,
        action: Action,
        now: Instant,
        shared: &mut Shared,
        packet: Option<(Packet<'_>, Option<&Answer>)>,
        outcome: &mut Outcome,
    ) {
        match action {
            Action::ThisLayerUp => {
                outcome.up = true;
                self.failures = 0;
                self.rounds = 0;
            }
            Action::ThisLayerDown => {
                outcome.down = true;
                self.init_restart_count(shared);
                if self.state.negotiates() {
                    self.options.begin(shared);
                }
            }
            Action::ThisLayerStarted => {}
            Action::ThisLayerFinished => outcome.finished = true,
            Action::InitRestartCount => self.init_restart_count(shared),
            Action::ZeroRestartCount => {
                self.restart_count = 0;
                self.timer = Some(now + shared.timers.interval(1));
            }
            Action::SendConfigureRequest => self.send_request(now, shared),
            Action::SendConfigureAck => {
                if let Some((packet, _)) = packet {
                    shared.send(O::PROTOCOL, CONFIGURE_ACK, packet.identifier, packet.data);
                }
            }
            Action::SendConfigureNak => match packet {
                Some((packet, Some(Answer::Nak(list)))) => {
                    shared.send(O::PROTOCOL, CONFIGURE_NAK, packet.identifier, list);
                }
                Some((packet, Some(Answer::Reject(list)))) => {
                    shared.send(O::PROTOCOL, CONFIGURE_REJECT, packet.identifier, list);
                }
                Some((_, Some(Answer::Ack) | None)) | None => {}
            },
            Action::SendTerminateRequest => self.send_terminate(now, shared),
            Action::SendTerminateAck => {
                if let Some((packet, _)) = packet {
                    shared.send(O::PROTOCOL, TERMINATE_ACK, packet.identifier, &[]);
                }
            }
            Action::SendCodeReject => {
                if let Some((packet, _)) = packet {
                    self.send_code_reject(packet, shared);
                }
            }
            Action::SendEchoReply => outcome.echo = true,
        }
    }

    /// The counter serves requests of both kinds (RFC 1661 4.6); which kind follows is known from the new state.
    fn init_restart_count(&mut self, shared: &Shared) {
        self.attempt = 0;
        self.restart_count = match self.state {
            State::Closing | State::Stopping => shared.timers.max_terminate,
            State::Initial
            | State::Starting
            | State::Closed
            | State::Stopped
            | State::ReqSent
            | State::AckRcvd
            | State::AckSent
            | State::Opened => shared.timers.max_configure,
        };
    }

    fn count_transmission(&mut self, now: Instant, shared: &Shared) {
        self.restart_count = self.restart_count.saturating_sub(1);
        self.attempt = self.attempt.saturating_add(1);
        self.timer = Some(now + shared.timers.interval(self.attempt));
    }

    /// A retransmission keeps its identifier, so that a late answer to the first copy still counts; new contents or
    /// an answer already had need a new one (RFC 1661 5.1).
    fn send_request(&mut self, now: Instant, shared: &mut Shared) {
        let list = self.options.request();
        let fingerprint = fingerprint(&list);
        if self.answered || fingerprint != self.sent {
            self.identifier = self.identifier.wrapping_add(1);
            self.answered = false;
            self.sent = fingerprint;
        }
        self.count_transmission(now, shared);
        shared.send(O::PROTOCOL, CONFIGURE_REQUEST, self.identifier, &list);
    }

    fn send_terminate(&mut self, now: Instant, shared: &mut Shared) {
        if self.attempt == 0 {
            self.identifier = self.identifier.wrapping_add(1);
        }
        self.count_transmission(now, shared);
        shared.send(O::PROTOCOL, TERMINATE_REQUEST, self.identifier, terminate::encode(&self.farewell));
    }

    fn send_code_reject(&mut self, packet: Packet<'_>, shared: &mut Shared) {
        self.reject_identifier = self.reject_identifier.wrapping_add(1);
        let mut rejected = Vec::with_capacity(4 + packet.data.len());
        rejected.extend_from_slice(&[packet.code, packet.identifier]);
        let length = u16::try_from(packet.data.len() + 4).unwrap_or(u16::MAX);
        rejected.extend_from_slice(&length.to_be_bytes());
        rejected.extend_from_slice(packet.data);
        shared.send_cut(O::PROTOCOL, CODE_REJECT, self.reject_identifier, &rejected);
    }
}

/// Enough to tell copies of our own and the peer's packets apart; nothing secret hangs on it.
fn fingerprint(list: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    list.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
