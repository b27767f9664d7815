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
