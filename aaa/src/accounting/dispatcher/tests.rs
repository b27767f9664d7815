use super::*;
use crate::accounting::RecordKind::{Interim, Start, Stop};
use crate::backend::Backend;
use crate::group::GroupSettings;
use crate::matrix::ServerType;
use crate::testing::{Act, DEPLETION, Scripted, group, record, settings};

fn radius(name: &'static str, acts: &[Act]) -> Arc<Scripted> {
    Scripted::new(name, ServerType::Radius, acts)
}

fn delivered(server: &Scripted) -> Vec<(String, RecordKind)> {
    server.delivered.lock().unwrap().clone()
}

const LONG: Duration = Duration::from_secs(3600);

#[tokio::test(start_paused = true)]
async fn a_record_is_retried_until_acknowledged() {
    let server = radius("only", &[Act::Silent, Act::Silent, Act::Silent, Act::Accept]);
    let dispatcher = Dispatcher::new(Handle::current());
    dispatcher.submit(record("1", Start), Some(group("corp", &[&server])));
    assert_eq!(dispatcher.pending(), 1);
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(dispatcher.pending(), 0);
    assert_eq!(delivered(&server), [("1".to_owned(), Start)]);
}

#[tokio::test(start_paused = true)]
async fn the_start_of_a_session_is_acknowledged_before_its_stop_is_sent() {
    let server = radius("only", &[Act::Silent, Act::Accept]);
    let corp = group("corp", &[&server]);
    let dispatcher = Dispatcher::new(Handle::current());
    dispatcher.submit(record("1", Start), Some(Arc::clone(&corp)));
    tokio::task::yield_now().await;
    // The start is under way and will be lost once.
    dispatcher.submit(record("1", Stop), Some(Arc::clone(&corp)));
    dispatcher.submit(record("2", Start), Some(corp));
    assert_eq!(dispatcher.drain(LONG).await, 0);
    // The other session did not wait.
    assert_eq!(
        delivered(&server),
        [("2".to_owned(), Start), ("1".to_owned(), Start), ("1".to_owned(), Stop)]
    );
}

#[tokio::test(start_paused = true)]
async fn order_holds_when_every_worker_is_busy() {
    let server = radius("only", &[Act::Silent]);
    let corp = group("corp", &[&server]);
    let dispatcher = Dispatcher::new(Handle::current());
    for session in 0..2 * WORKERS {
        dispatcher.submit(record(&session.to_string(), Start), Some(Arc::clone(&corp)));
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    for session in 0..2 * WORKERS {
        dispatcher.submit(record(&session.to_string(), Stop), Some(Arc::clone(&corp)));
    }
    server.now_acts(Act::Accept);
    assert_eq!(dispatcher.drain(LONG).await, 0);
    let delivered = delivered(&server);
    assert_eq!(delivered.len(), 4 * WORKERS);
    for session in 0..2 * WORKERS {
        let session = session.to_string();
        let kinds: Vec<_> =
            delivered.iter().filter(|(one, _)| *one == session).map(|(_, kind)| *kind).collect();
        assert_eq!(kinds, [Start, Stop], "session {session}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_waiting_interim_is_replaced_by_a_newer_one() {
    let server = radius("only", &[Act::Silent, Act::Accept]);
    let corp = group("corp", &[&server]);
    let dispatcher = Dispatcher::new(Handle::current());
    dispatcher.submit(record("1", Start), Some(Arc::clone(&corp)));
    tokio::task::yield_now().await;
    for _ in 0..5 {
        dispatcher.submit(record("1", Interim), Some(Arc::clone(&corp)));
    }
    dispatcher.submit(record("1", Stop), Some(corp));
    assert_eq!(dispatcher.pending(), 3);
    assert_eq!(dispatcher.drain(LONG).await, 0);
    let kinds: Vec<_> = delivered(&server).into_iter().map(|(_, kind)| kind).collect();
    assert_eq!(kinds, [Start, Interim, Stop]);
}

#[tokio::test(start_paused = true)]
async fn single_mode_bills_one_server_and_simultaneous_each() {
    let (first, second) = (radius("first", &[Act::Silent, Act::Accept]), radius("second", &[Act::Accept]));
    let dispatcher = Dispatcher::new(Handle::current());
    dispatcher.submit(record("1", Start), Some(group("single", &[&first, &second])));
    dispatcher.drain(LONG).await;
    assert_eq!((delivered(&first).len(), delivered(&second).len()), (0, 1));

    let settings = GroupSettings {
        accounting_mode: AccountingMode::Simultaneous,
        ..settings("both", ServerType::Radius, DEPLETION)
    };
    let servers: Vec<Arc<dyn Backend>> = vec![Arc::clone(&first) as _, Arc::clone(&second) as _];
    let both = Arc::new(ServerGroup::new(settings, servers));
    first.now_acts(Act::Silent);
    dispatcher.submit(record("2", Start), Some(both));
    assert_eq!(dispatcher.pending(), 2);
    tokio::time::sleep(Duration::from_secs(60)).await;
    // The dead one does not hold up the other.
    assert_eq!((dispatcher.pending(), delivered(&second).len()), (1, 2));
    first.now_acts(Act::Accept);
    assert_eq!(dispatcher.drain(LONG).await, 0);
    assert_eq!(delivered(&first), [("2".to_owned(), Start)]);
}

#[tokio::test(start_paused = true)]
async fn draining_gives_up_at_the_limit_and_tells_what_is_left() {
    let server = radius("only", &[Act::Silent]);
    let dispatcher = Dispatcher::new(Handle::current());
    dispatcher.submit(record("1", Stop), Some(group("corp", &[&server])));
    let begun = Instant::now();
    assert_eq!(dispatcher.drain(Duration::from_secs(5)).await, 1);
    assert_eq!(begun.elapsed(), Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn a_record_that_no_server_takes_is_dropped_and_counted() {
    let server = radius("only", &[Act::Challenge]);
    let dispatcher = Dispatcher::new(Handle::current());
    dispatcher.submit(record("1", Stop), Some(group("corp", &[&server])));
    assert_eq!(dispatcher.drain(LONG).await, 0);
    assert_eq!(dispatcher.dropped(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_waits_follows_a_reload() {
    let server = radius("only", &[Act::Silent]);
    let dispatcher = Dispatcher::new(Handle::current());
    dispatcher.submit(record("1", Stop), Some(group("corp", &[&server])));
    tokio::task::yield_now().await;
    let replacement = radius("new", &[Act::Accept]);
    dispatcher.adopt(&group("corp", &[&replacement]));
    assert_eq!(dispatcher.drain(LONG).await, 0);
    assert_eq!(delivered(&replacement), [("1".to_owned(), Stop)]);
}

#[tokio::test(start_paused = true)]
async fn memory_stays_bounded_while_the_server_is_silent() {
    let server = radius("only", &[Act::Silent]);
    let corp = group("corp", &[&server]);
    let dispatcher = Dispatcher::new(Handle::current());
    // Nothing runs between these submissions, so nothing is taken out.
    for session in 0..LANE_LIMIT + 10 {
        dispatcher.submit(record(&session.to_string(), Interim), Some(Arc::clone(&corp)));
    }
    assert_eq!((dispatcher.pending(), dispatcher.dropped()), (LANE_LIMIT, 10));
    // A stop still finds room.
    dispatcher.submit(record("0", Stop), Some(corp));
    assert_eq!((dispatcher.pending(), dispatcher.dropped()), (LANE_LIMIT + 1, 10));
}

#[tokio::test]
async fn watchers_see_records_that_are_billed_nowhere() {
    let dispatcher = Dispatcher::new(Handle::current());
    let mut watcher = dispatcher.subscribe();
    dispatcher.submit(record("1", Start), None);
    assert_eq!(watcher.recv().await.map(|record| record.kind).ok(), Some(Start));
    assert_eq!(dispatcher.pending(), 0);
}

/// Far above what is needed (5,000 a second), so that a busy test machine does not matter.
#[tokio::test]
async fn twenty_thousand_records_take_well_under_two_seconds() {
    let server = radius("only", &[Act::Accept]);
    let corp = group("corp", &[&server]);
    let dispatcher = Dispatcher::new(Handle::current());
    let begun = std::time::Instant::now();
    for session in 0..10_000 {
        for kind in [Start, Stop] {
            dispatcher.submit(record(&session.to_string(), kind), Some(Arc::clone(&corp)));
        }
    }
    assert_eq!(dispatcher.drain(Duration::from_secs(30)).await, 0);
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(2), "took {took:?}");
}
