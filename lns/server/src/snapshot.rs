//! A configuration made ready for use: the AAA router with its backends, and the PPP settings. A reload swaps the whole
//! for a new one; a login that is under way finishes with the one that it began with.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tollgate_aaa::{
    AccountingMode, AuthMethod, GroupSettings, Reactivation, Router, SecondFactor, ServerGroup, ServerType,
    TunnelGroupRoute,
};
use tollgate_backends::local::{LocalBackend, LocalSettings};
use tollgate_policy::Config;
use tollgate_policy::config::ServerGroupConfig;
use tollgate_policy::tunnel_group::{DEFAULT_TUNNEL_GROUP, LOCAL_SERVER_GROUP, TunnelGroup};
use tollgate_ppp::{AuthProtocol, ServerConfig};

/// A configuration in use.
pub(crate) struct Snapshot {
    pub(crate) config: Config,
    pub(crate) router: Router,
    /// PPP settings of each tunnel group, for the calls that arrive in it.
    arrivals: BTreeMap<String, Arc<ServerConfig>>,
    /// What the IPsec machines are told; `None` where nothing could authenticate a peer.
    pub(crate) ipsec: Option<tollgate_ipsec::Config>,
}

/// Why a configuration that holds together cannot be used on this machine.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SnapshotError {
    /// The user file.
    #[error("{0}")]
    Users(String),
    /// Certificates and keys.
    #[error("[ipsec.certificate]: {0}")]
    Ipsec(String),
    /// A server that is no longer, or not yet, usable as configured.
    #[error("server-group.{group}: {why}")]
    Server {
        /// Its group.
        group: String,
        /// What is wrong with it.
        why: String,
    },
}

impl Snapshot {
    /// Makes a configuration ready. `local` takes the place of the user file where given; servers that `old` has too
    /// keep their health.
    pub(crate) fn build(
        config: Config,
        local: Option<Arc<LocalBackend>>,
        old: Option<&Snapshot>,
        runtime: &tokio::runtime::Handle,
    ) -> Result<Self, SnapshotError> {
        let local = match (local, &config.local) {
            (Some(local), _) => Some(local),
            (None, Some(settings)) => Some(Arc::new(
                LocalBackend::new(LocalSettings {
                    users: settings.users.clone(),
                    lockout_attempts: settings.lockout_attempts,
                    lockout_time: settings.lockout_time,
                    state_file: None,
                })
                .map_err(|error| SnapshotError::Users(error.to_string()))?,
            )),
            (None, None) => None,
        };
        let local = local.map(|backend| Arc::new(local_group(LOCAL_SERVER_GROUP, backend)));
        let mut groups = BTreeMap::new();
        for (name, settings) in &config.server_groups {
            let group = match settings.protocol() {
                ServerType::Local => match &local {
                    Some(local) => Arc::clone(local),
                    None => continue,
                },
                _ => Arc::new(remote_group(name, settings, &config.lns.hostname, runtime)?),
            };
            if let Some(before) = old.and_then(|old| old.router.server_group(name)) {
                group.adopt_health(before);
            }
            groups.insert(name.clone(), group);
        }
        let find = |name: &str| match name {
            LOCAL_SERVER_GROUP => local.clone(),
            _ => groups.get(name).cloned(),
        };
        let routes =
            config.tunnel_groups.iter().filter_map(|(name, group)| route(name, group, find)).collect();
        let router = Router::new(config.lns.group_delimiter, routes, local.clone())
            .with_server_groups(groups.values().cloned());
        let arrivals = config
            .tunnel_groups
            .keys()
            .map(String::as_str)
            .chain([DEFAULT_TUNNEL_GROUP])
            .map(|name| (name.to_owned(), Arc::new(ppp_config(&config, name))))
            .collect();
        let ipsec = crate::ipsec::is_configured(&config)
            .then(|| crate::ipsec::settings(&config))
            .transpose()
            .map_err(SnapshotError::Ipsec)?;
        Ok(Self { config, router, arrivals, ipsec })
    }

    /// PPP settings of a tunnel group; those of the default group where a reload has taken it away.
    pub(crate) fn arrival(&self, tunnel_group: &str) -> Arc<ServerConfig> {
        let settings = self.arrivals.get(tunnel_group).or_else(|| self.arrivals.get(DEFAULT_TUNNEL_GROUP));
        settings.cloned().unwrap_or_default()
    }

    /// How often interim records leave for sessions of a tunnel group whose answer does not say.
    pub(crate) fn interim_interval(&self, tunnel_group: &str) -> Option<Duration> {
        let group = self.config.tunnel_groups.get(tunnel_group)?;
        self.config.server_groups.get(group.accounting_server_group.as_ref()?)?.interim_accounting_update
    }
}

fn local_group(name: &str, backend: Arc<LocalBackend>) -> ServerGroup {
    let settings = GroupSettings {
        name: name.to_owned(),
        server_type: ServerType::Local,
        max_failed_attempts: 3,
        reactivation: Reactivation::Timed,
        accounting_mode: AccountingMode::Single,
    };
    ServerGroup::new(settings, vec![backend])
}

fn remote_group(
    name: &str,
    settings: &ServerGroupConfig,
    hostname: &str,
    runtime: &tokio::runtime::Handle,
) -> Result<ServerGroup, SnapshotError> {
    let servers = settings
        .servers
        .open(hostname, runtime)
        .map_err(|why| SnapshotError::Server { group: name.to_owned(), why })?;
    let settings = GroupSettings {
        name: name.to_owned(),
        server_type: settings.protocol(),
        max_failed_attempts: settings.max_failed_attempts,
        reactivation: settings.reactivation,
        accounting_mode: settings.accounting_mode,
    };
    Ok(ServerGroup::new(settings, servers))
}

/// How the router sees a tunnel group; `find` gives a server group by its name.
fn route(
    name: &str,
    group: &TunnelGroup,
    find: impl Fn(&str) -> Option<Arc<ServerGroup>>,
) -> Option<TunnelGroupRoute> {
    // A group that is named and not there leaves no way in: nothing may be skipped.
    let named = |name: &Option<String>| match name {
        Some(name) => find(name).map(Some),
        None => Some(None),
    };
    let separator = group.secondary_authentication_separator;
    Some(TunnelGroupRoute {
        name: name.to_owned(),
        server_group: find(&group.authentication_server_group)?,
        local_fallback: group.local_fallback,
        methods: group.ppp_authentication.clone(),
        strip_realm: group.strip_realm,
        strip_group: group.strip_group,
        strip_domain: group.strip_domain,
        password_management: group.password_management,
        second_factor: named(&group.secondary_authentication_server_group)?
            .map(|server_group| SecondFactor { server_group, separator }),
        authorization_group: named(&group.authorization_server_group)?,
        accounting_group: named(&group.accounting_server_group)?,
    })
}

/// PPP settings of a tunnel group: its methods in PPP's words, and the timers of `[lns]`.
fn ppp_config(config: &Config, tunnel_group: &str) -> ServerConfig {
    let methods = config
        .tunnel_groups
        .get(tunnel_group)
        .map(|group| group.ppp_authentication.iter().map(|method| protocol_of(*method)).collect())
        .unwrap_or_default();
    ServerConfig {
        methods,
        server_name: config.lns.hostname.clone().into_bytes(),
        mru: config.lns.mtu,
        mtu_limit: config.lns.mtu,
        echo_interval: config.lns.echo_interval,
        echo_misses: config.lns.echo_misses,
        ..ServerConfig::default()
    }
}

/// PPP's word for a method. A passcode travels in PAP's password field.
fn protocol_of(method: AuthMethod) -> AuthProtocol {
    match method {
        AuthMethod::Pap | AuthMethod::SdiPasscode => AuthProtocol::Pap,
        AuthMethod::Chap => AuthProtocol::ChapMd5,
        AuthMethod::MsChapV1 => AuthProtocol::MsChapV1,
        AuthMethod::MsChapV2 => AuthProtocol::MsChapV2,
        AuthMethod::EapProxy => AuthProtocol::Eap,
    }
}
