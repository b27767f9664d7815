//! The EAP options of `dial`.

use clap::{Args, ValueEnum};
use tollgate_client::dial::PppOptions;
use tollgate_ppp::eap_type;

/// A method of EAP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum EapMethod {
    Md5,
    #[value(name = "mschapv2")]
    MsChapV2,
}

impl EapMethod {
    fn number(self) -> u8 {
        match self {
            Self::Md5 => eap_type::MD5_CHALLENGE,
            Self::MsChapV2 => eap_type::MSCHAP_V2,
        }
    }
}

#[derive(Debug, Clone, Args)]
pub(crate) struct EapArguments {
    /// The only method of EAP to take part in; without it, what the server asks for.
    #[arg(long, value_enum, value_name = "METHOD")]
    eap_method: Option<EapMethod>,
}

impl EapArguments {
    /// What they ask for.
    pub(crate) fn options(&self) -> Result<PppOptions, String> {
        Ok(PppOptions {
            eap_types: self.eap_method.iter().map(|method| method.number()).collect(),
            eap_methods: None,
        })
    }
}
