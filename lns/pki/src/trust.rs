//! Whom we trust: certificates of authorities, revocation lists, and how strictly peers are judged by them.

use std::time::Duration;

use rustls_pki_types::{CertificateDer, TrustAnchor};

use crate::crl::RevocationList;
use crate::verify::{self, Question};
use crate::{CertPayload, Certificate, KeyError, Name, Peer, PemError, VerifyError, pem};

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
    /// The list still counts, and [`Peer::warnings`] says so.
    Warn,
}

/// How strictly certificates are judged.
#[derive(Debug, Clone, Default)]
pub struct TrustPolicy {
    /// Certificates and lists signed with SHA-1 count.
    pub allow_sha1: bool,
    /// A list is out of date this long after it was made, even if it says that it holds longer.
    pub crl_max_age: Option<Duration>,
    /// What an out-of-date list leads to.
    pub stale_crl: StaleCrl,
    /// Each authority of a path must have a list.
    pub crl_required: bool,
}

/// Why a file of authorities or revocation lists is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// Nothing of the kind is in the file.
    #[error("there is no {what} in it, neither in PEM nor in DER")]
    Empty {
        /// What was looked for.
        what: &'static str,
    },
    /// The file is broken PEM.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// A certificate that cannot be read, counted from 1.
    #[error("certificate {number} in it cannot be read: it is damaged")]
    MalformedCertificate {
        /// Which one.
        number: usize,
    },
    /// An authority with a key that is too weak, or longer than what is reckoned with.
    #[error("{subject}: {error}")]
    Key {
        /// Which authority.
        subject: Name,
        /// What is wrong with the key.
        error: KeyError,
    },
    /// A list that cannot be read.
    #[error("a revocation list in it cannot be read: it is damaged")]
    MalformedCrl,
    /// A list of version 1, or without nextUpdate.
    #[error(
        "the revocation list of {issuer} is of version 1 or does not say when the next one comes: make one of version 2"
    )]
    OldCrl {
        /// Who issued it.
        issuer: Name,
    },
    /// A delta list, an indirect list, or one with unknown critical extensions.
    #[error(
        "the revocation list of {issuer} is of a kind that is not known here (delta, indirect): fetch the full list"
    )]
    UnusableCrl {
        /// Who issued it.
        issuer: Name,
    },
}

/// A certificate that is trusted because the operator says so.
#[derive(Debug)]
pub(crate) struct Anchor {
    pub(crate) certificate: Certificate,
}

impl Anchor {
    /// An authority's certificate may issue others. Anybody else's stands for itself alone, or the owner of a pinned
    /// certificate could issue more of them. A root of version 1 cannot say what it is, and is one by being here.
    pub(crate) fn may_issue(&self) -> bool {
        self.certificate.is_authority()
    }

    /// The anchor for webpki, which reads roots of version 1 as well. What it cannot read issues nothing.
    pub(crate) fn trust_anchor(&self) -> Option<TrustAnchor<'static>> {
        let der = CertificateDer::from(self.certificate.der.as_slice());
        webpki::anchor_from_trusted_cert(&der).ok().map(|anchor| anchor.to_owned())
    }
}

/// Authorities, revocation lists and the policy. Built at start and at a reload, then only asked.
#[derive(Debug, Default)]
pub struct TrustStore {
    policy: TrustPolicy,
    anchors: Vec<Anchor>,
    lists: Vec<RevocationList>,
}

impl TrustStore {
    /// A store that trusts nobody yet.
    pub fn new(policy: TrustPolicy) -> Self {
        Self { policy, anchors: Vec::new(), lists: Vec::new() }
    }

    /// Adds the authorities of a PEM bundle or of one certificate in DER; says how many. A certificate that is no
    /// authority's is trusted for itself.
    pub fn add_authorities(&mut self, file: &[u8]) -> Result<usize, TrustError> {
        let mut anchors = Vec::new();
        for (der, number) in ders(file, &["CERTIFICATE", "X509 CERTIFICATE"])?.iter().zip(1..) {
            let certificate =
                Certificate::from_der(der).map_err(|_| TrustError::MalformedCertificate { number })?;
            certificate
                .key
                .check_authority()
                .map_err(|error| TrustError::Key { subject: certificate.subject.clone(), error })?;
            let anchor = Anchor { certificate };
            if anchor.trust_anchor().is_none() {
                return Err(TrustError::MalformedCertificate { number });
            }
            anchors.push(anchor);
        }
        if anchors.is_empty() {
            return Err(TrustError::Empty { what: "certificate" });
        }
        let count = anchors.len();
        for anchor in anchors {
            if !self.anchors.iter().any(|known| known.certificate.der == anchor.certificate.der) {
                self.anchors.push(anchor);
            }
        }
        Ok(count)
    }

    /// Adds the revocation lists of a PEM bundle or one in DER; says how many.
    pub fn add_crls(&mut self, file: &[u8]) -> Result<usize, TrustError> {
        let lists: Vec<RevocationList> = ders(file, &["X509 CRL"])?
            .iter()
            .map(|der| RevocationList::from_der(der))
            .collect::<Result<_, _>>()?;
        if lists.is_empty() {
            return Err(TrustError::Empty { what: "revocation list" });
        }
        let count = lists.len();
        self.lists.extend(lists);
        // webpki asks the first that fits: the newest.
        self.lists.sort_by_key(|list| std::cmp::Reverse(list.this_update()));
        Ok(count)
    }

    /// The names for our certificate requests (RFC 2408 3.10): the certificate authority field in DER for each
    /// authority, for the certificate type 4.
    pub fn requests(&self) -> impl Iterator<Item = &[u8]> {
        self.anchors
            .iter()
            .filter(|anchor| anchor.may_issue())
            .map(|anchor| anchor.certificate.subject.as_der())
    }

    /// The certificates that are trusted, for an operator to see.
    pub fn authorities(&self) -> impl Iterator<Item = &Certificate> {
        self.anchors.iter().map(|anchor| &anchor.certificate)
    }

    /// Finds the peer's certificate among what it sent, builds a path to an authority and checks it. An ID payload
    /// (type, identification data) chooses among several certificates of the peer's own; [`Peer::matches_id`] must
    /// still be asked.
    pub fn verify(
        &self,
        now_unix: u64,
        side: Side,
        certificates: &[CertPayload<'_>],
        id: Option<(u8, &[u8])>,
    ) -> Result<Peer, VerifyError> {
        verify::verify(self, Question { now: now_unix, side, id }, certificates)
    }

    pub(crate) fn policy(&self) -> &TrustPolicy {
        &self.policy
    }

    pub(crate) fn anchors(&self) -> &[Anchor] {
        &self.anchors
    }

    pub(crate) fn lists(&self) -> &[RevocationList] {
        &self.lists
    }
}

/// What a file holds under some labels, or the whole file if it is DER.
fn ders(file: &[u8], labels: &[&str]) -> Result<Vec<Vec<u8>>, PemError> {
    if !pem::is_pem(file) {
        let der = file.first() == Some(&crate::der::SEQUENCE);
        return Ok(if der { vec![file.to_vec()] } else { Vec::new() });
    }
    let sections = pem::sections(file)?;
    Ok(sections
        .iter()
        .filter(|section| labels.contains(&section.label.as_str()))
        .map(|section| section.der.to_vec())
        .collect())
}

#[cfg(test)]
mod tests;
