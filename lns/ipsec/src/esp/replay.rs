//! The window of sequence numbers that have been received, RFC 4303 section 3.4.3: a ring of bits, of which whole words
//! are cleared as the window moves on (RFC 6479), so that nothing is ever shifted.

use super::DropReason;

const WORD: u32 = u64::BITS;

/// Which of the last numbers have been received.
#[derive(Debug)]
pub(super) struct ReplayWindow {
    /// One word more than the window covers at least, and a power of two of them.
    words: Box<[u64]>,
    size: u32,
    /// The highest number received.
    highest: u32,
}

impl ReplayWindow {
    /// `None` for a size that is not offered.
    pub(super) fn new(size: u32) -> Option<Self> {
        if !(64..=4096).contains(&size) {
            return None;
        }
        let words = (size.div_ceil(WORD) + 1).next_power_of_two();
        Some(Self { words: (0..words).map(|_| 0).collect(), size, highest: 0 })
    }

    /// The highest number received; zero before the first.
    pub(super) fn highest(&self) -> u32 {
        self.highest
    }

    /// Whether a packet of this number may be looked at. Nothing is remembered: the packet may be forged.
    pub(super) fn check(&self, sequence: u32) -> Result<(), DropReason> {
        if sequence == 0 {
            return Err(DropReason::SequenceZero);
        }
        let Some(behind) = self.highest.checked_sub(sequence) else {
            return Ok(());
        };
        if behind >= self.size {
            return Err(DropReason::BehindWindow);
        }
        let (word, bit) = self.place(sequence);
        match self.words.get(word) {
            Some(word) if word & bit == 0 => Ok(()),
            _ => Err(DropReason::Replayed),
        }
    }

    /// Remembers a number that passed the check, once its packet has proved genuine.
    pub(super) fn mark(&mut self, sequence: u32) {
        if sequence > self.highest {
            // A leap over the whole ring clears each word once.
            let entered = (sequence / WORD - self.highest / WORD).min(self.mask() + 1);
            for step in 0..entered {
                let word = self.word(sequence / WORD - step);
                if let Some(word) = self.words.get_mut(word) {
                    *word = 0;
                }
            }
            self.highest = sequence;
        }
        let (word, bit) = self.place(sequence);
        if let Some(word) = self.words.get_mut(word) {
            *word |= bit;
        }
    }

    fn place(&self, sequence: u32) -> (usize, u64) {
        (self.word(sequence / WORD), 1 << (sequence % WORD))
    }

    fn word(&self, number: u32) -> usize {
        usize::try_from(number & self.mask()).unwrap_or(0)
    }

    fn mask(&self) -> u32 {
        u32::try_from(self.words.len()).unwrap_or(1) - 1
    }
}

#[cfg(test)]
mod tests;
