//! Real RADIUS servers, and what they wrote down about us.

use std::time::Duration;

#[path = "../../backends/tests/support/freeradius.rs"]
mod freeradius;
#[path = "../../backends/tests/support/radclient.rs"]
mod radclient;

pub use freeradius::{Eap, FreeRadius, Options, RadSec, Transport, free_ports};
pub use radclient::{radclient, radclient_unsigned};

use crate::wait_until;

/// Shared secret of the servers that [`start`] starts.
pub const SECRET: &str = "testing123";

/// Starts FreeRADIUS with accounts in the form of its `users` file.
pub fn start(users: &str) -> FreeRadius {
    FreeRadius::start(Options { users: users.to_owned(), ..Options::default() })
}

/// The host table of a server on loopback for server group `corp`; `more` is added to it.
pub fn host(server: &FreeRadius, more: &str) -> String {
    host_at(server.authentication_port, server.accounting_port, more)
}

/// The same for ports where a server may be or not.
pub fn host_at(authentication_port: u16, accounting_port: u16, more: &str) -> String {
    format!(
        "[[server-group.corp.host]]\naddress = \"127.0.0.1\"\nkey = \"{SECRET}\"\nauthentication-port = \
         {authentication_port}\naccounting-port = {accounting_port}\n{more}\n"
    )
}

/// One record of a detail file: its attributes as FreeRADIUS prints them.
#[derive(Debug, Clone)]
pub struct Record {
    attributes: Vec<(String, String)>,
}

impl Record {
    /// The first value of an attribute.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    /// All values of an attribute.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.attributes.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str()).collect()
    }

    /// An attribute that is a number.
    pub fn number(&self, name: &str) -> u64 {
        let value = self.get(name).unwrap_or_else(|| panic!("{name} is missing in {self:?}"));
        value.parse().unwrap_or_else(|_| panic!("{name} = {value}"))
    }
}

/// The records of a detail file.
pub fn records(detail: &str) -> Vec<Record> {
    detail
        .split("\n\n")
        .filter(|record| !record.trim().is_empty())
        .map(|record| Record {
            attributes: record
                .lines()
                .filter_map(|line| line.trim().split_once(" = "))
                .map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned()))
                .collect(),
        })
        .collect()
}

/// Waits for the accounting record of a kind (`Start`, `Interim-Update`, `Stop`) for a user.
pub fn wait_for_record(server: &FreeRadius, kind: &str, user: &str) -> Record {
    let mut found = None;
    wait_until(&format!("a {kind} record of {user} arrives"), Duration::from_secs(20), || {
        found = records(&server.accounting_detail()).into_iter().find(|record| {
            record.get("Acct-Status-Type") == Some(kind) && record.get("User-Name") == Some(user)
        });
        found.is_some()
    });
    found.expect("just found")
}
