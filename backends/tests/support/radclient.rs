//! `radclient` of FreeRADIUS as it asks for dynamic authorization. Needs the Debian package `freeradius-utils`.
#![allow(dead_code, unreachable_pub, clippy::expect_used)]

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

/// What it says of a `disconnect` or `coa` with these attributes, a line each, beside those that every request has: the
/// time and Message-Authenticator. The time is left out where one is among the attributes.
pub fn radclient(port: u16, command: &str, attributes: &str, secret: &str) -> String {
    radclient_unsigned(port, command, &format!("{attributes}\nMessage-Authenticator = 0x00"), secret)
}

/// The same without Message-Authenticator.
pub fn radclient_unsigned(port: u16, command: &str, attributes: &str, secret: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let mut lines = format!("{attributes}\n");
    if !attributes.contains("Event-Timestamp") {
        lines += &format!("Event-Timestamp = {now}\n");
    }
    let mut client = Command::new("radclient")
        .args(["-x", "-r", "1", "-t", "1", "-D", "/usr/share/freeradius"])
        .args([&format!("127.0.0.1:{port}"), command, secret])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("radclient is installed; run `tests/run --install` as root");
    client.stdin.take().expect("piped").write_all(lines.as_bytes()).expect("read by radclient");
    let output = client.wait_with_output().expect("it ends");
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}
