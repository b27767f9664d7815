//! `tollgate serve`.

use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info, warn};

use super::ConfigArguments;
use crate::admin;
use crate::runtime::{Extras, InnerKind, Server};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// How log lines look.
    #[arg(long, value_enum, default_value = "text")]
    log_format: LogFormat,
    /// What is logged: error, warn, info, debug, trace, or a filter such as info,tollgate::shard=debug.
    #[arg(long, value_name = "FILTER", default_value = "info")]
    log: String,
    /// Keep the inside in memory instead of making a TUN device: for tests of logins.
    #[arg(long)]
    no_tun: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogFormat {
    /// A line a person reads.
    Text,
    /// One JSON object a line.
    Json,
}

/// Sends log lines to standard error.
fn start_log(format: LogFormat, filter: &str) -> Result<(), String> {
    let filter = tracing_subscriber::EnvFilter::try_new(filter).map_err(|error| error.to_string())?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => builder.with_ansi(false).with_target(false).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
    Ok(())
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    if let Err(error) = start_log(arguments.log_format, &arguments.log) {
        eprintln!("--log {:?} is not a filter: {error}; write for example --log debug", arguments.log);
        return ExitCode::from(super::USAGE);
    }
    let config = match arguments.config.load() {
        Ok(config) => config,
        Err(code) => return code,
    };
    for warning in &config.warnings.0 {
        warn!("{warning}");
    }
    let socket = config.admin.socket.clone();
    let inner = if arguments.no_tun { InnerKind::Memory } else { InnerKind::Tun };
    let server = match Server::start(config, inner, Extras::default()) {
        Ok(server) => server,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let admin = {
        let _runtime = server.runtime().enter();
        admin::listen(&socket)
    };
    let has_socket = match admin {
        Ok(listener) => {
            server.runtime().spawn(admin::serve(listener, Arc::clone(server.shared())));
            true
        }
        Err(error) => {
            warn!(
                socket = %socket.display(),
                %error,
                "no admin socket: show and disconnect will not work; set another socket in [admin]",
            );
            false
        }
    };
    let code = server.runtime().block_on(until_told(&server, &arguments.config));
    server.stop();
    // One that we did not make is another server's.
    if has_socket {
        let _ = std::fs::remove_file(&socket);
    }
    code
}

/// Waits for SIGTERM or SIGINT, or for a shard that cannot go on; reads the configuration anew at each SIGHUP.
async fn until_told(server: &Server, config: &ConfigArguments) -> ExitCode {
    let signals =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::hangup()));
    let (Ok(mut terminate), Ok(mut interrupt), Ok(mut hangup)) = signals else {
        error!("signals cannot be caught");
        return ExitCode::FAILURE;
    };
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => reload(server, config),
            () = server.shared().failed.notified() => {
                error!("a shard cannot go on: the server stops, so that a supervisor can start it anew");
                return ExitCode::FAILURE;
            }
        }
    }
    info!("stopping");
    ExitCode::SUCCESS
}

fn reload(server: &Server, arguments: &ConfigArguments) {
    let config = match tollgate_policy::load(arguments.file(), &arguments.overrides) {
        Ok(config) => config,
        Err(problems) => {
            error!("the new configuration is refused, the old one stays:\n{problems}");
            return;
        }
    };
    for warning in &config.warnings.0 {
        warn!("{warning}");
    }
    match server.reload(config) {
        Ok(()) => info!("configuration reloaded"),
        Err(error) => error!(%error, "the new configuration cannot be used, the old one stays"),
    }
}
