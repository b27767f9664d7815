//! Many tunnels and calls, driven by one thread.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Instant;

use ring::rand::{SecureRandom, SystemRandom};
use tollgate_ipsec::ikev1::identification::{Identification, kind};
use tollgate_ipsec::{AssociationId, Event as SecureEvent};
use tollgate_l2tp::{
    CallDisconnect, CdnResult, Config, Endpoint, Event as TunnelEvent, IdSpace, IncomingCall,
    MAX_DATA_HEADER, Path, Received, Role, SessionKey, StopResult, TunnelId, TunnelStop,
};
use tollgate_ppp::{Addresses, ClientConfig, CloseReason, Event as LinkEvent, Link, ipv4_payload};
use tollgate_sansio::{Deadlines, Entropy};
use tollgate_sys::event::Waiter;
use tollgate_sys::udp::{BATCH, Inbound, Outbound, UdpSocket};

use super::{BenchError, MOST_PORTS, Target};
use crate::secure::Secure;

/// What happened to a call or a tunnel.
pub(super) enum Happening {
    TunnelUp(TunnelRef),
    TunnelDown,
    /// An association was refused.
    Refused {
        why: String,
    },
    CallUp {
        call: usize,
    },
    CallDown {
        why: String,
    },
    /// An inner packet came for a call; its length.
    Packet(usize),
}

/// A tunnel of one of the ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct TunnelRef {
    port: usize,
    tunnel: TunnelId,
}

struct Port {
    socket: UdpSocket,
    endpoint: Endpoint,
    path: Path,
    secure: Option<Secure>,
}

/// One call.
pub(super) struct Call {
    port: usize,
    key: SessionKey,
    link: Option<Link>,
    armed: Option<Instant>,
    pub(super) began: Instant,
    pub(super) addresses: Option<Addresses>,
    ended: bool,
}

/// All ports, tunnels and calls.
pub(super) struct Generator {
    ports: Vec<Port>,
    pub(super) calls: Vec<Call>,
    by_key: HashMap<(usize, SessionKey), usize>,
    timers: Deadlines<usize>,
    waiter: Waiter,
    inbound: Inbound,
    outbound: Outbound,
    entropy: Entropy,
    target: Target,
}

impl Generator {
    pub(super) fn new(target: &Target) -> Result<Self, BenchError> {
        let mut seed = [0; 32];
        SystemRandom::new()
            .fill(&mut seed)
            .map_err(|_| BenchError::Server("the system gives no random numbers".into()))?;
        let mut entropy = Entropy::from_seed(seed);
        let waiter = Waiter::new().map_err(BenchError::system("epoll"))?;
        let mut ports = Vec::new();
        for index in 0..target.ports.clamp(1, MOST_PORTS) {
            let socket = UdpSocket::bind(SocketAddr::from((target.source, 0)))
                .map_err(BenchError::system("cannot bind a source port"))?;
            waiter.watch(socket.as_fd(), index as u32).map_err(BenchError::system("epoll"))?;
            let mut config = Config::new(Role::Lac, "tollgate-bench");
            config.receive_window = 64;
            let endpoint = Endpoint::new(config, IdSpace { shard: 0, shard_bits: 0 }, entropy.fork());
            let path = Path { local: socket.local_addr(), remote: target.server, association: None };
            let secure = target
                .security
                .clone()
                .map(|security| Secure::new(Instant::now(), security, target.server.ip(), entropy.fork()));
            ports.push(Port { socket, endpoint, path, secure });
        }
        Ok(Self {
            ports,
            calls: Vec::new(),
            by_key: HashMap::new(),
            timers: Deadlines::default(),
            waiter,
            inbound: Inbound::new(),
            outbound: Outbound::new(),
            entropy,
            target: target.clone(),
        })
    }

    /// Whether the tunnels go through IPsec.
    pub(super) fn is_secure(&self) -> bool {
        self.target.security.is_some()
    }

    /// How many source ports share the tunnels.
    pub(super) fn port_count(&self) -> usize {
        self.ports.len()
    }

    /// Opens a tunnel on the port that is next in turn; through IPsec an association comes first.
    pub(super) fn open_tunnel(&mut self, number: usize) -> Result<(), BenchError> {
        let index = number % self.ports.len();
        let port = &mut self.ports[index];
        if let Some(secure) = &mut port.secure {
            // Clients behind one address and port differ in who they say they are.
            let identity = Identification {
                kind: kind::FQDN,
                protocol: 0,
                port: 0,
                data: format!("bench-{number}").into_bytes(),
            };
            secure.connect(Instant::now(), port.path.local, Some(identity));
            return Ok(());
        }
        port.endpoint
            .open_tunnel(Instant::now(), port.path)
            .map(drop)
            .map_err(|error| BenchError::Server(error.to_string()))
    }

    /// Places a call; gives its number.
    pub(super) fn open_call(&mut self, tunnel: TunnelRef) -> Result<usize, BenchError> {
        let now = Instant::now();
        let call = self.calls.len();
        let placed = IncomingCall {
            serial_number: call as u32,
            framing_type: 1,
            tx_speed: 100_000_000,
            ..IncomingCall::default()
        };
        let port = &mut self.ports[tunnel.port];
        let key = port
            .endpoint
            .open_session(now, tunnel.tunnel, placed)
            .map_err(|error| BenchError::Server(error.to_string()))?;
        port.endpoint.set_token(key, call as u32);
        self.by_key.insert((tunnel.port, key), call);
        self.calls.push(Call {
            port: tunnel.port,
            key,
            link: None,
            armed: None,
            began: now,
            addresses: None,
            ended: false,
        });
        Ok(call)
    }

    /// Calls that are up.
    pub(super) fn up(&self) -> usize {
        self.calls.iter().filter(|call| call.addresses.is_some() && !call.ended).count()
    }

    /// Begins to hang up a call.
    pub(super) fn close_call(&mut self, call: usize, heard: &mut dyn FnMut(Happening)) {
        let now = Instant::now();
        if let Some(link) = &mut self.calls[call].link {
            link.close(now, CloseReason { text: "done".into() });
        }
        self.drive(now, call, heard);
    }

    /// Closes all tunnels; the peer's acknowledgements are not waited for.
    pub(super) fn close_tunnels(&mut self) {
        for port in &mut self.ports {
            port.endpoint.close_all(Instant::now(), TunnelStop::new(StopResult::GeneralRequest, "done"));
            while let Some(transmit) = port.endpoint.poll_transmit() {
                push(
                    &mut self.outbound,
                    port.secure.as_mut(),
                    &port.socket,
                    &transmit.path,
                    &transmit.datagram,
                    &[],
                );
            }
            self.outbound.flush(&port.socket);
        }
    }

    /// Sends an inner packet on a call.
    pub(super) fn send_packet(&mut self, call: usize, packet: &[u8]) {
        let Call { port, key, link: Some(link), .. } = &self.calls[call] else { return };
        let port = &mut self.ports[*port];
        let ppp = link.ipv4_header();
        let mut header = [0; MAX_DATA_HEADER + 4];
        let mut l2tp = [0; MAX_DATA_HEADER];
        if let Some((length, path)) = port.endpoint.data_header(*key, ppp.len() + packet.len(), &mut l2tp) {
            header[..length].copy_from_slice(&l2tp[..length]);
            header[length..length + ppp.len()].copy_from_slice(ppp);
            push(
                &mut self.outbound,
                port.secure.as_mut(),
                &port.socket,
                &path,
                &header[..length + ppp.len()],
                packet,
            );
        }
    }

    /// Sends what waits in the batch of a call's port; call after a run of [`Self::send_packet`] on one port.
    pub(super) fn flush(&mut self, call: usize) {
        let port = self.calls[call].port;
        self.outbound.flush(&self.ports[port].socket);
    }

    /// Takes what comes until `until`, or until one round was made where something came.
    pub(super) fn step(
        &mut self,
        until: Instant,
        heard: &mut dyn FnMut(Happening),
    ) -> Result<(), BenchError> {
        let mut next = until;
        for port in &self.ports {
            next = port.endpoint.next_timeout().map_or(next, |due| due.min(next));
            next = port.secure.as_ref().and_then(Secure::next_timeout).map_or(next, |due| due.min(next));
        }
        next = self.timers.next().map_or(next, |due| due.min(next));
        let ready = self
            .waiter
            .wait(Some(next.saturating_duration_since(Instant::now())))
            .map_err(BenchError::system("epoll"))?;
        let now = Instant::now();
        for index in 0..self.ports.len() {
            if ready & 1 << index != 0 {
                self.receive(now, index, heard)?;
            }
            if let Some(secure) = &mut self.ports[index].secure {
                secure.handle_timeout(now);
            }
            if self.ports[index].endpoint.next_timeout().is_some_and(|due| due <= now) {
                self.ports[index].endpoint.handle_timeout(now);
            }
            self.pump(now, index, heard);
        }
        while let Some(call) = self.timers.due(now) {
            let entry = &mut self.calls[call];
            entry.armed = None;
            if let Some(link) =
                entry.link.as_mut().filter(|link| link.next_timeout().is_some_and(|due| due <= now))
            {
                link.handle_timeout(now);
            }
            self.drive(now, call, heard);
        }
        Ok(())
    }

    fn receive(
        &mut self,
        now: Instant,
        index: usize,
        heard: &mut dyn FnMut(Happening),
    ) -> Result<(), BenchError> {
        for _ in 0..8 {
            let count = self
                .inbound
                .receive(&self.ports[index].socket)
                .map_err(BenchError::system("cannot receive"))?;
            let mut touched = Vec::new();
            for number in 0..count {
                let port = &mut self.ports[index];
                let Some(datagram) = self.inbound.datagram(number) else { continue };
                let mut path = port.path;
                let bytes = match &mut port.secure {
                    None => datagram.bytes,
                    Some(secure) => {
                        let taken = secure.receive(now, path.local, datagram.remote, datagram.bytes);
                        let Some((association, payload)) = taken else { continue };
                        path.association = Some(association.0);
                        &mut datagram.bytes[payload]
                    }
                };
                let Received::Data { token, frame, .. } = port.endpoint.handle_datagram(now, path, bytes)
                else {
                    continue;
                };
                let call = token as usize;
                let Some(link) = self.calls.get_mut(call).and_then(|call| call.link.as_mut()) else {
                    continue;
                };
                let frame = &bytes[frame];
                match ipv4_payload(frame) {
                    Some(packet) if link.is_up() => {
                        link.note_traffic(now);
                        heard(Happening::Packet(packet.len()));
                    }
                    _ => {
                        link.handle_frame(now, frame);
                        touched.push(call);
                    }
                }
            }
            for call in touched {
                self.drive(now, call, heard);
            }
            self.pump(now, index, heard);
            if count < BATCH {
                break;
            }
        }
        Ok(())
    }

    fn pump(&mut self, now: Instant, index: usize, heard: &mut dyn FnMut(Happening)) {
        loop {
            let port = &mut self.ports[index];
            while let Some(transmit) = port.endpoint.poll_transmit() {
                push(
                    &mut self.outbound,
                    port.secure.as_mut(),
                    &port.socket,
                    &transmit.path,
                    &transmit.datagram,
                    &[],
                );
            }
            if let Some(secure) = &mut port.secure {
                let (socket, outbound, local) = (&port.socket, &mut self.outbound, port.path.local);
                let event = secure.poll(now, |to, datagram| {
                    outbound.push(socket, local, to, |buffer| {
                        let Some(room) = buffer.get_mut(..datagram.len()) else { return 0 };
                        room.copy_from_slice(datagram);
                        datagram.len()
                    });
                });
                match event {
                    Some(SecureEvent::AssociationUp { association, .. }) => {
                        let path = Path { association: Some(association.0), ..port.path };
                        if port.endpoint.open_tunnel(now, path).is_err() {
                            heard(Happening::TunnelDown);
                        }
                        continue;
                    }
                    Some(SecureEvent::Failed { failure, .. }) => {
                        heard(Happening::Refused { why: failure.to_string() });
                        continue;
                    }
                    Some(_) => continue,
                    None => {}
                }
            }
            match port.endpoint.poll_event() {
                Some(TunnelEvent::TunnelUp { tunnel, .. }) => {
                    heard(Happening::TunnelUp(TunnelRef { port: index, tunnel }))
                }
                Some(TunnelEvent::TunnelDown { .. }) => heard(Happening::TunnelDown),
                Some(TunnelEvent::SessionUp { key, .. }) => {
                    let token = port.endpoint.session_info(key).map_or(0, |info| info.token);
                    self.start_link(now, token as usize, heard);
                }
                Some(TunnelEvent::SessionDown { key, cause }) => {
                    if let Some(call) = self.by_key.remove(&(index, key)) {
                        self.end(call, cause.to_string(), heard);
                    }
                }
                Some(TunnelEvent::Warning { .. }) => {}
                None => break,
            }
        }
        let socket = &self.ports[index].socket;
        self.outbound.flush(socket);
    }

    fn start_link(&mut self, now: Instant, call: usize, heard: &mut dyn FnMut(Happening)) {
        let config = ClientConfig {
            user: self.target.user.replace("{}", &call.to_string()).into_bytes(),
            password: self.target.password.clone(),
            methods: vec![self.target.method],
            request_dns: true,
            ..ClientConfig::default()
        };
        let mut link = Link::client(Arc::new(config), self.entropy.fork());
        link.start(now);
        self.calls[call].link = Some(link);
        self.drive(now, call, heard);
    }

    fn drive(&mut self, now: Instant, call: usize, heard: &mut dyn FnMut(Happening)) {
        loop {
            let entry = &mut self.calls[call];
            let Some(link) = &mut entry.link else { return };
            if let Some(frame) = link.poll_frame() {
                let port = &mut self.ports[entry.port];
                let mut header = [0; MAX_DATA_HEADER];
                if let Some((length, path)) = port.endpoint.data_header(entry.key, frame.len(), &mut header) {
                    push(
                        &mut self.outbound,
                        port.secure.as_mut(),
                        &port.socket,
                        &path,
                        &header[..length],
                        &frame,
                    );
                }
                continue;
            }
            match link.poll_event() {
                Some(LinkEvent::Up(addresses)) => {
                    entry.addresses = Some(addresses);
                    heard(Happening::CallUp { call });
                }
                Some(LinkEvent::Down(reason)) => {
                    let disconnect = CallDisconnect::new(CdnResult::Administrative, "done");
                    let (port, key) = (entry.port, entry.key);
                    self.ports[port].endpoint.close_session(now, key, disconnect);
                    self.end(call, reason.to_string(), heard);
                }
                Some(_) => {}
                None => break,
            }
        }
        let entry = &mut self.calls[call];
        if let Some(due) = entry.link.as_ref().and_then(Link::next_timeout)
            && entry.armed.is_none_or(|armed| due < armed)
        {
            entry.armed = Some(due);
            self.timers.enter(due, call);
        }
        let socket = &self.ports[entry.port].socket;
        self.outbound.flush(socket);
    }

    fn end(&mut self, call: usize, why: String, heard: &mut dyn FnMut(Happening)) {
        let entry = &mut self.calls[call];
        if !entry.ended {
            entry.ended = true;
            entry.link = None;
            heard(Happening::CallDown { why });
        }
    }
}

/// Queues a datagram of two parts, in clear or through the association of its path.
fn push(
    outbound: &mut Outbound,
    secure: Option<&mut Secure>,
    socket: &UdpSocket,
    path: &Path,
    head: &[u8],
    body: &[u8],
) {
    if let (Some(secure), Some(association)) = (secure, path.association.map(AssociationId)) {
        let Some(to) = secure.route(association) else { return };
        outbound.push(socket, path.local, to, |buffer| {
            secure.seal(Instant::now(), association, &[head, body], buffer).map_or(0, |(length, _)| length)
        });
        return;
    }
    outbound.push(socket, path.local, path.remote, |buffer| {
        let total = head.len() + body.len();
        let Some(room) = buffer.get_mut(..total) else { return 0 };
        room[..head.len()].copy_from_slice(head);
        room[head.len()..].copy_from_slice(body);
        total
    });
}
