//! An MIT KDC of our own for a test: temporary folder, free ports, gone when dropped or when the test process dies.
//!
//! Stands alone, so that other test suites can include it with `#[path = "..."]`. Needs the Debian packages `krb5-kdc`,
//! `krb5-admin-server` and `krb5-user`.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

const BINARY: &str = "/usr/sbin/krb5kdc";
const START_LIMIT: Duration = Duration::from_secs(30);

/// The realm, unless told.
pub const REALM: &str = "EXAMPLE.TEST";
/// A user's password, unless told.
pub const PASSWORD: &str = "correct horse";
/// Every encryption type that is served.
pub const ETYPES: [&str; 4] = [
    "aes256-cts-hmac-sha1-96",
    "aes128-cts-hmac-sha1-96",
    "aes256-cts-hmac-sha384-192",
    "aes128-cts-hmac-sha256-128",
];

/// How the KDC is set up.
#[derive(Clone, Default)]
pub struct Options {
    /// Lines for `[kdcdefaults]`.
    pub defaults: String,
    /// Fixed port, for one that comes in another's place; otherwise a free one.
    pub port: Option<u16>,
    /// How far its clock is from ours, as `faketime` says it: `+1h`. Needs the Debian package `faketime`.
    pub clock: Option<String>,
}

/// A running KDC.
pub struct Kdc {
    folder: PathBuf,
    /// Of UDP and TCP on 127.0.0.1.
    pub port: u16,
    process: Option<(Child, ChildStdin)>,
}

impl Kdc {
    /// Starts one with an empty database and waits until it serves.
    pub fn start(options: &Options) -> Self {
        assert!(Path::new(BINARY).exists(), "krb5kdc is not installed; run `tests/run --install` as root");
        // Somebody else may take a free port before the server does: then with another.
        for attempt in 1.. {
            let port = options.port.unwrap_or_else(free_port);
            let mut kdc = Self { folder: new_folder(), port, process: None };
            kdc.write_configuration(options);
            kdc.run("/usr/sbin/kdb5_util", &["create", "-s", "-r", REALM, "-P", "master key of a test"]);
            if kdc.launch(options.clock.as_deref()) {
                return kdc;
            }
            assert!(attempt < 5, "krb5kdc does not start:\n{}", kdc.log());
        }
        unreachable!()
    }

    /// A user with a password and options of `addprinc`, such as `-e aes256-cts-hmac-sha1-96:normal`.
    pub fn add_user(&self, name: &str, password: &str, options: &[&str]) {
        self.admin(&[&["addprinc", "-pw", password], options, &[name]].concat());
    }

    /// A service with a random key of these encryption types, and the keytab with it.
    pub fn add_service(&self, name: &str, etypes: &str) -> PathBuf {
        self.admin(&["addprinc", "-randkey", "-e", etypes, name]);
        self.keytab(name)
    }

    /// The keys of a principal as they are.
    pub fn keytab(&self, name: &str) -> PathBuf {
        let file = self.folder.join(format!("{}.keytab", name.replace('/', "_")));
        let _ = fs::remove_file(&file);
        self.admin(&["ktadd", "-norandkey", "-k", &file.display().to_string(), name]);
        file
    }

    /// A command of `kadmin.local`.
    pub fn admin(&self, command: &[&str]) -> String {
        self.run("/usr/sbin/kadmin.local", &[&["-r", REALM], command].concat())
    }

    /// What it logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("kdc.log")).unwrap_or_default()
    }

    /// Ends it.
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

    fn write_configuration(&self, options: &Options) {
        let (folder, port, defaults) = (self.folder.display(), self.port, &options.defaults);
        let etypes = ETYPES.map(|etype| format!("{etype}:normal")).join(" ");
        let client = format!(
            "[libdefaults]\n default_realm = {REALM}\n dns_lookup_kdc = false\n dns_lookup_realm = false\n \
             allow_weak_crypto = true\n allow_rc4 = true\n rdns = false\n\
             [realms]\n {REALM} = {{\n  kdc = 127.0.0.1:{port}\n }}\n"
        );
        let server = format!(
            "[kdcdefaults]\n kdc_listen = 127.0.0.1:{port}\n kdc_tcp_listen = 127.0.0.1:{port}\n {defaults}\n\
             [realms]\n {REALM} = {{\n  database_name = {folder}/principal\n  key_stash_file = {folder}/stash\n  \
             acl_file = {folder}/acl\n  supported_enctypes = {etypes}\n  default_principal_flags = +preauth\n }}\n\
             [logging]\n kdc = FILE:{folder}/kdc.log\n admin_server = FILE:{folder}/kadmin.log\n"
        );
        fs::write(self.folder.join("krb5.conf"), client).unwrap();
        fs::write(self.folder.join("kdc.conf"), server).unwrap();
        fs::write(self.folder.join("acl"), "").unwrap();
    }

    fn environment<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("KRB5_CONFIG", self.folder.join("krb5.conf"))
            .env("KRB5_KDC_PROFILE", self.folder.join("kdc.conf"))
            .env("KRB5RCACHENAME", "none:")
    }

    fn run(&self, program: &str, arguments: &[&str]) -> String {
        let mut command = Command::new(program);
        let output = self
            .environment(&mut command)
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("{program}: {error}; run `tests/run --install` as root"));
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        // `kadmin.local` says 0 for some of its failures.
        let failed = !output.status.success() || said.contains("while ");
        assert!(!failed, "{program} {arguments:?} failed:\n{said}");
        said
    }

    fn launch(&mut self, clock: Option<&str>) -> bool {
        // The shell ends the server when our end of its standard input closes, however this process ends.
        let script = "\"$0\" -n -r \"$1\" & server=$!; exec >&- 2>&-; read -r _; kill -9 $server; wait";
        let mut command = Command::new("sh");
        if let Some(clock) = clock {
            command.env("LD_PRELOAD", faketime()).env("FAKETIME", clock);
        }
        let mut child = self
            .environment(&mut command)
            .args(["-c", script, BINARY, REALM])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh starts");
        let stdin = child.stdin.take().expect("piped");
        self.process = Some((child, stdin));
        let begun = Instant::now();
        while begun.elapsed() < START_LIMIT {
            let log = self.log();
            if log.contains("commencing operation")
                && TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok()
            {
                return true;
            }
            if log.contains("Failed setting up") || log.contains("Cannot bind") {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }
}

impl Drop for Kdc {
    fn drop(&mut self) {
        self.stop();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// One that both UDP and TCP can have.
pub fn free_port() -> u16 {
    for _ in 0..100 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        if UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free for both UDP and TCP");
}

/// The library that a program with another clock is started with.
fn faketime() -> PathBuf {
    let machine = std::env::consts::ARCH;
    let file = format!("/usr/lib/{machine}-linux-gnu/faketime/libfaketime.so.1");
    assert!(Path::new(&file).exists(), "faketime is not installed; run `tests/run --install` as root");
    file.into()
}

fn new_folder() -> PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("tollgate-kdc-{}-{count}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}
