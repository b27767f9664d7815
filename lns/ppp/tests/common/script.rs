//! One end of this crate against a peer that is played by the test, octet by octet.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tollgate_mschap::{NtHash, generate_nt_response};
use tollgate_ppp::{
    AuthDecision, AuthProtocol, AuthRequest, ClientConfig, DownReason, Event, Link, ServerConfig,
};
use tollgate_sansio::Entropy;

use super::network;

pub const LCP: u16 = 0xC021;
pub const IPCP: u16 = 0x8021;
pub const PAP: u16 = 0xC023;
pub const CHAP: u16 = 0xC223;
pub const CCP: u16 = 0x80FD;

/// A packet that came out of the link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    pub protocol: u16,
    pub code: u8,
    pub id: u8,
    pub data: Vec<u8>,
}

pub struct Script {
    pub link: Link,
    pub now: Instant,
    pub events: Vec<Event>,
}

/// A packet as frame with the full header.
pub fn frame(protocol: u16, code: u8, id: u8, data: &[u8]) -> Vec<u8> {
    let mut frame = vec![0xFF, 0x03];
    frame.extend_from_slice(&protocol.to_be_bytes());
    frame.extend_from_slice(&[code, id]);
    frame.extend_from_slice(&(data.len() as u16 + 4).to_be_bytes());
    frame.extend_from_slice(data);
    frame
}

impl Script {
    pub fn server(config: ServerConfig) -> Self {
        Self::with(Link::server(Arc::new(config), Entropy::from_seed([7; 32])))
    }

    pub fn client(config: ClientConfig) -> Self {
        Self::with(Link::client(Arc::new(config), Entropy::from_seed([7; 32])))
    }

    fn with(link: Link) -> Self {
        Self { link, now: Instant::now(), events: Vec::new() }
    }

    /// A server that offers these methods, started; its first request is returned with it.
    pub fn started(methods: &[AuthProtocol]) -> (Self, Packet) {
        Self::started_with(super::server_config(methods))
    }

    pub fn started_with(config: ServerConfig) -> (Self, Packet) {
        let mut script = Self::server(config);
        script.link.start(script.now);
        let request = script.one();
        (script, request)
    }

    /// A server whose LCP is open with the first of these methods.
    pub fn lcp_open(methods: &[AuthProtocol]) -> Self {
        Self::lcp_open_with(super::server_config(methods), &[0x05, 0x06, 0xAA, 0xBB, 0xCC, 0xDD])
    }

    pub fn lcp_open_with(config: ServerConfig, options: &[u8]) -> Self {
        let (mut script, request) = Self::started_with(config);
        script.open_lcp(&request, options);
        script
    }

    pub fn open_lcp(&mut self, request: &Packet, options: &[u8]) {
        self.send(LCP, 1, 1, options);
        assert_eq!(self.one(), Packet { protocol: LCP, code: 2, id: 1, data: options.to_vec() });
        self.send(LCP, 2, request.id, &request.data);
    }

    /// A server that waits for the decision on a PAP login, its LCP request answered.
    pub fn pap_pending() -> (Self, AuthRequest) {
        let mut script = Self::lcp_open(&[AuthProtocol::Pap]);
        script.send(PAP, 1, 9, b"\x05alice\x03pwd");
        let request = script.request();
        (script, request)
    }

    /// A server in the Network phase: the IPCP request that it sent is returned with it.
    pub fn in_network() -> (Self, Packet) {
        let (mut script, _) = Self::pap_pending();
        script.accept();
        let ack = script.one();
        assert_eq!((ack.protocol, ack.code), (PAP, 2));
        let request = script.one();
        assert_eq!((request.protocol, request.code), (IPCP, 1));
        (script, request)
    }

    pub fn up() -> Self {
        let (mut script, request) = Self::in_network();
        script.finish_ipcp(&request);
        script
    }

    pub fn finish_ipcp(&mut self, request: &Packet) {
        self.send(IPCP, 2, request.id, &request.data);
        let mut options = vec![3, 6];
        options.extend_from_slice(&network().peer.octets());
        self.send(IPCP, 1, 1, &options);
        assert_eq!(self.one(), Packet { protocol: IPCP, code: 2, id: 1, data: options });
        assert!(self.link.is_up());
    }

    pub fn accept(&mut self) {
        self.decide(AuthDecision::Accept {
            message: b"Welcome".to_vec(),
            network: network(),
            encryption: None,
        });
    }

    pub fn decide(&mut self, decision: AuthDecision) {
        self.link.authenticated(self.now, decision);
        self.take_events();
    }

    pub fn send(&mut self, protocol: u16, code: u8, id: u8, data: &[u8]) {
        self.send_frame(&frame(protocol, code, id, data));
    }

    pub fn send_frame(&mut self, frame: &[u8]) {
        self.link.handle_frame(self.now, frame);
        self.take_events();
    }

    pub fn take_events(&mut self) {
        while let Some(event) = self.link.poll_event() {
            self.events.push(event);
        }
    }

    /// The next packet out, if there is one.
    pub fn next(&mut self) -> Option<Packet> {
        let frame = self.link.poll_frame()?;
        let frame = frame.strip_prefix(&[0xFF, 0x03]).unwrap_or(&frame);
        let length = usize::from(u16::from_be_bytes([frame[4], frame[5]]));
        assert_eq!(length + 2, frame.len());
        Some(Packet {
            protocol: u16::from_be_bytes([frame[0], frame[1]]),
            code: frame[2],
            id: frame[3],
            data: frame[6..].to_vec(),
        })
    }

    /// The next packet out, which there must be.
    #[track_caller]
    pub fn one(&mut self) -> Packet {
        self.next().expect("a packet should have been sent")
    }

    #[track_caller]
    pub fn silent(&mut self) {
        assert_eq!(self.next(), None);
    }

    /// Moves the time to the next timeout, lets it happen and tells how long it took.
    #[track_caller]
    pub fn wait(&mut self) -> Duration {
        let due = self.link.next_timeout().expect("a timer should be running");
        let waited = due.saturating_duration_since(self.now);
        self.now = self.now.max(due);
        self.link.handle_timeout(self.now);
        self.take_events();
        waited
    }

    pub fn pass(&mut self, time: Duration) {
        self.now += time;
        self.link.handle_timeout(self.now);
        self.take_events();
    }

    /// The last Authenticate event.
    #[track_caller]
    pub fn request(&self) -> AuthRequest {
        self.events
            .iter()
            .rev()
            .find_map(|event| match event {
                Event::Authenticate(request) => Some(request.clone()),
                _ => None,
            })
            .expect("a decision should have been asked for")
    }

    pub fn requests(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, Event::Authenticate(_))).count()
    }

    pub fn down(&self) -> Option<&DownReason> {
        self.events.iter().find_map(|event| match event {
            Event::Down(reason) => Some(reason),
            _ => None,
        })
    }

    pub fn warned_of(&self, part: &str) -> bool {
        self.events.iter().any(|event| matches!(event, Event::Warning(text) if text.contains(part)))
    }

    /// Answers our Terminate-Request.
    #[track_caller]
    pub fn acknowledge_terminate(&mut self) -> Packet {
        let request = self.one();
        assert_eq!((request.protocol, request.code), (LCP, 5), "{request:?}");
        self.send(LCP, 6, request.id, &[]);
        request
    }
}

/// The option list without the options of `kind`.
pub fn without(list: &[u8], kind: u8) -> Vec<u8> {
    let mut rest = list;
    let mut out = Vec::new();
    while let [this, length, ..] = rest {
        let (option, after) = rest.split_at(usize::from(*length));
        if *this != kind {
            out.extend_from_slice(option);
        }
        rest = after;
    }
    out
}

/// The value of the option of `kind`.
pub fn option(list: &[u8], kind: u8) -> Option<Vec<u8>> {
    let mut rest = list;
    while let [this, length, ..] = rest {
        let (option, after) = rest.split_at(usize::from(*length));
        if *this == kind {
            return Some(option[2..].to_vec());
        }
        rest = after;
    }
    None
}

pub fn reject(retry: bool) -> AuthDecision {
    AuthDecision::Reject { message: b"Access denied".to_vec(), code: 691, retry }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|octet| format!("{octet:02X}")).collect()
}

pub fn unhex(text: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(text).unwrap();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// A server whose CHAP challenge is out, and that challenge.
pub fn challenged(method: AuthProtocol) -> (Script, Packet, Vec<u8>) {
    let mut script = Script::lcp_open(&[method]);
    let challenge = script.one();
    assert_eq!((challenge.protocol, challenge.code), (CHAP, 1));
    let size = usize::from(challenge.data[0]);
    let value = challenge.data[1..=size].to_vec();
    assert_eq!(&challenge.data[size + 1..], b"tollgate");
    (script, challenge, value)
}

pub fn v2_response(challenge: &[u8], peer: u8, user: &str, password: &str) -> ([u8; 24], Vec<u8>) {
    let peer = [peer; 16];
    let hash = NtHash::from_password(password);
    let response = generate_nt_response(challenge.try_into().unwrap(), &peer, user.as_bytes(), &hash);
    let data = [&[49][..], &peer, &[0; 8], &response, &[0], user.as_bytes()].concat();
    (response, data)
}
