//! A client that is written out message by message, to send what stock clients send and ours does not.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use tollgate_sansio::Entropy;

use crate::algorithm::{Authentication, Cipher, EspSuite, Group, Hash, Mode};
use crate::dh::KeyPair;
use crate::endpoint::*;
use crate::esp::inner::{self, ChecksumRule, InnerAddresses};
use crate::esp::{DropReason, InboundSa, OutboundSa, Spi, TAILROOM};
use crate::ikev1::header::{Cookie, Cookies, ExchangeType, HEADER, Header};
use crate::ikev1::identification::Identification;
use crate::ikev1::keys::{Exchange, Keys};
use crate::ikev1::nat;
use crate::ikev1::notify::Delete;
use crate::ikev1::payload::{Builder, Kind, Payloads};
use crate::ikev1::proposal::{self, protocol};
use crate::ikev1::selection::{self, Offered, Policy};
use crate::ikev1::vendor::NatTraversal;

pub(super) const SERVER: &str = "192.0.2.1";

/// An attribute of two octets.
pub(super) fn short(kind: u16, value: u16) -> Vec<u8> {
    [(kind | 0x8000).to_be_bytes(), value.to_be_bytes()].concat()
}

/// An attribute of four octets, written long.
pub(super) fn long(kind: u16, value: u32) -> Vec<u8> {
    [kind.to_be_bytes().as_slice(), &4u16.to_be_bytes(), &value.to_be_bytes()].concat()
}

/// Id and attributes.
pub(super) type Transform = (u8, Vec<u8>);

/// The body of an SA payload with these proposals: protocol, SPI, and transforms of id and attributes.
pub(super) fn sa(proposals: &[(u8, Vec<u8>, Vec<Transform>)]) -> Vec<u8> {
    let mut body = vec![0, 0, 0, 1, 0, 0, 0, 1];
    for (index, (protocol, spi, transforms)) in proposals.iter().enumerate() {
        let mut inside = vec![index as u8 + 1, *protocol, spi.len() as u8, transforms.len() as u8];
        inside.extend(spi);
        for (at, (id, attributes)) in transforms.iter().enumerate() {
            inside.extend([if at + 1 == transforms.len() { 0 } else { 3 }, 0]);
            inside.extend((8 + attributes.len() as u16).to_be_bytes());
            inside.extend([at as u8 + 1, *id, 0, 0]);
            inside.extend(attributes);
        }
        body.extend([if index + 1 == proposals.len() { 0 } else { 2 }, 0]);
        body.extend((4 + inside.len() as u16).to_be_bytes());
        body.extend(inside);
    }
    body
}

/// A transform of phase 1 as Windows writes it: encryption, key length, hash, group, method, life.
pub(super) fn phase1(encryption: u16, bits: Option<u16>, hash: u16, group: u16, life: u32) -> (u8, Vec<u8>) {
    let mut out = short(1, encryption);
    out.extend(bits.map(|bits| short(14, bits)).unwrap_or_default());
    for (kind, value) in [(2, hash), (4, group), (3, 1), (11, 1)] {
        out.extend(short(kind, value));
    }
    out.extend(long(12, life));
    (1, out)
}

/// A transform of phase 2 with the life of Windows: 3600 s and 250,000 KB.
pub(super) fn phase2(id: u8, bits: Option<u16>, integrity: Option<u16>, mode: u16) -> (u8, Vec<u8>) {
    let mut out = short(4, mode);
    out.extend(bits.map(|bits| short(6, bits)).unwrap_or_default());
    out.extend(integrity.map(|integrity| short(5, integrity)).unwrap_or_default());
    out.extend([short(1, 1), long(2, 3600), short(1, 2), long(2, 250_000)].concat());
    (id, out)
}

/// The list of Windows from Vista on, under the given life.
pub(super) fn windows_transforms() -> Vec<(u8, Vec<u8>)> {
    vec![
        phase1(7, Some(256), 2, 20, 28_800),
        phase1(7, Some(128), 2, 19, 28_800),
        phase1(7, Some(256), 2, 14, 28_800),
        phase1(5, None, 2, 14, 28_800),
        phase1(5, None, 2, 2, 28_800),
    ]
}

/// The vendor ids of Windows 10 in their order.
pub(super) fn windows_vendors() -> Vec<Vec<u8>> {
    [
        "01528bbbc00696121849ab9a1c5b2a5100000001",
        "1e2b516905991c7d7c96fcbfb587e46100000009",
        "4a131c81070358455c5728f20e95452f",
        "90cb80913ebb696e086381b5ec427b1f",
        "4048b7d56ebce88525e7de7f00d6c2d3",
        "fb1de3cdf341b7ea16b7e5be0855f120",
        "26244d38eddb61b3172a36e3d0cfb819",
        "e3a5966a76379fe707228231e5ce8652",
    ]
    .map(unhex)
    .to_vec()
}

pub(super) fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// The five proposals of Windows in phase 2, or the first ones of them.
pub(super) fn windows_phase2(spi: u32, mode: u16, count: usize) -> Vec<u8> {
    let all = [
        phase2(12, Some(256), Some(2), mode),
        phase2(12, Some(128), Some(2), mode),
        phase2(3, None, Some(2), mode),
        phase2(2, None, Some(2), mode),
        phase2(11, None, Some(2), mode),
    ];
    let one = |transform| (protocol::ESP, spi.to_be_bytes().to_vec(), vec![transform]);
    sa(&all.into_iter().take(count).map(one).collect::<Vec<_>>())
}

/// What a client has of one pair.
pub(super) struct Pair {
    pub(super) spi_in: u32,
    mode: Mode,
    inbound: InboundSa,
    outbound: OutboundSa,
    ends: (SocketAddr, SocketAddr),
}

pub(super) struct Peer {
    /// As the server sees it now.
    pub(super) path: Path,
    /// Its own address, as it sees it itself.
    pub(super) own: SocketAddr,
    /// The server's address, as it was dialled.
    pub(super) dialled: SocketAddr,
    pub(super) cookies: Cookies,
    pub(super) sa: Vec<u8>,
    pub(super) vendors: Vec<Vec<u8>>,
    pub(super) key: Vec<u8>,
    pub(super) identity: Identification,
    pub(super) nat_traversal: NatTraversal,
    /// Ports of the NAT from the fifth message on.
    pub(super) floated: Option<SocketAddr>,
    pub(super) policy: Option<Policy>,
    pub(super) keys: Option<Keys>,
    pub(super) spi: u32,
    /// Messages as they went, both ways.
    pub(super) said: Vec<Vec<u8>>,
    pub(super) heard: Vec<Vec<u8>>,
    entropy: Entropy,
    /// Octets of its nonces.
    pub(super) nonce: usize,
    next_id: u32,
}

impl Peer {
    /// Windows 10 or later; `outer` is where the server sees it.
    pub(super) fn windows(number: u8, own: &str, outer: &str) -> Self {
        let own: SocketAddr = own.parse().unwrap();
        let remote: SocketAddr = outer.parse().unwrap();
        let local = SocketAddr::new(SERVER.parse().unwrap(), 500);
        let mut floated = remote;
        floated.set_port(remote.port().wrapping_add(4000));
        Self {
            path: Path { local, remote, nat_t: false },
            own,
            dialled: local,
            cookies: Cookies { initiator: Cookie([number; 8]), responder: Cookie::ZERO },
            sa: sa(&[(protocol::ISAKMP, Vec::new(), windows_transforms())]),
            vendors: windows_vendors(),
            key: b"secret".to_vec(),
            identity: Identification::address(own.ip(), 0, 0),
            nat_traversal: NatTraversal::Rfc3947,
            floated: Some(floated),
            policy: None,
            keys: None,
            spi: 0x1000_0000 + u32::from(number) * 0x1_0000,
            said: Vec::new(),
            heard: Vec::new(),
            entropy: Entropy::from_seed([number; 32]),
            nonce: 48,
            next_id: 1,
        }
    }

    /// Sends a message and takes what the server answers to this peer's way.
    pub(super) fn send(&mut self, server: &mut Endpoint, now: Instant, message: Vec<u8>) -> Vec<Vec<u8>> {
        server.handle_isakmp(now, self.path, &message);
        self.said.push(message);
        let answers = answers(server, now);
        let (path, marker) = (self.path, if self.path.nat_t { 4 } else { 0 });
        let mine =
            answers.into_iter().filter(|(to, _)| *to == path).map(|(_, message)| message[marker..].to_vec());
        let mine: Vec<_> = mine.collect();
        self.heard.extend(mine.iter().cloned());
        mine
    }

    pub(super) fn first_message(&self) -> Vec<u8> {
        let mut builder = Builder::new();
        builder.add(Kind::Sa, &[&self.sa]);
        for id in &self.vendors {
            builder.add(Kind::VendorId, &[id]);
        }
        builder.finish(self.header(ExchangeType::Main, 0))
    }

    pub(super) fn header(&self, exchange: ExchangeType, message_id: u32) -> Header {
        Header { cookies: self.cookies, next_payload: 0, exchange, flags: 0, message_id }
    }

    fn random(&mut self, length: usize) -> Vec<u8> {
        let mut out = vec![0; length];
        self.entropy.fill(&mut out);
        out
    }

    /// Main mode; whether the server took it.
    pub(super) fn main_mode(&mut self, server: &mut Endpoint, now: Instant) -> bool {
        let Some(second) = self.begin(server, now) else { return false };
        self.go_on(server, now, &second)
    }

    /// Messages 1 and 2.
    pub(super) fn begin(&mut self, server: &mut Endpoint, now: Instant) -> Option<Vec<u8>> {
        let answers = self.send(server, now, self.first_message());
        let second = answers.into_iter().next()?;
        let (header, _) = Header::decode(&second).unwrap();
        (header.exchange == ExchangeType::Main).then_some(second)
    }

    /// Messages 3 to 6.
    pub(super) fn go_on(&mut self, server: &mut Endpoint, now: Instant, second: &[u8]) -> bool {
        let (header, body) = Header::decode(second).unwrap();
        self.cookies = header.cookies;
        let payloads = Payloads::decode(header.next_payload, body).unwrap();
        let chosen = proposal::decode(payloads.one(Kind::Sa, "").unwrap()).unwrap();
        let Offered::Known(policy, _) = selection::read_phase1(&chosen[0].transforms[0]) else { panic!() };
        self.policy = Some(policy);
        let pair = KeyPair::generate(policy.group, &mut self.entropy);
        let nonce_i = self.random(self.nonce);
        let hash = |address| nat::detection(policy.hash, header.cookies, address);
        let mut builder = Builder::new();
        builder.add(Kind::KeyExchange, &[pair.public_value()]).add(Kind::Nonce, &[&nonce_i]);
        let kind = self.nat_traversal.detection_kind();
        builder.add(kind, &[&hash(self.dialled)]).add(kind, &[&hash(self.own)]);
        let message = builder.finish(self.header(ExchangeType::Main, 0));
        let Some(fourth) = self.send(server, now, message).into_iter().next() else { return false };
        let (header, body) = Header::decode(&fourth).unwrap();
        let payloads = Payloads::decode(header.next_payload, body).unwrap();
        let public_r = payloads.one(Kind::KeyExchange, "").unwrap();
        let nonce_r = payloads.one(Kind::Nonce, "").unwrap();
        let seen: Vec<_> = payloads.all(kind).collect();
        let is_natted = seen.first().is_some_and(|ours| *ours != &hash(self.own)[..])
            || seen.get(1).is_some_and(|theirs| *theirs != &hash(self.dialled)[..]);
        let shared = pair.shared_secret(public_r).unwrap();
        let exchange = Exchange {
            cookies: self.cookies,
            nonce_i: &nonce_i,
            nonce_r,
            public_i: pair.public_value(),
            public_r,
            shared: &shared,
        };
        let skeyid = Keys::skeyid_from_key(policy.hash, &self.key, &nonce_i, nonce_r);
        let mut keys = Keys::derive(policy.hash, policy.cipher, skeyid, &exchange).unwrap();
        let id = self.identity.encode();
        let mut builder = Builder::new();
        builder
            .add(Kind::Identification, &[&id])
            .add(Kind::Hash, &[&keys.proof(&exchange, true, &self.sa, &id)]);
        if is_natted && let Some(floated) = self.floated {
            self.path.remote = floated;
            self.path.local.set_port(4500);
            self.path.nat_t = true;
        }
        let mut vector = keys.phase1_vector();
        let message = keys.seal(self.header(ExchangeType::Main, 0), &builder, &mut vector);
        let Some(sixth) = self.send(server, now, message).into_iter().next() else { return false };
        let (header, body) = Header::decode(&sixth).unwrap();
        let (clear, next) = keys.open(&vector, body).unwrap();
        let payloads = Payloads::decode(header.next_payload, &clear).unwrap();
        let expected =
            keys.proof(&exchange, false, &self.sa, payloads.one(Kind::Identification, "").unwrap());
        assert_eq!(payloads.one(Kind::Hash, "").unwrap(), &expected[..], "the server's proof");
        keys.set_phase1_vector(&next);
        self.keys = Some(keys);
        true
    }

    /// The identities of phase 2: this client's own address, and the server as dialled, both with L2TP's port.
    pub(super) fn ids(&self) -> [Identification; 2] {
        [self.own.ip(), self.dialled.ip()].map(|ip| Identification::address(ip, 17, 1701))
    }

    fn mode_number(&self) -> u16 {
        match (self.path.nat_t, self.nat_traversal) {
            (false, _) => 2,
            (true, NatTraversal::Rfc3947) => 4,
            (true, NatTraversal::Draft) => 61444,
        }
    }

    /// Quick mode as Windows has it.
    pub(super) fn quick(&mut self, server: &mut Endpoint, now: Instant) -> Option<Pair> {
        self.spi += 1;
        let count = if self.path.nat_t { 5 } else { 3 };
        let sa = windows_phase2(self.spi, self.mode_number(), count);
        let ids = self.ids();
        self.quick_with(server, now, sa, &ids)
    }

    /// Message 1 of quick mode, with its vector and nonce.
    pub(super) fn quick_first(
        &mut self,
        id: u32,
        sa: &[u8],
        ids: &[Identification],
    ) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
        let nonce_i = self.random(self.nonce);
        let keys = self.keys.as_ref().unwrap();
        let mut rest = Builder::new();
        rest.add(Kind::Sa, &[sa]).add(Kind::Nonce, &[&nonce_i]);
        for identification in ids {
            rest.add(Kind::Identification, &[&identification.encode()]);
        }
        if self.path.nat_t {
            for ip in [self.own.ip(), self.dialled.ip()] {
                let body = Identification::address(ip, 0, 0).encode();
                rest.add(self.nat_traversal.original_address_kind(), &[&body]);
            }
        }
        let mut builder = Builder::new();
        builder.add(Kind::Hash, &[&keys.authenticate(&[&id.to_be_bytes(), rest.chain().1])]).append(&rest);
        let mut vector = keys.phase2_vector(id);
        let message = keys.seal(self.header(ExchangeType::Quick, id), &builder, &mut vector);
        (message, vector, nonce_i)
    }

    /// Quick mode with these proposals and identities; `None` when the server chose nothing.
    pub(super) fn quick_with(
        &mut self,
        server: &mut Endpoint,
        now: Instant,
        sa: Vec<u8>,
        ids: &[Identification],
    ) -> Option<Pair> {
        let id = self.next_id;
        self.next_id += 1;
        let (message, mut vector, nonce_i) = self.quick_first(id, &sa, ids);
        let second = self.send(server, now, message).into_iter().next()?;
        let (header, body) = Header::decode(&second).unwrap();
        if header.exchange != ExchangeType::Quick {
            return None;
        }
        let keys = self.keys.as_ref().unwrap();
        let (clear, next) = keys.open(&vector, body).unwrap();
        vector = next;
        let payloads = Payloads::decode(header.next_payload, &clear).unwrap();
        let expected = keys.authenticate(&[&id.to_be_bytes(), &nonce_i, payloads.after_first()]);
        assert_eq!(payloads.one(Kind::Hash, "").unwrap(), &expected[..]);
        let returned: Vec<_> = payloads.all(Kind::Identification).map(<[u8]>::to_vec).collect();
        assert_eq!(returned, ids.iter().map(Identification::encode).collect::<Vec<_>>(), "ids as they came");
        let nonce_r = payloads.one(Kind::Nonce, "").unwrap().to_vec();
        let answer = proposal::decode(payloads.one(Kind::Sa, "").unwrap()).unwrap();
        let chosen = answer[0].transforms[0];
        let offered = proposal::decode(&sa).unwrap();
        let offer = offered.iter().find(|one| one.number == answer[0].number).unwrap();
        let same = offer.transforms.iter().find(|one| one.number == chosen.number).unwrap();
        assert_eq!((same.id, same.attributes), (chosen.id, chosen.attributes), "octet for octet");
        let offer = selection::read_phase2(&chosen).unwrap();
        let spi_out = u32::from_be_bytes(answer[0].spi.try_into().unwrap());
        let hash = keys.authenticate(&[&[0], &id.to_be_bytes(), &nonce_i, &nonce_r]);
        let mut builder = Builder::new();
        builder.add(Kind::Hash, &[&hash]);
        let third = keys.seal(self.header(ExchangeType::Quick, id), &builder, &mut vector);
        let spi_in = u32::from_be_bytes(offered[0].spi.try_into().unwrap());
        let pair = self.pair(offer.suite, offer.mode, spi_in, spi_out, &nonce_i, &nonce_r);
        self.send(server, now, third);
        Some(pair)
    }

    fn pair(&mut self, suite: EspSuite, mode: Mode, spi_in: u32, spi_out: u32, ni: &[u8], nr: &[u8]) -> Pair {
        let keys = self.keys.as_ref().unwrap();
        let keymat = |spi| keys.keymat(suite, protocol::ESP, spi, ni, nr, None);
        let outbound =
            OutboundSa::new(Spi::new(spi_out).unwrap(), suite, &keymat(spi_out), &mut self.entropy);
        Pair {
            spi_in,
            mode,
            inbound: InboundSa::new(Spi::new(spi_in).unwrap(), suite, &keymat(spi_in), 64).unwrap(),
            outbound: outbound.unwrap(),
            ends: (SocketAddr::new(self.own.ip(), 1701), SocketAddr::new(self.dialled.ip(), 1701)),
        }
    }

    /// An informational message of these payloads.
    pub(super) fn informational(&mut self, rest: &Builder) -> Vec<u8> {
        let id = self.entropy.u32() | 1;
        let keys = self.keys.as_ref().unwrap();
        let mut builder = Builder::new();
        builder.add(Kind::Hash, &[&keys.authenticate(&[&id.to_be_bytes(), rest.chain().1])]).append(rest);
        keys.seal(self.header(ExchangeType::Informational, id), &builder, &mut keys.phase2_vector(id))
    }

    pub(super) fn delete(&mut self, server: &mut Endpoint, now: Instant, delete: &Delete) {
        let mut rest = Builder::new();
        rest.add(Kind::Delete, &[&delete.encode()]);
        let message = self.informational(&rest);
        self.send(server, now, message);
    }

    /// The way of its ESP packets.
    pub(super) fn esp_path(&self) -> Path {
        match self.path.nat_t {
            true => self.path,
            false => Path {
                local: SocketAddr::new(self.path.local.ip(), 0),
                remote: SocketAddr::new(self.path.remote.ip(), 0),
                nat_t: false,
            },
        }
    }
}

impl Pair {
    /// A packet of the client.
    pub(super) fn seal(&mut self, text: &[u8]) -> Vec<u8> {
        self.seal_from(1701, text)
    }

    pub(super) fn seal_from(&mut self, port: u16, text: &[u8]) -> Vec<u8> {
        let head = self.outbound.header_length() + if self.mode == Mode::Tunnel { 28 } else { 8 };
        let mut buffer = vec![0; head + text.len() + TAILROOM];
        buffer[head..head + text.len()].copy_from_slice(text);
        let mut source = self.ends.0;
        source.set_port(port);
        let addresses = InnerAddresses { source, destination: self.ends.1 };
        let (range, next) =
            inner::write(self.mode, &addresses, &mut buffer, head..head + text.len()).unwrap();
        let range = self.outbound.seal(&mut buffer, range, next).unwrap();
        buffer[range].to_vec()
    }

    /// What comes out of a packet of the server; and the UDP port that it is for.
    pub(super) fn open(&mut self, packet: &[u8]) -> Result<(Vec<u8>, u16), DropReason> {
        let mut packet = packet.to_vec();
        let opened = self.inbound.open(&mut packet)?;
        let outer: (IpAddr, IpAddr) = (self.ends.1.ip(), self.ends.0.ip());
        let rule = ChecksumRule::Accept;
        let udp = inner::read(self.mode, opened.next_header, &packet, opened.payload, outer, rule)?;
        Ok((packet[udp.payload].to_vec(), udp.destination_port))
    }

    /// A packet to the server and one back; gives the association and where the answer went.
    pub(super) fn carry(&mut self, server: &mut Endpoint, now: Instant, path: Path) -> (AssociationId, Path) {
        let mut packet = self.seal(b"question");
        let delivery = server.handle_esp(now, path, &mut packet).unwrap();
        assert_eq!(&packet[delivery.payload], b"question");
        let head = server.head_length(delivery.association).unwrap();
        let mut buffer = vec![0; head + 6 + TAILROOM];
        buffer[head..head + 6].copy_from_slice(b"answer");
        let (range, way) = server.seal(now, delivery.association, &mut buffer, head..head + 6).unwrap();
        assert_eq!(self.open(&buffer[range]).unwrap().0, b"answer");
        (delivery.association, way)
    }
}

/// Runs the jobs of a server and gives what it sends.
pub(super) fn answers(server: &mut Endpoint, now: Instant) -> Vec<(Path, Vec<u8>)> {
    while let Some(job) = server.poll_job() {
        let result = job.run(1_800_000_000);
        server.handle_job(now, result);
    }
    std::iter::from_fn(|| server.poll_transmit()).map(|transmit| (transmit.path, transmit.datagram)).collect()
}

pub(super) fn events(server: &mut Endpoint) -> Vec<Event> {
    std::iter::from_fn(|| server.poll_event()).collect()
}

/// A server for stock clients: the default list, the legacy one with it where asked for.
pub(super) fn server(now: Instant, legacy: bool) -> Endpoint {
    Endpoint::new(now, config(legacy), Place { shard: 1, bits: 2 }, Entropy::from_seed([1; 32]))
}

pub(super) fn config(legacy: bool) -> Config {
    use super::lab::{policy, server_config, set};
    use crate::algorithm::{EspCipher, Integrity};
    let mut config = server_config(&[b"secret"]);
    config.policies = vec![
        policy(Cipher::Aes256, Hash::Sha256, Group::Modp2048),
        policy(Cipher::Aes256, Hash::Sha1, Group::Modp2048),
    ];
    config.transform_sets = vec![
        set(EspCipher::Aes256, Some(Integrity::HmacSha1), Mode::Transport),
        set(EspCipher::Aes128, Some(Integrity::HmacSha1), Mode::Transport),
    ];
    if legacy {
        config.policies.push(policy(Cipher::Aes256, Hash::Sha384, Group::Modp1024));
        config.policies.push(policy(Cipher::TripleDes, Hash::Sha1, Group::Modp1024));
    }
    assert!(config.policies.iter().all(|policy| policy.authentication == Authentication::PreSharedKey));
    config
}

/// Nothing of set-ups and nothing of this peer is left.
pub(super) fn assert_empty(server: &Endpoint) {
    let counts = [
        server.ikes.len(),
        server.by_cookies.len(),
        server.associations.len(),
        server.by_key.len(),
        server.by_spi.len(),
        server.peers.len(),
        server.unauthenticated,
        server.half_opens.len(),
        server.half_opens.counted(),
    ];
    assert_eq!(counts, [0; 9]);
}

/// Lets a server's time pass, with nobody there.
pub(super) fn pass(server: &mut Endpoint, now: &mut Instant, time: std::time::Duration) {
    let until = *now + time;
    while let Some(next) = server.next_timeout().filter(|next| *next <= until) {
        *now = (*now).max(next);
        server.handle_timeout(*now);
        answers(server, *now);
    }
    *now = until;
}

/// The length that a message says it has.
pub(super) fn said_length(message: &[u8]) -> usize {
    let length = u32::from_be_bytes(message[HEADER - 4..HEADER].try_into().unwrap()) as usize;
    assert_eq!(length, message.len());
    length
}
