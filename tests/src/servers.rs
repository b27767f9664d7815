//! Real servers of the other types: Active Directory, an LDAP directory, a KDC, TACACS+; and a stand-in for RSA SecurID.
#![allow(missing_docs)]

#[path = "../../backends/tests/support/kdc.rs"]
pub mod kdc;
#[path = "../../backends/tests/support/samba.rs"]
pub mod samba;
#[path = "../../backends/tests/support/securid.rs"]
pub mod securid;
#[path = "../../backends/tests/support/slapd.rs"]
pub mod slapd;
#[path = "../../backends/tests/support/tacacs.rs"]
pub mod tacacs;
