//! Records.

use std::net::Ipv4Addr;
use std::time::SystemTime;

use tollgate_aaa::AuthMethod;
use tollgate_aaa::accounting::{AccountingError, Authentic, Record, RecordKind, TerminateCause, Traffic};

use super::*;

fn record(kind: RecordKind) -> Record {
    let context = SessionContext { acct_session_id: "0000002a".to_owned(), ..SessionContext::default() };
    Record {
        kind,
        user_name: b"joe".to_vec(),
        tunnel_group: "vpn".to_owned(),
        context,
        framed_ip: Some(Ipv4Addr::new(10, 1, 2, 3)),
        classes: Vec::new(),
        method: AuthMethod::MsChapV2,
        authentic: Authentic::Local,
        session_time: Duration::from_secs(100),
        counters: Traffic {
            input_octets: 5_000_000_000,
            output_octets: 2,
            input_packets: 3,
            output_packets: 4,
        },
        terminate_cause: (kind == RecordKind::Stop).then_some(TerminateCause::IdleTimeout),
        event_time: SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_100),
        policy: String::new(),
    }
}

#[tokio::test]
async fn start_watchdog_and_stop_are_told_and_acknowledged() {
    let server = Server::start();
    let backend = backend(&server);
    let always =
        r#"["task_id=0000002a", "start_time=1700000000", "service=ppp", "protocol=ip", "addr=10.1.2.3""#;
    let usage = r#""elapsed_time=100", "bytes_in=5000000000", "bytes_out=2", "paks_in=3", "paks_out=4""#;
    for (kind, flags, arguments) in [
        (RecordKind::Start, 2, format!("{always}]")),
        (RecordKind::Interim, 10, format!("{always}, {usage}]")),
        (
            RecordKind::Stop,
            4,
            format!(r#"{always}, "stop_time=1700000100", {usage}, "disc-cause=idle timeout"]"#),
        ),
    ] {
        let mut record = record(kind);
        if kind == RecordKind::Start {
            record.session_time = Duration::ZERO;
            record.event_time -= Duration::from_secs(100);
        }
        backend.account(&record).await.unwrap();
        server.logged(&[
            "\"accounting\"",
            &format!("\"flags\": {flags}"),
            "\"authen_method\": 5",
            "\"authen_type\": 6",
            "\"user\": \"joe\"",
            &arguments,
        ]);
    }
}

#[tokio::test]
async fn a_record_that_is_not_kept_may_be_sent_again() {
    let server = Server::that("accounting-error");
    let error = backend(&server).account(&record(RecordKind::Stop)).await.unwrap_err();
    assert!(error.may_retry() && error.to_string().contains("ERROR"), "{error}");
    let server = Server::that("silent");
    let error = hasty(&server).account(&record(RecordKind::Stop)).await.unwrap_err();
    assert!(error.to_string().contains("the accounting record within the timeout"), "{error}");
}

#[tokio::test]
async fn a_record_that_does_not_fit_is_not_sent() {
    let server = Server::start();
    let mut record = record(RecordKind::Start);
    record.context.acct_session_id = "x".repeat(300);
    match backend(&server).account(&record).await.unwrap_err() {
        AccountingError::Unsendable(why) => assert!(why.contains("an argument"), "{why}"),
        other => panic!("{other}"),
    }
}
