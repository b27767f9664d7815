//! One tunnel: its control connection and its calls. `connection` has the states of the control connection (RFC 2661
//! section 7.2.1), `call` those of the calls (7.4); here is what both stand on: receiving, sending, ending, timers.

mod call;
mod connection;

pub(crate) use connection::{check_secret, check_version};

use std::sync::Arc;
use std::time::Instant;

use crate::avp::hidden::Hiding;
use crate::codes::ErrorCode;
use crate::config::{Config, Role};
use crate::event::{Event, Path, SessionEnd, TunnelEnd, TunnelStop};
use crate::header::ControlHeader;
use crate::ids::{PeerTunnelId, SessionKey, TunnelId};
use crate::info::{DropReason, TunnelInfo, TunnelState};
use crate::message::{BadMessage, Decoded, Fault, Message, Reading, StopCcn};
use crate::reliable::{Alarm, Channel, Verdict};
use crate::session::{Session, SessionTable};
use crate::shared::Shared;

/// RFC 2661 section 7.2.1. There is no idle: a tunnel that is idle is not there.
#[derive(Debug)]
pub(crate) enum State {
    /// Our SCCRQ is on its way.
    WaitCtlReply {
        challenge: Option<[u8; 16]>,
        tie_breaker: Option<u64>,
        give_up: Instant,
    },
    /// Our SCCRP is on its way.
    WaitCtlConn {
        challenge: Option<[u8; 16]>,
        give_up: Instant,
    },
    Established {
        since: Instant,
    },
    /// Ended. For a full retransmission cycle what the peer repeats is still acknowledged (section 5.7).
    Closing {
        until: Instant,
    },
}

/// What the peer says about itself.
#[derive(Debug, Default)]
pub(crate) struct Identity {
    pub(crate) host_name: String,
    pub(crate) vendor_name: String,
    pub(crate) firmware_revision: Option<u16>,
}

#[derive(Debug)]
pub(crate) struct Tunnel {
    pub(crate) id: TunnelId,
    pub(crate) peer: Option<PeerTunnelId>,
    pub(crate) path: Path,
    pub(crate) config: Arc<Config>,
    pub(crate) channel: Channel,
    pub(crate) state: State,
    pub(crate) sessions: SessionTable,
    pub(crate) identity: Box<Identity>,
    pub(crate) began: Instant,
    pub(crate) last_received: Instant,
    pub(crate) opened_here: bool,
    /// The caller knows of this tunnel, so it must hear of its end.
    pub(crate) announced: bool,
    /// Its place among the half-open tunnels, while it is one.
    pub(crate) serial: Option<u64>,
    /// What is set for this tunnel in [`Shared::timers`].
    pub(crate) timer: Option<Instant>,
}

impl Tunnel {
    /// Takes a control message of this tunnel.
    pub(crate) fn receive(
        &mut self,
        shared: &mut Shared,
        now: Instant,
        header: &ControlHeader,
        body: &[u8],
    ) -> Result<(), DropReason> {
        let schedule = self.config.schedule();
        match self.channel.receive(now, &schedule, header.ns, header.nr, body.is_empty()) {
            Verdict::InOrder => self.process(shared, now, header.session, body),
            Verdict::Ahead => {
                shared.counters.out_of_order += 1;
                self.channel.hold(header.ns, header.session, body);
            }
            Verdict::Duplicate => shared.counters.duplicates += 1,
            Verdict::Acknowledgement => shared.counters.zlb_in += 1,
            Verdict::Refused => return Err(DropReason::OutsideWindow),
            Verdict::AcknowledgesUnsent => return Err(DropReason::BadAcknowledgement),
        }
        self.last_received = now;
        while let Some(held) = self.channel.next_held() {
            self.process(shared, now, held.session, &held.body);
        }
        self.flush(shared, now);
        Ok(())
    }

    fn process(&mut self, shared: &mut Shared, now: Instant, session: u16, body: &[u8]) {
        if let State::Closing { .. } = self.state {
            return;
        }
        let config = Arc::clone(&self.config);
        let reading = Reading {
            secret: config.secret(),
            ignore_unknown_mandatory_vendor_avps: config.ignore_unknown_mandatory_vendor_avps,
        };
        match Message::decode(body, &reading) {
            Ok(Decoded { message, passed_over }) => {
                shared.counters.count_message(message.message_type());
                for avp in passed_over {
                    shared.warn(now, Some(self.path), || format!("{}: {avp}", message.message_type()));
                }
                self.dispatch(shared, now, session, message);
            }
            Err(bad) => {
                shared.counters.bad_messages += 1;
                self.bad_message(shared, now, session, &bad);
            }
        }
    }

    fn dispatch(&mut self, shared: &mut Shared, now: Instant, session: u16, message: Message) {
        let message_type = message.message_type();
        if message_type.concerns_a_session() && !matches!(self.state, State::Established { .. }) {
            return self.out_of_turn(shared, now, message_type);
        }
        match message {
            Message::Sccrq(_) => self.out_of_turn(shared, now, message_type),
            Message::Sccrp(reply) => self.sccrp(shared, now, *reply),
            Message::Scccn(connected) => self.scccn(shared, now, &connected),
            Message::StopCcn(stop) => self.stop_ccn(shared, now, stop),
            // Receiving it is all there is to it: the acknowledgement is the answer.
            Message::Hello => {}
            Message::Icrq(request) => self.icrq(shared, now, *request),
            Message::Icrp(reply) => self.icrp(shared, now, session, &reply),
            Message::Iccn(connected) => self.iccn(shared, now, session, *connected),
            Message::Ocrq(request) => self.ocrq(shared, now, &request),
            Message::Ocrp(_) | Message::Occn(_) => self.call_out_of_turn(shared, now, session, message_type),
            Message::Cdn(notice) => self.cdn(shared, session, *notice),
            // Line errors and character maps of a LAC's asynchronous line; there is none behind this end.
            Message::Wen(_) | Message::Sli(_) => {}
        }
    }

    /// Section 4.1 and 7.1: a fault in a message of the tunnel ends the tunnel, in one of a call the call.
    fn bad_message(&mut self, shared: &mut Shared, now: Instant, session: u16, bad: &BadMessage) {
        let text = match bad.message_type {
            Some(message_type) => format!("{message_type}: {}", bad.fault),
            None => bad.fault.to_string(),
        };
        shared.warn(now, Some(self.path), || text.clone());
        match (bad.message_type, bad.fault) {
            (None, Fault::UnknownMessage { mandatory: false, .. }) => {}
            (Some(message_type), fault) if message_type.concerns_a_session() => {
                self.bad_call_message(shared, session, bad, fault.error_code(), text);
            }
            (Some(_) | None, fault) => self.stop(shared, now, TunnelStop::general(fault.error_code(), text)),
        }
    }

    /// Appends a message to the control channel.
    pub(crate) fn send(&mut self, shared: &mut Shared, session: u16, message: &Message) {
        let body = self.encode(shared, message);
        self.channel.send(session, body);
    }

    fn encode(&self, shared: &mut Shared, message: &Message) -> Vec<u8> {
        let secret = if self.config.hide_avps { self.config.secret() } else { None };
        let hiding = secret.map(|secret| Hiding { secret, entropy: &mut shared.entropy });
        message.encode(hiding)
    }

    /// Lets out what the window allows, then a ZLB if an acknowledgement is still owed. Never later: a client with
    /// a window of one waits for it.
    pub(crate) fn flush(&mut self, shared: &mut Shared, now: Instant) {
        let schedule = self.config.schedule();
        let tunnel = self.peer.map_or(0, PeerTunnelId::get);
        while let Some(out) = self.channel.transmit(now, &schedule) {
            let counter = match (out.body.is_empty(), out.again) {
                (true, _) => &mut shared.counters.zlb_out,
                (false, true) => &mut shared.counters.retransmissions,
                (false, false) => &mut shared.counters.messages_out,
            };
            *counter += 1;
            let header = ControlHeader { tunnel, session: out.session, ns: out.ns, nr: out.nr };
            shared.transmit(self.path, header.encode(out.body));
        }
    }

    /// What the peer calls this tunnel, and where.
    pub(crate) fn peer_key(&self) -> Option<(Path, PeerTunnelId)> {
        self.peer.map(|peer| (self.path, peer))
    }

    /// Ends the tunnel with a StopCCN.
    pub(crate) fn stop(&mut self, shared: &mut Shared, now: Instant, cause: TunnelStop) {
        if let State::Closing { .. } = self.state {
            return;
        }
        let TunnelStop { result, error, message } = cause;
        let text = text_for(&self.identity.vendor_name, &message);
        let notice =
            Message::StopCcn(StopCcn { assigned_tunnel: Some(self.id.into()), result, error, message: text });
        self.channel.forget_unsent();
        self.send(shared, 0, &notice);
        self.end(shared, now, TunnelEnd::ByUs { result, error, message });
    }

    /// Ends the tunnel and its calls on this side, and tells the caller.
    pub(crate) fn end(&mut self, shared: &mut Shared, now: Instant, cause: TunnelEnd) {
        for session in self.sessions.take_all() {
            self.session_gone(shared, &session, || SessionEnd::TunnelDown(cause.clone()));
        }
        self.state = State::Closing { until: now + self.config.schedule().cycle() };
        shared.live_tunnels = shared.live_tunnels.saturating_sub(1);
        if self.announced {
            shared.events.push_back(Event::TunnelDown { tunnel: self.id, cause });
        }
    }

    /// Settles the accounts of a session that has been taken out of the table.
    pub(crate) fn session_gone(
        &self,
        shared: &mut Shared,
        session: &Session,
        cause: impl FnOnce() -> SessionEnd,
    ) {
        shared.sessions = shared.sessions.saturating_sub(1);
        if let Some(give_up) = session.give_up() {
            shared.timers.remove(&(give_up, self.id, session.id.get()));
        }
        if session.is_announced() {
            let key = SessionKey { tunnel: self.id, session: session.id };
            shared.events.push_back(Event::SessionDown { key, cause: cause() });
        }
    }

    /// What is due by `now`. The tunnel may be [finished](Tunnel::is_finished) afterwards.
    pub(crate) fn timeout(&mut self, shared: &mut Shared, now: Instant) {
        let schedule = self.config.schedule();
        match self.channel.alarm(now, &schedule) {
            Alarm::Quiet => {}
            Alarm::Retransmit => self.flush(shared, now),
            Alarm::PeerSilent if self.lives_without_hello(now) => {
                self.channel.forgive(now, &schedule);
                self.flush(shared, now);
            }
            Alarm::PeerSilent => return self.give_up(shared, now, TunnelEnd::ControlTimeout),
        }
        match self.state {
            State::WaitCtlReply { give_up, .. } | State::WaitCtlConn { give_up, .. } => {
                if give_up <= now {
                    self.give_up(shared, now, TunnelEnd::SetupTimeout);
                }
            }
            State::Established { .. } => {
                if self.channel.is_drained() && self.last_received + self.config.hello_after() <= now {
                    self.hello(shared, now);
                }
            }
            State::Closing { .. } => {}
        }
    }

    /// Asks the peer for a sign of life.
    pub(crate) fn hello(&mut self, shared: &mut Shared, now: Instant) {
        let body = self.encode(shared, &Message::Hello);
        self.channel.send_keep_alive(body);
        self.flush(shared, now);
    }

    /// Some telephones stop answering Hello while their PPP goes on: data that came while we asked answers as well.
    fn lives_without_hello(&self, now: Instant) -> bool {
        matches!(self.state, State::Established { .. })
            && self.channel.waits_for_keep_alive()
            && self.last_received + self.config.schedule().cycle() > now
    }

    /// Ends the tunnel without another word to a peer that would not hear it.
    fn give_up(&mut self, shared: &mut Shared, now: Instant, cause: TunnelEnd) {
        if !matches!(self.state, State::Closing { .. }) {
            self.end(shared, now, cause);
        }
        self.forget(now);
    }

    /// Makes a closing tunnel finished at once.
    pub(crate) fn forget(&mut self, now: Instant) {
        self.channel.abandon();
        self.state = State::Closing { until: now };
    }

    /// Nothing is left to do for this tunnel, not even to acknowledge.
    pub(crate) fn is_finished(&self, now: Instant) -> bool {
        matches!(self.state, State::Closing { until } if until <= now) && self.channel.is_drained()
    }

    /// It is up or coming up, or a message of it waits to be acknowledged.
    pub(crate) fn is_busy(&self) -> bool {
        !matches!(self.state, State::Closing { .. }) || !self.channel.is_drained()
    }

    /// When [`Tunnel::timeout`] has something to do. Data packets put a Hello off without touching any timer, so
    /// this can be later than what is set.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let drained = self.channel.is_drained();
        let own = match self.state {
            State::WaitCtlReply { give_up, .. } | State::WaitCtlConn { give_up, .. } => Some(give_up),
            State::Established { .. } => drained.then(|| self.last_received + self.config.hello_after()),
            State::Closing { until } => drained.then_some(until),
        };
        own.into_iter().chain(self.channel.deadline()).min()
    }

    /// As LAC we number our data when the LNS numbers its own (section 5.4).
    pub(crate) fn follows_numbering(&self) -> bool {
        match self.config.role {
            Role::Lac => true,
            Role::Lns => false,
        }
    }

    pub(crate) fn info(&self) -> TunnelInfo {
        let (state, since) = match self.state {
            State::WaitCtlReply { .. } => (TunnelState::WaitCtlReply, self.began),
            State::WaitCtlConn { .. } => (TunnelState::WaitCtlConn, self.began),
            State::Established { since } => (TunnelState::Established, since),
            State::Closing { .. } => (TunnelState::Closing, self.began),
        };
        let (peer_window, congestion_window) = self.channel.windows();
        TunnelInfo {
            id: self.id,
            peer: self.peer,
            path: self.path,
            state,
            opened_here: self.opened_here,
            host_name: self.identity.host_name.clone(),
            vendor_name: self.identity.vendor_name.clone(),
            firmware_revision: self.identity.firmware_revision,
            since,
            last_received: self.last_received,
            peer_window,
            congestion_window,
            own_window: self.channel.own_window(),
            unacknowledged: self.channel.backlog(),
            sessions: self.sessions.len(),
        }
    }
}

/// A text for a peer's log. Microsoft's clients get none: of their oldest it is only known that they take a Result
/// Code AVP of exactly ten octets, and none of them shows it to anyone.
pub(crate) fn text_for(vendor_name: &str, message: &str) -> String {
    if vendor_name == "Microsoft" { String::new() } else { message.to_owned() }
}

/// The stop for a peer that broke the order of messages.
fn state_machine_error(text: String) -> TunnelStop {
    TunnelStop {
        result: crate::codes::StopResult::StateMachineError,
        error: Some(ErrorCode::NoError),
        message: text,
    }
}
