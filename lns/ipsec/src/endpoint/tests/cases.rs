//! What stock clients do, and what it once broke elsewhere. The numbers are those of our list of such cases.

use std::time::{Duration, Instant};

use super::lab::set;
use super::peer::{self, Peer, long, phase1, phase2, sa, short};
use crate::algorithm::{EspCipher, Hash, Mode};
use crate::endpoint::*;
use crate::ikev1::header::{HEADER, Header};
use crate::ikev1::identification::{Identification, kind as id_kind};
use crate::ikev1::notify::Delete;
use crate::ikev1::payload::{Builder, Kind, Payloads};
use crate::ikev1::proposal::protocol;
use crate::ikev1::vendor::{self};

pub(super) fn natted(number: u8) -> Peer {
    Peer::windows(number, "192.168.1.5:500", &format!("203.0.113.9:{}", 1000 + u16::from(number)))
}

pub(super) fn open_air(number: u8) -> Peer {
    let address = format!("203.0.113.{number}:500");
    Peer::windows(number, &address, &address)
}

pub(super) fn failure(server: &mut Endpoint) -> Option<String> {
    peer::events(server).into_iter().find_map(|event| match event {
        Event::Failed { failure, .. } => Some(failure.to_string()),
        _ => None,
    })
}

pub(super) fn chosen(client: &Peer) -> String {
    client.policy.unwrap().to_string()
}

#[test]
fn case_01_clients_that_all_begin_with_message_id_1_are_told_apart() {
    let now = Instant::now();
    let mut server = peer::server(now, false);
    let mut clients = [open_air(7), open_air(8), natted(9), natted(10)];
    let mut pairs = Vec::new();
    for client in &mut clients {
        assert!(client.main_mode(&mut server, now));
    }
    for client in &mut clients {
        pairs.push(client.quick(&mut server, now).unwrap());
    }
    let all: std::collections::BTreeSet<_> = clients
        .iter()
        .zip(&mut pairs)
        .map(|(client, pair)| pair.carry(&mut server, now, client.esp_path()).0)
        .collect();
    assert_eq!(all.len(), 4);
}

#[test]
fn case_02_two_pcs_behind_one_nat_with_one_private_address_keep_their_own_associations() {
    let now = Instant::now();
    let mut server = peer::server(now, false);
    let (mut one, mut two) = (natted(7), natted(8));
    assert!(one.main_mode(&mut server, now));
    let mut first = one.quick(&mut server, now).unwrap();
    assert!(two.main_mode(&mut server, now));
    let mut second = two.quick(&mut server, now).unwrap();
    for _ in 0..3 {
        let (a, way_a) = first.carry(&mut server, now, one.esp_path());
        let (b, way_b) = second.carry(&mut server, now, two.esp_path());
        assert_ne!(a, b);
        assert_eq!((way_a, way_b), (one.path, two.path));
    }
    two.delete(&mut server, now, &Delete::Esp(vec![second.spi_in]));
    two.delete(&mut server, now, &Delete::Isakmp(vec![two.cookies]));
    first.carry(&mut server, now, one.esp_path());
}

#[test]
fn case_03_answers_go_out_by_the_port_of_the_last_good_packet() {
    let now = Instant::now();
    let mut server = peer::server(now, false);
    let mut client = natted(7);
    assert!(client.main_mode(&mut server, now));
    let mut pair = client.quick(&mut server, now).unwrap();
    client.path.remote.set_port(61_000);
    let (_, way) = pair.carry(&mut server, now, client.esp_path());
    assert_eq!(way.remote.port(), 61_000);
}

#[test]
fn case_04_and_05_a_server_behind_a_nat_takes_its_public_address_as_an_identity() {
    let now = Instant::now();
    let mut server = peer::server(now, false);
    let mut client = natted(7);
    client.dialled = "198.51.100.1:500".parse().unwrap();
    assert!(client.main_mode(&mut server, now));
    // Without registry keys a Windows client may not learn that its server is behind a NAT.
    let (header, body) = Header::decode(&client.heard[1]).unwrap();
    let payloads = Payloads::decode(header.next_payload, body).unwrap();
    let seen: Vec<_> = payloads.all(Kind::NatDetection).collect();
    let hash = |address| crate::ikev1::nat::detection(Hash::Sha1, client.cookies, address);
    assert_eq!(seen[1], &hash(client.dialled)[..], "the server is where the client thinks");
    assert_ne!(seen[0], &hash(client.own)[..], "and the client is not");
    let mut pair = client.quick(&mut server, now).unwrap();
    pair.carry(&mut server, now, client.esp_path());
}

#[test]
fn case_06_a_machine_name_for_an_identity_is_taken_and_returned() {
    let now = Instant::now();
    let mut server = peer::server(now, false);
    let mut client = natted(7);
    assert!(client.main_mode(&mut server, now));
    let name =
        Identification { kind: id_kind::FQDN, protocol: 17, port: 1701, data: b"old-pc.example".to_vec() };
    let ids = [name, client.ids()[1].clone()];
    let sa = peer::windows_phase2(0x7777, 4, 5);
    let mut pair = client.quick_with(&mut server, now, sa, &ids).unwrap();
    pair.carry(&mut server, now, client.esp_path());
}

#[test]
fn case_07_ports_that_change_at_every_step_are_followed() {
    let now = Instant::now();
    let mut server = peer::server(now, false);
    let mut client = natted(7);
    client.floated = Some("203.0.113.9:33333".parse().unwrap());
    let second = client.begin(&mut server, now).unwrap();
    client.path.remote.set_port(2222);
    assert!(client.go_on(&mut server, now, &second));
    client.path.remote.set_port(44_444);
    let mut pair = client.quick(&mut server, now).unwrap();
    client.path.remote.set_port(55_555);
    let (_, way) = pair.carry(&mut server, now, client.esp_path());
    assert_eq!(way, client.path);
}

#[test]
fn case_08_a_storm_of_quick_modes_and_deletes_leaves_nothing() {
    let mut now = Instant::now();
    let mut server = peer::server(now, false);
    let mut client = natted(7);
    assert!(client.main_mode(&mut server, now));
    let mut last = client.quick(&mut server, now).unwrap();
    for _ in 0..200 {
        now += Duration::from_secs(1);
        server.handle_timeout(now);
        peer::answers(&mut server, now);
        let next = client.quick(&mut server, now).unwrap();
        client.delete(&mut server, now, &Delete::Esp(vec![last.spi_in]));
        last = next;
    }
    last.carry(&mut server, now, client.esp_path());
    assert_eq!((server.by_spi.len(), server.associations.len()), (1, 1));
    client.delete(&mut server, now, &Delete::Esp(vec![last.spi_in]));
    client.delete(&mut server, now, &Delete::Isakmp(vec![client.cookies]));
    peer::pass(&mut server, &mut now, Duration::from_secs(70));
    peer::assert_empty(&server);
}

#[test]
fn case_09_a_delete_is_taken_at_any_time_and_again() {
    let now = Instant::now();
    let mut server = peer::server(now, false);
    let mut client = natted(7);
    assert!(client.main_mode(&mut server, now));
    for _ in 0..3 {
        let mut pair = client.quick(&mut server, now).unwrap();
        pair.carry(&mut server, now, client.esp_path());
        for _ in 0..2 {
            client.delete(&mut server, now, &Delete::Esp(vec![pair.spi_in]));
        }
        assert_eq!(server.by_spi.len(), 0);
        // A new pair for the same traffic revives the association: L2TP goes on.
        assert_eq!(server.associations.len(), 1);
    }
}

#[test]
fn case_10_a_deleted_phase_1_leaves_phase_2_alone() {
    let now = Instant::now();
    let mut server = peer::server(now, false);
    let mut client = natted(7);
    assert!(client.main_mode(&mut server, now));
    let mut pair = client.quick(&mut server, now).unwrap();
    let (id, _) = pair.carry(&mut server, now, client.esp_path());
    client.delete(&mut server, now, &Delete::Isakmp(vec![client.cookies]));
    assert_eq!(server.ikes.len(), 0);
    assert_eq!(pair.carry(&mut server, now, client.esp_path()).0, id);
}

#[test]
fn case_11_the_server_expires_nothing_before_the_client() {
    let now = Instant::now();
    let mut server = peer::server(now, false);
    let mut client = natted(7);
    assert!(client.main_mode(&mut server, now));
    let mut pair = client.quick(&mut server, now).unwrap();
    let (id, _) = pair.carry(&mut server, now, client.esp_path());
    let info = server.association(id).unwrap();
    assert_eq!(info.expires, Some(now + Duration::from_secs(3660)));
    assert_eq!(info.phase1_expires, Some(now + Duration::from_secs(28_860)));
    // Windows takes less than 300 s for 300 s.
    let transform = (12, [short(4, 4), short(6, 256), short(5, 2), short(1, 1), long(2, 60)].concat());
    let sa = sa(&[(protocol::ESP, 0x7777u32.to_be_bytes().to_vec(), vec![transform])]);
    let ids = client.ids();
    client.quick_with(&mut server, now, sa, &ids).unwrap();
    assert_eq!(server.association(id).unwrap().expires, Some(now + Duration::from_secs(360)));
    // And the server asks for nothing itself.
    let mut later = now;
    let until = now + Duration::from_secs(280);
    while let Some(next) = server.next_timeout().filter(|next| *next < until) {
        later = later.max(next);
        server.handle_timeout(later);
        for (_, datagram) in peer::answers(&mut server, later) {
            assert_eq!(datagram, [0xff], "nothing but keepalives");
        }
    }
}

#[test]
fn case_12_after_new_keys_packets_leave_by_the_newest_pair_of_the_same_association() {
    let now = Instant::now();
    let mut server = peer::server(now, false);
    let mut client = natted(7);
    assert!(client.main_mode(&mut server, now));
    let mut old = client.quick(&mut server, now).unwrap();
    let (id, _) = old.carry(&mut server, now, client.esp_path());
    let mut new = client.quick(&mut server, now).unwrap();
    // The old one still receives; what is sent goes by the new one.
    let mut packet = old.seal(b"late");
    assert!(server.handle_esp(now, client.esp_path(), &mut packet).is_ok());
    client.delete(&mut server, now, &Delete::Esp(vec![old.spi_in]));
    assert_eq!(new.carry(&mut server, now, client.esp_path()).0, id);
    assert_eq!(server.association(id).unwrap().rekeyed, 1);
}

#[test]
fn case_13_only_the_vendor_ids_that_are_needed_where_it_was_asked_for() {
    let now = Instant::now();
    let mut server = peer::server(now, false);
    server.reconfigure(Config { minimal_vendor_ids: true, ..peer::config(false) });
    let mut client = natted(7);
    let second = client.begin(&mut server, now).unwrap();
    let (header, body) = Header::decode(&second).unwrap();
    let payloads = Payloads::decode(header.next_payload, body).unwrap();
    let ids: Vec<_> = payloads.all(Kind::VendorId).collect();
    assert_eq!(ids, [&vendor::RFC_3947]);
    assert!(client.go_on(&mut server, now, &second));
}

#[test]
fn case_14_unknown_groups_at_the_head_of_the_list_are_passed_over() {
    let now = Instant::now();
    let mut server = peer::server(now, false);
    let mut client = natted(7);
    // Groups that nobody here knows, and a cipher.
    let mut transforms = peer::windows_transforms();
    transforms.insert(0, phase1(7, Some(256), 2, 31, 28_800));
    transforms.insert(0, phase1(99, None, 2, 14, 28_800));
    client.sa = sa(&[(protocol::ISAKMP, Vec::new(), transforms)]);
    assert!(client.main_mode(&mut server, now));
    assert_eq!(chosen(&client), "aes-256/sha1/group 14/pre-share");
}

/// The list of Android, SHA384 first.
fn android() -> Vec<(u8, Vec<u8>)> {
    let mut out = Vec::new();
    for (encryption, bits) in [(7, Some(256)), (7, Some(128)), (5, None), (1, None)] {
        let hashes: &[u16] = match (encryption, bits) {
            (7, Some(256)) => &[5, 4, 6, 2, 1],
            (7, _) => &[6, 5, 4, 2, 1],
            _ => &[4, 2, 1],
        };
        out.extend(hashes.iter().map(|hash| phase1(encryption, bits, *hash, 2, 28_800)));
    }
    out
}

#[test]
fn case_15_a_server_without_the_groups_of_android_says_what_to_switch_on() {
    let now = Instant::now();
    let mut server = peer::server(now, false);
    let mut client = natted(7);
    client.sa = sa(&[(protocol::ISAKMP, Vec::new(), android())]);
    assert!(!client.main_mode(&mut server, now));
    let words = failure(&mut server).unwrap();
    assert!(words.ends_with("an [[ipsec.policy]] with group = 2, legacy = true"), "{words}");
}

#[test]
fn case_16_sha384_at_the_head_of_androids_list_is_served() {
    let now = Instant::now();
    let mut server = peer::server(now, true);
    let mut client = natted(7);
    client.sa = sa(&[(protocol::ISAKMP, Vec::new(), android())]);
    client.identity = Identification::address(client.own.ip(), 0, 0);
    assert!(client.main_mode(&mut server, now));
    assert_eq!(chosen(&client), "aes-256/sha384/group 2/pre-share");
    // IDci with port 0, and no kilobytes.
    let mut ids = client.ids();
    ids[0].port = 0;
    let one =
        |hash| (12, [short(4, 4), short(1, 1), long(2, 28_800), short(6, 256), short(5, hash)].concat());
    let transforms = [7, 6, 2, 5, 1].map(one).to_vec();
    let sa = sa(&[(protocol::ESP, 0x7777u32.to_be_bytes().to_vec(), transforms)]);
    let mut pair = client.quick_with(&mut server, now, sa, &ids).unwrap();
    pair.carry(&mut server, now, client.esp_path());
}

#[test]
fn case_17_sha256_of_esp_can_be_left_out_so_that_sha1_is_taken() {
    let now = Instant::now();
    let mut server = peer::server(now, false);
    let mut client = natted(7);
    assert!(client.main_mode(&mut server, now));
    let transforms = vec![
        phase2(12, Some(256), Some(5), 4),
        phase2(12, Some(256), Some(2), 4),
        phase2(12, Some(256), Some(1), 4),
    ];
    let sa = sa(&[(protocol::ESP, 0x7777u32.to_be_bytes().to_vec(), transforms)]);
    let ids = client.ids();
    let mut pair = client.quick_with(&mut server, now, sa, &ids).unwrap();
    let (id, _) = pair.carry(&mut server, now, client.esp_path());
    assert_eq!(server.association(id).unwrap().set.unwrap().to_string(), "aes-256/sha1 transport");
}

#[test]
fn case_18_aes_gcm_is_skipped_where_it_is_not_served_and_carries_packets_where_it_is() {
    let now = Instant::now();
    for is_served in [false, true] {
        let mut server = peer::server(now, false);
        let mut config = peer::config(false);
        if is_served {
            config.transform_sets.push(set(EspCipher::Aes128Gcm, None, Mode::Transport));
        }
        server.reconfigure(config);
        let mut client = natted(7);
        assert!(client.main_mode(&mut server, now));
        let transforms = vec![phase2(20, Some(128), None, 4), phase2(12, Some(128), Some(2), 4)];
        let one = |transform| (protocol::ESP, 0x7777u32.to_be_bytes().to_vec(), vec![transform]);
        let sa = sa(&transforms.into_iter().map(one).collect::<Vec<_>>());
        let ids = client.ids();
        let mut pair = client.quick_with(&mut server, now, sa, &ids).unwrap();
        let (id, _) = pair.carry(&mut server, now, client.esp_path());
        let set = server.association(id).unwrap().set.unwrap().to_string();
        assert_eq!(set, if is_served { "aes-128-gcm transport" } else { "aes-128/sha1 transport" });
    }
}

#[test]
fn case_19_apples_fourteen_transforms_and_a_hundred_are_read() {
    let now = Instant::now();
    let apple: Vec<_> = [(14, 4), (14, 2), (14, 1), (14, 6), (5, 4), (5, 2), (5, 1), (2, 4), (2, 2), (2, 1)]
        .into_iter()
        .map(|(group, hash)| phase1(7, Some(256), hash, group, 3600))
        .chain(
            [(7, Some(128), 2), (7, Some(128), 1), (5, None, 2), (5, None, 1)]
                .map(|(encryption, bits, hash)| phase1(encryption, bits, hash, 2, 3600)),
        )
        .collect();
    assert_eq!(apple.len(), 14);
    let many =
        (0..99).map(|number| phase1(7, Some(256), 2, 100 + number, 3600)).chain([apple[1].clone()]).collect();
    for (transforms, expected) in [(apple.clone(), "sha256"), (many, "sha1")] {
        let mut server = peer::server(now, false);
        let mut client = natted(7);
        client.sa = sa(&[(protocol::ISAKMP, Vec::new(), transforms)]);
        assert!(client.main_mode(&mut server, now));
        assert_eq!(chosen(&client), format!("aes-256/{expected}/group 14/pre-share"));
    }
}

#[test]
fn case_20_fragmentation_is_known_with_and_without_a_word_and_keys_are_not_sent_in_pieces() {
    let now = Instant::now();
    for word in [&[][..], &[0x80, 0, 0, 0], &[0x40, 0, 0, 0]] {
        let mut server = peer::server(now, false);
        let mut client = natted(7);
        client.vendors = vec![vendor::RFC_3947.to_vec(), [&vendor::FRAGMENTATION, word].concat()];
        assert!(client.main_mode(&mut server, now));
        assert!(server.ikes.values().next().unwrap().vendor.fragmentation);
        client.quick(&mut server, now).unwrap();
        assert!(client.heard.iter().all(|message| message[16] != 132));
    }
}

#[test]
fn case_21_a_new_main_mode_on_either_port_takes_over_the_association() {
    let now = Instant::now();
    for port in [500, 4500] {
        let mut server = peer::server(now, false);
        let mut client = natted(7);
        assert!(client.main_mode(&mut server, now));
        let mut pair = client.quick(&mut server, now).unwrap();
        let (id, _) = pair.carry(&mut server, now, client.esp_path());
        let mut again = natted(7);
        again.cookies.initiator = crate::ikev1::header::Cookie([8; 8]);
        again.spi += 100;
        if port == 4500 {
            again.path = client.path;
        }
        again.floated = Some(client.path.remote);
        assert!(again.main_mode(&mut server, now));
        client.delete(&mut server, now, &Delete::Isakmp(vec![client.cookies]));
        assert_eq!(pair.carry(&mut server, now, client.esp_path()).0, id);
        let mut new = again.quick(&mut server, now).unwrap();
        assert_eq!(new.carry(&mut server, now, again.esp_path()).0, id);
        assert_eq!(server.ikes.len(), 1);
    }
}

#[test]
fn case_22_group_names_are_octets() {
    let name = "gr\u{fc}ppe \u{1}";
    let mut config = super::lab::server_config(&[b"default"]);
    config.aggressive = true;
    config.keys.push(GroupKeys { tunnel_group: name.into(), keys: vec![super::lab::key(b"secret")] });
    let mut lab = super::lab::Lab::new(config);
    let mut dial = super::lab::dial(b"secret");
    dial.aggressive = true;
    dial.identity = Identification::key_id(name.as_bytes());
    lab.connect(dial);
    assert_eq!(&*lab.peers()[0].tunnel_group, name);
    // Octets that are no text at all are looked up too, and found nowhere.
    let mut dial = super::lab::dial(b"secret");
    dial.aggressive = true;
    dial.identity = Identification::key_id(&[0xff, 0, 0xfe]);
    lab.dial(dial);
    lab.settle();
    assert!(matches!(lab.failures()[0].1, Failure::NoKey { .. }), "{:?}", lab.failures());
}

#[test]
fn case_48_what_belongs_to_nothing_is_not_answered() {
    let now = Instant::now();
    let mut server = peer::server(now, false);
    let mut client = natted(7);
    assert!(client.main_mode(&mut server, now));
    let sa = peer::windows_phase2(0x7777, 4, 5);
    let ids = client.ids();
    let (message, ..) = client.quick_first(9, &sa, &ids);
    client.delete(&mut server, now, &Delete::Isakmp(vec![client.cookies]));
    assert!(client.send(&mut server, now, message).is_empty());
    let rest = Builder::new();
    let message = client.informational(&rest);
    assert!(client.send(&mut server, now, message).is_empty());
    assert_eq!(server.counters().unknown_cookies, 2);
}

#[test]
fn case_49_reserved_fields_that_are_not_zero_do_not_matter() {
    let now = Instant::now();
    let mut server = peer::server(now, false);
    let mut client = natted(7);
    // Of the proposal, which the hashes cover, then of the SA payload and the first vendor id.
    client.sa[9] = 0x5a;
    let mut first = client.first_message();
    for at in [HEADER + 1, HEADER + 212 + 1] {
        first[at] = 0x5a;
    }
    let second = client.send(&mut server, now, first).remove(0);
    assert!(client.go_on(&mut server, now, &second));
    // The commit bit has no effect either.
    let sa = peer::windows_phase2(0x7777, 4, 5);
    let ids = client.ids();
    let (mut message, ..) = client.quick_first(9, &sa, &ids);
    message[19] |= 0x02;
    assert_eq!(client.send(&mut server, now, message)[0][19], 0x01);
}

#[test]
fn case_50_any_port_of_the_client_inside_is_served_and_answered() {
    let now = Instant::now();
    let mut server = peer::server(now, false);
    let mut client = natted(7);
    assert!(client.main_mode(&mut server, now));
    // Apple names its port, others leave protocol and port out.
    for (protocol, port) in [(17, 49_152), (0, 0), (17, 0)] {
        let mut ids = client.ids();
        (ids[0].protocol, ids[0].port) = (protocol, port);
        client.spi += 1;
        let sa = peer::windows_phase2(client.spi, 4, 5);
        let mut pair = client.quick_with(&mut server, now, sa, &ids).unwrap();
        let mut packet = pair.seal_from(49_152, b"hello");
        let id = server.handle_esp(now, client.esp_path(), &mut packet).unwrap().association;
        let head = server.head_length(id).unwrap();
        let mut buffer = vec![0; head + 2 + crate::esp::TAILROOM];
        let (range, _) = server.seal(now, id, &mut buffer, head..head + 2).unwrap();
        assert_eq!(pair.open(&buffer[range]).unwrap().1, 49_152);
    }
}
