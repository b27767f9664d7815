//! One ISAKMP association: its state, and what it remembers for retransmission.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::config::{Certificates, Dial};
use super::event::{AssociationId, ConnectionId, Path, PeerIdentity};
use super::quick::{Quick, QuickStage};
use crate::algorithm::Hash;
use crate::crypto::{self, Digest};
use crate::dh::KeyPair;
use crate::ikev1::fragment::Reassembly;
use crate::ikev1::header::Cookies;
use crate::ikev1::keys::{Exchange, Keys};
use crate::ikev1::nat::Nat;
use crate::ikev1::selection::Policy;
use crate::ikev1::vendor::Vendor;

/// Waits before each retransmission; after the last the peer is given up.
pub(super) const RESEND: [Duration; 6] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(6),
    Duration::from_secs(8),
    Duration::from_secs(8),
];
/// What phase 1 may take at the responder after its third message.
pub(super) const SET_UP: Duration = Duration::from_secs(30);
/// How long an answer is kept for a peer that has not received it.
pub(super) const REMEMBER: Duration = Duration::from_secs(60);
/// Finished exchanges of phase 2 whose message ids are not taken again.
const FINISHED: usize = 64;
/// How long the responder keeps an association that keeps nothing.
const IDLE: Duration = Duration::from_secs(150);

/// What an association waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Responder: our key pair and the shared secret are being computed.
    MakesKey,
    /// Responder: the peer's proof (fifth message of main mode).
    WaitsForProof,
    /// The peer's certificate and signature are being checked, or ours made.
    Proves,
    /// Initiator: the choice of a proposal.
    WaitsForSa,
    /// Initiator: our key pair is being computed.
    MakesPair,
    /// Initiator: the responder's public value.
    WaitsForKey,
    /// Initiator: the shared secret is being computed.
    Shares,
    /// Initiator: our signature is being made.
    Signs,
    /// Initiator: the responder's proof.
    WaitsForAnswer,
    /// Responder in aggressive mode: the initiator's proof.
    WaitsForHash,
    /// Phase 1 is done.
    Established,
}

/// What phase 1 gathers and later needs no more.
#[derive(Default)]
pub(super) struct Phase1 {
    /// The body of the initiator's SA payload.
    pub(super) sa_i: Arc<[u8]>,
    pub(super) nonce_i: Vec<u8>,
    pub(super) nonce_r: Vec<u8>,
    pub(super) public_i: Vec<u8>,
    pub(super) public_r: Vec<u8>,
    pub(super) shared: Zeroizing<Vec<u8>>,
    pub(super) pair: Option<Box<KeyPair>>,
    /// The body of the peer's identification.
    pub(super) peer_id: Vec<u8>,
    /// The body of the responder's SA payload, in aggressive mode.
    pub(super) sa_r: Vec<u8>,
    /// SKEYID where the key is known before the secret is shared, in aggressive mode.
    pub(super) skeyid: Option<Digest>,
    /// Which key was used in aggressive mode: group and number.
    pub(super) key: Option<(Arc<str>, usize)>,
    /// Certificate requests of the peer.
    pub(super) requests: Vec<Vec<u8>>,
    /// The peer's own hash of our address, for the one who is to believe that we are where it thinks.
    pub(super) nat_echo: Option<Vec<u8>>,
    /// The peer says that it has no other associations with us.
    pub(super) initial_contact: bool,
    /// What we prove ourselves with: settings that change meanwhile do not change it.
    pub(super) certificates: Option<Certificates>,
    /// Proofs that no key fitted.
    pub(super) wrong_proofs: u32,
}

impl Phase1 {
    pub(super) fn exchange(&self, cookies: Cookies) -> Exchange<'_> {
        Exchange {
            cookies,
            nonce_i: &self.nonce_i,
            nonce_r: &self.nonce_r,
            public_i: &self.public_i,
            public_r: &self.public_r,
            shared: &self.shared,
        }
    }
}

/// What was sent last in an exchange, and what it answered.
#[derive(Debug, Default)]
pub(super) struct Resend {
    /// The message, or its fragments.
    pub(super) sent: Vec<Vec<u8>>,
    received: Option<[u8; 16]>,
    tries: usize,
    due: Option<Instant>,
}

impl Resend {
    /// Notes the message that is being answered.
    pub(super) fn received(&mut self, message: &[u8]) {
        self.received = Some(fingerprint(message));
    }

    /// Whether a message is the one that was answered last.
    pub(super) fn is_repeated(&self, message: &[u8]) -> bool {
        self.received == Some(fingerprint(message))
    }

    /// Notes what is being sent; with `again` it is sent again until answered.
    pub(super) fn sends(&mut self, now: Instant, messages: Vec<Vec<u8>>, again: bool) {
        self.sent = messages;
        self.tries = 0;
        self.due = again.then(|| now + RESEND[0]);
    }

    /// Whether a message is one of ours, come back.
    pub(super) fn is_reflected(&self, message: &[u8]) -> bool {
        self.sent.iter().any(|sent| sent == message)
    }

    /// Keeps the last message for a while after it needs no answer.
    pub(super) fn keep(&mut self, now: Instant) {
        self.tries = RESEND.len();
        self.due = Some(now + REMEMBER);
    }

    /// An answer has come.
    pub(super) fn answered(&mut self) {
        self.due = None;
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// The time has come: whether to send again; false when the peer is to be given up.
    pub(super) fn try_again(&mut self, now: Instant) -> bool {
        self.tries += 1;
        let wait = RESEND.get(self.tries);
        self.due = wait.map(|wait| now + *wait);
        wait.is_some()
    }
}

fn fingerprint(message: &[u8]) -> [u8; 16] {
    crypto::hash(Hash::Sha256, &[message]).first_chunk().copied().unwrap_or_default()
}

/// Questions of dead peer detection.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct DpdState {
    pub(super) sequence: u32,
    pub(super) unanswered: u32,
    pub(super) asked: Option<Instant>,
}

/// An ISAKMP association.
pub(super) struct IkeSa {
    pub(super) is_initiator: bool,
    pub(super) cookies: Cookies,
    pub(super) path: Path,
    pub(super) stage: Stage,
    pub(super) policy: Policy,
    pub(super) vendor: Vendor,
    pub(super) nat: Nat,
    pub(super) phase1: Option<Box<Phase1>>,
    pub(super) keys: Option<Keys>,
    /// Where phase 1's chain of ciphertext stands.
    pub(super) vector: Vec<u8>,
    pub(super) resend: Resend,
    pub(super) forget_answer: Option<Instant>,
    pub(super) quicks: BTreeMap<u32, Box<Quick>>,
    finished: VecDeque<u32>,
    /// Message ids of informational exchanges, the peer's and ours: what comes again is a replay or a reflection.
    informed: VecDeque<u32>,
    /// The source whose place it holds among those that are not authenticated.
    pub(super) counted: Option<IpAddr>,
    pub(super) peer: Option<Arc<PeerIdentity>>,
    pub(super) peer_key: Option<(IpAddr, [u8; 16])>,
    pub(super) dial: Option<Arc<Dial>>,
    pub(super) connection: Option<ConnectionId>,
    /// Associations that this one keeps.
    pub(super) associations: Vec<AssociationId>,
    /// Associations to negotiate as soon as phase 1 is done.
    pub(super) waiting: Vec<Option<AssociationId>>,
    pub(super) set_up_until: Option<Instant>,
    pub(super) expires: Option<Instant>,
    pub(super) rekey: Option<Instant>,
    /// A successor has taken over; this one goes at that time.
    pub(super) retires: Option<Instant>,
    /// The one that is to take over.
    pub(super) successor: Option<u64>,
    pub(super) heard: Instant,
    pub(super) dpd: DpdState,
    pub(super) reassembly: Option<Box<Reassembly>>,
    pub(super) armed: Option<Instant>,
    /// A wrong key was told once.
    pub(super) complained: bool,
}

impl IkeSa {
    pub(super) fn new(
        now: Instant,
        is_initiator: bool,
        cookies: Cookies,
        path: Path,
        policy: Policy,
    ) -> Self {
        Self {
            is_initiator,
            cookies,
            path,
            stage: if is_initiator { Stage::WaitsForSa } else { Stage::MakesKey },
            policy,
            vendor: Vendor::default(),
            nat: Nat::default(),
            phase1: Some(Box::default()),
            keys: None,
            vector: Vec::new(),
            resend: Resend::default(),
            forget_answer: None,
            quicks: BTreeMap::new(),
            finished: VecDeque::new(),
            informed: VecDeque::new(),
            counted: None,
            peer: None,
            peer_key: None,
            dial: None,
            connection: None,
            associations: Vec::new(),
            waiting: Vec::new(),
            set_up_until: Some(now + SET_UP),
            expires: None,
            rekey: None,
            retires: None,
            successor: None,
            heard: now,
            dpd: DpdState::default(),
            reassembly: None,
            armed: None,
            complained: false,
        }
    }

    pub(super) fn is_established(&self) -> bool {
        self.stage == Stage::Established
    }

    pub(super) fn finish_quick(&mut self, message_id: u32) {
        self.quicks.remove(&message_id);
        if self.finished.len() == FINISHED {
            self.finished.pop_front();
        }
        self.finished.push_back(message_id);
    }

    pub(super) fn has_finished(&self, message_id: u32) -> bool {
        self.finished.contains(&message_id)
    }

    /// Notes the message id of an informational exchange; whether it is new.
    pub(super) fn note_informational(&mut self, message_id: u32) -> bool {
        if self.informed.contains(&message_id) {
            return false;
        }
        if self.informed.len() == FINISHED {
            self.informed.pop_front();
        }
        self.informed.push_back(message_id);
        true
    }

    /// Whether it has no associations, and none are being negotiated.
    pub(super) fn keeps_nothing(&self) -> bool {
        self.associations.is_empty() && self.quicks.values().all(|quick| quick.stage == QuickStage::Done)
    }

    /// When a responder's association that keeps nothing goes.
    pub(super) fn idle_due(&self) -> Option<Instant> {
        let is_idle = self.is_established() && !self.is_initiator && self.keeps_nothing();
        is_idle.then(|| self.heard + IDLE)
    }

    /// When it wants to be looked at, dead peer detection apart.
    pub(super) fn due(&self) -> Option<Instant> {
        let quick = self.quicks.values().filter_map(|quick| quick.due()).min();
        [
            self.resend.due(),
            self.forget_answer,
            self.set_up_until,
            self.expires,
            self.rekey,
            self.retires,
            self.idle_due(),
            self.reassembly.as_ref().and_then(|reassembly| reassembly.expires()),
            quick,
        ]
        .into_iter()
        .flatten()
        .min()
    }
}
