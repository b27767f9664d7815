//! The program under test.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::process::{Process, bound_to_us};
use crate::{Namespace, wait_until};

/// The built program: beside the tests' own folder.
pub fn binary() -> PathBuf {
    let own = std::env::current_exe().expect("a test knows its own file");
    let folder = own.parent().and_then(Path::parent).expect("target/PROFILE/deps/TEST");
    let binary = folder.join("tollgate");
    assert!(
        binary.is_file(),
        "{} is missing: run `cargo build -p tollgate-server` before these tests",
        binary.display()
    );
    binary
}

/// Runs `tollgate` to its end with `input` on standard input.
pub fn output(arguments: &[&str], input: &str) -> Output {
    run(Command::new(binary()), arguments, input)
}

/// The same inside a namespace.
pub fn output_in(namespace: &Namespace, arguments: &[&str], input: &str) -> Output {
    run(namespace.command(binary()), arguments, input)
}

fn run(mut command: Command, arguments: &[&str], input: &str) -> Output {
    let mut child = command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("tollgate can be run");
    let mut stdin = child.stdin.take().expect("piped");
    // A command that refuses its arguments does not read its input.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("tollgate can be waited for")
}

/// Standard output and standard error of a run as one text, and its exit code.
pub fn text(output: &Output) -> (String, i32) {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    (String::from_utf8_lossy(&both).into_owned(), output.status.code().unwrap_or(-1))
}

/// A running `tollgate serve`, its folder and its log.
pub struct Server {
    folder: TempDir,
    process: Process,
    inside: Option<String>,
}

/// `[lns]` of a server on loopback that takes plain L2TP on a port of its own.
pub const LOOPBACK: &str =
    "[lns]\nhostname = \"vpn\"\nrequire-ipsec = false\nl2tp-listen = \"127.0.0.1:0\"\nshards = 2\n";

impl Server {
    /// Starts a server with this configuration; `{dir}` in it stands for the server's own folder. In a namespace it
    /// gets a TUN device, without one the inside stays in memory.
    pub fn start(config: &str, users: &[(&str, &str)], namespace: Option<&Namespace>) -> Self {
        let folder = prepare(config, users);
        let inside = namespace.map(|namespace| namespace.name().to_owned());
        let process = launch(folder.path(), inside.as_deref(), "debug");
        Self { folder, process, inside }
    }

    /// The same on loopback with every word logged that there is.
    pub fn start_tracing(config: &str, users: &[(&str, &str)]) -> Self {
        let folder = prepare(config, users);
        let process = launch(folder.path(), None, "trace");
        Self { folder, process, inside: None }
    }

    /// Ends it as [`Self::stop`] does and starts it again in the same folder.
    pub fn restart(&mut self) {
        self.terminate();
        self.process = launch(self.folder.path(), self.inside.as_deref(), "debug");
    }

    /// Where it listens, from its log.
    pub fn address(&self) -> String {
        let line = self.process.lines_with("serving").into_iter().next().expect("it serves");
        let (_, rest) = line.split_once("listen=").expect("the line names the address");
        rest.split_whitespace().next().expect("an address").to_owned()
    }

    /// Its folder: `tollgate.toml`, `users.toml`, and what a test adds.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The process, for its log and for signals.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Waits for a log line.
    pub fn wait_for_log(&mut self, text: &str) -> String {
        self.process.wait_for_line(text, Duration::from_secs(30))
    }

    /// Runs a command against it, `--config` added.
    pub fn run(&self, arguments: &[&str], input: &str) -> Output {
        let config = self.folder.path().join("tollgate.toml").display().to_string();
        let mut all = arguments.to_vec();
        all.extend(["--config", &config]);
        output(&all, input)
    }

    /// `tollgate show WHAT --json`.
    pub fn show(&self, what: &str) -> serde_json::Value {
        let shown = self.run(&["show", what, "--json"], "");
        assert!(shown.status.success(), "{}", text(&shown).0);
        serde_json::from_slice(&shown.stdout).expect("show --json prints JSON")
    }

    /// `tollgate dial` to it; more arguments may follow.
    pub fn dial(&self, user: &str, method: &str, password: &str, more: &[&str]) -> Output {
        let address = self.address();
        let mut all = vec!["dial", address.as_str(), "--user", user, "--auth", method];
        if !more.contains(&"--timeout") {
            all.extend(["--timeout", "20"]);
        }
        all.extend(more);
        match &self.inside {
            Some(name) => {
                let mut command = bound_to_us(crate::need::program("ip"));
                command.args(["netns", "exec", name]).arg(binary());
                run(command, &all, password)
            }
            None => output(&all, password),
        }
    }

    /// `tollgate dial` in the background, connected; ended when dropped, without a goodbye.
    pub fn dial_and_hold(&self, user: &str, method: &str, password: &str, more: &[&str]) -> Process {
        let address = self.address();
        let mut command = match &self.inside {
            Some(name) => {
                let mut command = bound_to_us(crate::need::program("ip"));
                command.args(["netns", "exec", name]).arg(binary());
                command
            }
            None => bound_to_us(binary()),
        };
        command.args(["dial", address.as_str(), "--user", user, "--auth", method, "--timeout", "20"]);
        if !more.contains(&"--hold") {
            command.args(["--hold", "600"]);
        }
        command.args(more);
        let mut process = Process::start_with_input("dial", command, password);
        process.wait_for_line("  ipcp ", Duration::from_secs(30));
        process
    }

    /// Changes the configuration and has it read anew.
    pub fn reload(&mut self, change: impl FnOnce(String) -> String) {
        let file = self.folder.path().join("tollgate.toml");
        let text = std::fs::read_to_string(&file).expect("readable");
        std::fs::write(&file, change(text)).expect("writable");
        let before = self.process.lines_with("configuration reloaded").len();
        self.process.signal(libc::SIGHUP);
        let process = &self.process;
        wait_until("the configuration is reloaded", Duration::from_secs(10), || {
            process.lines_with("configuration reloaded").len() > before
        });
    }

    /// Ends it with SIGTERM; it must end with 0 within ten seconds.
    pub fn stop(mut self) -> Vec<String> {
        self.terminate();
        std::thread::sleep(Duration::from_millis(50));
        self.process.lines()
    }

    fn terminate(&mut self) {
        self.process.signal(libc::SIGTERM);
        assert_eq!(self.process.wait(Duration::from_secs(10)), Some(0), "serve ends with 0 after SIGTERM");
    }
}

/// A folder with `tollgate.toml` and `users.toml`.
fn prepare(config: &str, users: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let config = config.replace("{dir}", &folder.path().display().to_string());
    let admin = folder.path().join("admin.sock");
    let config = format!("{config}\n[admin]\nsocket = \"{}\"\n", admin.display());
    std::fs::write(folder.path().join("tollgate.toml"), config).expect("writable");
    let users_file = folder.path().join("users.toml").display().to_string();
    for (name, password) in users {
        let added = output(&["user", "add", name, "--mschap", "--users", &users_file], password);
        assert!(added.status.success(), "{}", text(&added).0);
    }
    folder
}

fn launch(folder: &Path, namespace: Option<&str>, log: &str) -> Process {
    let mut command = match namespace {
        Some(namespace) => {
            let mut command = bound_to_us(crate::need::program("ip"));
            command.args(["netns", "exec", namespace]).arg(binary());
            command
        }
        None => bound_to_us(binary()),
    };
    command.args(["serve", "--log", log, "--config"]).arg(folder.join("tollgate.toml"));
    if namespace.is_none() {
        command.arg("--no-tun");
    }
    let mut process = Process::start("tollgate", command);
    process.wait_for_line("serving", Duration::from_secs(10));
    let admin = folder.join("admin.sock");
    wait_until("the admin socket is there", Duration::from_secs(5), || admin.exists());
    process
}
