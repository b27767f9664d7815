//! `[group-policy.NAME]` and `[tunnel-group.NAME]`.

mod proof;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tollgate_aaa::{AuthMethod, Secret, ServerType, matrix};

use super::ipsec::{self, IpsecConfig};
use super::section::Section;
use super::server_group::ServerGroupConfig;
use super::{LnsConfig, PoolSettings};
use crate::filter::AccessList;
use crate::group_policy::{DEFAULT_GROUP_POLICY, GroupPolicy, Limit};
use crate::session::NO_FILTER;
use crate::tunnel_group::{DEFAULT_TUNNEL_GROUP, LOCAL_SERVER_GROUP, TunnelGroup};

/// Longest timeout of the old system, kept so that its configurations load: 35,791,394 minutes.
const LONGEST_TIMEOUT: i64 = 35_791_394;

/// The key of a tunnel group that holds the secrets of IKE.
const PRE_SHARED_KEY: &str = "pre-shared-key";
/// Most secrets of one tunnel group.
const MOST_KEYS: usize = 8;
/// How many keys a server tries for a caller in main mode, over all tunnel groups.
const MOST_KEYS_OF_ALL: usize = tollgate_ipsec::MOST_KEYS;
/// Longest secret in octets, as in the old system.
const LONGEST_KEY: usize = 128;

/// Everything that a tunnel group may name.
pub(crate) struct Names<'a> {
    pub(crate) pools: &'a BTreeMap<String, PoolSettings>,
    pub(crate) server_groups: &'a BTreeMap<String, ServerGroupConfig>,
    pub(crate) group_policies: &'a BTreeMap<String, GroupPolicy>,
    pub(crate) has_local: bool,
    pub(crate) lns: &'a LnsConfig,
    pub(crate) ipsec: &'a IpsecConfig,
}

pub(crate) fn policies(
    root: &mut Section<'_>,
    pools: &BTreeMap<String, PoolSettings>,
    access_lists: &BTreeMap<String, Arc<AccessList>>,
) -> BTreeMap<String, GroupPolicy> {
    let mut policies = BTreeMap::new();
    for (name, mut table) in root.named("group-policy") {
        let filter: Option<String> = table.get("vpn-filter", "the name of an access list in quotes");
        if let Some(list) =
            filter.as_ref().filter(|list| *list != NO_FILTER && !access_lists.contains_key(*list))
        {
            table.error(
                "vpn-filter",
                format!("names access list {list}, which is not configured"),
                format!("add [access-list.{list}]"),
            );
        }
        let policy = GroupPolicy {
            tunnel_protocols: table.list(
                "vpn-tunnel-protocol",
                "\"l2tp-ipsec\", \"ikev1\", \"ikev2\", \"ssl-client\" or \"ssl-clientless\"",
            ),
            dns_servers: servers(&mut table, "dns-server"),
            wins_servers: servers(&mut table, "wins-server"),
            idle_timeout: limit(&mut table, "vpn-idle-timeout"),
            session_timeout: limit(&mut table, "vpn-session-timeout"),
            simultaneous_logins: table.optional_number("vpn-simultaneous-logins", 0..=2_147_483_647u32),
            at_login_limit: table.parsed("at-login-limit", "\"replace\" or \"refuse\""),
            address_pools: pool_names(&mut table, pools),
            filter,
            encryption: table.parsed("ppp-encryption", "\"none\", \"allowed\" or \"required\""),
            encryption_bits: encryption_bits(&mut table),
            encryption_stateful: table.get("ppp-encryption-stateful", "true or false"),
        };
        table.finish();
        policies.insert(name, policy);
    }
    policies
}

fn servers(table: &mut Section<'_>, key: &'static str) -> Option<Vec<Ipv4Addr>> {
    let servers: Vec<Ipv4Addr> = table.list(key, "an IPv4 address in quotes")?;
    if servers.len() > 2 {
        table.error(key, format!("names {} servers", servers.len()), "name two at most: PPP carries no more");
    }
    Some(servers)
}

fn encryption_bits(table: &mut Section<'_>) -> Option<Vec<u8>> {
    const KEY: &str = "ppp-encryption-bits";
    const EXPECTED: &str = "a list of 40, 56 and 128";
    let bits: Vec<u8> = table.get(KEY, EXPECTED)?;
    if bits.is_empty() || bits.iter().any(|bits| !matches!(bits, 40 | 56 | 128)) {
        table.error(KEY, "names a key length that MPPE does not have", format!("write {EXPECTED}"));
    } else if bits.iter().any(|bits| *bits < 128) {
        table.warn(
            KEY,
            "keys of 40 and 56 bits can be guessed",
            "keep 128 alone unless a client has no more",
        );
    }
    Some(bits)
}

fn limit(table: &mut Section<'_>, key: &'static str) -> Option<Limit> {
    /// Minutes or a word.
    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    enum Written {
        Minutes(i64),
        Word(String),
    }
    let expected = format!("minutes from 1 to {LONGEST_TIMEOUT}, or \"none\"");
    match table.get(key, &expected)? {
        Written::Minutes(minutes @ 1..=LONGEST_TIMEOUT) => {
            Some(Limit::After(Duration::from_secs(minutes.unsigned_abs() * 60)))
        }
        Written::Word(word) if word == "none" => Some(Limit::None),
        Written::Minutes(minutes) => {
            table.error(key, format!("{minutes} is out of range"), format!("write {expected}"));
            None
        }
        Written::Word(_) => {
            table.error(key, "holds a string", format!("write {expected}"));
            None
        }
    }
}

fn pool_names(table: &mut Section<'_>, pools: &BTreeMap<String, PoolSettings>) -> Option<Vec<String>> {
    let names: Vec<String> = table.get("address-pool", "a list of pool names: [\"NAME\"]")?;
    for name in names.iter().filter(|name| !pools.contains_key(*name) && !table.is_declared("pool", name)) {
        table.error(
            "address-pool",
            format!("names pool {name}, which is not configured"),
            format!("add [pool.{name}] with a range"),
        );
    }
    Some(names)
}

pub(crate) fn tunnel_groups(root: &mut Section<'_>, names: &Names<'_>) -> BTreeMap<String, TunnelGroup> {
    let mut groups = BTreeMap::new();
    let mut has_key = false;
    for (name, table) in root.named("tunnel-group") {
        has_key |= table.was_given(PRE_SHARED_KEY);
        groups.insert(name.clone(), tunnel_group(table, names));
    }
    check_number_of_keys(root, &groups);
    if !groups.contains_key(DEFAULT_TUNNEL_GROUP) {
        root.error(
            &format!("tunnel-group.{DEFAULT_TUNNEL_GROUP}"),
            "is missing: every caller arrives there unless something places it elsewhere",
            format!(
                "add [tunnel-group.{DEFAULT_TUNNEL_GROUP}] with address-pool and authentication-server-group"
            ),
        );
    } else if names.lns.require_ipsec {
        ipsec::check_reachable(root, names.ipsec, has_key);
    }
    groups
}

/// A caller in main mode has not said which group it means: a key that is not tried lets nobody in.
fn check_number_of_keys(root: &Section<'_>, groups: &BTreeMap<String, TunnelGroup>) {
    let number: usize = groups.values().map(|group| group.pre_shared_keys.len()).sum();
    if number > MOST_KEYS_OF_ALL {
        root.error(
            "tunnel-group",
            format!("the groups name {number} pre-shared keys together"),
            format!("keep {MOST_KEYS_OF_ALL} at most: each of them is tried for every caller"),
        );
    }
}

/// The secrets of IKE, in the order in which they are tried.
fn pre_shared_keys(table: &mut Section<'_>) -> Vec<Secret> {
    let keys = table.secrets(PRE_SHARED_KEY);
    if keys.len() > MOST_KEYS {
        table.error(
            PRE_SHARED_KEY,
            format!("names {} keys", keys.len()),
            format!("keep {MOST_KEYS} at most: each of them is tried for every caller"),
        );
    }
    for (key, secret) in &keys {
        if secret.len() > LONGEST_KEY {
            table.error(
                key,
                format!("is longer than {LONGEST_KEY} octets"),
                "choose a shorter key: 32 random characters are more than can be guessed",
            );
        }
    }
    keys.into_iter().map(|(_, secret)| secret).collect()
}

fn tunnel_group(mut table: Section<'_>, names: &Names<'_>) -> TunnelGroup {
    let pre_shared_keys = pre_shared_keys(&mut table);
    let address_pools = pool_names(&mut table, names.pools).unwrap_or_default();
    let default_group_policy: String = table
        .get("default-group-policy", "the name of a group policy in quotes")
        .unwrap_or_else(|| DEFAULT_GROUP_POLICY.to_owned());
    if default_group_policy != DEFAULT_GROUP_POLICY
        && !names.group_policies.contains_key(&default_group_policy)
    {
        table.error(
            "default-group-policy",
            format!("names group policy {default_group_policy}, which is not configured"),
            format!("add [group-policy.{default_group_policy}]"),
        );
    }
    let authentication_server_group: String = table
        .get("authentication-server-group", "the name of a server group in quotes")
        .unwrap_or_else(|| LOCAL_SERVER_GROUP.to_owned());
    let server_type = server_type(&table, "authentication-server-group", &authentication_server_group, names);
    let local_fallback = table.flag("local-fallback", false);
    if local_fallback && !names.has_local {
        table.error(
            "local-fallback",
            "has no user file to fall back to",
            "add [local] with users = \"users.toml\"",
        );
    }
    let secondary_authentication_server_group = server_group_of(
        &mut table,
        "secondary-authentication-server-group",
        names,
        |server_type| {
            matrix::allows(server_type, AuthMethod::Pap)
                || matrix::allows(server_type, AuthMethod::SdiPasscode)
        },
        "cannot check a code",
        "name a group that serves PAP or passcodes, such as radius or sdi",
    );
    let secondary_authentication_separator = separator(&mut table);
    let authorization_server_group = server_group_of(
        &mut table,
        "authorization-server-group",
        names,
        |server_type| matches!(server_type, ServerType::Radius | ServerType::TacacsPlus | ServerType::Ldap),
        "says nothing about users whom it has not authenticated",
        "name a radius, tacacs+ or ldap group",
    );
    let accounting_server_group = server_group_of(
        &mut table,
        "accounting-server-group",
        names,
        |server_type| matches!(server_type, ServerType::Radius | ServerType::TacacsPlus),
        "takes no accounting records",
        "name a radius or tacacs+ group",
    );
    let strip_realm = table.flag("strip-realm", false);
    let strip_group = table.flag("strip-group", false);
    let strip_domain = table.flag("strip-domain", false);
    if strip_group && names.lns.group_delimiter.is_none() {
        table.warn(
            "strip-group",
            "has no effect while lns.group-delimiter is not set",
            "set group-delimiter = \"#\" in [lns]",
        );
    }
    let ppp_authentication =
        proof::methods(&mut table, &authentication_server_group, server_type, local_fallback, names);
    let password_management = proof::password_management(
        &mut table,
        &authentication_server_group,
        server_type,
        &ppp_authentication,
    );
    if ppp_authentication.contains(&AuthMethod::MsChapV2)
        && server_type == Some(ServerType::Radius)
        && (strip_realm || strip_group)
    {
        table.warn(
            if strip_realm { "strip-realm" } else { "strip-group" },
            "changes the name that an MS-CHAPv2 response is computed with: a RADIUS server that checks the response \
             against the stripped name rejects users who type a realm or group",
            "use ms-chap-v1 or pap for them, or let the RADIUS server strip the name",
        );
    }
    table.finish();
    TunnelGroup {
        pre_shared_keys,
        address_pools,
        default_group_policy,
        authentication_server_group,
        local_fallback,
        secondary_authentication_server_group,
        secondary_authentication_separator,
        authorization_server_group,
        accounting_server_group,
        ppp_authentication,
        strip_realm,
        strip_group,
        strip_domain,
        password_management,
    }
}

/// A server group that does something besides authentication, if it can.
fn server_group_of(
    table: &mut Section<'_>,
    key: &'static str,
    names: &Names<'_>,
    can: impl Fn(ServerType) -> bool,
    cannot: &str,
    fix: &str,
) -> Option<String> {
    let group: String = table.get(key, "the name of a server group in quotes")?;
    match server_type_of(&group, names) {
        Some(ServerType::Local) if !names.has_local => {
            table.error(
                key,
                "means local users, and there is no user file",
                "add [local] with users = \"users.toml\"",
            );
        }
        Some(server_type) if can(server_type) => {}
        Some(other) => table.error(key, format!("names {group}, and {other} {cannot}"), fix),
        None => unknown_server_group(table, key, &group),
    }
    Some(group)
}

fn separator(table: &mut Section<'_>) -> char {
    const KEY: &str = "secondary-authentication-separator";
    let Some(text) = table.get::<String>(KEY, "one character in quotes") else { return ',' };
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(separator), None) => separator,
        _ => {
            table.error(KEY, "is not one character", "write one that no code holds, such as \",\"");
            ','
        }
    }
}

fn server_type_of(group: &str, names: &Names<'_>) -> Option<ServerType> {
    match group {
        LOCAL_SERVER_GROUP => Some(ServerType::Local),
        _ => names.server_groups.get(group).map(ServerGroupConfig::protocol),
    }
}

fn server_type(table: &Section<'_>, key: &str, group: &str, names: &Names<'_>) -> Option<ServerType> {
    let server_type = server_type_of(group, names);
    match server_type {
        None => unknown_server_group(table, key, group),
        Some(ServerType::Local) if !names.has_local => {
            table.error(
                key,
                "means local users, and there is no user file",
                "add [local] with users = \"users.toml\"",
            );
        }
        Some(_) => {}
    }
    server_type
}

fn unknown_server_group(table: &Section<'_>, key: &str, group: &str) {
    // What is wrong with a group that stands in the file is told there.
    if table.is_declared("server-group", group) {
        return;
    }
    let fix = match key {
        "authentication-server-group" => {
            format!("add [server-group.{group}], or name LOCAL for the local users")
        }
        _ => format!("add [server-group.{group}], or remove the line"),
    };
    table.error(key, format!("names server group {group}, which is not configured"), fix);
}
