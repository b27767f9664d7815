//! Records: everything in them, retried, acknowledged.

use super::*;

pub(super) fn record(kind: RecordKind, ago: Duration) -> Record {
    Record {
        kind,
        user_name: b"joe".to_vec(),
        tunnel_group: "sales".to_owned(),
        context: context(),
        framed_ip: Some(Ipv4Addr::new(10, 4, 5, 7)),
        classes: vec![b"OU=sales;".to_vec(), vec![0x00, 0xff]],
        method: AuthMethod::Pap,
        authentic: Authentic::Radius,
        session_time: Duration::from_secs(61),
        counters: Traffic {
            input_octets: (3 << 32) + 5,
            output_octets: (1 << 32) + 6,
            input_packets: 70,
            output_packets: 80,
        },
        terminate_cause: (kind == RecordKind::Stop).then_some(TerminateCause::IdleTimeout),
        event_time: SystemTime::now() - ago,
        policy: "sales".to_owned(),
    }
}

#[tokio::test]
async fn accounting_is_acknowledged_and_says_everything() {
    let server = server();
    let backend = backend(settings(&server));
    for kind in [RecordKind::Start, RecordKind::Interim, RecordKind::Stop] {
        let ago = if kind == RecordKind::Stop { Duration::from_secs(30) } else { Duration::ZERO };
        assert_eq!(backend.account(&record(kind, ago)).await, Ok(()), "{kind}");
    }
    let detail = server.accounting_detail();
    let records: Vec<&str> = detail.split("\n\n").filter(|record| !record.trim().is_empty()).collect();
    assert_eq!(records.len(), 3, "{detail}");
    let common = [
        "User-Name = \"joe\"",
        "NAS-IP-Address = 192.0.2.1",
        "NAS-Identifier = \"gate.example.net\"",
        "NAS-Port = 77",
        "NAS-Port-Type = Virtual",
        "Service-Type = Framed-User",
        "Framed-Protocol = PPP",
        "Framed-IP-Address = 10.4.5.7",
        "Class = 0x4f553d73616c65733b",
        "Class = 0x00ff",
        "Acct-Authentic = RADIUS",
        "Acct-Session-Id = \"64f00000-0001\"",
        "Tunnel-Type:0 = L2TP",
        "Calling-Station-Id = \"198.51.100.9\"",
        "Event-Timestamp = ",
        "ASA-TunnelGroupName = \"sales\"",
        "ASA-ClientType = L2TP/IPsec",
        "ASA-SessionType = Cisco-VPN-Client/IKEv1",
    ];
    let usage = [
        "Acct-Session-Time = 61",
        "Acct-Input-Octets = 5",
        "Acct-Input-Gigawords = 3",
        "Acct-Output-Octets = 6",
        "Acct-Output-Gigawords = 1",
        "Acct-Input-Packets = 70",
        "Acct-Output-Packets = 80",
    ];
    let has = |record: &str, line: &str| record.lines().any(|one| one.trim().starts_with(line));
    for (record, status) in records.iter().zip(["Start", "Interim-Update", "Stop"]) {
        assert!(has(record, &format!("Acct-Status-Type = {status}")), "{record}");
        for line in common {
            assert!(has(record, line), "missing {line} in\n{record}");
        }
        for line in usage {
            assert_eq!(has(record, line), status != "Start", "{line} in\n{record}");
        }
        assert_eq!(has(record, "Acct-Terminate-Cause = Idle-Timeout"), status == "Stop", "{record}");
    }
    assert!(has(records[0], "Acct-Delay-Time = 0"), "{}", records[0]);
    assert!(has(records[2], "Acct-Delay-Time = 30"), "{}", records[2]);
}

#[tokio::test]
async fn accounting_to_a_dead_server_or_with_a_wrong_secret_is_not_acknowledged() {
    let server = server();
    let wrong = RadiusSettings {
        key: Secret::from("another".to_owned()),
        timeout: Duration::from_secs(2),
        retry_interval: Duration::from_secs(1),
        ..settings(&server)
    };
    let result = backend(wrong).account(&record(RecordKind::Start, Duration::ZERO)).await;
    assert!(matches!(result, Err(AccountingError::NoAnswer(_))), "{result:?}");
    assert_eq!(server.accounting_detail(), "");
}

#[tokio::test]
async fn a_record_that_is_sent_again_is_acknowledged_by_the_server_that_comes_back() {
    let mut server = server();
    let backend = backend(RadiusSettings {
        timeout: Duration::from_secs(20),
        retry_interval: Duration::from_secs(1),
        ..settings(&server)
    });
    server.stop();
    let told = {
        let backend = Arc::clone(&backend);
        tokio::spawn(async move { backend.account(&record(RecordKind::Stop, Duration::ZERO)).await })
    };
    tokio::time::sleep(Duration::from_millis(2500)).await;
    server.start_again();
    assert_eq!(told.await.expect("no panic"), Ok(()));
    let detail = server.accounting_detail();
    // The time on the way grew, and with it the record.
    assert!(!detail.contains("Acct-Delay-Time = 0"), "{detail}");
}
