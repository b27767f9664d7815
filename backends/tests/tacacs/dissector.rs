//! What we write, read by Wireshark's dissector.

use std::fmt::Write;
use std::process::Command;

use tollgate_backends::tacacs::packet::{Header, Kind, Who, abort};

use super::*;

/// The lines that tshark prints about `packets` of a client, in full.
fn dissect(name: &str, packets: &[Vec<u8>]) -> String {
    let folder = std::env::temp_dir().join(format!("tollgate-tacacs-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut dump = String::new();
    for packet in packets {
        for (number, octets) in packet.chunks(16).enumerate() {
            write!(dump, "{:06x}", number * 16).unwrap();
            octets.iter().for_each(|octet| write!(dump, " {octet:02x}").unwrap());
            dump.push('\n');
        }
    }
    std::fs::write(folder.join("dump"), dump).unwrap();
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).current_dir(&folder).output();
        let output = output.unwrap_or_else(|error| panic!("{program}: {error}; run `tests/run --install`"));
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    run("text2pcap", &["-q", "-T", "50000,49", "dump", "capture"]);
    let key = format!("tacplus.key:{KEY}");
    let said = run("tshark", &["-r", "capture", "-o", &key, "-O", "tacplus"]);
    std::fs::remove_dir_all(&folder).unwrap();
    said
}

#[test]
fn every_question_is_understood() {
    let who = Who { authen_type: 2, user: b"joe", port: b"vpn", remote: b"198.51.100.7" };
    let arguments = ["service=ppp".to_owned(), "protocol=ip".to_owned()];
    let first = |kind, minor, body: &[u8]| {
        Header::first(kind, minor, 0x0102_0304).packet(body, Some(KEY.as_bytes())).to_vec()
    };
    let going_on = Header { sequence: 3, ..Header::first(Kind::Authentication, 1, 0x0102_0304) };
    let packets = [
        first(Kind::Authentication, 1, &who.start(PASSWORD.as_bytes()).unwrap()),
        going_on.packet(&abort("enough"), Some(KEY.as_bytes())).to_vec(),
        first(Kind::Authorization, 0, &who.authorization(6, &arguments).unwrap()),
        first(Kind::Accounting, 0, &who.accounting(10, 6, &arguments).unwrap()),
    ];
    let said = dissect("questions", &packets);
    for sign in [
        "Minor version: 1",
        "Action: Inbound Login",
        "Authentication type: PAP",
        "Service: PPP",
        "User: joe",
        "Port: vpn",
        "Remote Address: 198.51.100.7",
        "Password: correct horse",
        "Flags: 0x01(Abort)",
        // "enough", which it prints in hexadecimal.
        "Data: 656e6f756768",
        "Auth Method: TACACSPLUS",
        "service=ppp",
        "protocol=ip",
        "Type: Accounting",
        "Start: Set",
        "Watchdog: Set",
    ] {
        assert!(said.contains(sign), "{sign} is missing:\n{said}");
    }
    assert!(!said.contains("Malformed"), "{said}");
}
