//! What the protocol machines and their drivers share, and nothing else: a cursor over bytes that came from the
//! network, a seeded source of unpredictable numbers, so that the machines themselves hold no clock, socket or
//! randomness, and the heap of times at which a driver looks at its machines again.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic))]

mod cursor;
mod deadlines;
mod entropy;

pub use cursor::{Reader, Truncated};
pub use deadlines::Deadlines;
pub use entropy::Entropy;
