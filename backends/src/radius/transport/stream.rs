//! Questions on streams: TCP (RFC 6613), in TLS or not (RFC 6614).
//!
//! A question is sent once on a stream and never again there (RFC 6613 section 2.6.1). When the stream ends under it, it
//! is asked anew on another, a few times at most. A login that finds nobody to connect to hears so at once, so that the
//! next server can be asked; one whose stream died waits within its time for the server to come back.

mod connection;
mod table;
mod ways;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use socket2::SockRef;
use tokio::sync::{Notify, OwnedMutexGuard, Semaphore};
use tokio::time::{Instant, sleep_until, timeout_at};
use tollgate_aaa::{Counters, Layer, Unavailable};

use super::peer::Peer;
use super::{Settings, Silence};
use crate::net::Endpoint;
use crate::radius::packet;
use crate::tls::Tls;
use connection::{Broken, Connection, Lost, Stream, Ticket};
use table::IDENTIFIERS;
use ways::{MOST, Next, Ways};

/// How often one question is asked at most, each time on another stream: it may be what ends them.
const MOST_TIMES: u32 = 3;
/// Streams that stand at most, with those that only finish what is under way.
const MOST_OPEN: usize = 2 * MOST;

pub(in crate::radius) struct Streams {
    endpoint: Endpoint,
    server: String,
    tls: Option<Tls>,
    timeout: Duration,
    peer: Arc<Peer>,
    ways: Mutex<Ways>,
    /// Held while a stream is opened.
    opening: Arc<tokio::sync::Mutex<()>>,
    freed: Arc<Notify>,
    in_flight: Semaphore,
    places: Arc<Semaphore>,
}

impl Streams {
    /// Streams are opened on first use.
    pub(super) fn new(settings: Settings, tls: Option<Tls>, peer: Arc<Peer>) -> Arc<Self> {
        let endpoint = Endpoint { host: settings.host, port: settings.port };
        Arc::new(Self {
            server: endpoint.to_string(),
            endpoint,
            tls,
            timeout: settings.timeout,
            peer,
            ways: Mutex::default(),
            opening: Arc::default(),
            freed: Arc::default(),
            in_flight: Semaphore::new(MOST * IDENTIFIERS),
            places: Arc::new(Semaphore::new(MOST_OPEN)),
        })
    }

    /// As [`super::Transport::ask`].
    pub(super) async fn ask(
        self: &Arc<Self>,
        request: Vec<u8>,
        authenticator: [u8; 16],
    ) -> Result<Vec<u8>, Silence> {
        self.ask_within(request, authenticator, self.timeout).await
    }

    /// The same with a time of its own.
    pub(super) async fn ask_within(
        self: &Arc<Self>,
        mut request: Vec<u8>,
        authenticator: [u8; 16],
        timeout: Duration,
    ) -> Result<Vec<u8>, Silence> {
        let make = |identifier| {
            packet::finish_access_request(&mut request, identifier, &self.peer.key);
            Ok((request.clone(), authenticator))
        };
        self.exchange(timeout, make).await
    }

    /// As [`super::Transport::tell`]; each time the record is made anew (RFC 2866 section 4.1).
    pub(super) async fn tell<E: From<Silence>>(
        self: &Arc<Self>,
        build: impl Fn(SystemTime) -> Result<Vec<u8>, E>,
    ) -> Result<(), E> {
        let make = |identifier| {
            let mut record = build(SystemTime::now())?;
            let authenticator = packet::finish_accounting_request(&mut record, identifier, &self.peer.key);
            Ok((record, authenticator))
        };
        self.exchange(self.timeout, make).await.map(drop)
    }

    /// `make` makes the packet for an identifier, and its authenticator.
    async fn exchange<E: From<Silence>>(
        self: &Arc<Self>,
        timeout: Duration,
        mut make: impl FnMut(u8) -> Result<(Vec<u8>, [u8; 16]), E>,
    ) -> Result<Vec<u8>, E> {
        let deadline = Instant::now() + timeout;
        let _turn = match timeout_at(deadline, self.in_flight.acquire()).await {
            Ok(Ok(turn)) => turn,
            Ok(Err(_)) | Err(_) => return Err(self.busy().into()),
        };
        let mut times = 0;
        loop {
            let ticket = self.ticket(deadline, times > 0).await?;
            let (packet, authenticator) = make(ticket.identifier())?;
            times += 1;
            if times > 1 {
                Counters::count(&self.peer.counters.retransmissions);
            }
            match ticket.ask(packet, authenticator, deadline).await {
                Ok(answer) => return Ok(answer),
                Err(Lost::Silent) => {
                    self.sweep();
                    return Err(self.silent(timeout).into());
                }
                Err(Lost::Broken { broken, heard }) => {
                    if times >= MOST_TIMES || self.is_final(&broken, heard) || Instant::now() >= deadline {
                        return Err(Silence::Stream(self.words(&broken, heard)).into());
                    }
                }
            }
        }
    }

    /// An identifier on some stream; opens one where that helps. `again`: a stream has died under this question, so that
    /// the server may be about to come back.
    async fn ticket(self: &Arc<Self>, deadline: Instant, again: bool) -> Result<Ticket, Silence> {
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            match self.next() {
                Next::Ask(ticket) => return Ok(ticket),
                Next::Open => {}
                Next::Full => {
                    let until =
                        self.ways().pause(Instant::now()).map_or(deadline, |(until, _)| until.min(deadline));
                    if timeout_at(until, freed).await.is_err() && until >= deadline {
                        return Err(self.busy());
                    }
                    continue;
                }
            }
            // One opens, the others then find room on it.
            let opening = timeout_at(deadline, Arc::clone(&self.opening).lock_owned()).await;
            let opening = opening.map_err(|_| {
                let why = format!("no connection to {} could be opened within the timeout", self.server);
                Silence::Stream(Unavailable::new(Layer::Connection, why))
            })?;
            match self.next() {
                Next::Ask(ticket) => return Ok(ticket),
                Next::Open => {}
                Next::Full => continue,
            }
            let pause = self.ways().pause(Instant::now());
            if let Some((until, why)) = pause {
                drop(opening);
                if !again || until >= deadline {
                    return Err(Silence::Stream(why));
                }
                sleep_until(until).await;
                continue;
            }
            // Whoever waits for it may leave; it is opened all the same.
            let opened = self.peer.runtime.spawn(Arc::clone(self).open(deadline, opening)).await;
            match opened {
                Ok(Ok(())) => {}
                Ok(Err(_)) if again && Instant::now() < deadline => {}
                Ok(Err(why)) => return Err(Silence::Stream(why)),
                Err(_) => return Err(self.busy()),
            }
        }
    }

    async fn open(
        self: Arc<Self>,
        deadline: Instant,
        _opening: OwnedMutexGuard<()>,
    ) -> Result<(), Unavailable> {
        let result = self.connect(deadline).await;
        match result {
            Ok(stream) => {
                self.ways().opened(Arc::new(stream));
                self.freed.notify_waiters();
                Ok(())
            }
            Err(why) => {
                self.ways().failed(Instant::now(), why.clone());
                Err(why)
            }
        }
    }

    async fn connect(&self, deadline: Instant) -> Result<Connection, Unavailable> {
        let place = match timeout_at(deadline, Arc::clone(&self.places).acquire_owned()).await {
            Ok(Ok(place)) => place,
            Ok(Err(_)) | Err(_) => {
                let why = format!("{} lets every connection hang", self.server);
                return Err(Unavailable::new(Layer::Connection, why));
            }
        };
        let tcp = self.endpoint.connect(deadline).await?;
        // A server that has vanished is known by what it does not acknowledge, in time to try again.
        let _ = SockRef::from(&tcp).set_tcp_user_timeout(Some(self.timeout / 2));
        let stream: Box<dyn Stream> = match &self.tls {
            None => Box::new(tcp),
            Some(tls) => Box::new(tls.connect(tcp, &self.server, deadline).await?),
        };
        let (peer, freed) = (Arc::clone(&self.peer), Arc::clone(&self.freed));
        Ok(Connection::over(stream, self.server.clone(), peer, freed, place))
    }

    fn next(&self) -> Next {
        let mut ways = self.ways();
        ways.sweep(Instant::now(), |broken| self.words(broken, false));
        ways.next(Instant::now())
    }

    /// Lets go of streams that take no more questions.
    fn sweep(&self) {
        self.ways().sweep(Instant::now(), |broken| self.words(broken, false));
    }

    fn ways(&self) -> MutexGuard<'_, Ways> {
        self.ways.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another stream would not help.
    fn is_final(&self, broken: &Broken, heard: bool) -> bool {
        match broken {
            Broken::Disbelieved(_) => true,
            // Whoever speaks another protocol will go on to.
            Broken::Malformed(_) | Broken::Mad => !heard,
            // In TLS 1.3 the server looks at our certificate after the handshake has ended for us.
            Broken::Tls(_) => !heard,
            Broken::Closed | Broken::Halfway | Broken::Error(_) | Broken::Distrusted(_) => false,
        }
    }

    fn words(&self, broken: &Broken, heard: bool) -> Unavailable {
        let server = &self.server;
        let unanswered = if heard { "" } else { "; does it know this client?" };
        let (layer, why) = match broken {
            Broken::Closed | Broken::Error(_) | Broken::Tls(_) if !heard && self.tls.is_some() => {
                let how = match broken {
                    Broken::Error(error) | Broken::Tls(error) => error,
                    _ => "it closed the connection",
                };
                let why = format!(
                    "{server} took no question after the TLS handshake: {how}; does it accept our certificate and \
                     know this client?"
                );
                (Layer::Tls, why)
            }
            Broken::Closed => {
                (Layer::Connection, format!("{server} closed the connection without an answer{unanswered}"))
            }
            Broken::Error(error) => (
                Layer::Connection,
                format!("{server} broke the connection off without an answer: {error}{unanswered}"),
            ),
            Broken::Tls(error) => (Layer::Tls, format!("{server} ended TLS without an answer: {error}")),
            Broken::Halfway => {
                (Layer::Protocol, format!("{server} closed the connection in the middle of an answer"))
            }
            Broken::Malformed(malformed) => {
                (Layer::Protocol, format!("{server} sent what is no RADIUS packet: {malformed}"))
            }
            Broken::Mad => (Layer::Protocol, format!("{server} sends answers that nobody asked for")),
            Broken::Disbelieved(disbelief) => {
                (Layer::Secret, format!("{server} sent an answer that cannot be believed, with {disbelief}"))
            }
            Broken::Distrusted(disbelief) => (
                Layer::Secret,
                format!("{server} sent answers that cannot be believed, the last one with {disbelief}"),
            ),
        };
        Unavailable::new(layer, why)
    }

    fn silent(&self, timeout: Duration) -> Silence {
        let why = format!(
            "{} took the question and did not answer within {} s; if it never does, does it know this client by the \
             same key?",
            self.server,
            timeout.as_secs()
        );
        Silence::Stream(Unavailable::new(Layer::Connection, why))
    }

    fn busy(&self) -> Silence {
        let why = format!("no room to ask {} within the time: too many questions are under way", self.server);
        Silence::Stream(Unavailable::new(Layer::Connection, why))
    }
}

#[cfg(test)]
mod tests;
