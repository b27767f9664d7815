//! `[ipsec]`: how phase 1 and phase 2 are negotiated, with whom, and what is asked of a peer. Settings alone: keys and
//! certificates are loaded where the server starts. `[tunnel-group.NAME]` holds the pre-shared keys.

mod certificate;
mod certificate_map;
mod legacy;
mod policy;
mod transform_set;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tollgate_ipsec::algorithm::{Authentication, Group, Mode};

use super::section::Section;
use crate::tunnel_group::DEFAULT_TUNNEL_GROUP;

pub use certificate::{CertificateConfig, Identity};
pub use certificate_map::{
    CertificateField, CertificateMap, CertificateRule, Comparison, NameAttribute, TunnelGroupSource,
};
pub use legacy::LegacyClient;
pub use policy::IkePolicy;
pub use transform_set::TransformSet;

/// `[ipsec]`; all defaults where the table is absent.
#[derive(Debug, Clone)]
pub struct IpsecConfig {
    /// `ike-listen`; default 0.0.0.0:500.
    pub ike_listen: SocketAddr,
    /// `nat-t-listen`; default 0.0.0.0:4500.
    pub nat_t_listen: SocketAddr,
    /// `esp`: raw IP protocol 50 for clients without a NAT; default true.
    pub esp: bool,
    /// `nat-traversal-keepalive` in seconds, 10 to 3,600; default 20.
    pub nat_traversal_keepalive: Duration,
    /// `dpd`; default 300 s of silence and then every 2 s, `None` for `false`.
    pub dpd: Option<DeadPeerDetection>,
    /// `legacy-clients`, in the order of the names; default none. What they need is in the policies and transform sets.
    pub legacy_clients: Vec<LegacyClient>,
    /// `aggressive-mode`; default false.
    pub aggressive_mode: bool,
    /// `max-half-open`, 1 to 1,048,576; default 10,000.
    pub max_half_open: usize,
    /// `max-half-open-per-source`, 1 to 1,048,576; default 100.
    pub max_half_open_per_source: usize,
    /// `replay-window` in packets, 64 to 4,096; default 1,024.
    pub replay_window: u32,
    /// `sa-lifetime` in seconds, 300 to 2,147,483,647; default 28,800.
    pub sa_lifetime: Duration,
    /// `sa-lifetime-kilobytes`; default 4,608,000, `None` for 0.
    pub sa_lifetime_kilobytes: Option<u32>,
    /// `pfs`: the group that phase 2 must use; `None`: a client that asks gets what it asks for.
    pub pfs: Option<Group>,
    /// `send-only-needed-vendor-ids`; default false.
    pub send_only_needed_vendor_ids: bool,
    /// `force-udp-encapsulation`; default false.
    pub force_udp_encapsulation: bool,
    /// `truncate-sha256`: HMAC-SHA2-256 with 96 bits in ESP; default false.
    pub truncate_sha256: bool,
    /// `tunnel-group-map`: what places a client that shows a certificate, tried in order; default rules, then ou.
    pub tunnel_group_map: Vec<TunnelGroupSource>,
    /// `[[ipsec.policy]]`, or the default list, and what the legacy clients need; by priority.
    pub policies: Vec<IkePolicy>,
    /// No `[[ipsec.policy]]` is written: the client's order decides, not the priorities.
    pub policies_are_default: bool,
    /// `[ipsec.transform-set.NAME]`, or the default ones, and what the legacy clients need.
    pub transform_sets: Vec<TransformSet>,
    /// `[ipsec.certificate]`
    pub certificate: Option<CertificateConfig>,
    /// `[[ipsec.certificate-map]]`, by sequence.
    pub certificate_maps: Vec<CertificateMap>,
}

/// `dpd`: when a silent peer is asked whether it is there (RFC 3706).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeadPeerDetection {
    /// `threshold` in seconds of silence, 10 to 3,600; default 300.
    pub threshold: Duration,
    /// `retry` in seconds between questions, 2 to 10; default 2.
    pub retry: Duration,
}

pub(crate) fn read(root: &mut Section<'_>) -> IpsecConfig {
    let tunnel_groups = root.names("tunnel-group");
    let mut table = root.section("ipsec").unwrap_or_else(|| root.empty("ipsec"));
    let certificate = certificate::read(&mut table);
    let legacy_clients = legacy::read(&mut table);
    let policies_are_default = !table.has("policy");
    let policies = policy::read(&mut table, certificate.is_some(), &legacy_clients);
    let transform_sets = transform_set::read(&mut table, &legacy_clients);
    let certificate_maps = certificate_map::read(&mut table, &tunnel_groups);
    let config = IpsecConfig {
        ike_listen: listen(&mut table, "ike-listen", 500),
        nat_t_listen: listen(&mut table, "nat-t-listen", 4500),
        esp: table.flag("esp", true),
        nat_traversal_keepalive: seconds(table.number("nat-traversal-keepalive", 10..=3600u32, 20)),
        dpd: dead_peer_detection(&mut table),
        aggressive_mode: table.flag("aggressive-mode", false),
        max_half_open: table.number("max-half-open", 1..=1_048_576u32, 10_000) as usize,
        max_half_open_per_source: table.number("max-half-open-per-source", 1..=1_048_576u32, 100) as usize,
        replay_window: table.number("replay-window", 64..=4096u32, 1024),
        sa_lifetime: sa_lifetime(&mut table),
        sa_lifetime_kilobytes: sa_lifetime_kilobytes(&mut table),
        pfs: pfs(&mut table),
        send_only_needed_vendor_ids: table.flag("send-only-needed-vendor-ids", false),
        force_udp_encapsulation: table.flag("force-udp-encapsulation", false),
        truncate_sha256: table.flag("truncate-sha256", false),
        tunnel_group_map: certificate_map::read_order(&mut table),
        legacy_clients,
        policies,
        policies_are_default,
        transform_sets,
        certificate,
        certificate_maps,
    };
    check(&table, &config);
    table.finish();
    config
}

fn listen(table: &mut Section<'_>, key: &'static str, port: u16) -> SocketAddr {
    table
        .parsed(key, &format!("an address and port such as \"0.0.0.0:{port}\""))
        .unwrap_or_else(|| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))
}

fn seconds(number: u32) -> Duration {
    Duration::from_secs(number.into())
}

fn dead_peer_detection(table: &mut Section<'_>) -> Option<DeadPeerDetection> {
    /// Seconds or a switch; a table is read as one.
    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    enum Written {
        Switch(bool),
        Threshold(i64),
    }
    const EXPECTED: &str = "false, seconds from 10 to 3600, or { threshold = 300, retry = 2 }";
    let default = DeadPeerDetection { threshold: seconds(300), retry: seconds(2) };
    if table.is_table("dpd") {
        let mut dpd = table.section("dpd")?;
        let read = DeadPeerDetection {
            threshold: seconds(dpd.number("threshold", 10..=3600u32, 300)),
            retry: seconds(dpd.number("retry", 2..=10u32, 2)),
        };
        dpd.finish();
        return Some(read);
    }
    match table.get("dpd", EXPECTED) {
        None | Some(Written::Switch(true)) => Some(default),
        Some(Written::Switch(false)) => None,
        Some(Written::Threshold(threshold @ 10..=3600)) => {
            Some(DeadPeerDetection { threshold: Duration::from_secs(threshold.unsigned_abs()), ..default })
        }
        Some(Written::Threshold(threshold)) => {
            table.error("dpd", format!("{threshold} is out of range"), format!("write {EXPECTED}"));
            Some(default)
        }
    }
}

fn sa_lifetime(table: &mut Section<'_>) -> Duration {
    const KEY: &str = "sa-lifetime";
    let lifetime = table.number(KEY, 0..=2_147_483_647u32, 28_800);
    if lifetime < 300 {
        table.error(
            KEY,
            format!(
                "{lifetime} s is shorter than the 300 s that Windows takes for it, so that both ends disagree"
            ),
            "write a whole number from 300 to 2147483647",
        );
    }
    seconds(lifetime)
}

fn sa_lifetime_kilobytes(table: &mut Section<'_>) -> Option<u32> {
    const KEY: &str = "sa-lifetime-kilobytes";
    let kilobytes = table.number(KEY, 0..=2_147_483_647u32, 4_608_000);
    if (1..1024).contains(&kilobytes) {
        table.error(
            KEY,
            format!("{kilobytes} kB is less than the 1024 that Windows takes"),
            "write a whole number from 1024 to 2147483647, or 0 for no limit",
        );
    }
    (kilobytes > 0).then_some(kilobytes)
}

fn pfs(table: &mut Section<'_>) -> Option<Group> {
    const KEY: &str = "pfs";
    let group = policy::group(table, KEY)?;
    if group.is_legacy() {
        table.error(
            KEY,
            format!("group {group} {}", legacy::price_of_group(group)),
            "write pfs = 14 or more",
        );
    }
    table.warn(
        KEY,
        "clients that do not offer a group in phase 2 are refused: Windows, macOS, iOS and Android do not",
        "remove the line: a client that asks for a group gets it",
    );
    Some(group)
}

/// What is sound by itself and does not fit together, and what weakens.
fn check(table: &Section<'_>, config: &IpsecConfig) {
    if config.ike_listen == config.nat_t_listen && config.ike_listen.port() != 0 {
        table.error(
            "nat-t-listen",
            "is the address and port of ike-listen",
            "give it a port of its own: 4500",
        );
    }
    if config.max_half_open_per_source > config.max_half_open {
        table.warn(
            "max-half-open-per-source",
            format!(
                "is more than max-half-open ({}), so that one source may use it up",
                config.max_half_open
            ),
            "write less",
        );
    }
    if config.aggressive_mode {
        table.warn(
            "aggressive-mode",
            "a pre-shared key can be guessed offline from one captured exchange, and identities are sent in clear",
            "remove the line unless clients with a group name need it, and choose long random keys",
        );
    }
    if config.truncate_sha256 {
        table.warn(
            "truncate-sha256",
            "clients that keep to RFC 4868 cannot read what is sent to them with sha256",
            "remove the line unless clients with Android 6 or 7 need it",
        );
    }
    if config.certificate.is_none() && !config.certificate_maps.is_empty() {
        table.warn(
            "certificate-map",
            "has no effect without [ipsec.certificate]: no client can show a certificate",
            "add [ipsec.certificate], or remove the maps",
        );
    }
    if !config.transform_sets.iter().any(|set| set.mode == Mode::Transport) {
        table.warn(
            "transform-set",
            "no set has mode = \"transport\": Windows, macOS, iOS and Android offer no other",
            "add a set with mode = \"transport\"",
        );
    }
}

/// With IPsec required, somebody must be able to prove who he is.
pub(crate) fn check_reachable(root: &Section<'_>, config: &IpsecConfig, has_key: bool) {
    let has_certificate = config.certificate.is_some();
    if !has_key && !has_certificate {
        root.error(
            &format!("tunnel-group.{DEFAULT_TUNNEL_GROUP}.pre-shared-key"),
            "is missing, and there is no [ipsec.certificate] either: with require-ipsec = true nobody could connect",
            "write pre-shared-key = { file = \"psk\" }, or add [ipsec.certificate]",
        );
        return;
    }
    let serves = |policy: &IkePolicy| match policy.authentication {
        Authentication::PreSharedKey => has_key,
        Authentication::RsaSignature => has_certificate,
    };
    // A policy of certificates without one has been told where it stands.
    let is_told =
        |policy: &IkePolicy| policy.authentication == Authentication::RsaSignature && !has_certificate;
    if !config.policies.is_empty()
        && !config.policies.iter().any(serves)
        && !config.policies.iter().any(is_told)
    {
        root.error(
            "ipsec.policy",
            "no policy fits the keys and certificates that are configured: nobody could connect",
            "add a policy with authentication = \"pre-share\" for keys, \"rsa-sig\" for certificates",
        );
    }
}

#[cfg(test)]
mod tests;
