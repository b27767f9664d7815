use super::*;
use crate::matrix::AuthMethod::{Chap, MsChapV1, MsChapV2, Pap};
use crate::request::SessionContext;
use crate::testing::{Act, Scripted, TIMEOUT, group, login, password_change};
use crate::verdict::Unavailable;

/// Two RADIUS servers, LOCAL, tunnel group `arrival` (delimiter `#`, strip-group) and `sales`.
struct World {
    first: Arc<Scripted>,
    second: Arc<Scripted>,
    local: Arc<Scripted>,
    fallback: bool,
    sales_methods: Vec<AuthMethod>,
    sales_on_local: bool,
    password_management: bool,
}

impl World {
    fn new(first: Act, second: Act, local: Act) -> Self {
        Self {
            first: Scripted::new("first", ServerType::Radius, &[first]),
            second: Scripted::new("second", ServerType::Radius, &[second]),
            local: Scripted::new("LOCAL", ServerType::Local, &[local]),
            fallback: true,
            sales_methods: vec![MsChapV2, MsChapV1, Chap, Pap],
            sales_on_local: false,
            password_management: false,
        }
    }

    fn router(&self) -> Router {
        let corp = group("corp", &[&self.first, &self.second]);
        let local = group("LOCAL", &[&self.local]);
        let route = |name: &str| TunnelGroupRoute {
            name: name.to_owned(),
            server_group: Arc::clone(&corp),
            local_fallback: self.fallback,
            methods: vec![MsChapV2, MsChapV1, Chap, Pap],
            strip_realm: false,
            strip_group: true,
            strip_domain: false,
            password_management: self.password_management,
            second_factor: None,
            authorization_group: None,
            accounting_group: None,
        };
        let mut sales = TunnelGroupRoute { methods: self.sales_methods.clone(), ..route("sales") };
        if self.sales_on_local {
            sales.server_group = Arc::clone(&local);
        }
        Router::new(Some(GroupDelimiter::Hash), vec![route("arrival"), sales], Some(local))
    }
}

fn words(outcome: &LoginOutcome) -> String {
    match &outcome.verdict {
        Verdict::Accept(_) => "accept".to_owned(),
        Verdict::Reject(reject) => reject.reason.to_string(),
        Verdict::Challenge(_) => "challenge".to_owned(),
        Verdict::Unavailable(Unavailable { why, .. }) => why.clone(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_is_decided_by_the_first_server() {
    let world = World::new(Act::Accept, Act::Accept, Act::Accept);
    let outcome = world.router().login(login("joe", "arrival", MsChapV2)).await;
    assert_eq!(words(&outcome), "accept");
    assert_eq!(outcome.server.as_deref(), Some("first"));
    assert_eq!(outcome.server_group.as_deref(), Some("corp"));
    assert_eq!(outcome.server_type, Some(ServerType::Radius));
    assert_eq!((outcome.fell_back, outcome.refused_by_configuration), (false, false));
    assert_eq!((world.second.questions(), world.local.questions()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_reject_never_falls_back() {
    let world = World::new(Act::Reject, Act::Accept, Act::Accept);
    let outcome = world.router().login(login("joe", "arrival", Pap)).await;
    assert_eq!(words(&outcome), "rejected by the server");
    assert!(!outcome.refused_by_configuration);
    assert_eq!((world.second.questions(), world.local.questions()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn local_decides_when_no_server_answers() {
    let world = World::new(Act::Silent, Act::Silent, Act::Accept);
    let outcome = world.router().login(login("joe", "arrival", MsChapV2)).await;
    assert_eq!(words(&outcome), "accept");
    assert_eq!(outcome.server.as_deref(), Some("LOCAL"));
    assert_eq!(outcome.server_type, Some(ServerType::Local));
    assert!(outcome.fell_back);
    assert_eq!(outcome.round_trip, 2 * TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn a_reject_of_the_second_server_does_not_fall_back_either() {
    let world = World::new(Act::Silent, Act::Reject, Act::Accept);
    let outcome = world.router().login(login("joe", "arrival", Pap)).await;
    assert_eq!(words(&outcome), "rejected by the server");
    assert_eq!(world.local.questions(), 0);
}

#[tokio::test(start_paused = true)]
async fn without_fallback_silence_stays_silence() {
    let world = World { fallback: false, ..World::new(Act::Silent, Act::Silent, Act::Accept) };
    let outcome = world.router().login(login("joe", "arrival", Pap)).await;
    assert_eq!(words(&outcome), "second did not answer");
    assert!(!outcome.fell_back);
    assert_eq!(world.local.questions(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_chap_client_cannot_fall_back_to_local_and_the_cell_is_named() {
    let world = World::new(Act::Silent, Act::Silent, Act::Accept);
    let outcome = world.router().login(login("joe", "arrival", Chap)).await;
    assert_eq!(words(&outcome), "CHAP is not served by LOCAL (type matrix)");
    assert!(outcome.fell_back && outcome.refused_by_configuration);
    assert_eq!(world.local.questions(), 0);
    // While a server answers, CHAP is served.
    world.second.now_acts(Act::Accept);
    assert_eq!(words(&world.router().login(login("joe", "arrival", Chap)).await), "accept");
}

#[tokio::test(start_paused = true)]
async fn during_the_dead_time_local_is_asked_at_once() {
    let world = World::new(Act::Silent, Act::Silent, Act::Accept);
    let router = world.router();
    for _ in 0..3 {
        router.login(login("joe", "arrival", Pap)).await;
    }
    let outcome = router.login(login("joe", "arrival", Pap)).await;
    assert_eq!((words(&outcome).as_str(), outcome.round_trip), ("accept", Duration::ZERO));
    assert_eq!(world.first.questions(), 3);
    // Afterwards the servers get their chance again.
    world.first.now_acts(Act::Accept);
    tokio::time::sleep(Duration::from_secs(600)).await;
    let outcome = router.login(login("joe", "arrival", Pap)).await;
    assert_eq!(outcome.server.as_deref(), Some("first"));
}

#[tokio::test(start_paused = true)]
async fn all_dead_without_fallback_keeps_trying_the_servers() {
    let world = World { fallback: false, ..World::new(Act::Silent, Act::Silent, Act::Accept) };
    let router = world.router();
    for _ in 0..4 {
        router.login(login("joe", "arrival", Pap)).await;
    }
    assert_eq!((world.first.questions(), world.second.questions()), (4, 4));
    world.second.now_acts(Act::Accept);
    assert_eq!(words(&router.login(login("joe", "arrival", Pap)).await), "accept");
}

#[tokio::test]
async fn the_name_chooses_the_tunnel_group_and_the_stripped_name_is_sent() {
    let world = World::new(Act::Accept, Act::Accept, Act::Accept);
    let outcome = world.router().login(login("joe@acme#sales", "arrival", Pap)).await;
    assert_eq!(outcome.tunnel_group, "sales");
    assert_eq!(outcome.name, b"joe@acme");
    assert_eq!(world.first.last(), ("sales".to_owned(), "joe@acme".to_owned()));
}

#[tokio::test]
async fn a_group_that_does_not_exist_is_refused_and_nothing_is_sent() {
    let world = World::new(Act::Accept, Act::Accept, Act::Accept);
    let outcome = world.router().login(login("joe#nosuch", "arrival", Pap)).await;
    assert_eq!(words(&outcome), "the user name asks for tunnel group `nosuch`, which does not exist");
    assert!(outcome.refused_by_configuration);
    assert_eq!(world.first.questions(), 0);
}

#[tokio::test]
async fn the_group_switched_to_must_allow_the_method_too() {
    let accept = || World::new(Act::Accept, Act::Accept, Act::Accept);
    let world = World { sales_methods: vec![Pap], ..accept() };
    let outcome = world.router().login(login("joe#sales", "arrival", MsChapV2)).await;
    assert_eq!(
        words(&outcome),
        "MS-CHAPv2 is not among the ppp-authentication methods of tunnel group sales"
    );
    assert_eq!((outcome.tunnel_group.as_str(), outcome.refused_by_configuration), ("sales", true));

    // The matrix row of its own server group counts as well.
    let world = World { sales_on_local: true, ..accept() };
    let outcome = world.router().login(login("joe#sales", "arrival", Chap)).await;
    assert_eq!(words(&outcome), "CHAP is not served by LOCAL (type matrix)");
    assert_eq!(world.local.questions(), 0);
}

#[tokio::test]
async fn an_unknown_tunnel_group_of_arrival_is_refused() {
    let world = World::new(Act::Accept, Act::Accept, Act::Accept);
    let outcome = world.router().login(login("joe", "nosuch", Pap)).await;
    assert_eq!(words(&outcome), "no tunnel group named nosuch");
}

#[tokio::test]
async fn hostile_names_never_reach_a_server() {
    let world = World::new(Act::Accept, Act::Accept, Act::Accept);
    let router = world.router();
    for name in [vec![b'a'; 1 << 20], b"joe\0".to_vec(), b"joe\xff".to_vec(), Vec::new()] {
        let outcome = router.login(LoginRequest { name, ..login("", "arrival", Pap) }).await;
        assert!(outcome.refused_by_configuration);
        assert!(outcome.name.len() <= username::MAX_NAME);
    }
    assert_eq!(world.first.questions(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_test_through_a_server_group_never_falls_back() {
    let world = World::new(Act::Silent, Act::Silent, Act::Accept);
    let router = world.router();
    let outcome = router.login_through("corp", login("joe#sales", "arrival", Pap)).await;
    assert_eq!(words(&outcome), "second did not answer");
    assert_eq!(world.first.last(), ("sales".to_owned(), "joe".to_owned()));
    let outcome = router.login_through("LOCAL", login("joe#sales", "", Pap)).await;
    assert_eq!((words(&outcome).as_str(), outcome.name.as_slice()), ("accept", &b"joe#sales"[..]));
    let outcome = router.login_through("LOCAL", login("joe", "arrival", Chap)).await;
    assert_eq!(words(&outcome), "CHAP is not served by LOCAL (type matrix)");
    let outcome = router.login_through("nosuch", login("joe", "arrival", Pap)).await;
    assert_eq!(words(&outcome), "no server group named nosuch");
}

#[tokio::test]
async fn the_status_lists_every_server_group_once() {
    let world = World::new(Act::Accept, Act::Accept, Act::Accept);
    let names: Vec<String> = world.router().status().into_iter().map(|group| group.name).collect();
    assert_eq!(names, ["LOCAL", "corp"]);
}

/// Counts warnings on this thread.
#[derive(Clone, Default)]
struct Warnings(Arc<std::sync::atomic::AtomicUsize>);

impl tracing::Subscriber for Warnings {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::WARN
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, _: &tracing::Event<'_>) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test(start_paused = true)]
async fn every_refusal_is_one_warning_and_an_accept_none() {
    let warnings = Warnings::default();
    let _guard = tracing::subscriber::set_default(warnings.clone());
    let count = || warnings.0.swap(0, std::sync::atomic::Ordering::Relaxed);
    let router = World::new(Act::Accept, Act::Accept, Act::Accept).router();
    router.login(login("joe", "arrival", Pap)).await;
    assert_eq!(count(), 0);
    router.login(login("joe#nosuch", "arrival", Pap)).await;
    assert_eq!(count(), 1);
    let router = World::new(Act::Reject, Act::Accept, Act::Accept).router();
    router.login(login("joe", "arrival", Pap)).await;
    assert_eq!(count(), 1);
    let router = World::new(Act::Silent, Act::Silent, Act::Accept).router();
    router.login(login("joe", "arrival", Chap)).await;
    assert_eq!(count(), 1);
}

#[tokio::test(start_paused = true)]
async fn each_round_goes_to_the_server_that_knows_the_conversation() {
    let world = World::new(Act::Silent, Act::Eap, Act::Accept);
    let router = world.router();
    let outcome = router.login(login("joe", "sales", Pap)).await;
    assert_eq!(outcome.server.as_deref(), Some("second"));
    drop(router);
    // The first server is back, and knows nothing of this login.
    world.first.now_acts(Act::Accept);
    let context = SessionContext::default();
    let mut continuation = outcome.continuation.unwrap();
    for _ in 0..3 {
        let outcome = continuation.resume(vec![2, 2, 0, 5, 4], &context).await;
        assert_eq!(outcome.tunnel_group, "sales");
        continuation = outcome.continuation.unwrap();
    }
    world.second.now_acts(Act::Accept);
    let outcome = continuation.resume(vec![2, 3, 0, 5, 4], &context).await;
    assert_eq!((words(&outcome).as_str(), outcome.server.as_deref()), ("accept", Some("second")));
    assert!(outcome.continuation.is_none());
    assert_eq!((world.first.questions(), world.second.questions(), world.local.questions()), (1, 5, 0));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_falls_silent_between_two_rounds_leaves_the_login_undecided() {
    let world = World::new(Act::Eap, Act::Accept, Act::Accept);
    let outcome = world.router().login(login("joe", "arrival", Pap)).await;
    world.first.now_acts(Act::Silent);
    let context = SessionContext::default();
    let outcome = outcome.continuation.unwrap().resume(vec![2, 2, 0, 5, 4], &context).await;
    assert_eq!(words(&outcome), "first did not answer");
    assert_eq!((world.second.questions(), world.local.questions()), (0, 0), "nobody else could go on");
}

fn expired(first: Act) -> World {
    World { password_management: true, ..World::new(first, Act::Accept, Act::Accept) }
}

fn new_password(name: &str, tunnel_group: &str) -> LoginRequest {
    LoginRequest { credentials: password_change(), ..login(name, tunnel_group, MsChapV2) }
}

/// Whether the peer is asked for a new password.
fn is_asked(outcome: &LoginOutcome) -> bool {
    match &outcome.verdict {
        Verdict::Reject(reject) => reject.password_change,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_password_is_asked_for_where_it_would_be_taken() {
    let world = expired(Act::Expired);
    let outcome = world.router().login(login("joe", "arrival", MsChapV2)).await;
    assert_eq!((words(&outcome).as_str(), is_asked(&outcome)), ("password expired", true));
    for method in [MsChapV1, Chap, Pap] {
        assert!(!is_asked(&world.router().login(login("joe", "arrival", method)).await), "{method}");
    }
    let outcome = world.router().login(new_password("joe", "arrival")).await;
    assert!(!is_asked(&outcome), "one that has expired at once is not asked for again");

    assert!(!is_asked(&expired(Act::Reject).router().login(login("joe", "arrival", MsChapV2)).await));
    let world = World { password_management: false, ..expired(Act::Expired) };
    assert!(!is_asked(&world.router().login(login("joe", "arrival", MsChapV2)).await));
    let local = Scripted::new("LOCAL", ServerType::Local, &[Act::Expired]);
    let world = World { sales_on_local: true, local, ..expired(Act::Accept) };
    assert!(!is_asked(&world.router().login(login("joe#sales", "arrival", MsChapV2)).await));
}

#[tokio::test(start_paused = true)]
async fn a_new_password_goes_to_the_group_that_the_name_chose_and_to_no_other_kind() {
    let world = expired(Act::Accept);
    let outcome = world.router().login(new_password("joe#sales", "arrival")).await;
    assert_eq!(words(&outcome), "accept");
    assert_eq!((outcome.method, world.first.last()), (MsChapV2, ("sales".to_owned(), "joe".to_owned())));

    let world = World { sales_on_local: true, ..expired(Act::Accept) };
    let outcome = world.router().login(new_password("joe#sales", "arrival")).await;
    let local = "the login cannot be sent to this server: LOCAL takes no new password from a client";
    assert_eq!((words(&outcome).as_str(), world.local.questions()), (local, 0));
    let outcome = world.router().login_through("LOCAL", new_password("joe", "arrival")).await;
    assert_eq!((words(&outcome).as_str(), world.local.questions()), (local, 0));

    let world = World { password_management: true, ..World::new(Act::Silent, Act::Silent, Act::Accept) };
    let outcome = world.router().login(new_password("joe", "arrival")).await;
    assert_eq!((words(&outcome).as_str(), world.local.questions()), (local, 0));
    assert!(outcome.fell_back && outcome.refused_by_configuration);

    let world = World { password_management: false, ..expired(Act::Accept) };
    let outcome = world.router().login(new_password("joe", "arrival")).await;
    assert!(words(&outcome).ends_with("tunnel group arrival has no password-management"));
    assert_eq!(world.first.questions(), 0);
}
