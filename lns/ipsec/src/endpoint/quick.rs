//! Phase 2: quick mode (RFC 2409 section 5.5), at either end.

mod initiator;

use std::net::IpAddr;
use std::time::Instant;

use super::event::{AssociationId, Failure, Path};
use super::ike::{IkeSa, Resend, Stage};
use super::job::{Job, Outcome, Owner, Work};
use super::responder::{NONCE, OUR_NONCE};
use super::{Endpoint, Incoming, L2TP_PORT};
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
use crate::ikev1::selection::{self, Phase2, Phase2Rules};

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
    /// Initiator: nothing; the third message is kept for a responder that has not heard it.
    Done,
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
    pub(super) fn quick(&mut self, now: Instant, id: u64, incoming: &Incoming<'_>) {
        let Incoming { path, header, message, .. } = *incoming;
        let Some(ike) = self.ikes.get_mut(&id) else { return };
        if ike.stage == Stage::WaitsForHash {
            // The peer went on, and we have not heard its proof: a repeated second message makes it repeat the third.
            self.counters.out_of_turn += 1;
            return self.send_again(id, None);
        }
        if !ike.is_established() || !header.is_encrypted() || header.message_id == 0 {
            self.counters.out_of_turn += 1;
            return;
        }
        if ike.has_finished(header.message_id) {
            self.counters.repeated += 1;
            return;
        }
        let going_on = ike.quicks.values().filter(|quick| quick.stage != QuickStage::Done);
        let are_many = going_on.count() >= MOST_QUICKS;
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
                QuickStage::WaitsForThird => self.quick_third(now, id, incoming),
                QuickStage::WaitsForSecond => self.quick_second(now, id, incoming),
                QuickStage::MakesKey | QuickStage::MakesPair | QuickStage::Shares | QuickStage::Done => None,
            },
            None if are_many => {
                self.counters.jobs_refused += 1;
                Some(())
            }
            None => self.quick_first(now, id, incoming),
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
    fn quick_first(&mut self, now: Instant, id: u64, incoming: &Incoming<'_>) -> Option<()> {
        let Incoming { path, header, body, message } = *incoming;
        let ike = self.ikes.get_mut(&id)?;
        let first = Self::open_first(ike, &header, body)?;
        // It may be an old one, sent again from anywhere: the third message will tell. It is answered where it came from.
        let (nat, connection) = (ike.nat, ike.connection);
        let dial = ike.dial.clone();
        let payloads = Payloads::decode(first.next_payload, &first.clear).ok()?;
        let sa = payloads.one(Kind::Sa, "SA").ok()?;
        let proposals = proposal::decode(sa).ok()?;
        let nonce_i = payloads.one(Kind::Nonce, "nonce").ok().filter(|nonce| NONCE.contains(&nonce.len()))?;
        let groups = self.config.dh_groups();
        let rules = Phase2Rules {
            sets: dial.as_ref().map_or(&self.config.transform_sets, |dial| &dial.transform_sets),
            pfs: self.config.pfs,
            groups: &groups,
            in_udp: match (path.nat_t, nat.found()) {
                (true, true) => Some(true),
                (true, false) => None,
                (false, _) => Some(false),
            },
        };
        if !path.nat_t && !self.config.raw_esp {
            if let Some(ike) = self.ikes.get_mut(&id) {
                ike.finish_quick(header.message_id);
            }
            self.notify(id, path, notification::NO_PROPOSAL_CHOSEN, &[]);
            let words = "the client knows no NAT traversal (RFC 3947) and would send ESP as IP protocol 50, which is not \
                         served here: set esp = true in [ipsec] and give tollgate CAP_NET_RAW, or update the client";
            self.fail(connection, path, Failure::Unsupported(words));
            return Some(());
        }
        let Some((proposal, transform, offer)) = selection::choose_phase2(&proposals, &rules) else {
            let offered = selection::explain_phase2(&proposals, &rules);
            let allowed = rules.sets.iter().map(ToString::to_string).collect();
            if let Some(ike) = self.ikes.get_mut(&id) {
                ike.finish_quick(header.message_id);
            }
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
        // Where we dialled, it is the server that speaks first.
        let is_ours = ids.as_ref().is_none_or(|(one, other)| match dial {
            Some(_) => is_l2tp(other, one),
            None => is_l2tp(one, other),
        });
        if !is_ours {
            let wanted = ids.as_ref().map(|(client, server)| format!("{client:?} to {server:?}"));
            if let Some(ike) = self.ikes.get_mut(&id) {
                ike.finish_quick(header.message_id);
            }
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
    fn quick_third(&mut self, now: Instant, id: u64, incoming: &Incoming<'_>) -> Option<()> {
        let Incoming { path, header, body, .. } = *incoming;
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
                self.end_quick(now, id, message_id);
            }
            (_, Outcome::BadPublicValue) => {
                self.counters.unauthentic += 1;
                match quick.stage {
                    QuickStage::Shares => {
                        let words = "the peer's Diffie-Hellman value is none of its group";
                        self.quick_failed(now, id, message_id, Failure::Unsupported(words));
                    }
                    _ => ike.finish_quick(message_id),
                }
            }
            _ => {}
        }
    }

    /// An SPI that nothing here uses.
    pub(super) fn free_spi(&mut self) -> Spi {
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
