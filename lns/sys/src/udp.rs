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
            // The kernel is short of memory for the moment.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOBUFS | libc::ENOMEM)) => Ok(0),
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

/// A batch of datagrams to send. Datagrams of one length to one peer that follow each other leave as one message that
/// the kernel cuts up (UDP_SEGMENT), which spares it most of its work for each.
pub struct Outbound {
    batch: Batch,
    ways: Vec<(SocketAddr, SocketAddr)>,
    filled: usize,
    /// Segmented messages that were refused in a row. One client behind a narrow path, or an address without a route,
    /// must not cost all the others their segmentation; a kernel that cannot do it refuses every one.
    refused: u8,
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
                match super::check(count) {
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

/// Asks the kernel to send from `source`, and to cut the message into datagrams of `segment` octets.
fn store_control(
    source: Option<IpAddr>,
    segment: Option<u16>,
    control: &mut Control,
    header: &mut libc::msghdr,
) {
    let source_space = match source {
        // SAFETY: CMSG_SPACE only computes.
        Some(IpAddr::V4(_)) => unsafe { libc::CMSG_SPACE(size_of::<libc::in_pktinfo>() as u32) },
        // SAFETY: as above.
        Some(IpAddr::V6(_)) => unsafe { libc::CMSG_SPACE(size_of::<libc::in6_pktinfo>() as u32) },
        None => 0,
    };
    let segment_space = match segment {
        // SAFETY: as above.
        Some(_) => unsafe { libc::CMSG_SPACE(size_of::<u16>() as u32) },
        None => 0,
    };
    let total = (source_space + segment_space) as usize;
    if total == 0 {
        header.msg_control = std::ptr::null_mut();
        header.msg_controllen = 0;
        return;
    }
    *control = Control([0; CONTROL]);
    header.msg_control = control.0.as_mut_ptr().cast();
    header.msg_controllen = total as _;
    // SAFETY: the control buffer is aligned for a cmsghdr and has room for both messages (CMSG_SPACE of in6_pktinfo is
    // 40 octets, of a u16 24, together CONTROL); msg_controllen was set to what is written, so that CMSG_FIRSTHDR and
    // CMSG_NXTHDR stay inside it.
    unsafe {
        let mut message = libc::CMSG_FIRSTHDR(header);
        match source {
            Some(IpAddr::V4(ip)) => {
                let mut info: libc::in_pktinfo = zeroed();
                info.ipi_spec_dst.s_addr = u32::from(ip).to_be();
                (*message).cmsg_level = libc::IPPROTO_IP;
                (*message).cmsg_type = libc::IP_PKTINFO;
                (*message).cmsg_len = libc::CMSG_LEN(size_of::<libc::in_pktinfo>() as u32) as _;
                libc::CMSG_DATA(message).cast::<libc::in_pktinfo>().write_unaligned(info);
                message = libc::CMSG_NXTHDR(header, message);
            }
            Some(IpAddr::V6(ip)) => {
                let mut info: libc::in6_pktinfo = zeroed();
                info.ipi6_addr.s6_addr = ip.octets();
                (*message).cmsg_level = libc::IPPROTO_IPV6;
                (*message).cmsg_type = libc::IPV6_PKTINFO;
                (*message).cmsg_len = libc::CMSG_LEN(size_of::<libc::in6_pktinfo>() as u32) as _;
                libc::CMSG_DATA(message).cast::<libc::in6_pktinfo>().write_unaligned(info);
                message = libc::CMSG_NXTHDR(header, message);
            }
            None => {}
        }
        if let Some(segment) = segment
            && !message.is_null()
        {
            (*message).cmsg_level = libc::SOL_UDP;
            (*message).cmsg_type = libc::UDP_SEGMENT;
            (*message).cmsg_len = libc::CMSG_LEN(size_of::<u16>() as u32) as _;
            libc::CMSG_DATA(message).cast::<u16>().write_unaligned(segment);
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
        let mut answer = [0; 80];
        let (length, from) = client.recv_from(&mut answer).unwrap();
        assert_eq!((&answer[..length], from), (&b"ok"[..], SocketAddr::from(([127, 0, 0, 7], port))));
    }

    #[test]
    fn a_run_of_equal_datagrams_arrives_as_so_many_datagrams() {
        for address in ["127.0.0.1:0", "0.0.0.0:0"] {
            let sender = UdpSocket::bind(address.parse().unwrap()).unwrap();
            let receiver = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
            receiver.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
            let other = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
            other.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
            let local = SocketAddr::from(([127, 0, 0, 1], sender.local_addr().port()));
            let mut outbound = Outbound::new();
            let lengths = [100, 100, 100, 60, 100, 200, 200];
            for length in lengths {
                outbound.push(&sender, local, receiver.local_addr().unwrap(), |buffer| {
                    buffer[..length].fill(length as u8);
                    length
                });
            }
            outbound.push(&sender, local, other.local_addr().unwrap(), |_| 7);
            outbound.flush(&sender);
            let mut buffer = [0; 2048];
            for length in lengths {
                let (got, from) = receiver.recv_from(&mut buffer).unwrap();
                assert_eq!((got, from), (length, local), "in order, whole, from the right address");
                assert!(buffer[..got].iter().all(|octet| *octet == length as u8));
            }
            assert_eq!(other.recv_from(&mut buffer).unwrap().0, 7);
            assert_eq!(outbound.dropped, 0);
            assert_eq!(outbound.refused, 0, "loopback can segment");
        }
    }

    #[test]
    fn a_peer_that_cannot_be_reached_costs_the_others_nothing() {
        // From the loopback address nothing goes out to the world.
        let sender = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let receiver = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        receiver.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
        let local = sender.local_addr();
        let nowhere = SocketAddr::from(([192, 0, 2, 1], 1701));
        let mut outbound = Outbound::new();
        for remote in [nowhere, receiver.local_addr().unwrap()] {
            for _ in 0..3 {
                outbound.push(&sender, local, remote, |buffer| {
                    buffer[..9].fill(7);
                    9
                });
            }
        }
        outbound.flush(&sender);
        assert_eq!(outbound.dropped, 3);
        let mut buffer = [0; 64];
        for _ in 0..3 {
            assert_eq!(receiver.recv_from(&mut buffer).unwrap().0, 9);
        }
        assert_eq!(outbound.refused, 0, "the next that was cut up went well");
    }
}
