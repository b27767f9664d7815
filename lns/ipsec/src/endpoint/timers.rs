//! What time brings: retransmissions, ends of lives, rekeyings, keepalives, dead peer detection.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::event::{AssociationId, DownCause, Event, Failure, Transmit};
use super::ike::{IkeSa, Stage};
use super::quick::{Quick, QuickStage};
use super::{Endpoint, Timer};
use crate::ikev1::notify::{Delete, kind};

/// Wait before a rekeying that failed is tried again.
const REKEY_AGAIN: Duration = Duration::from_secs(10);

impl Endpoint {
    /// When [`Endpoint::handle_timeout`] has something to do. It can be earlier than needed, never later.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Does everything that is due by `now`. The cost is proportional to what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        // An entry that an earlier one has overtaken is not looked at, or there would be ever more of them.
        while let (Some(at), Some(timer)) = (self.timers.next(), self.timers.due(now)) {
            match timer {
                Timer::Ike(id) => {
                    if let Some(ike) = self.ikes.get_mut(&id).filter(|ike| ike.armed == Some(at)) {
                        ike.armed = None;
                        self.ike_due(now, id);
                        self.arm_ike(id);
                    }
                }
                Timer::Association(id) => {
                    let association = self.associations.get_mut(&id);
                    if let Some(association) = association.filter(|association| association.armed == Some(at))
                    {
                        association.armed = None;
                        self.association_due(now, id);
                        self.arm_association(id);
                    }
                }
                Timer::HalfOpens => {
                    self.half_opens.armed = None;
                    self.half_opens.expire(now);
                    self.arm_half_opens();
                }
            }
        }
    }

    pub(super) fn arm_half_opens(&mut self) {
        if let (None, Some(due)) = (self.half_opens.armed, self.half_opens.due()) {
            self.half_opens.armed = Some(due);
            self.timers.enter(due, Timer::HalfOpens);
        }
    }

    pub(super) fn arm_ike(&mut self, id: u64) {
        let Some(due) = self.ike_wants(id) else { return };
        let Some(ike) = self.ikes.get_mut(&id) else { return };
        if ike.armed.is_none_or(|armed| due < armed) {
            ike.armed = Some(due);
            self.timers.enter(due, Timer::Ike(id));
        }
    }

    fn ike_wants(&self, id: u64) -> Option<Instant> {
        let ike = self.ikes.get(&id)?;
        [ike.due(), self.dpd_due(ike)].into_iter().flatten().min()
    }

    /// When the peer is asked whether it is there, or given up.
    fn dpd_due(&self, ike: &IkeSa) -> Option<Instant> {
        let dpd = self
            .config
            .dpd
            .filter(|_| ike.is_established() && ike.vendor.dpd && !ike.associations.is_empty())?;
        match ike.dpd.asked {
            Some(asked) => Some(asked + dpd.retry),
            None => Some(self.last_heard(ike) + dpd.threshold),
        }
    }

    fn last_heard(&self, ike: &IkeSa) -> Instant {
        let associations = ike.associations.iter().filter_map(|id| self.associations.get(id));
        associations.map(|association| association.last_in).fold(ike.heard, Instant::max)
    }

    fn ike_due(&mut self, now: Instant, id: u64) {
        self.quicks_due(now, id);
        let Some(ike) = self.ikes.get_mut(&id) else { return };
        if ike.reassembly.as_ref().and_then(|pieces| pieces.expires()).is_some_and(|due| due <= now) {
            ike.reassembly = None;
        }
        if ike.forget_answer.is_some_and(|due| due <= now) {
            ike.forget_answer = None;
            ike.resend.sends(now, Vec::new(), false);
        }
        if ike.set_up_until.is_some_and(|due| due <= now) {
            return self.set_up_failed(id);
        }
        if ike.resend.due().is_some_and(|due| due <= now) {
            match ike.resend.try_again(now) {
                true => self.send_again(id, None),
                false => return self.no_answer(id),
            }
        }
        let Some(ike) = self.ikes.get_mut(&id) else { return };
        if ike.retires.is_some_and(|due| due <= now) {
            return self.close_ike(now, id);
        }
        if ike.expires.is_some_and(|due| due <= now) {
            // Without a Delete: some clients take one for the end of the call.
            return self.drop_ike(id);
        }
        if ike.idle_due().is_some_and(|due| due <= now) {
            return self.drop_ike(id);
        }
        if ike.rekey.is_some_and(|due| due <= now) {
            ike.rekey = Some(now + REKEY_AGAIN);
            let (path, dial, connection, successor) =
                (ike.path, ike.dial.clone(), ike.connection, ike.successor);
            let is_under_way = successor.is_some_and(|successor| self.ikes.contains_key(&successor));
            if let (Some(dial), Some(connection), false) = (dial, connection, is_under_way) {
                let successor = self.begin(now, path, dial, connection, Vec::new());
                if let Some(ike) = self.ikes.get_mut(&id) {
                    ike.successor = successor;
                }
            }
        }
        self.detect_dead_peer(now, id);
    }

    /// Phase 1 at the responder has taken too long.
    fn set_up_failed(&mut self, id: u64) {
        let Some(ike) = self.ikes.get(&id) else { return };
        let (path, stage, complained, is_nat) = (ike.path, ike.stage, ike.complained, ike.nat.found());
        let group = ike.phase1.as_deref().and_then(|phase1| phase1.key.clone()).map(|(group, _)| group);
        let failure = match stage {
            Stage::WaitsForProof if is_nat && !path.nat_t => Some(Failure::NoAnswer(
                "the peer found a NAT, went on to UDP port 4500 and was not heard there: is UDP 4500 blocked on the way?",
            )),
            Stage::WaitsForProof => Some(Failure::NoAnswer(
                "the peer fell silent before it proved who it is: it has given up, or its packets are lost",
            )),
            Stage::WaitsForHash => {
                let tunnel_group = group.unwrap_or_else(|| Arc::clone(&self.config.default_group));
                Some(Failure::WrongKey { tunnel_group })
            }
            _ => None,
        };
        if let Some(failure) = failure.filter(|_| !complained) {
            self.fail(None, path, failure);
        }
        self.drop_ike(id);
    }

    /// The responder does not answer us.
    fn no_answer(&mut self, id: u64) {
        let Some(ike) = self.ikes.get(&id) else { return };
        let words = match (ike.stage, ike.path.nat_t) {
            (Stage::WaitsForSa, _) => {
                "no answer to IKE: is the address right, is the server up, is UDP port 500 blocked on the way?"
            }
            (Stage::WaitsForKey, _) => "no answer to the key exchange: the server fell silent, see its log",
            (Stage::WaitsForAnswer, true) => {
                "no answer to the proof of identity: the pre-shared key differs from the server's, or UDP port 4500 is \
                 blocked on the way; see the server's log"
            }
            (Stage::WaitsForAnswer, false) => {
                "no answer to the proof of identity: the pre-shared key differs from the server's; see the server's log"
            }
            _ => "the server fell silent",
        };
        self.give_up(id, Failure::NoAnswer(words));
    }

    fn quicks_due(&mut self, now: Instant, id: u64) {
        let Some(ike) = self.ikes.get_mut(&id) else { return };
        let due: Vec<u32> = ike
            .quicks
            .iter()
            .filter(|(_, quick)| quick.due().is_some_and(|due| due <= now))
            .map(|(message_id, _)| *message_id)
            .collect();
        for message_id in due {
            let Some(ike) = self.ikes.get_mut(&id) else { return };
            let Some(quick) = ike.quicks.get_mut(&message_id) else { continue };
            if quick.resend.try_again(now) {
                let (path, messages) = (quick.path, quick.resend.sent.clone());
                messages.iter().for_each(|message| self.send_raw(path, message));
                continue;
            }
            let (stage, spi, association) = (quick.stage, quick.spi_in, quick.association);
            let is_dialled = ike.dial.is_some();
            match (stage, association) {
                // The peer never confirmed: what was made for it goes.
                (QuickStage::WaitsForThird, Some(association)) => {
                    ike.finish_quick(message_id);
                    let confirmed = self
                        .associations
                        .get_mut(&association)
                        .and_then(|association| association.child_mut(spi))
                        .is_some_and(|child| child.confirmed);
                    if !confirmed {
                        // It may believe that all is well, and its third messages be lost.
                        self.send_delete(id, &Delete::Esp(vec![spi.get()]));
                        self.remove_child(association, spi);
                        self.without_children(now, association, DownCause::Expired);
                    }
                }
                (QuickStage::WaitsForSecond, None) => {
                    let words = "no answer to phase 2: the server fell silent, see its log";
                    self.quick_failed(now, id, message_id, Failure::NoAnswer(words));
                }
                // The server does not know this phase 1 any more. The next attempt begins with a new one.
                (QuickStage::WaitsForSecond, Some(_)) if is_dialled => return self.drop_ike(id),
                _ => ike.finish_quick(message_id),
            }
        }
    }

    fn detect_dead_peer(&mut self, now: Instant, id: u64) {
        let Some(ike) = self.ikes.get(&id) else { return };
        let Some(dpd) = self.config.dpd.filter(|_| self.dpd_due(ike).is_some_and(|due| due <= now)) else {
            return;
        };
        let heard = self.last_heard(ike);
        let path = ike.path;
        let Some(ike) = self.ikes.get_mut(&id) else { return };
        if ike.dpd.asked.is_some_and(|asked| heard > asked) {
            ike.dpd.asked = None;
            ike.dpd.unanswered = 0;
            return;
        }
        if ike.dpd.unanswered >= dpd.tries {
            let dead = std::mem::take(&mut ike.associations);
            dead.into_iter().for_each(|association| self.end(association, DownCause::DeadPeer));
            return self.drop_ike(id);
        }
        ike.dpd.unanswered += 1;
        ike.dpd.asked = Some(now);
        ike.dpd.sequence = ike.dpd.sequence.wrapping_add(1);
        let sequence = ike.dpd.sequence.to_be_bytes();
        self.notify(id, path, kind::R_U_THERE, &sequence);
    }

    fn association_due(&mut self, now: Instant, id: AssociationId) {
        let keepalive = self.config.keepalive;
        let Some(association) = self.associations.get_mut(&id) else { return };
        if association.keepalive_due(keepalive).is_some_and(|due| due <= now) {
            association.last_out = now;
            let path = association.path;
            self.transmits.push_back(Transmit { path, datagram: vec![0xff] });
        }
        if association.quiet_due.is_some_and(|due| due <= now) {
            association.quiet_due = None;
            self.events.push_back(Event::NoTraffic { association: id, path: association.path });
        }
        if association.dormant_until.is_some_and(|due| due <= now) {
            return self.end(id, DownCause::DeletedByPeer);
        }
        let expired: Vec<_> = association
            .children
            .iter()
            .filter(|child| child.expires <= now)
            .map(|child| (child.spi_in, association.ike))
            .collect();
        let due: Vec<_> = association
            .children
            .iter_mut()
            .filter(|child| {
                child.confirmed && !child.rekeying && child.rekey.is_some_and(|rekey| rekey <= now)
            })
            .map(|child| child.rekey = Some(now + REKEY_AGAIN))
            .collect();
        for (spi, ike) in &expired {
            self.remove_child(id, *spi);
            if let Some(ike) = ike.filter(|ike| self.ikes.contains_key(ike)) {
                self.send_delete(ike, &Delete::Esp(vec![spi.get()]));
            }
        }
        if !expired.is_empty() {
            self.lost_its_last(id);
        }
        if !due.is_empty() {
            self.rekey(now, id);
        }
    }

    /// Lives that ended: without another pair the association ends too.
    fn lost_its_last(&mut self, id: AssociationId) {
        if self.associations.get(&id).is_some_and(|association| association.children.is_empty()) {
            self.end(id, DownCause::Expired);
        }
    }

    /// Negotiates new keys for an association, after a new phase 1 where there is none any more.
    fn rekey(&mut self, now: Instant, id: AssociationId) {
        let Some(association) = self.associations.get(&id) else { return };
        let ike = association.ike.filter(|ike| self.ikes.get(ike).is_some_and(|ike| ike.is_established()));
        let is_under_way = |quick: &Quick| quick.association == Some(id) && quick.stage != QuickStage::Done;
        match (ike, association.dial.clone(), association.connection) {
            (Some(ike), _, _) => {
                let ike_sa = self.ikes.get(&ike);
                if !ike_sa.is_some_and(|ike| ike.quicks.values().any(|quick| is_under_way(quick))) {
                    self.start_quick(now, ike, Some(id));
                }
            }
            (None, Some(dial), Some(connection)) => {
                let (path, successor) = (association.path, association.successor);
                if successor.is_some_and(|successor| self.ikes.contains_key(&successor)) {
                    return;
                }
                let successor = self.begin(now, path, dial, connection, vec![Some(id)]);
                if let Some(association) = self.associations.get_mut(&id) {
                    association.successor = successor;
                }
            }
            // Only the client can begin phase 1.
            (None, _, _) => {}
        }
    }
}
