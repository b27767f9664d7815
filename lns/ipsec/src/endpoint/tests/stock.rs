//! Messages of stock clients octet for octet, and what else they may expect.

use std::time::{Duration, Instant};

use super::lab::policy;
use super::peer::{self};
use crate::algorithm::{Cipher, Group, Hash};
use crate::ikev1::header::{ExchangeType, Header};
use crate::ikev1::notify::{Delete, Notification, kind};
use crate::ikev1::payload::{Builder, Kind, Payloads};
use crate::ikev1::proposal::protocol;
use crate::ikev1::vendor::{self, NatTraversal};

use super::cases::{chosen, failure, natted, open_air};

#[test]
fn messages_of_windows_have_their_lengths_and_the_answers_theirs() {
    let now = Instant::now();
    for (mut client, quick) in [(open_air(7), 316), (natted(7), 444)] {
        let mut server = peer::server(now, false);
        let first = client.first_message();
        assert_eq!(peer::said_length(&first), 408);
        let (header, body) = Header::decode(&first).unwrap();
        let payloads = Payloads::decode(header.next_payload, body).unwrap();
        assert_eq!(payloads.one(Kind::Sa, "SA").unwrap().len() + 4, 212);
        assert_eq!(payloads.all(Kind::VendorId).count(), 8);
        assert!(client.main_mode(&mut server, now));
        let said: Vec<_> = client.said.iter().map(|message| peer::said_length(message)).collect();
        let heard: Vec<_> = client.heard.iter().map(|message| peer::said_length(message)).collect();
        // SA with one transform of 40 octets, the RFC's vendor id and that of fragmentation.
        assert_eq!((said, heard), (vec![408, 388, 76], vec![28 + 60 + 20 + 20, 372, 76]));
        let pair = client.quick(&mut server, now);
        assert!(pair.is_some());
        let said: Vec<_> = client.said[3..].iter().map(|message| peer::said_length(message)).collect();
        let answer = if quick == 316 { 188 } else { 204 };
        assert_eq!((said, peer::said_length(&client.heard[3])), (vec![quick, 60], answer));
        assert_eq!(client.said[3][20..24], [0, 0, 0, 1], "Windows counts message ids from one");
    }
}

#[test]
fn the_answer_to_windows_is_this_octet_for_octet() {
    let now = Instant::now();
    let mut server = peer::server(now, false);
    let mut client = open_air(7);
    let second = client.begin(&mut server, now).unwrap();
    let mut expected = peer::unhex("0707070707070707");
    expected.extend(&second[8..16]);
    expected.extend(peer::unhex("0110020000000000"));
    expected.extend(128u32.to_be_bytes());
    // SA: domain 1, identity only; proposal 1, ISAKMP; transform 3 as it came.
    expected.extend(peer::unhex("0d00003c0000000100000001"));
    expected.extend(peer::unhex("0000003001010001"));
    expected.extend(peer::unhex(
        "000000280301000080010007800e0100800200028004000e80030001800b0001000c000400007080",
    ));
    expected.extend(peer::unhex("0d0000144a131c81070358455c5728f20e95452f"));
    expected.extend(peer::unhex("000000144048b7d56ebce88525e7de7f00d6c2d3"));
    assert_eq!(second, expected);
}

#[test]
fn both_numbers_of_nat_traversal_are_answered_with_the_same() {
    let now = Instant::now();
    let mut server = peer::server(now, false);
    let mut client = natted(7);
    client.vendors =
        vec![vendor::MICROSOFT.to_vec(), vendor::FRAGMENTATION.to_vec(), vendor::DRAFT_02_LINE_END.to_vec()];
    client.nat_traversal = NatTraversal::Draft;
    let second = client.begin(&mut server, now).unwrap();
    assert!(second.ends_with(&vendor::FRAGMENTATION));
    assert!(second.windows(16).any(|id| id == vendor::DRAFT_02_LINE_END));
    assert!(client.go_on(&mut server, now, &second));
    let mut pair = client.quick(&mut server, now).unwrap();
    let (id, way) = pair.carry(&mut server, now, client.esp_path());
    assert!(way.nat_t);
    let encapsulation = server.association(id).unwrap().encapsulation;
    assert_eq!(encapsulation, crate::ikev1::selection::Encapsulation::UdpDraft);
}

#[test]
fn traffic_that_is_not_l2tp_is_refused_by_name() {
    let now = Instant::now();
    let mut server = peer::server(now, false);
    let mut client = natted(7);
    assert!(client.main_mode(&mut server, now));
    let mut ids = client.ids();
    ids[1].port = 53;
    let sa = peer::windows_phase2(0x7777, 4, 5);
    assert!(client.quick_with(&mut server, now, sa, &ids).is_none());
    let words = failure(&mut server).unwrap();
    assert!(words.contains("192.168.1.5:17/1701 to 192.0.2.1:17/53"), "{words}");
    assert_eq!((server.by_spi.len(), server.associations.len()), (0, 0));
}

#[test]
fn initial_contact_in_a_message_of_its_own_ends_what_was_before() {
    let now = Instant::now();
    let mut server = peer::server(now, false);
    let mut old = natted(7);
    assert!(old.main_mode(&mut server, now));
    let mut pair = old.quick(&mut server, now).unwrap();
    let (first, _) = pair.carry(&mut server, now, old.esp_path());
    let mut new = natted(7);
    new.cookies.initiator = crate::ikev1::header::Cookie([8; 8]);
    new.spi += 100;
    assert!(new.main_mode(&mut server, now));
    let mut rest = Builder::new();
    let spi = new.cookies.octets();
    let contact =
        Notification { kind: kind::INITIAL_CONTACT, protocol: protocol::ISAKMP, spi: &spi, data: &[] };
    rest.add(Kind::Notification, &[&contact.encode()]);
    let message = new.informational(&rest);
    new.send(&mut server, now, message);
    assert!(server.association(first).is_none());
    let mut pair = new.quick(&mut server, now).unwrap();
    assert_ne!(pair.carry(&mut server, now, new.esp_path()).0, first);
    assert_eq!(server.ikes.len(), 1);
}

#[test]
fn questions_of_dead_peer_detection_are_answered_with_their_number() {
    let now = Instant::now();
    let mut server = peer::server(now, false);
    let mut client = natted(7);
    assert!(client.main_mode(&mut server, now));
    let spi = client.cookies.octets();
    let question =
        Notification { kind: kind::R_U_THERE, protocol: protocol::ISAKMP, spi: &spi, data: &[0, 0, 7, 9] };
    let mut rest = Builder::new();
    rest.add(Kind::Notification, &[&question.encode()]);
    let message = client.informational(&rest);
    let answer = client.send(&mut server, now, message.clone()).remove(0);
    let (header, body) = Header::decode(&answer).unwrap();
    assert_eq!(header.exchange, ExchangeType::Informational);
    let keys = client.keys.as_ref().unwrap();
    let (clear, _) = keys.open(&keys.phase2_vector(header.message_id), body).unwrap();
    let payloads = Payloads::decode(header.next_payload, &clear).unwrap();
    let answer = Notification::decode(payloads.one(Kind::Notification, "").unwrap()).unwrap();
    assert_eq!((answer.kind, answer.spi, answer.data), (kind::R_U_THERE_ACK, &spi[..], &[0, 0, 7, 9][..]));
    assert!(client.send(&mut server, now, message).is_empty(), "a recorded question moves nobody");
}

#[test]
fn the_order_of_an_operators_own_policies_decides_where_it_was_asked_for() {
    let now = Instant::now();
    let mut server = peer::server(now, false);
    let mut config = peer::config(false);
    config.policies.insert(0, policy(Cipher::Aes128, Hash::Sha1, Group::Ecp256));
    config.preference = crate::ikev1::selection::Preference::Ours;
    server.reconfigure(config);
    let mut client = natted(7);
    assert!(client.main_mode(&mut server, now));
    assert_eq!(chosen(&client), "aes-128/sha1/group 19/pre-share", "an operator's own order decides");
}

#[test]
fn the_second_message_of_quick_mode_is_repeated_until_a_packet_or_the_third_comes() {
    let mut now = Instant::now();
    let mut server = peer::server(now, false);
    let mut client = natted(7);
    assert!(client.main_mode(&mut server, now));
    let sa = peer::windows_phase2(0x7777, 4, 5);
    let ids = client.ids();
    let (message, ..) = client.quick_first(9, &sa, &ids);
    let second = client.send(&mut server, now, message.clone());
    assert_eq!(client.send(&mut server, now, message), second, "and when it was asked for again");
    now += Duration::from_secs(1);
    server.handle_timeout(now);
    assert_eq!(peer::answers(&mut server, now).len(), 1);
    assert_eq!(server.by_spi.len(), 1);
    // Nobody confirms: what was made for it goes, and the peer is told.
    peer::pass(&mut server, &mut now, Duration::from_secs(40));
    assert_eq!((server.by_spi.len(), server.associations.len()), (0, 0));
}

#[test]
fn a_neighbour_who_knows_the_groups_key_cannot_take_an_association_by_a_forged_address() {
    let mut now = Instant::now();
    let mut server = peer::server(now, false);
    let (mut victim, mut thief) = (natted(7), natted(8));
    assert!(victim.main_mode(&mut server, now));
    let mut pair = victim.quick(&mut server, now).unwrap();
    let (id, way) = pair.carry(&mut server, now, victim.esp_path());
    assert!(thief.main_mode(&mut server, now));
    // The same name, the same traffic, and the victim's address and port on the outside.
    thief.path = victim.path;
    let sa = peer::windows_phase2(0x7777, 4, 5);
    let ids = thief.ids();
    let (message, ..) = thief.quick_first(9, &sa, &ids);
    thief.send(&mut server, now, message);
    thief.delete(&mut server, now, &Delete::Isakmp(vec![thief.cookies]));
    peer::pass(&mut server, &mut now, Duration::from_secs(60));
    assert_eq!(pair.carry(&mut server, now, victim.esp_path()), (id, way));
    assert_eq!((server.ikes.len(), server.by_spi.len()), (1, 1));
}
