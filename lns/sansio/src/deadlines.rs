//! When each of many machines wants to be looked at. Entries are not moved when a machine's time changes: one that
//! comes up early finds nothing due and is entered again, which costs less than a search and never scans the machines.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

/// A heap of times, each with the key of the machine that it belongs to.
#[derive(Debug)]
pub struct Deadlines<K> {
    heap: BinaryHeap<Reverse<(Instant, K)>>,
}

impl<K: Ord + Copy> Default for Deadlines<K> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new() }
    }
}

impl<K: Ord + Copy> Deadlines<K> {
    /// Enters a machine at a time; earlier entries of the same machine stay.
    pub fn enter(&mut self, at: Instant, key: K) {
        self.heap.push(Reverse((at, key)));
    }

    /// The earliest time.
    pub fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes one machine whose time has come.
    pub fn due(&mut self, now: Instant) -> Option<K> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse((_, key))| key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn machines_come_up_in_the_order_of_their_times() {
        let start = Instant::now();
        let mut deadlines = Deadlines::default();
        deadlines.enter(start + Duration::from_secs(2), 'b');
        deadlines.enter(start + Duration::from_secs(1), 'a');
        assert_eq!(deadlines.next(), Some(start + Duration::from_secs(1)));
        assert_eq!(deadlines.due(start), None);
        assert_eq!(deadlines.due(start + Duration::from_secs(3)), Some('a'));
        assert_eq!(deadlines.due(start + Duration::from_secs(3)), Some('b'));
        assert_eq!(deadlines.next(), None);
    }
}
