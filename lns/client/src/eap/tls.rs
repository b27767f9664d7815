//! EAP-TLS (RFC 5216): both ends have certificates, and the handshake is all.

use rustls::ClientConnection;
use tollgate_ppp::{EapMethod, EapReply, MppeStartKeys, eap_type};

use super::fragments::{Flow, Tunnel};

/// See the module.
pub(super) struct Tls {
    tunnel: Tunnel,
}

impl Tls {
    pub(super) fn new(tls: ClientConnection) -> Self {
        Self { tunnel: Tunnel::new(tls) }
    }
}

impl EapMethod for Tls {
    fn kind(&self) -> u8 {
        eap_type::TLS
    }

    fn receive(&mut self, _identifier: u8, data: &[u8]) -> EapReply {
        match self.tunnel.receive(data) {
            Flow::Reply(reply) => reply,
            Flow::Whole(_) => self.tunnel.reply(&[]),
        }
    }

    fn is_satisfied(&self) -> bool {
        self.tunnel.is_open() && self.tunnel.is_flushed()
    }

    fn keys(&self) -> Option<MppeStartKeys> {
        self.tunnel.keys()
    }
}
