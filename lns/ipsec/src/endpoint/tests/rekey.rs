//! New keys for old, dead peers, Deletes, and clients that come again.

use std::sync::Arc;
use std::time::Duration;

use tollgate_sansio::Entropy;

use super::lab::{self, Flying, Lab, Side};
use crate::algorithm::Group;
use crate::endpoint::*;
use crate::ikev1::notify::Delete;
use crate::place::Place;

const NAT: &str = "203.0.113.9:20000";

fn short_lived() -> Dial {
    let mut dial = lab::dial(b"secret");
    dial.sa_lifetime = Duration::from_secs(5);
    for policy in &mut dial.policies {
        policy.lifetime = Duration::from_secs(7);
    }
    dial
}

/// Packets each way, every 50 ms.
fn stream(lab: &mut Lab, pair: (AssociationId, AssociationId), seconds: u64) {
    for _ in 0..seconds * 20 {
        lab.run_for(Duration::from_millis(50));
        lab.exchange(pair.0, pair.1);
    }
}

#[test]
fn both_phases_are_rekeyed_again_and_again_without_losing_a_packet() {
    for pfs in [None, Some(Group::Ecp256)] {
        for nat in [None, Some(NAT)] {
            let mut lab = Lab::new(lab::server_config(&[b"secret"]));
            lab.nat = nat.map(|nat| nat.parse().unwrap());
            let mut dial = short_lived();
            dial.pfs = pfs;
            let pair = lab.connect(dial);
            stream(&mut lab, pair, 60);
            let info = lab.server.association(pair.1).unwrap();
            assert!(info.rekeyed >= 10, "{}", info.rekeyed);
            assert!(lab.peers().len() >= 6, "{}", lab.peers().len());
            assert_eq!(lab.server_associations().len(), 1, "it stays the same association");
            assert!(lab.server.by_spi.len() <= 4, "{} SPIs", lab.server.by_spi.len());
            assert!(lab.server.ikes.len() <= 2, "{} ISAKMP associations", lab.server.ikes.len());
            assert!(lab.failures().is_empty(), "{:?}", lab.failures());
            let entries =
                format!("{:?} {:?}", lab.server.timers, lab.client.timers).matches("Reverse").count();
            assert!(entries < 60, "{entries} entries of timers");
        }
    }
}

#[test]
fn packets_of_the_old_pair_that_are_still_on_the_way_arrive() {
    let mut lab = Lab::new(lab::server_config(&[b"secret"]));
    let pair = lab.connect(short_lived());
    let late = lab.seal(Side::Client, pair.0, b"late").unwrap();
    let late_down = lab.seal(Side::Server, pair.1, b"late down").unwrap();
    lab.run_for(Duration::from_millis(4500));
    assert_eq!(lab.server.association(pair.1).unwrap().rekeyed, 1);
    assert_eq!(lab.bring(Side::Client, late.0, late.1).unwrap().1, b"late");
    assert_eq!(lab.bring(Side::Server, late_down.0, late_down.1).unwrap().1, b"late down");
}

#[test]
fn the_server_asks_for_new_keys_when_the_numbers_of_packets_run_out() {
    let mut lab = Lab::new(lab::server_config(&[b"secret"]));
    let pair = lab.connect(lab::dial(b"secret"));
    let now = lab.now;
    let spi = lab.server.associations[&pair.1].children[0].spi_in;
    lab.server.rekey_now(now, pair.1, spi.get());
    lab.run_for(Duration::from_secs(1));
    assert_eq!(lab.server.association(pair.1).unwrap().rekeyed, 1);
    assert_eq!(lab.client.association(pair.0).unwrap().rekeyed, 1);
    lab.exchange(pair.0, pair.1);
    // The client takes the old pair away.
    lab.run_for(Duration::from_secs(10));
    assert_eq!((lab.server.by_spi.len(), lab.client.by_spi.len()), (1, 1));
    lab.exchange(pair.0, pair.1);
}

#[test]
fn kilobytes_are_rekeyed_once_and_not_with_every_packet() {
    let mut config = lab::client_config();
    config.sa_kilobytes = Some(4);
    let mut lab = Lab::with_client(lab::server_config(&[b"secret"]), config);
    let pair = lab.connect(lab::dial(b"secret"));
    let before = lab.sent;
    for _ in 0..5 {
        // No answer comes yet, and packets go on.
        lab.seal(Side::Client, pair.0, &[7; 1000]).unwrap();
    }
    let now = lab.now;
    for _ in 0..20 {
        lab.seal(Side::Client, pair.0, &[7; 1000]).unwrap();
        lab.client.handle_timeout(now);
        lab.collect();
    }
    assert_eq!(lab.sent - before, 1, "one quick mode");
    lab.settle();
    assert_eq!(lab.client.association(pair.0).unwrap().rekeyed, 1);
    lab.exchange(pair.0, pair.1);
}

#[test]
fn a_server_leaves_kilobytes_to_the_client() {
    let mut config = lab::client_config();
    config.sa_kilobytes = Some(4);
    let mut lab = Lab::with_client(lab::server_config(&[b"secret"]), config);
    let pair = lab.connect(lab::dial(b"secret"));
    for child in &mut lab.client.associations.get_mut(&pair.0).unwrap().children {
        child.octets = None;
    }
    for _ in 0..4 {
        lab.carry(Side::Client, pair.0, &[7; 1000]).unwrap();
        lab.run_for(Duration::from_millis(10));
    }
    assert_eq!(lab.server.association(pair.1).unwrap().rekeyed, 0);
    // A tenth more than was agreed, and the client still has not asked.
    for _ in 0..2 {
        lab.carry(Side::Client, pair.0, &[7; 1000]).unwrap();
        lab.run_for(Duration::from_millis(10));
    }
    assert_eq!(lab.server.association(pair.1).unwrap().rekeyed, 1);
}

#[test]
fn phase_2_lives_on_when_phase_1_has_expired() {
    let mut lab = Lab::new(lab::server_config(&[b"secret"]));
    let pair = lab.connect(lab::dial(b"secret"));
    let ikes: Vec<u64> = lab.server.ikes.keys().copied().collect();
    ikes.into_iter().for_each(|ike| lab.server.drop_ike(ike));
    let ikes: Vec<u64> = lab.client.ikes.keys().copied().collect();
    ikes.into_iter().for_each(|ike| lab.client.drop_ike(ike));
    lab.exchange(pair.0, pair.1);
    // And gets new keys by a new phase 1.
    stream(&mut lab, pair, 1);
    lab.run_for(Duration::from_secs(3000));
    assert_eq!(lab.server.association(pair.1).unwrap().rekeyed, 1);
    lab.exchange(pair.0, pair.1);
}

#[test]
fn a_client_whose_phase_1_the_server_has_lost_comes_to_new_keys() {
    let mut config = lab::client_config();
    config.dpd = None;
    let mut lab = Lab::with_client(lab::server_config(&[b"secret"]), config);
    let pair = lab.connect(lab::dial(b"secret"));
    let ikes: Vec<u64> = lab.server.ikes.keys().copied().collect();
    ikes.into_iter().for_each(|ike| lab.server.drop_ike(ike));
    lab.run_for(Duration::from_secs(3000));
    assert_eq!(lab.server.association(pair.1).unwrap().rekeyed, 1);
    lab.exchange(pair.0, pair.1);
}

#[test]
fn a_dead_peer_is_noticed_at_either_end() {
    for dead in [Side::Client, Side::Server] {
        let mut lab = Lab::with_client(lab::server_config(&[b"secret"]), lab::client_config());
        lab.connect(lab::dial(b"secret"));
        let alive = if dead == Side::Client { Side::Server } else { Side::Client };
        // All that reaches the dead one is lost.
        for _ in 0..1000 {
            let Some(next) = lab.end(alive).next_timeout() else { break };
            lab.now = lab.now.max(next);
            let now = lab.now;
            lab.end(alive).handle_timeout(now);
            lab.end(dead).handle_timeout(now);
            lab.collect();
            lab.flying.clear();
            if !lab.downs(alive).is_empty() {
                break;
            }
        }
        assert_eq!(lab.downs(alive), [DownCause::DeadPeer]);
        lab.assert_empty(alive);
    }
}

#[test]
fn a_live_peer_that_is_silent_is_kept() {
    let mut lab = Lab::new(lab::server_config(&[b"secret"]));
    let pair = lab.connect(lab::dial(b"secret"));
    lab.run_for(Duration::from_secs(2400));
    assert!(lab.downs(Side::Server).is_empty() && lab.downs(Side::Client).is_empty());
    lab.exchange(pair.0, pair.1);
}

#[test]
fn a_client_that_vanished_and_returns_from_the_same_place_is_served_at_once() {
    for nat in [None, Some(NAT)] {
        let mut lab = Lab::new(lab::server_config(&[b"secret"]));
        lab.nat = nat.map(|nat| nat.parse().unwrap());
        let (_, first) = lab.connect(lab::dial(b"secret"));
        // It forgets everything, and does not say INITIAL-CONTACT.
        let now = lab.now;
        lab.client = Endpoint::new(now, lab::client_config(), Place::default(), Entropy::from_seed([9; 32]));
        let connection = ConnectionId(1);
        let path =
            Path { local: lab::CLIENT.parse().unwrap(), remote: lab::SERVER.parse().unwrap(), nat_t: false };
        lab.client.begin(
            now,
            path,
            Arc::new(lab::dial(b"secret")),
            connection,
            vec![Some(AssociationId(99))],
        );
        let ike = lab.client.ikes.values_mut().next().unwrap();
        ike.waiting = vec![Some(AssociationId(99))];
        lab.collect();
        lab.settle();
        let client = lab.client_association(connection);
        lab.exchange(client, first);
        assert_eq!(lab.server.ikes.values().filter(|ike| !ike.associations.is_empty()).count(), 1);
        lab.run_for(Duration::from_secs(200));
        assert_eq!(lab.server.ikes.len(), 1, "the old phase 1 does not stay for hours");
        lab.exchange(client, first);
    }
}

#[test]
fn initial_contact_ends_the_old_association_and_not_another_pc_behind_the_same_nat() {
    let mut lab = Lab::new(lab::server_config(&[b"secret"]));
    lab.nat = Some("203.0.113.9:20000".parse().unwrap());
    lab.other_nat = Some("203.0.113.9:30000".parse().unwrap());
    let (_, first) = lab.connect(lab::dial(b"secret"));
    // Another PC: the same private address and name, another port of the NAT.
    let connection = lab.dial_from(Side::Other, lab::CLIENT, lab::dial(b"secret"));
    lab.settle();
    let other = (lab.association_of(Side::Other, connection), lab.server_association());
    assert_ne!(first, other.1);
    let now = lab.now;
    lab.client = Endpoint::new(now, lab::client_config(), Place::default(), Entropy::from_seed([9; 32]));
    let (client, again) = lab.connect(lab::dial(b"secret"));
    assert_eq!(lab.downs(Side::Server), [DownCause::InitialContact]);
    assert!(lab.server.association(first).is_none());
    lab.exchange(client, again);
    assert_eq!(lab.carry(Side::Other, other.0, b"still here").unwrap(), b"still here");
    assert_eq!(lab.carry(Side::Server, other.1, b"so am I").unwrap(), b"so am I");
}

#[test]
fn a_client_deletes_only_what_is_its_own() {
    let mut lab = Lab::new(lab::server_config(&[b"secret"]));
    lab.nat = Some("203.0.113.9:20000".parse().unwrap());
    lab.other_nat = Some("203.0.113.9:30000".parse().unwrap());
    let pair = lab.connect(lab::dial(b"secret"));
    lab.dial_from(Side::Other, lab::CLIENT, lab::dial(b"secret"));
    lab.settle();
    let spi = lab.client.associations[&pair.0].children[0].spi_in.get();
    let cookies = lab.client.ikes.values().next().unwrap().cookies;
    let ike = *lab.other.ikes.keys().next().unwrap();
    lab.other.send_delete(ike, &Delete::Esp(vec![spi]));
    lab.other.send_delete(ike, &Delete::Isakmp(vec![cookies]));
    lab.collect();
    lab.settle();
    assert_eq!(lab.server.ikes.len(), 2);
    lab.exchange(pair.0, pair.1);
}

#[test]
fn closing_tells_the_peer_and_leaves_nothing() {
    for side in [Side::Client, Side::Server] {
        let mut lab = Lab::new(lab::server_config(&[b"secret"]));
        let (client, server) = lab.connect(lab::dial(b"secret"));
        let now = lab.now;
        match side {
            Side::Server => lab.server.close(now, server),
            _ => lab.client.close(now, client),
        }
        lab.collect();
        lab.settle();
        lab.run_for(Duration::from_secs(70));
        lab.assert_empty(Side::Client);
        lab.assert_empty(Side::Server);
    }
}

#[test]
fn a_port_that_changes_is_followed_by_the_newest_packet_alone() {
    let mut lab = Lab::new(lab::server_config(&[b"secret"]));
    lab.nat = Some("203.0.113.9:20000".parse().unwrap());
    let pair = lab.connect(lab::dial(b"secret"));
    let old = lab.server.route(pair.1).unwrap();
    let overtaken = lab.seal(Side::Client, pair.0, b"overtaken").unwrap();
    lab.nat = Some("203.0.113.9:40000".parse().unwrap());
    lab.exchange(pair.0, pair.1);
    let new = lab.server.route(pair.1).unwrap();
    assert_eq!(new.remote, "203.0.113.9:44500".parse().unwrap());
    // One from before the change comes late, from the old port.
    let now = lab.now;
    let mut packet = overtaken.0;
    lab.server.handle_esp(now, old, &mut packet).unwrap();
    assert_eq!(lab.server.route(pair.1), Some(new));
    // A forged one comes from elsewhere.
    let (mut forged, _) = lab.seal(Side::Client, pair.0, b"genuine").unwrap();
    *forged.last_mut().unwrap() ^= 1;
    let elsewhere = Path { remote: "192.0.2.66:4500".parse().unwrap(), ..new };
    assert!(lab.server.handle_esp(now, elsewhere, &mut forged).is_err());
    assert_eq!(lab.server.route(pair.1), Some(new));
    // The next phase 2 belongs to the same association, though no packet showed the port first.
    lab.nat = Some("203.0.113.9:50000".parse().unwrap());
    let ike = *lab.client.ikes.keys().next().unwrap();
    lab.client.start_quick(now, ike, Some(pair.0));
    lab.collect();
    lab.settle();
    assert_eq!(lab.server_associations().len(), 1);
    assert_eq!(lab.server.route(pair.1).unwrap().remote, "203.0.113.9:54500".parse().unwrap());
    lab.exchange(pair.0, pair.1);
}

#[test]
fn an_old_first_message_of_quick_mode_does_not_move_anybody() {
    let mut lab = Lab::new(lab::server_config(&[b"secret"]));
    lab.nat = Some(NAT.parse().unwrap());
    let pair = lab.connect(lab::dial(b"secret"));
    let route = lab.server.route(pair.1).unwrap();
    let is_quick = |flying: &&Flying| flying.to == Side::Server && flying.datagram.get(22) == Some(&32);
    let first = lab.log.iter().find(is_quick).unwrap().clone();
    // As if it had been forgotten long ago.
    for number in 0..64 {
        lab.server.ikes.values_mut().next().unwrap().finish_quick(0x1000 + number);
    }
    let thief = Path { remote: "192.0.2.66:4500".parse().unwrap(), ..first.path };
    lab.deliver(Flying { path: thief, ..first });
    assert_eq!(lab.server.route(pair.1), Some(route));
    assert_eq!(lab.server.ikes.values().next().unwrap().path, route);
    lab.exchange(pair.0, pair.1);
    lab.run_for(Duration::from_secs(60));
    lab.assert_nobody_under_way(Side::Server);
    lab.exchange(pair.0, pair.1);
}

#[test]
fn many_negotiations_without_a_delete_do_not_pile_up() {
    let mut lab = Lab::new(lab::server_config(&[b"secret"]));
    let pair = lab.connect(lab::dial(b"secret"));
    for _ in 0..50 {
        let now = lab.now;
        let ike = *lab.client.ikes.keys().next().unwrap();
        lab.client.start_quick(now, ike, Some(pair.0));
        lab.collect();
        lab.settle();
        lab.exchange(pair.0, pair.1);
    }
    assert!(lab.server.by_spi.len() <= 9, "{} SPIs", lab.server.by_spi.len());
}
