//! All tunnels of one shard behind one API. `accept` has what happens to messages that belong to no tunnel yet.

mod accept;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

use tollgate_sansio::Entropy;

use crate::config::Config;
use crate::event::{CallDisconnect, Event, IncomingCall, OpenError, Path, Received, Transmit, TunnelStop};
use crate::header::{self, ControlHeader, DataHeader, MAX_DATA_HEADER};
use crate::ids::{IdSpace, PeerTunnelId, SessionId, SessionKey, TunnelId};
use crate::info::{Counters, DropReason, SessionInfo, TunnelInfo};
use crate::session;
use crate::shared::Shared;
use crate::table::TunnelTable;
use crate::tunnel::{State, Tunnel};

/// All tunnels of one shard. After each call that takes `now`, empty [`Endpoint::poll_transmit`] and
/// [`Endpoint::poll_event`], and come back by [`Endpoint::next_timeout`].
#[derive(Debug)]
pub struct Endpoint {
    config: Arc<Config>,
    tunnels: TunnelTable,
    shared: Shared,
    /// Tunnels by what the peer calls them, to know a repeated SCCRQ.
    by_peer: HashMap<(Path, PeerTunnelId), TunnelId>,
    /// Tunnels in wait-ctl-conn, oldest first.
    half_open: BTreeMap<u64, TunnelId>,
    next_serial: u64,
    /// Tunnels in wait-ctl-reply.
    opening: BTreeSet<TunnelId>,
}

impl Endpoint {
    /// An endpoint without tunnels that gives out the tunnel ids of `ids`.
    pub fn new(config: Config, ids: IdSpace, mut entropy: Entropy) -> Self {
        let tunnels = TunnelTable::new(ids, &mut entropy);
        Self {
            config: Arc::new(config),
            tunnels,
            shared: Shared::new(entropy),
            by_peer: HashMap::new(),
            half_open: BTreeMap::new(),
            next_serial: 0,
            opening: BTreeSet::new(),
        }
    }

    /// Settings for tunnels made from now on; those that are there keep theirs.
    pub fn reconfigure(&mut self, config: Config) {
        self.config = Arc::new(config);
    }

    /// Takes one UDP payload. Data is handed back at once, without allocation; what a control message leads to is
    /// fetched with [`Endpoint::poll_event`] and [`Endpoint::poll_transmit`].
    pub fn handle_datagram(&mut self, now: Instant, path: Path, datagram: &[u8]) -> Received {
        let outcome = match header::is_control(datagram) {
            Ok(false) => self.data(now, path, datagram),
            Ok(true) => self.control(now, path, datagram),
            Err(error) => Err(error.into()),
        };
        outcome.unwrap_or_else(|reason| {
            self.shared.counters.count_drop(reason);
            Received::Dropped(reason)
        })
    }

    fn data(&mut self, now: Instant, path: Path, datagram: &[u8]) -> Result<Received, DropReason> {
        let header = DataHeader::decode(datagram)?;
        let tunnel = self.tunnels.get_mut(header.tunnel).ok_or(DropReason::UnknownTunnel)?;
        if tunnel.path != path && !may_move(&tunnel.path, &path) {
            return Err(DropReason::WrongPath);
        }
        let (session, token) = tunnel.data_in(now, &header)?;
        let (id, moved) = (tunnel.id, tunnel.path != path);
        if moved {
            self.follow(id, path);
        }
        self.shared.counters.data_in = self.shared.counters.data_in.wrapping_add(1);
        Ok(Received::Data { key: SessionKey { tunnel: id, session }, token, frame: header.frame })
    }

    fn control(&mut self, now: Instant, path: Path, datagram: &[u8]) -> Result<Received, DropReason> {
        let (header, body) = ControlHeader::decode(datagram)?;
        match self.tunnels.get(header.tunnel) {
            Some(tunnel) if tunnel.path == path || may_move(&tunnel.path, &path) => {
                let id = tunnel.id;
                self.deliver(now, id, path, &header, body)
            }
            Some(_) => self.without_tunnel(now, path, &header, body, DropReason::WrongPath),
            None => self.without_tunnel(now, path, &header, body, DropReason::UnknownTunnel),
        }
    }

    fn deliver(
        &mut self,
        now: Instant,
        id: TunnelId,
        path: Path,
        header: &ControlHeader,
        body: &[u8],
    ) -> Result<Received, DropReason> {
        let tunnel = self.tunnels.get_mut(id.get()).ok_or(DropReason::UnknownTunnel)?;
        let key_before = tunnel.peer_key();
        let path_before = std::mem::replace(&mut tunnel.path, path);
        let outcome = tunnel.receive(&mut self.shared, now, header, body);
        if outcome.is_err() {
            // Not a good message of this tunnel, so no reason to answer elsewhere from now on.
            tunnel.path = path_before;
        }
        let key_after = tunnel.peer_key();
        self.rename(id, key_before, key_after);
        self.settle(now, id);
        outcome.map(|()| Received::Control)
    }

    /// Answers where the last good packet came from (RFC 3193 section 4; behind a NAT the port changes).
    fn follow(&mut self, id: TunnelId, path: Path) {
        let Some(tunnel) = self.tunnels.get_mut(id.get()).filter(|tunnel| tunnel.path != path) else {
            return;
        };
        let before = tunnel.peer_key();
        tunnel.path = path;
        let after = tunnel.peer_key();
        self.rename(id, before, after);
    }

    fn rename(
        &mut self,
        id: TunnelId,
        before: Option<(Path, PeerTunnelId)>,
        after: Option<(Path, PeerTunnelId)>,
    ) {
        if before == after {
            return;
        }
        if let Some(key) = before.filter(|key| self.by_peer.get(key) == Some(&id)) {
            self.by_peer.remove(&key);
        }
        if let Some(key) = after {
            self.by_peer.insert(key, id);
        }
    }

    /// Brings the endpoint's indexes and timers in line with what has become of a tunnel.
    fn settle(&mut self, now: Instant, id: TunnelId) {
        let Some(tunnel) = self.tunnels.get_mut(id.get()) else {
            return;
        };
        match tunnel.state {
            State::WaitCtlReply { .. } | State::WaitCtlConn { .. } => {}
            State::Established { .. } | State::Closing { .. } => {
                self.opening.remove(&id);
                if let Some(serial) = tunnel.serial.take() {
                    self.half_open.remove(&serial);
                }
            }
        }
        if tunnel.is_finished(now) {
            return self.remove(id);
        }
        let deadline = tunnel.deadline();
        if tunnel.timer != deadline {
            if let Some(timer) = tunnel.timer {
                self.shared.timers.remove(&(timer, id, 0));
            }
            self.shared.timers.extend(deadline.map(|deadline| (deadline, id, 0)));
            tunnel.timer = deadline;
        }
    }

    fn remove(&mut self, id: TunnelId) {
        let Some(tunnel) = self.tunnels.remove(id) else {
            return;
        };
        if let Some(timer) = tunnel.timer {
            self.shared.timers.remove(&(timer, id, 0));
        }
        self.rename(id, tunnel.peer_key(), None);
    }

    /// Does everything that is due by `now`. The cost is proportional to what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(&(due, id, session)) = self.shared.timers.first() {
            if due > now {
                break;
            }
            self.shared.timers.pop_first();
            let Some(tunnel) = self.tunnels.get_mut(id.get()) else {
                continue;
            };
            match SessionId::new(session) {
                Some(session) => tunnel.call_timeout(&mut self.shared, now, session),
                None => {
                    tunnel.timer = None;
                    tunnel.timeout(&mut self.shared, now);
                }
            }
            self.settle(now, id);
        }
    }

    /// When [`Endpoint::handle_timeout`] has something to do. It can be earlier than needed where data has put
    /// something off in between, never later.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.shared.timers.first().map(|(due, ..)| *due)
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.shared.transmits.pop_front()
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.shared.events.pop_front()
    }

    /// Opens a tunnel to the peer at `path` (as LAC). [`Event::TunnelUp`] or [`Event::TunnelDown`] follows.
    pub fn open_tunnel(&mut self, now: Instant, path: Path) -> Result<TunnelId, OpenError> {
        if self.shared.live_tunnels >= self.config.max_tunnels {
            return Err(OpenError::TooManyTunnels);
        }
        let id = self.tunnels.free_id().ok_or(OpenError::TooManyTunnels)?;
        let tunnel = Tunnel::open(id, path, Arc::clone(&self.config), &mut self.shared, now);
        self.tunnels.insert(tunnel);
        self.opening.insert(id);
        self.settle(now, id);
        Ok(id)
    }

    /// Places a call (as LAC) in a tunnel that is up or on its way up. [`Event::SessionUp`] or
    /// [`Event::SessionDown`] follows.
    pub fn open_session(
        &mut self,
        now: Instant,
        tunnel: TunnelId,
        call: IncomingCall,
    ) -> Result<SessionKey, OpenError> {
        if self.shared.sessions >= self.config.max_sessions {
            return Err(OpenError::TooManySessions);
        }
        let entry = self.tunnels.get_mut(tunnel.get()).ok_or(OpenError::NoTunnel)?;
        let session = entry.place_call(&mut self.shared, now, call)?;
        self.settle(now, tunnel);
        Ok(SessionKey { tunnel, session })
    }

    /// Ends a call: sends CDN and gives [`Event::SessionDown`]. Nothing happens when it is gone already. The result
    /// code always goes with an error code (zero if there is none); the message follows in the CDN, except to
    /// Microsoft's clients, for which the AVP is kept at ten octets.
    pub fn close_session(&mut self, now: Instant, key: SessionKey, cause: CallDisconnect) {
        if let Some(tunnel) = self.tunnels.get_mut(key.tunnel.get()) {
            tunnel.disconnect(&mut self.shared, key.session, cause);
            tunnel.flush(&mut self.shared, now);
            self.settle(now, key.tunnel);
        }
    }

    /// Ends a tunnel and its calls: sends StopCCN and gives [`Event::SessionDown`] for each call, then
    /// [`Event::TunnelDown`]. Nothing happens when it is gone already.
    pub fn close_tunnel(&mut self, now: Instant, tunnel: TunnelId, cause: TunnelStop) {
        if let Some(entry) = self.tunnels.get_mut(tunnel.get()) {
            entry.stop(&mut self.shared, now, cause);
            entry.flush(&mut self.shared, now);
            self.settle(now, tunnel);
        }
    }

    /// Ends all tunnels.
    pub fn close_all(&mut self, now: Instant, cause: TunnelStop) {
        let ids: Vec<_> = self.tunnels.iter().map(|tunnel| tunnel.id).collect();
        for id in ids {
            self.close_tunnel(now, id, cause.clone());
        }
    }

    /// Moves a tunnel to another path, another IPsec association included. For a caller that knows that a new
    /// association belongs to the same client: by itself an endpoint never crosses from one to another.
    pub fn move_tunnel(&mut self, tunnel: TunnelId, path: Path) {
        self.follow(tunnel, path);
    }

    /// A number of the caller's own, given back with each data packet of the session.
    pub fn set_token(&mut self, key: SessionKey, token: u32) {
        let tunnel = self.tunnels.get_mut(key.tunnel.get());
        if let Some(session) = tunnel.and_then(|tunnel| tunnel.sessions.get_mut(key.session.get())) {
            session.token = token;
        }
    }

    /// Writes the data header for one PPP frame of `payload_len` octets to the start of `out`; its length and where
    /// to send the packet. `None` when the session is gone or not established, or the frame is too long for UDP.
    /// The header has the length field, no offset, and sequence numbers where the session uses them.
    pub fn data_header(
        &mut self,
        key: SessionKey,
        payload_len: usize,
        out: &mut [u8; MAX_DATA_HEADER],
    ) -> Option<(usize, Path)> {
        let written = self.tunnels.get_mut(key.tunnel.get())?.data_out(key.session, payload_len, out)?;
        self.shared.counters.data_out = self.shared.counters.data_out.wrapping_add(1);
        Some(written)
    }

    /// One tunnel, also one that is closing.
    pub fn tunnel_info(&self, tunnel: TunnelId) -> Option<TunnelInfo> {
        self.tunnels.get(tunnel.get()).map(Tunnel::info)
    }

    /// All tunnels, also those that are closing, in no order.
    pub fn tunnels(&self) -> impl Iterator<Item = TunnelInfo> {
        self.tunnels.iter().map(Tunnel::info)
    }

    /// The sessions of a tunnel.
    pub fn session_keys(&self, tunnel: TunnelId) -> Vec<SessionKey> {
        let sessions = self.tunnels.get(tunnel.get()).into_iter().flat_map(|tunnel| tunnel.sessions.ids());
        sessions.map(|session| SessionKey { tunnel, session }).collect()
    }

    /// One session.
    pub fn session_info(&self, key: SessionKey) -> Option<SessionInfo> {
        let session = self.tunnels.get(key.tunnel.get())?.sessions.get(key.session.get())?;
        Some(SessionInfo {
            key,
            peer: session.peer,
            state: session.state(),
            sequencing: session.numbering,
            token: session.token,
            since: match session.state {
                session::State::Established { since } => Some(since),
                session::State::WaitTunnel { .. }
                | session::State::WaitReply { .. }
                | session::State::WaitConnect { .. } => None,
            },
        })
    }

    /// Counts since the endpoint began.
    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// No tunnel is up or coming up, and no message waits to be acknowledged: nothing is lost by stopping now.
    pub fn is_idle(&self) -> bool {
        !self.tunnels.iter().any(Tunnel::is_busy)
    }

    /// Tunnels that are up or coming up.
    pub fn tunnel_count(&self) -> usize {
        self.shared.live_tunnels
    }

    /// Tunnels that peers have asked for and not yet confirmed.
    pub fn half_open_count(&self) -> usize {
        self.half_open.len()
    }

    /// Sessions, those being set up included.
    pub fn session_count(&self) -> usize {
        self.shared.sessions
    }
}

/// Whether a tunnel's peer may be heard from another path: over IPsec wherever the same association leads, in the
/// clear only from the same address, because there the ids are all that speaks for a packet.
fn may_move(from: &Path, to: &Path) -> bool {
    match (from.association, to.association) {
        (Some(before), Some(after)) => before == after,
        (None, None) => from.remote.ip() == to.remote.ip(),
        (Some(_), None) | (None, Some(_)) => false,
    }
}

#[cfg(test)]
mod tests;
