//! Proxy LCP and proxy authentication (RFC 2661 4.4.5): what a LAC already negotiated on our behalf.

/// The LCP packets a LAC reports in its ICCN: option lists, from the first option on, without the packet header.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProxyLcp<'a> {
    /// Initial Received LCP CONFREQ (AVP 26).
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
