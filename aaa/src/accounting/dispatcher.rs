//! First form of the sink: records wait in memory until a server has acknowledged them.
//!
//! Each accounting server group has a lane (`simultaneous`: each of its servers has one), and a lane has up to
//! [`WORKERS`] deliveries under way. A session has at most one under way in a lane, so its start is acknowledged before
//! its stop is sent. Nothing survives a crash: that is the durable spool's matter.
//!
//! Memory: a record takes about half a KiB. A lane whose servers are silent keeps at most one interim per session
//! (a newer one replaces it), refuses interims beyond [`LANE_LIMIT`] records and everything beyond twice that, and
//! says so once a second.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, broadcast};
use tokio::time::Instant;
use tracing::{info, warn};

use super::{AccountingError, Record, RecordKind, Sink};
use crate::group::{AccountingMode, ServerGroup};

/// Deliveries under way in one lane.
pub const WORKERS: usize = 256;
/// Records waiting in one lane before interims are refused.
pub const LANE_LIMIT: usize = 131_072;

const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(60);
/// While draining there is no time for patience.
const DRAINING_RETRY: Duration = Duration::from_millis(250);
const SUBSCRIBER_BACKLOG: usize = 1024;

/// Delivers records and keeps trying.
pub struct Dispatcher {
    runtime: Handle,
    shared: Arc<Shared>,
    groups: Mutex<HashMap<String, Vec<Arc<Lane>>>>,
    subscribers: broadcast::Sender<Arc<Record>>,
}

#[derive(Default)]
struct Shared {
    pending: AtomicUsize,
    dropped: AtomicU64,
    draining: AtomicBool,
    all_delivered: Notify,
}

struct Lane {
    /// `None`: whichever server of the group answers.
    server: Option<String>,
    state: Mutex<LaneState>,
    /// A server answers again.
    recovered: Notify,
    failing: AtomicBool,
}

struct LaneState {
    group: Arc<ServerGroup>,
    sessions: HashMap<Arc<str>, VecDeque<Arc<Record>>>,
    /// Sessions with a record to deliver and nobody delivering one, longest waiting first.
    ready: VecDeque<Arc<str>>,
    waiting: usize,
    workers: usize,
    last_complaint: Option<Instant>,
}

impl Dispatcher {
    /// Deliveries run on `runtime`.
    pub fn new(runtime: Handle) -> Arc<Self> {
        Arc::new(Self {
            runtime,
            shared: Arc::default(),
            groups: Mutex::default(),
            subscribers: broadcast::Sender::new(SUBSCRIBER_BACKLOG),
        })
    }

    /// Deliveries not yet acknowledged (in `simultaneous` mode one record counts once for each server).
    pub fn pending(&self) -> usize {
        self.shared.pending.load(Ordering::Acquire)
    }

    /// Deliveries given up: no room, or a record that no server takes.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    /// Every record submitted from now on, for those who only watch. A slow watcher misses some.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Record>> {
        self.subscribers.subscribe()
    }

    /// After a reload: what waits for a group of this name goes to `group` from now on. A server that left the group
    /// keeps what waits for it in `simultaneous` mode.
    pub fn adopt(&self, group: &Arc<ServerGroup>) {
        for lane in lock(&self.groups).get(group.name()).into_iter().flatten() {
            lane.use_group(group);
        }
    }

    /// Waits until nothing is pending, at most `limit`; gives the number of deliveries left. Meant for shutdown:
    /// from now on failed deliveries are retried quickly.
    pub async fn drain(&self, limit: Duration) -> usize {
        self.shared.draining.store(true, Ordering::Release);
        for lane in lock(&self.groups).values().flatten() {
            lane.recovered.notify_waiters();
        }
        let _ = tokio::time::timeout(limit, async {
            loop {
                let delivered = self.shared.all_delivered.notified();
                tokio::pin!(delivered);
                delivered.as_mut().enable();
                if self.pending() == 0 {
                    return;
                }
                delivered.await;
            }
        })
        .await;
        self.pending()
    }

    fn lanes(&self, group: &Arc<ServerGroup>) -> Vec<Arc<Lane>> {
        let mut groups = lock(&self.groups);
        let lanes = match groups.get_mut(group.name()) {
            Some(lanes) => lanes,
            None => groups.entry(group.name().to_owned()).or_default(),
        };
        let of = |server: Option<&str>, lanes: &mut Vec<Arc<Lane>>| match lanes
            .iter()
            .find(|lane| lane.server.as_deref() == server)
        {
            Some(lane) => Arc::clone(lane),
            None => {
                let lane = Arc::new(Lane::new(server.map(str::to_owned), Arc::clone(group)));
                lanes.push(Arc::clone(&lane));
                lane
            }
        };
        match group.accounting_mode() {
            AccountingMode::Single => vec![of(None, lanes)],
            AccountingMode::Simultaneous => group.addresses().map(|server| of(Some(server), lanes)).collect(),
        }
    }
}

impl Sink for Dispatcher {
    fn submit(&self, record: Record, group: Option<Arc<ServerGroup>>) {
        let record = Arc::new(record);
        if self.subscribers.receiver_count() > 0 {
            // Only fails when the last watcher has just left.
            let _ = self.subscribers.send(Arc::clone(&record));
        }
        let Some(group) = group else { return };
        for lane in self.lanes(&group) {
            lane.use_group(&group);
            if lane.submit(Arc::clone(&record), &self.shared) {
                self.runtime.spawn(deliver_all(lane, Arc::clone(&self.shared)));
            }
        }
    }
}

impl Lane {
    fn new(server: Option<String>, group: Arc<ServerGroup>) -> Self {
        let state = LaneState {
            group,
            sessions: HashMap::new(),
            ready: VecDeque::new(),
            waiting: 0,
            workers: 0,
            last_complaint: None,
        };
        Self { server, state: Mutex::new(state), recovered: Notify::new(), failing: AtomicBool::new(false) }
    }

    fn use_group(&self, group: &Arc<ServerGroup>) {
        let serves = self.server.as_deref().is_none_or(|server| group.addresses().any(|one| one == server));
        let mut state = lock(&self.state);
        if serves && !Arc::ptr_eq(&state.group, group) {
            state.group = Arc::clone(group);
        }
    }

    /// True when the caller must start another worker.
    fn submit(&self, record: Arc<Record>, shared: &Shared) -> bool {
        let mut state = lock(&self.state);
        let limit = if record.kind == RecordKind::Interim { LANE_LIMIT } else { 2 * LANE_LIMIT };
        if state.waiting >= limit {
            shared.dropped.fetch_add(1, Ordering::Relaxed);
            let group = state.group.name().to_owned();
            if state.may_complain() {
                let (kind, waiting) = (record.kind, state.waiting);
                warn!(group, %kind, waiting, "no room for accounting records, dropped");
            }
            return false;
        }
        if let Some(waiting) = state.sessions.get_mut(record.context.acct_session_id.as_str()) {
            match waiting.back_mut() {
                // Counters in a later interim include those of an earlier one.
                Some(last) if last.kind == RecordKind::Interim && record.kind == RecordKind::Interim => {
                    *last = record;
                    return false;
                }
                Some(_) | None => waiting.push_back(record),
            }
        } else {
            let session: Arc<str> = Arc::from(record.context.acct_session_id.as_str());
            state.sessions.insert(Arc::clone(&session), VecDeque::from([record]));
            state.ready.push_back(session);
        }
        state.waiting += 1;
        shared.pending.fetch_add(1, Ordering::AcqRel);
        if state.workers < WORKERS && !state.ready.is_empty() {
            state.workers += 1;
            return true;
        }
        false
    }

    /// The next delivery; `None` ends the worker.
    fn take(&self) -> Option<(Arc<str>, Arc<Record>)> {
        let mut state = lock(&self.state);
        while let Some(session) = state.ready.pop_front() {
            if let Some(record) = state.sessions.get_mut(&session).and_then(VecDeque::pop_front) {
                state.waiting -= 1;
                return Some((session, record));
            }
        }
        state.workers -= 1;
        None
    }

    fn done(&self, session: Arc<str>) {
        let mut state = lock(&self.state);
        match state.sessions.get(&session) {
            Some(waiting) if !waiting.is_empty() => state.ready.push_back(session),
            Some(_) | None => {
                state.sessions.remove(&session);
            }
        }
    }

    async fn deliver(&self, record: &Record, shared: &Shared) {
        let mut pause = FIRST_RETRY;
        loop {
            let group = Arc::clone(&lock(&self.state).group);
            let result = match &self.server {
                None => group.account(record).await,
                Some(server) => group.account_to(server, record).await,
            };
            match result {
                Ok(()) => {
                    if self.failing.swap(false, Ordering::AcqRel) {
                        info!(group = group.name(), server = self.server, "accounting is acknowledged again");
                        self.recovered.notify_waiters();
                    }
                    return;
                }
                Err(error) if error.may_retry() => {
                    self.complain(&group, &error);
                    let draining = shared.draining.load(Ordering::Acquire);
                    let wait = if draining { DRAINING_RETRY } else { pause };
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        () = self.recovered.notified() => {}
                    }
                    pause = (pause * 2).min(LAST_RETRY);
                }
                Err(error) => {
                    shared.dropped.fetch_add(1, Ordering::Relaxed);
                    let (kind, session) = (record.kind, &record.context.acct_session_id);
                    let group = group.name();
                    warn!(group, server = self.server, session, %kind, %error, "accounting record dropped");
                    return;
                }
            }
        }
    }

    /// Once for each outage.
    fn complain(&self, group: &ServerGroup, error: &AccountingError) {
        if !self.failing.swap(true, Ordering::AcqRel) {
            warn!(group = group.name(), server = self.server, %error, "accounting is not acknowledged, kept for later");
        }
    }
}

impl LaneState {
    fn may_complain(&mut self) -> bool {
        let now = Instant::now();
        let may = self.last_complaint.is_none_or(|last| now.duration_since(last) >= Duration::from_secs(1));
        if may {
            self.last_complaint = Some(now);
        }
        may
    }
}

async fn deliver_all(lane: Arc<Lane>, shared: Arc<Shared>) {
    while let Some((session, record)) = lane.take() {
        lane.deliver(&record, &shared).await;
        lane.done(session);
        if shared.pending.fetch_sub(1, Ordering::AcqRel) == 1 {
            shared.all_delivered.notify_waiters();
        }
    }
}

/// Everything behind these locks is valid between two statements, so a poisoned one hides nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
