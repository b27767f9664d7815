//! Dynamic authorization (RFC 5176): a server asks us to end a session or to change what it may do.
//!
//! Nothing here sends or receives, and the time is a parameter. Give each datagram to
//! [`DynamicAuthorization::receive`]; where it returns a request, find the session and give the outcome to
//! [`DynamicAuthorization::answer`]; send what either returns.
//!
//! A request is looked into only once it is believed: a client that we know, both signatures right, made within
//! [`WINDOW`], and never seen before. One that the client has sent again gets the same answer again; the same from
//! somebody else, or later, is a replay and gets none.

mod memory;
mod request;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use radius::core::rfc2869::EVENT_TIMESTAMP_TYPE;
use tollgate_aaa::Secret;

use super::packet::{self, Attribute, Disbelief, Key, Packet, Required};
use memory::{Memory, Seen};
pub use request::{DynamicRequest, Kind};

/// How far the clock of a client may be from ours (RFC 5176 section 6.3).
pub const WINDOW: Duration = Duration::from_secs(300);

const ERROR_CAUSE: u8 = 101;

/// Who may ask, and how we are named.
#[derive(Debug, Clone)]
pub struct DynamicSettings {
    /// NAS-Identifiers that mean us.
    pub identifiers: Vec<String>,
    /// Whether a NAS-IP-Address or NAS-IPv6-Address means us.
    pub is_own_address: fn(IpAddr) -> bool,
    /// Who may ask.
    pub clients: Vec<DynamicClient>,
}

/// Somebody who may ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DynamicClient {
    /// Where its requests come from.
    pub address: IpAddr,
    /// The secret shared with it. Who has an empty one is not known.
    pub key: Secret,
    /// Requests without a Message-Authenticator are dropped. `false` for clients that send none.
    pub require_message_authenticator: bool,
    /// Requests without an Event-Timestamp are dropped. `false` for clients that send none: what is recorded of their
    /// requests can be sent to us again after ten minutes.
    pub require_event_timestamp: bool,
}

impl DynamicClient {
    /// A client held to both rules.
    pub fn new(address: IpAddr, key: Secret) -> Self {
        Self { address, key, require_message_authenticator: true, require_event_timestamp: true }
    }
}

/// Error-Cause (RFC 5176 section 3.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCause {
    /// An attribute that we do not know, or not in this kind of request.
    UnsupportedAttribute = 401,
    /// Nothing says which session is meant, or nothing what to change.
    MissingAttribute = 402,
    /// Another NAS is meant.
    NasIdentificationMismatch = 403,
    /// An attribute is not formatted properly, or there twice.
    InvalidRequest = 404,
    /// Service-Type Authorize Only.
    UnsupportedService = 405,
    /// A value that we cannot give to a session.
    InvalidAttributeValue = 407,
    /// The configuration forbids it.
    AdministrativelyProhibited = 501,
    /// There is no such session.
    SessionContextNotFound = 503,
    /// It is there and cannot be ended.
    SessionContextNotRemovable = 504,
    /// No room.
    ResourcesUnavailable = 506,
    /// More than one session fits.
    MultipleSessionSelectionUnsupported = 508,
}

impl ErrorCause {
    /// The number on the wire.
    pub fn code(self) -> u32 {
        self as u32
    }
}

/// Why a datagram gets no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Dropped {
    /// No such client.
    #[error("the sender is no client that may ask")]
    UnknownClient,
    /// No packet.
    #[error("it is no RADIUS packet: {0}")]
    Malformed(packet::Malformed),
    /// Neither Disconnect-Request nor CoA-Request.
    #[error("code {0} is no request for dynamic authorization")]
    Code(u8),
    /// Not signed by the client.
    #[error("{0}")]
    Disbelieved(Disbelief),
    /// Without Event-Timestamp, or with an odd one.
    #[error("it has no usable Event-Timestamp")]
    NoTimestamp,
    /// Too old, or from the future.
    #[error("its Event-Timestamp is more than {} s away from our clock", WINDOW.as_secs())]
    Stale,
    /// Seen before, and not from there or not just now.
    #[error("it is a replay of an earlier request")]
    Replay,
    /// Proxy-State without end.
    #[error("its answer would not fit into a packet")]
    NoRoom,
}

/// What became of a datagram.
#[derive(Debug)]
pub enum Received {
    /// Find the session, then [`DynamicAuthorization::answer`].
    Request(Box<DynamicRequest>),
    /// To be sent to where the datagram came from: a NAK, or the earlier answer to what the client sent again.
    Answer(Vec<u8>),
    /// Sent again while the answer is being made.
    UnderWay,
    /// No answer.
    Dropped(Dropped),
}

/// How often what happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DynamicCounters {
    /// Requests handed out.
    pub requests: u64,
    /// Requests refused without being handed out.
    pub refused: u64,
    /// Requests sent again by their client.
    pub duplicates: u64,
    /// Requests that somebody replayed.
    pub replays: u64,
    /// Too old or from the future, or no time in them.
    pub stale: u64,
    /// Not signed by the client.
    pub bad_authenticators: u64,
    /// No packets, or of another kind.
    pub malformed: u64,
    /// From somebody else.
    pub unknown_clients: u64,
}

struct Client {
    key: Key,
    required: Required,
    require_event_timestamp: bool,
    memory: Memory,
}

/// All clients and what they have asked.
pub struct DynamicAuthorization {
    identifiers: Vec<String>,
    is_own_address: fn(IpAddr) -> bool,
    clients: HashMap<IpAddr, Client>,
    counters: DynamicCounters,
}

impl DynamicAuthorization {
    /// Nobody has asked yet.
    pub fn new(settings: DynamicSettings) -> Self {
        let clients = settings.clients.into_iter().filter(|client| !client.key.is_empty());
        let clients = clients.map(|client| {
            let required = match client.require_message_authenticator {
                true => Required::MessageAuthenticator,
                false => Required::Nothing,
            };
            let require_event_timestamp = client.require_event_timestamp;
            let (key, memory) = (Key::new(client.key), Memory::default());
            (client.address.to_canonical(), Client { key, required, require_event_timestamp, memory })
        });
        Self {
            clients: clients.collect(),
            identifiers: settings.identifiers,
            is_own_address: settings.is_own_address,
            counters: DynamicCounters::default(),
        }
    }

    /// Takes new settings. What the clients that stay have asked is kept: nothing of it can be replayed.
    pub fn reconfigure(&mut self, settings: DynamicSettings) {
        let mut new = Self::new(settings);
        for (address, client) in &mut new.clients {
            if let Some(before) = self.clients.remove(address) {
                client.memory = before.memory;
            }
        }
        new.counters = self.counters;
        *self = new;
    }

    /// How often what happened.
    pub fn counters(&self) -> DynamicCounters {
        self.counters
    }

    /// A datagram has come.
    pub fn receive(&mut self, from: SocketAddr, datagram: &[u8], now: SystemTime) -> Received {
        let received = self.look_into(from, datagram, now).unwrap_or_else(Received::Dropped);
        let counters = &mut self.counters;
        let counter = match &received {
            Received::Request(_) => Some(&mut counters.requests),
            Received::UnderWay => Some(&mut counters.duplicates),
            // Counted where it is known which of the two it is.
            Received::Answer(_) => None,
            Received::Dropped(Dropped::UnknownClient) => Some(&mut counters.unknown_clients),
            Received::Dropped(Dropped::Malformed(_) | Dropped::Code(_) | Dropped::NoRoom) => {
                Some(&mut counters.malformed)
            }
            Received::Dropped(Dropped::Disbelieved(_)) => Some(&mut counters.bad_authenticators),
            Received::Dropped(Dropped::NoTimestamp | Dropped::Stale) => Some(&mut counters.stale),
            Received::Dropped(Dropped::Replay) => Some(&mut counters.replays),
        };
        if let Some(counter) = counter {
            *counter += 1;
        }
        received
    }

    fn look_into(&mut self, from: SocketAddr, datagram: &[u8], now: SystemTime) -> Result<Received, Dropped> {
        let from = SocketAddr::new(from.ip().to_canonical(), from.port());
        let client = self.clients.get_mut(&from.ip()).ok_or(Dropped::UnknownClient)?;
        let packet = Packet::parse(datagram).map_err(Dropped::Malformed)?;
        let code = packet.octets().first().copied().unwrap_or_default();
        let kind = Kind::from_code(code).ok_or(Dropped::Code(code))?;
        packet.verify_request(&client.key, client.required).map_err(Dropped::Disbelieved)?;
        let made = timestamp(&packet)?;
        let until = match made {
            Some(made) if distance(made, now) > WINDOW => return Err(Dropped::Stale),
            Some(made) => made + WINDOW,
            None if client.require_event_timestamp => return Err(Dropped::NoTimestamp),
            None => now + 2 * WINDOW,
        };
        let seal = (packet.identifier(), *packet.authenticator());
        match client.memory.look(&seal, from.port(), now) {
            Seen::Never => {}
            Seen::UnderWay => return Ok(Received::UnderWay),
            Seen::Answered(answer) => {
                self.counters.duplicates += 1;
                return Ok(Received::Answer(answer));
            }
            Seen::Replayed => return Err(Dropped::Replay),
        }
        let mut request = DynamicRequest::new(kind, from, &packet);
        // Both answers must fit, before anything is done.
        if build(&request, &client.key, Err(ErrorCause::InvalidRequest)).is_none() {
            return Err(Dropped::NoRoom);
        }
        if !client.memory.note(seal, from.port(), now, until) {
            // Not remembered, so it is not done; to refuse it again costs nothing.
            self.counters.refused += 1;
            let answer = build(&request, &client.key, Err(ErrorCause::ResourcesUnavailable));
            return answer.map(Received::Answer).ok_or(Dropped::NoRoom);
        }
        let names = (self.identifiers.as_slice(), self.is_own_address);
        match request.read(&packet, names) {
            Ok(()) => Ok(Received::Request(Box::new(request))),
            Err(cause) => {
                self.counters.refused += 1;
                self.answer(&request, Err(cause)).map(Received::Answer).ok_or(Dropped::NoRoom)
            }
        }
    }

    /// The answer to a request, to be sent to its [`DynamicRequest::from`]: ACK, or NAK with the cause. `None` when its
    /// client is no longer known.
    pub fn answer(&mut self, request: &DynamicRequest, outcome: Result<(), ErrorCause>) -> Option<Vec<u8>> {
        let client = self.clients.get_mut(&request.from.ip())?;
        let answer = build(request, &client.key, outcome)?;
        client.memory.answered(&(request.identifier, request.authenticator), &answer);
        Some(answer)
    }
}

/// With the request's State and Proxy-States, in their order (RFC 5176 section 3.1 and 3.4).
fn build(request: &DynamicRequest, key: &Key, outcome: Result<(), ErrorCause>) -> Option<Vec<u8>> {
    let mut attributes = Vec::with_capacity(6 + request.echoed.len());
    let code = match outcome {
        Ok(()) => request.kind.ack(),
        Err(cause) => {
            attributes.extend_from_slice(&[ERROR_CAUSE, 6]);
            attributes.extend_from_slice(&cause.code().to_be_bytes());
            request.kind.nak()
        }
    };
    attributes.extend_from_slice(&request.echoed);
    packet::answer(code, request.identifier, &request.authenticator, &attributes, key)
}

fn timestamp(packet: &Packet<'_>) -> Result<Option<SystemTime>, Dropped> {
    let mut stamps = packet.attributes().filter(|attribute| attribute.kind == EVENT_TIMESTAMP_TYPE);
    match (stamps.next(), stamps.next()) {
        (None, _) => Ok(None),
        (Some(Attribute { value, .. }), None) => {
            let seconds = value.try_into().map(u32::from_be_bytes).map_err(|_| Dropped::NoTimestamp)?;
            Ok(Some(UNIX_EPOCH + Duration::from_secs(seconds.into())))
        }
        (Some(_), Some(_)) => Err(Dropped::NoTimestamp),
    }
}

fn distance(one: SystemTime, other: SystemTime) -> Duration {
    one.duration_since(other).unwrap_or_else(|error| error.duration())
}

#[cfg(test)]
mod tests;
