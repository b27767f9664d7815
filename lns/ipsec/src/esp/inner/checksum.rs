//! The checksum of the Internet (RFC 1071), which UDP and the IPv4 header have in common.

use std::net::IpAddr;

/// A sum of 16-bit words in one's complement. It is taken in the machine's own order of octets, which changes nothing but
/// the order of the result's (RFC 1071 section 2).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sum(u64);

impl Sum {
    /// What UDP adds to a datagram (RFC 768, RFC 8200 section 8.1).
    pub(super) fn pseudo_header(addresses: (IpAddr, IpAddr), protocol: u8, length: u16) -> Self {
        let [high, low] = length.to_be_bytes();
        Self::default().address(addresses.0).address(addresses.1).add(&[0, protocol, high, low])
    }

    fn address(self, address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => self.add(&address.octets()),
            IpAddr::V6(address) => self.add(&address.octets()),
        }
    }

    /// Adds octets, of which an odd one at the end is half a word; what is added next begins a new one.
    pub(super) fn add(self, octets: &[u8]) -> Self {
        // Two words at a time: carries gather above them and come back when the sum is folded.
        let (words, rest) = octets.as_chunks::<4>();
        let mut last = [0; 4];
        for (to, from) in last.iter_mut().zip(rest) {
            *to = *from;
        }
        let sum: u64 = words.iter().chain([&last]).map(|word| u64::from(u32::from_ne_bytes(*word))).sum();
        Self(self.0.wrapping_add(sum))
    }

    /// Whether octets with their checksum among them are right.
    pub(super) fn is_right(self) -> bool {
        self.fold() == u16::MAX
    }

    /// What to put into octets whose checksum field is zero.
    pub(super) fn checksum(self) -> [u8; 2] {
        (!self.fold()).to_ne_bytes()
    }

    fn fold(self) -> u16 {
        let mut sum = self.0;
        while sum > u64::from(u16::MAX) {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        u16::try_from(sum).unwrap_or(u16::MAX)
    }
}
