//! Status-Server (RFC 5997).

use super::harness::Transport;
use super::*;
use tollgate_aaa::Duty;
use tollgate_backends::radius::RadiusTransport;

fn that_may_tell(options: Options, transport: Transport) -> FreeRadius {
    FreeRadius::start(Options { users: USERS.to_owned(), transport, ..options })
}

fn asking(server: &FreeRadius, transport: RadiusTransport) -> RadiusSettings {
    RadiusSettings {
        transport,
        status_server: true,
        retry_interval: Duration::from_millis(300),
        ..settings(server)
    }
}

#[tokio::test]
async fn a_server_that_answers_status_server_is_alive_until_it_is_stopped() {
    for (there, here) in [(Transport::Udp, RadiusTransport::Udp), (Transport::Tcp, RadiusTransport::Tcp)] {
        let mut server = that_may_tell(Options { status_server: true, ..Options::default() }, there);
        let backend = backend(asking(&server, here));
        let alive =
            async || (backend.is_alive(Duty::Authentication).await, backend.is_alive(Duty::Accounting).await);
        assert_eq!(alive().await, (Some(true), Some(true)), "{}", server.log());
        server.stop();
        let begun = Instant::now();
        assert_eq!(alive().await, (Some(false), Some(false)));
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
        server.start_again();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(alive().await, (Some(true), Some(true)));
        assert_eq!(server.request_detail(), "", "no login was needed");
    }
}

#[tokio::test]
async fn whoever_is_not_configured_so_is_not_asked_and_whoever_does_not_answer_is_not_alive() {
    let server = that_may_tell(Options::default(), Transport::Udp);
    let never = backend(settings(&server));
    assert_eq!(never.is_alive(Duty::Authentication).await, None);
    let off = backend(asking(&server, RadiusTransport::Udp));
    assert_eq!(off.is_alive(Duty::Authentication).await, Some(false));
}

#[tokio::test]
async fn an_answer_without_message_authenticator_proves_nothing() {
    let options = Options { status_server: true, message_authenticator: false, ..Options::default() };
    let server = that_may_tell(options, Transport::Udp);
    let lenient =
        RadiusSettings { require_message_authenticator: false, ..asking(&server, RadiusTransport::Udp) };
    assert_eq!(backend(lenient).is_alive(Duty::Authentication).await, Some(false));
}
