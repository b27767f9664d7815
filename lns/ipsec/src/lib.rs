//! IPsec for a server and its clients, as machines without sockets, clocks, threads or randomness of their own: IKEv1
//! (RFC 2407, 2408, 2409, 3947) and ESP (RFC 4303, 3948).
#![forbid(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic))]

pub mod algorithm;
pub mod crypto;
pub mod dh;
mod endpoint;
pub mod esp;
pub mod ikev1;
mod place;

pub use endpoint::*;
pub use place::Place;
