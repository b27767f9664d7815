//! Routers with one server, such as one that says yes at once.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use async_trait::async_trait;
use tollgate_aaa::{
    AccountingMode, AuthMethod, AuthRequest, Backend, Counters, Credentials, GroupDelimiter, GroupSettings,
    LoginRequest, Reactivation, Router, Secret, ServerGroup, ServerType, SessionContext, TunnelGroupRoute,
    Verdict,
};

/// Says yes to everybody.
#[derive(Default)]
pub struct Yes(Counters);

#[async_trait]
impl Backend for Yes {
    fn address(&self) -> String {
        "192.0.2.10:1812".to_owned()
    }

    fn server_type(&self) -> ServerType {
        ServerType::Radius
    }

    async fn authenticate(&self, _request: &AuthRequest<'_>) -> Verdict {
        Verdict::Accept(Box::default())
    }

    fn counters(&self) -> &Counters {
        &self.0
    }
}

/// A router whose only server says yes at once.
pub fn router() -> Router {
    router_to(Arc::new(Yes::default()))
}

/// Two tunnel groups that share one server, with every way of taking a name apart in use.
pub fn router_to(server: Arc<dyn Backend>) -> Router {
    let settings = GroupSettings {
        name: "corp".to_owned(),
        server_type: server.server_type(),
        max_failed_attempts: 3,
        reactivation: Reactivation::Depletion { dead_time: std::time::Duration::from_secs(600) },
        accounting_mode: AccountingMode::Single,
    };
    let group = Arc::new(ServerGroup::new(settings, vec![server]));
    let route = |name: &str| TunnelGroupRoute {
        name: name.to_owned(),
        server_group: Arc::clone(&group),
        local_fallback: false,
        methods: vec![AuthMethod::Pap, AuthMethod::SdiPasscode, AuthMethod::MsChapV2],
        strip_realm: true,
        strip_group: true,
        strip_domain: true,
        password_management: false,
        second_factor: None,
        authorization_group: None,
        accounting_group: None,
    };
    Router::new(Some(GroupDelimiter::Hash), vec![route("DefaultRAGroup"), route("sales")], None)
}

/// One attempt by PAP that switches the tunnel group.
pub fn login() -> LoginRequest {
    LoginRequest {
        name: b"joe@acme#sales".to_vec(),
        credentials: Credentials::Pap { password: Secret::from(b"open sesame".to_vec()) },
        tunnel_group: "DefaultRAGroup".to_owned(),
        context: context(),
    }
}

/// What the access side says about a caller.
pub fn context() -> SessionContext {
    SessionContext {
        acct_session_id: "6563c1a9-00000017".to_owned(),
        nas_port: 17,
        nas_identifier: "vpn.example.net".to_owned(),
        nas_ip: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))),
        client_endpoint: Some(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7))),
        server_endpoint: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))),
        calling_station_id: "198.51.100.7".to_owned(),
        called_station_id: "192.0.2.1".to_owned(),
    }
}
