//! Tunnel groups: where a login arrives, who decides it, and from which pools its address comes.

use tollgate_aaa::{AuthMethod, Secret};

/// The tunnel group of every caller that nothing else places.
pub const DEFAULT_TUNNEL_GROUP: &str = "DefaultRAGroup";

/// The server group that is always there: the local user file.
pub const LOCAL_SERVER_GROUP: &str = "LOCAL";

/// A tunnel group as written, its methods already cut down to the type matrix.
#[derive(Debug, Clone)]
pub struct TunnelGroup {
    /// `pre-shared-key` for IKE, at most 8 in the order in which they are tried: several while one is being changed.
    pub pre_shared_keys: Vec<Secret>,
    /// `address-pool`, tried in order.
    pub address_pools: Vec<String>,
    /// `default-group-policy`; default DfltGrpPolicy.
    pub default_group_policy: String,
    /// `authentication-server-group`; default LOCAL.
    pub authentication_server_group: String,
    /// `local-fallback`; default false.
    pub local_fallback: bool,
    /// `secondary-authentication-server-group`: who checks the second factor of `password,code`; default none.
    pub secondary_authentication_server_group: Option<String>,
    /// `secondary-authentication-separator`, one character; default a comma.
    pub secondary_authentication_separator: char,
    /// `authorization-server-group`: who says what a session gets; default whoever authenticated.
    pub authorization_server_group: Option<String>,
    /// `accounting-server-group`; default none.
    pub accounting_server_group: Option<String>,
    /// `ppp-authentication` in the order of preference, less what the server group's type does not serve; default
    /// `["ms-chap-v2"]`.
    pub ppp_authentication: Vec<AuthMethod>,
    /// `strip-realm`; default false.
    pub strip_realm: bool,
    /// `strip-group`; default false.
    pub strip_group: bool,
    /// `strip-domain`; default false.
    pub strip_domain: bool,
    /// `password-management`: a client whose password has expired may change it; default false.
    pub password_management: bool,
}
