//! The requests of one client that could be replayed, and the answers to those that it may send again.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

/// Requests that are remembered at most; more within ten minutes are refused.
pub(super) const MOST: usize = 4096;
/// Octets of answers that are kept at most.
pub(super) const MOST_OCTETS: usize = 1 << 20;
/// How long a client goes on sending the same request again.
pub(super) const RETRANSMISSION: Duration = Duration::from_secs(30);

/// Identifier and Request Authenticator: the latter is a digest of all the rest.
pub(super) type Seal = (u8, [u8; 16]);

struct Entry {
    port: u16,
    came: SystemTime,
    /// From then on its own time gives it away.
    until: SystemTime,
    answer: Option<Vec<u8>>,
}

#[derive(Default)]
pub(super) struct Memory {
    entries: HashMap<Seal, Entry>,
    octets: usize,
}

/// What is known about a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Never,
    UnderWay,
    Answered(Vec<u8>),
    Replayed,
}

impl Memory {
    pub(super) fn look(&self, seal: &Seal, port: u16, now: SystemTime) -> Seen {
        let Some(entry) = self.entries.get(seal) else { return Seen::Never };
        // A clock set back makes nothing older.
        let age = now.duration_since(entry.came).unwrap_or_default();
        match &entry.answer {
            _ if entry.port != port || age > RETRANSMISSION => Seen::Replayed,
            Some(answer) => Seen::Answered(answer.clone()),
            None => Seen::UnderWay,
        }
    }

    /// Remembers a request; `false` when there is no room.
    pub(super) fn note(&mut self, seal: Seal, port: u16, now: SystemTime, until: SystemTime) -> bool {
        if self.entries.len() >= MOST {
            self.entries.retain(|_, entry| entry.until >= now);
            self.count();
        }
        if self.entries.len() >= MOST {
            return false;
        }
        self.entries.insert(seal, Entry { port, came: now, until, answer: None });
        true
    }

    pub(super) fn answered(&mut self, seal: &Seal, answer: &[u8]) {
        if self.octets + answer.len() > MOST_OCTETS {
            // Those who send again may wait for an answer in vain; what was done is not done twice.
            for entry in self.entries.values_mut() {
                entry.answer = None;
            }
            self.octets = 0;
        }
        if let Some(entry) = self.entries.get_mut(seal) {
            entry.answer = Some(answer.to_vec());
            self.count();
        }
    }

    fn count(&mut self) {
        self.octets = self.entries.values().filter_map(|entry| entry.answer.as_ref()).map(Vec::len).sum();
    }
}
