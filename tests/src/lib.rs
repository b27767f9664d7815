//! The harness of the end-to-end tests: it starts the real `tollgate`, real RADIUS servers, real clients, each in a
//! network namespace or on a loopback port of its own, and ends them again, also when a test is killed.

pub mod capture;
pub mod client;
pub mod front;
pub mod gateway;
pub mod guest;
pub mod namespace;
pub mod need;
pub mod network;
pub mod pki;
pub mod probe;
pub mod process;
pub mod radius;
pub mod relay;
pub mod servers;
pub mod softether;
pub mod tollgate;
pub mod transfer;
pub mod types;
pub mod vpn;

pub use namespace::Namespace;

pub use tollgate::{Server, output};

use std::time::{Duration, Instant};

/// Waits until `condition` holds; panics with `what` when it does not within `limit`.
pub fn wait_until(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
