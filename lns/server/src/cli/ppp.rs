//! The options of `dial` that concern PPP: methods of EAP, encryption.

use clap::{Args, ValueEnum};
use tollgate_client::dial::PppOptions;
use tollgate_ppp::{ClientEncryption, MppeStrengths, eap_type};

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
        Ok(PppOptions {
            eap_types: self.eap_method.iter().map(|method| method.number()).collect(),
            eap_methods: None,
            encryption,
        })
    }
}
