//! A peer whose certificate was found good, and whether it is who it says.

use crate::{AlternativeName, Name, PublicKey, SignatureMismatch};

/// What was let pass and should be told to the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// A revocation list is out of date and [`crate::StaleCrl::Warn`] is set.
    #[error("the revocation list of {issuer} is out of date: fetch a new one")]
    StaleCrl {
        /// Who issued the list.
        issuer: Name,
    },
}

/// A peer with a certificate that chains to an anchor of ours.
#[derive(Debug, Clone)]
pub struct Peer {
    /// The peer's certificate in DER.
    pub leaf: Vec<u8>,
    /// The authorities between it and the anchor, in DER, nearest first.
    pub chain: Vec<Vec<u8>>,
    /// Whom the certificate names.
    pub subject: Name,
    /// Who issued it.
    pub issuer: Name,
    /// Its other names.
    pub alternative_names: Vec<AlternativeName>,
    /// The key that the peer must prove to hold.
    pub public_key: PublicKey,
    /// The last second of its validity, seconds since 1970: an SA must not outlive it.
    pub not_after: u64,
    /// What was let pass.
    pub warnings: Vec<Warning>,
}

impl Peer {
    /// Checks the peer's SIG payload over HASH_I or HASH_R (RFC 2409 5.1).
    pub fn verify_signature(&self, hash: &[u8], signature: &[u8]) -> Result<(), SignatureMismatch> {
        self.public_key.verify(hash, signature)
    }

    /// Whether an ID payload (type and body, RFC 2407 4.6.2) belongs to this certificate.
    pub fn matches_id(&self, id_type: u8, data: &[u8]) -> bool {
        let _ = (id_type, data);
        false
    }

    /// Whether the certificate names a host that we dialled: a DNS name or an IP address.
    pub fn names_host(&self, host: &str) -> bool {
        let _ = host;
        false
    }

    /// The subject's OU values, for the choice of a tunnel group.
    pub fn ous(&self) -> Vec<&str> {
        self.subject.values(crate::AttributeType::OrganizationalUnit)
    }
}
