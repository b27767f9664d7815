//! The control connection's own messages, RFC 2661 section 7.2.1: opening from both ends, and the peer's end of it.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Instant;

use super::{Identity, State, Tunnel, state_machine_error};
use crate::auth;
use crate::codes::{ErrorCode, MessageType, StopResult};
use crate::config::Config;
use crate::event::{Event, Path, TunnelEnd, TunnelStop};
use crate::ids::{PeerTunnelId, TunnelId};
use crate::message::{DEFAULT_WINDOW, Message, ProtocolVersion, Scccn, Sccrp, Sccrq, StopCcn, printable};
use crate::reliable::Channel;
use crate::session::SessionTable;
use crate::shared::Shared;

/// We frame synchronously only: there is no asynchronous line at this end.
const SYNCHRONOUS: u32 = 1;

impl Tunnel {
    fn new(
        id: TunnelId,
        path: Path,
        config: Arc<Config>,
        state: State,
        shared: &mut Shared,
        now: Instant,
    ) -> Self {
        let channel = Channel::new(config.receive_window, DEFAULT_WINDOW);
        shared.live_tunnels += 1;
        Self {
            id,
            peer: None,
            path,
            config,
            channel,
            state,
            sessions: SessionTable::new(shared.entropy.u16()),
            identity: Box::default(),
            began: now,
            last_received: now,
            opened_here: false,
            announced: false,
            serial: None,
            timer: None,
        }
    }

    /// idle, local open request: send SCCRQ, go to wait-ctl-reply.
    pub(crate) fn open(
        id: TunnelId,
        path: Path,
        config: Arc<Config>,
        shared: &mut Shared,
        now: Instant,
    ) -> Self {
        let challenge = config.secret().map(|_| shared.entropy.array());
        let tie_breaker = config.send_tie_breaker.then(|| u64::from_be_bytes(shared.entropy.array()));
        let give_up = now + config.schedule().cycle();
        let vendor = (!config.vendor_name.is_empty()).then(|| config.vendor_name.as_bytes().to_vec());
        let request = Sccrq {
            protocol_version: ProtocolVersion::RFC_2661,
            host_name: config.host_name.as_bytes().to_vec(),
            framing_capabilities: SYNCHRONOUS,
            bearer_capabilities: None,
            tie_breaker,
            firmware_revision: vendor.as_ref().map(|_| config.firmware_revision),
            vendor_name: vendor,
            assigned_tunnel: id.into(),
            receive_window: Some(config.receive_window),
            challenge: challenge.map(|challenge: [u8; 16]| challenge.to_vec()),
        };
        let state = State::WaitCtlReply { challenge, tie_breaker, give_up };
        let mut tunnel = Self::new(id, path, config, state, shared, now);
        tunnel.opened_here = true;
        tunnel.announced = true;
        tunnel.send(shared, 0, &Message::Sccrq(Box::new(request)));
        tunnel.flush(shared, now);
        tunnel
    }

    /// idle, acceptable SCCRQ: send SCCRP, go to wait-ctl-conn. Only the basic AVPs are sent: there are clients that
    /// give the tunnel up for an AVP they do not know.
    pub(crate) fn accept(
        id: TunnelId,
        path: Path,
        config: Arc<Config>,
        request: Sccrq,
        serial: u64,
        shared: &mut Shared,
        now: Instant,
    ) -> Self {
        let challenge: Option<[u8; 16]> = config.secret().map(|_| shared.entropy.array());
        let give_up = now + config.schedule().cycle();
        let challenge_response = config
            .secret()
            .zip(request.challenge.as_deref())
            .map(|(secret, theirs)| auth::challenge_response(MessageType::Sccrp, secret, theirs));
        let reply = Sccrp {
            protocol_version: ProtocolVersion::RFC_2661,
            framing_capabilities: SYNCHRONOUS,
            host_name: config.host_name.as_bytes().to_vec(),
            assigned_tunnel: id.into(),
            bearer_capabilities: None,
            firmware_revision: None,
            vendor_name: None,
            receive_window: Some(config.receive_window),
            challenge: challenge.map(|challenge| challenge.to_vec()),
            challenge_response,
        };
        let state = State::WaitCtlConn { challenge, give_up };
        let mut tunnel = Self::new(id, path, config, state, shared, now);
        // The SCCRQ is the first message of the channel; the SCCRP acknowledges it.
        tunnel.serial = Some(serial);
        tunnel.channel.receive(now, &tunnel.config.schedule(), 0, 0, false);
        tunnel.learn_peer(
            request.assigned_tunnel,
            &request.host_name,
            request.vendor_name.as_deref(),
            request.firmware_revision,
            request.receive_window,
        );
        tunnel.send(shared, 0, &Message::Sccrp(Box::new(reply)));
        tunnel.flush(shared, now);
        tunnel
    }

    fn learn_peer(
        &mut self,
        id: NonZeroU16,
        host_name: &[u8],
        vendor_name: Option<&[u8]>,
        firmware_revision: Option<u16>,
        window: Option<u16>,
    ) {
        self.peer = Some(PeerTunnelId::from(id));
        self.channel.set_peer_window(window.filter(|window| *window != 0).unwrap_or(DEFAULT_WINDOW));
        *self.identity = Identity {
            host_name: printable(host_name),
            vendor_name: vendor_name.map(printable).unwrap_or_default(),
            firmware_revision,
        };
    }

    /// wait-ctl-reply, SCCRP: acceptable: send SCCCN, established; not acceptable: StopCCN.
    pub(super) fn sccrp(&mut self, shared: &mut Shared, now: Instant, reply: Sccrp) {
        let State::WaitCtlReply { challenge, .. } = self.state else {
            return self.out_of_turn(shared, now, MessageType::Sccrp);
        };
        // Known first, so that even a refusal is addressed to the right tunnel.
        self.learn_peer(
            reply.assigned_tunnel,
            &reply.host_name,
            reply.vendor_name.as_deref(),
            reply.firmware_revision,
            reply.receive_window,
        );
        let refusal = check_version(reply.protocol_version)
            .or_else(|| self.check_response(MessageType::Sccrp, challenge, reply.challenge_response))
            .or_else(|| check_secret(&self.config, reply.challenge.as_deref()));
        if let Some(refusal) = refusal {
            shared.warn(now, Some(self.path), || format!("SCCRP refused: {}", refusal.message));
            return self.stop(shared, now, refusal);
        }
        let challenge_response = self
            .config
            .secret()
            .zip(reply.challenge.as_deref())
            .map(|(secret, theirs)| auth::challenge_response(MessageType::Scccn, secret, theirs));
        self.send(shared, 0, &Message::Scccn(Scccn { challenge_response }));
        self.established(shared, now);
        self.place_waiting_calls(shared, now);
    }

    /// wait-ctl-conn, SCCCN: acceptable: established; not acceptable: StopCCN.
    pub(super) fn scccn(&mut self, shared: &mut Shared, now: Instant, connected: &Scccn) {
        let State::WaitCtlConn { challenge, .. } = self.state else {
            return self.out_of_turn(shared, now, MessageType::Scccn);
        };
        match self.check_response(MessageType::Scccn, challenge, connected.challenge_response) {
            None => self.established(shared, now),
            Some(refusal) => {
                shared.warn(now, Some(self.path), || format!("SCCCN refused: {}", refusal.message));
                self.stop(shared, now, refusal);
            }
        }
    }

    fn established(&mut self, shared: &mut Shared, now: Instant) {
        self.state = State::Established { since: now };
        self.announced = true;
        shared.counters.tunnels_up += 1;
        shared.events.push_back(Event::TunnelUp { tunnel: self.id, info: self.info() });
    }

    /// any state, StopCCN: clean up. What it ended is told; repetitions are acknowledged for a while, unless the
    /// tunnel never came up, so that requests from nowhere leave nothing behind.
    pub(super) fn stop_ccn(&mut self, shared: &mut Shared, now: Instant, stop: StopCcn) {
        let was_up = matches!(self.state, State::Established { .. });
        self.channel.abandon();
        // The StopCCN says it once more; a peer that never had our SCCRP answered may be known from here only.
        if self.peer.is_none() {
            self.peer = stop.assigned_tunnel.map(PeerTunnelId::from);
        }
        let StopCcn { result, error, message, .. } = stop;
        self.end(shared, now, TunnelEnd::ByPeer { result, error, message });
        if !was_up {
            self.state = State::Closing { until: now };
        }
    }

    /// A message that the state does not expect: StopCCN, clean up.
    pub(super) fn out_of_turn(&mut self, shared: &mut Shared, now: Instant, message_type: MessageType) {
        let state = self.info().state;
        let text = format!("{message_type} in state {state}");
        shared.warn(now, Some(self.path), || text.clone());
        self.stop(shared, now, state_machine_error(text));
    }

    /// Whether the peer has proved that it knows the secret; the refusal if not.
    fn check_response(
        &self,
        carrier: MessageType,
        challenge: Option<[u8; 16]>,
        response: Option<[u8; 16]>,
    ) -> Option<TunnelStop> {
        let (challenge, secret) = challenge.zip(self.config.secret())?;
        let text = match response {
            Some(response) if auth::verify(carrier, secret, &challenge, &response) => return None,
            Some(_) => "wrong tunnel secret",
            None => "the challenge was not answered",
        };
        Some(TunnelStop::new(StopResult::NotAuthorized, text))
    }
}

/// The refusal for a version other than ours; its error code names ours (section 4.4.2).
pub(crate) fn check_version(version: ProtocolVersion) -> Option<TunnelStop> {
    let ProtocolVersion { version, revision } = version;
    if version == ProtocolVersion::RFC_2661.version {
        return None;
    }
    let ours = u16::from_be_bytes([ProtocolVersion::RFC_2661.version, ProtocolVersion::RFC_2661.revision]);
    Some(TunnelStop {
        result: StopResult::VersionNotSupported,
        error: Some(ErrorCode::Other(ours)),
        message: format!("version {version}.{revision} is not spoken here"),
    })
}

/// The refusal for a peer that challenges us where no secret is set: we could not answer.
pub(crate) fn check_secret(config: &Config, challenge: Option<&[u8]>) -> Option<TunnelStop> {
    match (challenge, config.secret()) {
        (Some(_), None) => {
            Some(TunnelStop::new(StopResult::NotAuthorized, "challenged, but no tunnel secret is set here"))
        }
        (None, _) | (Some(_), Some(_)) => None,
    }
}
