//! A TACACS+ server for a test: `tacacs_server.py` on scapy's packets, on a free port, gone when dropped or when the
//! test process dies.
//!
//! Needs the Debian packages `python3-scapy`, `python3-cryptography` and `openssl`.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Its key, unless told.
pub const KEY: &str = "a key of length";
/// A user of its, whose password is [`PASSWORD`].
pub const USER: &str = "joe";
/// The password.
pub const PASSWORD: &str = "correct horse";
/// The name in its certificate.
pub const SERVER_NAME: &str = "tacacs.example.test";

/// A running server.
pub struct Server {
    /// Where it listens.
    pub port: u16,
    process: Child,
    log: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// One that does everything right.
    pub fn start() -> Self {
        Self::with("")
    }

    /// One that does something wrong.
    pub fn that(behaviour: &str) -> Self {
        Self::with(&format!(r#""behaviour": "{behaviour}","#))
    }

    /// One with more settings, in JSON with a comma behind each; the last of two with one name holds.
    pub fn with(settings: &str) -> Self {
        let settings = format!(
            r#"{{"key": "{KEY}", "users": {{"{USER}": "{PASSWORD}", "quoted \"name\"": "pass \"wörd\" 'x' \\ {}"}}, {settings} "end": 0}}"#,
            "p".repeat(128)
        );
        let mut process = Command::new("/usr/bin/python3")
            .args(["-c", include_str!("tacacs_server.py")])
            .arg(settings)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 is installed");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = lines.next().expect("python3-scapy is installed; run `tests/run --install`").unwrap();
        let log: Arc<Mutex<Vec<String>>> = Arc::default();
        let writer = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                writer.lock().unwrap().push(line);
            }
        });
        Self { port: port.parse().unwrap(), process, log }
    }

    /// What it has got so far, a line of JSON for each packet and each connection.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// The first line with all of `signs` in it; waits a while for it.
    #[track_caller]
    pub fn logged(&self, signs: &[&str]) -> String {
        let end = Instant::now() + Duration::from_secs(5);
        loop {
            let log = self.log();
            if let Some(line) = log.iter().find(|line| signs.iter().all(|sign| line.contains(sign))) {
                return line.clone();
            }
            assert!(Instant::now() < end, "nothing like {signs:?} in {log:#?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// That `count` lines have `sign` in them; waits a while for the last.
    #[track_caller]
    pub fn logged_times(&self, sign: &str, count: usize) {
        let end = Instant::now() + Duration::from_secs(5);
        loop {
            let log = self.log();
            let found = log.iter().filter(|line| line.contains(sign)).count();
            if found >= count || Instant::now() > end {
                assert_eq!(found, count, "{log:#?}");
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// That it has got so many connections.
    #[track_caller]
    pub fn connected(&self, times: usize) {
        self.logged_times("\"type\": \"connection\"", times);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An authority and what it issued: `ca.pem`, `server.pem`, `client.pem`, and a stranger's `other.pem`, each with its
/// key.
pub struct Certificates(PathBuf);

impl Certificates {
    /// Makes them.
    pub fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("tollgate-tacacs-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let script = format!(
            "set -e\n\
             new='openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'\n\
             for ca in ca other; do\n\
               $new -x509 -days 30 -subj \"/CN=$ca\" -keyout $ca.key -out $ca.pem\n\
             done\n\
             for who in server client; do\n\
               $new -subj \"/CN=$who\" -keyout $who.key -out $who.csr\n\
               printf 'subjectAltName=DNS:{SERVER_NAME}\\n' > extensions\n\
               openssl x509 -req -in $who.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 \
                 -extfile extensions -out $who.pem\n\
             done\n"
        );
        let done = Command::new("sh").args(["-c", &script]).current_dir(&folder).output().unwrap();
        assert!(done.status.success(), "openssl: {}", String::from_utf8_lossy(&done.stderr));
        Self(folder)
    }

    /// The path of one of them.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The settings of a server that has `server.pem` and wants a certificate from everybody.
    pub fn settings(&self, more: &str) -> String {
        let path = |name| self.path(name).display().to_string();
        format!(
            r#""tls": {{"ca": "{}", "certificate": "{}", "key": "{}"{more}}},"#,
            path("ca.pem"),
            path("server.pem"),
            path("server.key")
        )
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
