//! General names (RFC 5280 4.2.1.6), as in the subject's alternative names and in ID payloads of type ID_DER_ASN1_GN.

use std::net::IpAddr;

use crate::Name;
use crate::der::{self, Der, Malformed};
use crate::name;

/// Alternative names of one certificate: more are not read.
const MAX_NAMES: usize = 256;

/// id-ms-san-sc-logon-upn, 1.3.6.1.4.1.311.20.2.3.
const PRINCIPAL_NAME: &[u8] = &[0x2b, 6, 1, 4, 1, 0x82, 0x37, 20, 2, 3];

/// A name of the subject's alternative names extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlternativeName {
    /// dNSName.
    Dns(String),
    /// rfc822Name.
    Email(String),
    /// iPAddress.
    Ip(IpAddr),
    /// uniformResourceIdentifier.
    Uri(String),
    /// directoryName.
    Directory(Name),
    /// The user principal name that Microsoft puts into an otherName (1.3.6.1.4.1.311.20.2.3).
    PrincipalName(String),
    /// A form that has no meaning here: the whole GeneralName in DER.
    Other(Vec<u8>),
}

impl AlternativeName {
    /// Reads the one GeneralName that is all of `octets`.
    pub fn from_der(octets: &[u8]) -> Result<Self, Malformed> {
        let mut cursor = Der::new(octets);
        let name = Self::read(&mut cursor)?;
        cursor.finish()?;
        Ok(name)
    }

    fn read(cursor: &mut Der<'_>) -> Result<Self, Malformed> {
        const OTHER: u8 = der::context_constructed(0);
        const EMAIL: u8 = der::context(1);
        const DNS: u8 = der::context(2);
        const DIRECTORY: u8 = der::context_constructed(4);
        const URI: u8 = der::context(6);
        const IP: u8 = der::context(7);
        let element = cursor.element()?;
        // A name against the rules of its kind matches nothing, and does no harm to those beside it.
        let other = || Self::Other(element.whole.to_vec());
        Ok(match element.tag {
            OTHER => principal_name(element.value).map_or_else(other, Self::PrincipalName),
            EMAIL => ascii(element.value).map_or_else(other, Self::Email),
            DNS => ascii(element.value).map_or_else(other, Self::Dns),
            URI => ascii(element.value).map_or_else(other, Self::Uri),
            DIRECTORY => Self::Directory(Name::from_der(element.value)?),
            IP => address(element.value).map_or_else(other, Self::Ip),
            _ => other(),
        })
    }

    /// Whether two names are the same: host names and addresses of mail without regard to case.
    pub fn matches(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Dns(one), Self::Dns(two)) => same_host(one, two),
            (Self::Email(one), Self::Email(two)) => one.eq_ignore_ascii_case(two),
            (Self::Directory(one), Self::Directory(two)) => one.matches(two),
            (Self::PrincipalName(one), Self::PrincipalName(two)) => one.to_lowercase() == two.to_lowercase(),
            (one, two) => one == two,
        }
    }

    /// What a rule compares with, without the kind of name. None for a form without text.
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Dns(text) | Self::Email(text) | Self::Uri(text) | Self::PrincipalName(text) => {
                Some(text.clone())
            }
            Self::Ip(address) => Some(address.to_string()),
            Self::Directory(name) => Some(name.to_string()),
            Self::Other(_) => None,
        }
    }
}

/// For logs: the kind and the name, control characters escaped.
impl std::fmt::Display for AlternativeName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Dns(text) => write!(f, "DNS:{}", text.escape_debug()),
            Self::Email(text) => write!(f, "email:{}", text.escape_debug()),
            Self::Ip(address) => write!(f, "IP:{address}"),
            Self::Uri(text) => write!(f, "URI:{}", text.escape_debug()),
            Self::Directory(name) => write!(f, "DN:{name}"),
            Self::PrincipalName(text) => write!(f, "UPN:{}", text.escape_debug()),
            Self::Other(der) => {
                f.write_str("other:#")?;
                der.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
            }
        }
    }
}

/// The names of a subjectAltName extension.
pub(super) fn read_all(value: &[u8]) -> Result<Vec<AlternativeName>, Malformed> {
    let mut cursor = Der::only_sequence(value)?;
    let mut names = Vec::new();
    while !cursor.is_empty() {
        if names.len() >= MAX_NAMES {
            return Err(Malformed);
        }
        names.push(AlternativeName::read(&mut cursor)?);
    }
    Ok(names)
}

/// The same host name: without regard to case and to the dot of the root.
pub(crate) fn same_host(one: &str, two: &str) -> bool {
    let one = one.strip_suffix('.').unwrap_or(one);
    let two = two.strip_suffix('.').unwrap_or(two);
    !one.is_empty() && one.eq_ignore_ascii_case(two)
}

fn principal_name(other: &[u8]) -> Option<String> {
    let mut cursor = Der::new(other);
    if cursor.expect(der::OID).ok()?.value != PRINCIPAL_NAME {
        return None;
    }
    let mut value = cursor.inside(der::context_constructed(0)).ok()?;
    name::string(value.element().ok()?)
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(octets)
        .map(IpAddr::from)
        .ok()
        .or_else(|| <[u8; 16]>::try_from(octets).map(IpAddr::from).ok())
}

/// An IA5String.
fn ascii(octets: &[u8]) -> Option<String> {
    octets.is_ascii().then(|| octets.iter().map(|octet| char::from(*octet)).collect())
}
