//! Where accounts and failures are kept while the server runs, and how they meet their files.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;
use tracing::{info, warn};

use super::Users;
use super::atomic;
use super::file::{Stamp, UserFile, UserFileErrors};
use super::lockout::{Failures, Lockout};
use super::user::User;

/// How often a file is looked at or written, at most.
const PERIOD: Duration = Duration::from_secs(1);

/// The accounts, re-read when their file has changed.
pub(super) struct Source {
    current: RwLock<Arc<Users>>,
    file: Option<Watched>,
}

struct Watched {
    path: PathBuf,
    seen: Mutex<(Option<Stamp>, Instant)>,
}

impl Source {
    pub(super) fn file(path: PathBuf) -> Result<Self, UserFileErrors> {
        // Stamped before it is read: a change in between is noticed the next time.
        let stamp = Stamp::of(&path);
        let users = UserFile::load(&path)?.into_users();
        let seen = Mutex::new((stamp, Instant::now()));
        Ok(Self { current: RwLock::new(Arc::new(Users::new(users))), file: Some(Watched { path, seen }) })
    }

    pub(super) fn memory(users: Users) -> Self {
        Self { current: RwLock::new(Arc::new(users)), file: None }
    }

    /// The accounts as of at most a second ago.
    pub(super) async fn current(&self, failures: &FailureLog) -> Arc<Users> {
        if let Some(file) = &self.file
            && file.is_due()
        {
            let path = file.path.clone();
            let known = lock(&file.seen).0;
            let read = tokio::task::spawn_blocking(move || {
                let stamp = Stamp::of(&path);
                (stamp != known).then(|| (stamp, UserFile::load(&path).map(UserFile::into_users)))
            });
            if let Ok(Some((stamp, users))) = read.await {
                lock(&file.seen).0 = stamp;
                if self.replace(&file.path, users, failures) {
                    failures.save().await;
                }
            }
        }
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// True when failures were forgotten over it.
    fn replace(
        &self,
        path: &Path,
        users: Result<BTreeMap<String, User>, UserFileErrors>,
        failures: &FailureLog,
    ) -> bool {
        let file = path.display();
        let mut forgotten = false;
        match users {
            Ok(users) => {
                let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
                for (name, user) in &users {
                    // A new password is a new beginning.
                    if current.by_name.get(name).is_some_and(|old| old.password != user.password) {
                        forgotten |= failures.forget(name);
                    }
                }
                info!(%file, users = users.len(), "users file read again");
                *current = Arc::new(Users::new(users));
            }
            Err(errors) => warn!(%file, %errors, "changed users file cannot be used, the old users stay"),
        }
        forgotten
    }
}

impl Watched {
    fn is_due(&self) -> bool {
        let now = Instant::now();
        let mut seen = lock(&self.seen);
        let due = now.duration_since(seen.1) >= PERIOD;
        if due {
            seen.1 = now;
        }
        due
    }
}

/// Wrong passwords, written to their file at most once a second. A crash may forget those of the last second.
pub(super) struct FailureLog {
    lockout: Lockout,
    shared: Arc<Shared>,
}

struct Shared {
    failures: Mutex<Failures>,
    file: Option<PathBuf>,
    written: Mutex<Option<Instant>>,
    write_scheduled: AtomicBool,
}

impl FailureLog {
    pub(super) fn load(file: Option<PathBuf>, lockout: Lockout) -> Self {
        let mut failures = file.as_deref().map(read).unwrap_or_default();
        lockout.tidy(&mut failures, SystemTime::now());
        let shared = Shared {
            failures: Mutex::new(failures),
            file,
            written: Mutex::new(None),
            write_scheduled: AtomicBool::new(false),
        };
        Self { lockout, shared: Arc::new(shared) }
    }

    pub(super) fn is_locked(&self, name: &str, now: SystemTime) -> bool {
        self.lockout.is_locked(&lock(&self.shared.failures), name, now)
    }

    /// True when this failure locked the account.
    pub(super) async fn failed(&self, name: &str, now: SystemTime) -> bool {
        if self.lockout.attempts == 0 {
            return false;
        }
        let locked = self.lockout.failed(&mut lock(&self.shared.failures), name, now);
        self.save().await;
        locked
    }

    pub(super) async fn succeeded(&self, name: &str) {
        if self.forget(name) {
            self.save().await;
        }
    }

    fn forget(&self, name: &str) -> bool {
        lock(&self.shared.failures).forget(name)
    }

    /// Writes now if the last write is a second ago, so that a short-lived process has written when it ends;
    /// otherwise later.
    async fn save(&self) {
        if self.shared.file.is_none() {
            return;
        }
        let now = Instant::now();
        let due = {
            let mut written = lock(&self.shared.written);
            let due = written.is_none_or(|last| now.duration_since(last) >= PERIOD);
            if due {
                *written = Some(now);
            }
            due
        };
        if due {
            write(&self.shared, self.lockout).await;
        } else if !self.shared.write_scheduled.swap(true, Ordering::AcqRel) {
            let (shared, lockout) = (Arc::clone(&self.shared), self.lockout);
            tokio::spawn(async move {
                tokio::time::sleep(PERIOD).await;
                if shared.write_scheduled.swap(false, Ordering::AcqRel) {
                    *lock(&shared.written) = Some(Instant::now());
                    write(&shared, lockout).await;
                }
            });
        }
    }
}

impl Drop for FailureLog {
    /// A stop must not forget the failures of the last second: what was to be written later is written now.
    fn drop(&mut self) {
        if self.shared.write_scheduled.swap(false, Ordering::AcqRel) {
            self.shared.write(self.lockout);
        }
    }
}

async fn write(shared: &Arc<Shared>, lockout: Lockout) {
    let shared = Arc::clone(shared);
    // A blocking task only fails when the runtime is going down.
    let _ = tokio::task::spawn_blocking(move || shared.write(lockout)).await;
}

impl Shared {
    fn write(&self, lockout: Lockout) {
        let Some(file) = &self.file else { return };
        let text = {
            let mut failures = lock(&self.failures);
            lockout.tidy(&mut failures, SystemTime::now());
            failures.render()
        };
        if let Err(error) = atomic::replace(file, text.as_bytes()) {
            warn!(file = %file.display(), %error, "cannot write the wrong passwords down, a restart will forget them");
        }
    }
}

fn read(file: &Path) -> Failures {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Failures::default(),
        Err(error) => {
            warn!(file = %file.display(), %error, "cannot read the wrong passwords kept, beginning anew");
            return Failures::default();
        }
    };
    Failures::parse(&text).unwrap_or_else(|error| {
        warn!(file = %file.display(), error, "cannot read the wrong passwords kept, beginning anew");
        Failures::default()
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
