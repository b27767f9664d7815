//! A server and a client endpoint, a clock, and a network between them.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tollgate_sansio::Entropy;
use zeroize::Zeroizing;

use crate::algorithm::{Authentication, Cipher, EspCipher, EspSuite, Group, Hash, Integrity, Mode};
use crate::endpoint::*;
use crate::esp::DropReason;
use crate::esp::TAILROOM;
use crate::ikev1::identification::Identification;
use crate::ikev1::selection::{Policy, TransformSet};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    /// Another client.
    Other,
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

pub(super) fn client_config() -> Config {
    Config::new(Vec::new(), Vec::new())
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

/// What becomes of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Arrives,
    IsLost,
    ComesTwice,
    /// After those that were sent in the next 1,500 ms.
    IsLate,
}

pub(super) struct Lab {
    pub(super) now: Instant,
    pub(super) server: Endpoint,
    pub(super) client: Endpoint,
    pub(super) other: Endpoint,
    pub(super) flying: VecDeque<Flying>,
    late: Vec<(Instant, Flying)>,
    /// Numbers of datagrams to lose.
    lost: Vec<usize>,
    /// What becomes of the datagrams, in order; afterwards all arrive.
    pub(super) fates: VecDeque<Fate>,
    pub(super) sent: usize,
    pub(super) events: Vec<(Side, Event)>,
    /// The address under which the server sees the client; its ports are added to the ports behind it.
    pub(super) nat: Option<SocketAddr>,
    pub(super) other_nat: Option<SocketAddr>,
    /// The server's address as it sees it itself.
    pub(super) server_inside: Option<std::net::IpAddr>,
    /// What the NAT remembers: outer addresses, and who is behind them.
    routes: HashMap<SocketAddr, (Side, SocketAddr)>,
    /// Every ISAKMP message that was delivered.
    pub(super) log: Vec<Flying>,
}

impl Lab {
    pub(super) fn new(config: Config) -> Self {
        Self::with_client(config, client_config())
    }

    pub(super) fn with_client(config: Config, client: Config) -> Self {
        let now = Instant::now();
        let place = Place { shard: 1, bits: 2 };
        let endpoint =
            |config, seed| Endpoint::new(now, config, Place::default(), Entropy::from_seed([seed; 32]));
        Self {
            now,
            server: Endpoint::new(now, config, place, Entropy::from_seed([1; 32])),
            client: endpoint(client.clone(), 2),
            other: endpoint(client, 3),
            flying: VecDeque::new(),
            late: Vec::new(),
            lost: Vec::new(),
            fates: VecDeque::new(),
            sent: 0,
            events: Vec::new(),
            nat: None,
            other_nat: None,
            server_inside: None,
            routes: HashMap::new(),
            log: Vec::new(),
        }
    }

    pub(super) fn lose(&mut self, number: usize) {
        self.lost.push(number);
    }

    pub(super) fn dial(&mut self, dial: Dial) -> ConnectionId {
        self.dial_from(Side::Client, CLIENT, dial)
    }

    pub(super) fn dial_from(&mut self, side: Side, local: &str, dial: Dial) -> ConnectionId {
        let path = Path { local: local.parse().unwrap(), remote: SERVER.parse().unwrap(), nat_t: false };
        let now = self.now;
        let connection = self.end(side).connect(now, path, dial);
        self.collect();
        connection
    }

    pub(super) fn end(&mut self, side: Side) -> &mut Endpoint {
        match side {
            Side::Client => &mut self.client,
            Side::Other => &mut self.other,
            Side::Server => &mut self.server,
        }
    }

    /// Takes what all ends want sent, done and told.
    pub(super) fn collect(&mut self) {
        loop {
            let mut busy = false;
            for side in [Side::Client, Side::Other, Side::Server] {
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
                    self.send(side, transmit);
                    busy = true;
                }
            }
            if !busy {
                return;
            }
        }
    }

    fn send(&mut self, from: Side, transmit: Transmit) {
        self.sent += 1;
        let Some(flying) = self.address(from, transmit) else { return };
        let fate = match self.lost.contains(&(self.sent - 1)) {
            true => Fate::IsLost,
            false => self.fates.pop_front().unwrap_or(Fate::Arrives),
        };
        match fate {
            Fate::Arrives => self.flying.push_back(flying),
            Fate::IsLost => {}
            Fate::ComesTwice => self.flying.extend([flying.clone(), flying]),
            Fate::IsLate => self.late.push((self.now + Duration::from_millis(1500), flying)),
        }
    }

    /// What the other side sees of a datagram.
    fn address(&mut self, from: Side, transmit: Transmit) -> Option<Flying> {
        let Transmit { path, datagram } = transmit;
        let nat_t = path.nat_t;
        let nat = match from {
            Side::Client => self.nat,
            Side::Other => self.other_nat,
            Side::Server => {
                let is_there = |outer: &&SocketAddr| {
                    **outer == path.remote || path.remote.port() == 0 && outer.ip() == path.remote.ip()
                };
                let outer = self.routes.keys().find(is_there)?;
                let (to, local) = self.routes.get(outer).copied()?;
                let port = if path.local.port() == 0 { 500 } else { path.local.port() };
                let remote = SocketAddr::new(SERVER.parse::<SocketAddr>().unwrap().ip(), port);
                return Some(Flying { to, path: Path { local, remote, nat_t }, datagram });
            }
        };
        let inner = path.local;
        let port = if nat_t { 4500 } else { inner.port() };
        let outer =
            nat.map_or(SocketAddr::new(inner.ip(), port), |nat| SocketAddr::new(nat.ip(), nat.port() + port));
        self.routes.insert(outer, (from, inner));
        let local = SocketAddr::new(self.server_inside.unwrap_or(path.remote.ip()), path.remote.port());
        Some(Flying { to: Side::Server, path: Path { local, remote: outer, nat_t }, datagram })
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

    /// Delivers until nothing flies. Never comes to an end when two ends answer each other for ever.
    pub(super) fn settle(&mut self) {
        for _ in 0..10_000 {
            let Some(flying) = self.flying.pop_front() else { return };
            self.deliver(flying);
        }
        panic!("a storm of messages");
    }

    /// Lets time pass, with everything that falls due in it.
    pub(super) fn run_for(&mut self, time: Duration) {
        let until = self.now + time;
        let mut steps = 0;
        loop {
            self.settle();
            let late = self.late.iter().map(|(at, _)| *at);
            let ends = [self.client.next_timeout(), self.other.next_timeout(), self.server.next_timeout()];
            let next = ends.into_iter().flatten().chain(late).min();
            let Some(next) = next.filter(|next| *next <= until) else { break };
            self.now = self.now.max(next);
            let now = self.now;
            for side in [Side::Client, Side::Other, Side::Server] {
                self.end(side).handle_timeout(now);
            }
            self.collect();
            let (due, later) = std::mem::take(&mut self.late).into_iter().partition(|(at, _)| *at <= now);
            self.late = later;
            let due: Vec<(Instant, Flying)> = due;
            self.flying.extend(due.into_iter().map(|(_, flying)| flying));
            steps += 1;
            assert!(steps < 200_000, "a time that is never past");
        }
        self.now = until;
    }

    pub(super) fn client_association(&self, connection: ConnectionId) -> AssociationId {
        self.association_of(Side::Client, connection)
    }

    pub(super) fn association_of(&self, of_side: Side, connection: ConnectionId) -> AssociationId {
        self.try_association_of(of_side, connection)
            .unwrap_or_else(|| panic!("the client is not up: {:?}", self.events))
    }

    pub(super) fn try_association_of(
        &self,
        of_side: Side,
        connection: ConnectionId,
    ) -> Option<AssociationId> {
        let mut up = self.events.iter().filter_map(|(side, event)| match event {
            Event::AssociationUp { association, connection: Some(of), .. }
                if *side == of_side && *of == connection =>
            {
                Some(*association)
            }
            _ => None,
        });
        up.next_back()
    }

    /// Those that came up at the server, in order.
    pub(super) fn server_associations(&self) -> Vec<AssociationId> {
        let up = self.events.iter().filter_map(|(side, event)| match event {
            Event::AssociationUp { association, .. } if *side == Side::Server => Some(*association),
            _ => None,
        });
        up.collect()
    }

    pub(super) fn server_association(&self) -> AssociationId {
        let up = self.server_associations();
        *up.last().unwrap_or_else(|| panic!("the server has nothing up: {:?}", self.events))
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

    /// What the server says of its only failure.
    pub(super) fn failure_at(&self, side: Side) -> String {
        let failures: Vec<_> = self.failures().into_iter().filter(|(at, _)| *at == side).collect();
        assert_eq!(failures.len(), 1, "{failures:?}");
        failures[0].1.to_string()
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

    /// Who authenticated at the server, in order.
    pub(super) fn peers(&self) -> Vec<Arc<PeerIdentity>> {
        self.events
            .iter()
            .filter_map(|(side, event)| match event {
                Event::PeerAuthenticated { peer, .. } if *side == Side::Server => Some(Arc::clone(peer)),
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
        let (packet, path) = self.seal(from, association, text)?;
        let outcome = self.bring(from, packet, path);
        Some(outcome.unwrap_or_else(|reason| panic!("dropped: {reason}")).1)
    }

    /// Delivers a sealed packet; gives the association and the datagram.
    pub(super) fn bring(
        &mut self,
        from: Side,
        mut packet: Vec<u8>,
        path: Path,
    ) -> Result<(AssociationId, Vec<u8>), DropReason> {
        // Raw ESP has no ports; a NAT would let none through.
        let flying = self.address(from, Transmit { path, datagram: Vec::new() }).expect("a way");
        let now = self.now;
        let delivery = self.end(flying.to).handle_esp(now, flying.path, &mut packet);
        self.collect();
        let delivery = delivery?;
        Ok((delivery.association, packet[delivery.payload].to_vec()))
    }

    /// Packets in both directions.
    pub(super) fn exchange(&mut self, client: AssociationId, server: AssociationId) {
        assert_eq!(self.carry(Side::Client, client, b"up").as_deref(), Some(b"up".as_slice()));
        assert_eq!(self.carry(Side::Server, server, b"down").as_deref(), Some(b"down".as_slice()));
    }

    /// Dials, and carries a packet each way.
    pub(super) fn connect(&mut self, dial: Dial) -> (AssociationId, AssociationId) {
        let connection = self.dial(dial);
        self.settle();
        let pair = (self.client_association(connection), self.server_association());
        self.exchange(pair.0, pair.1);
        pair
    }

    /// Nothing is kept at an end that has nobody.
    pub(super) fn assert_empty(&mut self, side: Side) {
        let end = self.end(side);
        assert_eq!(end.ikes.len(), 0, "ISAKMP associations");
        assert_eq!(end.by_cookies.len(), 0, "cookies");
        assert_eq!(end.initiating.len(), 0, "attempts");
        assert_eq!(end.associations.len(), 0, "associations");
        assert_eq!(end.by_key.len(), 0, "keys");
        assert_eq!(end.peers.len(), 0, "peers");
        assert_eq!(end.by_spi.len(), 0, "SPIs");
        self.assert_nobody_under_way(side);
    }

    /// Nothing of set-ups is left.
    pub(super) fn assert_nobody_under_way(&mut self, side: Side) {
        let end = self.end(side);
        assert_eq!(end.unauthenticated, 0, "exchanges that are not authenticated");
        assert_eq!(end.jobs_out, 0, "jobs");
        assert_eq!(end.half_opens.len(), 0, "half-open exchanges");
        assert_eq!(end.half_opens.counted(), 0, "places of sources");
        let unconfirmed =
            end.associations.values().flat_map(|one| &one.children).filter(|child| !child.confirmed);
        assert_eq!(unconfirmed.count(), 0, "pairs that nobody confirmed");
        let going_on = end.ikes.values().flat_map(|ike| ike.quicks.values());
        let going_on = going_on.filter(|quick| quick.stage != super::super::quick::QuickStage::Done);
        assert_eq!(going_on.count(), 0, "exchanges of phase 2");
    }
}
