//! What is the same for every socket and stream of a server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use radius::core::code::Code;
use tokio::runtime::Handle;
use tokio::time::Instant;
use tollgate_aaa::Counters;

use super::Service;
use crate::radius::packet::{Key, Required};

pub(super) struct Peer {
    pub(super) key: Arc<Key>,
    pub(super) required: Required,
    /// What may come back.
    pub(super) answers: &'static [Code],
    pub(super) counters: Arc<Counters>,
    pub(super) runtime: Handle,
    pub(super) throttle: Throttle,
}

impl Peer {
    pub(super) fn new(
        service: Service,
        key: Arc<Key>,
        required: Required,
        counters: Arc<Counters>,
        runtime: Handle,
    ) -> Self {
        let answers: &'static [Code] = match service {
            Service::Authentication => &[Code::AccessAccept, Code::AccessReject, Code::AccessChallenge],
            Service::Accounting => &[Code::AccountingResponse],
        };
        Self { key, required, answers, counters, runtime, throttle: Throttle::new() }
    }
}

/// At most one warning a second about what others send us.
pub(super) struct Throttle {
    begun: Instant,
    /// Seconds since `begun`, plus one, of the last warning.
    last: AtomicU32,
}

impl Throttle {
    fn new() -> Self {
        Self { begun: Instant::now(), last: AtomicU32::new(0) }
    }

    pub(super) fn warn(&self, tell: impl FnOnce()) {
        let now = u32::try_from(self.begun.elapsed().as_secs()).unwrap_or(u32::MAX - 1) + 1;
        if self.last.swap(now, Ordering::Relaxed) != now {
            tell();
        }
    }
}
