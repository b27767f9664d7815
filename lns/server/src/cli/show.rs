//! `tollgate show` and `tollgate disconnect`: they ask a running server over its admin socket.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{ArgGroup, Args, ValueEnum};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{ConfigArguments, table};
use crate::admin::{self, Request};
use crate::shard::{IpsecReport, Selector, SessionReport, TunnelReport};

#[derive(Debug, Clone, Copy, ValueEnum)]
enum What {
    /// Who is connected, since when, with which address and policy.
    Sessions,
    /// L2TP tunnels and their peers.
    Tunnels,
    /// IPsec associations: peers, algorithms, lifetimes, traffic, replays.
    Ipsec,
    /// Server groups: state and counters of each server.
    Aaa,
    /// Address pools and how full they are.
    Pools,
    /// What was received, sent and dropped, by reason.
    Counters,
}

/// Which running server.
#[derive(Debug, Args)]
struct Running {
    #[command(flatten)]
    config: ConfigArguments,
    /// The server's admin socket; without it, the one that the configuration names.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Running {
    fn ask(&self, request: &Request) -> Result<Value, ExitCode> {
        let socket = match &self.socket {
            Some(socket) => socket.clone(),
            None => self.config.load()?.admin.socket,
        };
        admin::ask(&socket, request).map_err(|error| {
            eprintln!("{error}");
            ExitCode::FAILURE
        })
    }
}

#[derive(Debug, Args)]
pub(crate) struct ShowArguments {
    /// What to print.
    #[arg(value_enum)]
    what: What,
    #[command(flatten)]
    running: Running,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true))]
pub(crate) struct DisconnectArguments {
    /// All sessions of this user.
    #[arg(long, group = "which")]
    user: Option<String>,
    /// The session with this id (show sessions).
    #[arg(long, group = "which", value_name = "ID")]
    session: Option<String>,
    /// The session with this inner address.
    #[arg(long, group = "which")]
    address: Option<Ipv4Addr>,
    /// Every session.
    #[arg(long, group = "which")]
    all: bool,
    #[command(flatten)]
    running: Running,
}

pub(crate) fn show(arguments: &ShowArguments) -> ExitCode {
    let request = match arguments.what {
        What::Sessions => Request::Sessions,
        What::Tunnels => Request::Tunnels,
        What::Ipsec => Request::Ipsec,
        What::Aaa => Request::Aaa,
        What::Pools => Request::Pools,
        What::Counters => Request::Counters,
    };
    let answer = match arguments.running.ask(&request) {
        Ok(answer) => answer,
        Err(code) => return code,
    };
    if arguments.running.json {
        println!("{answer:#}");
        return ExitCode::SUCCESS;
    }
    match arguments.what {
        What::Sessions => print_sessions(&read(answer)),
        What::Tunnels => print_tunnels(&read(answer)),
        What::Ipsec => print_ipsec(&read(answer)),
        What::Aaa => print_aaa(&answer),
        What::Pools => print_pools(&answer),
        What::Counters => {
            for (name, value) in answer.as_object().into_iter().flatten() {
                println!("{name:<32} {value}");
            }
        }
    }
    ExitCode::SUCCESS
}

pub(crate) fn disconnect(arguments: &DisconnectArguments) -> ExitCode {
    let selector = if let Some(user) = &arguments.user {
        Selector::User(user.clone())
    } else if let Some(session) = &arguments.session {
        Selector::Session(session.clone())
    } else if let Some(address) = arguments.address {
        Selector::Address(address)
    } else {
        Selector::All
    };
    let answer = match arguments.running.ask(&Request::Disconnect(selector)) {
        Ok(answer) => answer,
        Err(code) => return code,
    };
    let ended = answer["disconnected"].as_u64().unwrap_or(0);
    if arguments.running.json {
        println!("{answer}");
    } else {
        println!("{ended} sessions disconnected");
    }
    if ended > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The rows of an answer; one that a newer server shaped otherwise shows as empty.
fn read<T: DeserializeOwned>(answer: Value) -> Vec<T> {
    serde_json::from_value(answer).unwrap_or_default()
}

fn print_sessions(sessions: &[SessionReport]) {
    let rows: Vec<_> = sessions
        .iter()
        .map(|session| {
            let or_dash = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".into());
            [
                session.session.clone(),
                or_dash(&session.user),
                session.state.clone(),
                session.address.map_or_else(|| "-".into(), |address| address.to_string()),
                session.peer.clone(),
                or_dash(&session.tunnel_group),
                or_dash(&session.group_policy),
                or_dash(&session.filter),
                or_dash(&session.method),
                or_dash(&session.encryption),
                or_dash(&session.server),
                duration(session.duration),
                session.idle.map_or_else(|| "-".into(), duration),
                session.octets_in.to_string(),
                session.octets_out.to_string(),
            ]
        })
        .collect();
    table::print(
        [
            "SESSION",
            "USER",
            "STATE",
            "ADDRESS",
            "PEER",
            "TUNNEL-GROUP",
            "POLICY",
            "FILTER",
            "METHOD",
            "ENCRYPTION",
            "SERVER",
            "DURATION",
            "IDLE",
            "OCTETS-IN",
            "OCTETS-OUT",
        ],
        &rows,
    );
}

fn print_tunnels(tunnels: &[TunnelReport]) {
    let rows: Vec<_> = tunnels
        .iter()
        .map(|tunnel| {
            [
                tunnel.tunnel.to_string(),
                tunnel.peer_tunnel.to_string(),
                tunnel.peer.clone(),
                tunnel.host_name.clone(),
                tunnel.vendor.clone(),
                tunnel.state.clone(),
                tunnel.sessions.to_string(),
                tunnel.ipsec.as_ref().map_or_else(|| "none".into(), summary),
            ]
        })
        .collect();
    table::print(
        ["TUNNEL", "PEER-TUNNEL", "PEER", "HOST-NAME", "VENDOR", "STATE", "SESSIONS", "IPSEC"],
        &rows,
    );
}

fn summary(ipsec: &IpsecReport) -> String {
    let transform = ipsec.phase2.as_deref().unwrap_or("no association");
    format!("{} {transform}, NAT {}, {}", ipsec.encapsulation, ipsec.nat, ipsec.identity)
}

/// A paragraph for each association: too much for a line.
fn print_ipsec(associations: &[IpsecReport]) {
    let left =
        |seconds: Option<u64>| seconds.map_or_else(String::new, |seconds| format!(", {seconds} s left"));
    for ipsec in associations {
        println!("Association {} with {}", ipsec.association, ipsec.peer);
        println!("  identity   {} ({}), tunnel group {}", ipsec.identity, ipsec.proof, ipsec.tunnel_group);
        println!("  way        {}, NAT: {}", ipsec.encapsulation, ipsec.nat);
        let phase1 = ipsec.phase1.as_deref().unwrap_or("expired");
        println!("  phase 1    {phase1}{}", left(ipsec.phase1_lifetime));
        let phase2 = ipsec.phase2.as_deref().unwrap_or("none at present");
        println!("  phase 2    {phase2}{}", left(ipsec.phase2_lifetime));
        if let (Some(inbound), Some(outbound)) = (&ipsec.spi_in, &ipsec.spi_out) {
            println!("  SPI        {inbound} in, {outbound} out");
        }
        println!("  up         {} s, rekeyed {} times", ipsec.duration, ipsec.rekeyed);
        println!("  in         {} packets, {} octets", ipsec.packets_in, ipsec.octets_in);
        println!("  out        {} packets, {} octets", ipsec.packets_out, ipsec.octets_out);
        println!("  replayed   {} packets dropped", ipsec.replay_drops);
    }
}

/// Each server with all that is counted of it, the way the old system lists it.
fn print_aaa(groups: &Value) {
    for group in groups.as_array().into_iter().flatten() {
        println!("Server group:    {}", text(&group["name"]));
        println!("Server protocol: {}", text(&group["protocol"]));
        for server in group["servers"].as_array().into_iter().flatten() {
            println!("  Server {}", text(&server["address"]));
            for (name, value) in server.as_object().into_iter().flatten() {
                match (name.as_str(), value) {
                    ("address", _) => {}
                    (_, Value::Object(counters)) => {
                        for (name, value) in counters {
                            println!("    {:<28} {}", name.replace('-', " "), text(value));
                        }
                    }
                    ("since" | "accounting-since", value) => {
                        println!("    {:<28} {}", name.replace('-', " "), ago(value.as_u64()));
                    }
                    (name, value) => println!("    {:<28} {}", name.replace('-', " "), text(value)),
                }
            }
        }
    }
}

fn print_pools(pools: &Value) {
    let rows: Vec<_> = pools
        .as_array()
        .into_iter()
        .flatten()
        .map(|pool| ["name", "first", "last", "used", "size"].map(|column| text(&pool[column])))
        .collect();
    table::print(["POOL", "FIRST", "LAST", "USED", "SIZE"], &rows);
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".into(),
        other => other.to_string(),
    }
}

/// A time in seconds after 1970 as how long ago it was.
fn ago(since: Option<u64>) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    since.map_or_else(|| "-".into(), |since| format!("{} ago", duration(now.saturating_sub(since))))
}

/// `1d 02:03:04`.
fn duration(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let clock = format!("{:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60);
    if days > 0 { format!("{days}d {clock}") } else { clock }
}
