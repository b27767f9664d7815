//! Both ends of the same machines against each other, over a network that a test controls.

mod cases;
mod certificates;
mod faults;
mod flood;
mod handshake;
mod lab;
mod peer;
mod rekey;
mod stock;
