//! Routes in the kernel's table that point at the TUN device: the pools' while the server runs, and those of clients
//! outside every pool while they are connected.

use std::net::Ipv4Addr;

use tracing::warn;

use tollgate_sys::tun;

/// The device that routes point at; none where the inside is in memory.
#[derive(Debug)]
pub(crate) struct Routes {
    device: Option<String>,
}

impl Routes {
    pub(crate) fn new(device: Option<String>) -> Self {
        Self { device }
    }

    /// Routes a network to the device. A failure is told, not fatal: the client can still reach the server.
    pub(crate) fn add(&self, network: Ipv4Addr, prefix: u8) {
        if let Some(device) = &self.device
            && let Err(error) = tun::add_route(device, network, prefix)
        {
            warn!(%network, prefix, device, %error, "no route to a client's network could be set");
        }
    }

    /// Takes a route away again.
    pub(crate) fn remove(&self, network: Ipv4Addr, prefix: u8) {
        if let Some(device) = &self.device
            && let Err(error) = tun::remove_route(device, network, prefix)
        {
            warn!(%network, prefix, device, %error, "a client's route could not be removed");
        }
    }
}
