//! PKCS#12 files (RFC 7292): a private key and certificates, under a password.

use ring::{digest, hmac};
use zeroize::Zeroizing;

use crate::ber;
use crate::der::{self, Der, Malformed};
use crate::pbe::{PBKDF2, Password, PbeError, Purpose};

/// Bags of one file: more are a mistake.
const MAX_BAGS: usize = 64;

/// Why a file cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Pkcs12Error {
    /// Not what RFC 7292 describes.
    #[error("it is not a PKCS#12 file, or damaged")]
    Malformed,
    /// The password does not open it.
    #[error("the password does not open it, or it is damaged")]
    Password,
    /// An algorithm that we do not have.
    #[error(
        "it is encrypted with an algorithm that is not known here: make it again with \
         `openssl pkcs12 -export -keypbe AES-256-CBC -certpbe AES-256-CBC -macalg SHA256`"
    )]
    Algorithm,
    /// Key derivation with more rounds than are worth it.
    #[error("it asks for more than ten million rounds of key derivation: make it again with fewer")]
    Rounds,
}

impl From<Malformed> for Pkcs12Error {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

impl From<PbeError> for Pkcs12Error {
    fn from(error: PbeError) -> Self {
        match error {
            PbeError::Unknown => Self::Algorithm,
            PbeError::Password => Self::Password,
            PbeError::Rounds => Self::Rounds,
            PbeError::Malformed => Self::Malformed,
        }
    }
}

/// What was in a file: private keys as PKCS#8, certificates as they are.
#[derive(Default)]
pub(crate) struct Contents {
    pub(crate) keys: Vec<Zeroizing<Vec<u8>>>,
    pub(crate) certificates: Vec<Vec<u8>>,
    bags: usize,
}

const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];
const ENCRYPTED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 6];
/// bagtypes: 1 is a key, 2 an encrypted key, 3 a certificate, 6 bags in a bag.
const BAG: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 10, 1];
const X509_CERTIFICATE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 22, 1];
const SHA1: &[u8] = &[0x2b, 0x0e, 3, 2, 26];
/// nistAlgorithms hashAlgs: SHA-256 is 1, SHA-384 2, SHA-512 3.
const SHA2: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2];
/// PBMAC1 (RFC 9579).
const PBMAC1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 14];
/// digestAlgorithm, for hmacWithSHA256 (9) to hmacWithSHA512 (11).
const HMAC_WITH: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2];

/// Opens a file.
pub(crate) fn open(file: &[u8], password: &str) -> Result<Contents, Pkcs12Error> {
    let file = ber::to_der(file)?;
    match open_with(&file, &mut Password::new(password)) {
        Err(Pkcs12Error::Password) if password.is_empty() => open_with(&file, &mut Password::none()),
        result => result,
    }
}

fn open_with(file: &[u8], password: &mut Password) -> Result<Contents, Pkcs12Error> {
    let mut pfx = Der::only_sequence(file)?;
    if pfx.small_number()? != 3 {
        return Err(Pkcs12Error::Malformed);
    }
    let safe = data_of(pfx.sequence()?)?;
    if !pfx.is_empty() {
        check_mac(pfx.sequence()?, safe, password)?;
    }
    let safe = ber::to_der(safe)?;
    let mut safe = Der::only_sequence(&safe)?;
    let mut contents = Contents::default();
    while !safe.is_empty() {
        let mut info = safe.sequence()?;
        let kind = info.expect(der::OID)?.value;
        let content = info.expect(der::context_constructed(0))?.value;
        match kind {
            DATA => {
                let bags = ber::to_der(only_octets(content)?)?;
                contents.read_bags(&bags, password)?;
            }
            ENCRYPTED_DATA => {
                let bags = decrypt(Der::only_sequence(content)?, password)?;
                let bags = ber::to_der(&bags).map_err(|_| Pkcs12Error::Password)?;
                contents.read_bags(&bags, password)?;
            }
            // Data enveloped for a public key: nothing that a password opens.
            _ => return Err(Pkcs12Error::Algorithm),
        }
    }
    Ok(contents)
}

/// The octets of a ContentInfo of type data.
fn data_of(info: Der<'_>) -> Result<&[u8], Malformed> {
    let mut info = info;
    if info.expect(der::OID)?.value != DATA {
        return Err(Malformed);
    }
    only_octets(info.expect(der::context_constructed(0))?.value)
}

fn only_octets(content: &[u8]) -> Result<&[u8], Malformed> {
    let mut cursor = Der::new(content);
    let element = cursor.expect(der::OCTET_STRING)?;
    cursor.finish()?;
    Ok(element.value)
}

/// EncryptedData (RFC 2315 13).
fn decrypt(data: Der<'_>, password: &mut Password) -> Result<Zeroizing<Vec<u8>>, Pkcs12Error> {
    let mut data = data;
    data.expect(der::INTEGER)?;
    let mut content = data.sequence()?;
    content.expect(der::OID)?;
    let algorithm = content.sequence()?;
    // In BER it may come in parts.
    let encrypted = match content.optional(der::context(0))? {
        Some(element) => element.value.to_vec(),
        None => ber::join(content.expect(der::context_constructed(0))?.value)?,
    };
    Ok(password.decrypt(algorithm, &encrypted)?)
}

/// MacData (RFC 7292 4): what tells a wrong password from a damaged file.
fn check_mac(mac: Der<'_>, safe: &[u8], password: &mut Password) -> Result<(), Pkcs12Error> {
    let mut mac = mac;
    let mut info = mac.sequence()?;
    let mut algorithm = info.sequence()?;
    let oid = algorithm.expect(der::OID)?.value;
    let expected = info.expect(der::OCTET_STRING)?.value;
    let salt = mac.expect(der::OCTET_STRING)?.value;
    let rounds = if mac.is_empty() { 1 } else { mac.small_number()? };
    let (hash, key) = if oid == PBMAC1 {
        pbmac1(algorithm.sequence()?, password)?
    } else {
        let (digest, hash) = match (oid, oid.strip_prefix(SHA2)) {
            (SHA1, _) => (&digest::SHA1_FOR_LEGACY_USE_ONLY, hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
            (_, Some([1])) => (&digest::SHA256, hmac::HMAC_SHA256),
            (_, Some([2])) => (&digest::SHA384, hmac::HMAC_SHA384),
            (_, Some([3])) => (&digest::SHA512, hmac::HMAC_SHA512),
            _ => return Err(Pkcs12Error::Algorithm),
        };
        (hash, password.derive(digest, Purpose::Mac, salt, rounds, digest.output_len())?)
    };
    hmac::verify(&hmac::Key::new(hash, &key), safe, expected).map_err(|_| Pkcs12Error::Password)
}

/// PBMAC1 parameters: a key derivation, which must be PBKDF2, and a MAC.
fn pbmac1(
    parameters: Der<'_>,
    password: &mut Password,
) -> Result<(hmac::Algorithm, Zeroizing<Vec<u8>>), Pkcs12Error> {
    let mut parameters = parameters;
    let mut derivation = parameters.sequence()?;
    if derivation.expect(der::OID)?.value != PBKDF2 {
        return Err(Pkcs12Error::Algorithm);
    }
    let key = password.pbkdf2(derivation.sequence()?, None)?;
    let hash = match parameters.sequence()?.expect(der::OID)?.value.strip_prefix(HMAC_WITH) {
        Some([9]) => hmac::HMAC_SHA256,
        Some([10]) => hmac::HMAC_SHA384,
        Some([11]) => hmac::HMAC_SHA512,
        _ => return Err(Pkcs12Error::Algorithm),
    };
    Ok((hash, key))
}

impl Contents {
    /// SafeContents: bags of keys and certificates; other bags are passed over.
    fn read_bags(&mut self, bags: &[u8], password: &mut Password) -> Result<(), Pkcs12Error> {
        let mut bags = Der::only_sequence(bags)?;
        while !bags.is_empty() {
            self.bags += 1;
            if self.bags > MAX_BAGS {
                return Err(Pkcs12Error::Malformed);
            }
            let mut bag = bags.sequence()?;
            let kind = bag.expect(der::OID)?.value.strip_prefix(BAG);
            let value = bag.expect(der::context_constructed(0))?.value;
            match kind {
                Some([1]) => self.keys.push(Zeroizing::new(value.to_vec())),
                Some([2]) => self.keys.push(decrypt_key(value, password)?),
                Some([3]) => {
                    let mut certificate = Der::only_sequence(value)?;
                    if certificate.expect(der::OID)?.value == X509_CERTIFICATE {
                        let der = only_octets(certificate.expect(der::context_constructed(0))?.value)?;
                        self.certificates.push(der.to_vec());
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// EncryptedPrivateKeyInfo (RFC 5958 3) to the PKCS#8 inside.
pub(crate) fn decrypt_key(value: &[u8], password: &mut Password) -> Result<Zeroizing<Vec<u8>>, PbeError> {
    let mut info = Der::only_sequence(value)?;
    let algorithm = info.sequence()?;
    password.decrypt(algorithm, info.expect(der::OCTET_STRING)?.value)
}

#[cfg(test)]
mod tests;
