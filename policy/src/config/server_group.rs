//! `[server-group.NAME]` and its hosts.

use std::collections::BTreeMap;
use std::time::Duration;

use tollgate_aaa::{AccountingMode, Reactivation, Secret, ServerType};

use super::section::Section;
use crate::tunnel_group::LOCAL_SERVER_GROUP;

/// A server group as written.
#[derive(Debug, Clone)]
pub struct ServerGroupConfig {
    /// `protocol`
    pub protocol: ServerType,
    /// `max-failed-attempts`, 1 to 5; default 3.
    pub max_failed_attempts: u32,
    /// `reactivation-mode` and `dead-time` (minutes, 0 to 1,440; default 10).
    pub reactivation: Reactivation,
    /// `accounting-mode`; default single.
    pub accounting_mode: AccountingMode,
    /// `interim-accounting-update` in minutes, 1 to 1,440; default none.
    pub interim_accounting_update: Option<Duration>,
    /// `[[server-group.NAME.host]]`, in order.
    pub hosts: Vec<HostConfig>,
}

/// One RADIUS server.
#[derive(Debug, Clone)]
pub struct HostConfig {
    /// `address`: an IP address or a host name.
    pub address: String,
    /// `key`
    pub key: Secret,
    /// `authentication-port`; default 1812.
    pub authentication_port: u16,
    /// `accounting-port`; default 1813.
    pub accounting_port: u16,
    /// `timeout` in seconds in all, 1 to 300; default 10.
    pub timeout: Duration,
    /// `retry-interval` in seconds, 1 to 60; default 2.
    pub retry_interval: Duration,
    /// `require-message-authenticator`; default true.
    pub require_message_authenticator: bool,
}

pub(crate) fn read(root: &mut Section<'_>) -> BTreeMap<String, ServerGroupConfig> {
    let mut groups = BTreeMap::new();
    for (name, table) in root.named("server-group") {
        if let Some(group) = read_group(&name, table) {
            groups.insert(name, group);
        }
    }
    groups
}

fn read_group(name: &str, mut table: Section<'_>) -> Option<ServerGroupConfig> {
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
    let host_tables = table.tables("host");
    let hosts = match protocol {
        Some(ServerType::Radius) => {
            if host_tables.is_empty() {
                table.error(
                    "host",
                    "is missing",
                    format!("add [[server-group.{name}.host]] with address and key"),
                );
            }
            host_tables.into_iter().filter_map(radius_host).collect()
        }
        Some(ServerType::Local) => {
            if !host_tables.is_empty() {
                table.error("host", "has no meaning for local users", "remove it");
            }
            Vec::new()
        }
        Some(later) => {
            table.error(
                "protocol",
                format!("{later} is not served by this release"),
                "use protocol = \"radius\" or \"local\"",
            );
            return None;
        }
        None => return None,
    };
    table.finish();
    Some(ServerGroupConfig {
        protocol: protocol?,
        max_failed_attempts,
        reactivation,
        accounting_mode,
        interim_accounting_update: interim.map(|minutes| Duration::from_secs(u64::from(minutes) * 60)),
        hosts,
    })
}

fn radius_host(mut table: Section<'_>) -> Option<HostConfig> {
    let address: Option<String> = table.get("address", "an IP address or host name in quotes");
    if address.as_deref().is_none_or(str::is_empty) {
        table.error("address", "is missing", "write address = \"192.0.2.10\"");
    }
    let key = if table.has("key") {
        table.secret("key")
    } else {
        table.error(
            "key",
            "is missing",
            "write key = { file = \"radius.key\" }, the secret shared with the server",
        );
        None
    };
    let timeout = table.number("timeout", 1..=300u32, 10);
    let retry = table.number("retry-interval", 1..=60u32, timeout.min(2));
    if retry > timeout {
        table.error(
            "retry-interval",
            format!("{retry} s is longer than timeout ({timeout} s)"),
            "make it at most timeout",
        );
    }
    let require_message_authenticator = table.flag("require-message-authenticator", true);
    if !require_message_authenticator {
        table.warn(
            "require-message-authenticator",
            "answers without Message-Authenticator are believed: who can change packets on the way can forge an \
             Access-Accept (CVE-2024-3596)",
            "update the RADIUS server and remove the line",
        );
    }
    let host = HostConfig {
        authentication_port: table.number("authentication-port", 1..=65_535u16, 1812),
        accounting_port: table.number("accounting-port", 1..=65_535u16, 1813),
        timeout: Duration::from_secs(timeout.into()),
        retry_interval: Duration::from_secs(retry.into()),
        require_message_authenticator,
        address: address.unwrap_or_default(),
        key: key.unwrap_or_default(),
    };
    table.finish();
    Some(host)
}
