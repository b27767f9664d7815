//! Group policies and how they inherit: what a policy leaves out comes from the policy below it, at last from
//! DfltGrpPolicy, whose own gaps have the defaults named here.

use std::net::Ipv4Addr;
use std::str::FromStr;
use std::time::Duration;

/// The policy that every other one inherits from.
pub const DEFAULT_GROUP_POLICY: &str = "DfltGrpPolicy";

/// A VPN protocol that a policy lets its sessions use. Only `l2tp-ipsec` is served; the others are known so that a
/// policy taken over from the old system keeps its meaning: without `l2tp-ipsec` an L2TP login is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TunnelProtocol {
    /// L2TP, inside IPsec or plain where the operator allows that.
    L2tpIpsec,
    /// IKEv1 remote access.
    Ikev1,
    /// IKEv2 remote access.
    Ikev2,
    /// The TLS client.
    SslClient,
    /// The TLS portal.
    SslClientless,
}

impl FromStr for TunnelProtocol {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "l2tp-ipsec" => Ok(Self::L2tpIpsec),
            "ikev1" => Ok(Self::Ikev1),
            "ikev2" => Ok(Self::Ikev2),
            "ssl-client" => Ok(Self::SslClient),
            "ssl-clientless" => Ok(Self::SslClientless),
            _ => Err(()),
        }
    }
}

/// What happens to a login of a user who already has all the sessions that the policy allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtLoginLimit {
    /// The longest idle session of that user ends, and the new login gets in.
    Replace,
    /// The new login is refused.
    Refuse,
}

impl FromStr for AtLoginLimit {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "replace" => Ok(Self::Replace),
            "refuse" => Ok(Self::Refuse),
            _ => Err(()),
        }
    }
}

/// Whether the packets of a session are encrypted by PPP itself (MPPE, RFC 3078), inside IPsec or without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncryptionMode {
    /// Not offered.
    None,
    /// Offered; a client that refuses it stays.
    Allowed,
    /// A client without it is hung up.
    Required,
}

impl FromStr for EncryptionMode {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "none" => Ok(Self::None),
            "allowed" => Ok(Self::Allowed),
            "required" => Ok(Self::Required),
            _ => Err(()),
        }
    }
}

/// A limit that may be switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// `"none"`.
    None,
    /// So long.
    After(Duration),
}

impl Limit {
    /// The limit as an option.
    pub fn duration(self) -> Option<Duration> {
        match self {
            Self::None => None,
            Self::After(duration) => Some(duration),
        }
    }
}

/// A group policy as written. `None` inherits; an empty list ends the inheritance with nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupPolicy {
    /// `vpn-tunnel-protocol`; default `["l2tp-ipsec"]`.
    pub tunnel_protocols: Option<Vec<TunnelProtocol>>,
    /// `dns-server`, two at most; default none.
    pub dns_servers: Option<Vec<Ipv4Addr>>,
    /// `wins-server`, two at most; default none.
    pub wins_servers: Option<Vec<Ipv4Addr>>,
    /// `vpn-idle-timeout` in minutes, 1 to 35,791,394, or `"none"`; default 30.
    pub idle_timeout: Option<Limit>,
    /// `vpn-session-timeout` in minutes, 1 to 35,791,394, or `"none"`; default none.
    pub session_timeout: Option<Limit>,
    /// `vpn-simultaneous-logins`, 0 to 2,147,483,647; 0 refuses every login; default 3.
    pub simultaneous_logins: Option<u32>,
    /// `at-login-limit`; default `"replace"`.
    pub at_login_limit: Option<AtLoginLimit>,
    /// `address-pool`: pools instead of those of the tunnel group; default none.
    pub address_pools: Option<Vec<String>>,
    /// `vpn-filter`: the access list that every packet must pass, or `"none"` to end the inheritance; default none.
    pub filter: Option<String>,
    /// `ppp-encryption`; default none.
    pub encryption: Option<EncryptionMode>,
    /// `ppp-encryption-bits`: lengths of the key that may be used, of 40, 56 and 128; default 128 alone.
    pub encryption_bits: Option<Vec<u8>>,
    /// `ppp-encryption-stateful`: one key may serve many packets, so that a lost packet costs more; default false.
    pub encryption_stateful: Option<bool>,
}

impl GroupPolicy {
    /// What stands here, and below it what `base` says.
    pub fn over(&self, base: &GroupPolicy) -> GroupPolicy {
        fn pick<T: Clone>(upper: &Option<T>, lower: &Option<T>) -> Option<T> {
            upper.clone().or_else(|| lower.clone())
        }
        GroupPolicy {
            tunnel_protocols: pick(&self.tunnel_protocols, &base.tunnel_protocols),
            dns_servers: pick(&self.dns_servers, &base.dns_servers),
            wins_servers: pick(&self.wins_servers, &base.wins_servers),
            idle_timeout: pick(&self.idle_timeout, &base.idle_timeout),
            session_timeout: pick(&self.session_timeout, &base.session_timeout),
            simultaneous_logins: pick(&self.simultaneous_logins, &base.simultaneous_logins),
            at_login_limit: pick(&self.at_login_limit, &base.at_login_limit),
            address_pools: pick(&self.address_pools, &base.address_pools),
            filter: pick(&self.filter, &base.filter),
            encryption: self.encryption.or(base.encryption),
            encryption_bits: pick(&self.encryption_bits, &base.encryption_bits),
            encryption_stateful: self.encryption_stateful.or(base.encryption_stateful),
        }
    }

    /// The documented defaults: what holds where no policy says anything.
    pub fn defaults() -> GroupPolicy {
        GroupPolicy {
            tunnel_protocols: Some(vec![TunnelProtocol::L2tpIpsec]),
            dns_servers: Some(Vec::new()),
            wins_servers: Some(Vec::new()),
            idle_timeout: Some(Limit::After(Duration::from_secs(30 * 60))),
            session_timeout: Some(Limit::None),
            simultaneous_logins: Some(3),
            at_login_limit: Some(AtLoginLimit::Replace),
            address_pools: Some(Vec::new()),
            filter: None,
            encryption: Some(EncryptionMode::None),
            encryption_bits: Some(vec![128]),
            encryption_stateful: Some(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_inherited_and_an_empty_list_is_not() {
        let base = GroupPolicy {
            dns_servers: Some(vec![Ipv4Addr::new(10, 0, 0, 53)]),
            wins_servers: Some(vec![Ipv4Addr::new(10, 0, 0, 137)]),
            ..GroupPolicy::default()
        };
        let upper = GroupPolicy { wins_servers: Some(Vec::new()), ..GroupPolicy::default() };
        let merged = upper.over(&base).over(&GroupPolicy::defaults());
        assert_eq!(merged.dns_servers, Some(vec![Ipv4Addr::new(10, 0, 0, 53)]));
        assert_eq!(merged.wins_servers, Some(Vec::new()));
        assert_eq!(merged.simultaneous_logins, Some(3));
        assert_eq!(merged.idle_timeout, Some(Limit::After(Duration::from_secs(1800))));
    }
}
