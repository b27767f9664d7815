//! Phase 2: quick mode (RFC 2409 section 5.5), at either end.

use std::net::IpAddr;
use std::time::Instant;

use super::event::{AssociationId, Failure, Path};
use super::ike::{IkeSa, Resend};
use super::job::{Job, Outcome, Owner, Work};
use super::responder::OUR_NONCE;
use super::{Endpoint, L2TP_PORT};
use crate::algorithm::{Group, Mode};
use crate::crypto;
use crate::dh::KeyPair;
use crate::esp::Spi;
use crate::ikev1::header::{ExchangeType, Header};
use crate::ikev1::identification::{Identification, kind as id_kind};
use crate::ikev1::keys::Keys;
use crate::ikev1::notify::kind as notification;
use crate::ikev1::payload::{Builder, Kind, Payloads};
use crate::ikev1::proposal::{self, protocol};
use crate::ikev1::selection::{self, Encapsulation, Phase2, Phase2Rules};

/// Exchanges of one peer under way at once.
const MOST_QUICKS: usize = 8;
/// UDP's number.
const UDP: u8 = 17;

/// What an exchange waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum QuickStage {
    /// Responder with PFS: the key exchange is being computed.
    MakesKey,
    /// Responder: the third message.
    WaitsForThird,
    /// Initiator with PFS: our key pair is being computed.
    MakesPair,
    /// Initiator: the second message.
    WaitsForSecond,
    /// Initiator with PFS: the shared secret is being computed.
    Shares,
}

/// One exchange.
pub(super) struct Quick {
    pub(super) stage: QuickStage,
    pub(super) resend: Resend,
    pub(super) path: Path,
    pub(super) spi_in: Spi,
    pub(super) spi_out: u32,
    pub(super) offer: Option<Phase2>,
    /// The association that gets the keys, where it is known.
    pub(super) association: Option<AssociationId>,
    pub(super) ids: Option<(Identification, Identification)>,
    vector: Vec<u8>,
    nonce_i: Vec<u8>,
    nonce_r: Vec<u8>,
    /// The body of the SA payload that is sent.
    sa: Vec<u8>,
    id_bodies: Vec<Vec<u8>>,
    /// What the client says its own address is, behind its NAT.
    pub(super) original_address: Option<IpAddr>,
    pair: Option<Box<KeyPair>>,
    public: Vec<u8>,
    pub(super) shared: Option<zeroize::Zeroizing<Vec<u8>>>,
}

impl Quick {
    pub(super) fn due(&self) -> Option<Instant> {
        self.resend.due()
    }

    /// KEYMAT inbound and outbound.
    pub(super) fn keymat(
        &self,
        keys: &Keys,
        suite: crate::algorithm::EspSuite,
    ) -> [zeroize::Zeroizing<Vec<u8>>; 2] {
        let shared = self.shared.as_ref().map(|shared| shared.as_slice());
        [self.spi_in.get(), self.spi_out]
            .map(|spi| keys.keymat(suite, protocol::ESP, spi, &self.nonce_i, &self.nonce_r, shared))
    }
}

/// A message of quick mode that proved genuine.
struct FirstMessage {
    clear: zeroize::Zeroizing<Vec<u8>>,
    next_payload: u8,
    vector: Vec<u8>,
}

fn quick_header(ike: &IkeSa, message_id: u32) -> Header {
    Header { cookies: ike.cookies, next_payload: 0, exchange: ExchangeType::Quick, flags: 0, message_id }
}

/// Puts the hash over message id, further parts and the rest in front of the rest.
fn authenticated(keys: &Keys, parts: &[&[u8]], rest: &Builder) -> Builder {
    let (_, octets) = rest.chain();
    let hash = keys.authenticate(&[parts, &[octets]].concat());
    let mut builder = Builder::new();
    builder.add(Kind::Hash, &[&hash]).append(rest);
    builder
}

impl Endpoint {
    pub(super) fn quick(
        &mut self,
        now: Instant,
        id: u64,
        path: Path,
        header: &Header,
        body: &[u8],
        message: &[u8],
    ) {
        let Some(ike) = self.ikes.get_mut(&id) else { return };
        if !ike.is_established() || !header.is_encrypted() || header.message_id == 0 {
            self.counters.out_of_turn += 1;
            return;
        }
        if ike.has_finished(header.message_id) {
            self.counters.repeated += 1;
            return;
        }
        let are_many = ike.quicks.len() >= MOST_QUICKS;
        let outcome = match ike.quicks.get_mut(&header.message_id) {
            Some(quick) if quick.resend.is_repeated(message) => {
                self.counters.repeated += 1;
                let again = quick.resend.sent.clone();
                again.iter().for_each(|message| self.send_raw(path, message));
                Some(())
            }
            Some(quick) if quick.resend.is_reflected(message) => {
                self.counters.reflected += 1;
                Some(())
            }
            Some(quick) => match quick.stage {
                QuickStage::WaitsForThird => self.quick_third(now, id, path, header, body),
                QuickStage::WaitsForSecond => self.quick_second(now, id, path, header, body, message),
                QuickStage::MakesKey | QuickStage::MakesPair | QuickStage::Shares => None,
            },
            None if are_many => {
                self.counters.jobs_refused += 1;
                Some(())
            }
            None => self.quick_first(now, id, path, header, body, message),
        };
        if outcome.is_none() {
            self.counters.unauthentic += 1;
        }
    }

    /// Decrypts a first message and checks HASH(1).
    fn open_first(ike: &IkeSa, header: &Header, body: &[u8]) -> Option<FirstMessage> {
        let keys = ike.keys.as_ref()?;
        let (clear, vector) = keys.open(&keys.phase2_vector(header.message_id), body)?;
        let payloads = Payloads::decode(header.next_payload, &clear).ok()?;
        let hash = payloads.one(Kind::Hash, "hash").ok().filter(|_| payloads.first() == Some(Kind::Hash))?;
        let expected = keys.authenticate(&[&header.message_id.to_be_bytes(), payloads.after_first()]);
        crypto::equal(&expected, hash).then_some(())?;
        Some(FirstMessage { next_payload: header.next_payload, clear, vector })
    }

    /// Message 1 at the responder: proposals, nonce, identities. `None` when it is not genuine.
    fn quick_first(
        &mut self,
        now: Instant,
        id: u64,
        path: Path,
        header: &Header,
        body: &[u8],
        message: &[u8],
    ) -> Option<()> {
        let ike = self.ikes.get_mut(&id)?;
        let first = Self::open_first(ike, header, body)?;
        ike.heard = now;
        ike.path = path;
        let (nat, connection) = (ike.nat, ike.connection);
        let payloads = Payloads::decode(first.next_payload, &first.clear).ok()?;
        let sa = payloads.one(Kind::Sa, "SA").ok()?;
        let proposals = proposal::decode(sa).ok()?;
        let nonce_i =
            payloads.one(Kind::Nonce, "nonce").ok().filter(|nonce| (8..=256).contains(&nonce.len()))?;
        let groups = self.config.dh_groups();
        let rules = Phase2Rules {
            sets: &self.config.transform_sets,
            pfs: self.config.pfs,
            groups: &groups,
            in_udp: match (path.nat_t, nat.found()) {
                (true, true) => Some(true),
                (true, false) => None,
                (false, _) => Some(false),
            },
        };
        let Some((proposal, transform, offer)) = selection::choose_phase2(&proposals, &rules) else {
            let offered = selection::explain_phase2(&proposals, &rules);
            let allowed = self.config.transform_sets.iter().map(ToString::to_string).collect();
            self.notify(id, path, notification::NO_PROPOSAL_CHOSEN, &[]);
            self.fail(connection, path, Failure::NoPhase2Proposal { offered, allowed });
            return Some(());
        };
        let id_bodies: Vec<Vec<u8>> = payloads.all(Kind::Identification).map(<[u8]>::to_vec).collect();
        let ids = match id_bodies.as_slice() {
            [] => None,
            [client, server] => {
                Some((Identification::decode(client).ok()?, Identification::decode(server).ok()?))
            }
            _ => return None,
        };
        let is_ours = ids.as_ref().is_none_or(|(client, server)| is_l2tp(client, server));
        if !is_ours {
            let wanted = ids.as_ref().map(|(client, server)| format!("{client:?} to {server:?}"));
            self.notify(id, path, notification::INVALID_ID_INFORMATION, &[]);
            self.fail(connection, path, Failure::Selectors { wanted: wanted.unwrap_or_default() });
            return Some(());
        }
        let ike = self.ikes.get(&id)?;
        let original_address = ike
            .vendor
            .nat_traversal
            .and_then(|version| payloads.all(version.original_address_kind()).next())
            .and_then(|body| Identification::decode(body).ok())
            .and_then(|address| address.ip());
        let peer_spi = proposal.spi.first_chunk().copied().map(u32::from_be_bytes);
        let spi_out = peer_spi.filter(|spi| Spi::new(*spi).is_some())?;
        let peer_public = payloads.optional(Kind::KeyExchange, "key exchange").ok()?.map(<[u8]>::to_vec);
        let group = match (offer.group.and_then(Group::from_number), &peer_public) {
            (Some(group), Some(public)) if public.len() == group.public_length() => Some(group),
            (None, None) => None,
            _ => return None,
        };
        if group.is_some() && !self.has_room_for_job() {
            return Some(());
        }
        let spi_in = self.free_spi();
        let nonce_r: [u8; OUR_NONCE] = self.entropy.array();
        let mut resend = Resend::default();
        resend.received(message);
        let quick = Quick {
            stage: QuickStage::MakesKey,
            resend,
            path,
            spi_in,
            spi_out,
            offer: Some(offer),
            association: None,
            ids,
            vector: first.vector.clone(),
            nonce_i: nonce_i.to_vec(),
            nonce_r: nonce_r.to_vec(),
            sa: proposal::answer(proposal, &spi_in.get().to_be_bytes(), &transform),
            id_bodies,
            original_address,
            pair: None,
            public: Vec::new(),
            shared: None,
        };
        let ike = self.ikes.get_mut(&id)?;
        ike.quicks.insert(header.message_id, Box::new(quick));
        match (group, peer_public) {
            (Some(group), Some(peer)) => {
                let work = Work::Respond { group, peer, entropy: self.entropy.fork() };
                self.give_job(Job { owner: Owner { ike: id, message_id: Some(header.message_id) }, work });
            }
            _ => self.answer_quick(now, id, header.message_id),
        }
        Some(())
    }

    /// Message 2: our choice, nonce, and the identities as they came. From here on we can receive.
    fn answer_quick(&mut self, now: Instant, id: u64, message_id: u32) {
        if self.send_second(now, id, message_id).is_none() {
            if let Some(ike) = self.ikes.get_mut(&id) {
                ike.finish_quick(message_id);
            }
            self.counters.out_of_turn += 1;
        }
    }

    fn send_second(&mut self, now: Instant, id: u64, message_id: u32) -> Option<()> {
        self.install(now, id, message_id)?;
        let ike = self.ikes.get_mut(&id)?;
        let header = quick_header(ike, message_id);
        let (nat, version) = (ike.nat, ike.vendor.nat_traversal);
        let quick = ike.quicks.get_mut(&message_id)?;
        let keys = ike.keys.as_ref()?;
        let mut rest = Builder::new();
        rest.add(Kind::Sa, &[&quick.sa]).add(Kind::Nonce, &[&quick.nonce_r]);
        if !quick.public.is_empty() {
            rest.add(Kind::KeyExchange, &[&quick.public]);
        }
        for body in &quick.id_bodies {
            rest.add(Kind::Identification, &[body]);
        }
        let is_transport = quick.offer.is_some_and(|offer| offer.mode == Mode::Transport);
        if let Some(version) = version.filter(|_| nat.found() && is_transport && quick.path.nat_t) {
            // RFC 3947 section 5.2: the initiator as we see it, and ourselves.
            for address in [quick.path.remote.ip(), quick.path.local.ip()] {
                let body = Identification::address(address, 0, 0).encode();
                rest.add(version.original_address_kind(), &[&body]);
            }
        }
        let builder = authenticated(keys, &[&message_id.to_be_bytes(), &quick.nonce_i], &rest);
        let message = keys.seal(header, &builder, &mut quick.vector);
        quick.stage = QuickStage::WaitsForThird;
        quick.resend.sends(now, vec![message.clone()], true);
        let path = quick.path;
        self.send_raw(path, &message);
        Some(())
    }

    /// Message 3 at the responder: the initiator has the keys.
    fn quick_third(&mut self, now: Instant, id: u64, path: Path, header: &Header, body: &[u8]) -> Option<()> {
        let ike = self.ikes.get_mut(&id)?;
        let keys = ike.keys.as_ref()?;
        let quick = ike.quicks.get(&header.message_id)?;
        let (clear, _) = keys.open(&quick.vector, body)?;
        let payloads = Payloads::decode(header.next_payload, &clear).ok()?;
        let hash = payloads.one(Kind::Hash, "hash").ok()?;
        let expected =
            keys.authenticate(&[&[0], &header.message_id.to_be_bytes(), &quick.nonce_i, &quick.nonce_r]);
        crypto::equal(&expected, hash).then_some(())?;
        ike.heard = now;
        ike.path = path;
        let (spi, association) = (quick.spi_in, quick.association);
        ike.finish_quick(header.message_id);
        if let Some(association) = association {
            self.confirm(now, association, spi.get());
        }
        Some(())
    }

    /// Begins phase 2 as initiator; for an association that is there, or for a new one.
    pub(super) fn start_quick(&mut self, now: Instant, id: u64, association: Option<AssociationId>) {
        let message_id = self.entropy.u32() | 1;
        let spi_in = self.free_spi();
        let nonce: [u8; OUR_NONCE] = self.entropy.array();
        let Some(ike) = self.ikes.get_mut(&id) else { return };
        let Some(keys) = &ike.keys else { return };
        let existing = association.and_then(|id| self.associations.get(&id));
        let encapsulation = match (ike.path.nat_t, ike.vendor.nat_traversal) {
            (false, _) => Encapsulation::Raw,
            (true, Some(crate::ikev1::vendor::NatTraversal::Draft)) => Encapsulation::UdpDraft,
            (true, _) => Encapsulation::Udp,
        };
        let (sets, pfs, seconds, kilobytes, ids) = match (&ike.dial, existing) {
            (Some(dial), _) => {
                let server = dial.server_identity.unwrap_or(ike.path.remote.ip());
                let client = Identification::address(ike.path.local.ip(), UDP, dial.port);
                let server = Identification::address(server, UDP, L2TP_PORT);
                (
                    dial.transform_sets.clone(),
                    dial.pfs,
                    dial.sa_lifetime,
                    self.config.sa_kilobytes,
                    (client, server),
                )
            }
            // We were the responder: the same again, seen from our side.
            (None, Some(existing)) => {
                let set = existing.children.last().map(|child| child.set);
                let ours = Identification::address(existing.inner_local, UDP, existing.local_port);
                let theirs = Identification::address(existing.inner_remote, UDP, existing.peer_port);
                let group = match self.config.pfs {
                    selection::Pfs::Required(group) => Some(group),
                    selection::Pfs::WhenAsked => None,
                };
                (set.into_iter().collect(), group, self.config.sa_lifetime, None, (ours, theirs))
            }
            (None, None) => return,
        };
        let transforms = selection::offer_phase2(&sets, encapsulation, pfs, seconds.as_secs(), kilobytes);
        let quick = Quick {
            stage: QuickStage::MakesPair,
            resend: Resend::default(),
            path: ike.path,
            spi_in,
            spi_out: 0,
            offer: None,
            association,
            id_bodies: vec![ids.0.encode(), ids.1.encode()],
            ids: Some(ids),
            vector: keys.phase2_vector(message_id),
            nonce_i: nonce.to_vec(),
            nonce_r: Vec::new(),
            sa: proposal::encode_each(protocol::ESP, &spi_in.get().to_be_bytes(), &transforms),
            original_address: None,
            pair: None,
            public: Vec::new(),
            shared: None,
        };
        ike.quicks.insert(message_id, Box::new(quick));
        match pfs {
            Some(group) => {
                let work = Work::Pair { group, entropy: self.entropy.fork() };
                self.give_job(Job { owner: Owner { ike: id, message_id: Some(message_id) }, work });
            }
            None => self.send_quick_first(now, id, message_id),
        }
        self.arm_ike(id);
    }

    fn send_quick_first(&mut self, now: Instant, id: u64, message_id: u32) {
        let Some(ike) = self.ikes.get_mut(&id) else { return };
        let header = quick_header(ike, message_id);
        let (nat, version) = (ike.nat, ike.vendor.nat_traversal);
        let Some(quick) = ike.quicks.get_mut(&message_id) else { return };
        let Some(keys) = &ike.keys else { return };
        let mut rest = Builder::new();
        rest.add(Kind::Sa, &[&quick.sa]).add(Kind::Nonce, &[&quick.nonce_i]);
        if !quick.public.is_empty() {
            rest.add(Kind::KeyExchange, &[&quick.public]);
        }
        for body in &quick.id_bodies {
            rest.add(Kind::Identification, &[body]);
        }
        if let Some(version) = version.filter(|_| nat.found() && quick.path.nat_t) {
            for address in [quick.path.local.ip(), quick.path.remote.ip()] {
                let body = Identification::address(address, 0, 0).encode();
                rest.add(version.original_address_kind(), &[&body]);
            }
        }
        let builder = authenticated(keys, &[&message_id.to_be_bytes()], &rest);
        let message = keys.seal(header, &builder, &mut quick.vector);
        quick.stage = QuickStage::WaitsForSecond;
        quick.resend.sends(now, vec![message.clone()], true);
        let path = quick.path;
        self.send_raw(path, &message);
    }

    /// Message 2 at the initiator.
    fn quick_second(
        &mut self,
        now: Instant,
        id: u64,
        path: Path,
        header: &Header,
        body: &[u8],
        message: &[u8],
    ) -> Option<()> {
        let ike = self.ikes.get_mut(&id)?;
        let keys = ike.keys.as_ref()?;
        let quick = ike.quicks.get_mut(&header.message_id)?;
        let (clear, vector) = keys.open(&quick.vector, body)?;
        let payloads = Payloads::decode(header.next_payload, &clear).ok()?;
        let hash = payloads.one(Kind::Hash, "hash").ok().filter(|_| payloads.first() == Some(Kind::Hash))?;
        let mid = header.message_id.to_be_bytes();
        let expected = keys.authenticate(&[&mid, &quick.nonce_i, payloads.after_first()]);
        crypto::equal(&expected, hash).then_some(())?;
        let proposals = proposal::decode(payloads.one(Kind::Sa, "SA").ok()?).ok()?;
        let [chosen] = proposals.as_slice() else { return None };
        let [transform] = chosen.transforms.as_slice() else { return None };
        let offer = selection::read_phase2(transform).ok()?;
        let is_ours = match &ike.dial {
            Some(dial) => dial.transform_sets.contains(&offer.set()),
            None => self.config.transform_sets.contains(&offer.set()),
        };
        if !is_ours {
            return None;
        }
        quick.spi_out = chosen.spi.first_chunk().copied().map(u32::from_be_bytes)?;
        quick.offer = Some(offer);
        quick.nonce_r = payloads.one(Kind::Nonce, "nonce").ok()?.to_vec();
        quick.vector = vector;
        quick.resend.received(message);
        quick.resend.answered();
        quick.path = path;
        ike.heard = now;
        ike.path = path;
        let peer_public = payloads.optional(Kind::KeyExchange, "key exchange").ok()?;
        match (quick.pair.take(), peer_public) {
            (Some(pair), Some(peer)) => {
                quick.stage = QuickStage::Shares;
                let work = Work::Share { pair, peer: peer.to_vec() };
                self.give_job(Job { owner: Owner { ike: id, message_id: Some(header.message_id) }, work });
            }
            (None, None) => return self.send_quick_third(now, id, header.message_id),
            _ => return None,
        }
        Some(())
    }

    /// Message 3: from here on both ends have the keys.
    fn send_quick_third(&mut self, now: Instant, id: u64, message_id: u32) -> Option<()> {
        self.install(now, id, message_id)?;
        let ike = self.ikes.get_mut(&id)?;
        let header = quick_header(ike, message_id);
        let quick = ike.quicks.get_mut(&message_id)?;
        let keys = ike.keys.as_ref()?;
        let hash = keys.authenticate(&[&[0], &message_id.to_be_bytes(), &quick.nonce_i, &quick.nonce_r]);
        let mut builder = Builder::new();
        builder.add(Kind::Hash, &[&hash]);
        let message = keys.seal(header, &builder, &mut quick.vector);
        let (spi, association, path) = (quick.spi_in, quick.association, quick.path);
        // Kept until a while after, for a responder that did not hear it and asks again.
        quick.resend.sends(now, vec![message.clone()], false);
        quick.resend.keep(now);
        self.send_raw(path, &message);
        if let Some(association) = association {
            self.confirm(now, association, spi.get());
        }
        Some(())
    }

    /// A job of an exchange is done.
    pub(super) fn quick_job(&mut self, now: Instant, id: u64, message_id: u32, outcome: Outcome) {
        let Some(ike) = self.ikes.get_mut(&id) else { return };
        let Some(quick) = ike.quicks.get_mut(&message_id) else { return };
        match (quick.stage, outcome) {
            (QuickStage::MakesKey, Outcome::Responded { public, shared }) => {
                quick.public = public;
                quick.shared = Some(shared);
                self.answer_quick(now, id, message_id);
            }
            (QuickStage::MakesPair, Outcome::Paired(pair)) => {
                quick.public = pair.public_value().to_vec();
                quick.pair = Some(pair);
                self.send_quick_first(now, id, message_id);
            }
            (QuickStage::Shares, Outcome::Shared(shared)) => {
                quick.shared = Some(shared);
                // What cannot be installed now is given up by the timer.
                let _ = self.send_quick_third(now, id, message_id);
            }
            (_, Outcome::BadPublicValue) => {
                self.counters.unauthentic += 1;
                ike.finish_quick(message_id);
            }
            _ => {}
        }
    }

    /// An SPI that nothing here uses.
    fn free_spi(&mut self) -> Spi {
        loop {
            let [a, b, c, d]: [u8; 4] = self.entropy.array();
            let number = u32::from_be_bytes([a, b, c, self.place.mark(d)]);
            if let Some(spi) = Spi::new(number).filter(|spi| !self.by_spi.contains_key(&spi.get())) {
                return spi;
            }
        }
    }
}

/// Whether the traffic that a client wants protected is L2TP with us. Its own address may be anything (a private one
/// behind a NAT, a name from old Windows), and so may ours (the public one in front of a NAT).
fn is_l2tp(client: &Identification, server: &Identification) -> bool {
    let is_host = |id: &Identification| {
        matches!(id.kind, id_kind::IPV4_ADDR | id_kind::IPV6_ADDR | id_kind::FQDN | id_kind::USER_FQDN)
            || id.kind == id_kind::IPV4_SUBNET && id.data.ends_with(&[255; 4])
    };
    let is_udp = |id: &Identification| matches!(id.protocol, 0 | UDP);
    is_host(client)
        && is_host(server)
        && is_udp(client)
        && is_udp(server)
        && matches!(server.port, 0 | L2TP_PORT)
}
