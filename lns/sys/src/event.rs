//! Waiting for several descriptors at once, and waking a thread that waits.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use super::check;

/// An eventfd: any thread rings it, the shard that waits on it wakes.
#[derive(Debug)]
pub struct Bell(OwnedFd);

impl Bell {
    /// A quiet bell.
    pub fn new() -> io::Result<Self> {
        // SAFETY: eventfd takes no pointers; the descriptor it returns is ours alone.
        let fd = check(unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) })?;
        // SAFETY: as above.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Wakes the waiter. A bell that already rings stays so.
    pub fn ring(&self) {
        let one = 1u64.to_ne_bytes();
        // SAFETY: the buffer is eight octets, which is what an eventfd takes. A full counter still wakes the waiter.
        unsafe { libc::write(self.0.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }

    /// Silences the bell before its cause is looked at.
    pub fn quiet(&self) {
        let mut count = [0u8; 8];
        // SAFETY: the buffer is eight octets, which is what an eventfd gives.
        unsafe { libc::read(self.0.as_raw_fd(), count.as_mut_ptr().cast(), count.len()) };
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// An epoll set of few descriptors, each known by a number.
#[derive(Debug)]
pub struct Waiter {
    epoll: OwnedFd,
}

/// Descriptors that one [`Waiter`] watches at most.
pub const MAX_SOURCES: usize = 32;

impl Waiter {
    /// Watches nothing yet.
    pub fn new() -> io::Result<Self> {
        // SAFETY: epoll_create1 takes no pointers; the descriptor it returns is ours alone.
        let fd = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: as above.
        Ok(Self { epoll: unsafe { OwnedFd::from_raw_fd(fd) } })
    }

    /// Watches a descriptor for input, level-triggered.
    pub fn watch(&self, source: BorrowedFd<'_>, number: u32) -> io::Result<()> {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: u64::from(number) };
        // SAFETY: both descriptors are open for the length of the call and `event` outlives it.
        check(unsafe {
            libc::epoll_ctl(self.epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, source.as_raw_fd(), &mut event)
        })
        .map(drop)
    }

    /// Waits until a source has input or the time is over; gives a bit for each ready source.
    pub fn wait(&self, timeout: Option<Duration>) -> io::Result<u32> {
        // Rounded up: waking a moment before a timer is due would only spin.
        let milliseconds = timeout
            .map_or(-1, |timeout| i32::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX));
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; MAX_SOURCES];
        // SAFETY: `events` has room for the number of events that is passed.
        let ready = unsafe {
            libc::epoll_wait(
                self.epoll.as_raw_fd(),
                events.as_mut_ptr(),
                MAX_SOURCES as libc::c_int,
                milliseconds,
            )
        };
        match check(ready) {
            Ok(count) => Ok(events[..count as usize].iter().fold(0, |bits, event| bits | 1 << event.u64)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
            Err(error) => Err(error),
        }
    }
}
