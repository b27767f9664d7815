//! Proxy LCP and proxy authentication from a LAC (RFC 2661 4.4.5).

mod common;

use common::script::{CHAP, IPCP, LCP, PAP, Packet, Script, option};
use common::server_config;
use tollgate_ppp::AuthProtocol::{ChapMd5, MsChapV1, MsChapV2, Pap};
use tollgate_ppp::{AuthDecision, AuthProtocol, Event, Phase, Proof, ProxyAuth, ProxyLcp};

const RECEIVED: [u8; 10] = [1, 4, 0x05, 0xD4, 5, 6, 1, 2, 3, 4];

fn sent(method: &[u8]) -> Vec<u8> {
    let mut list = vec![1, 4, 0x05, 0xDC, 3, method.len() as u8 + 2];
    list.extend_from_slice(method);
    list.extend_from_slice(&[5, 6, 9, 9, 9, 9]);
    list
}

fn auth<'a>(auth_type: u16, challenge: &'a [u8], response: &'a [u8]) -> ProxyAuth<'a> {
    ProxyAuth { auth_type, name: b"alice", challenge, identifier: 5, response }
}

fn offer(
    methods: &[AuthProtocol],
    sent: &[u8],
    received: &[u8],
    auth: Option<ProxyAuth<'_>>,
) -> (Script, bool) {
    let mut script = Script::server(server_config(methods));
    let proxy = ProxyLcp {
        initial_received: Some(received),
        last_sent: Some(sent),
        last_received: Some(received),
        auth,
    };
    let adopted = script.link.start_with_proxy(script.now, proxy);
    script.take_events();
    (script, adopted)
}

#[test]
fn a_proxied_chap_login_is_decided_at_once_and_answered_with_its_identifier() {
    let (mut script, adopted) =
        offer(&[MsChapV2, ChapMd5], &sent(&[0xC2, 0x23, 0x05]), &RECEIVED, Some(auth(2, &[7; 20], &[8; 16])));
    assert!(adopted);
    assert!(matches!(
        script.events[0],
        Event::LcpOpened { peer_mru: 1400, method: Some(ChapMd5), peer_magic: 0x01020304 }
    ));
    let request = script.request();
    assert_eq!(request.name, b"alice");
    let Proof::Chap { identifier: 5, challenge, response } = request.proof else { panic!() };
    assert_eq!((challenge, response), (vec![7; 20], [8; 16]));
    assert_eq!(script.link.authentication_round(), 1);
    script.silent();
    script.accept();
    assert_eq!(script.one(), Packet { protocol: CHAP, code: 3, id: 5, data: b"Welcome".to_vec() });
    let request = script.one();
    script.finish_ipcp(&request);
    script.send(LCP, 9, 1, &[1, 2, 3, 4]);
    assert_eq!(script.one().data, [9, 9, 9, 9], "the magic number that the LAC gave out for us");
}

#[test]
fn a_proxied_pap_login_is_decided_at_once() {
    let (mut script, adopted) = offer(&[Pap], &sent(&[0xC0, 0x23]), &RECEIVED, Some(auth(3, b"", b"pwd")));
    assert!(adopted);
    assert!(matches!(script.request().proof, Proof::Pap { password } if password.as_slice() == b"pwd"));
    script.send(PAP, 1, 6, b"\x05alice\x03pwd");
    assert_eq!(script.requests(), 1, "the user repeats what the LAC has passed on");
    script.accept();
    assert_eq!(script.one(), Packet { protocol: PAP, code: 2, id: 6, data: b"\x07Welcome".to_vec() });
    assert_eq!(script.one().protocol, IPCP);
}

#[test]
fn a_proxied_mschapv1_login_is_decided_and_may_be_tried_again() {
    let response = [&[0; 24][..], &[4; 24], &[1]].concat();
    let (mut script, adopted) =
        offer(&[MsChapV1], &sent(&[0xC2, 0x23, 0x80]), &RECEIVED, Some(auth(5, &[3; 8], &response)));
    assert!(adopted);
    let Proof::MsChapV1 { challenge, nt_response, use_nt, .. } = script.request().proof else { panic!() };
    assert_eq!((challenge, nt_response, use_nt), ([3; 8], [4; 24], true));
    script.decide(AuthDecision::Reject { message: vec![], code: 691, retry: true });
    assert!(script.one().data.starts_with(b"E=691 R=1 C="));
    script.send(CHAP, 2, 6, &[&[49][..], &response, b"alice"].concat());
    assert_eq!(script.requests(), 2);
}

#[test]
fn lcp_without_a_begun_authentication_is_taken_and_the_user_asked() {
    for begun in [None, Some(auth(4, b"", b""))] {
        let (mut script, adopted) = offer(&[ChapMd5], &sent(&[0xC2, 0x23, 0x05]), &RECEIVED, begun);
        assert!(adopted);
        let challenge = script.one();
        assert_eq!((challenge.protocol, challenge.code), (CHAP, 1));
        assert_eq!(script.requests(), 0);
    }
}

#[test]
fn an_exchange_of_the_wrong_size_is_begun_again() {
    let (mut script, adopted) =
        offer(&[ChapMd5], &sent(&[0xC2, 0x23, 0x05]), &RECEIVED, Some(auth(2, &[7; 16], &[8; 15])));
    assert!(adopted);
    assert_eq!((script.one().protocol, script.requests()), (CHAP, 0));
}

#[test]
fn what_we_would_not_have_agreed_to_is_negotiated_afresh() {
    let good = sent(&[0xC0, 0x23]);
    let pap = || Some(auth(3, b"", b"pwd"));
    let mrru = [&RECEIVED[..], &[0x11, 4, 6, 0]].concat();
    let mut asks_us = RECEIVED.to_vec();
    asks_us.extend_from_slice(&[3, 4, 0xC0, 0x23]);
    type Case<'a> = (&'a str, &'a [AuthProtocol], Vec<u8>, Vec<u8>, Option<ProxyAuth<'a>>);
    let cases: [Case<'_>; 8] = [
        ("a method not allowed", &[MsChapV2], good.clone(), RECEIVED.to_vec(), pap()),
        ("no method at all", &[Pap], vec![1, 4, 5, 0xDC], RECEIVED.to_vec(), pap()),
        ("EAP", &[Pap], sent(&[0xC2, 0x27]), RECEIVED.to_vec(), None),
        (
            "the exchange is not the method",
            &[Pap],
            good.clone(),
            RECEIVED.to_vec(),
            Some(auth(2, &[1; 16], &[2; 16])),
        ),
        ("a textual exchange", &[Pap], good.clone(), RECEIVED.to_vec(), Some(auth(1, b"", b"pwd"))),
        ("multilink", &[Pap], good.clone(), mrru, pap()),
        ("the user wants us to authenticate", &[Pap], good.clone(), asks_us, pap()),
        ("broken options", &[Pap], good.clone(), vec![1, 9, 0], pap()),
    ];
    for (why, methods, sent, received, auth) in cases {
        let (mut script, adopted) = offer(methods, &sent, &received, auth);
        assert!(!adopted, "{why}");
        assert_eq!(script.link.phase(), Phase::Establish, "{why}");
        assert_eq!(script.requests(), 0, "{why}");
        let request = script.one();
        assert_eq!((request.protocol, request.code), (LCP, 1), "{why}");
        assert_eq!(option(&request.data, 1), Some(vec![0x05, 0x78]), "{why}: our own MRU again");
        script.open_lcp(&request, &[]);
        assert_eq!(script.link.peer_mru(), 1400, "{why}: nothing of the report is left");
    }
}

#[test]
fn an_incomplete_report_is_negotiated_afresh() {
    let mut script = Script::server(server_config(&[Pap]));
    assert!(!script.link.start_with_proxy(script.now, ProxyLcp::default()));
    assert_eq!(script.one().code, 1);
}

#[test]
fn a_user_that_begins_anew_is_followed() {
    let (mut script, _) = offer(&[Pap], &sent(&[0xC0, 0x23]), &RECEIVED, Some(auth(3, b"", b"pwd")));
    script.send(LCP, 1, 1, &[5, 6, 4, 4, 4, 4]);
    let request = script.one();
    assert_eq!((request.code, script.one().code), (1, 2));
    script.send(LCP, 2, request.id, &request.data);
    assert_eq!(script.link.phase(), Phase::Authenticate);
    script.accept();
    script.silent();
}
