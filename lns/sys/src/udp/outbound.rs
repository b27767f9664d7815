//! The sending direction of a batch.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsRawFd;

use super::address::{store_address, store_control};
use super::{BATCH, Batch, DATAGRAM, UdpSocket};
use crate::check;

/// A batch of datagrams to send. Datagrams of one length to one peer that follow each other leave as one message that
/// the kernel cuts up (UDP_SEGMENT), which spares it most of its work for each.
pub struct Outbound {
    batch: Batch,
    ways: Vec<(SocketAddr, SocketAddr)>,
    filled: usize,
    /// Segmented messages that were refused in a row. One client behind a narrow path, or an address without a route,
    /// must not cost all the others their segmentation; a kernel that cannot do it refuses every one.
    pub(super) refused: u8,
    /// Datagrams that the kernel did not take.
    pub dropped: u64,
}

/// Refusals in a row after which segmentation is left alone for good.
const MOST_REFUSED: u8 = 64;
/// Octets that one segmented message may hold in all: an IPv4 datagram's worth.
const LONGEST_MESSAGE: usize = 65_000;

impl Outbound {
    /// An empty batch.
    pub fn new() -> Self {
        let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        Self { batch: Batch::new(), ways: vec![(nowhere, nowhere); BATCH], filled: 0, refused: 0, dropped: 0 }
    }

    /// An empty batch whose datagrams leave one by one: a raw socket cuts nothing up.
    pub fn unsegmented() -> Self {
        Self { refused: MOST_REFUSED, ..Self::new() }
    }

    /// Adds a datagram whose payload `write` puts into the buffer; it returns the length, 0 for what does not fit. Flushes
    /// first when full.
    pub fn push(
        &mut self,
        socket: &UdpSocket,
        local: SocketAddr,
        remote: SocketAddr,
        write: impl FnOnce(&mut [u8; DATAGRAM]) -> usize,
    ) {
        if self.filled == BATCH {
            self.flush(socket);
        }
        let index = self.filled;
        let length = write(&mut self.batch.buffers[index]).min(DATAGRAM);
        if length == 0 {
            self.dropped += 1;
            return;
        }
        self.batch.vectors[index].iov_len = length;
        self.ways[index] = (local, remote);
        self.filled += 1;
    }

    /// Sends what was added. A datagram that the kernel does not take is dropped and counted: L2TP's control channel
    /// sends again, and data is not worth waiting for.
    pub fn flush(&mut self, socket: &UdpSocket) {
        let mut first = 0;
        // Datagrams below this go one by one.
        let mut singly = 0;
        while first < self.filled {
            let messages = self.compose(socket, first, singly);
            let mut sent = 0;
            while sent < messages {
                // SAFETY: headers `sent..messages` point at names, vectors and control buffers that `compose` filled
                // in, all owned by `self.batch` and alive during the call.
                let count = unsafe {
                    libc::sendmmsg(
                        socket.socket.as_raw_fd(),
                        self.batch.headers.as_mut_ptr().add(sent),
                        (messages - sent) as libc::c_uint,
                        libc::MSG_DONTWAIT as _,
                    )
                };
                match check(count) {
                    Ok(count) => {
                        for header in &self.batch.headers[sent..sent + count as usize] {
                            first += header.msg_hdr.msg_iovlen;
                            if header.msg_hdr.msg_iovlen > 1 {
                                self.refused = 0;
                            }
                        }
                        sent += count as usize;
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    // The error belongs to the first message that is left.
                    Err(error) => {
                        let pieces = self.batch.headers[sent].msg_hdr.msg_iovlen;
                        let is_full = error.kind() == io::ErrorKind::WouldBlock
                            || error.raw_os_error() == Some(libc::ENOBUFS);
                        if pieces > 1 && !is_full {
                            // The kernel or the device cannot cut it up, or its pieces exceed the path: one by one.
                            self.refused += 1;
                            singly = first + pieces;
                            break;
                        }
                        self.dropped += pieces as u64;
                        first += pieces;
                        sent += 1;
                    }
                }
            }
        }
        self.filled = 0;
    }

    /// Makes messages of the datagrams from `first` on; gives their number.
    fn compose(&mut self, socket: &UdpSocket, first: usize, singly: usize) -> usize {
        let mut messages = 0;
        let mut index = first;
        while index < self.filled {
            let run = if index < singly { 1 } else { self.run_at(index) };
            let (local, remote) = self.ways[index];
            let name_length = store_address(remote, &mut self.batch.names[messages]);
            let header = &mut self.batch.headers[messages].msg_hdr;
            header.msg_iov = &raw mut self.batch.vectors[index];
            header.msg_iovlen = run;
            header.msg_namelen = name_length;
            let source =
                (socket.local.ip().is_unspecified() && !local.ip().is_unspecified()).then(|| local.ip());
            let segment = (run > 1).then(|| self.batch.vectors[index].iov_len as u16);
            store_control(source, segment, &mut self.batch.controls[messages], header);
            index += run;
            messages += 1;
        }
        messages
    }

    /// How many datagrams from `index` on can leave as one message: same way, same length, the last may be shorter.
    fn run_at(&self, index: usize) -> usize {
        if self.refused >= MOST_REFUSED {
            return 1;
        }
        let length = self.batch.vectors[index].iov_len;
        let most = (LONGEST_MESSAGE / length.max(1)).min(self.filled - index);
        let mut run = 1;
        while run < most && self.ways[index + run] == self.ways[index] {
            let next = self.batch.vectors[index + run].iov_len;
            if next > length {
                break;
            }
            run += 1;
            if next < length {
                break;
            }
        }
        run
    }
}

impl Default for Outbound {
    fn default() -> Self {
        Self::new()
    }
}
