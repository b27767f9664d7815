//! PPP as machines without input or output: LCP, authentication, IPCP and keep-alive of one link, for either end of
//! it. RFC 1661 and the protocols on top of it; the way of the frames (L2TP, sockets) is somebody else's.
//!
//! # The one rule of use
//! After every call of [`Link::start`], [`Link::start_with_proxy`], [`Link::handle_frame`], [`Link::handle_timeout`],
//! [`Link::authenticated`] or [`Link::close`]: first send what [`Link::poll_frame`] yields until it yields `None`,
//! then act on what [`Link::poll_event`] yields until it yields `None`, then come back at [`Link::next_timeout`] at
//! the latest. Coming back too early does nothing. After [`Event::Down`] the link is dropped.
//!
//! A frame starts at the PPP address field or, without it, at the protocol field; there is neither flag, escaping
//! nor frame check sequence, as in L2TP (RFC 2661 5.1).
//!
//! ```
//! use std::{sync::Arc, time::Instant};
//! use tollgate_ppp::{AuthProtocol, Link, Phase, ServerConfig};
//! use tollgate_sansio::Entropy;
//!
//! let config = ServerConfig { methods: vec![AuthProtocol::MsChapV2], ..ServerConfig::default() };
//! let mut link = Link::server(Arc::new(config), Entropy::from_seed([0; 32]));
//! link.start(Instant::now());
//! while let Some(frame) = link.poll_frame() {
//!     assert_eq!(frame[..4], [0xFF, 0x03, 0xC0, 0x21]); // LCP, to be sent to the peer
//! }
//! while let Some(event) = link.poll_event() {
//!     println!("{event:?}");
//! }
//! assert_eq!(link.phase(), Phase::Establish);
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

mod auth;
mod ccp;
mod config;
mod echo;
mod encryption;
mod event;
mod frame;
mod fsm;
mod ipcp;
mod lcp;
mod link;
mod mppe;
mod mss;
mod negotiate;
mod options;
mod proxy;
mod shared;
mod terminate;

pub use auth::eap::{EapMethod, EapMethods, EapRefusal, EapReply, eap_method, eap_type};
pub use auth::{AuthDecision, AuthProtocol, AuthRequest, Network, Proof};
pub use config::{ClientConfig, ServerConfig};
pub use encryption::{ClientEncryption, Encryption, MppeMode, MppeStartKeys, MppeStrengths};
pub use event::{Addresses, CloseReason, DownReason, Event, Phase};
pub use frame::{ipv4_payload, is_well_formed};
pub use link::{Link, Unsealed};
pub use mss::clamp_mss;
pub use proxy::{ProxyAuth, ProxyLcp};
pub use tollgate_mschap::KeyStrength;
