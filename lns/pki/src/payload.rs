//! Certificate payloads (RFC 2408 3.9).

/// Certificates that one peer may send.
pub const MAX_CERTIFICATES: usize = 16;
/// Octets of all certificate payloads of one peer.
pub const MAX_PAYLOAD_OCTETS: usize = 32 * 1024;

/// A CERT payload behind its generic header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CertPayload<'a> {
    /// Certificate encoding: 4 is an X.509 certificate for signatures, 1 a PKCS#7 chain.
    pub encoding: u8,
    /// Certificate data.
    pub data: &'a [u8],
}
