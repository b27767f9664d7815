//! The control side of a shard: calls come up and go down, links negotiate, logins are decided, sessions begin and end.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tollgate_aaa::accounting::{RecordKind, TerminateCause, Traffic};
use tollgate_aaa::{Credentials, LoginRequest, PrintableName, Secret, SessionContext};
use tollgate_l2tp::{
    CallDisconnect, CallInfo, CdnResult, Endpoint, Event as TunnelEvent, MAX_DATA_HEADER, Path, Received,
    Role, SessionEnd, SessionKey, StopResult, TunnelEnd, TunnelStop,
};
use tollgate_policy::Config;
use tollgate_policy::tunnel_group::DEFAULT_TUNNEL_GROUP;
use tollgate_ppp::{
    Addresses, AuthDecision, AuthRequest, CloseReason, DownReason, Event as LinkEvent, Link, Proof,
    ProxyAuth, ProxyLcp,
};
use tracing::{debug, info, warn};

use super::message::{Message, Selector, SessionReport, TunnelReport};
use super::refusal;
use super::session::{Ending, Live, Session, Stage, station};
use super::{Draining, Shard};
use crate::login::{self, Decision, Grant};
use crate::registry::Handle;

/// What one shard of `shards` tells its L2TP endpoint. The bounds of the whole server are shared out, with some room
/// since callers do not spread evenly.
pub(super) fn l2tp_config(config: &Config, shards: usize) -> tollgate_l2tp::Config {
    let lns = &config.lns;
    let mut l2tp = tollgate_l2tp::Config::new(Role::Lns, lns.hostname.clone());
    l2tp.shared_secret.clone_from(&lns.l2tp_tunnel_password);
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
            Received::Data { token, frame, .. } => self.from_client(now, token, &mut bytes[frame]),
            Received::Control => self.pump(now),
            Received::Dropped(reason) => {
                if self.forward(path, bytes) {
                    return;
                }
                if let Some(more) = self.quiet.may_log(reason.name(), now) {
                    debug!(peer = %path.remote, %reason, more, "datagram dropped");
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
                .is_some_and(|post| post.send(Message::Datagram { path, bytes: bytes.to_vec() }))
    }

    pub(super) fn handle_message(&mut self, now: Instant, message: Message) {
        match message {
            Message::Decision { handle, decision } => self.decided(now, handle, decision),
            Message::Datagram { path, mut bytes } => {
                // Not forwarded a second time: what is nobody's stays dropped.
                if let Received::Data { token, frame, .. } = self.endpoint.handle_datagram(now, path, &bytes)
                {
                    self.from_client(now, token, &mut bytes[frame]);
                }
                self.pump(now);
            }
            Message::Packet(mut packet) => self.to_own_client(now, &mut packet),
            Message::Close { handle, ending } => {
                if self.session(handle).is_some() {
                    self.close(now, handle.token, ending);
                }
            }
            Message::Disconnect(selector, answer) => {
                let tokens = self.matching(&selector);
                for token in &tokens {
                    let ending =
                        Ending::ours(TerminateCause::AdminReset, "disconnected by the administrator");
                    self.close(now, *token, ending);
                }
                // Whoever asked may have gone meanwhile.
                let _ = answer.send(tokens.len());
            }
            Message::Sessions(answer) => {
                let reports = self.sessions.iter().map(|(_, session)| self.report(now, session)).collect();
                let _ = answer.send(reports);
            }
            Message::Tunnels(answer) => {
                let _ = answer.send(self.tunnel_reports());
            }
            Message::Reloaded => {
                let snapshot = self.shared.snapshot.load();
                let shards = self.shared.all_posts().len();
                self.client_to_client = snapshot.config.lns.client_to_client;
                let mut config = l2tp_config(&snapshot.config, shards);
                config.accept_incoming = self.draining == Draining::No;
                self.endpoint.reconfigure(config);
            }
            Message::Drain => self.drain(now),
        }
    }

    /// Sends what the L2TP machine wants sent and does what its events ask for.
    pub(super) fn pump(&mut self, now: Instant) {
        loop {
            while let Some(transmit) = self.endpoint.poll_transmit() {
                self.outbound.push(&self.socket, transmit.path.local, transmit.path.remote, |buffer| {
                    let length = transmit.datagram.len();
                    match buffer.get_mut(..length) {
                        Some(room) => {
                            room.copy_from_slice(&transmit.datagram);
                            length
                        }
                        None => 0,
                    }
                });
            }
            let Some(event) = self.endpoint.poll_event() else { break };
            self.tunnel_event(now, event);
        }
    }

    fn tunnel_event(&mut self, now: Instant, event: TunnelEvent) {
        match event {
            TunnelEvent::TunnelUp { tunnel, info } => {
                debug!(tunnel = tunnel.get(), peer = %info.path.remote, host = info.host_name, "tunnel up");
            }
            TunnelEvent::TunnelDown { tunnel, cause } => {
                debug!(tunnel = tunnel.get(), %cause, "tunnel down");
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
        let arrival = Arc::clone(&snapshot.arrival);
        let nas_identifier = snapshot.config.lns.hostname.clone();
        drop(snapshot);
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
            stage: Stage::Negotiating,
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
                self.send_frame(key, &frame);
                continue;
            }
            match session.link.poll_event() {
                Some(event) => self.link_event(now, token, event),
                None => break,
            }
        }
        self.arm(token);
    }

    fn send_frame(&mut self, key: SessionKey, frame: &[u8]) {
        let mut header = [0; MAX_DATA_HEADER];
        let Some((length, path)) = self.endpoint.data_header(key, frame.len(), &mut header) else { return };
        self.outbound.push(&self.socket, path.local, path.remote, |buffer| {
            let total = length + frame.len();
            let Some(room) = buffer.get_mut(..total) else { return 0 };
            room[..length].copy_from_slice(&header[..length]);
            room[length..].copy_from_slice(frame);
            total
        });
    }

    fn link_event(&mut self, now: Instant, token: u32, event: LinkEvent) {
        let session = &mut self.sessions[token as usize];
        let id = &session.context.acct_session_id;
        match event {
            LinkEvent::LcpOpened { peer_mru, method, .. } => {
                debug!(session = id, peer_mru, ?method, "lcp open");
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
            LinkEvent::Up(addresses) => self.go_live(now, token, &addresses),
            LinkEvent::Down(reason) => {
                if let DownReason::MethodRefused { wanted } = &reason {
                    let snapshot = self.shared.snapshot.load();
                    let why = refusal::reasons(&snapshot.router, DEFAULT_TUNNEL_GROUP, wanted);
                    let peer = &session.context.calling_station_id;
                    warn!(peer, session = id, tunnel_group = DEFAULT_TUNNEL_GROUP, "login refused: {why}");
                }
                let ending = match session.ending.take() {
                    Some(ending) => ending,
                    None => ending_of_link(&reason),
                };
                self.finish(now, token, ending);
            }
            // Events of the client's side of a link.
            LinkEvent::Authenticated { .. } | LinkEvent::AuthenticationFailed { .. } => {}
        }
    }

    /// Sends a login on its way to the AAA router.
    fn ask(&mut self, token: u32, request: AuthRequest) {
        let session = &mut self.sessions[token as usize];
        session.stage = Stage::Deciding;
        let handle = session.handle;
        let request = LoginRequest {
            name: request.name,
            credentials: credentials_of(request.proof),
            tunnel_group: DEFAULT_TUNNEL_GROUP.to_owned(),
            context: (*session.context).clone(),
        };
        let shared = Arc::clone(&self.shared);
        self.shared.runtime.spawn(async move {
            let decision = login::decide(Arc::clone(&shared), handle, request).await;
            if let Some(post) = shared.post(handle.shard) {
                post.send(Message::Decision { handle, decision });
            }
        });
    }

    fn session(&mut self, handle: Handle) -> Option<&mut Session> {
        self.sessions.get_mut(handle.token as usize).filter(|session| session.handle == handle)
    }

    fn decided(&mut self, now: Instant, handle: Handle, decision: Decision) {
        // A caller who hung up meanwhile: the grant is dropped, and all that it holds is given back.
        let Some(session) = self.session(handle) else { return };
        if !matches!(session.stage, Stage::Deciding) {
            return;
        }
        session.stage = Stage::Negotiating;
        let decision = match decision {
            Decision::Accept { message, network, grant } => {
                session.stage = Stage::Granted(grant);
                AuthDecision::Accept { message, network }
            }
            Decision::Reject { message, code, retry } => AuthDecision::Reject { message, code, retry },
            Decision::Unavailable { message } => {
                let words = String::from_utf8_lossy(&message).into_owned();
                session.ending = Some(Ending::ours(TerminateCause::ServiceUnavailable, words));
                AuthDecision::Unavailable { message }
            }
        };
        session.link.authenticated(now, decision);
        self.drive(now, handle.token);
    }

    /// IPCP is open: packets may flow, and billing begins.
    fn go_live(&mut self, now: Instant, token: u32, addresses: &Addresses) {
        let session = &mut self.sessions[token as usize];
        let grant = match std::mem::replace(&mut session.stage, Stage::Negotiating) {
            Stage::Granted(grant) => grant,
            // IPCP negotiated anew on a live session: the address is the lease's as before.
            Stage::Live(live) => live.grant,
            other @ (Stage::Negotiating | Stage::Deciding) => {
                session.stage = other;
                return;
            }
        };
        let address = grant.lease.address();
        let mtu = session.link.peer_mru().min(grant.policy.mtu.unwrap_or(u16::MAX));
        let live = Box::new(Live {
            address,
            since: now,
            traffic: Traffic::default(),
            last_packet: now,
            next_interim: grant.policy.interim_interval.map(|interval| now + interval),
            mtu,
            filter: grant.policy.filter.as_ref().map(|(_, list)| Arc::clone(list)),
            grant,
        });
        let record = live.record(RecordKind::Start, &session.context, now, None);
        self.shared.accounting.submit(record, live.grant.accounting.clone());
        self.by_address.insert(address, token);
        self.shared.owners.insert(address, self.index);
        if !self.shared.pools.covers(address) {
            self.shared.routes.add(address, 32);
        }
        for (network, prefix) in &live.grant.policy.routes {
            self.networks.push((u32::from(*network), crate::owners::mask(*prefix), token));
            self.shared.owners.insert_network(*network, *prefix, self.index);
            self.shared.routes.add(*network, *prefix);
        }
        info!(
            user = %PrintableName(&live.grant.user),
            tunnel_group = live.grant.tunnel_group,
            policy = live.grant.policy.group_policy,
            address = %addresses.peer,
            server = live.grant.server,
            method = %live.grant.method,
            peer = session.context.calling_station_id,
            session = session.context.acct_session_id,
            "session started",
        );
        session.stage = Stage::Live(live);
    }

    /// Ends a session from our side: PPP says why, then the call goes.
    fn close(&mut self, now: Instant, token: u32, ending: Ending) {
        let session = &mut self.sessions[token as usize];
        if session.ending.is_some() {
            return;
        }
        let text = ending.words.clone();
        session.ending = Some(ending);
        session.link.close(now, CloseReason { text });
        self.drive(now, token);
    }

    /// The session is over: everything that it holds is given back, billing is told, the call goes.
    fn finish(&mut self, now: Instant, token: u32, ending: Ending) {
        let Some(session) = self.sessions.try_remove(token as usize) else { return };
        self.by_key.remove(&session.key);
        let result = if ending.ours { CdnResult::Administrative } else { CdnResult::CarrierLost };
        self.endpoint.close_session(now, session.key, CallDisconnect::new(result, ending.words.clone()));
        match &session.stage {
            Stage::Live(live) => self.bill_the_end(now, &session, live, &ending),
            Stage::Negotiating | Stage::Deciding | Stage::Granted(_) => {
                if let Some(more) = self.quiet.may_log("before-login", now) {
                    info!(
                        peer = session.context.calling_station_id,
                        session = session.context.acct_session_id,
                        cause = ending.words,
                        more,
                        "call ended before its session started",
                    );
                }
            }
        }
    }

    fn bill_the_end(&mut self, now: Instant, session: &Session, live: &Live, ending: &Ending) {
        let token = session.handle.token;
        self.by_address.remove(&live.address);
        self.shared.owners.remove(live.address);
        if !self.shared.pools.covers(live.address) {
            self.shared.routes.remove(live.address, 32);
        }
        for (network, prefix) in &live.grant.policy.routes {
            let entry = (u32::from(*network), crate::owners::mask(*prefix), token);
            self.networks.retain(|other| *other != entry);
            self.shared.owners.remove_network(*network, *prefix, self.index);
            self.shared.routes.remove(*network, *prefix);
        }
        let record = live.record(RecordKind::Stop, &session.context, now, Some(ending.cause));
        let duration = record.session_time.as_secs();
        self.shared.accounting.submit(record, live.grant.accounting.clone());
        info!(
            user = %PrintableName(&live.grant.user),
            tunnel_group = live.grant.tunnel_group,
            policy = live.grant.policy.group_policy,
            address = %live.address,
            server = live.grant.server,
            method = %live.grant.method,
            session = session.context.acct_session_id,
            duration,
            octets_in = live.traffic.input_octets,
            octets_out = live.traffic.output_octets,
            cause = %ending.cause,
            detail = ending.words,
            "session ended",
        );
    }

    /// Enters a session among the timers where it wants to be looked at earlier than it is entered.
    pub(super) fn arm(&mut self, token: u32) {
        let Some(session) = self.sessions.get_mut(token as usize) else { return };
        let Some(due) = session.next_due() else { return };
        if session.armed.is_none_or(|armed| due < armed) {
            session.armed = Some(due);
            self.timers.enter(due, (token, session.handle.generation));
        }
    }

    /// A session's time among the timers has come; much may have changed since it was entered.
    pub(super) fn session_due(&mut self, now: Instant, token: u32, generation: u32) {
        let Some(session) = self.sessions.get_mut(token as usize) else { return };
        if session.handle.generation != generation {
            return;
        }
        if session.armed.is_some_and(|armed| armed <= now) {
            session.armed = None;
        }
        if session.link.next_timeout().is_some_and(|due| due <= now) {
            session.link.handle_timeout(now);
        }
        let context = Arc::clone(&session.context);
        let mut limit = None;
        if let Some(live) = session.live_mut() {
            limit = live.limit_reached(now);
            if live.next_interim.is_some_and(|due| due <= now) {
                live.next_interim = live.grant.policy.interim_interval.map(|interval| now + interval);
                let record = live.record(RecordKind::Interim, &context, now, None);
                let group = live.grant.accounting.clone();
                self.shared.accounting.submit(record, group);
            }
        }
        match limit {
            Some(ending) if self.sessions[token as usize].ending.is_none() => self.close(now, token, ending),
            _ => self.drive(now, token),
        }
    }

    fn matching(&self, selector: &Selector) -> Vec<u32> {
        let wanted = |session: &Session| {
            let live = match &session.stage {
                Stage::Live(live) => Some(live),
                Stage::Negotiating | Stage::Deciding | Stage::Granted(_) => None,
            };
            match selector {
                Selector::All => true,
                Selector::Session(id) => session.context.acct_session_id == *id,
                Selector::Address(address) => live.is_some_and(|live| live.address == *address),
                Selector::User(user) => live.is_some_and(|live| live.grant.user == user.as_bytes()),
            }
        };
        self.sessions.iter().filter(|(_, session)| wanted(session)).map(|(token, _)| token as u32).collect()
    }

    fn report(&self, now: Instant, session: &Session) -> SessionReport {
        let live = match &session.stage {
            Stage::Live(live) => Some(live),
            Stage::Negotiating | Stage::Deciding | Stage::Granted(_) => None,
        };
        let grant: Option<&Grant> = match &session.stage {
            Stage::Granted(grant) => Some(grant),
            Stage::Live(live) => Some(&live.grant),
            Stage::Negotiating | Stage::Deciding => None,
        };
        let traffic = live.map(|live| live.traffic).unwrap_or_default();
        let path = self.endpoint.tunnel_info(session.key.tunnel).map(|info| info.path.remote.to_string());
        SessionReport {
            session: session.context.acct_session_id.clone(),
            user: grant.map(|grant| PrintableName(&grant.user).to_string()),
            state: session.link.phase().to_string(),
            address: grant.map(|grant| grant.lease.address()),
            peer: path.unwrap_or_else(|| session.context.calling_station_id.clone()),
            tunnel: session.key.tunnel.get(),
            call: session.key.session.get(),
            tunnel_group: grant.map(|grant| grant.tunnel_group.clone()),
            group_policy: grant.map(|grant| grant.policy.group_policy.clone()),
            server: grant.map(|grant| grant.server.clone()),
            method: grant.map(|grant| grant.method.to_string()),
            duration: now.saturating_duration_since(live.map_or(session.born, |live| live.since)).as_secs(),
            idle: live.map(|live| now.saturating_duration_since(live.last_packet).as_secs()),
            octets_in: traffic.input_octets,
            octets_out: traffic.output_octets,
            packets_in: traffic.input_packets,
            packets_out: traffic.output_packets,
        }
    }

    fn tunnel_reports(&self) -> Vec<TunnelReport> {
        self.endpoint
            .tunnels()
            .map(|info| TunnelReport {
                tunnel: info.id.get(),
                peer_tunnel: info.peer.map_or(0, |peer| peer.get()),
                peer: info.path.remote.to_string(),
                host_name: info.host_name,
                vendor: info.vendor_name,
                state: info.state.to_string(),
                sessions: info.sessions,
            })
            .collect()
    }

    /// Begins to go: no new tunnels, every link is told.
    fn drain(&mut self, now: Instant) {
        if self.draining != Draining::No {
            return;
        }
        self.draining = Draining::Links(now + Duration::from_secs(2));
        let snapshot = self.shared.snapshot.load();
        let mut config = l2tp_config(&snapshot.config, self.shared.all_posts().len());
        config.accept_incoming = false;
        self.endpoint.reconfigure(config);
        drop(snapshot);
        for token in self.matching(&Selector::All) {
            self.close(now, token, shutdown());
        }
    }

    /// Goes on with going.
    pub(super) fn drain_step(&mut self, now: Instant) {
        match self.draining {
            Draining::Links(until) if self.sessions.is_empty() || now >= until => {
                for token in self.matching(&Selector::All) {
                    self.finish(now, token, shutdown());
                }
                let stop = TunnelStop::new(StopResult::ShuttingDown, "the server is shutting down");
                self.endpoint.close_all(now, stop);
                self.pump(now);
                self.draining = Draining::Tunnels(now + Duration::from_secs(2));
            }
            Draining::Tunnels(until) if !has_open_tunnels(&self.endpoint) || now >= until => {
                self.draining = Draining::Done;
            }
            Draining::No | Draining::Links(_) | Draining::Tunnels(_) | Draining::Done => {}
        }
    }
}

fn shutdown() -> Ending {
    Ending::ours(TerminateCause::AdminReboot, "the server is shutting down")
}

/// Tunnels whose StopCCN the peer has not acknowledged yet.
fn has_open_tunnels(endpoint: &Endpoint) -> bool {
    endpoint.tunnels().any(|info| info.unacknowledged > 0)
}

/// What a peer proved itself with, in the AAA side's terms.
pub(crate) fn credentials_of(proof: Proof) -> Credentials {
    match proof {
        Proof::Pap { password } => Credentials::Pap { password: Secret::from(password) },
        Proof::Chap { identifier, challenge, response } => {
            Credentials::Chap { identifier, challenge, response }
        }
        Proof::MsChapV1 { identifier, challenge, lm_response, nt_response, use_nt } => {
            Credentials::MsChapV1 { identifier, challenge, lm_response, nt_response, use_nt }
        }
        Proof::MsChapV2 { identifier, authenticator_challenge, peer_challenge, nt_response, flags } => {
            Credentials::MsChapV2 { identifier, authenticator_challenge, peer_challenge, nt_response, flags }
        }
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

/// Why a session whose link went down ended.
fn ending_of_link(reason: &DownReason) -> Ending {
    let cause = match reason {
        DownReason::PeerTerminated { windows_error: Some(error), .. } if *error != 0 => {
            TerminateCause::UserError
        }
        DownReason::PeerTerminated { .. } => TerminateCause::UserRequest,
        DownReason::AuthenticationFailed | DownReason::MethodRefused { .. } | DownReason::PeerRejected(_) => {
            TerminateCause::UserError
        }
        DownReason::EchoTimeout => TerminateCause::LostCarrier,
        DownReason::Unavailable { .. } => TerminateCause::ServiceUnavailable,
        DownReason::Loopback => TerminateCause::PortError,
        DownReason::NegotiationTimeout(_) | DownReason::NotConverging(_) => TerminateCause::LostService,
        DownReason::ServerUnproven => TerminateCause::UserError,
        DownReason::Closed => TerminateCause::NasRequest,
    };
    Ending::theirs(cause, reason.to_string())
}

/// Why a session whose call went down ended.
fn ending_of_call(end: &SessionEnd) -> Ending {
    let cause = match end {
        SessionEnd::ByPeer { result, .. } => match result {
            CdnResult::CarrierLost => TerminateCause::LostCarrier,
            _ => TerminateCause::UserRequest,
        },
        SessionEnd::ByUs { .. } => TerminateCause::NasRequest,
        SessionEnd::SetupTimeout => TerminateCause::LostService,
        SessionEnd::TunnelDown(TunnelEnd::ByPeer { .. }) => TerminateCause::UserRequest,
        SessionEnd::TunnelDown(TunnelEnd::ByUs { .. }) => TerminateCause::NasRequest,
        SessionEnd::TunnelDown(TunnelEnd::ControlTimeout | TunnelEnd::Replaced | TunnelEnd::SetupTimeout) => {
            TerminateCause::LostCarrier
        }
    };
    let words: Cow<'_, str> = end.to_string().into();
    Ending::theirs(cause, words)
}
