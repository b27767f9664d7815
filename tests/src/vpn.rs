//! Real VPN clients and servers: strongSwan or Libreswan below, xl2tpd and pppd above, each in a guest with a Linux kernel
//! of its own.

mod client;
mod libreswan;
mod responder;
mod strongswan;

use std::net::Ipv4Addr;

use crate::guest::Root;
use crate::pki::Issued;

pub use client::{Client, Link, Pings};
pub use responder::{INNER, Responder};

/// The program that speaks IKE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stack {
    /// strongSwan's charon.
    StrongSwan,
    /// Libreswan's pluto.
    Libreswan,
}

impl Stack {
    fn root(self) -> Root {
        match self {
            Self::StrongSwan => Root::StrongSwan,
            Self::Libreswan => Root::Libreswan,
        }
    }
}

/// What a peer proves itself with.
#[derive(Debug, Clone)]
pub enum Credential {
    /// A pre-shared key.
    Key(String),
    /// A certificate with its key.
    Certificate(Box<Issued>),
}

/// How a guest speaks IPsec: the fields are the words of `swanctl.conf`.
#[derive(Debug, Clone)]
pub struct Ipsec {
    /// Who speaks.
    pub stack: Stack,
    /// The other end.
    pub server: Ipv4Addr,
    /// What it proves itself with.
    pub credential: Credential,
    /// Aggressive mode in place of main mode.
    pub aggressive: bool,
    /// Proposals of phase 1 in strongSwan's words: `aes256-sha1-modp2048`, several with commas.
    pub ike: String,
    /// Proposals of phase 2: `aes256-sha1`.
    pub esp: String,
    /// Tunnel mode in place of transport mode.
    pub tunnel: bool,
    /// The own identity: an address, a name, `keyid:NAME` for a group's name; without one the own address, or the
    /// certificate's subject.
    pub identity: Option<String>,
    /// The other's identity that is insisted on; without one any.
    pub server_identity: Option<String>,
    /// Seconds after which phase 1 is negotiated anew; without one after hours.
    pub rekey_ike: Option<u32>,
    /// The same for phase 2.
    pub rekey_child: Option<u32>,
    /// UDP encapsulation without a NAT.
    pub force_encapsulation: bool,
    /// Seconds of silence after which the server is asked whether it is there.
    pub dpd: Option<u32>,
    /// The own L2TP port: 1701, or 0 for any.
    pub port: u16,
}

impl Ipsec {
    /// strongSwan with a pre-shared key, main mode, transport mode and the algorithms of Windows' clients.
    pub fn with_key(server: Ipv4Addr, key: &str) -> Self {
        Self {
            stack: Stack::StrongSwan,
            server,
            credential: Credential::Key(key.to_owned()),
            aggressive: false,
            ike: "aes256-sha1-modp2048".into(),
            esp: "aes256-sha1".into(),
            tunnel: false,
            identity: None,
            server_identity: None,
            rekey_ike: None,
            rekey_child: None,
            force_encapsulation: false,
            dpd: None,
            port: 1701,
        }
    }

    /// The same with a certificate.
    pub fn with_certificate(server: Ipv4Addr, issued: Issued) -> Self {
        Self { credential: Credential::Certificate(Box::new(issued)), ..Self::with_key(server, "") }
    }

    /// The same with Libreswan.
    pub fn by_libreswan(self) -> Self {
        Self { stack: Stack::Libreswan, ..self }
    }
}
