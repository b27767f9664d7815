//! What is billed: the record, the interface that records pass through, and its first form.

mod dispatcher;
mod record;

use std::sync::Arc;

pub use dispatcher::{Dispatcher, LANE_LIMIT, WORKERS};

pub use record::{Authentic, Record, RecordKind, TerminateCause, Traffic};

use crate::group::ServerGroup;

/// The one interface that records pass through; a durable spool takes its place later.
pub trait Sink: Send + Sync {
    /// Takes a record over. Never waits; `None` means that the tunnel group bills nowhere.
    fn submit(&self, record: Record, group: Option<Arc<ServerGroup>>);
}

/// Why a record was not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccountingError {
    /// This kind of server keeps no accounts; trying again is useless.
    #[error("this kind of server takes no accounting records")]
    Unsupported,
    /// No acknowledgement came; try again.
    #[error("no acknowledgement: {0}")]
    NoAnswer(String),
    /// The record cannot be sent as it is; trying again is useless.
    #[error("the record cannot be sent: {0}")]
    Unsendable(String),
}

impl AccountingError {
    /// True when the same record may be acknowledged later.
    pub fn may_retry(&self) -> bool {
        match self {
            Self::NoAnswer(_) => true,
            Self::Unsupported | Self::Unsendable(_) => false,
        }
    }
}
