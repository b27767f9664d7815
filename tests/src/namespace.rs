//! Network namespaces of a test's own: nothing that it binds or routes is seen by another test or by the machine.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;

use crate::need;
use crate::process::bound_to_us;

/// Names begin with this and carry the id of the process that made them, so that those of dead processes are known.
const PREFIX: &str = "tgtest-";

/// A namespace with its loopback up; removed when dropped.
pub struct Namespace {
    name: String,
}

impl Default for Namespace {
    fn default() -> Self {
        Self::new()
    }
}

impl Namespace {
    /// Makes one. The first in a process also removes what killed tests left behind.
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        static SWEEP: Once = Once::new();
        need::root();
        SWEEP.call_once(sweep);
        let name = format!("{PREFIX}{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        ip(&["netns", "add", &name]);
        let namespace = Self { name };
        namespace.ip(&["link", "set", "lo", "up"]);
        namespace
    }

    /// A command that runs inside and dies with this process.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        command(&self.name, program)
    }

    /// The same for a program that makes processes beside its own which outlive it when it is killed: the first process
    /// of a PID namespace takes all others with it.
    pub fn family_command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        family_command(&self.name, program)
    }

    /// Runs a command inside to its end with `input` on standard input; panics when it fails. Gives what it said.
    pub fn run(&self, program: &str, arguments: &[&str], input: &str) -> String {
        let mut command = self.command(need::program(program));
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{program} does not start: {error}"));
        // One that refuses its arguments does not read its input.
        let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
        let output = child.wait_with_output().expect("a child can be waited for");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(output.status.success(), "{program} {}: {said}", arguments.join(" "));
        said
    }

    /// `ip` inside; panics when it fails.
    pub fn ip(&self, arguments: &[&str]) {
        let mut all = vec!["-n", self.name.as_str()];
        all.extend(arguments);
        ip(&all);
    }

    /// Runs something of the test's own inside, on a thread of its own.
    pub fn within<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        let file = File::open(Path::new("/run/netns").join(&self.name)).expect("the namespace is there");
        std::thread::spawn(move || {
            // SAFETY: setns takes no pointers; it moves this thread alone, which ends with its work.
            #[allow(unsafe_code)]
            let moved = unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) };
            assert_eq!(moved, 0, "the namespace can be entered");
            work()
        })
    }

    /// Its name, for `ip netns exec`.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next run's sweep.
        let _ = Command::new(need::program("ip")).args(["netns", "delete", &self.name]).output();
    }
}

/// A command inside a namespace that is known by its name.
fn command(namespace: &str, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = bound_to_us(need::program("ip"));
    command.args(["netns", "exec", namespace]).arg(program);
    command
}

/// [`Namespace::family_command`] of a namespace that is known by its name.
pub(crate) fn family_command(namespace: &str, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut family = command(namespace, need::program("unshare"));
    family.args(["--pid", "--fork", "--kill-child", "--"]).arg(program);
    family
}

fn ip(arguments: &[&str]) {
    let output = Command::new(need::program("ip")).args(arguments).output().expect("ip can be run");
    assert!(
        output.status.success(),
        "ip {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
}

/// Removes namespaces whose makers are dead.
fn sweep() {
    let Ok(entries) = std::fs::read_dir("/run/netns") else { return };
    for name in entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()) {
        let maker = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if maker.is_some_and(|maker| !std::path::Path::new("/proc").join(maker).exists()) {
            let _ = Command::new(need::program("ip")).args(["netns", "delete", &name]).output();
        }
    }
}
