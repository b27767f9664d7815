//! From a finished exchange of phase 2 to an association that carries packets, and its end.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::association::{Association, Child, Totals};
use super::event::{AssociationId, DownCause, Event, KeyLog, Path, PeerIdentity};
use super::proof::hexadecimal;
use super::{Endpoint, Known, L2TP_PORT, Timer};
use crate::algorithm::Hash;
use crate::crypto;
use crate::esp::{InboundSa, OutboundSa, Spi};
use crate::ikev1::identification::Identification;
use crate::ikev1::notify::Delete;

/// Shortest life of an ESP association: Windows takes less for this too.
const SHORTEST: Duration = Duration::from_secs(300);
/// How much longer than its negotiated life an association receives.
const MARGIN: Duration = Duration::from_secs(60);
/// What a client may take from an association to its first L2TP message.
const QUIET: Duration = Duration::from_secs(30);
/// How long a client without ESP associations is waited for while it has an ISAKMP association.
const DORMANT: Duration = Duration::from_secs(60);

impl Endpoint {
    /// Makes a pair of ESP associations of an exchange, in the association that it belongs to or in a new one.
    pub(super) fn install(&mut self, now: Instant, id: u64, message_id: u32) -> Option<()> {
        let mut entropy = self.entropy.fork();
        let ike = self.ikes.get(&id)?;
        let quick = ike.quicks.get(&message_id)?;
        let keys = ike.keys.as_ref()?;
        let offer = quick.offer?;
        let spi_out = Spi::new(quick.spi_out)?;
        let [keymat_in, keymat_out] = quick.keymat(keys, offer.suite);
        let inbound = InboundSa::new(quick.spi_in, offer.suite, &keymat_in, self.config.replay_window)?;
        let outbound = OutboundSa::new(spi_out, offer.suite, &keymat_out, &mut entropy)?;
        let default_life = ike.dial.as_ref().map_or(self.config.sa_lifetime, |dial| dial.sa_lifetime);
        let life = offer.life.seconds.map_or(default_life, Duration::from_secs);
        let is_initiator = ike.is_initiator && ike.dial.is_some();
        // The client's clock decides; ours only keeps what it has forgotten from staying for ever.
        let life = life.min(Duration::from_secs(365 * 86_400));
        let child = Child {
            spi_in: quick.spi_in,
            spi_out,
            set: offer.set(),
            inbound,
            outbound,
            confirmed: false,
            expires: now + if is_initiator { life } else { life.max(SHORTEST) + MARGIN },
            rekey: is_initiator.then(|| now + life.mul_f64(0.8)),
            octets: offer.life.kilobytes.map(|kilobytes| kilobytes.saturating_mul(1024) / 20 * 19),
            rekeying: false,
        };
        if self.config.log_keys {
            self.log_esp(id, message_id, &keymat_in, &keymat_out);
        }
        let spi = child.spi_in.get();
        let association = match self.ikes.get(&id)?.quicks.get(&message_id)?.association {
            Some(association) if self.associations.contains_key(&association) => association,
            _ => self.find_or_make(now, id, message_id)?,
        };
        let entry = self.associations.get_mut(&association)?;
        entry.children.push(child);
        entry.ike = Some(id);
        entry.dormant_until = None;
        let old_path = entry.path;
        let ike = self.ikes.get_mut(&id)?;
        if let Some(quick) = ike.quicks.get_mut(&message_id) {
            quick.association = Some(association);
        }
        if !ike.associations.contains(&association) {
            ike.associations.push(association);
        }
        let path = ike.path;
        self.by_spi.insert(spi, association);
        if old_path != path {
            self.follow(association, path);
        }
        self.arm_association(association);
        Some(())
    }

    fn log_esp(&mut self, id: u64, message_id: u32, keymat_in: &[u8], keymat_out: &[u8]) {
        let Some(ike) = self.ikes.get(&id) else { return };
        let Some(quick) = ike.quicks.get(&message_id) else { return };
        let (Some(offer), Some(spi_out)) = (quick.offer, Spi::new(quick.spi_out)) else { return };
        let cut = offer.suite.cipher().keymat_length();
        let (local, remote) = (quick.path.local, quick.path.remote);
        for (source, destination, spi, keymat) in
            [(remote, local, quick.spi_in, keymat_in), (local, remote, spi_out, keymat_out)]
        {
            let (encryption, integrity) = keymat.split_at_checked(cut).unwrap_or((keymat, &[]));
            self.events.push_back(Event::Keys(KeyLog::Esp {
                source,
                destination,
                spi,
                set: offer.set(),
                encryption: hexadecimal(encryption),
                integrity: hexadecimal(integrity),
            }));
        }
    }

    /// The association of the same peer for the same traffic: a new phase 1 of it, or it has come back from the same
    /// address. Several clients behind one address differ in their ports, or in who they say they are.
    fn find_or_make(&mut self, now: Instant, id: u64, message_id: u32) -> Option<AssociationId> {
        let ike = self.ikes.get(&id)?;
        let quick = ike.quicks.get(&message_id)?;
        let peer = ike.peer.clone()?;
        let path = ike.path;
        let key = (way(&path), traffic_of(&peer, quick.ids.as_ref()));
        if let Some(known) = self.by_key.get(&key).copied().filter(|_| !ike.is_initiator) {
            return Some(known);
        }
        let offer = quick.offer?;
        let address = |id: Option<&Identification>, or: IpAddr| id.and_then(Identification::ip).unwrap_or(or);
        let (client, server) = match &quick.ids {
            Some((client, server)) => (Some(client), Some(server)),
            None => (None, None),
        };
        let (local, remote, local_port, peer_port) = match ike.is_initiator {
            true => (
                address(client, path.local.ip()),
                address(server, path.remote.ip()),
                client.map_or(L2TP_PORT, |id| id.port),
                L2TP_PORT,
            ),
            false => (
                address(server, path.local.ip()),
                address(client, quick.original_address.unwrap_or(path.remote.ip())),
                L2TP_PORT,
                client.map(|id| id.port).filter(|port| *port != 0).unwrap_or(L2TP_PORT),
            ),
        };
        let association = AssociationId(self.next_id);
        self.next_id += 1;
        let entry = Association {
            id: association,
            key,
            peer_key: peer_key(&path, &peer),
            up: false,
            path,
            encapsulation: offer.encapsulation,
            nat: ike.nat,
            peer,
            ike: Some(id),
            inner_local: local,
            inner_remote: remote,
            local_port,
            peer_port,
            children: Vec::new(),
            since: now,
            rekeyed: 0,
            gone: Totals::default(),
            last_in: now,
            last_out: now,
            heard: false,
            quiet_due: None,
            dormant_until: None,
            dial: ike.dial.clone(),
            connection: ike.connection,
            armed: None,
        };
        self.peers.entry(entry.peer_key).or_default().associations.push(association);
        self.associations.insert(association, Box::new(entry));
        self.by_key.insert(key, association);
        Some(association)
    }

    /// The peer has the keys of a pair: packets leave by it from now on, and the old ones only receive.
    pub(super) fn confirm(&mut self, now: Instant, id: AssociationId, spi: u32) {
        let Some(association) = self.associations.get_mut(&id) else { return };
        let Some(child) = association.children.iter_mut().find(|child| child.spi_in.get() == spi) else {
            return;
        };
        if std::mem::replace(&mut child.confirmed, true) {
            return;
        }
        let set = child.set;
        for old in association.children.iter_mut().filter(|child| child.spi_in.get() != spi) {
            // Replaced: not to be rekeyed again.
            old.rekeying = true;
        }
        let (peer, path, connection) =
            (Arc::clone(&association.peer), association.path, association.connection);
        if std::mem::replace(&mut association.up, true) {
            association.rekeyed += 1;
            self.counters.rekeyed += 1;
            self.events.push_back(Event::AssociationRekeyed { association: id });
            self.retire_old(now, id, spi);
        } else {
            association.quiet_due = Some(now + QUIET);
            self.counters.up += 1;
            self.events.push_back(Event::AssociationUp { association: id, connection, peer, path, set });
        }
        let ike = self.associations.get(&id).and_then(|association| association.ike);
        if let Some(ike) = ike.and_then(|ike| self.ikes.get_mut(&ike)) {
            // A pair that its first packet has confirmed needs the third message no more.
            let done = ike.quicks.iter().find(|(_, quick)| quick.spi_in.get() == spi);
            if let Some(message_id) = done.map(|(message_id, _)| *message_id)
                && !ike.is_initiator
            {
                ike.finish_quick(message_id);
            }
        }
        self.arm_association(id);
    }

    /// As the one who rekeys: old pairs go a little later, when nothing of them can be on the way any more.
    fn retire_old(&mut self, now: Instant, id: AssociationId, spi: u32) {
        let Some(association) = self.associations.get_mut(&id) else { return };
        if association.dial.is_some() {
            for child in association.children.iter_mut().filter(|child| child.spi_in.get() != spi) {
                child.expires = child.expires.min(now + Duration::from_secs(5));
            }
        }
    }

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
        if let Some(ike) = association.ike.and_then(|ike| self.ikes.get_mut(&ike)) {
            ike.associations.retain(|other| *other != id);
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
        let is_idle =
            self.ikes.get(&ike).is_some_and(|ike| ike.associations.is_empty() && ike.quicks.is_empty());
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
        if let Some(ike) = self.ikes.get(&id).filter(|ike| ike.is_established()) {
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
        if !ike.is_established() && !ike.is_initiator {
            self.unauthenticated = self.unauthenticated.saturating_sub(1);
            self.half_opens.release(ike.path.remote.ip());
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

    fn forget_peer(&mut self, key: (IpAddr, [u8; 16]), forget: impl FnOnce(&mut Known)) {
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
            let (is_same, old) = (way(&entry.path) == way(&path), entry.ike);
            if is_same && old != Some(id) {
                self.end(association, DownCause::InitialContact);
                if let Some(old) = old {
                    self.drop_ike(old);
                }
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
        let older = std::mem::replace(&mut known.ikes, Vec::new());
        known.ikes = older.iter().copied().chain([id]).collect();
        let mut taken = Vec::new();
        for other in older {
            let Some(old) = self.ikes.get_mut(&other) else { continue };
            let is_succeeded = old.is_initiator == is_initiator
                && old.connection == connection
                && way(&old.path) == way(&path);
            if !is_succeeded {
                continue;
            }
            taken.append(&mut old.associations);
            if is_initiator {
                old.rekey = None;
                old.retires = Some(now + Duration::from_secs(5));
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

    pub(super) fn arm_association(&mut self, id: AssociationId) {
        let keepalive = self.config.keepalive;
        let Some(association) = self.associations.get_mut(&id) else { return };
        let Some(due) = association.due(keepalive) else { return };
        if association.armed.is_none_or(|armed| due < armed) {
            association.armed = Some(due);
            self.timers.enter(due, Timer::Association(id));
        }
    }
}

/// What tells clients apart from outside: raw ESP has no port.
pub(super) fn way(path: &Path) -> SocketAddr {
    SocketAddr::new(path.remote.ip(), if path.nat_t { path.remote.port() } else { 0 })
}

/// Who a peer says it is, and for which traffic.
fn traffic_of(peer: &PeerIdentity, ids: Option<&(Identification, Identification)>) -> [u8; 16] {
    let (client, server) = ids.map(|(client, server)| (client.encode(), server.encode())).unwrap_or_default();
    let length = |octets: &[u8]| (octets.len() as u32).to_be_bytes();
    let parts: [&[u8]; 5] = [&length(&peer.id), &peer.id, &length(&client), &client, &server];
    crypto::hash(Hash::Sha256, &parts).first_chunk().copied().unwrap_or_default()
}

/// By which everything of one peer is found.
pub(super) fn peer_key(path: &Path, peer: &PeerIdentity) -> (IpAddr, [u8; 16]) {
    let digest = crypto::hash(Hash::Sha256, &[&peer.id]);
    (path.remote.ip(), digest.first_chunk().copied().unwrap_or_default())
}
