//! TLS to a server: whom we believe, and who we say we are.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tollgate_aaa::{Layer, Unavailable};

/// What the configuration says about TLS to a server.
#[derive(Debug, Clone, Default)]
pub struct TlsSettings {
    /// PEM certificates of the authorities that may vouch for the server; `None`: those of the system.
    pub ca: Option<PathBuf>,
    /// Our own PEM certificate, its chain behind it, and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The name in the server's certificate; `None`: the address as configured.
    pub server_name: Option<String>,
}

/// TLS 1.3 alone, or TLS 1.2 too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versions {
    /// RFC 8446 alone, where a protocol asks for it.
    OnlyTls13,
    /// RFC 5246 too.
    FromTls12,
}

/// Ready to connect.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Tls {
    /// Reads the files; `host` is the server's address. An error names the file and the fix.
    pub fn new(settings: &TlsSettings, host: &str, versions: Versions) -> Result<Self, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions: &[&rustls::SupportedProtocolVersion] = match versions {
            Versions::OnlyTls13 => &[&rustls::version::TLS13],
            Versions::FromTls12 => rustls::ALL_VERSIONS,
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots(settings.ca.as_deref())?);
        let config = match &settings.identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = certificates(certificate)?;
                let private = PrivateKeyDer::from_pem_file(key)
                    .map_err(|error| format!("{} holds no PEM private key: {error}", key.display()))?;
                builder.with_client_auth_cert(chain, private).map_err(|error| {
                    format!("{} and {} do not fit together: {error}", certificate.display(), key.display())
                })?
            }
        };
        let name = settings.server_name.clone().unwrap_or_else(|| host.to_owned());
        let name = ServerName::try_from(name.clone())
            .map_err(|_| format!("{name} is no host name or IP address that a certificate could carry"))?;
        Ok(Self { config: Arc::new(config), name })
    }

    /// The handshake on a fresh connection.
    pub async fn connect(
        &self,
        stream: TcpStream,
        server: &(dyn std::fmt::Display + Sync),
        deadline: Instant,
    ) -> Result<TlsStream<TcpStream>, Unavailable> {
        let connector = TlsConnector::from(Arc::clone(&self.config));
        match timeout_at(deadline, connector.connect(self.name.clone(), stream)).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(Unavailable::new(Layer::Tls, format!("{server}: {}", words(&error)))),
            Err(_) => Err(Unavailable::new(
                Layer::Tls,
                format!("{server} did not finish the TLS handshake within the timeout"),
            )),
        }
    }

    /// For libraries that make their own connections.
    pub fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.config)
    }
}

/// An error of TLS, and what it asks of the operator.
pub(crate) fn words(error: &io::Error) -> String {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    match cause.and_then(meaning) {
        Some(meaning) => format!("{error} ({meaning})"),
        None => error.to_string(),
    }
}

fn meaning(error: &rustls::Error) -> Option<&'static str> {
    use rustls::{AlertDescription as Alert, CertificateError as Certificate, Error, InvalidMessage};
    Some(match error {
        Error::InvalidCertificate(certificate) => match certificate {
            Certificate::UnknownIssuer => "its certificate is signed by an authority that ca does not hold",
            Certificate::BadSignature => {
                "the authority of that name in ca has another key than the one that signed"
            }
            Certificate::Expired | Certificate::ExpiredContext { .. } => {
                "its certificate has expired, or this machine's clock is wrong"
            }
            Certificate::NotValidYet | Certificate::NotValidYetContext { .. } => {
                "its certificate is not valid yet, or this machine's clock is wrong"
            }
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => {
                "its certificate carries another name; set server-name to one in it"
            }
            Certificate::InvalidPurpose | Certificate::InvalidPurposeContext { .. } => {
                "its certificate is not for servers: extended key usage lacks serverAuth"
            }
            // webpki has no error of its own for it.
            Certificate::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
                "its certificate is an authority's own and no server's"
            }
            _ => return None,
        },
        Error::AlertReceived(Alert::CertificateRequired) => {
            "it wants a certificate of ours; set certificate and private-key"
        }
        Error::AlertReceived(
            Alert::UnknownCA | Alert::BadCertificate | Alert::CertificateUnknown | Alert::AccessDenied,
        ) => "it does not accept our certificate; see which authority it trusts",
        Error::AlertReceived(Alert::CertificateExpired) => "our certificate has expired",
        Error::AlertReceived(Alert::ProtocolVersion | Alert::HandshakeFailure)
        | Error::PeerIncompatible(_) => "the two have no TLS version and ciphers in common",
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "what it says is no TLS; see whether the port is the one for TLS"
        }
        _ => return None,
    })
}

fn roots(ca: Option<&Path>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    match ca {
        Some(file) => {
            for certificate in certificates(file)? {
                roots
                    .add(certificate)
                    .map_err(|error| format!("{} holds a bad certificate: {error}", file.display()))?;
            }
        }
        None => {
            let (added, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if added == 0 {
                return Err(
                    "the system has no certificate authorities; set ca to the PEM file of the one that \
                     signed the server's certificate"
                        .to_owned(),
                );
            }
        }
    }
    Ok(roots)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let problem = |error: String| format!("{}: {error}", file.display());
    let certificates: Vec<_> = CertificateDer::pem_file_iter(file)
        .map_err(|error| problem(error.to_string()))?
        .collect::<Result<_, _>>()
        .map_err(|error| problem(error.to_string()))?;
    if certificates.is_empty() {
        return Err(problem("holds no PEM certificate".to_owned()));
    }
    Ok(certificates)
}
