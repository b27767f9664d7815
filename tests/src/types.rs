//! A server of each type, each the real one, with the same user in all of them; and the words of the configuration that
//! lead to each.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Once;

use crate::front::Front;
use crate::pki::Authority;
use crate::radius::{Eap, FreeRadius, Options, SECRET};
use crate::servers::samba::{BASE, DOMAIN, HOST_NAME, REALM, Samba};
use crate::servers::securid::{self, CLIENT_ID, CLIENT_KEY, PASSCODE, SecurId};
use crate::servers::tacacs;
use crate::tollgate::LOOPBACK;

/// What `joe` types everywhere. A token shows it, so it is everybody's password.
pub const PASSWORD: &str = PASSCODE;

/// Our own service in the domain.
pub const SERVICE: &str = "host/vpn.corp.test";

/// Each server group with its row of the matrix: its name here, its title, the methods that it serves.
pub const ROWS: [(&str, &str, &[&str]); 7] = [
    ("LOCAL", "LOCAL", &["pap", "ms-chap-v1", "ms-chap-v2"]),
    ("radius", "RADIUS", &["pap", "chap", "ms-chap-v1", "ms-chap-v2", "eap"]),
    ("tacacs", "TACACS+", &["pap", "chap", "ms-chap-v1"]),
    ("directory", "LDAP", &["pap"]),
    ("nt", "NT", &["pap"]),
    ("kerberos", "Kerberos", &["pap"]),
    ("sdi", "SDI", &["pap"]),
];

/// The groups that ask a server.
pub const REMOTE: [&str; 6] = ["radius", "tacacs", "directory", "nt", "kerberos", "sdi"];

/// The servers.
pub struct Lab {
    /// FreeRADIUS.
    pub radius: FreeRadius,
    /// TACACS+ on scapy's packets.
    pub tacacs: tacacs::Server,
    /// Active Directory, for LDAP, NT and Kerberos.
    pub domain: &'static Samba,
    /// The key of [`SERVICE`].
    pub keytab: PathBuf,
    /// Stand-in for RSA Authentication Manager.
    pub securid: SecurId,
}

impl Lab {
    /// All of them with `joe`, who has [`PASSWORD`].
    pub fn start() -> Self {
        Self::with("", "")
    }

    /// The same with more lines for FreeRADIUS's `users` file, and more of TACACS+'s users in JSON, each with a comma
    /// before it.
    pub fn with(radius_users: &str, tacacs_users: &str) -> Self {
        Self::with_settings(radius_users, tacacs_users, "")
    }

    /// The same with settings of the TACACS+ server, in JSON with a comma behind each.
    pub fn with_settings(radius_users: &str, tacacs_users: &str, tacacs_settings: &str) -> Self {
        let authority = Authority::new("/O=Corp/CN=Corp CA");
        let own = authority.issue("/O=Corp/CN=radius.corp.test", Some("DNS:radius.corp.test"));
        let eap = Eap {
            certificate: own.certificate,
            key: own.key,
            ca: authority.certificate(),
            first_method: "md5",
        };
        static JOE: Once = Once::new();
        let domain = Samba::shared();
        JOE.call_once(|| {
            domain.add_user("joe", PASSWORD, "");
            // 24: AES alone, as every domain of today has it.
            let service = format!("servicePrincipalName: {SERVICE}\nmsDS-SupportedEncryptionTypes: 24\n");
            domain.add_user("vpn", "the key of our own service", &service);
        });
        Self {
            radius: FreeRadius::start(Options {
                users: format!("joe Cleartext-Password := \"{PASSWORD}\"\n{radius_users}"),
                eap: Some(eap),
                ..Options::default()
            }),
            tacacs: tacacs::Server::with(&format!(
                r#""users": {{"joe": "{PASSWORD}"{tacacs_users}}}, {tacacs_settings}"#
            )),
            domain,
            keytab: domain.export_keytab(Some(SERVICE)),
            securid: SecurId::start(),
        }
    }

    /// Where the server of a group listens.
    pub fn address(&self, group: &str) -> SocketAddr {
        match group {
            "radius" => self.radius.address(),
            "tacacs" => ([127, 0, 0, 1], self.tacacs.port).into(),
            "directory" => (self.domain.address(), 636).into(),
            "nt" => (self.domain.address(), 445).into(),
            "kerberos" => (self.domain.address(), 88).into(),
            "sdi" => self.securid.address(),
            other => panic!("no server group {other}"),
        }
    }

    /// The words of a server group of [`REMOTE`], under that name unless it is given another.
    pub fn group(&self, group: &str) -> Group {
        let at = self.address(group);
        let text = |value: &dyn fmt::Display| format!("\"{value}\"");
        let words = Group { name: group.to_owned(), group: BTreeMap::new(), host: BTreeMap::new() };
        let words = words.host("address", text(&at.ip()));
        match group {
            "radius" => {
                let accounting_port = self.radius.accounting_port;
                words
                    .group("protocol", text(&"radius"))
                    .host("authentication-port", at.port())
                    .host("accounting-port", accounting_port)
                    .host("key", text(&SECRET))
            }
            "tacacs" => words
                .group("protocol", text(&"tacacs+"))
                .host("port", at.port())
                .host("key", text(&tacacs::KEY)),
            "directory" => words
                .group("protocol", text(&"ldap"))
                .host("port", at.port())
                .host("ldap-over-ssl", "true")
                .host("ca", text(&self.domain.ca().display()))
                .host("server-name", text(&HOST_NAME))
                .host("ldap-base-dn", text(&BASE))
                .host("ldap-scope", text(&"subtree"))
                .host("ldap-naming-attribute", text(&"sAMAccountName"))
                .host("ldap-login-dn", text(&"joe@corp.test"))
                .host("ldap-login-password", text(&PASSWORD)),
            "nt" => {
                words.group("protocol", text(&"nt")).host("port", at.port()).host("domain", text(&DOMAIN))
            }
            "kerberos" => words
                .group("protocol", text(&"kerberos"))
                .group("keytab", text(&self.keytab.display()))
                .group("service-principal", text(&SERVICE))
                .host("port", at.port())
                .host("kerberos-realm", text(&REALM)),
            "sdi" => words
                .group("protocol", text(&"sdi"))
                .without("address")
                .host("url", text(&self.securid.url()))
                .host("server-name", text(&securid::HOST_NAME))
                .host("client-id", text(&CLIENT_ID))
                .host("client-key", text(&CLIENT_KEY))
                .host("ca", text(&self.securid.ca().display())),
            other => panic!("no server group {other}"),
        }
    }
}

/// A server group with one host, on its way into a configuration. `Display` gives its tables.
#[derive(Clone)]
pub struct Group {
    name: String,
    group: BTreeMap<&'static str, String>,
    host: BTreeMap<&'static str, String>,
}

impl Group {
    /// Under another name.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Whether it is of that name.
    pub fn is(&self, name: &str) -> bool {
        self.name == name
    }

    /// Sets a word of the group to a value as TOML has it.
    pub fn group(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        self.group.insert(key, value.to_string());
        self
    }

    /// Sets a word of the host.
    pub fn host(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        self.host.insert(key, value.to_string());
        self
    }

    /// Gives the server so many seconds.
    pub fn timeout(self, seconds: u64) -> Self {
        let retries = self.host.contains_key("authentication-port");
        let words = self.host("timeout", seconds);
        // It may not be longer, and is 2 unless told.
        if retries { words.host("retry-interval", seconds.min(2)) } else { words }
    }

    /// Leaves a word of the host out.
    pub fn without(mut self, key: &str) -> Self {
        self.host.remove(key);
        self
    }

    /// Asks the server through a relay.
    pub fn through(self, front: &Front) -> Self {
        self.at(front.address())
    }

    /// Asks at another address.
    pub fn at(self, address: SocketAddr) -> Self {
        if self.host.contains_key("url") {
            return self.host("url", format!("\"https://{address}/mfa/v1_1\""));
        }
        let port = if self.host.contains_key("authentication-port") { "authentication-port" } else { "port" };
        self.host("address", format!("\"{}\"", address.ip())).host(port, address.port())
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "[server-group.{}]", self.name)?;
        for (key, value) in &self.group {
            writeln!(f, "{key} = {value}")?;
        }
        writeln!(f, "[[server-group.{}.host]]", self.name)?;
        for (key, value) in &self.host {
            writeln!(f, "{key} = {value}")?;
        }
        Ok(())
    }
}

/// A configuration up to its server groups: `joe#NAME` is a login in tunnel group NAME.
pub fn head() -> String {
    format!(
        r##"{LOOPBACK}
group-delimiter = "#"
[local]
users = "users.toml"
lockout-attempts = 0
[pool.clients]
range = "10.77.0.10-10.77.0.200"
mask = "255.255.255.0"
"##
    )
}

/// A tunnel group that asks a server group.
pub fn tunnel_group(name: &str, server_group: &str, methods: &[&str], more: &str) -> String {
    let methods: Vec<_> = methods.iter().map(|method| word(method)).collect();
    format!(
        "[tunnel-group.{name}]\naddress-pool = [\"clients\"]\nstrip-group = true\nauthentication-server-group = \
         \"{server_group}\"\nppp-authentication = {methods:?}\n{more}\n"
    )
}

/// The configuration's word for a method of `dial`.
pub fn word(method: &str) -> &str {
    if method == "eap" { "eap-proxy" } else { method }
}
