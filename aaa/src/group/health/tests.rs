use super::*;

const DEAD_TIME: Duration = Duration::from_secs(600);

struct Story {
    health: Health,
    now: Instant,
}

impl Story {
    fn new(servers: usize, max_failed_attempts: u32, reactivation: Reactivation) -> Self {
        let health = Health::new(servers, max_failed_attempts, reactivation, SystemTime::UNIX_EPOCH);
        Self { health, now: Instant::now() }
    }

    fn depletion(servers: usize) -> Self {
        Self::new(servers, 1, Reactivation::Depletion { dead_time: DEAD_TIME })
    }

    fn after(&mut self, time: Duration) -> &mut Self {
        self.now += time;
        self
    }

    fn turn(&mut self, index: usize) -> Turn {
        self.health.turn(index, self.now)
    }

    fn unanswered(&mut self, index: usize) -> Change {
        self.health.unanswered(index, self.now, SystemTime::UNIX_EPOCH)
    }

    fn answered(&mut self, index: usize) -> Change {
        self.health.answered(index, SystemTime::UNIX_EPOCH)
    }
}

#[test]
fn a_server_fails_after_so_many_unanswered_questions_in_a_row() {
    let mut story = Story::new(2, 3, Reactivation::Timed);
    assert_eq!(story.unanswered(0), Change::None);
    assert_eq!(story.unanswered(0), Change::None);
    // An answer begins the count anew.
    story.answered(0);
    assert_eq!(story.unanswered(0), Change::None);
    assert_eq!(story.unanswered(0), Change::None);
    assert_eq!(story.turn(0), Turn::Ask);
    assert_eq!(story.unanswered(0), Change::MarkedFailed);
    assert_eq!(story.turn(0), Turn::Skip);
    assert_eq!(story.turn(1), Turn::Ask);
}

#[test]
fn depletion_leaves_a_failed_server_alone_while_another_lives() {
    let mut story = Story::depletion(2);
    story.unanswered(0);
    story.after(DEAD_TIME * 100);
    assert_eq!(story.turn(0), Turn::Skip);
    assert_eq!(story.turn(1), Turn::Ask);
}

#[test]
fn depletion_counts_the_dead_time_from_the_last_failure() {
    let mut story = Story::depletion(2);
    story.unanswered(0);
    story.after(DEAD_TIME).unanswered(1);
    story.after(DEAD_TIME - Duration::from_secs(1));
    assert_eq!((story.turn(0), story.turn(1)), (Turn::Skip, Turn::Skip));
    story.after(Duration::from_secs(1));
    assert_eq!((story.turn(0), story.turn(1)), (Turn::Probe, Turn::Probe));
}

#[test]
fn one_probe_and_not_a_storm() {
    let mut story = Story::depletion(2);
    story.unanswered(0);
    story.unanswered(1);
    story.after(DEAD_TIME);
    assert_eq!(story.turn(0), Turn::Probe);
    assert_eq!(story.turn(0), Turn::Skip);
    assert_eq!(story.turn(0), Turn::Skip);
    assert_eq!(story.answered(0), Change::MarkedActive);
    assert_eq!(story.turn(0), Turn::Ask);
}

#[test]
fn a_failed_probe_does_not_keep_the_others_from_theirs() {
    let mut story = Story::depletion(2);
    story.unanswered(0);
    story.unanswered(1);
    story.after(DEAD_TIME);
    assert_eq!(story.turn(0), Turn::Probe);
    assert_eq!(story.after(Duration::from_secs(10)).unanswered(0), Change::None);
    assert_eq!(story.turn(1), Turn::Probe);
    story.unanswered(1);
    // Both are dead again, for a dead time from now.
    story.after(DEAD_TIME - Duration::from_secs(1));
    assert_eq!((story.turn(0), story.turn(1)), (Turn::Skip, Turn::Skip));
    story.after(Duration::from_secs(1));
    assert_eq!((story.turn(0), story.turn(1)), (Turn::Probe, Turn::Probe));
}

#[test]
fn an_abandoned_probe_is_the_next_callers() {
    let mut story = Story::depletion(1);
    story.unanswered(0);
    story.after(DEAD_TIME);
    assert_eq!(story.turn(0), Turn::Probe);
    story.health.abandoned(0);
    assert_eq!(story.turn(0), Turn::Probe);
}

#[test]
fn timed_brings_each_server_back_after_30_seconds() {
    let mut story = Story::new(2, 1, Reactivation::Timed);
    story.unanswered(0);
    story.after(Duration::from_secs(29));
    assert_eq!(story.turn(0), Turn::Skip);
    story.unanswered(1);
    story.after(Duration::from_secs(1));
    assert_eq!((story.turn(0), story.turn(1)), (Turn::Probe, Turn::Skip));
}

#[test]
fn a_dead_time_of_zero_probes_at_once() {
    let mut story = Story::new(1, 1, Reactivation::Depletion { dead_time: Duration::ZERO });
    story.unanswered(0);
    assert_eq!(story.turn(0), Turn::Probe);
}

#[test]
fn stragglers_do_not_prolong_the_dead_time() {
    let mut story = Story::depletion(1);
    story.unanswered(0);
    story.after(DEAD_TIME - Duration::from_secs(1)).unanswered(0);
    story.after(Duration::from_secs(1));
    assert_eq!(story.turn(0), Turn::Probe);
}

#[test]
fn any_answer_brings_a_failed_server_back() {
    let mut story = Story::depletion(2);
    story.unanswered(0);
    assert_eq!(story.answered(0), Change::MarkedActive);
    assert_eq!(story.turn(0), Turn::Ask);
}

#[test]
fn a_reload_keeps_what_is_known_but_no_probe_under_way() {
    let mut old = Story::depletion(2);
    old.unanswered(0);
    old.unanswered(1);
    old.after(DEAD_TIME);
    assert_eq!(old.turn(0), Turn::Probe);
    let mut new = Story::depletion(2);
    new.now = old.now;
    // The servers changed places.
    new.health.adopt(1, &old.health, 0);
    new.health.adopt(0, &old.health, 1);
    assert_eq!((new.turn(0), new.turn(1)), (Turn::Probe, Turn::Probe));
}
