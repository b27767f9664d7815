//! Where a login failed: the layers between the router and the password, outermost first.

use std::fmt;

use serde::Serialize;

/// The layer that failed. `Display` and serde give the words of `aaa test`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// Our own configuration or the type matrix refused.
    Configuration,
    /// The server's name has no address.
    NameResolution,
    /// No connection, or nobody answered.
    Connection,
    /// The server's certificate, or ours, is not accepted.
    Tls,
    /// The server answered what the protocol does not know, or not in time half-way through.
    Protocol,
    /// Server and client do not share the secret, or our own account at the server is refused.
    Secret,
    /// The account exists and may not log in now.
    Account,
    /// The proof does not fit the account, or there is no such account.
    Password,
}

impl Layer {
    /// The word that is printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::NameResolution => "name resolution",
            Self::Connection => "connection",
            Self::Tls => "TLS",
            Self::Protocol => "protocol",
            Self::Secret => "secret",
            Self::Account => "account state",
            Self::Password => "password",
        }
    }

    /// What an operator does about it, where nothing more is known than the layer.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Configuration => "change the configuration as the reason says; `tollgate check` reads it",
            Self::NameResolution => "write the server's IP address, or mend the name service of this machine",
            Self::Connection => {
                "see that the server runs, that address and port are right and that no firewall is between"
            }
            Self::Tls => {
                "give ca the certificate of the authority that signed the server's, and server-name the name in it"
            }
            Self::Protocol => {
                "see that the port belongs to a server of this protocol, and read the server's own log"
            }
            Self::Secret => {
                "write the same secret on both sides, or the right login-dn, keytab or client key here"
            }
            Self::Account => "change the account in the directory; the password was not the fault",
            Self::Password => "try again with the right user name and password",
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
