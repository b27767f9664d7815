//! SoftEther's server: L2TP with and without IPsec, by somebody who shares no line with us or with strongSwan.

use std::fs;
use std::time::Duration;

use crate::process::Process;
use crate::{Namespace, need, wait_until};

/// The pre-shared key of its IPsec, which takes nine letters at most without a complaint.
pub const KEY: &str = "softkey";

/// A running SoftEther with one user; clients get addresses of 192.168.30.0/24, its own is [`SoftEther::INNER`].
pub struct SoftEther {
    process: Process,
}

impl SoftEther {
    /// Its inner address.
    pub const INNER: &str = "192.168.30.1";

    /// Starts it with empty folders in place of the machine's, which the mount namespace of `ip netns exec` hides.
    pub fn start(namespace: &Namespace, user: &str, password: &str) -> Self {
        let script = "for folder in /var/lib /var/log /run; do mount -t tmpfs none $folder; mkdir $folder/softether; \
                      done\nexec \"$0\" execsvc";
        let mut command = namespace.family_command("sh");
        command.args(["-c", script]).arg(need::program("vpnserver"));
        let server = Self { process: Process::start("softether", command) };
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let commands = folder.path().join("commands");
        let settings = format!(
            "HubCreate TEST /PASSWORD:hub\n\
             IPsecEnable /L2TP:yes /L2TPRAW:yes /ETHERIP:no /PSK:{KEY} /DEFAULTHUB:TEST\n\
             Hub TEST\n\
             UserCreate {user} /GROUP:none /REALNAME:none /NOTE:none\n\
             UserPasswordSet {user} /PASSWORD:{password}\n\
             SecureNatEnable\n"
        );
        fs::write(&commands, settings).expect("writable");
        wait_until("SoftEther takes its settings", Duration::from_secs(60), || {
            let mut command = namespace.command(need::program("vpncmd"));
            command.args(["localhost:5555", "/SERVER"]).arg(format!("/IN:{}", commands.display()));
            // Its exit code does not tell.
            let said = command.output().expect("vpncmd can be run").stdout;
            String::from_utf8_lossy(&said).matches("completed successfully").count() == 6
        });
        server
    }

    /// What it printed.
    pub fn lines(&self) -> Vec<String> {
        self.process.lines()
    }
}
