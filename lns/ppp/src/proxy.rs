//! Proxy LCP and proxy authentication (RFC 2661 4.4.5): what a LAC already negotiated on our behalf.

use std::sync::Arc;

use crate::auth::{Authenticator, chap, pap};
use crate::shared::Shared;
use crate::{AuthProtocol, ServerConfig};

/// Proxy Authen Type (RFC 2661 4.4.5, AVP 29). Type 1, a textual exchange, has no PPP method to go on with.
const CHAP: u16 = 2;
const PAP: u16 = 3;
const NONE: u16 = 4;
const MS_CHAP_V1: u16 = 5;

/// The LCP packets a LAC reports in its ICCN: option lists, from the first option on, without the packet header.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProxyLcp<'a> {
    /// Initial Received LCP CONFREQ (AVP 26). What the peer asked for first says nothing about what was agreed on,
    /// so that nothing hangs on it here.
    pub initial_received: Option<&'a [u8]>,
    /// Last Sent LCP CONFREQ (AVP 27).
    pub last_sent: Option<&'a [u8]>,
    /// Last Received LCP CONFREQ (AVP 28).
    pub last_received: Option<&'a [u8]>,
    /// The authentication that the LAC began.
    pub auth: Option<ProxyAuth<'a>>,
}

/// The authentication exchange a LAC had with the peer (AVPs 29 to 33).
#[derive(Clone, Copy)]
pub struct ProxyAuth<'a> {
    /// Proxy Authen Type: 1 text, 2 CHAP, 3 PAP, 4 none, 5 MS-CHAPv1.
    pub auth_type: u16,
    /// Proxy Authen Name.
    pub name: &'a [u8],
    /// Proxy Authen Challenge (CHAP, MS-CHAPv1).
    pub challenge: &'a [u8],
    /// Proxy Authen ID.
    pub identifier: u8,
    /// Proxy Authen Response: the response, or the password of PAP.
    pub response: &'a [u8],
}

impl std::fmt::Debug for ProxyAuth<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProxyAuth")
            .field("auth_type", &self.auth_type)
            .field("name", &String::from_utf8_lossy(self.name))
            .finish_non_exhaustive()
    }
}

impl ProxyAuth<'_> {
    /// True if `method`, which the LAC's LCP agreed on, is the one that it began; or if it began none.
    pub(crate) fn suits(&self, method: AuthProtocol) -> bool {
        match method {
            AuthProtocol::Pap => matches!(self.auth_type, PAP | NONE),
            AuthProtocol::ChapMd5 => matches!(self.auth_type, CHAP | NONE),
            AuthProtocol::MsChapV1 => matches!(self.auth_type, MS_CHAP_V1 | NONE),
            AuthProtocol::MsChapV2 | AuthProtocol::Eap => self.auth_type == NONE,
        }
    }

    /// The exchange as ours, waiting for its decision. `None` if there is nothing usable, and the peer has to be
    /// asked again.
    pub(crate) fn take_over(&self, config: Arc<ServerConfig>, shared: &mut Shared) -> Option<Authenticator> {
        let flavour = match self.auth_type {
            PAP => {
                return pap::Authenticator::pending(self.identifier, self.name, self.response, shared)
                    .map(Authenticator::Pap);
            }
            CHAP => chap::Flavour::Md5,
            MS_CHAP_V1 => chap::Flavour::MsV1,
            _ => return None,
        };
        let exchange = (self.identifier, self.challenge, self.response, self.name);
        chap::Authenticator::pending(flavour, config, exchange, shared).map(Authenticator::Chap)
    }
}

#[cfg(test)]
mod tests;
