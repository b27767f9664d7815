//! What an operator writes and what a session gets.
//!
//! [`config`] reads `tollgate.toml` and refuses, all at once and in words, whatever is wrong in it. [`session`] merges
//! the AAA answer with the group policies into the one policy of a session, [`pool`] hands out addresses, [`filter`]
//! decides about single packets. Nothing here talks to a network.
#![forbid(unsafe_code)]

pub mod config;
pub mod filter;
pub mod group_policy;
pub mod pool;
pub mod session;
pub mod tunnel_group;

pub use config::{Config, load};
