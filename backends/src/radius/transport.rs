//! The way of a question to one service of one server and of the answer back: in datagrams (RFC 2865) or on streams
//! (RFC 6613), those in TLS or not (RFC 6614).

mod datagram;
mod peer;
mod stream;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::runtime::Handle;
use tollgate_aaa::{Counters, Layer, Unavailable};

use super::packet::{Disbelief, Key, Required};
use crate::tls::Tls;
use datagram::Datagrams;
use peer::Peer;
use stream::Streams;

/// Which of the two services of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    Authentication,
    Accounting,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Silence {
    #[error("{server} did not answer within {seconds} s ({datagrams} sent)")]
    NoAnswer { server: SocketAddr, seconds: u64, datagrams: u32 },
    #[error(
        "{server} sent only answers that cannot be believed within {seconds} s, the last one with {disbelief}"
    )]
    Disbelieved { server: SocketAddr, seconds: u64, disbelief: Disbelief },
    #[error("no room to ask {0} within the time: too many questions are under way")]
    Busy(SocketAddr),
    #[error("the name {name} was not resolved: {error}")]
    Name { name: String, error: String },
    #[error("cannot open a socket towards {server}: {error}")]
    Socket { server: SocketAddr, error: String },
    /// On a stream.
    #[error("{0}")]
    Stream(Unavailable),
}

impl Silence {
    pub(super) fn layer(&self) -> Layer {
        match self {
            Self::Name { .. } => Layer::NameResolution,
            Self::Disbelieved { .. } => Layer::Secret,
            Self::NoAnswer { .. } | Self::Busy(_) | Self::Socket { .. } => Layer::Connection,
            Self::Stream(unavailable) => unavailable.layer,
        }
    }
}

/// How octets travel.
#[derive(Clone)]
pub(super) enum Way {
    Datagrams,
    Streams(Option<Tls>),
}

/// To which server, and how long it may take.
pub(super) struct Settings {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) timeout: Duration,
    /// For datagrams.
    pub(super) retry_interval: Duration,
}

pub(super) enum Transport {
    Datagrams(Arc<Datagrams>),
    Streams(Arc<Streams>),
}

impl Transport {
    pub(super) fn new(
        settings: Settings,
        way: Way,
        service: Service,
        required: Required,
        key: Arc<Key>,
        counters: Arc<Counters>,
        runtime: Handle,
    ) -> Self {
        let peer = Arc::new(Peer::new(service, key, required, counters, runtime));
        match way {
            Way::Datagrams => Self::Datagrams(Datagrams::new(settings, peer)),
            Way::Streams(tls) => Self::Streams(Streams::new(settings, tls, peer)),
        }
    }

    /// Asks; gives the answer, which has been verified. `request` still lacks its identifier.
    pub(super) async fn ask(&self, request: Vec<u8>, authenticator: [u8; 16]) -> Result<Vec<u8>, Silence> {
        match self {
            Self::Datagrams(datagrams) => datagrams.ask(request, authenticator).await,
            Self::Streams(streams) => streams.ask(request, authenticator).await,
        }
    }

    /// Asks once, with no retransmission, and waits no longer than `patience`.
    pub(super) async fn ask_once(
        &self,
        request: Vec<u8>,
        authenticator: [u8; 16],
        patience: Duration,
    ) -> Result<Vec<u8>, Silence> {
        match self {
            Self::Datagrams(datagrams) => {
                datagrams.ask_within(request, authenticator, patience, patience).await
            }
            Self::Streams(streams) => streams.ask_within(request, authenticator, patience).await,
        }
    }

    /// Tells a record; returns once it has been acknowledged. `build` makes it for a moment, without identifier and
    /// authenticator; what it makes only changes when `delay` does.
    pub(super) async fn tell<E: From<Silence>>(
        &self,
        delay: impl Fn(SystemTime) -> u32,
        build: impl Fn(SystemTime) -> Result<Vec<u8>, E>,
    ) -> Result<(), E> {
        match self {
            Self::Datagrams(datagrams) => datagrams.tell(delay, build).await,
            Self::Streams(streams) => streams.tell(build).await,
        }
    }
}
