//! What the operator decides about an endpoint, and what a caller asks of a connection.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tollgate_pki::{CertificateMap, Identity, TrustStore};
use zeroize::Zeroizing;

use crate::algorithm::{Authentication, Group};
use crate::ikev1::identification::Identification;
use crate::ikev1::selection::{Pfs, Policy, Preference, TransformSet};

/// A pre-shared key.
pub type PresharedKey = Arc<Zeroizing<Vec<u8>>>;

/// The pre-shared keys of one tunnel group, tried in order.
#[derive(Clone)]
pub struct GroupKeys {
    /// The tunnel group.
    pub tunnel_group: Arc<str>,
    /// Its keys; several while one is being changed.
    pub keys: Vec<PresharedKey>,
}

/// Most keys that one proof is tried against.
pub const MOST_KEYS: usize = 32;

/// Dead peer detection (RFC 3706).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dpd {
    /// Silence after which a peer is asked.
    pub threshold: Duration,
    /// Wait between questions.
    pub retry: Duration,
    /// Questions without an answer before the peer is given up.
    pub tries: u32,
}

/// What authenticates by certificates.
#[derive(Clone)]
pub struct Certificates {
    /// Ours.
    pub identity: Arc<Identity>,
    /// Whom we trust.
    pub trust: Arc<TrustStore>,
    /// The authorities between our certificate and the root go along.
    pub send_chain: bool,
}

impl Certificates {
    /// The certificates that prove who we are, in DER.
    pub(crate) fn to_send(&self) -> impl Iterator<Item = &[u8]> {
        self.identity.certificates_der().take(if self.send_chain { usize::MAX } else { 1 })
    }
}

/// How a certificate finds its tunnel group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupRule {
    /// By the certificate map.
    Rules,
    /// By an organizational unit of the subject that has the group's name.
    Ou,
    /// By an identity of phase 1 that is the group's name.
    IkeId,
}

/// Settings of an endpoint. [`Config::new`] gives the defaults named at each.
#[derive(Clone)]
pub struct Config {
    /// Phase 1, by priority.
    pub policies: Vec<Policy>,
    /// Whose order decides in phase 1. Default: the peer's.
    pub preference: Preference,
    /// Phase 2.
    pub transform_sets: Vec<TransformSet>,
    /// PFS. Default: when asked.
    pub pfs: Pfs,
    /// Pre-shared keys; the first group is the one of peers that name none.
    pub keys: Vec<GroupKeys>,
    /// The tunnel group of peers that nothing else places.
    pub default_group: Arc<str>,
    /// All tunnel groups, for those that certificates name.
    pub groups: Vec<Arc<str>>,
    /// Aggressive mode is answered. Default false: who captures one exchange can try keys at leisure.
    pub aggressive: bool,
    /// Certificates; none: signatures are not offered.
    pub certificates: Option<Certificates>,
    /// Rules from certificates to tunnel groups.
    pub certificate_map: Arc<CertificateMap>,
    /// How certificates find their tunnel group, in order. Default: rules, OU.
    pub group_rules: Vec<GroupRule>,
    /// Life of an ESP association where the peer asks for none. Default 28,800 s.
    pub sa_lifetime: Duration,
    /// Kilobytes of an ESP association that we offer as initiator. Default none.
    pub sa_kilobytes: Option<u64>,
    /// Keepalives to peers behind a NAT, 10..=3600 s. Default 20 s.
    pub keepalive: Duration,
    /// Dead peer detection. Default 300 s, then 3 times every 2 s.
    pub dpd: Option<Dpd>,
    /// Raw ESP can be received and sent; without it every peer is made to use UDP. Default true.
    pub raw_esp: bool,
    /// Make every peer use UDP. Default false.
    pub force_udp: bool,
    /// Packets that may overtake each other, 64..=4096. Default 1024.
    pub replay_window: u32,
    /// Exchanges whose peer has not proved its address. Default 10,000.
    pub max_half_open: usize,
    /// Exchanges of one source address that are not authenticated. Default 100.
    pub max_half_open_per_source: usize,
    /// Exchanges with a proven address that are not authenticated. Default 1,024.
    pub max_unauthenticated: usize,
    /// Jobs that wait at once. Default 256.
    pub max_jobs: usize,
    /// ISAKMP associations. Default 65,536.
    pub max_associations: usize,
    /// Cut HMAC-SHA2-256 in ESP to 96 bits, for clients that know no other. Default false.
    pub truncate_sha256: bool,
    /// Answer with no vendor ids but those that are needed. Default false.
    pub minimal_vendor_ids: bool,
    /// Emit keys as [`crate::Event::Keys`], for a dissector. Default false; never for a server.
    pub log_keys: bool,
}

impl Config {
    /// The defaults, for these policies and transform sets.
    pub fn new(policies: Vec<Policy>, transform_sets: Vec<TransformSet>) -> Self {
        Self {
            policies,
            preference: Preference::Peer,
            transform_sets,
            pfs: Pfs::WhenAsked,
            keys: Vec::new(),
            default_group: "DefaultRAGroup".into(),
            groups: Vec::new(),
            aggressive: false,
            certificates: None,
            certificate_map: Arc::new(CertificateMap::default()),
            group_rules: vec![GroupRule::Rules, GroupRule::Ou],
            sa_lifetime: Duration::from_secs(28_800),
            sa_kilobytes: None,
            keepalive: Duration::from_secs(20),
            dpd: Some(Dpd { threshold: Duration::from_secs(300), retry: Duration::from_secs(2), tries: 3 }),
            raw_esp: true,
            force_udp: false,
            replay_window: 1024,
            max_half_open: 10_000,
            max_half_open_per_source: 100,
            max_unauthenticated: 1024,
            max_jobs: 256,
            max_associations: 65_536,
            truncate_sha256: false,
            minimal_vendor_ids: false,
            log_keys: false,
        }
    }

    /// Groups that the policies use: what PFS may use too.
    pub(crate) fn dh_groups(&self) -> Vec<Group> {
        let mut groups: Vec<_> = self.policies.iter().map(|policy| policy.group).collect();
        groups.sort_unstable();
        groups.dedup();
        groups
    }

    /// Every pre-shared key with its group and number, the default group's first.
    pub(crate) fn candidates(&self) -> impl Iterator<Item = (&Arc<str>, usize, &PresharedKey)> {
        self.keys
            .iter()
            .flat_map(|group| {
                group.keys.iter().enumerate().map(|(index, key)| (&group.tunnel_group, index + 1, key))
            })
            .take(MOST_KEYS)
    }
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("policies", &self.policies)
            .field("transform_sets", &self.transform_sets)
            .field("keys", &self.keys.len())
            .finish_non_exhaustive()
    }
}

/// How an initiator proves who it is.
#[derive(Clone)]
pub enum Proof {
    /// By a key that both know.
    PresharedKey(PresharedKey),
    /// By its certificate.
    Certificates(Certificates),
}

impl Proof {
    /// What phase 1 calls it.
    pub fn authentication(&self) -> Authentication {
        match self {
            Self::PresharedKey(_) => Authentication::PreSharedKey,
            Self::Certificates(_) => Authentication::RsaSignature,
        }
    }
}

/// What a connection to a server is to be.
#[derive(Clone)]
pub struct Dial {
    /// How we prove who we are.
    pub proof: Proof,
    /// Who we say we are.
    pub identity: Identification,
    /// Aggressive mode.
    pub aggressive: bool,
    /// Phase 1 in the order of the offer; in aggressive mode all of one group.
    pub policies: Vec<Policy>,
    /// Phase 2 in the order of the offer, all of one mode.
    pub transform_sets: Vec<TransformSet>,
    /// PFS.
    pub pfs: Option<Group>,
    /// Pretend that there is a NAT, so that ESP travels in UDP.
    pub force_udp: bool,
    /// The server's port of NAT traversal. Normally 4500.
    pub nat_t_port: u16,
    /// Our port of the traffic.
    pub port: u16,
    /// The address that the server is told as its own; where `None`, the one dialled.
    pub server_identity: Option<IpAddr>,
    /// Life of ESP associations.
    pub sa_lifetime: Duration,
    /// The name or address that the server's certificate must bear.
    pub server_name: Option<String>,
}

impl std::fmt::Debug for Dial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dial").field("identity", &self.identity).finish_non_exhaustive()
    }
}
