//! An association by which packets come in.

use std::fmt;
use std::ops::Range;

use tollgate_sansio::{Reader, Truncated};

use super::keys::OpeningKey;
use super::replay::ReplayWindow;
use super::{DropReason, Layout, Spi, TRAILER};
use crate::algorithm::EspSuite;

/// What came out of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// Where the payload lies in the packet, now in the clear.
    pub payload: Range<usize>,
    /// The protocol of the payload.
    pub next_header: u8,
    /// The number of the packet.
    pub sequence: u32,
}

/// An association by which packets come in.
pub struct InboundSa {
    spi: Spi,
    suite: EspSuite,
    layout: Layout,
    key: OpeningKey,
    window: ReplayWindow,
    packets: u64,
    octets: u64,
    replay_drops: u64,
}

impl InboundSa {
    /// A new association; `None` when the key material has not the suite's length, or the window is not of 64 to 4096
    /// packets ([`super::DEFAULT_WINDOW`] is).
    pub fn new(spi: Spi, suite: EspSuite, keymat: &[u8], window: u32) -> Option<Self> {
        let key = OpeningKey::new(suite, keymat)?;
        let window = ReplayWindow::new(window)?;
        let layout = Layout::of(suite);
        Some(Self { spi, suite, layout, key, window, packets: 0, octets: 0, replay_drops: 0 })
    }

    /// Verifies and decrypts a packet in place; it begins at the ESP header and ends with the check value. After an
    /// error its octets are of no more use.
    pub fn open(&mut self, packet: &mut [u8]) -> Result<Opened, DropReason> {
        let mut header = Reader::new(packet);
        if header.u32()? != self.spi.get() {
            return Err(DropReason::UnknownSpi);
        }
        let sequence = header.u32()?;
        // Before the costly part; but only a packet that then proves genuine moves the window (RFC 4303 section 3.4.3).
        if let Err(reason) = self.window.check(sequence) {
            self.replay_drops += 1;
            return Err(reason);
        }
        let text = self.key.open(self.layout, packet)?;
        self.window.mark(sequence);
        let (payload, next_header) = untrail(text)?;
        self.packets += 1;
        self.octets += u64::try_from(payload).unwrap_or(u64::MAX);
        let start = self.layout.before();
        Ok(Opened { payload: start..start + payload, next_header, sequence })
    }

    /// The number under which we know it.
    pub fn spi(&self) -> Spi {
        self.spi
    }

    /// Its algorithms.
    pub fn suite(&self) -> EspSuite {
        self.suite
    }

    /// Packets opened.
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// Octets of payload in them.
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// The highest sequence number of a genuine packet; zero before the first.
    pub fn highest_sequence(&self) -> u32 {
        self.window.highest()
    }

    /// Packets dropped for their sequence numbers.
    pub fn replay_drops(&self) -> u64 {
        self.replay_drops
    }
}

impl fmt::Debug for InboundSa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InboundSa")
            .field("spi", &self.spi)
            .field("suite", &self.suite)
            .field("packets", &self.packets)
            .field("octets", &self.octets)
            .field("replay_drops", &self.replay_drops)
            .finish_non_exhaustive()
    }
}

/// Length of the payload and its protocol, found behind it. The padding must be the sequence that RFC 4303 section 2.4
/// sets; what it is has been authenticated, so that an answer to it tells a stranger nothing.
fn untrail(text: &[u8]) -> Result<(usize, u8), DropReason> {
    let (rest, [pad_length, next_header]) =
        text.split_last_chunk::<TRAILER>().ok_or(DropReason::Truncated)?;
    let payload = rest.len().checked_sub(usize::from(*pad_length)).ok_or(DropReason::Padding)?;
    let padding = rest.get(payload..).unwrap_or_default();
    if padding.iter().zip(1..=u8::MAX).any(|(octet, expected)| *octet != expected) {
        return Err(DropReason::Padding);
    }
    Ok((payload, *next_header))
}

impl From<Truncated> for DropReason {
    fn from(_: Truncated) -> Self {
        Self::Truncated
    }
}

#[cfg(test)]
mod tests;
