//! Keep-alive by LCP Echo-Request (RFC 1661 5.8): asks only after silence, because any packet of the peer proves as
//! much as an Echo-Reply.

use std::time::{Duration, Instant};

/// The keep-alive of an open link.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Echo {
    interval: Duration,
    misses: u32,
    /// When the peer was last heard; `None` while the link is not open.
    heard: Option<Instant>,
    /// Requests sent since then.
    asked: u32,
    identifier: u8,
}

/// What the silence calls for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Silence {
    /// Not long enough for anything.
    Short,
    /// Send an Echo-Request with this identifier.
    Ask(u8),
    /// The peer is gone.
    Dead,
}

impl Echo {
    pub(crate) fn new(interval: Duration, misses: u32) -> Self {
        Self { interval, misses, heard: None, asked: 0, identifier: 0 }
    }

    /// The link is open.
    pub(crate) fn start(&mut self, now: Instant) {
        if !self.interval.is_zero() {
            self.heard = Some(now);
            self.asked = 0;
        }
    }

    /// The link is not open any more, or the peer does not know echoes.
    pub(crate) fn stop(&mut self) {
        self.heard = None;
    }

    /// Something came from the peer.
    pub(crate) fn note_traffic(&mut self, now: Instant) {
        if let Some(heard) = &mut self.heard {
            *heard = now;
            self.asked = 0;
        }
    }

    /// When to look again: one interval after the last sign of life, then after two, ...
    pub(crate) fn due(&self) -> Option<Instant> {
        let wait = self.interval.saturating_mul(self.asked.saturating_add(1));
        self.heard.and_then(|heard| heard.checked_add(wait))
    }

    pub(crate) fn timeout(&mut self, now: Instant) -> Silence {
        match self.due() {
            Some(due) if due <= now && self.asked >= self.misses => Silence::Dead,
            Some(due) if due <= now => {
                self.asked += 1;
                self.identifier = self.identifier.wrapping_add(1);
                Silence::Ask(self.identifier)
            }
            Some(_) | None => Silence::Short,
        }
    }
}

#[cfg(test)]
mod tests;
