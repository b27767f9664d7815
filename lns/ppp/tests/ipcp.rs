//! IPCP of both ends against a scripted peer (RFC 1332, RFC 1877).

mod common;

use std::net::Ipv4Addr;
use std::time::Duration;

use common::script::{IPCP, LCP, PAP, Packet, Script, option};
use common::{client_config, network, server_config};
use tollgate_ppp::AuthProtocol::Pap;
use tollgate_ppp::{Addresses, AuthDecision, ClientConfig, DownReason, Event, Network, Phase};

const NOTHING: [u8; 6] = [3, 6, 0, 0, 0, 0];

fn assigned() -> Vec<u8> {
    [&[3, 6][..], &network().peer.octets()].concat()
}

/// A client in the Network phase: the server asked for no authentication.
fn client(config: ClientConfig) -> (Script, Packet) {
    let mut script = Script::client(config);
    script.link.start(script.now);
    let request = script.one();
    script.open_lcp(&request, &[]);
    let request = script.one();
    assert_eq!((request.protocol, request.code), (IPCP, 1));
    (script, request)
}

#[test]
fn the_server_names_its_own_address_and_assigns_the_peers_by_nak() {
    let (mut script, request) = Script::in_network();
    assert_eq!(request.data, [&[3, 6][..], &network().local.octets()].concat());
    script.send(IPCP, 1, 1, &NOTHING);
    assert_eq!(script.one(), Packet { protocol: IPCP, code: 3, id: 1, data: assigned() });
    script.send(IPCP, 1, 2, &assigned());
    assert_eq!(script.one().code, 2);
    assert_eq!(script.link.phase(), Phase::Network);
    script.send(IPCP, 2, request.id, &request.data);
    assert!(script.link.is_up());
    let Network { local, peer, dns, nbns } = network();
    assert!(script.events.iter().any(
        |event| matches!(event, Event::Up(addresses) if *addresses == Addresses { local, peer, dns, nbns })
    ));
}

#[test]
fn name_servers_are_naked_where_there_are_any_and_rejected_where_not() {
    let (mut script, _) = Script::in_network();
    let wins = [130, 6, 0, 0, 0, 0, 132, 6, 0, 0, 0, 0];
    let dns = [129, 6, 0, 0, 0, 0, 131, 6, 0, 0, 0, 0];
    script.send(IPCP, 1, 1, &[&NOTHING[..], &dns[..6], &wins[..6], &dns[6..], &wins[6..]].concat());
    assert_eq!(script.one(), Packet { protocol: IPCP, code: 4, id: 1, data: wins.to_vec() });
    script.send(IPCP, 1, 2, &[&NOTHING[..], &dns].concat());
    let nak = script.one();
    assert_eq!(nak.code, 3);
    assert_eq!(option(&nak.data, 129), Some(vec![10, 0, 0, 53]));
    assert_eq!(option(&nak.data, 131), Some(vec![10, 0, 0, 54]));
    script.send(IPCP, 1, 3, &nak.data);
    assert_eq!(script.one().code, 2);
}

#[test]
fn wins_servers_are_given_when_there_are_any() {
    let (mut script, _) = Script::pap_pending();
    let nbns = [None, Some(Ipv4Addr::new(10, 0, 0, 137))];
    script.decide(AuthDecision::Accept {
        message: vec![],
        network: Network { nbns, ..network() },
        encryption: None,
    });
    script.one();
    script.one();
    script.send(IPCP, 1, 1, &[&assigned()[..], &[132, 6, 0, 0, 0, 0]].concat());
    assert_eq!(script.one(), Packet { protocol: IPCP, code: 3, id: 1, data: vec![132, 6, 10, 0, 0, 137] });
    script.send(IPCP, 1, 2, &[&assigned()[..], &[130, 6, 0, 0, 0, 0]].concat());
    assert_eq!(script.one().code, 4);
}

#[test]
fn van_jacobson_and_the_deprecated_address_option_are_rejected() {
    let (mut script, _) = Script::in_network();
    let vj = [2, 6, 0x00, 0x2D, 15, 1];
    let old = [1, 10, 0, 0, 0, 0, 0, 0, 0, 0];
    script.send(IPCP, 1, 1, &[&NOTHING[..], &vj, &old].concat());
    assert_eq!(script.one(), Packet { protocol: IPCP, code: 4, id: 1, data: [&vj[..], &old].concat() });
}

#[test]
fn an_address_of_the_wrong_length_is_naked_like_any_other() {
    let (mut script, _) = Script::in_network();
    script.send(IPCP, 1, 1, &[3, 4, 10, 0]);
    assert_eq!(script.one(), Packet { protocol: IPCP, code: 3, id: 1, data: assigned() });
}

#[test]
fn a_peer_that_insists_on_its_own_address_is_given_up_but_never_rejected() {
    let (mut script, _) = Script::in_network();
    for id in 1..=5 {
        script.send(IPCP, 1, id, &[3, 6, 192, 168, 1, 7]);
        assert_eq!(script.one().code, 3);
    }
    script.send(IPCP, 1, 6, &[3, 6, 192, 168, 1, 7]);
    script.acknowledge_terminate();
    assert_eq!(script.down(), Some(&DownReason::NotConverging("the peer's IP address")));
}

#[test]
fn a_peer_that_rejects_our_address_is_served_without_telling_it() {
    let (mut script, request) = Script::in_network();
    script.send(IPCP, 4, request.id, &request.data);
    let second = script.one();
    assert_eq!(second.data, []);
    script.finish_ipcp(&second);
}

#[test]
fn a_peer_that_naks_our_address_gets_it_again_and_then_not_at_all() {
    let (mut script, mut request) = Script::in_network();
    let ours = request.data.clone();
    for _ in 0..2 {
        script.send(IPCP, 3, request.id, &[3, 6, 1, 2, 3, 4]);
        request = script.one();
        assert_eq!(request.data, ours);
    }
    script.send(IPCP, 3, request.id, &[3, 6, 1, 2, 3, 4]);
    request = script.one();
    assert_eq!(request.data, []);
    script.finish_ipcp(&request);
}

#[test]
fn an_unanswered_ipcp_request_is_repeated_and_then_the_link_ends() {
    let (mut script, request) = Script::in_network();
    for seconds in [1, 2, 3, 3, 3, 3, 3, 3, 3] {
        assert_eq!(script.wait(), Duration::from_secs(seconds));
        assert_eq!(script.one(), request);
    }
    script.wait();
    script.acknowledge_terminate();
    assert_eq!(script.down(), Some(&DownReason::NegotiationTimeout(Phase::Network)));
}

#[test]
fn ipcp_before_the_authentication_is_discarded_without_a_word() {
    let mut script = Script::lcp_open(&[Pap]);
    script.send(IPCP, 1, 1, &NOTHING);
    script.silent();
    script.send(PAP, 1, 1, b"\x05alice\x03pwd");
    script.send(IPCP, 1, 1, &NOTHING);
    script.silent();
    script.accept();
    assert_eq!((script.one().protocol, script.one().protocol), (PAP, IPCP));
    script.send(IPCP, 1, 1, &NOTHING);
    assert_eq!(script.one().code, 3);
}

#[test]
fn ipcp_closed_by_the_peer_ends_the_link_with_its_diagnosis() {
    let mut script = Script::up();
    script.send(IPCP, 5, 4, &[1, 2, 3, 4, 0x00, 0x3C, 0xCD, 0x74, 0, 0, 0x02, 0xE2]);
    assert_eq!(script.one(), Packet { protocol: IPCP, code: 6, id: 4, data: vec![] });
    script.acknowledge_terminate();
    let Some(DownReason::PeerTerminated { text, windows_error: Some(738) }) = script.down() else {
        panic!("{:?}", script.down())
    };
    assert_eq!(text, "IPCP closed: Windows error 738: the server assigned no address");
}

#[test]
fn ipcp_renegotiated_on_an_open_link_comes_up_again_and_only_then_carries_packets() {
    let mut script = Script::up();
    script.send(IPCP, 1, 9, &[&assigned()[..], &[129, 6, 10, 0, 0, 53]].concat());
    assert!(!script.link.is_up());
    assert_eq!(script.link.phase(), Phase::Network);
    let request = script.one();
    assert_eq!((request.code, script.one().code), (1, 2));
    script.send(IPCP, 2, request.id, &request.data);
    assert!(script.link.is_up());
    assert_eq!(script.events.iter().filter(|event| matches!(event, Event::Up(_))).count(), 2);
}

#[test]
fn an_unknown_ipcp_code_is_code_rejected() {
    let mut script = Script::up();
    script.send(IPCP, 12, 4, &[9]);
    let reject = script.one();
    assert_eq!((reject.protocol, reject.code, &reject.data[..]), (IPCP, 7, &[12, 4, 0, 5, 9][..]));
}

#[test]
fn a_client_takes_what_it_is_given() {
    let (mut script, request) = client(ClientConfig { request_nbns: true, ..client_config(&[Pap]) });
    let kinds: Vec<u8> = request.data.chunks(6).map(|option| option[0]).collect();
    assert_eq!(kinds, [3, 129, 130, 131, 132]);
    script.send(IPCP, 4, request.id, &[130, 6, 0, 0, 0, 0, 132, 6, 0, 0, 0, 0]);
    let request = script.one();
    script.send(IPCP, 3, request.id, &[3, 6, 10, 4, 5, 17, 129, 6, 10, 0, 0, 53]);
    let request = script.one();
    assert_eq!(request.data, [3, 6, 10, 4, 5, 17, 129, 6, 10, 0, 0, 53, 131, 6, 0, 0, 0, 0]);
    script.send(IPCP, 2, request.id, &request.data);
    script.send(IPCP, 1, 1, &[3, 6, 10, 4, 0, 1, 2, 6, 0, 0x2D, 15, 1]);
    assert_eq!(script.one(), Packet { protocol: IPCP, code: 4, id: 1, data: vec![2, 6, 0, 0x2D, 15, 1] });
    script.send(IPCP, 1, 2, &[3, 6, 10, 4, 0, 1]);
    assert_eq!(script.one().code, 2);
    let addresses = Addresses {
        local: Ipv4Addr::new(10, 4, 5, 17),
        peer: Ipv4Addr::new(10, 4, 0, 1),
        dns: [Some(Ipv4Addr::new(10, 0, 0, 53)), None],
        nbns: [None, None],
    };
    assert!(script.events.iter().any(|event| matches!(event, Event::Up(up) if *up == addresses)));
}

#[test]
fn a_client_without_an_address_is_not_up() {
    let (mut script, request) = client(client_config(&[Pap]));
    script.send(IPCP, 4, request.id, &NOTHING);
    script.acknowledge_terminate();
    assert!(matches!(script.down(), Some(DownReason::PeerRejected(_))));

    let (mut script, request) = client(client_config(&[Pap]));
    script.send(IPCP, 1, 1, &[]);
    script.one();
    script.send(IPCP, 2, request.id, &request.data);
    script.acknowledge_terminate();
    assert!(matches!(script.down(), Some(DownReason::NotConverging(_))));
}

#[test]
fn header_compression_is_used_for_ipcp_when_it_was_agreed_on() {
    let mut script = Script::lcp_open_with(server_config(&[Pap]), &[8, 2]);
    script.send(PAP, 1, 1, b"\x05alice\x03pwd");
    script.accept();
    assert_eq!(script.link.poll_frame().unwrap()[..2], [0xC0, 0x23]);
    assert_eq!(script.link.poll_frame().unwrap()[..2], [0x80, 0x21]);
    assert_eq!(script.link.ipv4_header(), [0x00, 0x21]);
    script.send(LCP, 9, 1, &[0; 4]);
    assert_eq!(script.link.poll_frame().unwrap()[..4], [0xFF, 0x03, 0xC0, 0x21]);
}
