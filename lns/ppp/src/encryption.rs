//! What the owner of a link says about encryption: whether it must be, of what strength, and from which keys
//! (RFC 3078, RFC 3079).

use tollgate_mschap::{KeyStrength, SessionKey, start_key_v1_of};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The encryption that a login brings with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encryption {
    /// Nothing passes in clear: a peer that does not encrypt is hung up on.
    pub required: bool,
    /// The lengths of keys that will do.
    pub strengths: MppeStrengths,
    /// Keys may also change with every 256th packet alone, which makes each lost packet cost more of them.
    pub stateful_allowed: bool,
    /// What the keys are made from.
    pub keys: MppeStartKeys,
}

/// What a client wants to be encrypted. The keys come from its login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientEncryption {
    /// Nothing passes in clear.
    pub required: bool,
    /// The lengths of keys that will do.
    pub strengths: MppeStrengths,
    /// Keys may also change with every 256th packet alone.
    pub stateful_allowed: bool,
}

/// Lengths of keys (RFC 3078 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MppeStrengths {
    /// 40 bits, which is no secret from anybody who cares.
    pub bits40: bool,
    /// 56 bits, not much better.
    pub bits56: bool,
    /// 128 bits.
    pub bits128: bool,
}

impl MppeStrengths {
    /// Whatever the peer can.
    pub const ALL: Self = Self { bits40: true, bits56: true, bits128: true };
    /// The longest alone.
    pub const STRONG: Self = Self { bits40: false, bits56: false, bits128: true };

    pub(crate) fn contains(self, strength: KeyStrength) -> bool {
        match strength {
            KeyStrength::Bits40 => self.bits40,
            KeyStrength::Bits56 => self.bits56,
            KeyStrength::Bits128 => self.bits128,
        }
    }

    /// The longest.
    pub(crate) fn strongest(self) -> Option<KeyStrength> {
        [KeyStrength::Bits128, KeyStrength::Bits56, KeyStrength::Bits40]
            .into_iter()
            .find(|&strength| self.contains(strength))
    }

    /// Those that pass `test` too.
    pub(crate) fn filter(self, test: impl Fn(KeyStrength) -> bool) -> Self {
        Self {
            bits40: self.bits40 && test(KeyStrength::Bits40),
            bits56: self.bits56 && test(KeyStrength::Bits56),
            bits128: self.bits128 && test(KeyStrength::Bits128),
        }
    }
}

/// How one direction of a link is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MppeMode {
    /// The length of the key.
    pub strength: KeyStrength,
    /// The key changes with every packet (RFC 3078 7.1).
    pub stateless: bool,
}

impl std::fmt::Display for MppeMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bits = match self.strength {
            KeyStrength::Bits40 => 40,
            KeyStrength::Bits56 => 56,
            KeyStrength::Bits128 => 128,
        };
        write!(f, "MPPE-{bits} {}", if self.stateless { "stateless" } else { "stateful" })
    }
}

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
    /// Those of MS-CHAPv1 (RFC 3079 2), as MS-CHAP-MPPE-Keys brings them (RFC 2548 2.4.1). The challenge that belongs to
    /// them is the link's.
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

    /// The start keys for what we send and what we receive; `None` where this login leaves none of the length.
    /// `challenge` is that of MS-CHAPv1.
    pub(crate) fn start(
        &self,
        strength: KeyStrength,
        challenge: Option<&[u8; 8]>,
    ) -> Option<(SessionKey, SessionKey)> {
        match self {
            Self::Asymmetric { send, receive } => {
                Some((SessionKey::start(send, strength)?, SessionKey::start(receive, strength)?))
            }
            Self::Symmetric { lm, nt } => {
                let key = || match strength {
                    KeyStrength::Bits128 => Some(start_key_v1_of(nt, challenge?)),
                    KeyStrength::Bits40 | KeyStrength::Bits56 if *lm == [0; 8] => None,
                    KeyStrength::Bits40 | KeyStrength::Bits56 => SessionKey::start(lm, strength),
                };
                Some((key()?, key()?))
            }
        }
    }
}

impl std::fmt::Debug for MppeStartKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MppeStartKeys(..)")
    }
}
