//! Quick mode at the one who begins it: the client for a connection, either end for new keys.

use std::time::Instant;

use super::super::event::{AssociationId, Failure};
use super::super::ike::Resend;
use super::super::job::{Job, Owner, Work};
use super::super::responder::{NONCE, OUR_NONCE};
use super::super::{Endpoint, Incoming, L2TP_PORT};
use super::{Quick, QuickStage, UDP, authenticated, quick_header};
use crate::crypto;
use crate::esp::Spi;
use crate::ikev1::identification::Identification;
use crate::ikev1::payload::{Builder, Kind, Payloads};
use crate::ikev1::proposal::{self, protocol};
use crate::ikev1::selection::{self, Encapsulation};

impl Endpoint {
    /// Begins phase 2 as initiator; for an association that is there, or for a new one.
    pub(in super::super) fn start_quick(
        &mut self,
        now: Instant,
        id: u64,
        association: Option<AssociationId>,
    ) {
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

    pub(super) fn send_quick_first(&mut self, now: Instant, id: u64, message_id: u32) {
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
    pub(super) fn quick_second(&mut self, now: Instant, id: u64, incoming: &Incoming<'_>) -> Option<()> {
        let Incoming { path, header, body, message } = *incoming;
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
        let spi_out = chosen.spi.first_chunk().copied().map(u32::from_be_bytes)?;
        let nonce_r = payloads.one(Kind::Nonce, "nonce").ok().filter(|nonce| NONCE.contains(&nonce.len()))?;
        let peer_public = payloads.optional(Kind::KeyExchange, "key exchange").ok()?;
        if !is_ours || Spi::new(spi_out).is_none() || quick.pair.is_some() != peer_public.is_some() {
            return None;
        }
        quick.spi_out = spi_out;
        quick.offer = Some(offer);
        quick.nonce_r = nonce_r.to_vec();
        quick.vector = vector;
        quick.resend.received(message);
        quick.resend.answered();
        quick.path = path;
        ike.heard = now;
        ike.path = path;
        match (quick.pair.take(), peer_public) {
            (Some(pair), Some(peer)) => {
                quick.stage = QuickStage::Shares;
                let work = Work::Share { pair, peer: peer.to_vec() };
                self.give_job(Job { owner: Owner { ike: id, message_id: Some(header.message_id) }, work });
            }
            _ => self.end_quick(now, id, header.message_id),
        }
        Some(())
    }

    /// Message 3, or the end of the exchange where no keys come of it.
    pub(super) fn end_quick(&mut self, now: Instant, id: u64, message_id: u32) {
        if self.send_quick_third(now, id, message_id).is_none() {
            let words = "what the server chose in phase 2 makes no keys";
            self.quick_failed(now, id, message_id, Failure::Unsupported(words));
        }
    }

    /// An exchange that we began comes to nothing. An ISAKMP association that keeps nothing else goes with it.
    pub(in super::super) fn quick_failed(
        &mut self,
        now: Instant,
        id: u64,
        message_id: u32,
        failure: Failure,
    ) {
        let Some(ike) = self.ikes.get_mut(&id) else { return };
        let Some(quick) = ike.quicks.get(&message_id) else { return };
        let (association, path, connection) = (quick.association, quick.path, ike.connection);
        ike.finish_quick(message_id);
        let is_idle = ike.keeps_nothing();
        if association.is_none() {
            self.fail(connection, path, failure);
        }
        if is_idle {
            self.close_ike(now, id);
        }
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
        quick.stage = QuickStage::Done;
        quick.resend.sends(now, vec![message.clone()], false);
        quick.resend.keep(now);
        self.send_raw(path, &message);
        if let Some(association) = association {
            self.confirm(now, association, spi.get());
        }
        Some(())
    }
}
