use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

const SCHEDULE: Schedule =
    Schedule { initial: Duration::from_secs(1), cap: Duration::from_secs(8), tries: 6 };

fn channel(window: u16) -> Channel {
    Channel::new(16, window)
}

fn sent(channel: &mut Channel, now: Instant) -> Vec<(u16, u16, Vec<u8>)> {
    let mut out = Vec::new();
    while let Some(next) = channel.transmit(now, &SCHEDULE) {
        out.push((next.ns, next.nr, next.body.to_vec()));
    }
    out
}

#[test]
fn waits_double_up_to_the_cap_and_a_cycle_is_their_sum() {
    let waits: Vec<_> = (0..7).map(|tries| SCHEDULE.wait(tries).as_secs()).collect();
    assert_eq!(waits, [1, 2, 4, 8, 8, 8, 8]);
    assert_eq!(SCHEDULE.cycle().as_secs(), 39);
    assert_eq!(SCHEDULE.wait(200), SCHEDULE.cap);
    let hasty = Schedule { initial: Duration::ZERO, cap: Duration::ZERO, tries: u32::MAX };
    assert!(hasty.wait(0) > Duration::ZERO, "the machine must not turn without end");
    assert!(hasty.cycle() < Duration::from_secs(1));
}

#[test]
fn the_half_of_the_circle_behind_counts_as_seen_and_the_edge_with_it() {
    // Section 5.8 gives the example: after number 15, numbers 0..=15 and 32784..=65535 have been seen.
    let mut channel = channel(4);
    channel.expected = 16;
    let now = Instant::now();
    for seen in [0, 15, 32_784, 65_535] {
        assert_eq!(channel.receive(now, &SCHEDULE, seen, 0, false), Verdict::Duplicate, "{seen}");
    }
    assert_eq!(channel.receive(now, &SCHEDULE, 32_783, 0, false), Verdict::Refused);
    assert_eq!(channel.receive(now, &SCHEDULE, 17, 0, false), Verdict::Ahead);
    assert_eq!(channel.receive(now, &SCHEDULE, 31, 0, false), Verdict::Ahead, "the last one of our window");
    assert_eq!(channel.receive(now, &SCHEDULE, 32, 0, false), Verdict::Refused);
    assert_eq!(channel.receive(now, &SCHEDULE, 16, 0, false), Verdict::InOrder);
}

#[test]
fn numbers_wrap() {
    let mut channel = channel(4);
    let now = Instant::now();
    (channel.expected, channel.oldest) = (0xffff, 0xffff);
    channel.send(0, vec![1]);
    channel.send(0, vec![2]);
    assert_eq!(sent(&mut channel, now), [(0xffff, 0xffff, vec![1])]);
    assert_eq!(channel.receive(now, &SCHEDULE, 0xffff, 0, false), Verdict::InOrder);
    assert_eq!(channel.receive(now, &SCHEDULE, 0, 0, false), Verdict::InOrder);
    assert_eq!(sent(&mut channel, now), [(0, 1, vec![2])]);
    assert_eq!(channel.receive(now, &SCHEDULE, 1, 1, true), Verdict::Acknowledgement);
    assert!(channel.is_drained());
}

#[test]
fn a_zlb_takes_no_number_and_leaves_only_when_nothing_else_acknowledges() {
    let mut channel = channel(4);
    let now = Instant::now();
    assert_eq!(channel.receive(now, &SCHEDULE, 0, 0, false), Verdict::InOrder);
    assert_eq!(sent(&mut channel, now), [(0, 1, vec![])]);
    assert_eq!(channel.receive(now, &SCHEDULE, 1, 0, false), Verdict::InOrder);
    channel.send(3, vec![9]);
    assert_eq!(sent(&mut channel, now), [(0, 2, vec![9])]);
    // The next ZLB shows the number after it.
    assert_eq!(channel.receive(now, &SCHEDULE, 1, 0, false), Verdict::Duplicate);
    assert_eq!(sent(&mut channel, now), [(1, 2, vec![])]);
    // An acknowledgement is not acknowledged.
    assert_eq!(channel.receive(now, &SCHEDULE, 2, 1, true), Verdict::Acknowledgement);
    assert_eq!(sent(&mut channel, now), []);
}

#[test]
fn an_acknowledgement_of_what_was_never_sent_is_refused() {
    let mut channel = channel(4);
    let now = Instant::now();
    channel.send(0, vec![1]);
    assert_eq!(channel.receive(now, &SCHEDULE, 0, 1, false), Verdict::AcknowledgesUnsent, "not sent yet");
    sent(&mut channel, now);
    assert_eq!(channel.receive(now, &SCHEDULE, 0, 2, false), Verdict::AcknowledgesUnsent);
    assert_eq!(channel.receive(now, &SCHEDULE, 0, 0x7fff, true), Verdict::AcknowledgesUnsent);
    assert_eq!(channel.receive(now, &SCHEDULE, 0, 0xfff0, true), Verdict::Acknowledgement, "old news");
    assert!(!channel.is_drained());
    assert_eq!(channel.receive(now, &SCHEDULE, 0, 1, true), Verdict::Acknowledgement);
    assert!(channel.is_drained());
}

#[test]
fn the_window_opens_slowly_and_no_further_than_the_peer_allows() {
    let mut channel = channel(3);
    let now = Instant::now();
    for number in 0..10 {
        channel.send(0, vec![number]);
    }
    let mut seen = Vec::new();
    let mut acknowledged = 0;
    while !channel.is_drained() {
        let count = sent(&mut channel, now).len() as u16;
        seen.push(count);
        acknowledged += 1;
        channel.receive(now, &SCHEDULE, 0, acknowledged, true);
    }
    assert_eq!(seen, [1, 2, 2, 1, 1, 1, 1, 1, 0, 0], "one at first, then up to three in flight");
    assert_eq!(channel.windows(), (3, 3));
}

#[test]
fn silence_is_met_with_seven_sendings_and_then_given_up() {
    let mut channel = channel(4);
    let start = Instant::now();
    let mut now = start;
    channel.send(0, vec![1]);
    channel.send(0, vec![2]);
    let mut times = Vec::new();
    loop {
        for (ns, _, _) in sent(&mut channel, now) {
            assert_eq!(ns, 0, "the second waits for the first");
            times.push((now - start).as_secs());
        }
        now = channel.deadline().unwrap();
        match channel.alarm(now, &SCHEDULE) {
            Alarm::Retransmit => {}
            Alarm::PeerSilent => break,
            Alarm::Quiet => panic!("the deadline was wrong"),
        }
    }
    assert_eq!(times, [0, 1, 3, 7, 15, 23, 31]);
    assert_eq!(now - start, SCHEDULE.cycle());
}

#[test]
fn every_acknowledgement_begins_a_new_cycle() {
    let mut channel = channel(4);
    let mut now = Instant::now();
    for acknowledged in 1..=3 {
        channel.send(0, vec![1]);
        for _ in 0..SCHEDULE.tries {
            sent(&mut channel, now);
            now = channel.deadline().unwrap();
            assert_eq!(channel.alarm(now, &SCHEDULE), Alarm::Retransmit);
        }
        sent(&mut channel, now);
        channel.receive(now, &SCHEDULE, 0, acknowledged, true);
    }
    assert!(channel.is_drained());
}

#[test]
fn a_timeout_halves_the_threshold_and_sends_with_the_newest_nr() {
    let mut channel = channel(8);
    let now = Instant::now();
    for number in 0..20 {
        channel.send(0, vec![number]);
    }
    for acknowledged in 1..=7 {
        sent(&mut channel, now);
        channel.receive(now, &SCHEDULE, 0, acknowledged, true);
    }
    sent(&mut channel, now);
    assert_eq!(channel.windows(), (8, 8));
    channel.receive(now, &SCHEDULE, 0, 7, false);
    sent(&mut channel, now);
    let later = now + Duration::from_secs(1);
    assert_eq!(channel.alarm(later, &SCHEDULE), Alarm::Retransmit);
    assert_eq!(channel.windows(), (8, 1));
    assert_eq!(channel.slow_start_threshold, 4);
    assert_eq!(sent(&mut channel, later), [(7, 1, vec![7])]);
    // The peer had everything but that one: nothing else is sent again.
    channel.receive(later, &SCHEDULE, 1, 15, true);
    assert_eq!(sent(&mut channel, later).first().map(|(ns, ..)| *ns), Some(15));
}

#[test]
fn a_peer_that_asks_and_never_acknowledges_is_held_back() {
    let mut channel = channel(4);
    let now = Instant::now();
    for number in 0..u16::MAX {
        match channel.receive(now, &SCHEDULE, number, 0, false) {
            Verdict::InOrder => channel.send(0, vec![0; 30]),
            Verdict::Refused => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(channel.backlog(), MAX_BACKLOG);
}

#[test]
fn what_is_abandoned_is_not_sent_again_and_numbers_go_on() {
    let mut channel = channel(4);
    let now = Instant::now();
    channel.send(0, vec![1]);
    channel.send(0, vec![2]);
    sent(&mut channel, now);
    channel.abandon();
    assert!(channel.is_drained());
    assert_eq!(channel.deadline(), None);
    channel.acknowledge_again();
    assert_eq!(sent(&mut channel, now), [(1, 0, vec![])]);
    assert_eq!(channel.receive(now, &SCHEDULE, 0, 0, true), Verdict::Acknowledgement);
}

/// A line that loses, doubles and reorders, as the choices of a test case say.
struct Line {
    inside: VecDeque<(u16, u16, Vec<u8>)>,
}

#[derive(Debug, Clone)]
enum Step {
    Say(bool, u8),
    /// Hand over the datagram at this place of one direction.
    Deliver(bool, usize),
    Lose(bool, usize),
    Double(bool, usize),
    Wait,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (any::<bool>(), any::<u8>()).prop_map(|(end, octet)| Step::Say(end, octet)),
        8 => (any::<bool>(), 0..8_usize).prop_map(|(end, at)| Step::Deliver(end, at)),
        2 => (any::<bool>(), 0..8_usize).prop_map(|(end, at)| Step::Lose(end, at)),
        2 => (any::<bool>(), 0..8_usize).prop_map(|(end, at)| Step::Double(end, at)),
        1 => Just(Step::Wait),
    ];
    prop::collection::vec(step, 0..300)
}

struct End {
    channel: Channel,
    said: Vec<Vec<u8>>,
    heard: Vec<Vec<u8>>,
    /// Towards this end.
    line: Line,
    dead: bool,
    other_window: u16,
}

impl End {
    fn new(own: u16, other: u16) -> Self {
        Self {
            channel: Channel::new(own, other),
            said: Vec::new(),
            heard: Vec::new(),
            line: Line { inside: VecDeque::new() },
            dead: false,
            other_window: other,
        }
    }

    fn take(&mut self, now: Instant, (ns, nr, body): (u16, u16, Vec<u8>)) {
        match self.channel.receive(now, &SCHEDULE, ns, nr, body.is_empty()) {
            Verdict::InOrder => self.heard.push(body),
            Verdict::Ahead => self.channel.hold(ns, 0, &body),
            Verdict::Duplicate | Verdict::Acknowledgement | Verdict::Refused => {}
            Verdict::AcknowledgesUnsent => panic!("both ends are honest"),
        }
        while let Some(held) = self.channel.next_held() {
            self.heard.push(held.body.into_vec());
        }
        assert!(self.channel.held.len() < usize::from(self.channel.own_window));
    }
}

fn flush(now: Instant, from: &mut End, to: &mut End) {
    for datagram in sent(&mut from.channel, now) {
        to.line.inside.push_back(datagram);
    }
    let in_flight = from.channel.in_flight;
    assert!(in_flight <= from.other_window, "{in_flight} in flight, window {}", from.other_window);
    assert!(in_flight <= from.channel.congestion_window);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever the line does, each end hears exactly what the other said, in order and once; and when the line
    /// heals everything arrives, unless the channel has been given up.
    #[test]
    fn everything_is_heard_once_and_in_order(
        steps in steps(),
        windows in (1..6_u16, 1..6_u16),
        start in prop_oneof![Just(0_u16), Just(0xfff8), Just(0x7ff8), any::<u16>()],
    ) {
        let mut now = Instant::now();
        let mut ends = [End::new(windows.0, windows.1), End::new(windows.1, windows.0)];
        for end in &mut ends {
            (end.channel.oldest, end.channel.expected) = (start, start);
        }
        for step in steps {
            match step {
                Step::Say(end, octet) => {
                    let body = vec![octet, ends[usize::from(end)].said.len() as u8];
                    ends[usize::from(end)].said.push(body.clone());
                    ends[usize::from(end)].channel.send(0, body);
                }
                Step::Deliver(end, at) => {
                    if let Some(datagram) = ends[usize::from(end)].line.inside.remove(at) {
                        ends[usize::from(end)].take(now, datagram);
                    }
                }
                Step::Lose(end, at) => {
                    ends[usize::from(end)].line.inside.remove(at);
                }
                Step::Double(end, at) => {
                    let inside = &mut ends[usize::from(end)].line.inside;
                    if let Some(datagram) = inside.get(at).cloned() {
                        inside.push_back(datagram);
                    }
                }
                Step::Wait => {
                    let next = ends.iter().filter_map(|end| end.channel.deadline()).min();
                    now = next.unwrap_or(now).max(now);
                    for end in &mut ends {
                        end.dead |= end.channel.alarm(now, &SCHEDULE) == Alarm::PeerSilent;
                    }
                }
            }
            if ends.iter().any(|end| end.dead) {
                return Ok(());
            }
            let [one, two] = &mut ends;
            flush(now, one, two);
            flush(now, two, one);
            prop_assert!(two.said.starts_with(&one.heard));
            prop_assert!(one.said.starts_with(&two.heard));
        }
        // The line heals.
        for _ in 0..2000 {
            let [one, two] = &mut ends;
            flush(now, one, two);
            flush(now, two, one);
            let mut moved = false;
            for end in [one, two] {
                while let Some(datagram) = end.line.inside.pop_front() {
                    moved = true;
                    end.take(now, datagram);
                }
            }
            if !moved {
                let Some(next) = ends.iter().filter_map(|end| end.channel.deadline()).min() else {
                    break;
                };
                now = next;
                for end in &mut ends {
                    if end.channel.alarm(now, &SCHEDULE) == Alarm::PeerSilent {
                        return Ok(());
                    }
                }
            }
        }
        prop_assert_eq!(&ends[0].heard, &ends[1].said);
        prop_assert_eq!(&ends[1].heard, &ends[0].said);
        prop_assert!(ends.iter().all(|end| end.channel.is_drained()));
    }

    /// Any numbers whatsoever: the channel keeps its bounds.
    #[test]
    fn no_numbers_break_the_channel(received in prop::collection::vec((any::<u16>(), any::<u16>(), any::<bool>()), 0..200)) {
        let now = Instant::now();
        let mut channel = Channel::new(8, 4);
        for (ns, nr, zlb) in received {
            match channel.receive(now, &SCHEDULE, ns, nr, zlb) {
                Verdict::InOrder => channel.send(1, vec![1]),
                Verdict::Ahead => channel.hold(ns, 0, &[2]),
                Verdict::Duplicate
                | Verdict::Acknowledgement
                | Verdict::Refused
                | Verdict::AcknowledgesUnsent => {}
            }
            while channel.next_held().is_some() {}
            sent(&mut channel, now);
            prop_assert!(channel.held.len() < 8);
            prop_assert!(channel.in_flight <= 4);
            prop_assert!(usize::from(channel.ever_sent) <= channel.queue.len());
            prop_assert!(channel.is_drained() || channel.deadline().is_some());
        }
    }
}
