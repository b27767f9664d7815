//! The options of `dial` that concern PPP: methods of EAP, encryption.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use tollgate_client::dial::PppOptions;
use tollgate_client::eap::{TlsFiles, TlsMethods};
use tollgate_ppp::{ClientEncryption, EapMethods, MppeStrengths, eap_type};

/// A method of EAP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum EapMethod {
    Md5,
    #[value(name = "mschapv2")]
    MsChapV2,
    /// With EAP-MSCHAPv2 inside.
    Peap,
    Tls,
}

impl EapMethod {
    fn number(self) -> u8 {
        match self {
            Self::Md5 => eap_type::MD5_CHALLENGE,
            Self::MsChapV2 => eap_type::MSCHAP_V2,
            Self::Peap => eap_type::PEAP,
            Self::Tls => eap_type::TLS,
        }
    }
}

/// Whether to encrypt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mppe {
    /// Hang up where the server does not.
    Require,
    /// Where the server does.
    Allow,
    /// Not at all.
    None,
}

/// A length of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Bits {
    #[value(name = "40")]
    Bits40,
    #[value(name = "56")]
    Bits56,
    #[value(name = "128")]
    Bits128,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct PppArguments {
    /// The only method of EAP to take part in; without it, what the server asks for.
    #[arg(long, value_enum, value_name = "METHOD")]
    eap_method: Option<EapMethod>,
    /// The authorities that may vouch for the server of PEAP and EAP-TLS, in PEM; without it, neither is taken part in.
    #[arg(long, value_name = "FILE")]
    eap_ca: Option<PathBuf>,
    /// The name that its certificate must bear; without it, any that an authority vouches for.
    #[arg(long, value_name = "NAME", requires = "eap_ca")]
    eap_server_name: Option<String>,
    /// The certificate (and its chain) for EAP-TLS, in PEM.
    #[arg(long, value_name = "FILE", requires = "eap_ca")]
    eap_certificate: Option<PathBuf>,
    /// Its private key in PEM; without it, it is in the certificate's file.
    #[arg(long, value_name = "FILE", requires = "eap_certificate")]
    eap_private_key: Option<PathBuf>,
    /// Encrypt with MPPE; needs a method that leaves keys: MS-CHAP, or EAP with it.
    #[arg(long, value_enum, default_value = "none")]
    mppe: Mppe,
    /// The lengths of MPPE's keys that will do.
    #[arg(long, value_enum, value_name = "BITS", value_delimiter = ',', default_value = "128")]
    mppe_bits: Vec<Bits>,
    /// Let MPPE's keys also change with every 256th packet alone.
    #[arg(long)]
    mppe_stateful: bool,
}

impl PppArguments {
    /// What they ask for.
    pub(crate) fn options(&self) -> Result<PppOptions, String> {
        let has = |bits| self.mppe_bits.contains(&bits);
        let strengths = MppeStrengths {
            bits40: has(Bits::Bits40),
            bits56: has(Bits::Bits56),
            bits128: has(Bits::Bits128),
        };
        let encryption = match self.mppe {
            Mppe::None => None,
            Mppe::Require | Mppe::Allow => Some(ClientEncryption {
                required: self.mppe == Mppe::Require,
                strengths,
                stateful_allowed: self.mppe_stateful,
            }),
        };
        Ok(PppOptions { eap_types: self.types()?, eap_methods: self.tls_methods()?, encryption })
    }

    /// The methods of EAP, the best first.
    fn types(&self) -> Result<Vec<u8>, String> {
        let (ca, certificate) = (self.eap_ca.is_some(), self.eap_certificate.is_some());
        match self.eap_method {
            Some(EapMethod::Peap) if !ca => {
                Err("--eap-method peap: name the authorities with --eap-ca".into())
            }
            Some(EapMethod::Tls) if !certificate => {
                Err("--eap-method tls: name --eap-ca and --eap-certificate".into())
            }
            Some(method) => Ok(vec![method.number()]),
            None => Ok([
                certificate.then_some(EapMethod::Tls),
                ca.then_some(EapMethod::Peap),
                Some(EapMethod::MsChapV2),
                Some(EapMethod::Md5),
            ]
            .into_iter()
            .flatten()
            .map(EapMethod::number)
            .collect()),
        }
    }

    fn tls_methods(&self) -> Result<Option<Arc<dyn EapMethods>>, String> {
        let Some(authorities) = &self.eap_ca else { return Ok(None) };
        let identity = self
            .eap_certificate
            .as_deref()
            .map(|certificate| (certificate, self.eap_private_key.as_deref().unwrap_or(certificate)));
        let server_name = self.eap_server_name.as_deref();
        let methods = TlsMethods::new(TlsFiles { authorities, server_name, identity })?;
        Ok(Some(Arc::new(methods)))
    }
}
