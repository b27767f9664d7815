//! One stream to a server, with up to 256 questions under way.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};
use tollgate_aaa::Counters;
use tracing::{debug, warn};

use super::super::peer::Peer;
use super::table::{IDENTIFIERS, Table};
use crate::radius::frame::Frames;
use crate::radius::packet::{Disbelief, MAX_PACKET, Malformed, Packet};
use crate::tls;

/// A stream that has been idle for longer may have been forgotten by a firewall in between.
const IDLE_LIMIT: Duration = Duration::from_secs(120);
/// Packets for nobody, one after the other, until the server counts as mad.
const MOST_UNEXPECTED: u32 = 1000;
/// For the last words of TLS.
const FAREWELL: Duration = Duration::from_secs(1);

pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Why nothing comes from a stream any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Broken {
    /// Ended between two packets.
    Closed,
    /// Ended within a packet.
    Halfway,
    /// The system's words.
    Error(String),
    /// The words of TLS.
    Tls(String),
    /// What came is no packet (RFC 6613 section 2.6.4).
    Malformed(Malformed),
    /// The answer to this very question is not to be believed.
    Disbelieved(Disbelief),
    /// The answer to another question was not to be believed.
    Distrusted(Disbelief),
    /// Nothing but packets that nobody asked for.
    Mad,
}

/// Why a question has no answer.
#[derive(Debug)]
pub(super) enum Lost {
    /// It ended first; `heard`: others had got answers there.
    Broken { broken: Broken, heard: bool },
    /// The time was up.
    Silent,
}

struct Shared {
    table: Mutex<Table>,
    peer: Arc<Peer>,
    server: String,
    /// Told when an identifier is free again, or all are gone.
    freed: Arc<Notify>,
}

/// It ends when nobody holds it any more.
pub(super) struct Connection {
    shared: Arc<Shared>,
    out: mpsc::Sender<Vec<u8>>,
    _end: oneshot::Sender<()>,
}

impl Connection {
    /// Takes over an open stream; `place` is given back when it has ended.
    pub(super) fn over(
        stream: Box<dyn Stream>,
        server: String,
        peer: Arc<Peer>,
        freed: Arc<Notify>,
        place: OwnedSemaphorePermit,
    ) -> Self {
        let table = Mutex::new(Table::new(Instant::now()));
        let runtime = peer.runtime.clone();
        let shared = Arc::new(Shared { table, peer, server, freed });
        // Each identifier is in the queue once at most, for none is used again before its answer has come.
        let (out, queue) = mpsc::channel(IDENTIFIERS);
        let (end, ended) = oneshot::channel();
        runtime.spawn(run(stream, queue, ended, Arc::clone(&shared), place));
        Self { shared, out, _end: end }
    }

    /// An identifier, if one is free.
    pub(super) fn ticket(self: &Arc<Self>) -> Option<Ticket> {
        let identifier = self.shared.table().take()?;
        Some(Ticket { connection: Arc::clone(self), identifier })
    }

    /// New questions may go there.
    pub(super) fn is_usable(&self) -> bool {
        let table = self.shared.table();
        let stale = table.is_idle() && table.last_heard.elapsed() > IDLE_LIMIT;
        table.broken.is_none() && !table.retired && !stale
    }

    /// It can never be asked anything again.
    pub(super) fn is_used_up(&self) -> bool {
        self.shared.table().is_used_up()
    }

    /// Why it ended, if it has.
    pub(super) fn broken(&self) -> Option<Broken> {
        self.shared.table().broken.clone()
    }

    /// An answer has come there.
    pub(super) fn has_answered(&self) -> bool {
        self.shared.table().heard > 0
    }
}

/// The right to use one identifier of a stream until dropped.
pub(super) struct Ticket {
    connection: Arc<Connection>,
    identifier: u8,
}

impl Ticket {
    pub(super) fn identifier(&self) -> u8 {
        self.identifier
    }

    /// Sends once and waits for the answer, which has been verified.
    pub(super) async fn ask(
        self,
        packet: Vec<u8>,
        authenticator: [u8; 16],
        deadline: Instant,
    ) -> Result<Vec<u8>, Lost> {
        let (asker, answer) = oneshot::channel();
        let shared = &self.connection.shared;
        let heard = {
            let mut table = shared.table();
            table.arm(self.identifier, authenticator, asker);
            table.heard
        };
        // A queue that is closed belongs to a stream that has ended, which the answer tells.
        let _ = self.connection.out.try_send(packet);
        let broken = match timeout_at(deadline, answer).await {
            Ok(Ok(Ok(answer))) => return Ok(answer),
            Ok(Ok(Err(broken))) => broken,
            Ok(Err(_)) => shared.table().broken.clone().unwrap_or(Broken::Closed),
            Err(_) => {
                let mut table = shared.table();
                // It may have been cut off without a word; nobody else shall wait for it.
                table.retired |= table.heard == heard;
                return Err(Lost::Silent);
            }
        };
        Err(Lost::Broken { broken, heard: shared.table().heard > 0 })
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.connection.shared.table().release(self.identifier);
        self.connection.shared.freed.notify_one();
    }
}

impl Shared {
    fn table(&self) -> MutexGuard<'_, Table> {
        // The table is valid after each of its methods, none of which can panic.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A packet that has come; `Ok(false)` when it belongs to nobody.
    fn take_in(&self, packet: &[u8]) -> Result<bool, Broken> {
        let (peer, server) = (&self.peer, &self.server);
        let packet = Packet::parse(packet).map_err(Broken::Malformed)?;
        if !peer.answers.contains(&packet.code()) {
            Counters::count(&peer.counters.malformed);
            let code = packet.code().string();
            peer.throttle.warn(|| warn!(server, code, "RADIUS packet of a kind that is no answer, ignored"));
            return Ok(false);
        }
        let identifier = packet.identifier();
        let Some(authenticator) = self.table().authenticator(identifier) else {
            Counters::count(&peer.counters.unexpected);
            return Ok(false);
        };
        match packet.verify(&authenticator, &peer.key, peer.required) {
            Ok(()) => {
                let mut table = self.table();
                table.heard += 1;
                table.last_heard = Instant::now();
                let expected = table.answer(identifier, Ok(packet.octets().to_vec()));
                drop(table);
                if !expected {
                    // Late: whoever asked has left.
                    Counters::count(&peer.counters.unexpected);
                    self.freed.notify_one();
                }
                Ok(expected)
            }
            Err(disbelief) => {
                Counters::count(&peer.counters.bad_authenticators);
                peer.throttle.warn(|| warn!(server, %disbelief, "RADIUS answer not believed"));
                // No other answer to this one will come.
                self.table().answer(identifier, Err(Broken::Disbelieved(disbelief)));
                match disbelief {
                    // RFC 6613 section 2.6.4.
                    Disbelief::Authenticator | Disbelief::MessageAuthenticator => {
                        Err(Broken::Distrusted(disbelief))
                    }
                    // Signed by the server as it is, and too little for us.
                    Disbelief::NoMessageAuthenticator | Disbelief::ProxyState => Ok(true),
                }
            }
        }
    }

    fn end(&self, broken: Broken) {
        if let Broken::Malformed(error) = &broken {
            Counters::count(&self.peer.counters.malformed);
            let server = &self.server;
            self.peer.throttle.warn(|| warn!(server, %error, "malformed RADIUS packet, connection closed"));
        }
        debug!(server = self.server, ?broken, "RADIUS connection ended");
        self.table().end(broken);
        self.freed.notify_waiters();
    }
}

async fn run(
    stream: Box<dyn Stream>,
    queue: mpsc::Receiver<Vec<u8>>,
    ended: oneshot::Receiver<()>,
    shared: Arc<Shared>,
    _place: OwnedSemaphorePermit,
) {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let broken = tokio::select! {
        broken = read(&mut reader, &shared) => broken,
        broken = write(&mut writer, queue) => broken,
        // Nobody holds it any more.
        _ = ended => Broken::Closed,
    };
    shared.end(broken);
    let _ = timeout(FAREWELL, writer.shutdown()).await;
}

async fn read(reader: &mut (impl AsyncRead + Unpin), shared: &Shared) -> Broken {
    let mut frames = Frames::default();
    let mut octets = vec![0; MAX_PACKET];
    let mut unexpected = 0;
    loop {
        loop {
            match frames.next_packet() {
                Ok(Some(packet)) => match shared.take_in(packet) {
                    Ok(true) => unexpected = 0,
                    Ok(false) if unexpected < MOST_UNEXPECTED => unexpected += 1,
                    Ok(false) => return Broken::Mad,
                    Err(broken) => return broken,
                },
                Ok(None) => break,
                Err(malformed) => return Broken::Malformed(malformed),
            }
        }
        match reader.read(&mut octets).await {
            Ok(0) if frames.is_halfway() => return Broken::Halfway,
            Ok(0) => return Broken::Closed,
            Ok(length) => frames.take_in(octets.get(..length).unwrap_or_default()),
            // Many end TLS without its last words. A packet cut short is known by its length.
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                return if frames.is_halfway() { Broken::Halfway } else { Broken::Closed };
            }
            Err(error) if error.get_ref().is_some_and(|error| error.is::<rustls::Error>()) => {
                return Broken::Tls(tls::words(&error));
            }
            Err(error) => return Broken::Error(error.to_string()),
        }
    }
}

async fn write(writer: &mut (impl AsyncWrite + Unpin), mut queue: mpsc::Receiver<Vec<u8>>) -> Broken {
    // Each packet goes out by itself: some servers take one record of TLS for one packet.
    while let Some(packet) = queue.recv().await {
        let sent = match writer.write_all(&packet).await {
            Ok(()) => writer.flush().await,
            Err(error) => Err(error),
        };
        if let Err(error) = sent {
            return Broken::Error(tls::words(&error));
        }
    }
    Broken::Closed
}
