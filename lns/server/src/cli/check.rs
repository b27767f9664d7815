//! `tollgate check`.

use std::process::ExitCode;

use clap::Args;
use tollgate_policy::config::{Problem, Problems, Severity};

use super::ConfigArguments;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let loaded = tollgate_policy::load(arguments.config.file(), &arguments.config.overrides);
    let (taken, problems) = match loaded {
        Ok(config) => (true, config.warnings),
        Err(problems) => (false, problems),
    };
    if arguments.json {
        println!("{}", as_json(taken, &problems));
    } else {
        if !problems.0.is_empty() {
            println!("{problems}");
        }
        let count =
            |severity, word| match problems.0.iter().filter(|problem| problem.severity == severity).count() {
                1 => format!("1 {word}"),
                count => format!("{count} {word}s"),
            };
        println!(
            "{}: {}, {}, {}",
            arguments.config.file().display(),
            if taken { "good" } else { "refused" },
            count(Severity::Error, "error"),
            count(Severity::Warning, "warning"),
        );
    }
    if taken { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn as_json(taken: bool, problems: &Problems) -> serde_json::Value {
    let problem = |problem: &Problem| {
        serde_json::json!({
            "severity": match problem.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            "file": problem.file,
            "line": problem.line,
            "key": problem.key,
            "problem": problem.what,
            "fix": problem.fix,
        })
    };
    serde_json::json!({ "taken": taken, "problems": problems.0.iter().map(problem).collect::<Vec<_>>() })
}
