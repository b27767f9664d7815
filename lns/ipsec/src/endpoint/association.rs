//! What an L2TP tunnel belongs to: the ESP associations with one client, over all their rekeyings. Here is the packet
//! path: nothing in it allocates, waits or scans.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Endpoint;
use super::config::Dial;
use super::event::{AssociationId, AssociationInfo, ConnectionId, Path, PeerIdentity};
use super::install::way;
use crate::algorithm::Mode;
use crate::esp::inner::{self, ChecksumRule, InnerAddresses};
use crate::esp::{DropReason, InboundSa, OutboundSa, SealError, Spi};
use crate::ikev1::nat::Nat;
use crate::ikev1::selection::{Encapsulation, TransformSet};

/// The port of L2TP.
pub const L2TP_PORT: u16 = 1701;
/// After this many packets of one ESP association it is rekeyed, whatever its lifetime (RFC 4303 section 3.3.3).
const MOST_PACKETS: u32 = 0xffff_0000;

/// One pair of ESP associations.
pub(super) struct Child {
    pub(super) spi_in: Spi,
    pub(super) spi_out: Spi,
    pub(super) set: TransformSet,
    pub(super) inbound: InboundSa,
    pub(super) outbound: OutboundSa,
    /// The peer is known to have the keys too: we may send.
    pub(super) confirmed: bool,
    pub(super) expires: Instant,
    pub(super) rekey: Option<Instant>,
    /// Octets after which it is rekeyed.
    pub(super) octets: Option<u64>,
    /// Its successor is there, or it was told to be used up: neither happens twice.
    pub(super) rekeying: bool,
    /// Too much has gone through it.
    pub(super) is_used_up: bool,
    /// The ISAKMP association that it was negotiated by.
    pub(super) ike: u64,
}

/// Octets, packets and drops of ESP associations that are gone.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Totals {
    octets_in: u64,
    octets_out: u64,
    packets_in: u64,
    packets_out: u64,
    replay_drops: u64,
}

impl Totals {
    fn add(&mut self, child: &Child) {
        self.octets_in += child.inbound.octets();
        self.octets_out += child.outbound.octets();
        self.packets_in += child.inbound.packets();
        self.packets_out += child.outbound.packets();
        self.replay_drops += child.inbound.replay_drops();
    }
}

/// A client's associations.
pub(super) struct Association {
    pub(super) id: AssociationId,
    /// By which a later exchange of phase 2 finds it: the way, and whose traffic it is.
    pub(super) key: (SocketAddr, [u8; 16]),
    /// By which everything of the peer is found.
    pub(super) peer_key: (IpAddr, [u8; 16]),
    pub(super) up: bool,
    pub(super) path: Path,
    pub(super) encapsulation: Encapsulation,
    pub(super) nat: Nat,
    pub(super) peer: Arc<PeerIdentity>,
    pub(super) ike: Option<u64>,
    /// Our address inside a tunnel.
    pub(super) inner_local: IpAddr,
    /// The client's address inside a tunnel.
    pub(super) inner_remote: IpAddr,
    /// Our port of the traffic.
    pub(super) local_port: u16,
    /// The peer's, as its last packet had it.
    pub(super) peer_port: u16,
    /// Oldest first; packets leave by the last confirmed one.
    pub(super) children: Vec<Child>,
    pub(super) since: Instant,
    pub(super) rekeyed: u32,
    pub(super) gone: Totals,
    pub(super) last_in: Instant,
    pub(super) last_out: Instant,
    /// Traffic has come.
    pub(super) heard: bool,
    /// When it is odd that none has.
    pub(super) quiet_due: Option<Instant>,
    /// Without ESP associations: how long new ones are waited for.
    pub(super) dormant_until: Option<Instant>,
    pub(super) dial: Option<Arc<Dial>>,
    pub(super) connection: Option<ConnectionId>,
    /// Phase 1 that is under way for it.
    pub(super) successor: Option<u64>,
    pub(super) armed: Option<Instant>,
}

impl Association {
    fn outgoing(&mut self) -> Option<&mut Child> {
        self.children.iter_mut().rev().find(|child| child.confirmed)
    }

    /// Whether a pair is the one that packets leave by, or newer.
    fn is_current(&self, spi_in: u32) -> bool {
        let newest = self.children.iter().rev().find(|child| child.confirmed || child.spi_in.get() == spi_in);
        newest.is_some_and(|child| child.spi_in.get() == spi_in)
    }

    /// Where its packets go: raw ESP without ports.
    fn route(&self) -> Path {
        let Path { mut local, mut remote, nat_t } = self.path;
        if !nat_t {
            local.set_port(0);
            remote.set_port(0);
        }
        Path { local, remote, nat_t }
    }

    pub(super) fn child_mut(&mut self, spi_in: Spi) -> Option<&mut Child> {
        self.children.iter_mut().find(|child| child.spi_in == spi_in)
    }

    /// Takes a pair away and keeps its counts.
    pub(super) fn take_child(&mut self, spi_in: Spi) -> Option<Child> {
        let at = self.children.iter().position(|child| child.spi_in == spi_in)?;
        let child = self.children.remove(at);
        self.gone.add(&child);
        Some(child)
    }

    /// When a keepalive is due (RFC 3948 section 4).
    pub(super) fn keepalive_due(&self, interval: Duration) -> Option<Instant> {
        (self.nat.found() && self.path.nat_t && self.up).then(|| self.last_out + interval)
    }

    pub(super) fn due(&self, keepalive: Duration) -> Option<Instant> {
        let children = self.children.iter().flat_map(|child| {
            [Some(child.expires), child.rekey.filter(|_| !child.rekeying && child.confirmed)]
        });
        [self.keepalive_due(keepalive), self.quiet_due, self.dormant_until]
            .into_iter()
            .chain(children)
            .flatten()
            .min()
    }

    fn inner(&self) -> InnerAddresses {
        InnerAddresses {
            source: SocketAddr::new(self.inner_local, self.local_port),
            destination: SocketAddr::new(self.inner_remote, self.peer_port),
        }
    }

    pub(super) fn info(&self) -> AssociationInfo {
        let mut totals = self.gone;
        self.children.iter().for_each(|child| totals.add(child));
        let current = self.children.iter().rev().find(|child| child.confirmed);
        AssociationInfo {
            id: self.id,
            path: self.path,
            peer: Arc::clone(&self.peer),
            nat: self.nat,
            policy: None,
            set: current.map(|child| child.set),
            encapsulation: self.encapsulation,
            spi_in: current.map(|child| child.spi_in),
            spi_out: current.map(|child| child.spi_out),
            phase1_expires: None,
            expires: current.map(|child| child.expires),
            since: self.since,
            rekeyed: self.rekeyed,
            octets_in: totals.octets_in,
            octets_out: totals.octets_out,
            packets_in: totals.packets_in,
            packets_out: totals.packets_out,
            replay_drops: totals.replay_drops,
        }
    }
}

/// An L2TP datagram that came through an association.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Which.
    pub association: AssociationId,
    /// Where in the packet it lies.
    pub payload: Range<usize>,
    /// Whose traffic it is, as L2TP wants to know it: our address, and the peer's.
    pub local: SocketAddr,
    /// The peer's outer address, with the port of the traffic where there is no NAT.
    pub remote: SocketAddr,
}

impl Endpoint {
    /// Takes one ESP packet, decrypting it in place. What comes of it besides is fetched with
    /// [`Endpoint::poll_event`] and [`Endpoint::poll_transmit`].
    pub fn handle_esp(
        &mut self,
        now: Instant,
        path: Path,
        packet: &mut [u8],
    ) -> Result<Delivery, DropReason> {
        let outcome = self.open(now, path, packet);
        if let Err(reason) = outcome {
            self.counters.count_drop(reason);
        }
        outcome
    }

    fn open(&mut self, now: Instant, path: Path, packet: &mut [u8]) -> Result<Delivery, DropReason> {
        let spi = packet.first_chunk().copied().map(u32::from_be_bytes).ok_or(DropReason::Truncated)?;
        let id = *self.by_spi.get(&spi).ok_or(DropReason::UnknownSpi)?;
        let association = self.associations.get_mut(&id).ok_or(DropReason::UnknownSpi)?;
        let child = association
            .children
            .iter_mut()
            .rev()
            .find(|child| child.spi_in.get() == spi)
            .ok_or(DropReason::UnknownSpi)?;
        let opened = child.inbound.open(packet)?;
        // The packet is the peer's. Whatever it carries, the peer lives, and has the keys.
        let is_latest = opened.sequence == child.inbound.highest_sequence();
        let mode = child.set.mode;
        let unconfirmed = !child.confirmed;
        let used_up = !child.is_used_up && child.octets.is_some_and(|most| child.inbound.octets() > most);
        association.last_in = now;
        let rule = if association.nat.found() { ChecksumRule::Accept } else { ChecksumRule::Verify };
        let outer = (path.remote.ip(), path.local.ip());
        let udp = inner::read(mode, opened.next_header, packet, opened.payload, outer, rule);
        // A packet that was overtaken says nothing of where the peer is now, nor does one of an older pair. Raw ESP has no
        // port, and no NAT that could change it.
        let is_newest = is_latest && association.is_current(spi);
        if association.path != path && association.path.nat_t && path.nat_t && is_newest {
            self.follow(id, path);
        }
        if unconfirmed {
            self.confirm(now, id, spi);
        }
        if used_up {
            self.rekey_now(now, id, spi);
        }
        let udp = udp?;
        let Some(association) = self.associations.get_mut(&id) else { return Err(DropReason::UnknownSpi) };
        if udp.destination_port != association.local_port {
            return Err(DropReason::Selector);
        }
        if mode == Mode::Tunnel {
            if udp.destination.is_some_and(|to| to != association.inner_local) {
                return Err(DropReason::Selector);
            }
            if let Some(from) = udp.source {
                association.inner_remote = from;
            }
        }
        association.peer_port = udp.source_port;
        association.heard = true;
        association.quiet_due = None;
        let local = SocketAddr::new(association.path.local.ip(), association.local_port);
        let remote = match association.path.nat_t {
            true => association.path.remote,
            false => SocketAddr::new(association.path.remote.ip(), association.peer_port),
        };
        Ok(Delivery { association: id, payload: udp.payload, local, remote })
    }

    /// The peer's address has changed: a packet that only it could have made came from there.
    pub(super) fn follow(&mut self, id: AssociationId, path: Path) {
        if let Some(association) = self.associations.get_mut(&id) {
            association.path = path;
            let old_peer = association.peer_key;
            association.peer_key.0 = path.remote.ip();
            let new_peer = association.peer_key;
            let old = association.key;
            association.key.0 = way(&path);
            let new = association.key;
            if self.by_key.get(&old) == Some(&id) {
                self.by_key.remove(&old);
            }
            self.by_key.insert(new, id);
            self.counters.moved += 1;
            if let Some(ike) = association.ike.and_then(|ike| self.ikes.get_mut(&ike)) {
                ike.path = path;
            }
            if old_peer != new_peer {
                self.forget_peer(old_peer, |known| known.associations.retain(|other| *other != id));
                self.peers.entry(new_peer).or_default().associations.push(id);
            }
        }
    }

    /// Octets in front of an L2TP datagram that goes through an association: leave them free in the buffer, and
    /// [`crate::esp::TAILROOM`] behind. `None` when nothing can be sent now.
    pub fn head_length(&mut self, id: AssociationId) -> Option<usize> {
        let association = self.associations.get_mut(&id)?;
        let is_v6 = association.inner_remote.is_ipv6();
        let child = association.outgoing()?;
        let inner = inner::header_length(child.set.mode, is_v6);
        Some(child.outbound.header_length() + inner)
    }

    /// The way of an association's packets.
    pub fn route(&self, id: AssociationId) -> Option<Path> {
        self.associations.get(&id).map(|association| association.route())
    }

    /// Wraps an L2TP datagram that lies at `payload`, after [`Endpoint::head_length`] free octets; gives the range of
    /// the ESP packet and its way. With `nat_t` it goes into UDP as it is, otherwise out as IP protocol 50.
    pub fn seal(
        &mut self,
        now: Instant,
        id: AssociationId,
        buffer: &mut [u8],
        payload: Range<usize>,
    ) -> Option<(Range<usize>, Path)> {
        let association = self.associations.get_mut(&id)?;
        let addresses = association.inner();
        let child = association.outgoing()?;
        let (inside, next_header) = inner::write(child.set.mode, &addresses, buffer, payload)?;
        let sealed = child.outbound.seal(buffer, inside, next_header);
        let spi = child.spi_in.get();
        let is_used_up = child.outbound.sequence() >= MOST_PACKETS
            || child.octets.is_some_and(|most| child.outbound.octets() > most);
        let rekey = is_used_up && !child.is_used_up;
        association.last_out = now;
        let path = association.route();
        if rekey {
            self.rekey_now(now, id, spi);
        }
        match sealed {
            Ok(packet) => Some((packet, path)),
            Err(SealError::Exhausted | SealError::NoRoom) => {
                self.counters.unsent += 1;
                None
            }
        }
    }

    /// Longest L2TP datagram that leaves in one packet of `path_mtu` octets of IP, NAT traversal's UDP header
    /// included.
    pub fn largest_datagram(&mut self, id: AssociationId, path_mtu: usize) -> Option<usize> {
        let association = self.associations.get_mut(&id)?;
        let outer = if association.path.remote.is_ipv6() { 40 } else { 20 };
        let udp = if association.path.nat_t { 8 } else { 0 };
        let is_v6 = association.inner_remote.is_ipv6();
        let child = association.outgoing()?;
        let inner = inner::header_length(child.set.mode, is_v6);
        child.outbound.largest_payload(path_mtu.checked_sub(outer + udp)?).checked_sub(inner)
    }

    pub(super) fn rekey_now(&mut self, now: Instant, id: AssociationId, spi: u32) {
        let child = self
            .associations
            .get_mut(&id)
            .and_then(|association| association.children.iter_mut().find(|child| child.spi_in.get() == spi));
        if let Some(child) = child {
            child.rekey = Some(now);
            child.is_used_up = true;
            self.arm_association(id);
        }
    }
}
