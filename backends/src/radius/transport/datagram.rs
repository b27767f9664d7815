//! Datagrams to one port of one server and back: retransmission, time limits, host names.
//!
//! A question is sent again every `retry_interval` until `timeout` has passed, with the same identifier and the same
//! octets, so that the server knows it for the same (RFC 5080 section 2.2.1). An accounting record is sent again with a
//! larger Acct-Delay-Time, hence under a new identifier (RFC 2866 section 4.1); an acknowledgement of any of its
//! forms counts.

mod mailbox;
mod pool;
mod slots;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, timeout_at};
use tollgate_aaa::Counters;
use tracing::{info, warn};

use super::peer::Peer;
use super::{Settings, Silence};
use crate::radius::packet;
use mailbox::Mailbox;
use pool::{Pool, Ticket};

/// Between two look-ups of the same name.
const LOOK_UP_INTERVAL: Duration = Duration::from_secs(5);

pub(in crate::radius) struct Datagrams {
    host: Host,
    port: u16,
    timeout: Duration,
    retry_interval: Duration,
    peer: Arc<Peer>,
    current: Mutex<Option<Arc<Pool>>>,
    /// Held while a name is looked up, so that one caller does it for all. Holds when it was done last.
    looked_up: tokio::sync::Mutex<Option<Instant>>,
}

enum Host {
    Address(IpAddr),
    Name(String),
}

impl Datagrams {
    pub(super) fn new(settings: Settings, peer: Arc<Peer>) -> Arc<Self> {
        let host = match settings.host.parse() {
            Ok(address) => Host::Address(address),
            Err(_) => Host::Name(settings.host),
        };
        let runtime = peer.runtime.clone();
        let transport = Arc::new(Self {
            host,
            port: settings.port,
            timeout: settings.timeout,
            retry_interval: settings.retry_interval.max(Duration::from_millis(10)),
            peer,
            current: Mutex::new(None),
            looked_up: tokio::sync::Mutex::new(None),
        });
        if let Host::Name(name) = &transport.host {
            let (transport, name) = (Arc::clone(&transport), name.clone());
            runtime.spawn(async move {
                if let Err(error) = transport.pool().await {
                    warn!(name, %error, "RADIUS server not resolved yet, tried again when it is needed");
                }
            });
        }
        transport
    }

    /// Asks; gives the answer, which has been verified. `request` still lacks its identifier.
    pub(super) async fn ask(
        self: &Arc<Self>,
        request: Vec<u8>,
        authenticator: [u8; 16],
    ) -> Result<Vec<u8>, Silence> {
        self.ask_within(request, authenticator, self.timeout, self.retry_interval).await
    }

    /// The same with times of its own.
    pub(super) async fn ask_within(
        self: &Arc<Self>,
        mut request: Vec<u8>,
        authenticator: [u8; 16],
        timeout: Duration,
        retry_interval: Duration,
    ) -> Result<Vec<u8>, Silence> {
        let deadline = Instant::now() + timeout;
        let mut ticket = self.ticket(deadline).await?;
        packet::finish_access_request(&mut request, ticket.identifier(), &self.peer.key);
        let mailbox = Arc::new(Mailbox::default());
        ticket.arm(authenticator, Arc::clone(&mailbox));
        let mut datagrams = 0;
        loop {
            ticket.send(&request).await;
            datagrams += 1;
            let until = deadline.min(Instant::now() + retry_interval);
            if let Ok(answer) = timeout_at(until, mailbox.take()).await {
                return Ok(answer);
            }
            if Instant::now() >= deadline {
                return Err(self.silence(&[ticket], datagrams));
            }
        }
    }

    /// Tells a record; returns once it has been acknowledged. `build` makes it for a moment, without identifier and
    /// authenticator; what it makes only changes when `delay` does.
    pub(super) async fn tell<E: From<Silence>>(
        self: &Arc<Self>,
        delay: impl Fn(SystemTime) -> u32,
        build: impl Fn(SystemTime) -> Result<Vec<u8>, E>,
    ) -> Result<(), E> {
        let deadline = Instant::now() + self.timeout;
        let mailbox = Arc::new(Mailbox::default());
        let mut tickets: Vec<Ticket> = Vec::with_capacity(1);
        let mut last: Option<(u32, Vec<u8>)> = None;
        let mut datagrams = 0;
        loop {
            let now = SystemTime::now();
            match (&last, tickets.last_mut()) {
                (Some((told, record)), Some(ticket)) if *told == delay(now) => ticket.send(record).await,
                (Some(_) | None, Some(_) | None) => {
                    let mut record = build(now)?;
                    let mut ticket = self.ticket(deadline).await?;
                    let authenticator =
                        packet::finish_accounting_request(&mut record, ticket.identifier(), &self.peer.key);
                    ticket.arm(authenticator, Arc::clone(&mailbox));
                    if !tickets.is_empty() {
                        Counters::count(&self.peer.counters.retransmissions);
                    }
                    ticket.send(&record).await;
                    tickets.push(ticket);
                    last = Some((delay(now), record));
                }
            }
            datagrams += 1;
            let until = deadline.min(Instant::now() + self.retry_interval);
            if timeout_at(until, mailbox.take()).await.is_ok() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(self.silence(&tickets, datagrams).into());
            }
        }
    }

    async fn ticket(&self, deadline: Instant) -> Result<Ticket, Silence> {
        let pool = match timeout_at(deadline, self.pool()).await {
            Ok(pool) => pool?,
            Err(_) => return Err(self.unresolved("no answer from the resolver in time")),
        };
        match timeout_at(deadline, pool.ticket()).await {
            Ok(ticket) => {
                ticket.map_err(|error| Silence::Socket { server: pool.address, error: error.to_string() })
            }
            Err(_) => Err(Silence::Busy(pool.address)),
        }
    }

    fn silence(self: &Arc<Self>, tickets: &[Ticket], datagrams: u32) -> Silence {
        self.reconsider_name();
        let seconds = self.timeout.as_secs();
        let server =
            tickets.first().map_or_else(|| SocketAddr::from(([0, 0, 0, 0], self.port)), Ticket::address);
        match tickets.iter().find_map(Ticket::disbelief) {
            Some(disbelief) => Silence::Disbelieved { server, seconds, disbelief },
            None => Silence::NoAnswer { server, seconds, datagrams },
        }
    }

    /// The sockets, opened on first use.
    async fn pool(&self) -> Result<Arc<Pool>, Silence> {
        if let Some(pool) = self.current_pool() {
            return Ok(pool);
        }
        let mut looked_up = self.looked_up.lock().await;
        if let Some(pool) = self.current_pool() {
            return Ok(pool);
        }
        let address = match &self.host {
            Host::Address(address) => SocketAddr::new(*address, self.port),
            Host::Name(name) => {
                let addresses = self.look_up(name).await?;
                *looked_up = Some(Instant::now());
                addresses.first().copied().ok_or_else(|| self.unresolved("it has no address"))?
            }
        };
        self.open(address)
    }

    fn open(&self, address: SocketAddr) -> Result<Arc<Pool>, Silence> {
        let pool = Pool::open(address, Arc::clone(&self.peer))
            .map_err(|error| Silence::Socket { server: address, error: error.to_string() })?;
        let pool = Arc::new(pool);
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&pool));
        Ok(pool)
    }

    fn current_pool(&self) -> Option<Arc<Pool>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn look_up(&self, name: &str) -> Result<Vec<SocketAddr>, Silence> {
        let addresses = tokio::net::lookup_host((name, self.port)).await;
        addresses.map(Iterator::collect).map_err(|error| self.unresolved(&error.to_string()))
    }

    fn unresolved(&self, error: &str) -> Silence {
        let name = match &self.host {
            Host::Address(address) => address.to_string(),
            Host::Name(name) => name.clone(),
        };
        Silence::Name { name, error: error.to_owned() }
    }

    /// A name that does not answer may have moved, or have a better address. Questions under way keep their socket.
    fn reconsider_name(self: &Arc<Self>) {
        let Host::Name(name) = &self.host else { return };
        let (transport, name) = (Arc::clone(self), name.clone());
        self.peer.runtime.spawn(async move {
            let mut looked_up = transport.looked_up.lock().await;
            if looked_up.is_some_and(|last| last.elapsed() < LOOK_UP_INTERVAL) {
                return;
            }
            *looked_up = Some(Instant::now());
            let Ok(addresses) = transport.look_up(&name).await else { return };
            let current = transport.current_pool().map(|pool| pool.address);
            // The one after the one that did not answer, or the first.
            let next = addresses
                .iter()
                .skip_while(|address| Some(**address) != current)
                .nth(1)
                .or_else(|| addresses.first())
                .copied();
            if let Some(next) = next
                && Some(next) != current
                && transport.open(next).is_ok()
            {
                info!(name, address = %next, "RADIUS server moved to another address");
            }
        });
    }
}

#[cfg(test)]
mod tests;
