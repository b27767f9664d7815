//! CCP and MPPE: both ends against each other, with packets through them, and against peers that will not.

mod common;

use std::time::Duration;

use common::script::{CCP, IPCP, PAP, Packet, Script};
use common::{Pair, client_config, network, server_config};
use tollgate_ppp::AuthProtocol::{Eap, MsChapV1, MsChapV2, Pap};
use tollgate_ppp::{
    AuthDecision, AuthProtocol, ClientEncryption, DownReason, Encryption, Event, KeyStrength, Link, MppeMode,
    MppeStartKeys, MppeStrengths, Phase, Unsealed,
};

const LIMIT: Duration = Duration::from_secs(200);

fn wish(required: bool, strengths: MppeStrengths, stateful_allowed: bool) -> ClientEncryption {
    ClientEncryption { required, strengths, stateful_allowed }
}

fn required() -> ClientEncryption {
    wish(true, MppeStrengths::STRONG, false)
}

fn pair(method: AuthProtocol, server: Option<ClientEncryption>, client: Option<ClientEncryption>) -> Pair {
    let mut config = client_config(&[method]);
    config.encryption = client;
    let mut pair = Pair::new(server_config(&[method]), config);
    pair.encryption = server;
    pair
}

fn modes(events: &[Event]) -> Option<(MppeMode, MppeMode)> {
    events.iter().rev().find_map(|event| match event {
        Event::Encrypted { send, receive } => Some((*send, *receive)),
        _ => None,
    })
}

/// An IPv4 packet of some size, numbered.
fn packet(number: u32) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 0];
    packet.extend_from_slice(&number.to_be_bytes());
    packet.resize(20 + (number as usize * 37) % 1200, number as u8);
    packet
}

fn seal(link: &mut Link, number: u32) -> Vec<u8> {
    let mut frame = link.sealed_header().to_vec();
    frame.extend_from_slice(&packet(number));
    assert!(link.seal(&mut frame));
    frame
}

/// One packet through the link; true if it came out as it went in.
fn carry(pair: &mut Pair, to_server: bool, number: u32) -> bool {
    let now = pair.now;
    let (from, to) = match to_server {
        true => (&mut pair.client, &mut pair.server),
        false => (&mut pair.server, &mut pair.client),
    };
    let mut frame = seal(&mut from.link, number);
    assert!(frame.len() <= packet(number).len() + 8);
    match to.link.unseal(now, &mut frame) {
        Unsealed::Ipv4(range) => frame[range] == packet(number),
        other => panic!("{other:?}"),
    }
}

#[test]
fn both_ends_encrypt_with_the_keys_of_every_method_that_leaves_some() {
    for method in [MsChapV2, MsChapV1, Eap] {
        let mut pair = pair(method, Some(required()), Some(required()));
        pair.start();
        pair.run_until_settled(LIMIT);
        assert!(pair.both_up(), "{method} {:?} {:?}", pair.server.events, pair.client.events);
        let mode = MppeMode { strength: KeyStrength::Bits128, stateless: true };
        assert_eq!(modes(&pair.server.events), Some((mode, mode)));
        assert_eq!(modes(&pair.client.events), Some((mode, mode)));
        assert_eq!(mode.to_string(), "MPPE-128 stateless");
        for number in 0..600 {
            assert!(carry(&mut pair, number % 3 == 0, number));
        }
        assert_eq!(pair.server.link.mtu(), pair.server.link.peer_mru() - 4);
    }
}

#[test]
fn the_ends_meet_at_the_longest_key_that_both_may_use() {
    let only = |bits40, bits56, bits128| MppeStrengths { bits40, bits56, bits128 };
    for (server, client, strength) in [
        (MppeStrengths::ALL, only(true, false, false), KeyStrength::Bits40),
        (only(true, true, false), MppeStrengths::ALL, KeyStrength::Bits56),
        (only(true, false, true), only(true, true, false), KeyStrength::Bits40),
        (MppeStrengths::ALL, MppeStrengths::ALL, KeyStrength::Bits128),
    ] {
        let mut pair = pair(MsChapV2, Some(wish(true, server, true)), Some(wish(true, client, true)));
        pair.start();
        pair.run_until_settled(LIMIT);
        assert!(pair.both_up());
        let (send, receive) = modes(&pair.server.events).unwrap();
        assert_eq!((send.strength, receive.strength), (strength, strength));
        assert!(carry(&mut pair, true, 1) && carry(&mut pair, false, 2));
    }
    let mut pair = pair(
        MsChapV2,
        Some(wish(true, only(false, false, true), false)),
        Some(wish(true, only(true, false, false), false)),
    );
    pair.start();
    pair.run(LIMIT);
    let reason = pair.server.down_reason().or(pair.client.down_reason()).unwrap();
    assert!(matches!(reason, DownReason::NotEncrypted(_) | DownReason::PeerTerminated { .. }), "{reason}");
    assert!(pair.server.addresses().is_none() && pair.client.addresses().is_none());
}

#[test]
fn without_encryption_on_one_side_it_is_as_the_other_demands() {
    let allowed = wish(false, MppeStrengths::ALL, false);
    for (server, client) in [(None, Some(allowed)), (Some(allowed), None), (None, None)] {
        let mut pair = pair(MsChapV2, server, client);
        pair.start();
        pair.run_until_settled(LIMIT);
        assert!(pair.both_up());
        pair.run(Duration::from_secs(60));
        assert!(pair.both_up() && !pair.server.link.encrypts() && !pair.client.link.encrypts());
    }
    for (server, client) in [(None, Some(required())), (Some(required()), None)] {
        let mut pair = pair(MsChapV2, server, client);
        pair.start();
        pair.run(LIMIT);
        let demanding = if server.is_some() { &pair.server } else { &pair.client };
        assert_eq!(demanding.down_reason(), Some(&DownReason::NotEncrypted("the peer does not serve it")));
        assert!(demanding.addresses().is_none());
    }
    let mut pap = pair(Pap, None, Some(required()));
    pap.start();
    pap.run(LIMIT);
    assert_eq!(pap.client.down_reason(), Some(&DownReason::NotEncrypted("the login leaves no keys for it")));
}

#[test]
fn it_comes_up_in_bad_weather() {
    let mut seed: u32 = 9;
    for case in 0..1000 {
        let mut pair = pair(MsChapV2, Some(required()), Some(wish(true, MppeStrengths::ALL, true)));
        pair.weather.fates = (0..60)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 24) as u8
            })
            .collect();
        pair.start();
        pair.run_until_settled(LIMIT);
        assert!(pair.both_up(), "case {case}: {:?} {:?}", pair.server.events, pair.client.events);
        assert!(pair.server.link.encrypts() && pair.client.link.encrypts());
        let up = pair.server.events.iter().position(|event| matches!(event, Event::Up(_)));
        let sealed = pair.server.events.iter().position(|event| matches!(event, Event::Encrypted { .. }));
        assert!(sealed < up, "nothing passes before it");
    }
}

#[test]
fn a_stateful_link_finds_its_place_again_by_a_reset() {
    let mut pair = stateful();
    let now = pair.now;
    assert!(carry(&mut pair, false, 0));
    seal(&mut pair.server.link, 1); // lost
    for number in 2..10 {
        let mut frame = seal(&mut pair.server.link, number);
        assert_eq!(pair.client.link.unseal(now, &mut frame), Unsealed::Nothing);
    }
    let mut resets = Vec::new();
    while let Some(frame) = pair.client.link.poll_frame() {
        resets.push(frame);
    }
    assert_eq!(resets.len(), 1, "one Reset-Request for one loss");
    pair.server.link.handle_frame(now, &resets[0]);
    let acks = std::iter::from_fn(|| pair.server.link.poll_frame()).collect::<Vec<_>>();
    assert_eq!(acks.len(), 1);
    assert_eq!(acks[0][acks[0].len() - 4], 15, "{acks:?}");
    for number in 10..600 {
        assert!(carry(&mut pair, false, number));
    }
    // The other direction has not noticed.
    assert!(carry(&mut pair, true, 7));
    // A Reset-Request that is lost is sent again after a while.
    seal(&mut pair.server.link, 1);
    for (after, expected) in [(0, 1), (900, 0), (1100, 1)] {
        let mut frame = seal(&mut pair.server.link, 2);
        pair.client.link.unseal(now + Duration::from_secs(5) + Duration::from_millis(after), &mut frame);
        assert_eq!(std::iter::from_fn(|| pair.client.link.poll_frame()).count(), expected, "{after}");
    }
}

/// Both ends up without stateless mode: each hears the first Ack of the other as a Nak for it.
fn stateful() -> Pair {
    let wish = wish(true, MppeStrengths::STRONG, true);
    let mut pair = pair(MsChapV2, Some(wish), Some(wish));
    pair.change = |frame| {
        let ccp = frame.windows(3).position(|at| at == [0x80, 0xFD, 2]);
        let mppe = frame.windows(6).position(|at| at == [18, 6, 1, 0, 0, 0x40]);
        if let (Some(ccp), Some(mppe)) = (ccp, mppe) {
            (frame[ccp + 2], frame[mppe + 2]) = (3, 0);
        }
    };
    pair.start();
    pair.run_until_settled(LIMIT);
    pair
}

const KEYS: MppeStartKeys = MppeStartKeys::Asymmetric { send: [1; 16], receive: [2; 16] };

/// A server whose client is written by hand, past its login, and its requests of CCP and IPCP.
fn scripted(required: bool) -> (Script, Packet, Packet) {
    let (mut script, _) = Script::pap_pending();
    script.decide(AuthDecision::Accept {
        message: Vec::new(),
        network: network(),
        encryption: Some(Encryption {
            required,
            strengths: MppeStrengths::STRONG,
            stateful_allowed: false,
            keys: KEYS.clone(),
        }),
    });
    assert_eq!(script.one().protocol, PAP);
    let (ipcp, ccp) = (script.one(), script.one());
    assert_eq!((ipcp.protocol, ipcp.code, ccp.protocol, ccp.code), (IPCP, 1, CCP, 1));
    (script, ipcp, ccp)
}

fn open_ipcp(script: &mut Script, request: &Packet) {
    script.send(IPCP, 2, request.id, &request.data);
    let mut options = vec![3, 6];
    options.extend_from_slice(&network().peer.octets());
    script.send(IPCP, 1, 1, &options);
    while script.next().is_some_and(|packet| (packet.protocol, packet.code) != (IPCP, 2)) {}
}

#[test]
fn nothing_passes_before_it_and_nothing_in_clear_after_it() {
    let (mut script, ipcp, asked) = scripted(true);
    assert_eq!(asked.data, [18, 6, 1, 0, 0, 0x40]);
    open_ipcp(&mut script, &ipcp);
    assert_eq!(script.link.phase(), Phase::Network, "IPCP is open and waits");
    assert!(script.link.encrypts());
    let mut frame = [&[0xFF, 0x03, 0x00, 0x21][..], &packet(1)].concat();
    assert_eq!(script.link.unseal(script.now, &mut frame), Unsealed::Nothing);
    let mut frame = [script.link.sealed_header(), &packet(1)].concat();
    assert!(!script.link.seal(&mut frame), "nothing to encrypt it with");
    script.send(CCP, 2, asked.id, &asked.data);
    script.send(CCP, 1, 1, &[18, 6, 1, 0, 0, 0xE0]);
    let nak = script.one();
    assert_eq!((nak.protocol, nak.code, &nak.data[..]), (CCP, 3, &[18, 6, 1, 0, 0, 0x40][..]));
    script.send(CCP, 1, 2, &[18, 6, 1, 0, 0, 0x40]);
    assert_eq!((script.one().code, script.link.is_up()), (2, true));
    assert!(script.link.is_up());
    let mut clear = [&[0xFF, 0x03, 0x00, 0x21][..], &packet(1)].concat();
    assert_eq!(script.link.unseal(script.now, &mut clear), Unsealed::Nothing);
    let mut echo = vec![0xFF, 0x03, 0xC0, 0x21, 9, 1, 0, 8, 0, 0, 0, 0];
    assert_eq!(script.link.unseal(script.now, &mut echo), Unsealed::Control);
    // The peer begins CCP anew: until it is open again, nothing passes.
    script.send(CCP, 1, 9, &[18, 6, 1, 0, 0, 0xE0]);
    assert!(script.link.encrypts());
    let mut frame = [script.link.sealed_header(), &packet(1)].concat();
    assert!(!script.link.seal(&mut frame));
}

#[test]
fn a_peer_that_refuses_or_closes_it_is_hung_up_on_where_it_is_required() {
    for required in [true, false] {
        type Act = fn(&mut Script, u8);
        let acts: [(Act, &str); 4] = [
            (|script, id| script.send(CCP, 4, id, &[18, 6, 1, 0, 0, 0x40]), "the peer refuses it"),
            (
                |script, id| script.send(CCP, 3, id, &[18, 6, 0, 0, 0, 0x20]),
                "the peer offers none that we may use",
            ),
            (|script, _| script.send(CCP, 5, 7, b""), "the peer closed it"),
            (|script, _| script.send(0xC021, 8, 1, &[0x80, 0xFD, 1, 1, 0, 4]), "the peer does not serve it"),
        ];
        for (act, why) in acts {
            let (mut script, ipcp, asked) = scripted(required);
            act(&mut script, asked.id);
            let expected = required.then_some(DownReason::NotEncrypted(why));
            assert_eq!(script.link.ending(), expected.as_ref(), "{why}");
            if !required {
                open_ipcp(&mut script, &ipcp);
                assert!(script.link.is_up() && !script.link.encrypts(), "{why}");
            }
        }
    }
}

#[test]
fn a_peer_that_never_answers_is_hung_up_on() {
    let (mut script, ipcp, _) = scripted(true);
    open_ipcp(&mut script, &ipcp);
    for _ in 0..60 {
        if let Some(due) = script.link.next_timeout() {
            script.now = due;
            script.link.handle_timeout(due);
        }
    }
    script.take_events();
    assert_eq!(script.down(), Some(&DownReason::NotEncrypted("the peer does not answer")));
}
