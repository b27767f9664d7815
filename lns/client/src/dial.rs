//! One call, step by step: IKE and IPsec where asked for, L2TP tunnel, L2TP session, LCP, authentication, IPCP. Each stage is told with its time; a
//! failure names the stage, what the other side said and the likely cause.

mod diagnosis;
mod engine;
mod traffic;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tollgate_ipsec::KeyLog;
use tollgate_ppp::{AuthProtocol, ClientEncryption, EapMethods};
use zeroize::Zeroizing;

use crate::secure::Security;

pub use engine::Dial;

/// Takes keys as they are made.
pub type KeyTaker = Arc<dyn Fn(&KeyLog) + Send + Sync>;

/// What to dial and as whom.
#[derive(Clone)]
pub struct Options {
    /// The server.
    pub server: SocketAddr,
    /// The user's name, as it would be typed.
    pub user: Vec<u8>,
    /// The password.
    pub password: Zeroizing<Vec<u8>>,
    /// What to change the password to if it has expired.
    pub new_password: Option<Zeroizing<Vec<u8>>>,
    /// The method to insist on.
    pub method: AuthProtocol,
    /// What PPP may do beyond that.
    pub ppp: PppOptions,
    /// Secret of L2TP tunnel authentication.
    pub tunnel_secret: Option<Zeroizing<Vec<u8>>>,
    /// IPsec; none: L2TP in clear.
    pub security: Option<Security>,
    /// Takes our own keys as they are made, where the security asks for them.
    pub keys: Option<KeyTaker>,
    /// Host name for the server's log.
    pub host_name: String,
    /// Ask for name servers too.
    pub request_servers: bool,
    /// How long each stage may take.
    pub stage_limit: Duration,
}

/// What PPP may do.
#[derive(Clone, Default)]
pub struct PppOptions {
    /// Types of EAP to take part in, the one liked best first; empty: those that need no certificates.
    pub eap_types: Vec<u8>,
    /// Makes those that need TLS.
    pub eap_methods: Option<Arc<dyn EapMethods>>,
    /// MPPE; none: CCP is not spoken.
    pub encryption: Option<ClientEncryption>,
}

/// The stages of a call, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// IKE's phase 1: who each end is.
    Ike,
    /// IKE's phase 2: the ESP associations.
    Ipsec,
    /// SCCRQ, SCCRP, SCCCN.
    Tunnel,
    /// ICRQ, ICRP, ICCN.
    Session,
    /// LCP.
    Lcp,
    /// The password.
    Authentication,
    /// IPCP.
    Ipcp,
    /// Packets flow.
    Up,
}

impl Stage {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ike => "ike",
            Self::Ipsec => "ipsec",
            Self::Tunnel => "l2tp-tunnel",
            Self::Session => "l2tp-session",
            Self::Lcp => "lcp",
            Self::Authentication => "authentication",
            Self::Ipcp => "ipcp",
            Self::Up => "up",
        }
    }
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// A stage that was passed.
#[derive(Debug, Clone)]
pub struct Passed {
    /// Which.
    pub stage: Stage,
    /// How long it took.
    pub took: Duration,
    /// What came of it, in words.
    pub detail: String,
}

/// A call that did not come about.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{stage}: {said}; {cause}")]
pub struct Failure {
    /// The stage that failed.
    pub stage: Stage,
    /// What the other side said, or that it said nothing.
    pub said: String,
    /// The likely cause and what to do.
    pub cause: String,
}
