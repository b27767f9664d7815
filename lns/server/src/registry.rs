//! Who is logged in: how many sessions a user has at once, and which of them goes when there is one too many.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tollgate_policy::group_policy::AtLoginLimit;

/// Where a session lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Handle {
    pub(crate) shard: usize,
    /// Its place in the shard.
    pub(crate) token: u32,
    /// Tells it from an earlier session in the same place.
    pub(crate) generation: u32,
}

/// When a session last carried a packet, in seconds of the server's own clock; written by its shard, read by logins.
#[derive(Debug, Default)]
pub(crate) struct Activity(AtomicU32);

impl Activity {
    pub(crate) fn touch(&self, second: u32) {
        self.0.store(second, Ordering::Relaxed);
    }

    fn last(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

/// All logins, by user name. Names that differ only in case share one limit, as on the old system.
#[derive(Debug)]
pub(crate) struct Registry {
    started: Instant,
    users: Mutex<HashMap<Vec<u8>, Vec<Entry>>>,
    next_login: AtomicU64,
}

#[derive(Debug)]
struct Entry {
    /// Tells apart two logins of one session: one that its peer gave up by negotiating anew, and the one that followed.
    login: u64,
    handle: Handle,
    activity: Arc<Activity>,
    /// The inner address, once it has one.
    address: Option<Ipv4Addr>,
    /// An entry that was told to end no longer counts.
    ending: bool,
}

/// What a login gets.
#[derive(Debug)]
pub(crate) enum Admission {
    /// In; these sessions of the same user have to end.
    In(Ticket, Vec<Handle>),
    /// The limit is reached and the policy refuses.
    Refused,
}

/// A login's place in the registry, given back when dropped.
#[derive(Debug)]
pub(crate) struct Ticket {
    registry: Arc<Registry>,
    user: Vec<u8>,
    login: u64,
    handle: Handle,
    pub(crate) activity: Arc<Activity>,
}

impl Ticket {
    /// Notes the address of the session.
    pub(crate) fn hold(&self, address: Ipv4Addr) {
        let mut users = self.registry.lock();
        let entries = users.get_mut(&self.user).into_iter().flatten();
        for entry in entries.filter(|entry| entry.login == self.login) {
            entry.address = Some(address);
        }
    }

    /// Another session of the same user that holds the address and was not told to end yet; it counts as told now.
    pub(crate) fn earlier_holder(&self, address: Ipv4Addr) -> Option<Handle> {
        let mut users = self.registry.lock();
        let entries = users.get_mut(&self.user)?;
        let holder = entries
            .iter_mut()
            .find(|entry| entry.address == Some(address) && entry.handle != self.handle && !entry.ending)?;
        holder.ending = true;
        Some(holder.handle)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut users = self.registry.lock();
        if let Some(entries) = users.get_mut(&self.user) {
            entries.retain(|entry| entry.login != self.login);
            if entries.is_empty() {
                users.remove(&self.user);
            }
        }
    }
}

impl Registry {
    pub(crate) fn new(started: Instant) -> Arc<Self> {
        Arc::new(Self { started, users: Mutex::default(), next_login: AtomicU64::new(0) })
    }

    /// Seconds since the server began.
    pub(crate) fn second(&self, now: Instant) -> u32 {
        now.saturating_duration_since(self.started).as_secs() as u32
    }

    /// Lets a login in or not. At the limit the longest idle session of the user goes, of equals the oldest.
    pub(crate) fn admit(
        self: &Arc<Self>,
        user: &[u8],
        limit: u32,
        at_limit: AtLoginLimit,
        handle: Handle,
        now: Instant,
    ) -> Admission {
        let user = user.to_ascii_lowercase();
        let mut users = self.lock();
        let entries = users.entry(user.clone()).or_default();
        // An earlier login of this very session is given up: it neither counts nor must the session end for it.
        for entry in entries.iter_mut().filter(|entry| entry.handle == handle) {
            entry.ending = true;
        }
        let mut evicted = Vec::new();
        loop {
            let counted = entries.iter().filter(|entry| !entry.ending).count();
            if counted < limit as usize {
                break;
            }
            match at_limit {
                AtLoginLimit::Refuse => {
                    if entries.is_empty() {
                        users.remove(&user);
                    }
                    return Admission::Refused;
                }
                AtLoginLimit::Replace => {
                    // Entries are in order of login, and min_by_key keeps the first of equals.
                    let idlest = entries
                        .iter_mut()
                        .filter(|entry| !entry.ending)
                        .min_by_key(|entry| entry.activity.last());
                    let Some(entry) = idlest else { break };
                    entry.ending = true;
                    evicted.push(entry.handle);
                }
            }
        }
        let activity = Arc::new(Activity::default());
        activity.touch(self.second(now));
        let login = self.next_login.fetch_add(1, Ordering::Relaxed);
        let entry = Entry { login, handle, activity: Arc::clone(&activity), address: None, ending: false };
        entries.push(entry);
        drop(users);
        Admission::In(Ticket { registry: Arc::clone(self), user, login, handle, activity }, evicted)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Vec<u8>, Vec<Entry>>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handle(token: u32) -> Handle {
        Handle { shard: 0, token, generation: 0 }
    }

    fn admit(registry: &Arc<Registry>, user: &str, limit: u32, rule: AtLoginLimit, token: u32) -> Admission {
        registry.admit(user.as_bytes(), limit, rule, handle(token), Instant::now())
    }

    fn ticket(admission: Admission) -> (Ticket, Vec<Handle>) {
        match admission {
            Admission::In(ticket, evicted) => (ticket, evicted),
            Admission::Refused => panic!("refused"),
        }
    }

    #[test]
    fn at_the_limit_the_longest_idle_session_goes() {
        let registry = Registry::new(Instant::now());
        let (one, _) = ticket(admit(&registry, "Joe", 2, AtLoginLimit::Replace, 1));
        let (two, _) = ticket(admit(&registry, "joe", 2, AtLoginLimit::Replace, 2));
        one.activity.touch(50);
        two.activity.touch(40);
        let (_three, evicted) = ticket(admit(&registry, "JOE", 2, AtLoginLimit::Replace, 3));
        assert_eq!(evicted, [handle(2)], "case does not count, idleness does");
        let (_four, evicted) = ticket(admit(&registry, "joe", 2, AtLoginLimit::Replace, 4));
        assert_eq!(evicted, [handle(3)], "an ending session is not told twice");
    }

    #[test]
    fn with_refuse_the_new_login_stays_out_until_one_ends() {
        let registry = Registry::new(Instant::now());
        let (one, _) = ticket(admit(&registry, "joe", 1, AtLoginLimit::Refuse, 1));
        assert!(matches!(admit(&registry, "joe", 1, AtLoginLimit::Refuse, 2), Admission::Refused));
        drop(one);
        let (_two, evicted) = ticket(admit(&registry, "joe", 1, AtLoginLimit::Refuse, 2));
        assert!(evicted.is_empty());
    }

    #[test]
    fn a_session_that_logs_in_anew_is_neither_told_to_end_nor_forgotten() {
        let registry = Registry::new(Instant::now());
        let (given_up, _) = ticket(admit(&registry, "joe", 1, AtLoginLimit::Replace, 1));
        let (_anew, evicted) = ticket(admit(&registry, "joe", 1, AtLoginLimit::Replace, 1));
        assert!(evicted.is_empty(), "its own earlier login is no rival");
        drop(given_up);
        assert!(
            matches!(admit(&registry, "joe", 1, AtLoginLimit::Refuse, 2), Admission::Refused),
            "the login that stands still counts"
        );
    }

    #[test]
    fn the_same_users_earlier_session_with_an_address_is_found_once() {
        let registry = Registry::new(Instant::now());
        let address = Ipv4Addr::new(10, 0, 0, 9);
        let (old, _) = ticket(admit(&registry, "joe", 3, AtLoginLimit::Replace, 1));
        old.hold(address);
        let (new, _) = ticket(admit(&registry, "joe", 3, AtLoginLimit::Replace, 2));
        let (other, _) = ticket(admit(&registry, "ann", 3, AtLoginLimit::Replace, 3));
        assert_eq!(other.earlier_holder(address), None, "another user's address is not taken");
        assert_eq!(new.earlier_holder(address), Some(handle(1)));
        assert_eq!(new.earlier_holder(address), None);
    }
}
