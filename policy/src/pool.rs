//! Address pools. Leases are handed out in the order of the range; an address that comes back waits behind all that
//! were free before it, so that a late packet or record of its last holder does not meet a new one.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::net::Ipv4Addr;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The first and the last address of a pool, both given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressRange {
    /// The first address.
    pub first: Ipv4Addr,
    /// The last address, not below the first.
    pub last: Ipv4Addr,
}

impl AddressRange {
    /// How many addresses there are.
    pub fn size(&self) -> u64 {
        u64::from(u32::from(self.last) - u32::from(self.first)) + 1
    }

    /// Whether the address lies in the range.
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        (self.first..=self.last).contains(&address)
    }

    /// The range that holds this address alone.
    pub fn of(address: Ipv4Addr) -> Self {
        Self { first: address, last: address }
    }

    /// Whether it holds addresses that no host can have: "this network", loopback, multicast and what is beyond.
    pub fn has_unusable(&self) -> bool {
        let meets = |first: u8, last: u8| self.first.octets()[0] <= last && self.last.octets()[0] >= first;
        meets(0, 0) || meets(127, 127) || meets(224, 255)
    }

    /// The smallest set of prefixes that covers exactly this range, for the routing table: address and prefix length.
    pub fn prefixes(&self) -> Vec<(Ipv4Addr, u8)> {
        let mut prefixes = Vec::new();
        let (mut at, last) = (u64::from(u32::from(self.first)), u64::from(u32::from(self.last)));
        while at <= last {
            let aligned = if at == 0 { 32 } else { at.trailing_zeros().min(32) };
            let fitting = 63 - (last - at + 1).leading_zeros();
            let bits = aligned.min(fitting);
            prefixes.push((Ipv4Addr::from(at as u32), 32 - bits as u8));
            at += 1 << bits;
        }
        prefixes
    }
}

impl FromStr for AddressRange {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (first, last) = text.split_once('-').ok_or(())?;
        let (first, last) = (first.trim().parse().map_err(drop)?, last.trim().parse().map_err(drop)?);
        if first > last { Err(()) } else { Ok(Self { first, last }) }
    }
}

/// A pool as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolSettings {
    /// `range`.
    pub range: AddressRange,
    /// `mask`; default 255.255.255.255. PPP does not carry it; it tells which network the pool belongs to.
    pub mask: Ipv4Addr,
}

/// Why no address could be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// The tunnel group and the policy name no pool, and nobody named an address.
    #[error("no address pool is configured for this tunnel group")]
    NoPool,
    /// Every pool is used up.
    #[error("address pool {} exhausted ({used} of {size} addresses in use)", pools.join(", "))]
    Exhausted {
        /// The pools that were tried.
        pools: Vec<String>,
        /// Addresses in use in them.
        used: u64,
        /// Addresses in them.
        size: u64,
    },
    /// The AAA answer named an address that another session holds.
    #[error("address {0} is in use by another session")]
    InUse(Ipv4Addr),
    /// The AAA answer named an address that no session can have.
    #[error("address {0} cannot be given to a client")]
    Unusable(Ipv4Addr),
    /// The AAA answer named a pool that is not configured.
    #[error("address pool {0} is not configured")]
    Unknown(String),
}

/// What `show pools` prints.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct PoolStatus {
    /// Its name.
    pub name: String,
    /// Its first address.
    pub first: Ipv4Addr,
    /// Its last address.
    pub last: Ipv4Addr,
    /// Addresses in use.
    pub used: u64,
    /// Addresses in all.
    pub size: u64,
}

/// All pools and all addresses in use, those outside every pool too.
#[derive(Debug, Default)]
pub struct Pools {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    pools: BTreeMap<String, Pool>,
    /// Every address that a session holds.
    held: HashSet<Ipv4Addr>,
    /// The server's own inner address, never given out.
    reserved: Option<Ipv4Addr>,
}

#[derive(Debug)]
struct Pool {
    settings: PoolSettings,
    /// The next address never given out yet; beyond the range when all were once.
    next: u64,
    /// Addresses that came back, oldest first.
    returned: VecDeque<Ipv4Addr>,
    used: u64,
}

/// One address, held until dropped.
#[derive(Debug)]
pub struct Lease {
    address: Ipv4Addr,
    pools: Arc<Pools>,
}

impl Lease {
    /// The address.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.pools.release(self.address);
    }
}

impl Pools {
    /// The pools of a configuration. `reserved` is the server's own inner address.
    pub fn new(
        settings: impl IntoIterator<Item = (String, PoolSettings)>,
        reserved: Option<Ipv4Addr>,
    ) -> Arc<Self> {
        let pools = Arc::new(Self::default());
        pools.reconfigure(settings, reserved);
        pools
    }

    /// Takes new pools; addresses in use stay with their sessions.
    pub fn reconfigure(
        &self,
        settings: impl IntoIterator<Item = (String, PoolSettings)>,
        reserved: Option<Ipv4Addr>,
    ) {
        let mut state = self.lock();
        state.reserved = reserved;
        let mut old = std::mem::take(&mut state.pools);
        for (name, settings) in settings {
            let pool = match old.remove(&name) {
                Some(pool) if pool.settings.range == settings.range => Pool { settings, ..pool },
                _ => Pool {
                    settings,
                    next: u64::from(u32::from(settings.range.first)),
                    returned: VecDeque::new(),
                    used: state.held.iter().filter(|held| settings.range.contains(**held)).count() as u64,
                },
            };
            state.pools.insert(name, pool);
        }
    }

    /// An address from the first of the named pools that has one.
    pub fn lease(self: &Arc<Self>, names: &[String]) -> Result<Lease, PoolError> {
        if names.is_empty() {
            return Err(PoolError::NoPool);
        }
        let mut state = self.lock();
        let State { pools, held, reserved } = &mut *state;
        let (mut used, mut size) = (0, 0);
        for name in names {
            let pool = pools.get_mut(name).ok_or_else(|| PoolError::Unknown(name.clone()))?;
            if let Some(address) = pool.take(held, *reserved) {
                hold(pools, held, address);
                return Ok(Lease { address, pools: Arc::clone(self) });
            }
            used += pool.used;
            size += pool.settings.range.size();
        }
        Err(PoolError::Exhausted { pools: names.to_vec(), used, size })
    }

    /// One address by name: the user's fixed one, or RADIUS's Framed-IP-Address.
    pub fn lease_fixed(self: &Arc<Self>, address: Ipv4Addr) -> Result<Lease, PoolError> {
        let mut state = self.lock();
        if address.is_unspecified()
            || address.is_broadcast()
            || address.is_multicast()
            || address.is_loopback()
            || state.reserved == Some(address)
        {
            return Err(PoolError::Unusable(address));
        }
        let State { pools, held, .. } = &mut *state;
        if held.contains(&address) {
            return Err(PoolError::InUse(address));
        }
        for pool in pools.values_mut().filter(|pool| pool.settings.range.contains(address)) {
            pool.returned.retain(|waiting| *waiting != address);
        }
        hold(pools, held, address);
        Ok(Lease { address, pools: Arc::clone(self) })
    }

    /// Whether some pool holds the address.
    pub fn covers(&self, address: Ipv4Addr) -> bool {
        self.lock().pools.values().any(|pool| pool.settings.range.contains(address))
    }

    /// How full each pool is.
    pub fn status(&self) -> Vec<PoolStatus> {
        self.lock()
            .pools
            .iter()
            .map(|(name, pool)| PoolStatus {
                name: name.clone(),
                first: pool.settings.range.first,
                last: pool.settings.range.last,
                used: pool.used,
                size: pool.settings.range.size(),
            })
            .collect()
    }

    fn release(&self, address: Ipv4Addr) {
        let mut state = self.lock();
        if !state.held.remove(&address) {
            return;
        }
        for pool in state.pools.values_mut().filter(|pool| pool.settings.range.contains(address)) {
            pool.used = pool.used.saturating_sub(1);
            // An address that a server named before the range reached it is met again by `next`.
            if u64::from(u32::from(address)) < pool.next {
                pool.returned.push_back(address);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Marks an address as held, in every pool that it lies in.
fn hold(pools: &mut BTreeMap<String, Pool>, held: &mut HashSet<Ipv4Addr>, address: Ipv4Addr) {
    held.insert(address);
    for pool in pools.values_mut().filter(|pool| pool.settings.range.contains(address)) {
        pool.used += 1;
    }
}

impl Pool {
    fn take(&mut self, held: &HashSet<Ipv4Addr>, reserved: Option<Ipv4Addr>) -> Option<Ipv4Addr> {
        let free = |address: &Ipv4Addr| !held.contains(address) && reserved != Some(*address);
        let last = u64::from(u32::from(self.settings.range.last));
        while self.next <= last {
            let address = Ipv4Addr::from(self.next as u32);
            self.next += 1;
            if free(&address) {
                return Some(address);
            }
        }
        while let Some(address) = self.returned.pop_front() {
            if free(&address) {
                return Some(address);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
