//! `dynamic-authorization` of a RADIUS group: who may end sessions or change what they may do (RFC 5176).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tollgate_backends::radius::RadiusSettings;
use tollgate_backends::radius::dynamic::DynamicClient;

use super::super::section::Section;
use super::{ServerGroupConfig, host};

const KEY: &str = "dynamic-authorization";
const PORT: u16 = 3799;

/// Where requests come in, and from whom.
#[derive(Debug, Clone)]
pub struct DynamicAuthorizationConfig {
    /// `address` and `port`; default 0.0.0.0:3799. Several groups may share them.
    pub listen: SocketAddr,
    /// `clients`; without the key, the hosts of the group.
    pub clients: Vec<DynamicClient>,
}

pub(super) fn read(group: &mut Section<'_>, hosts: &[RadiusSettings]) -> Option<DynamicAuthorizationConfig> {
    let mut table = group.section(KEY)?;
    let address = table.parsed("address", "an IP address of this machine in quotes");
    let address = address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let listen = SocketAddr::new(address, table.number("port", 1..=65_535u16, PORT));
    let clients = match table.has("clients") {
        true => {
            let clients = table.tables("clients");
            if clients.is_empty() {
                table.error(
                    "clients",
                    "is empty: nobody may ask",
                    "name somebody, or remove dynamic-authorization",
                );
            }
            clients.into_iter().filter_map(client).collect()
        }
        false => hosts.iter().filter_map(|host| host_as_client(&mut table, host)).collect(),
    };
    table.finish();
    Some(DynamicAuthorizationConfig { listen, clients })
}

fn client(mut table: Section<'_>) -> Option<DynamicClient> {
    let written = host::address(&mut table);
    // As it is known when it asks, so that one client has one name.
    let address = written.parse::<IpAddr>().map(|address| address.to_canonical());
    if address.is_err() && !written.is_empty() {
        table.error("address", "is no IP address", "write the address that its requests come from");
    }
    let key = host::required_secret(
        &mut table,
        "key",
        "{ file = \"coa.key\" }, the secret shared with this client",
    );
    let require_message_authenticator = table.flag("require-message-authenticator", true);
    if !require_message_authenticator {
        table.warn(
            "require-message-authenticator",
            "requests without Message-Authenticator are believed",
            "let the client send Message-Authenticator, and remove the line",
        );
    }
    let require_event_timestamp = table.flag("require-event-timestamp", true);
    if !require_event_timestamp {
        table.warn(
            "require-event-timestamp",
            "requests without Event-Timestamp are believed: who has recorded one can send it again after ten minutes",
            "let the client send Event-Timestamp, and remove the line",
        );
    }
    table.finish();
    let address = address.ok()?;
    Some(DynamicClient { address, key, require_message_authenticator, require_event_timestamp })
}

fn host_as_client(table: &mut Section<'_>, host: &RadiusSettings) -> Option<DynamicClient> {
    let address = host.address.parse::<IpAddr>().ok().map(|address| address.to_canonical());
    if address.is_none() || host.key.is_empty() {
        table.error(
            "clients",
            format!("is missing, and the host {} has no IP address and key to know it by", host.address),
            "write clients = [{ address = \"192.0.2.10\", key = { file = \"coa.key\" } }]",
        );
    }
    Some(DynamicClient::new(address?, host.key.clone()))
}

/// Groups that listen at the same place share their clients: each must have one key there.
pub(super) fn check(root: &mut Section<'_>, groups: &BTreeMap<String, ServerGroupConfig>) {
    let mut seen: Vec<(SocketAddr, &DynamicClient, &str)> = Vec::new();
    for (name, group) in groups {
        let Some(dynamic) = &group.dynamic_authorization else { continue };
        for client in &dynamic.clients {
            let same = |(listen, other, _): &&(SocketAddr, &DynamicClient, &str)| {
                *listen == dynamic.listen && other.address == client.address
            };
            match seen.iter().find(same) {
                None => seen.push((dynamic.listen, client, name)),
                Some((_, other, _)) if *other == client => {}
                Some((_, _, first)) => root.error(
                    &format!("server-group.{name}.{KEY}"),
                    format!(
                        "knows {} otherwise than server-group.{first} does at the same port",
                        client.address
                    ),
                    "give both the same key and the same rules, or different ports",
                ),
            }
        }
    }
}
