//! Packets on a stream (RFC 6613 section 2.6): one after the other, each as long as its own header says.
//!
//! A stream has no second border between packets: once a length is wrong, nothing behind it can be believed to be a
//! packet, so the first wrong one ends the stream.

use super::packet::{HEADER, MAX_PACKET, Malformed};

/// What has come from a stream and is not yet a whole packet: less than one packet between two calls of
/// [`Self::take_in`], if the packets are taken out until there are none.
#[derive(Debug, Default)]
pub struct Frames {
    buffer: Vec<u8>,
    /// Octets at the front that have been handed out.
    used: usize,
}

impl Frames {
    /// More octets from the stream.
    pub fn take_in(&mut self, octets: &[u8]) {
        self.buffer.drain(..self.used.min(self.buffer.len()));
        self.used = 0;
        self.buffer.extend_from_slice(octets);
    }

    /// The next whole packet. Its length is that of its header, 20 to 4096 octets; what is in it has not been looked at.
    /// An impossible length is told as soon as it is there, and again each time.
    pub fn next_packet(&mut self) -> Result<Option<&[u8]>, Malformed> {
        let rest = self.buffer.get(self.used..).unwrap_or_default();
        let [_, _, high, low, ..] = rest else { return Ok(None) };
        let length = u16::from_be_bytes([*high, *low]);
        if !(HEADER..=MAX_PACKET).contains(&usize::from(length)) {
            return Err(Malformed::Length(length));
        }
        let packet = rest.get(..usize::from(length));
        if packet.is_some() {
            self.used += usize::from(length);
        }
        Ok(packet)
    }

    /// A packet has begun and not ended.
    pub fn is_halfway(&self) -> bool {
        self.used < self.buffer.len()
    }
}

#[cfg(test)]
mod tests;
