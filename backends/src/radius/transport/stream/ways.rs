//! The streams to one server: which of them takes the next question, and when another may be opened. Pure but for the
//! streams themselves.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tollgate_aaa::Unavailable;

use super::connection::{Broken, Connection, Ticket};

/// Streams to one service at most.
pub(super) const MOST: usize = 4;
/// Between two attempts to open a stream, at first and in the end.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How long a server is taken at its word that it wants no more streams.
const NARROW: Duration = Duration::from_secs(60);

/// Where the next question goes.
pub(super) enum Next {
    Ask(Ticket),
    /// Another stream would help.
    Open,
    /// All identifiers are taken, and the server shall not have more streams, or not yet.
    Full,
}

#[derive(Default)]
pub(super) struct Ways {
    streams: Vec<Arc<Connection>>,
    failures: u32,
    /// No attempt before this moment, for this reason.
    pause: Option<(Instant, Unavailable)>,
    /// Fewer streams than [`MOST`], until a moment.
    narrowed: Option<(usize, Instant)>,
}

impl Ways {
    /// To be called after [`Self::sweep`].
    pub(super) fn next(&mut self, now: Instant) -> Next {
        if let Some(ticket) = self.streams.iter().find_map(Connection::ticket) {
            return Next::Ask(ticket);
        }
        // An attempt at one more that has failed is no reason to turn anybody away where others stand.
        let waits = self.pause(now).is_some() && !self.streams.is_empty();
        if self.streams.len() < self.limit(now) && !waits {
            return Next::Open;
        }
        // One that only the answers to forgotten questions could help makes room.
        match self.streams.iter().position(|stream| stream.is_used_up()) {
            Some(used_up) => {
                self.streams.remove(used_up);
                Next::Open
            }
            None => Next::Full,
        }
    }

    /// Lets go of streams that take no more questions. `words` tell how one ended that never brought an answer.
    pub(super) fn sweep(&mut self, now: Instant, words: impl Fn(&Broken) -> Unavailable) {
        let (usable, others): (Vec<_>, Vec<_>) =
            self.streams.drain(..).partition(|stream| stream.is_usable());
        self.streams = usable;
        let answering = self.streams.iter().filter(|stream| stream.has_answered()).count();
        if answering > 0 {
            self.failures = 0;
            self.pause = None;
        }
        for stream in others.iter().filter(|stream| !stream.has_answered()) {
            match stream.broken() {
                // It was closed at once where others are served: the server has enough of us.
                Some(_) if answering > 0 => self.narrowed = Some((self.streams.len(), now + NARROW)),
                Some(broken) => self.failed(now, words(&broken)),
                None => {}
            }
        }
    }

    fn limit(&self, now: Instant) -> usize {
        match self.narrowed {
            Some((limit, until)) if now < until => limit.clamp(1, MOST),
            Some(_) | None => MOST,
        }
    }

    pub(super) fn opened(&mut self, stream: Arc<Connection>) {
        self.streams.push(stream);
    }

    /// An attempt has failed; each one in a row makes the pause longer.
    pub(super) fn failed(&mut self, now: Instant, why: Unavailable) {
        let pause = FIRST_PAUSE * 2u32.pow(self.failures.min(8));
        self.failures = self.failures.saturating_add(1);
        self.pause = Some((now + pause.min(LONGEST_PAUSE), why));
    }

    /// Until when no attempt shall be made, and why.
    pub(super) fn pause(&self, now: Instant) -> Option<(Instant, Unavailable)> {
        self.pause.clone().filter(|(until, _)| now < *until)
    }

    /// How many streams are in use.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.streams.len()
    }
}
