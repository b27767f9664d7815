//! Phase 1 at the responder, up to the peer's proof (RFC 2409 sections 5.1, 5.4).

use std::time::Instant;

use super::event::{Failure, Path};
use super::half_open::Refusal;
use super::ike::{IkeSa, Phase1, Stage};
use super::job::{Job, Outcome, Owner, Work};
use super::messages::{add_nat_detection, add_vendor_answers, phase1_header};
use super::{Endpoint, Incoming};
use crate::algorithm::{Authentication, Group};
use crate::ikev1::header::{Cookies, ExchangeType};
use crate::ikev1::nat;
use crate::ikev1::notify::kind as notification;
use crate::ikev1::payload::{Builder, Kind, PayloadError, Payloads};
use crate::ikev1::proposal::{self, Proposal};
use crate::ikev1::selection::{self, Chosen, Policy};
use crate::ikev1::vendor::Vendor;

/// Octets of a nonce (RFC 2409 section 5).
pub(super) const NONCE: std::ops::RangeInclusive<usize> = 8..=256;
/// Octets of ours.
pub(super) const OUR_NONCE: usize = 32;

/// What the messages with the key exchange have in common.
pub(super) struct KeyParts {
    /// The public value as it came: what hashes cover.
    pub(super) public: Vec<u8>,
    /// The public value in the length of its group.
    pub(super) full_public: Vec<u8>,
    pub(super) nonce: Vec<u8>,
    pub(super) requests: Vec<Vec<u8>>,
}

impl KeyParts {
    pub(super) fn read(payloads: &Payloads<'_>, group: Group) -> Result<Self, PayloadError> {
        let public = payloads.one(Kind::KeyExchange, "key exchange")?;
        let nonce = payloads.one(Kind::Nonce, "nonce")?;
        if !NONCE.contains(&nonce.len()) {
            return Err(PayloadError::Malformed("nonce"));
        }
        let length = group.public_length();
        // Some leave out leading zeros.
        let missing = length.checked_sub(public.len()).filter(|missing| *missing < 16);
        let missing = missing.ok_or(PayloadError::Malformed("key exchange"))?;
        let full_public = [&vec![0; missing], public].concat();
        let requests = payloads
            .all(Kind::CertificateRequest)
            .filter_map(|body| body.split_first())
            // Requests for X.509 certificates for signatures; an empty one asks for any.
            .filter(|(encoding, _)| **encoding == 4)
            .map(|(_, name)| name.to_vec())
            .take(64)
            .collect();
        Ok(Self { public: public.to_vec(), full_public, nonce: nonce.to_vec(), requests })
    }
}

impl Endpoint {
    pub(super) fn choose<'p, 'a>(
        &self,
        proposals: &'p [Proposal<'a>],
        usable: impl Fn(&Policy) -> bool,
    ) -> Option<(&'p Proposal<'a>, Chosen<'a>)> {
        let config = &self.config;
        let is_served = |policy: &Policy| match policy.authentication {
            Authentication::PreSharedKey => !config.keys.is_empty() && usable(policy),
            Authentication::RsaSignature => config.certificates.is_some() && usable(policy),
        };
        selection::choose_phase1(proposals, &config.policies, config.preference, is_served)
    }

    pub(super) fn no_proposal(&mut self, path: Path, cookies: Cookies, proposals: &[Proposal<'_>]) {
        let (offered, change) = selection::explain_phase1(proposals, &self.config.policies);
        let allowed = selection::summary(&self.config.policies);
        self.notify_in_clear(path, cookies, notification::NO_PROPOSAL_CHOSEN);
        self.fail(None, path, Failure::NoPhase1Proposal { offered, allowed, change });
    }

    /// Main mode, message 1: SA and vendor ids. Answered without keeping more than a few octets.
    pub(super) fn first_message(&mut self, now: Instant, incoming: &Incoming<'_>) {
        let Incoming { path, header, body, .. } = *incoming;
        let read = || -> Result<_, PayloadError> {
            let payloads = Payloads::decode(header.next_payload, body)?;
            let sa = payloads.one(Kind::Sa, "SA")?;
            Ok((sa, proposal::decode(sa)?, Vendor::of(payloads.all(Kind::VendorId))))
        };
        let Ok((sa, proposals, vendor)) = read() else {
            self.counters.malformed += 1;
            return;
        };
        let Some((proposal, chosen)) = self.choose(&proposals, |_| true) else {
            return self.no_proposal(path, header.cookies, &proposals);
        };
        let answer = proposal::answer(proposal, &[], &chosen.transform);
        let (most, per_source) = (self.config.max_half_open, self.config.max_half_open_per_source);
        let initiator = header.cookies.initiator;
        let kept = (vendor, chosen.policy.into());
        let added = self.half_opens.add(now, path.remote, initiator, sa, kept, (most, per_source));
        let responder = match added {
            Ok((responder, evicted)) => {
                self.counters.evicted += evicted;
                responder
            }
            Err(Refusal::Source) => {
                self.counters.source_limited += 1;
                return;
            }
            Err(Refusal::Long) => {
                self.counters.malformed += 1;
                return;
            }
        };
        self.counters.first_messages += 1;
        self.arm_half_opens();
        let mut builder = Builder::new();
        builder.add(Kind::Sa, &[&answer]);
        add_vendor_answers(&mut builder, &vendor, self.config.minimal_vendor_ids);
        let cookies = Cookies { initiator, responder };
        self.send_raw(path, &builder.finish(phase1_header(cookies, ExchangeType::Main)));
    }

    /// Main mode, message 3: public value and nonce from a peer that returns our cookie.
    pub(super) fn third_message(&mut self, now: Instant, incoming: &Incoming<'_>) {
        let Incoming { path, header, body, message } = *incoming;
        let cookies = header.cookies;
        if !self.half_opens.holds(cookies.responder) {
            self.counters.unknown_cookies += 1;
            return;
        }
        if !self.may_begin(1) {
            return;
        }
        let Some((half_open, sa)) =
            self.half_opens.find(now, path.remote, cookies.initiator, cookies.responder)
        else {
            self.counters.unauthentic += 1;
            return;
        };
        let read = || -> Result<_, PayloadError> {
            let policy = half_open.chosen.policy();
            let payloads = Payloads::decode(header.next_payload, body)?;
            let parts = KeyParts::read(&payloads, policy.group)?;
            let nat = half_open.vendor.nat_traversal.and_then(|version| {
                let bodies = payloads.all(version.detection_kind());
                nat::detect(policy.hash, cookies, path.local, path.remote, bodies)
            });
            let echo = half_open
                .vendor
                .nat_traversal
                .and_then(|version| payloads.all(version.detection_kind()).next().map(<[u8]>::to_vec));
            Ok((policy, parts, nat.unwrap_or_default(), echo))
        };
        let Ok((policy, parts, nat, echo)) = read() else {
            self.counters.malformed += 1;
            return;
        };
        self.half_opens.take(cookies.responder);
        let mut ike = IkeSa::new(now, false, cookies, path, policy);
        ike.vendor = half_open.vendor;
        ike.counted = Some(half_open.remote.ip());
        ike.nat = nat;
        ike.resend.received(message);
        let nonce_r: [u8; OUR_NONCE] = self.entropy.array();
        ike.phase1 = Some(Box::new(Phase1 {
            sa_i: sa,
            nonce_i: parts.nonce,
            nonce_r: nonce_r.to_vec(),
            public_i: parts.public,
            requests: parts.requests,
            nat_echo: echo,
            ..Phase1::default()
        }));
        self.begin_responding(ike, policy.group, parts.full_public);
    }

    /// Whether one more exchange may cost arithmetic; a `share` of the room is looked at.
    pub(super) fn may_begin(&mut self, share: usize) -> bool {
        if self.unauthenticated >= self.config.max_unauthenticated / share
            || self.ikes.len() >= self.config.max_associations
        {
            self.counters.unauthenticated_limited += 1;
            return false;
        }
        self.has_room_for_job()
    }

    pub(super) fn begin_responding(&mut self, ike: IkeSa, group: Group, peer: Vec<u8>) {
        let id = self.next_id;
        self.next_id += 1 << self.place.bits;
        self.by_cookies.insert(ike.cookies, id);
        self.ikes.insert(id, Box::new(ike));
        self.unauthenticated += 1;
        let work = Work::Respond { group, peer, entropy: self.entropy.fork() };
        self.give_job(Job { owner: Owner { ike: id, message_id: None }, work });
        self.arm_ike(id);
    }

    /// A job of phase 1 is done.
    pub(super) fn phase1_job(&mut self, now: Instant, id: u64, outcome: Outcome) {
        let Some(ike) = self.ikes.get_mut(&id) else { return };
        let Some(phase1) = ike.phase1.as_deref_mut() else { return };
        match (ike.stage, outcome) {
            (Stage::MakesKey, Outcome::Responded { public, shared }) => {
                phase1.public_r = public;
                phase1.shared = shared;
                match phase1.sa_r.is_empty() {
                    true => self.send_fourth(now, id),
                    false => self.send_aggressive_answer(now, id),
                }
            }
            (Stage::MakesPair, Outcome::Paired(pair)) => {
                phase1.public_i = pair.public_value().to_vec();
                phase1.pair = Some(pair);
                match ike.dial.as_ref().is_some_and(|dial| dial.aggressive) {
                    true => self.send_aggressive(now, id),
                    false => self.send_third(now, id),
                }
            }
            (Stage::Shares, Outcome::Shared(shared)) => {
                phase1.shared = shared;
                self.key_agreed(now, id);
            }
            (Stage::Signs, Outcome::Proved { signature, .. }) => self.send_signed_proof(now, id, signature),
            (Stage::Proves, Outcome::Proved { peer, signature }) => self.proved(now, id, peer, signature),
            (_, Outcome::BadPublicValue) => {
                self.counters.unauthentic += 1;
                let words = "the peer's Diffie-Hellman value is none of its group";
                self.give_up(id, Failure::Unsupported(words));
            }
            _ => {}
        }
    }

    fn send_fourth(&mut self, now: Instant, id: u64) {
        let random = self.entropy.array();
        let force = self.config.force_udp || !self.config.raw_esp;
        let Some(ike) = self.ikes.get_mut(&id) else { return };
        let Some(phase1) = ike.phase1.as_deref() else { return };
        let mut builder = Builder::new();
        builder.add(Kind::KeyExchange, &[&phase1.public_r]).add(Kind::Nonce, &[&phase1.nonce_r]);
        if ike.policy.authentication == Authentication::RsaSignature
            && let Some(certificates) = &self.config.certificates
        {
            for name in certificates.trust.requests() {
                builder.add(Kind::CertificateRequest, &[&[4], name]);
            }
        }
        // A Microsoft client must not learn that we are behind a NAT.
        let echo = phase1.nat_echo.as_deref().filter(|_| ike.nat.local && ike.vendor.microsoft.is_some());
        add_nat_detection(&mut builder, ike, force, echo, random);
        ike.nat.remote |= (force || echo.is_some()) && ike.vendor.nat_traversal.is_some();
        ike.stage = Stage::WaitsForProof;
        let message = builder.finish(phase1_header(ike.cookies, ExchangeType::Main));
        self.send_phase1(now, id, message, false);
    }
}
