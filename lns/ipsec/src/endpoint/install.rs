//! From a finished exchange of phase 2 to an association that carries packets, and its end.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::association::{Association, Child, Totals};
use super::event::{AssociationId, Event, KeyLog, Path, PeerIdentity};
use super::proof::hexadecimal;
use super::quick::QuickStage;
use super::{Endpoint, L2TP_PORT, Timer};
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
pub(super) const DORMANT: Duration = Duration::from_secs(60);
/// Pairs of one association at once.
const MOST_CHILDREN: usize = 8;
/// Associations that one ISAKMP association keeps.
const MOST_ASSOCIATIONS: usize = 16;

impl Endpoint {
    /// Makes a pair of ESP associations of an exchange, in the association that it belongs to or in a new one.
    pub(super) fn install(&mut self, now: Instant, id: u64, message_id: u32) -> Option<()> {
        let mut entropy = self.entropy.fork();
        let ike = self.ikes.get(&id)?;
        let quick = ike.quicks.get(&message_id)?;
        let keys = ike.keys.as_ref()?;
        let offer = quick.offer?;
        let spi_out = Spi::new(quick.spi_out)?;
        let suite = match self.config.truncate_sha256 {
            true => offer.suite.with_truncated_sha256(),
            false => offer.suite,
        };
        let [keymat_in, keymat_out] = quick.keymat(keys, suite);
        let inbound = InboundSa::new(quick.spi_in, suite, &keymat_in, self.config.replay_window)?;
        let outbound = OutboundSa::new(spi_out, suite, &keymat_out, &mut entropy)?;
        let default_life = ike.dial.as_ref().map_or(self.config.sa_lifetime, |dial| dial.sa_lifetime);
        let life = offer.life.seconds.map_or(default_life, Duration::from_secs);
        let is_initiator = ike.is_initiator && ike.dial.is_some();
        // The one who dialled rekeys before the agreed amount; the other only where that did not happen.
        let share = if is_initiator { 19 } else { 22 };
        // The client's clock decides; ours only keeps what it has forgotten from staying for ever.
        let life = life.clamp(Duration::from_secs(1), Duration::from_secs(365 * 86_400));
        let child = Child {
            spi_in: quick.spi_in,
            spi_out,
            set: offer.set(),
            inbound,
            outbound,
            confirmed: false,
            expires: now + if is_initiator { life } else { life.max(SHORTEST) + MARGIN },
            rekey: is_initiator.then(|| now + life.mul_f64(0.8)),
            octets: offer
                .life
                .kilobytes
                .or(self.config.sa_kilobytes)
                .map(|kilobytes| (kilobytes.saturating_mul(256) / 5).saturating_mul(share)),
            rekeying: false,
            is_used_up: false,
            ike: id,
        };
        if self.config.log_keys {
            self.log_esp(id, message_id, &keymat_in, &keymat_out);
        }
        let spi = child.spi_in.get();
        let association = match self.ikes.get(&id)?.quicks.get(&message_id)?.association {
            Some(association) if self.associations.contains_key(&association) => association,
            _ => self.find_or_make(now, id, message_id)?,
        };
        self.make_room(association);
        let entry = self.associations.get_mut(&association)?;
        entry.children.push(child);
        if let Some(quick) = self.ikes.get_mut(&id)?.quicks.get_mut(&message_id) {
            quick.association = Some(association);
        }
        self.by_spi.insert(spi, association);
        self.arm_association(association);
        Some(())
    }

    /// A peer that negotiates again and again without a Delete loses its oldest pairs.
    fn make_room(&mut self, id: AssociationId) {
        let Some(association) = self.associations.get(&id) else { return };
        if association.children.len() < MOST_CHILDREN {
            return;
        }
        let current = association.children.iter().rev().find(|child| child.confirmed);
        let current = current.map(|child| child.spi_in);
        let oldest = association.children.iter().find(|child| Some(child.spi_in) != current);
        let Some((spi, ike)) = oldest.map(|child| (child.spi_in, child.ike)) else { return };
        self.remove_child(id, spi);
        if self.ikes.contains_key(&ike) {
            self.send_delete(ike, &Delete::Esp(vec![spi.get()]));
        }
    }

    /// Keys are confirmed: from now on the association is kept by the ISAKMP association that negotiated them, and the
    /// peer is where that one has it.
    fn hand_over(&mut self, id: AssociationId, ike: u64, path: Option<Path>) {
        let Some(entry) = self.associations.get_mut(&id) else { return };
        entry.dormant_until = None;
        let (old, old_path) = (entry.ike, entry.path);
        let Some(new) = self.ikes.get_mut(&ike) else { return };
        entry.ike = Some(ike);
        if !new.associations.contains(&id) {
            new.associations.push(id);
        }
        if let Some(old) = old.filter(|old| *old != ike).and_then(|old| self.ikes.get_mut(&old)) {
            old.associations.retain(|other| *other != id);
        }
        if let Some(path) = path.filter(|path| *path != old_path) {
            self.follow(id, path);
        }
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
        let path = quick.path;
        let key = (way(&path), traffic_of(&peer, quick.ids.as_ref()));
        // What this ISAKMP association keeps is this peer's, wherever it has moved to. Where we dialled there is but one.
        let is_same = |association: &&AssociationId| {
            ike.is_initiator || self.associations.get(association).is_some_and(|entry| entry.key.1 == key.1)
        };
        let kept = ike.associations.iter().find(is_same).copied();
        if let Some(known) = kept.or_else(|| self.by_key.get(&key).copied().filter(|_| !ike.is_initiator)) {
            return Some(known);
        }
        if ike.associations.len() >= MOST_ASSOCIATIONS
            || self.associations.len() >= self.config.max_associations
        {
            self.counters.unauthenticated_limited += 1;
            return None;
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
        self.next_id += 1 << self.place.bits;
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
            successor: None,
            armed: None,
        };
        self.peers.entry(entry.peer_key).or_default().associations.push(association);
        self.associations.insert(association, Box::new(entry));
        self.by_key.insert(key, association);
        if let Some(ike) = self.ikes.get_mut(&id) {
            ike.associations.push(association);
        }
        Some(association)
    }

    /// The peer has the keys of a pair: packets leave by it from now on, and the old ones only receive.
    pub(super) fn confirm(&mut self, now: Instant, id: AssociationId, spi: u32) {
        let Some(association) = self.associations.get_mut(&id) else { return };
        let Some(at) = association.children.iter().position(|child| child.spi_in.get() == spi) else {
            return;
        };
        let (older, rest) = association.children.split_at_mut(at);
        let Some((child, newer)) = rest.split_first_mut() else { return };
        if std::mem::replace(&mut child.confirmed, true) {
            return;
        }
        let (set, by) = (child.set, child.ike);
        // Replaced: not to be rekeyed again.
        older.iter_mut().for_each(|old| old.rekeying = true);
        child.rekeying = newer.iter().any(|newer| newer.confirmed);
        let (peer, path, connection) =
            (Arc::clone(&association.peer), association.path, association.connection);
        if std::mem::replace(&mut association.up, true) {
            association.rekeyed += 1;
            self.counters.rekeyed += 1;
            self.events.push_back(Event::AssociationRekeyed { association: id });
            self.retire_old(now, id, at);
        } else {
            association.quiet_due = Some(now + QUIET);
            self.counters.up += 1;
            self.events.push_back(Event::AssociationUp { association: id, connection, peer, path, set });
        }
        let mut path = None;
        if let Some(ike) = self.ikes.get_mut(&by) {
            // A pair that its first packet has confirmed needs the third message no more.
            let waiting = ike
                .quicks
                .iter()
                .find(|(_, quick)| quick.spi_in.get() == spi && quick.stage == QuickStage::WaitsForThird);
            match waiting.map(|(message_id, _)| *message_id) {
                Some(message_id) => ike.finish_quick(message_id),
                None => path = Some(ike.path),
            }
        }
        self.hand_over(id, by, path);
        self.arm_association(id);
    }

    /// As the one who rekeys: old pairs go a little later, when nothing of them can be on the way any more.
    fn retire_old(&mut self, now: Instant, id: AssociationId, older: usize) {
        let Some(association) = self.associations.get_mut(&id) else { return };
        if association.dial.is_some() {
            for child in association.children.iter_mut().take(older) {
                child.expires = child.expires.min(now + Duration::from_secs(5));
            }
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
