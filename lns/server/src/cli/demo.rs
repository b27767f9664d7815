//! `tollgate demo`: a login from end to end on this machine, with nothing prepared.

mod echo;
mod log;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ring::rand::{SecureRandom, SystemRandom};
use tollgate_aaa::ServerGroup;
use tollgate_aaa::accounting::{Record, RecordKind, Sink};
use tollgate_backends::local::{LocalBackend, StoredPassword, User};
use tollgate_client::dial::{Dial, Options};
use tollgate_client::ip;
use tollgate_client::secure::Security;
use zeroize::Zeroizing;

use super::Method;
use super::dial::print_stage;
use crate::inner::ECHO_PORT;
use crate::runtime::{Extras, InnerKind, Server, StartError};
use echo::EchoService;
use log::Log;

/// Octets of the small transfer, each way.
const TRANSFER: usize = 256 * 1024;
/// Octets of one of its datagrams.
const CHUNK: usize = 1024;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Keep the inside in memory even where a TUN device could be made.
    #[arg(long)]
    no_tun: bool,
    /// Leave IPsec out: plain L2TP.
    #[arg(long)]
    plain: bool,
}

/// Accounting records as they are submitted.
#[derive(Default)]
struct Witness(Mutex<Vec<Record>>);

impl Sink for Witness {
    fn submit(&self, record: Record, _group: Option<Arc<ServerGroup>>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(record);
    }
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let began = Instant::now();
    match demonstrate(arguments) {
        Ok(()) => {
            println!("\nAll of this took {:.1} s.", began.elapsed().as_secs_f64());
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("the demonstration failed: {message}");
            ExitCode::FAILURE
        }
    }
}

fn demonstrate(arguments: &Arguments) -> Result<(), String> {
    let log = Log::start();
    let password = random_password()?;
    let witness = Arc::new(Witness::default());
    let preshared_key = random_password()?;
    let (server, device) = start(arguments, &password, &preshared_key, &witness)?;
    let inner = server.shared().inner_address;
    let caller = Caller::new(&server, password.clone(), (!arguments.plain).then_some(&preshared_key));
    println!("Server listens on {} (loopback only), inner address {inner}", caller.describe());
    match &device {
        Some(device) => println!("Inside: TUN device {device}"),
        None => {
            println!("Inside: in memory (a TUN device needs root or CAP_NET_ADMIN; nothing else is missing)")
        }
    }
    println!("User alice, generated password, LOCAL database in memory");
    let echo = match device {
        Some(_) => Some(EchoService::start(inner).map_err(|error| format!("echo service: {error}"))?),
        None => None,
    };
    let echo_port = echo.as_ref().map_or(ECHO_PORT, EchoService::port);

    for method in [Method::Pap, Method::MsChapV1, Method::MsChapV2] {
        println!("\nLogin by {}", method.protocol());
        login(&caller, method, echo_port)?;
        log.print();
    }
    println!("\nLogin with a wrong password");
    refusal(&caller, b"not the password", Method::MsChapV2)?;
    log.print();
    println!(
        "\nLogin of a client that can do CHAP only: LOCAL keeps no password that CHAP could be checked with"
    );
    refusal(&caller, &password, Method::Chap)?;
    log.print();

    server.stop();
    drop(echo);
    println!("\nAccounting records");
    for record in witness.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        print_record(record);
    }
    Ok(())
}

/// A password that nobody knows beforehand.
pub(super) fn random_password() -> Result<Zeroizing<Vec<u8>>, String> {
    let mut bytes = Zeroizing::new([0u8; 12]);
    SystemRandom::new().fill(bytes.as_mut()).map_err(|_| "the system gives no random numbers".to_owned())?;
    Ok(Zeroizing::new(bytes.iter().map(|octet| b'a' + octet % 26).collect()))
}

/// Starts the server with a TUN device, or without where there is no right to make one.
fn start(
    arguments: &Arguments,
    password: &[u8],
    preshared_key: &[u8],
    witness: &Arc<Witness>,
) -> Result<(Server, Option<String>), String> {
    // A name and a network of this process's own, so that two demonstrations do not meet.
    let number = std::process::id();
    let device = format!("tgdemo{}", number % 100_000);
    let network = format!("10.{}.{}", 128 + number / 256 % 64, number % 256);
    let plain = if arguments.plain { "require-ipsec = false\n" } else { "" };
    let key = match arguments.plain {
        true => Zeroizing::new(String::new()),
        // Letters only: nothing in it needs quoting.
        false => Zeroizing::new(format!("pre-shared-key = \"{}\"\n", String::from_utf8_lossy(preshared_key))),
    };
    let text = format!(
        "[lns]\nhostname = \"demo\"\n{plain}l2tp-listen = \"127.0.0.1:0\"\ntun-name = \"{device}\"\n\
         inner-address = \"{network}.1\"\n\
         [local]\n\
         [pool.demo]\nrange = \"{network}.10-{network}.20\"\nmask = \"255.255.255.0\"\n\
         [group-policy.demo]\ndns-server = [\"{network}.53\"]\nwins-server = [\"{network}.137\"]\n\
         [ipsec]\nike-listen = \"127.0.0.1:0\"\nnat-t-listen = \"127.0.0.1:0\"\nesp = false\n\
         [tunnel-group.DefaultRAGroup]\naddress-pool = [\"demo\"]\ndefault-group-policy = \"demo\"\n{}\
         ppp-authentication = [\"ms-chap-v2\", \"ms-chap-v1\", \"pap\"]\n",
        *key
    );
    let start = |inner| {
        let config = tollgate_policy::config::parse(Path::new("demo.toml"), &text)
            .map_err(|problems| problems.to_string())?;
        let users = vec![User::new("alice", StoredPassword::nt(password))];
        let extras = Extras {
            local: Some(Arc::new(LocalBackend::in_memory(users))),
            witness: Some(Arc::clone(witness) as Arc<dyn Sink>),
        };
        Ok::<_, String>(Server::start(config, inner, extras))
    };
    if !arguments.no_tun {
        match start(InnerKind::Tun)? {
            Ok(server) => return Ok((server, Some(device))),
            Err(StartError::TunForbidden { .. }) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    let server = start(InnerKind::Memory)?.map_err(|error| error.to_string())?;
    Ok((server, None))
}

/// The client's side: where to call, and with which keys.
struct Caller {
    server: SocketAddr,
    password: Zeroizing<Vec<u8>>,
    security: Option<Security>,
}

impl Caller {
    fn new(
        server: &Server,
        password: Zeroizing<Vec<u8>>,
        preshared_key: Option<&Zeroizing<Vec<u8>>>,
    ) -> Self {
        let listens = server.listens();
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let security = preshared_key.map(|key| {
            let mut security = Security::with_key(key);
            security.ike_port = listens.ike.unwrap_or(loopback).port();
            security.nat_t_port = listens.nat_t.unwrap_or(loopback).port();
            security
        });
        Self { server: listens.plain.unwrap_or(loopback), password, security }
    }

    fn describe(&self) -> String {
        match &self.security {
            None => format!("{} for plain L2TP", self.server),
            Some(security) => format!(
                "{} with IKE on port {} and ESP in UDP on port {}, generated pre-shared key",
                self.server.ip(),
                security.ike_port,
                security.nat_t_port
            ),
        }
    }

    fn options(&self, password: &[u8], method: Method) -> Options {
        Options {
            server: self.server,
            user: b"alice".to_vec(),
            password: Zeroizing::new(password.to_vec()),
            new_password: None,
            method: method.protocol(),
            ppp: tollgate_client::dial::PppOptions::default(),
            tunnel_secret: None,
            security: self.security.clone(),
            keys: None,
            host_name: "demo-client".into(),
            request_servers: true,
            stage_limit: Duration::from_secs(5),
        }
    }
}

fn login(caller: &Caller, method: Method, echo_port: u16) -> Result<(), String> {
    let options = caller.options(&caller.password, method);
    let mut dial = Dial::connect(&options, &mut print_stage).map_err(|failure| failure.to_string())?;
    let peer = dial.addresses().map(|addresses| addresses.peer).ok_or("no addresses")?;
    for sequence in 1..=3 {
        let time = dial
            .ping(peer, sequence, Duration::from_secs(2))
            .ok_or_else(|| format!("ping {sequence} of {peer} was not answered"))?;
        println!("  {:<15} {:>9.2} ms  {peer} answered", "ping", time.as_secs_f64() * 1e3);
    }
    let (octets, took) = transfer(&mut dial, peer, echo_port)?;
    println!(
        "  {:<15} {:>9.2} ms  {} KiB there and back, {:.0} Mbit/s",
        "transfer",
        took.as_secs_f64() * 1e3,
        octets / 1024,
        octets as f64 * 16.0 / took.as_secs_f64() / 1e6,
    );
    dial.hang_up();
    Ok(())
}

/// Sends datagrams to an echo service inside and counts what comes back; a few at a time, as a sliding window.
fn transfer(dial: &mut Dial, peer: Ipv4Addr, port: u16) -> Result<(usize, Duration), String> {
    const OWN_PORT: u16 = 40_000;
    const WINDOW: usize = 16;
    let own = dial.addresses().map(|addresses| addresses.local).ok_or("no addresses")?;
    let began = Instant::now();
    let (mut sent, mut received) = (0, 0);
    let payload = vec![0x5a; CHUNK];
    while received < TRANSFER {
        while sent < TRANSFER && sent - received < WINDOW * CHUNK {
            dial.send(&ip::datagram((own, OWN_PORT), (peer, port), &payload));
            sent += CHUNK;
        }
        let deadline = Instant::now() + Duration::from_secs(2);
        let packet = dial
            .receive(deadline, |packet| ip::datagram_payload(packet, OWN_PORT).is_some())
            .ok_or_else(|| format!("the transfer stopped after {received} octets"))?;
        received += ip::datagram_payload(&packet, OWN_PORT).map_or(0, <[u8]>::len);
    }
    Ok((received, began.elapsed()))
}

/// A login that must be refused.
fn refusal(caller: &Caller, password: &[u8], method: Method) -> Result<(), String> {
    match Dial::connect(&caller.options(password, method), &mut print_stage) {
        Ok(mut dial) => {
            dial.hang_up();
            Err("a login that must be refused was accepted".into())
        }
        Err(failure) => {
            println!("  {:<15} refused: {}", failure.stage, failure.said);
            println!("  {:<15} {}", "likely cause", failure.cause);
            Ok(())
        }
    }
}

fn print_record(record: &Record) {
    let user = tollgate_aaa::PrintableName(&record.user_name);
    let address = record.framed_ip.map_or_else(|| "-".to_owned(), |address| address.to_string());
    print!(
        "  {:<5} {user} {} {} {address}",
        record.kind.to_string(),
        record.context.acct_session_id,
        record.method
    );
    match record.kind {
        RecordKind::Start => println!(),
        RecordKind::Interim | RecordKind::Stop => println!(
            " {:.1} s, {} octets in, {} out, {}",
            record.session_time.as_secs_f64(),
            record.counters.input_octets,
            record.counters.output_octets,
            record.terminate_cause.map_or_else(String::new, |cause| cause.to_string()),
        ),
    }
}
