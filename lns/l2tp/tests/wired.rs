//! Both ends of the protocol wired together in memory, and one end against octets as real clients send them.

#[path = "wired/authentication.rs"]
mod authentication;
#[path = "wired/clients.rs"]
mod clients;
#[path = "wired/data.rs"]
mod data;
#[path = "wired/endings.rs"]
mod endings;
#[path = "wired/flood.rs"]
mod flood;
#[path = "wired/golden.rs"]
mod golden;
#[path = "wired/peer.rs"]
mod peer;
#[path = "wired/refusals.rs"]
mod refusals;
#[path = "wired/setup.rs"]
mod setup;
#[path = "wired/storms.rs"]
mod storms;
#[path = "wired/wire.rs"]
mod wire;
