//! The way to the server: a connection for each session, or one that all sessions share (RFC 8907 section 4.3), in the
//! clear or in TLS (RFC 9887).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};
use tokio::io::AsyncWriteExt;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};
use tollgate_aaa::pool::{Place, Pool};
use tollgate_aaa::{Layer, Secret, Unavailable};

use super::packet::{Header, Kind, Malformed, SINGLE_CONNECT, UNENCRYPTED};
use super::shared::Shared;
use super::wire::{Broken, Stream, Wire};
use crate::net::Endpoint;
use crate::tls::{self, Tls};

/// Connections of one session each that stand at the same time at most.
const MOST_CONNECTIONS: usize = 64;
/// How long a session waits for another to open the shared connection before it takes one of its own.
const PATIENCE: Duration = Duration::from_secs(1);

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// The server ended the connection; on a fresh one it may answer.
    Closed(String),
    /// It answered what is no TACACS+, or not to this question.
    Malformed(String),
    /// It has another key than we have, or none.
    WrongKey(String),
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
            Failure::WrongKey(why) => Self::new(Layer::Secret, why),
            Failure::Unavailable(unavailable) => unavailable,
        }
    }
}

/// What is asked.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) kind: Kind,
    pub(super) minor_version: u8,
    pub(super) body: &'a [u8],
    /// In words: `the authentication`.
    pub(super) what: &'static str,
}

/// An answer to a question, its body as the server wrote it.
pub(super) struct Reply {
    pub(super) body: Vec<u8>,
    header: Header,
    over: Option<Arc<Shared>>,
}

/// A session that goes on, on a connection of its own which ends with it.
pub(super) struct Dialogue<'a> {
    transport: &'a Transport,
    wire: Wire<Box<dyn Stream>>,
    /// Of the server's last packet.
    last: Header,
    what: &'static str,
    _place: Place<'a, ()>,
}

impl Dialogue<'_> {
    /// The next packet of ours, and its answer.
    pub(super) async fn go_on(&mut self, body: &[u8], deadline: Instant) -> Result<Reply, Failure> {
        let header = Header { sequence: self.last.sequence.wrapping_add(1), flags: 0, ..self.last };
        let reply = self.transport.exchange(&mut self.wire, header, body, self.what, deadline).await?;
        self.last = reply.header;
        Ok(reply)
    }
}

/// Connections to one server.
pub(super) struct Transport {
    endpoint: Endpoint,
    server: String,
    key: Secret,
    tls: Option<Tls>,
    /// Sessions may share a connection, until the server says otherwise.
    single_connect: AtomicBool,
    shared: Mutex<Option<Arc<Shared>>>,
    places: Pool<()>,
    random: SystemRandom,
}

impl Transport {
    pub(super) fn new(endpoint: Endpoint, key: Secret, tls: Option<Tls>, single_connect: bool) -> Self {
        Self {
            server: endpoint.to_string(),
            endpoint,
            key,
            tls,
            single_connect: AtomicBool::new(single_connect),
            shared: Mutex::new(None),
            places: Pool::new(MOST_CONNECTIONS, Duration::ZERO),
            random: SystemRandom::new(),
        }
    }

    pub(super) fn server(&self) -> &str {
        &self.server
    }

    /// Asks, and believes nothing but an answer to this very question.
    pub(super) async fn ask(&self, question: &Question<'_>, deadline: Instant) -> Result<Reply, Failure> {
        if self.may_share()
            && let Some(result) = self.ask_over_shared(question, deadline).await
        {
            return result;
        }
        let _place = self.place(deadline).await?;
        let (reply, _wire) = self.ask_first(question, 0, deadline).await?;
        Ok(reply)
    }

    async fn place(&self, deadline: Instant) -> Result<Place<'_, ()>, Unavailable> {
        self.places.take(deadline).await.map_err(|busy| {
            Unavailable::new(Layer::Connection, format!("{} was not asked: {busy}", self.server))
        })
    }

    fn may_share(&self) -> bool {
        self.single_connect.load(Ordering::Relaxed)
    }

    /// `None`: there is no shared connection, and none is to be had soon.
    async fn ask_over_shared(
        &self,
        question: &Question<'_>,
        deadline: Instant,
    ) -> Option<Result<Reply, Failure>> {
        let mut last = None;
        // Once more where the connection turns out to have died since it was used last.
        for _ in 0..2 {
            let patience = deadline.min(Instant::now() + PATIENCE);
            let Ok(mut place) = timeout_at(patience, self.shared.lock()).await else { return last };
            let Some(shared) = place.clone().filter(|shared| shared.is_usable()) else {
                *place = None;
                if !self.may_share() {
                    return None;
                }
                let first = self.ask_first(question, SINGLE_CONNECT, deadline).await;
                return Some(first.map(|(mut reply, wire)| {
                    // Only the first answer on a connection tells (RFC 8907 section 4.3).
                    if reply.header.flags & SINGLE_CONNECT == 0 {
                        self.single_connect.store(false, Ordering::Relaxed);
                    } else {
                        *place = Some(Arc::new(Shared::over(wire)));
                        reply.over.clone_from(&place);
                    }
                    reply
                }));
            };
            drop(place);
            match self.ask_one_of_many(&shared, question, deadline).await {
                Err(Failure::Closed(why)) => last = Some(Err(Failure::Closed(why))),
                result => return Some(result),
            }
        }
        last
    }

    async fn ask_one_of_many(
        &self,
        shared: &Arc<Shared>,
        question: &Question<'_>,
        deadline: Instant,
    ) -> Result<Reply, Failure> {
        let (header, waiting) = loop {
            let header = self.header(question)?;
            match shared.register(header.session) {
                Ok(Some(waiting)) => break (header, waiting),
                Ok(None) => {}
                Err(broken) => return Err(self.broken(&broken, question.what)),
            }
        };
        let packet = header.packet(question.body, self.pad_key());
        let heard = shared.heard();
        match timeout_at(deadline, shared.ask(packet, waiting)).await {
            Ok(Ok((answer, body))) => {
                let checked = self.check(&header, answer, body, question.what, Some(Arc::clone(shared)));
                if checked.is_err() {
                    shared.retire();
                }
                checked
            }
            Ok(Err(broken)) => Err(self.broken(&broken, question.what)),
            Err(_) => {
                // It may have been cut off without a word; nobody else shall wait for it.
                if shared.heard() == heard {
                    shared.retire();
                }
                Err(self.silent(question.what, false))
            }
        }
    }

    async fn ask_first(
        &self,
        question: &Question<'_>,
        flags: u8,
        deadline: Instant,
    ) -> Result<(Reply, Wire<Box<dyn Stream>>), Failure> {
        let tcp = self.endpoint.connect(deadline).await?;
        let stream: Box<dyn Stream> = match &self.tls {
            None => Box::new(tcp),
            Some(tls) => Box::new(tls.connect(tcp, &self.server, deadline).await?),
        };
        let mut wire = Wire::new(stream);
        let header = Header { flags, ..self.header(question)? };
        let reply = self.exchange(&mut wire, header, question.body, question.what, deadline).await?;
        Ok((reply, wire))
    }

    /// One packet and its answer on a connection that has one session.
    async fn exchange(
        &self,
        wire: &mut Wire<Box<dyn Stream>>,
        header: Header,
        body: &[u8],
        what: &'static str,
        deadline: Instant,
    ) -> Result<Reply, Failure> {
        let packet = header.packet(body, self.pad_key());
        let sending = async {
            wire.stream.write_all(&packet).await?;
            wire.stream.flush().await
        };
        match timeout_at(deadline, sending).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                return Err(self.broken_at_once(&Broken::Error(tls::words(&error)), what));
            }
            Err(_) => return Err(self.silent(what, false)),
        }
        match timeout_at(deadline, wire.packet()).await {
            Ok(Ok((answer, body))) => self.check(&header, answer, body, what, None),
            Ok(Err(broken)) => Err(self.broken_at_once(&broken, what)),
            Err(_) => Err(self.silent(what, wire.is_halfway())),
        }
    }

    /// Begins a session of several questions, on a connection of its own.
    pub(super) async fn begin(
        &self,
        question: &Question<'_>,
        deadline: Instant,
    ) -> Result<(Reply, Dialogue<'_>), Failure> {
        let place = self.place(deadline).await?;
        let (reply, wire) = self.ask_first(question, 0, deadline).await?;
        let dialogue =
            Dialogue { transport: self, wire, last: reply.header, what: question.what, _place: place };
        Ok((reply, dialogue))
    }

    fn header(&self, question: &Question<'_>) -> Result<Header, Unavailable> {
        let mut session = [0; 4];
        self.random.fill(&mut session).map_err(|_| {
            Unavailable::new(Layer::Configuration, "the system has no random numbers".to_owned())
        })?;
        Ok(Header::first(question.kind, question.minor_version, u32::from_be_bytes(session)))
    }

    /// `None` in TLS, which hides more (RFC 9887 section 4).
    fn pad_key(&self) -> Option<&[u8]> {
        self.tls.is_none().then(|| self.key.expose())
    }

    /// Does the answer belong to the question, and is it protected as it must be?
    fn check(
        &self,
        asked: &Header,
        answer: Header,
        mut body: Vec<u8>,
        what: &str,
        over: Option<Arc<Shared>>,
    ) -> Result<Reply, Failure> {
        let foreign = |why: String| {
            Err(Failure::Malformed(format!("{} did not answer {what} properly: {why}", self.server)))
        };
        if answer.session != asked.session {
            return foreign(format!("session {:08x} instead of {:08x}", answer.session, asked.session));
        }
        if answer.kind != asked.kind {
            return foreign(format!("a packet of type {} instead of {}", answer.kind, asked.kind));
        }
        if answer.sequence != asked.sequence + 1 {
            return foreign(format!("sequence number {} instead of {}", answer.sequence, asked.sequence + 1));
        }
        match (self.pad_key(), answer.flags & UNENCRYPTED != 0) {
            (None, true) => {}
            (None, false) => {
                return foreign(
                    "obfuscated in TLS, where RFC 9887 wants the flag for no obfuscation".to_owned(),
                );
            }
            // Without the key's part in it the answer could be anybody's (RFC 8907 section 10.5.2).
            (Some(_), true) => {
                return Err(Failure::WrongKey(format!(
                    "{} answered {what} unencrypted, as if it had no key for this client; such an answer is not \
                     believed",
                    self.server
                )));
            }
            (Some(key), false) => answer.obfuscate(&mut body, key),
        }
        Ok(Reply { body, header: answer, over })
    }

    /// The body of `reply` does not decode.
    pub(super) fn undecodable(&self, reply: &Reply, malformed: Malformed, what: &str) -> Failure {
        if let Some(shared) = &reply.over {
            shared.retire();
        }
        let server = &self.server;
        match malformed {
            Malformed::Lengths if self.tls.is_none() => Failure::WrongKey(format!(
                "the answer of {server} to {what} cannot be read: {malformed}; the key is most likely not the one \
                 that the server has for this client"
            )),
            _ => Failure::Malformed(format!("{server} did not answer {what} properly: {malformed}")),
        }
    }

    /// Ends a session whose server wants to go on. On a connection of its own the end of that says it.
    pub(super) fn abort(&self, reply: &Reply, reason: &str) {
        if let Some(shared) = &reply.over {
            let header = Header { sequence: reply.header.sequence.wrapping_add(1), flags: 0, ..reply.header };
            shared.tell(header.packet(&super::packet::abort(reason), self.pad_key()));
        }
    }

    fn broken(&self, broken: &Broken, what: &str) -> Failure {
        let server = &self.server;
        match broken {
            Broken::Closed => Failure::Closed(format!(
                "{server} closed the connection without an answer to {what}; does it know this client, and by the \
                 same key?"
            )),
            Broken::Halfway => Failure::Malformed(format!(
                "{server} closed the connection in the middle of the answer to {what}"
            )),
            Broken::Error(error) => {
                Failure::Closed(format!("{server} broke the connection off in {what}: {error}"))
            }
            Broken::Malformed(malformed) => {
                Failure::Malformed(format!("{server} answered {what} with what is no TACACS+: {malformed}"))
            }
        }
    }

    /// No answer ever came on this connection. In TLS 1.3 the server looks at our certificate after the handshake has
    /// ended for us, so that its refusal comes in the place of an answer.
    fn broken_at_once(&self, broken: &Broken, what: &str) -> Failure {
        let how = match broken {
            Broken::Closed => "closed the connection",
            Broken::Error(error) => error,
            Broken::Halfway | Broken::Malformed(_) => return self.broken(broken, what),
        };
        if self.tls.is_none() {
            return self.broken(broken, what);
        }
        let why = format!(
            "{} took no question after the TLS handshake: {how}; does it accept our certificate and know this client?",
            self.server
        );
        Failure::Unavailable(Unavailable::new(Layer::Tls, why))
    }

    fn silent(&self, what: &str, halfway: bool) -> Failure {
        let (layer, how) =
            if halfway { (Layer::Protocol, "finish its answer to") } else { (Layer::Connection, "answer") };
        let why = format!("{} did not {how} {what} within the timeout", self.server);
        Failure::Unavailable(Unavailable::new(layer, why))
    }
}
