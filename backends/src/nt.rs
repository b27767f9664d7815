//! NT: a domain controller checks the password by NTLM version 2, as if somebody opened a file share there.
//!
//! One connection for each login (SMB binds a user to it): NEGOTIATE, SESSION_SETUP twice, and the signature of the
//! controller's yes, which only who knows the password can make. A guest's session is a no.
//!
//! - `smb`: messages of \[MS-SMB2\].
//! - `ntlm`: the proof, \[MS-NLMP\].
//! - `refusal`: what a status means.
//!
//! Why no library: those that speak SMB bring several hundred crates, Kerberos and a file system among them, for the
//! four messages of a login, and none of them lets a caller see which status a refusal had.

mod ntlm;
mod refusal;
mod smb;

use std::fmt::Display;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tollgate_aaa::pool::Pool;
use tollgate_aaa::{
    AuthRequest, Backend, Counters, Credentials, Layer, MatrixCell, Reject, RejectReason, ServerType,
    Unavailable, Verdict,
};
use tollgate_mschap::nt_password_hash;
use zeroize::Zeroizing;

use crate::net::Endpoint;
use ntlm::{Account, Challenge};
use smb::{Answer, Question};

/// Logins that one controller is asked at once.
const MOST_CONNECTIONS: usize = 64;
/// From 1601 to 1970, in 100 ns.
const EPOCH: u64 = 116_444_736_000_000_000;
/// A server that says "not yet" more often than this says nothing.
const MOST_INTERIM_ANSWERS: usize = 8;

/// One domain controller.
#[derive(Debug, Clone)]
pub struct NtSettings {
    /// Where it is; usually port 445.
    pub endpoint: Endpoint,
    /// Its NetBIOS name, which it must answer with; `None`: any.
    pub domain_controller: Option<String>,
    /// Domain of users who name none; empty: the controller's own.
    pub domain: String,
    /// How long a login may take, 1 to 300 seconds.
    pub timeout: Duration,
}

/// Why a controller cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NtError {
    /// Nothing to connect to.
    #[error("a domain controller has an empty address; give it a host name or an IP address")]
    EmptyAddress,
}

/// A domain controller.
pub struct NtBackend {
    settings: NtSettings,
    address: String,
    /// Nothing is kept in it: a connection serves one user. It bounds how many there are.
    places: Pool<()>,
    random: SystemRandom,
    counters: Counters,
}

impl NtBackend {
    /// Connections are opened when they are needed.
    pub fn new(settings: NtSettings) -> Result<Arc<Self>, NtError> {
        if settings.endpoint.host.is_empty() {
            return Err(NtError::EmptyAddress);
        }
        Ok(Arc::new(Self {
            address: settings.endpoint.to_string(),
            settings,
            places: Pool::new(MOST_CONNECTIONS, Duration::ZERO),
            random: SystemRandom::new(),
            counters: Counters::default(),
        }))
    }

    async fn ask(&self, name: &[u8], password: &[u8]) -> Result<Verdict, Unavailable> {
        let reject = |reason| Ok(Verdict::Reject(Reject::new(reason)));
        if password.is_empty() {
            // An empty name and password is what NTLM calls an anonymous login.
            return reject(RejectReason::EmptyPassword);
        }
        let (Ok(name), Ok(text)) = (std::str::from_utf8(name), std::str::from_utf8(password)) else {
            return reject(RejectReason::CannotBeSent("the name or the password is not UTF-8".to_owned()));
        };
        if text.contains('\0') {
            return reject(RejectReason::CannotBeSent("the password holds a NUL".to_owned()));
        }
        let (domain, user) = match name.split_once('\\') {
            Some(typed) => typed,
            // The controller finds the domain of a principal's name itself.
            None if name.contains('@') => ("", name),
            None => (self.settings.domain.as_str(), name),
        };
        let deadline = Instant::now() + self.settings.timeout;
        let _place = self
            .places
            .take(deadline)
            .await
            .map_err(|busy| Unavailable::new(Layer::Connection, format!("{}: {busy}", self.address)))?;
        let stream = self.settings.endpoint.connect(deadline).await?;
        let mut conversation = Conversation { stream, server: &self.address, deadline };

        let mut client = [0; 16];
        let mut client_nonce = [0; 8];
        let mut session_key = Zeroizing::new([0; 16]);
        for octets in [&mut client[..], &mut client_nonce, &mut *session_key] {
            self.random
                .fill(octets)
                .map_err(|_| Unavailable::new(Layer::Configuration, "the system has no random numbers"))?;
        }
        let negotiated = conversation.ask(Question::Negotiate, &smb::negotiate(client)).await?;
        if negotiated.status != smb::SUCCESS {
            return Ok(refusal::verdict(negotiated.status, &self.address));
        }
        let hello = ntlm::negotiate();
        let first = conversation.ask(Question::SessionSetup(1), &smb::session_setup(1, 0, &hello)).await?;
        if first.status != smb::MORE_PROCESSING_REQUIRED {
            return Ok(refusal::verdict(first.status, &self.address));
        }
        let token = first.token().map_err(|error| conversation.broken(error))?;
        let challenge = Challenge::parse(token).map_err(|error| conversation.broken(error))?;
        self.check_name(&challenge)?;

        let hash = nt_password_hash(password);
        let account = Account { user, domain, hash: &hash, client_nonce, session_key, now: now() };
        let (proof, key) = ntlm::authenticate(&hello, &challenge, &account);
        let message = smb::session_setup(2, first.session, &proof);
        let answer = conversation.ask(Question::SessionSetup(2), &message).await?;
        if answer.status != smb::SUCCESS {
            return Ok(refusal::verdict(answer.status, &self.address));
        }
        if answer.is_nobody() {
            // Some servers take every unknown name for a guest.
            return reject(RejectReason::UnknownUser);
        }
        if !answer.is_signed_with(&key) {
            Counters::count(&self.counters.bad_authenticators);
            let why = format!(
                "{}: its yes is not signed with the session's key: somebody answers in the controller's place, \
                 or it does not sign",
                self.address
            );
            return Err(Unavailable::new(Layer::Secret, why));
        }
        Ok(Verdict::Accept(Box::default()))
    }

    fn check_name(&self, challenge: &Challenge) -> Result<(), Unavailable> {
        let Some(wanted) = &self.settings.domain_controller else { return Ok(()) };
        let found = challenge.computer_name().unwrap_or_default();
        if found.eq_ignore_ascii_case(wanted) {
            return Ok(());
        }
        let why =
            format!("{} answers as {found:?}, and nt-auth-domain-controller names {wanted:?}", self.address);
        Err(Unavailable::new(Layer::Secret, why))
    }
}

/// What a message of a controller says that answers one of a login's three questions, in words and as the login reads
/// it; `None`: it answers none.
pub fn in_words(message: &[u8]) -> Option<String> {
    let questions = [Question::Negotiate, Question::SessionSetup(1), Question::SessionSetup(2)];
    let parse = |question| smb::Answer::parse(message.to_vec(), question).ok().flatten();
    let answer = questions.into_iter().find_map(parse)?;
    let signed = answer.is_signed_with(&[0; 16]);
    let challenge = answer.token().ok().and_then(|token| Challenge::parse(token).ok());
    let name = challenge.and_then(|challenge| {
        let hash = nt_password_hash(b"");
        let session_key = Zeroizing::new([0; 16]);
        let account =
            Account { user: "", domain: "", hash: &hash, client_nonce: [0; 8], session_key, now: 0 };
        let (proof, _) = ntlm::authenticate(&ntlm::negotiate(), &challenge, &account);
        challenge.computer_name().map(|name| format!("{name}, asked by {} octets", proof.len()))
    });
    let verdict = refusal::verdict(answer.status, "controller");
    Some(format!("{verdict:?}, nobody: {}, signed: {signed}, name: {name:?}", answer.is_nobody()))
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos() / 100).unwrap_or(u64::MAX).saturating_add(EPOCH)
}

/// One connection and its clock.
struct Conversation<'a> {
    stream: TcpStream,
    server: &'a str,
    deadline: Instant,
}

impl Conversation<'_> {
    /// Sends a question and gives its answer.
    async fn ask(&mut self, question: Question, message: &[u8]) -> Result<Answer, Unavailable> {
        let exchange = async {
            self.stream.write_all(&smb::framed(message)).await?;
            for _ in 0..MOST_INTERIM_ANSWERS {
                let mut frame = [0; 4];
                self.stream.read_exact(&mut frame).await?;
                let Ok(length) = smb::length(frame) else { break };
                let mut message = vec![0; length];
                self.stream.read_exact(&mut message).await?;
                match Answer::parse(message, question) {
                    Ok(Some(answer)) => return Ok(Ok(answer)),
                    Ok(None) => {}
                    Err(error) => return Ok(Err(error.to_string())),
                }
            }
            Ok::<_, std::io::Error>(Err("it answers with what is no SMB 2".to_owned()))
        };
        let server = self.server;
        match timeout_at(self.deadline, exchange).await {
            Ok(Ok(Ok(answer))) => Ok(answer),
            Ok(Ok(Err(what))) => Err(self.broken(what)),
            Ok(Err(error)) => {
                Err(Unavailable::new(Layer::Protocol, format!("{server} ended the connection: {error}")))
            }
            Err(_) => Err(Unavailable::new(
                Layer::Connection,
                format!("{server} took the connection and did not answer within the timeout"),
            )),
        }
    }

    fn broken(&self, what: impl Display) -> Unavailable {
        Unavailable::new(Layer::Protocol, format!("{}: {what}", self.server))
    }
}

#[async_trait]
impl Backend for NtBackend {
    fn address(&self) -> String {
        self.address.clone()
    }

    fn server_type(&self) -> ServerType {
        ServerType::Nt
    }

    fn timeout(&self) -> Option<Duration> {
        Some(self.settings.timeout)
    }

    async fn authenticate(&self, request: &AuthRequest<'_>) -> Verdict {
        let Credentials::Pap { password } = request.credentials else {
            let cell = MatrixCell { server_type: ServerType::Nt, method: request.credentials.method() };
            return Verdict::Reject(Reject::new(RejectReason::NotAllowed(cell)));
        };
        self.ask(request.name, password).await.unwrap_or_else(Verdict::Unavailable)
    }

    fn counters(&self) -> &Counters {
        &self.counters
    }
}
