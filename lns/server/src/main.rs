//! `tollgate`: the daemon and its commands.

mod admin;
mod cli;
mod dynamic;
mod inner;
mod ipsec;
mod login;
mod owners;
mod quiet;
mod registry;
mod routes;
mod runtime;
mod shard;
mod shared;
mod snapshot;
mod workers;

fn main() -> std::process::ExitCode {
    cli::run()
}
