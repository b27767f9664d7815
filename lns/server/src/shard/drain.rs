//! How a shard ends: no new tunnels, every link is told, then every tunnel.

use std::time::{Duration, Instant};

use tollgate_aaa::accounting::TerminateCause;
use tollgate_l2tp::{Endpoint, StopResult, TunnelStop};

use super::control::l2tp_config;
use super::message::Selector;
use super::session::Ending;
use super::{Draining, Shard};

impl Shard {
    /// Begins to go: no new tunnels, every link is told.
    pub(super) fn drain(&mut self, now: Instant) {
        if self.draining != Draining::No {
            return;
        }
        self.draining = Draining::Links(now + Duration::from_secs(2));
        let snapshot = self.shared.snapshot.load();
        let mut config = l2tp_config(&snapshot.config, self.shared.all_posts().len());
        config.accept_incoming = false;
        self.endpoint.reconfigure(config);
        drop(snapshot);
        for token in self.matching(&Selector::All) {
            self.close(now, token, shutdown());
        }
    }

    /// Goes on with going.
    pub(super) fn drain_step(&mut self, now: Instant) {
        match self.draining {
            Draining::Links(until) if self.sessions.is_empty() || now >= until => {
                for token in self.matching(&Selector::All) {
                    self.finish(now, token, shutdown());
                }
                let stop = TunnelStop::new(StopResult::ShuttingDown, "the server is shutting down");
                self.endpoint.close_all(now, stop);
                self.pump(now);
                self.draining = Draining::Tunnels(now + Duration::from_secs(2));
                // Where no tunnel is left nothing will come that this shard could wait for.
                self.drain_step(now);
            }
            Draining::Tunnels(until) if !has_open_tunnels(&self.endpoint) || now >= until => {
                self.ipsec.close_all(now);
                self.pump_secure(now);
                self.draining = Draining::Done;
            }
            Draining::No | Draining::Links(_) | Draining::Tunnels(_) | Draining::Done => {}
        }
    }
}

fn shutdown() -> Ending {
    Ending::ours(TerminateCause::AdminReboot, "the server is shutting down")
}

/// Tunnels whose StopCCN the peer has not acknowledged yet.
fn has_open_tunnels(endpoint: &Endpoint) -> bool {
    endpoint.tunnels().any(|info| info.unacknowledged > 0)
}
