//! One connection for many sessions at a time (RFC 8907 section 4.3): answers find their session by its number.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::packet::Header;
use super::wire::{Broken, Stream, Wire};
use crate::tls;

/// A connection that has been idle for longer may have been forgotten by a firewall in between.
const IDLE_LIMIT: Duration = Duration::from_secs(300);
/// Packets to write that wait at most; whoever has more waits with them.
const QUEUE: usize = 64;
/// Packets for nobody, one after the other, until the server counts as mad.
const MOST_UNEXPECTED: u32 = 1000;

type Packet = Zeroizing<Vec<u8>>;
type Answer = Result<(Header, Vec<u8>), Broken>;

/// The connection. It ends when nobody holds it any more.
pub(super) struct Shared {
    sessions: Arc<Sessions>,
    out: mpsc::Sender<Packet>,
    tasks: [AbortHandle; 2],
}

impl Drop for Shared {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

#[derive(Default)]
struct Sessions(Mutex<State>);

#[derive(Default)]
struct State {
    waiting: HashMap<u32, oneshot::Sender<Answer>>,
    broken: Option<Broken>,
    retired: bool,
    last_heard: Option<Instant>,
    heard: u64,
}

impl Sessions {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a packet to its session; `false` when nobody waits for it.
    fn deliver(&self, header: Header, body: Vec<u8>) -> bool {
        let mut state = self.state();
        let Some(session) = state.waiting.remove(&header.session) else { return false };
        state.heard += 1;
        state.last_heard = Some(Instant::now());
        let _ = session.send(Ok((header, body)));
        true
    }

    fn end(&self, broken: Broken) {
        let mut state = self.state();
        for (_, session) in state.waiting.drain() {
            let _ = session.send(Err(broken.clone()));
        }
        state.broken.get_or_insert(broken);
    }
}

/// A session whose answer is awaited; forgotten when dropped.
pub(super) struct Waiting {
    sessions: Arc<Sessions>,
    session: u32,
    answer: oneshot::Receiver<Answer>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.sessions.state().waiting.remove(&self.session);
    }
}

impl Shared {
    /// Takes over a connection whose server has agreed.
    pub(super) fn over(wire: Wire<Box<dyn Stream>>) -> Self {
        let sessions = Arc::new(Sessions::default());
        sessions.state().last_heard = Some(Instant::now());
        let (wire, writer) = wire.split();
        let (out, queue) = mpsc::channel(QUEUE);
        let reading = tokio::spawn(read(wire, Arc::clone(&sessions))).abort_handle();
        let writing = tokio::spawn(write(writer, queue, Arc::clone(&sessions))).abort_handle();
        Self { sessions, out, tasks: [reading, writing] }
    }

    /// New sessions may begin on it.
    pub(super) fn is_usable(&self) -> bool {
        let state = self.sessions.state();
        let idle = state.waiting.is_empty() && state.last_heard.is_none_or(|at| at.elapsed() > IDLE_LIMIT);
        state.broken.is_none() && !state.retired && !idle
    }

    /// No new session shall begin on it; those that wait may get their answers.
    pub(super) fn retire(&self) {
        self.sessions.state().retired = true;
    }

    /// How many answers have come.
    pub(super) fn heard(&self) -> u64 {
        self.sessions.state().heard
    }

    /// A session by this number, unless there is one.
    pub(super) fn register(&self, session: u32) -> Result<Option<Waiting>, Broken> {
        let mut state = self.sessions.state();
        if let Some(broken) = &state.broken {
            return Err(broken.clone());
        }
        match state.waiting.entry(session) {
            Entry::Occupied(_) => Ok(None),
            Entry::Vacant(place) => {
                let (tell, answer) = oneshot::channel();
                place.insert(tell);
                Ok(Some(Waiting { sessions: Arc::clone(&self.sessions), session, answer }))
            }
        }
    }

    /// Sends, and waits for the answer.
    pub(super) async fn ask(&self, packet: Packet, mut waiting: Waiting) -> Answer {
        if self.out.send(packet).await.is_err() {
            return Err(self.reason());
        }
        match (&mut waiting.answer).await {
            Ok(answer) => answer,
            Err(_) => Err(self.reason()),
        }
    }

    /// Sends what needs no answer, unless too much waits already.
    pub(super) fn tell(&self, packet: Packet) {
        let _ = self.out.try_send(packet);
    }

    fn reason(&self) -> Broken {
        self.sessions.state().broken.clone().unwrap_or(Broken::Closed)
    }
}

async fn read(mut wire: Wire<ReadHalf<Box<dyn Stream>>>, sessions: Arc<Sessions>) {
    let mut unexpected: u32 = 0;
    loop {
        match wire.packet().await {
            Ok((header, body)) => match (sessions.deliver(header, body), unexpected) {
                (true, _) => unexpected = 0,
                (false, MOST_UNEXPECTED..) => {
                    return sessions.end(Broken::Error("it sends packets of no session".to_owned()));
                }
                // An answer that came too late, most likely.
                (false, _) => unexpected += 1,
            },
            Err(broken) => return sessions.end(broken),
        }
    }
}

async fn write(
    mut writer: WriteHalf<Box<dyn Stream>>,
    mut queue: mpsc::Receiver<Packet>,
    sessions: Arc<Sessions>,
) {
    while let Some(packet) = queue.recv().await {
        let sent = match writer.write_all(&packet).await {
            Ok(()) => writer.flush().await,
            Err(error) => Err(error),
        };
        if let Err(error) = sent {
            return sessions.end(Broken::Error(tls::words(&error)));
        }
    }
}
