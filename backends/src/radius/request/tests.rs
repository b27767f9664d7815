use std::net::Ipv4Addr;
use std::time::Duration;

use radius::core::packet::Packet as Judge;
use tollgate_aaa::AuthMethod;
use tollgate_aaa::Secret;
use tollgate_aaa::accounting::{Authentic, TerminateCause, Traffic};
use zeroize::Zeroizing;

use super::*;
use crate::radius::packet::{Packet as Walked, finish_access_request};

const SECRET: &[u8] = b"xyzzy5461";
const AUTHENTICATOR: [u8; 16] = [0x5a; 16];

fn context() -> SessionContext {
    SessionContext {
        acct_session_id: "s-1".to_owned(),
        nas_port: 7,
        nas_identifier: "gate".to_owned(),
        nas_ip: Some(Ipv4Addr::new(192, 0, 2, 1).into()),
        client_endpoint: Some(Ipv4Addr::new(198, 51, 100, 9).into()),
        server_endpoint: Some(Ipv4Addr::new(192, 0, 2, 1).into()),
        calling_station_id: "198.51.100.9".to_owned(),
        called_station_id: "192.0.2.1".to_owned(),
    }
}

fn build(credentials: &Credentials, context: &SessionContext, nas: &Nas) -> Result<Vec<u8>, Unsendable> {
    let request =
        AuthRequest { name: b"joe", typed_name: b"joe", credentials, tunnel_group: "sales", context };
    access_request(&request, nas, &AUTHENTICATOR, &Key::new(Secret::from(SECRET)))
}

fn pap(password: &[u8]) -> Credentials {
    Credentials::Pap { password: Secret::from(password) }
}

/// Values of all attributes of this type.
fn values(packet: &[u8], kind: u8) -> Vec<Vec<u8>> {
    let packet = Walked::parse(packet).unwrap();
    packet
        .attributes()
        .filter(|attribute| attribute.kind == kind)
        .map(|attribute| attribute.value.to_vec())
        .collect()
}

fn vendor(packet: &[u8], vendor: u32, kind: u8) -> Option<Vec<u8>> {
    values(packet, 26).into_iter().find_map(|value| {
        let matches = value[..4] == vendor.to_be_bytes() && value[4] == kind;
        matches.then(|| {
            assert_eq!(usize::from(value[5]), value.len() - 4);
            value[6..].to_vec()
        })
    })
}

#[test]
fn the_message_authenticator_comes_first() {
    let key = Key::new(Secret::from(SECRET));
    let mut packet = build(&pap(b"secret"), &context(), &Nas::default()).unwrap();
    finish_access_request(&mut packet, 42, &key);
    assert_eq!(packet[..2], [1, 42]);
    assert_eq!(packet[4..20], AUTHENTICATOR);
    assert_eq!(packet[20..22], [80, 18]);
    assert_ne!(packet[22..38], [0; 16]);
    // Finishing again, as after a change of identifier, gives another one and the first one back.
    let mut again = packet.clone();
    finish_access_request(&mut again, 43, &key);
    assert_ne!(again[22..38], packet[22..38]);
    finish_access_request(&mut again, 42, &key);
    assert_eq!(again, packet);
}

/// The crate that built it reads it back, with the secret this time.
#[test]
fn another_implementation_reads_the_request() {
    let packet = build(&pap(b"secret"), &context(), &Nas::default()).unwrap();
    let judge = Judge::decode(&packet, SECRET).unwrap();
    assert_eq!(rfc2865::lookup_user_name(&judge).unwrap().unwrap(), "joe");
    assert_eq!(rfc2865::lookup_user_password(&judge).unwrap().unwrap(), b"secret");
    assert_eq!(rfc2865::lookup_nas_port(&judge).unwrap().unwrap(), 7);
    assert_eq!(rfc2865::lookup_nas_identifier(&judge).unwrap().unwrap(), "gate");
    assert_eq!(rfc2866::lookup_acct_session_id(&judge).unwrap().unwrap(), "s-1");
}

#[test]
fn chap_sends_its_challenge_apart() {
    let credentials = Credentials::Chap { identifier: 9, challenge: vec![1, 2, 3], response: [0xcc; 16] };
    let packet = build(&credentials, &context(), &Nas::default()).unwrap();
    let mut expected = vec![9];
    expected.extend_from_slice(&[0xcc; 16]);
    assert_eq!(values(&packet, 3), [expected]);
    assert_eq!(values(&packet, 60), [vec![1, 2, 3]]);
    let long = Credentials::Chap { identifier: 9, challenge: vec![0; 254], response: [0; 16] };
    assert_eq!(build(&long, &context(), &Nas::default()), Err(Unsendable::LongChallenge));
}

#[test]
fn ms_chap_responses_have_the_layout_of_rfc_2548() {
    let credentials = Credentials::MsChapV1 {
        identifier: 3,
        challenge: [1; 8],
        lm_response: [2; 24],
        nt_response: [4; 24],
        use_nt: true,
    };
    let packet = build(&credentials, &context(), &Nas::default()).unwrap();
    assert_eq!(vendor(&packet, 311, 11).unwrap(), [1; 8]);
    let response = vendor(&packet, 311, 1).unwrap();
    assert_eq!((response.len(), &response[..2]), (50, &[3, 1][..]));
    assert_eq!((&response[2..26], &response[26..]), (&[2; 24][..], &[4; 24][..]));

    let credentials = Credentials::MsChapV2 {
        identifier: 3,
        authenticator_challenge: [1; 16],
        peer_challenge: [2; 16],
        nt_response: [4; 24],
        flags: 0,
    };
    assert_eq!(credentials.method(), AuthMethod::MsChapV2);
    let packet = build(&credentials, &context(), &Nas::default()).unwrap();
    assert_eq!(vendor(&packet, 311, 11).unwrap(), [1; 16]);
    let response = vendor(&packet, 311, 25).unwrap();
    assert_eq!((response.len(), &response[..2], &response[2..18]), (50, &[3, 0][..], &[2; 16][..]));
    assert_eq!((&response[18..26], &response[26..]), (&[0; 8][..], &[4; 24][..]));
}

#[test]
fn a_new_password_has_the_layout_of_rfc_2548() {
    let block: [u8; 516] = std::array::from_fn(|at| (at % 251) as u8);
    let credentials = Credentials::PasswordChange {
        identifier: 3,
        authenticator_challenge: [1; 16],
        encrypted_password: Box::new(Zeroizing::new(block)),
        encrypted_hash: [5; 16],
        peer_challenge: [2; 16],
        nt_response: [4; 24],
        flags: [0; 2],
    };
    let packet = build(&credentials, &context(), &Nas::default()).unwrap();
    assert_eq!(vendor(&packet, 311, 11).unwrap(), [1; 16]);
    let change = vendor(&packet, 311, 27).unwrap();
    let expected = [&[7, 3][..], &[5; 16], &[2; 16], &[0; 8], &[4; 24], &[0; 2]].concat();
    assert_eq!((change.len(), change), (68, expected));
    assert_eq!(vendor(&packet, 311, 25), None, "no response besides");

    let mut whole = Vec::new();
    for (at, value) in values(&packet, 26).iter().filter(|value| value[4] == 6).enumerate() {
        assert_eq!(value[..4], 311u32.to_be_bytes());
        assert_eq!(value[6..10], [6, 3, 0, at as u8 + 1], "code, identifier, sequence number");
        whole.extend_from_slice(&value[10..]);
    }
    assert_eq!(whole, block, "in three pieces, in order");
}

#[test]
fn tagged_integers_have_four_octets() {
    let packet = build(&pap(b"x"), &context(), &Nas::default()).unwrap();
    assert_eq!(values(&packet, 64), [[0, 0, 0, 3]]);
    assert_eq!(values(&packet, 65), [[0, 0, 0, 1]]);
    let six = SessionContext {
        client_endpoint: Some("2001:db8::1".parse().unwrap()),
        nas_ip: Some("2001:db8::2".parse().unwrap()),
        ..context()
    };
    let packet = build(&pap(b"x"), &six, &Nas::default()).unwrap();
    assert_eq!(values(&packet, 65), [[0, 0, 0, 2]]);
    assert_eq!(values(&packet, 66), [b"2001:db8::1"]);
    assert_eq!((values(&packet, 4).len(), values(&packet, 95)[0].len()), (0, 16));
}

#[test]
fn what_is_unknown_is_left_out_and_the_configuration_goes_first() {
    let packet = build(&pap(b"x"), &SessionContext::default(), &Nas::default()).unwrap();
    for kind in [4, 30, 31, 32, 44, 66, 67, 95] {
        assert!(values(&packet, kind).is_empty(), "attribute {kind}");
    }
    let nas = Nas { identifier: "configured".to_owned(), ip: Some(Ipv4Addr::new(203, 0, 113, 1).into()) };
    let packet = build(&pap(b"x"), &context(), &nas).unwrap();
    assert_eq!(values(&packet, 32), [b"configured"]);
    assert_eq!(values(&packet, 4), [[203, 0, 113, 1]]);
}

#[test]
fn long_texts_are_cut_at_a_character() {
    let long = SessionContext { calling_station_id: "\u{e9}".repeat(200), ..context() };
    let packet = build(&pap(b"x"), &long, &Nas::default()).unwrap();
    let value = values(&packet, 31).remove(0);
    assert_eq!(value.len(), 252);
    assert!(String::from_utf8(value).is_ok());
    assert_eq!(cut("abc", 2), "ab");
}

fn record(kind: RecordKind) -> Record {
    Record {
        kind,
        user_name: b"joe".to_vec(),
        tunnel_group: "sales".to_owned(),
        context: context(),
        framed_ip: None,
        classes: Vec::new(),
        method: AuthMethod::Pap,
        authentic: Authentic::Local,
        session_time: Duration::from_secs(5),
        counters: Traffic { input_octets: u64::MAX, ..Traffic::default() },
        terminate_cause: Some(TerminateCause::LostCarrier),
        event_time: UNIX_EPOCH + Duration::from_secs(1_700_000_000),
        policy: String::new(),
    }
}

#[test]
fn the_delay_grows_and_the_event_stays() {
    let record = record(RecordKind::Stop);
    let later = record.event_time + Duration::from_millis(9_999);
    let packet = accounting_request(&record, &Nas::default(), later).unwrap();
    assert_eq!(values(&packet, 41), [9u32.to_be_bytes()]);
    assert_eq!(values(&packet, 55), [1_700_000_000u32.to_be_bytes()]);
    assert_eq!(values(&packet, 49), [2u32.to_be_bytes()]);
    assert_eq!((values(&packet, 42), values(&packet, 52)), (vec![vec![0xff; 4]], vec![vec![0xff; 4]]));
    assert!(values(&packet, 80).is_empty(), "RFC 3579 section 3.3");
    // A clock set back counts as no delay.
    assert_eq!(delay(&record, UNIX_EPOCH), 0);
    let start = accounting_request(&super::tests::record(RecordKind::Start), &Nas::default(), later).unwrap();
    for kind in [42, 43, 46, 47, 48, 49, 52, 53] {
        assert!(values(&start, kind).is_empty(), "attribute {kind} in a start");
    }
}

#[test]
fn a_record_that_does_not_fit_says_so() {
    let record = Record { classes: vec![vec![1; 253]; 16], ..record(RecordKind::Start) };
    assert_eq!(accounting_request(&record, &Nas::default(), SystemTime::now()), Err(Unsendable::LongPacket));
}
