//! Certificate payloads (RFC 2408 3.9): X.509 certificates, and chains wrapped in PKCS#7 as Windows sends them.

use zeroize::Zeroizing;

use crate::der::{self, Der, Malformed};
use crate::{VerifyError, ber};

/// Certificates that one peer may send.
pub const MAX_CERTIFICATES: usize = 16;
/// Octets of all certificate payloads of one peer.
pub const MAX_PAYLOAD_OCTETS: usize = 32 * 1024;

/// The encoding of a PKCS#7 wrapped X.509 certificate.
const PKCS7: u8 = 1;
/// The encoding of an X.509 certificate for signatures.
const X509_SIGNATURE: u8 = 4;

/// pkcs7-signedData (RFC 2315 14).
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];

/// A CERT payload behind its generic header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CertPayload<'a> {
    /// Certificate encoding: 4 is an X.509 certificate for signatures, 1 a PKCS#7 chain. Others are passed over, also 7,
    /// a revocation list: which lists count is the operator's choice, not the peer's.
    pub encoding: u8,
    /// Certificate data.
    pub data: &'a [u8],
}

/// The certificates of all payloads, each once, in the order they came in.
pub(crate) fn collect(payloads: &[CertPayload<'_>]) -> Result<Vec<Vec<u8>>, VerifyError> {
    let octets: usize = payloads.iter().map(|payload| payload.data.len()).sum();
    if octets > MAX_PAYLOAD_OCTETS {
        return Err(VerifyError::TooLarge { octets });
    }
    let mut certificates: Vec<Vec<u8>> = Vec::new();
    let mut add = |certificate: &[u8]| {
        if certificates.iter().any(|known| known == certificate) {
            return Ok(());
        }
        if certificates.len() >= MAX_CERTIFICATES {
            return Err(VerifyError::TooMany);
        }
        certificates.push(certificate.to_vec());
        Ok(())
    };
    for payload in payloads {
        match payload.encoding {
            X509_SIGNATURE => add(payload.data)?,
            PKCS7 => {
                let plain = plain(payload.data).map_err(|_| VerifyError::MalformedPkcs7)?;
                for certificate in unwrap(&plain).map_err(|_| VerifyError::MalformedPkcs7)? {
                    add(certificate)?;
                }
            }
            _ => {}
        }
    }
    if certificates.is_empty() { Err(VerifyError::NoCertificate) } else { Ok(certificates) }
}

/// PKCS#7 may be BER.
fn plain(data: &[u8]) -> Result<Zeroizing<Vec<u8>>, Malformed> {
    ber::to_der(data)
}

/// The certificates of a PKCS#7 SignedData (RFC 2315 9.1) that signs nothing. Its signatures, if any, are not looked at.
fn unwrap(data: &[u8]) -> Result<Vec<&[u8]>, Malformed> {
    let mut outer = Der::only_sequence(data)?;
    if outer.expect(der::OID)?.value != SIGNED_DATA {
        return Err(Malformed);
    }
    let content = outer.expect(der::context_constructed(0))?;
    let mut signed = Der::only_sequence(content.value)?;
    signed.expect(der::INTEGER)?;
    signed.expect(der::SET)?;
    signed.expect(der::SEQUENCE)?;
    let Some(set) = signed.optional(der::context_constructed(0))? else { return Ok(Vec::new()) };
    let mut cursor = Der::new(set.value);
    let mut certificates = Vec::new();
    while !cursor.is_empty() {
        let element = cursor.element()?;
        // Attribute certificates and the like stand here under tags of their own.
        if element.tag == der::SEQUENCE {
            certificates.push(element.whole);
        }
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests;
