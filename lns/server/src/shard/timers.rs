//! When each session wants to be looked at. Entries are not moved when a session's time changes: one that comes up
//! early finds nothing due and is entered again, which costs less than a search and never scans the sessions.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

/// A heap of (time, session, generation).
#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Instant, u32, u32)>>,
}

impl Timers {
    pub(super) fn enter(&mut self, at: Instant, token: u32, generation: u32) {
        self.heap.push(Reverse((at, token, generation)));
    }

    /// The earliest time.
    pub(super) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _, _))| *at)
    }

    /// Takes one session whose time has come.
    pub(super) fn due(&mut self, now: Instant) -> Option<(u32, u32)> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse((_, token, generation))| (token, generation))
    }
}
