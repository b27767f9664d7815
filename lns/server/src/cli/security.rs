//! The IPsec options of `dial` and `bench`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use tollgate_client::secure::{self, Security};
use tollgate_ipsec::Certificates;
use tollgate_pki::{TrustPolicy, load};
use zeroize::Zeroizing;

/// How ESP travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum NatT {
    /// In UDP, whether there is a NAT or not: no right is needed.
    Force,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct SecurityArguments {
    /// Go through IPsec with the pre-shared key in this file.
    #[arg(long, value_name = "FILE", conflicts_with = "cert")]
    psk_file: Option<PathBuf>,
    /// Go through IPsec with the certificate (and its chain) in this PEM file.
    #[arg(long, value_name = "FILE", requires = "ca")]
    cert: Option<PathBuf>,
    /// The certificate's private key in PEM; without it, it is in the certificate's file.
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// The authorities that may vouch for the server, in PEM.
    #[arg(long, value_name = "FILE", requires = "cert")]
    ca: Option<PathBuf>,
    /// The name that the server's certificate must bear; without it, the one that is dialled.
    #[arg(long, value_name = "NAME", requires = "cert")]
    server_name: Option<String>,
    /// Aggressive mode with this group name as key id.
    #[arg(long, value_name = "ID", requires = "psk_file")]
    aggressive: Option<String>,
    /// How ESP travels.
    #[arg(long, value_enum, default_value = "force")]
    nat_t: NatT,
    /// The only phase-1 proposal to offer, as CIPHER-HASH-GROUP: aes-256-sha1-14.
    #[arg(long, value_name = "PROPOSAL")]
    proposal: Option<String>,
    /// The server's port of IKE.
    #[arg(long, value_name = "PORT", default_value_t = 500)]
    ike_port: u16,
    /// The server's port of NAT traversal.
    #[arg(long, value_name = "PORT", default_value_t = 4500)]
    nat_t_port: u16,
}

impl SecurityArguments {
    /// What they ask for; `None`: L2TP in clear.
    pub(crate) fn security(&self, dialled: &str) -> Result<Option<Security>, String> {
        // The only way there is so far.
        let NatT::Force = self.nat_t;
        let mut security = match (&self.psk_file, &self.cert) {
            (Some(file), _) => Security::with_key(&secret("--psk-file", file)?),
            (None, Some(cert)) => self.by_certificate(cert, dialled)?,
            (None, None) => return Ok(None),
        };
        if let Some(proposal) = &self.proposal {
            security.offer(secure::phase1(proposal).map_err(|error| format!("--proposal: {error}"))?);
        }
        security.aggressive = self.aggressive.clone().map(String::into_bytes);
        if security.aggressive.is_some() {
            // The first message brings a public value: one group only.
            let group = security.policies.first().map(|policy| policy.group);
            security.policies.retain(|policy| Some(policy.group) == group);
        }
        security.ike_port = self.ike_port;
        security.nat_t_port = self.nat_t_port;
        Ok(Some(security))
    }

    fn by_certificate(&self, cert: &Path, dialled: &str) -> Result<Security, String> {
        let identity = load::identity_from_pem(cert, self.key.as_deref().unwrap_or(cert), None)
            .map_err(|error| error.to_string())?;
        let authorities: Vec<_> = self.ca.iter().cloned().collect();
        let trust = load::trust_store(&authorities, &[], TrustPolicy::default())
            .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
        let certificates =
            Certificates { identity: Arc::new(identity), trust: Arc::new(trust), send_chain: true };
        let mut security = Security::with_certificates(certificates);
        security.server_name = Some(self.server_name.clone().unwrap_or_else(|| dialled.to_owned()));
        Ok(security)
    }
}

/// A file of one secret; its last line end is not part of it.
pub(crate) fn secret(option: &str, file: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let mut bytes =
        Zeroizing::new(std::fs::read(file).map_err(|error| format!("{option} {}: {error}", file.display()))?);
    while bytes.last().is_some_and(|octet| matches!(octet, b'\n' | b'\r')) {
        bytes.pop();
    }
    if bytes.is_empty() {
        return Err(format!("{option} {}: is empty; write the secret into it", file.display()));
    }
    Ok(bytes)
}
