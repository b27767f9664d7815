//! Messages lost, doubled, late, recorded and sent again, or thrown back.

use std::time::Duration;

use proptest::prelude::*;

use super::lab::{self, Fate, Flying, Lab, Side};
use crate::algorithm::Group;
use crate::endpoint::*;
use crate::ikev1::identification::Identification;

#[test]
fn every_message_may_be_lost_once() {
    for lost in 0..9 {
        let mut lab = Lab::new(lab::server_config(&[b"secret"]));
        lab.lose(lost);
        let connection = lab.dial(lab::dial(b"secret"));
        lab.run_for(Duration::from_secs(20));
        let up = lab.client_association(connection);
        assert_eq!(lab.carry(Side::Client, up, b"x"), Some(b"x".to_vec()), "message {lost} lost");
        let server = lab.server_association();
        assert_eq!(lab.carry(Side::Server, server, b"y"), Some(b"y".to_vec()), "message {lost} lost");
    }
}

#[test]
fn every_message_may_come_twice_without_a_storm() {
    let mut lab = Lab::new(lab::server_config(&[b"secret"]));
    lab.fates = std::iter::repeat_n(Fate::ComesTwice, 200).collect();
    let connection = lab.dial(lab::dial(b"secret"));
    lab.run_for(Duration::from_secs(20));
    assert!(lab.sent < 40, "{} messages", lab.sent);
    let pair = (lab.client_association(connection), lab.server_association());
    lab.exchange(pair.0, pair.1);
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        4 => Just(Fate::Arrives),
        2 => Just(Fate::IsLost),
        1 => Just(Fate::ComesTwice),
        1 => Just(Fate::IsLate),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_schedule_ends_connected_or_cleanly_failed(
        fates in proptest::collection::vec(fate(), 0..60),
        is_aggressive: bool,
        is_natted: bool,
        has_pfs: bool,
    ) {
        let mut config = lab::server_config(&[b"secret"]);
        config.aggressive = true;
        let mut dial = lab::dial(b"secret");
        dial.aggressive = is_aggressive;
        if is_aggressive {
            dial.identity = Identification::key_id(b"DefaultRAGroup");
        }
        dial.pfs = has_pfs.then_some(Group::Ecp256);
        let mut lab = Lab::new(config);
        lab.nat = is_natted.then(|| "203.0.113.9:20000".parse().unwrap());
        lab.fates = fates.into();
        let connection = lab.dial(dial);
        for _ in 0..120 {
            lab.run_for(Duration::from_secs(1));
            // L2TP begins at once and says everything again and again.
            if let Some((packet, path)) = lab
                .try_association_of(Side::Client, connection)
                .and_then(|client| lab.seal(Side::Client, client, b"hello"))
            {
                let _ = lab.bring(Side::Client, packet, path);
            }
        }
        // From here on everything arrives.
        lab.fates.clear();
        let up = lab.try_association_of(Side::Client, connection);
        let failed = lab.failures().iter().any(|(side, _)| *side == Side::Client);
        prop_assert_eq!(up.is_none(), failed, "{:?}", &lab.events);
        lab.run_for(Duration::from_secs(100));
        lab.assert_nobody_under_way(Side::Client);
        match up {
            Some(client) => {
                // The first packet may have to confirm what the third message would have.
                prop_assert!(lab.carry(Side::Client, client, b"up").is_some());
                let server = lab.server_association();
                lab.exchange(client, server);
                lab.run_for(Duration::from_secs(100));
                lab.assert_nobody_under_way(Side::Server);
                prop_assert_eq!(lab.server.associations.len(), 1);
                let now = lab.now;
                lab.client.close(now, client);
                lab.collect();
                lab.run_for(Duration::from_secs(600));
            }
            None => lab.run_for(Duration::from_secs(600)),
        }
        lab.assert_empty(Side::Client);
        lab.assert_empty(Side::Server);
    }
}

#[test]
fn a_recorded_exchange_that_is_sent_again_makes_nothing() {
    let mut lab = Lab::new(lab::server_config(&[b"secret"]));
    let (client, server) = lab.connect(lab::dial(b"secret"));
    let recorded: Vec<Flying> = lab.log.iter().filter(|flying| flying.to == Side::Server).cloned().collect();
    let spis = lab.server.by_spi.len();
    for flying in recorded.iter().chain(recorded.iter().rev()) {
        lab.deliver(flying.clone());
    }
    assert_eq!((lab.server.by_spi.len(), lab.server.ikes.len()), (spis, 1));
    lab.exchange(client, server);
    let now = lab.now;
    lab.client.close(now, client);
    lab.collect();
    lab.run_for(Duration::from_secs(300));
    for flying in &recorded {
        lab.deliver(flying.clone());
    }
    lab.run_for(Duration::from_secs(300));
    assert_eq!(lab.server_associations().len(), 1, "nothing came up again");
    lab.assert_empty(Side::Server);
}

#[test]
fn messages_that_are_thrown_back_at_their_sender_change_nothing() {
    let mut lab = Lab::new(lab::server_config(&[b"secret"]));
    let connection = lab.dial(lab::dial(b"secret"));
    while let Some(flying) = lab.flying.pop_front() {
        // First to the one who sent it, as if the other had.
        let back = match flying.to {
            Side::Server => Flying {
                to: Side::Client,
                path: Path {
                    local: lab::CLIENT.parse().unwrap(),
                    remote: lab::SERVER.parse().unwrap(),
                    nat_t: flying.path.nat_t,
                },
                datagram: flying.datagram.clone(),
            },
            _ => Flying {
                to: Side::Server,
                path: Path {
                    local: lab::SERVER.parse().unwrap(),
                    remote: lab::CLIENT.parse().unwrap(),
                    nat_t: flying.path.nat_t,
                },
                datagram: flying.datagram.clone(),
            },
        };
        lab.deliver(back);
        lab.deliver(flying);
    }
    let pair = (lab.client_association(connection), lab.server_association());
    lab.exchange(pair.0, pair.1);
}

#[test]
fn a_question_of_dead_peer_detection_that_is_thrown_back_is_no_sign_of_life() {
    let mut lab = Lab::new(lab::server_config(&[b"secret"]));
    lab.connect(lab::dial(b"secret"));
    // The client is gone; somebody returns everything that the server sends it.
    let until = lab.now + Duration::from_secs(400);
    while lab.now < until {
        lab.run_for(Duration::ZERO);
        let next = lab.server.next_timeout().unwrap();
        lab.now = lab.now.max(next);
        let now = lab.now;
        lab.server.handle_timeout(now);
        while let Some(transmit) = lab.server.poll_transmit() {
            lab.server.handle_isakmp(now, transmit.path, &transmit.datagram);
        }
        lab.collect();
        if !lab.downs(Side::Server).is_empty() {
            break;
        }
    }
    assert_eq!(lab.downs(Side::Server), [DownCause::DeadPeer]);
}
