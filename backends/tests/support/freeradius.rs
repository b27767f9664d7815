//! A FreeRADIUS of our own for a test: temporary folder, free ports, gone when dropped or when the test process dies.
//!
//! Stands alone, so that other test suites can include it with `#[path = "..."]`. Needs the Debian packages
//! `freeradius` and `freeradius-utils`.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

const BINARY: &str = "/usr/sbin/freeradius";
const START_LIMIT: Duration = Duration::from_secs(30);

const EAP_MODULE: &str = r#"
    eap {
        default_eap_type = {first}
        timer_expire = 60
        md5 { }
        mschapv2 { }
        tls-config common {
            private_key_file = {folder}/eap.key
            certificate_file = {folder}/eap.pem
            ca_file = {folder}/eap-ca.pem
            fragment_size = 1024
            include_length = yes
            tls_min_version = "1.2"
            tls_max_version = "1.2"
            ecdh_curve = "prime256v1"
        }
        tls { tls = common }
        peap {
            tls = common
            default_eap_type = mschapv2
            virtual_server = inner
            use_tunneled_reply = yes
        }
    }
"#;

/// What PEAP asks inside its tunnel.
const INNER_SERVER: &str = r#"
server inner {
    authorize {
        mschap
        eap { ok = return }
        files
        pap
    }
    authenticate {
        Auth-Type PAP {
            pap
        }
        Auth-Type MS-CHAP {
            mschap
        }
        eap
    }
}
"#;

/// How the server is set up.
#[derive(Clone)]
pub struct Options {
    /// Where it listens.
    pub address: IpAddr,
    /// Shared secret of every client.
    pub secret: String,
    /// Accounts in the form of FreeRADIUS's `users` file.
    pub users: String,
    /// Accepts, rejects and challenges carry a Message-Authenticator.
    pub message_authenticator: bool,
    /// Requests without a Message-Authenticator are dropped.
    pub require_message_authenticator: bool,
    /// Fixed ports (authentication, accounting), for a server that comes back; otherwise free ones.
    pub ports: Option<(u16, u16)>,
    /// Statements in front of the `authorize` section, in FreeRADIUS's language.
    pub authorize: String,
    /// More of the `mschap` module, in the same language.
    pub mschap: String,
    /// It speaks EAP: MD5, MSCHAPv2, PEAP with MSCHAPv2 inside, TLS.
    pub eap: Option<Eap>,
    /// Network namespace to run in, by its name.
    pub namespace: Option<String>,
    /// How packets reach it.
    pub transport: Transport,
    /// Connections that it serves at once, where there are connections.
    pub max_connections: u32,
    /// It answers Status-Server (RFC 5997).
    pub status_server: bool,
}

/// How packets reach the server.
#[derive(Clone, Default)]
pub enum Transport {
    /// In datagrams.
    #[default]
    Udp,
    /// On streams (RFC 6613).
    Tcp,
    /// On streams in TLS (RFC 6614), both services on the authentication port.
    Tls(RadSec),
}

/// What RadSec needs, all in files in PEM.
#[derive(Clone)]
pub struct RadSec {
    /// The server's certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authority that vouches for clients.
    pub ca: PathBuf,
    /// `1.2` or `1.3`.
    pub highest_version: &'static str,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            address: Ipv4Addr::LOCALHOST.into(),
            secret: "testing123".to_owned(),
            users: String::new(),
            message_authenticator: true,
            require_message_authenticator: true,
            ports: None,
            authorize: String::new(),
            mschap: String::new(),
            eap: None,
            namespace: None,
            transport: Transport::Udp,
            max_connections: 16,
            status_server: false,
        }
    }
}

/// What EAP with TLS needs, all in PEM.
#[derive(Clone)]
pub struct Eap {
    /// The server's certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
    /// The authority that vouches for clients.
    pub ca: String,
    /// The method that is offered first, in FreeRADIUS's words.
    pub first_method: &'static str,
}

/// A running server.
pub struct FreeRadius {
    options: Options,
    folder: PathBuf,
    /// UDP port for Access-Request.
    pub authentication_port: u16,
    /// UDP port for Accounting-Request.
    pub accounting_port: u16,
    process: Option<(Child, ChildStdin)>,
    log: Arc<Mutex<String>>,
}

impl FreeRadius {
    /// Starts one and waits until it serves.
    pub fn start(options: Options) -> Self {
        assert!(Path::new(BINARY).exists(), "FreeRADIUS is not installed; run `tests/run --install` as root");
        // Somebody else may take a free port before the server does: then with others.
        for attempt in 1.. {
            let (authentication_port, accounting_port) =
                options.ports.unwrap_or_else(|| match options.transport {
                    Transport::Udp => free_ports(options.address),
                    Transport::Tcp => free_stream_ports(options.address),
                    Transport::Tls(_) => {
                        let (port, _) = free_stream_ports(options.address);
                        (port, port)
                    }
                });
            let folder = new_folder();
            let mut server = Self {
                options: options.clone(),
                folder,
                authentication_port,
                accounting_port,
                process: None,
                log: Arc::default(),
            };
            server.write_configuration();
            match server.launch() {
                Ok(()) => return server,
                Err(log) => assert!(attempt < 5, "FreeRADIUS does not start:\n{log}"),
            }
        }
        unreachable!()
    }

    /// The server's address for questions.
    pub fn address(&self) -> SocketAddr {
        (self.options.address, self.authentication_port).into()
    }

    /// Ends it; it no longer answers, its folder stays.
    pub fn stop(&mut self) {
        let Some((mut child, stdin)) = self.process.take() else { return };
        drop(stdin);
        let begun = Instant::now();
        while matches!(child.try_wait(), Ok(None)) {
            if begun.elapsed() > Duration::from_secs(5) {
                let _ = child.kill();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Starts it again on the same ports.
    pub fn start_again(&mut self) {
        assert!(self.process.is_none(), "still running");
        self.launch().unwrap_or_else(|log| panic!("FreeRADIUS does not start again:\n{log}"));
    }

    /// Gives all clients another secret from its next start on.
    pub fn change_secret(&mut self, secret: &str) {
        secret.clone_into(&mut self.options.secret);
        self.write_configuration();
    }

    /// Accounting records that it has written, in FreeRADIUS's detail format.
    pub fn accounting_detail(&self) -> String {
        fs::read_to_string(self.folder.join("accounting")).unwrap_or_default()
    }

    /// Access-Requests that it has received, in the same format.
    pub fn request_detail(&self) -> String {
        fs::read_to_string(self.folder.join("requests")).unwrap_or_default()
    }

    /// What it printed.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    fn launch(&mut self) -> Result<(), String> {
        // The shell ends the server when our end of its standard input closes, however this process ends.
        let script =
            "\"$0\" -f -l stdout -d \"$1\" & server=$!; exec >&- 2>&-; read -r _; kill -9 $server; wait";
        let mut command = match &self.options.namespace {
            Some(namespace) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", namespace, "sh"]);
                command
            }
            None => Command::new("sh"),
        };
        let mut child = command
            .args(["-c", script, BINARY])
            .arg(&self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("sh starts");
        let stdin = child.stdin.take().expect("piped");
        let stdout = child.stdout.take().expect("piped");
        self.process = Some((child, stdin));
        let (ready, readiness) = mpsc::channel();
        let log = Arc::clone(&self.log);
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if line.contains("Ready to process requests") {
                    let _ = ready.send(());
                }
                let mut log = log.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
            // Its end closes the channel.
        });
        if readiness.recv_timeout(START_LIMIT).is_ok() {
            return Ok(());
        }
        self.stop();
        Err(self.log())
    }

    fn write_configuration(&self) {
        let Options { address, secret, users, message_authenticator, authorize, mschap, .. } = &self.options;
        let folder = self.folder.display();
        let require = if self.options.require_message_authenticator { "yes" } else { "no" };
        let family = if address.is_ipv6() { "ipv6addr" } else { "ipv4addr" };
        let max_connections = self.options.max_connections;
        let status_server = if self.options.status_server { "yes" } else { "no" };
        let protocol = match &self.options.transport {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
            Transport::Tls(_) => "tls",
        };
        let listeners = self.listeners(family);
        let sign = if *message_authenticator {
            "update reply {\n        &Message-Authenticator := 0x00\n        }"
        } else {
            ""
        };
        let (eap_module, eap_first, eap_method, inner) = match &self.options.eap {
            None => (String::new(), "", "", ""),
            Some(files) => {
                for (name, content) in
                    [("eap.pem", &files.certificate), ("eap.key", &files.key), ("eap-ca.pem", &files.ca)]
                {
                    fs::write(self.folder.join(name), content).unwrap();
                }
                (
                    EAP_MODULE
                        .replace("{folder}", &folder.to_string())
                        .replace("{first}", files.first_method),
                    "eap { ok = return }",
                    "eap",
                    INNER_SERVER,
                )
            }
        };
        let configuration = format!(
            r#"
prefix = /usr
libdir = /usr/lib/freeradius
raddbdir = {folder}
logdir = {folder}
run_dir = {folder}
pidfile = {folder}/radiusd.pid
max_request_time = 30
cleanup_delay = 2
max_requests = 65536
hostname_lookups = no
proxy_requests = no
log {{ destination = stdout }}
security {{
    max_attributes = 200
    reject_delay = 0
    status_server = {status_server}
}}
thread pool {{
    start_servers = 2
    max_servers = 4
    min_spare_servers = 1
    max_spare_servers = 3
    max_queue_size = 65536
}}
clients all {{
    client all4 {{
        ipaddr = 127.0.0.0/8
        proto = {protocol}
        secret = "{secret}"
        require_message_authenticator = {require}
        limit {{
            max_connections = {max_connections}
            idle_timeout = 30
        }}
    }}
    client all6 {{
        ipv6addr = ::1
        proto = {protocol}
        secret = "{secret}"
        require_message_authenticator = {require}
        limit {{
            max_connections = {max_connections}
            idle_timeout = 30
        }}
    }}
}}
modules {{
    pap {{ }}
    chap {{ }}
    always ok {{ rcode = ok }}
    mschap {{
        use_mppe = yes
        require_encryption = no
        require_strong = no
        {mschap}
    }}
    files {{ filename = {folder}/users }}
    detail accounting {{ filename = {folder}/accounting }}
    detail requests {{ filename = {folder}/requests }}
    {eap_module}
}}
{inner}
server default {{
    {listeners}
    authorize {{
        Autz-Type Status-Server {{
            ok
            {sign}
        }}
        {authorize}
        requests
        chap
        mschap
        {eap_first}
        files
        pap
    }}
    authenticate {{
        Auth-Type PAP {{
            pap
        }}
        Auth-Type CHAP {{
            chap
        }}
        Auth-Type MS-CHAP {{
            mschap
        }}
        {eap_method}
    }}
    accounting {{
        accounting
        Acct-Type Status-Server {{
            ok
            {sign}
        }}
    }}
    post-auth {{
        {sign}
        Post-Auth-Type REJECT {{
            {sign}
        }}
        Post-Auth-Type CHALLENGE {{
            {sign}
        }}
    }}
}}
"#
        );
        fs::write(self.folder.join("radiusd.conf"), configuration).unwrap();
        fs::write(self.folder.join("dictionary"), "$INCLUDE /usr/share/freeradius/dictionary\n").unwrap();
        fs::write(self.folder.join("users"), users).unwrap();
    }
}

impl FreeRadius {
    fn listeners(&self, family: &str) -> String {
        let listener = |kind: &str, port: u16, more: &str| {
            let Options { address, max_connections, .. } = &self.options;
            format!(
                "listen {{\n type = {kind}\n {family} = {address}\n port = {port}\n clients = all\n {more}\n \
                 limit {{\n max_connections = {max_connections}\n lifetime = 0\n idle_timeout = 30\n }}\n}}\n"
            )
        };
        let both = |more: &str| {
            listener("auth", self.authentication_port, more) + &listener("acct", self.accounting_port, more)
        };
        match &self.options.transport {
            Transport::Udp => both(""),
            Transport::Tcp => both("proto = tcp"),
            Transport::Tls(RadSec { certificate, key, ca, highest_version }) => {
                let tls = format!(
                    "proto = tcp\n tls {{\n certificate_file = {}\n private_key_file = {}\n ca_file = {}\n \
                     require_client_cert = yes\n tls_min_version = \"1.2\"\n tls_max_version = \"{highest_version}\"\n \
                     cipher_list = DEFAULT\n ecdh_curve = prime256v1\n }}",
                    certificate.display(),
                    key.display(),
                    ca.display(),
                );
                listener("auth+acct", self.authentication_port, &tls)
            }
        }
    }
}

impl Drop for FreeRadius {
    fn drop(&mut self) {
        self.stop();
        if std::thread::panicking() {
            eprintln!("FreeRADIUS said:\n{}", self.log());
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Two ports that nobody listened on a moment ago.
pub fn free_ports(address: IpAddr) -> (u16, u16) {
    let sockets = [(); 2].map(|()| UdpSocket::bind((address, 0)).expect("a free port"));
    let [first, second] = sockets.map(|socket| socket.local_addr().expect("bound").port());
    (first, second)
}

/// The same for streams.
pub fn free_stream_ports(address: IpAddr) -> (u16, u16) {
    let listeners = [(); 2].map(|()| TcpListener::bind((address, 0)).expect("a free port"));
    let [first, second] = listeners.map(|listener| listener.local_addr().expect("bound").port());
    (first, second)
}

fn new_folder() -> PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("tollgate-freeradius-{}-{count}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}
