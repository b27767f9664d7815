//! Incoming calls, RFC 2661 sections 7.4.1 (as LAC) and 7.4.2 (as LNS). Outgoing calls are refused.

use std::num::NonZeroU16;
use std::time::Instant;

use super::{State as TunnelState, Tunnel, text_for};
use crate::codes::{CdnResult, ErrorCode, MessageType, ProxyAuthenType};
use crate::config::Role;
use crate::event::{
    CallDisconnect, CallInfo, Event, IncomingCall, OpenError, Path, ProxyAuth, ProxyLcp, SessionEnd,
};
use crate::ids::{PeerSessionId, SessionId, SessionKey};
use crate::message::{BadMessage, Cdn, Iccn, Icrp, Icrq, Message, Ocrq, printable};
use crate::session::{SETUP_TIME, Session, State};
use crate::shared::Shared;

impl Tunnel {
    /// idle, a call to place: send ICRQ when the tunnel is up, else wait-tunnel.
    pub(crate) fn place_call(
        &mut self,
        shared: &mut Shared,
        now: Instant,
        call: IncomingCall,
    ) -> Result<SessionId, OpenError> {
        let up = match self.state {
            TunnelState::Established { .. } => true,
            TunnelState::WaitCtlReply { .. } => false,
            TunnelState::WaitCtlConn { .. } | TunnelState::Closing { .. } => return Err(OpenError::NoTunnel),
        };
        let call = Box::new(call);
        let id = self
            .sessions
            .insert(|id| Session::new(id, None, State::WaitTunnel { call }))
            .ok_or(OpenError::TooManySessions)?;
        shared.sessions += 1;
        if up {
            self.place_waiting_call(shared, now, id);
            self.flush(shared, now);
        }
        Ok(id)
    }

    /// wait-tunnel, tunnel open: send ICRQ, go to wait-reply.
    pub(super) fn place_waiting_calls(&mut self, shared: &mut Shared, now: Instant) {
        let waiting: Vec<_> = self.sessions.iter().map(|session| session.id).collect();
        for id in waiting {
            self.place_waiting_call(shared, now, id);
        }
    }

    fn place_waiting_call(&mut self, shared: &mut Shared, now: Instant, id: SessionId) {
        let Some(session) = self.sessions.get_mut(id.get()) else {
            return;
        };
        let State::WaitTunnel { call } = &mut session.state else {
            return;
        };
        let call = std::mem::take(call);
        let request = Message::Icrq(Box::new(Icrq {
            assigned_session: id.into(),
            serial: call.serial_number,
            bearer_type: call.bearer_type,
            physical_channel: call.physical_channel,
            calling_number: octets(call.calling_number.as_ref()),
            called_number: octets(call.called_number.as_ref()),
            sub_address: octets(call.sub_address.as_ref()),
        }));
        let give_up = now + SETUP_TIME;
        session.state = State::WaitReply { call, give_up };
        shared.timers.insert((give_up, self.id, id.get()));
        self.send(shared, 0, &request);
    }

    /// wait-reply, ICRP: send ICCN, established.
    pub(super) fn icrp(&mut self, shared: &mut Shared, now: Instant, session: u16, reply: &Icrp) {
        let (path, host, numbering) = self.call_surroundings();
        let tunnel = self.id;
        let Some(session) = self.sessions.get_mut(session) else {
            return self.unknown_call(shared, now, session, MessageType::Icrp);
        };
        let State::WaitReply { call, give_up } = &mut session.state else {
            let id = session.id.get();
            return self.call_out_of_turn(shared, now, id, MessageType::Icrp);
        };
        shared.timers.remove(&(*give_up, tunnel, session.id.get()));
        let call = std::mem::take(call);
        session.peer = Some(PeerSessionId::from(reply.assigned_session));
        session.numbering = numbering;
        session.sequencing_required = numbering;
        session.state = State::Established { since: now };
        let key = SessionKey { tunnel, session: session.id };
        let peer = session.peer_number();
        let connected = connected_of(&call, numbering);
        let info = Box::new(placed_call(*call, &connected, path, host));
        self.send(shared, peer, &Message::Iccn(Box::new(connected)));
        shared.counters.sessions_up += 1;
        shared.events.push_back(Event::SessionUp { key, call: info });
    }

    /// idle, ICRQ: acceptable: send ICRP, go to wait-connect; not acceptable: CDN.
    pub(super) fn icrq(&mut self, shared: &mut Shared, now: Instant, request: Icrq) {
        let peer = request.assigned_session;
        let refusal = match self.config.role {
            Role::Lac => {
                Some(CallDisconnect::new(CdnResult::NoFacilitiesEver, "this end places calls and takes none"))
            }
            Role::Lns if shared.sessions >= self.config.max_sessions => {
                Some(CallDisconnect::new(CdnResult::NoFacilitiesNow, "too many sessions"))
            }
            Role::Lns => None,
        };
        if let Some(refusal) = refusal {
            return self.refuse_call(shared, peer, refusal);
        }
        let (path, host, _) = self.call_surroundings();
        let give_up = now + SETUP_TIME;
        let call = Box::new(requested_call(request, path, host));
        let state = State::WaitConnect { call, give_up };
        let accepted = self.sessions.insert(|id| Session::new(id, Some(PeerSessionId::from(peer)), state));
        let Some(id) = accepted else {
            let refusal =
                CallDisconnect::new(CdnResult::NoFacilitiesNow, "the tunnel has no session id left");
            return self.refuse_call(shared, peer, refusal);
        };
        shared.sessions += 1;
        shared.timers.insert((give_up, self.id, id.get()));
        self.send(shared, peer.get(), &Message::Icrp(Icrp { assigned_session: id.into() }));
    }

    /// wait-connect, ICCN: established.
    pub(super) fn iccn(&mut self, shared: &mut Shared, now: Instant, session: u16, connected: Iccn) {
        let (path, host, numbering) = self.call_surroundings();
        let tunnel = self.id;
        let Some(session) = self.sessions.get_mut(session) else {
            return self.unknown_call(shared, now, session, MessageType::Iccn);
        };
        let State::WaitConnect { .. } = session.state else {
            let id = session.id.get();
            return self.call_out_of_turn(shared, now, id, MessageType::Iccn);
        };
        session.sequencing_required = connected.sequencing_required;
        session.numbering = connected.sequencing_required || numbering;
        let before = std::mem::replace(&mut session.state, State::Established { since: now });
        let key = SessionKey { tunnel, session: session.id };
        if let State::WaitConnect { mut call, give_up } = before {
            shared.timers.remove(&(give_up, tunnel, key.session.get()));
            complete_call(&mut call, connected);
            // Both may have become known, or changed, since the ICRQ.
            (call.path, call.peer_host_name) = (path, host);
            shared.counters.sessions_up += 1;
            shared.events.push_back(Event::SessionUp { key, call });
        }
    }

    /// An LNS has no use for a request to dial out, and this end as LAC has no line to do it with.
    pub(super) fn ocrq(&mut self, shared: &mut Shared, now: Instant, request: &Ocrq) {
        shared.warn(now, Some(self.path), || String::from("OCRQ refused: no outgoing calls here"));
        let refusal = CallDisconnect::new(CdnResult::NoFacilitiesEver, "no outgoing calls here");
        self.refuse_call(shared, request.assigned_session, refusal);
    }

    /// any state, CDN: clean up. A LAC that hangs up before our ICRP arrived names its own id only.
    pub(super) fn cdn(&mut self, shared: &mut Shared, session: u16, notice: Cdn) {
        let by_peer = |id: NonZeroU16| self.sessions.find_peer(PeerSessionId::from(id));
        let found = self.sessions.get(session).or_else(|| notice.assigned_session.and_then(by_peer));
        let Some(id) = found.map(|session| session.id) else {
            // Clients hang up a call that we have ended a moment before: nothing is wrong.
            return;
        };
        let Cdn { result, error, message, q931_cause, ppp_cause, .. } = notice;
        let parts = [
            Some(message).filter(|message| !message.is_empty()),
            ppp_cause.map(|cause| cause.to_string()),
            q931_cause.map(|cause| format!("Q.931 cause {} {}", cause.cause, cause.advisory)),
        ];
        let message = parts.into_iter().flatten().collect::<Vec<_>>().join("; ");
        if let Some(session) = self.sessions.remove(id) {
            self.session_gone(shared, &session, || SessionEnd::ByPeer { result, error, message });
        }
    }

    /// Ends a call with a CDN; a call that the peer has not heard of yet ends in silence.
    pub(crate) fn disconnect(&mut self, shared: &mut Shared, id: SessionId, cause: CallDisconnect) {
        let CallDisconnect { result, error, message } = cause;
        self.disconnect_as(shared, id, result, error, &message.clone(), || SessionEnd::ByUs {
            result,
            error,
            message,
        });
    }

    fn disconnect_as(
        &mut self,
        shared: &mut Shared,
        id: SessionId,
        result: CdnResult,
        error: Option<ErrorCode>,
        message: &str,
        end: impl FnOnce() -> SessionEnd,
    ) {
        let Some(session) = self.sessions.remove(id) else {
            return;
        };
        self.session_gone(shared, &session, end);
        match session.state {
            State::WaitTunnel { .. } => {}
            State::WaitReply { .. } | State::WaitConnect { .. } | State::Established { .. } => {
                let cause = CallDisconnect { result, error, message: message.to_owned() };
                self.send_cdn(shared, session.peer_number(), id, cause);
            }
        }
    }

    /// The next message of the call's set-up has not come in time.
    pub(crate) fn call_timeout(&mut self, shared: &mut Shared, now: Instant, id: SessionId) {
        let text = "call set-up took too long";
        self.disconnect_as(shared, id, CdnResult::NotEstablishedInTime, None, text, || {
            SessionEnd::SetupTimeout
        });
        self.flush(shared, now);
    }

    fn refuse_call(&mut self, shared: &mut Shared, peer: NonZeroU16, cause: CallDisconnect) {
        shared.counters.calls_refused += 1;
        // The Assigned Session ID is required in a CDN; the call has none, so it gets one that is not used.
        if let Some(id) = self.sessions.free_id() {
            self.send_cdn(shared, peer.get(), id, cause);
        }
    }

    fn send_cdn(&mut self, shared: &mut Shared, peer: u16, id: SessionId, cause: CallDisconnect) {
        let message = text_for(&self.identity.vendor_name, &cause.message);
        let notice = Cdn {
            assigned_session: Some(id.into()),
            result: cause.result,
            error: cause.error,
            message,
            q931_cause: None,
            ppp_cause: None,
        };
        self.send(shared, peer, &Message::Cdn(Box::new(notice)));
    }

    /// A message that the call's state does not expect: CDN, clean up.
    pub(super) fn call_out_of_turn(
        &mut self,
        shared: &mut Shared,
        now: Instant,
        session: u16,
        what: MessageType,
    ) {
        let Some((id, state)) = self.sessions.get(session).map(|session| (session.id, session.state()))
        else {
            return self.unknown_call(shared, now, session, what);
        };
        let text = format!("{what} in state {state}");
        shared.warn(now, Some(self.path), || text.clone());
        self.disconnect(shared, id, general(ErrorCode::InvalidSessionId, text));
    }

    /// Sections 7.4.1 and 7.4.2, idle: a message about a call that is not there leads to nothing.
    fn unknown_call(&self, shared: &mut Shared, now: Instant, session: u16, what: MessageType) {
        shared.warn(now, Some(self.path), || format!("{what} for session {session}, which is not there"));
    }

    /// A message of a call that cannot be used ends the call. One that only informs ends nothing.
    pub(super) fn bad_call_message(
        &mut self,
        shared: &mut Shared,
        session: u16,
        bad: &BadMessage,
        error: ErrorCode,
        text: String,
    ) {
        let cause = general(error, text);
        match bad.message_type {
            Some(MessageType::Wen | MessageType::Sli) => {}
            Some(MessageType::Icrq | MessageType::Ocrq) => {
                if let Some(peer) = bad.assigned_session {
                    self.refuse_call(shared, peer, cause);
                }
            }
            Some(_) | None => {
                if let Some(id) = self.sessions.get(session).map(|session| session.id) {
                    self.disconnect(shared, id, cause);
                }
            }
        }
    }

    /// Path, peer's name, and whether the configuration wants data numbered.
    fn call_surroundings(&self) -> (Path, String, bool) {
        (self.path, self.identity.host_name.clone(), self.config.require_sequencing)
    }
}

fn general(error: ErrorCode, message: String) -> CallDisconnect {
    CallDisconnect { result: CdnResult::GeneralError, error: Some(error), message }
}

fn octets(text: Option<&String>) -> Option<Vec<u8>> {
    text.map(|text| text.as_bytes().to_vec())
}

fn text(octets: Option<Vec<u8>>) -> Option<String> {
    octets.map(|octets| printable(&octets))
}

/// What the ICRQ says about a call; the ICCN brings the rest.
fn requested_call(request: Icrq, path: Path, peer_host_name: String) -> CallInfo {
    CallInfo {
        serial_number: request.serial,
        bearer_type: request.bearer_type,
        framing_type: None,
        calling_number: text(request.calling_number),
        called_number: text(request.called_number),
        sub_address: text(request.sub_address),
        tx_speed: None,
        rx_speed: None,
        physical_channel: request.physical_channel,
        private_group: None,
        proxy_lcp: None,
        proxy_auth: None,
        sequencing_required: false,
        path,
        peer_host_name,
    }
}

fn complete_call(call: &mut CallInfo, connected: Iccn) {
    let lcp = ProxyLcp {
        initial_received: connected.initial_received_lcp,
        last_sent: connected.last_sent_lcp,
        last_received: connected.last_received_lcp,
    };
    call.framing_type = connected.framing_type;
    call.tx_speed = connected.tx_speed;
    call.rx_speed = connected.rx_speed;
    call.private_group = connected.private_group;
    call.proxy_lcp = (lcp != ProxyLcp::default()).then_some(lcp);
    // Section 4.4.5: the other proxy AVPs mean nothing without the type.
    call.proxy_auth = connected.proxy_type.map(|kind| ProxyAuth {
        kind: ProxyAuthenType::from(kind),
        name: connected.proxy_name,
        challenge: connected.proxy_challenge,
        id: connected.proxy_id,
        response: connected.proxy_response,
    });
    call.sequencing_required = connected.sequencing_required;
}

fn connected_of(call: &IncomingCall, sequencing_required: bool) -> Iccn {
    let lcp = call.proxy_lcp.clone().unwrap_or_default();
    let auth = call.proxy_auth.clone();
    Iccn {
        tx_speed: Some(call.tx_speed),
        framing_type: Some(if call.framing_type == 0 { 1 } else { call.framing_type }),
        initial_received_lcp: lcp.initial_received,
        last_sent_lcp: lcp.last_sent,
        last_received_lcp: lcp.last_received,
        proxy_type: auth.as_ref().map(|auth| auth.kind.number()),
        proxy_name: auth.as_ref().and_then(|auth| auth.name.clone()),
        proxy_challenge: auth.as_ref().and_then(|auth| auth.challenge.clone()),
        proxy_id: auth.as_ref().and_then(|auth| auth.id),
        proxy_response: auth.as_ref().and_then(|auth| auth.response.clone()),
        private_group: call.private_group.clone(),
        rx_speed: call.rx_speed,
        sequencing_required,
    }
}

fn placed_call(call: IncomingCall, connected: &Iccn, path: Path, peer_host_name: String) -> CallInfo {
    CallInfo {
        serial_number: call.serial_number,
        bearer_type: call.bearer_type,
        framing_type: connected.framing_type,
        calling_number: call.calling_number,
        called_number: call.called_number,
        sub_address: call.sub_address,
        tx_speed: connected.tx_speed,
        rx_speed: call.rx_speed,
        physical_channel: call.physical_channel,
        private_group: call.private_group,
        proxy_lcp: call.proxy_lcp,
        proxy_auth: call.proxy_auth,
        sequencing_required: connected.sequencing_required,
        path,
        peer_host_name,
    }
}
