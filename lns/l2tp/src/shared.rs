//! What all tunnels of an endpoint share: the way out, the timers, the counts.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use tollgate_sansio::Entropy;

use crate::event::{Event, Path, Transmit};
use crate::ids::TunnelId;
use crate::info::Counters;

/// Warnings that are given in one second; the rest is only counted, so that a flood of bad packets does not become
/// a flood of log lines.
const WARNINGS_A_SECOND: u32 = 20;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) events: VecDeque<Event>,
    pub(crate) transmits: VecDeque<Transmit>,
    pub(crate) counters: Counters,
    pub(crate) entropy: Entropy,
    /// When a tunnel (session zero) or a call's set-up is due.
    pub(crate) timers: BTreeSet<(Instant, TunnelId, u16)>,
    /// Sessions of all tunnels.
    pub(crate) sessions: usize,
    /// Tunnels that are not closing.
    pub(crate) live_tunnels: usize,
    warnings: u32,
    warnings_since: Option<Instant>,
}

impl Shared {
    pub(crate) fn new(entropy: Entropy) -> Self {
        Self {
            events: VecDeque::new(),
            transmits: VecDeque::new(),
            counters: Counters::default(),
            entropy,
            timers: BTreeSet::new(),
            sessions: 0,
            live_tunnels: 0,
            warnings: 0,
            warnings_since: None,
        }
    }

    pub(crate) fn transmit(&mut self, path: Path, datagram: Vec<u8>) {
        self.transmits.push_back(Transmit { path, datagram });
    }

    pub(crate) fn warn(&mut self, now: Instant, path: Option<Path>, text: impl FnOnce() -> String) {
        if self.warnings_since.is_none_or(|since| since + Duration::from_secs(1) <= now) {
            self.warnings_since = Some(now);
            self.warnings = 0;
        }
        self.warnings += 1;
        if self.warnings > WARNINGS_A_SECOND {
            self.counters.warnings_suppressed += 1;
        } else {
            self.events.push_back(Event::Warning { path, text: text() });
        }
    }
}
