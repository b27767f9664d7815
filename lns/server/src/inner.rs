//! The inside network as a shard sees it: a queue of the TUN device, or a small network in memory where no device can
//! be made.

use std::collections::VecDeque;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, BorrowedFd};

use tollgate_sys::tun::Queue;

/// UDP port of the echo service of the network in memory (RFC 862).
pub(crate) const ECHO_PORT: u16 = 7;

/// Where packets of clients go to and come from.
pub(crate) enum Inner {
    /// A queue of the TUN device.
    Tun(Queue),
    /// No device: the server's own address answers pings and UDP echo, all else is silence.
    Memory(MemoryNetwork),
}

impl Inner {
    /// Hands over a packet that came from a client; false when it was not taken.
    pub(crate) fn deliver(&mut self, packet: &[u8]) -> bool {
        match self {
            Self::Tun(queue) => queue.write(packet),
            Self::Memory(network) => network.deliver(packet),
        }
    }

    /// The next packet for a client; 0 when none waits.
    pub(crate) fn take(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tun(queue) => queue.read(buffer),
            Self::Memory(network) => Ok(network.take(buffer)),
        }
    }

    /// What to wait on, where there is something to wait on.
    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Tun(queue) => Some(queue.as_fd()),
            Self::Memory(_) => None,
        }
    }

    /// True when packets wait that no descriptor tells of.
    pub(crate) fn has_waiting(&self) -> bool {
        matches!(self, Self::Memory(network) if !network.answers.is_empty())
    }
}

/// The server's inner address as a host of its own.
pub(crate) struct MemoryNetwork {
    address: Ipv4Addr,
    answers: VecDeque<Vec<u8>>,
}

/// Answers that wait at most; more are dropped, as a network would.
const MOST_ANSWERS: usize = 1024;

impl MemoryNetwork {
    pub(crate) fn new(address: Ipv4Addr) -> Self {
        Self { address, answers: VecDeque::new() }
    }

    fn deliver(&mut self, packet: &[u8]) -> bool {
        let Some(answer) = self.answer(packet) else { return false };
        if self.answers.len() == MOST_ANSWERS {
            return false;
        }
        self.answers.push_back(answer);
        true
    }

    fn take(&mut self, buffer: &mut [u8]) -> usize {
        let Some(answer) = self.answers.pop_front() else { return 0 };
        match buffer.get_mut(..answer.len()) {
            Some(room) => {
                room.copy_from_slice(&answer);
                answer.len()
            }
            None => 0,
        }
    }

    /// The answer to an echo request (ICMP) or to a datagram to the echo port; none to anything else.
    fn answer(&self, packet: &[u8]) -> Option<Vec<u8>> {
        let header = packet.first_chunk::<20>()?;
        let to_us = header[0] == 0x45 && header[16..20] == self.address.octets();
        let whole = u16::from_be_bytes([header[6], header[7]]) & 0x3fff == 0;
        if !to_us || !whole {
            return None;
        }
        let mut answer = packet.to_vec();
        match (header[9], packet.get(20..28)?) {
            (1, icmp) if icmp[0] == 8 => {
                answer[20] = 0;
                // RFC 1624: the type went from 8 to 0, so the checksum grows by 0x0800.
                let (sum, carry) = u16::from_be_bytes([icmp[2], icmp[3]]).overflowing_add(0x0800);
                answer[22..24].copy_from_slice(&(sum + u16::from(carry)).to_be_bytes());
            }
            (17, udp) if udp[2..4] == ECHO_PORT.to_be_bytes() => {
                answer[20..22].copy_from_slice(&udp[2..4]);
                answer[22..24].copy_from_slice(&udp[0..2]);
            }
            _ => return None,
        }
        // Exchanging the addresses leaves both checksums right.
        answer[12..16].copy_from_slice(&header[16..20]);
        answer[16..20].copy_from_slice(&header[12..16]);
        Some(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_network_in_memory_answers_pings_to_its_own_address_only() {
        let mut inner = Inner::Memory(MemoryNetwork::new(Ipv4Addr::new(10, 0, 0, 1)));
        let mut ping = vec![0x45, 0, 0, 28, 0, 0, 0, 0, 64, 1, 0, 0, 10, 0, 0, 9, 10, 0, 0, 1];
        ping.extend([8, 0, 0xf7, 0xfe, 0, 1, 0, 0]);
        assert!(inner.deliver(&ping));
        assert!(inner.has_waiting());
        let mut buffer = [0; 64];
        assert_eq!(inner.take(&mut buffer).unwrap(), 28);
        assert_eq!(buffer[12..20], [10, 0, 0, 1, 10, 0, 0, 9]);
        assert_eq!(buffer[20..28], [0, 0, 0xff, 0xfe, 0, 1, 0, 0]);
        ping[19] = 2;
        assert!(!inner.deliver(&ping), "another host is silent");
        assert_eq!(inner.take(&mut buffer).unwrap(), 0);
    }
}
