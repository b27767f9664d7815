//! A real Linux client: Debian's xl2tpd and pppd on a User Mode Linux kernel, an ordinary process here. The root tree is
//! made once for a machine; each guest reads it and keeps its own files in memory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use tempfile::TempDir;

use crate::Namespace;
use crate::need;
use crate::process::Process;

/// Where the root tree is kept; `tests/run --install` makes it.
const ROOT: &str = "/var/lib/tollgate-tests/guest";

/// The server's address in a namespace that has a guest.
pub const SERVER: &str = "10.99.0.1";
/// The guest's address.
pub const CLIENT: &str = "10.99.0.2";

/// What the guest runs before the test's own script.
const PRELUDE: &str = r#"
modprobe ppp_async; modprobe l2tp_ppp
ip link set lo up; ip addr add 10.99.0.2/24 dev vec0; ip link set vec0 up
mkdir -p /run/xl2tpd
cat > /tmp/xl2tpd.conf <<X
[global]
port = 1701
[lac server]
lns = 10.99.0.1
pppoptfile = /tmp/options
X
dial() { # user password, then pppd options one a line on standard input
  { echo "user $1"; echo "password $2"; printf 'noauth\nnodetach\nusepeerdns\nmtu 1400\nmru 1400\ndebug\nlogfile /tmp/pppd.log\n'; cat; } > /tmp/options
  touch /tmp/pppd.log; tail -f /tmp/pppd.log | sed 's/^/pppd: /' &
  xl2tpd -D -c /tmp/xl2tpd.conf -C /tmp/l2tp-control -p /tmp/xl2tpd.pid 2>&1 | sed 's/^/xl2tpd: /' &
  i=0; until [ -p /tmp/l2tp-control ] || [ $i = 50 ]; do i=$((i+1)); sleep 0.1; done
  echo "c server" > /tmp/l2tp-control
}
# The device has its address a moment before pppd lets packets through; pppd tells of both after that.
wait_up() { i=0; until grep -q '^local *IP address' /tmp/pppd.log; do i=$((i+1)); [ $i = 100 ] && { echo GUEST not up; return 1; }; sleep 0.1; done; ip -o addr show ppp0 | sed 's/^/GUEST up /'; }
wait_down() { i=0; while ip link show ppp0 >/dev/null 2>&1; do i=$((i+1)); [ $i = 150 ] && { echo GUEST still up; return 1; }; sleep 0.1; done; echo GUEST down; }
hang_up() { echo "d server" > /tmp/l2tp-control; }
"#;

/// A running guest.
pub struct Guest {
    process: Process,
    _folder: TempDir,
}

impl Guest {
    /// Boots a guest in the namespace, on a link of its own to it, and runs a script there (`dial`, `wait_up`, ... are
    /// given). It powers off when the script ends.
    pub fn boot(namespace: &Namespace, script: &str) -> Self {
        let root = root();
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        fs::write(folder.path().join("script"), format!("{PRELUDE}\n{script}\n")).expect("writable");
        let mut command = namespace.family_command(need::program("linux.uml"));
        command
            .args(["mem=96M", "root=/dev/root", "rootfstype=hostfs", "ro", "init=/guest-init", "quiet"])
            .args(["con=null", "con0=null,fd:1", "vec0:transport=tap,ifname=guest0"])
            .arg(format!("rootflags={}", root.display()))
            .arg(format!("WORK={}", folder.path().display()))
            .env("TMPDIR", folder.path())
            .env("HOME", folder.path());
        Self { process: Process::start("guest", command), _folder: folder }
    }

    /// The guest's console.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Waits until the script has ended; gives all lines.
    pub fn finish(mut self) -> Vec<String> {
        self.process.wait(Duration::from_secs(90));
        std::thread::sleep(Duration::from_millis(50));
        self.process.lines()
    }

    /// Waits for a line of the script.
    pub fn wait_for(&mut self, text: &str) -> String {
        self.process.wait_for_line(text, Duration::from_secs(60))
    }
}

/// A namespace with a link for one guest; the server's end has [`SERVER`]'s address.
pub fn namespace() -> Namespace {
    let namespace = Namespace::new();
    namespace.ip(&["tuntap", "add", "dev", "guest0", "mode", "tap"]);
    namespace.ip(&["addr", "add", &format!("{SERVER}/24"), "dev", "guest0"]);
    namespace.ip(&["link", "set", "guest0", "up"]);
    namespace
}

/// The root tree, with an init of our own.
fn root() -> &'static Path {
    static CHECKED: OnceLock<PathBuf> = OnceLock::new();
    CHECKED.get_or_init(|| {
        let root = PathBuf::from(ROOT);
        assert!(
            root.join("guest-init").is_file(),
            "the guest's root tree {ROOT} is missing; run `{}` as root",
            need::INSTALL
        );
        let modules = Command::new("ls").arg(root.join("lib/modules")).output().expect("ls can be run");
        assert!(!modules.stdout.is_empty(), "{ROOT} has no kernel modules; run `{}` again", need::INSTALL);
        root
    })
}
