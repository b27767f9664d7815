//! `[ipsec.certificate]`: where the server's certificate is, and how those of clients are judged.

use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tollgate_aaa::Secret;

use super::super::section::Section;

/// `[ipsec.certificate]`, its files seen to exist and not yet read.
#[derive(Debug, Clone)]
pub struct CertificateConfig {
    /// The server's own certificate and key.
    pub identity: Identity,
    /// `ca`: PEM certificates of the authorities that may vouch for clients. `None` only beside `pkcs12`: those of that
    /// file.
    pub ca: Option<PathBuf>,
    /// `crl`: revocation lists; default none.
    pub crls: Vec<PathBuf>,
    /// `crl-max-age` in hours, 1 to 8,760: a list older than this counts as none, whatever it says itself; default none.
    pub crl_max_age: Option<Duration>,
    /// `allow-sha1`: certificates signed with SHA-1 count; default false.
    pub allow_sha1: bool,
    /// `send-chain`: intermediate certificates go out with the server's; default true.
    pub send_chain: bool,
}

/// The server's own certificate and key.
#[derive(Debug, Clone)]
pub enum Identity {
    /// `certificate` and `private-key`, in PEM; the certificate's file may hold the chain.
    Pem {
        /// `certificate`
        certificate: PathBuf,
        /// `private-key`
        private_key: PathBuf,
    },
    /// `pkcs12` and `password`
    Pkcs12 {
        /// `pkcs12`
        file: PathBuf,
        /// `password`; `None` where the file has none.
        password: Option<Secret>,
    },
}

/// The table, and `None` also where it is so wrong that nothing can be made of it.
pub(super) fn read(ipsec: &mut Section<'_>) -> Option<CertificateConfig> {
    if !ipsec.has("certificate") {
        return None;
    }
    let mut table = ipsec.section("certificate")?;
    let certificate = file(&mut table, "certificate", "\"vpn.pem\"");
    let private_key = file(&mut table, "private-key", "\"vpn.key\"");
    let pkcs12 = file(&mut table, "pkcs12", "\"vpn.p12\"");
    let password = table.secret("password");
    let identity = identity(&mut table, certificate, private_key, pkcs12, password);
    let ca = file(&mut table, "ca", "\"ca.pem\"");
    if ca.is_none() && !table.was_given("ca") && matches!(identity, Some(Identity::Pem { .. })) {
        table.error(
            "ca",
            "is missing: no client's certificate could be judged",
            "write ca = \"ca.pem\", the certificate of the authority that clients have theirs from",
        );
    }
    let crls = crls(&mut table);
    let max_age = table.optional_number("crl-max-age", 1..=8760u32);
    if max_age.is_some() && crls.is_empty() && !table.was_given("crl") {
        table.warn("crl-max-age", "has no effect without crl", "add crl = [\"ca.crl\"], or remove the line");
    }
    let allow_sha1 = table.flag("allow-sha1", false);
    if allow_sha1 {
        table.warn(
            "allow-sha1",
            "certificates signed with SHA-1 count: who can make two with one hash can forge one (SHAttered)",
            "issue certificates signed with SHA-256 and remove the line",
        );
    }
    let config = CertificateConfig {
        // What could not be read has been told; the rest of the configuration is judged as if it were there.
        identity: identity.unwrap_or(Identity::Pkcs12 { file: PathBuf::new(), password: None }),
        ca,
        crls,
        crl_max_age: max_age.map(|hours| Duration::from_secs(u64::from(hours) * 3600)),
        allow_sha1,
        send_chain: table.flag("send-chain", true),
    };
    table.finish();
    Some(config)
}

fn identity(
    table: &mut Section<'_>,
    certificate: Option<PathBuf>,
    private_key: Option<PathBuf>,
    pkcs12: Option<PathBuf>,
    password: Option<Secret>,
) -> Option<Identity> {
    let has_pem = table.was_given("certificate") || table.was_given("private-key");
    let has_pkcs12 = table.was_given("pkcs12");
    if has_pem == has_pkcs12 {
        table.error(
            "certificate",
            if has_pem { "stands beside pkcs12" } else { "is missing" },
            "write certificate = \"vpn.pem\" and private-key = \"vpn.key\", or pkcs12 = \"vpn.p12\"",
        );
        return None;
    }
    if has_pkcs12 {
        let file = pkcs12?;
        warn_if_open(table, "pkcs12", &file);
        return Some(Identity::Pkcs12 { file, password });
    }
    for (key, example) in [("certificate", "\"vpn.pem\""), ("private-key", "\"vpn.key\"")] {
        if !table.was_given(key) {
            table.error(key, "is missing", format!("write {key} = {example}"));
        }
    }
    if table.was_given("password") {
        table.error("password", "belongs to pkcs12, and there is none", "remove the line");
    }
    if let Some(path) = &private_key {
        warn_if_open(table, "private-key", path);
    }
    Some(Identity::Pem { certificate: certificate?, private_key: private_key? })
}

/// A file with a private key is for the server's eyes.
fn warn_if_open(table: &Section<'_>, key: &str, path: &Path) {
    if std::fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0) {
        table.warn(
            key,
            format!("{} can be read by other users", path.display()),
            format!("chmod 600 {}", path.display()),
        );
    }
}

fn crls(table: &mut Section<'_>) -> Vec<PathBuf> {
    let names: Vec<String> = table.get("crl", "a list of paths: [\"ca.crl\"]").unwrap_or_default();
    let mut paths = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let path = table.relative(name);
        if is_readable(table, &format!("crl.{}", index + 1), &path) {
            paths.push(path);
        }
    }
    paths
}

/// A path whose file can be read.
fn file(table: &mut Section<'_>, key: &'static str, example: &str) -> Option<PathBuf> {
    let name: String = table.get(key, &format!("a path in quotes: {example}"))?;
    let path = table.relative(&name);
    is_readable(table, key, &path).then_some(path)
}

fn is_readable(table: &Section<'_>, key: &str, path: &Path) -> bool {
    let opened = File::open(path).and_then(|file| file.metadata()).map_err(|error| error.to_string());
    let problem = match opened {
        Ok(metadata) if metadata.is_file() => return true,
        Ok(_) => "it is not an ordinary file".to_owned(),
        Err(error) => error,
    };
    table.error(
        key,
        format!("{} cannot be read: {problem}", path.display()),
        "put the file there, readable by the user that runs tollgate",
    );
    false
}
