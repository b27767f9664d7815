//! Both ends of the machines in one process, for the measurements: what one end sends is handed to the other at once.

mod backend;
mod links;
mod tunnels;

pub use backend::{Yes, context, login, router, router_to};
pub use links::set_up as set_up_link;
pub use tunnels::{Tunnels, data_packet};
