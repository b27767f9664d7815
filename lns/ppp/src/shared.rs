//! What the machines of one link share: the way out for frames and events, the header forms agreed on, the timers
//! and the source of unpredictable numbers.

use std::collections::VecDeque;

use tollgate_sansio::Entropy;

use crate::Event;
use crate::config::Timers;
use crate::frame::{self, Framing, Protocol};

/// Frames that wait to be polled at the most. Each input makes a few; more pile up only if nobody polls.
const MOST_FRAMES: usize = 64;
/// Warnings and Identifications per link at the most, so that a peer cannot fill the log.
const MOST_NOTES: u8 = 32;
/// RFC 1661 6.1: the MRU when the option is absent.
pub(crate) const DEFAULT_MRU: u16 = 1500;

/// See the module.
pub(crate) struct Shared {
    pub(crate) entropy: Entropy,
    pub(crate) timers: Timers,
    /// How we may write headers, LCP excepted.
    pub(crate) framing: Framing,
    /// The peer's MRU, not cut to our own limit.
    pub(crate) peer_mru: u16,
    /// Client: the server has taken the new password, which is the one that counts from then on.
    pub(crate) password_changed: bool,
    notes: u8,
    frames: VecDeque<Vec<u8>>,
    events: VecDeque<Event>,
}

impl Shared {
    pub(crate) fn new(entropy: Entropy, timers: Timers) -> Self {
        Self {
            entropy,
            timers,
            framing: Framing::default(),
            peer_mru: DEFAULT_MRU,
            password_changed: false,
            notes: 0,
            frames: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// Queues a packet. LCP always goes with the full header (RFC 1661 6.6), because it must be readable to a peer
    /// that has forgotten everything.
    pub(crate) fn send(&mut self, protocol: Protocol, code: u8, identifier: u8, data: &[u8]) {
        let framing = if protocol == Protocol::LCP { Framing::default() } else { self.framing };
        if self.frames.len() < MOST_FRAMES {
            self.frames.push_back(frame::encode(framing, protocol, code, identifier, data));
        }
    }

    /// The same, with `data` cut so that the packet fits the peer's MRU; for what may be cut: rejects and echoes.
    pub(crate) fn send_cut(&mut self, protocol: Protocol, code: u8, identifier: u8, data: &[u8]) {
        let room = usize::from(self.peer_mru.min(DEFAULT_MRU)).saturating_sub(4);
        self.send(protocol, code, identifier, data.get(..data.len().min(room)).unwrap_or_default());
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.events.push_back(event);
    }

    /// A warning or an Identification, as long as the link has not made too many already.
    pub(crate) fn note(&mut self, event: Event) {
        if self.notes < MOST_NOTES {
            self.notes += 1;
            self.event(event);
        }
    }

    pub(crate) fn warn(&mut self, text: impl Into<String>) {
        self.note(Event::Warning(text.into()));
    }

    /// A magic number: unpredictable and not zero, which would mean none (RFC 1661 6.4).
    pub(crate) fn magic(&mut self) -> u32 {
        self.entropy.u32().max(1)
    }

    pub(crate) fn poll_frame(&mut self) -> Option<Vec<u8>> {
        poll(&mut self.frames)
    }

    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        poll(&mut self.events)
    }

    /// Octets on the heap.
    #[cfg(test)]
    pub(crate) fn heap(&self) -> usize {
        self.frames.capacity() * size_of::<Vec<u8>>() + self.events.capacity() * size_of::<Event>()
    }
}

/// Takes the first entry; gives the memory back with the last, because a link spends its life idle.
fn poll<T>(queue: &mut VecDeque<T>) -> Option<T> {
    let first = queue.pop_front();
    if queue.is_empty() && queue.capacity() > 0 {
        *queue = VecDeque::new();
    }
    first
}
