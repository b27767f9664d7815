//! The load generator: many calls at once from one thread, on the same machines as the dialler. It says what a server
//! did (set-ups a second, latencies, loss) and, told the server's process, what that cost.

mod data;
mod generator;
mod half_open;
mod limits;
mod login;
mod radius;
mod usage;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde::Serialize;
use tollgate_ppp::AuthProtocol;
use zeroize::Zeroizing;

use crate::secure::Security;

pub use data::{DataOptions, DataReport, Direction, run as data};
pub use half_open::leave_half_open;
pub use limits::{LimitReport, run as limits};
pub use login::{LoginOptions, LoginReport, run as login};
pub use radius::Responder;

/// Source ports of one run at most.
pub const MOST_PORTS: usize = 30;

/// Who calls whom, and how.
#[derive(Clone)]
pub struct Target {
    /// The server.
    pub server: SocketAddr,
    /// Its process, where it runs on this machine: its processor time and memory are then reported.
    pub server_pid: Option<u32>,
    /// Own address of the calls' outer packets; several ports are used.
    pub source: Ipv4Addr,
    /// Source ports: each carries its share of the tunnels.
    pub ports: usize,
    /// The users' name; `{}` in it becomes the number of the call.
    pub user: String,
    /// Their password.
    pub password: Zeroizing<Vec<u8>>,
    /// The method.
    pub method: AuthProtocol,
    /// IPsec, each tunnel through an association of its own; none: L2TP in clear.
    pub security: Option<Security>,
    /// IKE exchanges that are left half open before the run.
    pub half_open: usize,
}

/// Latencies of many set-ups, in milliseconds.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Latencies {
    /// Half were faster.
    pub p50: f64,
    /// Nine of ten were faster.
    pub p90: f64,
    /// 99 of 100 were faster.
    pub p99: f64,
    /// The slowest.
    pub max: f64,
}

impl Latencies {
    fn of(mut samples: Vec<Duration>) -> Self {
        samples.sort_unstable();
        let at = |share: f64| {
            let index = (samples.len() as f64 * share) as usize;
            samples
                .get(index.min(samples.len().saturating_sub(1)))
                .map_or(0.0, |time| time.as_secs_f64() * 1e3)
        };
        Self { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1.0) }
    }
}

/// Why a run could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A system call.
    #[error("{what}: {error}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the kernel says.
        error: std::io::Error,
    },
    /// The server did not do its part.
    #[error("{0}")]
    Server(String),
}

impl BenchError {
    fn system(what: &'static str) -> impl Fn(std::io::Error) -> Self {
        move |error| Self::System { what, error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_sorted_samples() {
        let latencies = Latencies::of((1..=100).rev().map(Duration::from_millis).collect());
        assert_eq!((latencies.p50, latencies.p99, latencies.max), (51.0, 100.0, 100.0));
        assert_eq!(Latencies::of(Vec::new()).max, 0.0);
    }
}
