//! The TUN device: made with as many queues as there are shards, addressed, routed and removed by ioctl, so that no
//! other program is needed on the machine.

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::mem::{size_of, zeroed};
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;

use socket2::{Domain, Socket, Type};

use super::{check, would_block};

/// A TUN device with its queues; it disappears with its last queue.
#[derive(Debug)]
pub struct Device {
    name: String,
    queues: Vec<Queue>,
}

/// One queue of the device: what one shard reads and writes.
#[derive(Debug)]
pub struct Queue {
    file: File,
}

impl Device {
    /// Makes the device. Fails with `PermissionDenied` without CAP_NET_ADMIN, `ResourceBusy` when the name is in use.
    pub fn create(name: &str, queues: usize) -> io::Result<Self> {
        if exists(name)? {
            return Err(io::Error::from(io::ErrorKind::ResourceBusy));
        }
        let queues = (0..queues).map(|_| Queue::open(name, queues > 1)).collect::<io::Result<Vec<_>>>()?;
        Ok(Self { name: name.to_owned(), queues })
    }

    /// Gives it its address and MTU and sets it up.
    pub fn configure(&self, address: Ipv4Addr, mtu: u16) -> io::Result<()> {
        // Clients have no IPv6 address: spare them the kernel's router solicitations. A kernel without IPv6 has no such
        // file, and needs none.
        let _ = std::fs::write(format!("/proc/sys/net/ipv6/conf/{}/disable_ipv6", self.name), "1");
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
        let mut request = request(&self.name)?;
        request.ifr_ifru.ifru_addr = socket_address(address);
        ioctl(&socket, libc::SIOCSIFADDR, &mut request)?;
        request.ifr_ifru.ifru_netmask = socket_address(Ipv4Addr::BROADCAST);
        ioctl(&socket, libc::SIOCSIFNETMASK, &mut request)?;
        request.ifr_ifru.ifru_mtu = mtu.into();
        ioctl(&socket, libc::SIOCSIFMTU, &mut request)?;
        // A longer queue than the default 500: a shard takes packets in batches.
        request.ifr_ifru.ifru_metric = 4096;
        ioctl(&socket, libc::SIOCSIFTXQLEN, &mut request)?;
        ioctl(&socket, libc::SIOCGIFFLAGS, &mut request)?;
        // SAFETY: SIOCGIFFLAGS just filled this member of the union.
        let flags = unsafe { request.ifr_ifru.ifru_flags };
        request.ifr_ifru.ifru_flags = flags | (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
        ioctl(&socket, libc::SIOCSIFFLAGS, &mut request)
    }

    /// The queues, for the shards.
    pub fn take_queues(&mut self) -> Vec<Queue> {
        std::mem::take(&mut self.queues)
    }
}

/// Routes a network to the device; a route that is there already is well.
pub fn add_route(device: &str, network: Ipv4Addr, prefix: u8) -> io::Result<()> {
    match route(device, network, prefix, libc::SIOCADDRT) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// Takes a route away; one that is gone already is well.
pub fn remove_route(device: &str, network: Ipv4Addr, prefix: u8) -> io::Result<()> {
    match route(device, network, prefix, libc::SIOCDELRT) {
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
        other => other,
    }
}

fn route(device: &str, network: Ipv4Addr, prefix: u8, operation: libc::Ioctl) -> io::Result<()> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    let mask = u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0);
    let mut name = CString::new(device)?.into_bytes_with_nul();
    // SAFETY: all-zero is a valid rtentry.
    let mut entry: libc::rtentry = unsafe { zeroed() };
    entry.rt_dst = socket_address(network);
    entry.rt_genmask = socket_address(Ipv4Addr::from(mask));
    entry.rt_flags = libc::RTF_UP;
    entry.rt_dev = name.as_mut_ptr().cast();
    // SAFETY: the entry and the device name in it outlive the call, which only reads them.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), operation, &raw mut entry) }).map(drop)
}

impl Queue {
    fn open(name: &str, multi_queue: bool) -> io::Result<Self> {
        let file =
            OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open("/dev/net/tun")?;
        let mut request = request(name)?;
        let mut flags = libc::IFF_TUN | libc::IFF_NO_PI;
        if multi_queue {
            flags |= libc::IFF_MULTI_QUEUE;
        }
        request.ifr_ifru.ifru_flags = flags as libc::c_short;
        // SAFETY: TUNSETIFF reads and writes one ifreq, which outlives the call.
        check(unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw mut request) })?;
        Ok(Self { file })
    }

    /// The next packet; 0 when none waits.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match (&self.file).read(buffer) {
            Err(error) if would_block(&error) => Ok(0),
            other => other,
        }
    }

    /// Hands a packet to the kernel; false when it was not taken.
    pub fn write(&self, packet: &[u8]) -> bool {
        (&self.file).write(packet).is_ok()
    }
}

impl AsFd for Queue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

fn exists(name: &str) -> io::Result<bool> {
    let name = CString::new(name)?;
    // SAFETY: the name is a C string that outlives the call.
    Ok(unsafe { libc::if_nametoindex(name.as_ptr()) } != 0)
}

fn request(name: &str) -> io::Result<libc::ifreq> {
    // SAFETY: all-zero is a valid ifreq.
    let mut request: libc::ifreq = unsafe { zeroed() };
    if name.len() >= request.ifr_name.len() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the device name is longer than 15 octets"));
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    Ok(request)
}

fn socket_address(address: Ipv4Addr) -> libc::sockaddr {
    // SAFETY: a sockaddr_in has the size of a sockaddr and no invalid bit patterns.
    unsafe {
        let mut name: libc::sockaddr_in = zeroed();
        name.sin_family = libc::AF_INET as libc::sa_family_t;
        name.sin_addr.s_addr = u32::from(address).to_be();
        const { assert!(size_of::<libc::sockaddr_in>() == size_of::<libc::sockaddr>()) };
        std::mem::transmute(name)
    }
}

fn ioctl(socket: &Socket, operation: libc::Ioctl, request: &mut libc::ifreq) -> io::Result<()> {
    // SAFETY: each operation used here reads or writes one ifreq, which outlives the call.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), operation, &raw mut *request) }).map(drop)
}
