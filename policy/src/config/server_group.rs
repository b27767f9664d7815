//! `[server-group.NAME]` and its hosts.

mod dynamic;
mod host;
mod kerberos;
mod ldap;
mod nt;
mod radius;
mod sdi;
mod tacacs;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tollgate_aaa::{AccountingMode, Reactivation, ServerType};
use tollgate_backends::Servers;
use tollgate_backends::ldap::AttributeMap;

pub use dynamic::DynamicAuthorizationConfig;

use super::section::Section;
use crate::tunnel_group::LOCAL_SERVER_GROUP;

/// A server group as written.
#[derive(Debug, Clone)]
pub struct ServerGroupConfig {
    /// `max-failed-attempts`, 1 to 5; default 3.
    pub max_failed_attempts: u32,
    /// `reactivation-mode` and `dead-time` (minutes, 0 to 1,440; default 10).
    pub reactivation: Reactivation,
    /// `accounting-mode`; default single.
    pub accounting_mode: AccountingMode,
    /// `interim-accounting-update` in minutes, 1 to 1,440; default none.
    pub interim_accounting_update: Option<Duration>,
    /// `dynamic-authorization`; RADIUS only.
    pub dynamic_authorization: Option<DynamicAuthorizationConfig>,
    /// `protocol`, and `[[server-group.NAME.host]]` in order.
    pub servers: Servers,
}

impl ServerGroupConfig {
    /// `protocol`
    pub fn protocol(&self) -> ServerType {
        self.servers.server_type()
    }
}

pub(crate) fn read(root: &mut Section<'_>) -> BTreeMap<String, ServerGroupConfig> {
    let maps = ldap::maps(root);
    let mut groups = BTreeMap::new();
    for (name, table) in root.named("server-group") {
        if let Some(group) = read_group(&name, table, &maps) {
            groups.insert(name, group);
        }
    }
    dynamic::check(root, &groups);
    groups
}

fn read_group(name: &str, mut table: Section<'_>, maps: &ldap::Maps) -> Option<ServerGroupConfig> {
    const PROTOCOLS: &str =
        "\"local\", \"radius\", \"tacacs+\", \"ldap\", \"nt\", \"kerberos\" or \"sdi\" in quotes";
    if name == LOCAL_SERVER_GROUP {
        table.error("", "is the name of the built-in group of local users", "choose another name");
    }
    let protocol: Option<ServerType> = if table.has("protocol") {
        table.parsed("protocol", PROTOCOLS)
    } else {
        table.error("protocol", "is missing", format!("write protocol = {PROTOCOLS}"));
        None
    };
    let max_failed_attempts = table.number("max-failed-attempts", 1..=5u32, 3);
    let mode: Option<String> = table.get("reactivation-mode", "\"depletion\" or \"timed\"");
    let has_dead_time = table.has("dead-time");
    let dead_minutes = table.number("dead-time", 0..=1440u32, 10);
    let reactivation = match mode.as_deref() {
        None | Some("depletion") => {
            Reactivation::Depletion { dead_time: Duration::from_secs(u64::from(dead_minutes) * 60) }
        }
        Some("timed") => {
            if has_dead_time {
                table.warn(
                    "dead-time",
                    "has no effect with reactivation-mode = \"timed\"",
                    "remove it, or use \"depletion\"",
                );
            }
            Reactivation::Timed
        }
        Some(_) => {
            table.error("reactivation-mode", "holds a string", "write \"depletion\" or \"timed\"");
            Reactivation::Timed
        }
    };
    let accounting: Option<String> = table.get("accounting-mode", "\"single\" or \"simultaneous\"");
    let accounting_mode = match accounting.as_deref() {
        None | Some("single") => AccountingMode::Single,
        Some("simultaneous") => AccountingMode::Simultaneous,
        Some(_) => {
            table.error("accounting-mode", "holds a string", "write \"single\" or \"simultaneous\"");
            AccountingMode::Single
        }
    };
    let interim: Option<u32> = table.optional_number("interim-accounting-update", 1..=1440);
    let servers = servers(name, &mut table, protocol?, maps);
    let dynamic_authorization = match &servers {
        Servers::Radius(hosts) => dynamic::read(&mut table, hosts),
        _ => None,
    };
    table.finish();
    Some(ServerGroupConfig {
        max_failed_attempts,
        reactivation,
        accounting_mode,
        interim_accounting_update: interim.map(|minutes| Duration::from_secs(u64::from(minutes) * 60)),
        dynamic_authorization,
        servers,
    })
}

/// The hosts of a group, each kind of server by its own words.
fn servers(group: &str, table: &mut Section<'_>, protocol: ServerType, maps: &ldap::Maps) -> Servers {
    let hosts = table.tables("host");
    if protocol == ServerType::Local {
        if !hosts.is_empty() {
            table.error("host", "has no meaning for local users", "remove it");
        }
        return Servers::Local;
    }
    if hosts.is_empty() {
        let keys = match protocol {
            ServerType::Radius | ServerType::TacacsPlus => "address and key",
            ServerType::Sdi => "url and client-key",
            _ => "address",
        };
        table.error("host", "is missing", format!("add [[server-group.{group}.host]] with {keys}"));
    }
    match protocol {
        ServerType::Radius => Servers::Radius(hosts.into_iter().map(radius::host).collect()),
        ServerType::Ldap => {
            let map = attribute_map(table, maps);
            Servers::Ldap(hosts.into_iter().map(|host| ldap::host(host, Arc::clone(&map))).collect())
        }
        ServerType::TacacsPlus => Servers::TacacsPlus(hosts.into_iter().map(tacacs::host).collect()),
        ServerType::Sdi => Servers::Sdi(hosts.into_iter().map(sdi::host).collect()),
        ServerType::Nt => Servers::Nt(hosts.into_iter().map(nt::host).collect()),
        ServerType::Kerberos => {
            let group = kerberos::group(table);
            Servers::Kerberos(hosts.into_iter().map(|host| kerberos::host(host, &group)).collect())
        }
        ServerType::Local => Servers::Local,
    }
}

/// `ldap-attribute-map`: the name of a map.
fn attribute_map(table: &mut Section<'_>, maps: &ldap::Maps) -> Arc<AttributeMap> {
    const KEY: &str = "ldap-attribute-map";
    let Some(name) = table.get::<String>(KEY, "the name of a map in quotes") else { return Arc::default() };
    maps.get(&name).cloned().unwrap_or_else(|| {
        table.error(
            KEY,
            format!("names {name}, which is not configured"),
            format!("add [ldap-attribute-map.{name}]"),
        );
        Arc::default()
    })
}
