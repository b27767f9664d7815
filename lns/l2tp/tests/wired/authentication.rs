//! Tunnel authentication in both roles, and hidden AVPs on the way.

use std::time::Instant;

use tollgate_l2tp::auth::challenge_response;
use tollgate_l2tp::message::{Message, ProtocolVersion, Reading, Sccrp};
use tollgate_l2tp::{Config, ControlHeader, IncomingCall, MessageType, StopResult, TunnelEnd};

use crate::peer::{Peer, avp, body, sccrq};
use crate::wire::{Side, Wire, from_port, lac_config, lns_config, reversed, types};

fn with_secret(mut config: Config, secret: &[u8]) -> Config {
    config.shared_secret = Some(secret.to_vec().into());
    config
}

fn refused_by_peer(ends: &[TunnelEnd]) -> String {
    match ends {
        [TunnelEnd::ByPeer { result: StopResult::NotAuthorized, message, .. }] => message.clone(),
        other => panic!("{other:?}"),
    }
}

fn refused_here(ends: &[TunnelEnd]) -> String {
    match ends {
        [TunnelEnd::ByUs { result: StopResult::NotAuthorized, message, .. }] => message.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_same_secret_at_both_ends_brings_the_tunnel_up() {
    let mut wire = Wire::new(with_secret(lac_config(), b"secret"), with_secret(lns_config(), b"secret"));
    wire.call();
    assert_eq!(types(&wire.log)[..3], ["-> SCCRQ", "<- SCCRP", "-> SCCCN"]);
    assert_eq!(wire.lns.story(), ["tunnel up", "session up"]);
}

#[test]
fn a_lac_does_not_believe_an_lns_with_another_secret() {
    let mut wire = Wire::new(with_secret(lac_config(), b"secret"), with_secret(lns_config(), b"Secret"));
    wire.open();
    wire.run();
    assert_eq!(refused_here(&wire.lac.tunnel_ends()), "wrong tunnel secret");
    assert!(!wire.lns.story().contains(&"tunnel up".into()));
    assert_eq!(wire.lns.endpoint.tunnels().count(), 0);
}

#[test]
fn a_side_without_secret_refuses_to_be_challenged() {
    let mut wire = Wire::new(with_secret(lac_config(), b"secret"), lns_config());
    wire.open();
    wire.run();
    assert!(refused_by_peer(&wire.lac.tunnel_ends()).contains("no tunnel secret"));
    let mut wire = Wire::new(lac_config(), with_secret(lns_config(), b"secret"));
    wire.open();
    wire.run();
    assert!(refused_here(&wire.lac.tunnel_ends()).contains("no tunnel secret"));
    assert_eq!(wire.lns.endpoint.tunnel_count(), 0);
}

/// An LNS with a secret, and what it challenged us with.
fn challenged() -> (Peer, Vec<u8>) {
    let mut peer = Peer::new(with_secret(lns_config(), b"secret"));
    peer.say(0, &sccrq(7));
    let heard = peer.hear();
    let [(_, Some(Message::Sccrp(reply)))] = &heard[..] else { panic!("{heard:?}") };
    let challenge = reply.challenge.clone().unwrap();
    assert_eq!(challenge.len(), 16);
    assert_eq!(reply.challenge_response, None, "it was not asked");
    (peer, challenge)
}

#[test]
fn an_lns_takes_the_right_answer_alone() {
    let (mut peer, challenge) = challenged();
    let response = challenge_response(MessageType::Scccn, b"secret", &challenge);
    peer.say(0, &body(MessageType::Scccn, &[avp(13, &response)]));
    assert_eq!(peer.names(), ["ZLB"]);
    assert_eq!(peer.lns.story(), ["tunnel up"]);

    let wrong_message = challenge_response(MessageType::Sccrp, b"secret", &challenge);
    let wrong_secret = challenge_response(MessageType::Scccn, b"other", &challenge);
    let wrong =
        [vec![], vec![avp(13, &wrong_message)], vec![avp(13, &wrong_secret)], vec![avp(13, &[0; 16])]];
    for avps in wrong {
        let (mut peer, _) = challenged();
        peer.say(0, &body(MessageType::Scccn, &avps));
        let heard = peer.hear();
        let [(_, Some(Message::StopCcn(stop)))] = &heard[..] else { panic!("{heard:?}") };
        assert_eq!(stop.result, StopResult::NotAuthorized);
        assert!(!peer.lns.story().contains(&"tunnel up".into()));
        assert_eq!((peer.lns.endpoint.tunnel_count(), peer.lns.endpoint.half_open_count()), (0, 0));
    }
}

#[test]
fn every_tunnel_gets_a_challenge_of_its_own() {
    assert_ne!(challenged().1, {
        let mut peer = Peer::new(with_secret(lns_config(), b"secret"));
        peer.say(0, &sccrq(7));
        peer.hear();
        peer.ns = 0;
        peer.theirs = 0;
        peer.say(0, &sccrq(8));
        match peer.hear().remove(0).1 {
            Some(Message::Sccrp(reply)) => reply.challenge.unwrap(),
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn an_lns_that_does_not_answer_is_not_believed() {
    let mut lac = Side::new(with_secret(lac_config(), b"secret"), 1);
    let now = Instant::now();
    let path = reversed(from_port(1701));
    let tunnel = lac.endpoint.open_tunnel(now, path).unwrap();
    lac.endpoint.poll_transmit().unwrap();
    let reply = Sccrp {
        protocol_version: ProtocolVersion::RFC_2661,
        framing_capabilities: 1,
        host_name: b"false".to_vec(),
        assigned_tunnel: 9.try_into().unwrap(),
        bearer_capabilities: None,
        firmware_revision: None,
        vendor_name: None,
        receive_window: None,
        challenge: None,
        challenge_response: None,
    };
    let header = ControlHeader { tunnel: tunnel.get(), session: 0, ns: 0, nr: 1 };
    lac.endpoint.handle_datagram(now, path, &header.encode(&Message::Sccrp(Box::new(reply)).encode(None)));
    assert_eq!(refused_here(&lac.tunnel_ends()), "the challenge was not answered");
    let stop = lac.endpoint.poll_transmit().unwrap();
    assert_eq!(ControlHeader::decode(&stop.datagram).unwrap().0.tunnel, 9, "addressed to the right tunnel");
}

#[test]
fn a_challenge_gets_the_answer_that_the_rfc_says() {
    let mut peer = Peer::new(with_secret(lns_config(), b"secret"));
    let mut request = sccrq(7);
    request.extend(avp(11, b"challenge"));
    peer.say(0, &request);
    let heard = peer.hear();
    let [(_, Some(Message::Sccrp(reply)))] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!(
        reply.challenge_response,
        Some(challenge_response(MessageType::Sccrp, b"secret", b"challenge"))
    );
}

#[test]
fn hidden_avps_keep_a_call_from_being_read_and_the_other_end_reads_it() {
    let hiding = |config| {
        let mut config = with_secret(config, b"secret");
        config.hide_avps = true;
        config
    };
    let mut wire = Wire::new(hiding(lac_config()), hiding(lns_config()));
    let tunnel = wire.open();
    let call = IncomingCall { calling_number: Some("5551234567".into()), ..IncomingCall::default() };
    wire.lac.endpoint.open_session(wire.now, tunnel, call).unwrap();
    wire.run();
    let (_, heard) = wire.lns.sessions_up().remove(0);
    assert_eq!(heard.calling_number.as_deref(), Some("5551234567"));
    for (_, datagram) in &wire.log {
        assert!(!datagram.windows(10).any(|octets| octets == b"5551234567"));
        assert_eq!(datagram.get(12..14).unwrap_or(&[0x80, 8]), [0x80, 8], "the Message Type is never hidden");
    }
    // One end may hide what the other shows.
    let mut wire = Wire::new(hiding(lac_config()), with_secret(lns_config(), b"secret"));
    wire.call();
}

#[test]
fn a_hidden_avp_without_a_secret_to_reveal_it_is_refused_in_words() {
    let mut hiding = with_secret(lac_config(), b"secret");
    hiding.hide_avps = true;
    let mut wire = Wire::new(hiding, lns_config());
    wire.open();
    wire.run();
    // Its tunnel id is hidden, too, so it cannot even be told.
    assert!(wire.lns.story().iter().any(|line| line.contains("cannot be revealed")));
    assert_eq!(wire.lns.endpoint.tunnel_count(), 0);
    let (_, request) = ControlHeader::decode(&wire.log[0].1).unwrap();
    let reading = Reading { secret: Some(b"secret"), ..Reading::default() };
    assert!(Message::decode(request, &reading).is_ok());
}
