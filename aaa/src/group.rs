//! A server group: several servers in order, who of them is asked, and what is known about each.
//!
//! One login asks each server at most once, in the configured order; the first verdict ends it. A server is left out
//! once `max-failed-attempts` questions in a row went unanswered. Authentication and accounting keep separate health:
//! a server that bills badly may still authenticate well.

mod health;
mod status;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;
use tracing::{info, warn};

pub use status::{GroupStatus, ServerState, ServerStatus};

use crate::accounting::{AccountingError, Record};
use crate::backend::{AuthRequest, Backend, Counters, Duty};
use crate::layer::Layer;
use crate::matrix::ServerType;
use crate::verdict::{Unavailable, Verdict};
use health::{Change, Health, Turn};

/// When a failed server is asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reactivation {
    /// Only once every server has failed, this long after the last one did.
    Depletion {
        /// 0 to 1440 minutes.
        dead_time: Duration,
    },
    /// Each one 30 seconds after it failed.
    Timed,
}

/// Which servers get an accounting record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AccountingMode {
    /// One, in order.
    #[default]
    Single,
    /// Every one.
    Simultaneous,
}

/// What the configuration says about a group.
#[derive(Debug, Clone)]
pub struct GroupSettings {
    /// Its name.
    pub name: String,
    /// What its servers are.
    pub server_type: ServerType,
    /// Unanswered questions in a row that mark a server failed, 1 to 5.
    pub max_failed_attempts: u32,
    /// When a failed server is asked again.
    pub reactivation: Reactivation,
    /// Which servers get an accounting record.
    pub accounting_mode: AccountingMode,
}

/// What a group answered.
#[derive(Debug, Clone)]
pub struct GroupAnswer {
    /// The verdict; [`Verdict::Unavailable`] when no server answered.
    pub verdict: Verdict,
    /// The server that gave it.
    pub server: Option<String>,
    /// Its place in the group, for the next round of a login in several.
    pub(crate) member: Option<usize>,
    /// From the first question to the verdict.
    pub round_trip: Duration,
}

/// What to do with a group none of whose servers may be asked now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhenDead {
    /// Nothing else could decide: ask them all the same.
    KeepTrying,
    /// Somebody else can decide: leave them alone until their time has come.
    GiveUp,
}

struct Member {
    address: String,
    backend: Arc<dyn Backend>,
}

/// A server group. Shared by all logins; the lock inside is held for a few comparisons only.
pub struct ServerGroup {
    settings: GroupSettings,
    members: Vec<Member>,
    authentication: Mutex<Health>,
    accounting: Mutex<Health>,
}

/// What a server is asked about a login.
#[derive(Clone, Copy)]
enum Purpose {
    /// Is it this user?
    Authentication,
    /// What does this user get?
    Authorization,
    /// Is it this user, by the protocol's own dialogue?
    Dialogue,
}

impl ServerGroup {
    /// A group of these servers, asked in this order. All start as active.
    pub fn new(settings: GroupSettings, servers: Vec<Arc<dyn Backend>>) -> Self {
        let health = || {
            let wall = SystemTime::now();
            Mutex::new(Health::new(servers.len(), settings.max_failed_attempts, settings.reactivation, wall))
        };
        let (authentication, accounting) = (health(), health());
        let members =
            servers.into_iter().map(|backend| Member { address: backend.address(), backend }).collect();
        Self { settings, members, authentication, accounting }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// What its servers are.
    pub fn server_type(&self) -> ServerType {
        self.settings.server_type
    }

    /// Which servers get an accounting record.
    pub fn accounting_mode(&self) -> AccountingMode {
        self.settings.accounting_mode
    }

    /// Addresses of the servers, in order.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|member| member.address.as_str())
    }

    /// Asks the servers in order until one decides. When all have failed, asks them all the same.
    pub async fn authenticate(&self, request: &AuthRequest<'_>) -> GroupAnswer {
        self.ask(request, WhenDead::KeepTrying).await
    }

    pub(crate) async fn ask(&self, request: &AuthRequest<'_>, when_dead: WhenDead) -> GroupAnswer {
        self.ask_for(Purpose::Authentication, request, when_dead).await
    }

    pub(crate) async fn ask_to_authorize(&self, request: &AuthRequest<'_>) -> GroupAnswer {
        self.ask_for(Purpose::Authorization, request, WhenDead::KeepTrying).await
    }

    pub(crate) async fn converse(&self, request: &AuthRequest<'_>) -> GroupAnswer {
        self.ask_for(Purpose::Dialogue, request, WhenDead::KeepTrying).await
    }

    async fn ask_for(&self, purpose: Purpose, request: &AuthRequest<'_>, when_dead: WhenDead) -> GroupAnswer {
        let begun = Instant::now();
        let mut why = None;
        let mut asked = vec![false; self.members.len()];
        for (index, (member, asked)) in self.members.iter().zip(&mut asked).enumerate() {
            let Some(turn) = self.live_turn(Duty::Authentication, index, member).await else { continue };
            *asked = true;
            match self.ask_one(purpose, member, request, turn).await {
                Verdict::Unavailable(unavailable) => why = Some(unavailable),
                verdict => return decided(verdict, index, member, begun),
            }
        }
        if when_dead == WhenDead::KeepTrying {
            for (index, (member, asked)) in self.members.iter().zip(&asked).enumerate() {
                if *asked {
                    continue;
                }
                let turn = HeldTurn { group: self, duty: Duty::Authentication, index, probe: false };
                match self.ask_one(purpose, member, request, turn).await {
                    Verdict::Unavailable(unavailable) => why = Some(unavailable),
                    verdict => return decided(verdict, index, member, begun),
                }
            }
        }
        let why = why.unwrap_or_else(|| self.nobody_asked());
        GroupAnswer {
            verdict: Verdict::Unavailable(why),
            server: None,
            member: None,
            round_trip: begun.elapsed(),
        }
    }

    /// Asks the one server that has the login's earlier rounds. No other could go on with it.
    pub(crate) async fn ask_again(&self, index: usize, request: &AuthRequest<'_>) -> GroupAnswer {
        let begun = Instant::now();
        let Some(member) = self.members.get(index) else {
            let verdict = Verdict::Unavailable(self.nobody_asked());
            return GroupAnswer { verdict, server: None, member: None, round_trip: Duration::ZERO };
        };
        let turn = HeldTurn { group: self, duty: Duty::Authentication, index, probe: false };
        let verdict = self.ask_one(Purpose::Authentication, member, request, turn).await;
        decided(verdict, index, member, begun)
    }

    async fn ask_one(
        &self,
        purpose: Purpose,
        member: &Member,
        request: &AuthRequest<'_>,
        turn: HeldTurn<'_>,
    ) -> Verdict {
        let counters = member.backend.counters();
        Counters::count(&counters.requests);
        let begun = Instant::now();
        let verdict = within_timeout(purpose, member, request).await;
        counters.note_verdict(&verdict, begun.elapsed());
        match &verdict {
            Verdict::Accept(_) | Verdict::Reject(_) | Verdict::Challenge(_) => turn.answered(),
            Verdict::Unavailable(_) => turn.unanswered(),
        }
        verdict
    }

    /// Delivers a record to the first server that acknowledges it (`single`), or to all of them (`simultaneous`;
    /// then an error means that at least one has not acknowledged).
    pub async fn account(&self, record: &Record) -> Result<(), AccountingError> {
        match self.settings.accounting_mode {
            AccountingMode::Single => self.account_single(record).await,
            AccountingMode::Simultaneous => {
                let mut result = Ok(());
                for member in &self.members {
                    result = result.and(self.account_to(&member.address, record).await);
                }
                result
            }
        }
    }

    async fn account_single(&self, record: &Record) -> Result<(), AccountingError> {
        let mut error = AccountingError::NoAnswer(self.nobody_asked().why);
        let mut asked = vec![false; self.members.len()];
        for (index, (member, asked)) in self.members.iter().zip(&mut asked).enumerate() {
            let Some(turn) = self.live_turn(Duty::Accounting, index, member).await else { continue };
            *asked = true;
            match self.account_one(member, record, turn).await {
                Ok(()) => return Ok(()),
                Err(failure) => error = failure,
            }
        }
        for (index, (member, asked)) in self.members.iter().zip(&asked).enumerate() {
            if *asked {
                continue;
            }
            let turn = HeldTurn { group: self, duty: Duty::Accounting, index, probe: false };
            match self.account_one(member, record, turn).await {
                Ok(()) => return Ok(()),
                Err(failure) => error = failure,
            }
        }
        Err(error)
    }

    /// Delivers a record to one server of the group.
    pub async fn account_to(&self, address: &str, record: &Record) -> Result<(), AccountingError> {
        match self.members.iter().enumerate().find(|(_, member)| member.address == address) {
            Some((index, member)) => {
                let turn = self.take_turn(Duty::Accounting, index).unwrap_or(HeldTurn {
                    group: self,
                    duty: Duty::Accounting,
                    index,
                    probe: false,
                });
                self.account_one(member, record, turn).await
            }
            None => Err(AccountingError::Unsendable(format!("no server {address} in group {}", self.name()))),
        }
    }

    async fn account_one(
        &self,
        member: &Member,
        record: &Record,
        turn: HeldTurn<'_>,
    ) -> Result<(), AccountingError> {
        let counters = member.backend.counters();
        Counters::count(&counters.accounting_requests);
        let result = member.backend.account(record).await;
        match &result {
            Ok(()) => {
                Counters::count(&counters.accounting_responses);
                turn.answered();
            }
            Err(AccountingError::NoAnswer(_)) => turn.unanswered(),
            // Says nothing about the server's health.
            Err(AccountingError::Unsupported | AccountingError::Unsendable(_)) => drop(turn),
        }
        result
    }

    fn nobody_asked(&self) -> Unavailable {
        let why = if self.members.is_empty() {
            format!("server group {} has no server", self.name())
        } else {
            format!("every server of group {} has failed", self.name())
        };
        Unavailable::new(Layer::Connection, why)
    }

    fn take_turn(&self, duty: Duty, index: usize) -> Option<HeldTurn<'_>> {
        match self.health(duty).turn(index, Instant::now()) {
            Turn::Ask => Some(HeldTurn { group: self, duty, index, probe: false }),
            Turn::Probe => Some(HeldTurn { group: self, duty, index, probe: true }),
            Turn::Skip => None,
        }
    }

    /// As [`Self::take_turn`]; a server that says by itself whether it is back is asked that before anything is risked
    /// on it.
    async fn live_turn(&self, duty: Duty, index: usize, member: &Member) -> Option<HeldTurn<'_>> {
        let turn = self.take_turn(duty, index)?;
        if turn.probe && member.backend.is_alive(duty).await == Some(false) {
            turn.unanswered();
            return None;
        }
        Some(turn)
    }

    fn health(&self, duty: Duty) -> MutexGuard<'_, Health> {
        let health = match duty {
            Duty::Authentication => &self.authentication,
            Duty::Accounting => &self.accounting,
        };
        // The table is valid after every single assignment, so a poisoned lock hides nothing.
        health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log(&self, index: usize, change: Change) {
        let server = self.members.get(index).map_or("?", |member| member.address.as_str());
        let protocol = self.settings.server_type.as_str();
        match change {
            Change::None => {}
            Change::MarkedFailed => warn!(group = self.name(), server, protocol, "server marked failed"),
            Change::MarkedActive => info!(group = self.name(), server, protocol, "server marked active"),
        }
    }

    /// After a reload: servers that stayed keep their state and figures. Call before the new group is used.
    pub fn adopt_health(&self, old: &ServerGroup) {
        for duty in [Duty::Authentication, Duty::Accounting] {
            let old_health = old.health(duty);
            let mut health = self.health(duty);
            for (index, member) in self.members.iter().enumerate() {
                if let Some(was) = old.members.iter().position(|old| old.address == member.address) {
                    health.adopt(index, &old_health, was);
                }
            }
        }
        for member in &self.members {
            if let Some(was) = old.members.iter().find(|old| old.address == member.address)
                && !Arc::ptr_eq(&was.backend, &member.backend)
            {
                member.backend.counters().adopt(was.backend.counters());
            }
        }
    }

    /// Everything `show aaa` prints about this group.
    pub fn status(&self) -> GroupStatus {
        status::of(self)
    }
}

/// After the backend's own timeout, so that its words are heard.
const GRACE: Duration = Duration::from_millis(500);

async fn within_timeout(purpose: Purpose, member: &Member, request: &AuthRequest<'_>) -> Verdict {
    let question = match purpose {
        Purpose::Authentication => member.backend.authenticate(request),
        Purpose::Authorization => member.backend.authorize(request),
        Purpose::Dialogue => member.backend.converse(request),
    };
    let Some(limit) = member.backend.timeout() else { return question.await };
    tokio::time::timeout(limit + GRACE, question).await.unwrap_or_else(|_| {
        let why = format!("{} gave no verdict within {} s", member.address, limit.as_secs());
        Verdict::Unavailable(Unavailable::new(Layer::Protocol, why))
    })
}

fn decided(verdict: Verdict, index: usize, member: &Member, begun: Instant) -> GroupAnswer {
    GroupAnswer {
        verdict,
        server: Some(member.address.clone()),
        member: Some(index),
        round_trip: begun.elapsed(),
    }
}

/// The right to ask one server once; gives a probe back when its caller goes away half-way.
struct HeldTurn<'a> {
    group: &'a ServerGroup,
    duty: Duty,
    index: usize,
    probe: bool,
}

impl HeldTurn<'_> {
    fn answered(mut self) {
        self.probe = false;
        let change = self.group.health(self.duty).answered(self.index, SystemTime::now());
        self.group.log(self.index, change);
    }

    fn unanswered(mut self) {
        self.probe = false;
        let change = self.group.health(self.duty).unanswered(self.index, Instant::now(), SystemTime::now());
        self.group.log(self.index, change);
    }
}

impl Drop for HeldTurn<'_> {
    fn drop(&mut self) {
        if self.probe {
            self.group.health(self.duty).abandoned(self.index);
        }
    }
}

#[cfg(test)]
mod tests;
