//! Phase 1 by RSA signatures, in pieces where the certificates make its messages long.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use tollgate_pki::{Identity, TrustPolicy, TrustStore};

use super::lab::{self, Fate, Lab, Side};
use crate::algorithm::{Authentication, Cipher, Group, Hash};
use crate::endpoint::*;

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../../../../pki/fixtures/", $name)).as_slice()
    };
}

fn certificates(own: &[u8], key: &[u8]) -> Certificates {
    let chain = [own, fixture!("intermediate.pem")].concat();
    let mut trust = TrustStore::new(TrustPolicy::default());
    trust.add_authorities(fixture!("root.pem")).unwrap();
    let identity = Arc::new(Identity::from_pem(&chain, key, None).unwrap());
    Certificates { identity, trust: Arc::new(trust), send_chain: true }
}

fn client() -> Certificates {
    certificates(fixture!("client.pem"), fixture!("key-client.pem"))
}

fn both() -> (Config, Dial) {
    let mut config = lab::server_config(&[]);
    config.keys.clear();
    for policy in &mut config.policies {
        policy.authentication = Authentication::RsaSignature;
    }
    config.certificates = Some(certificates(fixture!("server.pem"), fixture!("key-server.pem")));
    config.groups = vec!["Sales".into()];
    let mut dial = lab::dial(b"");
    dial.policies = vec![config.policies[0]];
    dial.proof = Proof::Certificates(client());
    dial.server_name = Some("vpn.example.com".into());
    (config, dial)
}

#[test]
fn signatures_authenticate_both_ends_in_pieces_and_the_unit_names_the_group() {
    for nat in [None, Some("203.0.113.9:20000")] {
        let (config, dial) = both();
        let mut lab = Lab::new(config);
        lab.nat = nat.map(|nat| nat.parse().unwrap());
        lab.connect(dial);
        assert_eq!(&*lab.peers()[0].tunnel_group, "Sales");
        for to in [Side::Server, Side::Client] {
            let pieces = lab.log.iter().filter(|flying| flying.to == to);
            let pieces = pieces.filter(|flying| {
                let marker = if flying.path.nat_t { 4 } else { 0 };
                flying.datagram[marker + 16] == 132
            });
            assert!(pieces.clone().count() >= 4, "{} pieces", pieces.count());
            let longest = lab.log.iter().map(|flying| flying.datagram.len()).max().unwrap();
            assert!(longest <= 576 - 28, "{longest}");
        }
    }
}

#[test]
fn certificates_of_nobody_that_is_trusted_are_refused_with_the_reason() {
    let (mut config, dial) = both();
    let mut trust = TrustStore::new(TrustPolicy::default());
    trust.add_authorities(fixture!("root-v1.pem")).unwrap();
    config.certificates.as_mut().unwrap().trust = Arc::new(trust);
    let mut lab = Lab::new(config);
    lab.dial(dial);
    lab.run_for(Duration::from_secs(200));
    assert!(matches!(lab.failures()[0], (Side::Server, Failure::Certificate(_))), "{:?}", lab.failures());
    assert!(lab.failure_at(Side::Client).contains("INVALID-CERTIFICATE to the proof of identity"));
    lab.assert_empty(Side::Client);
    lab.assert_empty(Side::Server);
}

#[test]
fn a_server_that_is_not_the_one_dialled_is_refused_and_told() {
    let (config, mut dial) = both();
    dial.server_name = Some("other.example.com".into());
    let mut lab = Lab::new(config);
    lab.dial(dial);
    lab.run_for(Duration::from_secs(5));
    assert!(lab.failure_at(Side::Client).contains("does not name other.example.com"));
    lab.run_for(Duration::from_secs(90));
    lab.assert_empty(Side::Client);
    lab.assert_empty(Side::Server);
}

#[test]
fn certificates_that_are_changed_while_a_proof_is_checked_do_not_spoil_it() {
    let (config, dial) = both();
    let mut changed = config.clone();
    changed.certificates = Some(certificates(fixture!("client.pem"), fixture!("key-client.pem")));
    let mut lab = Lab::new(config);
    let connection = lab.dial(dial);
    while let Some(flying) = lab.flying.pop_front() {
        let now = lab.now;
        let message = flying.datagram.clone();
        if flying.to == Side::Client {
            lab.deliver(flying);
            continue;
        }
        lab.server.handle_isakmp(now, flying.path, &message);
        if lab.server.ikes.values().any(|ike| ike.stage == super::super::ike::Stage::Proves) {
            lab.server.reconfigure(changed.clone());
        }
        lab.collect();
    }
    lab.client_association(connection);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn lost_and_doubled_pieces_end_connected_or_cleanly_failed(
        fates in proptest::collection::vec(
            prop_oneof![6 => Just(Fate::Arrives), 1 => Just(Fate::IsLost), 1 => Just(Fate::ComesTwice)],
            0..80,
        ),
    ) {
        let (config, dial) = both();
        let mut lab = Lab::new(config);
        lab.fates = fates.into();
        let connection = lab.dial(dial);
        lab.run_for(Duration::from_secs(150));
        lab.fates.clear();
        match lab.try_association_of(Side::Client, connection) {
            Some(client) => {
                let server = lab.server_association();
                lab.exchange(client, server);
                let now = lab.now;
                lab.client.close(now, client);
                lab.collect();
            }
            None => prop_assert!(lab.failures().iter().any(|(side, _)| *side == Side::Client)),
        }
        lab.run_for(Duration::from_secs(600));
        lab.assert_empty(Side::Client);
        lab.assert_empty(Side::Server);
    }
}

#[test]
fn each_message_of_the_proofs_may_be_lost() {
    for lost in 0..30 {
        let (config, mut dial) = both();
        dial.policies[0] = crate::ikev1::selection::Policy {
            authentication: Authentication::RsaSignature,
            ..lab::policy(Cipher::Aes256, Hash::Sha1, Group::Ecp256)
        };
        let mut lab = Lab::new(config);
        lab.lose(lost);
        let connection = lab.dial(dial);
        lab.run_for(Duration::from_secs(20));
        let pair = (lab.client_association(connection), lab.server_association());
        lab.exchange(pair.0, pair.1);
    }
}
