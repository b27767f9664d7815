//! Scripted servers for the tests of this crate.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use zeroize::Zeroizing;

use crate::accounting::{AccountingError, Authentic, Record, RecordKind, Traffic};
use crate::backend::{AuthRequest, Backend, Counters, Duty};
use crate::credentials::Credentials;
use crate::group::{AccountingMode, GroupSettings, Reactivation, ServerGroup};
use crate::layer::Layer;
use crate::matrix::{AuthMethod, ServerType};
use crate::request::{LoginRequest, SessionContext};
use crate::secret::Secret;
use crate::verdict::{Attributes, Challenge, Reject, RejectReason, Unavailable, Verdict};

/// What a scripted server does with a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    Accept,
    Reject,
    /// The password has expired.
    Expired,
    Challenge,
    /// Wants another EAP response.
    Eap,
    /// No answer; takes [`TIMEOUT`].
    Silent,
}

pub(crate) const TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) struct Scripted {
    name: &'static str,
    server_type: ServerType,
    /// The last act repeats.
    acts: Mutex<VecDeque<Act>>,
    /// Names that came in, in order.
    pub(crate) asked: Mutex<Vec<(String, String)>>,
    /// The last password that came in.
    pub(crate) password: Mutex<String>,
    pub(crate) delivered: Mutex<Vec<(String, RecordKind)>>,
    /// What it says when asked whether it is back.
    pub(crate) alive: Mutex<Option<bool>>,
    counters: Counters,
}

impl Scripted {
    pub(crate) fn new(name: &'static str, server_type: ServerType, acts: &[Act]) -> Arc<Self> {
        Arc::new(Self {
            name,
            server_type,
            acts: Mutex::new(acts.iter().copied().collect()),
            asked: Mutex::default(),
            password: Mutex::default(),
            delivered: Mutex::default(),
            alive: Mutex::default(),
            counters: Counters::default(),
        })
    }

    pub(crate) fn questions(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    /// Tunnel group and name of the last question.
    pub(crate) fn last(&self) -> (String, String) {
        self.asked.lock().unwrap().last().cloned().unwrap_or_default()
    }

    pub(crate) fn now_acts(&self, act: Act) {
        *self.acts.lock().unwrap() = VecDeque::from([act]);
    }

    fn act(&self) -> Act {
        let mut acts = self.acts.lock().unwrap();
        if acts.len() > 1 { acts.pop_front().unwrap() } else { *acts.front().unwrap() }
    }
}

#[async_trait]
impl Backend for Scripted {
    fn address(&self) -> String {
        self.name.to_owned()
    }

    fn server_type(&self) -> ServerType {
        self.server_type
    }

    async fn authenticate(&self, request: &AuthRequest<'_>) -> Verdict {
        let name = String::from_utf8(request.name.to_vec()).unwrap();
        self.asked.lock().unwrap().push((request.tunnel_group.to_owned(), name));
        if let Credentials::Pap { password } = request.credentials {
            *self.password.lock().unwrap() = String::from_utf8(password.to_vec()).unwrap();
        }
        match self.act() {
            Act::Accept => Verdict::Accept(Box::default()),
            Act::Reject => Verdict::Reject(Reject::new(RejectReason::ServerRejected)),
            Act::Expired => Verdict::Reject(Reject::new(RejectReason::PasswordExpired)),
            Act::Challenge => Verdict::Challenge(Challenge {
                state: vec![1],
                message: "token".to_owned(),
                ..Challenge::default()
            }),
            Act::Eap => {
                Verdict::Challenge(Challenge { eap: Some(vec![1, 2, 0, 5, 4]), ..Challenge::default() })
            }
            Act::Silent => {
                tokio::time::sleep(TIMEOUT).await;
                Verdict::Unavailable(Unavailable::new(
                    Layer::Connection,
                    format!("{} did not answer", self.name),
                ))
            }
        }
    }

    async fn authorize(&self, request: &AuthRequest<'_>) -> Verdict {
        match self.authenticate(request).await {
            Verdict::Accept(_) => {
                let group_policy = Some(format!("policy of {}", self.name));
                Verdict::Accept(Box::new(Attributes { group_policy, ..Attributes::default() }))
            }
            other => other,
        }
    }

    async fn account(&self, record: &Record) -> Result<(), AccountingError> {
        match self.act() {
            Act::Accept => {
                let session = record.context.acct_session_id.clone();
                self.delivered.lock().unwrap().push((session, record.kind));
                Ok(())
            }
            Act::Reject => Err(AccountingError::Unsendable("too long".to_owned())),
            Act::Expired | Act::Challenge | Act::Eap => Err(AccountingError::Unsupported),
            Act::Silent => {
                tokio::time::sleep(TIMEOUT).await;
                Err(AccountingError::NoAnswer(self.name.to_owned()))
            }
        }
    }

    async fn is_alive(&self, _duty: Duty) -> Option<bool> {
        *self.alive.lock().unwrap()
    }

    fn counters(&self) -> &Counters {
        &self.counters
    }
}

pub(crate) const DEPLETION: Reactivation = Reactivation::Depletion { dead_time: Duration::from_secs(600) };

pub(crate) fn settings(name: &str, server_type: ServerType, reactivation: Reactivation) -> GroupSettings {
    GroupSettings {
        name: name.to_owned(),
        server_type,
        max_failed_attempts: 3,
        reactivation,
        accounting_mode: AccountingMode::Single,
    }
}

pub(crate) fn group(name: &str, servers: &[&Arc<Scripted>]) -> Arc<ServerGroup> {
    let server_type = servers.first().map_or(ServerType::Radius, |server| server.server_type);
    let servers = servers.iter().map(|server| Arc::clone(server) as Arc<dyn Backend>).collect();
    Arc::new(ServerGroup::new(settings(name, server_type, DEPLETION), servers))
}

pub(crate) fn credentials(method: AuthMethod) -> Credentials {
    match method {
        AuthMethod::Chap => Credentials::Chap { identifier: 1, challenge: vec![7; 16], response: [0; 16] },
        AuthMethod::MsChapV1 => Credentials::MsChapV1 {
            identifier: 1,
            challenge: [7; 8],
            lm_response: [0; 24],
            nt_response: [0; 24],
            use_nt: true,
        },
        AuthMethod::MsChapV2 => Credentials::MsChapV2 {
            identifier: 1,
            authenticator_challenge: [7; 16],
            peer_challenge: [8; 16],
            nt_response: [0; 24],
            flags: 0,
        },
        AuthMethod::Pap | AuthMethod::EapProxy | AuthMethod::SdiPasscode => {
            Credentials::Pap { password: Secret::from(b"secret".to_vec()) }
        }
    }
}

/// A new password instead of an expired one.
pub(crate) fn password_change() -> Credentials {
    Credentials::PasswordChange {
        identifier: 2,
        authenticator_challenge: [7; 16],
        encrypted_password: Box::new(Zeroizing::new([0; 516])),
        encrypted_hash: [0; 16],
        peer_challenge: [8; 16],
        nt_response: [0; 24],
        flags: [0; 2],
    }
}

pub(crate) fn login(name: &str, tunnel_group: &str, method: AuthMethod) -> LoginRequest {
    LoginRequest {
        name: name.as_bytes().to_vec(),
        credentials: credentials(method),
        tunnel_group: tunnel_group.to_owned(),
        context: SessionContext::default(),
    }
}

pub(crate) fn record(session: &str, kind: RecordKind) -> Record {
    Record {
        kind,
        user_name: b"joe".to_vec(),
        tunnel_group: "sales".to_owned(),
        context: SessionContext { acct_session_id: session.to_owned(), ..SessionContext::default() },
        framed_ip: None,
        classes: Vec::new(),
        method: AuthMethod::Pap,
        authentic: Authentic::Radius,
        session_time: Duration::ZERO,
        counters: Traffic::default(),
        terminate_cause: None,
        event_time: SystemTime::now(),
        policy: "DfltGrpPolicy".to_owned(),
    }
}
