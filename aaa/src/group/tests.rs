use super::*;
use crate::accounting::RecordKind;
use crate::matrix::AuthMethod;
use crate::request::SessionContext;
use crate::testing::{Act, DEPLETION, Scripted, TIMEOUT, credentials, group, record, settings};

async fn ask(group: &ServerGroup, when_dead: WhenDead) -> GroupAnswer {
    let credentials = credentials(AuthMethod::Pap);
    let context = SessionContext::default();
    let request = AuthRequest {
        name: b"joe",
        typed_name: b"joe",
        credentials: &credentials,
        tunnel_group: "sales",
        context: &context,
    };
    group.ask(&request, when_dead).await
}

fn radius(name: &'static str, acts: &[Act]) -> Arc<Scripted> {
    Scripted::new(name, ServerType::Radius, acts)
}

#[tokio::test(start_paused = true)]
async fn the_next_server_is_asked_only_on_silence() {
    let (first, second) = (radius("first", &[Act::Silent]), radius("second", &[Act::Accept]));
    let group = group("corp", &[&first, &second]);
    let answer = ask(&group, WhenDead::KeepTrying).await;
    assert!(matches!(answer.verdict, Verdict::Accept(_)));
    assert_eq!(answer.server.as_deref(), Some("second"));
    assert_eq!(answer.round_trip, TIMEOUT);

    for act in [Act::Reject, Act::Challenge, Act::Accept] {
        first.now_acts(act);
        let answer = ask(&group, WhenDead::KeepTrying).await;
        assert_eq!(answer.server.as_deref(), Some("first"));
    }
    assert_eq!(second.questions(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_dead_group_is_skipped_or_tried_as_the_caller_wants() {
    let (first, second) = (radius("first", &[Act::Silent]), radius("second", &[Act::Silent]));
    let group = group("corp", &[&first, &second]);
    for _ in 0..3 {
        assert!(matches!(ask(&group, WhenDead::GiveUp).await.verdict, Verdict::Unavailable(_)));
    }
    assert_eq!((first.questions(), second.questions()), (3, 3));

    let begun = Instant::now();
    let answer = ask(&group, WhenDead::GiveUp).await;
    assert!(
        matches!(answer.verdict, Verdict::Unavailable(why) if why.why == "every server of group corp has failed")
    );
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert_eq!((first.questions(), second.questions()), (3, 3));

    // With nobody else to decide, the servers are tried all the same, and one that answers is back.
    second.now_acts(Act::Accept);
    assert_eq!(ask(&group, WhenDead::KeepTrying).await.server.as_deref(), Some("second"));
    assert_eq!(ask(&group, WhenDead::GiveUp).await.server.as_deref(), Some("second"));
}

#[tokio::test(start_paused = true)]
async fn after_the_dead_time_one_of_a_hundred_probes() {
    let only = radius("only", &[Act::Silent]);
    let group = group("corp", &[&only]);
    for _ in 0..3 {
        ask(&group, WhenDead::GiveUp).await;
    }
    tokio::time::sleep(Duration::from_secs(600)).await;
    let asked: Vec<_> = (0..100)
        .map(|_| {
            let group = Arc::clone(&group);
            tokio::spawn(async move { ask(&group, WhenDead::GiveUp).await.server })
        })
        .collect();
    for asked in asked {
        assert_eq!(asked.await.unwrap(), None);
    }
    assert_eq!(only.questions(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_it_is_not_back_costs_no_login() {
    let only = radius("only", &[Act::Silent]);
    let group = group("corp", &[&only]);
    for _ in 0..3 {
        ask(&group, WhenDead::GiveUp).await;
    }
    only.now_acts(Act::Accept);
    *only.alive.lock().unwrap() = Some(false);
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert_eq!(ask(&group, WhenDead::GiveUp).await.server, None);
    }
    assert_eq!(only.questions(), 3);
    // Its dead time began anew; with nobody else to decide it is asked all the same.
    assert_eq!(group.status().servers[0].state, ServerState::Failed);
    tokio::time::sleep(Duration::from_secs(600)).await;
    *only.alive.lock().unwrap() = Some(true);
    assert_eq!(ask(&group, WhenDead::GiveUp).await.server.as_deref(), Some("only"));
    assert_eq!(only.questions(), 4);
    assert_eq!(group.status().servers[0].state, ServerState::Active);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_it_is_not_back_is_asked_where_nobody_else_can_decide() {
    let only = radius("only", &[Act::Silent]);
    let group = group("corp", &[&only]);
    for _ in 0..3 {
        ask(&group, WhenDead::GiveUp).await;
    }
    only.now_acts(Act::Accept);
    *only.alive.lock().unwrap() = Some(false);
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(ask(&group, WhenDead::KeepTrying).await.server.as_deref(), Some("only"));
}

#[tokio::test(start_paused = true)]
async fn a_probe_whose_caller_leaves_is_given_back() {
    let only = radius("only", &[Act::Silent]);
    let group = group("corp", &[&only]);
    for _ in 0..3 {
        ask(&group, WhenDead::GiveUp).await;
    }
    tokio::time::sleep(Duration::from_secs(600)).await;
    let hung_up = tokio::time::timeout(Duration::from_secs(1), ask(&group, WhenDead::GiveUp)).await;
    assert!(hung_up.is_err());
    only.now_acts(Act::Accept);
    assert_eq!(ask(&group, WhenDead::GiveUp).await.server.as_deref(), Some("only"));
}

#[tokio::test(start_paused = true)]
async fn the_status_tells_state_and_counters() {
    let first = radius("first", &[Act::Silent, Act::Silent, Act::Silent]);
    let second = radius("second", &[Act::Accept, Act::Reject, Act::Challenge]);
    let group = group("corp", &[&first, &second]);
    for _ in 0..3 {
        ask(&group, WhenDead::KeepTrying).await;
    }
    let status = group.status();
    assert_eq!(
        (status.name.as_str(), status.reactivation_mode, status.dead_time),
        ("corp", "depletion", Some(600))
    );
    let [first, second] = &status.servers[..] else { panic!("two servers") };
    assert_eq!((first.state, second.state), (ServerState::Failed, ServerState::Active));
    assert!(first.since > 1_500_000_000);
    assert_eq!((first.counters.requests, first.counters.timeouts), (3, 3));
    let counters = second.counters;
    assert_eq!((counters.requests, counters.accepts, counters.rejects, counters.challenges), (3, 1, 1, 1));
    assert_eq!(first.accounting_state, ServerState::Active);
}

#[tokio::test(start_paused = true)]
async fn accounting_has_a_health_of_its_own() {
    let first = radius("first", &[Act::Silent]);
    let second = radius("second", &[Act::Accept]);
    let group = group("corp", &[&first, &second]);
    for _ in 0..3 {
        assert_eq!(group.account(&record("1", RecordKind::Start)).await, Ok(()));
    }
    let status = group.status();
    assert_eq!(status.servers[0].accounting_state, ServerState::Failed);
    assert_eq!(status.servers[0].state, ServerState::Active);
    assert_eq!(status.servers[1].counters.accounting_responses, 3);
}

#[tokio::test(start_paused = true)]
async fn a_reload_keeps_health_and_figures_of_servers_that_stay() {
    let (first, second) = (radius("first", &[Act::Silent]), radius("second", &[Act::Accept]));
    let old = group("corp", &[&first, &second]);
    for _ in 0..3 {
        ask(&old, WhenDead::KeepTrying).await;
    }
    let first = radius("first", &[Act::Accept]);
    let third = radius("third", &[Act::Accept]);
    let new = group("corp", &[&third, &first]);
    new.adopt_health(&old);
    let status = new.status();
    assert_eq!(
        (status.servers[0].state, status.servers[1].state),
        (ServerState::Active, ServerState::Failed)
    );
    assert_eq!((status.servers[0].counters.requests, status.servers[1].counters.requests), (0, 3));
}

#[tokio::test]
async fn a_group_without_servers_says_so() {
    let group = ServerGroup::new(settings("empty", ServerType::Radius, DEPLETION), Vec::new());
    let answer = ask(&group, WhenDead::KeepTrying).await;
    assert!(
        matches!(answer.verdict, Verdict::Unavailable(why) if why.why == "server group empty has no server")
    );
}
