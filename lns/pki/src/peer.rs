//! A peer whose certificate was found good: what it is called, and the key that it must prove to hold.

use crate::identify::Names;
use crate::time::Moment;
use crate::{AlternativeName, AttributeType, Name, PublicKey, SignatureMismatch};

/// What was let pass and should be told to the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// A revocation list is out of date and [`crate::StaleCrl::Warn`] is set.
    #[error("the revocation list of {issuer} was good until {}: fetch a new one and reload", Moment(*.fresh_until))]
    StaleCrl {
        /// Who issued the list.
        issuer: Name,
        /// Its last good second, since 1970.
        fresh_until: u64,
    },
}

/// A peer with a certificate that leads to an anchor of ours. That it holds the key is proved only by
/// [`Peer::verify_signature`], and that it is who its ID payload says by [`Peer::matches_id`].
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
    /// The last second of its validity, since 1970: no association may outlive it.
    pub not_after: u64,
    /// What was let pass.
    pub warnings: Vec<Warning>,
    pub(crate) key_id: Option<Vec<u8>>,
    pub(crate) constrained: bool,
}

impl Peer {
    /// Checks the peer's SIG payload over HASH_I or HASH_R (RFC 2409 5.1).
    pub fn verify_signature(&self, hash: &[u8], signature: &[u8]) -> Result<(), SignatureMismatch> {
        self.public_key.verify(hash, signature)
    }

    /// Whether an ID payload (type and identification data, RFC 2407 4.6.2) belongs to this certificate.
    pub fn matches_id(&self, id_type: u8, data: &[u8]) -> bool {
        self.names().match_id(id_type, data)
    }

    /// Whether the certificate is that of a host that we dialled: a DNS name, or an IP address.
    pub fn names_host(&self, host: &str) -> bool {
        self.names().match_host(host)
    }

    /// The subject's OU values, for the choice of a tunnel group.
    pub fn ous(&self) -> Vec<&str> {
        self.subject.values(AttributeType::OrganizationalUnit)
    }

    fn names(&self) -> Names<'_> {
        Names {
            subject: &self.subject,
            alternatives: &self.alternative_names,
            key_id: self.key_id.as_deref(),
            constrained: self.constrained,
        }
    }
}
