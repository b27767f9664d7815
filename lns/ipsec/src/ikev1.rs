//! IKEv1: what is on the wire, what can be agreed on, and the keys that come of it. The machines that use these parts
//! stand in `endpoint`.
//!
//! Where we leave the RFCs, or choose within them:
//! - Reserved fields are not looked at, and payloads that are not known here are passed over, critical or not: old
//!   clients set both (RFC 2408 section 3.2 would refuse the first).
//! - Of several proposals the first transform in the peer's order that is allowed is taken and returned octet for
//!   octet, lifetimes included (RFC 2408 section 4.2 leaves the choice to the responder).
//! - The commit bit is not set by us and has no effect when set by others (RFC 2408 section 3.1): the responder's
//!   association works from its answer on, which is what the bit is for.

pub mod fragment;
pub mod header;
pub mod identification;
pub mod keys;
pub mod nat;
pub mod notify;
pub mod payload;
pub mod proposal;
pub mod selection;
pub mod vendor;
