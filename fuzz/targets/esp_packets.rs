//! An ESP association of any suite: genuine packets in any order, the same again, altered, cut, and octets that are none.
//! Each genuine packet comes out once as it went in unless the window has left it behind, and nothing else comes out.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use tollgate_fuzz::script::Script;
use tollgate_ipsec::algorithm::{EspCipher, EspSuite, Integrity};
use tollgate_ipsec::esp::{DropReason, HEADROOM, InboundSa, OutboundSa, Spi, TAILROOM};
use tollgate_sansio::Entropy;

const WINDOW: u32 = 64;
const MOST_PACKETS: usize = 300;

/// A packet on its way.
struct Packet {
    octets: Vec<u8>,
    payload: Vec<u8>,
    next_header: u8,
    opened: bool,
}

fuzz_target!(|octets: &[u8]| {
    let mut script = Script::new(octets);
    let suite = suite(script.octet());
    let spi = Spi::new(0x0102_0304).expect("not reserved");
    let keymat = vec![0x5c; suite.keymat_length()];
    let mut outbound = OutboundSa::new(spi, suite, &keymat, &mut Entropy::from_seed([1; 32])).expect("keys");
    let mut inbound = InboundSa::new(spi, suite, &keymat, WINDOW).expect("keys");
    let mut sent: BTreeMap<u32, Packet> = BTreeMap::new();
    let (mut highest, mut opened) = (0, 0);
    while !script.is_empty() {
        match script.octet() % 5 {
            0 if sent.len() < MOST_PACKETS => {
                let packet = seal(&mut outbound, script.string(), script.octet());
                sent.insert(outbound.sequence(), packet);
            }
            0 => {}
            1 => {
                let number = u32::from(script.number());
                let Some(packet) = sent.get_mut(&number) else { continue };
                let mut octets = packet.octets.clone();
                let verdict = inbound.open(&mut octets);
                if number + WINDOW <= highest {
                    assert_eq!(verdict, Err(DropReason::BehindWindow));
                } else if packet.opened {
                    assert_eq!(verdict, Err(DropReason::Replayed));
                } else {
                    let verdict = verdict.expect("a genuine packet");
                    assert_eq!(octets[verdict.payload], packet.payload);
                    assert_eq!((verdict.next_header, verdict.sequence), (packet.next_header, number));
                    packet.opened = true;
                    highest = highest.max(number);
                    opened += 1;
                }
            }
            2 => {
                let Some(packet) = sent.get(&u32::from(script.number())) else { continue };
                let mut octets = packet.octets.clone();
                let place = usize::from(script.number()) % octets.len();
                octets[place] ^= script.octet().max(1);
                inbound.open(&mut octets).expect_err("an altered packet");
            }
            3 => {
                let Some(packet) = sent.get(&u32::from(script.number())) else { continue };
                let mut octets = packet.octets.clone();
                octets.truncate(usize::from(script.number()) % octets.len());
                inbound.open(&mut octets).expect_err("a packet cut short");
            }
            _ => {
                let mut octets = spi.get().to_be_bytes().to_vec();
                octets.extend(script.string());
                inbound.open(&mut octets).expect_err("no packet of ours");
            }
        }
        assert_eq!(inbound.packets(), opened);
    }
});

fn suite(choice: u8) -> EspSuite {
    let cipher = EspCipher::ALL[usize::from(choice) % EspCipher::ALL.len()];
    let integrity = Integrity::ALL[usize::from(choice / 8) % Integrity::ALL.len()];
    EspSuite::new(cipher, (!cipher.is_combined()).then_some(integrity)).expect("a suite")
}

fn seal(outbound: &mut OutboundSa, payload: &[u8], next_header: u8) -> Packet {
    let mut buffer = vec![0; HEADROOM + payload.len() + TAILROOM];
    let range = HEADROOM..HEADROOM + payload.len();
    buffer[range.clone()].copy_from_slice(payload);
    let packet = outbound.seal(&mut buffer, range, next_header).expect("room and numbers");
    assert_eq!(packet.len(), payload.len() + outbound.overhead(payload.len()));
    assert!(outbound.largest_payload(packet.len()) >= payload.len());
    Packet { octets: buffer[packet].to_vec(), payload: payload.to_vec(), next_header, opened: false }
}
