//! Which servers of a group are asked. Pure: the time is a parameter, nothing is asked here.
//!
//! ```text
//!          max-failed-attempts unanswered         its time has come         the first caller takes it
//!   Active -----------------------------> Failed -----------------> Returning -----------------> Probing
//!     ^                                     ^                                                     |  |
//!     |                                     +------------------- unanswered ----------------------+  |
//!     +------------------------------------- any answer ---------------------------------------------+
//! ```
//!
//! While one caller probes, everybody else treats the server as failed: a server that comes back is greeted by one
//! request, not by a storm.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::Reactivation;

/// A failed server of a `timed` group comes back after this long.
pub(super) const TIMED_REACTIVATION: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Asked in turn; `unanswered` questions in a row got no answer.
    Active { unanswered: u32 },
    /// Not asked since `at`.
    Failed { at: Instant },
    /// Its time to come back has come; the next caller probes.
    Returning,
    /// As failed, but one question is under way.
    Probing,
}

#[derive(Debug, Clone, Copy)]
struct Server {
    state: State,
    since: SystemTime,
}

/// What a change means for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing to tell.
    None,
    /// From active to failed.
    MarkedFailed,
    /// From failed to active.
    MarkedActive,
}

/// How a server may be asked now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// As usual.
    Ask,
    /// This caller's question decides whether it is back.
    Probe,
    /// Not now.
    Skip,
}

#[derive(Debug)]
pub(super) struct Health {
    servers: Vec<Server>,
    max_failed_attempts: u32,
    reactivation: Reactivation,
}

impl Health {
    pub(super) fn new(
        servers: usize,
        max_failed_attempts: u32,
        reactivation: Reactivation,
        wall: SystemTime,
    ) -> Self {
        let server = Server { state: State::Active { unanswered: 0 }, since: wall };
        Self { servers: vec![server; servers], max_failed_attempts: max_failed_attempts.max(1), reactivation }
    }

    /// Whether server `index` may be asked. [`Turn::Probe`] reserves it until [`Self::answered`],
    /// [`Self::unanswered`] or [`Self::abandoned`].
    pub(super) fn turn(&mut self, index: usize, now: Instant) -> Turn {
        self.reactivate(now);
        let Some(server) = self.servers.get_mut(index) else { return Turn::Skip };
        match server.state {
            State::Active { .. } => Turn::Ask,
            State::Returning => {
                server.state = State::Probing;
                Turn::Probe
            }
            State::Probing | State::Failed { .. } => Turn::Skip,
        }
    }

    /// Moves failed servers whose time has come to `Returning`.
    fn reactivate(&mut self, now: Instant) {
        match self.reactivation {
            Reactivation::Timed => {
                for server in &mut self.servers {
                    if let State::Failed { at } = server.state
                        && now.saturating_duration_since(at) >= TIMED_REACTIVATION
                    {
                        server.state = State::Returning;
                    }
                }
            }
            Reactivation::Depletion { dead_time } => {
                // All come back together, `dead_time` after the last one failed, and only once all have failed.
                let mut last = None;
                for server in &self.servers {
                    match server.state {
                        State::Active { .. } | State::Returning | State::Probing => return,
                        State::Failed { at } => last = last.max(Some(at)),
                    }
                }
                if last.is_some_and(|last| now.saturating_duration_since(last) >= dead_time) {
                    for server in &mut self.servers {
                        server.state = State::Returning;
                    }
                }
            }
        }
    }

    /// Any answer, a reject included, proves the server alive.
    pub(super) fn answered(&mut self, index: usize, wall: SystemTime) -> Change {
        let Some(server) = self.servers.get_mut(index) else { return Change::None };
        match server.state {
            State::Active { .. } => {
                server.state = State::Active { unanswered: 0 };
                Change::None
            }
            State::Failed { .. } | State::Returning | State::Probing => {
                *server = Server { state: State::Active { unanswered: 0 }, since: wall };
                Change::MarkedActive
            }
        }
    }

    /// No answer came within the server's timeout.
    pub(super) fn unanswered(&mut self, index: usize, now: Instant, wall: SystemTime) -> Change {
        let limit = self.max_failed_attempts;
        let Some(server) = self.servers.get_mut(index) else { return Change::None };
        match server.state {
            State::Active { unanswered } if unanswered + 1 >= limit => {
                *server = Server { state: State::Failed { at: now }, since: wall };
                Change::MarkedFailed
            }
            State::Active { unanswered } => {
                server.state = State::Active { unanswered: unanswered + 1 };
                Change::None
            }
            State::Probing => {
                server.state = State::Failed { at: now };
                Change::None
            }
            // A question from before it failed: the dead time runs from the moment of failing, not from this one.
            State::Failed { .. } | State::Returning => Change::None,
        }
    }

    /// The probe was given up without a result (its caller hung up): the next caller may probe.
    pub(super) fn abandoned(&mut self, index: usize) {
        if let Some(server) = self.servers.get_mut(index)
            && server.state == State::Probing
        {
            server.state = State::Returning;
        }
    }

    pub(super) fn state(&self, index: usize) -> Option<(State, SystemTime)> {
        self.servers.get(index).map(|server| (server.state, server.since))
    }

    /// Takes over what is known about the same server from before a reload. A probe under way does not carry over.
    pub(super) fn adopt(&mut self, index: usize, old: &Self, old_index: usize) {
        if let (Some(new), Some(old)) = (self.servers.get_mut(index), old.servers.get(old_index)) {
            *new = *old;
            if new.state == State::Probing {
                new.state = State::Returning;
            }
        }
    }
}

#[cfg(test)]
mod tests;
