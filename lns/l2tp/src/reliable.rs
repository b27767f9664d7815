//! The reliable control channel, RFC 2661 section 5.8 and appendices A to C: numbering, acknowledgement, window,
//! slow start, retransmission. It carries opaque message bodies; what they mean is the tunnel's business.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Messages that may wait for the peer's acknowledgement before its own are refused. A peer that keeps asking and
/// never acknowledges is held back by this instead of by our memory.
const MAX_BACKLOG: usize = 1024;

/// Half of the number space: numbers this far ahead or further count as already seen.
const HALF: u16 = 0x8000;

/// When a message is sent again, and when the peer is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Schedule {
    pub(crate) initial: Duration,
    pub(crate) cap: Duration,
    pub(crate) tries: u32,
}

impl Schedule {
    /// The wait after the given number of retransmissions.
    pub(crate) fn wait(&self, tries: u32) -> Duration {
        // A wait of nothing would let the machine turn without end.
        let initial = self.initial.max(Duration::from_millis(1));
        let factor = 1_u32.checked_shl(tries).filter(|factor| *factor != 0).unwrap_or(u32::MAX);
        initial.checked_mul(factor).unwrap_or(self.cap).min(self.cap.max(initial))
    }

    /// How long one message can stay unacknowledged before the peer is given up: a full retransmission cycle.
    pub(crate) fn cycle(&self) -> Duration {
        (0..=self.tries.min(64)).map(|tries| self.wait(tries)).sum()
    }
}

/// What a received header means for the channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The message that was expected: process it, then what [`Channel::next_held`] gives.
    InOrder,
    /// A message from the near future: hand it to [`Channel::hold`].
    Ahead,
    /// Already seen; it will be acknowledged again.
    Duplicate,
    /// An acknowledgement without a message.
    Acknowledgement,
    /// Beyond our window, or we have too much unacknowledged ourselves: as if it had been lost.
    Refused,
    /// It acknowledges what was never sent, so it is none of this channel's.
    AcknowledgesUnsent,
}

/// A message to send now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outgoing<'a> {
    /// The peer's session id for the header.
    pub(crate) session: u16,
    pub(crate) ns: u16,
    pub(crate) nr: u16,
    /// Empty for a ZLB.
    pub(crate) body: &'a [u8],
    pub(crate) again: bool,
}

/// What the clock brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alarm {
    /// Nothing is due.
    Quiet,
    /// The oldest message is to be sent again.
    Retransmit,
    /// The peer did not acknowledge in a full retransmission cycle.
    PeerSilent,
}

#[derive(Debug)]
struct Pending {
    session: u16,
    keep_alive: bool,
    body: Box<[u8]>,
}

/// A message that waits for those before it.
#[derive(Debug)]
pub(crate) struct Held {
    ns: u16,
    /// The session id in its header.
    pub(crate) session: u16,
    pub(crate) body: Box<[u8]>,
}

/// One direction's sender and the other's receiver.
#[derive(Debug)]
pub(crate) struct Channel {
    /// Messages not yet acknowledged, oldest first; the first one has number `oldest`.
    queue: VecDeque<Pending>,
    /// Messages received ahead of their turn, in order.
    held: VecDeque<Held>,
    oldest: u16,
    /// Ns that the peer's next message must have; our Nr.
    expected: u16,
    /// How many of the queue count as in flight. A timeout takes this back to none.
    in_flight: u16,
    /// How many of the queue have ever been sent, so that a late acknowledgement is still recognised.
    ever_sent: u16,
    congestion_window: u16,
    congestion_credit: u16,
    slow_start_threshold: u16,
    peer_window: u16,
    own_window: u16,
    tries: u32,
    deadline: Option<Instant>,
    acknowledge: bool,
}

impl Channel {
    /// A new channel: we take `own_window` messages ahead, the peer takes `peer_window`.
    pub(crate) fn new(own_window: u16, peer_window: u16) -> Self {
        let mut channel = Self {
            queue: VecDeque::new(),
            held: VecDeque::new(),
            oldest: 0,
            expected: 0,
            in_flight: 0,
            ever_sent: 0,
            congestion_window: 1,
            congestion_credit: 0,
            slow_start_threshold: 1,
            peer_window: 1,
            own_window: own_window.clamp(1, HALF - 1),
            tries: 0,
            deadline: None,
            acknowledge: false,
        };
        channel.set_peer_window(peer_window);
        channel
    }

    /// Takes the peer's Receive Window Size once it is known. Appendix A: slow start goes up to this window at first.
    pub(crate) fn set_peer_window(&mut self, window: u16) {
        self.peer_window = window.clamp(1, HALF - 1);
        self.slow_start_threshold = self.peer_window;
    }

    /// Appends a message. It leaves when the window allows, see [`Channel::transmit`].
    pub(crate) fn send(&mut self, session: u16, body: Vec<u8>) {
        self.queue.push_back(Pending { session, keep_alive: false, body: body.into_boxed_slice() });
    }

    /// Appends a message that only asks for a sign of life.
    pub(crate) fn send_keep_alive(&mut self, body: Vec<u8>) {
        self.queue.push_back(Pending { session: 0, keep_alive: true, body: body.into_boxed_slice() });
    }

    /// Takes the numbers of a received message.
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        schedule: &Schedule,
        ns: u16,
        nr: u16,
        zlb: bool,
    ) -> Verdict {
        // Distances in the 16-bit circle. An Nr is only meaningful between what is acknowledged and what was sent,
        // and that span is far below half of the circle; older ones say nothing new.
        let acknowledged = nr.wrapping_sub(self.oldest);
        if acknowledged <= self.ever_sent {
            self.acknowledged(now, schedule, acknowledged);
        } else if acknowledged < HALF {
            return Verdict::AcknowledgesUnsent;
        }
        if zlb {
            return Verdict::Acknowledgement;
        }
        // Section 5.8: the last received number and the 32767 before it have been seen, so of the two numbers that
        // are half the circle away from the expected one this side counts as the past.
        let ahead = ns.wrapping_sub(self.expected);
        if ahead >= HALF {
            self.acknowledge = true;
            Verdict::Duplicate
        } else if ahead >= self.own_window || self.queue.len() >= MAX_BACKLOG {
            Verdict::Refused
        } else if ahead == 0 {
            self.advance();
            Verdict::InOrder
        } else {
            Verdict::Ahead
        }
    }

    /// Keeps a message until those before it have come. Bounded by the window, which [`Channel::receive`] checked.
    pub(crate) fn hold(&mut self, ns: u16, session: u16, body: &[u8]) {
        let expected = self.expected;
        let distance = |number: u16| number.wrapping_sub(expected);
        if let Err(place) = self.held.binary_search_by_key(&distance(ns), |held| distance(held.ns)) {
            self.held.insert(place, Held { ns, session, body: body.into() });
        }
    }

    /// The next message that was held back and whose turn it is now.
    pub(crate) fn next_held(&mut self) -> Option<Held> {
        // What stayed behind because of our own backlog can have been received a second time since.
        while self.held.front().is_some_and(|held| held.ns.wrapping_sub(self.expected) >= HALF) {
            self.held.pop_front();
        }
        let due = self.held.front().is_some_and(|held| held.ns == self.expected);
        if !due || self.queue.len() >= MAX_BACKLOG {
            return None;
        }
        self.advance();
        self.held.pop_front()
    }

    fn advance(&mut self) {
        self.expected = self.expected.wrapping_add(1);
        self.acknowledge = true;
    }

    fn acknowledged(&mut self, now: Instant, schedule: &Schedule, count: u16) {
        if count == 0 {
            return;
        }
        self.queue.drain(..usize::from(count).min(self.queue.len()));
        self.oldest = self.oldest.wrapping_add(count);
        self.ever_sent = self.ever_sent.saturating_sub(count);
        self.in_flight = self.in_flight.saturating_sub(count);
        for _ in 0..count {
            self.open_window();
        }
        self.tries = 0;
        self.deadline = (self.in_flight > 0).then(|| now + schedule.wait(0));
    }

    /// Appendix A: by one for each acknowledged message up to the threshold, then by one for each full window.
    fn open_window(&mut self) {
        if self.congestion_window >= self.peer_window {
            return;
        }
        if self.congestion_window < self.slow_start_threshold {
            self.congestion_window += 1;
            return;
        }
        self.congestion_credit += 1;
        if self.congestion_credit >= self.congestion_window {
            self.congestion_credit = 0;
            self.congestion_window += 1;
        }
    }

    /// The next message to send now, a ZLB if there is nothing else that could carry an acknowledgement. Ask until
    /// there is none.
    pub(crate) fn transmit(&mut self, now: Instant, schedule: &Schedule) -> Option<Outgoing<'_>> {
        let nr = self.expected;
        let next = self.in_flight;
        if next < self.congestion_window.min(self.peer_window)
            && let Some(pending) = self.queue.get(usize::from(next))
        {
            let again = next < self.ever_sent;
            self.in_flight += 1;
            self.ever_sent = self.ever_sent.max(self.in_flight);
            self.acknowledge = false;
            self.deadline.get_or_insert(now + schedule.wait(self.tries));
            let ns = self.oldest.wrapping_add(next);
            return Some(Outgoing { session: pending.session, ns, nr, body: &pending.body, again });
        }
        std::mem::take(&mut self.acknowledge).then(|| Outgoing {
            session: 0,
            // A ZLB takes no number: it shows the one that the next message will have.
            ns: self.oldest.wrapping_add(self.ever_sent),
            nr,
            body: &[],
            again: false,
        })
    }

    /// What is due. After [`Alarm::Retransmit`], [`Channel::transmit`] gives the oldest message again (with the
    /// newest Nr), and the others one by one as acknowledgements come.
    pub(crate) fn alarm(&mut self, now: Instant, schedule: &Schedule) -> Alarm {
        if self.deadline.is_none_or(|deadline| deadline > now) {
            return Alarm::Quiet;
        }
        if self.tries >= schedule.tries {
            return Alarm::PeerSilent;
        }
        self.tries += 1;
        self.slow_start_threshold = (self.congestion_window / 2).max(1);
        self.congestion_window = 1;
        self.congestion_credit = 0;
        self.in_flight = 0;
        self.deadline = Some(now + schedule.wait(self.tries));
        Alarm::Retransmit
    }

    /// Begins a new cycle for the oldest message, when its silence does not mean that the peer is gone.
    pub(crate) fn forgive(&mut self, now: Instant, schedule: &Schedule) {
        self.tries = 0;
        self.in_flight = 0;
        self.deadline = Some(now + schedule.wait(0));
    }

    /// Sends the oldest message again before its time, because the peer has shown that it did not get it.
    pub(crate) fn hurry(&mut self) {
        self.in_flight = 0;
    }

    /// Acknowledges once more what has been received.
    pub(crate) fn acknowledge_again(&mut self) {
        self.acknowledge = true;
    }

    /// Forgets everything unacknowledged: the peer has left and will not answer.
    pub(crate) fn abandon(&mut self) {
        self.oldest = self.oldest.wrapping_add(self.ever_sent);
        self.queue.clear();
        self.held.clear();
        (self.ever_sent, self.in_flight, self.deadline) = (0, 0, None);
    }

    /// Forgets what has not been sent yet: a tunnel that ends needs only its StopCCN said.
    pub(crate) fn forget_unsent(&mut self) {
        self.queue.truncate(usize::from(self.ever_sent));
    }

    /// Whether the oldest unacknowledged message is one that only asks for a sign of life.
    pub(crate) fn waits_for_keep_alive(&self) -> bool {
        self.queue.front().is_some_and(|pending| pending.keep_alive)
    }

    /// Nothing waits for an acknowledgement.
    pub(crate) fn is_drained(&self) -> bool {
        self.queue.is_empty()
    }

    /// When [`Channel::alarm`] has something to say.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Messages that we take ahead.
    pub(crate) fn own_window(&self) -> u16 {
        self.own_window
    }

    /// Messages not yet acknowledged.
    pub(crate) fn backlog(&self) -> usize {
        self.queue.len()
    }

    /// The peer's receive window and the congestion window within it, messages.
    pub(crate) fn windows(&self) -> (u16, u16) {
        (self.peer_window, self.congestion_window)
    }
}

#[cfg(test)]
mod tests;
