//! TACACS+ (RFC 8907): PAP, CHAP and MS-CHAPv1 as one question and one answer (section 5.4.2), then an authorization
//! for `service=ppp protocol=ip`; accounting. Over TCP with the key's obfuscation, or over TLS 1.3 (RFC 9887).
//!
//! - [`packet`]: octets, and what they say.
//! - [`arguments`]: what `name=value` means.
//! - `wire`, `shared`, `transport`: connections.

pub mod arguments;
mod ascii;
pub mod packet;
mod shared;
mod transport;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;
use tollgate_aaa::accounting::{AccountingError, Authentic, Record, RecordKind};
use tollgate_aaa::{
    Attributes, AuthMethod, AuthRequest, Backend, Counters, Credentials, Layer, Reject, RejectReason, Secret,
    ServerType, SessionContext, Unavailable, Verdict,
};
use zeroize::Zeroizing;

use crate::net::Endpoint;
use crate::tls::{Tls, TlsSettings, Versions};
use packet::{
    AccountingStatus, Answer, AuthenticationStatus, AuthorizationStatus, Kind, Malformed, Who, words,
};
use transport::{Failure, Question, Reply, Transport};

/// One TACACS+ server.
#[derive(Debug, Clone)]
pub struct TacacsSettings {
    /// Where it is; the port is usually 49, with TLS 300.
    pub endpoint: Endpoint,
    /// The shared secret of the obfuscation; empty only with TLS, which does not use it.
    pub key: Secret,
    /// How long a login or a record may take in all, 1 to 300 seconds.
    pub timeout: Duration,
    /// Offer the server to run all sessions over one connection.
    pub single_connect: bool,
    /// TLS 1.3 instead of obfuscation.
    pub tls: Option<TlsSettings>,
    /// The caller's address for callers who have none: this server's name.
    pub nas: String,
}

impl TacacsSettings {
    /// A server with the times of the standard configuration.
    pub fn new(host: impl Into<String>, port: u16, key: Secret) -> Self {
        Self {
            endpoint: Endpoint { host: host.into(), port },
            key,
            timeout: Duration::from_secs(10),
            single_connect: false,
            tls: None,
            nas: String::new(),
        }
    }
}

/// Why a server cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TacacsError {
    /// Passwords would go in the clear.
    #[error(
        "the TACACS+ server {0} has an empty key; give it the secret that the server has for this client"
    )]
    EmptyKey(Endpoint),
    /// Nothing to connect to.
    #[error("a TACACS+ server has an empty address; give it a host name or an IP address")]
    EmptyAddress,
    /// A file cannot be read, or the like.
    #[error("TLS to the TACACS+ server {0}: {1}")]
    Tls(Endpoint, String),
}

/// A TACACS+ server.
pub struct TacacsBackend {
    timeout: Duration,
    nas: String,
    transport: Transport,
    counters: Counters,
}

impl TacacsBackend {
    /// Files of TLS are read now; connections are opened when they are needed.
    pub fn new(settings: TacacsSettings) -> Result<Arc<Self>, TacacsError> {
        let TacacsSettings { endpoint, key, timeout, single_connect, tls, nas } = settings;
        if endpoint.host.is_empty() {
            return Err(TacacsError::EmptyAddress);
        }
        if key.is_empty() && tls.is_none() {
            return Err(TacacsError::EmptyKey(endpoint));
        }
        let tls = tls
            .map(|tls| Tls::new(&tls, &endpoint.host, Versions::OnlyTls13))
            .transpose()
            .map_err(|why| TacacsError::Tls(endpoint.clone(), why))?;
        let transport = Transport::new(endpoint, key, tls, single_connect);
        Ok(Arc::new(Self { timeout, nas, transport, counters: Counters::default() }))
    }

    fn server(&self) -> &str {
        self.transport.server()
    }

    fn note(&self, failure: Failure) -> Unavailable {
        match &failure {
            Failure::Malformed(_) => Counters::count(&self.counters.malformed),
            Failure::WrongKey(_) => Counters::count(&self.counters.bad_authenticators),
            Failure::Closed(_) | Failure::Unavailable(_) => {}
        }
        failure.into()
    }

    /// The server's own trouble, in its words for the administrator or else for the user.
    fn trouble<S>(&self, what: &str, how: &str, answer: &Answer<'_, S>) -> Unavailable {
        let said = [answer.data, answer.message].into_iter().map(words).find(|words| !words.is_empty());
        let said = said.map(|said| format!(": {said}")).unwrap_or_default();
        Unavailable::new(Layer::Protocol, format!("{} {how} {what}{said}", self.server()))
    }

    async fn ask<T>(
        &self,
        question: &Question<'_>,
        deadline: Instant,
        decode: impl Fn(&Reply) -> Result<T, Malformed>,
    ) -> Result<T, Unavailable> {
        let reply = self.transport.ask(question, deadline).await.map_err(|failure| self.note(failure))?;
        decode(&reply)
            .map_err(|malformed| self.note(self.transport.undecodable(&reply, malformed, question.what)))
    }

    async fn log_in(&self, request: &AuthRequest<'_>, deadline: Instant) -> Result<Verdict, Unavailable> {
        let caller = Caller::of(request.context, &self.nas);
        let who = match (authen_type(request.credentials.method()), request.name) {
            (_, []) => return Ok(cannot_be_sent("the user name is empty")),
            (authen_type, name) => caller.who(authen_type, name),
        };
        if let Some(no) = holds_nul(request.credentials) {
            return Ok(no);
        }
        let body = match start_data(request.credentials).map(|data| who.start(&data)) {
            Some(Ok(body)) => body,
            Some(Err(long)) => return Ok(cannot_be_sent(&long.to_string())),
            None => {
                let method = request.credentials.method().title();
                return Ok(cannot_be_sent(&format!("TACACS+ does not carry {method}")));
            }
        };
        let question = Question {
            kind: Kind::Authentication,
            minor_version: 1,
            body: &body,
            what: "the authentication",
        };
        let decided = self
            .ask(&question, deadline, |reply| {
                let answer = packet::authentication_reply(&reply.body)?;
                Ok(self.authenticated(&answer, reply))
            })
            .await?;
        let message = match decided? {
            Decided::No(verdict) => return Ok(verdict),
            Decided::Yes(message) => message,
        };
        let verdict = self.authorized(&who, METHOD_TACACS_PLUS, deadline).await?;
        Ok(match verdict {
            Verdict::Accept(mut attributes) => {
                attributes.reply_message = message.or(attributes.reply_message);
                Verdict::Accept(attributes)
            }
            other => other,
        })
    }

    fn authenticated(
        &self,
        answer: &Answer<'_, AuthenticationStatus>,
        reply: &Reply,
    ) -> Result<Decided, Unavailable> {
        use AuthenticationStatus as Status;
        let what = "the authentication";
        match answer.status {
            Status::Pass => Ok(Decided::Yes(Some(words(answer.message)).filter(|words| !words.is_empty()))),
            Status::Fail => Ok(Decided::No(refusal(RejectReason::ServerRejected, answer.message))),
            Status::GetData | Status::GetUser | Status::GetPass => {
                let wanted = match answer.status {
                    Status::GetUser => "the user name",
                    Status::GetPass => "the password",
                    _ => "more data",
                };
                self.transport.abort(reply, "the login carries all there is");
                let how = format!("asked for {wanted}, which the question held already, in");
                Err(self.trouble(what, &how, answer))
            }
            Status::Restart => Err(self.trouble(what, "wants another kind of login (RESTART) for", answer)),
            Status::Error => Err(self.trouble(what, "reports an error (ERROR) in", answer)),
            Status::Follow => Err(self.trouble(what, FOLLOW, answer)),
        }
    }

    async fn authorized(
        &self,
        who: &Who<'_>,
        authen_method: u8,
        deadline: Instant,
    ) -> Result<Verdict, Unavailable> {
        let arguments = ["service=ppp".to_owned(), "protocol=ip".to_owned()];
        let body = match who.authorization(authen_method, &arguments) {
            Ok(body) => body,
            Err(long) => return Ok(cannot_be_sent(&long.to_string())),
        };
        let what = "the authorization";
        let question = Question { kind: Kind::Authorization, minor_version: 0, body: &body, what };
        self.ask(&question, deadline, |reply| {
            use AuthorizationStatus as Status;
            let answer = packet::authorization_response(&reply.body)?;
            Ok(match answer.status {
                // Our own arguments say nothing about the session, so that added and replaced come to the same.
                Status::PassAdd | Status::PassReplace => Ok(accept(&answer)),
                Status::Fail => Ok(refusal(RejectReason::NoDialinPermission, answer.message)),
                Status::Error => Err(self.trouble(what, "reports an error (ERROR) in", &answer)),
                Status::Follow => Err(self.trouble(what, FOLLOW, &answer)),
            })
        })
        .await?
    }

    async fn keep(&self, record: &Record, deadline: Instant) -> Result<(), AccountingError> {
        let caller = Caller::of(&record.context, &self.nas);
        let who = caller.who(authen_type(record.method), &record.user_name);
        // RFC 8907 section 7.1; what a watchdog says counts only together with the start flag.
        let flags = match record.kind {
            RecordKind::Start => 0x02,
            RecordKind::Stop => 0x04,
            RecordKind::Interim => 0x08 | 0x02,
        };
        let authen_method = match record.authentic {
            Authentic::Radius => 0x10,
            Authentic::Local => 0x05,
            Authentic::Remote => METHOD_TACACS_PLUS,
        };
        let body = who
            .accounting(flags, authen_method, &arguments::accounting(record))
            .map_err(|long| AccountingError::Unsendable(long.to_string()))?;
        let what = "the accounting record";
        let question = Question { kind: Kind::Accounting, minor_version: 0, body: &body, what };
        let kept = self.ask(&question, deadline, |reply| {
            let answer = packet::accounting_reply(&reply.body)?;
            Ok(match answer.status {
                AccountingStatus::Success => Ok(()),
                AccountingStatus::Error => Err(self.trouble(what, "reports an error (ERROR) for", &answer)),
                AccountingStatus::Follow => Err(self.trouble(what, FOLLOW, &answer)),
            })
        });
        let no_answer = |unavailable: Unavailable| AccountingError::NoAnswer(unavailable.why);
        kept.await.map_err(no_answer)?.map_err(no_answer)
    }
}

enum Decided {
    Yes(Option<String>),
    No(Verdict),
}

/// RFC 8907 section 5.4.3 leaves FOLLOW to the client; passwords do not go to servers that nobody has configured.
const FOLLOW: &str = "points to other servers (FOLLOW), which is not followed, for";
/// `TAC_PLUS_AUTHEN_METH_TACACSPLUS`.
const METHOD_TACACS_PLUS: u8 = 0x06;
/// `TAC_PLUS_AUTHEN_METH_NOT_SET`.
const METHOD_NOT_SET: u8 = 0x00;

fn authen_type(method: AuthMethod) -> u8 {
    match method {
        AuthMethod::Pap => 2,
        AuthMethod::Chap => 3,
        AuthMethod::MsChapV1 => 5,
        AuthMethod::MsChapV2 => 6,
        AuthMethod::EapProxy | AuthMethod::SdiPasscode => 0,
    }
}

/// The `data` of a START (RFC 8907 sections 5.4.2.2 to 5.4.2.4).
fn start_data(credentials: &Credentials) -> Option<Zeroizing<Vec<u8>>> {
    let data = match credentials {
        Credentials::Pap { password } => password.expose().to_vec(),
        Credentials::Chap { identifier, challenge, response } => {
            [&[*identifier], challenge.as_slice(), response].concat()
        }
        Credentials::MsChapV1 { identifier, challenge, lm_response, nt_response, use_nt } => {
            [&[*identifier], &challenge[..], lm_response, nt_response, &[u8::from(*use_nt)]].concat()
        }
        Credentials::MsChapV2 { .. } | Credentials::PasswordChange { .. } | Credentials::Eap { .. } => {
            return None;
        }
    };
    Some(Zeroizing::new(data))
}

/// The answer to a password that a server in C may take for a shorter one.
fn holds_nul(credentials: &Credentials) -> Option<Verdict> {
    let why = "the password holds a NUL, and a server may check no more than what stands before it";
    matches!(credentials, Credentials::Pap { password } if password.contains(&0)).then(|| cannot_be_sent(why))
}

fn cannot_be_sent(why: &str) -> Verdict {
    Verdict::Reject(Reject::new(RejectReason::CannotBeSent(why.to_owned())))
}

/// A no with the server's own words for the user, where it has any.
fn refusal(reason: RejectReason, message: &[u8]) -> Verdict {
    let mut reject = Reject::new(reason);
    let message = words(message);
    if !message.is_empty() {
        reject.message = message;
    }
    Verdict::Reject(reject)
}

fn accept(answer: &Answer<'_, AuthorizationStatus>) -> Verdict {
    match arguments::attributes(&answer.arguments) {
        Ok(attributes) => {
            let message = Some(words(answer.message)).filter(|words| !words.is_empty());
            Verdict::Accept(Box::new(Attributes { reply_message: message, ..attributes }))
        }
        Err(why) => Verdict::Reject(Reject::new(RejectReason::UnusableAccept(why))),
    }
}

/// `port` and `rem_addr` of a session.
struct Caller {
    port: String,
    remote: String,
}

impl Caller {
    fn of(context: &SessionContext, nas: &str) -> Self {
        let port = match context.nas_port {
            0 => "vpn".to_owned(),
            port => port.to_string(),
        };
        let remote = match (context.calling_station_id.as_str(), context.client_endpoint) {
            ("", None) => nas.to_owned(),
            ("", Some(address)) => address.to_string(),
            (station, _) => station.to_owned(),
        };
        Self { port, remote }
    }

    fn who<'a>(&'a self, authen_type: u8, user: &'a [u8]) -> Who<'a> {
        Who { authen_type, user, port: self.port.as_bytes(), remote: self.remote.as_bytes() }
    }
}

#[async_trait]
impl Backend for TacacsBackend {
    fn address(&self) -> String {
        self.server().to_owned()
    }

    fn server_type(&self) -> ServerType {
        ServerType::TacacsPlus
    }

    fn timeout(&self) -> Option<Duration> {
        Some(self.timeout)
    }

    async fn authenticate(&self, request: &AuthRequest<'_>) -> Verdict {
        let deadline = Instant::now() + self.timeout;
        self.log_in(request, deadline).await.unwrap_or_else(Verdict::Unavailable)
    }

    async fn authorize(&self, request: &AuthRequest<'_>) -> Verdict {
        let deadline = Instant::now() + self.timeout;
        let caller = Caller::of(request.context, &self.nas);
        let who = caller.who(authen_type(request.credentials.method()), request.name);
        self.authorized(&who, METHOD_NOT_SET, deadline).await.unwrap_or_else(Verdict::Unavailable)
    }

    async fn converse(&self, request: &AuthRequest<'_>) -> Verdict {
        self.by_dialogue(request, Instant::now() + self.timeout).await.unwrap_or_else(Verdict::Unavailable)
    }

    async fn account(&self, record: &Record) -> Result<(), AccountingError> {
        self.keep(record, Instant::now() + self.timeout).await
    }

    fn counters(&self) -> &Counters {
        &self.counters
    }
}
