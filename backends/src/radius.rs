//! RADIUS (RFC 2865, 2866, 2868, 2869, 2548, 3579).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tollgate_aaa::{AuthRequest, Backend, Counters, Secret, ServerType, Unavailable, Verdict};

/// One RADIUS server.
#[derive(Debug, Clone)]
pub struct RadiusSettings {
    /// Host name or address.
    pub address: String,
    /// The shared secret.
    pub key: Secret,
    /// UDP port for Access-Request.
    pub authentication_port: u16,
    /// UDP port for Accounting-Request.
    pub accounting_port: u16,
    /// Until a question counts as unanswered, 1 to 300 seconds.
    pub timeout: Duration,
    /// Between two datagrams of one question, 1 to 10 seconds.
    pub retry_interval: Duration,
    /// Answers without a Message-Authenticator are dropped.
    pub require_message_authenticator: bool,
    /// NAS-Identifier; empty: the session's own.
    pub nas_identifier: String,
    /// NAS-IP-Address; `None`: the session's own.
    pub nas_ip: Option<IpAddr>,
    /// `false`: MS-CHAPv2 is never sent there.
    pub ms_chap_v2_capable: bool,
}

/// Why a server cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RadiusError {
    /// No shared secret.
    #[error("the RADIUS server {0} has an empty key")]
    EmptyKey(String),
}

/// A RADIUS server.
pub struct RadiusBackend {
    settings: RadiusSettings,
    counters: Counters,
}

impl RadiusBackend {
    /// Opens nothing yet; sockets and names follow on first use.
    pub fn new(settings: RadiusSettings, runtime: tokio::runtime::Handle) -> Result<Arc<Self>, RadiusError> {
        let _ = runtime;
        Ok(Arc::new(Self { settings, counters: Counters::default() }))
    }
}

#[async_trait]
impl Backend for RadiusBackend {
    fn address(&self) -> String {
        format!("{}:{}", self.settings.address, self.settings.authentication_port)
    }

    fn server_type(&self) -> ServerType {
        ServerType::Radius
    }

    async fn authenticate(&self, request: &AuthRequest<'_>) -> Verdict {
        let _ = request;
        Verdict::Unavailable(Unavailable { why: "not built yet".to_owned() })
    }

    fn counters(&self) -> &Counters {
        &self.counters
    }
}
