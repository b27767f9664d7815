//! Input that no honest client sends: the server counts it, says so now and then, and goes on serving.

use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use tollgate_client::dial::Dial;
use tollgate_tests::client::{connect, options};
use tollgate_tests::relay::Relay;
use tollgate_tests::tollgate::{LOOPBACK, output, text};
use tollgate_tests::{Server, wait_until};

const USERS: &[(&str, &str)] = &[("jdoe", "j!doe1")];
const INSIDE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);

fn start() -> Server {
    let config = format!(
        r#"{LOOPBACK}
[local]
users = "users.toml"
[pool.clients]
range = "10.77.0.10-10.77.0.200"
mask = "255.255.255.0"
[group-policy.DfltGrpPolicy]
vpn-simultaneous-logins = 100
[tunnel-group.DefaultRAGroup]
address-pool = ["clients"]
ppp-authentication = ["ms-chap-v2", "pap"]
"#
    );
    Server::start(&config, USERS, None)
}

/// Resident memory in KiB.
fn memory(server: &mut Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.process().id())).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("Linux tells it");
    line.split_whitespace().nth(1).and_then(|word| word.parse().ok()).expect("a number")
}

/// A control message with these attributes, whole or with one octet more or less in its length.
fn control(tunnel: u16, message_type: u16, avps: &[u8]) -> Vec<u8> {
    let mut message = vec![0xc8, 0x02, 0, 0];
    message.extend(tunnel.to_be_bytes());
    message.extend([0; 6]);
    message.extend([0x80, 0x08, 0, 0, 0, 0]);
    message.extend(message_type.to_be_bytes());
    message.extend(avps);
    let length = message.len() as u16;
    message[2..4].copy_from_slice(&length.to_be_bytes());
    message
}

/// Protocol version, host name, framing, assigned tunnel id.
fn sccrq(tunnel: u16) -> Vec<u8> {
    let mut avps = vec![0x80, 8, 0, 0, 0, 2, 1, 0, 0x80, 10, 0, 0, 0, 7, b'e', b'v', b'i', b'l'];
    avps.extend([0x80, 10, 0, 0, 0, 3, 0, 0, 0, 3, 0x80, 8, 0, 0, 0, 9]);
    avps.extend(tunnel.to_be_bytes());
    control(0, 1, &avps)
}

#[test]
fn ten_thousand_forged_callers_neither_fill_the_memory_nor_keep_a_user_out() {
    let mut server = start();
    let address = server.address();
    let (said, code) = text(&server.dial("jdoe", "ms-chap-v2", "j!doe1", &["--ping", "1"]));
    assert_eq!(code, 0, "{said}");
    let before = memory(&mut server);
    let flood = |from: u32, to: u32| {
        for number in from..to {
            // Every one from an address of its own, and nobody listens there for the answer.
            let source = Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 1, 0, 1)) + number);
            let socket = UdpSocket::bind((source, 1701)).or_else(|_| UdpSocket::bind((source, 0)));
            let socket = socket.expect("127/8 is ours");
            socket.send_to(&sccrq(number as u16 | 1), &address).expect("loopback takes it");
        }
    };
    flood(0, 5000);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let rest = scope.spawn(|| flood(5000, 10_000));
        // A caller that this machine keeps waiting for long enough is taken for one of the forged ones, and calls again.
        let dial = || text(&server.dial("jdoe", "ms-chap-v2", "j!doe1", &["--ping", "1"]));
        let (said, code) = Some(dial()).filter(|(_, code)| *code == 0).unwrap_or_else(dial);
        assert_eq!(code, 0, "in the midst of the flood: {said}");
        rest.join().expect("no panic");
    });
    let (said, code) = text(&server.dial("jdoe", "ms-chap-v2", "j!doe1", &["--ping", "1"]));
    assert_eq!(code, 0, "after it: {said}");
    assert!(begun.elapsed() < Duration::from_secs(60));
    let grown = memory(&mut server).saturating_sub(before);
    assert!(grown < 32 * 1024, "{grown} KiB more");
    let counters = server.show("counters");
    assert!(counters["l2tp-messages-in"].as_u64() >= Some(8000), "the flood arrived: {counters:#}");
    let lines = server.process().lines().len();
    assert!(lines < 500, "{lines} lines for 10,000 datagrams");
}

/// Numbers without a pattern; the same in every run.
fn noise(seed: u64) -> impl Iterator<Item = u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    std::iter::from_fn(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        Some((state >> 24) as u8)
    })
}

#[test]
fn broken_datagrams_are_counted_and_told_once_a_second() {
    let mut server = start();
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let send = |datagram: &[u8]| drop(socket.send_to(datagram, server.address()));
    let begun = Instant::now();
    for round in 0..400_u64 {
        let length = 1 + (round as usize * 7) % 1400;
        send(&noise(round).take(length).collect::<Vec<_>>());
        let whole = sccrq(1 + round as u16);
        // Cut off, longer than it says, shorter than it says, an attribute that reaches too far.
        send(&whole[..round as usize % whole.len()]);
        let mut wrong = whole.clone();
        wrong[3] ^= 1 + (round % 255) as u8;
        send(&wrong);
        let mut wrong = whole.clone();
        wrong[21] = 0xff;
        wrong[20] = 0xff;
        send(&wrong);
        let mut wrong = whole.clone();
        let at = 12 + round as usize % (whole.len() - 12);
        wrong[at] ^= 0x55;
        send(&wrong);
        // A call in a tunnel that nobody opened, data in it, an empty datagram.
        send(&control(999, 10, &[]));
        send(&[0x00, 0x02, 0x03, 0xe7, 0x00, 0x01, 0xff, 0x03, 0xc0, 0x21]);
        send(&[]);
    }
    let (said, code) = text(&server.dial("jdoe", "ms-chap-v2", "j!doe1", &["--ping", "1"]));
    assert_eq!(code, 0, "{said}");
    let counters = server.show("counters");
    let dropped: u64 = counters
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| name.starts_with("l2tp-dropped") || *name == "l2tp-bad-messages")
        .filter_map(|(_, count)| count.as_u64())
        .sum();
    assert!(dropped > 1500, "{counters:#}");
    let lines = server.process().lines();
    let kinds = 12;
    let allowed = 40 + kinds * 2 * (begun.elapsed().as_secs() as usize + 1);
    assert!(lines.len() < allowed, "{} lines, {allowed} allowed:\n{}", lines.len(), lines.join("\n"));
}

#[test]
fn junk_inside_a_session_neither_ends_it_nor_the_server() {
    let mut server = start();
    let relay = Relay::start(&server.address());
    let mut dial = connect(&relay.address(), "jdoe", "j!doe1");
    assert!(dial.ping(INSIDE, 1, Duration::from_secs(2)).is_some());
    let header = relay.data_header();
    let frame = |ppp: &[u8]| relay.inject(&[header.as_slice(), ppp].concat());
    frame(&[]);
    for round in 0..300_u64 {
        // Of each protocol that has a machine behind it, and of none.
        for protocol in [0xc023_u16, 0xc223, 0x8021, 0x8057, 0x80fd, 0x0021, 0x0057, 0x1234] {
            let mut junk = vec![0xff, 0x03];
            junk.extend(protocol.to_be_bytes());
            // Code 12 and up: no machine takes it for a request to end the link.
            junk.push(12 + round as u8 % 100);
            junk.extend(noise(round * 31 + u64::from(protocol)).take(round as usize % 80));
            frame(&junk);
        }
        // LCP whose length is a lie, an echo too short for its number, an identification without end.
        frame(&[0xff, 0x03, 0xc0, 0x21, 1, round as u8, 0xff, 0xff, 1, 4]);
        frame(&[0xff, 0x03, 0xc0, 0x21, 9, round as u8, 0, 4]);
        frame(&[0xff, 0x03, 0xc0, 0x21, 12, round as u8, 0, 200]);
        // IPv4 whose lengths do not fit.
        frame(&[0xff, 0x03, 0x00, 0x21, 0x4f, 0, 0xff, 0xff, 0, 0, 0, 0, 64, 17, 0, 0, 10, 77, 0, 10]);
        if round % 50 == 0 {
            assert!(dial.ping(INSIDE, 2 + round as u16, Duration::from_secs(5)).is_some(), "round {round}");
        }
    }
    assert!(dial.ping(INSIDE, 999, Duration::from_secs(5)).is_some(), "the session still carries packets");
    assert!(dial.ended().is_none());
    assert!(server.show("counters")["data-malformed"].as_u64() >= Some(300));
    let (said, code) = text(&server.dial("jdoe", "pap", "j!doe1", &["--ping", "1"]));
    assert_eq!(code, 0, "{said}");
    let lines = server.process().lines().len();
    assert!(lines < 200, "{lines} lines for 3,600 frames");
}

#[test]
fn names_that_no_user_has_are_refused_in_words_and_printed_harmlessly() {
    let mut server = start();
    for name in [
        &b"jdoe\0"[..],
        b"j\xff\xfedoe",
        b"jdoe\r\nfake log line",
        b"\x1b[31mjdoe",
        &[b'x'; 254],
        &[b'x'; 1024],
    ] {
        let failure = Dial::connect(&options(&server.address(), name, "j!doe1"), &mut |_| ())
            .err()
            .unwrap_or_else(|| panic!("{name:?} got in"));
        assert!(!failure.said.is_empty());
    }
    let address = server.address();
    // What no PPP packet holds is not sent at all.
    let mut whole = options(&address, &vec![b'x'; 1 << 20], "j!doe1");
    whole.stage_limit = Duration::from_secs(3);
    assert!(Dial::connect(&whole, &mut |_| ()).is_err(), "a MiB of name got in");
    let config = server.folder().join("tollgate.toml").display().to_string();
    let long = "x".repeat(100_000);
    let ask = ["aaa", "test", "--config", &config, "--method", "pap", "--user", &long];
    let (said, code) = text(&output(&ask, "x"));
    assert_eq!(code, 3, "{said}");
    assert!(said.len() < 2000, "the name is not repeated whole: {} octets", said.len());
    wait_until("the names are refused", Duration::from_secs(10), || {
        server.process().lines_with("login refused").len() >= 3
    });
    let log = server.process().lines();
    for words in ["has a NUL in it", "control character 0x0d", "control character 0x1b", "not UTF-8"] {
        assert!(log.iter().any(|line| line.contains(words)), "{words} in {log:#?}");
    }
    assert!(log.iter().all(|line| line.len() < 2000 && !line.starts_with("fake") && !line.contains('\x1b')));
    let (said, code) = text(&server.dial("jdoe", "pap", "j!doe1", &["--ping", "1"]));
    assert_eq!(code, 0, "{said}");
}
