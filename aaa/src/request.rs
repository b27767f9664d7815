//! What the access side hands over: the caller's circumstances and one attempt to log in.

use std::net::IpAddr;

use crate::credentials::Credentials;

/// What the access side knows about the caller; goes into requests and accounting records.
#[derive(Debug, Clone, Default)]
pub struct SessionContext {
    /// Acct-Session-Id (RFC 2866 section 5.5): unique over restarts, the same in every record of the session.
    pub acct_session_id: String,
    /// NAS-Port (RFC 2865 section 5.5).
    pub nas_port: u32,
    /// NAS-Identifier (RFC 2865 section 5.32): how this server names itself.
    pub nas_identifier: String,
    /// NAS-IP-Address or NAS-IPv6-Address; left out when unknown.
    pub nas_ip: Option<IpAddr>,
    /// Tunnel-Client-Endpoint (RFC 2868 section 3.3): the peer's outer address.
    pub client_endpoint: Option<IpAddr>,
    /// Tunnel-Server-Endpoint (RFC 2868 section 3.4): the outer address that the peer reached.
    pub server_endpoint: Option<IpAddr>,
    /// Calling-Station-Id (RFC 2865 section 5.31); empty: left out.
    pub calling_station_id: String,
    /// Called-Station-Id (RFC 2865 section 5.30); empty: left out.
    pub called_station_id: String,
}

/// One attempt to log in.
#[derive(Debug)]
pub struct LoginRequest {
    /// As typed, not yet checked or split.
    pub name: Vec<u8>,
    /// The proof.
    pub credentials: Credentials,
    /// Tunnel group where the login arrived.
    pub tunnel_group: String,
    /// The caller's circumstances.
    pub context: SessionContext,
}
