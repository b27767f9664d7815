//! Phase 1 at the initiator, up to the proof (RFC 2409 sections 5.1, 5.4).

use std::sync::Arc;
use std::time::Instant;

use super::config::{Dial, Proof};
use super::event::{AssociationId, ConnectionId, Failure, Path};
use super::ike::{IkeSa, Phase1, Stage};
use super::job::{Job, Owner, Work};
use super::messages::{add_nat_detection, add_vendor_offers, phase1_header};
use super::responder::{KeyParts, OUR_NONCE};
use super::{Endpoint, Incoming};
use crate::algorithm::Authentication;
use crate::ikev1::header::{Cookie, Cookies, ExchangeType};
use crate::ikev1::nat;
use crate::ikev1::payload::{Builder, Kind, PayloadError, Payloads};
use crate::ikev1::proposal;
use crate::ikev1::selection::{self, Offered, Policy};
use crate::ikev1::vendor::Vendor;

impl Endpoint {
    /// Begins to connect to the server at `path`. [`super::Event::AssociationUp`] or [`super::Event::Failed`] with this
    /// id follows.
    pub fn connect(&mut self, now: Instant, path: Path, dial: Dial) -> ConnectionId {
        let connection = ConnectionId(self.next_id);
        self.next_id += 1 << self.place.bits;
        self.begin(now, path, Arc::new(dial), connection, vec![None]);
        connection
    }

    /// Begins phase 1 as initiator; `waiting` are the associations to negotiate after it.
    pub(super) fn begin(
        &mut self,
        now: Instant,
        path: Path,
        dial: Arc<Dial>,
        connection: ConnectionId,
        waiting: Vec<Option<AssociationId>>,
    ) -> Option<u64> {
        let Some(policy) = dial.policies.first().copied() else {
            let words = "there is no phase-1 proposal to offer";
            self.fail(Some(connection), path, Failure::Unsupported(words));
            return None;
        };
        let mut initiator: [u8; 8] = self.entropy.array();
        let [first, .., last] = &mut initiator;
        *first |= 0x80;
        *last = self.place.mark(*last);
        let cookies = Cookies { initiator: Cookie(initiator), responder: Cookie::ZERO };
        let id = self.next_id;
        self.next_id += 1 << self.place.bits;
        let mut ike = IkeSa::new(now, true, cookies, path, policy);
        ike.connection = Some(connection);
        ike.waiting = waiting;
        ike.set_up_until = None;
        let nonce: [u8; OUR_NONCE] = self.entropy.array();
        let sa_i = selection::offer_phase1(&dial.policies);
        ike.phase1 = Some(Box::new(Phase1 {
            sa_i: sa_i.as_slice().into(),
            nonce_i: nonce.to_vec(),
            ..Phase1::default()
        }));
        let is_aggressive = dial.aggressive;
        ike.dial = Some(dial);
        self.initiating.insert(cookies.initiator, id);
        if is_aggressive {
            ike.stage = Stage::MakesPair;
            self.ikes.insert(id, Box::new(ike));
            let work = Work::Pair { group: policy.group, entropy: self.entropy.fork() };
            self.give_job(Job { owner: Owner { ike: id, message_id: None }, work });
        } else {
            self.ikes.insert(id, Box::new(ike));
            let mut builder = Builder::new();
            builder.add(Kind::Sa, &[&sa_i]);
            add_vendor_offers(&mut builder);
            let message = builder.finish(phase1_header(cookies, ExchangeType::Main));
            self.send_phase1(now, id, message, true);
        }
        self.arm_ike(id);
        Some(id)
    }

    /// The policy that the responder chose; it must be one of ours.
    pub(super) fn chosen(dial: &Dial, sa: &[u8]) -> Result<Policy, PayloadError> {
        const MALFORMED: PayloadError = PayloadError::Malformed("SA");
        let proposals = proposal::decode(sa)?;
        let [only] = proposals.as_slice() else { return Err(MALFORMED) };
        let [transform] = only.transforms.as_slice() else { return Err(MALFORMED) };
        let Offered::Known(policy, _) = selection::read_phase1(transform) else { return Err(MALFORMED) };
        let ours = dial.policies.iter().find(|ours| {
            (ours.cipher, ours.hash, ours.group, ours.authentication)
                == (policy.cipher, policy.hash, policy.group, policy.authentication)
        });
        ours.copied().ok_or(MALFORMED)
    }

    pub(super) fn set_responder(&mut self, id: u64, cookies: Cookies) {
        self.initiating.remove(&cookies.initiator);
        self.by_cookies.insert(cookies, id);
        if let Some(ike) = self.ikes.get_mut(&id) {
            ike.cookies = cookies;
        }
    }

    /// Main mode, message 2: the responder's choice.
    pub(super) fn second_message(&mut self, now: Instant, id: u64, incoming: &Incoming<'_>) {
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
            Ok((policy, Vendor::of(payloads.all(Kind::VendorId))))
        };
        let Ok((policy, vendor)) = read() else {
            self.counters.malformed += 1;
            return;
        };
        ike.policy = policy;
        ike.vendor = vendor;
        ike.stage = Stage::MakesPair;
        ike.resend.received(message);
        ike.resend.answered();
        self.set_responder(id, header.cookies);
        let work = Work::Pair { group: policy.group, entropy: self.entropy.fork() };
        self.give_job(Job { owner: Owner { ike: id, message_id: None }, work });
        self.note_progress(now, id);
    }

    /// Main mode, message 3.
    pub(super) fn send_third(&mut self, now: Instant, id: u64) {
        let random = self.entropy.array();
        let Some(ike) = self.ikes.get_mut(&id) else { return };
        let (Some(dial), Some(phase1)) = (ike.dial.clone(), ike.phase1.as_deref()) else { return };
        let mut builder = Builder::new();
        builder.add(Kind::KeyExchange, &[&phase1.public_i]).add(Kind::Nonce, &[&phase1.nonce_i]);
        if ike.policy.authentication == Authentication::RsaSignature
            && let Proof::Certificates(certificates) = &dial.proof
        {
            for name in certificates.trust.requests() {
                builder.add(Kind::CertificateRequest, &[&[4], name]);
            }
        }
        add_nat_detection(&mut builder, ike, dial.force_udp, None, random);
        ike.stage = Stage::WaitsForKey;
        let message = builder.finish(phase1_header(ike.cookies, ExchangeType::Main));
        self.send_phase1(now, id, message, true);
    }

    /// Main mode, message 4: the responder's public value.
    pub(super) fn fourth_message(&mut self, now: Instant, id: u64, incoming: &Incoming<'_>) {
        let Incoming { path, header, body, message } = *incoming;
        let Some(ike) = self.ikes.get_mut(&id) else { return };

        let read = || -> Result<_, PayloadError> {
            let payloads = Payloads::decode(header.next_payload, body)?;
            let parts = KeyParts::read(&payloads, ike.policy.group)?;
            let nat = ike.vendor.nat_traversal.and_then(|version| {
                let bodies = payloads.all(version.detection_kind());
                nat::detect(ike.policy.hash, ike.cookies, ike.path.local, ike.path.remote, bodies)
            });
            Ok((parts, nat.unwrap_or_default()))
        };
        let Ok((parts, nat)) = read() else {
            self.counters.malformed += 1;
            return;
        };
        if path.remote.ip() != ike.path.remote.ip() {
            self.counters.unauthentic += 1;
            return;
        }
        ike.resend.received(message);
        ike.resend.answered();
        self.secret_begins(id, parts, nat);
        self.note_progress(now, id);
    }

    /// Both public values are there: the shared secret is computed, and where there is a NAT the exchange goes on at
    /// the other port (RFC 3947 section 4).
    pub(super) fn secret_begins(&mut self, id: u64, parts: KeyParts, nat: nat::Nat) {
        let Some(ike) = self.ikes.get_mut(&id) else { return };
        let Some(dial) = ike.dial.clone() else { return };
        let Some(phase1) = ike.phase1.as_deref_mut() else { return };
        let Some(pair) = phase1.pair.take() else { return };
        phase1.public_r = parts.public;
        phase1.nonce_r = parts.nonce;
        phase1.requests = parts.requests;
        ike.nat = nat;
        ike.nat.local |= dial.force_udp && ike.vendor.nat_traversal.is_some();
        ike.stage = Stage::Shares;
        if dial.force_udp && ike.vendor.nat_traversal.is_none() {
            let words =
                "the server knows no NAT traversal (RFC 3947), so ESP cannot go in UDP: switch it on there";
            return self.give_up(id, Failure::Unsupported(words));
        }
        if ike.nat.found() && !ike.path.nat_t {
            ike.path.nat_t = true;
            ike.path.remote.set_port(dial.nat_t_port);
        }
        let work = Work::Share { pair, peer: parts.full_public };
        self.give_job(Job { owner: Owner { ike: id, message_id: None }, work });
    }

    pub(super) fn note_progress(&mut self, now: Instant, id: u64) {
        if let Some(ike) = self.ikes.get_mut(&id) {
            ike.heard = now;
        }
    }
}
