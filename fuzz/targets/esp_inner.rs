//! What ESP carries: nothing is read beyond the payload, and what is accepted can be written again with its addresses and
//! then is read the same.
#![no_main]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use libfuzzer_sys::fuzz_target;
use tollgate_ipsec::algorithm::Mode;
use tollgate_ipsec::esp::inner::{ChecksumRule, HEADROOM, InnerAddresses, read, write};

fuzz_target!(|octets: &[u8]| {
    let Some(([choice, next_header, before], packet)) = octets.split_first_chunk() else { return };
    let mode = if choice & 1 == 0 { Mode::Transport } else { Mode::Tunnel };
    let rule = if choice & 2 == 0 { ChecksumRule::Verify } else { ChecksumRule::Accept };
    let outer: (IpAddr, IpAddr) = if choice & 4 == 0 {
        (Ipv4Addr::new(198, 51, 100, 7).into(), Ipv4Addr::new(203, 0, 113, 1).into())
    } else {
        (Ipv6Addr::LOCALHOST.into(), Ipv6Addr::UNSPECIFIED.into())
    };
    let range = usize::from(*before)..packet.len();
    let Ok(udp) = read(mode, *next_header, packet, range.clone(), outer, rule) else { return };
    assert!(udp.payload.start >= range.start + 8 && udp.payload.end <= packet.len());
    assert_eq!(udp.source.is_some(), mode == Mode::Tunnel);

    let (source, destination) = udp.source.zip(udp.destination).unwrap_or(outer);
    let addresses = InnerAddresses {
        source: SocketAddr::new(source, udp.source_port),
        destination: SocketAddr::new(destination, udp.destination_port),
    };
    let payload = &packet[udp.payload];
    let mut buffer = vec![0; HEADROOM];
    buffer.extend(payload);
    let end = buffer.len();
    let (written, next_header) = write(mode, &addresses, &mut buffer, HEADROOM..end).expect("room");
    let again = read(mode, next_header, &buffer, written, outer, ChecksumRule::Verify).expect("our own");
    assert_eq!(&buffer[again.payload], payload);
    assert_eq!((again.source_port, again.destination_port), (udp.source_port, udp.destination_port));
    let canonical = |address: Option<IpAddr>| address.map(|address| address.to_canonical());
    assert_eq!(canonical(again.source), canonical(udp.source));
    assert_eq!(canonical(again.destination), canonical(udp.destination));
});
