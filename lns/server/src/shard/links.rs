//! The sockets of a shard to the outside, each with the datagrams that wait to leave by it.

use std::net::SocketAddr;

use tollgate_ipsec::{AssociationId, Endpoint};
use tollgate_l2tp::Path;
use tollgate_sys::udp::{DATAGRAM, Outbound, UdpSocket};

/// A socket and what leaves by it.
pub(crate) struct Port {
    pub(super) socket: UdpSocket,
    pub(super) outbound: Outbound,
}

impl Port {
    /// For datagrams.
    pub(crate) fn new(socket: UdpSocket) -> Self {
        Self { socket, outbound: Outbound::new() }
    }

    /// For ESP packets.
    pub(crate) fn raw(socket: UdpSocket) -> Self {
        Self { socket, outbound: Outbound::unsegmented() }
    }

    pub(super) fn push(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        write: impl FnOnce(&mut [u8; DATAGRAM]) -> usize,
    ) {
        self.outbound.push(&self.socket, local, remote, write);
    }

    fn flush(&mut self) {
        self.outbound.flush(&self.socket);
    }
}

/// All of them.
pub(crate) struct Links {
    /// L2TP in clear. Where IPsec is required it is listened to only to say so.
    pub(crate) plain: Option<Port>,
    /// ISAKMP.
    pub(crate) ike: Option<Port>,
    /// ISAKMP and ESP in UDP.
    pub(crate) nat_t: Option<Port>,
    /// ESP. One shard has it and hands over what is others'.
    pub(crate) esp: Option<Port>,
    /// Some shard has a socket for ESP.
    pub(crate) esp_is_served: bool,
}

impl Links {
    pub(super) fn each(&mut self) -> impl Iterator<Item = &mut Port> {
        [&mut self.plain, &mut self.ike, &mut self.nat_t, &mut self.esp].into_iter().flatten()
    }

    pub(super) fn flush(&mut self) {
        self.each().for_each(Port::flush);
    }

    /// Datagrams that the kernel did not take.
    pub(super) fn dropped(&self) -> u64 {
        [&self.plain, &self.ike, &self.nat_t, &self.esp]
            .into_iter()
            .flatten()
            .map(|port| port.outbound.dropped)
            .sum()
    }

    /// Queues an L2TP datagram of several parts, in clear or through the association that its path names.
    pub(super) fn send(
        &mut self,
        now: std::time::Instant,
        ipsec: &mut Endpoint,
        path: &Path,
        parts: &[&[u8]],
    ) {
        self.send_with(now, ipsec, path, parts, |_| true);
    }

    /// The same, with a last hand laid on the datagram where it lies; false from it, and nothing goes out.
    pub(super) fn send_with(
        &mut self,
        now: std::time::Instant,
        ipsec: &mut Endpoint,
        path: &Path,
        parts: &[&[u8]],
        finish: impl FnOnce(&mut [u8]) -> bool,
    ) {
        match path.association {
            None => {
                if let Some(port) = &mut self.plain {
                    port.push(path.local, path.remote, |buffer| {
                        lay_out(buffer, 0, parts).filter(|end| finish(&mut buffer[..*end])).unwrap_or(0)
                    });
                }
            }
            Some(id) => self.send_sealed(now, ipsec, AssociationId(id), parts, finish),
        }
    }

    /// Queues an ISAKMP message or a keepalive.
    pub(super) fn send_isakmp(&mut self, transmit: &tollgate_ipsec::Transmit) {
        let path = &transmit.path;
        let port = if path.nat_t { &mut self.nat_t } else { &mut self.ike };
        if let Some(port) = port {
            port.push(path.local, path.remote, |buffer| {
                lay_out(buffer, 0, &[&transmit.datagram]).unwrap_or(0)
            });
        }
    }

    fn send_sealed(
        &mut self,
        now: std::time::Instant,
        ipsec: &mut Endpoint,
        id: AssociationId,
        parts: &[&[u8]],
        finish: impl FnOnce(&mut [u8]) -> bool,
    ) {
        let Some(head) = ipsec.head_length(id) else { return };
        let Some(route) = ipsec.route(id) else { return };
        let port = if route.nat_t { &mut self.nat_t } else { &mut self.esp };
        let Some(port) = port else { return };
        port.push(route.local, route.remote, |buffer| {
            let Some(end) = lay_out(buffer, head, parts).filter(|end| finish(&mut buffer[head..*end])) else {
                return 0;
            };
            // The packet begins where the free octets do.
            ipsec.seal(now, id, buffer, head..end).map_or(0, |(packet, _)| packet.end)
        });
    }
}

/// Writes the parts one after the other from `at` on; gives where they end.
fn lay_out(buffer: &mut [u8], at: usize, parts: &[&[u8]]) -> Option<usize> {
    parts.iter().try_fold(at, |at, part| {
        let end = at + part.len();
        buffer.get_mut(at..end)?.copy_from_slice(part);
        Some(end)
    })
}
