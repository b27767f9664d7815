//! What IKEv1 with RSA signatures (RFC 2409 5.1) needs of X.509 (RFC 5280): our own identity, the certificates of a
//! peer, whom we trust, and what a certificate says about who somebody is. IKE's messages live in the IPsec crate.
//!
//! One rule of use: **nothing here reads a clock or draws a random number**. The time is seconds since 1970, given to
//! each check; blinding takes the caller's [`tollgate_sansio::Entropy`]. Files are read by [`load`] alone, at start.
//! [`TrustStore::verify`] says that a certificate is good; the caller must then ask [`Peer::matches_id`] whether it is
//! that of the peer's ID payload, and [`Peer::verify_signature`] whether the peer holds its key.
//!
//! Who does what:
//! - `webpki` builds the path and checks dates, signatures, basic and name constraints, extended key usage and
//!   revocation lists (RFC 5280 6).
//! - `certificate`, `name`, `crl` and `payload` read with the house's cursor what webpki does not tell: names, key
//!   usage, key sizes, dates of lists, PKCS#7. Names keep the octets that they came in, as ID and certificate request
//!   payloads carry them. What these readers accept makes no certificate good; webpki reads it again.
//! - `verify` chooses the peer's own certificate, bounds what webpki is given (it would try 200,000 ways through a maze
//!   of authorities), checks what it leaves out (key usage, key sizes, an anchor's dates, the age of lists), and says
//!   in its answers which certificate is meant.
//! - `rsa` signs for us and checks the peer's signature over the bare hash, which `ring` cannot.
//!
//! Where we leave RFC 5280, or choose within it:
//! - An anchor's dates count, though 6.1 leaves them aside.
//! - An anchor that is no authority is trusted for itself alone; that one of version 1 is an authority cannot be told
//!   otherwise than by its being there.
//! - An authority may be limited to purposes by an extended key usage of its own, as everybody does it and 4.2.1.12
//!   does not say.
//! - Name constraints on directory names, addresses of mail and URIs refuse every such name: webpki does not compare
//!   them, and closed is the safe side.
//! - Host names and addresses of mail in the subject count when the alternative names have none, as old certificates
//!   have them there, unless an authority above has name constraints, which bind alternative names only.
//!
//! Our private key is used in constant time, as far as the compiler lets it: `rsa` 0.10 computes with `crypto-bigint`,
//! whose exponentiation takes the same steps for every exponent of a size, and is given randomness for each signature,
//! with which it blinds the base, both exponents and both primes. The result is compared with what was to be signed
//! before it leaves, so that a fault in the computation cannot give a prime away. No decryption with PKCS#1 v1.5 padding
//! is ever done, which is where that padding has its holes. Checks of signatures and everything in certificates work on
//! what is public and are not constant in time.
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
