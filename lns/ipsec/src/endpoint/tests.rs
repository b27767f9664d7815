//! Both ends of the same machines against each other, over a network that a test controls.

mod faults;
mod handshake;
mod lab;
mod rekey;
