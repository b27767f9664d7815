//! Kerberos 5 (RFC 4120), PAP only: whoever gets a ticket-granting ticket with the password has the right one.
//!
//! Two exchanges: AS, with the time encrypted by the user's key; then TGS, for a ticket to our own service, which must
//! decrypt with the keytab's key. Without the second anybody between us and the KDC could say yes to a password of their
//! own choice.
//!
//! - `crypto`: encryption types of RFC 3962 and RFC 8009.
//! - `messages`, on `der`: what is asked and answered.
//! - `keytab`: our own keys.
//! - `refusal`: what an error means.
//! - `transport`: UDP and TCP.
//!
//! Why no library: those for the messages bring three times as many crates as there are messages here, and leave out
//! RFC 8009, for which their keys would have to be taken apart again.

mod crypto;
mod der;
mod keytab;
pub mod messages;
mod refusal;
mod transport;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::time::Instant;
use tollgate_aaa::pool::Pool;
use tollgate_aaa::{
    AuthRequest, Backend, Counters, Credentials, Layer, MatrixCell, Reject, RejectReason, Secret, ServerType,
    Unavailable, Verdict,
};
use tracing::warn;

use crate::net::Endpoint;
use crypto::{Etype, Key, Usage};
use keytab::Keytab;
use messages::{Answer, Body, Encrypted, EtypeInfo, KdcReply, KerberosTime, Name, ReplyPart, TicketPart};
use refusal::{PREAUTH_REQUIRED, Stop};
use transport::Kdc;
pub use transport::Transport;

/// Logins that one KDC is asked at once.
const MOST_LOGINS: usize = 64;
/// Seconds that clocks may differ (RFC 4120 section 7.5.8 suggests five minutes).
const SKEW: i64 = 300;

/// One KDC.
#[derive(Debug, Clone)]
pub struct KerberosSettings {
    /// Where it is; usually port 88.
    pub endpoint: Endpoint,
    /// Realm of users who name none, and of our own service; usually in capital letters.
    pub realm: String,
    /// In `user@REALM` the realm is that of the user; otherwise the `@` belongs to the name.
    pub realm_from_user: bool,
    /// The file with the keys of our own service.
    pub keytab: Option<PathBuf>,
    /// Our own service, `vpn/host` or `vpn/host@REALM`; `None`: the first of the keytab.
    pub service_principal: Option<String>,
    /// Do without a keytab, and believe whoever answers.
    pub insecure_without_keytab: bool,
    /// How long a login may take, 1 to 300 seconds.
    pub timeout: Duration,
    /// How it is asked.
    pub transport: Transport,
}

/// Why a KDC cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KerberosError {
    /// Nothing to connect to.
    #[error("a KDC has an empty address; give it a host name or an IP address")]
    EmptyAddress,
    /// No realm.
    #[error("the KDC {0} has no kerberos-realm")]
    EmptyRealm(String),
    /// Anybody could answer in the KDC's place.
    #[error(
        "the KDC {0} has no keytab, without which its answers prove nothing; give it one, or say that they need not"
    )]
    NoKeytab(String),
    /// The file cannot be read.
    #[error("keytab {0}")]
    Keytab(String),
    /// The keytab is for somebody else, or for old encryption types.
    #[error("keytab {0} has no AES key for {1}")]
    NoKey(String, String),
}

/// Whether these octets are a keytab of format 5.2.
pub fn is_keytab(octets: &[u8]) -> bool {
    Keytab::parse(octets).is_some()
}

/// Our own service.
struct Service {
    keytab: Keytab,
    realm: String,
    name: Name,
}

/// A KDC.
pub struct KerberosBackend {
    settings: KerberosSettings,
    kdc: Kdc,
    service: Option<Service>,
    /// Nothing is kept in it. It bounds how many logins there are at once.
    places: Pool<()>,
    random: SystemRandom,
    counters: Counters,
}

/// Who logs in.
struct User {
    name: Name,
    realm: String,
}

/// A ticket-granting ticket and what belongs to it.
struct Session {
    reply: Box<KdcReply>,
    key: Key,
}

impl KerberosBackend {
    /// The keytab is read now; the KDC is asked when somebody logs in.
    pub fn new(settings: KerberosSettings) -> Result<Arc<Self>, KerberosError> {
        let address = settings.endpoint.to_string();
        if settings.endpoint.host.is_empty() {
            return Err(KerberosError::EmptyAddress);
        }
        if settings.realm.is_empty() {
            return Err(KerberosError::EmptyRealm(address));
        }
        let service = match &settings.keytab {
            Some(file) => {
                let keytab = Keytab::read(file).map_err(KerberosError::Keytab)?;
                let wanted = settings.service_principal.as_deref();
                let (realm, name) = keytab.principal(wanted).ok_or_else(|| {
                    let whom = wanted.unwrap_or("anybody").to_owned();
                    KerberosError::NoKey(file.display().to_string(), whom)
                })?;
                Some(Service { keytab, realm, name })
            }
            None if settings.insecure_without_keytab => {
                warn!(server = address, "no keytab: whoever answers in the KDC's place is believed");
                None
            }
            None => return Err(KerberosError::NoKeytab(address)),
        };
        let kdc = Kdc { endpoint: settings.endpoint.clone(), address, transport: settings.transport };
        Ok(Arc::new(Self {
            kdc,
            settings,
            service,
            places: Pool::new(MOST_LOGINS, Duration::ZERO),
            random: SystemRandom::new(),
            counters: Counters::default(),
        }))
    }

    async fn ask(&self, name: &[u8], password: &Secret) -> Result<(), Stop> {
        if password.is_empty() {
            return Err(RejectReason::EmptyPassword.into());
        }
        let (Ok(name), Ok(_)) = (std::str::from_utf8(name), std::str::from_utf8(password)) else {
            return Err(RejectReason::CannotBeSent("the name or the password is not UTF-8".to_owned()).into());
        };
        if password.contains(&0) {
            // The key of an HMAC is padded with NUL: a password and the same with a NUL behind it make one key.
            return Err(RejectReason::CannotBeSent("the password holds a NUL".to_owned()).into());
        }
        let user = self.user(name);
        let deadline = Instant::now() + self.settings.timeout;
        let _place =
            self.places.take(deadline).await.map_err(|busy| {
                Unavailable::new(Layer::Connection, format!("{}: {busy}", self.kdc.address))
            })?;
        let session = self.granting_ticket(&user, password, deadline).await?;
        match &self.service {
            Some(service) => self.prove_kdc(&user, &session, service, deadline).await,
            None => Ok(()),
        }
    }

    fn user(&self, typed: &str) -> User {
        let own = &self.settings.realm;
        let (name, realm) = match typed.rsplit_once('@') {
            Some((name, realm)) if self.settings.realm_from_user && !realm.eq_ignore_ascii_case(own) => {
                (name, realm)
            }
            Some((name, _)) if self.settings.realm_from_user => (name, own.as_str()),
            _ => (typed, own.as_str()),
        };
        User { name: Name::principal(name), realm: realm.to_owned() }
    }

    /// The AS exchange (RFC 4120 section 3.1).
    async fn granting_ticket(
        &self,
        user: &User,
        password: &Secret,
        deadline: Instant,
    ) -> Result<Session, Stop> {
        let service = Name::granting(&user.realm);
        let nonce = self.nonce()?;
        let etypes = Etype::ALL.map(Etype::number);
        let body =
            Body { name: Some(&user.name), realm: &user.realm, service: &service, nonce, etypes: &etypes };
        let body = body.encode();
        let refused = |error| {
            let own_realm = user.realm == self.settings.realm;
            Err(refusal::of_user(&error, &self.kdc.address, &user.realm, own_realm))
        };

        let question = messages::as_request(&body, None);
        let first = self.kdc.ask(&question, Answer::to_as_request, deadline, &self.counters).await?;
        let (methods, required) = match first {
            // An account without pre-authentication. The time is sent all the same: then the KDC counts failures, and
            // gives tickets to services that want it.
            Answer::Reply(reply) => {
                let etype = reply.encrypted.etype;
                let mut methods = reply.methods;
                methods.retain(|info| info.etype == etype);
                methods.push(EtypeInfo { etype, salt: None, parameters: None });
                (methods, false)
            }
            Answer::Error(error) if error.code == PREAUTH_REQUIRED => (error.methods, true),
            Answer::Error(error) => return refused(error),
        };
        let chosen = methods.iter().find(|info| Etype::of(info.etype).is_some());
        let mut key = self.key(chosen.ok_or_else(refusal::no_common_etype)?, user, password).await?;
        let (now, micros) = KerberosTime::now();
        let time = self.encrypted(&key, Usage::Timestamp, &messages::timestamp(now, micros))?;
        let question = messages::as_request(&body, Some(&time));
        let reply = match self.kdc.ask(&question, Answer::to_as_request, deadline, &self.counters).await? {
            Answer::Reply(reply) => reply,
            Answer::Error(error) => return refused(error),
        };
        if reply.encrypted.etype != key.etype().number() {
            key = self.key_for(&reply, &methods, user, password).await?;
        }
        let plain = match key.decrypt(Usage::AsReply, &reply.encrypted.cipher) {
            Ok(plain) => plain,
            Err(_) if required => {
                return Err(self.impostor("its ticket is not for the password that it liked"));
            }
            Err(_) => return Err(RejectReason::WrongPassword.into()),
        };
        let part = ReplyPart::parse(&plain).map_err(|error| self.broken(&error.to_string()))?;
        let fits = part.nonce == i64::from(nonce)
            && reply.name.is(&user.name)
            && reply.realm.eq_ignore_ascii_case(user.realm.as_bytes())
            && part.realm.eq_ignore_ascii_case(user.realm.as_bytes())
            && part.service.is(&service)
            && reply.ticket.service.is(&service);
        if !fits {
            return Err(self.impostor("its ticket is for another question"));
        }
        Ok(Session { key: self.session_key(&part)?, reply })
    }

    /// The TGS exchange (RFC 4120 section 3.3) for a ticket that only a real KDC can make.
    async fn prove_kdc(
        &self,
        user: &User,
        session: &Session,
        service: &Service,
        deadline: Instant,
    ) -> Result<(), Stop> {
        let nonce = self.nonce()?;
        let etypes = Etype::ALL.map(Etype::number);
        let body = Body { name: None, realm: &service.realm, service: &service.name, nonce, etypes: &etypes };
        let body = body.encode();
        let checksum = session.key.checksum(Usage::TgsChecksum, &body);
        let checksum = (session.key.etype().checksum_number(), checksum.as_slice());
        let (now, micros) = KerberosTime::now();
        let reply = &session.reply;
        let authenticator = messages::authenticator(&reply.realm, &reply.name, checksum, now, micros);
        let authenticator = self.encrypted(&session.key, Usage::TgsAuthenticator, &authenticator)?;
        let question = messages::tgs_request(&body, &reply.ticket, &authenticator);
        let principal = format!("{}@{}", service.name, service.realm);
        let reply = match self.kdc.ask(&question, Answer::to_tgs_request, deadline, &self.counters).await? {
            Answer::Reply(reply) => reply,
            Answer::Error(error) => return Err(refusal::of_service(&error, &self.kdc.address, &principal)),
        };
        let plain = session
            .key
            .decrypt(Usage::TgsReply, &reply.encrypted.cipher)
            .map_err(|_| self.impostor("its answer is not encrypted with the session's key"))?;
        let part = ReplyPart::parse(&plain).map_err(|error| self.broken(&error.to_string()))?;
        if part.nonce != i64::from(nonce) || !part.service.is(&service.name) {
            return Err(self.impostor("its service ticket is for another question"));
        }
        let Encrypted { etype, version, cipher } = &reply.ticket.encrypted;
        let mut keys = service.keytab.keys(&service.name, *etype, *version).peekable();
        if keys.peek().is_none() {
            let version = version.map(|version| format!(", version {version}")).unwrap_or_default();
            let why = format!(
                "the keytab has no key for a ticket to {principal} (encryption type {etype}{version}): write it anew"
            );
            return Err(Stop::silent(Layer::Secret, why));
        }
        let plain = keys.find_map(|key| key.decrypt(Usage::Ticket, cipher).ok()).ok_or_else(|| {
            self.impostor(&format!(
                "its ticket to {principal} does not decrypt with the keytab's key, which is old or another's"
            ))
        })?;
        let ticket = TicketPart::parse(&plain).map_err(|error| self.broken(&error.to_string()))?;
        let fits = ticket.name.is(&user.name)
            && ticket.realm.eq_ignore_ascii_case(user.realm.as_bytes())
            && Key::new(ticket.key.etype, &ticket.key.value)
                .is_some_and(|key| key.is(part.key.etype, &part.key.value))
            && ticket.end.seconds_since(now) > -SKEW;
        if fits {
            Ok(())
        } else {
            Err(self.impostor("its service ticket is for another user or of another time"))
        }
    }

    /// The user's key that an answer is encrypted with.
    async fn key_for(
        &self,
        reply: &KdcReply,
        methods: &[EtypeInfo],
        user: &User,
        password: &Secret,
    ) -> Result<Key, Stop> {
        let etype = reply.encrypted.etype;
        let usual = EtypeInfo { etype, salt: None, parameters: None };
        let info = reply.methods.iter().chain(methods).find(|info| info.etype == etype);
        self.key(info.unwrap_or(&usual), user, password).await
    }

    async fn key(&self, info: &EtypeInfo, user: &User, password: &Secret) -> Result<Key, Stop> {
        let etype = Etype::of(info.etype).ok_or_else(refusal::no_common_etype)?;
        // RFC 4120 section 4: the usual salt is realm and name without anything between.
        let salt = info.salt.clone().unwrap_or_else(|| user.name.salt(&user.realm));
        let parameters = info.parameters.clone();
        let password = password.clone();
        // Some ten thousand rounds of HMAC are too long for a thread that others wait for.
        let derive = move || etype.key_of_password(&password, &salt, parameters.as_deref());
        match tokio::task::spawn_blocking(derive).await {
            Ok(Ok(key)) => Ok(key),
            Ok(Err(error)) => Err(self.broken(&error.to_string())),
            Err(_) => Err(self.broken("the key of the password could not be computed")),
        }
    }

    fn session_key(&self, part: &ReplyPart) -> Result<Key, Stop> {
        let etype = part.key.etype;
        Key::new(etype, &part.key.value).ok_or_else(|| {
            let why = format!("{}: a session key of encryption type {etype} is not served", self.kdc.address);
            Stop::silent(Layer::Protocol, why)
        })
    }

    fn encrypted(&self, key: &Key, usage: Usage, plain: &[u8]) -> Result<Encrypted, Stop> {
        let cipher = key.encrypt(usage, self.random()?, plain);
        Ok(Encrypted { etype: key.etype().number(), version: None, cipher })
    }

    /// 31 bits: some KDCs take a nonce for a number with a sign.
    fn nonce(&self) -> Result<u32, Stop> {
        Ok(u32::from_be_bytes(self.random()?) >> 1)
    }

    fn random<const N: usize>(&self) -> Result<[u8; N], Stop> {
        let mut octets = [0; N];
        self.random
            .fill(&mut octets)
            .map_err(|_| Unavailable::new(Layer::Configuration, "the system has no random numbers"))?;
        Ok(octets)
    }

    fn broken(&self, what: &str) -> Stop {
        Counters::count(&self.counters.malformed);
        Stop::silent(Layer::Protocol, format!("{}: {what}", self.kdc.address))
    }

    fn impostor(&self, what: &str) -> Stop {
        Counters::count(&self.counters.bad_authenticators);
        let why = format!("{}: {what}; or somebody answers in the KDC's place", self.kdc.address);
        Stop::silent(Layer::Secret, why)
    }
}

#[async_trait]
impl Backend for KerberosBackend {
    fn address(&self) -> String {
        self.kdc.address.clone()
    }

    fn server_type(&self) -> ServerType {
        ServerType::Kerberos
    }

    fn timeout(&self) -> Option<Duration> {
        Some(self.settings.timeout)
    }

    async fn authenticate(&self, request: &AuthRequest<'_>) -> Verdict {
        let Credentials::Pap { password } = request.credentials else {
            let cell = MatrixCell { server_type: ServerType::Kerberos, method: request.credentials.method() };
            return Verdict::Reject(Reject::new(RejectReason::NotAllowed(cell)));
        };
        match self.ask(request.name, password).await {
            Ok(()) => Verdict::Accept(Box::default()),
            Err(stop) => stop.into(),
        }
    }

    fn counters(&self) -> &Counters {
        &self.counters
    }
}
