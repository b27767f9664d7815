//! The packet path of a shard, both ways. Nothing here allocates or waits; what is not an IPv4 packet of a live session
//! goes to the control side.

use std::net::Ipv4Addr;
use std::time::Instant;

use tollgate_l2tp::MAX_DATA_HEADER;
use tollgate_policy::filter::Direction;
use tollgate_ppp::{Unsealed, clamp_mss, ipv4_payload, is_well_formed};
use tracing::warn;

use super::Shard;
use super::icmp::{Oversize, oversize};
use super::message::Message;
use super::session::Stage;

/// Packets that went nowhere, by reason.
#[derive(Debug, Clone, Default)]
pub(super) struct DataCounters {
    /// Datagrams cut off by the kernel's buffer or without an IP address.
    pub(super) unusable: u64,
    /// L2TP in clear where IPsec is required.
    pub(super) without_ipsec: u64,
    /// Packets from a client under a source address that is not its own.
    pub(super) spoofed: u64,
    /// Packets between clients where that is not configured.
    pub(super) client_to_client: u64,
    /// Packets that the session's filter denied.
    pub(super) filtered: u64,
    /// Packets that the inside did not take.
    pub(super) undelivered: u64,
    /// Packets from the inside for nobody.
    pub(super) no_client: u64,
    /// Packets that are not IPv4 or whose length is wrong.
    pub(super) malformed: u64,
    /// Packets too large for their client.
    pub(super) too_big: u64,
    /// Frames that are not PPP as the RFC has it.
    pub(super) ppp_malformed: u64,
    /// Packets of an encrypted session that came in clear, late, or after a loss that makes them unreadable.
    pub(super) mppe_dropped: u64,
}

impl DataCounters {
    /// Each count with its name.
    pub(super) fn values(&self) -> [(&'static str, u64); 11] {
        [
            ("data-unusable", self.unusable),
            ("l2tp-without-ipsec", self.without_ipsec),
            ("data-spoofed", self.spoofed),
            ("data-client-to-client", self.client_to_client),
            ("data-filtered", self.filtered),
            ("data-undelivered", self.undelivered),
            ("data-no-client", self.no_client),
            ("data-malformed", self.malformed),
            ("data-too-big", self.too_big),
            ("ppp-malformed", self.ppp_malformed),
            ("mppe-dropped", self.mppe_dropped),
        ]
    }
}

/// Length of an IPv4 packet by its own header; `None` when the header and the octets at hand do not agree.
fn ipv4_length(packet: &[u8]) -> Option<usize> {
    let header = packet.first_chunk::<20>()?;
    let (version, header_length) = (header[0] >> 4, usize::from(header[0] & 0x0f) * 4);
    let total = usize::from(u16::from_be_bytes([header[2], header[3]]));
    (version == 4 && header_length >= 20 && total >= header_length && total <= packet.len()).then_some(total)
}

fn source(packet: &[u8]) -> Ipv4Addr {
    Ipv4Addr::new(packet[12], packet[13], packet[14], packet[15])
}

fn destination(packet: &[u8]) -> Ipv4Addr {
    Ipv4Addr::new(packet[16], packet[17], packet[18], packet[19])
}

impl Shard {
    /// A PPP frame from a client.
    pub(super) fn carry_in(&mut self, now: Instant, token: u32, frame: &mut [u8]) {
        let Some(session) = self.sessions.get_mut(token as usize) else { return };
        let live = match &mut session.stage {
            Stage::Live(live) => live,
            Stage::Negotiating | Stage::Deciding | Stage::Challenged(_) | Stage::Granted(_) => {
                return self.control_frame(now, token, frame);
            }
        };
        let start = if session.link.encrypts() {
            match session.link.unseal(now, frame) {
                Unsealed::Ipv4(range) => range.start,
                Unsealed::Control => return self.control_frame(now, token, frame),
                Unsealed::Nothing => {
                    self.counters.mppe_dropped += 1;
                    return self.drive(now, token);
                }
            }
        } else {
            let Some(payload) = ipv4_payload(frame).map(<[u8]>::len) else {
                return self.control_frame(now, token, frame);
            };
            frame.len() - payload
        };
        let Some(length) = ipv4_length(&frame[start..]) else {
            self.counters.malformed += 1;
            return;
        };
        let packet = &mut frame[start..start + length];
        session.link.note_traffic(now);
        let from = source(packet);
        if from != live.address {
            let own = |(network, mask, owner): &(u32, u32, u32)| {
                *owner == token && u32::from(from) & mask == *network
            };
            if !self.networks.iter().any(own) {
                self.counters.spoofed += 1;
                return;
            }
        }
        if let Some(filter) = &live.filter
            && !filter.permits(packet, Direction::FromClient)
        {
            self.counters.filtered += 1;
            return;
        }
        live.last_packet = now;
        live.traffic.input_packets += 1;
        live.traffic.input_octets += length as u64;
        live.grant.ticket.activity.touch(self.shared.registry.second(now));
        clamp_mss(packet, live.mtu);
        let to = destination(packet);
        if self.shared.owners.shard_of(to).is_some() {
            if !self.client_to_client {
                self.counters.client_to_client += 1;
                return;
            }
            return self.carry_out(now, packet);
        }
        if !self.inner.deliver(packet) {
            self.counters.undelivered += 1;
        }
    }

    fn control_frame(&mut self, now: Instant, token: u32, frame: &[u8]) {
        if !is_well_formed(frame) {
            self.counters.ppp_malformed += 1;
            if let Some(more) = self.quiet.may_log("ppp-malformed", now) {
                let session = &self.sessions[token as usize].context.acct_session_id;
                warn!(session, more, "malformed PPP frame dropped");
            }
        }
        self.sessions[token as usize].link.handle_frame(now, frame);
        self.drive(now, token);
    }

    /// A packet from the inside, for a client of this shard or of another.
    pub(super) fn carry_out(&mut self, now: Instant, packet: &mut [u8]) {
        let Some(length) = ipv4_length(packet) else {
            self.counters.malformed += 1;
            return;
        };
        let packet = &mut packet[..length];
        match self.shared.owners.shard_of(destination(packet)) {
            Some(owner) if owner == self.index => self.deliver_out(now, packet),
            Some(owner) => {
                // The kernel learns the right queue from the client's own packets; until then they change hands here.
                let taken = self
                    .shared
                    .post(owner)
                    .is_some_and(|post| post.send_packet(|| Message::Packet(packet.to_vec())));
                if !taken {
                    self.counters.undelivered += 1;
                }
            }
            None => self.counters.no_client += 1,
        }
    }

    /// The session that an address belongs to.
    fn session_of(&self, address: Ipv4Addr) -> Option<u32> {
        self.by_address.get(&address).copied().or_else(|| {
            let address = u32::from(address);
            self.networks
                .iter()
                .filter(|(network, mask, _)| address & mask == *network)
                .max_by_key(|(_, mask, _)| *mask)
                .map(|(_, _, token)| *token)
        })
    }

    /// A packet for a client of this shard.
    pub(super) fn deliver_out(&mut self, now: Instant, packet: &mut [u8]) {
        let Some(token) = self.session_of(destination(packet)) else {
            self.counters.no_client += 1;
            return;
        };
        let session = &mut self.sessions[token as usize];
        let Stage::Live(live) = &mut session.stage else { return };
        if let Some(filter) = &live.filter
            && !filter.permits(packet, Direction::ToClient)
        {
            self.counters.filtered += 1;
            return;
        }
        clamp_mss(packet, live.mtu);
        live.last_packet = now;
        live.traffic.output_packets += 1;
        live.traffic.output_octets += packet.len() as u64;
        live.grant.ticket.activity.touch(self.shared.registry.second(now));
        if packet.len() > usize::from(live.mtu) {
            let mtu = live.mtu;
            return self.oversized(now, token, packet, mtu);
        }
        self.send_packet(now, token, packet);
    }

    fn oversized(&mut self, now: Instant, token: u32, packet: &[u8], mtu: u16) {
        let router = self.shared.inner_address;
        match oversize(packet, mtu, router) {
            Oversize::Fragments(pieces) => {
                for piece in &pieces {
                    self.send_packet(now, token, piece);
                }
            }
            Oversize::TooBig(error) => {
                self.counters.too_big += 1;
                self.inner.deliver(&error);
            }
            Oversize::Drop => self.counters.too_big += 1,
        }
    }

    /// Wraps a packet for its client and queues it.
    fn send_packet(&mut self, now: Instant, token: u32, packet: &[u8]) {
        let session = &mut self.sessions[token as usize];
        let link = &mut session.link;
        let encrypts = link.encrypts();
        let ppp = if encrypts { link.sealed_header() } else { link.ipv4_header() };
        let mut l2tp = [0; MAX_DATA_HEADER];
        let Some((length, path)) =
            self.endpoint.data_header(session.key, ppp.len() + packet.len(), &mut l2tp)
        else {
            return;
        };
        let parts = [&l2tp[..length], ppp, packet];
        self.links.send_with(now, &mut self.ipsec, &path, &parts, |datagram| {
            !encrypts || link.seal(&mut datagram[length..])
        });
    }
}
