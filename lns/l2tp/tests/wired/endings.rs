//! How tunnels and calls end, and what is kept of them.

use std::time::Duration;

use tollgate_l2tp::message::Message;
use tollgate_l2tp::{
    CallDisconnect, CdnResult, ErrorCode, IncomingCall, MessageType, Received, SessionEnd, StopResult,
    TunnelEnd, TunnelStop,
};

use crate::peer::{Peer, avp, body, sccrq};
use crate::wire::{Wire, from_port, lac_config, lns_config, types};

fn hang_up() -> CallDisconnect {
    CallDisconnect {
        result: CdnResult::GeneralError,
        error: Some(ErrorCode::NoResources),
        message: "no address left".into(),
    }
}

#[test]
fn a_call_closed_here_ends_there_with_our_words() {
    let mut wire = Wire::new(lac_config(), lns_config());
    let (_, lns) = wire.call();
    wire.lns.story();
    wire.log.clear();
    wire.lns.endpoint.close_session(wire.now, lns, hang_up());
    wire.run();
    assert_eq!(types(&wire.log), ["<- CDN", "-> ZLB"]);
    let words = "general error (insufficient resources now), \"no address left\"";
    assert_eq!(wire.lns.story(), [format!("session down: call ended here: {words}")]);
    assert_eq!(wire.lac.story().last().unwrap(), &format!("session down: peer ended the call: {words}"));
    assert_eq!((wire.lac.endpoint.session_count(), wire.lns.endpoint.session_count()), (0, 0));
    assert_eq!(wire.lns.endpoint.tunnel_count(), 1, "the tunnel stays");
    // Once more does nothing.
    wire.lns.endpoint.close_session(wire.now, lns, hang_up());
    assert!(wire.lns.endpoint.poll_transmit().is_none());
}

#[test]
fn a_tunnel_closed_takes_its_calls_along_and_calls_end_before_it() {
    let mut wire = Wire::new(lac_config(), lns_config());
    let (lac, _) = wire.call();
    wire.call_in(lac.tunnel);
    wire.lac.story();
    wire.lns.story();
    wire.log.clear();
    wire.lac.endpoint.close_tunnel(wire.now, lac.tunnel, TunnelStop::new(StopResult::ShuttingDown, "bye"));
    wire.run();
    assert_eq!(types(&wire.log), ["-> StopCCN", "<- ZLB"]);
    let here = "tunnel closed here: being shut down, \"bye\"";
    let there = "peer closed the tunnel: being shut down, \"bye\"";
    let down = |words: &str| ["session", "session", "tunnel"].map(|what| format!("{what} down: {words}"));
    assert_eq!(wire.lac.story(), down(here));
    assert_eq!(wire.lns.story(), down(there));
    assert!(wire.lac.endpoint.is_idle() && wire.lns.endpoint.is_idle());
    // Everything is forgotten after a retransmission cycle.
    wire.pass(Duration::from_secs(40));
    assert_eq!((wire.lac.endpoint.tunnels().count(), wire.lns.endpoint.tunnels().count()), (0, 0));
    assert_eq!((wire.lac.endpoint.next_timeout(), wire.lns.endpoint.next_timeout()), (None, None));
}

#[test]
fn close_all_closes_all_and_idle_comes_when_all_is_acknowledged() {
    let mut wire = Wire::new(lac_config(), lns_config());
    for _ in 0..3 {
        wire.call();
    }
    wire.lns.endpoint.close_all(wire.now, TunnelStop::new(StopResult::ShuttingDown, ""));
    assert_eq!((wire.lns.endpoint.tunnel_count(), wire.lns.endpoint.session_count()), (0, 0));
    assert!(!wire.lns.endpoint.is_idle(), "three StopCCN are on their way");
    wire.run();
    assert!(wire.lns.endpoint.is_idle());
    assert_eq!(wire.lac.tunnel_ends().len(), 3);
}

#[test]
fn repeated_stop_ccn_and_cdn_are_acknowledged_for_a_full_cycle() {
    let mut peer = Peer::new(lns_config());
    peer.connect();
    let session = peer.call(3);
    let cdn = body(MessageType::Cdn, &[avp(1, &[0, 3, 0, 0]), avp(14, &[0, 3])]);
    let stop = body(MessageType::StopCcn, &[avp(9, &[0, 7]), avp(1, &[0, 1, 0, 0])]);
    let numbers = peer.ns;
    peer.say(session, &cdn);
    peer.say(0, &stop);
    assert_eq!(peer.names(), ["ZLB", "ZLB"]);
    assert_eq!(peer.lns.story().len(), 2);
    for _ in 0..6 {
        peer.pass(Duration::from_secs(6));
        peer.ns = numbers;
        peer.say(session, &cdn);
        peer.say(0, &stop);
        let heard = peer.hear();
        assert_eq!(heard.len(), 2);
        assert!(heard.iter().all(|(header, message)| message.is_none() && header.nr == numbers + 2));
    }
    peer.pass(Duration::from_secs(6));
    assert_eq!(peer.lns.endpoint.tunnels().count(), 0);
    // Even then a peer that still does not know is told.
    peer.ns = numbers + 1;
    peer.say(0, &stop);
    let heard = peer.hear();
    assert_eq!((heard.len(), heard[0].0.nr, heard[0].0.tunnel), (1, numbers + 2, 7));
    assert!(peer.lns.story().is_empty());
}

#[test]
fn new_messages_of_a_closed_tunnel_lead_to_nothing() {
    let mut peer = Peer::new(lns_config());
    peer.connect();
    let id = peer.lns.endpoint.tunnels().next().unwrap().id;
    peer.lns.endpoint.close_tunnel(peer.now, id, TunnelStop::new(StopResult::GeneralRequest, "x"));
    assert_eq!(peer.names(), ["StopCCN"]);
    peer.say(0, &body(MessageType::Icrq, &[avp(14, &[0, 3]), avp(15, &[0, 0, 0, 1])]));
    assert_eq!(peer.names(), ["ZLB"]);
    assert_eq!(peer.lns.endpoint.session_count(), 0);
    let again = peer.lns.endpoint.open_session(peer.now, id, IncomingCall::default());
    assert_eq!(again, Err(tollgate_l2tp::OpenError::NoTunnel));
}

#[test]
fn a_peer_that_falls_silent_is_noticed_by_hello_and_given_up() {
    let mut wire = Wire::new(lac_config(), lns_config());
    wire.call();
    wire.lns.story();
    wire.pass(Duration::from_secs(59));
    wire.log.clear();
    wire.cut = true;
    wire.pass(Duration::from_secs(2));
    assert!(types(&wire.log).contains(&"<- HELLO".into()), "after a minute of silence");
    wire.pass(Duration::from_secs(40));
    let silent = "peer stopped acknowledging";
    assert_eq!(wire.lns.story(), [format!("session down: {silent}"), format!("tunnel down: {silent}")]);
    assert!(wire.lns.endpoint.is_idle());
    assert_eq!(wire.lns.endpoint.tunnels().count(), 0);
    assert_eq!(wire.lns.endpoint.next_timeout(), None);
}

#[test]
fn a_hello_goes_only_after_silence_and_an_answered_one_changes_nothing() {
    let mut wire = Wire::new(lac_config(), lns_config());
    wire.call();
    wire.log.clear();
    wire.pass(Duration::from_secs(3600));
    let hellos = types(&wire.log).iter().filter(|name| name.ends_with("HELLO")).count();
    assert!((59..=120).contains(&hellos), "one or both ends ask in each minute of silence: {hellos}");
    assert_eq!(wire.lns.endpoint.tunnel_count(), 1);
    assert_eq!(wire.lns.endpoint.session_count(), 1);
}

#[test]
fn an_opening_without_answer_ends() {
    let mut wire = Wire::new(lac_config(), lns_config());
    wire.cut = true;
    let tunnel = wire.open();
    wire.lac.endpoint.open_session(wire.now, tunnel, IncomingCall::default()).unwrap();
    wire.pass(Duration::from_secs(40));
    let silent = "peer stopped acknowledging";
    assert_eq!(wire.lac.story(), [format!("session down: {silent}"), format!("tunnel down: {silent}")]);
    let sent = wire.log.len();
    assert_eq!(sent, 7, "once and six times again");
    assert!(wire.lac.endpoint.is_idle());
}

#[test]
fn a_peer_that_acknowledges_and_does_not_go_on_is_given_up_too() {
    // SCCRP acknowledged, SCCCN never sent.
    let mut peer = Peer::new(lns_config());
    peer.say(0, &sccrq(7));
    peer.hear();
    peer.zlb();
    peer.pass(Duration::from_secs(40));
    assert_eq!(peer.lns.endpoint.tunnels().count(), 0);
    assert!(peer.lns.story().is_empty(), "the caller never knew of it");

    // ICRP acknowledged, ICCN never sent.
    let mut peer = Peer::new(lns_config());
    peer.connect();
    peer.say(0, &body(MessageType::Icrq, &[avp(14, &[0, 3]), avp(15, &[0, 0, 0, 1])]));
    peer.hear();
    peer.zlb();
    peer.pass(Duration::from_secs(59));
    assert_eq!(peer.lns.endpoint.session_count(), 1);
    peer.pass(Duration::from_secs(1));
    let heard = peer.hear();
    let cdn = heard.iter().find_map(|(_, message)| match message {
        Some(Message::Cdn(notice)) => Some(notice.result),
        _ => None,
    });
    assert_eq!(cdn, Some(CdnResult::NotEstablishedInTime));
    assert_eq!(peer.lns.endpoint.session_count(), 0);
}

#[test]
fn a_call_that_ended_during_its_set_up_leaves_no_timer() {
    let mut peer = Peer::new(lns_config());
    peer.connect();
    let quiet = peer.lns.endpoint.next_timeout();
    peer.now += Duration::from_secs(1);
    for session in 1..50_u16 {
        peer.say(0, &body(MessageType::Icrq, &[avp(14, &session.to_be_bytes()), avp(15, &[0, 0, 0, 1])]));
        peer.hear();
        peer.say(0, &body(MessageType::Cdn, &[avp(1, &[0, 1, 0, 0]), avp(14, &session.to_be_bytes())]));
        peer.hear();
    }
    peer.now += Duration::from_secs(1);
    peer.zlb();
    let hello = peer.lns.endpoint.next_timeout();
    assert_eq!(hello, quiet.map(|quiet| quiet + Duration::from_secs(2)), "the Hello's, and no earlier one");
    peer.pass(Duration::from_secs(60));
    assert_eq!(peer.names(), ["HELLO"]);
    assert!(peer.lns.endpoint.next_timeout().unwrap() <= peer.now + Duration::from_secs(1));
}

#[test]
fn a_lac_whose_icrq_is_never_answered_hears_of_it() {
    // The LNS takes tunnels but its ICRP never comes: a peer that acknowledges and no more.
    let mut config = lns_config();
    config.max_sessions = 65_536;
    let mut peer = Peer::new(config);
    peer.connect();
    let id = peer.lns.endpoint.tunnels().next().unwrap().id;
    peer.lns.endpoint.open_session(peer.now, id, IncomingCall::default()).unwrap();
    assert_eq!(peer.names(), ["ICRQ"]);
    peer.zlb();
    peer.pass(Duration::from_secs(59));
    peer.hear();
    peer.zlb();
    peer.pass(Duration::from_secs(2));
    assert_eq!(peer.lns.session_ends(), [SessionEnd::SetupTimeout]);
}

#[test]
fn a_lac_that_hangs_up_before_it_knows_our_id_is_understood() {
    let mut peer = Peer::new(lns_config());
    peer.connect();
    peer.say(0, &body(MessageType::Icrq, &[avp(14, &[0, 3]), avp(15, &[0, 0, 0, 1])]));
    peer.say(0, &body(MessageType::Cdn, &[avp(1, &[0, 1, 0, 0]), avp(14, &[0, 3])]));
    assert_eq!(peer.lns.endpoint.session_count(), 0);
    // A CDN for a call that is long gone is acknowledged as any message.
    peer.hear();
    peer.say(4711, &body(MessageType::Cdn, &[avp(1, &[0, 1, 0, 0]), avp(14, &[0, 3])]));
    assert_eq!(peer.names(), ["ZLB"]);
}

#[test]
fn a_call_closed_before_its_tunnel_is_up_is_never_placed() {
    let mut wire = Wire::new(lac_config(), lns_config());
    let tunnel = wire.open();
    let key = wire.lac.endpoint.open_session(wire.now, tunnel, IncomingCall::default()).unwrap();
    wire.lac.endpoint.close_session(wire.now, key, hang_up());
    wire.run();
    assert_eq!(types(&wire.log), ["-> SCCRQ", "<- SCCRP", "-> SCCCN", "<- ZLB"]);
    assert_eq!(wire.lac.story().len(), 2);
}

#[test]
fn a_tunnel_closed_while_opening_tells_the_peer_by_its_own_id() {
    let mut wire = Wire::new(lac_config(), lns_config());
    let tunnel = wire.open();
    let request = wire.lac.endpoint.poll_transmit().unwrap();
    wire.lns.endpoint.handle_datagram(wire.now, wire.seen, &request.datagram);
    // The SCCRP is lost; the LAC gives up.
    wire.lns.endpoint.poll_transmit().unwrap();
    wire.lac.endpoint.close_tunnel(wire.now, tunnel, TunnelStop::new(StopResult::GeneralRequest, ""));
    wire.pass(Duration::from_secs(3));
    assert_eq!(wire.lns.endpoint.tunnels().count(), 0, "found by path and the LAC's id");
    wire.pass(Duration::from_secs(60));
    assert!(wire.lac.endpoint.is_idle());
}

#[test]
fn what_a_closed_tunnel_had_not_sent_yet_is_not_sent_any_more() {
    let mut wire = Wire::new(lac_config(), lns_config());
    let tunnel = wire.open();
    wire.run();
    wire.cut = true;
    for _ in 0..10 {
        wire.lac.endpoint.open_session(wire.now, tunnel, IncomingCall::default()).unwrap();
    }
    wire.lac.endpoint.close_tunnel(wire.now, tunnel, TunnelStop::new(StopResult::GeneralRequest, ""));
    wire.cut = false;
    wire.run();
    let names = types(&wire.log);
    let calls = names.iter().filter(|name| *name == "-> ICRQ").count();
    assert!(calls < 10, "only those inside the window: {names:?}");
    assert_eq!(wire.lns.tunnel_ends().len(), 1);
}

#[test]
fn a_peer_that_starts_anew_under_the_same_id_replaces_the_old_tunnel_over_ipsec() {
    let mut peer = Peer::new(lns_config());
    peer.path.association = Some(5);
    peer.connect();
    peer.call(3);
    peer.pass(Duration::from_secs(50));
    peer.datagrams();
    (peer.ns, peer.nr, peer.theirs) = (0, 0, 0);
    peer.say(0, &sccrq(7));
    assert_eq!(peer.names(), ["SCCRP"]);
    assert_eq!(peer.lns.tunnel_ends(), [TunnelEnd::Replaced]);
    assert_eq!(peer.lns.session_ends(), [SessionEnd::TunnelDown(TunnelEnd::Replaced)]);
    assert_eq!(peer.lns.endpoint.tunnel_count(), 1);
}

#[test]
fn in_the_clear_anybody_could_say_so_and_a_hello_asks_first() {
    let mut peer = Peer::new(lns_config());
    peer.connect();
    peer.pass(Duration::from_secs(50));
    peer.datagrams();
    let (ns, nr, theirs) = (peer.ns, peer.nr, peer.theirs);
    (peer.ns, peer.theirs) = (0, 0);
    peer.say(0, &sccrq(7));
    (peer.ns, peer.nr, peer.theirs) = (ns, nr, theirs);
    assert_eq!(peer.names(), ["HELLO"]);
    assert_eq!(peer.lns.endpoint.tunnel_count(), 1);
    // The peer is alive and says so.
    peer.zlb();
    peer.pass(Duration::from_secs(45));
    assert_eq!(peer.lns.endpoint.tunnel_count(), 1);
    // Young tunnels see stragglers of their own set-up: those are acknowledged and no more.
    let mut young = Peer::new(lns_config());
    young.connect();
    (young.ns, young.theirs) = (0, 0);
    young.say(0, &sccrq(7));
    assert_eq!(young.names(), ["ZLB"]);
}

#[test]
fn a_tunnel_that_was_closed_gives_its_name_free_at_once() {
    let mut peer = Peer::new(lns_config());
    peer.connect();
    peer.say(0, &body(MessageType::StopCcn, &[avp(9, &[0, 7]), avp(1, &[0, 1, 0, 0])]));
    peer.hear();
    let before = peer.theirs;
    (peer.ns, peer.nr, peer.theirs) = (0, 0, 0);
    peer.say(0, &sccrq(7));
    assert_eq!(peer.names(), ["SCCRP"]);
    assert_ne!(peer.theirs, before, "ids are not reused at once");
}

#[test]
fn rfc_3145_causes_are_told_in_words() {
    let mut peer = Peer::new(lns_config());
    peer.connect();
    let session = peer.call(3);
    let mut cause = avp(46, &[0, 16, 0xc2, 0x23, 1]);
    cause[0] = 0;
    peer.say(session, &body(MessageType::Cdn, &[avp(1, &[0, 2, 0, 6, b'x']), avp(14, &[0, 3]), cause]));
    assert_eq!(
        peer.lns.story(),
        ["session down: peer ended the call: general error (vendor-specific error), \
          \"x; PPP: authentication failed in protocol 0xc223\""]
    );
}

#[test]
fn ends_of_other_tunnels_are_their_own() {
    let mut wire = Wire::new(lac_config(), lns_config());
    let (one, _) = wire.call();
    wire.seen = from_port(2000);
    let (two, _) = wire.call();
    wire.lac.endpoint.close_tunnel(wire.now, two.tunnel, TunnelStop::new(StopResult::GeneralRequest, ""));
    wire.run();
    wire.seen = from_port(1701);
    assert!(matches!(wire.up(one, b"x"), Received::Data { .. }));
}
