//! The model of `tollgate.toml` and the one way to read it.
//!
//! Every table is read key by key; whatever is wrong is collected with file, line, key and fix, and told all at once.
//! A configuration that comes out of [`load`] holds together: every name that it uses is configured, every number is
//! in range, and every tunnel group can serve at least one authentication method.

mod groups;
mod ipsec;
mod problem;
mod section;
mod server_group;
mod source;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tollgate_aaa::Secret;
use tollgate_aaa::username::GroupDelimiter;

use crate::filter::AccessList;
use crate::group_policy::GroupPolicy;
use crate::pool::{AddressRange, PoolSettings};
use crate::tunnel_group::TunnelGroup;

pub use ipsec::{
    CertificateConfig, CertificateField, CertificateMap, CertificateRule, Comparison, DeadPeerDetection,
    Identity, IkePolicy, IpsecConfig, LegacyClient, NameAttribute, TransformSet, TunnelGroupSource,
};
pub use problem::{Problem, Problems, Severity};
pub use server_group::{DynamicAuthorizationConfig, ServerGroupConfig};

use section::{Reading, Section};
use source::Source;

/// A configuration that holds together.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file it was read from.
    pub file: PathBuf,
    /// `[lns]`
    pub lns: LnsConfig,
    /// `[ipsec]`
    pub ipsec: IpsecConfig,
    /// `[admin]`
    pub admin: AdminConfig,
    /// `[local]`
    pub local: Option<LocalConfig>,
    /// `[pool.NAME]`
    pub pools: BTreeMap<String, PoolSettings>,
    /// `[server-group.NAME]`
    pub server_groups: BTreeMap<String, ServerGroupConfig>,
    /// `[group-policy.NAME]`
    pub group_policies: BTreeMap<String, GroupPolicy>,
    /// `[tunnel-group.NAME]`
    pub tunnel_groups: BTreeMap<String, TunnelGroup>,
    /// `[access-list.NAME]`
    pub access_lists: BTreeMap<String, Arc<AccessList>>,
    /// What the configuration weakens: warnings only.
    pub warnings: Problems,
}

/// `[lns]`: the L2TP and PPP side.
#[derive(Debug, Clone)]
pub struct LnsConfig {
    /// `hostname`: Host Name AVP, CHAP's Name, NAS-Identifier; default `tollgate`.
    pub hostname: String,
    /// `require-ipsec`; default true.
    pub require_ipsec: bool,
    /// `l2tp-listen`; default 0.0.0.0:1701.
    pub l2tp_listen: SocketAddr,
    /// `tun-name`, at most 15 octets; default `tollgate0`.
    pub tun_name: String,
    /// `l2tp-tunnel-password`: tunnel authentication; default none.
    pub l2tp_tunnel_password: Option<Secret>,
    /// `hide-avps`: send AVPs hidden where there is a tunnel password; default false.
    pub hide_avps: bool,
    /// `tunnel-hello` in seconds, 10 to 300; default 60.
    pub tunnel_hello: Duration,
    /// `group-delimiter`; default none.
    pub group_delimiter: Option<GroupDelimiter>,
    /// `max-sessions`, 1 to 1,048,576; default 65,536.
    pub max_sessions: usize,
    /// `mtu` of the inner side, 576 to 1,500 octets; default 1,400.
    pub mtu: u16,
    /// `inner-address`: the server's end of every PPP link and the address of the TUN device. Default: the first host
    /// address of the first pool's network that no pool holds.
    pub inner_address: Ipv4Addr,
    /// `client-to-client`: forwarding between clients; default false.
    pub client_to_client: bool,
    /// `shards`, 1 to 64; default: one for every two processors.
    pub shards: Option<usize>,
    /// `ppp-echo-interval` in seconds, 5 to 3,600; default 30.
    pub echo_interval: Duration,
    /// `ppp-echo-misses`, 1 to 20; default 4.
    pub echo_misses: u32,
    /// `ignore-unknown-vendor-avps`: go on where RFC 2661 would end the call; default false.
    pub ignore_unknown_vendor_avps: bool,
    /// `require-sequencing`: ask clients to number their data packets; default false.
    pub require_sequencing: bool,
}

/// `[admin]`: where `tollgate show` and `tollgate disconnect` ask.
#[derive(Debug, Clone)]
pub struct AdminConfig {
    /// `socket`; default `/run/tollgate/admin.sock`.
    pub socket: PathBuf,
}

/// `[local]`: the user file.
#[derive(Debug, Clone)]
pub struct LocalConfig {
    /// `users`, relative to the configuration file; default `users.toml`.
    pub users: PathBuf,
    /// `lockout-attempts`, 0 (off) to 100; default 5.
    pub lockout_attempts: u32,
    /// `lockout-time` in minutes, 1 to 1,440; default 10.
    pub lockout_time: Duration,
}

/// Reads and checks a configuration file; `overrides` are the `--set` of the command line.
pub fn load(file: &Path, overrides: &[String]) -> Result<Config, Problems> {
    check(Source::read(file)?.with_overrides(overrides)?)
}

/// Checks a configuration whose text is already in memory; `file` is the name in messages and the base of paths.
pub fn parse(file: &Path, text: &str) -> Result<Config, Problems> {
    check(Source::parse(file, text)?)
}

fn check(mut source: Source) -> Result<Config, Problems> {
    let file = source.file.clone();
    let values = source.take_values();
    let reading = Reading::new(source);
    let mut root = Section::new(&reading, "", values);

    let pools = pools(&mut root);
    let access_lists = access_lists(&mut root);
    let local = local(&mut root);
    let server_groups = server_group::read(&mut root);
    let group_policies = groups::policies(&mut root, &pools, &access_lists);
    let lns = lns(&mut root, &pools);
    let ipsec = ipsec::read(&mut root);
    let names = groups::Names {
        pools: &pools,
        server_groups: &server_groups,
        group_policies: &group_policies,
        has_local: local.is_some(),
        lns: &lns,
        ipsec: &ipsec,
    };
    let tunnel_groups = groups::tunnel_groups(&mut root, &names);
    let admin = admin(&mut root);
    root.finish();

    let problems = reading.into_problems();
    if problems.is_fatal() {
        return Err(problems);
    }
    Ok(Config {
        file,
        lns,
        ipsec,
        admin,
        local,
        pools,
        server_groups,
        group_policies,
        tunnel_groups,
        access_lists,
        warnings: problems,
    })
}

fn lns(root: &mut Section<'_>, pools: &BTreeMap<String, PoolSettings>) -> LnsConfig {
    let mut table = root.section("lns").unwrap_or_else(|| root.empty("lns"));
    let hostname: String =
        table.get("hostname", "a host name in quotes").unwrap_or_else(|| "tollgate".to_owned());
    if hostname.is_empty() || hostname.len() > 255 {
        table.error("hostname", "is empty or longer than 255 octets", "write the server's host name");
    } else if hostname.contains(char::is_control) {
        table.error("hostname", "holds a control character", "write the server's host name");
    }
    let require_ipsec = table.flag("require-ipsec", true);
    if !require_ipsec {
        table.warn(
            "require-ipsec",
            "plain L2TP is accepted: passwords and traffic of its sessions can be read on the way",
            "keep it to networks that you trust, or remove the line",
        );
    }
    let l2tp_listen = table
        .parsed("l2tp-listen", "an address and port such as \"0.0.0.0:1701\"")
        .unwrap_or_else(|| SocketAddr::from((Ipv4Addr::UNSPECIFIED, 1701)));
    let tun_name: String =
        table.get("tun-name", "a device name in quotes").unwrap_or_else(|| "tollgate0".to_owned());
    // The kernel takes more, but `%d` would make another name of it, and `.` and `..` are none.
    let is_fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if tun_name.len() > 15 || !tun_name.chars().all(is_fit) || tun_name.chars().all(|c| c == '.') {
        table.error("tun-name", "is not a device name", "write 1 to 15 letters, digits or dashes");
    }
    let inner_address = table.parsed("inner-address", "an IPv4 address in quotes");
    if let Some(address) = inner_address
        && AddressRange::of(address).has_unusable()
    {
        table.error("inner-address", format!("{address} is no host's address"), "choose another address");
    }
    if let Some(address) = inner_address
        && let Some((name, _)) =
            pools.iter().find(|(_, pool)| pool.range.first == address && pool.range.size() == 1)
    {
        table.error("inner-address", format!("is all that pool {name} holds"), "choose another address");
    }
    let echo_seconds = table.number("ppp-echo-interval", 5..=3600u32, 30);
    let config = LnsConfig {
        hostname,
        require_ipsec,
        l2tp_listen,
        tun_name,
        l2tp_tunnel_password: table.secret("l2tp-tunnel-password"),
        hide_avps: table.flag("hide-avps", false),
        tunnel_hello: Duration::from_secs(table.number("tunnel-hello", 10..=300u32, 60).into()),
        group_delimiter: table.parsed("group-delimiter", "\"#\", \"!\" or \"@\""),
        max_sessions: table.number("max-sessions", 1..=1_048_576u32, 65_536) as usize,
        mtu: table.number("mtu", 576..=1500u16, 1400),
        inner_address: inner_address.unwrap_or_else(|| default_inner_address(pools)),
        client_to_client: table.flag("client-to-client", false),
        shards: table.optional_number("shards", 1..=64u32).map(|shards| shards as usize),
        echo_interval: Duration::from_secs(echo_seconds.into()),
        echo_misses: table.number("ppp-echo-misses", 1..=20u32, 4),
        ignore_unknown_vendor_avps: table.flag("ignore-unknown-vendor-avps", false),
        require_sequencing: table.flag("require-sequencing", false),
    };
    if config.hide_avps && config.l2tp_tunnel_password.is_none() {
        table.error(
            "hide-avps",
            "needs l2tp-tunnel-password: AVPs are hidden with it",
            "set l2tp-tunnel-password or remove hide-avps",
        );
    }
    table.finish();
    config
}

/// The first host address of the first pool's network that no pool holds, so that clients see a neighbour.
fn default_inner_address(pools: &BTreeMap<String, PoolSettings>) -> Ipv4Addr {
    let free = |address: &Ipv4Addr| !pools.values().any(|pool| pool.range.contains(*address));
    let neighbour = pools.values().next().and_then(|pool| {
        let mask = u32::from(pool.mask);
        let network = u32::from(pool.range.first) & mask;
        let hosts = (!mask).saturating_sub(1);
        (1..=hosts.min(65_536)).map(|host| Ipv4Addr::from(network + host)).find(free)
    });
    // Link-local (RFC 3927): on a point-to-point link any address will do.
    neighbour.unwrap_or(Ipv4Addr::new(169, 254, 254, 254))
}

fn admin(root: &mut Section<'_>) -> AdminConfig {
    let mut table = root.section("admin").unwrap_or_else(|| root.empty("admin"));
    let socket: Option<String> = table.get("socket", "a path in quotes");
    let socket = table.relative(socket.as_deref().unwrap_or("/run/tollgate/admin.sock"));
    if socket.as_os_str().len() > 100 {
        table.error("socket", "is longer than the 100 octets of a socket's path", "choose a shorter path");
    }
    table.finish();
    AdminConfig { socket }
}

fn local(root: &mut Section<'_>) -> Option<LocalConfig> {
    if !root.has("local") {
        return None;
    }
    let mut table = root.section("local")?;
    let users: String = table.get("users", "a path in quotes").unwrap_or_else(|| "users.toml".to_owned());
    let lockout_minutes = table.number("lockout-time", 1..=1440u32, 10);
    let config = LocalConfig {
        users: table.relative(&users),
        lockout_attempts: table.number("lockout-attempts", 0..=100u32, 5),
        lockout_time: Duration::from_secs(u64::from(lockout_minutes) * 60),
    };
    table.finish();
    Some(config)
}

fn pools(root: &mut Section<'_>) -> BTreeMap<String, PoolSettings> {
    let mut pools: BTreeMap<String, PoolSettings> = BTreeMap::new();
    for (name, mut table) in root.named("pool") {
        let range: Option<AddressRange> = if table.has("range") {
            table.parsed("range", "a range such as \"10.4.5.10-10.4.5.250\"")
        } else {
            table.error("range", "is missing", "write range = \"FIRST-LAST\"");
            None
        };
        let mask: Option<Ipv4Addr> = table.parsed("mask", "a mask such as \"255.255.255.0\"");
        let mask = mask.unwrap_or(Ipv4Addr::BROADCAST);
        if u32::from(mask).leading_ones() + u32::from(mask).trailing_zeros().min(32) < 32 {
            table.error("mask", format!("{mask} has holes"), "write a mask such as \"255.255.255.0\"");
        }
        if let Some(range) = range {
            for (other, settings) in &pools {
                if settings.range.contains(range.first) || range.contains(settings.range.first) {
                    table.error(
                        "range",
                        format!("overlaps pool {other}"),
                        "give each pool its own addresses",
                    );
                }
            }
            if range.has_unusable() {
                table.error(
                    "range",
                    "holds addresses that no host can have (0.0.0.0/8, 127.0.0.0/8, or 224.0.0.0 and above)",
                    "choose a range of unicast addresses",
                );
            }
            if range.size() > 1 << 24 {
                table.error("range", "holds more than 16,777,216 addresses", "choose a smaller range");
            }
            pools.insert(name, PoolSettings { range, mask });
        }
        table.finish();
    }
    pools
}

fn access_lists(root: &mut Section<'_>) -> BTreeMap<String, Arc<AccessList>> {
    let mut lists = BTreeMap::new();
    for (name, mut table) in root.named("access-list") {
        let rules: Vec<String> =
            table.get("rules", "a list of rules such as [\"permit ip any any\"]").unwrap_or_default();
        match AccessList::parse(&rules) {
            Ok(list) => {
                lists.insert(name, Arc::new(list));
            }
            Err((rule, what)) => table.error(
                &format!("rules.{rule}"),
                format!("the rule {what}"),
                "write permit|deny PROTOCOL SOURCE DESTINATION, for example \"permit tcp any 10.0.0.0/8 eq 443\"",
            ),
        }
        table.finish();
    }
    lists
}

#[cfg(test)]
mod tests;
