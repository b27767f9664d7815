//! What a shard tells of itself: sessions, tunnels, counters.

use std::time::Instant;

use tollgate_ipsec::AssociationId;
use tollgate_l2tp::DropReason;

use super::Shard;
use super::message::{Selector, SessionReport, TunnelReport};
use super::session::{Live, Session, Stage};
use crate::login::Grant;

impl Session {
    pub(super) fn live(&self) -> Option<&Live> {
        match &self.stage {
            Stage::Live(live) => Some(live),
            Stage::Negotiating | Stage::Deciding | Stage::Challenged(_) | Stage::Granted(_) => None,
        }
    }

    pub(super) fn grant(&self) -> Option<&Grant> {
        match &self.stage {
            Stage::Granted(grant) => Some(grant),
            Stage::Live(live) => Some(&live.grant),
            Stage::Negotiating | Stage::Deciding | Stage::Challenged(_) => None,
        }
    }
}

impl Shard {
    /// The sessions that a selector means.
    pub(super) fn matching(&self, selector: &Selector) -> Vec<u32> {
        let wanted = |session: &Session| match selector {
            Selector::All => true,
            Selector::Session(id) => session.context.acct_session_id == *id,
            Selector::Address(address) => session.live().is_some_and(|live| live.address == *address),
            // As the limit on simultaneous logins counts them: names that differ only in case are one user's.
            Selector::User(user) => {
                session.grant().is_some_and(|grant| grant.user.eq_ignore_ascii_case(user.as_bytes()))
            }
        };
        self.sessions.iter().filter(|(_, session)| wanted(session)).map(|(token, _)| token as u32).collect()
    }

    /// Every session.
    pub(super) fn session_reports(&self, now: Instant) -> Vec<SessionReport> {
        self.sessions.iter().map(|(_, session)| self.report(now, session)).collect()
    }

    fn report(&self, now: Instant, session: &Session) -> SessionReport {
        let (live, grant) = (session.live(), session.grant());
        let traffic = live.map(|live| live.traffic).unwrap_or_default();
        let path = self.endpoint.tunnel_info(session.key.tunnel).map(|info| info.path.remote.to_string());
        SessionReport {
            session: session.context.acct_session_id.clone(),
            user: grant.map(|grant| String::from_utf8_lossy(&grant.user).into_owned()),
            state: session.link.phase().to_string(),
            address: grant.map(|grant| grant.lease.address()),
            peer: path.unwrap_or_else(|| session.context.calling_station_id.clone()),
            tunnel: session.key.tunnel.get(),
            call: session.key.session.get(),
            tunnel_group: grant.map(|grant| grant.tunnel_group.clone()),
            group_policy: grant.map(|grant| grant.policy.group_policy.clone()),
            server: grant.map(|grant| grant.server.clone()),
            method: grant.map(|grant| grant.method.to_string()),
            encryption: session.encryption.clone().filter(|_| session.link.encrypts()),
            filter: grant.and_then(|grant| grant.policy.filter.as_ref()).map(|(name, _)| name.clone()),
            session_timeout: grant
                .and_then(|grant| grant.policy.session_timeout)
                .map(|limit| limit.as_secs()),
            idle_timeout: grant.and_then(|grant| grant.policy.idle_timeout).map(|limit| limit.as_secs()),
            duration: now.saturating_duration_since(live.map_or(session.born, |live| live.since)).as_secs(),
            idle: live.map(|live| now.saturating_duration_since(live.last_packet).as_secs()),
            octets_in: traffic.input_octets,
            octets_out: traffic.output_octets,
            packets_in: traffic.input_packets,
            packets_out: traffic.output_packets,
        }
    }

    /// Every tunnel.
    pub(super) fn tunnel_reports(&self, now: Instant) -> Vec<TunnelReport> {
        self.endpoint
            .tunnels()
            .map(|info| TunnelReport {
                ipsec: info.path.association.and_then(|id| self.ipsec_report(now, AssociationId(id))),
                tunnel: info.id.get(),
                peer_tunnel: info.peer.map_or(0, |peer| peer.get()),
                peer: info.path.remote.to_string(),
                host_name: info.host_name,
                vendor: info.vendor_name,
                state: info.state.to_string(),
                sessions: info.sessions,
            })
            .collect()
    }

    /// Everything that is counted here, by name.
    pub(super) fn counter_values(&self) -> Vec<(String, u64)> {
        let l2tp = self.endpoint.counters();
        let control = [
            ("l2tp-messages-in", l2tp.messages_in),
            ("l2tp-messages-out", l2tp.messages_out),
            ("l2tp-zlb-in", l2tp.zlb_in),
            ("l2tp-zlb-out", l2tp.zlb_out),
            ("l2tp-retransmissions", l2tp.retransmissions),
            ("l2tp-duplicates", l2tp.duplicates),
            ("l2tp-out-of-order", l2tp.out_of_order),
            ("l2tp-bad-messages", l2tp.bad_messages),
            ("l2tp-data-in", l2tp.data_in),
            ("l2tp-data-out", l2tp.data_out),
            ("l2tp-tunnels-up", l2tp.tunnels_up),
            ("l2tp-tunnels-refused", l2tp.tunnels_refused),
            ("l2tp-half-open-evicted", l2tp.half_open_evicted),
            ("l2tp-sessions-up", l2tp.sessions_up),
            ("l2tp-calls-refused", l2tp.calls_refused),
            ("udp-not-sent", self.links.dropped()),
        ];
        let drops =
            DropReason::ALL.map(|reason| (format!("l2tp-dropped-{}", reason.name()), l2tp.dropped(reason)));
        let named = control.into_iter().chain(self.counters.values());
        named
            .map(|(name, value)| (name.to_owned(), value))
            .chain(drops)
            .chain(self.ipsec.counters().values())
            .collect()
    }
}
