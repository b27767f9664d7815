//! Whether a peer's certificate is good, and why not.

use crate::{KeyError, Name};

/// Why a peer's certificate is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The peer sent none.
    #[error("the peer sent no certificate: give it one, and let it send it")]
    NoCertificate,
    /// The key of the certificate of `subject`.
    #[error("{subject}: {error}")]
    Key {
        /// Whose certificate.
        subject: Name,
        /// What is wrong with the key.
        error: KeyError,
    },
}
