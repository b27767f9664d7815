//! `tollgate bench`: the load generator. Each run prints one JSON line.

mod own_server;

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use tollgate_client::bench::{self, BenchError, DataOptions, Direction, LoginOptions, Responder, Target};
use zeroize::Zeroizing;

use super::Method;
use super::security::SecurityArguments;
use own_server::OwnServer;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Set sessions up as fast as it goes; hold them; close them.
    #[command(
        after_help = "Example: tollgate bench login --tunnels 64 --sessions 64 --concurrency 128 --hold 60\n\
                            Without --server it starts a server and a RADIUS responder of its own."
    )]
    Login(LoginArguments),
    /// Send packets through sessions, one way.
    #[command(after_help = "Example: tollgate bench data --direction to-client --rate 100000 --seconds 5\n\
                            Without --server it starts a server of its own, which needs the right to make a TUN device.")]
    Data(DataArguments),
    /// Measure the bare system calls that no user-space server here can do without.
    #[command(after_help = "Example: tollgate bench limits --packet 512")]
    Limits {
        /// Octets of each inner packet.
        #[arg(long, default_value_t = 512)]
        packet: usize,
    },
    /// Answer every RADIUS request with yes, for measurements of access servers; until it is ended.
    #[command(
        after_help = "Example: tollgate bench radius --listen 127.0.0.1:1812 --accounting 127.0.0.1:1813 --secret-file radius.key"
    )]
    Radius {
        /// Address for Access-Requests.
        #[arg(long, default_value = "127.0.0.1:1812")]
        listen: SocketAddr,
        /// Address for Accounting-Requests.
        #[arg(long, default_value = "127.0.0.1:1813")]
        accounting: SocketAddr,
        /// File with the shared secret.
        #[arg(long, value_name = "FILE")]
        secret_file: std::path::PathBuf,
        /// Seconds that an Access-Request waits for its answer.
        #[arg(long, value_name = "SECONDS", default_value_t = 0)]
        delay: u64,
    },
}

/// Whom to load, and as whom.
#[derive(Debug, Args)]
struct TargetArguments {
    /// The server; without it one is started for the run.
    #[arg(long, value_name = "ADDRESS:PORT")]
    server: Option<SocketAddr>,
    /// The server's process, to report its processor time and memory.
    #[arg(long, value_name = "PID", requires = "server")]
    server_pid: Option<u32>,
    /// Own outer address.
    #[arg(long, default_value = "127.0.0.1")]
    source: Ipv4Addr,
    /// Source ports that share the tunnels, 1 to 30.
    #[arg(long, default_value_t = 4)]
    ports: usize,
    /// The users' name; {} in it becomes the number of the call.
    #[arg(long, default_value = "bench{}")]
    user: String,
    /// File with the users' password.
    #[arg(long, value_name = "FILE", requires = "server")]
    password_file: Option<std::path::PathBuf>,
    /// The authentication method.
    #[arg(long, value_enum, default_value = "pap")]
    auth: Method,
    #[command(flatten)]
    security: SecurityArguments,
    /// Leave so many IKE exchanges half open first, from addresses of 127.0.0.0/8.
    #[arg(long, value_name = "N", default_value_t = 0)]
    half_open: usize,
    /// Go through IPsec to the server that is started for the run.
    #[arg(long, conflicts_with_all = ["server", "psk_file", "cert"])]
    ipsec: bool,
    /// Who decides in the server that is started for the run.
    #[arg(long, value_enum, default_value = "radius", conflicts_with = "server")]
    backend: Backend,
}

/// Who decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Backend {
    /// A RADIUS responder that says yes.
    Radius,
    /// A local user.
    Local,
}

#[derive(Debug, Args)]
pub(crate) struct LoginArguments {
    #[command(flatten)]
    target: TargetArguments,
    /// Tunnels.
    #[arg(long, default_value_t = 64)]
    tunnels: usize,
    /// Sessions in each tunnel.
    #[arg(long, default_value_t = 64)]
    sessions: usize,
    /// Set-ups under way at once.
    #[arg(long, default_value_t = 128)]
    concurrency: usize,
    /// Seconds that the sessions are held idle.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    hold: u64,
}

#[derive(Debug, Args)]
pub(crate) struct DataArguments {
    #[command(flatten)]
    target: TargetArguments,
    /// Which way the packets go.
    #[arg(long, value_enum)]
    direction: Way,
    /// Sessions that share the load.
    #[arg(long, default_value_t = 16)]
    sessions: usize,
    /// Octets of each inner packet.
    #[arg(long, default_value_t = 512)]
    packet: usize,
    /// Packets a second in all.
    #[arg(long, default_value_t = 100_000)]
    rate: u64,
    /// How long.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Way {
    FromClient,
    ToClient,
}

pub(crate) fn run(command: &Command) -> ExitCode {
    let done = match command {
        Command::Login(arguments) => login(arguments),
        Command::Data(arguments) => data(arguments),
        Command::Limits { packet } => {
            bench::limits(*packet).map(|report| print(&report)).map_err(|error| error.to_string())
        }
        Command::Radius { listen, accounting, secret_file, delay } => {
            radius(*listen, *accounting, secret_file, Duration::from_secs(*delay))
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn print(report: &impl Serialize) {
    match serde_json::to_string(report) {
        Ok(line) => println!("{line}"),
        Err(error) => eprintln!("the report cannot be printed: {error}"),
    }
}

fn login(arguments: &LoginArguments) -> Result<(), String> {
    let options = LoginOptions {
        tunnels: arguments.tunnels,
        sessions: arguments.sessions,
        concurrency: arguments.concurrency,
        hold: Duration::from_secs(arguments.hold),
        limit: Duration::from_secs(300),
    };
    with_target(&arguments.target, arguments.tunnels * arguments.sessions, false, |target| {
        bench::login(target, &options)
    })
}

fn data(arguments: &DataArguments) -> Result<(), String> {
    let options = DataOptions {
        sessions: arguments.sessions,
        packet: arguments.packet.clamp(64, 1400),
        rate: arguments.rate,
        duration: Duration::from_secs(arguments.seconds),
        direction: match arguments.direction {
            Way::FromClient => Direction::FromClient,
            Way::ToClient => Direction::ToClient,
        },
    };
    with_target(&arguments.target, arguments.sessions + 8, true, |target| bench::data(target, &options))
}

/// Runs a measurement against the server that was named, or against one that lives as long as the run.
fn with_target<R: Serialize>(
    arguments: &TargetArguments,
    sessions: usize,
    tun: bool,
    measure: impl FnOnce(&Target) -> Result<R, BenchError>,
) -> Result<(), String> {
    let own = match arguments.server {
        Some(_) => None,
        None => Some(OwnServer::start(sessions, tun, arguments.backend == Backend::Radius, arguments.ipsec)?),
    };
    let password = match (&arguments.password_file, &own) {
        (Some(file), _) => {
            let text = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
            Zeroizing::new(text.trim_ascii_end().to_vec())
        }
        (None, Some(own)) => own.password(),
        (None, None) => Zeroizing::new(b"bench".to_vec()),
    };
    let target = Target {
        server: arguments.server.or(own.as_ref().map(OwnServer::address)).ok_or("no server")?,
        server_pid: arguments.server_pid.or(own.as_ref().map(OwnServer::pid)),
        source: arguments.source,
        ports: arguments.ports.clamp(1, bench::MOST_PORTS),
        user: match arguments.backend {
            Backend::Local if own.is_some() => "bench".into(),
            _ => arguments.user.clone(),
        },
        password,
        method: arguments.auth.protocol(),
        half_open: arguments.half_open,
        security: match own.as_ref().and_then(OwnServer::security) {
            Some(security) => Some(security),
            None => arguments
                .security
                .security(&arguments.server.map_or_else(String::new, |server| server.ip().to_string()))?,
        },
    };
    let report = measure(&target).map_err(|error| error.to_string())?;
    print(&report);
    Ok(())
}

fn radius(
    listen: SocketAddr,
    accounting: SocketAddr,
    secret_file: &std::path::Path,
    delay: Duration,
) -> Result<(), String> {
    let secret = std::fs::read(secret_file).map_err(|error| format!("{}: {error}", secret_file.display()))?;
    let responder = Responder::on(listen, accounting, secret.trim_ascii_end(), delay)
        .map_err(|error| format!("cannot listen on {listen} and {accounting}: {error}"))?;
    eprintln!("answering on {listen} and {accounting}");
    loop {
        std::thread::sleep(Duration::from_secs(3600));
        eprintln!("{} requests answered", responder.answered());
    }
}
