//! Keys of our own connections in the form of Wireshark's tables: lines for `ikev1_decryption_table` and `esp_sa`.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use tollgate_client::dial::KeyTaker;
use tollgate_ipsec::KeyLog;
use tollgate_ipsec::algorithm::{EspCipher, EspSuite, Integrity};

/// Opens a file that nobody else may read; each key is appended to it at once.
pub(crate) fn open(file: &Path) -> Result<KeyTaker, String> {
    let options = OpenOptions::new().append(true).create(true).mode(0o600).open(file);
    let opened = options.map_err(|error| format!("--key-log {}: {error}", file.display()))?;
    Ok(Arc::new(move |key| {
        if let Err(error) = writeln!(&opened, "{}", line(key)) {
            eprintln!("--key-log: {error}");
        }
    }))
}

fn line(key: &KeyLog) -> String {
    match key {
        KeyLog::Isakmp { cookies, key } => format!("ikev1_decryption_table: {},{key}", cookies.initiator),
        KeyLog::Esp { source, destination, spi, set, encryption, integrity } => {
            let (encryption_name, integrity_name) = names(set.suite);
            let integrity = if integrity.is_empty() { String::new() } else { format!("0x{integrity}") };
            format!(
                "esp_sa: \"{}\",\"{}\",\"{}\",\"0x{:08x}\",\"{encryption_name}\",\"0x{encryption}\",\
                 \"{integrity_name}\",\"{integrity}\",\"32-bit\",\"\"",
                family(source),
                source.ip(),
                destination.ip(),
                spi.get(),
            )
        }
    }
}

fn family(address: &SocketAddr) -> &'static str {
    if address.is_ipv4() { "IPv4" } else { "IPv6" }
}

/// Wireshark's words.
fn names(suite: EspSuite) -> (&'static str, &'static str) {
    let encryption = match suite.cipher() {
        EspCipher::Des => "DES-CBC [RFC2405]",
        EspCipher::TripleDes => "TripleDES-CBC [RFC2451]",
        EspCipher::Aes128 | EspCipher::Aes192 | EspCipher::Aes256 => "AES-CBC [RFC3602]",
        EspCipher::Aes128Gcm | EspCipher::Aes256Gcm => "AES-GCM with 16 octet ICV [RFC4106]",
    };
    let integrity = match suite.integrity() {
        None => "NULL",
        Some(Integrity::HmacMd5) => "HMAC-MD5-96 [RFC2403]",
        Some(Integrity::HmacSha1) => "HMAC-SHA-1-96 [RFC2404]",
        Some(Integrity::HmacSha256) => "HMAC-SHA-256-128 [RFC4868]",
        Some(Integrity::HmacSha384) => "HMAC-SHA-384-192 [RFC4868]",
        Some(Integrity::HmacSha512) => "HMAC-SHA-512-256 [RFC4868]",
    };
    (encryption, integrity)
}
