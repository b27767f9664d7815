//! Whom we trust: certificates of authorities, revocation lists, and how strictly they are read.

use std::time::Duration;

use crate::{CertPayload, Peer, VerifyError};

/// Whose certificate is being looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// A client's, looked at by a server.
    Client,
    /// A server's, looked at by a client.
    Server,
}

/// What an out-of-date revocation list leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StaleCrl {
    /// The peer is refused.
    #[default]
    Refuse,
    /// The list is still read, and [`Peer::warnings`] says so.
    Warn,
}

/// How strictly certificates are read. The default is the strict one.
#[derive(Debug, Clone, Default)]
pub struct TrustPolicy {
    /// Certificates and lists signed with SHA-1 are taken.
    pub allow_sha1: bool,
    /// A list is out of date this long after its making, even if it claims to hold longer.
    pub crl_max_age: Option<Duration>,
    /// What an out-of-date list leads to.
    pub stale_crl: StaleCrl,
    /// Each authority of a chain must have a list.
    pub crl_required: bool,
}

/// Why a file of authorities or revocation lists is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// Nothing of the kind is in the file.
    #[error("there is no {what} in it")]
    Empty {
        /// What was looked for.
        what: &'static str,
    },
}

/// Authorities, revocation lists and the policy.
#[derive(Debug, Default)]
pub struct TrustStore {
    policy: TrustPolicy,
}

impl TrustStore {
    /// A store that trusts nobody yet.
    pub fn new(policy: TrustPolicy) -> Self {
        Self { policy }
    }

    /// Adds the authorities of a PEM bundle or of one certificate in DER; says how many.
    pub fn add_authorities(&mut self, file: &[u8]) -> Result<usize, TrustError> {
        let _ = file;
        Err(TrustError::Empty { what: "certificate" })
    }

    /// Adds the revocation lists of a PEM bundle or one in DER; says how many.
    pub fn add_crls(&mut self, file: &[u8]) -> Result<usize, TrustError> {
        let _ = file;
        Err(TrustError::Empty { what: "revocation list" })
    }

    /// The names for our certificate requests (RFC 2408 3.10): one body in DER for each authority.
    pub fn requests(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::empty()
    }

    /// Finds the peer's certificate among what it sent, builds a chain to an authority and checks it. An ID payload
    /// (type, body) chooses among several certificates of the peer's own; it does not replace [`Peer::matches_id`].
    pub fn verify(
        &self,
        now_unix: u64,
        side: Side,
        certificates: &[CertPayload<'_>],
        id: Option<(u8, &[u8])>,
    ) -> Result<Peer, VerifyError> {
        let _ = (now_unix, side, certificates, id, &self.policy);
        Err(VerifyError::NoCertificate)
    }
}
