//! ESP (RFC 4303) with 32-bit sequence numbers, which is all that IKEv1 negotiates by itself: one association for each
//! direction, over a packet in place. UDP encapsulation is not here (the socket's side puts the packet behind its
//! header); what the payload holds is in [`inner`].
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |               Security Parameters Index (SPI)                 |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                      Sequence Number                          |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |     IV, 8 or 16 octets, then the payload, both variable ...   |
//! +               +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |               |     Padding (0-255 octets)                    |
//! +-+-+-+-+-+-+-+-+               +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                               |  Pad Length   | Next Header   |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |         Integrity Check Value, 12 to 32 octets ...            |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use std::fmt;

use crate::algorithm::{EspCipher, EspSuite};

mod drop_reason;
mod inbound;
pub mod inner;
mod keys;
mod outbound;
mod replay;

pub use drop_reason::DropReason;
pub use inbound::{InboundSa, Opened};
pub use outbound::{OutboundSa, SealError};

/// Octets of SPI and sequence number, which stand before the initialization vector and are what AES-GCM authenticates
/// beside the payload (RFC 4106 section 5).
const HEADER: usize = 8;

/// Octets of pad length and next header.
const TRAILER: usize = 2;

/// Octets before a payload that any suite needs at most: header and initialization vector.
pub const HEADROOM: usize = HEADER + 16;

/// Octets behind a payload that any suite needs at most: padding, trailer and check value.
pub const TAILROOM: usize = 15 + TRAILER + 32;

/// Packets by which one may be overtaken by others and still be taken, where the operator says nothing.
pub const DEFAULT_WINDOW: u32 = 1024;

/// The number under which a receiver knows an association.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Spi(u32);

impl Spi {
    /// `None` for those below 256, which are reserved (RFC 4303 section 2.1).
    pub fn new(spi: u32) -> Option<Self> {
        (spi >= 256).then_some(Self(spi))
    }

    /// As it stands in the packet.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Spi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#010x}", self.0)
    }
}

/// The lengths that a suite gives to the parts of a packet, in octets.
#[derive(Debug, Clone, Copy)]
struct Layout {
    iv: usize,
    /// What payload, padding and trailer together are a multiple of: the cipher's block, and always four octets
    /// (RFC 4303 section 2.4).
    alignment: usize,
    icv: usize,
}

impl Layout {
    fn of(suite: EspSuite) -> Self {
        let (iv, alignment) = match suite.cipher() {
            EspCipher::Des | EspCipher::TripleDes => (8, 8),
            EspCipher::Aes128 | EspCipher::Aes192 | EspCipher::Aes256 => (16, 16),
            EspCipher::Aes128Gcm | EspCipher::Aes256Gcm => (8, 4),
        };
        Self { iv, alignment, icv: suite.icv_length() }
    }

    /// Octets before the payload.
    fn before(self) -> usize {
        HEADER + self.iv
    }

    /// Octets of payload, padding and trailer; `None` when they exceed every number.
    fn text(self, payload: usize) -> Option<usize> {
        payload.checked_add(TRAILER)?.checked_next_multiple_of(self.alignment)
    }
}

#[cfg(test)]
mod tests;
