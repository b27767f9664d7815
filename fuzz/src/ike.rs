//! A responder of IKE, and a client that goes as far with it as a target wants before the fuzzer's octets take over.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use std::sync::Arc;

use tollgate_ipsec::algorithm::{Authentication, Cipher, EspCipher, EspSuite, Group, Hash, Integrity, Mode};
use tollgate_ipsec::dh::KeyPair;
use tollgate_ipsec::ikev1::header::{Cookie, Cookies, ENCRYPTED, ExchangeType, HEADER, Header};
use tollgate_ipsec::ikev1::identification::Identification;
use tollgate_ipsec::ikev1::keys::{Exchange, Keys};
use tollgate_ipsec::ikev1::payload::{Builder, Kind, Payloads};
use tollgate_ipsec::ikev1::selection::{self, Policy, TransformSet};
use tollgate_ipsec::{Config, Endpoint, GroupKeys, Path, Place, ikev1::vendor};
use tollgate_sansio::Entropy;
use zeroize::Zeroizing;

const KEY: &[u8] = b"secret";

fn policy() -> Policy {
    Policy {
        authentication: Authentication::PreSharedKey,
        cipher: Cipher::Aes128,
        hash: Hash::Sha1,
        group: Group::Ecp256,
        lifetime: Duration::from_secs(3600),
    }
}

/// The transform set that is served.
pub fn set() -> TransformSet {
    let suite = EspSuite::new(EspCipher::Aes128, Some(Integrity::HmacSha1)).expect("a suite");
    TransformSet { suite, mode: Mode::Transport }
}

pub fn responder(now: Instant) -> Endpoint {
    let mut config = Config::new(vec![policy()], vec![set()]);
    config.aggressive = true;
    config.keys = vec![GroupKeys {
        tunnel_group: "DefaultRAGroup".into(),
        keys: vec![Arc::new(Zeroizing::new(KEY.to_vec()))],
    }];
    Endpoint::new(now, config, Place { shard: 1, bits: 2 }, Entropy::from_seed([1; 32]))
}

/// Does the jobs, and gives what is sent.
pub fn pump(endpoint: &mut Endpoint, now: Instant) -> Vec<Vec<u8>> {
    while let Some(job) = endpoint.poll_job() {
        let result = job.run(1_800_000_000);
        endpoint.handle_job(now, result);
    }
    while endpoint.poll_event().is_some() {}
    std::iter::from_fn(|| endpoint.poll_transmit()).map(|transmit| transmit.datagram).collect()
}

/// Lets time pass; every time that is due must be past afterwards.
pub fn pass(endpoint: &mut Endpoint, now: &mut Instant, time: Duration) {
    let until = *now + time;
    let mut steps = 0;
    while let Some(next) = endpoint.next_timeout().filter(|next| *next <= until) {
        *now = (*now).max(next);
        endpoint.handle_timeout(*now);
        pump(endpoint, *now);
        steps += 1;
        assert!(steps < 20_000, "a time that is never past");
    }
    *now = until;
}

/// A client with its phase 1.
pub struct Client {
    pub path: Path,
    pub cookies: Cookies,
    sa: Vec<u8>,
    nonces: [Vec<u8>; 2],
    publics: [Vec<u8>; 2],
    shared: Zeroizing<Vec<u8>>,
    pub keys: Keys,
}

impl Client {
    /// The first message of a client like this one.
    pub fn first_message() -> Vec<u8> {
        let mut builder = Builder::new();
        builder.add(Kind::Sa, &[&selection::offer_phase1(&[policy()])]);
        builder.add(Kind::VendorId, &[&vendor::RFC_3947]).add(Kind::VendorId, &[&vendor::DPD]);
        let cookies = Cookies { initiator: Cookie([7; 8]), responder: Cookie::ZERO };
        builder.finish(header(cookies, ExchangeType::Main, 0))
    }

    pub fn path() -> Path {
        Path {
            local: SocketAddr::from(([192, 0, 2, 1], 500)),
            remote: SocketAddr::from(([198, 51, 100, 7], 500)),
            nat_t: false,
        }
    }

    /// Messages 1 to 4.
    pub fn agree(endpoint: &mut Endpoint, now: Instant) -> Self {
        let path = Self::path();
        let first = Self::first_message();
        let (_, body) = Header::decode(&first).expect("a header");
        let sa = Payloads::decode(1, body).expect("a chain").one(Kind::Sa, "SA").expect("an SA").to_vec();
        endpoint.handle_isakmp(now, path, &first);
        let second = pump(endpoint, now).pop().expect("an answer");
        let cookies = Header::decode(&second).expect("a header").0.cookies;
        let pair = KeyPair::generate(Group::Ecp256, &mut Entropy::from_seed([3; 32]));
        let nonce_i = vec![5; 32];
        let mut builder = Builder::new();
        builder.add(Kind::KeyExchange, &[pair.public_value()]).add(Kind::Nonce, &[&nonce_i]);
        endpoint.handle_isakmp(now, path, &builder.finish(header(cookies, ExchangeType::Main, 0)));
        let fourth = pump(endpoint, now).pop().expect("an answer");
        let (head, body) = Header::decode(&fourth).expect("a header");
        let payloads = Payloads::decode(head.next_payload, body).expect("a chain");
        let public_r = payloads.one(Kind::KeyExchange, "KE").expect("a value").to_vec();
        let nonce_r = payloads.one(Kind::Nonce, "nonce").expect("a nonce").to_vec();
        let shared = pair.shared_secret(&public_r).expect("a secret");
        let publics = [pair.public_value().to_vec(), public_r];
        let exchange = Exchange {
            cookies,
            nonce_i: &nonce_i,
            nonce_r: &nonce_r,
            public_i: &publics[0],
            public_r: &publics[1],
            shared: &shared,
        };
        let skeyid = Keys::skeyid_from_key(Hash::Sha1, KEY, &nonce_i, &nonce_r);
        let keys = Keys::derive(Hash::Sha1, Cipher::Aes128, skeyid, &exchange).expect("keys");
        Self { path, cookies, sa, nonces: [nonce_i, nonce_r], publics, shared, keys }
    }

    /// HASH_I for an identity.
    pub fn proof(&self, id: &[u8]) -> Vec<u8> {
        let [nonce_i, nonce_r] = &self.nonces;
        let [public_i, public_r] = &self.publics;
        let exchange =
            Exchange { cookies: self.cookies, nonce_i, nonce_r, public_i, public_r, shared: &self.shared };
        self.keys.proof(&exchange, true, &self.sa, id).to_vec()
    }

    /// Messages 5 and 6.
    pub fn prove(&mut self, endpoint: &mut Endpoint, now: Instant) {
        let id = Identification::address(self.path.remote.ip(), 0, 0).encode();
        let mut builder = Builder::new();
        builder.add(Kind::Identification, &[&id]).add(Kind::Hash, &[&self.proof(&id)]);
        let (first, octets) = builder.chain();
        let message = self.encrypt(ExchangeType::Main, 0, first, octets);
        endpoint.handle_isakmp(now, self.path, &message);
        let sixth = pump(endpoint, now).pop().expect("the responder's proof");
        let (_, body) = Header::decode(&sixth).expect("a header");
        self.keys.set_phase1_vector(&body[body.len() - 16..]);
    }

    /// Any octets as the contents of the first message of an exchange.
    pub fn encrypt(&self, exchange: ExchangeType, message_id: u32, first: u8, octets: &[u8]) -> Vec<u8> {
        let mut chain = octets.to_vec();
        chain.resize(chain.len().next_multiple_of(16), 0);
        let vector = match message_id {
            0 => self.keys.phase1_vector(),
            id => self.keys.phase2_vector(id),
        };
        let key = self.keys_for(&vector, &chain);
        let head =
            Header { next_payload: first, flags: ENCRYPTED, ..header(self.cookies, exchange, message_id) };
        [head.encode(HEADER + key.len()).as_slice(), &key].concat()
    }

    /// The octets encrypted: a chain of one payload that is them but for its own header is cut off again.
    fn keys_for(&self, vector: &[u8], chain: &[u8]) -> Vec<u8> {
        // The keys seal chains of payloads alone. CBC: a first block of our own making, and the vector that undoes it.
        let mut builder = Builder::new();
        let Some((head, rest)) = chain.split_first_chunk::<4>() else { return Vec::new() };
        builder.add(Kind::Nonce, &[rest]);
        let (_, made) = builder.chain();
        let mut bent = vector.to_vec();
        for ((octet, made), wanted) in bent.iter_mut().zip(made).zip(head) {
            *octet ^= made ^ wanted;
        }
        let head = header(self.cookies, ExchangeType::Main, 0);
        self.keys.seal(head, &builder, &mut bent)[HEADER..].to_vec()
    }

    /// The chain with the right hash in front, as phase 2 wants it.
    pub fn authentic(&self, message_id: u32, first: u8, octets: &[u8]) -> (u8, Vec<u8>) {
        let hash = self.keys.authenticate(&[&message_id.to_be_bytes(), octets]);
        let mut chain = vec![first, 0, 0, 24];
        chain.extend_from_slice(&hash);
        chain.extend_from_slice(octets);
        (Kind::Hash.number(), chain)
    }
}

pub fn header(cookies: Cookies, exchange: ExchangeType, message_id: u32) -> Header {
    Header { cookies, next_payload: 0, exchange, flags: 0, message_id }
}
