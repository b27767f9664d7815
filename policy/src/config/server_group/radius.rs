//! A RADIUS server.

use std::time::Duration;

use tollgate_backends::radius::{RADSEC_PORT, RadiusSettings, RadiusTransport};

use super::super::section::Section;
use super::host;

pub(super) fn host(mut table: Section<'_>) -> RadiusSettings {
    let address = host::address(&mut table);
    let transport = transport(&mut table);
    let over_tls = matches!(transport, RadiusTransport::Tls(_));
    // With TLS all use the secret of RFC 6614.
    let key = if table.has("key") || over_tls {
        table.secret("key")
    } else {
        table.error(
            "key",
            "is missing",
            "write key = { file = \"radius.key\" }, the secret shared with the server",
        );
        None
    };
    let timeout = table.number("timeout", 1..=300u32, 10);
    let retry = table.number("retry-interval", 1..=60u32, timeout.min(2));
    if retry > timeout {
        table.error(
            "retry-interval",
            format!("{retry} s is longer than timeout ({timeout} s)"),
            "make it at most timeout",
        );
    }
    let require_message_authenticator = table.flag("require-message-authenticator", true);
    if !require_message_authenticator {
        table.warn(
            "require-message-authenticator",
            "answers without Message-Authenticator are believed: who can change packets on the way can forge an \
             Access-Accept (CVE-2024-3596)",
            "update the RADIUS server and remove the line",
        );
    }
    let [authentication_port, accounting_port] = if over_tls { [RADSEC_PORT; 2] } else { [1812, 1813] };
    let settings = RadiusSettings {
        transport,
        authentication_port: table.number("authentication-port", 1..=65_535u16, authentication_port),
        accounting_port: table.number("accounting-port", 1..=65_535u16, accounting_port),
        timeout: Duration::from_secs(timeout.into()),
        retry_interval: Duration::from_secs(retry.into()),
        require_message_authenticator,
        common_password: table.secret("radius-common-pw"),
        status_server: table.flag("status-server", false),
        ..RadiusSettings::new(address, key.unwrap_or_default())
    };
    table.finish();
    settings
}

fn transport(table: &mut Section<'_>) -> RadiusTransport {
    const EXPECTED: &str = "\"udp\", \"tcp\" or \"tls\"";
    match table.get::<String>("transport", EXPECTED).as_deref() {
        None | Some("udp") => RadiusTransport::Udp,
        Some("tls") => RadiusTransport::Tls(host::tls(table)),
        Some("tcp") => {
            table.warn(
                "transport",
                "RADIUS over TCP is protected by the key alone, as over UDP",
                "use transport = \"tls\" outside of networks that you trust",
            );
            RadiusTransport::Tcp
        }
        Some(_) => {
            table.error("transport", "holds a string", format!("write {EXPECTED}"));
            RadiusTransport::Udp
        }
    }
}
