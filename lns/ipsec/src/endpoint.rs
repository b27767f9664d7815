//! All associations of one shard behind one API: ISAKMP messages and ESP packets go in, and out come messages to send,
//! events, jobs and L2TP datagrams.
//!
//! The one rule of use: **after every call that takes `now`, empty [`Endpoint::poll_transmit`], [`Endpoint::poll_job`]
//! and [`Endpoint::poll_event`], and call [`Endpoint::handle_timeout`] no later than [`Endpoint::next_timeout`]**.
//!
//! `half_open` has what happens before a peer has shown that it receives at its address, `responder` and `initiator`
//! the messages of phase 1 from there on, `proof` how phase 1 ends at either, `aggressive` its shorter form, `quick`
//! phase 2, `install` what comes of it, `informational` the rest, `association` the packet path, `timers` what time
//! brings, `ending` how all of it ends.

mod aggressive;
mod association;
mod config;
mod counters;
mod ending;
mod event;
mod half_open;
mod ike;
mod informational;
mod initiator;
mod install;
mod job;
mod messages;
mod proof;
mod quick;
mod responder;
mod timers;

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use tollgate_sansio::{Deadlines, Entropy};

use crate::ikev1::fragment::Reassembly;
use crate::ikev1::header::{Cookie, Cookies, ExchangeType, Header};
use crate::ikev1::payload::{Kind, Payloads};
use crate::place::Place;
use association::Association;
use half_open::HalfOpens;
use ike::{IkeSa, Stage};

pub use association::{Delivery, L2TP_PORT};
pub use config::{Certificates, Config, Dial, Dpd, GroupKeys, GroupRule, MOST_KEYS, PresharedKey, Proof};
pub use counters::Counters;
pub use event::{
    AssociationId, AssociationInfo, ConnectionId, DownCause, Event, Failure, KeyLog, Path, PeerIdentity,
    Transmit,
};
pub use job::{Job, JobResult};

/// The four zero octets in front of ISAKMP on the port of NAT traversal (RFC 3948 section 2.2).
pub const NON_ESP_MARKER: [u8; 4] = [0; 4];

/// What a datagram on the port of NAT traversal is.
#[derive(Debug, PartialEq, Eq)]
pub enum NatTraversalDatagram {
    /// One octet 0xFF that keeps a NAT's mapping alive.
    Keepalive,
    /// An ISAKMP message after its marker.
    Isakmp,
    /// An ESP packet.
    Esp,
    /// Nothing that can be used.
    Malformed,
}

/// Tells the datagrams on the port of NAT traversal apart (RFC 3948 section 2).
pub fn classify(datagram: &[u8]) -> NatTraversalDatagram {
    match datagram {
        [0xff] => NatTraversalDatagram::Keepalive,
        [0, 0, 0, 0, ..] => NatTraversalDatagram::Isakmp,
        [_, _, _, _, _, _, _, _, ..] => NatTraversalDatagram::Esp,
        _ => NatTraversalDatagram::Malformed,
    }
}

/// Whose time it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Ike(u64),
    Association(AssociationId),
    HalfOpens,
}

/// What there is of one peer, by address and name.
#[derive(Debug, Clone, Default)]
struct Known {
    ikes: Vec<u64>,
    associations: Vec<AssociationId>,
}

/// An ISAKMP message that came.
#[derive(Clone, Copy)]
struct Incoming<'a> {
    path: Path,
    header: Header,
    /// What follows the header.
    body: &'a [u8],
    /// All of it.
    message: &'a [u8],
}

/// All associations of one shard.
pub struct Endpoint {
    config: Arc<Config>,
    place: Place,
    entropy: Entropy,
    half_opens: HalfOpens,
    ikes: HashMap<u64, Box<IkeSa>>,
    by_cookies: HashMap<Cookies, u64>,
    /// Of those that we initiate, before the responder's cookie is known.
    initiating: HashMap<Cookie, u64>,
    associations: HashMap<AssociationId, Box<Association>>,
    by_key: HashMap<(SocketAddr, [u8; 16]), AssociationId>,
    peers: HashMap<(IpAddr, [u8; 16]), Known>,
    by_spi: HashMap<u32, AssociationId>,
    /// Phase 1 under way at the responder.
    unauthenticated: usize,
    /// Jobs handed out or waiting.
    jobs_out: usize,
    next_id: u64,
    timers: Deadlines<Timer>,
    transmits: VecDeque<Transmit>,
    events: VecDeque<Event>,
    jobs: VecDeque<Job>,
    counters: Counters,
}

impl Endpoint {
    /// An endpoint without associations.
    pub fn new(now: Instant, config: Config, place: Place, mut entropy: Entropy) -> Self {
        Self {
            config: Arc::new(config),
            place,
            half_opens: HalfOpens::new(now, place, &mut entropy),
            entropy,
            ikes: HashMap::new(),
            by_cookies: HashMap::new(),
            initiating: HashMap::new(),
            associations: HashMap::new(),
            by_key: HashMap::new(),
            peers: HashMap::new(),
            by_spi: HashMap::new(),
            unauthenticated: 0,
            jobs_out: 0,
            // In steps, so that no two shards give the same number.
            next_id: u64::from(place.shard) + (1 << place.bits),
            timers: Deadlines::default(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            jobs: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// Settings for exchanges from now on.
    pub fn reconfigure(&mut self, config: Config) {
        self.config = Arc::new(config);
    }

    /// The next message to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The next piece of work to do elsewhere; its result comes back with [`Endpoint::handle_job`].
    pub fn poll_job(&mut self) -> Option<Job> {
        self.jobs.pop_front()
    }

    /// Counts of what was done and refused.
    pub fn counters(&self) -> Counters {
        let mut counters = self.counters.clone();
        counters.half_open = self.half_opens.len() as u64;
        counters
    }

    /// Associations, those included that are not up yet.
    pub fn association_count(&self) -> usize {
        self.associations.len()
    }

    /// All associations, for a report.
    pub fn associations(&self) -> impl Iterator<Item = AssociationInfo> {
        self.associations
            .values()
            .filter(|association| association.up)
            .map(|association| self.describe(association))
    }

    /// One association.
    pub fn association(&self, id: AssociationId) -> Option<AssociationInfo> {
        self.associations.get(&id).map(|association| self.describe(association))
    }

    /// The tunnel group that an association's peer was placed in.
    pub fn peer(&self, id: AssociationId) -> Option<&Arc<PeerIdentity>> {
        self.associations.get(&id).map(|association| &association.peer)
    }

    fn describe(&self, association: &Association) -> AssociationInfo {
        let mut info = association.info();
        if let Some(ike) = association.ike.and_then(|ike| self.ikes.get(&ike)) {
            info.policy = Some(ike.policy);
            info.phase1_expires = ike.expires;
        }
        info
    }

    /// Takes one ISAKMP message, without the marker of NAT traversal.
    pub fn handle_isakmp(&mut self, now: Instant, path: Path, message: &[u8]) {
        self.isakmp(now, path, message, true);
    }

    fn isakmp(&mut self, now: Instant, path: Path, message: &[u8], may_be_fragment: bool) {
        let Ok((header, body)) = Header::decode(message) else {
            self.counters.malformed += 1;
            return;
        };
        let incoming = &Incoming { path, header, body, message };
        let Some(id) = self.find(&header) else {
            return self.without_association(now, incoming);
        };
        if may_be_fragment && !header.is_encrypted() && Kind::from(header.next_payload) == Kind::Fragment {
            if let Some(whole) = self.reassemble(now, id, &header, body) {
                self.isakmp(now, path, &whole, false);
            }
            return self.arm_ike(id);
        }
        match header.exchange {
            ExchangeType::Main | ExchangeType::Aggressive => self.phase1(now, id, incoming),
            ExchangeType::Quick => self.quick(now, id, incoming),
            ExchangeType::Informational => self.informational(now, id, incoming),
            ExchangeType::Other(_) => self.counters.unknown_exchange += 1,
        }
        self.arm_ike(id);
    }

    fn find(&self, header: &Header) -> Option<u64> {
        let known = self.by_cookies.get(&header.cookies).copied();
        // The responder's first answer brings its cookie, an error of its may come without.
        known.or_else(|| self.initiating.get(&header.cookies.initiator).copied())
    }

    fn without_association(&mut self, now: Instant, incoming: &Incoming<'_>) {
        let Incoming { header, .. } = *incoming;
        let is_first = header.cookies.responder == Cookie::ZERO;
        match (header.exchange, header.is_encrypted()) {
            (ExchangeType::Main, false) if is_first => self.first_message(now, incoming),
            (ExchangeType::Main, false) => self.third_message(now, incoming),
            (ExchangeType::Aggressive, false) if is_first => {
                self.aggressive_message(now, incoming);
            }
            // What belongs to nothing here is not answered: it may be late, and an answer would only feed a storm.
            _ => self.counters.unknown_cookies += 1,
        }
    }

    fn reassemble(&mut self, now: Instant, id: u64, header: &Header, body: &[u8]) -> Option<Vec<u8>> {
        let payloads = Payloads::decode(header.next_payload, body).ok()?;
        let piece = payloads.one(Kind::Fragment, "fragment").ok()?;
        let ike = self.ikes.get_mut(&id)?;
        let reassembly = ike.reassembly.get_or_insert_with(|| Box::new(Reassembly::default()));
        match reassembly.add(now, piece) {
            Ok(None) => None,
            Ok(whole) => {
                ike.reassembly = None;
                whole
            }
            Err(_) => {
                ike.reassembly = None;
                self.counters.malformed += 1;
                None
            }
        }
    }

    /// A message of phase 1 for an association that is there.
    fn phase1(&mut self, now: Instant, id: u64, incoming: &Incoming<'_>) {
        let Incoming { path, header, message, .. } = *incoming;
        let Some(ike) = self.ikes.get(&id) else { return };
        if ike.resend.is_repeated(message) {
            self.counters.repeated += 1;
            // It has not heard our answer. As initiator we ask again by the clock and never for this: two ends that both
            // answer repeated messages never come to rest. Only what nothing asks for, the last message, is sent again.
            let is_last = ike.is_established() && ike.dial.as_ref().is_some_and(|dial| dial.aggressive);
            if !ike.is_initiator || is_last {
                self.send_again(id, Some(path));
            }
            return;
        }
        if ike.resend.is_reflected(message) {
            self.counters.reflected += 1;
            return;
        }
        match (ike.stage, header.is_encrypted()) {
            (Stage::WaitsForProof, true) => self.fifth_message(now, id, incoming),
            (Stage::WaitsForHash, _) => self.aggressive_hash(now, id, incoming),
            (Stage::WaitsForSa, false) => match header.exchange {
                ExchangeType::Aggressive => self.aggressive_answer(now, id, incoming),
                _ => self.second_message(now, id, incoming),
            },
            (Stage::WaitsForKey, false) => self.fourth_message(now, id, incoming),
            (Stage::WaitsForAnswer, true) => self.sixth_message(now, id, incoming),
            (
                Stage::MakesKey
                | Stage::Proves
                | Stage::MakesPair
                | Stage::Shares
                | Stage::Signs
                | Stage::Established
                | Stage::WaitsForProof
                | Stage::WaitsForSa
                | Stage::WaitsForKey
                | Stage::WaitsForAnswer,
                _,
            ) => self.counters.out_of_turn += 1,
        }
    }

    /// The result of a job.
    pub fn handle_job(&mut self, now: Instant, result: JobResult) {
        self.jobs_out = self.jobs_out.saturating_sub(1);
        let id = result.owner.ike;
        match result.owner.message_id {
            Some(message_id) => self.quick_job(now, id, message_id, result.outcome),
            None => self.phase1_job(now, id, result.outcome),
        }
        self.arm_ike(id);
    }

    fn give_job(&mut self, job: Job) {
        self.jobs_out += 1;
        self.jobs.push_back(job);
    }

    /// Whether there is room for one more job. Without it a message is as good as lost: its sender will send it again.
    fn has_room_for_job(&mut self) -> bool {
        let has_room = self.jobs_out < self.config.max_jobs;
        if !has_room {
            self.counters.jobs_refused += 1;
        }
        has_room
    }
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint")
            .field("ikes", &self.ikes.len())
            .field("associations", &self.associations.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
