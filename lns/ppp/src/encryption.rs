//! The keys that a login leaves for MPPE (RFC 3079).

use zeroize::{Zeroize, ZeroizeOnDrop};

/// What the keys of MPPE are made from. Wiped when dropped; prints nothing of itself.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub enum MppeStartKeys {
    /// The two keys of MS-CHAPv2 (RFC 3079 3), EAP-TLS (RFC 3079 4, RFC 5216 2.3) and other methods of EAP, as this end
    /// uses them: MS-MPPE-Send-Key and MS-MPPE-Recv-Key (RFC 2548 2.4.2, 2.4.3). Of longer ones the first sixteen octets
    /// count.
    Asymmetric {
        /// For what we send.
        send: [u8; 16],
        /// For what we receive.
        receive: [u8; 16],
    },
    /// Those of MS-CHAPv1 (RFC 3079 2), as MS-CHAP-MPPE-Keys brings them (RFC 2548 2.4.1).
    Symmetric {
        /// The first eight octets of the LAN Manager hash; zeros where it is not known, and there are no keys of 40 and
        /// 56 bits then.
        lm: [u8; 8],
        /// The hash of the NT hash.
        nt: [u8; 16],
    },
}

impl MppeStartKeys {
    /// From keys of sixteen octets or more; `None` if either is shorter.
    pub fn asymmetric(send: &[u8], receive: &[u8]) -> Option<Self> {
        let (send, receive) = (send.first_chunk()?, receive.first_chunk()?);
        Some(Self::Asymmetric { send: *send, receive: *receive })
    }
}

impl std::fmt::Debug for MppeStartKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MppeStartKeys(..)")
    }
}
