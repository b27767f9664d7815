//! The reasons for which a peer's certificate is refused, with the cause and the way out.

use crate::payload::{MAX_CERTIFICATES, MAX_PAYLOAD_OCTETS};
use crate::time::Moment;
use crate::{KeyError, Name};

/// Why a peer's certificate is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The peer sent no certificate that we read.
    #[error(
        "the peer sent no certificate: install one there, and choose RSA signatures only when it has one"
    )]
    NoCertificate,
    /// More than [`MAX_CERTIFICATES`].
    #[error(
        "the peer sent more than {MAX_CERTIFICATES} certificates: let it send its own and the intermediates"
    )]
    TooMany,
    /// More than [`MAX_PAYLOAD_OCTETS`].
    #[error("the peer sent {octets} octets of certificates, and {MAX_PAYLOAD_OCTETS} are read")]
    TooLarge {
        /// How many it sent.
        octets: usize,
    },
    /// A certificate that cannot be read.
    #[error("the peer's certificate cannot be read: it is damaged or not an X.509 certificate")]
    Malformed,
    /// A PKCS#7 payload that cannot be read.
    #[error("the peer's PKCS#7 chain cannot be read: it is damaged")]
    MalformedPkcs7,
    /// A certificate of X.509 version 1 or 2.
    #[error(
        "{subject}: the certificate is of an old X.509 version and cannot say what it is for: issue one of version 3"
    )]
    OldVersion {
        /// Whose certificate.
        subject: Name,
    },
    /// A certificate is out of date.
    #[error("{subject}: the certificate expired at {}: renew it, or mend the clock", Moment(*.not_after))]
    Expired {
        /// Whose certificate, perhaps an authority's.
        subject: Name,
        /// Its last second, since 1970.
        not_after: u64,
    },
    /// A certificate's time has not come.
    #[error("{subject}: the certificate is not valid before {}: wait, or mend the clock", Moment(*.not_before))]
    NotYetValid {
        /// Whose certificate, perhaps an authority's.
        subject: Name,
        /// Its first second, since 1970.
        not_before: u64,
    },
    /// No path leads to an authority of ours.
    #[error(
        "no authority that is trusted here is {issuer}, whose certificate is needed next: add it to the authorities, or \
         let the peer send its intermediate certificates"
    )]
    NotTrusted {
        /// The issuer whose certificate is missing.
        issuer: Name,
    },
    /// A certificate is for something else.
    #[error("{subject}: the certificate is not for this use: it lacks {missing}; issue one that has it")]
    WrongUsage {
        /// Whose certificate, perhaps an authority's.
        subject: Name,
        /// What it would need.
        missing: &'static str,
    },
    /// An issuer's certificate is not an authority's.
    #[error(
        "{subject} issued a certificate and is no authority: its own certificate says so in basicConstraints"
    )]
    NotAnAuthority {
        /// The issuer.
        subject: Name,
    },
    /// The peer sent an authority's certificate and none of its own.
    #[error("{subject}: the peer sent only the certificate of an authority: let it send its own")]
    OnlyAuthorities {
        /// The authority.
        subject: Name,
    },
    /// A certificate stands on a revocation list.
    #[error(
        "{subject}: the certificate, or one above it, is revoked by the list of its issuer: issue a new one"
    )]
    Revoked {
        /// Whose certificate.
        subject: Name,
    },
    /// A revocation list is out of date and [`crate::StaleCrl::Refuse`] is set.
    #[error("the revocation list of {issuer} was good until {}: fetch a new one and reload", Moment(*.fresh_until))]
    CrlExpired {
        /// Who issued the list.
        issuer: Name,
        /// Its last good second, since 1970.
        fresh_until: u64,
    },
    /// A revocation list is not that of the authority whose name it bears.
    #[error(
        "the revocation list of {issuer}, or of one above it, is not signed as it must be: fetch it again"
    )]
    BadCrl {
        /// Who should have signed.
        issuer: Name,
    },
    /// [`crate::TrustPolicy::crl_required`] is set and an authority has no list.
    #[error("there is no revocation list of {issuer}, or of one above it, and one is required: add it")]
    RevocationUnknown {
        /// Whose list is missing.
        issuer: Name,
    },
    /// A certificate is signed with SHA-1 (or MD5), and [`crate::TrustPolicy::allow_sha1`] is not set.
    #[error(
        "{subject}: the certificate is signed with a weak hash: issue one signed with SHA-256, or allow SHA-1"
    )]
    WeakSignature {
        /// Whose certificate.
        subject: Name,
    },
    /// A certificate is signed with an algorithm that we do not have.
    #[error(
        "{subject}: the certificate is signed with an unknown algorithm: issue one signed with RSA and SHA-256"
    )]
    UnknownAlgorithm {
        /// Whose certificate.
        subject: Name,
    },
    /// A key is of the wrong kind or size.
    #[error("{subject}: {error}")]
    Key {
        /// Whose certificate, perhaps an authority's.
        subject: Name,
        /// What is wrong with the key.
        error: KeyError,
    },
    /// A certificate's signature is not that of its issuer.
    #[error(
        "the certificate's signature is not that of {issuer}, or that one's is not: it is forged, or the authority \
             has a new key and its new certificate must be added"
    )]
    BadSignature {
        /// Who should have signed.
        issuer: Name,
    },
    /// A name is outside what an authority may name.
    #[error("{subject}: an authority above may not issue a certificate with these names (nameConstraints)")]
    NameConstraint {
        /// Whose certificate.
        subject: Name,
    },
    /// More authorities in the path than one of them allows, or than six.
    #[error("there are more authorities above the certificate than one of them allows, or more than six")]
    PathTooLong,
    /// The certificates can be put together in more ways than are tried.
    #[error(
        "the peer's certificates fit together in too many ways: let it send its own and the intermediates"
    )]
    TooComplex,
    /// A critical extension that nobody here knows.
    #[error("{subject}: the certificate, or one above it, has a critical extension that is not known here")]
    UnknownExtension {
        /// Whose certificate.
        subject: Name,
    },
}
