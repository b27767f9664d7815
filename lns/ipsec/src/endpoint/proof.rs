//! The end of phase 1: each side proves who it is (RFC 2409 sections 5 and 5.1).

use std::sync::Arc;
use std::time::{Duration, Instant};

use tollgate_pki::{Peer, Side};

use super::config::{GroupRule, Proof};
use super::event::{Event, Failure, KeyLog, Path, PeerIdentity};
use super::ike::{REMEMBER, Stage};
use super::install::peer_key;
use super::job::{Job, Owner, Sign, Unproved, Verify, Work};
use super::messages::phase1_header;
use super::{Endpoint, Incoming};
use crate::algorithm::Authentication;
use crate::crypto;
use crate::ikev1::header::ExchangeType;
use crate::ikev1::identification::{Identification, kind as id_kind};
use crate::ikev1::keys::Keys;
use crate::ikev1::notify::{Delete, Notification, kind as notification};
use crate::ikev1::payload::{Builder, Kind, Payloads};
use crate::ikev1::proposal::protocol;

/// How much longer than the initiator the responder keeps an association, so that it is never the first to let go.
const MARGIN: Duration = Duration::from_secs(60);
/// Proofs of one peer that are tried, each against all keys.
const MOST_PROOFS: u32 = 16;

/// A proof that was decrypted: identity, and hash or signature.
struct Proven {
    id: Vec<u8>,
    hash: Option<Vec<u8>>,
    signature: Option<Vec<u8>>,
    certificates: Vec<(u8, Vec<u8>)>,
    requests: Vec<Vec<u8>>,
    initial_contact: bool,
    /// The last block of ciphertext.
    vector: Vec<u8>,
}

/// Decrypts and reads a proof. `None` when it makes no sense, as under a wrong key.
fn open_proof(keys: &Keys, vector: &[u8], next_payload: u8, body: &[u8]) -> Option<Proven> {
    let (clear, vector) = keys.open(vector, body)?;
    let payloads = Payloads::decode(next_payload, &clear).ok()?;
    let id = payloads.one(Kind::Identification, "identification").ok()?.to_vec();
    let tagged = |kind| {
        payloads
            .all(kind)
            .filter_map(|body| body.split_first())
            .map(|(encoding, data)| (*encoding, data.to_vec()))
            .take(32)
            .collect::<Vec<_>>()
    };
    let requests = tagged(Kind::CertificateRequest).into_iter().filter(|(encoding, _)| *encoding == 4);
    let initial_contact = payloads
        .all(Kind::Notification)
        .filter_map(|body| Notification::decode(body).ok())
        .any(|notification| notification.kind == notification::INITIAL_CONTACT);
    Some(Proven {
        id,
        hash: payloads.optional(Kind::Hash, "hash").ok()?.map(<[u8]>::to_vec),
        signature: payloads.optional(Kind::Signature, "signature").ok()?.map(<[u8]>::to_vec),
        certificates: tagged(Kind::Certificate),
        requests: requests.map(|(_, name)| name).collect(),
        initial_contact,
        vector,
    })
}

impl Endpoint {
    /// Main mode, message 5: the initiator's proof.
    pub(super) fn fifth_message(&mut self, now: Instant, id: u64, incoming: &Incoming<'_>) {
        let Incoming { path, .. } = *incoming;

        let Some(ike) = self.ikes.get(&id) else { return };
        match ike.policy.authentication {
            Authentication::PreSharedKey => {
                if self.by_preshared_key(now, id, incoming).is_none() {
                    self.wrong_key(id, path);
                }
            }
            Authentication::RsaSignature => {
                if self.by_signature(now, id, incoming).is_none() {
                    self.counters.unauthentic += 1;
                }
            }
        }
    }

    /// Told once for an exchange: its peer repeats itself.
    fn wrong_key(&mut self, id: u64, path: Path) {
        self.counters.unauthentic += 1;
        let tunnel_group = Arc::clone(&self.config.default_group);
        let Some(ike) = self.ikes.get_mut(&id) else { return };
        if !std::mem::replace(&mut ike.complained, true) {
            self.fail(None, path, Failure::WrongKey { tunnel_group });
        }
    }

    /// Tries the pre-shared keys, the default group's first: in main mode the identity comes encrypted under the key.
    fn by_preshared_key(&mut self, now: Instant, id: u64, incoming: &Incoming<'_>) -> Option<()> {
        let Incoming { path, header, body, message } = *incoming;
        let config = Arc::clone(&self.config);
        let ike = self.ikes.get_mut(&id)?;
        let phase1 = ike.phase1.as_deref_mut()?;
        // Each costs as much as all keys together.
        if phase1.wrong_proofs >= MOST_PROOFS {
            return None;
        }
        phase1.wrong_proofs += 1;
        let phase1 = ike.phase1.as_deref()?;
        let exchange = phase1.exchange(ike.cookies);
        let (hash, cipher) = (ike.policy.hash, ike.policy.cipher);
        let (group, number, keys, proven) = config.candidates().find_map(|(group, number, key)| {
            let skeyid = Keys::skeyid_from_key(hash, key, &phase1.nonce_i, &phase1.nonce_r);
            let keys = Keys::derive(hash, cipher, skeyid, &exchange)?;
            let proven = open_proof(&keys, &keys.phase1_vector(), header.next_payload, body)?;
            let expected = keys.proof(&exchange, true, &phase1.sa_i, &proven.id);
            crypto::equal(&expected, proven.hash.as_deref()?).then_some((group, number, keys, proven))
        })?;
        let identity = Identification::decode(&proven.id).ok()?;
        let own = Identification::address(path.local.ip(), 0, 0).encode();
        let proof = keys.proof(&exchange, false, &phase1.sa_i, &own);
        let mut builder = Builder::new();
        builder.add(Kind::Identification, &[&own]).add(Kind::Hash, &[&proof]);
        ike.vector = proven.vector;
        let answer = keys.seal(phase1_header(ike.cookies, ExchangeType::Main), &builder, &mut ike.vector);
        ike.keys = Some(keys);
        ike.path = path;
        ike.resend.received(message);
        if let Some(phase1) = &mut ike.phase1 {
            phase1.initial_contact = proven.initial_contact;
        }
        let is_behind_nat = identity.ip().is_some_and(|ip| ip != path.remote.ip());
        if is_behind_nat && ike.vendor.nat_traversal.is_none() {
            self.fail(
                None,
                path,
                Failure::Unsupported(
                    "the peer is behind a NAT and knows no NAT traversal (RFC 3947): its packets will not pass; \
                     update the client, or take the NAT away",
                ),
            );
        }
        let peer = PeerIdentity {
            name: identity.to_string(),
            tunnel_group: Arc::clone(group),
            proof: format!("pre-shared key {number} of {group}"),
            id: proven.id,
        };
        self.send_phase1(now, id, answer, false);
        self.established(now, id, peer);
        Some(())
    }

    /// Reads a proof by signature and has it checked, with our own made right after.
    fn by_signature(&mut self, now: Instant, id: u64, incoming: &Incoming<'_>) -> Option<()> {
        let Incoming { path, header, body, message } = *incoming;
        if !self.has_room_for_job() {
            return None;
        }
        let certificates = self.config.certificates.clone()?;
        let entropy = self.entropy.fork();
        let ike = self.ikes.get_mut(&id)?;
        let phase1 = ike.phase1.as_deref_mut()?;
        let exchange = phase1.exchange(ike.cookies);
        let skeyid = Keys::skeyid_from_signature(ike.policy.hash, &exchange);
        let keys = Keys::derive(ike.policy.hash, ike.policy.cipher, skeyid, &exchange)?;
        let proven = open_proof(&keys, &keys.phase1_vector(), header.next_payload, body)?;
        let (kind, data) = (*proven.id.first()?, proven.id.get(4..)?.to_vec());
        let own = certificate_id(certificates.identity.subject_der());
        let verify = Verify {
            trust: Arc::clone(&certificates.trust),
            side: Side::Client,
            certificates: proven.certificates,
            id: (kind, data),
            hash: keys.proof(&exchange, true, &phase1.sa_i, &proven.id),
            signature: proven.signature?,
            host: None,
        };
        let hash = keys.proof(&exchange, false, &phase1.sa_i, &own);
        let sign = Sign { identity: Arc::clone(&certificates.identity), hash, entropy };
        phase1.peer_id = proven.id;
        phase1.initial_contact = proven.initial_contact;
        phase1.requests.extend(proven.requests);
        phase1.certificates = Some(certificates);
        ike.vector = proven.vector;
        ike.keys = Some(keys);
        ike.path = path;
        // The fourth message is answered; there is nothing to send again until ours is made.
        ike.resend.sends(now, Vec::new(), false);
        ike.resend.received(message);
        ike.stage = Stage::Proves;
        let work = Work::Prove { verify: Some(Box::new(verify)), sign: Some(sign) };
        self.give_job(Job { owner: Owner { ike: id, message_id: None }, work });
        Some(())
    }

    /// Our side's key material is complete: as initiator, prove who we are.
    pub(super) fn key_agreed(&mut self, now: Instant, id: u64) {
        if self.prove_as_initiator(now, id).is_none() {
            self.give_up(id, Failure::Unsupported("what the server sent makes no keys"));
        }
    }

    fn prove_as_initiator(&mut self, now: Instant, id: u64) -> Option<()> {
        let entropy = self.entropy.fork();
        let ike = self.ikes.get_mut(&id)?;
        let dial = ike.dial.clone()?;
        let phase1 = ike.phase1.as_deref_mut()?;
        let exchange = phase1.exchange(ike.cookies);
        let (hash, cipher) = (ike.policy.hash, ike.policy.cipher);
        let skeyid = match &dial.proof {
            Proof::PresharedKey(key) => Keys::skeyid_from_key(hash, key, &phase1.nonce_i, &phase1.nonce_r),
            Proof::Certificates(_) => Keys::skeyid_from_signature(hash, &exchange),
        };
        let keys = Keys::derive(hash, cipher, skeyid, &exchange)?;
        ike.vector = keys.phase1_vector();
        if dial.aggressive {
            ike.keys = Some(keys);
            return self.prove_aggressively(now, id);
        }
        match &dial.proof {
            Proof::PresharedKey(_) => {
                let own = dial.identity.encode();
                let proof = keys.proof(&exchange, true, &phase1.sa_i, &own);
                let mut builder = Builder::new();
                builder.add(Kind::Identification, &[&own]).add(Kind::Hash, &[&proof]);
                ike.keys = Some(keys);
                self.send_proof(now, id, builder);
            }
            Proof::Certificates(certificates) => {
                let own = certificate_id(certificates.identity.subject_der());
                let hash = keys.proof(&exchange, true, &phase1.sa_i, &own);
                ike.keys = Some(keys);
                ike.stage = Stage::Signs;
                let sign = Sign { identity: Arc::clone(&certificates.identity), hash, entropy };
                let work = Work::Prove { verify: None, sign: Some(sign) };
                self.give_job(Job { owner: Owner { ike: id, message_id: None }, work });
            }
        }
        Some(())
    }

    /// Our signature is made: message 5 of the initiator.
    pub(super) fn send_signed_proof(&mut self, now: Instant, id: u64, signature: Option<Vec<u8>>) {
        let Some(ike) = self.ikes.get(&id) else { return };
        let Some(Proof::Certificates(certificates)) = ike.dial.as_ref().map(|dial| &dial.proof) else {
            return;
        };
        let Some(signature) = signature else {
            let words = "our private key does not sign: check the key file";
            return self.give_up(id, Failure::Unsupported(words));
        };
        let mut builder = Builder::new();
        builder.add(Kind::Identification, &[&certificate_id(certificates.identity.subject_der())]);
        for certificate in certificates.to_send() {
            builder.add(Kind::Certificate, &[&[4], certificate]);
        }
        builder.add(Kind::Signature, &[&signature]);
        for name in certificates.trust.requests() {
            builder.add(Kind::CertificateRequest, &[&[4], name]);
        }
        self.send_proof(now, id, builder);
    }

    fn send_proof(&mut self, now: Instant, id: u64, mut builder: Builder) {
        let Some(ike) = self.ikes.get_mut(&id) else { return };
        if ike.waiting.contains(&None) {
            let cookies = ike.cookies.octets();
            let notification = Notification {
                kind: notification::INITIAL_CONTACT,
                protocol: protocol::ISAKMP,
                spi: &cookies,
                data: &[],
            };
            builder.add(Kind::Notification, &[&notification.encode()]);
        }
        let Some(keys) = &ike.keys else { return };
        ike.stage = Stage::WaitsForAnswer;
        let message = keys.seal(phase1_header(ike.cookies, ExchangeType::Main), &builder, &mut ike.vector);
        self.send_phase1(now, id, message, true);
    }

    /// Main mode, message 6: the responder's proof.
    pub(super) fn sixth_message(&mut self, now: Instant, id: u64, incoming: &Incoming<'_>) {
        if self.read_sixth(now, id, incoming).is_none() {
            self.counters.unauthentic += 1;
        }
    }

    fn read_sixth(&mut self, now: Instant, id: u64, incoming: &Incoming<'_>) -> Option<()> {
        let Incoming { path, header, body, message } = *incoming;
        let ike = self.ikes.get_mut(&id)?;
        let dial = ike.dial.clone()?;
        let keys = ike.keys.as_ref()?;
        let proven = open_proof(keys, &ike.vector, header.next_payload, body)?;
        let phase1 = ike.phase1.as_deref_mut()?;
        let expected = keys.proof(&phase1.exchange(ike.cookies), false, &phase1.sa_i, &proven.id);
        match &dial.proof {
            Proof::PresharedKey(_) => {
                if !crypto::equal(&expected, proven.hash.as_deref()?) {
                    return None;
                }
                let name = Identification::decode(&proven.id).ok()?.to_string();
                ike.path = path;
                ike.vector = proven.vector;
                ike.resend.received(message);
                ike.resend.answered();
                let peer = PeerIdentity {
                    name,
                    tunnel_group: "".into(),
                    proof: "the pre-shared key".into(),
                    id: proven.id,
                };
                self.established(now, id, peer);
            }
            Proof::Certificates(certificates) => {
                let verify = Verify {
                    trust: Arc::clone(&certificates.trust),
                    side: Side::Server,
                    certificates: proven.certificates,
                    id: (*proven.id.first()?, proven.id.get(4..)?.to_vec()),
                    hash: expected,
                    signature: proven.signature?,
                    host: dial.server_name.clone(),
                };
                phase1.peer_id = proven.id;
                ike.path = path;
                ike.vector = proven.vector;
                ike.resend.received(message);
                ike.resend.answered();
                ike.stage = Stage::Proves;
                let work = Work::Prove { verify: Some(Box::new(verify)), sign: None };
                self.give_job(Job { owner: Owner { ike: id, message_id: None }, work });
            }
        }
        Some(())
    }

    /// A peer's certificate was checked.
    pub(super) fn proved(
        &mut self,
        now: Instant,
        id: u64,
        peer: Option<Result<Box<Peer>, Unproved>>,
        signature: Option<Vec<u8>>,
    ) {
        let Some(ike) = self.ikes.get(&id) else { return };
        let (path, cookies, is_initiator) = (ike.path, ike.cookies, ike.is_initiator);
        let identity = ike.phase1.as_deref().map(|phase1| phase1.peer_id.clone()).unwrap_or_default();
        let peer = match peer {
            Some(Ok(peer)) => peer,
            Some(Err(unproved)) => {
                let failure = match unproved {
                    Unproved::Certificate(words) => Failure::Certificate(words),
                    Unproved::Identity(subject) => {
                        let name =
                            Identification::decode(&identity).map(|id| id.to_string()).unwrap_or_default();
                        Failure::UnknownIdentity { identity: name, subject }
                    }
                };
                match is_initiator {
                    true => self.unsay(id),
                    false => self.notify_in_clear(path, cookies, notification::INVALID_CERTIFICATE),
                }
                return self.give_up(id, failure);
            }
            None => return,
        };
        let subject = peer.subject.to_string();
        let tunnel_group = self.group_of(&peer, &identity);
        let proof = format!("certificate of {subject}, issued by {}", peer.issuer);
        let identity = PeerIdentity { name: subject, tunnel_group, proof, id: identity };
        if !is_initiator && self.send_sixth_signed(now, id, signature).is_none() {
            let words = "our private key does not sign: check private-key in [ipsec.certificate]";
            return self.give_up(id, Failure::Unsupported(words));
        }
        self.established(now, id, identity);
    }

    /// A responder that proved nothing believes that phase 1 is done, and listens to nothing in clear any more.
    fn unsay(&mut self, id: u64) {
        let Some(ike) = self.ikes.get_mut(&id) else { return };
        let cookies = ike.cookies;
        if let Some(keys) = &mut ike.keys {
            keys.set_phase1_vector(&ike.vector);
        }
        self.send_delete(id, &Delete::Isakmp(vec![cookies]));
    }

    fn send_sixth_signed(&mut self, now: Instant, id: u64, signature: Option<Vec<u8>>) -> Option<()> {
        let ike = self.ikes.get_mut(&id)?;
        let certificates = ike.phase1.as_deref_mut()?.certificates.take()?;
        let mut builder = Builder::new();
        builder.add(Kind::Identification, &[&certificate_id(certificates.identity.subject_der())]);
        for certificate in certificates.to_send() {
            builder.add(Kind::Certificate, &[&[4], certificate]);
        }
        builder.add(Kind::Signature, &[&signature?]);
        let header = phase1_header(ike.cookies, ExchangeType::Main);
        let message = ike.keys.as_ref()?.seal(header, &builder, &mut ike.vector);
        self.send_phase1(now, id, message, false);
        Some(())
    }

    /// The tunnel group of a certificate.
    fn group_of(&self, peer: &Peer, id: &[u8]) -> Arc<str> {
        let known = |name: &str| self.config.groups.iter().find(|group| ***group == *name).cloned();
        self.config
            .group_rules
            .iter()
            .find_map(|rule| match rule {
                GroupRule::Rules => self.config.certificate_map.tunnel_group(peer).and_then(known),
                GroupRule::Ou => peer.ous().into_iter().find_map(known),
                GroupRule::IkeId => {
                    id.get(4..).and_then(|name| std::str::from_utf8(name).ok()).and_then(known)
                }
            })
            .unwrap_or_else(|| Arc::clone(&self.config.default_group))
    }

    /// Phase 1 is done.
    pub(super) fn established(&mut self, now: Instant, id: u64, peer: PeerIdentity) {
        let default_life = self.config.policies.iter();
        let Some(ike) = self.ikes.get_mut(&id) else { return };
        let lifetime = match ike.policy.lifetime {
            Duration::ZERO => {
                let ours = default_life
                    .filter(|policy| policy.cipher == ike.policy.cipher)
                    .map(|policy| policy.lifetime);
                ours.max().unwrap_or(Duration::from_secs(86_400))
            }
            lifetime => lifetime,
        };
        // A life of years is a life without end to any clock.
        let lifetime = lifetime.min(Duration::from_secs(365 * 86_400));
        let peer = Arc::new(peer);
        ike.stage = Stage::Established;
        ike.set_up_until = None;
        ike.heard = now;
        ike.peer = Some(Arc::clone(&peer));
        ike.forget_answer = Some(now + REMEMBER);
        match ike.is_initiator {
            true => {
                ike.expires = Some(now + lifetime);
                ike.rekey = Some(now + lifetime.mul_f64(0.9));
            }
            false => ike.expires = Some(now + lifetime + MARGIN),
        }
        if let Some(keys) = &mut ike.keys {
            keys.set_phase1_vector(&ike.vector);
            let key = keys.take_raw_key();
            if let Some(key) = key.filter(|_| self.config.log_keys) {
                let key = hexadecimal(&key);
                self.events.push_back(Event::Keys(KeyLog::Isakmp { cookies: ike.cookies, key }));
            }
        }
        let initial_contact = ike.phase1.take().is_some_and(|phase1| phase1.initial_contact);
        let (path, policy) = (ike.path, ike.policy);
        let waiting = std::mem::take(&mut ike.waiting);
        self.discount(id);
        self.counters.authenticated += 1;
        if let Some(ike) = self.ikes.get_mut(&id) {
            ike.peer_key = Some(peer_key(&path, &peer));
        }
        if initial_contact {
            self.initial_contact(id);
        }
        self.succeed(now, id);
        self.events.push_back(Event::PeerAuthenticated { path, peer, policy });
        for association in waiting {
            self.start_quick(now, id, association);
        }
    }
}

/// ID_DER_ASN1_DN of a certificate's subject.
fn certificate_id(subject: &[u8]) -> Vec<u8> {
    let identity =
        Identification { kind: id_kind::DER_ASN1_DN, protocol: 0, port: 0, data: subject.to_vec() };
    identity.encode()
}

pub(super) fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
