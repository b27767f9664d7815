//! The other end of the same machines: a dialler that names the stage that failed, and the load generator. Both speak
//! L2TP as a LAC and PPP as the caller, and keep their inner side in memory: no device, no right is needed.
#![forbid(unsafe_code)]

pub mod bench;
pub mod dial;
pub mod eap;
pub mod ip;
pub mod secure;
