//! Routes in the kernel's table that point at the TUN device: the pools' while the server runs, and those of clients
//! outside every pool while they are connected.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Mutex, PoisonError};

use tracing::warn;

use tollgate_sys::tun;

/// The routes that point at the device; none in the kernel where the inside is in memory.
#[derive(Debug)]
pub(crate) struct Routes {
    device: Option<String>,
    /// How many want each route. A client that comes back names the network that its lost session still has: the end
    /// of the old one must not take the route from the new one.
    wanted: Mutex<HashMap<(Ipv4Addr, u8), usize>>,
}

impl Routes {
    pub(crate) fn new(device: Option<String>) -> Self {
        Self { device, wanted: Mutex::default() }
    }

    /// Routes a network to the device. A failure is told, not fatal: the client can still reach the server.
    pub(crate) fn add(&self, network: Ipv4Addr, prefix: u8) {
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        let count = wanted.entry((network, prefix)).or_default();
        *count += 1;
        if *count == 1
            && let Some(device) = &self.device
            && let Err(error) = tun::add_route(device, network, prefix)
        {
            warn!(%network, prefix, device, %error, "no route to a client's network could be set");
        }
    }

    /// Takes a route away again, once nobody else wants it.
    pub(crate) fn remove(&self, network: Ipv4Addr, prefix: u8) {
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(count) = wanted.get_mut(&(network, prefix)) else { return };
        *count -= 1;
        if *count > 0 {
            return;
        }
        wanted.remove(&(network, prefix));
        if let Some(device) = &self.device
            && let Err(error) = tun::remove_route(device, network, prefix)
        {
            warn!(%network, prefix, device, %error, "a client's route could not be removed");
        }
    }

    /// Whether somebody wants this route.
    #[cfg(test)]
    fn has(&self, network: Ipv4Addr, prefix: u8) -> bool {
        self.wanted.lock().unwrap().contains_key(&(network, prefix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_stays_until_the_last_who_wants_it_is_gone() {
        let routes = Routes::new(None);
        let network = Ipv4Addr::new(192, 168, 7, 0);
        routes.add(network, 24);
        routes.add(network, 24);
        routes.add(network, 25);
        routes.remove(network, 24);
        assert!(routes.has(network, 24), "the client's new session still has the network");
        routes.remove(network, 24);
        routes.remove(network, 24);
        assert!(!routes.has(network, 24) && routes.has(network, 25));
    }
}
