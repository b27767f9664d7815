//! A server that checks RSA SecurID passcodes.

use std::time::Duration;

use tollgate_backends::sdi::SdiSettings;

use super::super::section::Section;
use super::host;

pub(super) fn host(mut table: Section<'_>) -> SdiSettings {
    const EXAMPLE: &str = "\"https://am.example.net:5555/mfa/v1_1\"";
    let url: Option<String> = table.get("url", &format!("a URL such as {EXAMPLE}"));
    match &url {
        None if !table.was_given("url") => {
            table.error("url", "is missing", format!("write url = {EXAMPLE}"));
        }
        Some(url) if !url.starts_with("https://") => {
            table.error("url", "does not begin with https://", format!("write url = {EXAMPLE}"));
        }
        Some(_) | None => {}
    }
    let settings = SdiSettings {
        url: url.unwrap_or_default(),
        client_key: host::required_secret(&mut table, "client-key", "{ file = \"securid.key\" }"),
        client_id: table
            .get("client-id", "the name of the authentication agent in quotes")
            .unwrap_or_else(|| "tollgate".to_owned()),
        tls: host::tls(&mut table),
        timeout: host::timeout(&mut table),
        challenge_lifetime: Duration::from_secs(table.number("challenge-lifetime", 10..=600u32, 120).into()),
    };
    table.finish();
    settings
}
