use tollgate_sansio::Entropy;

use super::*;
use crate::config::Timers;

fn server(methods: &[AuthProtocol]) -> (Lcp, Shared) {
    let config = ServerConfig { methods: methods.to_vec(), ..ServerConfig::default() };
    let mut shared = Shared::new(Entropy::from_seed([3; 32]), Timers::of_server(&config));
    let mut lcp = Lcp::server(&config);
    lcp.begin(&mut shared);
    (lcp, shared)
}

fn nak(method: AuthProtocol) -> ConfigOption<'static> {
    ConfigOption { kind: AUTHENTICATION, value: method.option() }
}

#[test]
fn the_method_that_the_peer_likes_comes_first_and_the_refused_one_goes() {
    use AuthProtocol::{ChapMd5, MsChapV1, MsChapV2, Pap};
    let (mut lcp, mut shared) = server(&[MsChapV2, MsChapV1, ChapMd5, Pap]);
    lcp.naked(&[nak(ChapMd5)], &mut shared).unwrap();
    assert_eq!(lcp.left, [Some(ChapMd5), None, Some(MsChapV1), Some(Pap), None]);
    lcp.naked(&[nak(MsChapV2)], &mut shared).unwrap();
    assert_eq!(lcp.offered(), Some(MsChapV1), "MS-CHAPv2 was refused before");
    lcp.naked(&[nak(MsChapV1)], &mut shared).unwrap();
    assert_eq!(lcp.offered(), Some(Pap));
    let wanted =
        vec!["CHAP-MD5".to_owned(), "MS-CHAPv2".to_owned(), "MS-CHAPv1".to_owned(), "PAP".to_owned()];
    assert_eq!(lcp.naked(&[nak(Pap)], &mut shared), Err(DownReason::MethodRefused { wanted }));
    lcp.begin(&mut shared);
    assert_eq!(lcp.offered(), Some(MsChapV2), "a new negotiation offers all of them again");
}

#[test]
fn of_many_wishes_only_a_few_are_remembered() {
    let (mut lcp, mut shared) = server(&[AuthProtocol::Pap, AuthProtocol::MsChapV2]);
    let algorithms: Vec<[u8; 3]> = (0..200).map(|algorithm| [0xC2, 0x23, algorithm]).collect();
    let hints: Vec<_> = algorithms.iter().map(|value| ConfigOption { kind: AUTHENTICATION, value }).collect();
    lcp.naked(&hints, &mut shared).unwrap();
    assert_eq!(lcp.wanted.len(), MOST_WANTED);
    lcp.settle();
    assert_eq!(lcp.wanted.capacity(), 0);
}

#[test]
fn an_mru_outside_the_bounds_is_brought_inside() {
    let config = ServerConfig { mru: 9000, ..ServerConfig::default() };
    assert_eq!(Lcp::server(&config).configured_mru, 1500);
    let config = ServerConfig { mru: 1, ..ServerConfig::default() };
    assert_eq!(Lcp::server(&config).configured_mru, 128);
    let (mut lcp, mut shared) = server(&[AuthProtocol::Pap]);
    lcp.naked(&[ConfigOption { kind: MRU, value: &[0xFF, 0xFF] }], &mut shared).unwrap();
    assert_eq!(lcp.mru, Some(1500));
}

#[test]
fn a_refused_request_leaves_what_was_granted_before() {
    let (mut lcp, mut shared) = server(&[AuthProtocol::Pap]);
    let good = [ConfigOption { kind: PFC, value: &[] }];
    assert_eq!(lcp.judge(&good, true, &mut shared), Ok(Answer::Ack));
    assert!(lcp.peer.pfc);
    let bad = [ConfigOption { kind: ACFC, value: &[] }, ConfigOption { kind: 0x0D, value: &[6] }];
    assert_eq!(lcp.judge(&bad, true, &mut shared), Ok(Answer::Reject(vec![0x0D, 3, 6])));
    assert!(lcp.peer.pfc && !lcp.peer.acfc);
    assert_eq!(lcp.judge(&[], true, &mut shared), Ok(Answer::Ack));
    assert_eq!(lcp.peer, PeerOptions::default());
}
