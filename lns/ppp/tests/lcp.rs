//! LCP of a server against a scripted peer: negotiation and its counters (RFC 1661).

mod common;

use common::script::{LCP, PAP, Packet, Script, frame, option, without};
use common::{client_config, server_config};
use tollgate_ppp::AuthProtocol::{ChapMd5, Eap, MsChapV1, MsChapV2, Pap};
use tollgate_ppp::{DownReason, Event, Phase, ServerConfig};

const MAGIC: [u8; 6] = [0x05, 0x06, 0xAA, 0xBB, 0xCC, 0xDD];

#[test]
fn the_first_request_asks_for_mru_authentication_and_magic() {
    let (script, request) = Script::started(&[MsChapV2, Pap]);
    assert_eq!((request.protocol, request.code), (LCP, 1));
    assert_eq!(option(&request.data, 1), Some(vec![0x05, 0x78]));
    assert_eq!(option(&request.data, 3), Some(vec![0xC2, 0x23, 0x81]));
    assert_ne!(option(&request.data, 5).unwrap(), [0; 4]);
    assert_eq!(request.data.len(), 4 + 5 + 6);
    assert_eq!(script.link.phase(), Phase::Establish);
}

#[test]
fn an_unanswered_request_is_repeated_after_one_two_three_three_seconds() {
    let (mut script, request) = Script::started(&[MsChapV2]);
    let mut waits = Vec::new();
    loop {
        waits.push(script.wait().as_secs());
        match script.next() {
            Some(again) => assert_eq!(again, request, "a retransmission is the same packet"),
            None => break,
        }
    }
    assert_eq!(waits, [1, 2, 3, 3, 3, 3, 3, 3, 3, 3], "max_configure is 10 in all");
    assert_eq!(script.down(), Some(&DownReason::NegotiationTimeout(Phase::Establish)));
    assert_eq!(script.link.next_timeout(), None);
}

#[test]
fn unknown_and_unwanted_options_are_rejected_and_never_naked() {
    let (mut script, _) = Script::started(&[MsChapV2]);
    let mut unwanted = vec![0x0D, 3, 6, 0x11, 4, 0x06, 0x4E];
    unwanted.extend_from_slice(&[0x13, 5, 1, 2, 3, 4, 4, 0xC0, 0x25, 0x63, 2]);
    let request = [&MAGIC[..], &unwanted].concat();
    script.send(LCP, 1, 4, &request);
    assert_eq!(script.one(), Packet { protocol: LCP, code: 4, id: 4, data: unwanted });
    script.silent();
}

#[test]
fn mru_accm_and_header_compression_are_granted() {
    let options = [&[1, 4, 0x05, 0x00, 2, 6, 0, 0, 0, 0][..], &MAGIC, &[7, 2, 8, 2]].concat();
    let script = Script::lcp_open_with(server_config(&[Pap]), &options);
    assert_eq!(script.link.peer_mru(), 1280);
    assert_eq!(script.link.send_protocol_compressed(), (true, true));
    assert_eq!(script.link.ipv4_header(), [0x21]);
    assert!(script.events.iter().any(|event| matches!(
        event,
        Event::LcpOpened { peer_mru: 1280, method: Some(Pap), peer_magic: 0xAABBCCDD }
    )));
}

#[test]
fn the_configured_limit_cuts_a_large_mru() {
    let script = Script::lcp_open_with(server_config(&[Pap]), &[1, 4, 0x05, 0xDC]);
    assert_eq!(script.link.peer_mru(), 1400);
    assert_eq!(script.link.ipv4_header(), [0xFF, 0x03, 0x00, 0x21]);
}

#[test]
fn malformed_values_are_naked_with_what_would_do_and_then_rejected() {
    let (mut script, _) = Script::started_with(ServerConfig { max_failure: 3, ..server_config(&[Pap]) });
    let request = [1, 4, 0, 64, 5, 3, 9, 7, 3, 1];
    for id in 1..=3 {
        script.send(LCP, 1, id, &request);
        let nak = script.one();
        assert_eq!((nak.code, nak.id), (3, id));
        assert_eq!(option(&nak.data, 1), Some(vec![0, 128]));
        assert_eq!(option(&nak.data, 5).unwrap().len(), 4);
        assert_eq!(option(&nak.data, 7), Some(vec![]));
    }
    script.send(LCP, 1, 4, &request);
    assert_eq!(script.one(), Packet { protocol: LCP, code: 4, id: 4, data: request.to_vec() });
}

#[test]
fn a_broken_option_list_is_discarded() {
    let (mut script, _) = Script::started(&[Pap]);
    script.send(LCP, 1, 1, &[1, 4, 5]);
    script.send(LCP, 1, 1, &[1, 0]);
    script.silent();
    assert!(script.warned_of("broken option list"));
}

#[test]
fn a_peer_that_never_agrees_is_given_up() {
    let (mut script, _) = Script::started(&[Pap]);
    for id in 0..=200u8 {
        script.send(LCP, 1, id, &[0x0D, 3, 6]);
    }
    while script.next().is_some() {}
    while script.down().is_none() {
        script.wait();
    }
    assert_eq!(script.down(), Some(&DownReason::NotConverging("LCP")));
}

#[test]
fn an_ack_must_repeat_identifier_and_options() {
    let (mut script, request) = Script::started(&[Pap]);
    script.send(LCP, 1, 1, &MAGIC);
    script.one();
    script.send(LCP, 2, request.id.wrapping_add(1), &request.data);
    script.send(LCP, 2, request.id, &without(&request.data, 3));
    assert_eq!(script.link.phase(), Phase::Establish, "an Ack without the authentication option is no Ack");
    script.send(LCP, 2, request.id, &request.data);
    assert_eq!(script.link.phase(), Phase::Authenticate);
}

#[test]
fn an_mru_that_is_naked_or_rejected_is_adapted() {
    let (mut script, request) = Script::started(&[Pap]);
    script.send(LCP, 3, request.id, &[1, 4, 0x05, 0x00]);
    let second = script.one();
    assert_ne!(second.id, request.id);
    assert_eq!(option(&second.data, 1), Some(vec![0x05, 0x00]));
    script.send(LCP, 4, second.id, &[1, 4, 0x05, 0x00]);
    let third = script.one();
    assert_eq!(option(&third.data, 1), None);
    assert!(option(&third.data, 3).is_some());
}

#[test]
fn a_nak_moves_to_the_method_that_the_peer_names() {
    let (mut script, request) = Script::started(&[MsChapV2, MsChapV1, ChapMd5, Pap]);
    script.send(LCP, 3, request.id, &[3, 4, 0xC0, 0x23]);
    let second = script.one();
    assert_eq!(option(&second.data, 3), Some(vec![0xC0, 0x23]));
    script.open_lcp(&second, &MAGIC);
    assert!(script.events.iter().any(|event| matches!(event, Event::LcpOpened { method: Some(Pap), .. })));
}

#[test]
fn a_peer_that_wants_only_what_we_may_not_do_is_told_and_its_wishes_are_named() {
    let (mut script, request) = Script::started(&[MsChapV2]);
    script.send(LCP, 3, request.id, &[3, 4, 0xC2, 0x27, 3, 4, 0xC0, 0x23]);
    script.acknowledge_terminate();
    let wanted = vec!["EAP".to_owned(), "PAP".to_owned()];
    assert_eq!(script.down(), Some(&DownReason::MethodRefused { wanted }));
    assert_eq!(
        script.down().unwrap().to_string(),
        "no common authentication method; the peer wanted EAP, PAP"
    );
}

#[test]
fn a_peer_that_will_not_authenticate_at_all_is_refused_at_once() {
    let (mut script, request) = Script::started(&[MsChapV2, Pap]);
    script.send(LCP, 4, request.id, &[3, 5, 0xC2, 0x23, 0x81]);
    script.acknowledge_terminate();
    let wanted = vec!["no authentication".to_owned()];
    assert_eq!(script.down(), Some(&DownReason::MethodRefused { wanted }));
}

#[test]
fn without_a_method_that_can_be_offered_nobody_comes_in() {
    let mut script = Script::server(server_config(&[]));
    script.link.start(script.now);
    script.take_events();
    script.silent();
    assert!(matches!(script.down(), Some(DownReason::MethodRefused { .. })));
}

#[test]
fn eap_is_offered_like_the_others() {
    let (_, request) = Script::started(&[Eap, MsChapV2]);
    assert_eq!(option(&request.data, 3), Some(vec![0xC2, 0x27]));
}

#[test]
fn our_own_magic_number_coming_back_means_a_loop() {
    let mut script = Script::server(server_config(&[Pap]));
    script.link.start(script.now);
    let mut rounds = 0;
    while let Some(frame) = script.link.poll_frame() {
        rounds += 1;
        assert!(rounds < 50);
        script.send_frame(&frame);
        if script.link.phase() == Phase::Terminate {
            break;
        }
    }
    while script.down().is_none() {
        script.wait();
    }
    assert_eq!(script.down(), Some(&DownReason::Loopback));
}

#[test]
fn one_equal_magic_number_is_only_a_coincidence() {
    let (mut script, request) = Script::started(&[Pap]);
    let ours = option(&request.data, 5).unwrap();
    script.send(LCP, 1, 1, &[&[5, 6][..], &ours].concat());
    let nak = script.one();
    assert_eq!(nak.code, 3);
    let other = option(&nak.data, 5).unwrap();
    assert_ne!(other, ours);
    script.open_lcp(&request, &[&[5, 6][..], &other].concat());
    assert_eq!(script.link.phase(), Phase::Authenticate);
}

#[test]
fn unknown_codes_are_code_rejected() {
    let (mut script, _) = Script::started(&[Pap]);
    script.send(LCP, 14, 5, &[1, 2, 3]);
    let reject = script.one();
    assert_eq!((reject.code, &reject.data[..]), (7, &[14, 5, 0, 7, 1, 2, 3][..]));
    script.send(LCP, 14, 6, &[0; 4000]);
    let second = script.one();
    assert_ne!(second.id, reject.id);
    assert_eq!(second.data.len(), 1496, "cut to the peer's MRU");
}

#[test]
fn identification_time_remaining_and_discard_are_never_code_rejected() {
    let (mut script, _) = Script::started(&[Pap]);
    for code in [11, 12, 13] {
        script.send(LCP, code, 1, b"\0\0\0\0text");
    }
    script.silent();
    let mut script = Script::up();
    for code in [11, 12, 13] {
        script.send(LCP, code, 1, b"\0\0\0\0text");
    }
    script.silent();
    assert!(
        script.events.iter().any(|event| matches!(event, Event::Identification(text) if text == b"text"))
    );
}

#[test]
fn a_peer_cannot_fill_the_log() {
    let mut script = Script::up();
    for id in 0..=255 {
        script.send(LCP, 12, id, &[b'x'; 1400]);
    }
    let told: Vec<usize> = script
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Identification(text) => Some(text.len()),
            _ => None,
        })
        .collect();
    assert!(told.len() <= 32 && told.iter().all(|&length| length <= 255));
}

#[test]
fn an_endless_negotiation_stops_with_the_largest_counters_too() {
    let config = ServerConfig { max_configure: u32::MAX, max_failure: u32::MAX, ..server_config(&[Pap]) };
    let (mut script, request) = Script::started_with(config);
    let mut id = request.id;
    for round in 0..1000 {
        script.send(LCP, 3, id, &[1, 4, 4, round as u8]);
        match script.one() {
            Packet { code: 1, id: next, .. } => id = next,
            _ => break,
        }
    }
    assert_eq!(script.link.phase(), Phase::Terminate);
}

#[test]
fn copies_of_an_ack_are_ignored() {
    let (mut script, request) = Script::started(&[Pap]);
    script.open_lcp(&request, &MAGIC);
    script.send(LCP, 2, request.id, &request.data);
    assert_eq!(script.link.phase(), Phase::Authenticate);
    script.silent();
}

#[test]
fn short_headers_are_taken_and_lcp_is_always_answered_with_the_long_one() {
    let options = [&MAGIC[..], &[7, 2, 8, 2]].concat();
    let mut script = Script::lcp_open_with(server_config(&[Pap]), &options);
    let echo = frame(LCP, 9, 1, &[0; 4]);
    script.send_frame(&echo[2..]);
    let reply = script.link.poll_frame().unwrap();
    assert_eq!(reply[..4], [0xFF, 0x03, 0xC0, 0x21]);
    script.send_frame(&frame(PAP, 1, 9, b"\x05alice\x03pwd")[2..]);
    script.accept();
    assert_eq!(script.link.poll_frame().unwrap()[..2], [0xC0, 0x23], "PAP without FF 03");
    assert_eq!(script.link.poll_frame().unwrap()[..2], [0x80, 0x21], "IPCP without FF 03");
}

#[test]
fn a_client_asks_for_the_short_headers_and_drops_what_is_rejected() {
    let mut script = Script::client(client_config(&[Pap]));
    script.link.start(script.now);
    let request = script.one();
    assert_eq!(option(&request.data, 3), None);
    assert!(option(&request.data, 7).is_some() && option(&request.data, 8).is_some());
    script.send(LCP, 4, request.id, &without(&request.data, 1));
    let second = script.one();
    assert_eq!(second.data, [1, 4, 0x05, 0x78], "magic, PFC and ACFC are gone");
}

#[test]
fn a_client_naks_a_method_that_it_may_not_do_with_its_first_one() {
    let mut script = Script::client(client_config(&[MsChapV2, Pap]));
    script.link.start(script.now);
    script.one();
    script.send(LCP, 1, 1, &[3, 5, 0xC2, 0x23, 0x05]);
    assert_eq!(script.one(), Packet { protocol: LCP, code: 3, id: 1, data: vec![3, 5, 0xC2, 0x23, 0x81] });
    script.send(LCP, 1, 2, &[3, 5, 0xC2, 0x23, 0x05]);
    assert_eq!(script.one(), Packet { protocol: LCP, code: 3, id: 2, data: vec![3, 4, 0xC0, 0x23] });
    script.send(LCP, 1, 3, &[3, 4, 0xC0, 0x23]);
    assert_eq!(script.one().code, 2);
}

#[test]
fn a_server_never_authenticates_itself() {
    let (mut script, _) = Script::started(&[MsChapV1]);
    script.send(LCP, 1, 1, &[3, 4, 0xC0, 0x23]);
    assert_eq!(script.one(), Packet { protocol: LCP, code: 4, id: 1, data: vec![3, 4, 0xC0, 0x23] });
    assert!(script.warned_of("authenticate by PAP"));
}
