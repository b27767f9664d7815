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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marked_octet_names_its_shard_and_keeps_the_other_bits() {
        for bits in 0..=8 {
            for shard in 0..1u16 << bits {
                let place = Place { shard, bits };
                for octet in 0..=u8::MAX {
                    let marked = place.mark(octet);
                    assert_eq!(place.shard_of(marked), shard);
                    assert_eq!(u16::from(marked) >> bits, u16::from(octet) >> bits);
                }
            }
        }
    }

    #[test]
    fn packets_too_short_for_a_name_and_first_messages_belong_to_nobody() {
        let place = Place { shard: 0, bits: 2 };
        assert_eq!(place.owner_of_esp(&[1, 2, 3]), None);
        assert_eq!(place.owner_of_esp(&[1, 2, 3, 7]), Some(3));
        assert_eq!(place.owner_of_isakmp(&[1; 15]), None);
        assert_eq!(place.owner_of_isakmp(&[[1; 8], [0; 8]].concat()), None);
        assert_eq!(place.owner_of_isakmp(&[[1; 8], [6; 8]].concat()), Some(2));
    }
}
