//! What every kind of server offers, and the figures that are kept about it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;

use crate::accounting::{AccountingError, Record};
use crate::credentials::Credentials;
use crate::matrix::ServerType;
use crate::request::SessionContext;
use crate::verdict::{Reject, RejectReason, Verdict};

/// What a backend is asked.
#[derive(Debug, Clone, Copy)]
pub struct AuthRequest<'a> {
    /// After stripping: what is sent, and what a user is looked up by.
    pub name: &'a [u8],
    /// As typed: what an MS-CHAPv2 peer hashed (RFC 2759 section 8.2).
    pub typed_name: &'a [u8],
    /// The proof.
    pub credentials: &'a Credentials,
    /// The tunnel group chosen.
    pub tunnel_group: &'a str,
    /// The caller's circumstances.
    pub context: &'a SessionContext,
}

/// Which of the two services of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// Deciding about logins, and what they get.
    Authentication,
    /// Taking records.
    Accounting,
}

/// One server of a group.
#[async_trait]
pub trait Backend: Send + Sync {
    /// How it is named in logs and by `show aaa`: `192.0.2.10:1812`, `LOCAL`.
    fn address(&self) -> String;

    /// Its row of the type matrix.
    fn server_type(&self) -> ServerType;

    /// How long [`Self::authenticate`] may take, 1 to 300 seconds. The group gives up a moment later, so that a backend
    /// which keeps its own clock can say what it waited for. `None`: it waits for nobody.
    fn timeout(&self) -> Option<Duration> {
        None
    }

    /// Asks once, with whatever retransmission the protocol has. Silence is [`Verdict::Unavailable`].
    ///
    /// Verdicts and round trips are counted by the group; a backend counts what only it sees: retransmissions,
    /// malformed answers, bad authenticators.
    async fn authenticate(&self, request: &AuthRequest<'_>) -> Verdict;

    /// Asks what the session of a user gets whom somebody else has authenticated. The credentials are not looked at.
    async fn authorize(&self, request: &AuthRequest<'_>) -> Verdict {
        let _ = request;
        let why = format!("{} does not authorize", self.server_type().title());
        Verdict::Reject(Reject::new(RejectReason::CannotBeSent(why)))
    }

    /// Asks by the protocol's own dialogue with a user at a terminal instead of as PPP does, the password of PAP being
    /// what the user types: for `aaa test`.
    async fn converse(&self, request: &AuthRequest<'_>) -> Verdict {
        let _ = request;
        let why = format!("{} has no ASCII login; name a method of PPP", self.server_type().title());
        Verdict::Reject(Reject::new(RejectReason::CannotBeSent(why)))
    }

    /// Delivers one record. `Ok` means that the server has acknowledged it.
    async fn account(&self, record: &Record) -> Result<(), AccountingError> {
        let _ = record;
        Err(AccountingError::Unsupported)
    }

    /// Asked before a login or a record is risked on a server that had failed: does this service of it answer? `None`:
    /// there is no way to know but to risk it.
    async fn is_alive(&self, duty: Duty) -> Option<bool> {
        let _ = duty;
        None
    }

    /// The figures of this server.
    fn counters(&self) -> &Counters;
}

/// Figures of one server, counted up without a lock.
#[derive(Debug, Default)]
pub struct Counters {
    /// Questions asked (not retransmissions).
    pub requests: AtomicU64,
    /// Accepts.
    pub accepts: AtomicU64,
    /// Rejects.
    pub rejects: AtomicU64,
    /// Challenges.
    pub challenges: AtomicU64,
    /// Questions without an answer.
    pub timeouts: AtomicU64,
    /// Answers that did not decode.
    pub malformed: AtomicU64,
    /// Answers whose authenticator or Message-Authenticator was wrong or missing.
    pub bad_authenticators: AtomicU64,
    /// Answers that belong to no open question: late, doubled or forged.
    pub unexpected: AtomicU64,
    /// Datagrams sent again.
    pub retransmissions: AtomicU64,
    /// Sum of all round trips, in microseconds.
    pub round_trip_micros: AtomicU64,
    /// How many round trips are in the sum.
    pub round_trips: AtomicU64,
    /// Accounting requests sent (not retransmissions).
    pub accounting_requests: AtomicU64,
    /// Accounting requests acknowledged.
    pub accounting_responses: AtomicU64,
}

impl Counters {
    /// One more.
    pub fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn note_verdict(&self, verdict: &Verdict, round_trip: Duration) {
        let counter = match verdict {
            Verdict::Accept(_) => &self.accepts,
            Verdict::Reject(_) => &self.rejects,
            Verdict::Challenge(_) => &self.challenges,
            Verdict::Unavailable(_) => {
                Self::count(&self.timeouts);
                return;
            }
        };
        Self::count(counter);
        let micros = u64::try_from(round_trip.as_micros()).unwrap_or(u64::MAX);
        self.round_trip_micros.fetch_add(micros, Ordering::Relaxed);
        Self::count(&self.round_trips);
    }

    /// All figures as they stand.
    pub fn values(&self) -> CounterValues {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CounterValues {
            requests: load(&self.requests),
            accepts: load(&self.accepts),
            rejects: load(&self.rejects),
            challenges: load(&self.challenges),
            timeouts: load(&self.timeouts),
            malformed: load(&self.malformed),
            bad_authenticators: load(&self.bad_authenticators),
            unexpected: load(&self.unexpected),
            retransmissions: load(&self.retransmissions),
            average_round_trip_micros: load(&self.round_trip_micros)
                .checked_div(load(&self.round_trips))
                .unwrap_or(0),
            accounting_requests: load(&self.accounting_requests),
            accounting_responses: load(&self.accounting_responses),
        }
    }

    /// Takes over the figures of the same server from before a reload.
    pub(crate) fn adopt(&self, old: &Self) {
        let pairs = [
            (&self.requests, &old.requests),
            (&self.accepts, &old.accepts),
            (&self.rejects, &old.rejects),
            (&self.challenges, &old.challenges),
            (&self.timeouts, &old.timeouts),
            (&self.malformed, &old.malformed),
            (&self.bad_authenticators, &old.bad_authenticators),
            (&self.unexpected, &old.unexpected),
            (&self.retransmissions, &old.retransmissions),
            (&self.round_trip_micros, &old.round_trip_micros),
            (&self.round_trips, &old.round_trips),
            (&self.accounting_requests, &old.accounting_requests),
            (&self.accounting_responses, &old.accounting_responses),
        ];
        for (new, old) in pairs {
            new.fetch_add(old.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }
}

/// [`Counters`] at one moment, for printing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CounterValues {
    /// Questions asked.
    pub requests: u64,
    /// Accepts.
    pub accepts: u64,
    /// Rejects.
    pub rejects: u64,
    /// Challenges.
    pub challenges: u64,
    /// Questions without an answer.
    pub timeouts: u64,
    /// Answers that did not decode.
    pub malformed: u64,
    /// Answers that failed their check.
    pub bad_authenticators: u64,
    /// Answers that belong to no open question.
    pub unexpected: u64,
    /// Datagrams sent again.
    pub retransmissions: u64,
    /// Mean of the answered questions, in microseconds; 0 without any.
    pub average_round_trip_micros: u64,
    /// Accounting requests sent.
    pub accounting_requests: u64,
    /// Accounting requests acknowledged.
    pub accounting_responses: u64,
}
