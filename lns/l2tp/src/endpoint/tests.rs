use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::*;
use crate::config::Role;
use crate::reliable::Channel;

fn path(port: u16, association: Option<u64>) -> Path {
    let at = |octet, port| SocketAddr::from((Ipv4Addr::new(192, 0, 2, octet), port));
    Path { local: at(1, 1701), remote: at(2, port), association }
}

/// What a client costs here when nothing happens: a tunnel, one session, its place in the indexes. The session's
/// own part is tested where it is defined.
#[test]
fn an_idle_tunnel_with_one_session_is_small() {
    assert!(size_of::<Channel>() <= 144, "{} octets", size_of::<Channel>());
    assert!(size_of::<Tunnel>() <= 512, "{} octets", size_of::<Tunnel>());
}

#[test]
fn a_shard_gives_out_its_own_ids_only() {
    let ids = IdSpace { shard: 5, shard_bits: 3 };
    let mut endpoint = Endpoint::new(Config::new(Role::Lac, "lac"), ids, Entropy::from_seed([1; 32]));
    for port in 1..200 {
        let id = endpoint.open_tunnel(Instant::now(), path(port, None)).unwrap();
        assert_eq!(ids.shard_of(id.get()), 5);
    }
    assert_eq!(endpoint.tunnel_count(), 199);
    assert_eq!(endpoint.tunnels().count(), 199);
}

#[test]
fn no_more_tunnels_than_ids() {
    let ids = IdSpace { shard: 0, shard_bits: 12 };
    let mut endpoint = Endpoint::new(Config::new(Role::Lac, "lac"), ids, Entropy::from_seed([1; 32]));
    let opened =
        (1..100).filter(|port| endpoint.open_tunnel(Instant::now(), path(*port, None)).is_ok()).count();
    assert_eq!(opened, 15, "sixteen numbers, and zero is none");
}

#[test]
fn timers_are_found_without_looking_at_tunnels_and_leave_with_them() {
    let mut endpoint =
        Endpoint::new(Config::new(Role::Lac, "lac"), IdSpace::whole(), Entropy::from_seed([1; 32]));
    let now = Instant::now();
    for port in 1..=1000 {
        endpoint.open_tunnel(now, path(port, None)).unwrap();
    }
    assert_eq!(endpoint.shared.timers.len(), 1000, "one each");
    assert_eq!(endpoint.next_timeout(), Some(now + Duration::from_secs(1)));
    let mut last = now;
    while let Some(next) = endpoint.next_timeout() {
        assert!(next > last, "time goes on");
        last = next;
        endpoint.handle_timeout(next);
    }
    assert_eq!(last, now + Duration::from_secs(39));
    assert!(endpoint.is_idle());
    assert_eq!((endpoint.tunnel_count(), endpoint.by_peer.len(), endpoint.opening.len()), (0, 0, 0));
    assert_eq!(endpoint.tunnels.iter().count(), 0);
}

#[test]
fn a_tunnel_moves_within_its_association_or_in_the_clear_within_its_address() {
    assert!(may_move(&path(1701, None), &path(4711, None)));
    assert!(may_move(&path(1701, Some(1)), &path(4711, Some(1))));
    assert!(!may_move(&path(1701, Some(1)), &path(1701, Some(2))));
    assert!(!may_move(&path(1701, Some(1)), &path(1701, None)));
    assert!(!may_move(&path(1701, None), &path(1701, Some(1))));
    let mut elsewhere = path(1701, None);
    elsewhere.remote.set_ip(Ipv4Addr::new(192, 0, 2, 3).into());
    assert!(!may_move(&path(1701, None), &elsewhere));
}
