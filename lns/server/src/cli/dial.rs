//! `tollgate dial`.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use tollgate_client::dial::{Dial, Failure, Options, Passed};
use tollgate_mschap::LONGEST_PASSWORD;
use tollgate_ppp::AuthProtocol;
use zeroize::Zeroizing;

use super::ppp::PppArguments;
use super::security::{self, SecurityArguments};
use super::{Method, key_log};

/// Port of L2TP.
const L2TP_PORT: u16 = 1701;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The server, with a port where it is not 1701.
    #[arg(value_name = "HOST[:PORT]")]
    server: String,
    /// The user's name; the password is read from the terminal or from standard input.
    #[arg(long)]
    user: String,
    /// File with a new password, for when the server says that the old one has expired.
    #[arg(long, value_name = "FILE")]
    new_password_file: Option<PathBuf>,
    /// The only authentication method to take part in.
    #[arg(long, value_enum, default_value = "ms-chap-v2")]
    auth: Method,
    #[command(flatten)]
    ppp: PppArguments,
    /// Ping the server's inner address so often.
    #[arg(long, value_name = "N", default_value_t = 0)]
    ping: u16,
    /// Ping this inner address instead.
    #[arg(long, value_name = "ADDRESS", requires = "ping")]
    ping_address: Option<std::net::Ipv4Addr>,
    /// Stay connected for so many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    hold: u64,
    /// File with the secret of L2TP tunnel authentication.
    #[arg(long, value_name = "FILE")]
    tunnel_secret_file: Option<PathBuf>,
    #[command(flatten)]
    security: SecurityArguments,
    /// Append the keys of this connection to FILE, for Wireshark: whoever reads it can read the traffic.
    #[arg(long, value_name = "FILE")]
    key_log: Option<PathBuf>,
    /// Seconds that one stage may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let options = match options(arguments) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::FAILURE;
        }
    };
    let mut stages = Vec::new();
    let connected = Dial::connect(&options, &mut |passed| {
        if !arguments.json {
            print_stage(passed);
        }
        stages.push(serde_json::json!({
            "stage": passed.stage.name(),
            "milliseconds": passed.took.as_secs_f64() * 1e3,
            "detail": passed.detail,
        }));
    });
    let mut dial = match connected {
        Ok(dial) => dial,
        Err(failure) => {
            report_failure(arguments.json, &stages, &failure);
            return ExitCode::FAILURE;
        }
    };
    let pings = ping(arguments, &mut dial);
    if arguments.hold > 0 {
        dial.hold(Instant::now() + Duration::from_secs(arguments.hold));
    }
    if let Some(failure) = dial.ended().cloned() {
        report_failure(arguments.json, &stages, &failure);
        return ExitCode::FAILURE;
    }
    if arguments.json {
        let addresses = dial.addresses();
        println!(
            "{}",
            serde_json::json!({
                "connected": true,
                "stages": stages,
                "address": addresses.map(|addresses| addresses.local),
                "server": addresses.map(|addresses| addresses.peer),
                "dns": addresses.map(|addresses| addresses.dns),
                "wins": addresses.map(|addresses| addresses.nbns),
                "pings": pings.iter().map(|ping| ping.map(|ping| ping.as_secs_f64() * 1e3)).collect::<Vec<_>>(),
            })
        );
    }
    dial.hang_up();
    if pings.iter().all(Option::is_some) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn options(arguments: &Arguments) -> Result<Options, String> {
    let server = resolve(&arguments.server)?;
    let tunnel_secret = arguments
        .tunnel_secret_file
        .as_ref()
        .map(|file| security::secret("--tunnel-secret-file", file))
        .transpose()?;
    let new_password = new_password(arguments)?;
    let name = arguments.server.rsplit_once(':').map_or(arguments.server.as_str(), |(name, _)| name);
    let mut security = arguments.security.security(name)?;
    if let Some(security) = &mut security {
        security.log_keys = arguments.key_log.is_some();
    }
    let password = super::read_password(&format!("Password of {}: ", arguments.user))
        .map_err(|error| format!("the password cannot be read: {error}"))?;
    Ok(Options {
        server,
        user: arguments.user.clone().into_bytes(),
        password,
        new_password,
        method: arguments.auth.protocol(),
        ppp: arguments.ppp.options()?,
        tunnel_secret,
        security,
        keys: arguments.key_log.as_deref().map(key_log::open).transpose()?,
        host_name: "tollgate-dial".into(),
        request_servers: true,
        stage_limit: Duration::from_secs(arguments.timeout.max(1)),
    })
}

fn new_password(arguments: &Arguments) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
    const OPTION: &str = "--new-password-file";
    let Some(file) = &arguments.new_password_file else { return Ok(None) };
    if arguments.auth.protocol() != AuthProtocol::MsChapV2 {
        return Err(format!("{OPTION}: only --auth ms-chap-v2 can carry a new password"));
    }
    let password = security::secret(OPTION, file)?;
    let length = std::str::from_utf8(&password).map_or(password.len(), |text| text.encode_utf16().count());
    if length > LONGEST_PASSWORD {
        return Err(format!("{OPTION}: the new password is longer than {LONGEST_PASSWORD} characters"));
    }
    Ok(Some(password))
}

fn resolve(server: &str) -> Result<SocketAddr, String> {
    let with_port =
        server.to_socket_addrs().or_else(|_| (server.trim_matches(['[', ']']), L2TP_PORT).to_socket_addrs());
    with_port
        .map_err(|error| {
            format!("{server}: {error}; write a host name or address, with :PORT where it is not 1701")
        })?
        .next()
        .ok_or_else(|| format!("{server} has no address"))
}

/// One line for a stage.
pub(crate) fn print_stage(passed: &Passed) {
    println!("  {:<15} {:>9.2} ms  {}", passed.stage, passed.took.as_secs_f64() * 1e3, passed.detail);
}

fn report_failure(json: bool, stages: &[serde_json::Value], failure: &Failure) {
    if json {
        println!(
            "{}",
            serde_json::json!({
                "connected": false,
                "stages": stages,
                "failed-stage": failure.stage.name(),
                "said": failure.said,
                "cause": failure.cause,
            })
        );
    } else {
        println!("  {:<15} failed: {}", failure.stage, failure.said);
        println!("  {:<15} {}", "likely cause", failure.cause);
    }
}

fn ping(arguments: &Arguments, dial: &mut Dial) -> Vec<Option<Duration>> {
    let Some(target) = arguments.ping_address.or_else(|| dial.addresses().map(|addresses| addresses.peer))
    else {
        return Vec::new();
    };
    (1..=arguments.ping)
        .map(|sequence| {
            let answer = dial.ping(target, sequence, Duration::from_secs(2));
            if !arguments.json {
                match answer {
                    Some(time) => {
                        println!("  {:<15} {:>9.2} ms  {target} answered", "ping", time.as_secs_f64() * 1e3);
                    }
                    None => println!("  {:<15} no answer from {target}", "ping"),
                }
            }
            answer
        })
        .collect()
}
