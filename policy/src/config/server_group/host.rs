//! What the hosts of all kinds of server have in common.

use std::path::PathBuf;
use std::time::Duration;

use tollgate_aaa::Secret;
use tollgate_backends::net::Endpoint;
use tollgate_backends::tls::TlsSettings;

use super::super::section::Section;

/// `address`: an IP address or a host name.
pub(super) fn address(table: &mut Section<'_>) -> String {
    let address: Option<String> = table.get("address", "an IP address or host name in quotes");
    if address.as_deref().is_none_or(str::is_empty) {
        table.error("address", "is missing", "write address = \"192.0.2.10\"");
    }
    address.unwrap_or_default()
}

/// `address` and `port`.
pub(super) fn endpoint(table: &mut Section<'_>, port: u16) -> Endpoint {
    Endpoint { host: address(table), port: table.number("port", 1..=65_535u16, port) }
}

/// `timeout` in seconds, 1 to 300; default 10.
pub(super) fn timeout(table: &mut Section<'_>) -> Duration {
    Duration::from_secs(table.number("timeout", 1..=300u32, 10).into())
}

/// A secret without which the server cannot be asked.
pub(super) fn required_secret(table: &mut Section<'_>, key: &'static str, example: &str) -> Secret {
    if !table.has(key) {
        table.error(key, "is missing", format!("write {key} = {example}"));
        return Secret::default();
    }
    table.secret(key).unwrap_or_default()
}

/// `ca`, `server-name`, `certificate` and `private-key`.
pub(super) fn tls(table: &mut Section<'_>) -> TlsSettings {
    let ca = file(table, "ca");
    let server_name = table.get("server-name", "the name in the server's certificate in quotes");
    let (certificate, key) = (file(table, "certificate"), file(table, "private-key"));
    if table.was_given("certificate") != table.was_given("private-key") {
        table.error(
            "certificate",
            "needs private-key, and private-key needs certificate",
            "write both certificate = \"tollgate.pem\" and private-key = \"tollgate.key\", or neither",
        );
    }
    TlsSettings { ca, identity: certificate.zip(key), server_name }
}

/// A file that must be there; what is in it is read when the server is made ready.
pub(super) fn file(table: &mut Section<'_>, key: &'static str) -> Option<PathBuf> {
    let name: String = table.get(key, "a path in quotes")?;
    let path = table.relative(&name);
    if let Err(error) = std::fs::File::open(&path) {
        table.error(
            key,
            format!("{} cannot be read: {error}", path.display()),
            "put the file there, readable by the user that runs tollgate",
        );
        return None;
    }
    Some(path)
}
