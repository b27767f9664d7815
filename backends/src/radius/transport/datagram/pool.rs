//! The sockets towards one address. Each is connected, so that the kernel drops what comes from elsewhere, and has 256
//! identifiers and one receiving task. A socket is added when all identifiers of the others are taken.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tollgate_aaa::Counters;
use tracing::{debug, warn};

use super::super::peer::Peer;
use super::mailbox::Mailbox;
use super::slots::{IDENTIFIERS, Question, Slots};
use crate::radius::packet::{Disbelief, MAX_PACKET, Packet};

/// Sockets towards one server, at most: 16,384 questions under way.
pub(super) const MAX_SOCKETS: usize = 64;

/// Room for the answers of a storm while the receiving task waits for its turn.
const RECEIVE_BUFFER: usize = 1 << 20;

pub(super) struct Pool {
    pub(super) address: SocketAddr,
    peer: Arc<Peer>,
    channels: RwLock<Vec<Arc<Channel>>>,
    opening: Mutex<()>,
    cursor: AtomicUsize,
    in_flight: Arc<Semaphore>,
}

impl Pool {
    pub(super) fn open(address: SocketAddr, peer: Arc<Peer>) -> io::Result<Self> {
        let pool = Self {
            address,
            channels: RwLock::new(vec![Channel::open(address, &peer)?]),
            peer,
            opening: Mutex::new(()),
            cursor: AtomicUsize::new(0),
            in_flight: Arc::new(Semaphore::new(MAX_SOCKETS * IDENTIFIERS)),
        };
        Ok(pool)
    }

    /// An identifier on some socket. Waits its turn when all are taken.
    pub(super) async fn ticket(self: &Arc<Self>) -> io::Result<Ticket> {
        let permit = match Arc::clone(&self.in_flight).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => Arc::clone(&self.in_flight)
                .acquire_owned()
                .await
                .map_err(|_| io::Error::other("the sockets are being closed"))?,
        };
        let (channel, identifier) = self.identifier()?;
        Ok(Ticket { pool: Arc::clone(self), channel, identifier, sent: 0, _permit: permit })
    }

    fn identifier(&self) -> io::Result<(Arc<Channel>, u8)> {
        if let Some(found) = self.free_identifier() {
            return Ok(found);
        }
        // One caller opens a socket, the others then find room on it.
        let opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = self.free_identifier() {
            return Ok(found);
        }
        let count = self.channels().len();
        let mut failure = None;
        if count < MAX_SOCKETS {
            match Channel::open(self.address, &self.peer) {
                Ok(channel) => {
                    let identifier = channel.slots().take(Instant::now());
                    self.channels.write().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&channel));
                    self.cursor.store(count, Ordering::Relaxed);
                    if let Some(identifier) = identifier {
                        return Ok((channel, identifier));
                    }
                }
                Err(error) => failure = Some(error),
            }
        }
        drop(opening);
        let resting = self.channels().iter().find_map(|channel| {
            channel.slots().take_resting().map(|identifier| (Arc::clone(channel), identifier))
        });
        resting.ok_or_else(|| failure.unwrap_or_else(|| io::Error::other("every identifier is in use")))
    }

    fn free_identifier(&self) -> Option<(Arc<Channel>, u8)> {
        let channels = self.channels();
        let start = self.cursor.load(Ordering::Relaxed) % channels.len().max(1);
        let (before, from) = channels.split_at_checked(start)?;
        let now = Instant::now();
        let position = from.iter().chain(before).enumerate().find_map(|(step, channel)| {
            channel.slots().take(now).map(|identifier| (step, Arc::clone(channel), identifier))
        });
        position.map(|(step, channel, identifier)| {
            if step > 0 {
                self.cursor.store(start + step, Ordering::Relaxed);
            }
            (channel, identifier)
        })
    }

    fn channels(&self) -> std::sync::RwLockReadGuard<'_, Vec<Arc<Channel>>> {
        self.channels.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many sockets are open.
    #[cfg(test)]
    pub(super) fn sockets(&self) -> usize {
        self.channels().len()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        for channel in self.channels().iter() {
            let receiver = channel.receiver.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(receiver) = receiver.as_ref() {
                receiver.abort();
            }
        }
    }
}

pub(super) struct Channel {
    socket: UdpSocket,
    slots: Mutex<Slots>,
    receiver: Mutex<Option<AbortHandle>>,
}

impl Channel {
    fn open(address: SocketAddr, peer: &Arc<Peer>) -> io::Result<Arc<Self>> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        // The kernel gives what it may.
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
        let any: SocketAddr = match address {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        socket.bind(&any.into())?;
        socket.connect(&address.into())?;
        let _runtime = peer.runtime.enter();
        let channel = Arc::new(Self {
            socket: UdpSocket::from_std(socket.into())?,
            slots: Mutex::new(Slots::new()),
            receiver: Mutex::new(None),
        });
        let receiver = peer.runtime.spawn(receive(Arc::clone(&channel), Arc::clone(peer)));
        *channel.receiver.lock().unwrap_or_else(PoisonError::into_inner) = Some(receiver.abort_handle());
        Ok(channel)
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        // Every change of the table is a single assignment.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to use one identifier until dropped.
pub(super) struct Ticket {
    pool: Arc<Pool>,
    channel: Arc<Channel>,
    identifier: u8,
    sent: u32,
    _permit: OwnedSemaphorePermit,
}

impl Ticket {
    pub(super) fn identifier(&self) -> u8 {
        self.identifier
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.pool.address
    }

    /// From now on the answer to the request with this authenticator goes to `mailbox`.
    pub(super) fn arm(&self, authenticator: [u8; 16], mailbox: Arc<Mailbox>) {
        self.channel.slots().arm(self.identifier, Question { authenticator, mailbox, disbelief: None });
    }

    /// Sends once; what is lost on the way, or here, is sent again by the caller's clock.
    pub(super) async fn send(&mut self, packet: &[u8]) {
        if self.sent > 0 {
            Counters::count(&self.pool.peer.counters.retransmissions);
        }
        self.sent += 1;
        // A refusal that an earlier datagram met is told to the next one, which then is not sent.
        for _ in 0..3 {
            let sent = match self.channel.socket.try_send(packet) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.channel.socket.send(packet).await
                }
                sent => sent,
            };
            match sent {
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(error) => {
                    debug!(server = %self.pool.address, %error, "RADIUS request not sent");
                    return;
                }
                Ok(_) => return,
            }
        }
    }

    /// The last answer that was not believed.
    pub(super) fn disbelief(&self) -> Option<Disbelief> {
        self.channel.slots().question(self.identifier).and_then(|question| question.disbelief)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut slots = self.channel.slots();
        let answered = slots.question(self.identifier).is_none();
        // One datagram, one answer: nothing more can come. Otherwise something may.
        let rest = if self.sent == 0 || (answered && self.sent == 1) { None } else { Some(Instant::now()) };
        slots.release(self.identifier, rest);
    }
}

async fn receive(channel: Arc<Channel>, peer: Arc<Peer>) {
    let mut buffer = vec![0; MAX_PACKET];
    loop {
        match channel.socket.recv(&mut buffer).await {
            Ok(length) => {
                if let Some(datagram) = buffer.get(..length) {
                    take_in(&channel, &peer, datagram);
                }
            }
            // Nobody listens there. It may be a moment's absence, or forged: silence decides, not this.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
            Err(error) => {
                debug!(%error, "RADIUS socket");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn take_in(channel: &Channel, peer: &Peer, datagram: &[u8]) {
    let packet = match Packet::parse(datagram) {
        Ok(packet) if peer.answers.contains(&packet.code()) => packet,
        Ok(packet) => {
            Counters::count(&peer.counters.malformed);
            peer.throttle.warn(|| {
                let code = packet.code().string();
                warn!(server = %server(channel), code, "RADIUS packet of a kind that is no answer, ignored");
            });
            return;
        }
        Err(error) => {
            Counters::count(&peer.counters.malformed);
            peer.throttle
                .warn(|| warn!(server = %server(channel), %error, "malformed RADIUS packet ignored"));
            return;
        }
    };
    let identifier = packet.identifier();
    let authenticator = channel.slots().question(identifier).map(|question| question.authenticator);
    let Some(authenticator) = authenticator else {
        Counters::count(&peer.counters.unexpected);
        return;
    };
    // Verified outside the lock; the table is asked again afterwards.
    match packet.verify(&authenticator, &peer.key, peer.required) {
        Ok(()) => match channel.slots().answer(identifier, &authenticator) {
            Some(question) => question.mailbox.put(datagram.to_vec()),
            None => Counters::count(&peer.counters.unexpected),
        },
        Err(disbelief) => {
            Counters::count(&peer.counters.bad_authenticators);
            channel.slots().disbelieve(identifier, &authenticator, disbelief);
            peer.throttle.warn(|| warn!(server = %server(channel), %disbelief, "RADIUS answer ignored"));
        }
    }
}

fn server(channel: &Channel) -> String {
    channel.socket.peer_addr().map_or_else(|_| "?".to_owned(), |address| address.to_string())
}
