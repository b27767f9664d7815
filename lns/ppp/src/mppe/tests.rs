use tollgate_mschap::{Direction, KeyStrength, NtHash, master_key};

use super::*;

const NT_RESPONSE: [u8; 24] = [
    0x82, 0x30, 0x9E, 0xCD, 0x8D, 0x70, 0x8B, 0x5E, 0xA0, 0x8F, 0xAA, 0x39, 0x81, 0xCD, 0x83, 0x54, 0x42,
    0x33, 0x11, 0x4A, 0x3D, 0x85, 0xD6, 0xDF,
];
const STRENGTHS: [KeyStrength; 3] = [KeyStrength::Bits40, KeyStrength::Bits56, KeyStrength::Bits128];

/// The start key of the samples of RFC 3079 3.5.
fn start(strength: KeyStrength) -> SessionKey {
    master_key(&NtHash::from_password("clientPass"), &NT_RESPONSE)
        .start_key(Direction::ServerToClient, strength)
}

fn pair(strength: KeyStrength, stateless: bool) -> (Sender, Receiver) {
    (Sender::new(start(strength), stateless), Receiver::new(start(strength), stateless))
}

fn clear(number: u32) -> Vec<u8> {
    let mut packet = vec![0, 0, 0x00, 0x21];
    packet.extend_from_slice(&number.to_be_bytes());
    packet.resize(40, number as u8);
    packet
}

fn sealed(sender: &mut Sender, number: u32) -> Vec<u8> {
    let mut packet = clear(number);
    assert!(sender.seal(&mut packet));
    packet
}

fn header(packet: &[u8]) -> u16 {
    u16::from_be_bytes([packet[0], packet[1]])
}

#[track_caller]
fn opens(receiver: &mut Receiver, packet: &[u8], number: u32) {
    let mut packet = packet.to_vec();
    assert_eq!(receiver.open(&mut packet), Opened::Clear);
    assert_eq!(packet[2..], clear(number)[2..]);
}

/// The first packet of a stateful sender is encrypted under the very session keys of the RFC's samples.
#[test]
fn rfc_3079_3_5_the_test_message() {
    for (strength, expected) in [
        (KeyStrength::Bits40, [0x92, 0x91, 0x37, 0x91, 0x7E, 0x58, 0x03, 0xD6, 0x68, 0xD7, 0x58, 0x98]),
        (KeyStrength::Bits128, [0x81, 0x84, 0x83, 0x17, 0xDF, 0x68, 0x84, 0x62, 0x72, 0xFB, 0x5A, 0xBE]),
    ] {
        let (mut sender, mut receiver) = pair(strength, false);
        let mut packet = b"..test message".to_vec();
        assert!(sender.seal(&mut packet));
        assert_eq!(packet, [&[0x10, 0x00][..], &expected].concat(), "D, count 0");
        assert_eq!(receiver.open(&mut packet), Opened::Clear);
        assert_eq!(&packet[2..], b"test message");
    }
}

#[test]
fn packets_in_their_order_are_read_over_the_wrap_of_the_count() {
    for strength in STRENGTHS {
        for stateless in [false, true] {
            let (mut sender, mut receiver) = pair(strength, stateless);
            for number in 0..9000 {
                let packet = sealed(&mut sender, number);
                let flag = stateless || number & 0xFF == 0xFF;
                let bits = if flag { 0x9000 } else { 0x1000 };
                assert_eq!(header(&packet), bits | (number & 0x0FFF) as u16);
                assert_ne!(packet[4..], clear(number)[4..]);
                opens(&mut receiver, &packet, number);
            }
        }
    }
}

#[test]
fn a_stateless_receiver_reads_on_after_any_loss_up_to_half_the_counts() {
    let (mut sender, mut receiver) = pair(KeyStrength::Bits128, true);
    let mut number = 0;
    for lost in [0, 1, 5, 255, 256, 300, 2047, 0] {
        for _ in 0..lost {
            sealed(&mut sender, number);
            number += 1;
        }
        let packet = sealed(&mut sender, number);
        opens(&mut receiver, &packet, number);
        number += 1;
    }
}

#[test]
fn what_is_late_or_doubled_is_dropped_and_does_no_harm() {
    for stateless in [false, true] {
        let (mut sender, mut receiver) = pair(KeyStrength::Bits128, stateless);
        let packets: Vec<_> = (0..20).map(|number| sealed(&mut sender, number)).collect();
        for (number, packet) in packets.iter().enumerate() {
            opens(&mut receiver, packet, number as u32);
            for old in packets[..=number].iter().rev().take(5) {
                assert_eq!(receiver.open(&mut old.clone()), Opened::Dropped);
            }
        }
    }
    let (mut sender, mut receiver) = pair(KeyStrength::Bits128, true);
    let packets: Vec<_> = (0..4).map(|number| sealed(&mut sender, number)).collect();
    opens(&mut receiver, &packets[2], 2);
    assert_eq!(receiver.open(&mut packets[1].clone()), Opened::Dropped, "its key is gone");
    opens(&mut receiver, &packets[3], 3);
}

#[test]
fn a_stateful_receiver_waits_for_tables_made_anew() {
    for lost in [1, 10, 254, 255, 256, 257, 600, 1100] {
        let (mut sender, mut receiver) = pair(KeyStrength::Bits128, false);
        let first = sealed(&mut sender, 0);
        opens(&mut receiver, &first, 0);
        for number in 1..=lost {
            sealed(&mut sender, number);
        }
        let mut number = lost + 1;
        // A flag packet brings new tables with it.
        while number & 0xFF != 0xFF && number < lost + 4 {
            let mut unread = sealed(&mut sender, number);
            assert_eq!(receiver.open(&mut unread), Opened::Lost, "{lost}");
            number += 1;
        }
        sender.flush();
        let packet = sealed(&mut sender, number);
        assert_eq!(header(&packet) & 0x8000, 0x8000);
        opens(&mut receiver, &packet, number);
        let packet = sealed(&mut sender, number + 1);
        assert_eq!(header(&packet) & 0x8000 == 0, (number + 1) & 0xFF != 0xFF, "once");
        opens(&mut receiver, &packet, number + 1);
    }
}

#[test]
fn a_flag_packet_ends_the_waiting_even_if_no_reset_was_heard() {
    let (mut sender, mut receiver) = pair(KeyStrength::Bits40, false);
    for number in 0..5000 {
        let packet = sealed(&mut sender, number);
        if number % 300 == 0 {
            continue;
        }
        let mut copy = packet.clone();
        match receiver.open(&mut copy) {
            Opened::Clear => assert_eq!(copy[2..], clear(number)[2..]),
            Opened::Lost => assert_ne!(number & 0xFF, 0xFF),
            Opened::Dropped => panic!("{number}"),
        }
    }
    assert!(!receiver.lost || 5000 & 0xFF != 0);
}

#[test]
fn what_was_not_agreed_on_is_dropped() {
    let (mut sender, mut receiver) = pair(KeyStrength::Bits128, true);
    let packet = sealed(&mut sender, 0);
    for (turned, what) in [(0x10, "not encrypted"), (0x20, "compressed"), (0x80, "stateless without A")] {
        let mut packet = packet.clone();
        packet[0] ^= turned;
        assert_eq!(receiver.open(&mut packet), Opened::Dropped, "{what}");
    }
    for length in 0..2 {
        assert_eq!(receiver.open(&mut packet.clone()[..length]), Opened::Dropped);
        assert!(!sender.seal(&mut packet.clone()[..length]));
    }
    opens(&mut receiver, &packet, 0);
}
