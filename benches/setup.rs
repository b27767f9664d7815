//! What the parts of one login cost.
#![allow(missing_docs, reason = "criterion makes the entry points")]

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use tollgate_aaa::{AuthMethod, AuthRequest, Credentials, Secret, Verdict};
use tollgate_backends::radius::answer;
use tollgate_backends::radius::packet::{Key, Packet, Required, finish_access_request};
use tollgate_backends::radius::request::{Nas, access_request};
use tollgate_benches::{Tunnels, context, login, router, set_up_link};
use tollgate_mschap::{NtHash, generate_nt_response, verify_nt_response_v2};
use tollgate_policy::config;
use tollgate_policy::pool::{AddressRange, PoolSettings, Pools};
use tollgate_ppp::{AuthProtocol, ClientConfig, ServerConfig};
use tollgate_sansio::Entropy;
use zeroize::Zeroizing;

const SECRET: &[u8] = b"testing123";

fn l2tp(criterion: &mut Criterion) {
    criterion.bench_function("l2tp/tunnel and session, both ends", |bencher| {
        bencher.iter_batched_ref(Tunnels::default, |pair| pair.set_up(1), BatchSize::SmallInput);
    });
    criterion.bench_function("l2tp/64 sessions more, both ends", |bencher| {
        bencher.iter_batched_ref(Tunnels::default, |pair| pair.set_up(64), BatchSize::SmallInput);
    });
}

fn ppp(criterion: &mut Criterion) {
    for (name, method) in [("pap", AuthProtocol::Pap), ("ms-chap-v1", AuthProtocol::MsChapV1)] {
        let server = Arc::new(ServerConfig { methods: vec![method], ..ServerConfig::default() });
        let client = Arc::new(ClientConfig {
            user: b"joe".to_vec(),
            password: Zeroizing::new(b"open sesame".to_vec()),
            methods: vec![method],
            ..ClientConfig::default()
        });
        let mut entropy = Entropy::from_seed([1; 32]);
        let now = Instant::now();
        criterion.bench_function(&format!("ppp/lcp, {name} and ipcp, both ends"), |bencher| {
            bencher.iter(|| assert!(set_up_link(&server, &client, now, &mut entropy)));
        });
    }
}

fn radius(criterion: &mut Criterion) {
    let key = Key::new(Secret::from(SECRET));
    let context = context();
    let credentials = Credentials::Pap { password: Secret::from(b"open sesame".to_vec()) };
    let nas = Nas::default();
    let authenticator = [9; 16];
    let request = AuthRequest {
        name: b"joe",
        typed_name: b"joe",
        credentials: &credentials,
        tunnel_group: "DefaultRAGroup",
        context: &context,
    };
    criterion.bench_function("radius/access-request", |bencher| {
        bencher.iter(|| {
            let mut packet = access_request(&request, &nas, &authenticator, &key).expect("it fits");
            finish_access_request(&mut packet, 7, &key);
            packet
        });
    });
    let accept = accept(&authenticator);
    criterion.bench_function("radius/access-accept", |bencher| {
        bencher.iter(|| {
            let packet = Packet::parse(black_box(&accept)).expect("a packet");
            packet.verify(&authenticator, &key, Required::MessageAuthenticator).expect("signed");
            let verdict = answer::decode(&packet, AuthMethod::Pap, &authenticator, &key);
            assert!(matches!(verdict, Verdict::Accept(_)));
        });
    });
}

/// An Access-Accept as servers send it: Message-Authenticator first, then what the session gets.
fn accept(request: &[u8; 16]) -> Vec<u8> {
    let mut packet = vec![2, 7, 0, 0];
    packet.extend_from_slice(request);
    packet.extend([80, 18]);
    packet.extend([0; 16]);
    packet.extend([8, 6, 10, 4, 5, 17, 27, 6, 0, 0, 0x1C, 0x20, 25, 11]);
    packet.extend(b"OU=sales;");
    packet[3] = u8::try_from(packet.len()).expect("a short packet");
    let mac =
        Hmac::<Md5>::new_from_slice(SECRET).expect("any key").chain_update(&packet).finalize().into_bytes();
    packet[22..38].copy_from_slice(&mac);
    let digest = Md5::new().chain_update(&packet).chain_update(SECRET).finalize();
    packet[4..20].copy_from_slice(&digest);
    packet
}

fn mschap(criterion: &mut Criterion) {
    let hash = NtHash::from_password("open sesame");
    let response = generate_nt_response(&[1; 16], &[2; 16], b"joe", &hash);
    criterion.bench_function("mschap/nt hash", |bencher| {
        bencher.iter(|| NtHash::from_password(black_box("open sesame")));
    });
    criterion.bench_function("mschap/v2 verification", |bencher| {
        bencher
            .iter(|| assert!(verify_nt_response_v2(&[1; 16], &[2; 16], b"joe", &hash, black_box(&response))));
    });
}

fn aaa(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let router = router();
    criterion.bench_function("aaa/router decision", |bencher| {
        bencher.iter_batched(login, |request| runtime.block_on(router.login(request)), BatchSize::SmallInput);
    });
}

fn policy(criterion: &mut Criterion) {
    let range = AddressRange { first: Ipv4Addr::new(10, 4, 0, 0), last: Ipv4Addr::new(10, 4, 255, 255) };
    let settings = PoolSettings { range, mask: Ipv4Addr::new(255, 255, 0, 0) };
    let pools = Pools::new([("sales".to_owned(), settings)], Some(Ipv4Addr::new(10, 4, 0, 1)));
    let names = ["sales".to_owned()];
    let held: Vec<_> = (0..32_768).map(|_| pools.lease(&names).expect("an address")).collect();
    criterion.bench_function("policy/lease and release", |bencher| {
        bencher.iter(|| pools.lease(&names).expect("an address").address());
    });
    drop(held);
    let text = include_str!("tollgate.toml");
    criterion.bench_function("policy/configuration", |bencher| {
        bencher
            .iter(|| config::parse(Path::new("tollgate.toml"), black_box(text)).expect("it holds together"));
    });
}

criterion_group!(benches, l2tp, ppp, radius, mschap, aaa, policy);
criterion_main!(benches);
