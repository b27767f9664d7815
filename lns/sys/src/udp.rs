//! UDP datagrams many at a time (recvmmsg, sendmmsg), with the local address each came to, so that an answer leaves
//! from the address that was asked even where the socket listens on all.

use std::io;
use std::mem::{size_of, zeroed};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use socket2::{Domain, Protocol, Socket, Type};

use super::would_block;

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
}

impl UdpSocket {
    /// Binds with SO_REUSEPORT, so that each shard has a socket of its own on the same port.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_reuse_port(true)?;
        socket.set_nonblocking(true)?;
        // A burst of logins or of data must not be lost while the shard is busy. The kernel may allow less.
        let _ = socket.set_recv_buffer_size(8 << 20);
        let _ = socket.set_send_buffer_size(4 << 20);
        match address {
            SocketAddr::V4(_) => set_option(&socket, libc::IPPROTO_IP, libc::IP_PKTINFO)?,
            SocketAddr::V6(_) => {
                socket.set_only_v6(true)?;
                set_option(&socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO)?;
            }
        }
        socket.bind(&address.into())?;
        let local = socket.local_addr()?.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Self { socket, local })
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

impl Default for Outbound {
    fn default() -> Self {
        Self::new()
    }
}

impl Inbound {
    /// An empty batch.
    pub fn new() -> Self {
        Self { batch: Batch::new(), received: 0 }
    }

    /// Takes what waits on the socket, up to [`BATCH`] datagrams; 0 when nothing does.
    pub fn receive(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        self.received = 0;
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
            Err(error) => Err(error),
        }
    }

    /// The datagram at `index` of the last batch; `None` when it was cut off (longer than any we serve) or its sender
    /// has no IP address.
    pub fn datagram(&mut self, index: usize, socket: &UdpSocket) -> Option<Datagram<'_>> {
        if index >= self.received {
            return None;
        }
        let header = &self.batch.headers[index];
        if header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0 {
            return None;
        }
        let remote = address_of(&self.batch.names[index])?;
        let mut local = socket.local;
        if local.ip().is_unspecified()
            && let Some(ip) = destination_of(&header.msg_hdr)
        {
            local.set_ip(ip);
        }
        let length = (header.msg_len as usize).min(DATAGRAM);
        Some(Datagram { remote, local, bytes: &mut self.batch.buffers[index][..length] })
    }
}

/// A batch of datagrams to send.
pub struct Outbound {
    batch: Batch,
    filled: usize,
    /// Datagrams that the kernel did not take.
    pub dropped: u64,
}

impl Outbound {
    /// An empty batch.
    pub fn new() -> Self {
        Self { batch: Batch::new(), filled: 0, dropped: 0 }
    }

    /// Adds a datagram whose payload `write` puts into the buffer (it returns the length); flushes first when full.
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
            return;
        }
        self.batch.vectors[index].iov_len = length;
        let name_length = store_address(remote, &mut self.batch.names[index]);
        let header = &mut self.batch.headers[index].msg_hdr;
        header.msg_namelen = name_length;
        if socket.local.ip().is_unspecified() && !local.ip().is_unspecified() {
            store_source(local.ip(), &mut self.batch.controls[index], header);
        } else {
            header.msg_control = std::ptr::null_mut();
            header.msg_controllen = 0;
        }
        self.filled += 1;
    }

    /// Sends what was added. A datagram that the kernel does not take is dropped and counted: L2TP's control channel
    /// sends again, and data is not worth waiting for.
    pub fn flush(&mut self, socket: &UdpSocket) {
        let mut sent = 0;
        while sent < self.filled {
            // SAFETY: headers `sent..filled` point at names, vectors and control buffers that `push` filled in, all
            // owned by `self.batch` and alive during the call.
            let count = unsafe {
                libc::sendmmsg(
                    socket.socket.as_raw_fd(),
                    self.batch.headers.as_mut_ptr().add(sent),
                    (self.filled - sent) as libc::c_uint,
                    libc::MSG_DONTWAIT as _,
                )
            };
            match super::check(count) {
                Ok(count) => sent += count as usize,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The error belongs to the first datagram that is left (an unreachable peer, a full queue).
                Err(_) => {
                    self.dropped += 1;
                    sent += 1;
                }
            }
        }
        self.filled = 0;
    }
}

fn address_of(storage: &libc::sockaddr_storage) -> Option<SocketAddr> {
    match i32::from(storage.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says that the storage, which is larger, holds a sockaddr_in.
            let name = unsafe { &*(&raw const *storage).cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(name.sin_addr.s_addr));
            Some(SocketAddrV4::new(ip, u16::from_be(name.sin_port)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: the family says that the storage, which is larger, holds a sockaddr_in6.
            let name = unsafe { &*(&raw const *storage).cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(name.sin6_addr.s6_addr);
            Some(SocketAddrV6::new(ip, u16::from_be(name.sin6_port), 0, name.sin6_scope_id).into())
        }
        _ => None,
    }
}

fn store_address(address: SocketAddr, storage: &mut libc::sockaddr_storage) -> libc::socklen_t {
    match address {
        SocketAddr::V4(address) => {
            // SAFETY: the storage is larger than and aligned for a sockaddr_in.
            let name = unsafe { &mut *(&raw mut *storage).cast::<libc::sockaddr_in>() };
            name.sin_family = libc::AF_INET as libc::sa_family_t;
            name.sin_port = address.port().to_be();
            name.sin_addr.s_addr = u32::from(*address.ip()).to_be();
            size_of::<libc::sockaddr_in>() as libc::socklen_t
        }
        SocketAddr::V6(address) => {
            // SAFETY: the storage is larger than and aligned for a sockaddr_in6.
            let name = unsafe { &mut *(&raw mut *storage).cast::<libc::sockaddr_in6>() };
            name.sin6_family = libc::AF_INET6 as libc::sa_family_t;
            name.sin6_port = address.port().to_be();
            name.sin6_addr.s6_addr = address.ip().octets();
            name.sin6_scope_id = address.scope_id();
            name.sin6_flowinfo = 0;
            size_of::<libc::sockaddr_in6>() as libc::socklen_t
        }
    }
}

/// The destination address that the kernel tells with IP_PKTINFO or IPV6_PKTINFO.
fn destination_of(header: &libc::msghdr) -> Option<IpAddr> {
    // SAFETY: the kernel filled the control buffer and set its length; CMSG_FIRSTHDR checks that one message fits, and
    // its type says which structure follows. The structures are read without assuming their alignment.
    unsafe {
        let message = libc::CMSG_FIRSTHDR(header);
        if message.is_null() {
            return None;
        }
        match ((*message).cmsg_level, (*message).cmsg_type) {
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                let info = libc::CMSG_DATA(message).cast::<libc::in_pktinfo>().read_unaligned();
                Some(Ipv4Addr::from(u32::from_be(info.ipi_addr.s_addr)).into())
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                let info = libc::CMSG_DATA(message).cast::<libc::in6_pktinfo>().read_unaligned();
                Some(Ipv6Addr::from(info.ipi6_addr.s6_addr).into())
            }
            _ => None,
        }
    }
}

/// Asks the kernel to send from `ip`.
fn store_source(ip: IpAddr, control: &mut Control, header: &mut libc::msghdr) {
    header.msg_control = control.0.as_mut_ptr().cast();
    header.msg_controllen = CONTROL as _;
    // SAFETY: the control buffer has room for one message with the larger of the two structures (CMSG_SPACE of
    // in6_pktinfo is 40 octets), and is aligned for its header.
    unsafe {
        let message = libc::CMSG_FIRSTHDR(header);
        match ip {
            IpAddr::V4(ip) => {
                let mut info: libc::in_pktinfo = zeroed();
                info.ipi_spec_dst.s_addr = u32::from(ip).to_be();
                (*message).cmsg_level = libc::IPPROTO_IP;
                (*message).cmsg_type = libc::IP_PKTINFO;
                (*message).cmsg_len = libc::CMSG_LEN(size_of::<libc::in_pktinfo>() as u32) as _;
                libc::CMSG_DATA(message).cast::<libc::in_pktinfo>().write_unaligned(info);
                header.msg_controllen = libc::CMSG_SPACE(size_of::<libc::in_pktinfo>() as u32) as _;
            }
            IpAddr::V6(ip) => {
                let mut info: libc::in6_pktinfo = zeroed();
                info.ipi6_addr.s6_addr = ip.octets();
                (*message).cmsg_level = libc::IPPROTO_IPV6;
                (*message).cmsg_type = libc::IPV6_PKTINFO;
                (*message).cmsg_len = libc::CMSG_LEN(size_of::<libc::in6_pktinfo>() as u32) as _;
                libc::CMSG_DATA(message).cast::<libc::in6_pktinfo>().write_unaligned(info);
                header.msg_controllen = libc::CMSG_SPACE(size_of::<libc::in6_pktinfo>() as u32) as _;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_arrives_whole_and_answers_leave_from_the_address_that_was_asked() {
        let server = UdpSocket::bind("0.0.0.0:0".parse().unwrap()).unwrap();
        let port = server.local_addr().port();
        let client = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        client.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
        for number in 0..3u8 {
            client.send_to(&[number; 3], ("127.0.0.7", port)).unwrap();
        }
        let (mut inbound, mut outbound) = (Inbound::new(), Outbound::new());
        let mut seen = Vec::new();
        while seen.len() < 3 {
            for index in 0..inbound.receive(&server).unwrap() {
                let datagram = inbound.datagram(index, &server).unwrap();
                assert_eq!(datagram.local, SocketAddr::from(([127, 0, 0, 7], port)));
                seen.push(datagram.bytes[0]);
                let (local, remote) = (datagram.local, datagram.remote);
                outbound.push(&server, local, remote, |buffer| {
                    buffer[..2].copy_from_slice(b"ok");
                    2
                });
            }
        }
        assert_eq!(seen, [0, 1, 2]);
        outbound.flush(&server);
        let mut answer = [0; 8];
        let (length, from) = client.recv_from(&mut answer).unwrap();
        assert_eq!((&answer[..length], from), (&b"ok"[..], SocketAddr::from(([127, 0, 0, 7], port))));
    }
}
