//! Child processes that never outlive the test, and whose output is kept for the moment it fails.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::wait_until;

/// A child whose lines are collected; it is killed when dropped, and by the kernel when this process dies first.
pub struct Process {
    name: String,
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

/// A command under `setpriv --pdeathsig KILL`: the kernel kills it with its parent, to be exact with the thread that
/// starts it.
pub fn bound_to_us(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(crate::need::program("setpriv"));
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

impl Process {
    /// Starts a command made by [`bound_to_us`].
    pub fn start(name: &str, command: Command) -> Self {
        Self::start_with_input(name, command, "")
    }

    /// Starts one that reads `input` and then the end of its standard input.
    pub fn start_with_input(name: &str, mut command: Command, input: &str) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        // One that refuses its arguments does not read its input.
        let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
        let lines = Arc::new(Mutex::new(Vec::new()));
        collect(child.stdout.take().expect("piped"), Arc::clone(&lines));
        collect(child.stderr.take().expect("piped"), Arc::clone(&lines));
        Self { name: name.to_owned(), child, lines }
    }

    /// Process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// All lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lines that contain `text`.
    pub fn lines_with(&self, text: &str) -> Vec<String> {
        self.lines().into_iter().filter(|line| line.contains(text)).collect()
    }

    /// Waits for a line that contains `text`, and gives it.
    pub fn wait_for_line(&mut self, text: &str, limit: Duration) -> String {
        let mut found = None;
        let mut ended = false;
        wait_until_or(limit, || {
            found = self.lines_with(text).into_iter().next();
            ended = matches!(self.child.try_wait(), Ok(Some(_)));
            found.is_some() || ended
        });
        // What it wrote just before it ended may still be on its way through the pipe.
        if found.is_none() && ended {
            std::thread::sleep(Duration::from_millis(100));
            found = self.lines_with(text).into_iter().next();
        }
        found.unwrap_or_else(|| {
            panic!(
                "{}: no line with {text:?} within {limit:?}; it said:\n{}",
                self.name,
                self.lines().join("\n")
            )
        })
    }

    /// Sends a signal.
    pub fn signal(&self, signal: i32) {
        // SAFETY: kill takes no pointers; the child has not been waited for, so its id is still its own.
        #[allow(unsafe_code)]
        let result = unsafe { libc::kill(self.child.id() as i32, signal) };
        assert_eq!(result, 0, "{}: signal {signal} cannot be sent", self.name);
    }

    /// Waits for its end; gives its exit code.
    pub fn wait(&mut self, limit: Duration) -> Option<i32> {
        let mut status = None;
        wait_until(&format!("{} ends", self.name), limit, || {
            status = self.child.try_wait().expect("a child can be waited for");
            status.is_some()
        });
        status.and_then(|status| status.code())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- {} said:\n{}", self.name, self.lines().join("\n"));
        }
    }
}

fn wait_until_or(limit: Duration, mut condition: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + limit;
    while !condition() && std::time::Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn collect(stream: impl Read + Send + 'static, lines: Arc<Mutex<Vec<String>>>) {
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while matches!(reader.read_until(b'\n', &mut line), Ok(length) if length > 0) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            lines.lock().unwrap_or_else(PoisonError::into_inner).push(text);
            line.clear();
        }
    });
}
