//! The data channel, RFC 2661 sections 5.3 and 5.4. Nothing here allocates.

use std::time::Instant;

use crate::event::Path;
use crate::header::{DataHeader, MAX_DATA_HEADER};
use crate::ids::SessionId;
use crate::info::DropReason;
use crate::session::{Session, State};
use crate::tunnel::Tunnel;

impl Tunnel {
    /// Takes the header of a data message; the session it is for and the caller's number for that.
    pub(crate) fn data_in(
        &mut self,
        now: Instant,
        header: &DataHeader,
    ) -> Result<(SessionId, u32), DropReason> {
        let follows = self.follows_numbering();
        let session = match self.sessions.get_mut(header.session) {
            Some(session) if matches!(session.state, State::Established { .. }) => session,
            Some(_) | None => return Err(DropReason::UnknownSession),
        };
        session.check_number(header.ns)?;
        if follows && !session.sequencing_required {
            session.numbering = header.ns.is_some();
        }
        let found = (session.id, session.token);
        // Any sign of life puts the next Hello off (section 5.5).
        self.last_received = now;
        Ok(found)
    }

    /// Writes the header of a data message.
    pub(crate) fn data_out(
        &mut self,
        session: SessionId,
        payload_len: usize,
        out: &mut [u8; MAX_DATA_HEADER],
    ) -> Option<(usize, Path)> {
        let tunnel = self.peer?.get();
        let session = self.sessions.get_mut(session.get())?;
        match session.state {
            State::Established { .. } => {}
            State::WaitTunnel { .. } | State::WaitReply { .. } | State::WaitConnect { .. } => return None,
        }
        let ns = session.numbering.then_some(session.next_ns);
        let length = DataHeader::encode(tunnel, session.peer_number(), ns, payload_len, out)?;
        if ns.is_some() {
            session.next_ns = session.next_ns.wrapping_add(1);
        }
        Some((length, self.path))
    }
}

impl Session {
    /// Drops what is older than what has been delivered. Waiting for the missing ones would only delay the rest: PPP
    /// over L2TP tolerates loss, not disorder.
    fn check_number(&mut self, ns: Option<u16>) -> Result<(), DropReason> {
        let Some(ns) = ns else {
            return Ok(());
        };
        if ns.wrapping_sub(self.expected_ns) >= 0x8000 {
            return Err(DropReason::OutOfSequence);
        }
        self.expected_ns = ns.wrapping_add(1);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
