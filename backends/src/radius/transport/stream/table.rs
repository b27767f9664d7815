//! The 256 identifiers of one stream, and what is known about it.
//!
//! Nothing gets lost on a stream, so a question that nobody waits for any more may still be answered: its identifier
//! stays taken until it is, and the answer that then comes is told from a forged one.

use std::collections::VecDeque;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::connection::Broken;

/// Identifiers of one stream.
pub(super) const IDENTIFIERS: usize = 256;

pub(super) type Answer = Result<Vec<u8>, Broken>;

enum Slot {
    Free,
    /// Somebody has it who has not asked yet, or has been answered.
    Held,
    Waiting {
        authenticator: [u8; 16],
        asker: oneshot::Sender<Answer>,
    },
    /// Asked, and nobody waits any more.
    Abandoned {
        authenticator: [u8; 16],
    },
}

pub(super) struct Table {
    slots: Vec<Slot>,
    free: VecDeque<u8>,
    /// Identifiers that somebody has.
    held: usize,
    pub(super) broken: Option<Broken>,
    /// No new question shall go there.
    pub(super) retired: bool,
    /// Answers that came.
    pub(super) heard: u64,
    pub(super) last_heard: Instant,
}

impl Table {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            slots: std::iter::repeat_with(|| Slot::Free).take(IDENTIFIERS).collect(),
            free: (0..=u8::MAX).collect(),
            held: 0,
            broken: None,
            retired: false,
            heard: 0,
            last_heard: now,
        }
    }

    pub(super) fn take(&mut self) -> Option<u8> {
        if self.broken.is_some() || self.retired {
            return None;
        }
        let identifier = self.free.pop_front()?;
        self.set(identifier, Slot::Held);
        self.held += 1;
        Some(identifier)
    }

    /// From now on the answer with this identifier goes to `asker`.
    pub(super) fn arm(&mut self, identifier: u8, authenticator: [u8; 16], asker: oneshot::Sender<Answer>) {
        match &self.broken {
            Some(broken) => {
                let _ = asker.send(Err(broken.clone()));
            }
            None => self.set(identifier, Slot::Waiting { authenticator, asker }),
        }
    }

    /// What an answer with this identifier must have been made for.
    pub(super) fn authenticator(&self, identifier: u8) -> Option<[u8; 16]> {
        match self.slots.get(usize::from(identifier))? {
            Slot::Free | Slot::Held => None,
            Slot::Waiting { authenticator, .. } | Slot::Abandoned { authenticator } => Some(*authenticator),
        }
    }

    /// Hands an answer over; `false` when nobody waits for it.
    pub(super) fn answer(&mut self, identifier: u8, answer: Answer) -> bool {
        match self.replace(identifier, Slot::Held) {
            Some(Slot::Waiting { asker, .. }) => asker.send(answer).is_ok(),
            Some(Slot::Abandoned { .. }) => {
                self.free_up(identifier);
                false
            }
            Some(Slot::Free) => {
                self.set(identifier, Slot::Free);
                false
            }
            Some(Slot::Held) | None => false,
        }
    }

    /// Its holder gives an identifier back.
    pub(super) fn release(&mut self, identifier: u8) {
        self.held = self.held.saturating_sub(1);
        match self.replace(identifier, Slot::Held) {
            Some(Slot::Waiting { authenticator, .. }) => {
                self.set(identifier, Slot::Abandoned { authenticator });
            }
            Some(_) | None => self.free_up(identifier),
        }
    }

    /// Ends it; whoever waits hears why.
    pub(super) fn end(&mut self, broken: Broken) {
        for slot in &mut self.slots {
            if matches!(slot, Slot::Waiting { .. })
                && let Slot::Waiting { asker, .. } = std::mem::replace(slot, Slot::Held)
            {
                let _ = asker.send(Err(broken.clone()));
            }
        }
        self.broken.get_or_insert(broken);
    }

    /// Nobody has an identifier.
    pub(super) fn is_idle(&self) -> bool {
        self.held == 0
    }

    /// Every identifier belongs to a question that nobody waits for any more.
    pub(super) fn is_used_up(&self) -> bool {
        self.held == 0 && self.free.is_empty()
    }

    fn free_up(&mut self, identifier: u8) {
        self.set(identifier, Slot::Free);
        self.free.push_back(identifier);
    }

    fn set(&mut self, identifier: u8, slot: Slot) {
        self.replace(identifier, slot);
    }

    fn replace(&mut self, identifier: u8, slot: Slot) -> Option<Slot> {
        self.slots.get_mut(usize::from(identifier)).map(|place| std::mem::replace(place, slot))
    }
}
