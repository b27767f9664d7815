//! The way of a datagram between two peers: headers, seal, open, and out again, as a server and a client drive it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tollgate_ipsec::algorithm::{EspCipher, EspSuite, Integrity, Mode};
use tollgate_ipsec::esp::inner::{self, ChecksumRule, InnerAddresses, InnerUdp};
use tollgate_ipsec::esp::{DEFAULT_WINDOW, DropReason, HEADROOM, InboundSa, OutboundSa, Spi, TAILROOM};
use tollgate_sansio::Entropy;

const V4: (IpAddr, IpAddr) =
    (IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)), IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1)));
const V6: (IpAddr, IpAddr) = (
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1)),
);
/// Octets before a payload for everything that may have to stand there.
const BEFORE: usize = HEADROOM + inner::HEADROOM;

fn suites() -> Vec<EspSuite> {
    let integrities: Vec<_> = Integrity::ALL.iter().copied().map(Some).chain([None]).collect();
    let pairs = EspCipher::ALL.iter().flat_map(|cipher| integrities.iter().map(|other| (*cipher, *other)));
    pairs.filter_map(|(cipher, integrity)| EspSuite::new(cipher, integrity)).collect()
}

struct Link {
    mode: Mode,
    ends: (IpAddr, IpAddr),
    outbound: OutboundSa,
    inbound: InboundSa,
}

impl Link {
    fn new(suite: EspSuite, mode: Mode, ends: (IpAddr, IpAddr)) -> Self {
        let spi = Spi::new(0xc0de_0001).expect("not reserved");
        let keymat: Vec<u8> = (0..suite.keymat_length()).map(|index| index as u8 ^ 0x3c).collect();
        let mut entropy = Entropy::from_seed([4; 32]);
        let outbound = OutboundSa::new(spi, suite, &keymat, &mut entropy).expect("keys");
        let inbound = InboundSa::new(spi, suite, &keymat, DEFAULT_WINDOW).expect("keys");
        Self { mode, ends, outbound, inbound }
    }

    fn send(&mut self, payload: &[u8]) -> Vec<u8> {
        let mut buffer = vec![0; BEFORE + payload.len() + TAILROOM];
        buffer[BEFORE..BEFORE + payload.len()].copy_from_slice(payload);
        let addresses = InnerAddresses {
            source: SocketAddr::new(self.ends.0, 1701),
            destination: SocketAddr::new(self.ends.1, 1701),
        };
        let range = BEFORE..BEFORE + payload.len();
        let (range, next_header) = inner::write(self.mode, &addresses, &mut buffer, range).expect("room");
        let packet = self.outbound.seal(&mut buffer, range, next_header).expect("room and numbers");
        buffer[packet].to_vec()
    }

    fn receive(
        &mut self,
        packet: &mut [u8],
        outer: (IpAddr, IpAddr),
        rule: ChecksumRule,
    ) -> Result<InnerUdp, DropReason> {
        let opened = self.inbound.open(packet)?;
        inner::read(self.mode, opened.next_header, packet, opened.payload, outer, rule)
    }
}

#[test]
fn datagrams_pass_in_every_suite_mode_and_family() {
    for suite in suites() {
        for mode in [Mode::Transport, Mode::Tunnel] {
            for ends in [V4, V6] {
                let mut link = Link::new(suite, mode, ends);
                for length in [0, 1, 12, 1400] {
                    let payload = vec![length as u8; length];
                    let mut packet = link.send(&payload);
                    let udp = link.receive(&mut packet, ends, ChecksumRule::Verify).expect("a good packet");
                    assert_eq!(packet[udp.payload], payload, "{suite} {mode}");
                    assert_eq!((udp.source_port, udp.destination_port), (1701, 1701));
                    assert_eq!(udp.source.zip(udp.destination), (mode == Mode::Tunnel).then_some(ends));
                }
            }
        }
    }
}

/// A NAT gives the client another address. In a tunnel its own stays inside and in order; in transport mode over IPv6,
/// where a checksum cannot be left out, only the rule for NAT takes the packet.
#[test]
fn datagrams_pass_a_nat() {
    for suite in suites() {
        for (mode, ends, verified) in [
            (Mode::Transport, V4, true),
            (Mode::Transport, V6, false),
            (Mode::Tunnel, V4, true),
            (Mode::Tunnel, V6, true),
        ] {
            let translated = match ends.0 {
                IpAddr::V4(_) => (IpAddr::V4(Ipv4Addr::new(198, 51, 100, 200)), ends.1),
                IpAddr::V6(_) => (IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 9)), ends.1),
            };
            let mut link = Link::new(suite, mode, ends);
            let mut packet = link.send(b"through the NAT");
            let udp = link.receive(&mut packet, translated, ChecksumRule::Accept).expect("a good packet");
            assert_eq!(packet[udp.payload], *b"through the NAT", "{suite} {mode}");
            let mut packet = link.send(b"through the NAT");
            let strict = link.receive(&mut packet, translated, ChecksumRule::Verify);
            assert_eq!(strict.is_ok(), verified, "{suite} {mode} {ends:?}");
        }
    }
}

/// What a sender fits into the MTU of the path by asking the association.
#[test]
fn the_largest_payload_fills_the_path_and_one_octet_more_does_not_fit() {
    for suite in suites() {
        for (mode, headers) in [(Mode::Transport, 8), (Mode::Tunnel, 28)] {
            for room in [500, 1372, 1444, 1480, 1500] {
                let mut link = Link::new(suite, mode, V4);
                let largest = link.outbound.largest_payload(room) - headers;
                let mut packet = link.send(&vec![7; largest]);
                assert!(packet.len() <= room, "{suite} {mode} {room}");
                assert!(link.receive(&mut packet, V4, ChecksumRule::Verify).is_ok());
                assert!(link.send(&vec![7; largest + 1]).len() > room, "{suite} {mode} {room}");
            }
        }
    }
}
