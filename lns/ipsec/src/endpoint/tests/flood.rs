//! What strangers may cost: memory, arithmetic, and the place of others.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use super::peer::{self, Peer};
use crate::endpoint::half_open::HalfOpen;
use crate::ikev1::header::Cookie;

/// A stranger's way, by number.
fn outer(number: u32) -> String {
    SocketAddr::new(Ipv4Addr::from(0x0a00_0000 + number).into(), 500).to_string()
}

fn stranger(number: u32) -> Peer {
    let mut stranger = Peer::windows(1, "192.168.1.5:500", &outer(number));
    let mut cookie = [1; 8];
    cookie[..4].copy_from_slice(&number.to_be_bytes());
    stranger.cookies.initiator = Cookie(cookie);
    stranger
}

#[test]
fn a_peer_before_its_third_message_costs_at_most_100_octets() {
    let octets = size_of::<(Cookie, HalfOpen)>() + 1 + size_of::<Cookie>();
    assert!(octets <= 100, "{octets} octets in the table, its control octet and the order");
}

#[test]
fn a_flood_of_first_messages_costs_no_arithmetic_and_bounded_memory_and_logins_go_on() {
    let now = Instant::now();
    let mut server = peer::server(now, false);
    for number in 0..30_000u32 {
        let mut stranger = stranger(number);
        // No two alike.
        let at = stranger.sa.len() - 4;
        stranger.sa[at..].copy_from_slice(&(100_000 + number).to_be_bytes());
        server.handle_isakmp(now, stranger.path, &stranger.first_message());
        assert!(server.poll_job().is_none(), "no key exchange for a stranger");
        while server.poll_transmit().is_some() {}
        if number == 15_000 || number == 29_999 {
            let mut client =
                Peer::windows(7, "192.168.1.7:500", &format!("203.0.113.9:{}", 500 + number % 7));
            client.cookies.initiator = Cookie((u64::from(number) + 1).to_be_bytes());
            assert!(client.main_mode(&mut server, now), "a client gets in after {number} strangers");
        }
    }
    assert!((9_990..=server.config.max_half_open).contains(&server.half_opens.len()));
    assert!(server.counters().evicted >= 20_000);
    assert!(server.half_opens.interned() <= 1024);
    assert!(server.half_opens.remembered() <= server.config.max_half_open + 10);
    // And all of it is forgotten by itself.
    let mut later = now;
    peer::pass(&mut server, &mut later, Duration::from_secs(70));
    assert_eq!((server.half_opens.len(), server.half_opens.counted()), (0, 0));
}

#[test]
fn the_payload_of_real_clients_outlives_a_flood_of_others() {
    let now = Instant::now();
    let mut server = peer::server(now, false);
    assert!(Peer::windows(6, "192.168.1.6:500", "203.0.113.8:500").main_mode(&mut server, now));
    let mut client = Peer::windows(7, "192.168.1.7:500", "203.0.113.9:500");
    let second = client.begin(&mut server, now).unwrap();
    for number in 0..5_000 {
        let mut stranger = stranger(number);
        let at = stranger.sa.len() - 4;
        stranger.sa[at..].copy_from_slice(&(100_000 + number).to_be_bytes());
        server.handle_isakmp(now, stranger.path, &stranger.first_message());
        while server.poll_transmit().is_some() {}
    }
    assert!(client.go_on(&mut server, now, &second), "between its first and its third message");
}

#[test]
fn one_source_has_only_so_many_set_ups_and_gets_them_back() {
    let mut now = Instant::now();
    let mut server = peer::server(now, false);
    let most = server.config.max_half_open_per_source;
    for number in 0..most as u32 + 50 {
        let mut one = stranger(number);
        one.path.remote = "203.0.113.9:500".parse().unwrap();
        server.handle_isakmp(now, one.path, &one.first_message());
    }
    assert_eq!(server.half_opens.len(), most);
    assert_eq!(server.counters().source_limited, 50);
    assert!(
        Peer::windows(7, "192.168.1.7:500", "203.0.113.10:500").main_mode(&mut server, now),
        "another source"
    );
    peer::answers(&mut server, now);
    peer::pass(&mut server, &mut now, Duration::from_secs(70));
    assert!(
        Peer::windows(8, "192.168.1.8:500", "203.0.113.9:500").main_mode(&mut server, now),
        "a minute later"
    );
}

#[test]
fn set_ups_that_stop_after_the_third_message_are_bounded_and_end() {
    let mut now = Instant::now();
    let mut server = peer::server(now, false);
    server.reconfigure(crate::endpoint::Config { max_unauthenticated: 5, ..peer::config(false) });
    let mut taken = 0;
    for number in 0..10 {
        let mut one = stranger(number);
        one.key = b"wrong".to_vec();
        let second = one.begin(&mut server, now).unwrap();
        one.go_on(&mut server, now, &second);
        taken += usize::from(one.heard.len() > 1);
    }
    assert_eq!((taken, server.unauthenticated), (5, 5));
    assert_eq!(server.counters().unauthenticated_limited, 5);
    peer::pass(&mut server, &mut now, Duration::from_secs(70));
    peer::assert_empty(&server);
}

#[test]
fn a_cookie_of_another_address_or_of_long_ago_is_refused() {
    let mut now = Instant::now();
    let mut server = peer::server(now, false);
    let mut client = Peer::windows(7, "192.168.1.7:500", "203.0.113.9:500");
    let second = client.begin(&mut server, now).unwrap();
    client.path.remote = "203.0.113.10:500".parse().unwrap();
    assert!(!client.go_on(&mut server, now, &second), "from another address");
    assert_eq!(server.unauthenticated, 0);
    client.path.remote = "203.0.113.9:501".parse().unwrap();
    assert!(client.go_on(&mut server, now, &second), "from another port it is the NAT's doing");
    let mut late = Peer::windows(8, "192.168.1.8:500", "203.0.113.11:500");
    let second = late.begin(&mut server, now).unwrap();
    now += Duration::from_secs(61);
    assert!(!late.go_on(&mut server, now, &second), "after a minute");
    // No timer has run; a cookie that was never given is not known either.
    let mut forged = Peer::windows(9, "192.168.1.9:500", "203.0.113.12:500");
    let mut second = forged.begin(&mut server, now).unwrap();
    second[9] ^= 1;
    assert!(!forged.go_on(&mut server, now, &second));
}

#[test]
fn garbage_with_a_good_cookie_does_not_burn_it() {
    let now = Instant::now();
    let mut server = peer::server(now, false);
    let mut client = Peer::windows(7, "192.168.1.7:500", "203.0.113.9:500");
    let second = client.begin(&mut server, now).unwrap();
    // Our own answer, thrown back.
    server.handle_isakmp(now, client.path, &second);
    assert!(client.go_on(&mut server, now, &second));
}

#[test]
fn a_peer_that_authenticates_cannot_make_associations_without_end() {
    use crate::ikev1::identification::Identification;
    let now = Instant::now();
    let mut server = peer::server(now, false);
    let mut client = Peer::windows(7, "203.0.113.9:500", "203.0.113.9:500");
    assert!(client.main_mode(&mut server, now));
    for number in 0..100u8 {
        client.spi += 1;
        let sa = peer::windows_phase2(client.spi, 2, 3);
        let ids = [
            Identification::address(Ipv4Addr::new(10, 0, 0, number).into(), 17, 1701),
            Identification::address(client.dialled.ip(), 17, 1701),
        ];
        client.quick_with(&mut server, now, sa, &ids);
    }
    assert_eq!((server.associations.len(), server.by_spi.len()), (16, 16));
}
