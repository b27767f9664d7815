//! The client's side of IPsec: connections to a server whose ESP travels in UDP, so that no right is needed and any port
//! will do.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tollgate_ipsec::algorithm::{Cipher, EspCipher, EspSuite, Group, Hash, Integrity, Mode};
use tollgate_ipsec::esp::TAILROOM;
use tollgate_ipsec::ikev1::identification::Identification;
use tollgate_ipsec::ikev1::selection::{Policy, TransformSet};
use tollgate_ipsec::{
    AssociationId, Certificates, Config, ConnectionId, Dial, Endpoint, Event, NON_ESP_MARKER,
    NatTraversalDatagram, Path, Place, PresharedKey, Proof,
};
use tollgate_sansio::Entropy;

/// Life of the ISAKMP association.
const IKE_LIFETIME: Duration = Duration::from_secs(28_800);

/// How a server is reached through IPsec.
#[derive(Clone)]
pub struct Security {
    /// The pre-shared key or the certificates.
    pub proof: Proof,
    /// The group's name to send in aggressive mode; `None`: main mode.
    pub aggressive: Option<Vec<u8>>,
    /// Phase 1 in the order of the offer.
    pub policies: Vec<Policy>,
    /// Phase 2 in the order of the offer.
    pub transform_sets: Vec<TransformSet>,
    /// PFS.
    pub pfs: Option<Group>,
    /// The server's port of ISAKMP, normally 500.
    pub ike_port: u16,
    /// The server's port of NAT traversal, normally 4500.
    pub nat_t_port: u16,
    /// The name that the server's certificate must bear.
    pub server_name: Option<String>,
    /// Life of ESP associations.
    pub sa_lifetime: Duration,
    /// Hand out our own keys, for a dissector.
    pub log_keys: bool,
}

/// A proposal as one word: cipher, hash, group, as in `aes-256-sha256-14`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no proposal: write CIPHER-HASH-GROUP such as aes-256-sha1-14 for phase 1")]
pub struct BadProposal(pub String);

/// Reads a proposal of phase 1.
pub fn phase1(word: &str) -> Result<(Cipher, Hash, Group), BadProposal> {
    let bad = || BadProposal(word.to_owned());
    let (rest, group) = word.rsplit_once('-').ok_or_else(bad)?;
    let (cipher, hash) = rest.rsplit_once('-').ok_or_else(bad)?;
    Ok((
        cipher.parse().map_err(|_| bad())?,
        hash.parse().map_err(|_| bad())?,
        group.parse().map_err(|_| bad())?,
    ))
}

impl Security {
    /// The defaults: AES, SHA-2 and SHA-1, group 14, transport mode.
    pub fn new(proof: Proof) -> Self {
        let authentication = proof.authentication();
        let policies = [Hash::Sha256, Hash::Sha1]
            .into_iter()
            .flat_map(|hash| [Cipher::Aes256, Cipher::Aes128].map(|cipher| (cipher, hash)))
            .map(|(cipher, hash)| Policy {
                authentication,
                cipher,
                hash,
                group: Group::Modp2048,
                lifetime: IKE_LIFETIME,
            })
            .collect();
        let suites = [
            (EspCipher::Aes256, Some(Integrity::HmacSha1)),
            (EspCipher::Aes128, Some(Integrity::HmacSha1)),
            (EspCipher::Aes256, Some(Integrity::HmacSha256)),
            (EspCipher::Aes128Gcm, None),
        ];
        let transform_sets = suites
            .into_iter()
            .filter_map(|(cipher, integrity)| EspSuite::new(cipher, integrity))
            .map(|suite| TransformSet { suite, mode: Mode::Transport })
            .collect();
        Self {
            proof,
            aggressive: None,
            policies,
            transform_sets,
            pfs: None,
            ike_port: 500,
            nat_t_port: 4500,
            server_name: None,
            sa_lifetime: Duration::from_secs(3600),
            log_keys: false,
        }
    }

    /// By a pre-shared key.
    pub fn with_key(key: &[u8]) -> Self {
        let key: PresharedKey = Arc::new(zeroize::Zeroizing::new(key.to_vec()));
        Self::new(Proof::PresharedKey(key))
    }

    /// By certificates.
    pub fn with_certificates(certificates: Certificates) -> Self {
        Self::new(Proof::Certificates(certificates))
    }

    /// Offers this alone in phase 1.
    pub fn offer(&mut self, (cipher, hash, group): (Cipher, Hash, Group)) {
        let authentication = self.proof.authentication();
        self.policies = vec![Policy { authentication, cipher, hash, group, lifetime: IKE_LIFETIME }];
    }

    fn dial(&self, local: IpAddr, identity: Option<Identification>) -> Dial {
        let named = self.aggressive.as_deref().map(Identification::key_id).or(identity);
        Dial {
            proof: self.proof.clone(),
            identity: named.unwrap_or_else(|| Identification::address(local, 0, 0)),
            aggressive: self.aggressive.is_some(),
            policies: self.policies.clone(),
            transform_sets: self.transform_sets.clone(),
            pfs: self.pfs,
            force_udp: true,
            nat_t_port: self.nat_t_port,
            port: tollgate_ipsec::L2TP_PORT,
            server_identity: None,
            sa_lifetime: self.sa_lifetime,
            server_name: self.server_name.clone(),
        }
    }
}

/// Connections from one socket.
pub(crate) struct Secure {
    endpoint: Endpoint,
    security: Security,
    server: IpAddr,
    /// Something came from the server.
    pub(crate) heard: bool,
}

impl Secure {
    pub(crate) fn new(now: Instant, security: Security, server: IpAddr, entropy: Entropy) -> Self {
        let mut config = Config::new(Vec::new(), security.transform_sets.clone());
        config.log_keys = security.log_keys;
        config.max_jobs = usize::MAX;
        config.max_unauthenticated = 0;
        let endpoint = Endpoint::new(now, config, Place::default(), entropy);
        Self { endpoint, security, server, heard: false }
    }

    /// Begins to connect; `identity` tells connections of one socket apart.
    pub(crate) fn connect(
        &mut self,
        now: Instant,
        local: SocketAddr,
        identity: Option<Identification>,
    ) -> ConnectionId {
        let remote = SocketAddr::new(self.server, self.security.ike_port);
        let dial = self.security.dial(local.ip(), identity);
        self.endpoint.connect(now, Path { local, remote, nat_t: false }, dial)
    }

    /// Takes a datagram; gives where an L2TP datagram lies in it, and through which association it came.
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        local: SocketAddr,
        remote: SocketAddr,
        bytes: &mut [u8],
    ) -> Option<(AssociationId, Range<usize>)> {
        if remote.ip() != self.server {
            return None;
        }
        self.heard = true;
        let nat_t = remote.port() == self.security.nat_t_port;
        let path = Path { local, remote, nat_t };
        match (nat_t, tollgate_ipsec::classify(bytes)) {
            (false, _) => self.endpoint.handle_isakmp(now, path, bytes),
            (true, NatTraversalDatagram::Isakmp) => {
                self.endpoint.handle_isakmp(now, path, bytes.get(NON_ESP_MARKER.len()..)?);
            }
            (true, NatTraversalDatagram::Esp) => {
                let delivery = self.endpoint.handle_esp(now, path, bytes).ok()?;
                return Some((delivery.association, delivery.payload));
            }
            (true, NatTraversalDatagram::Keepalive | NatTraversalDatagram::Malformed) => {}
        }
        None
    }

    /// Does the work that waits, in the calling thread, and gives the next thing that happened; `send` gets what is to
    /// be sent.
    pub(crate) fn poll(&mut self, now: Instant, mut send: impl FnMut(SocketAddr, &[u8])) -> Option<Event> {
        loop {
            while let Some(transmit) = self.endpoint.poll_transmit() {
                send(transmit.path.remote, &transmit.datagram);
            }
            if let Some(job) = self.endpoint.poll_job() {
                let unix_time =
                    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
                self.endpoint.handle_job(now, job.run(unix_time));
                continue;
            }
            return self.endpoint.poll_event();
        }
    }

    /// Wraps an L2TP datagram of several parts into a buffer; gives the length of the packet and where it goes.
    pub(crate) fn seal(
        &mut self,
        now: Instant,
        association: AssociationId,
        parts: &[&[u8]],
        buffer: &mut [u8],
    ) -> Option<(usize, SocketAddr)> {
        let head = self.endpoint.head_length(association)?;
        let end = parts.iter().try_fold(head, |at, part| {
            let end = at + part.len();
            buffer.get_mut(at..end)?.copy_from_slice(part);
            Some(end)
        })?;
        if buffer.len() < end + TAILROOM {
            return None;
        }
        let (packet, path) = self.endpoint.seal(now, association, buffer, head..end)?;
        Some((packet.end, path.remote))
    }

    pub(crate) fn route(&self, association: AssociationId) -> Option<SocketAddr> {
        self.endpoint.route(association).map(|path| path.remote)
    }

    pub(crate) fn close(&mut self, now: Instant, association: AssociationId) {
        self.endpoint.close(now, association);
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.endpoint.next_timeout()
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.endpoint.next_timeout().is_some_and(|due| due <= now) {
            self.endpoint.handle_timeout(now);
        }
    }
}
