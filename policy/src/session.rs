//! The policy of one session, merged from what the AAA answer, the group policies and the defaults say.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tollgate_aaa::{Attributes, FramedAddress};

use crate::config::Config;
use crate::filter::AccessList;
use crate::group_policy::{AtLoginLimit, EncryptionMode, GroupPolicy, TunnelProtocol};

/// Bit of Cisco's Tunneling-Protocols attribute (3076/11) that lets a user in by L2TP over IPsec.
const TUNNELING_PROTOCOL_L2TP_IPSEC: u32 = 8;

/// The word that ends the inheritance of a filter.
pub(crate) const NO_FILTER: &str = "none";

/// What a session gets.
#[derive(Debug, Clone)]
pub struct SessionPolicy {
    /// The group policy that applied.
    pub group_policy: String,
    /// Where its address comes from.
    pub address: AddressSource,
    /// Primary and secondary name server.
    pub dns: [Option<Ipv4Addr>; 2],
    /// Primary and secondary WINS server.
    pub wins: [Option<Ipv4Addr>; 2],
    /// Ends the session after so long without a packet.
    pub idle_timeout: Option<Duration>,
    /// Ends the session after so long.
    pub session_timeout: Option<Duration>,
    /// Sessions that the user may have at once, this one included.
    pub simultaneous_logins: u32,
    /// What happens at that limit.
    pub at_login_limit: AtLoginLimit,
    /// Upper bound of the packets sent to the client, in octets.
    pub mtu: Option<u16>,
    /// How often an interim record leaves.
    pub interim_interval: Option<Duration>,
    /// The access list that every packet must pass, and its name.
    pub filter: Option<(String, Arc<AccessList>)>,
    /// Whether MPPE encrypts its packets.
    pub encryption: EncryptionPolicy,
    /// Networks behind the client (Framed-Route): address and prefix length.
    pub routes: Vec<(Ipv4Addr, u8)>,
}

/// Whether and how MPPE encrypts the packets of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncryptionPolicy {
    /// Whether.
    pub mode: EncryptionMode,
    /// Lengths of the key, of 40, 56 and 128 bits.
    pub bits: Vec<u8>,
    /// One key may serve many packets.
    pub stateful: bool,
}

/// Where the address comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddressSource {
    /// These pools, in order.
    Pools(Vec<String>),
    /// This address and no other.
    Fixed(Ipv4Addr),
}

/// Why an accepted user gets no session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyRefusal {
    /// `vpn-tunnel-protocol` lacks `l2tp-ipsec`.
    #[error("group policy {0} does not allow l2tp-ipsec (vpn-tunnel-protocol)")]
    ProtocolNotAllowed(String),
    /// The AAA server's Tunneling-Protocols lacks L2TP over IPsec.
    #[error("the AAA server does not allow this user l2tp-ipsec (Tunneling-Protocols {0})")]
    ProtocolNotAllowedByServer(u32),
    /// `vpn-simultaneous-logins` is 0.
    #[error("vpn-simultaneous-logins is 0 for this user (group policy {0})")]
    LoginsForbidden(String),
    /// The filter that was named is not configured: to let the packets pass unfiltered would be worse.
    #[error("access list {0} is not configured")]
    UnknownFilter(String),
}

/// Merges, highest first: attributes of the AAA answer, the group policy that the answer named, the tunnel group's
/// default group policy, DfltGrpPolicy, the documented defaults. A group policy that the answer names and that is not
/// configured is passed over, as on the old system; `warn` hears of it.
pub fn resolve(
    config: &Config,
    tunnel_group: &str,
    attributes: &Attributes,
    warn: &mut dyn FnMut(String),
) -> Result<SessionPolicy, PolicyRefusal> {
    let group = config.tunnel_groups.get(tunnel_group);
    let default_policy =
        group.map_or(crate::group_policy::DEFAULT_GROUP_POLICY, |group| group.default_group_policy.as_str());
    let name = match attributes.group_policy.as_deref() {
        Some(named) if config.group_policies.contains_key(named) => named,
        Some(unknown) => {
            warn(format!("group policy {unknown} is not configured; {default_policy} applies"));
            default_policy
        }
        None => default_policy,
    };
    let policy = effective(config, name, default_policy);

    if let Some(protocols) = attributes.tunneling_protocols {
        if protocols & TUNNELING_PROTOCOL_L2TP_IPSEC == 0 {
            return Err(PolicyRefusal::ProtocolNotAllowedByServer(protocols));
        }
    } else if !policy.tunnel_protocols.unwrap_or_default().contains(&TunnelProtocol::L2tpIpsec) {
        return Err(PolicyRefusal::ProtocolNotAllowed(name.to_owned()));
    }
    let simultaneous_logins = attributes.simultaneous_logins.or(policy.simultaneous_logins).unwrap_or(0);
    if simultaneous_logins == 0 {
        return Err(PolicyRefusal::LoginsForbidden(name.to_owned()));
    }
    let inherited = policy.filter.filter(|name| name != NO_FILTER);
    let filter = match attributes.filter_id.clone().or(inherited) {
        None => None,
        Some(name) => match config.access_lists.get(&name) {
            Some(list) => Some((name, Arc::clone(list))),
            None => return Err(PolicyRefusal::UnknownFilter(name)),
        },
    };
    let pools = || match (&attributes.address_pools, policy.address_pools.unwrap_or_default()) {
        (named, _) if !named.is_empty() => named.clone(),
        (_, own) if !own.is_empty() => own,
        _ => group.map(|group| group.address_pools.clone()).unwrap_or_default(),
    };
    let address = match attributes.framed_address {
        Some(FramedAddress::Address(address)) => AddressSource::Fixed(address),
        // RFC 2865 section 5.8 lets the peer choose; every stock client asks for an address, so the pools answer it.
        Some(FramedAddress::PeerChooses | FramedAddress::Pool) | None => AddressSource::Pools(pools()),
    };
    let routes = attributes
        .framed_routes
        .iter()
        .filter_map(|route| {
            let parsed = parse_route(route);
            if parsed.is_none() {
                warn(format!(
                    "Framed-Route {route:?} is not \"network/length gateway metric\" and is ignored"
                ));
            }
            parsed
        })
        .collect();
    Ok(SessionPolicy {
        group_policy: name.to_owned(),
        address,
        dns: servers(&attributes.dns, policy.dns_servers),
        wins: servers(&attributes.nbns, policy.wins_servers),
        idle_timeout: attributes.idle_timeout.or(policy.idle_timeout.and_then(|limit| limit.duration())),
        session_timeout: attributes
            .session_timeout
            .or(policy.session_timeout.and_then(|limit| limit.duration())),
        simultaneous_logins,
        at_login_limit: policy.at_login_limit.unwrap_or(AtLoginLimit::Replace),
        mtu: attributes.framed_mtu,
        interim_interval: attributes.interim_interval,
        filter,
        encryption: EncryptionPolicy {
            mode: policy.encryption.unwrap_or(EncryptionMode::None),
            bits: policy.encryption_bits.unwrap_or_default(),
            stateful: policy.encryption_stateful.unwrap_or(false),
        },
        routes,
    })
}

/// A policy with everything that it inherits.
fn effective(config: &Config, name: &str, default_policy: &str) -> GroupPolicy {
    let find = |name: &str| config.group_policies.get(name).cloned().unwrap_or_default();
    find(name)
        .over(&find(default_policy))
        .over(&find(crate::group_policy::DEFAULT_GROUP_POLICY))
        .over(&GroupPolicy::defaults())
}

/// A server that the AAA answer names takes its place; the policy fills the rest.
fn servers(named: &[Option<Ipv4Addr>; 2], policy: Option<Vec<Ipv4Addr>>) -> [Option<Ipv4Addr>; 2] {
    let own = policy.unwrap_or_default();
    [named[0].or(own.first().copied()), named[1].or(own.get(1).copied())]
}

/// RFC 2865 section 5.22: `prefix/length gateway metric`; without a length the class tells it, and the gateway
/// 0.0.0.0 (or any other: it is the client) is not used.
fn parse_route(text: &str) -> Option<(Ipv4Addr, u8)> {
    let destination = text.split_whitespace().next()?;
    let (address, length) = match destination.split_once('/') {
        Some((address, length)) => (address.parse::<Ipv4Addr>().ok()?, length.parse::<u8>().ok()?),
        None => {
            let address = destination.parse::<Ipv4Addr>().ok()?;
            let length = match address.octets()[0] {
                0..=127 => 8,
                128..=191 => 16,
                _ => 24,
            };
            (address, length)
        }
    };
    let host_bits = 32u32.checked_sub(u32::from(length))?;
    let mask = u32::MAX.checked_shl(host_bits).unwrap_or(0);
    (u32::from(address) & !mask == 0).then_some((address, length))
}

#[cfg(test)]
mod tests;
