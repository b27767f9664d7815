//! What no user-space server on this machine can be faster than: the same system calls with nothing between them.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use serde::Serialize;
use tollgate_sys::process;
use tollgate_sys::tun::{self, Device};
use tollgate_sys::udp::{BATCH, Inbound, Outbound, UdpSocket};

use super::BenchError;
use crate::ip;

/// Processor time for one packet with nothing but system calls, in microseconds.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct LimitReport {
    /// Octets of each inner packet.
    pub packet: usize,
    /// Batched receive, then a TUN write.
    pub receive_and_tun_write: f64,
    /// A TUN read, then batched send.
    pub tun_read_and_send: f64,
}

/// Packets of each measurement.
const PACKETS: usize = 100_000;
/// Octets that L2TP and PPP put before an inner packet.
const OVERHEAD: usize = 12;

/// Measures both ways with packets of `packet` octets; needs the right to make a TUN device.
pub fn run(packet: usize) -> Result<LimitReport, BenchError> {
    let name = format!("tglimit{}", std::process::id() % 100_000);
    let number = std::process::id();
    let base = Ipv4Addr::new(10, 192 + (number / 256 % 32) as u8, (number % 256) as u8, 1);
    let client = Ipv4Addr::from(u32::from(base) + 9);
    let mut device = Device::create(&name, 1).map_err(BenchError::system("cannot make a TUN device"))?;
    device.configure(base, 1400).map_err(BenchError::system("cannot set up the TUN device"))?;
    tun::add_route(&name, client, 32).map_err(BenchError::system("cannot set a route"))?;
    let queue = device.take_queues().pop().ok_or_else(|| BenchError::Server("no queue".into()))?;

    let loopback =
        |what| UdpSocket::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).map_err(BenchError::system(what));
    let (outer, peer) = (loopback("cannot bind")?, loopback("cannot bind")?);
    let inside =
        UdpSocket::bind(SocketAddr::from((base, 0))).map_err(BenchError::system("cannot bind inside"))?;
    let mut drain = Inbound::new();
    let (mut inbound, mut outbound) = (Inbound::new(), Outbound::new());

    // From the client: a peer fills the socket, what is measured empties it into the device.
    let payload = vec![0x42; packet.saturating_sub(28)];
    let inner = ip::datagram((client, 40_000), (base, inside.local_addr().port()), &payload);
    let mut wire = vec![0; OVERHEAD];
    wire.extend_from_slice(&inner);
    let mut spent = Duration::ZERO;
    let mut done = 0;
    while done < PACKETS {
        for _ in 0..BATCH {
            outbound.push(&peer, peer.local_addr(), outer.local_addr(), |buffer| {
                buffer[..wire.len()].copy_from_slice(&wire);
                wire.len()
            });
        }
        outbound.flush(&peer);
        let before = own_time()?;
        let count = inbound.receive(&outer).map_err(BenchError::system("cannot receive"))?;
        for index in 0..count {
            if let Some(datagram) = inbound.datagram(index) {
                queue.write(&datagram.bytes[OVERHEAD..]);
            }
        }
        spent += own_time()?.saturating_sub(before);
        done += count;
        drain_all(&mut drain, &inside)?;
    }
    let receive_and_tun_write = spent.as_secs_f64() * 1e6 / done as f64;

    // To the client: a host inside fills the device's queue, what is measured empties it into the socket.
    let mut spent = Duration::ZERO;
    let mut done = 0;
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut buffer = [0u8; 2048];
    while done < PACKETS && Instant::now() < deadline {
        for _ in 0..BATCH {
            outbound.push(&inside, inside.local_addr(), SocketAddr::from((client, 40_000)), |room| {
                room[..payload.len()].copy_from_slice(&payload);
                payload.len()
            });
        }
        outbound.flush(&inside);
        let before = own_time()?;
        loop {
            let length = queue.read(&mut buffer).map_err(BenchError::system("cannot read the device"))?;
            if length == 0 {
                break;
            }
            outbound.push(&outer, outer.local_addr(), peer.local_addr(), |room| {
                room[OVERHEAD..OVERHEAD + length].copy_from_slice(&buffer[..length]);
                OVERHEAD + length
            });
            done += 1;
        }
        outbound.flush(&outer);
        spent += own_time()?.saturating_sub(before);
        drain_all(&mut drain, &peer)?;
    }
    let tun_read_and_send = spent.as_secs_f64() * 1e6 / done.max(1) as f64;
    Ok(LimitReport { packet, receive_and_tun_write, tun_read_and_send })
}

fn own_time() -> Result<Duration, BenchError> {
    process::thread_time().map_err(BenchError::system("no processor time"))
}

fn drain_all(drain: &mut Inbound, socket: &UdpSocket) -> Result<(), BenchError> {
    while drain.receive(socket).map_err(BenchError::system("cannot receive"))? > 0 {}
    Ok(())
}
