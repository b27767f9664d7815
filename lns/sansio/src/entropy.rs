//! Unpredictable numbers for machines that may not draw any themselves: HMAC-SHA-256 over a counter, keyed by a
//! seed that the caller takes from the operating system.

use ring::hmac;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A deterministic stream that nobody can predict without its seed. The same seed gives the same stream, which is
/// what makes a recorded session replayable.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Entropy {
    seed: [u8; 32],
    counter: u64,
}

impl Entropy {
    /// Starts a stream from 32 octets of the operating system's randomness.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self { seed, counter: 0 }
    }

    /// A stream of its own for a part of the machine (one session of a tunnel, say).
    pub fn fork(&mut self) -> Self {
        Self::from_seed(self.array())
    }

    /// The next `N` octets of the stream.
    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        self.fill(&mut out);
        out
    }

    /// Fills `out` with the next octets of the stream.
    pub fn fill(&mut self, out: &mut [u8]) {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.seed);
        for chunk in out.chunks_mut(32) {
            let block = hmac::sign(&key, &self.counter.to_be_bytes());
            self.counter = self.counter.wrapping_add(1);
            for (to, from) in chunk.iter_mut().zip(block.as_ref()) {
                *to = *from;
            }
        }
    }

    /// The next 16-bit number.
    pub fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.array())
    }

    /// The next 32-bit number.
    pub fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.array())
    }
}

impl std::fmt::Debug for Entropy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entropy").field("counter", &self.counter).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_stream_and_forks_differ() {
        let mut one = Entropy::from_seed([7; 32]);
        let mut two = Entropy::from_seed([7; 32]);
        assert_eq!(one.array::<40>(), two.array::<40>());
        assert_ne!(one.fork().u32(), one.fork().u32());
    }
}
