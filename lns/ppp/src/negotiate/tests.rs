//! The driver alone, with options that are easy to see through. Whole links are in the integration tests.
use std::time::Duration;

use tollgate_sansio::Entropy;

use super::*;
use crate::ServerConfig;
use crate::config::Timers;
use crate::frame;

/// One option, type 1: objected to as long as its value is below `least`.
struct Toy {
    asks: u8,
    least: u8,
}

impl Negotiable for Toy {
    const PROTOCOL: Protocol = Protocol::IPCP;
    const NAME: &'static str = "toy";

    fn begin(&mut self, _shared: &mut Shared) {}

    fn request(&self) -> Vec<u8> {
        vec![1, 3, self.asks]
    }

    fn judge(
        &mut self,
        asked: &[ConfigOption<'_>],
        naks_left: bool,
        _shared: &mut Shared,
    ) -> Result<Answer, DownReason> {
        match asked {
            [option] if option.value.first().is_some_and(|&value| value >= self.least) => Ok(Answer::Ack),
            _ if naks_left => Ok(Answer::Nak(vec![1, 3, self.least])),
            _ => Ok(Answer::Reject(vec![1, 3, 0])),
        }
    }

    fn naked(&mut self, hints: &[ConfigOption<'_>], _shared: &mut Shared) -> Result<(), DownReason> {
        self.asks = hints.first().and_then(|hint| hint.value.first()).copied().unwrap_or(self.asks);
        Ok(())
    }

    fn rejected(&mut self, _options: &[ConfigOption<'_>], _shared: &mut Shared) -> Result<(), DownReason> {
        Ok(())
    }
}

struct Bench {
    toy: Negotiator<Toy>,
    shared: Shared,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        let config = ServerConfig { max_failure: 2, max_configure: 3, ..ServerConfig::default() };
        let mut shared = Shared::new(Entropy::from_seed([3; 32]), Timers::of_server(&config));
        let mut toy = Negotiator::new(Toy { asks: 5, least: 10 });
        let now = Instant::now();
        toy.start(now, &mut shared);
        Self { toy, shared, now }
    }

    fn receive(&mut self, code: u8, identifier: u8, data: &[u8]) -> Outcome {
        self.toy.receive(self.now, Packet { code, identifier, data }, &mut self.shared)
    }

    /// Code, identifier and data of the next packet out.
    fn sent(&mut self) -> Option<(u8, u8, Vec<u8>)> {
        let frame = self.shared.poll_frame()?;
        let (_, information) = frame::split(&frame)?;
        let packet = Packet::parse(information)?;
        Some((packet.code, packet.identifier, packet.data.to_vec()))
    }
}

#[test]
fn both_orders_of_agreement_open_the_layer() {
    for peer_first in [true, false] {
        let mut bench = Bench::new();
        assert_eq!(bench.sent(), Some((CONFIGURE_REQUEST, 1, vec![1, 3, 5])));
        let mut outcomes = Vec::new();
        for step in [peer_first, !peer_first] {
            outcomes.push(if step {
                bench.receive(CONFIGURE_REQUEST, 8, &[1, 3, 10])
            } else {
                bench.receive(CONFIGURE_ACK, 1, &[1, 3, 5])
            });
        }
        assert_eq!((outcomes[0].up, outcomes[1].up), (false, true));
        assert_eq!((bench.toy.state(), bench.toy.timer()), (State::Opened, None));
        assert_eq!(bench.sent(), Some((CONFIGURE_ACK, 8, vec![1, 3, 10])));
    }
}

#[test]
fn naks_turn_into_rejects_after_max_failure_and_repetitions_do_not_count() {
    let mut bench = Bench::new();
    bench.sent();
    for (identifier, code) in [(1, 3), (1, 3), (1, 3), (2, 3), (2, 3), (3, 4), (3, 4), (4, 4)] {
        bench.receive(CONFIGURE_REQUEST, identifier, &[1, 3, 0]);
        let (sent, answered, _) = bench.sent().unwrap();
        assert_eq!((sent, answered), (code, identifier));
    }
    bench.receive(CONFIGURE_REQUEST, 5, &[1, 3, 10]);
    assert_eq!(bench.sent().unwrap().0, CONFIGURE_ACK);
    bench.receive(CONFIGURE_REQUEST, 6, &[1, 3, 0]);
    assert_eq!(bench.sent().unwrap().0, CONFIGURE_NAK, "an Ack starts the count anew");
}

#[test]
fn a_request_keeps_its_identifier_until_it_is_answered_or_changes() {
    let mut bench = Bench::new();
    let first = bench.sent().unwrap();
    bench.now += Duration::from_secs(1);
    bench.toy.timeout(bench.now, &mut bench.shared);
    assert_eq!(bench.sent(), Some(first));
    bench.receive(CONFIGURE_NAK, 1, &[1, 3, 7]);
    assert_eq!(bench.sent(), Some((CONFIGURE_REQUEST, 2, vec![1, 3, 7])));
    bench.receive(CONFIGURE_NAK, 1, &[1, 3, 9]);
    assert_eq!(bench.sent(), None, "an answer to the request before");
    bench.receive(CONFIGURE_NAK, 2, &[1, 3, 7]);
    assert_eq!(
        bench.sent(),
        Some((CONFIGURE_REQUEST, 3, vec![1, 3, 7])),
        "the same again, but it was answered"
    );
}

#[test]
fn max_configure_counts_transmissions() {
    let mut bench = Bench::new();
    let mut finished = false;
    let mut sent = 0;
    while let Some(due) = bench.toy.timer() {
        bench.now = due;
        sent += usize::from(bench.sent().is_some());
        finished = bench.toy.timeout(due, &mut bench.shared).finished;
    }
    assert_eq!((sent, finished, bench.toy.state()), (3, true, State::Stopped));
}

#[test]
fn endless_objections_of_the_peer_are_stopped() {
    let mut bench = Bench::new();
    let mut rounds = 0;
    let outcome = loop {
        rounds += 1;
        let identifier = bench.toy.identifier;
        let outcome = bench.receive(CONFIGURE_NAK, identifier, &[1, 3, rounds]);
        if outcome.stop.is_some() {
            break outcome;
        }
    };
    assert_eq!(outcome.stop, Some(DownReason::NotConverging("toy")));
    assert_eq!(rounds, 2 * (3 + 2) + 1);
}

#[test]
fn a_terminate_request_on_the_open_layer_is_acknowledged_and_waited_out() {
    let mut bench = Bench::new();
    bench.receive(CONFIGURE_REQUEST, 8, &[1, 3, 10]);
    bench.receive(CONFIGURE_ACK, 1, &[1, 3, 5]);
    while bench.sent().is_some() {}
    assert!(bench.receive(TERMINATE_REQUEST, 4, b"bye").down);
    assert_eq!(bench.sent(), Some((TERMINATE_ACK, 4, vec![])));
    assert_eq!(bench.toy.state(), State::Stopping);
    bench.now = bench.toy.timer().unwrap();
    assert!(bench.toy.timeout(bench.now, &mut bench.shared).finished);
}

#[test]
fn the_schedule_is_one_two_three_three_units() {
    let timers = Timers::of_server(&ServerConfig::default());
    let seconds: Vec<u64> = (1..=5).map(|attempt| timers.interval(attempt).as_secs()).collect();
    assert_eq!(seconds, [1, 2, 3, 3, 3]);
}
