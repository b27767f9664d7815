//! What one packet costs, and whether it costs more when there are many sessions.
#![allow(missing_docs, reason = "criterion makes the entry points")]

use std::hint::black_box;
use std::time::Instant;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tollgate_benches::{Tunnels, data_packet};
use tollgate_l2tp::{MAX_DATA_HEADER, Received};
use tollgate_ppp::{clamp_mss, ipv4_payload};

/// Octets of an inner packet.
const PACKET: usize = 512;
/// Octets of a data header without sequence numbers.
const HEADER: usize = 8;

fn frame() -> Vec<u8> {
    let mut frame = vec![0xFF, 0x03, 0x00, 0x21, 0x45];
    frame.resize(4 + PACKET, 0);
    frame
}

/// Visits all sessions, each time in the same order, which is not the one in which they lie in memory.
fn shuffled(count: usize) -> Vec<usize> {
    // An odd factor and a power of two: every index comes up once.
    (0..count).map(|index| index.wrapping_mul(40_503) % count).collect()
}

/// One step of the server's side: a packet from or to the next client in turn.
struct Side {
    tunnels: Tunnels,
    /// The header of each session's packets, and a packet that takes one after the other as a receive buffer would:
    /// the buffer is in the cache, whoever's packet it holds.
    headers: Vec<[u8; HEADER]>,
    packet: Vec<u8>,
    order: Vec<usize>,
    turn: usize,
}

impl Side {
    fn new(tunnels: usize, sessions: usize) -> Self {
        let mut pair = Tunnels::with(tunnels, sessions);
        let frame = frame();
        let keys = pair.at_lac.clone();
        let packets: Vec<Vec<u8>> = keys.iter().map(|key| data_packet(&mut pair.lac, *key, &frame)).collect();
        let headers = packets.iter().map(|packet| *packet.first_chunk().expect("a header")).collect();
        let packet = packets[0].clone();
        Self { tunnels: pair, headers, packet, order: shuffled(keys.len()), turn: 0 }
    }

    fn next(&mut self) -> usize {
        self.turn = (self.turn + 1) % self.order.len();
        self.order[self.turn]
    }

    fn receive(&mut self) -> usize {
        let index = self.next();
        self.packet[..HEADER].copy_from_slice(&self.headers[index]);
        match self.tunnels.lns.handle_datagram(self.tunnels.now, self.tunnels.path, &self.packet) {
            Received::Data { frame, .. } => frame.len(),
            other => panic!("{other:?}"),
        }
    }

    fn send(&mut self, out: &mut [u8; MAX_DATA_HEADER]) -> usize {
        let index = self.next();
        let key = self.tunnels.at_lns[index];
        self.tunnels.lns.data_header(key, PACKET + 4, out).expect("the session is up").0
    }
}

/// Nanoseconds of one step.
fn nanoseconds(mut step: impl FnMut() -> usize) -> f64 {
    const STEPS: u32 = 2_000_000;
    for _ in 0..STEPS / 10 {
        black_box(step());
    }
    let began = Instant::now();
    for _ in 0..STEPS {
        black_box(step());
    }
    began.elapsed().as_secs_f64() * 1e9 / f64::from(STEPS)
}

fn sessions(criterion: &mut Criterion) {
    let mut sides = [(1, Side::new(1, 1)), (65_536, Side::new(64, 1024))];
    let mut group = criterion.benchmark_group("l2tp");
    group.throughput(Throughput::Elements(1));
    for (count, side) in &mut sides {
        group.bench_function(BenchmarkId::new("data in", *count), |bencher| {
            bencher.iter(|| black_box(side.receive()));
        });
        group.bench_function(BenchmarkId::new("data out", *count), |bencher| {
            let mut out = [0; MAX_DATA_HEADER];
            bencher.iter(|| black_box(side.send(&mut out)));
        });
    }
    group.finish();
    let [(_, one), (_, many)] = &mut sides;
    let mut out = [0; MAX_DATA_HEADER];
    let received = (nanoseconds(|| one.receive()), nanoseconds(|| many.receive()));
    let sent = (nanoseconds(|| one.send(&mut out)), nanoseconds(|| many.send(&mut out)));
    for (name, (one, many)) in [("data in", received), ("data out", sent)] {
        println!("{name}: {one:.1} ns at 1 session, {many:.1} ns at 65,536: {:.2} times", many / one);
    }
}

fn frames(criterion: &mut Criterion) {
    let frame = frame();
    criterion.bench_function("ppp/ipv4 payload", |bencher| {
        bencher.iter(|| black_box(ipv4_payload(black_box(&frame)).map(<[u8]>::len)));
    });
    let mut syn = vec![0x45, 0, 0, 44, 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 4, 5, 17, 10, 0, 0, 9];
    syn.extend([
        0x9C, 0x40, 1, 0xBB, 0, 0, 0, 1, 0, 0, 0, 0, 0x60, 2, 0xFA, 0xF0, 0x12, 0x34, 0, 0, 2, 4, 5, 0xB4,
    ]);
    let mut plain = syn.clone();
    plain[33] = 0x10;
    criterion.bench_function("ppp/clamp mss of a syn", |bencher| {
        let mut packet = syn.clone();
        bencher.iter(|| {
            packet.copy_from_slice(&syn);
            black_box(clamp_mss(black_box(&mut packet), 1400))
        });
    });
    criterion.bench_function("ppp/clamp mss of any other", |bencher| {
        bencher.iter(|| black_box(clamp_mss(black_box(&mut plain), 1400)));
    });
}

criterion_group!(benches, sessions, frames);
criterion_main!(benches);
