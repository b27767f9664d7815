//! Finding NATs on the way (RFC 3947 section 3.2).

use std::net::SocketAddr;

use super::header::Cookies;
use super::payload::Kind;
use super::vendor::NatTraversal;
use crate::algorithm::Hash;
use crate::crypto::{self, Digest};

/// Who is behind a NAT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Nat {
    /// We are: the peer sees another address of ours.
    pub local: bool,
    /// The peer is: it does not know the address that we see.
    pub remote: bool,
}

impl Nat {
    /// Whether there is any.
    pub fn found(self) -> bool {
        self.local || self.remote
    }
}

/// HASH(CKY-I | CKY-R | IP | Port).
pub fn detection(hash: Hash, cookies: Cookies, address: SocketAddr) -> Digest {
    let cookies = cookies.octets();
    let port = address.port().to_be_bytes();
    match address.ip() {
        std::net::IpAddr::V4(ip) => crypto::hash(hash, &[&cookies, &ip.octets(), &port]),
        std::net::IpAddr::V6(ip) => crypto::hash(hash, &[&cookies, &ip.octets(), &port]),
    }
}

/// Compares a peer's NAT-D payloads (first ours as it sees us, then its own) with what we see. Fewer than two tell
/// nothing.
pub fn detect<'a>(
    hash: Hash,
    cookies: Cookies,
    local: SocketAddr,
    remote: SocketAddr,
    mut payloads: impl Iterator<Item = &'a [u8]>,
) -> Option<Nat> {
    let ours = payloads.next()?;
    let theirs: Vec<_> = payloads.collect();
    if theirs.is_empty() {
        return None;
    }
    let (local, remote) = (detection(hash, cookies, local), detection(hash, cookies, remote));
    Some(Nat { local: ours != &local[..], remote: !theirs.iter().any(|theirs| *theirs == &remote[..]) })
}

impl NatTraversal {
    /// The payload type of NAT-D.
    pub fn detection_kind(self) -> Kind {
        match self {
            Self::Rfc3947 => Kind::NatDetection,
            Self::Draft => Kind::DraftNatDetection,
        }
    }

    /// The payload type of NAT-OA.
    pub fn original_address_kind(self) -> Kind {
        match self {
            Self::Rfc3947 => Kind::NatOriginalAddress,
            Self::Draft => Kind::DraftNatOriginalAddress,
        }
    }
}
