//! The command line: what each command takes, and its exit codes.

pub(crate) mod aaa_test;
pub(crate) mod bench;
pub(crate) mod check;
pub(crate) mod demo;
pub(crate) mod dial;
mod key_log;
mod ppp;
mod security;
pub(crate) mod serve;
pub(crate) mod show;
mod table;
pub(crate) mod user;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tollgate_policy::Config;

/// A command line that cannot be understood (EX_USAGE of sysexits.h).
pub(crate) const USAGE: u8 = 64;

/// AAA-centric L2TP network server: every PPP login is decided by the AAA router.
#[derive(Debug, Parser)]
#[command(name = "tollgate", version, arg_required_else_help = true, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Example: tollgate demo\n\
                          Exit codes: 0 done, 1 failed (the message says why), 64 the command line is wrong.\n\
                          `aaa test` has its own: see `tollgate aaa test --help`.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server in the foreground until SIGTERM or SIGINT; SIGHUP reads the configuration anew.
    #[command(after_help = "Example: tollgate serve --config /etc/tollgate/tollgate.toml")]
    Serve(serve::Arguments),
    /// Check a configuration: print every error with its line and fix, and what each setting weakens.
    #[command(after_help = "Example: tollgate check --config tollgate.toml\n\
                            Exit codes: 0 it would be taken, 1 it would be refused.")]
    Check(check::Arguments),
    /// Show a login from end to end on this machine: server, client, pings, refusals, accounting.
    #[command(after_help = "Example: tollgate demo")]
    Demo(demo::Arguments),
    /// Dial a server with our own client and tell which stage fails.
    #[command(
        after_help = "Example: echo -n 'j!doe1' | tollgate dial vpn.example.net --user jdoe --psk-file psk --ping 3\n\
                            Exit codes: 0 connected (and every ping answered), 1 a stage failed."
    )]
    Dial(dial::Arguments),
    /// Load a server and print what it did and what that cost, one JSON line a run.
    #[command(subcommand, after_help = "Example: tollgate bench login --help")]
    Bench(bench::Command),
    /// Ask the AAA router without a call.
    #[command(subcommand, after_help = "Example: tollgate aaa test --help")]
    Aaa(AaaCommand),
    /// The local users.
    #[command(subcommand, after_help = "Example: tollgate user list --users users.toml")]
    User(user::Command),
    /// Print what a running server holds.
    #[command(after_help = "Example: tollgate show sessions --config tollgate.toml --json")]
    Show(show::ShowArguments),
    /// End sessions of a running server.
    #[command(after_help = "Example: tollgate disconnect --user jdoe --config tollgate.toml\n\
                            Exit codes: 0 at least one session was ended, 1 none was found.")]
    Disconnect(show::DisconnectArguments),
}

#[derive(Debug, Subcommand)]
enum AaaCommand {
    /// Ask exactly as a login would, the password on standard input; print verdict, server, attributes and policy.
    #[command(
        after_help = "Example: echo -n 'j!doe1' | tollgate aaa test --config tollgate.toml --user jdoe --method pap\n\
                            Exit codes: 0 accepted, 1 rejected, 2 no server answered, 3 refused by the type matrix or \
                            the configuration."
    )]
    Test(aaa_test::Arguments),
}

/// Which configuration.
#[derive(Debug, Clone, Args)]
pub(crate) struct ConfigArguments {
    /// The configuration file.
    #[arg(long, short, value_name = "FILE", default_value = "/etc/tollgate/tollgate.toml")]
    config: PathBuf,
    /// Lay a value over the file's, for example --set lns.tun-name=vpn1; may be given several times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
}

impl ConfigArguments {
    /// Reads the configuration; prints every error.
    pub(crate) fn load(&self) -> Result<Config, ExitCode> {
        tollgate_policy::load(&self.config, &self.overrides).map_err(|problems| {
            eprintln!("{problems}");
            ExitCode::FAILURE
        })
    }

    /// The file.
    pub(crate) fn file(&self) -> &Path {
        &self.config
    }
}

/// An authentication method of PPP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Method {
    Pap,
    Chap,
    MsChapV1,
    MsChapV2,
    #[value(alias = "eap-proxy")]
    Eap,
}

impl Method {
    pub(crate) fn protocol(self) -> tollgate_ppp::AuthProtocol {
        match self {
            Self::Pap => tollgate_ppp::AuthProtocol::Pap,
            Self::Chap => tollgate_ppp::AuthProtocol::ChapMd5,
            Self::MsChapV1 => tollgate_ppp::AuthProtocol::MsChapV1,
            Self::MsChapV2 => tollgate_ppp::AuthProtocol::MsChapV2,
            Self::Eap => tollgate_ppp::AuthProtocol::Eap,
        }
    }
}

/// A password: from the terminal without echo, else the first line of standard input. Never an argument.
pub(crate) fn read_password(prompt: &str) -> std::io::Result<zeroize::Zeroizing<Vec<u8>>> {
    use std::io::{IsTerminal, Read};
    if std::io::stdin().is_terminal() {
        return rpassword::prompt_password(prompt).map(|text| zeroize::Zeroizing::new(text.into_bytes()));
    }
    let mut bytes = zeroize::Zeroizing::new(Vec::new());
    // More than any method can carry; the backends say in words what is too long.
    std::io::stdin().take(1 << 16).read_to_end(&mut bytes)?;
    if let Some(end) = bytes.iter().position(|octet| *octet == b'\n') {
        bytes.truncate(end);
    }
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    Ok(bytes)
}

/// Runs what the command line asks for.
pub(crate) fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // A closed standard output is not worth a word.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    if !matches!(cli.command, Command::Serve(_)) {
        tollgate_sys::process::end_on_closed_pipe();
    }
    match cli.command {
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Dial(arguments) => dial::run(&arguments),
        Command::Bench(command) => bench::run(&command),
        Command::Aaa(AaaCommand::Test(arguments)) => aaa_test::run(&arguments),
        Command::User(command) => user::run(command),
        Command::Show(arguments) => show::show(&arguments),
        Command::Disconnect(arguments) => show::disconnect(&arguments),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_help_of_every_command_holds_an_example_that_is_understood() {
        fn check(command: &mut clap::Command) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let example = help
                .lines()
                .find_map(|line| line.strip_prefix("Example: "))
                .unwrap_or_else(|| panic!("{} has no example", command.get_name()));
            let words = example.rsplit("| ").next().unwrap_or_default().split_whitespace();
            if let Err(error) = Cli::try_parse_from(words) {
                assert!(!error.use_stderr(), "{example}: {error}");
            }
            // `help` is clap's own.
            command.get_subcommands_mut().filter(|command| command.get_name() != "help").for_each(check);
        }
        let mut command = Cli::command();
        command.build();
        check(&mut command);
    }
}
