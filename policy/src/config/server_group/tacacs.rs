//! A TACACS+ server.

use tollgate_backends::tacacs::TacacsSettings;

use super::super::section::Section;
use super::host;

pub(super) fn host(mut table: Section<'_>) -> TacacsSettings {
    let transport: Option<String> = table.get("transport", "\"tcp\" or \"tls\"");
    let tls = match transport.as_deref() {
        Some("tls") => Some(host::tls(&mut table)),
        None | Some("tcp") => None,
        Some(_) => {
            table.error("transport", "holds a string", "write \"tcp\" or \"tls\"");
            None
        }
    };
    // In TLS nothing is hidden with it (RFC 9887), so there need be none.
    let key = match &tls {
        Some(_) => table.secret("key").unwrap_or_default(),
        None => host::required_secret(
            &mut table,
            "key",
            "{ file = \"tacacs.key\" }, the secret shared with the server",
        ),
    };
    if tls.is_none() && (1..SHORT_KEY).contains(&key.len()) {
        table.warn(
            "key",
            format!("has {} octets, and whoever sees the traffic can try all such keys", key.len()),
            "choose a key of 16 random characters or more, or transport = \"tls\"",
        );
    }
    let endpoint = host::endpoint(&mut table, if tls.is_some() { 300 } else { 49 });
    let settings = TacacsSettings {
        timeout: host::timeout(&mut table),
        single_connect: table.flag("single-connect", false),
        tls,
        ..TacacsSettings::new(endpoint.host, endpoint.port, key)
    };
    table.finish();
    settings
}

/// Keys below this length get a warning, in octets.
const SHORT_KEY: usize = 16;
