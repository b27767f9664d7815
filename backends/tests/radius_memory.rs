//! What logins cost that wait for a RADIUS server which is silent. Alone in its process, which it measures.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tollgate_aaa::{AuthRequest, Backend, Credentials, Layer, Secret, SessionContext, Verdict};
use tollgate_backends::radius::{RadiusBackend, RadiusSettings, RadiusTransport};

/// Resident memory in KiB.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
    line.split_ascii_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_logins_that_wait_for_a_silent_server_take_less_than_64_mib() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let accepted = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counting = Arc::clone(&accepted);
    tokio::spawn(async move {
        let mut streams = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            // Neither read nor closed.
            streams.push(stream);
            counting.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    });
    let settings = RadiusSettings {
        transport: RadiusTransport::Tcp,
        authentication_port: port,
        accounting_port: port,
        timeout: Duration::from_secs(4),
        ..RadiusSettings::new("127.0.0.1", Secret::from("testing123".to_owned()))
    };
    let backend = RadiusBackend::new(settings, Handle::current()).expect("valid settings");
    let before = resident();
    let logins: Vec<_> = (0..10_000)
        .map(|number| {
            let backend = Arc::clone(&backend);
            tokio::spawn(async move {
                let name = format!("user{number}@{}", "x".repeat(200));
                let context = SessionContext::default();
                let request = AuthRequest {
                    name: name.as_bytes(),
                    typed_name: name.as_bytes(),
                    credentials: &Credentials::Pap { password: Secret::from("p".repeat(120)) },
                    tunnel_group: "sales",
                    context: &context,
                };
                match backend.authenticate(&request).await {
                    Verdict::Unavailable(unavailable) => assert_eq!(unavailable.layer, Layer::Connection),
                    other => panic!("{other:?}"),
                }
            })
        })
        .collect();
    let mut most = before;
    while !logins.iter().all(tokio::task::JoinHandle::is_finished) {
        most = most.max(resident());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for login in logins {
        login.await.expect("no panic");
    }
    let (more, connections) = (most - before, accepted.load(std::sync::atomic::Ordering::Relaxed));
    println!("{more} KiB more, {connections} connections");
    assert!(more < 64 * 1024, "{more} KiB");
    // The first four, and in their place those of the logins whose time was not up when these were given up.
    assert!(connections <= 32, "{connections} connections");
}
