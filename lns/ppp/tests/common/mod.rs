//! A server and a client in one process, a network between them that delays, loses and doubles frames, and a backend
//! that knows one user.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of it")]

pub mod eap_server;
pub mod script;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tollgate_mschap::{
    Direction, NtHash, generate_authenticator_response, master_key, strip_domain, verify_new_password,
    verify_nt_response_v1, verify_nt_response_v2,
};
use tollgate_ppp::{
    AuthDecision, AuthProtocol, AuthRequest, ClientConfig, ClientEncryption, Encryption, Event, KeyStrength,
    Link, MppeStartKeys, Network, Proof, ServerConfig,
};
use tollgate_sansio::Entropy;
use zeroize::Zeroizing;

use eap_server::EapServer;

pub const USER: &str = "alice";
pub const PASSWORD: &str = "open sesame";
/// What [`PASSWORD`] is changed to.
pub const NEW_PASSWORD: &str = "shut sesame";
pub const ALL: [AuthProtocol; 4] =
    [AuthProtocol::MsChapV2, AuthProtocol::MsChapV1, AuthProtocol::ChapMd5, AuthProtocol::Pap];

pub fn network() -> Network {
    Network {
        local: Ipv4Addr::new(10, 4, 0, 1),
        peer: Ipv4Addr::new(10, 4, 5, 17),
        dns: [Some(Ipv4Addr::new(10, 0, 0, 53)), Some(Ipv4Addr::new(10, 0, 0, 54))],
        nbns: [None, None],
    }
}

pub fn server_config(methods: &[AuthProtocol]) -> ServerConfig {
    ServerConfig { methods: methods.to_vec(), ..ServerConfig::default() }
}

pub fn client_config(methods: &[AuthProtocol]) -> ClientConfig {
    ClientConfig {
        user: USER.into(),
        password: Zeroizing::new(PASSWORD.into()),
        methods: methods.to_vec(),
        ..ClientConfig::default()
    }
}

/// What a backend that knows [`USER`] says to a request.
pub fn decide(request: &AuthRequest) -> AuthDecision {
    decide_by(request, PASSWORD)
}

/// The same with this password.
fn decide_by(request: &AuthRequest, password: &str) -> AuthDecision {
    let mut hash = NtHash::from_password(password);
    let known = strip_domain(&request.name) == USER.as_bytes();
    let mut message = b"Welcome".to_vec();
    let right = match &request.proof {
        Proof::Pap { password: sent } => sent.as_slice() == password.as_bytes(),
        Proof::Chap { identifier, challenge, response } => {
            use md5::Digest;
            let mut hasher = md5::Md5::new();
            hasher.update([*identifier]);
            hasher.update(password);
            hasher.update(challenge);
            hasher.finalize().as_slice() == response
        }
        Proof::MsChapV1 { challenge, nt_response, use_nt, .. } => {
            *use_nt && verify_nt_response_v1(challenge, &hash, nt_response)
        }
        Proof::MsChapV2 { authenticator_challenge, peer_challenge, nt_response, .. } => {
            proves_v2(&hash, authenticator_challenge, peer_challenge, nt_response, &mut message)
        }
        Proof::PasswordChange {
            authenticator_challenge,
            encrypted_password,
            encrypted_hash,
            peer_challenge,
            nt_response,
            ..
        } => verify_new_password(encrypted_password, encrypted_hash, &hash).is_some_and(|new| {
            hash = new;
            proves_v2(&hash, authenticator_challenge, peer_challenge, nt_response, &mut message)
        }),
        Proof::Eap { .. } => panic!("it takes an EapServer to decide this"),
    };
    if known && right {
        AuthDecision::Accept { message, network: network(), encryption: None }
    } else {
        AuthDecision::Reject { message: b"Access denied".to_vec(), code: 691, retry: true }
    }
}

/// Whether a response is right; the message is the server's own proof then.
fn proves_v2(
    hash: &NtHash,
    ours: &[u8; 16],
    theirs: &[u8; 16],
    response: &[u8; 24],
    message: &mut Vec<u8>,
) -> bool {
    let user = USER.as_bytes();
    let proof = generate_authenticator_response(hash, response, theirs, ours, user);
    *message = format!("{proof} M=Welcome").into_bytes();
    verify_nt_response_v2(ours, theirs, user, hash, response)
}

/// The server's keys of a login by MS-CHAPv2.
pub fn v2_keys(nt_response: &[u8; 24]) -> MppeStartKeys {
    let master = master_key(&NtHash::from_password(PASSWORD), nt_response);
    let key = |direction| master.start_key(direction, KeyStrength::Bits128);
    let (send, receive) = (key(Direction::ServerToClient), key(Direction::ClientToServer));
    MppeStartKeys::asymmetric(send.as_bytes(), receive.as_bytes()).unwrap()
}

/// The server's keys of a login.
fn keys_of(proof: &Proof) -> Option<MppeStartKeys> {
    match proof {
        Proof::MsChapV1 { .. } => {
            let nt = *NtHash::from_password(PASSWORD).hash_again().as_bytes();
            Some(MppeStartKeys::Symmetric { lm: [0; 8], nt })
        }
        Proof::MsChapV2 { nt_response, .. } => Some(v2_keys(nt_response)),
        Proof::Pap { .. } | Proof::Chap { .. } | Proof::PasswordChange { .. } | Proof::Eap { .. } => None,
    }
}

/// One end and what it has told.
pub struct End {
    pub link: Link,
    pub events: Vec<Event>,
}

/// What the network does to the next frame, from a stream of octets that may end: then it only delivers.
pub struct Weather {
    pub fates: Vec<u8>,
    pub next: usize,
}

impl Weather {
    fn fate(&mut self) -> u8 {
        let fate = self.fates.get(self.next).copied().unwrap_or(0);
        self.next += 1;
        fate
    }
}

pub struct Pair {
    pub now: Instant,
    pub begun: Instant,
    pub server: End,
    pub client: End,
    pub weather: Weather,
    /// Frame number, octet and the bits to turn in it.
    pub corrupt: Vec<(usize, usize, u8)>,
    /// (arrival, serial, to the server?, frame)
    wire: Vec<(Instant, u64, bool, Vec<u8>)>,
    serial: u64,
    /// The time that a decision takes.
    pub thinking: Duration,
    decisions: Vec<(Instant, u32, AuthDecision)>,
    pub eap: EapServer,
    /// What the server wants encrypted.
    pub encryption: Option<ClientEncryption>,
    /// The password that the backend knows, and whether it takes nothing but a new one.
    pub password: &'static str,
    pub expired: bool,
    /// What the network does to a frame on its way.
    pub change: fn(&mut [u8]),
    /// Frames that the network loses.
    pub lose: fn(&[u8]) -> bool,
    pub frames: usize,
}

const DELAY: Duration = Duration::from_millis(20);

impl Pair {
    pub fn new(server: ServerConfig, client: ClientConfig) -> Self {
        let now = Instant::now();
        let end = |link| End { link, events: Vec::new() };
        Self {
            now,
            begun: now,
            server: end(Link::server(Arc::new(server), Entropy::from_seed([1; 32]))),
            client: end(Link::client(Arc::new(client), Entropy::from_seed([2; 32]))),
            weather: Weather { fates: Vec::new(), next: 0 },
            corrupt: Vec::new(),
            wire: Vec::new(),
            serial: 0,
            thinking: Duration::from_millis(50),
            decisions: Vec::new(),
            eap: EapServer::default(),
            encryption: None,
            password: PASSWORD,
            expired: false,
            change: |_| (),
            lose: |_| false,
            frames: 0,
        }
    }

    pub fn of(server: &[AuthProtocol], client: &[AuthProtocol]) -> Self {
        Self::new(server_config(server), client_config(client))
    }

    pub fn start(&mut self) {
        self.server.link.start(self.now);
        self.client.link.start(self.now);
        self.drain();
    }

    /// Moves frames to the wire and events to their lists.
    pub fn drain(&mut self) {
        for to_server in [false, true] {
            let end = if to_server { &mut self.client } else { &mut self.server };
            while let Some(mut frame) = end.link.poll_frame() {
                for &(_, at, bits) in self.corrupt.iter().filter(|(number, ..)| *number == self.frames) {
                    let length = frame.len();
                    frame[at % length] ^= bits;
                }
                self.frames += 1;
                (self.change)(&mut frame);
                if (self.lose)(&frame) {
                    continue;
                }
                let fate = self.weather.fate();
                let mut copies: Vec<Duration> = match fate % 16 {
                    1..=3 => vec![],
                    4 | 5 => vec![DELAY, DELAY * 2],
                    6 => vec![DELAY, Duration::from_millis(1500)],
                    7 => vec![Duration::from_millis(700)],
                    _ => vec![DELAY],
                };
                for delay in copies.drain(..) {
                    self.serial += 1;
                    self.wire.push((self.now + delay, self.serial, to_server, frame.clone()));
                }
            }
            while let Some(event) = end.link.poll_event() {
                if let Event::Authenticate(request) = &event {
                    assert!(!to_server, "only a server asks for a decision");
                    let (mut decision, keys) = match &request.proof {
                        Proof::Eap { .. } => (self.eap.decide(request), self.eap.keys.clone()),
                        proof => (decide_by(request, self.password), keys_of(proof)),
                    };
                    match (&request.proof, &decision) {
                        (Proof::PasswordChange { .. }, AuthDecision::Accept { .. }) => {
                            self.password = NEW_PASSWORD;
                            self.expired = false;
                        }
                        (_, AuthDecision::Accept { .. }) if self.expired => {
                            let message = b"Too old".to_vec();
                            decision = AuthDecision::PasswordExpired { message, challenge: None };
                        }
                        _ => {}
                    }
                    if let (AuthDecision::Accept { encryption, .. }, Some(wanted), Some(keys)) =
                        (&mut decision, self.encryption, keys)
                    {
                        let ClientEncryption { required, strengths, stateful_allowed } = wanted;
                        *encryption = Some(Encryption { required, strengths, stateful_allowed, keys });
                    }
                    self.decisions.push((
                        self.now + self.thinking,
                        end.link.authentication_round(),
                        decision,
                    ));
                }
                end.events.push(event);
            }
        }
    }

    /// The next thing happens; false when nothing ever will within `limit` from the beginning.
    pub fn step(&mut self, limit: Duration) -> bool {
        let next = [
            self.wire.iter().map(|entry| entry.0).min(),
            self.decisions.iter().map(|entry| entry.0).min(),
            self.server.link.next_timeout(),
            self.client.link.next_timeout(),
        ]
        .into_iter()
        .flatten()
        .min();
        let Some(next) = next.filter(|&next| next <= self.begun + limit) else { return false };
        self.now = self.now.max(next);
        self.wire.sort_by_key(|entry| (entry.0, entry.1));
        while self.wire.first().is_some_and(|entry| entry.0 <= self.now) {
            let (_, _, to_server, frame) = self.wire.remove(0);
            let end = if to_server { &mut self.server } else { &mut self.client };
            end.link.handle_frame(self.now, &frame);
            self.drain();
        }
        while let Some(at) = self.decisions.iter().position(|entry| entry.0 <= self.now) {
            let (_, round, decision) = self.decisions.remove(at);
            if round == self.server.link.authentication_round() {
                self.server.link.authenticated(self.now, decision);
                self.drain();
            }
        }
        self.server.link.handle_timeout(self.now);
        self.client.link.handle_timeout(self.now);
        self.drain();
        true
    }

    pub fn run(&mut self, limit: Duration) {
        while self.step(limit) {}
    }

    /// Until both ends are up or down, or the limit is reached.
    pub fn run_until_settled(&mut self, limit: Duration) {
        let settled = |end: &End| end.link.is_up() || end.is_down();
        while !(settled(&self.server) && settled(&self.client)) && self.step(limit) {}
    }

    pub fn both_up(&self) -> bool {
        self.server.link.is_up() && self.client.link.is_up()
    }
}

impl End {
    pub fn is_down(&self) -> bool {
        self.events.iter().any(|event| matches!(event, Event::Down(_)))
    }

    pub fn down_reason(&self) -> Option<&tollgate_ppp::DownReason> {
        self.events.iter().find_map(|event| match event {
            Event::Down(reason) => Some(reason),
            _ => None,
        })
    }

    pub fn requests(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, Event::Authenticate(_))).count()
    }

    pub fn addresses(&self) -> Option<tollgate_ppp::Addresses> {
        self.events.iter().rev().find_map(|event| match event {
            Event::Up(addresses) => Some(*addresses),
            _ => None,
        })
    }

    pub fn method(&self) -> Option<AuthProtocol> {
        self.events.iter().rev().find_map(|event| match event {
            Event::LcpOpened { method, .. } => *method,
            _ => None,
        })
    }

    pub fn warnings(&self) -> Vec<&str> {
        self.events
            .iter()
            .filter_map(|event| match event {
                Event::Warning(text) => Some(text.as_str()),
                _ => None,
            })
            .collect()
    }
}
