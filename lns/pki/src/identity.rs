//! Our own certificate chain and private key.

use tollgate_sansio::Entropy;

use crate::der::SEQUENCE;
use crate::key::{KeyError, PrivateKey, SignError};
use crate::pbe::{Password, PbeError};
use crate::{Certificate, MAX_CERTIFICATES, Name, PemError, Pkcs12Error, PublicKey, pem, pkcs12};

/// Why a certificate and key cannot be ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// No certificate in the file.
    #[error("there is no certificate in it: it must hold ours, and the intermediates behind it")]
    NoCertificate,
    /// A certificate that cannot be read, counted from 1.
    #[error("certificate {number} in it cannot be read: it is damaged")]
    MalformedCertificate {
        /// Which one.
        number: usize,
    },
    /// More certificates than a peer would read.
    #[error("there are more than {MAX_CERTIFICATES} certificates in it: leave ours and the intermediates")]
    TooManyCertificates,
    /// No private key in the file.
    #[error(
        "there is no private key in it: it must hold one that begins with BEGIN PRIVATE KEY or RSA PRIVATE KEY"
    )]
    NoKey,
    /// The key is encrypted and there is no password.
    #[error("the private key in it is encrypted: give the password, or decrypt it with `openssl pkey`")]
    PasswordNeeded,
    /// The key is encrypted with another password.
    #[error("the password does not open the private key in it")]
    WrongPassword,
    /// The key is encrypted in a way that we do not have.
    #[error(
        "the private key in it is encrypted in an unknown way: convert it with `openssl pkcs8 -topk8 -v2 aes256`"
    )]
    Encryption,
    /// The key is no good.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// None of the certificates is for the key.
    #[error(
        "the private key belongs to none of the certificates: use the key that the certificate was requested with"
    )]
    KeyMismatch,
    /// The file is broken PEM.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// The file is no PKCS#12 that we can open.
    #[error(transparent)]
    Pkcs12(#[from] Pkcs12Error),
}

/// Our certificate, those of the authorities above it as far as we have them, and its private key.
pub struct Identity {
    leaf: Certificate,
    /// What goes out behind it: each one is the issuer of the one before. No root: who trusts it has it.
    intermediates: Vec<Certificate>,
    /// Authorities that vouch for themselves and came in the same file.
    roots: Vec<Certificate>,
    key: PrivateKey,
    public_key: PublicKey,
}

impl Identity {
    /// From PEM: the certificate and its intermediates in any order; the key as PKCS#8, encrypted PKCS#8 or PKCS#1.
    /// Both may be the same file. A certificate or key in DER is taken as well.
    pub fn from_pem(certificates: &[u8], key: &[u8], password: Option<&str>) -> Result<Self, IdentityError> {
        Self::new(read_certificates(certificates)?, read_key(key, password)?)
    }

    /// Reads only the certificates of a file, to say which of two files is the wrong one.
    pub(crate) fn check_certificates(certificates: &[u8]) -> Result<(), IdentityError> {
        read_certificates(certificates).map(|_| ())
    }

    /// From PKCS#12 (RFC 7292).
    pub fn from_pkcs12(file: &[u8], password: &str) -> Result<Self, IdentityError> {
        let contents = pkcs12::open(file, password)?;
        let key = contents.keys.first().ok_or(IdentityError::NoKey)?;
        let certificates = contents
            .certificates
            .iter()
            .zip(1..)
            .map(|(der, number)| read_certificate(der, number))
            .collect::<Result<_, _>>()?;
        Self::new(certificates, PrivateKey::from_pkcs8(key)?)
    }

    fn new(mut certificates: Vec<Certificate>, key: PrivateKey) -> Result<Self, IdentityError> {
        if certificates.len() > MAX_CERTIFICATES {
            return Err(IdentityError::TooManyCertificates);
        }
        if certificates.is_empty() {
            return Err(IdentityError::NoCertificate);
        }
        let public_key = key.public_key();
        let ours = certificates
            .iter()
            .position(|certificate| certificate.public_key().as_ref() == Ok(&public_key))
            .ok_or(IdentityError::KeyMismatch)?;
        let leaf = certificates.remove(ours);
        let (roots, mut others): (Vec<_>, Vec<_>) = certificates
            .into_iter()
            .partition(|certificate| certificate.is_authority() && certificate.names_itself());
        let mut intermediates: Vec<Certificate> = Vec::new();
        while let Some(next) = others.iter().position(|other| {
            other.is_authority() && other.subject.matches(&intermediates.last().unwrap_or(&leaf).issuer)
        }) {
            intermediates.push(others.remove(next));
        }
        Ok(Self { leaf, intermediates, roots, key, public_key })
    }

    /// Signs the bare HASH_I or HASH_R (RFC 2409 5.1).
    pub fn sign(&self, hash: &[u8], entropy: &mut Entropy) -> Result<Vec<u8>, SignError> {
        self.key.sign(hash, entropy)
    }

    /// Our certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.leaf
    }

    /// What to send in CERT payloads of type 4: our certificate first, then the intermediates.
    pub fn certificates_der(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::once(&self.leaf).chain(&self.intermediates).map(|certificate| certificate.der.as_slice())
    }

    /// The roots that came in the same file, in DER: what to trust when there is no file of authorities. Without one it
    /// is the topmost intermediate.
    pub fn authorities_der(&self) -> impl Iterator<Item = &[u8]> {
        let topmost = if self.roots.is_empty() { self.intermediates.last() } else { None };
        self.roots.iter().chain(topmost).map(|certificate| certificate.der.as_slice())
    }

    /// Our subject's name in DER: the identification data of an ID payload of type 9, ID_DER_ASN1_DN.
    pub fn subject_der(&self) -> &[u8] {
        self.leaf.subject.as_der()
    }

    /// Our subject's name.
    pub fn subject(&self) -> &Name {
        &self.leaf.subject
    }

    /// The public half of the key.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// Whether one of a peer's certificate requests of type 4 (the certificate authority field, RFC 2408 3.10) asks for
    /// this identity: it names an issuer in our chain, or nobody, which means any.
    pub fn answers(&self, requests: &[&[u8]]) -> bool {
        let issuers: Vec<&Name> =
            std::iter::once(&self.leaf).chain(&self.intermediates).map(|step| &step.issuer).collect();
        requests.iter().any(|request| {
            request.is_empty()
                || Name::from_der(request)
                    .is_ok_and(|name| issuers.iter().any(|issuer| issuer.matches(&name)))
        })
    }

    /// Of several identities the one to use: the first that a peer's requests ask for, else the first, as a peer may
    /// trust more than it names.
    pub fn choose<'a>(identities: &'a [Self], requests: &[&[u8]]) -> Option<&'a Self> {
        identities.iter().find(|identity| identity.answers(requests)).or_else(|| identities.first())
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("subject", &self.leaf.subject).finish_non_exhaustive()
    }
}

fn read_certificates(file: &[u8]) -> Result<Vec<Certificate>, IdentityError> {
    if !pem::is_pem(file) {
        if file.first() != Some(&SEQUENCE) {
            return Err(IdentityError::NoCertificate);
        }
        return Ok(vec![read_certificate(file, 1)?]);
    }
    let certificates: Vec<Certificate> = pem::sections(file)?
        .iter()
        .filter(|section| matches!(section.label.as_str(), "CERTIFICATE" | "X509 CERTIFICATE"))
        .zip(1..)
        .map(|(section, number)| read_certificate(&section.der, number))
        .collect::<Result<_, _>>()?;
    if certificates.is_empty() { Err(IdentityError::NoCertificate) } else { Ok(certificates) }
}

fn read_certificate(der: &[u8], number: usize) -> Result<Certificate, IdentityError> {
    Certificate::from_der(der).map_err(|_| IdentityError::MalformedCertificate { number })
}

fn read_key(file: &[u8], password: Option<&str>) -> Result<PrivateKey, IdentityError> {
    if !pem::is_pem(file) {
        if file.first() != Some(&SEQUENCE) {
            return Err(IdentityError::NoKey);
        }
        return Ok(PrivateKey::from_pkcs8(file).or_else(|_| PrivateKey::from_pkcs1(file))?);
    }
    for section in pem::sections(file)? {
        match section.label.as_str() {
            "PRIVATE KEY" => return Ok(PrivateKey::from_pkcs8(&section.der)?),
            "RSA PRIVATE KEY" => return Ok(PrivateKey::from_pkcs1(&section.der)?),
            "EC PRIVATE KEY" | "DSA PRIVATE KEY" => return Err(KeyError::NotRsa.into()),
            "ENCRYPTED PRIVATE KEY" => {
                let password = password.ok_or(IdentityError::PasswordNeeded)?;
                let key = pkcs12::decrypt_key(&section.der, &mut Password::new(password));
                let key = key.map_err(|error| match error {
                    PbeError::Password => IdentityError::WrongPassword,
                    PbeError::Unknown | PbeError::Rounds => IdentityError::Encryption,
                    PbeError::Malformed => KeyError::Malformed.into(),
                })?;
                return PrivateKey::from_pkcs8(&key).map_err(|error| match error {
                    // One password in 256 leaves a padding that looks right.
                    KeyError::Malformed => IdentityError::WrongPassword,
                    error => error.into(),
                });
            }
            _ => {}
        }
    }
    Err(IdentityError::NoKey)
}

#[cfg(test)]
mod tests;
