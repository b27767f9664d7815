//! One call within a tunnel, and the table of a tunnel's calls. What messages do to a call is in `tunnel::call`, what
//! data does in `data`.

use std::time::Instant;

use crate::event::{CallInfo, IncomingCall};
use crate::ids::{PeerSessionId, SessionId};
use crate::info::SessionState;

/// How long a peer may take from one message of a call's set-up to the next; a LAC may let a modem train in that time.
pub(crate) const SETUP_TIME: std::time::Duration = std::time::Duration::from_secs(60);

/// A call. Small, because an idle one is nothing but this.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) peer: Option<PeerSessionId>,
    pub(crate) token: u32,
    /// Number of the next data packet that we send with a number.
    pub(crate) next_ns: u16,
    /// The lowest number of a data packet that is not old.
    pub(crate) expected_ns: u16,
    /// We number the data packets that we send.
    pub(crate) numbering: bool,
    /// The Sequencing Required AVP was in the set-up: numbering cannot be switched off (section 5.4).
    pub(crate) sequencing_required: bool,
    pub(crate) state: State,
}

/// RFC 2661 sections 7.4.1 (LAC: wait-tunnel, wait-reply) and 7.4.2 (LNS: wait-connect).
#[derive(Debug)]
pub(crate) enum State {
    WaitTunnel { call: Box<IncomingCall> },
    WaitReply { call: Box<IncomingCall>, give_up: Instant },
    WaitConnect { call: Box<CallInfo>, give_up: Instant },
    Established { since: Instant },
}

impl Session {
    pub(crate) fn new(id: SessionId, peer: Option<PeerSessionId>, state: State) -> Self {
        Self {
            id,
            peer,
            token: 0,
            next_ns: 0,
            expected_ns: 0,
            numbering: false,
            sequencing_required: false,
            state,
        }
    }

    /// The peer's id for a header; zero while unknown.
    pub(crate) fn peer_number(&self) -> u16 {
        self.peer.map_or(0, PeerSessionId::get)
    }

    /// When to give up waiting for the next message of the set-up.
    pub(crate) fn give_up(&self) -> Option<Instant> {
        match &self.state {
            State::WaitTunnel { .. } | State::Established { .. } => None,
            State::WaitReply { give_up, .. } | State::WaitConnect { give_up, .. } => Some(*give_up),
        }
    }

    /// The caller knows of this session, so it must hear of its end.
    pub(crate) fn is_announced(&self) -> bool {
        match self.state {
            State::WaitTunnel { .. } | State::WaitReply { .. } | State::Established { .. } => true,
            State::WaitConnect { .. } => false,
        }
    }

    pub(crate) fn state(&self) -> SessionState {
        match self.state {
            State::WaitTunnel { .. } => SessionState::WaitTunnel,
            State::WaitReply { .. } => SessionState::WaitReply,
            State::WaitConnect { .. } => SessionState::WaitConnect,
            State::Established { .. } => SessionState::Established,
        }
    }
}

/// A tunnel's calls by our session id. The low bits of an id are its place in the table: a look-up is one step
/// without hashing, and when the table doubles one more bit of the id decides, so that calls never collide. Ids
/// are taken in a row, so that one does not come again soon.
#[derive(Debug)]
pub(crate) struct SessionTable {
    /// None or a power of two.
    slots: Vec<Option<Session>>,
    len: usize,
    last: u16,
}

const MOST_SLOTS: usize = 1 << 16;

impl SessionTable {
    /// An empty table whose ids follow `last`.
    pub(crate) fn new(last: u16) -> Self {
        Self { slots: Vec::new(), len: 0, last }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    fn place(&self, id: u16) -> usize {
        usize::from(id) & self.slots.len().wrapping_sub(1)
    }

    /// All of them.
    pub(crate) fn ids(&self) -> impl Iterator<Item = SessionId> {
        self.slots.iter().flatten().map(|session| session.id)
    }

    pub(crate) fn get(&self, id: u16) -> Option<&Session> {
        self.slots.get(self.place(id))?.as_ref().filter(|session| session.id.get() == id)
    }

    pub(crate) fn get_mut(&mut self, id: u16) -> Option<&mut Session> {
        let place = self.place(id);
        self.slots.get_mut(place)?.as_mut().filter(|session| session.id.get() == id)
    }

    /// The call that the peer knows by this id. Looks at each call: for the rare message that does not name ours.
    pub(crate) fn find_peer(&self, peer: PeerSessionId) -> Option<&Session> {
        self.iter().find(|session| session.peer == Some(peer))
    }

    /// Adds a call under a free id; `None` when there is no id left.
    pub(crate) fn insert(&mut self, make: impl FnOnce(SessionId) -> Session) -> Option<SessionId> {
        if self.slots.len() < MOST_SLOTS && (self.len + 1) * 2 > self.slots.len() {
            self.double();
        }
        let id = self.free_id()?;
        let place = self.place(id.get());
        *self.slots.get_mut(place)? = Some(make(id));
        self.len += 1;
        Some(id)
    }

    /// An id that no call has, for a message about a call that is refused.
    pub(crate) fn free_id(&mut self) -> Option<SessionId> {
        for _ in 0..=MOST_SLOTS {
            self.last = self.last.wrapping_add(1);
            let free = self.slots.get(self.place(self.last)).is_none_or(Option::is_none);
            if let Some(id) = SessionId::new(self.last).filter(|_| free) {
                return Some(id);
            }
        }
        None
    }

    pub(crate) fn remove(&mut self, id: SessionId) -> Option<Session> {
        self.get(id.get())?;
        let place = self.place(id.get());
        let session = self.slots.get_mut(place)?.take();
        self.len -= 1;
        if self.len == 0 {
            self.slots = Vec::new();
        }
        session
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Session> {
        self.slots.iter().flatten()
    }

    /// Takes all calls out.
    pub(crate) fn take_all(&mut self) -> impl Iterator<Item = Session> + use<> {
        self.len = 0;
        std::mem::take(&mut self.slots).into_iter().flatten()
    }

    fn double(&mut self) {
        let size = (self.slots.len() * 2).max(2);
        let old = std::mem::replace(&mut self.slots, std::iter::repeat_with(|| None).take(size).collect());
        for session in old.into_iter().flatten() {
            let place = self.place(session.id.get());
            if let Some(slot) = self.slots.get_mut(place) {
                *slot = Some(session);
            }
        }
    }
}

#[cfg(test)]
mod tests;
