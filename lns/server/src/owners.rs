//! Which shard serves an inner address: read for every packet that comes from the inside, without a lock; written when
//! a session begins or ends.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{OnceLock, PoisonError, RwLock};

/// One value for each address of a /24: the shard's number plus one, or 0.
type Leaf = [AtomicU8; 256];
/// The /24s of a /16.
type Middle = [OnceLock<Box<Leaf>>; 256];

/// The table. A /24 takes its 256 octets when its first address is used and keeps them.
#[derive(Debug)]
pub(crate) struct Owners {
    top: Box<[OnceLock<Box<Middle>>]>,
    /// Networks behind clients (Framed-Route); few, so a list.
    networks: RwLock<Vec<(u32, u32, u8)>>,
    has_networks: AtomicBool,
}

impl Owners {
    pub(crate) fn new() -> Self {
        Self {
            top: (0..65_536).map(|_| OnceLock::new()).collect(),
            networks: RwLock::default(),
            has_networks: AtomicBool::new(false),
        }
    }

    /// The shard of an address.
    pub(crate) fn shard_of(&self, address: Ipv4Addr) -> Option<usize> {
        let [a, b, c, d] = address.octets().map(usize::from);
        let host = self
            .top
            .get(a << 8 | b)
            .and_then(OnceLock::get)
            .and_then(|middle| middle[c].get())
            .map_or(0, |leaf| leaf[d].load(Ordering::Acquire));
        match host {
            0 if self.has_networks.load(Ordering::Acquire) => self.network_of(u32::from(address)),
            0 => None,
            shard => Some(usize::from(shard) - 1),
        }
    }

    fn network_of(&self, address: u32) -> Option<usize> {
        let networks = self.networks.read().unwrap_or_else(PoisonError::into_inner);
        networks
            .iter()
            .filter(|(network, mask, _)| address & mask == *network)
            .max_by_key(|(_, mask, _)| *mask)
            .map(|(_, _, shard)| usize::from(*shard))
    }

    /// Gives an address to a shard.
    pub(crate) fn insert(&self, address: Ipv4Addr, shard: usize) {
        self.store(address, shard as u8 + 1);
    }

    /// Takes an address from whichever shard had it.
    pub(crate) fn remove(&self, address: Ipv4Addr) {
        self.store(address, 0);
    }

    fn store(&self, address: Ipv4Addr, value: u8) {
        let [a, b, c, d] = address.octets().map(usize::from);
        let middle = self.top[a << 8 | b].get_or_init(|| Box::new([const { OnceLock::new() }; 256]));
        let leaf = middle[c].get_or_init(|| Box::new([const { AtomicU8::new(0) }; 256]));
        leaf[d].store(value, Ordering::Release);
    }

    /// Gives a network behind a client to the client's shard.
    pub(crate) fn insert_network(&self, network: Ipv4Addr, prefix: u8, shard: usize) {
        let mut networks = self.networks.write().unwrap_or_else(PoisonError::into_inner);
        networks.push((u32::from(network), mask(prefix), shard as u8));
        self.has_networks.store(true, Ordering::Release);
    }

    /// Takes a network away.
    pub(crate) fn remove_network(&self, network: Ipv4Addr, prefix: u8, shard: usize) {
        let mut networks = self.networks.write().unwrap_or_else(PoisonError::into_inner);
        let wanted = (u32::from(network), mask(prefix), shard as u8);
        if let Some(at) = networks.iter().position(|entry| *entry == wanted) {
            networks.swap_remove(at);
        }
        self.has_networks.store(!networks.is_empty(), Ordering::Release);
    }
}

/// The mask of a prefix length.
pub(crate) fn mask(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_networks_find_their_shard() {
        let owners = Owners::new();
        let client = Ipv4Addr::new(10, 4, 5, 10);
        assert_eq!(owners.shard_of(client), None);
        owners.insert(client, 3);
        owners.insert_network(Ipv4Addr::new(192, 168, 0, 0), 16, 1);
        owners.insert_network(Ipv4Addr::new(192, 168, 7, 0), 24, 2);
        assert_eq!(owners.shard_of(client), Some(3));
        assert_eq!(owners.shard_of(Ipv4Addr::new(192, 168, 9, 9)), Some(1));
        assert_eq!(owners.shard_of(Ipv4Addr::new(192, 168, 7, 9)), Some(2), "the longest prefix wins");
        owners.remove(client);
        owners.remove_network(Ipv4Addr::new(192, 168, 7, 0), 24, 2);
        assert_eq!(owners.shard_of(client), None);
        assert_eq!(owners.shard_of(Ipv4Addr::new(192, 168, 7, 9)), Some(1));
    }
}
