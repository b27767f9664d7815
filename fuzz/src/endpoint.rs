//! One L2TP endpoint under a script. What must hold whatever comes:
//!
//! - every control message that goes out can be read by this crate itself;
//! - a session goes up once, down at most once, and inside a tunnel that is there; a tunnel goes down after its
//!   sessions;
//! - data is handed out only for sessions that are up, and the frame lies inside its datagram;
//! - there are never more tunnels, half-open tunnels and sessions than configured;
//! - a timer that has come due does not stay due, and an endpoint that is closed and left alone becomes idle.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tollgate_l2tp::message::{Message, Reading};
use tollgate_l2tp::{
    CallDisconnect, CdnResult, Config, ControlHeader, Endpoint, Event, IdSpace, IncomingCall,
    MAX_DATA_HEADER, MessageType, Path, Received, Role, SessionKey, StopResult, TunnelId, TunnelStop, auth,
};
use tollgate_sansio::Entropy;
use zeroize::Zeroizing;

use crate::script::Script;

const SECRET: &[u8] = b"lac secret";
const MAX_TUNNELS: usize = 12;
const MAX_HALF_OPEN: usize = 4;
const MAX_SESSIONS: usize = 24;

/// What the peer knows of one of the endpoint's tunnels, learnt from what the endpoint sent.
struct Known {
    id: u16,
    /// The number that the endpoint expects next, and the one that we expect.
    ns: u16,
    nr: u16,
    /// Our proof of the secret for the endpoint's challenge.
    proof: Option<[u8; 16]>,
}

pub struct Peer {
    endpoint: Endpoint,
    config: Config,
    now: Instant,
    known: Vec<Known>,
    /// The endpoint's session ids that we have been told.
    sessions: Vec<(u16, u16)>,
    tunnels_up: BTreeSet<TunnelId>,
    up: BTreeSet<SessionKey>,
    opened: BTreeSet<SessionKey>,
}

/// Two addresses with two ports each, in the clear, and two IPsec associations.
fn path(choice: u8) -> Path {
    let remote = SocketAddr::from(([198, 51, 100, 7 + (choice & 1)], 1701 + u16::from(choice >> 1 & 1)));
    let association = (choice & 0x0C == 0x0C).then_some(u64::from(choice >> 4 & 1));
    Path { local: SocketAddr::from(([192, 0, 2, 1], 1701)), remote, association }
}

fn config(choice: u8) -> Config {
    let role = if choice & 1 == 0 { Role::Lns } else { Role::Lac };
    Config {
        shared_secret: (choice & 2 != 0).then(|| Zeroizing::new(SECRET.to_vec())),
        hide_avps: choice & 4 != 0,
        require_sequencing: choice & 8 != 0,
        ignore_unknown_mandatory_vendor_avps: choice & 16 != 0,
        send_tie_breaker: choice & 32 != 0,
        receive_window: if choice & 64 != 0 { 2 } else { 16 },
        accept_incoming: choice & 128 == 0,
        max_tunnels: MAX_TUNNELS,
        max_sessions: MAX_SESSIONS,
        max_half_open: MAX_HALF_OPEN,
        ..Config::new(role, "fuzz.example.net")
    }
}

impl Peer {
    pub fn new(choice: u8) -> Self {
        let config = config(choice);
        Self {
            endpoint: Endpoint::new(config.clone(), IdSpace::whole(), Entropy::from_seed([5; 32])),
            config,
            now: Instant::now(),
            known: Vec::new(),
            sessions: Vec::new(),
            tunnels_up: BTreeSet::new(),
            up: BTreeSet::new(),
            opened: BTreeSet::new(),
        }
    }

    pub fn play(&mut self, script: &mut Script<'_>) {
        while !script.is_empty() {
            match script.octet() % 16 {
                0 => {
                    let path = path(script.octet());
                    self.datagram(path, script.string());
                }
                1..=6 => self.message(script),
                7 => self.data(script),
                8 => self.pass(Duration::from_millis(u64::from(script.octet()) * 100)),
                9 => self.wait(),
                10 => {
                    // Too many is an answer, not a fault.
                    let _ = self.endpoint.open_tunnel(self.now, path(script.octet()));
                }
                11 => {
                    let call = IncomingCall { framing_type: 1, tx_speed: 64_000, ..IncomingCall::default() };
                    if let Some(tunnel) = self.tunnel(script.octet())
                        && let Ok(key) = self.endpoint.open_session(self.now, tunnel, call)
                    {
                        assert!(self.opened.insert(key), "a session id given out twice");
                    }
                }
                12 => {
                    if let Some(key) = self.session(script.octet()) {
                        let cause = CallDisconnect::new(CdnResult::Administrative, "enough");
                        self.endpoint.close_session(self.now, key, cause);
                    }
                }
                13 => {
                    if let Some(tunnel) = self.tunnel(script.octet()) {
                        let cause = TunnelStop::new(StopResult::GeneralRequest, "enough");
                        self.endpoint.close_tunnel(self.now, tunnel, cause);
                    }
                }
                14 => {
                    let mut header = [0; MAX_DATA_HEADER];
                    let (choice, length) = (script.octet(), script.number());
                    if let Some(key) = self.session(choice) {
                        let written = self.endpoint.data_header(key, length.into(), &mut header);
                        assert!(written.is_none() || self.up.contains(&key));
                    }
                }
                _ => {
                    let (choice, to) = (script.octet(), path(script.octet()));
                    match self.tunnel(choice) {
                        Some(tunnel) if choice & 0x80 != 0 => self.endpoint.move_tunnel(tunnel, to),
                        Some(_) | None => self.endpoint.reconfigure(self.config.clone()),
                    }
                }
            }
            self.settle();
        }
    }

    /// Closes everything and says nothing more.
    pub fn leave(mut self) {
        self.endpoint.close_all(self.now, TunnelStop::new(StopResult::ShuttingDown, "closing time"));
        self.settle();
        for _ in 0..2000 {
            if self.endpoint.next_timeout().is_none() {
                break;
            }
            self.wait();
            self.settle();
        }
        assert!(self.endpoint.is_idle() && self.endpoint.next_timeout().is_none());
        assert_eq!((self.endpoint.tunnel_count(), self.endpoint.session_count()), (0, 0));
        assert_eq!((self.endpoint.half_open_count(), self.endpoint.tunnels().count()), (0, 0));
        assert!(self.up.is_empty() && self.opened.is_empty() && self.tunnels_up.is_empty());
    }

    fn tunnel(&self, choice: u8) -> Option<TunnelId> {
        let choice = usize::from(choice & 0x7F);
        let known = self.known.get(choice % self.known.len().max(1))?;
        TunnelId::new(known.id)
    }

    fn session(&self, choice: u8) -> Option<SessionKey> {
        let all: Vec<&SessionKey> = self.up.iter().chain(&self.opened).collect();
        all.get(usize::from(choice) % all.len().max(1)).map(|key| **key)
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.endpoint.handle_timeout(self.now);
        assert!(self.endpoint.next_timeout().is_none_or(|due| due > self.now), "due again at once");
    }

    fn wait(&mut self) {
        if let Some(due) = self.endpoint.next_timeout() {
            self.pass(due.saturating_duration_since(self.now));
        }
    }

    /// A control message with a header that fits, unless the script wants another.
    fn message(&mut self, script: &mut Script<'_>) {
        let (choice, kind) = (script.octet(), script.octet());
        let (tunnel, session) = (script.octet(), script.octet());
        let mut body = vec![0x80, 8, 0, 0, 0, 0, 0, kind & 0x1F];
        if kind & 0x40 != 0 {
            body.clear();
        }
        body.extend_from_slice(script.string());
        let count = self.known.len();
        let known = if tunnel == 0 { None } else { self.known.get_mut(usize::from(tunnel) % count.max(1)) };
        let mut header = ControlHeader { tunnel: 0, session: 0, ns: 0, nr: 0 };
        if let Some(known) = known {
            header = ControlHeader { tunnel: known.id, session: 0, ns: known.ns, nr: known.nr };
            if kind & 0x80 != 0
                && let Some(proof) = known.proof
            {
                body.extend_from_slice(&[0x80, 22, 0, 0, 0, 13]);
                body.extend_from_slice(&proof);
            }
            let off = choice >> 5;
            if off & 1 != 0 {
                header.ns = header.ns.wrapping_add(script.number());
            } else if !body.is_empty() {
                known.ns = known.ns.wrapping_add(1);
            }
            if off & 2 != 0 {
                header.nr = header.nr.wrapping_sub(u16::from(script.octet()));
            }
        }
        if session != 0 {
            let known: Vec<u16> =
                self.sessions.iter().filter(|known| known.0 == header.tunnel).map(|known| known.1).collect();
            header.session = known.get(usize::from(session) % known.len().max(1)).copied().unwrap_or(7);
        }
        self.datagram(path(choice & 0x1F), &header.encode(&body));
    }

    fn data(&mut self, script: &mut Script<'_>) {
        let (choice, flags, ns) = (script.octet(), script.octet(), script.number());
        let key = self.session(script.octet());
        let (tunnel, session) = key.map_or((1, 1), |key| (key.tunnel.get(), key.session.get()));
        let mut datagram = vec![flags & 0x0A, 2];
        datagram.extend_from_slice(&tunnel.to_be_bytes());
        datagram.extend_from_slice(&session.to_be_bytes());
        if flags & 0x08 != 0 {
            datagram.extend_from_slice(&ns.to_be_bytes());
            datagram.extend_from_slice(&[0, 0]);
        }
        datagram.extend_from_slice(script.string());
        self.datagram(path(choice), &datagram);
    }

    fn datagram(&mut self, path: Path, datagram: &[u8]) {
        match self.endpoint.handle_datagram(self.now, path, datagram) {
            Received::Data { key, frame, .. } => {
                assert!(!frame.is_empty() && frame.end <= datagram.len());
                // The event may wait still.
                self.settle();
                assert!(self.up.contains(&key), "data for {key}, which is not up");
            }
            Received::Control | Received::Dropped(_) => {}
        }
    }

    fn settle(&mut self) {
        let mut sent = 0;
        while let Some(transmit) = self.endpoint.poll_transmit() {
            sent += 1;
            assert!(sent <= 4096, "one step made {sent} datagrams");
            self.learn(&transmit.datagram);
        }
        while let Some(event) = self.endpoint.poll_event() {
            self.note(event);
        }
        assert!(self.endpoint.tunnel_count() <= MAX_TUNNELS);
        assert!(self.endpoint.half_open_count() <= MAX_HALF_OPEN);
        assert!(self.endpoint.session_count() <= MAX_SESSIONS);
        assert!(self.endpoint.session_count() >= self.up.len());
    }

    fn learn(&mut self, datagram: &[u8]) {
        let (header, body) = ControlHeader::decode(datagram).expect("our own header");
        if body.is_empty() {
            return;
        }
        let reading = Reading { secret: Some(SECRET), ..Reading::default() };
        let message = Message::decode(body, &reading).expect("our own message").message;
        let (tunnel, challenge, carrier) = match &message {
            Message::Sccrq(message) => {
                (message.assigned_tunnel.get(), &message.challenge, MessageType::Sccrp)
            }
            Message::Sccrp(message) => {
                (message.assigned_tunnel.get(), &message.challenge, MessageType::Scccn)
            }
            Message::Icrq(message) => return self.learn_session(message.assigned_session.get()),
            Message::Icrp(message) => return self.learn_session(message.assigned_session.get()),
            _ => return,
        };
        if self.known.iter().any(|known| known.id == tunnel) {
            return;
        }
        let proof = challenge.as_ref().map(|challenge| auth::challenge_response(carrier, SECRET, challenge));
        self.known.push(Known { id: tunnel, ns: header.nr, nr: header.ns.wrapping_add(1), proof });
    }

    /// Which tunnel it is in cannot be told from the peer's ids in the header; all that are open share it.
    fn learn_session(&mut self, session: u16) {
        let tunnels: Vec<u16> = self.known.iter().map(|known| known.id).collect();
        self.sessions.extend(tunnels.into_iter().map(|tunnel| (tunnel, session)));
        self.sessions.truncate(256);
    }

    fn note(&mut self, event: Event) {
        match event {
            Event::TunnelUp { tunnel, .. } => {
                assert!(self.tunnels_up.insert(tunnel), "tunnel {tunnel} up twice")
            }
            Event::TunnelDown { tunnel, .. } => {
                self.tunnels_up.remove(&tunnel);
                let left = self.up.iter().chain(&self.opened).find(|key| key.tunnel == tunnel);
                assert!(left.is_none(), "tunnel {tunnel} down before session {left:?}");
            }
            Event::SessionUp { key, .. } => {
                assert!(self.tunnels_up.contains(&key.tunnel), "session {key} without a tunnel");
                self.opened.remove(&key);
                assert!(self.up.insert(key), "session {key} up twice");
            }
            Event::SessionDown { key, .. } => {
                assert!(self.up.remove(&key) | self.opened.remove(&key), "session {key} down twice");
            }
            Event::Warning { text, .. } => assert!(!text.is_empty()),
        }
    }
}
