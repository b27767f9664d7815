//! Whether a certificate is that of an identification payload (RFC 2407 4.6.2, RFC 4945 3.1) or of a host.

use std::net::IpAddr;

use crate::certificate::same_host;
use crate::{AlternativeName, AttributeType, Certificate, Name};

const ID_IPV4_ADDR: u8 = 1;
const ID_FQDN: u8 = 2;
const ID_USER_FQDN: u8 = 3;
const ID_IPV6_ADDR: u8 = 5;
const ID_DER_ASN1_DN: u8 = 9;
const ID_DER_ASN1_GN: u8 = 10;
const ID_KEY_ID: u8 = 11;

/// All that a certificate calls its subject.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Names<'a> {
    pub(crate) subject: &'a Name,
    pub(crate) alternatives: &'a [AlternativeName],
    pub(crate) key_id: Option<&'a [u8]>,
    /// An authority above may give only some names. Such limits bind alternative names, and a host name in the subject
    /// would slip past them, so that it does not count then.
    pub(crate) constrained: bool,
}

impl<'a> Names<'a> {
    pub(crate) fn of(certificate: &'a Certificate, constrained: bool) -> Self {
        Self {
            subject: &certificate.subject,
            alternatives: &certificate.extensions.names,
            key_id: certificate.extensions.subject_key_id.as_deref(),
            constrained,
        }
    }

    /// Whether the body of an identification payload of this type is one of the names.
    pub(crate) fn match_id(&self, id_type: u8, data: &[u8]) -> bool {
        match id_type {
            ID_IPV4_ADDR => <[u8; 4]>::try_from(data).is_ok_and(|octets| self.has_address(octets.into())),
            ID_IPV6_ADDR => <[u8; 16]>::try_from(data).is_ok_and(|octets| self.has_address(octets.into())),
            ID_FQDN => ascii(data).is_some_and(|name| self.has_host_name(name)),
            ID_USER_FQDN => ascii(data).is_some_and(|name| self.has_email(name)),
            ID_DER_ASN1_DN => Name::from_der(data).is_ok_and(|name| self.has_directory_name(&name)),
            ID_DER_ASN1_GN => AlternativeName::from_der(data).is_ok_and(|name| self.has_general_name(&name)),
            // Nothing binds a key id to a certificate, unless it is the certificate's own (RFC 4945 3.1.8).
            ID_KEY_ID => !data.is_empty() && self.key_id == Some(data),
            // Subnets and ranges are no names of anybody.
            _ => false,
        }
    }

    /// Whether these are the names of a host that was dialled (RFC 6125 6.4, with the fallback of 6.4.4): a DNS name,
    /// for which the certificate may have a star in place of the first label, or an address.
    pub(crate) fn match_host(&self, host: &str) -> bool {
        let literal = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if let Ok(address) = literal.parse::<IpAddr>() {
            let in_subject = || {
                self.common_names_count()
                    && self
                        .subject
                        .values(AttributeType::CommonName)
                        .iter()
                        .any(|name| name.parse() == Ok(address))
            };
            return self.has_address(address) || in_subject();
        }
        let named = |pattern: &str| same_host(pattern, host) || star_matches(pattern, host);
        if self.has_dns_names() {
            return self.dns_names().any(named);
        }
        self.common_names_count() && self.subject.values(AttributeType::CommonName).into_iter().any(named)
    }

    fn has_address(&self, address: IpAddr) -> bool {
        self.alternatives.contains(&AlternativeName::Ip(address))
    }

    /// Older certificates have the host name in the subject alone: as CN, or as Cisco's unstructuredName.
    fn has_host_name(&self, name: &str) -> bool {
        if self.has_dns_names() {
            return self.dns_names().any(|known| same_host(known, name));
        }
        let in_subject = || {
            let mut names = self.subject.values(AttributeType::CommonName);
            names.extend(self.subject.values(AttributeType::UnstructuredName));
            names.into_iter().any(|known| same_host(known, name))
        };
        self.common_names_count() && in_subject()
    }

    fn has_email(&self, name: &str) -> bool {
        let mut emails = self
            .alternatives
            .iter()
            .filter_map(|name| match name {
                AlternativeName::Email(email) => Some(email.as_str()),
                _ => None,
            })
            .peekable();
        let same = |known: &str| !name.is_empty() && known.eq_ignore_ascii_case(name);
        if emails.peek().is_some() {
            return emails.any(same);
        }
        !self.constrained && self.subject.values(AttributeType::Email).into_iter().any(same)
    }

    fn has_directory_name(&self, name: &Name) -> bool {
        self.subject.matches(name)
            || self.alternatives.iter().any(|known| match known {
                AlternativeName::Directory(known) => known.matches(name),
                _ => false,
            })
    }

    fn has_general_name(&self, name: &AlternativeName) -> bool {
        let is_subject = match name {
            AlternativeName::Directory(name) => self.subject.matches(name),
            _ => false,
        };
        is_subject || self.alternatives.iter().any(|known| known.matches(name))
    }

    fn dns_names(&self) -> impl Iterator<Item = &str> {
        self.alternatives.iter().filter_map(|name| match name {
            AlternativeName::Dns(name) => Some(name.as_str()),
            _ => None,
        })
    }

    fn has_dns_names(&self) -> bool {
        self.dns_names().next().is_some()
    }

    /// Host names in the subject count when there are none where they belong, and nothing above limits them.
    fn common_names_count(&self) -> bool {
        let hosts = |name: &AlternativeName| matches!(name, AlternativeName::Dns(_) | AlternativeName::Ip(_));
        !self.constrained && !self.alternatives.iter().any(hosts)
    }
}

/// `*.example.com` is any one label before `.example.com`, which has two labels at least.
fn star_matches(pattern: &str, host: &str) -> bool {
    let Some(domain) = pattern.strip_prefix("*.") else { return false };
    let Some((label, rest)) = host.split_once('.') else { return false };
    !label.is_empty() && domain.trim_end_matches('.').contains('.') && same_host(domain, rest)
}

fn ascii(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok().filter(|text| text.is_ascii())
}

#[cfg(test)]
mod tests;
