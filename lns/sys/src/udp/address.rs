//! Between Rust's addresses and the kernel's structures, and the control messages beside a datagram.

use std::mem::{size_of, zeroed};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use super::{CONTROL, Control};

pub(super) fn address_of(storage: &libc::sockaddr_storage) -> Option<SocketAddr> {
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

pub(super) fn store_address(address: SocketAddr, storage: &mut libc::sockaddr_storage) -> libc::socklen_t {
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
pub(super) fn destination_of(header: &libc::msghdr) -> Option<IpAddr> {
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
pub(super) fn store_control(
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
