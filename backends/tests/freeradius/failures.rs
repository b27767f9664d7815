//! Servers that are down, slow, moved or have another secret.

use super::*;

pub(super) const SLOW: &str = r#"
    if (&User-Name == "slow") {
        update control {
            &Tmp-String-0 := `/bin/sleep 2`
        }
    }
"#;

#[tokio::test]
async fn a_wrong_secret_is_silence_with_a_hint() {
    let server = server();
    let settings = RadiusSettings {
        key: Secret::from("another".to_owned()),
        timeout: Duration::from_secs(1),
        ..settings(&server)
    };
    let backend = backend(settings);
    let why = silence(ask(&backend, "joe", &credentials(AuthMethod::Pap, "joe", PASSWORD)).await);
    // FreeRADIUS drops what is not signed with its own secret.
    assert!(why.contains("did not answer within 1 s"), "{why}");
}

#[tokio::test]
async fn a_server_that_is_down_is_silence_and_datagrams_are_sent_again() {
    let (authentication_port, accounting_port) = harness::free_ports(Ipv4Addr::LOCALHOST.into());
    let backend = backend(RadiusSettings {
        authentication_port,
        accounting_port,
        timeout: Duration::from_secs(1),
        retry_interval: Duration::from_millis(300),
        ..RadiusSettings::new("127.0.0.1", Secret::from("testing123".to_owned()))
    });
    let begun = Instant::now();
    let why = silence(ask(&backend, "joe", &credentials(AuthMethod::Pap, "joe", PASSWORD)).await);
    assert!((1.0..1.5).contains(&begun.elapsed().as_secs_f64()), "{:?}", begun.elapsed());
    assert!(why.contains("(4 sent)"), "{why}");
    assert_eq!(backend.counters().values().retransmissions, 3);
}

fn group(servers: &[&Arc<RadiusBackend>]) -> ServerGroup {
    let settings = GroupSettings {
        name: "corp".to_owned(),
        server_type: ServerType::Radius,
        max_failed_attempts: 2,
        reactivation: Reactivation::Depletion { dead_time: Duration::from_secs(600) },
        accounting_mode: AccountingMode::Single,
    };
    ServerGroup::new(settings, servers.iter().map(|server| Arc::clone(server) as Arc<dyn Backend>).collect())
}

#[tokio::test]
async fn the_second_server_takes_over_when_the_first_dies_in_a_storm() {
    let (mut first, second) = (server(), server());
    let quick = |server: &FreeRadius| RadiusSettings {
        timeout: Duration::from_secs(3),
        retry_interval: Duration::from_millis(700),
        ..settings(server)
    };
    let (one, two) = (backend(quick(&first)), backend(quick(&second)));
    let group = Arc::new(group(&[&one, &two]));
    let storm = |count: usize| {
        let logins: Vec<_> = (0..count)
            .map(|_| {
                let group = Arc::clone(&group);
                tokio::spawn(async move {
                    let verdict = ask(&*group, "joe", &credentials(AuthMethod::Pap, "joe", PASSWORD)).await;
                    matches!(verdict, Verdict::Accept(_))
                })
            })
            .collect();
        async move {
            for login in logins {
                assert!(login.await.expect("no panic"), "a login was lost");
            }
        }
    };
    storm(200).await;
    let second_half = storm(200);
    first.stop();
    second_half.await;
    storm(200).await;
    let status = group.status();
    assert_eq!(status.servers[0].state, ServerState::Failed);
    assert_eq!(status.servers[1].state, ServerState::Active);
    assert!(status.servers[1].counters.accepts >= 200);
    let begun = Instant::now();
    storm(1).await;
    assert!(begun.elapsed() < Duration::from_secs(2), "a failed server is left out");
}

#[tokio::test]
async fn a_slow_server_is_waited_for_and_does_not_hold_up_others() {
    let server = FreeRadius::start(Options {
        users: USERS.to_owned(),
        authorize: SLOW.to_owned(),
        ..Options::default()
    });
    let patient = backend(RadiusSettings { retry_interval: Duration::from_millis(500), ..settings(&server) });
    let slow = {
        let patient = Arc::clone(&patient);
        tokio::spawn(
            async move { ask(&patient, "slow", &credentials(AuthMethod::Pap, "slow", PASSWORD)).await },
        )
    };
    tokio::time::sleep(Duration::from_millis(50)).await;
    let begun = Instant::now();
    accepted(ask(&patient, "joe", &credentials(AuthMethod::Pap, "joe", PASSWORD)).await);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    // Sent again with the same identifier: the server knows it for the same and answers once.
    accepted(slow.await.expect("no panic"));
    assert!(patient.counters().retransmissions.load(Ordering::Relaxed) >= 2);

    let hasty = backend(RadiusSettings { timeout: Duration::from_secs(1), ..settings(&server) });
    silence(ask(&hasty, "slow", &credentials(AuthMethod::Pap, "slow", PASSWORD)).await);
    // The answer comes too late and finds nobody.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let counters = hasty.counters().values();
    assert_eq!((counters.unexpected, counters.bad_authenticators), (1, 0));
}

#[tokio::test]
async fn servers_are_reached_by_ipv6_and_by_name() {
    let address = IpAddr::V6(Ipv6Addr::LOCALHOST);
    let six = FreeRadius::start(Options { users: USERS.to_owned(), address, ..Options::default() });
    let by_address = backend(RadiusSettings { address: "::1".to_owned(), ..settings(&six) });
    assert_eq!(by_address.address(), format!("[::1]:{}", six.authentication_port));
    accepted(ask(&by_address, "joe", &credentials(AuthMethod::Pap, "joe", PASSWORD)).await);

    // `localhost` may mean ::1 first, where nothing listens: the next address is tried after the silence.
    let four = server();
    let by_name = backend(RadiusSettings {
        address: "localhost".to_owned(),
        timeout: Duration::from_secs(1),
        ..settings(&four)
    });
    let mut verdict = ask(&by_name, "joe", &credentials(AuthMethod::Pap, "joe", PASSWORD)).await;
    for _ in 0..10 {
        if matches!(verdict, Verdict::Accept(_)) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(700)).await;
        verdict = ask(&by_name, "joe", &credentials(AuthMethod::Pap, "joe", PASSWORD)).await;
    }
    accepted(verdict);

    let nowhere = backend(RadiusSettings {
        address: "no-such-host.invalid".to_owned(),
        timeout: Duration::from_secs(2),
        ..settings(&four)
    });
    let why = silence(ask(&nowhere, "joe", &credentials(AuthMethod::Pap, "joe", PASSWORD)).await);
    assert!(why.contains("the name no-such-host.invalid was not resolved"), "{why}");
}

#[tokio::test]
async fn a_server_that_comes_back_is_asked_again() {
    let mut server = server();
    let backend = backend(RadiusSettings { timeout: Duration::from_secs(1), ..settings(&server) });
    accepted(ask(&backend, "joe", &credentials(AuthMethod::Pap, "joe", PASSWORD)).await);
    server.stop();
    silence(ask(&backend, "joe", &credentials(AuthMethod::Pap, "joe", PASSWORD)).await);
    server.start_again();
    accepted(ask(&backend, "joe", &credentials(AuthMethod::Pap, "joe", PASSWORD)).await);
}

/// Two RADIUS servers and LOCAL behind a router, as a running server has them.
#[tokio::test]
async fn local_takes_over_when_the_last_server_dies_in_a_storm() {
    let mut only = server();
    let quick = RadiusSettings {
        timeout: Duration::from_secs(3),
        retry_interval: Duration::from_millis(700),
        ..settings(&only)
    };
    let radius = Arc::new(group(&[&backend(quick)]));
    let accounts = vec![User::new("joe", StoredPassword::nt(PASSWORD.as_bytes()))];
    let local = ServerGroup::new(
        GroupSettings {
            name: "LOCAL".to_owned(),
            server_type: ServerType::Local,
            max_failed_attempts: 3,
            reactivation: Reactivation::Timed,
            accounting_mode: AccountingMode::Single,
        },
        vec![Arc::new(LocalBackend::in_memory(accounts))],
    );
    let route = TunnelGroupRoute {
        name: "DefaultRAGroup".to_owned(),
        server_group: radius,
        local_fallback: true,
        methods: METHODS.to_vec(),
        strip_realm: false,
        strip_group: false,
        strip_domain: false,
        password_management: false,
        second_factor: None,
        authorization_group: None,
        accounting_group: None,
    };
    let router = Arc::new(Router::new(None, vec![route], Some(Arc::new(local))));
    let storm = |method: AuthMethod| {
        let logins: Vec<_> = (0..100)
            .map(|_| {
                let router = Arc::clone(&router);
                let request = LoginRequest {
                    name: b"joe".to_vec(),
                    credentials: credentials(method, "joe", PASSWORD),
                    tunnel_group: "DefaultRAGroup".to_owned(),
                    context: context(),
                };
                tokio::spawn(async move { router.login(request).await })
            })
            .collect();
        async move {
            let mut outcomes = Vec::new();
            for login in logins {
                outcomes.push(login.await.expect("no panic"));
            }
            outcomes
        }
    };
    let accepts = |outcomes: &[LoginOutcome]| {
        outcomes.iter().filter(|outcome| matches!(outcome.verdict, Verdict::Accept(_))).count()
    };
    let before = storm(AuthMethod::MsChapV2).await;
    assert!(accepts(&before) == 100 && before.iter().all(|outcome| !outcome.fell_back));
    let during = storm(AuthMethod::MsChapV2);
    only.stop();
    assert_eq!(accepts(&during.await), 100);

    let begun = Instant::now();
    let after = storm(AuthMethod::Pap).await;
    assert!(accepts(&after) == 100 && after.iter().all(|outcome| outcome.fell_back));
    assert!(begun.elapsed() < Duration::from_secs(2), "the dead group is skipped");
    let chap = storm(AuthMethod::Chap).await;
    assert_eq!(accepts(&chap), 0);
    for outcome in chap {
        let Verdict::Reject(reject) = outcome.verdict else { panic!("{:?}", outcome.verdict) };
        assert_eq!(reject.reason.to_string(), "CHAP is not served by LOCAL (type matrix)");
    }
}
