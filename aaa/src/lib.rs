//! Who may come in: the login router, the type matrix, server groups and accounting.
//!
//! This crate knows nobody: not how a password is checked (that is a [`Backend`]'s matter), not what a session gets
//! (policy), not that PPP is asking. It decides *who is asked*, *under which name*, *what happens on silence*, and it
//! carries accounting records to the servers that bill.
//!
//! The way of one login is [`Router::login`]: user name, tunnel group, type matrix, server group, LOCAL fallback,
//! verdict.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

pub mod accounting;
mod backend;
mod credentials;
mod group;
mod layer;
pub mod matrix;
pub mod pool;
mod request;
mod router;
mod secret;
#[cfg(test)]
mod testing;
pub mod username;
mod verdict;

pub use backend::{AuthRequest, Backend, CounterValues, Counters, Duty};
pub use credentials::Credentials;
pub use group::{
    AccountingMode, GroupAnswer, GroupSettings, GroupStatus, Reactivation, ServerGroup, ServerState,
    ServerStatus,
};
pub use layer::Layer;
pub use matrix::{AuthMethod, MatrixCell, ServerType};
pub use request::{LoginRequest, SessionContext};
pub use router::{Continuation, LoginOutcome, Router, SecondFactor, TunnelGroupRoute};
pub use secret::Secret;
pub use username::{GroupDelimiter, NameError, PrintableName};
pub use verdict::{
    Attributes, Challenge, FramedAddress, MppeKeys, MsChapError, Reject, RejectReason, Unavailable, Verdict,
};
