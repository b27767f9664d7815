//! Packets through sessions that are up, one way at a time: what a server spends on each.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tollgate_sys::udp::{BATCH, Inbound, Outbound, UdpSocket};

use super::generator::{Generator, Happening};
use super::login::{self, LoginOptions};
use super::usage::Usage;
use super::{BenchError, MOST_PORTS, Target};
use crate::ip;

/// Which way the packets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// From the clients to a host inside.
    FromClient,
    /// From a host inside to the clients.
    ToClient,
}

/// How much load.
#[derive(Debug, Clone)]
pub struct DataOptions {
    /// Sessions that share the load.
    pub sessions: usize,
    /// Octets of each inner packet, 64 to 1,400.
    pub packet: usize,
    /// Packets a second in all.
    pub rate: u64,
    /// How long.
    pub duration: Duration,
    /// Which way.
    pub direction: Direction,
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DataReport {
    /// Which way.
    pub direction: Direction,
    /// Sessions that shared the load.
    pub sessions: usize,
    /// Octets of each inner packet.
    pub packet: usize,
    /// Packets sent.
    pub sent: u64,
    /// Packets that came through.
    pub received: u64,
    /// Share that did not.
    pub loss: f64,
    /// Packets a second that came through.
    pub packets_per_second: f64,
    /// Processor time of the server for one packet that came through, in microseconds.
    pub server_cpu_microseconds_per_packet: Option<f64>,
}

/// Port of the clients' end of the flows.
const CLIENT_PORT: u16 = 40_000;
/// Octets of the inner IP and UDP headers.
const HEADERS: usize = 28;

/// Sets sessions up and sends.
pub fn run(target: &Target, options: &DataOptions) -> Result<DataReport, BenchError> {
    let mut generator = Generator::new(target)?;
    let calls = LoginOptions {
        tunnels: target.ports.clamp(1, MOST_PORTS),
        sessions: options.sessions.div_ceil(target.ports.clamp(1, MOST_PORTS)),
        concurrency: 64,
        hold: Duration::ZERO,
        limit: Duration::from_secs(30),
    };
    let tunnels = login::open_tunnels(&mut generator, &calls)?;
    let outcome = login::open_sessions(&mut generator, &tunnels, &calls)?;
    if let Some(failure) = outcome.first_failure {
        return Err(BenchError::Server(format!("a session was not set up: {failure}")));
    }
    let flow = match options.direction {
        Direction::FromClient => from_client(&mut generator, target, options)?,
        Direction::ToClient => to_client(&mut generator, target, options)?,
    };
    login::close(&mut generator)?;
    let cpu = flow.cpu.map(|cpu| cpu.as_secs_f64() * 1e6 / flow.received.max(1) as f64);
    Ok(DataReport {
        direction: options.direction,
        sessions: generator.calls.len(),
        packet: options.packet,
        sent: flow.sent,
        received: flow.received,
        loss: 1.0 - flow.received as f64 / flow.sent.max(1) as f64,
        packets_per_second: flow.received as f64 / flow.seconds,
        server_cpu_microseconds_per_packet: cpu,
    })
}

struct Flow {
    sent: u64,
    received: u64,
    seconds: f64,
    cpu: Option<Duration>,
}

/// Sends in small bursts at an even pace.
struct Pace {
    began: Instant,
    rate: u64,
    sent: u64,
}

impl Pace {
    fn new(rate: u64) -> Self {
        Self { began: Instant::now(), rate, sent: 0 }
    }

    /// How many packets are due, at most one batch.
    fn due(&self) -> u64 {
        let by_now = (self.began.elapsed().as_secs_f64() * self.rate as f64) as u64;
        by_now.saturating_sub(self.sent).min(BATCH as u64)
    }
}

/// The inner addresses of a call: the client's and the server's.
fn addresses(generator: &Generator, call: usize) -> Result<(Ipv4Addr, Ipv4Addr), BenchError> {
    generator.calls[call]
        .addresses
        .map(|addresses| (addresses.local, addresses.peer))
        .ok_or_else(|| BenchError::Server("a session has no address".into()))
}

/// A socket on the server's inner address: this process and the server share a network.
fn inside_socket(address: Ipv4Addr) -> Result<UdpSocket, BenchError> {
    UdpSocket::bind(SocketAddr::from((address, 0))).map_err(BenchError::system(
        "no socket on the server's inner address (run both in one network namespace)",
    ))
}

fn from_client(
    generator: &mut Generator,
    target: &Target,
    options: &DataOptions,
) -> Result<Flow, BenchError> {
    let (_, inside) = addresses(generator, 0)?;
    let sink = inside_socket(inside)?;
    let port = sink.local_addr().port();
    let received = Arc::new(AtomicU64::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let counter = {
        let (received, stop) = (Arc::clone(&received), Arc::clone(&stop));
        std::thread::spawn(move || {
            let mut inbound = Inbound::new();
            while !stop.load(Ordering::Relaxed) {
                match inbound.receive(&sink) {
                    Ok(0) | Err(_) => std::thread::sleep(Duration::from_millis(2)),
                    Ok(count) => {
                        received.fetch_add(count as u64, Ordering::Relaxed);
                    }
                }
            }
        })
    };
    let payload = vec![0x42; options.packet.saturating_sub(HEADERS)];
    let packets = (0..generator.calls.len())
        .map(|call| {
            let (client, _) = addresses(generator, call)?;
            Ok(ip::datagram((client, CLIENT_PORT), (inside, port), &payload))
        })
        .collect::<Result<Vec<_>, BenchError>>()?;
    let before = Usage::of(target.server_pid)?;
    let mut pace = Pace::new(options.rate);
    let mut turn = 0;
    while pace.began.elapsed() < options.duration {
        let due = pace.due();
        if due == 0 {
            generator.step(Instant::now() + Duration::from_millis(1), &mut |_| ())?;
            continue;
        }
        // A burst belongs to one call, so that it leaves by one system call.
        for _ in 0..due {
            generator.send_packet(turn, &packets[turn]);
        }
        generator.flush(turn);
        turn = (turn + 1) % packets.len();
        pace.sent += due;
    }
    let seconds = pace.began.elapsed().as_secs_f64();
    std::thread::sleep(Duration::from_millis(100));
    let after = Usage::of(target.server_pid)?;
    stop.store(true, Ordering::Relaxed);
    // A counter that panicked has counted nothing more.
    let _ = counter.join();
    Ok(Flow {
        sent: pace.sent,
        received: received.load(Ordering::Relaxed),
        seconds,
        cpu: before.zip(after).map(|(before, after)| after.cpu.saturating_sub(before.cpu)),
    })
}

fn to_client(generator: &mut Generator, target: &Target, options: &DataOptions) -> Result<Flow, BenchError> {
    let (_, inside) = addresses(generator, 0)?;
    let source = inside_socket(inside)?;
    let clients = (0..generator.calls.len())
        .map(|call| addresses(generator, call).map(|(client, _)| SocketAddr::from((client, CLIENT_PORT))))
        .collect::<Result<Vec<_>, _>>()?;
    let before = Usage::of(target.server_pid)?;
    let (rate, duration, length) = (options.rate, options.duration, options.packet.saturating_sub(HEADERS));
    let sender = std::thread::spawn(move || {
        let mut outbound = Outbound::new();
        let mut pace = Pace::new(rate);
        let mut turn = 0;
        while pace.began.elapsed() < duration {
            let due = pace.due();
            if due == 0 {
                std::thread::sleep(Duration::from_micros(200));
                continue;
            }
            for _ in 0..due {
                outbound.push(&source, source.local_addr(), clients[turn], |buffer| {
                    buffer[..length].fill(0x42);
                    length
                });
            }
            outbound.flush(&source);
            turn = (turn + 1) % clients.len();
            pace.sent += due;
        }
        pace.sent - outbound.dropped
    });
    let mut received = 0;
    let began = Instant::now();
    while began.elapsed() < options.duration + Duration::from_millis(100) {
        generator.step(Instant::now() + Duration::from_millis(5), &mut |happening| {
            if let Happening::Packet(length) = happening {
                received += u64::from(length == options.packet);
            }
        })?;
    }
    let after = Usage::of(target.server_pid)?;
    let sent = sender.join().map_err(|_| BenchError::Server("the sender panicked".into()))?;
    Ok(Flow {
        sent,
        received,
        seconds: options.duration.as_secs_f64(),
        cpu: before.zip(after).map(|(before, after)| after.cpu.saturating_sub(before.cpu)),
    })
}
