//! The IPsec side of a shard: what comes on its sockets goes into the IPsec machines, what comes out of them is L2TP, and
//! an association that ends takes its tunnels with it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tollgate_aaa::accounting::TerminateCause;
use tollgate_ipsec::ikev1::selection::Encapsulation;
use tollgate_ipsec::{
    AssociationId, AssociationInfo, Config, DownCause, Event, NON_ESP_MARKER, NatTraversalDatagram,
};
use tollgate_l2tp::{Path, StopResult, TunnelId, TunnelStop};
use tollgate_ppp::ServerConfig;
use tracing::{debug, info, warn};

use super::message::{IpsecReport, Message};
use super::session::Ending;
use super::{IKE, NAT_T, Shard};
use crate::snapshot::Snapshot;

/// Octets of the address and protocol fields in front of an IP packet in PPP.
const PPP_HEADER: usize = 4;
/// Octets of an L2TP data header: flags, length and ids; and of the sequence numbers where they are asked for.
const L2TP_HEADER: usize = 8;
const SEQUENCE_NUMBERS: usize = 4;
/// The path that outer packets must fit without being fragmented.
const PATH_MTU: usize = 1500;
/// How long an association is kept for a client whose tunnel is gone, or that has not opened one.
const IDLE: Duration = Duration::from_secs(30);
const NEVER_USED: Duration = Duration::from_secs(120);

/// What one of `shards` shards is told: the bounds of the whole server are shared out. Where nothing could authenticate
/// a peer, nobody is let in.
pub(super) fn settings(snapshot: &Snapshot, shards: usize, esp_is_served: bool) -> Config {
    let mut settings = snapshot.ipsec.clone().unwrap_or_else(|| Config::new(Vec::new(), Vec::new()));
    let share = |whole: usize| whole.div_ceil(shards.max(1));
    settings.max_half_open = share(settings.max_half_open);
    settings.max_unauthenticated = share(settings.max_unauthenticated);
    settings.raw_esp &= esp_is_served;
    settings
}

impl Shard {
    /// L2TP in clear where IPsec is required.
    pub(super) fn refuse_plain(&mut self, now: Instant, peer: SocketAddr, bytes: &[u8]) {
        self.counters.without_ipsec += 1;
        // Apple's clients send Hellos in clear to call IPsec up; only a request for a tunnel is worth a line.
        if tollgate_l2tp::is_tunnel_request(bytes)
            && let Some(more) = self.quiet.may_log("l2tp-without-ipsec", now)
        {
            warn!(
                %peer,
                more,
                "L2TP without IPsec refused: set up IPsec on the client (Windows: see that ProhibitIpSec is not 1), or \
                 set require-ipsec = false in [lns] to serve plain L2TP"
            );
        }
    }

    /// A datagram on one of the sockets of IPsec.
    pub(super) fn handle_secure(
        &mut self,
        now: Instant,
        source: u32,
        local: SocketAddr,
        remote: SocketAddr,
        bytes: &mut [u8],
    ) {
        let path = tollgate_ipsec::Path { local, remote, nat_t: source == NAT_T };
        match source {
            IKE => self.isakmp(now, path, bytes),
            NAT_T => match tollgate_ipsec::classify(bytes) {
                NatTraversalDatagram::Isakmp => self.isakmp(now, path, &bytes[NON_ESP_MARKER.len()..]),
                NatTraversalDatagram::Esp => self.esp(now, path, bytes),
                NatTraversalDatagram::Keepalive => {}
                NatTraversalDatagram::Malformed => self.counters.unusable += 1,
            },
            _ => self.esp(now, path, bytes),
        }
    }

    fn isakmp(&mut self, now: Instant, path: tollgate_ipsec::Path, message: &[u8]) {
        match self.place.owner_of_isakmp(message).map(usize::from) {
            Some(owner) if owner != self.index => self.hand_over(owner, path, false, message),
            _ => self.ipsec.handle_isakmp(now, path, message),
        }
    }

    fn esp(&mut self, now: Instant, path: tollgate_ipsec::Path, packet: &mut [u8]) {
        match self.place.owner_of_esp(packet).map(usize::from) {
            Some(owner) if owner != self.index => self.hand_over(owner, path, true, packet),
            _ => self.own_esp(now, path, packet),
        }
    }

    fn hand_over(&mut self, owner: usize, path: tollgate_ipsec::Path, is_esp: bool, bytes: &[u8]) {
        let message = || Message::Secure { path, is_esp, bytes: bytes.to_vec() };
        if !self.shared.post(owner).is_some_and(|post| post.send_packet(message)) {
            self.counters.unusable += 1;
        }
    }

    /// An ESP packet of an association of ours.
    pub(super) fn own_esp(&mut self, now: Instant, path: tollgate_ipsec::Path, packet: &mut [u8]) {
        match self.ipsec.handle_esp(now, path, packet) {
            Ok(delivery) => {
                let path = Path {
                    local: delivery.local,
                    remote: delivery.remote,
                    association: Some(delivery.association.0),
                };
                if let Some(datagram) = packet.get_mut(delivery.payload) {
                    self.handle_datagram(now, path, datagram);
                }
            }
            Err(reason) => {
                if let Some(more) = self.quiet.may_log(reason.name(), now) {
                    debug!(peer = %path.remote, %reason, more, "ESP packet dropped");
                }
            }
        }
    }

    /// What is due on the IPsec side.
    pub(super) fn secure_due(&mut self, now: Instant) {
        if self.ipsec.next_timeout().is_some_and(|due| due <= now) {
            self.ipsec.handle_timeout(now);
            self.pump_secure(now);
        }
        while let Some(association) = self.idle.due(now) {
            if !self.secured.contains_key(&association) {
                self.ipsec.close(now, association);
                self.pump_secure(now);
            }
        }
    }

    /// Sends what the IPsec machines want sent, has done what they want done, and does what their events ask for.
    pub(super) fn pump_secure(&mut self, now: Instant) {
        loop {
            while let Some(transmit) = self.ipsec.poll_transmit() {
                self.links.send_isakmp(&transmit);
            }
            while let Some(job) = self.ipsec.poll_job() {
                self.shared.workers.give(self.index, job);
            }
            let Some(event) = self.ipsec.poll_event() else { break };
            self.secure_event(now, event);
        }
        self.pump(now);
    }

    fn secure_event(&mut self, now: Instant, event: Event) {
        match event {
            Event::PeerAuthenticated { path, peer, policy } => {
                debug!(
                    peer = %path.remote,
                    identity = peer.name,
                    tunnel_group = &*peer.tunnel_group,
                    proof = peer.proof,
                    policy = %policy,
                    "IKE peer authenticated",
                );
            }
            Event::AssociationUp { association, peer, path, set, .. } => {
                info!(
                    association = association.0,
                    peer = %path.remote,
                    identity = peer.name,
                    tunnel_group = &*peer.tunnel_group,
                    proof = peer.proof,
                    encapsulation = if path.nat_t { "udp" } else { "esp" },
                    transform = %set,
                    "IPsec association up",
                );
            }
            Event::AssociationRekeyed { association } => {
                debug!(association = association.0, "IPsec association rekeyed");
            }
            Event::AssociationDown { association, cause } => self.association_down(now, association, &cause),
            Event::NoTraffic { association, path } => {
                self.idle.enter(now + NEVER_USED, association);
                let words = match path.nat_t {
                    true => {
                        "IPsec is up and no L2TP has come for 30 s: is the client's firewall dropping UDP port 1701, or \
                         (Windows with this server behind a NAT) AssumeUDPEncapsulationContextOnSendRule not set?"
                    }
                    false => {
                        "IPsec is up and no L2TP has come for 30 s: is ESP (IP protocol 50) blocked on the way? \
                         force-udp-encapsulation = true in [ipsec] goes around that"
                    }
                };
                warn!(peer = %path.remote, association = association.0, "{words}");
            }
            Event::Failed { path, failure, .. } => {
                if let Some(more) = self.quiet.may_log(kind_of(&failure), now) {
                    warn!(peer = %path.remote, more, "IPsec set-up failed: {failure}");
                }
            }
            // Asked for by our own client only.
            Event::Keys(_) => {}
        }
    }

    /// An association is gone: so are its tunnels, for the same reason.
    fn association_down(&mut self, now: Instant, association: AssociationId, cause: &DownCause) {
        info!(association = association.0, %cause, "IPsec association down");
        let terminate = match cause {
            DownCause::DeletedByPeer => TerminateCause::UserRequest,
            DownCause::Expired | DownCause::DeadPeer | DownCause::InitialContact => {
                TerminateCause::LostCarrier
            }
            DownCause::Closed => TerminateCause::AdminReset,
        };
        for tunnel in self.secured.remove(&association).unwrap_or_default() {
            self.end_tunnel(now, tunnel, terminate, &cause.to_string());
        }
    }

    /// Ends a tunnel whose client is gone, and bills its sessions to that.
    fn end_tunnel(&mut self, now: Instant, tunnel: TunnelId, terminate: TerminateCause, words: &str) {
        self.associated.remove(&tunnel);
        for key in self.endpoint.session_keys(tunnel) {
            if let Some(token) = self.by_key.get(&key).copied() {
                self.finish(now, token, Ending::theirs(terminate, words));
            }
        }
        self.endpoint.close_tunnel(now, tunnel, TunnelStop::new(StopResult::GeneralRequest, words));
    }

    /// A tunnel came up. A client has one: an older one in the same association is what it has lost.
    pub(super) fn secure_tunnel_up(&mut self, now: Instant, tunnel: TunnelId, path: &Path) {
        let Some(association) = path.association.map(AssociationId) else { return };
        let tunnels = self.secured.entry(association).or_default();
        let older = std::mem::replace(tunnels, vec![tunnel]);
        self.associated.insert(tunnel, association);
        for old in older {
            self.end_tunnel(now, old, TerminateCause::LostCarrier, "the client has opened a new tunnel");
        }
    }

    pub(super) fn secure_tunnel_down(&mut self, now: Instant, tunnel: TunnelId) {
        let Some(association) = self.associated.remove(&tunnel) else { return };
        if let Some(tunnels) = self.secured.get_mut(&association) {
            tunnels.retain(|other| *other != tunnel);
            if tunnels.is_empty() {
                self.secured.remove(&association);
                self.idle.enter(now + IDLE, association);
            }
        }
    }

    /// PPP settings whose packets fit the association's without being fragmented outside.
    pub(super) fn fitting(
        &mut self,
        settings: &Arc<ServerConfig>,
        association: Option<AssociationId>,
    ) -> Arc<ServerConfig> {
        let room = association.and_then(|association| self.ipsec.largest_datagram(association, PATH_MTU));
        let sequencing =
            if self.shared.snapshot.load().config.lns.require_sequencing { SEQUENCE_NUMBERS } else { 0 };
        let Some(room) = room.map(|room| room.saturating_sub(L2TP_HEADER + sequencing + PPP_HEADER)) else {
            return Arc::clone(settings);
        };
        let room = u16::try_from(room).unwrap_or(u16::MAX);
        if room >= settings.mtu_limit && room >= settings.mru {
            return Arc::clone(settings);
        }
        let (mru, mtu_limit) = (settings.mru.min(room), settings.mtu_limit.min(room));
        Arc::new(ServerConfig { mru, mtu_limit, ..(**settings).clone() })
    }

    /// Every association.
    pub(super) fn ipsec_reports(&self, now: Instant) -> Vec<IpsecReport> {
        self.ipsec.associations().map(|info| report(now, &info)).collect()
    }

    /// One association.
    pub(super) fn ipsec_report(&self, now: Instant, association: AssociationId) -> Option<IpsecReport> {
        self.ipsec.association(association).map(|info| report(now, &info))
    }
}

/// Under which name lines of a kind are held back.
fn kind_of(failure: &tollgate_ipsec::Failure) -> &'static str {
    use tollgate_ipsec::Failure;
    match failure {
        Failure::NoPhase1Proposal { .. } => "ike-no-phase1-proposal",
        Failure::NoPhase2Proposal { .. } => "ike-no-phase2-proposal",
        Failure::WrongKey { .. } => "ike-wrong-key",
        Failure::NoKey { .. } => "ike-no-key",
        Failure::AggressiveMode => "ike-aggressive-mode",
        Failure::Certificate(_) => "ike-certificate",
        Failure::UnknownIdentity { .. } => "ike-unknown-identity",
        Failure::Selectors { .. } => "ike-selectors",
        Failure::NoAnswer(_) => "ike-no-answer",
        Failure::Refused { .. } => "ike-refused",
        Failure::Unsupported(_) => "ike-unsupported",
    }
}

fn report(now: Instant, info: &AssociationInfo) -> IpsecReport {
    let left = |until: Option<Instant>| until.map(|until| until.saturating_duration_since(now).as_secs());
    IpsecReport {
        association: info.id.0,
        peer: info.path.remote.to_string(),
        identity: info.peer.name.clone(),
        proof: info.peer.proof.clone(),
        tunnel_group: info.peer.tunnel_group.to_string(),
        nat: match (info.nat.remote, info.nat.local) {
            (false, false) => "none",
            (true, false) => "client",
            (false, true) => "server",
            (true, true) => "both",
        }
        .into(),
        encapsulation: match info.encapsulation {
            Encapsulation::Raw => "esp",
            Encapsulation::Udp | Encapsulation::UdpDraft => "udp",
        }
        .into(),
        phase1: info.policy.map(|policy| policy.to_string()),
        phase2: info.set.map(|set| set.to_string()),
        spi_in: info.spi_in.map(|spi| spi.to_string()),
        spi_out: info.spi_out.map(|spi| spi.to_string()),
        phase1_lifetime: left(info.phase1_expires),
        phase2_lifetime: left(info.expires),
        duration: now.saturating_duration_since(info.since).as_secs(),
        rekeyed: info.rekeyed,
        octets_in: info.octets_in,
        octets_out: info.octets_out,
        packets_in: info.packets_in,
        packets_out: info.packets_out,
        replay_drops: info.replay_drops,
    }
}
