//! Our server on the wire of a [`Network`](crate::network::Network), with IPsec in front of local users.

use std::path::{Path, PathBuf};

use crate::Server;
use crate::network::{Network, SERVER};
use crate::pki::{Authority, Issued};

/// The pre-shared key of `DefaultRAGroup`.
pub const KEY: &str = "a key of the tests";
/// Its only user.
pub const USER: &str = "jdoe";
/// The user's password.
pub const PASSWORD: &str = "j!doe1";

/// A configuration: `ipsec` is added to `[ipsec]`, `group` to `[tunnel-group.DefaultRAGroup]`; tables may follow in both.
pub fn config(ipsec: &str, group: &str) -> String {
    format!(
        r#"
[lns]
hostname = "vpn"
l2tp-listen = "{SERVER}:1701"
[local]
users = "users.toml"
[pool.clients]
range = "10.77.0.10-10.77.0.20"
mask = "255.255.255.0"
[ipsec]
ike-listen = "{SERVER}:500"
nat-t-listen = "{SERVER}:4500"
{ipsec}
[tunnel-group.DefaultRAGroup]
address-pool = ["clients"]
{group}
"#
    )
}

/// The same with [`KEY`].
pub fn config_with_key(ipsec: &str) -> String {
    config(ipsec, &format!("pre-shared-key = \"{KEY}\""))
}

/// A server on the network's wire with this configuration and one user.
pub fn start(network: &Network, config: &str) -> Server {
    Server::start(config, &[(USER, PASSWORD)], Some(network.server()))
}

/// Files for `[ipsec.certificate]`, and for `dial`.
pub struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    /// A certificate for [`SERVER`] of the authority, and the authority itself: `vpn.pem`, `vpn.key`, `ca.pem`.
    pub fn of(authority: &Authority) -> Self {
        let files = Self { folder: tempfile::tempdir().expect("a temporary folder can be made") };
        files
            .add_issued("vpn", &authority.issue("/O=Corp/CN=vpn.example.net", Some(&format!("IP:{SERVER}"))));
        files.add("ca.pem", &authority.certificate());
        files
    }

    /// One more file that only its owner may read.
    pub fn add(&self, name: &str, content: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let file = self.path().join(name);
        std::fs::write(&file, content).expect("writable");
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).expect("our own file");
        file
    }

    /// A certificate and its key: `NAME.pem` and `NAME.key`.
    pub fn add_issued(&self, name: &str, issued: &Issued) {
        self.add(&format!("{name}.pem"), &issued.certificate);
        self.add(&format!("{name}.key"), &issued.key);
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A file's name as an argument.
    pub fn argument(&self, name: &str) -> String {
        self.path().join(name).display().to_string()
    }

    /// `[ipsec.certificate]`; `more` is added to it.
    pub fn table(&self, more: &str) -> String {
        let folder = self.path().display();
        format!(
            "[ipsec.certificate]\ncertificate = \"{folder}/vpn.pem\"\nprivate-key = \"{folder}/vpn.key\"\nca = \
             \"{folder}/ca.pem\"\n{more}\n"
        )
    }
}
