//! LDAP URLs (RFC 4516), as referrals carry them: server, name and scope. The rest of them is not followed.

use super::message::Depth;
use crate::net::Endpoint;

/// Where a referral points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) endpoint: Endpoint,
    /// Empty: the name that was asked for.
    pub(super) dn: String,
    pub(super) depth: Option<Depth>,
}

/// Reads a URL; `default_port` is that of the configured protection.
pub(super) fn parse(url: &str, default_port: u16) -> Option<Target> {
    let (scheme, rest) = url.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("ldap") && !scheme.eq_ignore_ascii_case("ldaps") {
        return None;
    }
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, port) = match host.strip_prefix('[') {
        Some(v6) => {
            let (host, port) = v6.split_once(']')?;
            (host, port.strip_prefix(':'))
        }
        None => host.split_once(':').map_or((host, None), |(host, port)| (host, Some(port))),
    };
    if host.is_empty() {
        return None;
    }
    let port = port.map_or(Some(default_port), |port| port.parse().ok())?;
    let mut parts = path.split('?');
    let dn = unescape(parts.next().unwrap_or_default())?;
    let depth = match parts.nth(1).unwrap_or_default() {
        "base" => Some(Depth::Base),
        "one" => Some(Depth::Children),
        "sub" => Some(Depth::Subtree),
        _ => None,
    };
    Some(Target { endpoint: Endpoint { host: unescape(host)?, port }, dn, depth })
}

fn unescape(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut octets = text.bytes();
    while let Some(octet) = octets.next() {
        if octet == b'%' {
            let digits = [octets.next()?, octets.next()?];
            out.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            out.push(octet);
        }
    }
    String::from_utf8(out).ok().filter(|text| !text.contains('\0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let target =
            |url: &str| parse(url, 389).map(|target| (target.endpoint.to_string(), target.dn, target.depth));
        let expected = |server: &str, dn: &str, depth| Some((server.to_owned(), dn.to_owned(), depth));
        assert_eq!(target("ldap://a/dc=x,dc=y"), expected("a:389", "dc=x,dc=y", None));
        assert_eq!(
            target("LDAPS://a:636/ou=a%20b??one?(x=y)"),
            expected("a:636", "ou=a b", Some(Depth::Children))
        );
        assert_eq!(target("ldap://[::1]:3890"), expected("[::1]:3890", "", None));
        for bad in ["http://a/", "ldap:///dc=x", "ldap://a:x/", "ldap://a/%zz", "ldap://[::1/", "a"] {
            assert_eq!(target(bad), None, "{bad}");
        }
    }
}
