//! The machines of one call on one socket, driven by the calling thread.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ring::rand::{SecureRandom, SystemRandom};
use tollgate_ipsec::{AssociationId, Event as SecureEvent};
use tollgate_l2tp::{
    CallDisconnect, CdnResult, Config, Endpoint, Event as TunnelEvent, IdSpace, IncomingCall,
    MAX_DATA_HEADER, Path, Received, Role, SessionKey, StopResult, TunnelId, TunnelStop,
};
use tollgate_ppp::{Addresses, ClientConfig, CloseReason, DownReason, Event as LinkEvent, Link};
use tollgate_sansio::Entropy;

use super::{Failure, KeyTaker, Options, Passed, Stage, diagnosis};
use crate::secure::Secure;

/// A call that is up.
pub struct Dial {
    socket: UdpSocket,
    secure: Option<Secure>,
    association: Option<AssociationId>,
    pub(super) path: Path,
    endpoint: Endpoint,
    tunnel: Option<TunnelId>,
    pub(super) key: Option<SessionKey>,
    pub(super) link: Option<Link>,
    entropy: Entropy,
    ppp: Arc<ClientConfig>,
    stage: Stage,
    stage_began: Instant,
    /// What the server said last when it refused.
    said: Option<String>,
    /// MS-CHAP's error number in its refusal.
    error: Option<u32>,
    password_changed: bool,
    method: Option<String>,
    pub(super) addresses: Option<Addresses>,
    /// How MPPE encrypts.
    encryption: Option<String>,
    /// Packets that came through the tunnel.
    pub(super) packets: VecDeque<Vec<u8>>,
    pub(super) ended: Option<Failure>,
    link_down: bool,
    keys: Option<KeyTaker>,
}

impl Dial {
    /// Dials; every stage that is passed is told to `passed`.
    pub fn connect(options: &Options, passed: &mut dyn FnMut(&Passed)) -> Result<Self, Failure> {
        let first = if options.security.is_some() { Stage::Ike } else { Stage::Tunnel };
        let local_failure = |error: io::Error| Failure {
            stage: first,
            said: format!("cannot send to {}: {error}", options.server),
            cause: "check the address and the network of this machine".into(),
        };
        let unspecified: SocketAddr = match options.server {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (std::net::Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(unspecified).map_err(local_failure)?;
        socket.connect(options.server).map_err(local_failure)?;
        let mut local = socket.local_addr().map_err(local_failure)?;
        let mut socket = socket;
        if options.security.is_some() {
            // The server answers from two ports: a socket that is connected to neither, on the address that leads there.
            socket = UdpSocket::bind((local.ip(), 0)).map_err(local_failure)?;
            local = socket.local_addr().map_err(local_failure)?;
        }
        let path = Path { local, remote: options.server, association: None };
        let mut seed = [0; 32];
        SystemRandom::new()
            .fill(&mut seed)
            .map_err(|_| local_failure(io::Error::other("the system gives no random numbers")))?;
        let mut entropy = Entropy::from_seed(seed);
        let mut config = Config::new(Role::Lac, options.host_name.clone());
        config.shared_secret.clone_from(&options.tunnel_secret);
        let endpoint = Endpoint::new(config, IdSpace { shard: 0, shard_bits: 0 }, entropy.fork());
        let now = Instant::now();
        let secure = options.security.clone().map(|security| {
            let mut secure = Secure::new(now, security, options.server.ip(), entropy.fork());
            secure.connect(now, local, None);
            secure
        });
        let defaults = ClientConfig::default();
        let eap_types = match options.ppp.eap_types.as_slice() {
            [] => defaults.eap_types.clone(),
            types => types.to_vec(),
        };
        let ppp = Arc::new(ClientConfig {
            user: options.user.clone(),
            password: options.password.clone(),
            new_password: options.new_password.clone(),
            methods: vec![options.method],
            request_dns: options.request_servers,
            request_nbns: options.request_servers,
            eap_types,
            eap_methods: options.ppp.eap_methods.clone(),
            encryption: options.ppp.encryption,
            ..defaults
        });
        let mut dial = Self {
            socket,
            secure,
            association: None,
            path,
            endpoint,
            tunnel: None,
            key: None,
            link: None,
            entropy,
            ppp,
            stage: first,
            stage_began: now,
            said: None,
            error: None,
            password_changed: false,
            method: None,
            addresses: None,
            encryption: None,
            packets: VecDeque::new(),
            ended: None,
            link_down: false,
            keys: options.keys.clone(),
        };
        if dial.secure.is_none() {
            dial.open_tunnel(now);
        }
        while dial.stage != Stage::Up {
            let deadline = dial.stage_began + options.stage_limit;
            if Instant::now() >= deadline {
                let mut failure = diagnosis::silence(dial.stage);
                if dial.stage == Stage::Tunnel && dial.secure.is_some() {
                    failure.cause = diagnosis::L2TP_SILENT_IN_IPSEC.into();
                }
                if dial.stage == Stage::Ike && dial.secure.as_ref().is_some_and(|secure| secure.heard) {
                    failure.cause = diagnosis::SILENT_IN_IKE.into();
                }
                dial.hang_up();
                return Err(failure);
            }
            dial.step(deadline, passed);
            if let Some(failure) = dial.ended.take() {
                dial.hang_up();
                return Err(failure);
            }
        }
        Ok(dial)
    }

    fn open_tunnel(&mut self, now: Instant) {
        match self.endpoint.open_tunnel(now, self.path) {
            Ok(tunnel) => self.tunnel = Some(tunnel),
            Err(error) => {
                self.end(Failure {
                    stage: Stage::Tunnel,
                    said: error.to_string(),
                    cause: "try again".into(),
                });
            }
        }
    }

    /// What IPCP agreed on.
    pub fn addresses(&self) -> Option<&Addresses> {
        self.addresses.as_ref()
    }

    /// Why the call ended, once it has.
    pub fn ended(&self) -> Option<&Failure> {
        self.ended.as_ref()
    }

    /// Keeps the call alive until the time is over; false when it ended before.
    pub fn hold(&mut self, deadline: Instant) -> bool {
        while Instant::now() < deadline && self.ended.is_none() {
            self.step(deadline, &mut |_| ());
            self.packets.clear();
        }
        self.ended.is_none()
    }

    /// Hangs up as a client should: PPP, call, tunnel; waits a moment for the acknowledgements.
    pub fn hang_up(&mut self) {
        let limit = Instant::now() + Duration::from_secs(2);
        let reason = CloseReason { text: "user request".into() };
        if let Some(link) = &mut self.link
            && !self.link_down
        {
            link.close(Instant::now(), reason);
            self.pump();
            while !self.link_down && self.key.is_some() && Instant::now() < limit {
                self.step(limit, &mut |_| ());
            }
        }
        let now = Instant::now();
        if let Some(key) = self.key.take() {
            self.endpoint.close_session(
                now,
                key,
                CallDisconnect::new(CdnResult::Administrative, "user request"),
            );
        }
        let stop = TunnelStop::new(StopResult::GeneralRequest, "user request");
        if let Some(tunnel) = self.tunnel {
            self.endpoint.close_tunnel(now, tunnel, stop);
        }
        self.pump();
        let settled = |endpoint: &Endpoint| endpoint.tunnels().all(|tunnel| tunnel.unacknowledged == 0);
        while !settled(&self.endpoint) && Instant::now() < limit {
            self.step(limit, &mut |_| ());
        }
        if let (Some(secure), Some(association)) = (&mut self.secure, self.association.take()) {
            secure.close(Instant::now(), association);
            self.pump();
        }
    }

    /// Waits for one datagram or one timer, at most until `deadline`.
    pub(super) fn step(&mut self, deadline: Instant, passed: &mut dyn FnMut(&Passed)) {
        self.pump_telling(passed);
        let now = Instant::now();
        let timers = [
            self.endpoint.next_timeout(),
            self.link.as_ref().and_then(Link::next_timeout),
            self.secure.as_ref().and_then(Secure::next_timeout),
        ];
        let until = timers.into_iter().flatten().fold(deadline, Instant::min);
        let wait = until.saturating_duration_since(now).max(Duration::from_millis(1));
        // Cannot fail: the wait is not zero.
        let _ = self.socket.set_read_timeout(Some(wait));
        let mut buffer = [0; 2048];
        let received = self.socket.recv_from(&mut buffer);
        let now = Instant::now();
        match received {
            Ok((length, from)) => {
                let bytes = buffer.get_mut(..length).unwrap_or_default();
                let datagram = match &mut self.secure {
                    Some(secure) => secure
                        .receive(now, self.path.local, from, bytes)
                        .and_then(|(_, payload)| bytes.get_mut(payload)),
                    None => Some(bytes),
                };
                if let Some(datagram) = datagram {
                    let received = self.endpoint.handle_datagram(now, self.path, datagram);
                    if let Received::Data { frame, .. } = received {
                        self.receive_frame(now, &mut datagram[frame]);
                    }
                }
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused && self.stage == Stage::Tunnel => {
                self.ended = Some(Failure {
                    stage: Stage::Tunnel,
                    said: "port unreachable".into(),
                    cause: "no L2TP server listens there".into(),
                });
            }
            // A time-out, or an error about an earlier datagram: the timers below go on.
            Err(_) => {}
        }
        if let Some(secure) = &mut self.secure {
            secure.handle_timeout(now);
        }
        if self.endpoint.next_timeout().is_some_and(|due| due <= now) {
            self.endpoint.handle_timeout(now);
        }
        if let Some(link) = &mut self.link
            && link.next_timeout().is_some_and(|due| due <= now)
        {
            link.handle_timeout(now);
        }
        self.pump_telling(passed);
    }

    fn pump(&mut self) {
        self.pump_telling(&mut |_| ());
    }

    fn pump_telling(&mut self, passed: &mut dyn FnMut(&Passed)) {
        loop {
            while let Some(transmit) = self.endpoint.poll_transmit() {
                self.transmit(&[&transmit.datagram]);
            }
            if let Some(secure) = &mut self.secure {
                let socket = &self.socket;
                // Lost datagrams are sent again by the machine.
                let event = secure.poll(Instant::now(), |to, datagram| drop(socket.send_to(datagram, to)));
                if let Some(event) = event {
                    self.secure_event(event, passed);
                    continue;
                }
            }
            if let Some(event) = self.endpoint.poll_event() {
                self.tunnel_event(event, passed);
                continue;
            }
            if let (Some(key), Some(link)) = (self.key, &mut self.link) {
                if let Some(frame) = link.poll_frame() {
                    self.send_frame(key, &frame);
                    continue;
                }
                if let Some(event) = link.poll_event() {
                    self.link_event(event, passed);
                    continue;
                }
            }
            return;
        }
    }

    pub(super) fn send_frame(&mut self, key: SessionKey, frame: &[u8]) {
        let mut header = [0; MAX_DATA_HEADER];
        if let Some((length, _)) = self.endpoint.data_header(key, frame.len(), &mut header) {
            self.transmit(&[&header[..length], frame]);
        }
    }

    /// Sends an L2TP datagram, in clear or through IPsec.
    fn transmit(&mut self, parts: &[&[u8]]) {
        // What is lost is sent again by the machines, or is data.
        let _ = match (&mut self.secure, self.association) {
            (Some(secure), Some(association)) => {
                let mut buffer = [0; 2048];
                match secure.seal(Instant::now(), association, parts, &mut buffer) {
                    Some((length, to)) => self.socket.send_to(&buffer[..length], to),
                    None => return,
                }
            }
            (Some(_), None) => return,
            (None, _) => self.socket.send(&parts.concat()),
        };
    }

    fn secure_event(&mut self, event: SecureEvent, passed: &mut dyn FnMut(&Passed)) {
        match event {
            SecureEvent::PeerAuthenticated { peer, policy, path } if self.stage == Stage::Ike => {
                let way = if path.nat_t { ", ESP in UDP" } else { "" };
                self.pass(Stage::Ipsec, format!("{policy}, server {}{way}", peer.name), passed);
            }
            SecureEvent::AssociationUp { association, set, .. } if self.stage == Stage::Ipsec => {
                self.pass(Stage::Tunnel, set.to_string(), passed);
                self.association = Some(association);
                self.path.association = Some(association.0);
                self.open_tunnel(Instant::now());
            }
            SecureEvent::AssociationDown { cause, .. } => {
                self.association = None;
                self.end(diagnosis::association_end(self.stage, &cause));
            }
            SecureEvent::Failed { failure, .. } => {
                let words = failure.to_string();
                let (said, cause) = words.split_once(": ").unwrap_or((&words, "look into the server's log"));
                self.end(Failure { stage: self.stage, said: said.to_owned(), cause: cause.to_owned() });
            }
            SecureEvent::Keys(keys) => {
                if let Some(take) = &self.keys {
                    take(&keys);
                }
            }
            SecureEvent::PeerAuthenticated { .. }
            | SecureEvent::AssociationUp { .. }
            | SecureEvent::AssociationRekeyed { .. }
            | SecureEvent::NoTraffic { .. } => {}
        }
    }

    fn pass(&mut self, next: Stage, detail: String, passed: &mut dyn FnMut(&Passed)) {
        let now = Instant::now();
        passed(&Passed { stage: self.stage, took: now.saturating_duration_since(self.stage_began), detail });
        self.stage = next;
        self.stage_began = now;
    }

    fn tunnel_event(&mut self, event: TunnelEvent, passed: &mut dyn FnMut(&Passed)) {
        match event {
            TunnelEvent::TunnelUp { info, .. } => {
                let peer = info.peer.map_or(0, |peer| peer.get());
                self.pass(Stage::Session, format!("tunnel {peer} of {:?}", info.host_name), passed);
                let call = IncomingCall {
                    serial_number: 1,
                    framing_type: 1,
                    tx_speed: 100_000_000,
                    ..Default::default()
                };
                let Some(tunnel) = self.tunnel else { return };
                match self.endpoint.open_session(Instant::now(), tunnel, call) {
                    Ok(key) => self.key = Some(key),
                    Err(error) => {
                        self.ended = Some(Failure {
                            stage: Stage::Session,
                            said: error.to_string(),
                            cause: "try again".into(),
                        });
                    }
                }
            }
            TunnelEvent::SessionUp { key, .. } => {
                let peer =
                    self.endpoint.session_info(key).and_then(|info| info.peer).map_or(0, |peer| peer.get());
                self.pass(Stage::Lcp, format!("call {peer}"), passed);
                let mut link = Link::client(Arc::clone(&self.ppp), self.entropy.fork());
                link.start(Instant::now());
                self.link = Some(link);
            }
            TunnelEvent::SessionDown { cause, .. } => {
                self.key = None;
                self.end(diagnosis::session_end(self.stage, &cause));
            }
            TunnelEvent::TunnelDown { cause, .. } => self.end(diagnosis::tunnel_end(self.stage, &cause)),
            TunnelEvent::Warning { .. } => {}
        }
    }

    fn link_event(&mut self, event: LinkEvent, passed: &mut dyn FnMut(&Passed)) {
        match event {
            LinkEvent::LcpOpened { peer_mru, method, .. } => {
                self.method = method.map(|method| method.to_string());
                let method = self.method.as_deref().unwrap_or("no");
                self.pass(Stage::Authentication, format!("{method} authentication, MRU {peer_mru}"), passed);
            }
            LinkEvent::PasswordChanged => self.password_changed = true,
            LinkEvent::Authenticated { message } => {
                let text = diagnosis::readable(&message);
                let changed = if self.password_changed { "password changed, " } else { "" };
                self.pass(Stage::Ipcp, format!("{changed}accepted: {text}"), passed);
            }
            LinkEvent::AuthenticationFailed { message, code, .. } => {
                self.error = code;
                let text = diagnosis::readable(&message);
                self.said = Some(match code {
                    Some(code) => format!("{text} (error {code})"),
                    None => text,
                });
            }
            LinkEvent::Encrypted { send, receive } => {
                self.encryption = Some(if send == receive {
                    send.to_string()
                } else {
                    format!("{send} out, {receive} in")
                });
            }
            LinkEvent::Up(addresses) => {
                let servers = |servers: &[Option<Ipv4Addr>; 2]| {
                    servers.iter().flatten().map(ToString::to_string).collect::<Vec<_>>().join(", ")
                };
                let mut detail = format!("address {}, server {}", addresses.local, addresses.peer);
                for (name, list) in [("dns", servers(&addresses.dns)), ("wins", servers(&addresses.nbns))] {
                    if !list.is_empty() {
                        detail.push_str(&format!(", {name} {list}"));
                    }
                }
                if let Some(encryption) = &self.encryption {
                    detail.push_str(&format!(", {encryption}"));
                }
                self.addresses = Some(addresses);
                self.pass(Stage::Up, detail, passed);
            }
            LinkEvent::Down(reason) => {
                self.link_down = true;
                if reason != DownReason::Closed {
                    let mut failure = diagnosis::link_down(self.stage, &reason, self.said.as_deref());
                    if self.stage == Stage::Authentication && self.method.is_none() {
                        failure.cause = diagnosis::NO_METHOD_AGREED.into();
                    }
                    if reason == DownReason::AuthenticationFailed
                        && let Some(cause) = self.error.and_then(diagnosis::cause_of_error)
                    {
                        failure.cause = cause.into();
                    }
                    self.end(failure);
                }
            }
            LinkEvent::Authenticate(_) | LinkEvent::Identification(_) | LinkEvent::Warning(_) => {}
        }
    }

    /// The first reason is the true one; what follows from it is not told.
    fn end(&mut self, failure: Failure) {
        self.ended.get_or_insert(failure);
    }
}
