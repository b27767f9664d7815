//! The methods of EAP that need TLS, for the client's side of a link: EAP-TLS (RFC 5216) and PEAP version 0 with a method
//! of the PPP crate inside.
//!
//! TLS 1.2 is spoken, for which the keys of MPPE come from RFC 5216 2.3; every server of either method has it.

mod fragments;
mod peap;
mod tls;
mod verifier;

use std::path::Path;
use std::sync::Arc;

use rustls::ClientConnection;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tollgate_ppp::{ClientConfig, EapMethod, EapMethods, eap_type};
use tollgate_sansio::Entropy;

/// Files and names for TLS.
#[derive(Debug, Clone, Copy)]
pub struct TlsFiles<'a> {
    /// The authorities that may vouch for the server, in PEM.
    pub authorities: &'a Path,
    /// The name that the server's certificate must bear; `None`: any that an authority vouches for.
    pub server_name: Option<&'a str>,
    /// Our own certificate with its chain, and its private key, in PEM. EAP-TLS needs them.
    pub identity: Option<(&'a Path, &'a Path)>,
}

/// Makes the methods; one for all logins.
pub struct TlsMethods {
    config: Arc<rustls::ClientConfig>,
    has_identity: bool,
}

impl TlsMethods {
    /// Reads the files. An error names the file.
    pub fn new(files: TlsFiles<'_>) -> Result<Self, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier =
            verifier::Verifier::new(&certificates(files.authorities)?, files.server_name, &provider)?;
        let builder = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS12])
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match files.identity {
            Some((certificate, key)) => {
                let file = key.display();
                let key = PrivateKeyDer::from_pem_file(key).map_err(|error| format!("{file}: {error}"))?;
                builder
                    .with_client_auth_cert(certificates(certificate)?, key)
                    .map_err(|error| format!("{file}: {error}"))?
            }
            None => builder.with_no_client_auth(),
        };
        // The server has no name here, and a session is never resumed: each login proves itself anew.
        config.enable_sni = false;
        config.resumption = rustls::client::Resumption::disabled();
        Ok(Self { config: Arc::new(config), has_identity: files.identity.is_some() })
    }

    fn connection(&self) -> Option<ClientConnection> {
        let name = ServerName::try_from("eap.invalid").ok()?;
        ClientConnection::new(Arc::clone(&self.config), name).ok()
    }
}

impl EapMethods for TlsMethods {
    fn create(&self, kind: u8, config: &ClientConfig, entropy: Entropy) -> Option<Box<dyn EapMethod>> {
        match kind {
            eap_type::TLS if self.has_identity => Some(Box::new(tls::Tls::new(self.connection()?))),
            eap_type::PEAP => Some(Box::new(peap::Peap::new(self.connection()?, config, entropy))),
            _ => None,
        }
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let list = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| format!("{}: {error}", file.display()))?;
    if list.is_empty() {
        return Err(format!("{}: holds no certificate", file.display()));
    }
    Ok(list)
}

#[cfg(test)]
mod tests;
