//! Phase 1 and phase 2 in all their forms, and what is said when they fail.

use std::time::Duration;

use super::lab::{self, Lab, Side};
use crate::algorithm::{Authentication, Cipher, EspCipher, Group, Hash, Integrity, Mode};
use crate::endpoint::*;
use crate::ikev1::identification::Identification;
use crate::ikev1::selection::{Encapsulation, Pfs, TransformSet};

const NAT: &str = "203.0.113.9:20000";

#[test]
fn main_mode_and_quick_mode_with_a_preshared_key_carry_packets_both_ways() {
    let mut lab = Lab::new(lab::server_config(&[b"secret"]));
    lab.connect(lab::dial(b"secret"));
    assert!(lab.failures().is_empty(), "{:?}", lab.failures());
    assert_eq!(lab.server.associations().next().unwrap().encapsulation, Encapsulation::Raw);
    lab.run_for(Duration::from_secs(90));
    lab.assert_nobody_under_way(Side::Server);
    lab.assert_nobody_under_way(Side::Client);
}

#[test]
fn the_second_key_of_a_group_is_found_and_its_number_told() {
    let mut lab = Lab::new(lab::server_config(&[b"old key", b"new key"]));
    lab.connect(lab::dial(b"new key"));
    assert_eq!(lab.peers()[0].proof, "pre-shared key 2 of DefaultRAGroup");
    assert_eq!(lab.peers()[0].name, "198.51.100.7");
}

#[test]
fn keys_beyond_the_most_that_are_tried_do_not_open_the_door() {
    let keys: Vec<Vec<u8>> = (0..=MOST_KEYS as u8).map(|number| vec![b'k', number]).collect();
    let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
    let mut lab = Lab::new(lab::server_config(&keys));
    lab.connect(lab::dial(keys[MOST_KEYS - 1]));
    let connection = lab.dial_from(Side::Other, "198.51.100.8:500", lab::dial(keys[MOST_KEYS]));
    lab.run_for(Duration::from_secs(60));
    assert_eq!(lab.try_association_of(Side::Other, connection), None);
}

#[test]
fn a_wrong_key_is_told_once_with_its_group_and_leaves_nothing() {
    let mut lab = Lab::new(lab::server_config(&[b"secret"]));
    lab.dial(lab::dial(b"another"));
    lab.run_for(Duration::from_secs(200));
    let words = lab.failure_at(Side::Server);
    assert!(
        words.contains("wrong pre-shared key") && words.contains("tunnel group DefaultRAGroup"),
        "{words}"
    );
    assert!(lab.failure_at(Side::Client).contains("the pre-shared key differs"));
    lab.assert_empty(Side::Server);
    lab.assert_empty(Side::Client);
}

#[test]
fn proofs_under_wrong_keys_are_not_tried_without_end() {
    let mut lab = Lab::new(lab::server_config(&[b"secret"]));
    lab.dial(lab::dial(b"another"));
    lab.settle();
    let last = lab.log.iter().rev().find(|flying| flying.to == Side::Server).unwrap().clone();
    for number in 0..100u8 {
        let mut forged = last.clone();
        *forged.datagram.last_mut().unwrap() ^= number | 1;
        lab.deliver(forged);
    }
    let ike = lab.server.ikes.values().next().unwrap();
    assert_eq!(ike.phase1.as_ref().unwrap().wrong_proofs, 16);
    assert_eq!(lab.failures().iter().filter(|(side, _)| *side == Side::Server).count(), 1);
}

#[test]
fn all_groups_of_phase_1_and_of_pfs_make_keys() {
    for group in Group::ALL.iter().copied() {
        let mut config = lab::server_config(&[b"secret"]);
        config.policies = vec![lab::policy(Cipher::Aes128, Hash::Sha256, group)];
        let mut dial = lab::dial(b"secret");
        dial.policies = config.policies.clone();
        dial.pfs = Some(group);
        let mut lab = Lab::new(config);
        lab.connect(dial);
    }
}

#[test]
fn all_ciphers_and_hashes_of_phase_1_make_keys() {
    for cipher in Cipher::ALL.iter().copied() {
        for hash in Hash::ALL.iter().copied() {
            let mut config = lab::server_config(&[b"secret"]);
            config.policies = vec![lab::policy(cipher, hash, Group::Ecp256)];
            let mut dial = lab::dial(b"secret");
            dial.policies = config.policies.clone();
            let mut lab = Lab::new(config);
            lab.connect(dial);
        }
    }
}

#[test]
fn all_suites_in_both_modes_with_and_without_a_nat_carry_packets() {
    let integrities: Vec<_> = Integrity::ALL.iter().copied().map(Some).chain([None]).collect();
    for cipher in EspCipher::ALL.iter().copied() {
        for integrity in &integrities {
            let Some(suite) = crate::algorithm::EspSuite::new(cipher, *integrity) else { continue };
            for mode in [Mode::Transport, Mode::Tunnel] {
                for is_natted in [false, true] {
                    let set = TransformSet { suite, mode };
                    let mut config = lab::server_config(&[b"secret"]);
                    config.transform_sets = vec![set];
                    let mut dial = lab::dial(b"secret");
                    dial.transform_sets = vec![set];
                    let mut lab = Lab::new(config);
                    lab.nat = is_natted.then(|| NAT.parse().unwrap());
                    lab.connect(dial);
                    let info = lab.server.associations().next().unwrap();
                    assert_eq!((info.set, info.path.nat_t), (Some(set), is_natted));
                }
            }
        }
    }
}

#[test]
fn a_nat_moves_both_ends_to_the_other_port_with_the_numbers_of_the_rfc() {
    let mut lab = Lab::new(lab::server_config(&[b"secret"]));
    lab.nat = Some(NAT.parse().unwrap());
    lab.connect(lab::dial(b"secret"));
    let info = lab.server.associations().next().unwrap();
    assert_eq!(info.path.remote, "203.0.113.9:24500".parse().unwrap());
    assert_eq!(info.encapsulation, Encapsulation::Udp);
    assert!(info.nat.remote && !info.nat.local);
}

#[test]
fn udp_can_be_forced_by_either_end() {
    for by_server in [true, false] {
        let mut config = lab::server_config(&[b"secret"]);
        config.force_udp = by_server;
        let mut dial = lab::dial(b"secret");
        dial.force_udp = !by_server;
        let mut lab = Lab::new(config);
        lab.connect(dial);
        assert!(lab.server.associations().next().unwrap().path.nat_t, "forced by the server: {by_server}");
    }
}

#[test]
fn a_server_without_raw_esp_has_every_client_use_udp() {
    let mut config = lab::server_config(&[b"secret"]);
    config.raw_esp = false;
    let mut lab = Lab::new(config);
    lab.connect(lab::dial(b"secret"));
    assert_eq!(lab.server.associations().next().unwrap().encapsulation, Encapsulation::Udp);
}

#[test]
fn pfs_that_is_required_is_insisted_on() {
    let mut config = lab::server_config(&[b"secret"]);
    config.pfs = Pfs::Required(Group::Ecp256);
    let mut lab = Lab::new(config);
    lab.dial(lab::dial(b"secret"));
    lab.run_for(Duration::from_secs(200));
    let words = lab.failure_at(Side::Server);
    assert!(words.contains("aes-256/sha1 transport is without PFS, which is required"), "{words}");
    assert!(lab.failure_at(Side::Client).contains("NO-PROPOSAL-CHOSEN to the phase-2 proposals"));
    lab.assert_empty(Side::Client);
    lab.assert_empty(Side::Server);
}

#[test]
fn no_common_policy_says_what_was_offered_and_what_to_change() {
    let mut lab = Lab::new(lab::server_config(&[b"secret"]));
    let mut dial = lab::dial(b"secret");
    dial.policies = vec![lab::policy(Cipher::Aes256, Hash::Sha1, Group::Modp1024)];
    lab.dial(dial);
    lab.run_for(Duration::from_secs(60));
    let words = lab.failure_at(Side::Server);
    assert_eq!(
        words,
        "no common phase-1 proposal: the peer offers aes-256/sha1/group 2/pre-share; allowed here: \
         aes-256/sha1/group 19/pre-share, aes-256/sha256/group 14/pre-share; smallest change that would match: an \
         [[ipsec.policy]] with group = 2, legacy = true"
    );
    assert!(lab.failure_at(Side::Client).contains("NO-PROPOSAL-CHOSEN to the phase-1 proposals"));
    lab.assert_empty(Side::Client);
    lab.assert_empty(Side::Server);
}

#[test]
fn no_common_transform_set_says_what_was_offered() {
    let mut lab = Lab::new(lab::server_config(&[b"secret"]));
    let mut dial = lab::dial(b"secret");
    dial.transform_sets = vec![lab::set(EspCipher::TripleDes, Some(Integrity::HmacMd5), Mode::Transport)];
    lab.dial(dial);
    lab.run_for(Duration::from_secs(200));
    let words = lab.failure_at(Side::Server);
    assert!(
        words.contains("the peer offers 3des/md5 transport is in no transform set; allowed here:"),
        "{words}"
    );
    lab.assert_empty(Side::Client);
    lab.assert_empty(Side::Server);
}

#[test]
fn tunnel_mode_that_is_not_served_is_named() {
    let mut config = lab::server_config(&[b"secret"]);
    config.transform_sets.retain(|set| set.mode == Mode::Transport);
    let mut lab = Lab::new(config);
    let mut dial = lab::dial(b"secret");
    dial.transform_sets = vec![lab::set(EspCipher::Aes256, Some(Integrity::HmacSha1), Mode::Tunnel)];
    lab.dial(dial);
    lab.settle();
    assert!(lab.failure_at(Side::Server).contains("aes-256/sha1 tunnel is in no transform set"));
}

fn aggressive(key: &[u8], name: &[u8]) -> (Config, Dial) {
    let mut config = lab::server_config(&[b"default key"]);
    config.aggressive = true;
    config.keys.push(GroupKeys { tunnel_group: "staff".into(), keys: vec![lab::key(b"staff key")] });
    let mut dial = lab::dial(key);
    dial.aggressive = true;
    dial.identity = Identification::key_id(name);
    (config, dial)
}

#[test]
fn aggressive_mode_finds_the_group_by_its_name() {
    for is_natted in [false, true] {
        let (config, dial) = aggressive(b"staff key", b"staff");
        let mut lab = Lab::new(config);
        lab.nat = is_natted.then(|| NAT.parse().unwrap());
        lab.connect(dial);
        assert_eq!(&*lab.peers()[0].tunnel_group, "staff");
        assert_eq!(lab.server.associations().next().unwrap().path.nat_t, is_natted);
        lab.run_for(Duration::from_secs(90));
        lab.assert_nobody_under_way(Side::Server);
    }
}

#[test]
fn aggressive_mode_with_a_wrong_key_or_an_unknown_group_leaves_nothing() {
    for (key, name) in [(b"wrong key".as_slice(), b"staff".as_slice()), (b"staff key", b"nobody")] {
        let (config, dial) = aggressive(key, name);
        let mut lab = Lab::new(config);
        lab.dial(dial);
        lab.run_for(Duration::from_secs(200));
        assert_eq!(lab.failures().iter().filter(|(side, _)| *side == Side::Client).count(), 1);
        assert_eq!(lab.failures().iter().filter(|(side, _)| *side == Side::Server).count(), 1);
        lab.assert_empty(Side::Client);
        lab.assert_empty(Side::Server);
    }
}

#[test]
fn aggressive_mode_that_is_off_is_refused_with_the_fix() {
    let (mut config, dial) = aggressive(b"staff key", b"staff");
    config.aggressive = false;
    let mut lab = Lab::new(config);
    lab.dial(dial);
    lab.run_for(Duration::from_secs(60));
    assert!(lab.failure_at(Side::Server).contains("aggressive-mode = true in [ipsec]"));
    lab.assert_empty(Side::Client);
    lab.assert_empty(Side::Server);
}

#[test]
fn a_lost_last_message_of_aggressive_mode_is_sent_again() {
    let (config, dial) = aggressive(b"staff key", b"staff");
    let mut lab = Lab::new(config);
    lab.lose(2);
    let connection = lab.dial(dial);
    lab.run_for(Duration::from_secs(10));
    let pair = (lab.client_association(connection), lab.server_association());
    lab.exchange(pair.0, pair.1);
}

#[test]
fn settings_that_change_during_a_set_up_do_not_spoil_it() {
    for after in 0..9 {
        let mut lab = Lab::new(lab::server_config(&[b"secret"]));
        let mut dial = lab::dial(b"secret");
        dial.policies.push(lab::policy(Cipher::Aes256, Hash::Sha256, Group::Modp2048));
        let connection = lab.dial(dial);
        for _ in 0..after {
            let Some(flying) = lab.flying.pop_front() else { break };
            lab.deliver(flying);
        }
        let mut changed = lab::server_config(&[b"secret"]);
        changed.policies.remove(0);
        lab.server.reconfigure(changed);
        lab.run_for(Duration::from_secs(40));
        let pair = (lab.client_association(connection), lab.server_association());
        lab.exchange(pair.0, pair.1);
    }
}

#[test]
fn an_unauthenticated_word_tears_nothing_down_that_is_established() {
    use crate::ikev1::header::{ExchangeType, Header};
    use crate::ikev1::notify::{Delete, Notification, kind};
    use crate::ikev1::payload::{Builder, Kind};
    let mut lab = Lab::new(lab::server_config(&[b"secret"]));
    let (client, server) = lab.connect(lab::dial(b"secret"));
    let cookies = lab.server.ikes.values().next().unwrap().cookies;
    for to in [Side::Server, Side::Client] {
        let from = lab.log.iter().rev().find(|flying| flying.to == to).unwrap().path;
        for exchange in [ExchangeType::Informational, ExchangeType::Main, ExchangeType::Quick] {
            let header = Header { cookies, next_payload: 0, exchange, flags: 0, message_id: 7 };
            let mut builder = Builder::new();
            let notification =
                Notification { kind: kind::INVALID_COOKIE, protocol: 1, spi: &cookies.octets(), data: &[] };
            builder.add(Kind::Delete, &[&Delete::Isakmp(vec![cookies]).encode()]);
            builder.add(Kind::Notification, &[&notification.encode()]);
            let datagram = builder.finish(header);
            lab.deliver(lab::Flying { to, path: from, datagram });
        }
    }
    lab.exchange(client, server);
    assert_eq!((lab.server.ikes.len(), lab.client.ikes.len()), (1, 1));
}

#[test]
fn policies_without_the_means_for_them_are_passed_over() {
    let mut config = lab::server_config(&[b"secret"]);
    config.policies.insert(
        0,
        crate::ikev1::selection::Policy {
            authentication: Authentication::RsaSignature,
            ..config.policies[0]
        },
    );
    let mut dial = lab::dial(b"secret");
    dial.policies.insert(0, config.policies[0]);
    let mut lab = Lab::new(config);
    lab.connect(dial);
}
