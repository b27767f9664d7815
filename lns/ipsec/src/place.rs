//! The shard's number inside the names that we give out, so that whoever receives a packet finds its owner.

/// A shard among several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// Its number, below `1 << bits`.
    pub shard: u16,
    /// Bits that the numbers of all shards take, 0..=8.
    pub bits: u8,
}

impl Place {
    fn mask(self) -> u8 {
        ((1u16 << self.bits.min(8)) - 1) as u8
    }

    /// An octet whose low bits say which shard it belongs to.
    pub(crate) fn mark(self, octet: u8) -> u8 {
        octet & !self.mask() | self.shard as u8 & self.mask()
    }

    /// The shard of a marked octet.
    pub fn shard_of(self, octet: u8) -> u16 {
        u16::from(octet & self.mask())
    }

    /// The shard that owns an ESP packet, by its SPI; `None` for what is too short for one.
    pub fn owner_of_esp(self, packet: &[u8]) -> Option<u16> {
        packet.get(3).map(|octet| self.shard_of(*octet))
    }

    /// The shard that owns an ISAKMP message, by the responder's cookie; `None` for a first message.
    pub fn owner_of_isakmp(self, message: &[u8]) -> Option<u16> {
        let cookie = message.get(8..16)?;
        cookie.iter().any(|octet| *octet != 0).then(|| cookie.last().map(|octet| self.shard_of(*octet)))?
    }
}
