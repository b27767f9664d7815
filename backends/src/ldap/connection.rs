//! One connection to a directory: opened within the time, one question under way at most, no answer without a bound.

use std::fmt;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};
use tollgate_aaa::{Layer, Secret, Unavailable};

use super::ber::{Header, SEQUENCE, header};
use super::message::{self, Answer, Entry, Outcome, Search};
use crate::net::Endpoint;
use crate::tls::Tls;

/// Octets of one message at most. An entry with all that is asked of it has a few thousand.
const LONGEST_MESSAGE: usize = 1 << 20;
/// Octets of all the entries of one search together.
const LONGEST_SEARCH: usize = 4 << 20;
/// Entries of one search at most, for servers that do not heed a size limit.
const MOST_ENTRIES: usize = 64;
/// References of one search at most.
const MOST_REFERENCES: usize = 64;

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// The server ended the connection; on a fresh one it may answer.
    Closed(String),
    /// It answered what is no LDAP.
    Malformed(String),
    /// Anything else.
    Unavailable(Unavailable),
}

impl From<Unavailable> for Failure {
    fn from(unavailable: Unavailable) -> Self {
        Self::Unavailable(unavailable)
    }
}

impl From<Failure> for Unavailable {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Closed(why) => Self::new(Layer::Connection, why),
            Failure::Malformed(why) => Self::new(Layer::Protocol, why),
            Failure::Unavailable(unavailable) => unavailable,
        }
    }
}

/// How a connection is protected, ready for use with one server.
#[derive(Clone)]
pub(super) enum Protection {
    Clear,
    StartTls(Tls),
    Ldaps(Tls),
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// An open connection.
pub(super) struct Connection(Wire<Box<dyn Stream>>);

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({})", self.0.server)
    }
}

/// What a search brought.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) entries: Vec<Entry>,
    pub(super) references: Vec<String>,
    pub(super) outcome: Outcome,
    /// The answer came to its end: the connection can be used again.
    pub(super) complete: bool,
}

impl Connection {
    /// Opens one, with TLS where that is wanted.
    pub(super) async fn open(
        endpoint: &Endpoint,
        protection: &Protection,
        deadline: Instant,
    ) -> Result<Self, Failure> {
        let server = endpoint.to_string();
        let tcp = endpoint.connect(deadline).await?;
        let stream: Box<dyn Stream> = match protection {
            Protection::Clear => Box::new(tcp),
            Protection::Ldaps(tls) => Box::new(tls.connect(tcp, &server, deadline).await?),
            Protection::StartTls(tls) => {
                let mut wire = Wire::new(tcp, server.clone());
                wire.start_tls(deadline).await?;
                Box::new(tls.connect(wire.stream, &server, deadline).await?)
            }
        };
        Ok(Self(Wire::new(stream, server)))
    }

    /// Binds; whatever the connection was bound as before is over.
    pub(super) async fn bind(
        &mut self,
        name: &str,
        password: &Secret,
        deadline: Instant,
    ) -> Result<Outcome, Failure> {
        let what = "the bind";
        let id = self.0.next_id();
        self.0.send(&message::bind(id, name, password), what, deadline).await?;
        loop {
            match self.0.receive(id, what, deadline).await? {
                (Answer::Bind(outcome), _) => return Ok(outcome),
                (Answer::Intermediate, _) => {}
                _ => return Err(self.0.malformed("another operation's answer to a bind")),
            }
        }
    }

    /// Searches.
    pub(super) async fn search(&mut self, search: &Search, deadline: Instant) -> Result<Found, Failure> {
        let what = "the search";
        let id = self.0.next_id();
        self.0.send(&message::search(id, search), what, deadline).await?;
        let mut found = Found::default();
        let mut octets = 0usize;
        loop {
            let (answer, length) = self.0.receive(id, what, deadline).await?;
            octets = octets.saturating_add(length);
            if octets > LONGEST_SEARCH {
                return Err(self.0.malformed("a search's answer without an end"));
            }
            match answer {
                Answer::Entry(entry) => {
                    found.entries.push(entry);
                    if found.entries.len() >= MOST_ENTRIES {
                        return Ok(found);
                    }
                }
                Answer::Reference(urls) => {
                    let room = MOST_REFERENCES.saturating_sub(found.references.len());
                    found.references.extend(urls.into_iter().take(room));
                }
                Answer::Done(outcome) => {
                    found.outcome = outcome;
                    found.complete = true;
                    return Ok(found);
                }
                Answer::Intermediate => {}
                Answer::Bind(_) | Answer::Extended(_) => {
                    return Err(self.0.malformed("another operation's answer to a search"));
                }
            }
        }
    }
}

/// A stream with messages on it.
struct Wire<S> {
    stream: S,
    server: String,
    buffer: Vec<u8>,
    last_id: u32,
    heard: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    fn new(stream: S, server: String) -> Self {
        Self { stream, server, buffer: Vec::new(), last_id: 0, heard: false }
    }

    /// A number for the next question; 0 belongs to what the server says unasked.
    fn next_id(&mut self) -> u32 {
        self.last_id = if self.last_id >= i32::MAX.unsigned_abs() { 1 } else { self.last_id + 1 };
        self.last_id
    }

    fn malformed(&self, what: &str) -> Failure {
        Failure::Malformed(format!("{} answered what is no LDAP: {what}", self.server))
    }

    fn silent(&self, what: &str) -> Failure {
        // A server that never said a word may be no directory at all.
        let layer = if self.heard { Layer::Protocol } else { Layer::Connection };
        let why = format!("{} did not answer {what} within the timeout", self.server);
        Failure::Unavailable(Unavailable::new(layer, why))
    }

    async fn send(&mut self, message: &[u8], what: &str, deadline: Instant) -> Result<(), Failure> {
        let sending = async {
            self.stream.write_all(message).await?;
            self.stream.flush().await
        };
        match timeout_at(deadline, sending).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                Err(Failure::Closed(format!("{} took no more of {what}: {error}", self.server)))
            }
            Err(_) => Err(self.silent(what)),
        }
    }

    /// The next answer to question `id`, and its length.
    async fn receive(&mut self, id: u32, what: &str, deadline: Instant) -> Result<(Answer, usize), Failure> {
        let message = match timeout_at(deadline, self.whole_message(what)).await {
            Ok(message) => message?,
            Err(_) => return Err(self.silent(what)),
        };
        match message::read(&message) {
            Ok((0, Answer::Extended(outcome))) => {
                let why = format!("{} ends the connection: {}", self.server, super::refusal::words(&outcome));
                Err(Failure::Closed(why))
            }
            Ok((number, answer)) if number == id => {
                self.heard = true;
                Ok((answer, message.len()))
            }
            Ok((number, _)) => {
                Err(self.malformed(&format!("an answer to question {number}, when {id} was asked")))
            }
            Err(error) => Err(self.malformed(&error.to_string())),
        }
    }

    async fn whole_message(&mut self, what: &str) -> Result<Vec<u8>, Failure> {
        loop {
            if self.buffer.first().is_some_and(|&first| first != SEQUENCE) {
                return Err(self.malformed("a message that is no sequence"));
            }
            if let Some(Header { header, content }) =
                header(&self.buffer).map_err(|error| self.malformed(&error.to_string()))?
            {
                let length = header.saturating_add(content);
                if length > LONGEST_MESSAGE {
                    return Err(self.malformed(&format!("a message of {length} octets")));
                }
                if self.buffer.len() >= length {
                    let rest = self.buffer.split_off(length);
                    return Ok(std::mem::replace(&mut self.buffer, rest));
                }
            }
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) => {
                    let half = if self.buffer.is_empty() { "" } else { " in the middle of a message" };
                    let why =
                        format!("{} closed the connection{half} when {what} was under way", self.server);
                    return Err(if self.buffer.is_empty() {
                        Failure::Closed(why)
                    } else {
                        Failure::Malformed(why)
                    });
                }
                Ok(_) => {}
                Err(error) => {
                    let why = format!("{} broke the connection off in {what}: {error}", self.server);
                    return Err(Failure::Closed(why));
                }
            }
        }
    }

    async fn start_tls(&mut self, deadline: Instant) -> Result<(), Failure> {
        let what = "the wish for StartTLS";
        let id = self.next_id();
        self.send(&message::start_tls(id), what, deadline).await?;
        match self.receive(id, what, deadline).await? {
            (Answer::Extended(outcome), _) if outcome.code == 0 => {}
            (Answer::Extended(outcome), _) => {
                let words = super::refusal::words(&outcome);
                let why = format!("{} does not do StartTLS: {words}", self.server);
                return Err(Failure::Unavailable(Unavailable::new(Layer::Tls, why)));
            }
            _ => return Err(self.malformed("another operation's answer to StartTLS")),
        }
        // What came before the handshake came from anybody, and would be taken for what came under its protection.
        if !self.buffer.is_empty() {
            return Err(self.malformed("more in the clear after its answer to StartTLS"));
        }
        Ok(())
    }
}
