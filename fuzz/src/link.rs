//! One PPP link under a script. What must hold whatever the peer sends:
//!
//! - nobody gets in without a decision in his favour;
//! - [`Event::Down`] comes once;
//! - every frame that goes out is whole and no longer than the peer takes;
//! - where encryption is required, nothing passes without it;
//! - a link that is neither up nor dead has a timer, and left alone ends by itself.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tollgate_ppp::AuthProtocol::{ChapMd5, Eap, MsChapV1, MsChapV2, Pap};
use tollgate_ppp::{
    AuthDecision, AuthProtocol, ClientConfig, CloseReason, Encryption, Event, Link, MppeStartKeys,
    MppeStrengths, Network, Phase, ProxyAuth, ProxyLcp, ServerConfig, Unsealed,
};
use tollgate_sansio::Entropy;
use zeroize::Zeroizing;

use crate::script::Script;

pub const LCP: u16 = 0xC021;
pub const PAP: u16 = 0xC023;
pub const CHAP: u16 = 0xC223;
pub const IPCP: u16 = 0x8021;
pub const EAP: u16 = 0xC227;
pub const CCP: u16 = 0x80FD;

/// Methods in every order of preference that matters.
pub const ALL: [AuthProtocol; 5] = [MsChapV2, MsChapV1, ChapMd5, Pap, Eap];

/// In a script, the identifier of the last packet that the link sent.
const SAME: u8 = 0xFF;

pub struct Peer {
    link: Link,
    now: Instant,
    server: bool,
    /// Identifier and options of the last Configure-Request of each protocol, and of any last packet.
    requests: HashMap<u16, (u8, Vec<u8>)>,
    last: HashMap<u16, u8>,
    asked: usize,
    accepted: bool,
    down: bool,
    /// What a login brings with it.
    encryption: Option<Encryption>,
}

fn network() -> Network {
    Network {
        local: Ipv4Addr::new(10, 4, 0, 1),
        peer: Ipv4Addr::new(10, 4, 5, 17),
        dns: [Some(Ipv4Addr::new(10, 0, 0, 53)), None],
        nbns: [None, Some(Ipv4Addr::new(10, 0, 0, 137))],
    }
}

fn frame(protocol: u16, code: u8, identifier: u8, data: &[u8]) -> Vec<u8> {
    let mut frame = vec![0xFF, 0x03];
    frame.extend_from_slice(&protocol.to_be_bytes());
    frame.extend_from_slice(&[code, identifier]);
    frame.extend_from_slice(&(data.len() as u16 + 4).to_be_bytes());
    frame.extend_from_slice(data);
    frame
}

impl Peer {
    pub fn of_server(methods: &[AuthProtocol]) -> Self {
        let config = ServerConfig { methods: methods.to_vec(), ..ServerConfig::default() };
        Self::with(Link::server(Arc::new(config), Entropy::from_seed([7; 32])), true)
    }

    pub fn of_client(methods: &[AuthProtocol]) -> Self {
        let config = ClientConfig {
            user: b"alice".to_vec(),
            password: Zeroizing::new(b"open sesame".to_vec()),
            new_password: Some(Zeroizing::new(b"shut sesame".to_vec())),
            methods: methods.to_vec(),
            request_nbns: true,
            ..ClientConfig::default()
        };
        Self::with(Link::client(Arc::new(config), Entropy::from_seed([7; 32])), false)
    }

    fn with(link: Link, server: bool) -> Self {
        Self {
            link,
            now: Instant::now(),
            server,
            requests: HashMap::new(),
            last: HashMap::new(),
            asked: 0,
            accepted: !server,
            down: false,
            encryption: None,
        }
    }

    /// A login that is let in has to encrypt, or may.
    pub fn encrypt(&mut self, required: bool, stateful_allowed: bool) {
        let keys = MppeStartKeys::Asymmetric { send: [1; 16], receive: [2; 16] };
        let strengths = MppeStrengths::ALL;
        self.encryption = Some(Encryption { required, strengths, stateful_allowed, keys });
    }

    pub fn start(&mut self) {
        self.link.start(self.now);
        self.settle();
    }

    /// Starts with what a carrier's access concentrator says that it agreed on with the client.
    pub fn start_with_proxy(&mut self, script: &mut Script<'_>) {
        let auth = ProxyAuth {
            auth_type: u16::from(script.octet()),
            identifier: script.octet(),
            name: script.string(),
            challenge: script.string(),
            response: script.string(),
        };
        let proxy = ProxyLcp {
            initial_received: None,
            last_sent: Some(script.string()),
            last_received: Some(script.string()),
            auth: Some(auth),
        };
        self.link.start_with_proxy(self.now, proxy);
        self.settle();
    }

    /// Brings LCP up: the peer asks for a magic number (and, at a client, for authentication) and grants everything.
    pub fn open_lcp(&mut self, authentication: &[u8]) {
        let mut options = vec![5, 6, 1, 2, 3, 4];
        options.extend_from_slice(authentication);
        self.packet(LCP, 1, 1, &options);
        self.grant(LCP);
    }

    /// Opens IPCP and CCP.
    pub fn open_network(&mut self, mppe: u32) {
        self.packet(IPCP, 1, 1, &[3, 6, 10, 4, 5, 17]);
        self.grant(IPCP);
        self.packet(CCP, 1, 1, &[&[18, 6][..], &mppe.to_be_bytes()].concat());
        self.grant(CCP);
    }

    /// Lets the client in by PAP.
    pub fn log_in(&mut self) {
        self.open_lcp(&[]);
        self.packet(PAP, 1, 1, b"\x05alice\x03pwd");
        self.decide(0);
    }

    /// One packet; an identifier of 0xFF stands for the link's own last one.
    pub fn packet(&mut self, protocol: u16, code: u8, identifier: u8, data: &[u8]) {
        let identifier = match self.last.get(&protocol) {
            Some(last) if identifier == SAME => *last,
            _ => identifier,
        };
        self.frame(&frame(protocol, code, identifier, data));
    }

    /// Acknowledges the last Configure-Request as it came.
    fn grant(&mut self, protocol: u16) {
        if let Some((identifier, options)) = self.requests.get(&protocol).cloned() {
            self.frame(&frame(protocol, 2, identifier, &options));
        }
    }

    /// Refuses (code 3 or 4) some of the options of the last Configure-Request.
    fn refuse(&mut self, protocol: u16, code: u8, start: u8, change: &[u8]) {
        if let Some((identifier, mut options)) = self.requests.get(&protocol).cloned() {
            options.drain(..usize::from(start).min(options.len()));
            for (octet, change) in options.iter_mut().zip(change) {
                *octet ^= change;
            }
            self.frame(&frame(protocol, code, identifier, &options));
        }
    }

    pub fn frame(&mut self, frame: &[u8]) {
        if self.down {
            return;
        }
        if self.link.encrypts() {
            let mut octets = frame.to_vec();
            match self.link.unseal(self.now, &mut octets) {
                Unsealed::Ipv4(packet) => assert!(octets.get(packet).is_some()),
                Unsealed::Nothing => {}
                Unsealed::Control => self.link.handle_frame(self.now, frame),
            }
            let header = self.link.sealed_header();
            let mut octets = [header, &frame[..frame.len().min(100)]].concat();
            if self.link.seal(&mut octets) {
                assert_eq!(octets[header.len() - 4] & 0x70, 0x10, "encrypted and not compressed");
            }
        } else {
            self.link.handle_frame(self.now, frame);
        }
        self.settle();
    }

    fn decide(&mut self, kind: u8) {
        if self.down || self.asked == 0 {
            return;
        }
        let decision = match kind % 5 {
            // Another round of EAP: whole Requests, and such as are none.
            _ if kind >= 0x10 => {
                let data = [kind & 0x1F, 0, 1, 2, 3];
                let mut packet = vec![1 + u8::from(kind % 32 == 31), kind, 0, 9];
                packet.extend_from_slice(&data[..usize::from(kind >> 5).min(5)]);
                packet[3] = packet.len() as u8 + u8::from(kind % 32 == 30);
                AuthDecision::Continue { packet, timeout: (kind & 1 == 1).then_some(Duration::from_secs(20)) }
            }
            0 => {
                self.accepted = true;
                AuthDecision::Accept {
                    message: b"Welcome".to_vec(),
                    network: network(),
                    encryption: self.encryption.clone(),
                }
            }
            1 => AuthDecision::Reject { message: b"no".to_vec(), code: 691, retry: true },
            2 => AuthDecision::Reject { message: vec![b'n'; 300], code: 647, retry: false },
            3 => AuthDecision::Unavailable { message: b"nobody is there".to_vec() },
            _ => {
                let challenge = (kind == 4).then_some([9; 16]);
                AuthDecision::PasswordExpired { message: b"too old".to_vec(), challenge }
            }
        };
        self.link.authenticated(self.now, decision);
        self.settle();
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        if !self.down {
            self.link.handle_timeout(self.now);
            self.settle();
        }
    }

    /// Plays packets of one protocol, with what goes on around them.
    pub fn play(&mut self, script: &mut Script<'_>, protocol: Option<u16>) {
        while !script.is_empty() && !self.down {
            let step = script.octet();
            let protocol = protocol.unwrap_or_else(|| match step >> 4 {
                0..=4 => LCP,
                5 | 6 => PAP,
                7 | 8 => CHAP,
                9..=12 => IPCP,
                13 => CCP,
                _ => script.number(),
            });
            match step & 0x0F {
                0..=4 => {
                    let (code, identifier) = (script.octet(), script.octet());
                    self.packet(protocol, code, identifier, script.string());
                }
                // Longer than one string can be, such as a Change-Password.
                5 => {
                    let (code, identifier) = (script.octet(), script.octet());
                    let data = [script.string(), script.string(), script.string()].concat();
                    self.packet(protocol, code, identifier, &data);
                }
                6 | 7 => self.grant(protocol),
                8 => {
                    let (code, start) = (3 + (script.octet() & 1), script.octet());
                    self.refuse(protocol, code, start, script.string());
                }
                9 => self.decide(script.octet()),
                10 => self.pass(Duration::from_millis(u64::from(script.octet()) * 40)),
                11 => self.wait(),
                12 => self.frame(script.string()),
                13 => self.link.note_traffic(self.now),
                14 => {
                    self.link.close(self.now, CloseReason { text: "enough".to_owned() });
                    self.settle();
                }
                _ => {
                    let identifier = script.octet();
                    self.packet(protocol, 1, identifier, script.string());
                }
            }
        }
    }

    fn wait(&mut self) {
        if let Some(due) = self.link.next_timeout() {
            self.pass(due.saturating_duration_since(self.now));
        }
    }

    /// Sends nothing more: the link must come to an end, or be up with nothing left to ask.
    pub fn leave(mut self) {
        for _ in 0..400 {
            if self.down || self.link.next_timeout().is_none() {
                break;
            }
            self.wait();
        }
        assert!(self.down || self.link.is_up(), "left alone in {}", self.link.phase());
    }

    /// Takes what comes out and checks it.
    fn settle(&mut self) {
        let mut frames = 0;
        while let Some(frame) = self.link.poll_frame() {
            frames += 1;
            assert!(frames <= 64, "one step made {frames} frames");
            self.check(&frame);
        }
        while let Some(event) = self.link.poll_event() {
            assert!(!self.down, "{event:?} after the end");
            match event {
                Event::Authenticate(request) => {
                    assert!(self.server, "a client asks for a decision");
                    assert!(request.name.len() <= 255 && !request.name.contains(&0));
                    self.asked += 1;
                    self.accepted = false;
                }
                Event::Up(_) => {
                    assert!(self.accepted, "up without a decision");
                    let required = self.encryption.as_ref().is_some_and(|encryption| encryption.required);
                    assert!(!required || self.link.encrypts(), "up in clear");
                }
                Event::Down(_) => self.down = true,
                Event::LcpOpened { peer_mru, .. } => assert!(peer_mru <= 1500),
                Event::PasswordChanged
                | Event::Authenticated { .. }
                | Event::AuthenticationFailed { .. }
                | Event::Encrypted { .. }
                | Event::Identification(_)
                | Event::Warning(_) => {}
            }
        }
        if self.down {
            return assert_eq!(self.link.phase(), Phase::Dead);
        }
        // An echo that the peer has rejected leaves an open link without a timer.
        assert!(
            self.link.next_timeout().is_some() || self.link.is_up() || self.link.phase() == Phase::Dead,
            "no timer in {}",
            self.link.phase()
        );
    }

    fn check(&mut self, frame: &[u8]) {
        let packet = frame.strip_prefix(&[0xFF, 0x03]).unwrap_or(frame);
        let [high, low, code, identifier, length @ ..] = packet else { panic!("a stump: {frame:02x?}") };
        let protocol = u16::from_be_bytes([*high, *low]);
        let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
        assert_eq!(length + 2, packet.len(), "the length of {frame:02x?}");
        assert!(length <= 1500, "a packet of {length} octets");
        self.last.insert(protocol, *identifier);
        if *code == 1 && matches!(protocol, LCP | IPCP | CCP) {
            self.requests.insert(protocol, (*identifier, packet[6..].to_vec()));
        }
    }
}
