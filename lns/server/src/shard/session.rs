//! What a session is to its shard, from the call to the stop record.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tollgate_aaa::SessionContext;
use tollgate_aaa::accounting::{Record, RecordKind, TerminateCause, Traffic};
use tollgate_l2tp::SessionKey;
use tollgate_policy::filter::AccessList;
use tollgate_ppp::Link;

use crate::login::{Grant, PendingLogin};
use crate::registry::Handle;

/// One call and its PPP link.
pub(super) struct Session {
    pub(super) key: SessionKey,
    pub(super) handle: Handle,
    pub(super) link: Link,
    /// The earliest entry for it among the timers.
    pub(super) armed: Option<Instant>,
    pub(super) born: Instant,
    pub(super) context: Arc<SessionContext>,
    /// The tunnel group in which the call arrived; its login may choose another.
    pub(super) tunnel_group: Arc<str>,
    pub(super) stage: Stage,
    /// What MPPE agreed on.
    pub(super) encryption: Option<String>,
    /// Why we are ending it, once we are.
    pub(super) ending: Option<Ending>,
}

/// How far the login is.
pub(super) enum Stage {
    /// LCP, authentication: nobody is logged in.
    Negotiating,
    /// The AAA router is asked.
    Deciding,
    /// The server has asked the peer for another EAP response.
    Challenged(Box<PendingLogin>),
    /// Accepted; IPCP is being negotiated.
    Granted(Box<Grant>),
    /// It carries traffic.
    Live(Box<Live>),
}

/// A session that carries traffic.
pub(super) struct Live {
    pub(super) grant: Box<Grant>,
    pub(super) address: Ipv4Addr,
    /// The address lay in no pool when it was given out and has a route of its own. Pools may change meanwhile.
    pub(super) host_route: bool,
    pub(super) since: Instant,
    pub(super) traffic: Traffic,
    /// The last packet of the user, either way: what the idle timeout counts from.
    pub(super) last_packet: Instant,
    pub(super) next_interim: Option<Instant>,
    /// The largest packet that the client takes.
    pub(super) mtu: u16,
    pub(super) filter: Option<Arc<AccessList>>,
}

/// Why a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ending {
    /// For billing.
    pub(crate) cause: TerminateCause,
    /// For the log and for the peer: what happened, in a phrase.
    pub(crate) words: String,
    /// Whether it was ours to decide.
    pub(crate) ours: bool,
}

impl Ending {
    /// The server's decision.
    pub(crate) fn ours(cause: TerminateCause, words: impl Into<String>) -> Self {
        Self { cause, words: words.into(), ours: true }
    }

    /// The peer's doing, or the network's.
    pub(crate) fn theirs(cause: TerminateCause, words: impl Into<String>) -> Self {
        Self { cause, words: words.into(), ours: false }
    }
}

impl Session {
    /// When it wants to be looked at next.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let link = self.link.next_timeout();
        // A session that is ending has reached its limits: they would be due again and again.
        let Stage::Live(live) = &self.stage else { return link };
        if self.ending.is_some() {
            return link;
        }
        let policy = &live.grant.policy;
        [
            link,
            policy.idle_timeout.map(|limit| live.last_packet + limit),
            policy.session_timeout.map(|limit| live.since + limit),
            live.next_interim,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// The session, once it carries traffic.
    pub(super) fn live_mut(&mut self) -> Option<&mut Live> {
        match &mut self.stage {
            Stage::Live(live) => Some(live),
            Stage::Negotiating | Stage::Deciding | Stage::Challenged(_) | Stage::Granted(_) => None,
        }
    }
}

impl Live {
    /// An accounting record of the session as it stands.
    pub(super) fn record(
        &self,
        kind: RecordKind,
        context: &SessionContext,
        now: Instant,
        terminate_cause: Option<TerminateCause>,
    ) -> Record {
        Record {
            kind,
            user_name: self.grant.user.clone(),
            tunnel_group: self.grant.tunnel_group.clone(),
            context: context.clone(),
            framed_ip: Some(self.address),
            classes: self.grant.attributes.classes.clone(),
            method: self.grant.method,
            authentic: self.grant.authentic,
            session_time: now.saturating_duration_since(self.since),
            counters: self.traffic,
            terminate_cause,
            event_time: SystemTime::now(),
            policy: self.grant.policy.group_policy.clone(),
        }
    }

    /// Which of the policy's limits is reached.
    pub(super) fn limit_reached(&self, now: Instant) -> Option<Ending> {
        let over = |since: Instant, limit: Option<Duration>| limit.is_some_and(|limit| now >= since + limit);
        if over(self.last_packet, self.grant.policy.idle_timeout) {
            return Some(Ending::ours(TerminateCause::IdleTimeout, "idle timeout"));
        }
        if over(self.since, self.grant.policy.session_timeout) {
            return Some(Ending::ours(TerminateCause::SessionTimeout, "session timeout"));
        }
        None
    }
}

/// An IP address as a station id.
pub(super) fn station(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => ip.to_ipv4_mapped().map_or_else(|| ip.to_string(), |ip| ip.to_string()),
    }
}
