//! A stand-in for RSA Authentication Manager, of which there is none to run: HTTPS, the published API version 1.1, and
//! users whose tokens show what a test says.
//!
//! Stands alone, so that other test suites can include it with `#[path = "..."]`. Needs the Debian package `openssl`.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

/// What the server knows us by.
pub const CLIENT_ID: &str = "vpn";
/// The API's access key.
pub const CLIENT_KEY: &str = "85o8xe8534r7g484581wi225c1h4oozf";
/// What the right passcode of every user is.
pub const PASSCODE: &str = "1234567890";
/// What the token of a user shows next.
pub const NEXT_TOKENCODE: &str = "111222";
/// The name in the server's certificate.
pub const HOST_NAME: &str = "am.corp.test";

/// How the server misbehaves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// As published.
    Good,
    /// It answers what is no JSON.
    Garbage,
    /// JSON of another form.
    Strange,
    /// An answer to another question.
    Confused,
    /// More than anybody would read.
    Endless,
    /// Half an answer, then the end.
    Cut,
    /// It takes the question and says nothing.
    Silent,
    /// It wants a method that no login can give.
    Approve,
    /// It answers 500.
    Broken,
}

/// A running server.
pub struct SecurId {
    folder: PathBuf,
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    mood: Mutex<Mood>,
    /// Passcodes of users whose token shows another than [`PASSCODE`].
    passcodes: Mutex<HashMap<String, String>>,
    /// Attempts by their numbers: user, method wanted, number of our last message.
    attempts: Mutex<HashMap<String, (String, &'static str, String)>>,
    connections: AtomicUsize,
    questions: AtomicUsize,
    tls: Arc<ServerConfig>,
}

impl SecurId {
    /// Starts one on loopback. Its users: `alice` and everybody else whose name does not begin with one of these;
    /// `next...` (asked for the next tokencode), `newpin...` (asked for a new PIN, then for a passcode), `unknown...`.
    pub fn start() -> Self {
        let folder = certificates();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let chain = vec![CertificateDer::from_pem_file(folder.join("server.pem")).unwrap()];
        let key = PrivateKeyDer::from_pem_file(folder.join("server.key")).unwrap();
        let tls = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(rustls::ALL_VERSIONS)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            mood: Mutex::new(Mood::Good),
            passcodes: Mutex::default(),
            attempts: Mutex::default(),
            connections: AtomicUsize::new(0),
            questions: AtomicUsize::new(0),
            tls: Arc::new(tls),
        });
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                shared.connections.fetch_add(1, Ordering::Relaxed);
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || serve(&shared, stream));
            }
        });
        Self { folder, address, state }
    }

    /// Where the API is.
    pub fn url(&self) -> String {
        format!("https://{}/mfa/v1_1", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// PEM certificate of the authority that signed the server's.
    pub fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// What the token of a user shows from now on.
    pub fn set_passcode(&self, user: &str, passcode: &str) {
        self.state.passcodes.lock().unwrap().insert(user.to_owned(), passcode.to_owned());
    }

    /// How it behaves from now on.
    pub fn set_mood(&self, mood: Mood) {
        *self.state.mood.lock().unwrap() = mood;
    }

    /// Connections that it has taken, and questions that it has answered.
    pub fn counts(&self) -> (usize, usize) {
        (self.state.connections.load(Ordering::Relaxed), self.state.questions.load(Ordering::Relaxed))
    }
}

impl Drop for SecurId {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn serve(state: &State, stream: TcpStream) {
    let connection = ServerConnection::new(Arc::clone(&state.tls)).unwrap();
    let mut stream = BufReader::new(StreamOwned::new(connection, stream));
    while let Some((path, key, body)) = request(&mut stream) {
        state.questions.fetch_add(1, Ordering::Relaxed);
        let mood = *state.mood.lock().unwrap();
        let (status, answer) = match mood {
            _ if key.as_deref() != Some(CLIENT_KEY) => ("401 Unauthorized", b"{}".to_vec()),
            Mood::Silent => {
                std::thread::sleep(std::time::Duration::from_secs(30));
                return;
            }
            Mood::Broken => ("500 Internal Server Error", b"oops".to_vec()),
            Mood::Garbage => ("200 OK", b"<html>not this</html>".to_vec()),
            Mood::Strange => ("200 OK", br#"{"attemptResponseCode":["SUCCESS"],"context":null}"#.to_vec()),
            Mood::Good | Mood::Confused | Mood::Endless | Mood::Cut | Mood::Approve => {
                match decide(state, &path, &body, mood) {
                    Some(answer) => ("200 OK", serde_json::to_vec(&answer).unwrap()),
                    None => ("404 Not Found", Vec::new()),
                }
            }
        };
        let length = if mood == Mood::Endless { 1 << 30 } else { answer.len() };
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        let stream = stream.get_mut();
        if stream.write_all(head.as_bytes()).is_err() {
            return;
        }
        match mood {
            Mood::Cut => {
                let _ = stream.write_all(&answer[..answer.len() / 2]).and_then(|()| stream.flush());
                return;
            }
            Mood::Endless => while stream.write_all(&[b' '; 4096]).is_ok() {},
            _ => {
                let _ = stream.write_all(&answer);
            }
        }
        if stream.flush().is_err() {
            return;
        }
    }
}

/// Path, key and body of a request.
fn request(stream: &mut impl BufRead) -> Option<(String, Option<String>, Vec<u8>)> {
    let mut line = String::new();
    stream.read_line(&mut line).ok().filter(|length| *length > 0)?;
    let path = line.strip_prefix("POST ")?.split_whitespace().next()?.to_owned();
    let (mut length, mut key) = (0, None);
    loop {
        line.clear();
        stream.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        match name {
            "content-length" => length = value.parse().ok()?,
            "client-key" => key = Some(value.to_owned()),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some((path, key, body))
}

fn decide(state: &State, path: &str, body: &[u8], mood: Mood) -> Option<Value> {
    let question: Value = serde_json::from_slice(body).unwrap();
    let message_id = question["context"]["messageId"].as_str().unwrap().to_owned();
    let credential = &question["subjectCredentials"][0];
    let method = credential["methodId"].as_str().unwrap();
    let input = &credential["collectedInputs"][0];
    assert_eq!(input["name"], method, "an input is named after its method");
    let value = input["value"].as_str().unwrap();
    let mut attempts = state.attempts.lock().unwrap();
    let own_id = format!("m{}", state.questions.load(Ordering::Relaxed));
    let (attempt, user, wanted) = match path {
        "/mfa/v1_1/authn/initialize" => {
            assert_eq!(question["clientId"], CLIENT_ID);
            (format!("a{own_id}"), question["subjectName"].as_str().unwrap().to_owned(), "SECURID")
        }
        "/mfa/v1_1/authn/verify" => {
            let attempt = question["context"]["authnAttemptId"].as_str().unwrap().to_owned();
            let (user, wanted, last) = attempts.remove(&attempt)?;
            assert_eq!(question["context"]["inResponseTo"].as_str(), Some(last.as_str()));
            (attempt, user, wanted)
        }
        _ => return None,
    };
    assert_eq!(method, wanted, "it answers what was asked");
    let right = match method {
        "SECURID" => {
            let passcodes = state.passcodes.lock().unwrap();
            value == passcodes.get(&user).map_or(PASSCODE, String::as_str) && !user.starts_with("unknown")
        }
        "SECURID_NEXT_TOKENCODE" => value == NEXT_TOKENCODE,
        "SECURID_NEWPIN" => (4..=8).contains(&value.len()) && value.bytes().all(|c| c.is_ascii_digit()),
        _ => false,
    };
    let next = match (right, method) {
        (false, _) => None,
        (true, _) if mood == Mood::Approve => Some("APPROVE"),
        (true, "SECURID") if user.starts_with("next") => Some("SECURID_NEXT_TOKENCODE"),
        (true, "SECURID") if user.starts_with("newpin") => Some("SECURID_NEWPIN"),
        (true, "SECURID_NEWPIN") => Some("SECURID"),
        (true, _) => None,
    };
    let (code, reason) = match (right, next) {
        (_, Some(_)) => ("CHALLENGE", "AUTHENTICATION_REQUIRED"),
        (true, None) => ("SUCCESS", "CREDENTIAL_VERIFIED"),
        (false, None) => ("FAIL", "VERIFY_ERROR"),
    };
    let challenges: Vec<Value> = next
        .map(|method| {
            let version = json!({ "versionId": "1.0.0", "methodAttributes": [], "valueRequired": true });
            let methods = json!([{ "methodId": method, "priority": null, "versions": [version] }]);
            json!({ "methodSetId": null, "requiredMethods": methods })
        })
        .into_iter()
        .collect();
    if let Some(next) = next {
        attempts.insert(attempt.clone(), (user, next, own_id.clone()));
    }
    let in_response_to = if mood == Mood::Confused { "another".to_owned() } else { message_id };
    let validation = if right { "SUCCESS" } else { "FAIL" };
    Some(json!({
        "context": { "authnAttemptId": attempt, "messageId": own_id, "inResponseTo": in_response_to },
        "credentialValidationResults": [{
            "methodId": method, "methodResponseCode": validation, "methodReasonCode": null, "authnAttributes": [],
        }],
        "attemptResponseCode": code,
        "attemptReasonCode": reason,
        "challengeMethods": { "challenges": challenges },
    }))
}

/// An authority and a certificate for the server, in a new folder.
fn certificates() -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("tollgate-securid-{}-{count}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let openssl = |arguments: &[&str]| {
        let run = Command::new("openssl").current_dir(&folder).args(arguments).output();
        let run = run.expect("openssl is not installed; run `tests/run --install` as root");
        assert!(run.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&run.stderr));
    };
    openssl(&[
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=Test CA",
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
        "-addext",
        "basicConstraints=critical,CA:TRUE",
    ]);
    openssl(&[
        "req",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=am.corp.test",
        "-keyout",
        "server.key",
        "-out",
        "server.csr",
    ]);
    fs::write(folder.join("names"), format!("subjectAltName=DNS:{HOST_NAME},IP:127.0.0.1\n")).unwrap();
    openssl(&[
        "x509",
        "-req",
        "-in",
        "server.csr",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-days",
        "2",
        "-extfile",
        "names",
        "-out",
        "server.pem",
    ]);
    folder
}
