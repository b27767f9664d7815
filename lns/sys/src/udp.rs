//! UDP datagrams many at a time (recvmmsg, sendmmsg), with the local address each came to, so that an answer leaves
//! from the address that was asked even where the socket listens on all.

mod address;
mod outbound;

use std::io;
use std::mem::{size_of, zeroed};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use socket2::{Domain, Protocol, Socket, Type};

use crate::would_block;
use address::{address_of, destination_of};

pub use outbound::Outbound;

/// Datagrams taken or sent by one system call.
pub const BATCH: usize = 64;
/// Room for one datagram: an Ethernet frame's worth and L2TP's own messages with room to spare.
pub const DATAGRAM: usize = 2048;
/// Room for one control message with an IPv6 address and interface.
const CONTROL: usize = 64;

/// A socket of one shard.
#[derive(Debug)]
pub struct UdpSocket {
    socket: Socket,
    /// The bound address; its IP is unspecified where the socket listens on every address.
    local: SocketAddr,
    /// Datagrams come with their IPv4 header in front: a raw socket.
    has_ip_header: bool,
}

/// ESP's number among the protocols of IP.
const ESP: i32 = 50;

impl UdpSocket {
    /// Binds with SO_REUSEPORT, so that each shard has a socket of its own on the same port.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_reuse_port(true)?;
        prepare(&socket, address)?;
        let local = socket.local_addr()?.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Self { socket, local, has_ip_header: false })
    }

    /// Takes the ESP packets (IP protocol 50) that come to an address; fragments come put together. Needs CAP_NET_RAW.
    /// Ports have no meaning on it.
    pub fn bind_esp(address: IpAddr) -> io::Result<Self> {
        let local = SocketAddr::new(address, 0);
        let socket = Socket::new(Domain::for_address(local), Type::RAW, Some(Protocol::from(ESP)))?;
        prepare(&socket, local)?;
        Ok(Self { socket, local, has_ip_header: address.is_ipv4() })
    }

    /// The bound address.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }
}

impl AsFd for UdpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// What every socket here gets: no waiting, room for bursts, the address that each datagram came to; and its address.
fn prepare(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    // A burst of logins or of data must not be lost while the shard is busy. The kernel may allow less.
    let _ = socket.set_recv_buffer_size(8 << 20);
    let _ = socket.set_send_buffer_size(4 << 20);
    match address {
        SocketAddr::V4(_) => set_option(socket, libc::IPPROTO_IP, libc::IP_PKTINFO)?,
        SocketAddr::V6(_) => {
            socket.set_only_v6(true)?;
            set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO)?;
        }
    }
    socket.bind(&address.into())
}

fn set_option(socket: &Socket, level: libc::c_int, option: libc::c_int) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the pointer and length name one c_int that outlives the call.
    super::check(unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    })
    .map(drop)
}

/// Control-message room, aligned as the kernel's structures want it.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Control([u8; CONTROL]);

/// Buffers for one batch in one direction. The kernel's structures point into the vectors beside them, which are
/// never resized, so that they may be set up once.
struct Batch {
    headers: Vec<libc::mmsghdr>,
    vectors: Vec<libc::iovec>,
    names: Vec<libc::sockaddr_storage>,
    controls: Vec<Control>,
    buffers: Vec<[u8; DATAGRAM]>,
}

// SAFETY: the raw pointers in `headers` and `vectors` point only into the sibling vectors, which move with the batch
// (their heap blocks stay where they are).
unsafe impl Send for Batch {}

impl Batch {
    fn new() -> Self {
        // SAFETY: all-zero is a valid value of each of these C structures.
        let (header, vector, name) = unsafe {
            (zeroed::<libc::mmsghdr>(), zeroed::<libc::iovec>(), zeroed::<libc::sockaddr_storage>())
        };
        let mut batch = Self {
            headers: vec![header; BATCH],
            vectors: vec![vector; BATCH],
            names: vec![name; BATCH],
            controls: vec![Control([0; CONTROL]); BATCH],
            buffers: vec![[0; DATAGRAM]; BATCH],
        };
        for index in 0..BATCH {
            batch.vectors[index].iov_base = batch.buffers[index].as_mut_ptr().cast();
            let header = &mut batch.headers[index].msg_hdr;
            header.msg_iov = &raw mut batch.vectors[index];
            header.msg_iovlen = 1;
            header.msg_name = (&raw mut batch.names[index]).cast();
        }
        batch
    }
}

/// A batch of received datagrams.
pub struct Inbound {
    batch: Batch,
    received: usize,
    /// Of the socket that the batch came from.
    local: SocketAddr,
    has_ip_header: bool,
}

/// One received datagram.
pub struct Datagram<'a> {
    /// Who sent it.
    pub remote: SocketAddr,
    /// The address and port it came to.
    pub local: SocketAddr,
    /// Its payload.
    pub bytes: &'a mut [u8],
}

impl Default for Inbound {
    fn default() -> Self {
        Self::new()
    }
}

impl Inbound {
    /// An empty batch.
    pub fn new() -> Self {
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        Self { batch: Batch::new(), received: 0, local: nowhere, has_ip_header: false }
    }

    /// Takes what waits on the socket, up to [`BATCH`] datagrams; 0 when nothing does.
    pub fn receive(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        self.received = 0;
        self.local = socket.local;
        self.has_ip_header = socket.has_ip_header;
        for index in 0..BATCH {
            self.batch.vectors[index].iov_len = DATAGRAM;
            let header = &mut self.batch.headers[index].msg_hdr;
            header.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            header.msg_control = self.batch.controls[index].0.as_mut_ptr().cast();
            header.msg_controllen = CONTROL as _;
            header.msg_flags = 0;
        }
        // SAFETY: every header points at a name, a vector and a control buffer of the sizes that are written there,
        // all owned by `self.batch` and alive during the call.
        let count = unsafe {
            libc::recvmmsg(
                socket.socket.as_raw_fd(),
                self.batch.headers.as_mut_ptr(),
                BATCH as libc::c_uint,
                libc::MSG_DONTWAIT as _,
                std::ptr::null_mut(),
            )
        };
        match super::check(count) {
            Ok(count) => {
                self.received = count as usize;
                Ok(self.received)
            }
            Err(error) if would_block(&error) => Ok(0),
            // An ICMP error about an earlier datagram of ours: nothing was received, the socket is well.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(0),
            // The kernel is short of memory for the moment.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOBUFS | libc::ENOMEM)) => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// The datagram at `index` of the last batch; `None` when it was cut off (longer than any we serve) or its sender
    /// has no IP address.
    pub fn datagram(&mut self, index: usize) -> Option<Datagram<'_>> {
        if index >= self.received {
            return None;
        }
        let header = &self.batch.headers[index];
        if header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0 {
            return None;
        }
        let remote = address_of(&self.batch.names[index])?;
        let mut local = self.local;
        if local.ip().is_unspecified()
            && let Some(ip) = destination_of(&header.msg_hdr)
        {
            local.set_ip(ip);
        }
        let length = (header.msg_len as usize).min(DATAGRAM);
        let bytes = &mut self.batch.buffers[index][..length];
        let header_length = match self.has_ip_header {
            true => usize::from(bytes.first()? & 0x0f) * 4,
            false => 0,
        };
        Some(Datagram { remote, local, bytes: bytes.get_mut(header_length..)? })
    }
}

#[cfg(test)]
mod tests;
