//! Whether a peer's certificate is good, and why not. Path building, dates, basic and name constraints, extended key
//! usage and revocation lists are webpki's; what goes into it, what it leaves out and what its answers mean is here.

use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{
    EndEntityCert, ExpirationPolicy, RevocationCheckDepth, RevocationOptionsBuilder, UnknownStatusPolicy,
};

use crate::crl::RevocationList;
use crate::identify::Names;
use crate::trust::{Anchor, TrustStore};
use crate::usage::IkePurpose;
use crate::{Certificate, Name, Peer, Side, StaleCrl, Warning, algorithm, payload};

mod error;

pub use error::VerifyError;

/// Certificates of one name that path building may choose from: two for a renewed or cross-signed authority, one more
/// to be generous. It is what bounds the search, as each step up can multiply the paths by this.
const MAX_SAME_NAME: usize = 3;

/// What is asked of a peer's certificates.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) now: u64,
    pub(crate) side: Side,
    pub(crate) id: Option<(u8, &'a [u8])>,
}

/// Answers for [`TrustStore::verify`].
pub(crate) fn verify(
    store: &TrustStore,
    question: Question<'_>,
    payloads: &[payload::CertPayload<'_>],
) -> Result<Peer, VerifyError> {
    let sent = payload::collect(payloads)?;
    let readable: Vec<Certificate> = sent.iter().filter_map(|der| Certificate::from_der(der).ok()).collect();
    let leaf = choose_leaf(&readable, question.id).ok_or(VerifyError::Malformed)?;
    check_leaf(leaf, question.side)?;
    if store.anchors().iter().any(|anchor| anchor.certificate.der == leaf.der) {
        return pinned(leaf, question.now);
    }
    if leaf.first_version {
        return Err(VerifyError::OldVersion { subject: leaf.subject.clone() });
    }
    if leaf.is_authority() {
        return Err(VerifyError::OnlyAuthorities { subject: leaf.subject.clone() });
    }
    let issuers = Issuers::among(&readable, leaf);
    Path { store, question, leaf, issuers: &issuers }.find()
}

/// The peer's own certificate: one that is no authority's; of several the one that the ID payload names (RFC 4945
/// 3.3.6), else the first. An authority's alone is taken too: it may be pinned.
fn choose_leaf<'a>(readable: &'a [Certificate], id: Option<(u8, &[u8])>) -> Option<&'a Certificate> {
    let own = || readable.iter().filter(|certificate| !certificate.is_authority());
    let named = id
        .and_then(|(kind, data)| own().find(|certificate| Names::of(certificate, true).match_id(kind, data)));
    named.or_else(|| own().next()).or_else(|| readable.first())
}

fn check_leaf(leaf: &Certificate, side: Side) -> Result<(), VerifyError> {
    let subject = || leaf.subject.clone();
    leaf.key.check().map_err(|error| VerifyError::Key { subject: subject(), error })?;
    // RFC 4945 5.1.3.2.
    if leaf.extensions.key_usage.is_some_and(|usage| !usage.signs()) {
        return Err(VerifyError::WrongUsage { subject: subject(), missing: "digitalSignature in keyUsage" });
    }
    if let Some(purposes) = &leaf.extensions.purposes
        && !purposes.iter().any(|purpose| IkePurpose(side).allows(purpose))
    {
        return Err(VerifyError::WrongUsage { subject: subject(), missing: IkePurpose(side).missing() });
    }
    Ok(())
}

/// The very certificate is among our anchors: trust needs no path, and ends by taking it out of the file.
fn pinned(leaf: &Certificate, now: u64) -> Result<Peer, VerifyError> {
    check_dates(leaf, now)?;
    peer(leaf, Vec::new(), false, Vec::new())
}

fn check_dates(certificate: &Certificate, now: u64) -> Result<(), VerifyError> {
    let subject = || certificate.subject.clone();
    if now > certificate.not_after {
        return Err(VerifyError::Expired { subject: subject(), not_after: certificate.not_after });
    }
    if now < certificate.not_before {
        return Err(VerifyError::NotYetValid { subject: subject(), not_before: certificate.not_before });
    }
    Ok(())
}

/// The certificates that may issue others, and why some of them may not.
struct Issuers<'a> {
    usable: Vec<&'a Certificate>,
    refused: Vec<(&'a Name, VerifyError)>,
}

impl<'a> Issuers<'a> {
    fn among(readable: &'a [Certificate], leaf: &Certificate) -> Self {
        let mut issuers = Self { usable: Vec::new(), refused: Vec::new() };
        for certificate in readable.iter().filter(|certificate| certificate.der != leaf.der) {
            match check_issuer(certificate) {
                Err(error) => issuers.refused.push((&certificate.subject, error)),
                Ok(()) if issuers.of(&certificate.subject) < MAX_SAME_NAME => {
                    issuers.usable.push(certificate)
                }
                Ok(()) => {}
            }
        }
        issuers
    }

    fn of(&self, subject: &Name) -> usize {
        self.usable.iter().filter(|usable| usable.subject.as_der() == subject.as_der()).count()
    }
}

fn check_issuer(certificate: &Certificate) -> Result<(), VerifyError> {
    let subject = || certificate.subject.clone();
    certificate.key.check_authority().map_err(|error| VerifyError::Key { subject: subject(), error })?;
    if !certificate.is_authority() {
        return Err(VerifyError::NotAnAuthority { subject: subject() });
    }
    // webpki does not look at this bit.
    if certificate.extensions.key_usage.is_some_and(|usage| !usage.certifies()) {
        return Err(VerifyError::WrongUsage { subject: subject(), missing: "keyCertSign in keyUsage" });
    }
    Ok(())
}

/// One search for a path from the leaf to an anchor.
struct Path<'a> {
    store: &'a TrustStore,
    question: Question<'a>,
    leaf: &'a Certificate,
    issuers: &'a Issuers<'a>,
}

impl Path<'_> {
    fn find(&self) -> Result<Peer, VerifyError> {
        let now = self.question.now;
        // RFC 5280 6.1 leaves an anchor's dates aside. Operators expect an expired authority to be one no more.
        let (valid, expired): (Vec<&Anchor>, Vec<&Anchor>) = self
            .store
            .anchors()
            .iter()
            .filter(|anchor| anchor.may_issue())
            .partition(|anchor| check_dates(&anchor.certificate, now).is_ok());
        let anchors: Vec<TrustAnchor<'_>> = valid.iter().filter_map(|anchor| anchor.trust_anchor()).collect();
        let certificates: Vec<CertificateDer<'_>> =
            self.issuers.usable.iter().map(|issuer| CertificateDer::from(issuer.der.as_slice())).collect();
        let der = CertificateDer::from(self.leaf.der.as_slice());
        let end_entity = EndEntityCert::try_from(&der).map_err(|error| self.meaning(error, &expired))?;

        let policy = self.store.policy();
        let lists: Vec<&webpki::CertRevocationList<'_>> =
            self.store.lists().iter().map(RevocationList::parsed).collect();
        if policy.crl_required && lists.is_empty() {
            return Err(VerifyError::RevocationUnknown { issuer: self.leaf.issuer.clone() });
        }
        let unknown =
            if policy.crl_required { UnknownStatusPolicy::Deny } else { UnknownStatusPolicy::Allow };
        // Dates of lists are compared below, where the policy's own age is known.
        let revocation = RevocationOptionsBuilder::new(&lists).ok().map(|builder| {
            builder
                .with_depth(RevocationCheckDepth::Chain)
                .with_status_policy(unknown)
                .with_expiration_policy(ExpirationPolicy::Ignore)
                .build()
        });
        let path = end_entity
            .verify_for_usage(
                algorithm::of_certificates(policy.allow_sha1),
                &anchors,
                &certificates,
                UnixTime::since_unix_epoch(std::time::Duration::from_secs(now)),
                IkePurpose(self.question.side),
                revocation,
                None,
            )
            .map_err(|error| self.meaning(error, &expired))?;

        let used: Vec<&Certificate> = path
            .intermediate_certificates()
            .filter_map(|step| self.issuers.usable.iter().find(|issuer| issuer.der == step.der().as_ref()))
            .copied()
            .collect();
        let constrained = path.anchor().name_constraints.is_some()
            || used.iter().any(|issuer| issuer.extensions.name_constraints);
        let issuers = std::iter::once(self.leaf).chain(used.iter().copied()).map(|step| step.issuer.as_der());
        let warnings = stale_lists(self.store, self.question, issuers)?;
        peer(self.leaf, used.iter().map(|issuer| issuer.der.clone()).collect(), constrained, warnings)
    }

    /// webpki's answer in terms of the certificates at hand.
    fn meaning(&self, error: webpki::Error, expired: &[&Anchor]) -> VerifyError {
        use webpki::Error;
        let issuer = || self.leaf.issuer.clone();
        match error {
            Error::CertExpired { not_after, .. } => VerifyError::Expired {
                subject: self.dated(|certificate| certificate.not_after == not_after.as_secs()),
                not_after: not_after.as_secs(),
            },
            Error::CertNotValidYet { not_before, .. } => VerifyError::NotYetValid {
                subject: self.dated(|certificate| certificate.not_before == not_before.as_secs()),
                not_before: not_before.as_secs(),
            },
            Error::UnknownIssuer => self.no_issuer(expired),
            Error::CertRevoked => VerifyError::Revoked { subject: self.leaf.subject.clone() },
            Error::UnknownRevocationStatus => VerifyError::RevocationUnknown { issuer: issuer() },
            Error::NameConstraintViolation
            | Error::MalformedNameConstraint
            | Error::InvalidNetworkMaskConstraint
            | Error::MalformedDnsIdentifier => {
                VerifyError::NameConstraint { subject: self.leaf.subject.clone() }
            }
            Error::PathLenConstraintViolated | Error::MaximumPathDepthExceeded => VerifyError::PathTooLong,
            Error::MaximumPathBuildCallsExceeded
            | Error::MaximumSignatureChecksExceeded
            | Error::MaximumNameConstraintComparisonsExceeded => VerifyError::TooComplex,
            Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => VerifyError::WrongUsage {
                subject: self.without_purpose(),
                missing: IkePurpose(self.question.side).missing(),
            },
            Error::UnsupportedCriticalExtension => {
                VerifyError::UnknownExtension { subject: self.leaf.subject.clone() }
            }
            Error::InvalidSignatureForPublicKey => VerifyError::BadSignature { issuer: issuer() },
            Error::UnsupportedSignatureAlgorithmContext(_)
            | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => self.weak_signature(),
            Error::InvalidCrlSignatureForPublicKey
            | Error::IssuerNotCrlSigner
            | Error::UnsupportedCrlSignatureAlgorithmContext(_)
            | Error::UnsupportedCrlSignatureAlgorithmForPublicKeyContext(_) => {
                VerifyError::BadCrl { issuer: issuer() }
            }
            Error::UnsupportedCertVersion => VerifyError::OldVersion { subject: self.leaf.subject.clone() },
            Error::CaUsedAsEndEntity => VerifyError::OnlyAuthorities { subject: self.leaf.subject.clone() },
            Error::EndEntityUsedAsCa => VerifyError::NotAnAuthority { subject: issuer() },
            // What is left are faults of encoding, and what will be added to webpki.
            _ => VerifyError::Malformed,
        }
    }

    /// The leaf and those above it that may be in the path.
    fn certificates(&self) -> impl Iterator<Item = &Certificate> {
        std::iter::once(self.leaf).chain(self.issuers.usable.iter().copied())
    }

    fn dated(&self, is_it: impl Fn(&Certificate) -> bool) -> Name {
        self.certificates().find(|certificate| is_it(certificate)).unwrap_or(self.leaf).subject.clone()
    }

    fn without_purpose(&self) -> Name {
        let purpose = IkePurpose(self.question.side);
        let refused = |certificate: &&Certificate| {
            let purposes = certificate.extensions.purposes.as_ref();
            purposes.is_some_and(|purposes| !purposes.iter().any(|oid| purpose.allows(oid)))
        };
        self.certificates().find(refused).unwrap_or(self.leaf).subject.clone()
    }

    fn weak_signature(&self) -> VerifyError {
        let weak = self.certificates().find(|step| algorithm::is_weak(&step.signature_algorithm));
        match weak {
            Some(step) => VerifyError::WeakSignature { subject: step.subject.clone() },
            None => VerifyError::UnknownAlgorithm { subject: self.leaf.subject.clone() },
        }
    }

    /// Names the issuer that is missing: walks up as far as certificates go.
    fn no_issuer(&self, expired: &[&Anchor]) -> VerifyError {
        let mut step = self.leaf;
        // As many steps as certificates: names that go round end here.
        for _ in 0..self.issuers.usable.len() {
            let next =
                self.issuers.usable.iter().find(|issuer| issuer.subject.as_der() == step.issuer.as_der());
            match next {
                Some(next) if next.der != step.der && !next.names_itself() => step = *next,
                _ => break,
            }
        }
        if let Some((_, error)) = self.issuers.refused.iter().find(|(subject, _)| **subject == step.issuer) {
            return error.clone();
        }
        let anchor =
            expired.iter().find(|anchor| anchor.certificate.subject.as_der() == step.issuer.as_der());
        if let Some(Err(error)) = anchor.map(|anchor| check_dates(&anchor.certificate, self.question.now)) {
            return error;
        }
        VerifyError::NotTrusted { issuer: step.issuer.clone() }
    }
}

/// Refuses or warns when one of these issuers' lists is out of date.
fn stale_lists<'a>(
    store: &TrustStore,
    question: Question<'_>,
    issuers: impl Iterator<Item = &'a [u8]>,
) -> Result<Vec<Warning>, VerifyError> {
    let policy = store.policy();
    let mut warnings = Vec::new();
    for issuer in issuers {
        for list in store.lists().iter().filter(|list| list.issuer.as_der() == issuer) {
            let fresh_until = list.fresh_until(policy.crl_max_age);
            // The newest of several lists with the same scope is the one that counts.
            if question.now <= fresh_until || store.lists().iter().any(|other| other.replaces(list)) {
                continue;
            }
            let issuer = list.issuer.clone();
            match policy.stale_crl {
                StaleCrl::Refuse => return Err(VerifyError::CrlExpired { issuer, fresh_until }),
                StaleCrl::Warn => warnings.push(Warning::StaleCrl { issuer, fresh_until }),
            }
        }
    }
    Ok(warnings)
}

fn peer(
    leaf: &Certificate,
    chain: Vec<Vec<u8>>,
    constrained: bool,
    warnings: Vec<Warning>,
) -> Result<Peer, VerifyError> {
    let public_key =
        leaf.public_key().map_err(|error| VerifyError::Key { subject: leaf.subject.clone(), error })?;
    Ok(Peer {
        leaf: leaf.der.clone(),
        chain,
        subject: leaf.subject.clone(),
        issuer: leaf.issuer.clone(),
        alternative_names: leaf.extensions.names.clone(),
        public_key,
        not_after: leaf.not_after,
        warnings,
        key_id: leaf.extensions.subject_key_id.clone(),
        constrained,
    })
}

#[cfg(test)]
mod tests;
