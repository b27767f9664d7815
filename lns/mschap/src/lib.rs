//! The arithmetic of MS-CHAP: NT password hashes, the responses of version 1 (RFC 2433) and version 2 (RFC 2759), the
//! change of a password, and the MPPE keys that follow from a login (RFC 3079). Packets and negotiation live in the PPP
//! crate.
//!
//! One rule of use: everything here is a pure function of its arguments, and everything derived from a password is
//! compared in constant time, never with `==` on the octets.
//!
//! MD4, DES and SHA-1 are weak and are here because the protocols are defined by them. The LAN Manager hash and
//! response are left out on purpose: a login that carries nothing else is refused.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

mod mppe;
mod nt_hash;
mod password_change;
mod v1;
mod v2;

pub use mppe::{Direction, KeyStrength, MasterKey, SessionKey, master_key, start_key_v1, start_key_v1_of};
pub use nt_hash::{NtHash, nt_password_hash};
pub use password_change::{
    LONGEST_PASSWORD, PASSWORD_BLOCK, decrypt_new_password, decrypt_old_hash, encrypt_new_password,
    encrypt_old_hash, verify_new_password,
};
pub use v1::{challenge_response, verify_nt_response_v1};
pub use v2::{
    challenge_hash, generate_authenticator_response, generate_nt_response, strip_domain,
    verify_authenticator_response, verify_nt_response_v2,
};
