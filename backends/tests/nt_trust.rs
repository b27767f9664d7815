//! NT logins of users whose domain our controller trusts: two controllers (Samba), of which ours asks the other.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/asking.rs"]
mod asking;
#[path = "support/samba.rs"]
mod samba;

use std::time::Duration;

use asking::{accepted, ask, silent};
use samba::trust::{OTHER_DOMAIN, Trusting};
use samba::{DOMAIN, PASSWORD};
use tollgate_aaa::{Layer, RejectReason, Verdict};
use tollgate_backends::net::Endpoint;
use tollgate_backends::nt::{NtBackend, NtSettings};

#[tokio::test]
async fn a_user_of_a_trusted_domain_comes_in_by_our_controller() {
    let domains = Trusting::start();
    domains.ours.add_user("alice", PASSWORD, "");
    let backend = NtBackend::new(NtSettings {
        endpoint: Endpoint { host: domains.ours.address().to_string(), port: 445 },
        domain_controller: None,
        domain: DOMAIN.to_owned(),
        timeout: Duration::from_secs(20),
    })
    .unwrap();
    let eve = format!("{OTHER_DOMAIN}\\eve");
    for name in [eve.as_str(), "other\\EVE", "eve@other.test", "alice", "CORP\\alice"] {
        accepted(&ask(&backend, name, PASSWORD.as_bytes()).await);
    }
    for (name, password) in [
        (eve.as_str(), "wrong"),
        ("OTHER\\nobody", PASSWORD),
        // Each domain has its own users.
        ("eve", PASSWORD),
        ("CORP\\eve", PASSWORD),
        ("OTHER\\alice", PASSWORD),
    ] {
        let verdict = ask(&backend, name, password.as_bytes()).await;
        assert!(
            matches!(&verdict, Verdict::Reject(reject)
                if matches!(reject.reason, RejectReason::WrongPassword | RejectReason::UnknownUser)),
            "{name}: {verdict:?}"
        );
    }
    domains.other.tool(&["user", "disable", "eve"]);
    let verdict = ask(&backend, &eve, PASSWORD.as_bytes()).await;
    assert!(
        matches!(&verdict, Verdict::Reject(reject) if reject.reason == RejectReason::Disabled),
        "{verdict:?}"
    );

    domains.other.stop();
    let verdict = ask(&backend, &eve, PASSWORD.as_bytes()).await;
    silent(&verdict, Layer::Connection, "no controller of the user's domain");
    accepted(&ask(&backend, "alice", PASSWORD.as_bytes()).await);
}
