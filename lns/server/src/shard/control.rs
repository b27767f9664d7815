//! The control side of a shard: datagrams and messages come in, calls come up and go down, links negotiate.

use std::sync::Arc;
use std::time::Instant;

use tollgate_aaa::accounting::TerminateCause;
use tollgate_aaa::{PrintableName, SessionContext};
use tollgate_ipsec::AssociationId;
use tollgate_l2tp::{
    CallDisconnect, CallInfo, CdnResult, DropReason, Event as TunnelEvent, MAX_DATA_HEADER, Path, Received,
    Role, SessionKey,
};
use tollgate_policy::Config;
use tollgate_policy::tunnel_group::DEFAULT_TUNNEL_GROUP;
use tollgate_ppp::{DownReason, Event as LinkEvent, Link, ProxyAuth, ProxyLcp};
use tracing::{debug, warn};
use zeroize::Zeroizing;

use super::lifetime::{ending_of_call, ending_of_link};
use super::message::Message;
use super::refusal;
use super::session::{Ending, Session, Stage, station};
use super::{Draining, Shard, secure};
use crate::registry::Handle;

/// What one shard of `shards` tells its L2TP endpoint. The bounds of the whole server are shared out, with some room
/// since callers do not spread evenly; the sum is watched when a call comes up.
pub(super) fn l2tp_config(config: &Config, shards: usize) -> tollgate_l2tp::Config {
    let lns = &config.lns;
    let mut l2tp = tollgate_l2tp::Config::new(Role::Lns, lns.hostname.clone());
    l2tp.shared_secret =
        lns.l2tp_tunnel_password.as_ref().map(|secret| Zeroizing::new(secret.expose().to_vec()));
    l2tp.hide_avps = lns.hide_avps;
    l2tp.hello_interval = lns.tunnel_hello;
    l2tp.max_sessions = if shards > 1 { lns.max_sessions.div_ceil(shards) * 2 } else { lns.max_sessions };
    l2tp.max_sessions = l2tp.max_sessions.min(lns.max_sessions);
    l2tp.require_sequencing = lns.require_sequencing;
    l2tp.ignore_unknown_mandatory_vendor_avps = lns.ignore_unknown_vendor_avps;
    l2tp
}

impl Shard {
    pub(super) fn handle_datagram(&mut self, now: Instant, path: Path, bytes: &mut [u8]) {
        match self.endpoint.handle_datagram(now, path, bytes) {
            Received::Data { token, frame, .. } => self.carry_in(now, token, &mut bytes[frame]),
            Received::Control => self.pump(now),
            Received::Dropped(reason) => {
                if self.forward(path, bytes) {
                    return;
                }
                if let Some(more) = self.quiet.may_log(reason.name(), now) {
                    let peer = path.remote;
                    if is_malformed(reason) {
                        warn!(%peer, %reason, more, "malformed datagram dropped");
                    } else {
                        debug!(%peer, %reason, more, "datagram dropped");
                    }
                }
            }
        }
    }

    /// Hands a datagram that is another shard's to that shard: the kernel chose our socket because the sender's port
    /// changed since its tunnel was set up.
    fn forward(&self, path: Path, bytes: &[u8]) -> bool {
        let owner = match tollgate_l2tp::peek_tunnel_id(bytes) {
            Some(0) | None => return false,
            Some(tunnel) => usize::from(self.ids.shard_of(tunnel)),
        };
        owner != self.index
            && self
                .shared
                .post(owner)
                .is_some_and(|post| post.send_packet(|| Message::Datagram { path, bytes: bytes.to_vec() }))
    }

    pub(super) fn handle_message(&mut self, now: Instant, message: Message) {
        match message {
            Message::Decision { handle, round, decision } => self.decided(now, handle, round, decision),
            Message::Datagram { path, mut bytes } => {
                self.packet_taken();
                // Not forwarded a second time: what is nobody's stays dropped.
                if let Received::Data { token, frame, .. } = self.endpoint.handle_datagram(now, path, &bytes)
                {
                    self.carry_in(now, token, &mut bytes[frame]);
                }
                self.pump(now);
            }
            Message::Secure { path, is_esp, mut bytes } => {
                self.packet_taken();
                match is_esp {
                    true => self.own_esp(now, path, &mut bytes),
                    false => self.ipsec.handle_isakmp(now, path, &bytes),
                }
                self.pump_secure(now);
            }
            Message::JobDone(result) => {
                self.ipsec.handle_job(now, *result);
                self.pump_secure(now);
            }
            Message::Packet(mut packet) => {
                self.packet_taken();
                self.deliver_out(now, &mut packet);
            }
            Message::Preempt { handle, ending } => {
                if self.session(handle).is_some() {
                    // A peer that is still there hears why; it is not waited for.
                    self.close(now, handle.token, ending.clone());
                    self.finish(now, handle.token, ending);
                }
            }
            Message::Disconnect(selector, answer) => {
                let mut tokens = self.matching(&selector);
                tokens.retain(|token| self.sessions[*token as usize].ending.is_none());
                for token in &tokens {
                    let ending =
                        Ending::ours(TerminateCause::AdminReset, "disconnected by the administrator");
                    self.close(now, *token, ending);
                }
                // Whoever asked may have gone meanwhile.
                let _ = answer.send(tokens.len());
            }
            Message::Find(request, answer) => {
                let _ = answer.send(self.meant(&request));
            }
            Message::Apply { handle, act, done } => {
                let _ = done.send(self.apply(now, handle, act));
            }
            Message::Sessions(answer) => {
                let _ = answer.send(self.session_reports(now));
            }
            Message::Tunnels(answer) => {
                let _ = answer.send(self.tunnel_reports(now));
            }
            Message::Ipsec(answer) => {
                let _ = answer.send(self.ipsec_reports(now));
            }
            Message::Counters(answer) => {
                let _ = answer.send(self.counter_values());
            }
            Message::Reloaded => {
                let snapshot = self.shared.snapshot.load();
                let shards = self.shared.all_posts().len();
                self.client_to_client = snapshot.config.lns.client_to_client;
                let mut config = l2tp_config(&snapshot.config, shards);
                config.accept_incoming = self.draining == Draining::No;
                self.endpoint.reconfigure(config);
                let settings = secure::settings(&snapshot, shards, self.links.esp_is_served);
                self.ipsec.reconfigure(settings);
                self.require_ipsec = snapshot.config.lns.require_ipsec;
            }
            Message::Drain => self.drain(now),
        }
    }

    fn packet_taken(&self) {
        if let Some(post) = self.shared.post(self.index) {
            post.packet_taken();
        }
    }

    /// Sends what the L2TP machine wants sent and does what its events ask for.
    pub(super) fn pump(&mut self, now: Instant) {
        loop {
            while let Some(transmit) = self.endpoint.poll_transmit() {
                self.links.send(now, &mut self.ipsec, &transmit.path, &[&transmit.datagram]);
            }
            let Some(event) = self.endpoint.poll_event() else { break };
            self.tunnel_event(now, event);
        }
    }

    fn tunnel_event(&mut self, now: Instant, event: TunnelEvent) {
        match event {
            TunnelEvent::TunnelUp { tunnel, info } => {
                debug!(tunnel = tunnel.get(), peer = %info.path.remote, host = info.host_name, "tunnel up");
                self.secure_tunnel_up(now, tunnel, &info.path);
            }
            TunnelEvent::TunnelDown { tunnel, cause } => {
                debug!(tunnel = tunnel.get(), %cause, "tunnel down");
                self.secure_tunnel_down(now, tunnel);
            }
            TunnelEvent::SessionUp { key, call } => self.call_up(now, key, &call),
            TunnelEvent::SessionDown { key, cause } => {
                if let Some(token) = self.by_key.get(&key).copied() {
                    self.finish(now, token, ending_of_call(&cause));
                }
            }
            TunnelEvent::Warning { path, text } => {
                if let Some(more) = self.quiet.may_log("l2tp", now) {
                    let peer = path.map(|path| path.remote.to_string()).unwrap_or_default();
                    warn!(peer, more, "{text}");
                }
            }
        }
    }

    /// A call is there: PPP begins on it.
    fn call_up(&mut self, now: Instant, key: SessionKey, call: &CallInfo) {
        let snapshot = self.shared.snapshot.load();
        let association = call.path.association.map(AssociationId);
        let peer = association.and_then(|association| self.ipsec.peer(association));
        let tunnel_group =
            peer.map_or_else(|| DEFAULT_TUNNEL_GROUP.into(), |peer| Arc::clone(&peer.tunnel_group));
        let arrival = self.fitting(&snapshot.arrival(&tunnel_group), association);
        let nas_identifier = snapshot.config.lns.hostname.clone();
        let most = snapshot.config.lns.max_sessions;
        drop(snapshot);
        if !self.shared.session_begins(most) {
            let refusal = CallDisconnect::new(CdnResult::NoFacilitiesNow, "too many sessions");
            self.endpoint.close_session(now, key, refusal);
            if let Some(more) = self.quiet.may_log("max-sessions", now) {
                let peer = call.path.remote;
                warn!(%peer, more, "call refused: there are max-sessions ({most}) sessions");
            }
            return;
        }
        self.generation = self.generation.wrapping_add(1);
        let entry = self.sessions.vacant_entry();
        let token = entry.key() as u32;
        let handle = Handle { shard: self.index, token, generation: self.generation };
        let (client, server) = (call.path.remote.ip(), call.path.local.ip());
        let context = SessionContext {
            acct_session_id: self.shared.session_id(),
            nas_port: token,
            nas_identifier,
            nas_ip: Some(server).filter(|ip| !ip.is_unspecified()),
            client_endpoint: Some(client),
            server_endpoint: Some(server).filter(|ip| !ip.is_unspecified()),
            calling_station_id: call.calling_number.clone().unwrap_or_else(|| station(client)),
            called_station_id: call.called_number.clone().unwrap_or_else(|| station(server)),
        };
        entry.insert(Session {
            key,
            handle,
            link: Link::server(arrival, self.entropy.fork()),
            armed: None,
            born: now,
            context: Arc::new(context),
            tunnel_group,
            stage: Stage::Negotiating,
            encryption: None,
            ending: None,
        });
        self.by_key.insert(key, token);
        self.endpoint.set_token(key, token);
        let link = &mut self.sessions[token as usize].link;
        let by_proxy = proxy_of(call).is_some_and(|proxy| link.start_with_proxy(now, proxy));
        if !by_proxy {
            link.start(now);
        }
        self.drive(now, token);
    }

    /// Does what a link asks for until it asks for nothing more.
    pub(super) fn drive(&mut self, now: Instant, token: u32) {
        loop {
            let Some(session) = self.sessions.get_mut(token as usize) else { return };
            let key = session.key;
            if let Some(frame) = session.link.poll_frame() {
                self.send_frame(now, key, &frame);
                continue;
            }
            match session.link.poll_event() {
                Some(event) => self.link_event(now, token, event),
                None => break,
            }
        }
        self.arm(token);
    }

    fn send_frame(&mut self, now: Instant, key: SessionKey, frame: &[u8]) {
        let mut header = [0; MAX_DATA_HEADER];
        let Some((length, path)) = self.endpoint.data_header(key, frame.len(), &mut header) else { return };
        self.links.send(now, &mut self.ipsec, &path, &[&header[..length], frame]);
    }

    fn link_event(&mut self, now: Instant, token: u32, event: LinkEvent) {
        let session = &mut self.sessions[token as usize];
        let id = &session.context.acct_session_id;
        match event {
            LinkEvent::LcpOpened { peer_mru, method, .. } => {
                debug!(session = id, peer_mru, ?method, "lcp open");
                self.begin_anew(now, token);
            }
            LinkEvent::Authenticate(request) => self.ask(token, request),
            LinkEvent::Identification(text) => {
                debug!(session = id, identification = %PrintableName(&text), "peer identifies itself");
            }
            LinkEvent::Warning(text) => {
                if let Some(more) = self.quiet.may_log("ppp", now) {
                    warn!(session = id, more, "{text}");
                }
            }
            LinkEvent::Encrypted { send, receive } => {
                debug!(session = id, %send, %receive, "encrypted");
                session.encryption = Some(if send == receive {
                    send.to_string()
                } else {
                    format!("{send} out, {receive} in")
                });
            }
            LinkEvent::Up(addresses) => self.go_live(now, token, &addresses),
            LinkEvent::Down(reason) => {
                if let DownReason::MethodRefused { wanted } = &reason {
                    let snapshot = self.shared.snapshot.load();
                    let tunnel_group = &*session.tunnel_group;
                    let why = refusal::reasons(&snapshot.router, tunnel_group, wanted);
                    let peer = &session.context.calling_station_id;
                    warn!(peer, session = id, tunnel_group, "login refused: {why}");
                }
                let ending = match session.ending.take() {
                    Some(ending) => ending,
                    None => ending_of_link(&reason),
                };
                self.finish(now, token, ending);
            }
            // Events of the client's side of a link.
            LinkEvent::PasswordChanged
            | LinkEvent::Authenticated { .. }
            | LinkEvent::AuthenticationFailed { .. } => {}
        }
    }
}

/// Whether a datagram was dropped for what it is, and not for where it belongs: worth an operator's attention.
fn is_malformed(reason: DropReason) -> bool {
    match reason {
        DropReason::Truncated
        | DropReason::Version
        | DropReason::ControlFlags
        | DropReason::Length
        | DropReason::EmptyFrame
        | DropReason::BadMessage => true,
        DropReason::UnknownTunnel
        | DropReason::WrongPath
        | DropReason::UnknownSession
        | DropReason::OutOfSequence
        | DropReason::OutsideWindow
        | DropReason::BadAcknowledgement
        | DropReason::LostTie => false,
    }
}

/// What a carrier's LAC negotiated on our behalf, in PPP's terms.
fn proxy_of(call: &CallInfo) -> Option<ProxyLcp<'_>> {
    let lcp = call.proxy_lcp.as_ref()?;
    let auth = call.proxy_auth.as_ref().map(|auth| ProxyAuth {
        auth_type: auth.kind.number(),
        name: auth.name.as_deref().unwrap_or_default(),
        challenge: auth.challenge.as_deref().unwrap_or_default(),
        identifier: auth.id.unwrap_or_default(),
        response: auth.response.as_deref().unwrap_or_default(),
    });
    Some(ProxyLcp {
        initial_received: lcp.initial_received.as_deref(),
        last_sent: lcp.last_sent.as_deref(),
        last_received: lcp.last_received.as_deref(),
        auth,
    })
}
