//! L2TP (RFC 2661) as a machine without sockets, clocks, threads or randomness of its own: network server (LNS) and
//! access concentrator (LAC), control and data.
//!
//! The one rule of use: **after every call that takes `now`, empty [`Endpoint::poll_transmit`] and then
//! [`Endpoint::poll_event`], and call [`Endpoint::handle_timeout`] no later than [`Endpoint::next_timeout`]**.
//! Transmits come first, because an acknowledgement must leave before the PPP frames that an event leads to.
//! `now` never goes backwards.
//!
//! What stands where: numbers in `codes`, octets in `header`, `avp` and `message`, the reliable control channel in
//! `reliable`, a tunnel's states in `tunnel` with its calls, all tunnels of a shard in `endpoint`, the packet path
//! in `data`.
//!
//! Where we leave RFC 2661, or choose within it:
//! - A Result Code AVP without an error code is understood, and one in Apple's byte order (section 4.4.2 wants
//!   neither). Ours always has the error code.
//! - Missing speed and framing in ICCN, a missing call serial number, and missing framing capabilities are taken
//!   (sections 6.1, 6.6, 6.8).
//! - A StopCCN under a wrong or no tunnel id finds its tunnel by path and Assigned Tunnel ID (section 6.4); one for a
//!   tunnel that is gone is acknowledged.
//! - A refused SCCRQ is answered without keeping state; a repeated one is refused again (section 7.2.1).
//! - A Hello without answer does not end a tunnel whose data still flows (section 5.5).
//! - Outgoing calls are refused; WEN and SLI are taken and have no effect.
#![forbid(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic))]

pub mod auth;
pub mod avp;
mod codes;
mod config;
mod data;
mod endpoint;
mod event;
mod header;
mod ids;
mod info;
pub mod message;
mod reliable;
mod session;
mod shared;
mod table;
mod tunnel;

pub use codes::{
    Attribute, CdnResult, ErrorCode, MessageType, PppDisconnectCode, ProxyAuthenType, StopResult,
};
pub use config::{Config, Role};
pub use endpoint::Endpoint;
pub use event::{
    CallDisconnect, CallInfo, Event, IncomingCall, OpenError, Path, ProxyAuth, ProxyLcp, Received,
    SessionEnd, Transmit, TunnelEnd, TunnelStop,
};
pub use header::{
    CONTROL_HEADER, ControlHeader, DataHeader, HeaderError, MAX_DATA_HEADER, is_tunnel_request,
    peek_tunnel_id,
};
pub use ids::{IdSpace, PeerSessionId, PeerTunnelId, SessionId, SessionKey, TunnelId};
pub use info::{Counters, DropReason, SessionInfo, SessionState, TunnelInfo, TunnelState};
