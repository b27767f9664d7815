//! What `show aaa` prints about a group.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::health::{Health, State};
use super::{AccountingMode, Duty, Reactivation, ServerGroup};
use crate::backend::CounterValues;
use crate::matrix::ServerType;

/// State of one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServerState {
    /// Asked in turn.
    Active,
    /// Left out.
    Failed,
    /// Failed; its next question, or the one under way, decides.
    Probing,
}

impl ServerState {
    /// The word that is printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Failed => "failed",
            Self::Probing => "probing",
        }
    }
}

/// One server of a group.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ServerStatus {
    /// `192.0.2.10:1812`, `LOCAL`.
    pub address: String,
    /// Whether logins ask it.
    pub state: ServerState,
    /// Since when, in seconds after 1970-01-01 00:00 UTC.
    pub since: u64,
    /// Questions in a row without an answer.
    pub unanswered: u32,
    /// Whether accounting records go there.
    pub accounting_state: ServerState,
    /// Since when, in seconds after 1970-01-01 00:00 UTC.
    pub accounting_since: u64,
    /// Figures since the start.
    pub counters: CounterValues,
}

/// One group.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct GroupStatus {
    /// Its name.
    pub name: String,
    /// What its servers are.
    pub protocol: ServerType,
    /// `depletion` or `timed`.
    pub reactivation_mode: &'static str,
    /// Seconds; only with `depletion`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_time: Option<u64>,
    /// Unanswered questions in a row that mark a server failed.
    pub max_failed_attempts: u32,
    /// `single` or `simultaneous`.
    pub accounting_mode: &'static str,
    /// In the order in which they are asked.
    pub servers: Vec<ServerStatus>,
}

pub(super) fn of(group: &ServerGroup) -> GroupStatus {
    let (reactivation_mode, dead_time) = match group.settings.reactivation {
        Reactivation::Depletion { dead_time } => ("depletion", Some(dead_time.as_secs())),
        Reactivation::Timed => ("timed", None),
    };
    let servers = group.members.iter().enumerate().map(|(index, member)| {
        let (state, since, unanswered) = view(&group.health(Duty::Authentication), index);
        let (accounting_state, accounting_since, _) = view(&group.health(Duty::Accounting), index);
        let counters = member.backend.counters().values();
        let address = member.address.clone();
        ServerStatus { address, state, since, unanswered, accounting_state, accounting_since, counters }
    });
    GroupStatus {
        name: group.settings.name.clone(),
        protocol: group.settings.server_type,
        reactivation_mode,
        dead_time,
        max_failed_attempts: group.settings.max_failed_attempts,
        accounting_mode: match group.settings.accounting_mode {
            AccountingMode::Single => "single",
            AccountingMode::Simultaneous => "simultaneous",
        },
        servers: servers.collect(),
    }
}

fn view(health: &Health, index: usize) -> (ServerState, u64, u32) {
    let (state, since) = health.state(index).unwrap_or((State::Active { unanswered: 0 }, UNIX_EPOCH));
    let since = since.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    match state {
        State::Active { unanswered } => (ServerState::Active, since, unanswered),
        State::Failed { .. } => (ServerState::Failed, since, 0),
        State::Returning | State::Probing => (ServerState::Probing, since, 0),
    }
}
