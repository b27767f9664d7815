//! An association by which packets go out.

use std::fmt;
use std::ops::Range;

use tollgate_sansio::Entropy;

use super::keys::SealingKey;
use super::{HEADER, Layout, Spi, TRAILER};
use crate::algorithm::EspSuite;

/// Why a packet cannot go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Every sequence number has been used; the association must be replaced (RFC 4303 section 3.3.3).
    #[error("sequence numbers used up")]
    Exhausted,
    /// The buffer has not enough octets before or behind the payload.
    #[error("no room")]
    NoRoom,
}

/// An association by which packets go out.
pub struct OutboundSa {
    spi: Spi,
    suite: EspSuite,
    layout: Layout,
    key: SealingKey,
    sequence: u32,
    packets: u64,
    octets: u64,
}

impl OutboundSa {
    /// A new association; `None` when the key material has not the suite's length.
    pub fn new(spi: Spi, suite: EspSuite, keymat: &[u8], entropy: &mut Entropy) -> Option<Self> {
        let key = SealingKey::new(suite, keymat, entropy)?;
        Some(Self { spi, suite, layout: Layout::of(suite), key, sequence: 0, packets: 0, octets: 0 })
    }

    /// Makes a packet of the payload that stands in the buffer, in place, with at most [`super::HEADROOM`] octets before
    /// and [`super::TAILROOM`] behind it. Gives where the packet lies.
    pub fn seal(
        &mut self,
        buffer: &mut [u8],
        payload: Range<usize>,
        next_header: u8,
    ) -> Result<Range<usize>, SealError> {
        let sequence = self.sequence.checked_add(1).ok_or(SealError::Exhausted)?;
        let payload_len = payload.end.checked_sub(payload.start).ok_or(SealError::NoRoom)?;
        let range = self.packet(payload.start, payload_len).ok_or(SealError::NoRoom)?;
        let packet = buffer.get_mut(range.clone()).ok_or(SealError::NoRoom)?;
        self.write_around(packet, sequence, payload_len, next_header).ok_or(SealError::NoRoom)?;
        self.sequence = sequence;
        self.key.seal(self.layout, packet).ok_or(SealError::NoRoom)?;
        self.packets += 1;
        self.octets += u64::try_from(payload_len).unwrap_or(u64::MAX);
        Ok(range)
    }

    /// Octets of a packet in front of its payload.
    pub fn header_length(&self) -> usize {
        self.layout.before()
    }

    /// Octets by which a packet is longer than its payload.
    pub fn overhead(&self, payload_len: usize) -> usize {
        let text = self.layout.text(payload_len).unwrap_or(payload_len);
        (text - payload_len).saturating_add(self.layout.before() + self.layout.icv)
    }

    /// The longest payload whose packet has at most `room` octets; zero also when there is none.
    pub fn largest_payload(&self, room: usize) -> usize {
        let text = room.saturating_sub(self.layout.before() + self.layout.icv);
        (text - text % self.layout.alignment).saturating_sub(TRAILER)
    }

    /// The number under which the peer knows it.
    pub fn spi(&self) -> Spi {
        self.spi
    }

    /// Its algorithms.
    pub fn suite(&self) -> EspSuite {
        self.suite
    }

    /// Packets sealed.
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// Octets of payload in them.
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// The number of the last packet; zero before the first.
    pub fn sequence(&self) -> u32 {
        self.sequence
    }

    /// Where the packet of a payload lies.
    fn packet(&self, payload_start: usize, payload_len: usize) -> Option<Range<usize>> {
        let start = payload_start.checked_sub(self.layout.before())?;
        let text = self.layout.text(payload_len)?;
        let end = payload_start.checked_add(text)?.checked_add(self.layout.icv)?;
        Some(start..end)
    }

    /// Writes everything around the payload but the check value.
    fn write_around(
        &self,
        packet: &mut [u8],
        sequence: u32,
        payload_len: usize,
        next_header: u8,
    ) -> Option<()> {
        let (header, rest) = packet.split_first_chunk_mut::<HEADER>()?;
        let (spi, number) = header.split_first_chunk_mut::<4>()?;
        *spi = self.spi.get().to_be_bytes();
        number.copy_from_slice(&sequence.to_be_bytes());
        let (iv, rest) = rest.split_at_mut_checked(self.layout.iv)?;
        iv.copy_from_slice(self.key.iv(sequence).get(..iv.len())?);
        let text = rest.get_mut(..self.layout.text(payload_len)?)?;
        let padding = text.get_mut(payload_len..)?;
        let (padding, trailer) = padding.split_last_chunk_mut::<TRAILER>()?;
        for (octet, number) in padding.iter_mut().zip(1..) {
            *octet = number;
        }
        *trailer = [u8::try_from(padding.len()).ok()?, next_header];
        Some(())
    }
}

impl fmt::Debug for OutboundSa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutboundSa")
            .field("spi", &self.spi)
            .field("suite", &self.suite)
            .field("sequence", &self.sequence)
            .field("packets", &self.packets)
            .field("octets", &self.octets)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
