//! A cursor whose every read is checked. A sub-cursor made by [`Reader::split`] cannot leave its part, which is
//! how attribute lists inside messages are read.

/// A read asked for more than the input holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("truncated: {needed} octets needed, {available} left")]
pub struct Truncated {
    /// Octets that the read asked for.
    pub needed: usize,
    /// Octets that were left.
    pub available: usize,
}

/// A position in a byte slice. All integers are read in network byte order.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first octet of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Octets left.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// True when nothing is left.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next `count` octets.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Truncated> {
        match self.rest.split_at_checked(count) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(Truncated { needed: count, available: self.rest.len() }),
        }
    }

    /// A cursor over the next `count` octets alone; this cursor moves past them.
    pub fn split(&mut self, count: usize) -> Result<Reader<'a>, Truncated> {
        self.take(count).map(Reader::new)
    }

    /// The next `N` octets by value.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Truncated> {
        match self.rest.split_first_chunk::<N>() {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(*taken)
            }
            None => Err(Truncated { needed: N, available: self.rest.len() }),
        }
    }

    /// The next octet.
    pub fn u8(&mut self) -> Result<u8, Truncated> {
        self.array::<1>().map(|[octet]| octet)
    }

    /// The next 16-bit integer.
    pub fn u16(&mut self) -> Result<u16, Truncated> {
        self.array().map(u16::from_be_bytes)
    }

    /// The next 32-bit integer.
    pub fn u32(&mut self) -> Result<u32, Truncated> {
        self.array().map(u32::from_be_bytes)
    }

    /// The next 64-bit integer.
    pub fn u64(&mut self) -> Result<u64, Truncated> {
        self.array().map(u64::from_be_bytes)
    }

    /// Everything that is left; the cursor is empty afterwards.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// Everything that is left, without moving.
    pub fn peek(&self) -> &'a [u8] {
        self.rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_reader_cannot_leave_its_part() {
        let mut whole = Reader::new(&[1, 2, 3, 4, 5]);
        let mut part = whole.split(2).unwrap();
        assert_eq!(part.u16(), Ok(0x0102));
        assert_eq!(part.u8(), Err(Truncated { needed: 1, available: 0 }));
        assert_eq!(whole.rest(), &[3, 4, 5]);
    }

    #[test]
    fn a_failed_read_moves_nothing() {
        let mut reader = Reader::new(&[9]);
        assert_eq!(reader.u32(), Err(Truncated { needed: 4, available: 1 }));
        assert_eq!(reader.u8(), Ok(9));
    }
}
