//! What is remembered of peers that have sent a first message and not yet shown that they receive at the address they
//! wrote from: a few octets for each, found by a cookie that is a keyed MAC of address, time and the initiator's cookie.
//! A flood of first messages costs no arithmetic and no memory beyond a bound; the oldest make place for new ones.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tollgate_sansio::Entropy;

use crate::algorithm::{Authentication, Cipher, Group, Hash};
use crate::crypto;
use crate::ikev1::header::Cookie;
use crate::ikev1::selection::Policy;
use crate::ikev1::vendor::Vendor;
use crate::place::Place;

/// How long an answer to the first message is good for; a cookie of the slot before is good too.
const SLOT: Duration = Duration::from_secs(30);
/// Different SA payloads that are remembered. Clients share a few; more come only from a flood.
const MOST_PAYLOADS: usize = 1024;
/// Longest SA payload of phase 1.
pub(super) const LONGEST_SA: usize = 4096;
/// Counters by source address; a collision makes the limit stricter, never looser.
const SOURCES: usize = 1 << 16;
/// Credit of an SA payload that more than one peer sent.
const SHARED: u8 = 1;
/// Credit of an SA payload whose sender has gone on.
const PROVEN: u8 = 16;

/// What was chosen in the answer to a first message: settings that change afterwards do not change it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chosen {
    authentication: Authentication,
    cipher: Cipher,
    hash: Hash,
    group: Group,
    seconds: u32,
}

impl Chosen {
    pub(super) fn policy(self) -> Policy {
        Policy {
            authentication: self.authentication,
            cipher: self.cipher,
            hash: self.hash,
            group: self.group,
            lifetime: Duration::from_secs(self.seconds.into()),
        }
    }
}

impl From<Policy> for Chosen {
    fn from(policy: Policy) -> Self {
        Self {
            authentication: policy.authentication,
            cipher: policy.cipher,
            hash: policy.hash,
            group: policy.group,
            seconds: u32::try_from(policy.lifetime.as_secs()).unwrap_or(u32::MAX),
        }
    }
}

/// One peer after its first message.
#[derive(Debug, Clone, Copy)]
pub(super) struct HalfOpen {
    pub(super) remote: SocketAddr,
    pub(super) initiator: Cookie,
    pub(super) vendor: Vendor,
    pub(super) chosen: Chosen,
    /// Place of its SA payload, and the payload's number against reuse of the place.
    sa: (u16, u32),
    /// Seconds since the table's birth.
    at: u32,
}

/// An SA payload that several peers sent.
#[derive(Debug)]
struct Interned {
    body: Arc<[u8]>,
    number: u32,
    /// Rounds of the hand that it outlives.
    credit: u8,
}

/// All of them.
pub(super) struct HalfOpens {
    born: Instant,
    secret: [u8; 32],
    place: Place,
    peers: HashMap<Cookie, HalfOpen>,
    order: VecDeque<Cookie>,
    payloads: Vec<Interned>,
    places: HashMap<Arc<[u8]>, u16>,
    /// The next of `payloads` to make place.
    hand: usize,
    interned: u32,
    sources: Box<[u16]>,
    /// When [`HalfOpens::expire`] is asked for.
    pub(super) armed: Option<Instant>,
}

/// Why a first message is not remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Its source has too many already.
    Source,
    /// Its SA payload is too long.
    Long,
}

impl HalfOpens {
    pub(super) fn new(now: Instant, place: Place, entropy: &mut Entropy) -> Self {
        Self {
            born: now,
            secret: entropy.array(),
            place,
            peers: HashMap::new(),
            order: VecDeque::new(),
            payloads: Vec::new(),
            places: HashMap::new(),
            hand: 0,
            interned: 0,
            sources: vec![0; SOURCES].into_boxed_slice(),
            armed: None,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.peers.len()
    }

    fn slot(&self, now: Instant) -> u64 {
        now.duration_since(self.born).as_secs() / SLOT.as_secs()
    }

    /// The responder's cookie for a peer in a slot of time.
    fn cookie(&self, slot: u64, remote: SocketAddr, initiator: Cookie) -> Cookie {
        let (ip, port) = (ip_octets(remote.ip()), remote.port().to_be_bytes());
        let parts: [&[u8]; 4] = [&ip, &port, &slot.to_be_bytes(), &initiator.0];
        let mac = crypto::prf(Hash::Sha256, &self.secret, &parts);
        let mut cookie = mac.first_chunk::<8>().copied().unwrap_or([1; 8]);
        let [first, .., last] = &mut cookie;
        // Never zero, and its end says which shard gave it.
        *first |= 0x80;
        *last = self.place.mark(*last);
        Cookie(cookie)
    }

    /// Remembers a peer; gives the cookie to answer with. The same first message in the same slot gets the same one.
    pub(super) fn add(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        initiator: Cookie,
        sa: &[u8],
        (vendor, chosen): (Vendor, Chosen),
        (most, most_per_source): (usize, usize),
    ) -> Result<(Cookie, u64), Refusal> {
        if sa.len() > LONGEST_SA {
            return Err(Refusal::Long);
        }
        self.expire(now);
        let cookie = self.cookie(self.slot(now), remote, initiator);
        if self.peers.contains_key(&cookie) {
            return Ok((cookie, 0));
        }
        if self.is_full(remote.ip(), most_per_source) {
            return Err(Refusal::Source);
        }
        let mut evicted = 0;
        while self.peers.len() >= most.max(1) {
            let Some(oldest) = self.order.pop_front() else { break };
            evicted += u64::from(self.forget(oldest));
        }
        let at = now.duration_since(self.born).as_secs() as u32;
        let sa = self.intern(sa);
        self.peers.insert(cookie, HalfOpen { remote, initiator, vendor, chosen, sa, at });
        self.order.push_back(cookie);
        self.occupy(remote.ip());
        Ok((cookie, evicted))
    }

    /// The peer that returns a cookie, with its SA payload. `None` for a cookie that we did not give to this address, or
    /// too long ago. It stays until [`HalfOpens::take`]: what comes with the cookie may be garbage.
    pub(super) fn find(
        &self,
        now: Instant,
        remote: SocketAddr,
        initiator: Cookie,
        responder: Cookie,
    ) -> Option<(HalfOpen, Arc<[u8]>)> {
        let slot = self.slot(now);
        // The port may change between the first and the third message behind some NATs: what counts is what the cookie
        // was given for.
        let entry = *self.peers.get(&responder)?;
        let genuine = [Some(slot), slot.checked_sub(1)]
            .into_iter()
            .flatten()
            .any(|slot| crypto::equal(&self.cookie(slot, entry.remote, initiator).0, &responder.0));
        if !genuine || entry.initiator != initiator || entry.remote.ip() != remote.ip() {
            return None;
        }
        let (place, number) = entry.sa;
        let interned = self.payloads.get(usize::from(place)).filter(|interned| interned.number == number)?;
        Some((entry, Arc::clone(&interned.body)))
    }

    /// Takes a peer that was found. Its source keeps its place until the exchange is authenticated or given up: see
    /// [`HalfOpens::release`].
    pub(super) fn take(&mut self, responder: Cookie) {
        let Some(entry) = self.peers.remove(&responder) else { return };
        let (place, number) = entry.sa;
        // Somebody real sends this payload. A flood of others must not wash it away.
        if let Some(interned) = self.payloads.get_mut(usize::from(place)).filter(|one| one.number == number) {
            interned.credit = PROVEN;
        }
    }

    /// A cookie for an exchange that is not remembered here.
    pub(super) fn fresh_cookie(&self, now: Instant, remote: SocketAddr, initiator: Cookie) -> Cookie {
        self.cookie(self.slot(now), remote, initiator)
    }

    /// Whether a source has as many exchanges under way as it may have.
    pub(super) fn is_full(&self, ip: IpAddr, most: usize) -> bool {
        self.sources.get(self.source(ip)).is_some_and(|count| usize::from(*count) >= most)
    }

    /// Counts an exchange of a source that is not remembered here.
    pub(super) fn occupy(&mut self, ip: IpAddr) {
        let source = self.source(ip);
        if let Some(count) = self.sources.get_mut(source) {
            *count = count.saturating_add(1);
        }
    }

    /// An exchange that was taken is authenticated or over.
    pub(super) fn release(&mut self, ip: IpAddr) {
        let source = self.source(ip);
        if let Some(count) = self.sources.get_mut(source) {
            *count = count.saturating_sub(1);
        }
    }

    /// Whether a cookie is held.
    pub(super) fn holds(&self, responder: Cookie) -> bool {
        self.peers.contains_key(&responder)
    }

    fn forget(&mut self, cookie: Cookie) -> bool {
        let Some(entry) = self.peers.remove(&cookie) else { return false };
        self.release(entry.remote.ip());
        true
    }

    /// When the oldest is to be forgotten.
    pub(super) fn due(&self) -> Option<Instant> {
        let oldest = self.order.front()?;
        let at = self.peers.get(oldest).map_or(0, |entry| u64::from(entry.at));
        Some(self.born + Duration::from_secs(at) + 2 * SLOT + Duration::from_secs(1))
    }

    /// Forgets those whose cookies are no longer good.
    pub(super) fn expire(&mut self, now: Instant) {
        let oldest =
            (now.duration_since(self.born).as_secs() as u32).saturating_sub(2 * SLOT.as_secs() as u32);
        while let Some(cookie) = self.order.front().copied() {
            // Entries that were taken are passed over here.
            if self.peers.get(&cookie).is_some_and(|entry| entry.at >= oldest) {
                break;
            }
            self.order.pop_front();
            self.forget(cookie);
        }
    }

    fn source(&self, ip: IpAddr) -> usize {
        let mac = crypto::prf(Hash::Sha256, &self.secret, &[b"source", &source_octets(ip)]);
        mac.first_chunk::<2>().map_or(0, |octets| usize::from(u16::from_be_bytes(*octets)))
    }

    /// The next payload without credit. The hand takes one credit of each that it passes, so that all its steps together
    /// are at most as many as the credits that were given.
    fn make_place(&mut self) -> usize {
        loop {
            let place = self.hand;
            self.hand = (self.hand + 1) % self.payloads.len().max(1);
            match self.payloads.get_mut(place) {
                Some(interned) if interned.credit > 0 => interned.credit -= 1,
                _ => return place,
            }
        }
    }

    fn intern(&mut self, sa: &[u8]) -> (u16, u32) {
        if let Some(place) = self.places.get(sa).copied()
            && let Some(interned) = self.payloads.get_mut(usize::from(place))
        {
            interned.credit = interned.credit.max(SHARED);
            return (place, interned.number);
        }
        let body: Arc<[u8]> = sa.into();
        self.interned = self.interned.wrapping_add(1);
        let number = self.interned;
        let fresh = Interned { body: Arc::clone(&body), number, credit: 0 };
        let place = if self.payloads.len() < MOST_PAYLOADS {
            self.payloads.push(fresh);
            self.payloads.len() - 1
        } else {
            let place = self.make_place();
            if let Some(old) = self.payloads.get_mut(place) {
                self.places.remove(&std::mem::replace(old, fresh).body);
            }
            place
        };
        self.places.insert(body, place as u16);
        (place as u16, number)
    }
}

#[cfg(test)]
impl HalfOpens {
    /// Places of all sources together.
    pub(super) fn counted(&self) -> usize {
        self.sources.iter().map(|count| usize::from(*count)).sum()
    }

    /// SA payloads kept.
    pub(super) fn interned(&self) -> usize {
        assert_eq!(self.payloads.len(), self.places.len());
        self.payloads.len()
    }

    /// Cookies in the order of their coming.
    pub(super) fn remembered(&self) -> usize {
        self.order.len()
    }
}

fn ip_octets(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}

/// What one subscriber has: an IPv4 address, or an IPv6 network of 64 bits.
fn source_octets(ip: IpAddr) -> [u8; 16] {
    let mut octets = ip_octets(ip);
    if ip.is_ipv6() {
        for octet in octets.iter_mut().skip(8) {
            *octet = 0;
        }
    }
    octets
}

#[cfg(test)]
mod tests;
