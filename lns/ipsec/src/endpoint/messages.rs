//! Sending, and the parts that several messages share.

use std::net::SocketAddr;
use std::time::Instant;

use super::event::{Event, Failure, Path, Transmit};
use super::ike::IkeSa;
use super::{ConnectionId, Endpoint, NON_ESP_MARKER};
use crate::ikev1::fragment;
use crate::ikev1::header::{Cookies, ExchangeType, Header};
use crate::ikev1::nat;
use crate::ikev1::notify::Notification;
use crate::ikev1::payload::{Builder, Kind};
use crate::ikev1::proposal::protocol;
use crate::ikev1::vendor;

/// Longest message that leaves in one piece where the peer takes fragments: an IPv4 packet of 576 octets is what
/// Microsoft's cuts to, and what every path carries.
const PIECE: usize = 576 - 20 - 8 - 4;
/// Messages that are cut: those that would be fragmented by IP on a path of 1,280 octets.
const LARGE: usize = 1280 - 40 - 8 - 4;

impl Endpoint {
    pub(super) fn send_raw(&mut self, path: Path, message: &[u8]) {
        let mut datagram = Vec::with_capacity(message.len() + 4);
        if path.nat_t {
            datagram.extend(NON_ESP_MARKER);
        }
        datagram.extend_from_slice(message);
        self.transmits.push_back(Transmit { path, datagram });
    }

    /// Sends a message of phase 1 and remembers it; with `again` it is sent again until it is answered.
    pub(super) fn send_phase1(&mut self, now: Instant, id: u64, message: Vec<u8>, again: bool) {
        let fragment_id = self.entropy.u16() | 1;
        let Some(ike) = self.ikes.get_mut(&id) else { return };
        let is_cut = ike.vendor.fragmentation && message.len() > LARGE;
        let messages = match is_cut {
            true => fragment::split(message, PIECE, fragment_id),
            false => vec![message],
        };
        ike.resend.sends(now, messages, again);
        self.send_again(id, None);
    }

    /// Sends the last message of phase 1 once more; where the peer asked from another path, to that one.
    pub(super) fn send_again(&mut self, id: u64, path: Option<Path>) {
        let Some(ike) = self.ikes.get(&id) else { return };
        let path = path.unwrap_or(ike.path);
        let messages = ike.resend.sent.clone();
        messages.iter().for_each(|message| self.send_raw(path, message));
    }

    /// An error in clear, for a peer without keys.
    pub(super) fn notify_in_clear(&mut self, path: Path, cookies: Cookies, kind: u16) {
        let mut builder = Builder::new();
        let notification = Notification { kind, protocol: protocol::ISAKMP, spi: &[], data: &[] };
        builder.add(Kind::Notification, &[&notification.encode()]);
        let header = Header {
            cookies,
            next_payload: 0,
            exchange: ExchangeType::Informational,
            flags: 0,
            message_id: self.entropy.u32() | 1,
        };
        let message = builder.finish(header);
        self.send_raw(path, &message);
    }

    /// Phase 1 has failed. Where it was to replace another one, that one is still there and nobody is told.
    pub(super) fn give_up(&mut self, id: u64, failure: Failure) {
        let Some(ike) = self.ikes.get_mut(&id) else { return };
        let is_rekeying = ike.is_initiator && !ike.waiting.contains(&None);
        ike.waiting.clear();
        let (connection, path) = (ike.connection, ike.path);
        match is_rekeying {
            true => self.counters.failed += 1,
            false => self.fail(connection, path, failure),
        }
        self.drop_ike(id);
    }

    pub(super) fn fail(&mut self, connection: Option<ConnectionId>, path: Path, failure: Failure) {
        self.counters.failed += 1;
        self.events.push_back(Event::Failed { connection, path, failure });
    }
}

/// A header of phase 1.
pub(super) fn phase1_header(cookies: Cookies, exchange: ExchangeType) -> Header {
    Header { cookies, next_payload: 0, exchange, flags: 0, message_id: 0 }
}

/// Adds the NAT-D payloads: first the peer's address as we see it, then ours.
///
/// To make a peer use UDP where there is no NAT, it is told a wrong hash of its own address, which is what it would see
/// behind one. A Microsoft client that finds its server behind a NAT refuses; where we are, it is told that only itself
/// is, by echoing its own hash of our address.
pub(super) fn add_nat_detection(
    builder: &mut Builder,
    ike: &IkeSa,
    force: bool,
    echo: Option<&[u8]>,
    random: [u8; 64],
) {
    let Some(version) = ike.vendor.nat_traversal else { return };
    let kind = version.detection_kind();
    let hash = |address: SocketAddr| nat::detection(ike.policy.hash, ike.cookies, address);
    let wrong = random.get(..ike.policy.hash.length()).unwrap_or(&random);
    let (theirs, ours) = (hash(ike.path.remote), hash(ike.path.local));
    match (force, echo, ike.is_initiator) {
        (_, Some(echo), _) => builder.add(kind, &[wrong]).add(kind, &[echo]),
        (true, None, false) => builder.add(kind, &[wrong]).add(kind, &[&ours]),
        (true, None, true) => builder.add(kind, &[&theirs]).add(kind, &[wrong]),
        (false, None, _) => builder.add(kind, &[&theirs]).add(kind, &[&ours]),
    };
}

/// The vendor ids of a responder: those that the peer knows too.
pub(super) fn add_vendor_answers(builder: &mut Builder, peer: &vendor::Vendor, minimal: bool) {
    if let Some(id) = peer.nat_traversal_id() {
        builder.add(Kind::VendorId, &[&id]);
    }
    if minimal {
        return;
    }
    if peer.dpd {
        builder.add(Kind::VendorId, &[&vendor::DPD]);
    }
    if peer.fragmentation {
        builder.add(Kind::VendorId, &[&vendor::FRAGMENTATION]);
    }
}

/// The vendor ids of an initiator.
pub(super) fn add_vendor_offers(builder: &mut Builder) {
    for id in [
        vendor::RFC_3947,
        vendor::DRAFT_03,
        vendor::DRAFT_02_LINE_END,
        vendor::DRAFT_02,
        vendor::DPD,
        vendor::FRAGMENTATION,
    ] {
        builder.add(Kind::VendorId, &[&id]);
    }
}
