//! The servers' own load tools, and plain loops where there is none.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::SPAN;

/// Runs a command again and again, so many at once, and says how often a second it succeeded.
pub(crate) fn loop_of(at_once: usize, command: impl Fn() -> Command + Sync) -> f64 {
    let done = AtomicU64::new(0);
    let (start, end) = (Instant::now(), Instant::now() + SPAN);
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                while Instant::now() < end {
                    let output = command().stdout(Stdio::null()).output().expect("the command is installed");
                    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    done.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64()
}

/// Runs a command once that prints how often it had an answer, and says how often a second that was.
pub(crate) fn count_of(mut command: Command) -> f64 {
    let start = Instant::now();
    let output =
        command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().expect("the command is installed");
    assert!(output.status.success(), "{command:?}");
    let printed = String::from_utf8_lossy(&output.stdout);
    let answers: f64 = printed.split_ascii_whitespace().filter_map(|word| word.parse::<f64>().ok()).sum();
    answers / start.elapsed().as_secs_f64()
}
