//! Informational exchanges (RFC 2408 sections 4.8, 3.14, 3.15): deletes, notifications, dead peer detection.

use std::time::Instant;

use super::event::{AssociationId, DownCause, Failure, Path};
use super::ike::Stage;
use super::install::way;
use super::{Endpoint, Incoming};
use crate::crypto;
use crate::esp::Spi;
use crate::ikev1::header::{ExchangeType, Header};
use crate::ikev1::notify::{self, Delete, Notification, kind};
use crate::ikev1::payload::{Builder, Kind, Payloads};
use crate::ikev1::proposal::protocol;

impl Endpoint {
    pub(super) fn informational(&mut self, now: Instant, id: u64, incoming: &Incoming<'_>) {
        let Incoming { header, .. } = *incoming;
        let Some(ike) = self.ikes.get(&id) else { return };
        match (header.is_encrypted(), ike.is_established()) {
            (true, true) => {
                if self.protected(now, id, incoming).is_none() {
                    self.counters.unauthentic += 1;
                }
            }
            (false, false) => self.unprotected(id, incoming),
            // In clear anybody could have sent it.
            (false, true) => self.counters.unauthentic += 1,
            (true, false) => self.counters.out_of_turn += 1,
        }
    }

    fn protected(&mut self, now: Instant, id: u64, incoming: &Incoming<'_>) -> Option<()> {
        let Incoming { path, header, body, .. } = *incoming;
        let ike = self.ikes.get_mut(&id)?;
        let keys = ike.keys.as_ref()?;
        // The fourth message of a quick mode with commit bit goes on in its chain; nothing waits for it here.
        let (clear, _) = keys.open(&keys.phase2_vector(header.message_id), body)?;
        let payloads = Payloads::decode(header.next_payload, &clear).ok()?;
        let hash = payloads.one(Kind::Hash, "hash").ok().filter(|_| payloads.first() == Some(Kind::Hash))?;
        let expected = keys.authenticate(&[&header.message_id.to_be_bytes(), payloads.after_first()]);
        crypto::equal(&expected, hash).then_some(())?;
        if !ike.note_informational(header.message_id) {
            // Recorded and sent again, or one of ours come back: it says nothing of where the peer is, or that it is.
            self.counters.repeated += 1;
            return Some(());
        }
        ike.heard = now;
        ike.path = path;
        for body in payloads.all(Kind::Notification) {
            let Ok(notification) = Notification::decode(body) else { continue };
            self.notified(now, id, path, &notification);
        }
        for body in payloads.all(Kind::Delete) {
            match Delete::decode(body) {
                Ok(Some(Delete::Esp(spis))) => self.delete_esp(now, id, &spis),
                Ok(Some(Delete::Isakmp(all))) => {
                    for cookies in all {
                        // Only its own peer may delete an association.
                        let named = self.by_cookies.get(&cookies).copied();
                        let is_same =
                            named == Some(id) || named.is_some_and(|other| self.have_same_peer(id, other));
                        if let Some(named) = named.filter(|_| is_same) {
                            self.drop_ike(named);
                        }
                    }
                }
                Ok(None) => {}
                Err(_) => self.counters.malformed += 1,
            }
        }
        Some(())
    }

    fn have_same_peer(&self, one: u64, other: u64) -> bool {
        // Behind one NAT others may have the same address and name, and differ in their ports.
        let key = |id| self.ikes.get(&id).and_then(|ike| Some((ike.peer_key?, way(&ike.path))));
        key(one).is_some() && key(one) == key(other)
    }

    /// Something in clear during phase 1: a hint for the one who waits, and no more, since anybody can send it.
    fn unprotected(&mut self, id: u64, incoming: &Incoming<'_>) {
        let Incoming { path, header, body, .. } = *incoming;
        let Some(ike) = self.ikes.get(&id) else { return };
        let Ok(payloads) = Payloads::decode(header.next_payload, body) else {
            self.counters.malformed += 1;
            return;
        };
        if path.remote.ip() != ike.path.remote.ip() || !ike.is_initiator {
            return;
        }
        let stage = ike.stage;
        let errors = payloads.all(Kind::Notification).filter_map(|body| Notification::decode(body).ok());
        let Some(error) = errors.into_iter().find(|error| notify::is_error(error.kind)) else { return };
        let (stage, advice) = match (stage, error.kind) {
            (Stage::WaitsForSa, kind::NO_PROPOSAL_CHOSEN) => {
                ("to the phase-1 proposals", "allow one of them on the server, or offer others")
            }
            (Stage::WaitsForSa, _) => ("to the first message", "see the server's log"),
            (Stage::WaitsForAnswer, _) => (
                "to the proof of identity",
                "compare the pre-shared key or the certificate with the server's, and see its log",
            ),
            _ => ("in phase 1", "see the server's log"),
        };
        self.give_up(id, Failure::Refused { notification: error.name(), stage, advice });
    }

    fn notified(&mut self, now: Instant, id: u64, path: Path, notification: &Notification<'_>) {
        match notification.kind {
            kind::R_U_THERE => self.notify(id, path, kind::R_U_THERE_ACK, notification.data),
            kind::R_U_THERE_ACK => {
                if let Some(ike) = self.ikes.get_mut(&id)
                    && notification.data == ike.dpd.sequence.to_be_bytes()
                {
                    ike.dpd.unanswered = 0;
                    ike.dpd.asked = None;
                }
            }
            kind::INITIAL_CONTACT => self.initial_contact(id),
            error if notify::is_error(error) => self.refused(now, id, notification),
            _ => {}
        }
    }

    /// A protected error: the peer takes none of what phase 2 offers.
    fn refused(&mut self, now: Instant, id: u64, notification: &Notification<'_>) {
        let Some(ike) = self.ikes.get(&id) else { return };
        let waiting =
            ike.quicks.iter().find(|(_, quick)| quick.stage == super::quick::QuickStage::WaitsForSecond);
        let Some(message_id) = waiting.map(|(id, _)| *id) else { return };
        let advice = match notification.kind {
            kind::NO_PROPOSAL_CHOSEN => "allow one of the transform sets on the server, or offer others",
            kind::INVALID_ID_INFORMATION => "the server wants other traffic selectors: see its log",
            _ => "see the server's log",
        };
        let failure =
            Failure::Refused { notification: notification.name(), stage: "to the phase-2 proposals", advice };
        self.quick_failed(now, id, message_id, failure);
    }

    /// The peer takes ESP associations away, by the SPIs that it receives on. It may do so at any time and again.
    fn delete_esp(&mut self, now: Instant, id: u64, spis: &[u32]) {
        let Some(ike) = self.ikes.get(&id) else { return };
        let mut candidates: Vec<AssociationId> = ike.associations.clone();
        if let Some(known) = ike.peer_key.and_then(|key| self.peers.get(&key)) {
            let same_way = way(&ike.path);
            let is_same = |id: &&AssociationId| {
                self.associations.get(id).is_some_and(|entry| way(&entry.path) == same_way)
            };
            candidates.extend(known.associations.iter().filter(is_same));
        }
        candidates.sort_unstable();
        candidates.dedup();
        for association in candidates {
            let Some(entry) = self.associations.get(&association) else { continue };
            let gone: Vec<Spi> = entry
                .children
                .iter()
                .filter(|child| spis.contains(&child.spi_out.get()))
                .map(|child| child.spi_in)
                .collect();
            if gone.is_empty() {
                continue;
            }
            gone.into_iter().for_each(|spi| self.remove_child(association, spi));
            self.without_children(now, association, DownCause::DeletedByPeer);
        }
    }

    /// Sends a protected notification.
    pub(super) fn notify(&mut self, id: u64, path: Path, kind: u16, data: &[u8]) {
        let Some(ike) = self.ikes.get(&id) else { return };
        let cookies = ike.cookies.octets();
        let notification = Notification { kind, protocol: protocol::ISAKMP, spi: &cookies, data };
        let mut rest = Builder::new();
        rest.add(Kind::Notification, &[&notification.encode()]);
        self.send_protected(id, path, &rest);
    }

    /// Sends a Delete.
    pub(super) fn send_delete(&mut self, id: u64, delete: &Delete) {
        let Some(path) = self.ikes.get(&id).map(|ike| ike.path) else { return };
        let mut rest = Builder::new();
        rest.add(Kind::Delete, &[&delete.encode()]);
        self.send_protected(id, path, &rest);
    }

    fn send_protected(&mut self, id: u64, path: Path, rest: &Builder) {
        let message_id = self.entropy.u32() | 1;
        let Some(ike) = self.ikes.get_mut(&id) else { return };
        ike.note_informational(message_id);
        let Some(keys) = &ike.keys else { return };
        let (_, octets) = rest.chain();
        let hash = keys.authenticate(&[&message_id.to_be_bytes(), octets]);
        let mut builder = Builder::new();
        builder.add(Kind::Hash, &[&hash]).append(rest);
        let header = Header {
            cookies: ike.cookies,
            next_payload: 0,
            exchange: ExchangeType::Informational,
            flags: 0,
            message_id,
        };
        let message = keys.seal(header, &builder, &mut keys.phase2_vector(message_id));
        self.send_raw(path, &message);
    }
}
