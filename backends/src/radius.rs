//! RADIUS: RFC 2865 and 2866 with the attributes of RFC 2548, 2868, 2869, 3162 and of Cisco, Message-Authenticator as
//! RFC 3579 has it and as CVE-2024-3596 needs it.
//!
//! - [`packet`]: octets: walking, signing, believing.
//! - [`request`]: what we ask, built with the `radius` crate and its dictionaries.
//! - [`answer`], [`microsoft`], [`cisco`]: what a believed answer means.
//! - [`dynamic`]: what a server asks of us (RFC 5176).
//! - [`frame`]: packets on a stream (RFC 6613).
//! - `transport`: sockets and streams, identifiers, retransmission.
//!
//! Why the `radius` crate only builds: its decoder copies each attribute, cannot check a Message-Authenticator and
//! wants the shared secret inside the packet, where nothing wipes it. Answers come from a network, so their octets are
//! walked by code that cannot leave the packet and cannot panic.

pub mod answer;
pub mod cisco;
pub mod dynamic;
pub mod frame;
pub mod microsoft;
pub mod packet;
pub mod request;
mod transport;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use radius::core::avp::AVP;
use radius::core::code::Code;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::runtime::Handle;
use tollgate_aaa::accounting::{AccountingError, Record};
use tollgate_aaa::{
    AuthMethod, AuthRequest, Backend, Counters, Credentials, Duty, Layer, Reject, RejectReason, Secret,
    ServerType, Unavailable, Verdict,
};

use crate::net::Endpoint;
use crate::tls::{Tls, TlsSettings, Versions};
use packet::{Key, Packet, Required};
use request::{Nas, Unsendable};
use transport::{Service, Silence, Transport, Way};

/// The secret of a server that is reached over TLS and has none of its own (RFC 6614 section 2.3).
pub const RADSEC_SECRET: &str = "radsec";

/// Port of RADIUS over TLS, for both services (RFC 6614 section 3).
pub const RADSEC_PORT: u16 = 2083;

/// Status-Servers that are sent to a server which may be back.
const MOST_PROBES: u32 = 3;

/// How packets reach a server.
#[derive(Debug, Clone, Default)]
pub enum RadiusTransport {
    /// RFC 2865.
    #[default]
    Udp,
    /// RFC 6613, for networks that are protected otherwise.
    Tcp,
    /// RFC 6614.
    Tls(TlsSettings),
}

/// One RADIUS server.
#[derive(Debug, Clone)]
pub struct RadiusSettings {
    /// Host name, IPv4 or IPv6 address.
    pub address: String,
    /// The shared secret. Empty with TLS: [`RADSEC_SECRET`].
    pub key: Secret,
    /// How packets get there.
    pub transport: RadiusTransport,
    /// Port for Access-Request, usually 1812.
    pub authentication_port: u16,
    /// Port for Accounting-Request, usually 1813.
    pub accounting_port: u16,
    /// Until a question counts as unanswered, 1 to 300 seconds.
    pub timeout: Duration,
    /// Between two datagrams of one question, 1 to 10 seconds. On a stream nothing is sent again.
    pub retry_interval: Duration,
    /// Answers to an Access-Request without a Message-Authenticator are not believed. `false` only for servers too old
    /// to send one: their answers can be forged (CVE-2024-3596).
    pub require_message_authenticator: bool,
    /// The server answers Status-Server (RFC 5997), so that once it has failed it is asked whether it is back before a
    /// login is risked on it.
    pub status_server: bool,
    /// NAS-Identifier; empty: the session's own.
    pub nas_identifier: String,
    /// NAS-IP-Address or NAS-IPv6-Address; `None`: the session's own.
    pub nas_ip: Option<IpAddr>,
    /// `false`: MS-CHAPv2 is never sent there.
    pub ms_chap_v2_capable: bool,
    /// The password of every user where the server only authorizes; `None`: the user's name.
    pub common_password: Option<Secret>,
}

impl RadiusSettings {
    /// A server with the ports and times of the standard configuration.
    pub fn new(address: impl Into<String>, key: Secret) -> Self {
        Self {
            address: address.into(),
            key,
            transport: RadiusTransport::Udp,
            authentication_port: 1812,
            accounting_port: 1813,
            timeout: Duration::from_secs(10),
            retry_interval: Duration::from_secs(2),
            require_message_authenticator: true,
            status_server: false,
            nas_identifier: String::new(),
            nas_ip: None,
            ms_chap_v2_capable: true,
            common_password: None,
        }
    }

    /// A server reached over TLS, with the port and the secret that RFC 6614 gives to all.
    pub fn over_tls(address: impl Into<String>, tls: TlsSettings) -> Self {
        Self {
            transport: RadiusTransport::Tls(tls),
            authentication_port: RADSEC_PORT,
            accounting_port: RADSEC_PORT,
            ..Self::new(address, Secret::from(RADSEC_SECRET.to_owned()))
        }
    }
}

/// Why a server cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RadiusError {
    /// Anybody could answer in its place.
    #[error("the RADIUS server {0} has an empty key; give it the secret that the server has for this client")]
    EmptyKey(String),
    /// Nothing to connect to.
    #[error("a RADIUS server has an empty address; give it a host name or an IP address")]
    EmptyAddress,
    /// A file is missing or wrong.
    #[error("TLS to the RADIUS server {server} cannot be set up: {why}")]
    Tls {
        /// Its address.
        server: String,
        /// The file and the fix.
        why: String,
    },
}

/// A RADIUS server.
pub struct RadiusBackend {
    address: String,
    ms_chap_v2_capable: bool,
    common_password: Option<Secret>,
    /// How long one Status-Server is waited for, where the server answers them.
    status_server: Option<Duration>,
    nas: Nas,
    key: Arc<Key>,
    random: SystemRandom,
    counters: Arc<Counters>,
    authentication: Transport,
    accounting: Transport,
}

impl RadiusBackend {
    /// Sockets and streams are opened on first use, on `runtime`; a host name is looked up at once. A new key needs a new backend:
    /// the old one finishes what is under way with the old key.
    pub fn new(settings: RadiusSettings, runtime: Handle) -> Result<Arc<Self>, RadiusError> {
        if settings.address.is_empty() {
            return Err(RadiusError::EmptyAddress);
        }
        let (way, secret) = match &settings.transport {
            RadiusTransport::Udp => (Way::Datagrams, settings.key),
            RadiusTransport::Tcp => (Way::Streams(None), settings.key),
            RadiusTransport::Tls(tls) => {
                let tls = Tls::new(tls, &settings.address, Versions::FromTls12)
                    .map_err(|why| RadiusError::Tls { server: settings.address.clone(), why })?;
                let own = Some(settings.key).filter(|key| !key.is_empty());
                (Way::Streams(Some(tls)), own.unwrap_or_else(|| Secret::from(RADSEC_SECRET.to_owned())))
            }
        };
        if secret.is_empty() {
            return Err(RadiusError::EmptyKey(settings.address));
        }
        let key = Arc::new(Key::new(secret));
        let counters = Arc::new(Counters::default());
        let transport = |service| {
            // Only Access-Request can be answered by a forger (RFC 2866 signs both ways with the secret).
            let (port, required) = match service {
                Service::Authentication if settings.require_message_authenticator => {
                    (settings.authentication_port, Required::MessageAuthenticator)
                }
                Service::Authentication => (settings.authentication_port, Required::Nothing),
                Service::Accounting => (settings.accounting_port, Required::Nothing),
            };
            let settings = transport::Settings {
                host: settings.address.clone(),
                port,
                timeout: settings.timeout,
                retry_interval: settings.retry_interval,
            };
            let (key, counters, runtime) = (Arc::clone(&key), Arc::clone(&counters), runtime.clone());
            Transport::new(settings, way.clone(), service, required, key, counters, runtime)
        };
        let endpoint = Endpoint { host: settings.address.clone(), port: settings.authentication_port };
        Ok(Arc::new(Self {
            address: endpoint.to_string(),
            ms_chap_v2_capable: settings.ms_chap_v2_capable,
            common_password: settings.common_password,
            status_server: settings.status_server.then_some(settings.retry_interval.min(settings.timeout)),
            nas: Nas { identifier: settings.nas_identifier.clone(), ip: settings.nas_ip },
            authentication: transport(Service::Authentication),
            accounting: transport(Service::Accounting),
            key,
            random: SystemRandom::new(),
            counters,
        }))
    }

    async fn ask(&self, request: &AuthRequest<'_>) -> Result<Verdict, Silence> {
        let method = request.credentials.method();
        if method == AuthMethod::MsChapV2 && !self.ms_chap_v2_capable {
            return Ok(cannot_be_sent("the server is configured not to take MS-CHAPv2"));
        }
        let mut authenticator = [0; 16];
        if self.random.fill(&mut authenticator).is_err() {
            let why = "the system has no random numbers".to_owned();
            return Ok(Verdict::Unavailable(Unavailable::new(Layer::Configuration, why)));
        }
        let packet = match request::access_request(request, &self.nas, &authenticator, &self.key) {
            Ok(packet) => packet,
            Err(unsendable) => return Ok(cannot_be_sent(&unsendable.to_string())),
        };
        let answer = self.authentication.ask(packet, authenticator).await?;
        Ok(match Packet::parse(&answer) {
            Ok(packet) => answer::decode(&packet, method, &authenticator, &self.key),
            // It was sound when it came in.
            Err(error) => Verdict::Unavailable(Unavailable::new(Layer::Protocol, error.to_string())),
        })
    }
}

fn cannot_be_sent(why: &str) -> Verdict {
    Verdict::Reject(Reject::new(RejectReason::CannotBeSent(why.to_owned())))
}

#[async_trait]
impl Backend for RadiusBackend {
    fn address(&self) -> String {
        self.address.clone()
    }

    fn server_type(&self) -> ServerType {
        ServerType::Radius
    }

    async fn authenticate(&self, request: &AuthRequest<'_>) -> Verdict {
        match self.ask(request).await {
            Ok(verdict) => verdict,
            Err(silence) => Verdict::Unavailable(Unavailable::new(silence.layer(), silence.to_string())),
        }
    }

    async fn authorize(&self, request: &AuthRequest<'_>) -> Verdict {
        let password = self.common_password.clone().unwrap_or_else(|| Secret::from(request.name));
        let credentials = Credentials::Pap { password };
        self.authenticate(&AuthRequest { credentials: &credentials, ..*request }).await
    }

    async fn account(&self, record: &Record) -> Result<(), AccountingError> {
        let delay = |now: SystemTime| request::delay(record, now);
        let build =
            |now: SystemTime| request::accounting_request(record, &self.nas, now).map_err(Failure::from);
        self.accounting.tell(delay, build).await.map_err(|failure: Failure| match failure {
            Failure::Silent(silence) => AccountingError::NoAnswer(silence.to_string()),
            Failure::Unsendable(unsendable) => AccountingError::Unsendable(unsendable.to_string()),
        })
    }

    /// By Status-Server, each a packet of its own: they are not sent again (RFC 5997 section 4.2).
    async fn is_alive(&self, duty: Duty) -> Option<bool> {
        let patience = self.status_server?;
        let transport = match duty {
            Duty::Authentication => &self.authentication,
            Duty::Accounting => &self.accounting,
        };
        for _ in 0..MOST_PROBES {
            let mut authenticator = [0; 16];
            self.random.fill(&mut authenticator).ok()?;
            let packet = request::status_server(&self.nas, &authenticator).ok()?;
            if let Ok(answer) = transport.ask_once(packet, authenticator, patience).await {
                // Whatever the configuration says about logins (RFC 5997 section 3).
                let required = Required::MessageAuthenticator;
                return Some(Packet::parse(&answer).is_ok_and(|answer| {
                    answer.code() != Code::AccessReject
                        && answer.verify(&authenticator, &self.key, required).is_ok()
                }));
            }
        }
        Some(false)
    }

    fn counters(&self) -> &Counters {
        &self.counters
    }
}

enum Failure {
    Silent(Silence),
    Unsendable(Unsendable),
}

impl From<Silence> for Failure {
    fn from(silence: Silence) -> Self {
        Self::Silent(silence)
    }
}

impl From<Unsendable> for Failure {
    fn from(unsendable: Unsendable) -> Self {
        Self::Unsendable(unsendable)
    }
}

/// A Vendor-Specific attribute with one sub-attribute (RFC 2865 section 5.26). The parts make up its value, at most
/// 247 octets in all.
fn vendor_attribute(vendor: u32, kind: u8, parts: &[&[u8]]) -> AVP {
    let length: usize = 2 + parts.iter().map(|part| part.len()).sum::<usize>();
    let mut value = Vec::with_capacity(4 + length);
    value.extend_from_slice(&vendor.to_be_bytes());
    value.extend_from_slice(&[kind, u8::try_from(length).unwrap_or(u8::MAX)]);
    for part in parts {
        value.extend_from_slice(part);
    }
    AVP::from_bytes(radius::core::rfc2865::VENDOR_SPECIFIC_TYPE, &value)
}
