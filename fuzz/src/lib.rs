//! What the targets share: a script of steps read from the fuzzer's octets, and drivers that play the steps against a
//! machine and check after each that it keeps its promises.
#![forbid(unsafe_code)]

pub mod endpoint;
pub mod ike;
pub mod link;
pub mod script;
