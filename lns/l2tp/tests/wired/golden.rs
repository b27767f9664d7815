//! Our messages octet by octet, as the strictest client wants them: flags T, L and S and no other, exact length,
//! Message Type first with exactly 8008, ZLB of twelve octets.

use tollgate_l2tp::{CallDisconnect, CdnResult, ErrorCode, SessionKey, StopResult, TunnelId, TunnelStop};

use crate::clients::{android_sccrq, microsoft_sccrq};
use crate::peer::{Peer, avp, body};
use crate::wire::lns_config;
use tollgate_l2tp::MessageType;

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn only(datagrams: Vec<Vec<u8>>) -> String {
    assert_eq!(datagrams.len(), 1);
    hex(&datagrams[0])
}

/// The whole conversation with Android's client, answers compared octet by octet.
#[test]
fn case_26_every_answer_is_byte_exact_for_mtpd() {
    let mut peer = Peer::new(lns_config());
    peer.raw(&android_sccrq(0x1234));
    peer.ns = 1;
    let answer = peer.datagrams().remove(0);
    let tunnel = u16::from_be_bytes(answer[answer.len() - 10..][..2].try_into().unwrap());
    peer.theirs = tunnel;
    peer.nr = 1;
    let sccrp = concat!(
        "c8020051",
        "12340000",
        "00000001",         // header: tunnel id of the client, Ns 0, Nr 1
        "8008000000000002", // Message Type
        "8008000000020100", // Protocol Version 1.0
        "800a00000003",
        "00000001", // Framing Capabilities: synchronous
        "801500000007",
        "6c6e732e6578616d706c652e6e6574", // Host Name: lns.example.net
    );
    let rest = format!("800800000009{tunnel:04x}{}", "80080000000a0010");
    let expected = format!("{sccrp}{rest}");
    let length = format!("c802{:04x}", expected.len() / 2);
    assert_eq!(hex(&answer), expected.replacen("c8020051", &length, 1));

    // SCCCN: ZLB, Ns 1 (the next), Nr 2.
    peer.say(0, &body(MessageType::Scccn, &[]));
    assert_eq!(only(peer.datagrams()), "c802000c123400000001".to_owned() + "0002");

    // ICRQ with session 0x0042: ICRP.
    peer.say(0, &body(MessageType::Icrq, &[avp(14, &[0, 0x42]), avp(15, &[1, 2, 3, 4])]));
    let answer = peer.datagrams().remove(0);
    let session = u16::from_be_bytes(answer[answer.len() - 2..].try_into().unwrap());
    assert_eq!(
        hex(&answer),
        format!("c802001c123400420001{}{}{session:04x}", "0003800800000000000b", "80080000000e")
    );
    peer.nr = 2;

    // ICCN: ZLB, Ns 2, Nr 4.
    peer.say(session, &body(MessageType::Iccn, &[avp(24, &[5, 0xf5, 0xe1, 0]), avp(19, &[0, 0, 0, 3])]));
    assert_eq!(only(peer.datagrams()), "c802000c1234000000020004");

    // CDN: Result Code of ten octets, then our session id.
    let tunnel = TunnelId::new(tunnel).unwrap();
    let key = SessionKey { tunnel, session: tollgate_l2tp::SessionId::new(session).unwrap() };
    peer.lns.endpoint.close_session(peer.now, key, CallDisconnect::new(CdnResult::Administrative, ""));
    assert_eq!(
        only(peer.datagrams()),
        format!(
            "c8020026123400420002{}{}{session:04x}",
            "0004800800000000000e800a0000000100030000", "80080000000e"
        )
    );
    peer.nr = 3;
    peer.zlb();

    // StopCCN.
    peer.lns.endpoint.close_tunnel(peer.now, tunnel, TunnelStop::new(StopResult::ShuttingDown, ""));
    let expected = format!(
        "c8020026123400000003{}{:04x}{}",
        "00048008000000000004800800000009",
        tunnel.get(),
        "800a0000000100060000"
    );
    assert_eq!(only(peer.datagrams()), expected);
}

#[test]
fn case_25_result_codes_to_windows_are_ten_octets_whatever_there_is_to_say() {
    let mut peer = Peer::new(lns_config());
    peer.raw(&microsoft_sccrq(7));
    peer.ns = 1;
    peer.hear();
    peer.say(0, &body(MessageType::Scccn, &[]));
    peer.hear();
    peer.lns.story();
    let session = peer.call(1);
    let tunnel = TunnelId::new(peer.theirs).unwrap();
    let key = SessionKey { tunnel, session: tollgate_l2tp::SessionId::new(session).unwrap() };
    let cause = CallDisconnect {
        result: CdnResult::GeneralError,
        error: Some(ErrorCode::NoResources),
        message: "no address is left in the pool".into(),
    };
    peer.lns.endpoint.close_session(peer.now, key, cause);
    let notice = peer.datagrams().remove(0);
    assert_eq!(hex(&notice[20..30]), "800a0000000100020004");
    assert_eq!(notice.len(), 38);
    let here = peer.lns.story();
    assert!(here[0].contains("no address is left"), "our own log has it all the same: {here:?}");

    peer.lns.endpoint.close_tunnel(
        peer.now,
        tunnel,
        TunnelStop::new(StopResult::ShuttingDown, "maintenance"),
    );
    peer.nr += 1;
    peer.zlb();
    let stop = peer.datagrams().remove(0);
    assert_eq!(hex(&stop[28..38]), "800a0000000100060000");
    assert_eq!(stop.len(), 38);
}

#[test]
fn case_25_other_peers_get_the_words_behind_the_ten_octets() {
    let mut peer = Peer::new(lns_config());
    peer.connect();
    let tunnel = TunnelId::new(peer.theirs).unwrap();
    peer.lns.endpoint.close_tunnel(peer.now, tunnel, TunnelStop::new(StopResult::ShuttingDown, "bye"));
    let stop = peer.datagrams().remove(0);
    assert_eq!(hex(&stop[28..]), "800d0000000100060000627965");
}
