//! When an account is locked: so many failures in a row lock it for a time. Pure; the time is a parameter.
//!
//! Only accounts that exist have an entry, so nobody can fill the memory with names. A failure that is followed by
//! nothing for the lock-out time is forgotten.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    /// Failures in a row.
    failures: u32,
    /// The last one, in seconds since 1970.
    last: u64,
}

/// Failures by account. Its TOML form is the state file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Failures {
    #[serde(default)]
    user: BTreeMap<String, Entry>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Lockout {
    /// 0: never.
    pub(super) attempts: u32,
    pub(super) time: Duration,
}

impl Lockout {
    pub(super) fn is_locked(self, failures: &Failures, name: &str, now: SystemTime) -> bool {
        self.attempts > 0
            && failures
                .user
                .get(name)
                .is_some_and(|entry| entry.failures >= self.attempts && !self.is_over(entry, now))
    }

    /// Counts a wrong password; true when this one locked the account.
    pub(super) fn failed(self, failures: &mut Failures, name: &str, now: SystemTime) -> bool {
        if self.attempts == 0 || self.is_locked(failures, name, now) {
            return false;
        }
        let fresh = failures.user.get(name).filter(|entry| !self.is_over(entry, now));
        let count = fresh.map_or(0, |entry| entry.failures).saturating_add(1);
        failures.user.insert(name.to_owned(), Entry { failures: count, last: seconds(now) });
        count >= self.attempts
    }

    /// A clock that was set back must not lock an account for longer than the time.
    fn is_over(self, entry: &Entry, now: SystemTime) -> bool {
        seconds(now).abs_diff(entry.last) >= self.time.as_secs().max(1)
    }

    /// Drops entries that mean nothing any more.
    pub(super) fn tidy(self, failures: &mut Failures, now: SystemTime) {
        failures.user.retain(|_, entry| !self.is_over(entry, now));
    }
}

impl Failures {
    /// A right password, or a new one: true when there was something to forget.
    pub(super) fn forget(&mut self, name: &str) -> bool {
        self.user.remove(name).is_some()
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.message().to_owned())
    }

    pub(super) fn render(&self) -> String {
        let body = toml::to_string(self).unwrap_or_default();
        format!(
            "# Wrong passwords of LOCAL users, kept over a restart. Delete a user's part to unlock it.\n{body}"
        )
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests;
