//! Aggressive mode (RFC 2409 section 5.4), at either end: three messages, and the identity in clear.

use super::event::{Failure, PeerIdentity};
use super::ike::{IkeSa, Phase1, Stage};
use super::messages::{add_nat_detection, add_vendor_answers, add_vendor_offers, phase1_header};
use super::responder::{KeyParts, OUR_NONCE};
use super::{Endpoint, Incoming};
use crate::algorithm::Authentication;
use crate::crypto;
use crate::ikev1::header::{Cookie, Cookies, ExchangeType};
use crate::ikev1::identification::{Identification, kind as id_kind};
use crate::ikev1::keys::Keys;
use crate::ikev1::nat;
use crate::ikev1::notify::{Notification, kind as notification};
use crate::ikev1::payload::{Builder, Kind, PayloadError, Payloads};
use crate::ikev1::proposal;
use crate::ikev1::vendor::Vendor;
use std::sync::Arc;
use std::time::Instant;

impl Endpoint {
    /// Aggressive mode, message 1: everything of the initiator but its proof.
    pub(super) fn aggressive_message(&mut self, now: Instant, incoming: &Incoming<'_>) {
        let Incoming { path, header, body, message } = *incoming;
        if !self.config.aggressive {
            self.notify_in_clear(path, header.cookies, notification::INVALID_EXCHANGE_TYPE);
            return self.fail(None, path, Failure::AggressiveMode);
        }
        let read = || -> Result<_, PayloadError> {
            let payloads = Payloads::decode(header.next_payload, body)?;
            let sa = payloads.one(Kind::Sa, "SA")?;
            let id = payloads.one(Kind::Identification, "identification")?;
            Ok((payloads, sa, proposal::decode(sa)?, id, Identification::decode(id)?))
        };
        let Ok((payloads, sa, proposals, id_body, identity)) = read() else {
            self.counters.malformed += 1;
            return;
        };
        self.half_opens.expire(now);
        if self.half_opens.is_full(path.remote.ip(), self.config.max_half_open_per_source) {
            self.counters.source_limited += 1;
            return;
        }
        let public = payloads.all(Kind::KeyExchange).next().map_or(0, <[u8]>::len);
        let chosen = self.choose(&proposals, |policy| {
            policy.authentication == Authentication::PreSharedKey && policy.group.public_length() == public
        });
        let Some((proposal, chosen)) = chosen else {
            return self.no_proposal(path, header.cookies, &proposals);
        };
        let group = match self.config.keys.iter().find(|group| group.tunnel_group.as_bytes() == identity.data)
        {
            Some(group) => Some(group),
            None if identity.kind == id_kind::KEY_ID => None,
            None => self.config.keys.iter().find(|group| group.tunnel_group == self.config.default_group),
        };
        let Some((group, key)) = group.and_then(|group| Some((group, group.keys.first()?))) else {
            let tunnel_group = match identity.kind {
                id_kind::KEY_ID => identity.to_string().as_str().into(),
                _ => Arc::clone(&self.config.default_group),
            };
            self.notify_in_clear(path, header.cookies, notification::INVALID_ID_INFORMATION);
            return self.fail(None, path, Failure::NoKey { identity: identity.to_string(), tunnel_group });
        };
        let (key, key_of) = (Arc::clone(key), (Arc::clone(&group.tunnel_group), 1));
        let Ok(parts) = KeyParts::read(&payloads, chosen.policy.group) else {
            self.counters.malformed += 1;
            return;
        };
        // Its sender has not shown that it receives at its address: half of the room is kept for those who have.
        if !self.may_begin(2) {
            return;
        }
        let responder = self.half_opens.fresh_cookie(now, path.remote, header.cookies.initiator);
        let cookies = Cookies { initiator: header.cookies.initiator, responder };
        if self.by_cookies.contains_key(&cookies) {
            // The same message again, while its answer is on the way.
            if let Some(id) = self.by_cookies.get(&cookies).copied() {
                self.send_again(id, Some(path));
            }
            return;
        }
        self.half_opens.occupy(path.remote.ip());
        let mut ike = IkeSa::new(now, false, cookies, path, chosen.policy);
        ike.counted = Some(path.remote.ip());
        ike.vendor = Vendor::of(payloads.all(Kind::VendorId));
        ike.resend.received(message);
        let nonce_r: [u8; OUR_NONCE] = self.entropy.array();
        let skeyid = Keys::skeyid_from_key(chosen.policy.hash, &key, &parts.nonce, &nonce_r);
        ike.phase1 = Some(Box::new(Phase1 {
            sa_i: sa.into(),
            sa_r: proposal::answer(proposal, &[], &chosen.transform),
            nonce_i: parts.nonce,
            nonce_r: nonce_r.to_vec(),
            public_i: parts.public,
            peer_id: id_body.to_vec(),
            skeyid: Some(skeyid),
            key: Some(key_of),
            ..Phase1::default()
        }));
        self.begin_responding(ike, chosen.policy.group, parts.full_public);
    }

    /// Aggressive mode, message 2.
    pub(super) fn send_aggressive_answer(&mut self, now: Instant, id: u64) {
        let random = self.entropy.array();
        let force = self.config.force_udp || !self.config.raw_esp;
        let Some(ike) = self.ikes.get_mut(&id) else { return };
        let Some(mut phase1) = ike.phase1.take() else { return };
        let own = Identification::address(ike.path.local.ip(), 0, 0).encode();
        let skeyid = phase1.skeyid.take();
        let keys = skeyid.and_then(|skeyid| {
            Keys::derive(ike.policy.hash, ike.policy.cipher, skeyid, &phase1.exchange(ike.cookies))
        });
        let Some(keys) = keys else { return };
        let proof = keys.proof(&phase1.exchange(ike.cookies), false, &phase1.sa_i, &own);
        let mut builder = Builder::new();
        builder
            .add(Kind::Sa, &[&phase1.sa_r])
            .add(Kind::KeyExchange, &[&phase1.public_r])
            .add(Kind::Nonce, &[&phase1.nonce_r])
            .add(Kind::Identification, &[&own])
            .add(Kind::Hash, &[&proof]);
        add_vendor_answers(&mut builder, &ike.vendor, self.config.minimal_vendor_ids);
        add_nat_detection(&mut builder, ike, force, None, random);
        ike.nat.remote |= force && ike.vendor.nat_traversal.is_some();
        ike.vector = keys.phase1_vector();
        ike.keys = Some(keys);
        ike.phase1 = Some(phase1);
        ike.stage = Stage::WaitsForHash;
        let message = builder.finish(phase1_header(ike.cookies, ExchangeType::Aggressive));
        self.send_phase1(now, id, message, false);
    }

    /// Aggressive mode, message 1.
    pub(super) fn send_aggressive(&mut self, now: Instant, id: u64) {
        let Some(ike) = self.ikes.get_mut(&id) else { return };
        let (Some(dial), Some(phase1)) = (ike.dial.clone(), ike.phase1.as_deref()) else { return };
        let mut builder = Builder::new();
        builder
            .add(Kind::Sa, &[&phase1.sa_i])
            .add(Kind::KeyExchange, &[&phase1.public_i])
            .add(Kind::Nonce, &[&phase1.nonce_i])
            .add(Kind::Identification, &[&dial.identity.encode()]);
        add_vendor_offers(&mut builder);
        ike.stage = Stage::WaitsForSa;
        let message = builder.finish(phase1_header(ike.cookies, ExchangeType::Aggressive));
        self.send_phase1(now, id, message, true);
    }

    /// Aggressive mode, message 2: everything of the responder. Its hash is kept in the place of its SA, which nothing
    /// needs any more.
    pub(super) fn aggressive_answer(&mut self, now: Instant, id: u64, incoming: &Incoming<'_>) {
        let Incoming { path, header, body, message } = *incoming;
        let Some(ike) = self.ikes.get_mut(&id) else { return };
        let Some(dial) = ike.dial.clone() else { return };
        if path.remote.ip() != ike.path.remote.ip() || header.cookies.responder == Cookie::ZERO {
            self.counters.unauthentic += 1;
            return;
        }
        let read = || -> Result<_, PayloadError> {
            let payloads = Payloads::decode(header.next_payload, body)?;
            let policy = Self::chosen(&dial, payloads.one(Kind::Sa, "SA")?)?;
            let parts = KeyParts::read(&payloads, policy.group)?;
            let vendor = Vendor::of(payloads.all(Kind::VendorId));
            let nat = vendor.nat_traversal.and_then(|version| {
                let bodies = payloads.all(version.detection_kind());
                nat::detect(policy.hash, header.cookies, ike.path.local, ike.path.remote, bodies)
            });
            let identity = payloads.one(Kind::Identification, "identification")?.to_vec();
            let hash = payloads.one(Kind::Hash, "hash")?.to_vec();
            Ok((policy, vendor, parts, nat.unwrap_or_default(), identity, hash))
        };
        let Ok((policy, vendor, parts, nat, identity, hash)) = read() else {
            self.counters.malformed += 1;
            return;
        };
        ike.policy = policy;
        ike.vendor = vendor;
        ike.resend.received(message);
        ike.resend.answered();
        if let Some(phase1) = ike.phase1.as_deref_mut() {
            phase1.peer_id = identity;
            phase1.sa_r = hash;
        }
        self.set_responder(id, header.cookies);
        self.secret_begins(id, parts, nat);
        self.note_progress(now, id);
    }

    /// Aggressive mode, message 3 at the initiator: the responder's hash is checked, ours sent.
    pub(super) fn prove_aggressively(&mut self, now: Instant, id: u64) -> Option<()> {
        let random = self.entropy.array();
        let ike = self.ikes.get_mut(&id)?;
        let dial = ike.dial.clone()?;
        let keys = ike.keys.as_ref()?;
        let phase1 = ike.phase1.as_deref()?;
        let exchange = phase1.exchange(ike.cookies);
        let expected = keys.proof(&exchange, false, &phase1.sa_i, &phase1.peer_id);
        if !crypto::equal(&expected, &phase1.sa_r) {
            let tunnel_group = dial.identity.to_string().as_str().into();
            self.give_up(id, Failure::WrongKey { tunnel_group });
            return Some(());
        }
        let proof = keys.proof(&exchange, true, &phase1.sa_i, &dial.identity.encode());
        let mut builder = Builder::new();
        builder.add(Kind::Hash, &[&proof]);
        add_nat_detection(&mut builder, ike, dial.force_udp, None, random);
        let header = phase1_header(ike.cookies, ExchangeType::Aggressive);
        let message = keys.seal(header, &builder, &mut ike.vector);
        let name = Identification::decode(&phase1.peer_id).ok()?.to_string();
        let peer = PeerIdentity {
            name,
            tunnel_group: "".into(),
            proof: "the pre-shared key".into(),
            id: phase1.peer_id.clone(),
        };
        self.send_phase1(now, id, message, false);
        self.established(now, id, peer);
        Some(())
    }

    /// Aggressive mode, message 3 at the responder: the initiator's proof, encrypted or not.
    pub(super) fn aggressive_hash(&mut self, now: Instant, id: u64, incoming: &Incoming<'_>) {
        let Incoming { header, .. } = *incoming;
        if header.exchange != ExchangeType::Aggressive {
            self.counters.out_of_turn += 1;
        } else if self.read_aggressive_hash(now, id, incoming).is_none() {
            self.counters.unauthentic += 1;
        }
    }

    fn read_aggressive_hash(&mut self, now: Instant, id: u64, incoming: &Incoming<'_>) -> Option<()> {
        let Incoming { path, header, body, message } = *incoming;
        let ike = self.ikes.get_mut(&id)?;
        let keys = ike.keys.as_ref()?;
        let opened = header.is_encrypted().then(|| keys.open(&ike.vector, body));
        let (clear, vector) = match opened {
            Some(opened) => {
                let (clear, vector) = opened?;
                (clear, Some(vector))
            }
            None => (zeroize::Zeroizing::new(body.to_vec()), None),
        };
        let payloads = Payloads::decode(header.next_payload, &clear).ok()?;
        let hash = payloads.one(Kind::Hash, "hash").ok()?;
        let phase1 = ike.phase1.as_deref_mut()?;
        let expected = keys.proof(&phase1.exchange(ike.cookies), true, &phase1.sa_i, &phase1.peer_id);
        if !crypto::equal(&expected, hash) {
            return None;
        }
        if let Some(version) = ike.vendor.nat_traversal
            && let Some(nat) = nat::detect(
                ike.policy.hash,
                ike.cookies,
                path.local,
                path.remote,
                payloads.all(version.detection_kind()),
            )
        {
            ike.nat = nat::Nat { local: nat.local, remote: nat.remote || ike.nat.remote };
        }
        phase1.initial_contact = payloads
            .all(Kind::Notification)
            .filter_map(|body| Notification::decode(body).ok())
            .any(|notification| notification.kind == notification::INITIAL_CONTACT);
        let identity = Identification::decode(&phase1.peer_id).ok()?;
        let (group, number) = phase1.key.clone()?;
        let peer = PeerIdentity {
            name: identity.to_string(),
            proof: format!("pre-shared key {number} of {group}, in aggressive mode"),
            tunnel_group: group,
            id: phase1.peer_id.clone(),
        };
        if let Some(vector) = vector {
            ike.vector = vector;
        }
        ike.path = path;
        // There is no fourth message: a repeated third one needs no answer.
        ike.resend.sends(now, Vec::new(), false);
        ike.resend.received(message);
        self.established(now, id, peer);
        Some(())
    }
}
