//! One certificate taken apart (RFC 5280 4): names, dates, key, extensions. Whether it is to be believed is decided
//! in `verify`.

use std::net::IpAddr;

use crate::{Name, PublicKey};

/// A name of the subject's alternative names extension (RFC 5280 4.2.1.6).
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

/// A certificate and what it says.
#[derive(Debug, Clone)]
pub struct Certificate {
    pub(crate) der: Vec<u8>,
    pub(crate) subject: Name,
    pub(crate) issuer: Name,
    pub(crate) not_before: u64,
    pub(crate) not_after: u64,
    pub(crate) key: Option<PublicKey>,
    pub(crate) names: Vec<AlternativeName>,
}
