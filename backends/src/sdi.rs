//! SDI: RSA SecurID passcodes, checked by the RSA SecurID Authentication API (version 1.1) over HTTPS.
//!
//! The server may want a second code or a new PIN before it decides. PAP has no second question, so what the server
//! wants is told in the failure message, and the user's next login answers it: within `challenge_lifetime`, and once.
//!
//! - `api`: what is asked and answered, in JSON.
//! - `http`: connections, kept and used again.
//! - `pending`: who was asked for what.

mod api;
mod http;
mod pending;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::time::Instant;
use tollgate_aaa::pool::Place;
use tollgate_aaa::{
    AuthRequest, Backend, Challenge, Counters, Credentials, Layer, MatrixCell, PrintableName, Reject,
    RejectReason, Secret, ServerType, Unavailable, Verdict,
};
use tracing::info;

use crate::tls::TlsSettings;
use api::{Answer, Decision, Method};
use http::{Client, Connection};
use pending::{Asked, Pending};

/// One server with the API.
#[derive(Debug, Clone)]
pub struct SdiSettings {
    /// `https://am.example.net:5555/mfa/v1_1`.
    pub url: String,
    /// The access key of the API.
    pub client_key: Secret,
    /// Name of the authentication agent that the server knows us by.
    pub client_id: String,
    /// Whom we believe.
    pub tls: TlsSettings,
    /// How long a login may take, 1 to 300 seconds.
    pub timeout: Duration,
    /// How long a user may think about the next code or a new PIN, 10 to 600 seconds.
    pub challenge_lifetime: Duration,
}

/// Why a server cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SdiError {
    /// Not a URL of the API.
    #[error("{0:?} is no URL such as https://am.example.net:5555/mfa/v1_1")]
    BadUrl(String),
    /// Everybody could ask.
    #[error("the SecurID server {0} has no client-key; give it the access key of its API")]
    NoKey(String),
    /// A key with a line end or the like cannot stand in a header.
    #[error("the client-key of the SecurID server {0} holds characters that HTTP cannot carry")]
    BadKey(String),
    /// A file cannot be read, or the like.
    #[error("TLS to the SecurID server {0}: {1}")]
    Tls(String, String),
}

/// A server that checks passcodes.
pub struct SdiBackend {
    settings: SdiSettings,
    client: Client,
    pending: Pending,
    random: SystemRandom,
    counters: Counters,
}

/// What a server's answer to question `message_id` says, in words and as a login reads it; `None`: it answers another.
pub fn in_words(body: &[u8], message_id: &str) -> Option<String> {
    let answer = Answer::parse(body, message_id).ok()?;
    let (decision, right) = (answer.decision(), answer.was_right());
    let next = match decision {
        Decision::Challenge(method) => api::verify(method, &answer.into_context(), message_id, "0").len(),
        Decision::Success | Decision::Fail | Decision::Unknown(_) => 0,
    };
    Some(format!("{decision:?}, right: {right}, answered by {next} octets"))
}

impl SdiBackend {
    /// Connections are opened when they are needed.
    pub fn new(settings: SdiSettings) -> Result<Arc<Self>, SdiError> {
        let client = Client::new(&settings)?;
        let pending = Pending::new(settings.challenge_lifetime);
        Ok(Arc::new(Self {
            settings,
            client,
            pending,
            random: SystemRandom::new(),
            counters: Counters::default(),
        }))
    }

    async fn ask(&self, name: &[u8], password: &[u8]) -> Result<Verdict, Unavailable> {
        let reject = |reason| Ok(Verdict::Reject(Reject::new(reason)));
        if password.is_empty() {
            return reject(RejectReason::EmptyPassword);
        }
        let (Ok(user), Ok(passcode)) = (std::str::from_utf8(name), std::str::from_utf8(password)) else {
            return reject(RejectReason::CannotBeSent("the name or the passcode is not UTF-8".to_owned()));
        };
        let Some(_turn) = self.pending.begin(user) else {
            // A passcode is good for one attempt: of two at once, one would spend the other's.
            return reject(RejectReason::CannotBeSent(
                "another login of this user is being decided".to_owned(),
            ));
        };
        let deadline = Instant::now() + self.settings.timeout;
        let place = self.client.place(deadline).await?;
        // In a box, since logins that wait for a place are many, and need no room for a handshake and an answer.
        Box::pin(self.ask_in(place, user, passcode, deadline)).await
    }

    async fn ask_in(
        &self,
        place: Place<'_, Connection>,
        user: &str,
        passcode: &str,
        deadline: Instant,
    ) -> Result<Verdict, Unavailable> {
        let reject = |reason| Ok(Verdict::Reject(Reject::new(reason)));
        let message_id = self.message_id()?;
        let open = self.pending.take(user);
        let (path, question) = match &open {
            Some(asked) => ("verify", asked.answer(&message_id, passcode)),
            None => ("initialize", api::initialize(&self.settings.client_id, user, &message_id, passcode)),
        };
        let body = self.client.post(place, path, question, deadline).await?;
        let answer = Answer::parse(&body, &message_id).map_err(|what| {
            Counters::count(&self.counters.malformed);
            Unavailable::new(Layer::Protocol, format!("{}: {what}", self.client.address()))
        })?;
        match answer.decision() {
            Decision::Success => Ok(Verdict::Accept(Box::default())),
            Decision::Fail => reject(RejectReason::WrongPassword),
            // The server would take another passcode in the same attempt; the next login begins its own.
            Decision::Challenge(Method::Passcode) if !answer.was_right() => {
                reject(RejectReason::WrongPassword)
            }
            Decision::Challenge(Method::Passcode) => {
                let message = Method::Passcode.prompt().to_owned();
                Ok(Verdict::Challenge(Challenge { message, ..Challenge::default() }))
            }
            Decision::Challenge(method) => {
                let message = method.prompt().to_owned();
                info!(user = %PrintableName(user.as_bytes()), wants = method.id(), "SecurID asks a second question");
                self.pending.put(user, Asked::new(method, answer.into_context()));
                Ok(Verdict::Challenge(Challenge { message, ..Challenge::default() }))
            }
            Decision::Unknown(what) => {
                let why = format!("{}: it wants {what}, which a login cannot give", self.client.address());
                Err(Unavailable::new(Layer::Protocol, why))
            }
        }
    }

    fn message_id(&self) -> Result<String, Unavailable> {
        let mut octets = [0; 16];
        self.random
            .fill(&mut octets)
            .map_err(|_| Unavailable::new(Layer::Configuration, "the system has no random numbers"))?;
        Ok(format!("{:032x}", u128::from_be_bytes(octets)))
    }
}

#[async_trait]
impl Backend for SdiBackend {
    fn address(&self) -> String {
        self.client.address().to_owned()
    }

    fn server_type(&self) -> ServerType {
        ServerType::Sdi
    }

    fn timeout(&self) -> Option<Duration> {
        Some(self.settings.timeout)
    }

    async fn authenticate(&self, request: &AuthRequest<'_>) -> Verdict {
        let Credentials::Pap { password } = request.credentials else {
            let cell = MatrixCell { server_type: ServerType::Sdi, method: request.credentials.method() };
            return Verdict::Reject(Reject::new(RejectReason::NotAllowed(cell)));
        };
        self.ask(request.name, password).await.unwrap_or_else(Verdict::Unavailable)
    }

    fn counters(&self) -> &Counters {
        &self.counters
    }
}
