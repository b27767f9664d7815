//! Steps out of octets. Any octets are a script; where they end, the script ends.

/// What is left of the fuzzer's octets.
pub struct Script<'a> {
    rest: &'a [u8],
}

impl<'a> Script<'a> {
    pub fn new(octets: &'a [u8]) -> Self {
        Self { rest: octets }
    }

    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next octet; zero behind the end.
    pub fn octet(&mut self) -> u8 {
        let Some((first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        *first
    }

    pub fn number(&mut self) -> u16 {
        u16::from_be_bytes([self.octet(), self.octet()])
    }

    /// A string of octets with its length in front, shorter when the script ends first.
    pub fn string(&mut self) -> &'a [u8] {
        let length = usize::from(self.octet());
        let (taken, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }
}
