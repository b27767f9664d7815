//! What the two ends of a link are told from outside. One value is shared by all links of a tunnel group.

use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::{AuthProtocol, ClientEncryption, EapMethods, eap_type};

/// The answering end: it authenticates the peer and assigns its address.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Authentication methods in the order of preference; never empty.
    pub methods: Vec<AuthProtocol>,
    /// The Name field of CHAP challenges (RFC 1994 4.1); at most 255 octets of it are sent.
    pub server_name: Vec<u8>,
    /// The Maximum-Receive-Unit that we ask for, 128..=1500 octets (RFC 1661 6.1).
    pub mru: u16,
    /// Upper bound of what we send, whatever the peer's MRU is, in octets.
    pub mtu_limit: u16,
    /// Silence after which an Echo-Request goes out. Zero: none ever does.
    pub echo_interval: Duration,
    /// Unanswered Echo-Requests after which the link counts as dead.
    pub echo_misses: u32,
    /// The first retransmission comes after this time, the next after twice, all others after three times of it.
    pub restart_timer: Duration,
    /// Configure-Requests sent without an answer before giving up (RFC 1661 4.6, Max-Configure).
    pub max_configure: u32,
    /// Terminate-Requests sent without an answer before giving up (RFC 1661 4.6, Max-Terminate).
    pub max_terminate: u32,
    /// Configure-Naks sent before they turn into Configure-Rejects (RFC 1661 4.6, Max-Failure).
    pub max_failure: u32,
    /// Limit of the whole authentication phase, the waiting for a decision included. With EAP it counts anew from each
    /// [`AuthDecision::Continue`](crate::AuthDecision::Continue), with MS-CHAPv2 from
    /// [`AuthDecision::PasswordExpired`](crate::AuthDecision::PasswordExpired), and the limit of the whole is `negotiation_timeout`.
    pub auth_timeout: Duration,
    /// Limit from the start of the link to [`Event::Up`](crate::Event::Up).
    pub negotiation_timeout: Duration,
    /// How often a wrong MS-CHAP password may be tried again on the same link (`R=1`, RFC 2759 6).
    pub max_auth_retries: u32,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            methods: vec![AuthProtocol::MsChapV2],
            server_name: b"tollgate".to_vec(),
            mru: 1400,
            mtu_limit: 1400,
            echo_interval: Duration::from_secs(30),
            echo_misses: 4,
            restart_timer: Duration::from_secs(1),
            max_configure: 10,
            max_terminate: 2,
            max_failure: 5,
            auth_timeout: Duration::from_secs(60),
            negotiation_timeout: Duration::from_secs(150),
            max_auth_retries: 2,
        }
    }
}

/// The calling end: it proves who it is and asks for an address. The timers and counters mean what they mean in
/// [`ServerConfig`].
#[derive(Clone)]
pub struct ClientConfig {
    /// The user name, `DOMAIN\` included if the server wants it; at most 255 octets.
    pub user: Vec<u8>,
    /// The password; at most 255 octets for PAP.
    pub password: Zeroizing<Vec<u8>>,
    /// The password to change to when an MS-CHAPv2 server says that the other one has expired; at most 256 characters.
    /// It is used for nothing else.
    pub new_password: Option<Zeroizing<Vec<u8>>>,
    /// What the client is willing to do. Another method is answered by a Configure-Nak with the first of these.
    pub methods: Vec<AuthProtocol>,
    /// Types of EAP that the client takes part in, the one that it likes best first (RFC 3748 5.3.1). Those that are
    /// neither MD5-Challenge nor EAP-MSCHAPv2 come from `eap_methods`.
    pub eap_types: Vec<u8>,
    /// Makes the methods that need TLS; it is asked before this crate's own are taken.
    pub eap_methods: Option<Arc<dyn EapMethods>>,
    /// Encryption by MPPE; `None`: CCP is not spoken.
    pub encryption: Option<ClientEncryption>,
    /// The Maximum-Receive-Unit that we ask for, 128..=1500 octets.
    pub mru: u16,
    /// Ask for DNS servers (RFC 1877 options 129 and 131).
    pub request_dns: bool,
    /// Ask for NBNS (WINS) servers (RFC 1877 options 130 and 132).
    pub request_nbns: bool,
    /// Silence after which an Echo-Request goes out.
    pub echo_interval: Duration,
    /// Unanswered Echo-Requests after which the link counts as dead.
    pub echo_misses: u32,
    /// Unit of the retransmission schedule.
    pub restart_timer: Duration,
    /// Max-Configure.
    pub max_configure: u32,
    /// Max-Terminate.
    pub max_terminate: u32,
    /// Max-Failure.
    pub max_failure: u32,
    /// Limit of the whole authentication phase.
    pub auth_timeout: Duration,
    /// Limit from the start of the link to [`Event::Up`](crate::Event::Up).
    pub negotiation_timeout: Duration,
}

impl Default for ClientConfig {
    fn default() -> Self {
        let server = ServerConfig::default();
        Self {
            user: Vec::new(),
            password: Zeroizing::new(Vec::new()),
            new_password: None,
            methods: vec![
                AuthProtocol::MsChapV2,
                AuthProtocol::MsChapV1,
                AuthProtocol::ChapMd5,
                AuthProtocol::Pap,
            ],
            eap_types: vec![eap_type::MSCHAP_V2, eap_type::MD5_CHALLENGE],
            eap_methods: None,
            encryption: None,
            mru: server.mru,
            request_dns: true,
            request_nbns: false,
            echo_interval: server.echo_interval,
            echo_misses: server.echo_misses,
            restart_timer: server.restart_timer,
            max_configure: server.max_configure,
            max_terminate: server.max_terminate,
            max_failure: server.max_failure,
            auth_timeout: server.auth_timeout,
            negotiation_timeout: server.negotiation_timeout,
        }
    }
}

impl std::fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientConfig")
            .field("user", &String::from_utf8_lossy(&self.user))
            .field("methods", &self.methods)
            .field("mru", &self.mru)
            .finish_non_exhaustive()
    }
}

/// The counters and timers of the automaton, taken from either configuration and cut to what it can count.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timers {
    pub(crate) restart: Duration,
    pub(crate) max_configure: u8,
    pub(crate) max_terminate: u8,
    pub(crate) max_failure: u8,
}

impl Timers {
    pub(crate) fn of_server(config: &ServerConfig) -> Self {
        Self::new(config.restart_timer, config.max_configure, config.max_terminate, config.max_failure)
    }

    pub(crate) fn of_client(config: &ClientConfig) -> Self {
        Self::new(config.restart_timer, config.max_configure, config.max_terminate, config.max_failure)
    }

    /// A restart timer of zero would make the caller's loop spin, and a counter of zero would send nothing.
    fn new(restart: Duration, max_configure: u32, max_terminate: u32, max_failure: u32) -> Self {
        let count = |value: u32| u8::try_from(value).unwrap_or(u8::MAX).clamp(1, 100);
        Self {
            restart: restart.max(Duration::from_millis(50)),
            max_configure: count(max_configure),
            max_terminate: count(max_terminate),
            max_failure: count(max_failure),
        }
    }

    /// The wait after the `attempt`-th transmission, counted from 1: one, two, then always three units. The first
    /// is short because the first LCP request after the call is set up is commonly lost.
    pub(crate) fn interval(&self, attempt: u8) -> Duration {
        self.restart.saturating_mul(u32::from(attempt.clamp(1, 3)))
    }
}
