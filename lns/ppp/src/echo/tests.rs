use super::*;

const INTERVAL: Duration = Duration::from_secs(30);

#[test]
fn four_unanswered_requests_and_one_more_interval_are_death() {
    let start = Instant::now();
    let mut echo = Echo::new(INTERVAL, 4);
    assert_eq!(echo.due(), None);
    echo.start(start);
    for round in 1..=4 {
        let due = echo.due().unwrap();
        assert_eq!(due, start + INTERVAL * round);
        assert_eq!(echo.timeout(due - Duration::from_millis(1)), Silence::Short);
        assert_eq!(echo.timeout(due), Silence::Ask(round as u8));
    }
    assert_eq!(echo.timeout(start + INTERVAL * 5), Silence::Dead);
}

#[test]
fn any_traffic_starts_the_count_anew() {
    let start = Instant::now();
    let mut echo = Echo::new(INTERVAL, 1);
    echo.start(start);
    assert_eq!(echo.timeout(start + INTERVAL), Silence::Ask(1));
    echo.note_traffic(start + INTERVAL + Duration::from_secs(1));
    assert_eq!(echo.timeout(start + INTERVAL * 2), Silence::Short);
    assert_eq!(echo.due(), Some(start + INTERVAL * 2 + Duration::from_secs(1)));
}

#[test]
fn a_late_timer_asks_once_and_not_for_each_interval_that_it_missed() {
    let start = Instant::now();
    let mut echo = Echo::new(INTERVAL, 4);
    echo.start(start);
    assert_eq!(echo.timeout(start + INTERVAL), Silence::Ask(1));
    echo.note_traffic(start + INTERVAL * 9);
    assert_eq!(echo.timeout(start + INTERVAL * 10), Silence::Ask(2));
    assert_eq!(echo.timeout(start + INTERVAL * 10), Silence::Short);
}

#[test]
fn without_an_interval_and_before_the_start_nothing_is_due() {
    let now = Instant::now();
    let mut echo = Echo::new(Duration::ZERO, 4);
    echo.start(now);
    assert_eq!(echo.due(), None);
    let mut echo = Echo::new(INTERVAL, 4);
    echo.note_traffic(now);
    assert_eq!(echo.due(), None);
    echo.start(now);
    echo.stop();
    assert_eq!(echo.timeout(now + INTERVAL * 99), Silence::Short);
}
