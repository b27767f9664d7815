//! What IKEv1 with RSA signatures (RFC 2409 5.1) needs of X.509 (RFC 5280): our own identity, the certificates of a
//! peer, whom we trust, and what a certificate says about who somebody is. IKE's messages live in the IPsec crate.
//!
//! One rule of use: **nothing here reads a clock or draws a random number**. The time is seconds since 1970, given to
//! each check; blinding takes the caller's [`tollgate_sansio::Entropy`]. Files are read by [`load`] alone, at start.
#![forbid(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

mod algorithm;
mod ber;
mod certificate;
mod crl;
mod der;
mod identify;
mod identity;
mod key;
pub mod load;
mod map;
mod name;
mod payload;
mod pbe;
mod peer;
mod pem;
mod pkcs12;
#[cfg(test)]
mod testing;
mod time;
mod trust;
mod usage;
mod verify;

pub use certificate::{AlternativeName, Certificate};
pub use der::Malformed;
pub use identity::{Identity, IdentityError};
pub use key::{KeyError, MAX_KEY_BITS, MIN_KEY_BITS, PublicKey, SignError, SignatureMismatch};
pub use map::{CertificateMap, Criterion, CriterionError, Field, Operator, Rule};
pub use name::{AttributeType, Name};
pub use payload::{CertPayload, MAX_CERTIFICATES, MAX_PAYLOAD_OCTETS};
pub use peer::{Peer, Warning};
pub use pem::PemError;
pub use pkcs12::Pkcs12Error;
pub use trust::{Side, StaleCrl, TrustError, TrustPolicy, TrustStore};
pub use verify::VerifyError;
