//! Work that takes too long for a packet path: Diffie-Hellman and signatures. An endpoint hands it out as jobs, which
//! its driver runs where it likes, and takes the results back.

use std::sync::Arc;

use tollgate_pki::{CertPayload, Identity, Peer, Side, TrustStore};
use tollgate_sansio::Entropy;
use zeroize::Zeroizing;

use crate::algorithm::Group;
use crate::crypto::Digest;
use crate::dh::KeyPair;

/// Who asked for a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner {
    /// The ISAKMP association.
    pub(super) ike: u64,
    /// The exchange of phase 2; `None` for phase 1.
    pub(super) message_id: Option<u32>,
}

/// A piece of work; [`Job::run`] does it.
pub struct Job {
    pub(super) owner: Owner,
    pub(super) work: Work,
}

/// What is to be done.
pub(super) enum Work {
    /// A key pair, and the secret shared with a peer's public value.
    Respond { group: Group, peer: Vec<u8>, entropy: Entropy },
    /// A key pair.
    Pair { group: Group, entropy: Entropy },
    /// The secret shared with a peer's public value.
    Share { pair: Box<KeyPair>, peer: Vec<u8> },
    /// A peer's signature, and then ours.
    Prove { verify: Option<Box<Verify>>, sign: Option<Sign> },
}

/// A peer's proof by certificate.
pub(super) struct Verify {
    pub(super) trust: Arc<TrustStore>,
    pub(super) side: Side,
    pub(super) certificates: Vec<(u8, Vec<u8>)>,
    pub(super) id: (u8, Vec<u8>),
    pub(super) hash: Digest,
    pub(super) signature: Vec<u8>,
    /// The name that the certificate must bear.
    pub(super) host: Option<String>,
}

/// Ours.
pub(super) struct Sign {
    pub(super) identity: Arc<Identity>,
    pub(super) hash: Digest,
    pub(super) entropy: Entropy,
}

/// Why a peer's certificate does not prove who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unproved {
    /// The certificate or the signature.
    Certificate(String),
    /// The identity is not in the certificate; its subject.
    Identity(String),
}

/// What came of a job.
pub struct JobResult {
    pub(super) owner: Owner,
    pub(super) outcome: Outcome,
}

/// What came of the work.
pub(super) enum Outcome {
    Responded { public: Vec<u8>, shared: Zeroizing<Vec<u8>> },
    Paired(Box<KeyPair>),
    Shared(Zeroizing<Vec<u8>>),
    BadPublicValue,
    Proved { peer: Option<Result<Box<Peer>, Unproved>>, signature: Option<Vec<u8>> },
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job").field("owner", &self.owner).finish_non_exhaustive()
    }
}

impl Job {
    /// Does the work; `unix_time` in seconds is what certificates are checked against.
    pub fn run(self, unix_time: u64) -> JobResult {
        let outcome = match self.work {
            Work::Respond { group, peer, mut entropy } => {
                let pair = KeyPair::generate(group, &mut entropy);
                match pair.shared_secret(&peer) {
                    Ok(shared) => Outcome::Responded { public: pair.public_value().to_vec(), shared },
                    Err(_) => Outcome::BadPublicValue,
                }
            }
            Work::Pair { group, mut entropy } => {
                Outcome::Paired(Box::new(KeyPair::generate(group, &mut entropy)))
            }
            Work::Share { pair, peer } => match pair.shared_secret(&peer) {
                Ok(shared) => Outcome::Shared(shared),
                Err(_) => Outcome::BadPublicValue,
            },
            Work::Prove { verify, sign } => {
                let peer = verify.map(|verify| verify.run(unix_time));
                // Nothing is signed for a peer that has proved nothing.
                let signature = match &peer {
                    Some(Err(_)) => None,
                    _ => sign.and_then(Sign::run),
                };
                Outcome::Proved { peer, signature }
            }
        };
        JobResult { owner: self.owner, outcome }
    }
}

impl Verify {
    fn run(self, unix_time: u64) -> Result<Box<Peer>, Unproved> {
        let certificates: Vec<_> = self
            .certificates
            .iter()
            .map(|(encoding, data)| CertPayload { encoding: *encoding, data })
            .collect();
        let id = (self.id.0, self.id.1.as_slice());
        let peer = self
            .trust
            .verify(unix_time, self.side, &certificates, Some(id))
            .map_err(|error| Unproved::Certificate(error.to_string()))?;
        peer.verify_signature(&self.hash, &self.signature).map_err(|_| {
            Unproved::Certificate(format!(
                "the signature does not fit the certificate of {}: the peer holds another private key",
                peer.subject
            ))
        })?;
        if !peer.matches_id(id.0, id.1) {
            return Err(Unproved::Identity(peer.subject.to_string()));
        }
        if let Some(host) = self.host.filter(|host| !peer.names_host(host)) {
            return Err(Unproved::Certificate(format!(
                "the certificate of {} does not name {host}: dial the name that it bears",
                peer.subject
            )));
        }
        Ok(Box::new(peer))
    }
}

impl Sign {
    fn run(mut self) -> Option<Vec<u8>> {
        self.identity.sign(&self.hash, &mut self.entropy).ok()
    }
}
