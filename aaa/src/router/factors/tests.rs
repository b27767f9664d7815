use std::sync::Arc;

use super::*;
use crate::matrix::{AuthMethod, ServerType};
use crate::request::SessionContext;
use crate::router::{Router, TunnelGroupRoute};
use crate::testing::{Act, Scripted, group};

struct World {
    directory: Arc<Scripted>,
    tokens: Arc<Scripted>,
    rights: Arc<Scripted>,
    router: Router,
}

/// A tunnel group `staff` whose users type `password,code`; `authorized`: RADIUS says what they get.
fn world(directory: Act, tokens: Act, rights: Option<Act>) -> World {
    let directory = Scripted::new("directory", ServerType::Ldap, &[directory]);
    let tokens = Scripted::new("tokens", ServerType::Sdi, &[tokens]);
    let acts = [rights.unwrap_or(Act::Accept)];
    let rights_server = Scripted::new("rights", ServerType::Radius, &acts);
    let route = TunnelGroupRoute {
        name: "staff".to_owned(),
        server_group: group("directory", &[&directory]),
        local_fallback: false,
        methods: vec![AuthMethod::Pap],
        strip_realm: false,
        strip_group: false,
        strip_domain: false,
        password_management: false,
        second_factor: Some(SecondFactor { server_group: group("tokens", &[&tokens]), separator: ',' }),
        authorization_group: rights.map(|_| group("rights", &[&rights_server])),
        accounting_group: None,
    };
    World { directory, tokens, rights: rights_server, router: Router::new(None, vec![route], None) }
}

async fn login(world: &World, field: &str) -> LoginOutcome {
    let request = LoginRequest {
        name: b"joe".to_vec(),
        credentials: Credentials::Pap { password: Secret::from(field.to_owned()) },
        tunnel_group: "staff".to_owned(),
        context: SessionContext::default(),
    };
    world.router.login(request).await
}

#[tokio::test(start_paused = true)]
async fn each_server_sees_its_own_factor_and_both_must_be_right() {
    let both = world(Act::Accept, Act::Accept, None);
    let outcome = login(&both, "pass,word,123456").await;
    assert!(matches!(outcome.verdict, Verdict::Accept(_)));
    assert_eq!(outcome.server.as_deref(), Some("directory"), "the session is the first one's");
    assert_eq!(*both.directory.password.lock().unwrap(), "pass,word");
    assert_eq!(*both.tokens.password.lock().unwrap(), "123456");

    let wrong_password = world(Act::Reject, Act::Accept, None);
    assert!(matches!(login(&wrong_password, "x,123456").await.verdict, Verdict::Reject(_)));
    assert_eq!(wrong_password.tokens.questions(), 0, "a code is not spent on a wrong password");

    let wrong_code = world(Act::Accept, Act::Reject, None);
    let outcome = login(&wrong_code, "password,1").await;
    assert!(matches!(outcome.verdict, Verdict::Reject(_)));
    assert_eq!(outcome.server.as_deref(), Some("tokens"));
}

#[tokio::test(start_paused = true)]
async fn without_a_second_factor_nobody_comes_in() {
    for field in ["password", "password,", ","] {
        let world = world(Act::Accept, Act::Accept, None);
        let outcome = login(&world, field).await;
        let Verdict::Reject(reject) = outcome.verdict else { panic!("{field:?} comes in") };
        assert_eq!(reject.reason, RejectReason::SecondFactorMissing(','));
        assert_eq!((world.directory.questions(), world.tokens.questions()), (0, 0));
    }
    let silent = world(Act::Accept, Act::Silent, None);
    let Verdict::Unavailable(why) = login(&silent, "password,1").await.verdict else { panic!("it comes in") };
    assert_eq!(why.to_string(), "second factor: tokens did not answer");
}

#[tokio::test(start_paused = true)]
async fn what_a_session_gets_is_said_by_the_authorization_group() {
    let accepted = world(Act::Accept, Act::Accept, Some(Act::Accept));
    let outcome = login(&accepted, "password,1").await;
    let Verdict::Accept(attributes) = &outcome.verdict else { panic!("{outcome:?}") };
    assert_eq!(attributes.group_policy.as_deref(), Some("policy of rights"));
    assert_eq!(outcome.server.as_deref(), Some("directory"));

    let refused = world(Act::Accept, Act::Accept, Some(Act::Reject));
    assert!(matches!(login(&refused, "password,1").await.verdict, Verdict::Reject(_)));
    let silent = world(Act::Accept, Act::Accept, Some(Act::Silent));
    let Verdict::Unavailable(why) = login(&silent, "password,1").await.verdict else { panic!("it comes in") };
    assert_eq!(why.to_string(), "authorization: rights did not answer");
    let wrong = world(Act::Reject, Act::Accept, Some(Act::Accept));
    login(&wrong, "password,1").await;
    assert_eq!(wrong.rights.questions(), 0, "nobody is authorized who is not authenticated");
}
