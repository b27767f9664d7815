//! Logins a second through each kind of server, the real one on this machine, in turn with the server's own load tool;
//! and what logins cost that wait for a server which says nothing.
//!
//! `cargo bench -p tollgate-benches --bench logins [-- NAME...]`, as root, after `tests/run --install`.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a measurement")]

mod contests;
mod tools;
mod waiting;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tollgate_aaa::{Credentials, LoginRequest, Router, Secret, Verdict};
use tollgate_benches::context;

/// Each side is measured so often, in turn.
const ROUNDS: usize = 5;
/// How long one measurement takes.
const SPAN: Duration = Duration::from_secs(2);

/// A kind of server, ready to be asked by us and by another.
pub(crate) struct Contest {
    pub(crate) name: &'static str,
    /// What the other is, and how many questions it asks for one of its answers.
    pub(crate) tool: &'static str,
    pub(crate) questions_of_tool: f64,
    /// Answers a second of the other.
    pub(crate) other: Box<dyn Fn() -> f64>,
    /// How many questions one login of ours is.
    pub(crate) questions: f64,
    pub(crate) router: Arc<Router>,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) at_once: usize,
}

fn main() {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    if let [word, name] = &arguments[..]
        && word == waiting::WORD
    {
        return waiting::measure(name);
    }
    let wanted =
        |name: &str| arguments.is_empty() || arguments.iter().any(|argument| name.contains(argument));
    let runtime = runtime();
    println!("{:<22} {:>10}   {:<40} {:>10} {:>7}", "logins a second", "tollgate", "beside", "", "share");
    for (name, contest) in contests::ALL {
        if wanted(name) {
            run(&runtime, &contest(&runtime));
        }
    }
    if wanted(waiting::WORD) {
        waiting::all();
    }
}

/// As the server has it.
pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads")
}

fn run(runtime: &Runtime, contest: &Contest) {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        theirs.push((contest.other)());
        ours.push(runtime.block_on(rate(contest, SPAN)));
    }
    let [ours, theirs] = [ours, theirs].map(median);
    let share = ours * contest.questions / (theirs * contest.questions_of_tool);
    println!(
        "{:<22} {ours:>10.0}   {:<40} {theirs:>10.0} {:>6.0}%",
        contest.name,
        contest.tool,
        share * 100.0
    );
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Logins a second.
async fn rate(contest: &Contest, span: Duration) -> f64 {
    let done = Arc::new(AtomicU64::new(0));
    let (start, end) = (Instant::now(), Instant::now() + span);
    let tasks: Vec<_> = (0..contest.at_once)
        .map(|_| {
            let (router, done) = (Arc::clone(&contest.router), Arc::clone(&done));
            let (user, password) = (contest.user.clone(), contest.password.clone());
            tokio::spawn(async move {
                while Instant::now() < end {
                    let outcome = router.login(request(&user, &password)).await;
                    assert!(matches!(outcome.verdict, Verdict::Accept(_)), "{:?}", outcome.verdict);
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("every login is accepted");
    }
    done.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64()
}

/// A login by PAP.
pub(crate) fn request(user: &str, password: &str) -> LoginRequest {
    LoginRequest {
        name: user.as_bytes().to_vec(),
        credentials: Credentials::Pap { password: Secret::from(password.to_owned()) },
        tunnel_group: "DefaultRAGroup".to_owned(),
        context: context(),
    }
}
