//! An OpenLDAP server of our own for a test: temporary folder, free ports, gone when dropped or when the test process
//! dies.
//!
//! Stands alone, so that other test suites can include it with `#[path = "..."]`. Needs the Debian packages `slapd` and
//! `openssl`.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const BINARY: &str = "/usr/sbin/slapd";
const START_LIMIT: Duration = Duration::from_secs(30);

/// Suffix of the database.
pub const BASE: &str = "dc=example,dc=test";
/// Where [`Slapd::person`] puts users.
pub const PEOPLE: &str = "ou=people,dc=example,dc=test";
/// An account that may read everything.
pub const READER: &str = "cn=reader,dc=example,dc=test";
/// Its password.
pub const READER_PASSWORD: &str = "reads everything";
/// The name in the server's certificate.
pub const SERVER_NAME: &str = "ldap.example.test";

/// How the server is set up.
#[derive(Clone, Default)]
pub struct Options {
    /// Entries beside the base, `ou=people` and the reader, in LDIF.
    pub entries: String,
    /// More lines for `slapd.conf`, in front of the database.
    pub global: String,
    /// More lines for `slapd.conf`, behind the database.
    pub database: String,
    /// Fixed ports (ldap, ldaps), for a server that comes back; otherwise free ones.
    pub ports: Option<(u16, u16)>,
    /// Another suffix than [`BASE`]; the server then holds an entry for it and nothing else.
    pub suffix: Option<String>,
    /// The certificate ended yesterday.
    pub expired_certificate: bool,
}

/// A running server.
pub struct Slapd {
    options: Options,
    folder: PathBuf,
    /// Port of `ldap://`.
    pub port: u16,
    /// Port of `ldaps://`.
    pub tls_port: u16,
    process: Option<(Child, ChildStdin)>,
    log: Arc<Mutex<String>>,
}

impl Slapd {
    /// Starts one and waits until it serves.
    pub fn start(options: Options) -> Self {
        assert!(Path::new(BINARY).exists(), "slapd is not installed; run `tests/run --install` as root");
        // Somebody else may take a free port before the server does: then with others.
        for attempt in 1.. {
            let (port, tls_port) = options.ports.unwrap_or_else(free_ports);
            let log = Arc::default();
            let mut server =
                Self { options: options.clone(), folder: new_folder(), port, tls_port, process: None, log };
            server.write_certificates();
            server.write_configuration();
            server.add_entries();
            match server.launch() {
                Ok(()) => return server,
                Err(log) => assert!(attempt < 5, "slapd does not start:\n{log}"),
            }
        }
        unreachable!()
    }

    /// LDIF of a user below [`PEOPLE`] with `uid`, a password in the clear, and more lines.
    pub fn person(uid: &str, password: &str, more: &str) -> String {
        let password = base64(password.as_bytes());
        format!(
            "dn: uid={uid},{PEOPLE}\nobjectClass: inetOrgPerson\nobjectClass: extensibleObject\nuid: {uid}\n\
             cn: {uid}\nsn: {uid}\nuserPassword:: {password}\n{more}\n"
        )
    }

    /// PEM certificate of the authority that signed the server's.
    pub fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
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
        self.launch().unwrap_or_else(|log| panic!("slapd does not start again:\n{log}"));
    }

    /// What it printed: every connection, bind and search.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    fn launch(&mut self) -> Result<(), String> {
        // The shell ends the server when our end of its standard input closes, however this process ends.
        let script =
            "\"$0\" -d 256 -f \"$1\" -h \"$2\" & server=$!; exec >&- 2>&-; read -r _; kill -9 $server; wait";
        let urls = format!("ldap://127.0.0.1:{} ldaps://127.0.0.1:{}", self.port, self.tls_port);
        let mut child = Command::new("sh")
            .args(["-c", script, BINARY])
            .arg(self.folder.join("slapd.conf"))
            .arg(urls)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("sh starts");
        let stdin = child.stdin.take().expect("piped");
        let mut stderr = child.stderr.take().expect("piped");
        self.process = Some((child, stdin));
        let log = Arc::clone(&self.log);
        let reader = std::thread::spawn(move || {
            let mut octets = [0; 4096];
            while let Ok(length @ 1..) = stderr.read(&mut octets) {
                log.lock().unwrap().push_str(&String::from_utf8_lossy(&octets[..length]));
            }
        });
        let begun = Instant::now();
        while begun.elapsed() < START_LIMIT && !reader.is_finished() {
            if self.log().contains("slapd starting") && TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.stop();
        Err(self.log())
    }

    fn suffix(&self) -> &str {
        self.options.suffix.as_deref().unwrap_or(BASE)
    }

    fn write_certificates(&self) {
        let end = if self.options.expired_certificate { "-1" } else { "30" };
        let authority = self.folder.file_name().unwrap().to_string_lossy();
        let script = format!(
            "set -e\n\
             openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 \
               -subj '/CN={authority}' -keyout ca.key -out ca.pem\n\
             openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj '/CN={SERVER_NAME}' \
               -keyout server.key -out server.csr\n\
             printf 'subjectAltName=DNS:{SERVER_NAME}\\n' > extensions\n\
             openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days {end} \
               -extfile extensions -out server.pem\n"
        );
        run(Command::new("sh").args(["-c", &script]).current_dir(&self.folder), None);
    }

    fn write_configuration(&self) {
        let folder = self.folder.display();
        let Options { global, database, .. } = &self.options;
        let suffix = self.suffix();
        let configuration = format!(
            r#"
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload ppolicy
pidfile {folder}/slapd.pid
argsfile {folder}/slapd.args
TLSCACertificateFile {folder}/ca.pem
TLSCertificateFile {folder}/server.pem
TLSCertificateKeyFile {folder}/server.key
{global}
database mdb
suffix "{suffix}"
rootdn "cn=admin,{suffix}"
directory {folder}/data
maxsize 16777216
access to attrs=userPassword by anonymous auth by * none
access to * by * read
{database}
"#
        );
        fs::create_dir_all(self.folder.join("data")).unwrap();
        fs::write(self.folder.join("slapd.conf"), configuration).unwrap();
    }

    fn add_entries(&self) {
        let suffix = self.suffix();
        let first = suffix.split([',', '=']).nth(1).unwrap();
        let mut ldif = format!(
            "dn: {suffix}\nobjectClass: dcObject\nobjectClass: organization\ndc: {first}\no: Test\n\n"
        );
        if self.options.suffix.is_none() {
            ldif += &format!(
                "dn: {PEOPLE}\nobjectClass: organizationalUnit\nou: people\n\n\
                 dn: {READER}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: reader\n\
                 userPassword: {READER_PASSWORD}\n\n"
            );
        }
        ldif += &self.options.entries;
        let mut command = Command::new("/usr/sbin/slapadd");
        run(command.arg("-q").arg("-f").arg(self.folder.join("slapd.conf")), Some(&ldif));
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        self.stop();
        if std::thread::panicking() {
            eprintln!("slapd said:\n{}", self.log());
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn run(command: &mut Command, input: Option<&str>) {
    use std::io::Write;
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    child.stdin.take().unwrap().write_all(input.unwrap_or_default().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?} failed:\n{said}");
}

/// Base64, as LDIF carries values with any octets.
pub fn base64(octets: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in octets.chunks(3) {
        let bits =
            chunk.iter().fold(0u32, |sum, &octet| sum << 8 | u32::from(octet)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * place)) as usize & 63];
            out.push(if place <= chunk.len() { digit.into() } else { '=' });
        }
    }
    out
}

/// Two ports that nobody listened on a moment ago.
pub fn free_ports() -> (u16, u16) {
    let sockets = [(); 2].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port"));
    let [first, second] = sockets.map(|socket| socket.local_addr().expect("bound").port());
    (first, second)
}

fn new_folder() -> PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("tollgate-slapd-{}-{count}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}
