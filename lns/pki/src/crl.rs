//! Certificate revocation lists (RFC 5280 5): webpki looks certificates up in them, here is how old they are.

use std::time::Duration;

use crate::der::{self, Der, Malformed};
use crate::{Name, TrustError, time};

/// issuingDistributionPoint (RFC 5280 5.2.5), 2.5.29.28.
const SCOPE: &[u8] = &[0x55, 29, 28];

/// A list and its dates.
#[derive(Debug)]
pub(crate) struct RevocationList {
    pub(crate) issuer: Name,
    this_update: u64,
    next_update: u64,
    /// The distribution point that it is limited to, in DER.
    scope: Option<Vec<u8>>,
    parsed: webpki::CertRevocationList<'static>,
}

impl RevocationList {
    pub(crate) fn from_der(octets: &[u8]) -> Result<Self, TrustError> {
        let outline = Outline::read(octets).map_err(|_| TrustError::MalformedCrl)?;
        let Some(next_update) = outline.next_update.filter(|_| outline.second_version) else {
            return Err(TrustError::OldCrl { issuer: outline.issuer });
        };
        let parsed = webpki::OwnedCertRevocationList::from_der(octets)
            .map_err(|_| TrustError::UnusableCrl { issuer: outline.issuer.clone() })?;
        Ok(Self {
            issuer: outline.issuer,
            this_update: outline.this_update,
            next_update,
            scope: outline.scope,
            parsed: parsed.into(),
        })
    }

    pub(crate) fn parsed(&self) -> &webpki::CertRevocationList<'static> {
        &self.parsed
    }

    pub(crate) fn this_update(&self) -> u64 {
        self.this_update
    }

    /// The last second at which the list counts: what it says, or an age by policy if that is sooner.
    pub(crate) fn fresh_until(&self, max_age: Option<Duration>) -> u64 {
        let by_age = max_age.map_or(u64::MAX, |age| self.this_update.saturating_add(age.as_secs()));
        self.next_update.min(by_age)
    }

    /// Whether this list is a newer one of the same issuer for the same certificates.
    pub(crate) fn replaces(&self, other: &Self) -> bool {
        self.issuer == other.issuer && self.scope == other.scope && self.this_update > other.this_update
    }
}

/// What is read of a list without its entries, which may be a million.
struct Outline {
    second_version: bool,
    issuer: Name,
    this_update: u64,
    next_update: Option<u64>,
    scope: Option<Vec<u8>>,
}

impl Outline {
    fn read(octets: &[u8]) -> Result<Self, Malformed> {
        let mut outer = Der::only_sequence(octets)?;
        let mut body = outer.sequence()?;
        let second_version = body.optional(der::INTEGER)?.is_some();
        body.expect(der::SEQUENCE)?;
        let issuer = Name::from_der(body.expect(der::SEQUENCE)?.whole)?;
        let this_update = time::read(body.element()?)?;
        let next_update = match body.optional(der::UTC_TIME)? {
            Some(element) => Some(element),
            None => body.optional(der::GENERALIZED_TIME)?,
        };
        let next_update = next_update.map(time::read).transpose()?;
        body.optional(der::SEQUENCE)?;
        let mut scope = None;
        if let Some(extensions) = body.optional(der::context_constructed(0))? {
            let mut list = Der::only_sequence(extensions.value)?;
            while !list.is_empty() {
                let mut extension = list.sequence()?;
                if extension.expect(der::OID)?.value == SCOPE {
                    extension.optional(der::BOOLEAN)?;
                    scope = Some(extension.expect(der::OCTET_STRING)?.value.to_vec());
                }
            }
        }
        Ok(Self { second_version, issuer, this_update, next_update, scope })
    }
}
