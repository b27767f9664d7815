//! A server and a client of this crate against each other.

mod common;

use std::time::Duration;

use common::{ALL, Pair, client_config, network, server_config};
use tollgate_ppp::{AuthProtocol, CloseReason, DownReason, Event, Phase};
use zeroize::Zeroizing;

const LIMIT: Duration = Duration::from_secs(200);

#[test]
fn every_client_method_against_every_server_list() {
    for server_mask in 1..16u8 {
        for client_mask in 1..16u8 {
            let pick = |mask: u8| -> Vec<AuthProtocol> {
                ALL.into_iter()
                    .enumerate()
                    .filter(|(bit, _)| mask >> bit & 1 == 1)
                    .map(|(_, method)| method)
                    .collect()
            };
            let (server, client) = (pick(server_mask), pick(client_mask));
            let mut pair = Pair::of(&server, &client);
            pair.start();
            pair.run_until_settled(LIMIT);
            match server.iter().any(|method| client.contains(method)) {
                true => {
                    assert!(pair.both_up(), "{server:?} {client:?} {:?}", pair.server.events);
                    let method = pair.server.method().unwrap();
                    assert!(server.contains(&method) && client.contains(&method));
                    assert_eq!(pair.client.method(), Some(method));
                    assert_eq!(pair.server.requests(), 1);
                }
                false => {
                    let Some(DownReason::MethodRefused { wanted }) = pair.server.down_reason() else {
                        panic!("{server:?} {client:?} {:?}", pair.server.events);
                    };
                    assert!(!wanted.is_empty(), "what the client wanted is named");
                    assert!(pair.server.requests() == 0);
                }
            }
        }
    }
}

#[test]
fn the_client_gets_its_address_and_both_agree_on_it() {
    let mut pair = Pair::of(&ALL, &ALL);
    pair.start();
    pair.run_until_settled(LIMIT);
    let (server, client) = (pair.server.addresses().unwrap(), pair.client.addresses().unwrap());
    assert_eq!((server.local, server.peer), (network().local, network().peer));
    assert_eq!((client.local, client.peer), (network().peer, network().local));
    assert_eq!(client.dns, network().dns);
    assert_eq!(client.nbns, [None, None]);
    assert_eq!(pair.client.link.peer_mru(), 1400);
    assert!(pair.now - pair.begun < Duration::from_secs(1), "nothing had to be repeated");
}

#[test]
fn a_wrong_password_is_told_to_both_sides() {
    for method in ALL {
        let mut client = client_config(&[method]);
        client.password = Zeroizing::new(b"open sesam".to_vec());
        let mut pair = Pair::new(server_config(&[method]), client);
        pair.start();
        pair.run(LIMIT);
        // The client ends at once; whether the server's own goodbye crosses its, depends on the retries offered.
        let reason = pair.server.down_reason().unwrap();
        assert!(
            matches!(reason, DownReason::AuthenticationFailed | DownReason::PeerTerminated { .. }),
            "{method} {reason}"
        );
        assert_eq!(pair.client.down_reason(), Some(&DownReason::AuthenticationFailed), "{method}");
        let told = pair.client.events.iter().find_map(|event| match event {
            Event::AuthenticationFailed { message, code, retry } => Some((message.as_slice(), *code, *retry)),
            _ => None,
        });
        let expected = match method {
            AuthProtocol::MsChapV1 | AuthProtocol::MsChapV2 => (Some(691), true),
            AuthProtocol::Pap | AuthProtocol::ChapMd5 | AuthProtocol::Eap => (None, false),
        };
        assert_eq!(told, Some((&b"Access denied"[..], expected.0, expected.1)), "{method}");
    }
}

#[test]
fn a_server_that_closes_says_why() {
    let mut pair = Pair::of(&ALL, &ALL);
    pair.start();
    pair.run_until_settled(LIMIT);
    let now = pair.now;
    pair.server.link.close(now, CloseReason { text: "session timeout".to_owned() });
    pair.drain();
    assert_eq!(pair.server.link.phase(), Phase::Terminate);
    assert_eq!(pair.server.link.ending(), Some(&DownReason::Closed));
    pair.run(LIMIT);
    assert_eq!(pair.server.down_reason(), Some(&DownReason::Closed));
    let reason = DownReason::PeerTerminated { text: "session timeout".to_owned(), windows_error: None };
    assert_eq!(pair.client.down_reason(), Some(&reason));
    assert_eq!(reason.to_string(), "the peer hung up: session timeout");
}

#[test]
fn the_same_seeds_give_the_same_session() {
    let record = || {
        let mut pair = Pair::of(&ALL, &ALL);
        pair.start();
        pair.run_until_settled(LIMIT);
        (format!("{:?}", pair.server.events), pair.frames)
    };
    assert_eq!(record(), record());
}
