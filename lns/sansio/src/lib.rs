//! What the protocol machines share, and nothing else: a cursor over bytes that came from the network and a
//! seeded source of unpredictable numbers, so that the machines themselves hold no clock, socket or randomness.
#![forbid(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod cursor;
mod entropy;

pub use cursor::{Reader, Truncated};
pub use entropy::Entropy;
