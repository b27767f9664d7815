//! A guest that is told what to do one command after the other: through its folder, which both see.

use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{DIALLING, Guest, Root};
use crate::network::Seat;

/// Runs each file that appears in `/tmp/work/todo`, in a shell that knows the functions of the script before; its output
/// and its exit code are left beside it. A wait that starts no process: those are dear here.
const LISTEN: &str = r#"
mkfifo /tmp/silence; exec 4<> /tmp/silence
echo GUEST listens
while :; do
  for todo in /tmp/work/todo/*.sh; do
    [ -f "$todo" ] || continue
    name=${todo%.sh}; mv "$todo" "$name.now"
    { ( . "$name.now" ) > "$name.out" 2>&1 < /dev/null; echo $? > "$name.code.new"; mv "$name.code.new" "$name.code"; } &
  done
  read -r -t 0.05 -u 4
done
"#;

/// What came of a command in a guest.
#[derive(Debug, Clone)]
pub struct Ran {
    /// What it said on both outputs.
    pub said: String,
    /// Its exit code.
    pub code: i32,
}

impl Ran {
    /// Panics unless it ended with 0; gives what it said.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}", self.said);
        self.said
    }
}

impl Guest {
    /// Boots a guest on a seat of a network, which runs `script` and then what [`Self::run`] tells, once
    /// [`Self::listens`]. `prepare` fills `/tmp/work`.
    pub fn boot_at(root: Root, seat: &Seat, script: &str, prepare: impl FnOnce(&Path)) -> Self {
        let script = format!("{}\n{DIALLING}\n{script}\n{LISTEN}", seat.script());
        Self::start(root, seat.namespace(), seat.device(), &script, |folder| {
            fs::create_dir(folder.join("todo")).expect("writable");
            prepare(folder);
        })
    }

    /// Waits until it does what it is told; panics when its script went wrong.
    #[must_use]
    pub fn listens(mut self) -> Self {
        self.wait_for("GUEST listens");
        let broken = self.process().lines_with("GUEST cannot listen");
        assert!(broken.is_empty(), "{broken:?}");
        self
    }

    /// Runs a shell command in a guest of [`Self::boot_at`], for half a minute at most; several may run at once.
    pub fn run(&self, command: &str) -> Ran {
        self.run_within(command, Duration::from_secs(30))
    }

    /// The same within another time.
    pub fn run_within(&self, command: &str, limit: Duration) -> Ran {
        let todo = self.folder.path().join("todo");
        let number = self.told.fetch_add(1, Ordering::Relaxed);
        let file = |end: &str| todo.join(format!("{number}.{end}"));
        fs::write(file("new"), format!("{command}\n")).expect("writable");
        fs::rename(file("new"), file("sh")).expect("writable");
        let deadline = Instant::now() + limit;
        let said = || String::from_utf8_lossy(&fs::read(file("out")).unwrap_or_default()).into_owned();
        while !file("code").exists() {
            assert!(
                Instant::now() < deadline,
                "guest: {command:?} does not end within {limit:?}: {}",
                said()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        let code = fs::read_to_string(file("code")).expect("readable");
        Ran { said: said(), code: code.trim().parse().expect("an exit code") }
    }
}
