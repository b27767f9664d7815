use super::*;
use crate::ikev1::selection::Policy;

const ANSWER: Duration = Duration::from_secs(28_800);

fn chosen() -> Chosen {
    Chosen::from(Policy {
        authentication: Authentication::PreSharedKey,
        cipher: Cipher::Aes256,
        hash: Hash::Sha1,
        group: Group::Modp2048,
        lifetime: ANSWER,
    })
}

fn table(now: Instant) -> HalfOpens {
    HalfOpens::new(now, Place { shard: 3, bits: 2 }, &mut Entropy::from_seed([1; 32]))
}

fn remote(number: u32) -> SocketAddr {
    SocketAddr::new(std::net::Ipv4Addr::from(number).into(), 500)
}

fn add(table: &mut HalfOpens, now: Instant, number: u32, sa: &[u8]) -> Cookie {
    let kept = (Vendor::default(), chosen());
    table.add(now, remote(number), Cookie([1; 8]), sa, kept, (100, 10)).unwrap().0
}

#[test]
fn the_same_first_message_gets_the_same_cookie_and_costs_once() {
    let now = Instant::now();
    let mut table = table(now);
    let cookie = add(&mut table, now, 1, b"sa");
    assert_eq!(add(&mut table, now, 1, b"sa"), cookie);
    assert_eq!((table.len(), table.counted()), (1, 1));
    assert_ne!(add(&mut table, now, 2, b"sa"), cookie);
    assert_eq!(cookie.0[7] & 3, 3, "its end names the shard");
    assert_eq!(table.interned(), 1, "one payload for both");
}

#[test]
fn what_was_kept_comes_back_and_its_source_keeps_its_place() {
    let now = Instant::now();
    let mut table = table(now);
    let cookie = add(&mut table, now, 1, b"payload");
    let (entry, sa) = table.find(now, remote(1), Cookie([1; 8]), cookie).unwrap();
    assert_eq!((&*sa, entry.chosen.policy().lifetime), (b"payload".as_slice(), ANSWER));
    assert!(table.find(now, remote(1), Cookie([2; 8]), cookie).is_none(), "another initiator");
    assert!(table.find(now, remote(2), Cookie([1; 8]), cookie).is_none(), "another address");
    table.take(cookie);
    assert!(table.find(now, remote(1), Cookie([1; 8]), cookie).is_none(), "once");
    assert_eq!((table.len(), table.counted()), (0, 1));
    table.release(entry.remote.ip());
    assert_eq!(table.counted(), 0);
}

#[test]
fn the_oldest_make_place_and_the_old_are_forgotten_in_time() {
    let now = Instant::now();
    let mut table = table(now);
    let first = add(&mut table, now, 0, b"sa");
    for number in 1..=100 {
        add(&mut table, now, number, b"sa");
    }
    assert!(!table.holds(first));
    assert_eq!((table.len(), table.counted()), (100, 100));
    let due = table.due().unwrap();
    table.expire(due);
    assert_eq!((table.len(), table.counted(), table.due()), (0, 0, None));
}

#[test]
fn neighbours_of_one_ipv6_network_share_their_limit() {
    let now = Instant::now();
    let mut table = table(now);
    let kept = (Vendor::default(), chosen());
    let from = |text: &str| SocketAddr::new(text.parse().unwrap(), 500);
    for number in 0..10 {
        let remote = from(&format!("2001:db8::{number}"));
        assert!(table.add(now, remote, Cookie([1; 8]), b"sa", kept, (100, 10)).is_ok());
    }
    let refused = table.add(now, from("2001:db8::ffff"), Cookie([1; 8]), b"sa", kept, (100, 10));
    assert_eq!(refused, Err(Refusal::Source));
    assert!(table.add(now, from("2001:db8:0:1::1"), Cookie([1; 8]), b"sa", kept, (100, 10)).is_ok());
    let long = vec![0; LONGEST_SA + 1];
    let refused = table.add(now, from("192.0.2.1"), Cookie([1; 8]), &long, kept, (100, 10));
    assert_eq!(refused, Err(Refusal::Long));
}
