//! PEM files (RFC 7468): sections between BEGIN and END lines, whatever stands around them.

use base64ct::{Base64, Encoding};
use zeroize::{Zeroize, Zeroizing};

/// Sections of one file: more are a mistake.
const MAX_SECTIONS: usize = 4096;

/// One section. It may be a private key and is wiped when dropped.
pub(crate) struct Section {
    pub(crate) label: String,
    pub(crate) der: Zeroizing<Vec<u8>>,
}

/// Why a file is not PEM.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// A section has no end.
    #[error("line {line}: the section {label:?} that begins here has no END line: the file is cut short")]
    NoEnd {
        /// The line of BEGIN.
        line: usize,
        /// What begins there.
        label: String,
    },
    /// A section's text is not base64.
    #[error("line {line}: the section {label:?} that begins here is not base64: the file is damaged")]
    NotBase64 {
        /// The line of BEGIN.
        line: usize,
        /// What begins there.
        label: String,
    },
    /// A key encrypted in the way of old OpenSSL.
    #[error(
        "line {line}: this key is encrypted in the way of OpenSSL before 1.0, which is weak: convert it with \
         `openssl pkcs8 -topk8 -in KEY -out NEWKEY`"
    )]
    OldEncryption {
        /// The line of BEGIN.
        line: usize,
    },
    /// More sections than any real file has.
    #[error("there are more than 4096 sections in it")]
    TooMany,
}

/// Whether a file is PEM at all, rather than DER.
pub(crate) fn is_pem(file: &[u8]) -> bool {
    file.windows(BEGIN.len()).any(|window| window == BEGIN.as_bytes())
}

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// The sections of a file in order.
pub(crate) fn sections(file: &[u8]) -> Result<Vec<Section>, PemError> {
    let mut sections = Vec::new();
    let mut lines = file.split(|octet| *octet == b'\n').zip(1_usize..);
    while let Some((line, number)) = lines.next() {
        let Some(label) = label(line, BEGIN) else { continue };
        let mut text = Zeroizing::new(Vec::new());
        loop {
            let Some((line, _)) = lines.next() else {
                return Err(PemError::NoEnd { line: number, label });
            };
            if self::label(line, END).is_some_and(|end| end == label) {
                break;
            }
            if line.starts_with(b"Proc-Type:") {
                return Err(PemError::OldEncryption { line: number });
            }
            text.extend(line.iter().filter(|octet| !octet.is_ascii_whitespace()));
        }
        let Some(der) = decode(&text) else { return Err(PemError::NotBase64 { line: number, label }) };
        if sections.len() >= MAX_SECTIONS {
            return Err(PemError::TooMany);
        }
        sections.push(Section { label, der });
    }
    Ok(sections)
}

/// The words of a BEGIN or END line.
fn label(line: &[u8], start: &str) -> Option<String> {
    let line = std::str::from_utf8(line.trim_ascii()).ok()?;
    line.strip_prefix(start)?.strip_suffix(DASHES).map(str::to_owned)
}

/// In constant time, as the text may be a key.
fn decode(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut out = Zeroizing::new(vec![0; text.len()]);
    let length = Base64::decode(text, &mut out).ok()?.len();
    if let Some(tail) = out.get_mut(length..) {
        tail.zeroize();
    }
    out.truncate(length);
    Some(out)
}

#[cfg(test)]
mod tests;
