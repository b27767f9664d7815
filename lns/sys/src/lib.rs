//! The system calls that no safe library here batches or names: datagrams many at a time, the TUN device, an event
//! descriptor, a process's own use of processor time. The only `unsafe` of the workspace lives in this crate; each
//! block says why it is sound.
#![allow(unsafe_code)]

pub mod event;
pub mod process;
pub mod tun;
pub mod udp;

use std::io;

/// Turns a system call's -1 into the error that the kernel left.
fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// True when a non-blocking call has nothing to do now.
fn would_block(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
