//! How associations of both kinds end, and who takes over what they kept.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::event::{AssociationId, DownCause, Event, Failure};
use super::install::{DORMANT, peer_key, way};
use super::quick::{Quick, QuickStage};
use super::{Endpoint, Known};
use crate::esp::Spi;
use crate::ikev1::notify::Delete;

impl Endpoint {
    /// Takes one pair away, by either of its SPIs.
    pub(super) fn remove_child(&mut self, id: AssociationId, spi_in: Spi) {
        self.by_spi.remove(&spi_in.get());
        if let Some(association) = self.associations.get_mut(&id) {
            association.take_child(spi_in);
        }
    }

    /// An association has lost its last pair: it waits for a new one as long as its peer is still there.
    pub(super) fn without_children(&mut self, now: Instant, id: AssociationId, cause: DownCause) {
        let Some(association) = self.associations.get_mut(&id) else { return };
        if !association.children.is_empty() {
            return self.arm_association(id);
        }
        let has_ike = association.ike.is_some_and(|ike| self.ikes.contains_key(&ike));
        if has_ike && association.up {
            association.dormant_until = Some(now + DORMANT);
            self.arm_association(id);
        } else {
            self.end(id, cause);
        }
    }

    /// Ends an association, without a word to the peer.
    pub(super) fn end(&mut self, id: AssociationId, cause: DownCause) {
        let Some(association) = self.associations.remove(&id) else { return };
        if self.by_key.get(&association.key) == Some(&id) {
            self.by_key.remove(&association.key);
        }
        self.forget_peer(association.peer_key, |known| known.associations.retain(|other| *other != id));
        for child in &association.children {
            self.by_spi.remove(&child.spi_in.get());
        }
        if let Some((number, ike)) = association.ike.and_then(|ike| Some((ike, self.ikes.get_mut(&ike)?))) {
            ike.associations.retain(|other| *other != id);
            self.arm_ike(number);
        }
        if association.up {
            self.events.push_back(Event::AssociationDown { association: id, cause });
        }
    }

    /// Ends an association and tells the peer: its ESP associations are deleted, and its ISAKMP association where it
    /// keeps no other.
    pub fn close(&mut self, now: Instant, id: AssociationId) {
        let Some(association) = self.associations.get(&id) else { return };
        let spis: Vec<_> = association.children.iter().map(|child| child.spi_in.get()).collect();
        let ike = association.ike;
        self.end(id, DownCause::Closed);
        let Some(ike) = ike.filter(|ike| self.ikes.contains_key(ike)) else { return };
        if !spis.is_empty() {
            self.send_delete(ike, &Delete::Esp(spis));
        }
        let is_idle = self.ikes.get(&ike).is_some_and(|ike| ike.keeps_nothing());
        if is_idle {
            self.close_ike(now, ike);
        }
    }

    /// Ends everything and tells every peer.
    pub fn close_all(&mut self, now: Instant) {
        let all: Vec<_> = self.associations.keys().copied().collect();
        all.into_iter().for_each(|id| self.close(now, id));
        let rest: Vec<_> = self.ikes.keys().copied().collect();
        rest.into_iter().for_each(|id| self.close_ike(now, id));
    }

    pub(super) fn close_ike(&mut self, _now: Instant, id: u64) {
        let Some(ike) = self.ikes.get_mut(&id) else { return };
        // Who closes it knows.
        ike.waiting.clear();
        ike.quicks.retain(|_, quick| quick.association.is_some());
        if ike.is_established() {
            let cookies = ike.cookies;
            self.send_delete(id, &Delete::Isakmp(vec![cookies]));
        }
        self.drop_ike(id);
    }

    /// Forgets an ISAKMP association. What it keeps lives on, as long as it has keys of its own.
    pub(super) fn drop_ike(&mut self, id: u64) {
        let Some(ike) = self.ikes.remove(&id) else { return };
        if self.by_cookies.get(&ike.cookies) == Some(&id) {
            self.by_cookies.remove(&ike.cookies);
        }
        self.initiating.remove(&ike.cookies.initiator);
        if let Some(key) = ike.peer_key {
            self.forget_peer(key, |known| known.ikes.retain(|other| *other != id));
        }
        if let Some(ip) = ike.counted {
            self.uncount(ip);
        }
        let is_first = |quick: &Quick| quick.association.is_none() && quick.stage != QuickStage::MakesKey;
        if ike.is_initiator
            && (ike.waiting.contains(&None) || ike.quicks.values().any(|quick| is_first(quick)))
        {
            let words = "the server ended the ISAKMP association before phase 2 was done: see its log";
            self.fail(ike.connection, ike.path, Failure::NoAnswer(words));
        }
        for quick in ike.quicks.values() {
            let unfinished = quick.association.and_then(|id| {
                let association = self.associations.get(&id)?;
                association
                    .children
                    .iter()
                    .any(|child| child.spi_in == quick.spi_in && !child.confirmed)
                    .then_some(id)
            });
            if let Some(association) = unfinished {
                self.remove_child(association, quick.spi_in);
                let is_over = self
                    .associations
                    .get(&association)
                    .is_some_and(|entry| entry.children.is_empty() && entry.dormant_until.is_none());
                if is_over {
                    self.end(association, DownCause::DeletedByPeer);
                }
            }
        }
        for association in ike.associations {
            if let Some(entry) = self.associations.get_mut(&association).filter(|entry| entry.ike == Some(id))
            {
                entry.ike = None;
                if entry.children.is_empty() {
                    self.end(association, DownCause::DeletedByPeer);
                }
            }
        }
    }

    /// An exchange is among those that are not authenticated no more.
    pub(super) fn discount(&mut self, id: u64) {
        if let Some(ip) = self.ikes.get_mut(&id).and_then(|ike| ike.counted.take()) {
            self.uncount(ip);
        }
    }

    fn uncount(&mut self, ip: IpAddr) {
        self.unauthenticated = self.unauthenticated.saturating_sub(1);
        self.half_opens.release(ip);
    }

    pub(super) fn forget_peer(&mut self, key: (IpAddr, [u8; 16]), forget: impl FnOnce(&mut Known)) {
        if let Some(known) = self.peers.get_mut(&key) {
            forget(known);
            if known.ikes.is_empty() && known.associations.is_empty() {
                self.peers.remove(&key);
            }
        }
    }

    /// The peer says that it has begun anew: what it had before is gone. Another client behind the same NAT has another
    /// port and is left alone.
    pub(super) fn initial_contact(&mut self, id: u64) {
        let Some(ike) = self.ikes.get(&id) else { return };
        let (Some(key), path) = (ike.peer_key, ike.path) else { return };
        let known = self.peers.get(&key).cloned().unwrap_or_default();
        for association in known.associations {
            let Some(entry) = self.associations.get(&association) else { continue };
            // An older one that this ISAKMP association has taken over has no keys of it.
            let is_older = entry.children.iter().all(|child| child.ike != id);
            if way(&entry.path) == way(&path) && is_older {
                self.end(association, DownCause::InitialContact);
            }
        }
        for other in known.ikes {
            let is_same = self.ikes.get(&other).is_some_and(|ike| way(&ike.path) == way(&path));
            if other != id && is_same {
                self.drop_ike(other);
            }
        }
    }

    /// A new ISAKMP association takes over what older ones of the same peer keep.
    pub(super) fn succeed(&mut self, now: Instant, id: u64) {
        let Some(ike) = self.ikes.get_mut(&id) else { return };
        let Some(peer) = ike.peer.clone() else { return };
        let (path, is_initiator, connection) = (ike.path, ike.is_initiator, ike.connection);
        let key = peer_key(&path, &peer);
        ike.peer_key = Some(key);
        let known = self.peers.entry(key).or_default();
        let older = std::mem::take(&mut known.ikes);
        known.ikes = older.iter().copied().chain([id]).collect();
        let mut taken = Vec::new();
        for other in older {
            let Some(old) = self.ikes.get_mut(&other) else { continue };
            let is_succeeded = old.is_initiator == is_initiator
                && old.connection == connection
                && (is_initiator || way(&old.path) == way(&path));
            if !is_succeeded {
                continue;
            }
            taken.append(&mut old.associations);
            if is_initiator {
                old.rekey = None;
                old.retires = Some(now + Duration::from_secs(5));
                old.expires = None;
            }
            self.arm_ike(other);
        }
        for association in &taken {
            if let Some(entry) = self.associations.get_mut(association) {
                entry.ike = Some(id);
            }
        }
        if let Some(ike) = self.ikes.get_mut(&id) {
            ike.associations.append(&mut taken);
        }
    }
}
