//! LOCAL: accounts in a file of our own, checked without asking anybody.
//!
//! A login for an account that does not exist does the same work as one with a wrong password, and the peer is told
//! the same. The file may change underneath; failures are remembered over a restart.

mod atomic;
mod date;
mod file;
mod lockout;
mod proof;
mod source;
mod user;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use tollgate_aaa::{
    Attributes, AuthRequest, Backend, Counters, Credentials, FramedAddress, PrintableName, Reject,
    RejectReason, ServerType, Verdict,
};
use tracing::warn;

pub use date::{BadDate, Date};
pub use file::{EditError, UserFile, UserFileError, UserFileErrors};
pub use user::{BadPassword, StoredPassword, User};

use lockout::Lockout;
use proof::{Checker, Proof};
use source::{FailureLog, Source};

/// Where the users are and when an account is locked.
#[derive(Debug, Clone)]
pub struct LocalSettings {
    /// `users.toml`.
    pub users: PathBuf,
    /// Wrong passwords in a row that lock an account; 0 switches the lock-out off.
    pub lockout_attempts: u32,
    /// How long it stays locked; also how long a wrong password is remembered. At least a second.
    pub lockout_time: Duration,
    /// Where wrong passwords are kept over a restart; `None`: beside the users file, with `.failures` added.
    pub state_file: Option<PathBuf>,
}

/// All accounts at one moment.
pub(crate) struct Users {
    by_name: BTreeMap<String, User>,
    /// The dearest Argon2id string: what an unknown user's password is checked against.
    decoy: Option<Arc<str>>,
}

impl Users {
    fn new(by_name: BTreeMap<String, User>) -> Self {
        let phc = |user: &User| match &user.password {
            StoredPassword::Argon2id(phc) => Some(Arc::clone(phc)),
            StoredPassword::NtHash(_) => None,
        };
        let decoy = by_name.values().filter_map(phc).max_by_key(|phc| user::cost(phc).unwrap_or(0));
        Self { by_name, decoy }
    }

    fn get(&self, name: &[u8]) -> Option<&User> {
        self.by_name.get(std::str::from_utf8(name).ok()?)
    }
}

/// The built-in accounts as a server.
pub struct LocalBackend {
    source: Source,
    lockout: Lockout,
    failures: FailureLog,
    checker: Checker,
    counters: Counters,
}

impl LocalBackend {
    /// Reads the users; the file must be there and right.
    pub fn new(settings: LocalSettings) -> Result<Self, UserFileErrors> {
        let lockout = Lockout { attempts: settings.lockout_attempts, time: settings.lockout_time };
        let state = settings.state_file.unwrap_or_else(|| {
            let mut name = settings.users.clone().into_os_string();
            name.push(".failures");
            name.into()
        });
        let failures = FailureLog::load(Some(state).filter(|_| lockout.attempts > 0), lockout);
        Ok(Self {
            source: Source::file(settings.users)?,
            lockout,
            failures,
            checker: Checker::new(),
            counters: Counters::default(),
        })
    }

    /// Users that no file holds, without lock-out.
    pub fn in_memory(users: Vec<User>) -> Self {
        let users = users.into_iter().map(|user| (user.name.clone(), user)).collect();
        let lockout = Lockout { attempts: 0, time: Duration::ZERO };
        Self {
            source: Source::memory(Users::new(users)),
            lockout,
            failures: FailureLog::load(None, lockout),
            checker: Checker::new(),
            counters: Counters::default(),
        }
    }

    async fn judge(&self, request: &AuthRequest<'_>, now: SystemTime) -> Result<Attributes, RejectReason> {
        if let Credentials::MsChapV1 { use_nt: false, .. } = request.credentials {
            return Err(RejectReason::LanManagerOnly);
        }
        let users = self.source.current(&self.failures).await;
        let user = users.get(request.name);
        let proof = self.checker.check(&users, user, request).await;
        // The proof has been checked for an unknown user too, so that the answer takes as long.
        let Some(user) = user else { return Err(RejectReason::UnknownUser) };
        if self.failures.is_locked(&user.name, now) {
            return Err(RejectReason::LockedOut);
        }
        let (success, mppe) = match proof {
            Proof::Right { success, keys } => (success, keys),
            Proof::Wrong => {
                if self.failures.failed(&user.name, now).await {
                    let (user, seconds) = (PrintableName(request.name), self.lockout.time.as_secs());
                    warn!(%user, seconds, "LOCAL account locked after too many wrong passwords");
                }
                return Err(RejectReason::WrongPassword);
            }
            Proof::NotStored(reason) => return Err(reason),
        };
        // Only who knows the password learns that the account is closed.
        if !user.enabled {
            return Err(RejectReason::Disabled);
        }
        if user.expires.is_some_and(|last_day| last_day.has_passed(now)) {
            return Err(RejectReason::Expired);
        }
        self.failures.succeeded(&user.name).await;
        Ok(Attributes {
            group_policy: user.group_policy.clone(),
            framed_address: user.address.map(FramedAddress::Address),
            ms_chap2_success: success.map(String::into_bytes),
            mppe,
            ..Attributes::default()
        })
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
        match self.judge(request, SystemTime::now()).await {
            Ok(attributes) => Verdict::Accept(Box::new(attributes)),
            Err(reason) => Verdict::Reject(Reject::new(reason)),
        }
    }

    fn counters(&self) -> &Counters {
        &self.counters
    }
}

#[cfg(test)]
mod tests;
