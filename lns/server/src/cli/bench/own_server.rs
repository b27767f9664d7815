//! A server for the length of one measurement, in a process of its own so that its cost can be told from the
//! generator's.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tollgate_client::bench::Responder;
use tollgate_client::secure::Security;
use zeroize::Zeroizing;

/// Ended when dropped.
pub(super) struct OwnServer {
    child: Child,
    address: SocketAddr,
    security: Option<Security>,
    password: Zeroizing<Vec<u8>>,
    _responder: Option<Responder>,
    _folder: TempDir,
}

impl OwnServer {
    /// Starts `tollgate serve` for so many sessions, with a RADIUS responder or a local user named `bench`.
    pub(super) fn start(sessions: usize, tun: bool, radius: bool, ipsec: bool) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
        let secret = super::super::demo::random_password()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let responder = if radius {
            Some(Responder::start(&secret).map_err(|error| format!("no RADIUS responder: {error}"))?)
        } else {
            None
        };
        let group = match &responder {
            Some(responder) => format!(
                "authentication-server-group = \"bench\"\naccounting-server-group = \"bench\"\n\
                 [server-group.bench]\nprotocol = \"radius\"\n[[server-group.bench.host]]\naddress = \"127.0.0.1\"\n\
                 key = \"{}\"\nauthentication-port = {}\naccounting-port = {}\n",
                text(&secret),
                responder.authentication_port(),
                responder.accounting_port(),
            ),
            None => "[local]\n".to_owned(),
        };
        let preshared_key = super::super::demo::random_password()?;
        let key = match ipsec {
            true => Zeroizing::new(format!("pre-shared-key = \"{}\"\n", text(&preshared_key))),
            false => Zeroizing::new(String::new()),
        };
        let number = std::process::id();
        let last = std::net::Ipv4Addr::from(u32::from_be_bytes([10, 200, 1, 0]) + sessions as u32 * 2 + 64);
        let methods = if radius { "\"pap\", \"chap\"" } else { "\"pap\", \"ms-chap-v1\", \"ms-chap-v2\"" };
        let config = format!(
            "[lns]\nrequire-ipsec = {ipsec}\nl2tp-listen = \"127.0.0.1:0\"\ntun-name = \"tgbench{}\"\n\
             inner-address = \"10.200.0.1\"\nmax-sessions = {}\n\
             [ipsec]\nike-listen = \"127.0.0.1:0\"\nnat-t-listen = \"127.0.0.1:0\"\nesp = false\n\
             max-half-open-per-source = 10000\n\
             [admin]\nsocket = \"{}\"\n\
             [pool.bench]\nrange = \"10.200.1.0-{last}\"\n\
             [group-policy.DfltGrpPolicy]\nvpn-simultaneous-logins = {}\n\
             [tunnel-group.DefaultRAGroup]\naddress-pool = [\"bench\"]\nppp-authentication = [{methods}]\n{}{group}",
            number % 100_000,
            sessions * 2 + 64,
            folder.path().join("admin.sock").display(),
            sessions * 2 + 64,
            *key,
        );
        let file = folder.path().join("tollgate.toml");
        std::fs::write(&file, config).map_err(|error| format!("{}: {error}", file.display()))?;
        let own = std::env::current_exe().map_err(|error| format!("this program has no file: {error}"))?;
        if !radius {
            add_user(&own, &folder, &secret)?;
        }
        let mut command = Command::new(own);
        // Log lines of sessions are written, as in service, but nobody has to read them.
        command.args(["serve", "--config"]).arg(&file).stdin(Stdio::null()).stderr(Stdio::piped());
        if !tun {
            command.arg("--no-tun");
        }
        let mut child = command.spawn().map_err(|error| format!("the server does not start: {error}"))?;
        let stderr = child.stderr.take().ok_or("the server has no log")?;
        let listens = listens(stderr);
        let mut server = Self {
            child,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            security: None,
            password: secret,
            _responder: responder,
            _folder: folder,
        };
        let listens = listens?;
        server.address = listens.plain;
        if let (true, Some(ike), Some(nat_t)) = (ipsec, listens.ike, listens.nat_t) {
            let mut security = Security::with_key(&preshared_key);
            (security.ike_port, security.nat_t_port) = (ike.port(), nat_t.port());
            server.security = Some(security);
        }
        Ok(server)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How it is reached through IPsec, where it was started for that.
    pub(super) fn security(&self) -> Option<Security> {
        self.security.clone()
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn password(&self) -> Zeroizing<Vec<u8>> {
        self.password.clone()
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn add_user(own: &std::path::Path, folder: &TempDir, password: &[u8]) -> Result<(), String> {
    use std::io::Write;
    let mut child = Command::new(own)
        .args(["user", "add", "bench", "--mschap", "--users"])
        .arg(folder.path().join("users.toml"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .map_err(|error| format!("no user can be added: {error}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(password).map_err(|error| format!("no user can be added: {error}"))?;
    }
    let status = child.wait().map_err(|error| format!("no user can be added: {error}"))?;
    if status.success() { Ok(()) } else { Err("no user could be added".into()) }
}

/// Where the server says that it listens.
struct Said {
    plain: SocketAddr,
    ike: Option<SocketAddr>,
    nat_t: Option<SocketAddr>,
}

/// Waits for the line that names the addresses; reads the rest so that the server never waits for a reader.
fn listens(log: impl std::io::Read + Send + 'static) -> Result<Said, String> {
    let mut reader = BufReader::new(log);
    let mut said = String::new();
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|length| length > 0) {
        let named =
            |name: &str| line.split(name).nth(1)?.split([' ', '"', '\n']).find_map(|word| word.parse().ok());
        if let Some(plain) = named("listen=") {
            let found = Said { plain, ike: named("ike="), nat_t: named("nat_t=") };
            std::thread::spawn(move || std::io::copy(&mut reader, &mut std::io::sink()));
            return Ok(found);
        }
        said.push_str(&line);
        line.clear();
    }
    Err(format!("the server did not start; it said: {}", said.trim()))
}
