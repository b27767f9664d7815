//! Reads files at start and says in each error which file it is: the one place of this crate that reads any.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::{Identity, IdentityError, TrustError, TrustPolicy, TrustStore};

/// Octets of a certificate, key or PKCS#12 file.
const MAX_FILE: u64 = 1024 * 1024;
/// Octets of a file of authorities or revocation lists: a list may name a million certificates.
const MAX_LIST: u64 = 128 * 1024 * 1024;

/// A file that could not be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct LoadError {
    /// Which file.
    pub path: PathBuf,
    /// What is wrong with it, and how to mend it.
    pub problem: Problem,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// It is longer than any such file.
    #[error("it has more than {limit} octets and cannot be what is wanted here")]
    TooLong {
        /// How many are read.
        limit: u64,
    },
    /// It is no identity.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// It is no authority or revocation list.
    #[error(transparent)]
    Trust(#[from] TrustError),
}

/// Our identity from a file with the certificate and its intermediates and one with the key, both in PEM.
pub fn identity_from_pem(
    certificate: &Path,
    key: &Path,
    password: Option<&str>,
) -> Result<Identity, LoadError> {
    let certificates = read(certificate, MAX_FILE)?;
    Identity::check_certificates(&certificates).map_err(|error| in_file(certificate, error))?;
    let secret = read(key, MAX_FILE)?;
    Identity::from_pem(&certificates, &secret, password).map_err(|error| in_file(key, error))
}

/// Our identity from a PKCS#12 file.
pub fn identity_from_pkcs12(path: &Path, password: &str) -> Result<Identity, LoadError> {
    let file = read(path, MAX_FILE)?;
    Identity::from_pkcs12(&file, password).map_err(|error| in_file(path, error))
}

/// A trust store from files of authorities and of revocation lists. All files are tried, so that all errors are told.
pub fn trust_store(
    authorities: &[PathBuf],
    crls: &[PathBuf],
    policy: TrustPolicy,
) -> Result<TrustStore, Vec<LoadError>> {
    let mut store = TrustStore::new(policy);
    let mut errors = Vec::new();
    let mut add = |path: &Path, add: &mut dyn FnMut(&[u8]) -> Result<usize, TrustError>| {
        let added = read(path, MAX_LIST).and_then(|file| add(&file).map_err(|error| in_file(path, error)));
        errors.extend(added.err());
    };
    for path in authorities {
        add(path, &mut |file| store.add_authorities(file));
    }
    for path in crls {
        add(path, &mut |file| store.add_crls(file));
    }
    if errors.is_empty() { Ok(store) } else { Err(errors) }
}

fn in_file(path: &Path, problem: impl Into<Problem>) -> LoadError {
    LoadError { path: path.to_owned(), problem: problem.into() }
}

/// The whole file, which may be a key and is wiped when dropped.
fn read(path: &Path, limit: u64) -> Result<Zeroizing<Vec<u8>>, LoadError> {
    let file = std::fs::File::open(path).map_err(|error| in_file(path, error))?;
    // Room for all of it at once: a vector that grows leaves copies behind.
    let length = file.metadata().map_or(0, |metadata| metadata.len()).min(limit);
    let mut octets =
        Zeroizing::new(Vec::with_capacity(usize::try_from(length).unwrap_or(0).saturating_add(1)));
    file.take(limit + 1).read_to_end(&mut octets).map_err(|error| in_file(path, error))?;
    if u64::try_from(octets.len()).unwrap_or(u64::MAX) > limit {
        return Err(in_file(path, Problem::TooLong { limit }));
    }
    Ok(octets)
}

#[cfg(test)]
mod tests;
