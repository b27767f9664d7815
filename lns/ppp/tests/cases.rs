//! What real clients send, octet by octet, and the regressions known from other servers, each under the number that
//! it has in the project's list of client facts.

mod common;

use std::time::Duration;

use common::script::{CCP, CHAP, IPCP, LCP, PAP, Packet, Script, frame, option};
use common::{ALL, Pair, client_config, network, server_config};
use tollgate_mschap::NtHash;
use tollgate_ppp::AuthProtocol::{ChapMd5, MsChapV2, Pap};
use tollgate_ppp::{AuthDecision, AuthProtocol, DownReason, Event, Phase, ServerConfig, clamp_mss};

/// The first LCP Configure-Request of Windows: MRU 1400, magic, PFC, ACFC, callback by CBCP.
const WINDOWS_LCP: [u8; 21] =
    [1, 0, 0, 21, 0x01, 4, 0x05, 0x78, 0x05, 6, 0x3A, 0x1F, 0x52, 0x77, 0x07, 2, 0x08, 2, 0x0D, 3, 6];
/// Its IPCP Configure-Request: address, DNS, WINS, second DNS, second WINS, all zero.
const WINDOWS_IPCP: [u8; 34] = [
    1, 5, 0, 34, 0x03, 6, 0, 0, 0, 0, 0x81, 6, 0, 0, 0, 0, 0x82, 6, 0, 0, 0, 0, 0x83, 6, 0, 0, 0, 0, 0x84, 6,
    0, 0, 0, 0,
];
/// Its CCP Configure-Request: MPPE, stateless, no key length.
const WINDOWS_CCP: [u8; 10] = [1, 4, 0, 10, 0x12, 6, 0x01, 0, 0, 0];
/// Apple's ACSCP Configure-Request: routes and domains.
const APPLE_ACSCP: [u8; 16] = [1, 1, 0, 16, 0x01, 6, 0, 0, 0, 1, 0x02, 6, 0, 0, 0, 1];

fn raw(script: &mut Script, protocol: u16, packet: &[u8]) {
    let frame = [&[0xFF, 0x03][..], &protocol.to_be_bytes(), packet].concat();
    script.send_frame(&frame);
}

/// A Windows client up to the point where MS-CHAPv2 begins.
fn windows_lcp(script: &mut Script, request: &Packet) {
    raw(script, LCP, &WINDOWS_LCP);
    assert_eq!(script.one(), Packet { protocol: LCP, code: 4, id: 0, data: vec![0x0D, 3, 6] });
    script.send(LCP, 2, request.id, &request.data);
    let mut second = WINDOWS_LCP[..18].to_vec();
    second[1] = 1;
    second[3] = 18;
    raw(script, LCP, &second);
    assert_eq!(script.one(), Packet { protocol: LCP, code: 2, id: 1, data: second[4..].to_vec() });
    assert!(script.events.iter().any(|event| matches!(
        event,
        Event::LcpOpened { peer_mru: 1400, method: Some(MsChapV2), peer_magic: 0x3A1F5277 }
    )));
}

fn answer_v2(script: &mut Script) {
    let challenge = script.one();
    assert_eq!((challenge.protocol, challenge.code, challenge.data[0]), (CHAP, 1, 16));
    let theirs: [u8; 16] = challenge.data[1..17].try_into().unwrap();
    let hash = NtHash::from_password(common::PASSWORD);
    let response = tollgate_mschap::generate_nt_response(&theirs, &[6; 16], b"alice", &hash);
    let data = [&[49][..], &[6; 16], &[0; 8], &response, &[0], br"CORP\alice"].concat();
    script.send(CHAP, 2, challenge.id, &data);
    let decision = common::decide(&script.request());
    script.decide(decision);
    let success = script.one();
    assert_eq!((success.code, success.id), (3, challenge.id));
    assert!(success.data.starts_with(b"S=") && success.data[42..].starts_with(b" M="));
}

#[test]
fn a_windows_login_from_the_first_request_to_the_hang_up() {
    let (mut script, request) = Script::started(&ALL);
    windows_lcp(&mut script, &request);
    let identifications = [&b"MSRASV5.20"[..], b"MSRAS-0-LAPTOP-7Q", &[0x91; 16]];
    for (id, text) in (2..).zip(identifications) {
        script.send(LCP, 12, id, &[&[0x3A, 0x1F, 0x52, 0x77][..], text].concat());
    }
    let told: Vec<&[u8]> = script
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Identification(text) => Some(text.as_slice()),
            _ => None,
        })
        .collect();
    assert_eq!(told, identifications, "told and not code-rejected");
    answer_v2(&mut script);
    let ipcp = script.one();
    assert_eq!(ipcp.protocol, IPCP);

    raw(&mut script, CCP, &WINDOWS_CCP);
    let mut rejected = vec![0x80, 0xFD];
    rejected.extend_from_slice(&WINDOWS_CCP);
    let reject = script.one();
    assert_eq!((reject.protocol, reject.code, reject.data), (LCP, 8, rejected));

    raw(&mut script, IPCP, &WINDOWS_IPCP);
    let wins = vec![0x82, 6, 0, 0, 0, 0, 0x84, 6, 0, 0, 0, 0];
    assert_eq!(script.one(), Packet { protocol: IPCP, code: 4, id: 5, data: wins });
    script.send(IPCP, 1, 6, &[0x03, 6, 0, 0, 0, 0, 0x81, 6, 0, 0, 0, 0, 0x83, 6, 0, 0, 0, 0]);
    let nak = script.one();
    assert_eq!((nak.code, nak.id), (3, 6));
    assert_eq!(nak.data, [0x03, 6, 10, 4, 5, 17, 0x81, 6, 10, 0, 0, 53, 0x83, 6, 10, 0, 0, 54]);
    script.send(IPCP, 1, 7, &nak.data);
    assert_eq!(script.one().code, 2);
    script.send(IPCP, 2, ipcp.id, &ipcp.data);
    assert!(script.link.is_up());

    raw(&mut script, 0x8057, &[1, 8, 0, 14, 0x01, 10, 1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(script.one().code, 8, "IPV6CP");
    assert!(script.link.is_up());

    script.send(LCP, 5, 9, &[0x3A, 0x1F, 0x52, 0x77, 0x00, 0x3C, 0xCD, 0x74, 0, 0, 0, 0]);
    assert_eq!(script.one(), Packet { protocol: LCP, code: 6, id: 9, data: vec![] });
    assert!(matches!(script.down(), Some(DownReason::PeerTerminated { windows_error: Some(0), .. })));
    assert_eq!(script.down().unwrap().to_string(), "the peer hung up: hung up by the user (Windows)");
}

#[test]
fn the_error_of_a_windows_terminate_request_is_told_in_number_and_words() {
    for (error, words) in [(732u32, "does not converge"), (738, "no address"), (720, "no network protocol")] {
        let mut script = Script::up();
        let data = [&[0, 0, 0, 0, 0x00, 0x3C, 0xCD, 0x74][..], &error.to_be_bytes()].concat();
        script.send(LCP, 5, 1, &data);
        let Some(DownReason::PeerTerminated { text, windows_error }) = script.down() else { panic!() };
        assert_eq!(*windows_error, Some(error));
        assert!(text.contains(&error.to_string()) && text.contains(words), "{text}");
    }
}

#[test]
fn a_windows_2000_request_loses_callback_mrru_and_endpoint_in_one_reject() {
    let (mut script, _) = Script::started(&[MsChapV2]);
    let good = [2, 6, 0, 0, 0, 0, 5, 6, 1, 2, 3, 4, 7, 2, 8, 2];
    let mut bad = vec![0x0D, 3, 6, 0x11, 4, 0x06, 0x4E, 0x13, 23, 1];
    bad.extend_from_slice(&[0xE0; 20]);
    script.send(LCP, 1, 0, &[&good[..], &bad].concat());
    assert_eq!(script.one(), Packet { protocol: LCP, code: 4, id: 0, data: bad });
}

#[test]
fn an_apple_login_with_an_echo_at_once_and_its_own_control_protocol() {
    let (mut script, request) = Script::started(&[MsChapV2]);
    script.open_lcp(&request, &[2, 6, 0, 0, 0, 0, 5, 6, 9, 8, 7, 6, 7, 2, 8, 2]);
    script.send(LCP, 9, 0, &[9, 8, 7, 6]);
    answer_v2_after_echo(&mut script);
    let ipcp = script.one();
    raw(&mut script, 0x8235, &APPLE_ACSCP);
    let reject = script.one();
    let mut data = vec![0x82, 0x35];
    data.extend_from_slice(&APPLE_ACSCP);
    assert_eq!((reject.protocol, reject.code, reject.data), (LCP, 8, data));
    script.finish_ipcp(&ipcp);
    assert_eq!(script.link.peer_mru(), 1400, "no MRU option: 1500, cut to our own limit");
}

fn answer_v2_after_echo(script: &mut Script) {
    let challenge = script.one();
    assert_eq!(challenge.protocol, CHAP);
    assert_eq!(script.one().code, 10);
    let theirs: [u8; 16] = challenge.data[1..17].try_into().unwrap();
    let hash = NtHash::from_password(common::PASSWORD);
    let response = tollgate_mschap::generate_nt_response(&theirs, &[6; 16], b"alice", &hash);
    script.send(CHAP, 2, challenge.id, &[&[49][..], &[6; 16], &[0; 8], &response, &[0], b"alice"].concat());
    let decision = common::decide(&script.request());
    script.decide(decision);
    assert_eq!(script.one().code, 3);
}

#[test]
fn case_36_an_empty_lcp_request_is_acknowledged() {
    let mut script = Script::lcp_open_with(server_config(&[Pap]), &[]);
    assert_eq!(script.link.phase(), Phase::Authenticate);
    script.send(PAP, 1, 1, b"\x05alice\x03pwd");
    script.accept();
    assert_eq!(script.one().code, 2);
}

#[test]
fn case_36_an_ipcp_request_without_address_is_told_to_add_it_and_then_let_be() {
    let (mut script, request) = Script::in_network();
    let hint = [&[3, 6][..], &network().peer.octets()].concat();
    for id in 1..=2 {
        script.send(IPCP, 1, id, &[]);
        assert_eq!(script.one(), Packet { protocol: IPCP, code: 3, id, data: hint.clone() });
    }
    script.send(IPCP, 1, 3, &[]);
    assert_eq!(script.one(), Packet { protocol: IPCP, code: 2, id: 3, data: vec![] });
    script.send(IPCP, 2, request.id, &request.data);
    assert!(script.link.is_up() && script.warned_of("does not ask for its address"));

    let (mut script, _) = Script::in_network();
    script.send(IPCP, 1, 1, &[129, 6, 0, 0, 0, 0]);
    let nak = script.one();
    assert_eq!(option(&nak.data, 3), Some(network().peer.octets().to_vec()));
    assert_eq!(option(&nak.data, 129), Some(vec![10, 0, 0, 53]));
}

#[test]
fn case_37_a_nak_to_mschapv2_is_followed_at_once() {
    let (mut script, request) = Script::started(&[Pap, ChapMd5, MsChapV2]);
    script.send(LCP, 3, request.id, &[3, 5, 0xC2, 0x23, 0x81]);
    let second = script.one();
    assert_eq!(option(&second.data, 3), Some(vec![0xC2, 0x23, 0x81]));
    script.open_lcp(&second, &[]);
    let challenge = script.one();
    assert_eq!((challenge.protocol, challenge.data[0]), (CHAP, 16));
}

#[test]
fn case_38_a_nak_loop_between_two_methods_ends() {
    let (mut script, mut request) = Script::started(&[MsChapV2, Pap]);
    let mut offers = vec![option(&request.data, 3).unwrap()];
    loop {
        let other: &[u8] = match option(&request.data, 3).as_deref() {
            Some([0xC0, 0x23]) => &[3, 5, 0xC2, 0x23, 0x81],
            _ => &[3, 4, 0xC0, 0x23],
        };
        script.send(LCP, 3, request.id, other);
        request = script.one();
        if request.code == 5 {
            break;
        }
        offers.push(option(&request.data, 3).unwrap());
    }
    assert_eq!(offers, [vec![0xC2, 0x23, 0x81], vec![0xC0, 0x23]], "each method once");
    script.send(LCP, 6, request.id, &[]);
    let wanted = vec!["PAP".to_owned(), "MS-CHAPv2".to_owned()];
    assert_eq!(script.down(), Some(&DownReason::MethodRefused { wanted }));
}

#[test]
fn case_38_repeated_failing_logins_are_bounded() {
    let mut script = Script::lcp_open_with(
        ServerConfig { max_auth_retries: 2, ..server_config(&[MsChapV2]) },
        &[5, 6, 1, 2, 3, 4],
    );
    let challenge = script.one();
    let mut id = challenge.id;
    for _ in 0..50 {
        script.send(CHAP, 2, id, &[&[49][..], &[id; 49], b"alice"].concat());
        script.decide(AuthDecision::Reject { message: vec![], code: 691, retry: true });
        id = id.wrapping_add(1);
        while script.next().is_some() {}
    }
    assert_eq!(script.requests(), 3);
    assert_eq!(script.link.phase(), Phase::Terminate);
}

#[test]
fn case_39_without_an_mru_option_the_peer_takes_1500() {
    let config = ServerConfig { mtu_limit: 1500, ..server_config(&[Pap]) };
    let script = Script::lcp_open_with(config, &[5, 6, 1, 2, 3, 4]);
    assert_eq!(script.link.peer_mru(), 1500);
}

#[test]
fn case_39_an_echo_reply_is_not_larger_than_the_peers_mru() {
    let mut script = Script::lcp_open_with(server_config(&[Pap]), &[1, 4, 0, 200]);
    script.send(LCP, 9, 1, &[0x5A; 1000]);
    let reply = script.one();
    assert_eq!((reply.code, reply.data.len()), (10, 196));
    raw(&mut script, LCP, &frame(LCP, 14, 1, &[0; 1000])[4..]);
    assert_eq!(script.one().data.len(), 196, "nor is a Code-Reject");
}

#[test]
fn case_40_ipcp_does_not_wait_for_ccp() {
    let (mut script, request) = Script::in_network();
    for id in 1..=3 {
        script.send(CCP, 1, id, &[0x12, 6, 0x01, 0, 0, 0x40, 0x1A, 4, 0x78, 0]);
        assert_eq!(script.one().code, 8);
        script.send(IPCP, 1, id, &[3, 6, 0, 0, 0, 0]);
        assert_eq!((script.next().unwrap().protocol, script.next()), (IPCP, None));
    }
    script.send(CCP, 5, 9, &[]);
    assert_eq!(script.one(), Packet { protocol: CCP, code: 6, id: 9, data: vec![] });
    script.send(CCP, 6, 9, &[]);
    script.silent();
    script.finish_ipcp(&request);
}

#[test]
fn case_41_a_peer_that_closes_ccp_stays_connected() {
    let mut script = Script::up();
    raw(&mut script, CCP, &WINDOWS_CCP);
    assert_eq!(script.one().code, 8);
    script.send(CCP, 5, 6, &[0, 0, 0, 0, 0x00, 0x3C, 0xCD, 0x74, 0, 0, 0x02, 0xDC]);
    assert_eq!(script.one(), Packet { protocol: CCP, code: 6, id: 6, data: vec![] });
    assert!(script.link.is_up());
}

#[test]
fn case_42_the_success_text_has_its_blank_and_an_unagreed_challenge_no_answer() {
    let (mut script, request) = Script::started(&[MsChapV2]);
    windows_lcp(&mut script, &request);
    answer_v2(&mut script);
    script.one();
    script.send(CHAP, 1, 1, &[&[16][..], &[1; 16], b"laptop"].concat());
    script.silent();

    let mut script = Script::lcp_open(&[Pap]);
    script.send(CHAP, 1, 1, &[&[16][..], &[1; 16], b"laptop"].concat());
    script.silent();
    assert!(script.warned_of("CHAP from the peer, which LCP did not agree on"));

    let mut script = Script::client(client_config(&[Pap]));
    script.link.start(script.now);
    let request = script.one();
    script.open_lcp(&request, &[3, 4, 0xC0, 0x23]);
    assert_eq!(script.one().protocol, PAP);
    script.send(CHAP, 1, 1, &[&[16][..], &[1; 16], b"lns"].concat());
    script.silent();
}

#[test]
fn case_43_empty_pool_never_rejects_the_address() {
    let (mut script, _) = Script::pap_pending();
    script.decide(AuthDecision::Unavailable { message: b"no address is free".to_vec() });
    let request = script.acknowledge_terminate();
    assert_eq!(request.data, b"no address is free");
    assert!(matches!(script.down(), Some(DownReason::Unavailable { .. })));

    let (mut script, _) = Script::in_network();
    for id in 0..40 {
        script.send(IPCP, 1, id, &[3, 6, 192, 168, 0, id]);
    }
    while let Some(packet) = script.next() {
        let rejects_address =
            packet.protocol == IPCP && packet.code == 4 && option(&packet.data, 3).is_some();
        assert!(!rejects_address);
    }
}

#[test]
fn case_44_a_phone_that_vanished_is_noticed() {
    let mut pair = Pair::of(&ALL, &ALL);
    pair.start();
    pair.run_until_settled(Duration::from_secs(30));
    assert!(pair.both_up());
    let vanished = pair.now;
    let mut server = pair.server;
    while let Some(due) = server.link.next_timeout() {
        server.link.handle_timeout(due);
        pair.now = due;
        while server.link.poll_frame().is_some() {}
    }
    while let Some(event) = server.link.poll_event() {
        server.events.push(event);
    }
    assert_eq!(server.down_reason(), Some(&DownReason::EchoTimeout));
    let took = pair.now - vanished;
    // Five silent intervals and two goodbyes, less the time that the last packet was on its way.
    assert!(took > Duration::from_secs(152) && took <= Duration::from_secs(5 * 30 + 3), "{took:?}");
}

#[test]
fn case_45_the_first_configure_request_is_lost_and_repeated_after_a_second() {
    let mut pair = Pair::of(&ALL, &ALL);
    pair.weather.fates = vec![1, 1];
    pair.start();
    pair.run_until_settled(Duration::from_secs(30));
    assert!(pair.both_up());
    let took = pair.now - pair.begun;
    assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn case_46_the_mss_follows_the_mtu_of_the_link() {
    let script = Script::lcp_open_with(server_config(&[Pap]), &[1, 4, 0x05, 0x00]);
    let mut syn = vec![0x45, 0, 0, 44, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
    syn.extend_from_slice(&[
        0, 80, 0, 81, 0, 0, 0, 0, 0, 0, 0, 0, 0x60, 2, 0xFF, 0xFF, 0, 0, 0, 0, 2, 4, 5, 0xB4,
    ]);
    assert!(clamp_mss(&mut syn, script.link.peer_mru()));
    assert_eq!(syn[42..44], 1240u16.to_be_bytes());
}

#[test]
fn an_android_client_offers_vj_and_compression_and_comes_in() {
    let (mut script, request) = Script::started(&[MsChapV2, Pap]);
    script.send(LCP, 3, request.id, &[3, 4, 0xC0, 0x23]);
    let request = script.one();
    script.open_lcp(&request, &[1, 4, 5, 0x78, 2, 6, 0, 0, 0, 0, 5, 6, 1, 2, 3, 4, 7, 2, 8, 2]);
    script.send(PAP, 1, 1, b"\x05alice\x03pwd");
    script.accept();
    script.one();
    let ipcp = script.one();
    script.send(CCP, 1, 1, &[0x1A, 4, 0x78, 0, 0x18, 4, 0x78, 0, 0x15, 3, 0x2F]);
    assert_eq!(script.one().code, 8);
    script.send(
        IPCP,
        1,
        1,
        &[2, 6, 0, 0x2D, 15, 1, 3, 6, 0, 0, 0, 0, 129, 6, 0, 0, 0, 0, 131, 6, 0, 0, 0, 0],
    );
    assert_eq!(script.one(), Packet { protocol: IPCP, code: 4, id: 1, data: vec![2, 6, 0, 0x2D, 15, 1] });
    script.send(IPCP, 2, ipcp.id, &ipcp.data);
    script.send(IPCP, 1, 2, &[3, 6, 0, 0, 0, 0, 129, 6, 0, 0, 0, 0, 131, 6, 0, 0, 0, 0]);
    let nak = script.one();
    script.send(IPCP, 1, 3, &nak.data);
    assert_eq!(script.one().code, 2);
    assert!(script.link.is_up());
}

#[test]
fn what_is_not_served_is_protocol_rejected_only_once_network_protocols_may_speak() {
    let others = [0x8057u16, 0x80FD, 0x8281, 0x8235, 0x804B, 0x0057, 0x00FD, 0x002D, 0xC025];
    let mut script = Script::lcp_open(&[AuthProtocol::Pap]);
    for protocol in others {
        script.send(protocol, 1, 1, &[]);
    }
    script.silent();
    let mut script = Script::up();
    let mut ids = Vec::new();
    for protocol in others {
        script.send(protocol, 1, 1, &[7; 2000]);
        let reject = script.one();
        assert_eq!((reject.protocol, reject.code), (LCP, 8));
        assert_eq!(reject.data[..2], protocol.to_be_bytes());
        assert!(reject.data.len() <= 1496);
        ids.push(reject.id);
    }
    ids.dedup();
    assert_eq!(ids.len(), others.len(), "each with an identifier of its own");
}
