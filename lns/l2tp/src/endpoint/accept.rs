//! Messages that come without a tunnel of ours: SCCRQ, and StopCCN from peers that do not know our id. Whoever can
//! send a datagram can get here, so little is remembered, nothing is scanned, and refusals leave nothing behind.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Instant;

use super::Endpoint;
use crate::codes::{ErrorCode, MessageType, StopResult};
use crate::config::Role;
use crate::event::{Path, Received, TunnelEnd, TunnelStop};
use crate::header::ControlHeader;
use crate::ids::{PeerTunnelId, TunnelId};
use crate::info::DropReason;
use crate::message::{Message, Reading, Sccrq, StopCcn, printable};
use crate::tunnel::{State, Tunnel, check_secret, check_version, text_for};

/// What to do with an SCCRQ that names a tunnel we have.
enum Repeated {
    /// It is the request of that tunnel again.
    Answered,
    /// It is a new request.
    New,
}

impl Endpoint {
    /// A control message whose header names no tunnel that the sender may use; `reason` says why.
    pub(super) fn without_tunnel(
        &mut self,
        now: Instant,
        path: Path,
        header: &ControlHeader,
        body: &[u8],
        reason: DropReason,
    ) -> Result<Received, DropReason> {
        let message_type = Message::peek_type(body);
        let request = message_type == Some(MessageType::Sccrq) && header.tunnel == 0 && header.ns == 0;
        if !request && message_type != Some(MessageType::StopCcn) {
            // Hello with tunnel id zero is what some clients send before IPsec is up, just to trigger it.
            return Err(reason);
        }
        let config = Arc::clone(&self.config);
        let reading = Reading {
            secret: config.secret(),
            ignore_unknown_mandatory_vendor_avps: config.ignore_unknown_mandatory_vendor_avps,
        };
        match Message::decode(body, &reading).map(|decoded| decoded.message) {
            Ok(Message::Sccrq(request)) => self.sccrq(now, path, *request),
            Ok(Message::StopCcn(stop)) => self.stray_stop(now, path, header, body, &stop, reason),
            Ok(_) => Err(reason),
            Err(bad) => {
                let text = format!("SCCRQ: {}", bad.fault);
                match bad.assigned_tunnel {
                    Some(peer) => {
                        let refusal = TunnelStop::general(bad.fault.error_code(), text);
                        self.refuse(now, path, peer, None, refusal);
                        Ok(Received::Control)
                    }
                    None => {
                        self.shared.warn(now, Some(path), || text);
                        Err(DropReason::BadMessage)
                    }
                }
            }
        }
    }

    fn sccrq(&mut self, now: Instant, path: Path, request: Sccrq) -> Result<Received, DropReason> {
        let peer = PeerTunnelId::from(request.assigned_tunnel);
        if let Some(id) = self.by_peer.get(&(path, peer)).copied()
            && let Repeated::Answered = self.repeated(now, id)
        {
            self.shared.counters.duplicates += 1;
            return Ok(Received::Control);
        }
        self.shared.counters.count_message(MessageType::Sccrq);
        if let Some(refusal) = self.refusal(&request) {
            self.refuse(now, path, request.assigned_tunnel, request.vendor_name.as_deref(), refusal);
            return Ok(Received::Control);
        }
        if self.tie_is_lost(now, path, request.tie_breaker) {
            return Err(DropReason::LostTie);
        }
        let Some(id) = self.place_for_one(now) else {
            let refusal = TunnelStop::general(ErrorCode::NoResources, "too many tunnels");
            self.refuse(now, path, request.assigned_tunnel, request.vendor_name.as_deref(), refusal);
            return Ok(Received::Control);
        };
        let serial = self.next_serial;
        self.next_serial = self.next_serial.wrapping_add(1);
        let config = Arc::clone(&self.config);
        let tunnel = Tunnel::accept(id, path, config, request, serial, &mut self.shared, now);
        self.tunnels.insert(tunnel);
        self.half_open.insert(serial, id);
        self.rename(id, None, Some((path, peer)));
        self.settle(now, id);
        Ok(Received::Control)
    }

    /// An SCCRQ under a tunnel id that the same peer has used already.
    fn repeated(&mut self, now: Instant, id: TunnelId) -> Repeated {
        let Some(tunnel) = self.tunnels.get_mut(id.get()) else {
            return Repeated::New;
        };
        let age = now.saturating_duration_since(tunnel.began);
        let can_be_late = age <= tunnel.config.schedule().cycle();
        match tunnel.state {
            // Its SCCRP was lost, or the two crossed: the same reply again, from the same tunnel.
            State::WaitCtlConn { .. } => {
                tunnel.channel.hurry();
                tunnel.channel.acknowledge_again();
            }
            // The peer has ended that one and begins anew.
            State::Closing { .. } => {
                tunnel.forget(now);
                self.settle(now, id);
                return Repeated::New;
            }
            // A straggler from the set-up, if the tunnel is young; then an acknowledgement is what it is after.
            State::Established { .. } | State::WaitCtlReply { .. } if can_be_late => {
                tunnel.channel.acknowledge_again();
            }
            // Otherwise the peer has lost the tunnel. Over IPsec it can be believed at once; in the clear anybody
            // could say so, and only a Hello can tell: unanswered, it makes room.
            State::Established { .. } | State::WaitCtlReply { .. } => {
                if tunnel.path.association.is_some() {
                    tunnel.end(&mut self.shared, now, TunnelEnd::Replaced);
                    tunnel.forget(now);
                    self.settle(now, id);
                    return Repeated::New;
                }
                tunnel.channel.acknowledge_again();
                if tunnel.channel.is_drained() {
                    tunnel.hello(&mut self.shared, now);
                }
            }
        }
        tunnel.flush(&mut self.shared, now);
        self.settle(now, id);
        Repeated::Answered
    }

    /// Why no tunnel is made of this request, if none is.
    fn refusal(&self, request: &Sccrq) -> Option<TunnelStop> {
        match self.config.role {
            Role::Lns => {}
            Role::Lac => {
                let text = "this end opens tunnels and takes none";
                return Some(TunnelStop::new(StopResult::NotAuthorized, text));
            }
        }
        if !self.config.accept_incoming {
            return Some(TunnelStop::general(ErrorCode::NoResources, "no new tunnels at present"));
        }
        check_version(request.protocol_version)
            .or_else(|| check_secret(&self.config, request.challenge.as_deref()))
    }

    /// An id for a new tunnel, after the oldest half-open tunnels have made place where they must. Unconfirmed
    /// requests can be forged; those that were confirmed are never given up for new ones.
    fn place_for_one(&mut self, now: Instant) -> Option<TunnelId> {
        while self.half_open.len() >= self.config.max_half_open.max(1)
            || self.shared.live_tunnels >= self.config.max_tunnels
        {
            self.evict_oldest_half_open(now)?;
        }
        if let Some(id) = self.tunnels.free_id() {
            return Some(id);
        }
        self.evict_oldest_half_open(now)?;
        self.tunnels.free_id()
    }

    fn evict_oldest_half_open(&mut self, now: Instant) -> Option<()> {
        let (_, id) = self.half_open.pop_first()?;
        if let Some(tunnel) = self.tunnels.get_mut(id.get()) {
            tunnel.end(&mut self.shared, now, TunnelEnd::SetupTimeout);
            tunnel.forget(now);
            self.shared.counters.half_open_evicted += 1;
            self.settle(now, id);
        }
        Some(())
    }

    /// Tie Breaker AVP, section 4.4.3: both ends have sent an SCCRQ. The lower value stays, no value loses to any,
    /// equal values both lose, and without any two tunnels are made. True when the peer's request is dropped.
    fn tie_is_lost(&mut self, now: Instant, path: Path, theirs: Option<u64>) -> bool {
        let same_peer =
            |mine: &Path| mine.association == path.association && mine.remote.ip() == path.remote.ip();
        let rivals: Vec<_> = self
            .opening
            .iter()
            .filter_map(|id| self.tunnels.get(id.get()))
            .filter(|tunnel| same_peer(&tunnel.path))
            .filter_map(|tunnel| match tunnel.state {
                State::WaitCtlReply { tie_breaker, .. } => Some((tunnel.id, tie_breaker)),
                State::WaitCtlConn { .. } | State::Established { .. } | State::Closing { .. } => None,
            })
            .collect();
        let mut lost = false;
        for (id, ours) in rivals {
            let (we_lose, they_lose) = match (ours, theirs) {
                (None, None) => (false, false),
                (Some(_), None) => (false, true),
                (None, Some(_)) => (true, false),
                (Some(ours), Some(theirs)) => (ours >= theirs, ours <= theirs),
            };
            lost |= they_lose;
            if let Some(tunnel) = self.tunnels.get_mut(id.get()).filter(|_| we_lose) {
                tunnel.end(&mut self.shared, now, TunnelEnd::Replaced);
                tunnel.forget(now);
                self.settle(now, id);
            }
        }
        lost
    }

    /// A StopCCN without our tunnel id, or with a wrong one: the sender's own id and its path can still tell which
    /// tunnel is meant. When there is none any more, it is acknowledged all the same, so that the peer can rest.
    fn stray_stop(
        &mut self,
        now: Instant,
        path: Path,
        header: &ControlHeader,
        body: &[u8],
        stop: &StopCcn,
        reason: DropReason,
    ) -> Result<Received, DropReason> {
        let peer = stop.assigned_tunnel.ok_or(reason)?;
        if let Some(id) = self.by_peer.get(&(path, PeerTunnelId::from(peer))).copied() {
            return self.deliver(now, id, path, header, body);
        }
        if !self.tunnels.owns(header.tunnel) {
            // Another shard's; an acknowledgement from here would keep it from there.
            return Err(reason);
        }
        let answer =
            ControlHeader { tunnel: peer.get(), session: 0, ns: header.nr, nr: header.ns.wrapping_add(1) };
        self.shared.counters.zlb_out += 1;
        self.shared.transmit(path, answer.encode(&[]));
        Ok(Received::Control)
    }

    /// StopCCN without a tunnel: nothing is kept, because a peer that does not get it repeats its SCCRQ and is then
    /// told again.
    fn refuse(
        &mut self,
        now: Instant,
        path: Path,
        peer: NonZeroU16,
        vendor: Option<&[u8]>,
        cause: TunnelStop,
    ) {
        self.shared.counters.tunnels_refused += 1;
        self.shared.warn(now, Some(path), || format!("tunnel refused: {}", cause.message));
        // The Assigned Tunnel ID is required; the tunnel has none, so it gets one that is not used.
        let Some(id) = self.tunnels.free_id() else {
            return;
        };
        let TunnelStop { result, error, message } = cause;
        let message = text_for(&vendor.map(printable).unwrap_or_default(), &message);
        let stop = Message::StopCcn(StopCcn { assigned_tunnel: Some(id.into()), result, error, message });
        let header = ControlHeader { tunnel: peer.get(), session: 0, ns: 0, nr: 1 };
        self.shared.transmit(path, header.encode(&stop.encode(None)));
    }
}
