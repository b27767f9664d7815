//! A server and a client endpoint, a clock, and a network between them.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tollgate_sansio::Entropy;
use zeroize::Zeroizing;

use crate::algorithm::{Authentication, Cipher, EspCipher, EspSuite, Group, Hash, Integrity, Mode};
use crate::endpoint::*;
use crate::esp::TAILROOM;
use crate::ikev1::identification::Identification;
use crate::ikev1::selection::{Policy, TransformSet};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
}

pub(super) fn policy(cipher: Cipher, hash: Hash, group: Group) -> Policy {
    Policy {
        authentication: Authentication::PreSharedKey,
        cipher,
        hash,
        group,
        lifetime: Duration::from_secs(86_400),
    }
}

pub(super) fn set(cipher: EspCipher, integrity: Option<Integrity>, mode: Mode) -> TransformSet {
    TransformSet { suite: EspSuite::new(cipher, integrity).unwrap(), mode }
}

pub(super) fn key(key: &[u8]) -> PresharedKey {
    Arc::new(Zeroizing::new(key.to_vec()))
}

pub(super) fn server_config(keys: &[&[u8]]) -> Config {
    let policies = vec![
        policy(Cipher::Aes256, Hash::Sha1, Group::Ecp256),
        policy(Cipher::Aes256, Hash::Sha256, Group::Modp2048),
    ];
    let sets = vec![
        set(EspCipher::Aes256, Some(Integrity::HmacSha1), Mode::Transport),
        set(EspCipher::Aes128Gcm, None, Mode::Transport),
        set(EspCipher::Aes128, Some(Integrity::HmacSha256), Mode::Tunnel),
    ];
    let mut config = Config::new(policies, sets);
    config.keys = vec![GroupKeys {
        tunnel_group: "DefaultRAGroup".into(),
        keys: keys.iter().map(|octets| key(octets)).collect(),
    }];
    config
}

pub(super) fn dial(secret: &[u8]) -> Dial {
    Dial {
        proof: Proof::PresharedKey(key(secret)),
        identity: Identification::address(CLIENT.parse::<SocketAddr>().unwrap().ip(), 0, 0),
        aggressive: false,
        policies: vec![policy(Cipher::Aes256, Hash::Sha1, Group::Ecp256)],
        transform_sets: vec![set(EspCipher::Aes256, Some(Integrity::HmacSha1), Mode::Transport)],
        pfs: None,
        force_udp: false,
        nat_t_port: 4500,
        port: 1701,
        server_identity: None,
        sa_lifetime: Duration::from_secs(3600),
        server_name: None,
    }
}

pub(super) const CLIENT: &str = "198.51.100.7:500";
pub(super) const SERVER: &str = "192.0.2.1:500";

/// A datagram under way.
#[derive(Debug, Clone)]
pub(super) struct Flying {
    pub(super) to: Side,
    pub(super) path: Path,
    pub(super) datagram: Vec<u8>,
}

pub(super) struct Lab {
    pub(super) now: Instant,
    pub(super) server: Endpoint,
    pub(super) client: Endpoint,
    pub(super) flying: VecDeque<Flying>,
    /// Numbers of datagrams to lose.
    lost: Vec<usize>,
    pub(super) sent: usize,
    pub(super) events: Vec<(Side, Event)>,
    /// The address under which the server sees the client.
    pub(super) nat: Option<SocketAddr>,
    /// Every ISAKMP message that was delivered.
    pub(super) log: Vec<Flying>,
}

impl Lab {
    pub(super) fn new(config: Config) -> Self {
        let now = Instant::now();
        let place = Place { shard: 1, bits: 2 };
        Self {
            now,
            server: Endpoint::new(now, config, place, Entropy::from_seed([1; 32])),
            client: Endpoint::new(
                now,
                Config::new(Vec::new(), Vec::new()),
                Place::default(),
                Entropy::from_seed([2; 32]),
            ),
            flying: VecDeque::new(),
            lost: Vec::new(),
            sent: 0,
            events: Vec::new(),
            nat: None,
            log: Vec::new(),
        }
    }

    pub(super) fn lose(&mut self, number: usize) {
        self.lost.push(number);
    }

    pub(super) fn dial(&mut self, dial: Dial) -> ConnectionId {
        let path = Path { local: CLIENT.parse().unwrap(), remote: SERVER.parse().unwrap(), nat_t: false };
        let connection = self.client.connect(self.now, path, dial);
        self.collect();
        connection
    }

    pub(super) fn end(&mut self, side: Side) -> &mut Endpoint {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    /// Takes what both ends want sent, done and told.
    pub(super) fn collect(&mut self) {
        loop {
            let mut busy = false;
            for side in [Side::Client, Side::Server] {
                while let Some(job) = self.end(side).poll_job() {
                    let result = job.run(1_800_000_000);
                    let now = self.now;
                    self.end(side).handle_job(now, result);
                    busy = true;
                }
                while let Some(event) = self.end(side).poll_event() {
                    self.events.push((side, event));
                }
                while let Some(transmit) = self.end(side).poll_transmit() {
                    self.sent += 1;
                    if !self.lost.contains(&(self.sent - 1)) {
                        let flying = self.address(side, transmit);
                        self.flying.push_back(flying);
                    }
                    busy = true;
                }
            }
            if !busy {
                return;
            }
        }
    }

    /// What the other side sees of a datagram.
    fn address(&self, from: Side, transmit: Transmit) -> Flying {
        let Transmit { path, datagram } = transmit;
        let (local, remote) = (path.remote, path.local);
        match from {
            Side::Client => {
                let remote =
                    self.nat.map_or(remote, |nat| SocketAddr::new(nat.ip(), nat.port() + remote.port()));
                Flying { to: Side::Server, path: Path { local, remote, nat_t: path.nat_t }, datagram }
            }
            Side::Server => {
                let local = match self.nat {
                    Some(_) => CLIENT.parse().unwrap(),
                    None => local,
                };
                Flying { to: Side::Client, path: Path { local, remote, nat_t: path.nat_t }, datagram }
            }
        }
    }

    pub(super) fn deliver(&mut self, flying: Flying) {
        let now = self.now;
        let Flying { to, path, datagram } = flying.clone();
        match (path.nat_t, classify(&datagram)) {
            (true, NatTraversalDatagram::Isakmp) => {
                self.log.push(flying);
                self.end(to).handle_isakmp(now, path, &datagram[4..]);
            }
            (true, _) => {}
            (false, _) => {
                self.log.push(flying);
                self.end(to).handle_isakmp(now, path, &datagram);
            }
        }
        self.collect();
    }

    /// Delivers until nothing flies.
    pub(super) fn settle(&mut self) {
        while let Some(flying) = self.flying.pop_front() {
            self.deliver(flying);
        }
    }

    /// Lets time pass, with everything that falls due in it.
    pub(super) fn run_for(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            self.settle();
            let next = [self.client.next_timeout(), self.server.next_timeout()].into_iter().flatten().min();
            match next.filter(|next| *next <= until) {
                Some(next) => {
                    self.now = self.now.max(next);
                    let now = self.now;
                    self.client.handle_timeout(now);
                    self.server.handle_timeout(now);
                    self.collect();
                }
                None => break,
            }
        }
        self.now = until;
    }

    pub(super) fn client_association(&self, connection: ConnectionId) -> AssociationId {
        let mut up = self.events.iter().filter_map(|(side, event)| match event {
            Event::AssociationUp { association, connection: Some(of), .. }
                if *side == Side::Client && *of == connection =>
            {
                Some(*association)
            }
            _ => None,
        });
        up.next_back().unwrap_or_else(|| panic!("the client is not up: {:?}", self.events))
    }

    pub(super) fn server_association(&self) -> AssociationId {
        let mut up = self.events.iter().filter_map(|(side, event)| match event {
            Event::AssociationUp { association, .. } if *side == Side::Server => Some(*association),
            _ => None,
        });
        up.next_back().unwrap_or_else(|| panic!("the server has nothing up: {:?}", self.events))
    }

    pub(super) fn failures(&self) -> Vec<(Side, Failure)> {
        self.events
            .iter()
            .filter_map(|(side, event)| match event {
                Event::Failed { failure, .. } => Some((*side, failure.clone())),
                _ => None,
            })
            .collect()
    }

    pub(super) fn downs(&self, of: Side) -> Vec<DownCause> {
        self.events
            .iter()
            .filter_map(|(side, event)| match event {
                Event::AssociationDown { cause, .. } if *side == of => Some(cause.clone()),
                _ => None,
            })
            .collect()
    }

    /// Wraps a datagram at one side.
    pub(super) fn seal(
        &mut self,
        from: Side,
        association: AssociationId,
        text: &[u8],
    ) -> Option<(Vec<u8>, Path)> {
        let now = self.now;
        let end = self.end(from);
        let head = end.head_length(association)?;
        let mut buffer = vec![0; head + text.len() + TAILROOM];
        buffer[head..head + text.len()].copy_from_slice(text);
        let (range, path) = end.seal(now, association, &mut buffer, head..head + text.len())?;
        assert_eq!(range.start, 0, "the packet begins where the free octets begin");
        self.collect();
        Some((buffer[range].to_vec(), path))
    }

    /// Sends a datagram from one side to the other and gives what comes out there.
    pub(super) fn carry(&mut self, from: Side, association: AssociationId, text: &[u8]) -> Option<Vec<u8>> {
        let (mut packet, path) = self.seal(from, association, text)?;
        let flying = self.address(from, Transmit { path, datagram: Vec::new() });
        let now = self.now;
        let delivery = self.end(flying.to).handle_esp(now, flying.path, &mut packet);
        self.collect();
        let delivery = delivery.unwrap_or_else(|reason| panic!("dropped: {reason}"));
        Some(packet[delivery.payload].to_vec())
    }
}
