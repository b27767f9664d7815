use md5::{Digest, Md5};

use super::*;

const KEY: &[u8] = b"change of heart";
const CLIENT: &str = "192.0.2.9:3799";

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn attribute(kind: u8, value: &[u8]) -> Vec<u8> {
    [&[kind, u8::try_from(value.len()).unwrap() + 2], value].concat()
}

fn stamp(time: SystemTime) -> Vec<u8> {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap().as_secs();
    attribute(55, &u32::try_from(seconds).unwrap().to_be_bytes())
}

/// A request with a Message-Authenticator in front, made at [`now`].
fn request(code: u8, identifier: u8, attributes: &[Vec<u8>]) -> Vec<u8> {
    signed(code, identifier, &[&[stamp(now())], attributes].concat(), true, KEY)
}

fn signed(code: u8, identifier: u8, attributes: &[Vec<u8>], mac: bool, secret: &[u8]) -> Vec<u8> {
    use hmac::{Hmac, KeyInit, Mac};
    let mut packet = vec![code, identifier, 0, 0];
    packet.extend([0; 16]);
    if mac {
        packet.extend(attribute(80, &[0; 16]));
    }
    packet.extend(attributes.concat());
    let length = u16::try_from(packet.len()).unwrap();
    packet[2..4].copy_from_slice(&length.to_be_bytes());
    if mac {
        let mac = Hmac::<Md5>::new_from_slice(secret).unwrap().chain_update(&packet).finalize().into_bytes();
        packet[22..38].copy_from_slice(&mac);
    }
    let authenticator = Md5::new().chain_update(&packet).chain_update(secret).finalize();
    packet[4..20].copy_from_slice(&authenticator);
    packet
}

fn listener() -> DynamicAuthorization {
    DynamicAuthorization::new(settings())
}

fn settings() -> DynamicSettings {
    let client = CLIENT.parse::<SocketAddr>().unwrap().ip();
    let lax = DynamicClient {
        require_message_authenticator: false,
        require_event_timestamp: false,
        ..DynamicClient::new([192, 0, 2, 10].into(), Secret::from(KEY))
    };
    DynamicSettings {
        identifiers: vec!["gate".to_owned()],
        is_own_address: |address| {
            [IpAddr::from([192, 0, 2, 1]), "2001:db8::1".parse().unwrap()].contains(&address)
        },
        clients: vec![DynamicClient::new(client, Secret::from(KEY)), lax],
    }
}

fn give(listener: &mut DynamicAuthorization, packet: &[u8]) -> Received {
    listener.receive(CLIENT.parse().unwrap(), packet, now())
}

fn asked(received: Received) -> DynamicRequest {
    match received {
        Received::Request(request) => *request,
        other => panic!("{other:?}"),
    }
}

fn dropped(received: Received) -> Dropped {
    match received {
        Received::Dropped(why) => why,
        other => panic!("{other:?}"),
    }
}

/// Code and Error-Cause of an answer to `request`, whose signatures are checked.
fn outcome(answer: &[u8], request: &[u8]) -> (u8, u32) {
    let packet = Packet::parse(answer).unwrap();
    let authenticator: [u8; 16] = request[4..20].try_into().unwrap();
    assert_eq!(packet.identifier(), request[1]);
    packet.verify(&authenticator, &Key::new(Secret::from(KEY)), Required::MessageAuthenticator).unwrap();
    let cause = packet.attributes().find(|attribute| attribute.kind == ERROR_CAUSE);
    let cause = cause.map_or(0, |cause| u32::from_be_bytes(cause.value.try_into().unwrap()));
    (answer[0], cause)
}

#[track_caller]
fn refused(code: u8, attributes: &[Vec<u8>], cause: ErrorCause) {
    let packet = request(code, 7, attributes);
    match give(&mut listener(), &packet) {
        Received::Answer(answer) => assert_eq!(outcome(&answer, &packet), (code + 2, cause.code())),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_disconnect_says_which_session_and_is_acknowledged() {
    let mut listener = listener();
    let packet = request(
        40,
        9,
        &[
            attribute(4, &[192, 0, 2, 1]),
            attribute(32, b"gate"),
            attribute(95, &"2001:db8::1".parse::<std::net::Ipv6Addr>().unwrap().octets()),
            attribute(44, b"64f00000-0001"),
            attribute(1, b"joe"),
            attribute(8, &[10, 4, 5, 7]),
            attribute(31, b"198.51.100.9"),
            attribute(5, &[0, 0, 0, 77]),
            attribute(49, &[0, 0, 0, 6]),
            attribute(33, b"one"),
            attribute(18, b"bye"),
            attribute(33, b"two"),
        ],
    );
    let asked = asked(give(&mut listener, &packet));
    assert_eq!(asked.kind, Kind::Disconnect);
    assert_eq!(asked.session_id.as_deref(), Some("64f00000-0001"));
    assert_eq!(asked.user_name.as_deref(), Some(&b"joe"[..]));
    assert_eq!(asked.framed_ip, Some([10, 4, 5, 7].into()));
    assert_eq!(asked.calling_station_id.as_deref(), Some("198.51.100.9"));
    assert_eq!((asked.nas_port, asked.terminate_cause), (Some(77), Some(6)));
    let answer = listener.answer(&asked, Ok(())).unwrap();
    assert_eq!(outcome(&answer, &packet), (41, 0));
    let echoed: Vec<_> = Packet::parse(&answer).unwrap().attributes().skip(1).collect();
    assert_eq!(echoed, [Attribute { kind: 33, value: b"one" }, Attribute { kind: 33, value: b"two" }]);
}

#[test]
fn a_change_says_what_the_session_gets_and_its_state_is_echoed() {
    let mut listener = listener();
    let policy = [&3076u32.to_be_bytes()[..], &attribute(25, b"OU=field;")].concat();
    let packet = request(
        43,
        9,
        &[
            attribute(44, b"s1"),
            attribute(27, &[0, 0, 14, 16]),
            attribute(28, &[0, 0, 0, 60]),
            attribute(11, b"inside"),
            attribute(25, b"OU=sales;"),
            attribute(26, &policy),
            attribute(24, b"mine"),
        ],
    );
    let asked = asked(give(&mut listener, &packet));
    assert_eq!(asked.kind, Kind::ChangeOfAuthorization);
    assert_eq!(asked.attributes.session_timeout, Some(Duration::from_secs(3600)));
    assert_eq!(asked.attributes.idle_timeout, Some(Duration::from_secs(60)));
    assert_eq!(asked.attributes.filter_id.as_deref(), Some("inside"));
    assert_eq!(asked.attributes.group_policy.as_deref(), Some("field"));
    assert_eq!(asked.attributes.classes, [b"OU=sales;".to_vec()]);
    for (result, expected) in [(Ok(()), (44, 0)), (Err(ErrorCause::SessionContextNotFound), (45, 503))] {
        let answer = listener.answer(&asked, result).unwrap();
        assert_eq!(outcome(&answer, &packet), expected);
        let state = Attribute { kind: 24, value: b"mine" };
        assert!(Packet::parse(&answer).unwrap().attributes().any(|attribute| attribute == state));
    }
}

#[test]
fn what_cannot_be_done_is_refused_with_its_cause() {
    use ErrorCause::*;
    let who = || attribute(44, b"s1");
    let limit = || attribute(27, &[0, 0, 0, 9]);
    // No session named; nothing to change.
    refused(40, &[], MissingAttribute);
    refused(40, &[attribute(32, b"gate"), attribute(30, b"192.0.2.1")], MissingAttribute);
    refused(43, &[limit()], MissingAttribute);
    refused(43, &[who()], MissingAttribute);
    // Somebody else is meant, whatever else is wrong.
    refused(40, &[who(), attribute(32, b"door")], NasIdentificationMismatch);
    refused(40, &[who(), attribute(4, &[192, 0, 2, 2])], NasIdentificationMismatch);
    refused(40, &[who(), attribute(4, &[192, 0, 2])], NasIdentificationMismatch);
    refused(43, &[attribute(95, &[0; 16]), attribute(200, b"x")], NasIdentificationMismatch);
    // Not known, not in this kind of request, not of this vendor.
    refused(40, &[who(), limit()], UnsupportedAttribute);
    refused(40, &[who(), attribute(24, b"x")], UnsupportedAttribute);
    refused(40, &[who(), attribute(50, b"multi")], UnsupportedAttribute);
    refused(43, &[who(), limit(), attribute(22, b"10.0.0.0/8")], UnsupportedAttribute);
    refused(43, &[who(), attribute(26, &[0, 0, 0, 9, 1, 3, 1])], UnsupportedAttribute);
    refused(43, &[who(), attribute(26, &[0, 0, 12, 4, 99, 3, 1])], UnsupportedAttribute);
    refused(43, &[who(), attribute(6, &[0, 0, 0, 2])], UnsupportedAttribute);
    refused(43, &[who(), attribute(6, &[0, 0, 0, 17])], UnsupportedService);
    // Wrong in form, twice, or without a meaning.
    refused(40, &[who(), attribute(8, &[1, 2, 3])], InvalidRequest);
    refused(40, &[who(), who()], InvalidRequest);
    refused(43, &[who(), limit(), limit()], InvalidRequest);
    refused(40, &[attribute(44, &[0xff])], InvalidRequest);
    refused(43, &[who(), attribute(27, &[0; 4])], InvalidAttributeValue);
    refused(43, &[who(), attribute(11, b"")], InvalidAttributeValue);
}

#[test]
fn whoever_did_not_sign_it_gets_no_answer() {
    let mut listener = listener();
    let who = [stamp(now()), attribute(44, b"s1")];
    let good = request(40, 1, &who[1..]);
    let stranger = "192.0.2.77:3799".parse().unwrap();
    assert_eq!(dropped(listener.receive(stranger, &good, now())), Dropped::UnknownClient);
    let other_key = signed(40, 1, &who, true, b"guess");
    assert_eq!(dropped(give(&mut listener, &other_key)), Dropped::Disbelieved(Disbelief::Authenticator));
    let without = signed(40, 1, &who, false, KEY);
    assert_eq!(
        dropped(give(&mut listener, &without)),
        Dropped::Disbelieved(Disbelief::NoMessageAuthenticator)
    );
    let wrong_mac = [vec![attribute(80, &[1; 16])], who.to_vec()].concat();
    let wrong_mac = signed(40, 1, &wrong_mac, false, KEY);
    assert_eq!(
        dropped(give(&mut listener, &wrong_mac)),
        Dropped::Disbelieved(Disbelief::MessageAuthenticator)
    );
    for bit in 0..good.len() * 8 {
        let mut changed = good.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(matches!(give(&mut listener, &changed), Received::Dropped(_)), "bit {bit}");
    }
    assert_eq!(dropped(give(&mut listener, &request(1, 1, &who[1..]))), Dropped::Code(1));
    assert!(matches!(dropped(give(&mut listener, &good[..19])), Dropped::Malformed(_)));
    asked(give(&mut listener, &good));
    let counters = listener.counters();
    assert_eq!((counters.requests, counters.unknown_clients), (1, 1));
}

#[test]
fn a_client_that_is_excused_may_leave_out_signature_and_time() {
    let from: SocketAddr = "192.0.2.10:4000".parse().unwrap();
    let bare = signed(40, 1, &[attribute(44, b"s1")], false, KEY);
    let mut listener = listener();
    asked(listener.receive(from, &bare, now()));
    let after = now() + 2 * WINDOW;
    assert_eq!(dropped(listener.receive(from, &bare, after)), Dropped::Replay);
    // From the same host over IPv6 sockets.
    let mapped: SocketAddr = "[::ffff:192.0.2.10]:4000".parse().unwrap();
    assert_eq!(dropped(listener.receive(mapped, &bare, after)), Dropped::Replay);
}

#[test]
fn time_is_looked_at() {
    let mut listener = listener();
    let at = |time, identifier| signed(40, identifier, &[stamp(time), attribute(44, b"s1")], true, KEY);
    let second = Duration::from_secs(1);
    asked(give(&mut listener, &at(now() - WINDOW, 1)));
    asked(give(&mut listener, &at(now() + WINDOW, 2)));
    assert_eq!(dropped(give(&mut listener, &at(now() - WINDOW - second, 3))), Dropped::Stale);
    assert_eq!(dropped(give(&mut listener, &at(now() + WINDOW + second, 4))), Dropped::Stale);
    let timeless = signed(40, 5, &[attribute(44, b"s1")], true, KEY);
    assert_eq!(dropped(give(&mut listener, &timeless)), Dropped::NoTimestamp);
    let twice = signed(40, 6, &[stamp(now()), stamp(now()), attribute(44, b"s1")], true, KEY);
    assert_eq!(dropped(give(&mut listener, &twice)), Dropped::NoTimestamp);
    assert_eq!(listener.counters().stale, 4);
}

#[test]
fn what_the_client_sends_again_gets_the_same_answer_and_what_others_send_again_none() {
    let mut listener = listener();
    let packet = request(40, 9, &[attribute(44, b"s1")]);
    let asked = asked(give(&mut listener, &packet));
    assert!(matches!(give(&mut listener, &packet), Received::UnderWay));
    let answer = listener.answer(&asked, Err(ErrorCause::MultipleSessionSelectionUnsupported)).unwrap();
    assert_eq!(outcome(&answer, &packet), (42, 508));
    match give(&mut listener, &packet) {
        Received::Answer(again) => assert_eq!(again, answer),
        other => panic!("{other:?}"),
    }
    let elsewhere = "192.0.2.9:4000".parse().unwrap();
    assert_eq!(dropped(listener.receive(elsewhere, &packet, now())), Dropped::Replay);
    let late = now() + memory::RETRANSMISSION + Duration::from_secs(1);
    assert_eq!(dropped(listener.receive(CLIENT.parse().unwrap(), &packet, late)), Dropped::Replay);
    let much_later = now() + WINDOW + Duration::from_secs(1);
    assert_eq!(dropped(listener.receive(CLIENT.parse().unwrap(), &packet, much_later)), Dropped::Stale);
    let counters = listener.counters();
    assert_eq!((counters.requests, counters.duplicates, counters.replays), (1, 2, 2));
}

#[test]
fn new_settings_forget_nobody_who_stays() {
    let mut listener = listener();
    let packet = request(40, 9, &[attribute(44, b"s1")]);
    let asked = asked(give(&mut listener, &packet));
    listener.answer(&asked, Ok(())).unwrap();
    let elsewhere = "192.0.2.9:4000".parse().unwrap();
    listener.reconfigure(settings());
    assert_eq!(dropped(listener.receive(elsewhere, &packet, now())), Dropped::Replay);
    assert_eq!(listener.counters().requests, 1);
    listener.reconfigure(DynamicSettings { clients: Vec::new(), ..settings() });
    assert_eq!(dropped(listener.receive(elsewhere, &packet, now())), Dropped::UnknownClient);
}

#[test]
fn the_memory_has_a_bound_and_refuses_what_it_cannot_remember() {
    let mut listener = listener();
    let number = |number: usize| attribute(44, format!("s{number}").as_bytes());
    for count in 0..memory::MOST {
        asked(give(&mut listener, &request(40, 1, &[number(count)])));
    }
    let packet = request(40, 1, &[number(memory::MOST)]);
    for _ in 0..2 {
        match give(&mut listener, &packet) {
            Received::Answer(answer) => assert_eq!(outcome(&answer, &packet), (42, 506)),
            other => panic!("{other:?}"),
        }
    }
    // Once the earlier ones are too old to be replayed there is room again.
    let later = now() + WINDOW + Duration::from_secs(1);
    let packet = signed(40, 1, &[stamp(later), number(0)], true, KEY);
    asked(listener.receive(CLIENT.parse().unwrap(), &packet, later));
}

#[test]
fn a_request_whose_answer_does_not_fit_is_not_done() {
    let states = vec![attribute(33, &[7; 253]); 15];
    // Only without a signature and a time of its own can a request be shorter than its answer.
    let packet = |octets| {
        let more = vec![attribute(33, &vec![7; octets]), attribute(44, b"s")];
        signed(40, 1, &[states.clone(), more].concat(), false, KEY)
    };
    let (mut listener, from) = (listener(), "192.0.2.10:4000".parse().unwrap());
    asked(listener.receive(from, &packet(200), now()));
    assert_eq!(dropped(listener.receive(from, &packet(228), now())), Dropped::NoRoom);
}
