//! How a password is checked: one folder for each kind of server, all behind [`tollgate_aaa::Backend`].
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

pub mod kerberos;
pub mod ldap;
pub mod local;
pub mod net;
pub mod nt;
mod nt_status;
pub mod radius;
pub mod sdi;
mod servers;
pub mod tacacs;
pub mod tls;

pub use servers::Servers;
