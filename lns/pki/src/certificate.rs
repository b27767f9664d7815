//! One certificate taken apart (RFC 5280 4): names, dates, key, extensions. Whether it is to be believed is decided
//! in `verify`.

use crate::der::{self, Der, Malformed};
use crate::key::{KeyOutline, PublicKey};
use crate::{KeyError, Name, time};

mod alternative;

pub use alternative::AlternativeName;
pub(crate) use alternative::same_host;

/// Extensions of one certificate: more are not read. Real ones have about a dozen.
const MAX_EXTENSIONS: usize = 64;

/// A certificate and what it says. Nothing of it is proved.
#[derive(Debug, Clone)]
pub struct Certificate {
    pub(crate) der: Vec<u8>,
    pub(crate) subject: Name,
    pub(crate) issuer: Name,
    pub(crate) not_before: u64,
    pub(crate) not_after: u64,
    /// The object identifier of the algorithm it is signed with.
    pub(crate) signature_algorithm: Vec<u8>,
    pub(crate) key: KeyOutline,
    pub(crate) first_version: bool,
    pub(crate) extensions: Extensions,
}

/// The extensions (RFC 5280 4.2) that decide something.
#[derive(Debug, Clone, Default)]
pub(crate) struct Extensions {
    /// basicConstraints: whether it is an authority's.
    pub(crate) authority: Option<bool>,
    pub(crate) key_usage: Option<KeyUsage>,
    /// extKeyUsage: object identifiers of purposes.
    pub(crate) purposes: Option<Vec<Vec<u8>>>,
    pub(crate) names: Vec<AlternativeName>,
    pub(crate) subject_key_id: Option<Vec<u8>>,
    pub(crate) name_constraints: bool,
}

/// The keyUsage bits (RFC 5280 4.2.1.3), the first in the highest bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyUsage(u8);

impl KeyUsage {
    /// digitalSignature or nonRepudiation: what IKE's signatures need (RFC 4945 5.1.3.2).
    pub(crate) fn signs(self) -> bool {
        self.0 & 0b1100_0000 != 0
    }

    /// keyCertSign.
    pub(crate) fn certifies(self) -> bool {
        self.0 & 0b0000_0100 != 0
    }
}

impl Certificate {
    /// Takes a certificate apart, which must be all of `octets`.
    pub fn from_der(octets: &[u8]) -> Result<Self, Malformed> {
        let mut outer = Der::only_sequence(octets)?;
        let mut body = outer.sequence()?;
        let mut algorithm = outer.sequence()?;
        let signature_algorithm = algorithm.expect(der::OID)?.value.to_vec();
        outer.expect(der::BIT_STRING)?;
        outer.finish()?;

        let version = match body.optional(der::context_constructed(0))? {
            Some(version) => Der::new(version.value).small_number()?,
            None => 0,
        };
        // Some old authorities number below zero or beyond 20 octets; the number is of no use here.
        body.expect(der::INTEGER)?;
        body.sequence()?;
        let issuer = Name::from_der(body.expect(der::SEQUENCE)?.whole)?;
        let mut validity = body.sequence()?;
        let not_before = time::read(validity.element()?)?;
        let not_after = time::read(validity.element()?)?;
        let subject = Name::from_der(body.expect(der::SEQUENCE)?.whole)?;
        let key = KeyOutline::from_spki(body.expect(der::SEQUENCE)?.whole)?;
        body.optional(der::context(1))?;
        body.optional(der::context(2))?;
        let extensions = match body.optional(der::context_constructed(3))? {
            Some(extensions) => Extensions::read(Der::only_sequence(extensions.value)?)?,
            None => Extensions::default(),
        };
        body.finish()?;
        Ok(Self {
            der: octets.to_vec(),
            subject,
            issuer,
            not_before,
            not_after,
            signature_algorithm,
            key,
            first_version: version == 0,
            extensions,
        })
    }

    /// The certificate in DER.
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// Whom it names.
    pub fn subject(&self) -> &Name {
        &self.subject
    }

    /// Who says so.
    pub fn issuer(&self) -> &Name {
        &self.issuer
    }

    /// The first second of its validity, since 1970.
    pub fn not_before(&self) -> u64 {
        self.not_before
    }

    /// The last second of its validity, since 1970.
    pub fn not_after(&self) -> u64 {
        self.not_after
    }

    /// The subject's other names.
    pub fn alternative_names(&self) -> &[AlternativeName] {
        &self.extensions.names
    }

    /// The key, if it is one that IKEv1 can use.
    pub fn public_key(&self) -> Result<PublicKey, KeyError> {
        self.key.public_key()
    }

    /// Whether it says of itself that it is an authority's, or is of version 1 and can say nothing.
    pub(crate) fn is_authority(&self) -> bool {
        self.extensions.authority.unwrap_or(self.first_version)
    }

    pub(crate) fn names_itself(&self) -> bool {
        self.subject.matches(&self.issuer)
    }
}

impl Extensions {
    fn read(mut list: Der<'_>) -> Result<Self, Malformed> {
        let mut extensions = Self::default();
        let mut seen: Vec<&[u8]> = Vec::new();
        while !list.is_empty() {
            let mut extension = list.sequence()?;
            let oid = extension.expect(der::OID)?.value;
            extension.optional(der::BOOLEAN)?;
            let value = extension.expect(der::OCTET_STRING)?.value;
            extension.finish()?;
            // RFC 5280 4.2: no extension twice.
            if seen.contains(&oid) || seen.len() >= MAX_EXTENSIONS {
                return Err(Malformed);
            }
            seen.push(oid);
            extensions.remember(oid, value)?;
        }
        Ok(extensions)
    }

    fn remember(&mut self, oid: &[u8], value: &[u8]) -> Result<(), Malformed> {
        match oid {
            [0x55, 29, 14] => self.subject_key_id = Some(only(value, der::OCTET_STRING)?.to_vec()),
            [0x55, 29, 15] => self.key_usage = Some(key_usage(only(value, der::BIT_STRING)?)?),
            [0x55, 29, 17] => self.names = alternative::read_all(value)?,
            [0x55, 29, 19] => {
                let mut constraints = Der::only_sequence(value)?;
                let authority = constraints.optional(der::BOOLEAN)?;
                self.authority = Some(authority.is_some_and(|authority| authority.value != [0]));
            }
            [0x55, 29, 30] => self.name_constraints = true,
            [0x55, 29, 37] => {
                let mut purposes = Der::only_sequence(value)?;
                let mut list = Vec::new();
                while !purposes.is_empty() {
                    list.push(purposes.expect(der::OID)?.value.to_vec());
                }
                self.purposes = Some(list);
            }
            _ => {}
        }
        Ok(())
    }
}

fn only(value: &[u8], tag: u8) -> Result<&[u8], Malformed> {
    let mut cursor = Der::new(value);
    let element = cursor.expect(tag)?;
    cursor.finish()?;
    Ok(element.value)
}

/// A BIT STRING: the count of unused bits, then the bits; decipherOnly in a second octet is of no interest.
fn key_usage(value: &[u8]) -> Result<KeyUsage, Malformed> {
    match value {
        [unused, bits, ..] if *unused < 8 => Ok(KeyUsage(*bits)),
        [0] => Ok(KeyUsage(0)),
        _ => Err(Malformed),
    }
}

#[cfg(test)]
mod tests;
