//! A real Linux client: Debian's xl2tpd and pppd on a User Mode Linux kernel, an ordinary process here. The root tree is
//! made once for a machine; each guest reads it and keeps its own files in memory. [`crate::vpn`] puts IPsec below.

mod commands;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use tempfile::TempDir;

use crate::Namespace;
use crate::namespace::family_command;
use crate::need;
use crate::process::Process;

pub use commands::Ran;

/// Where the root trees are kept; `tests/run --install` makes them.
const ROOTS: &str = "/var/lib/tollgate-tests";

/// The server's address in a namespace that has a guest.
pub const SERVER: &str = "10.99.0.1";
/// The guest's address.
pub const CLIENT: &str = "10.99.0.2";

/// What the guest of [`Guest::boot`] runs before the test's own script.
const PRELUDE: &str = r#"
ip link set lo up; ip addr add 10.99.0.2/24 dev vec0; ip link set vec0 up
LNS=10.99.0.1
"#;

/// What every guest can do: call an L2TP server, again if need be, and wait for what comes of it. `LNS` is the server's address, `L2TP_PORT`
/// the own port. What runs on in the background speaks on the console, which is 3.
const DIALLING: &str = r#"
exec 3>&1
modprobe ppp_async; modprobe l2tp_ppp
mkdir -p /run/xl2tpd
dial() { # user password, then pppd options one a line on standard input
  { echo "user $1"; echo "password $2"; printf 'noauth\nnodetach\nusepeerdns\nmtu 1400\nmru 1400\ndebug\nlogfile /tmp/pppd.log\n'; cat; } > /tmp/options
  printf '[global]\nport = %s\n[lac server]\nlns = %s\npppoptfile = /tmp/options\n' ${L2TP_PORT:-1701} $LNS > /tmp/xl2tpd.conf
  [ -e /tmp/pppd.log ] || { : > /tmp/pppd.log; { tail -f /tmp/pppd.log 2>&1 | sed 's/^/pppd: /'; } >&3 2>&3 & }
  : > /tmp/pppd.log
  [ -p /tmp/l2tp-control ] || { xl2tpd -D -c /tmp/xl2tpd.conf -C /tmp/l2tp-control -p /tmp/xl2tpd.pid 2>&1 | sed 's/^/xl2tpd: /'; } >&3 2>&3 &
  i=0; until [ -p /tmp/l2tp-control ] || [ $i = 50 ]; do i=$((i+1)); sleep 0.1; done
  echo "c server" > /tmp/l2tp-control
}
# The device has its address a moment before pppd lets packets through; pppd tells of both after that.
wait_up() { i=0; until grep -q '^local *IP address' /tmp/pppd.log; do i=$((i+1)); [ $i = ${1:-100} ] && { echo GUEST not up; return 1; }; sleep 0.1; done; ip -o addr show ppp0 | sed 's/^/GUEST up /'; }
wait_down() { i=0; while ip link show ppp0 >/dev/null 2>&1; do i=$((i+1)); [ $i = 150 ] && { echo GUEST still up; return 1; }; sleep 0.1; done; echo GUEST down; }
hang_up() { echo "d server" > /tmp/l2tp-control; }
"#;

/// Which root tree a guest has: what is installed in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root {
    /// xl2tpd, pppd and strongSwan.
    StrongSwan,
    /// xl2tpd, pppd and Libreswan.
    Libreswan,
    /// xl2tpd and pppd of Debian 13.
    Trixie,
}

/// A running guest.
pub struct Guest {
    process: Process,
    folder: TempDir,
    /// Commands that it was told so far.
    told: AtomicU32,
}

impl Guest {
    /// Boots a guest in the namespace, on a link of its own to it, and runs a script there (`dial`, `wait_up`, ... are
    /// given). It powers off when the script ends.
    pub fn boot(namespace: &Namespace, script: &str) -> Self {
        Self::boot_from(Root::StrongSwan, namespace, script)
    }

    /// The same from another root tree.
    pub fn boot_from(root: Root, namespace: &Namespace, script: &str) -> Self {
        let script = format!("{PRELUDE}\n{DIALLING}\n{script}\n");
        Self::start(root, namespace.name(), "guest0", &script, |_| ())
    }

    /// Boots a guest on a device of a namespace. `prepare` fills its folder, which is `/tmp/work` inside.
    fn start(root: Root, namespace: &str, device: &str, script: &str, prepare: impl FnOnce(&Path)) -> Self {
        let root = root.path();
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        fs::write(folder.path().join("script"), script).expect("writable");
        prepare(folder.path());
        let mut command = family_command(namespace, need::program("linux.uml"));
        command
            .args(["mem=96M", "root=/dev/root", "rootfstype=hostfs", "ro", "init=/guest-init", "quiet"])
            .args(["con=null", "con0=null,fd:1"])
            .arg(format!("vec0:transport=tap,ifname={device}"))
            .arg(format!("rootflags={}", root.display()))
            .arg(format!("WORK={}", folder.path().display()))
            .env("LD_PRELOAD", wide_registers(folder.path()))
            .env("TMPDIR", folder.path())
            .env("HOME", folder.path());
        Self { process: Process::start("guest", command), folder, told: AtomicU32::new(0) }
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

/// Builds in a folder what lets the guest's kernel run on processors with more registers than it knows.
fn wide_registers(folder: &Path) -> PathBuf {
    let (source, library) = (folder.join("wide_registers.c"), folder.join("wide_registers.so"));
    fs::write(&source, include_str!("guest/wide_registers.c")).expect("writable");
    let mut compiler = Command::new(need::program("cc"));
    compiler.args(["-shared", "-fPIC", "-O2", "-o"]).arg(&library).arg(&source);
    let output = compiler.output().expect("cc can be run");
    assert!(output.status.success(), "cc: {}", String::from_utf8_lossy(&output.stderr));
    library
}

/// A namespace with a link for one guest; the server's end has [`SERVER`]'s address.
pub fn namespace() -> Namespace {
    let namespace = Namespace::new();
    namespace.ip(&["tuntap", "add", "dev", "guest0", "mode", "tap"]);
    namespace.ip(&["addr", "add", &format!("{SERVER}/24"), "dev", "guest0"]);
    namespace.ip(&["link", "set", "guest0", "up"]);
    namespace
}

impl Root {
    /// The tree, seen to be complete.
    fn path(self) -> PathBuf {
        let root = Path::new(ROOTS).join(match self {
            Self::StrongSwan => "guest",
            Self::Libreswan => "guest-libreswan",
            Self::Trixie => "guest-trixie",
        });
        let has = |file: &str| root.join(file).exists();
        assert!(
            has("guest-init") && has(".made"),
            "the guest's root tree {} is missing; run `{}` as root",
            root.display(),
            need::INSTALL
        );
        let modules = fs::read_dir(root.join("lib/modules")).into_iter().flatten().count();
        assert!(modules > 0, "{} has no kernel modules; run `{}` again", root.display(), need::INSTALL);
        root
    }
}
