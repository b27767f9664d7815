//! The options of CCP (RFC 1962) as far as they encrypt: number 18, MPPE (RFC 3078 2). Nothing is ever compressed.
//!
//! Either end asks for what it wants to receive, and with one length of key: whoever is asked for several answers with the
//! longest that it has (RFC 3078 2.1).

use tollgate_mschap::KeyStrength;

use crate::frame::Protocol;
use crate::negotiate::Negotiable;
use crate::options::{self, Answer, ConfigOption, Objections};
use crate::shared::Shared;
use crate::{DownReason, MppeMode, MppeStrengths};

/// RFC 1962 5.8 and 5.9.
pub(crate) const RESET_REQUEST: u8 = 14;
pub(crate) const RESET_ACK: u8 = 15;

/// The option of MPPE.
pub(crate) const MPPE: u8 = 18;

/// Bits of its value (RFC 3078 2.1); 1 and 0x10 are compression and an obsolete kind of key.
const BITS_40: u32 = 0x20;
const BITS_128: u32 = 0x40;
const BITS_56: u32 = 0x80;
const STATELESS: u32 = 0x0100_0000;

/// CCP's options of one end.
pub(crate) struct Ccp {
    strengths: MppeStrengths,
    stateful_allowed: bool,
    /// Those that the peer has not yet declined.
    left: MppeStrengths,
    /// What we ask for.
    ask: Option<MppeMode>,
    /// What the peer asked for and got.
    peer: Option<MppeMode>,
}

impl Ccp {
    /// `strengths` are those for which there are keys.
    pub(crate) fn new(strengths: MppeStrengths, stateful_allowed: bool) -> Self {
        Self { strengths, stateful_allowed, left: strengths, ask: None, peer: None }
    }

    /// How we send and how we receive.
    pub(crate) fn agreed(&self) -> Option<(MppeMode, MppeMode)> {
        Some((self.peer?, self.ask?))
    }

    /// The best that these bits and ours have in common. Stateless is always welcome.
    fn choose(&self, bits: u32) -> Option<MppeMode> {
        let strength = self.strengths.filter(|strength| bits & bit_of(strength) != 0).strongest()?;
        Some(MppeMode { strength, stateless: bits & STATELESS != 0 || !self.stateful_allowed })
    }

    fn preferred(&self) -> Option<MppeMode> {
        self.strengths.strongest().map(|strength| MppeMode { strength, stateless: true })
    }
}

fn bit_of(strength: KeyStrength) -> u32 {
    match strength {
        KeyStrength::Bits40 => BITS_40,
        KeyStrength::Bits56 => BITS_56,
        KeyStrength::Bits128 => BITS_128,
    }
}

fn value_of(mode: MppeMode) -> [u8; 4] {
    let stateless = if mode.stateless { STATELESS } else { 0 };
    (bit_of(mode.strength) | stateless).to_be_bytes()
}

/// Why the two ends found no encryption. The link lives on where none is required.
fn refused(why: &'static str) -> DownReason {
    DownReason::NotEncrypted(why)
}

impl Negotiable for Ccp {
    const PROTOCOL: Protocol = Protocol::CCP;
    const NAME: &'static str = "CCP";

    fn begin(&mut self, _shared: &mut Shared) {
        self.left = self.strengths;
        // What the peer asked for stays: the request that begins a negotiation anew has been judged already.
        self.ask = self.preferred();
    }

    fn request(&self) -> Vec<u8> {
        let mut list = Vec::with_capacity(6);
        if let Some(mode) = self.ask {
            options::push(&mut list, MPPE, &value_of(mode));
        }
        list
    }

    fn judge(
        &mut self,
        asked: &[ConfigOption<'_>],
        naks_left: bool,
        _shared: &mut Shared,
    ) -> Result<Answer, DownReason> {
        let mut objections = Objections::default();
        let mut peer = None;
        for option in asked {
            if option.kind != MPPE {
                objections.reject(option);
                continue;
            }
            let bits = option.array().map_or(0, u32::from_be_bytes);
            match self.choose(bits).or_else(|| self.preferred()) {
                Some(mode) if option.value == value_of(mode) => peer = Some(mode),
                Some(mode) => objections.nak(MPPE, &value_of(mode)),
                None => objections.reject(option),
            }
        }
        if !asked.iter().any(|option| option.kind == MPPE)
            && let Some(mode) = self.preferred()
        {
            objections.nak(MPPE, &value_of(mode));
        }
        if objections.is_empty() {
            self.peer = peer;
        }
        match objections.into_answer() {
            Answer::Nak(_) if !naks_left => Err(refused("the peer wants no encryption that we may use")),
            answer => Ok(answer),
        }
    }

    fn naked(&mut self, hints: &[ConfigOption<'_>], _shared: &mut Shared) -> Result<(), DownReason> {
        for hint in hints.iter().filter(|hint| hint.kind == MPPE) {
            let bits = hint.array().map_or(0, u32::from_be_bytes);
            self.ask = Some(match self.choose(bits) {
                Some(mode) => mode,
                // It has said what it likes best, which is not all that it can.
                None => {
                    let declined = self.ask.map(|mode| mode.strength);
                    self.left = self.left.filter(|strength| Some(strength) != declined);
                    let next = self.left.strongest();
                    let strength = next.ok_or_else(|| refused("the peer offers none that we may use"))?;
                    MppeMode { strength, stateless: true }
                }
            });
        }
        Ok(())
    }

    fn rejected(&mut self, options: &[ConfigOption<'_>], _shared: &mut Shared) -> Result<(), DownReason> {
        match options.iter().any(|option| option.kind == MPPE) {
            true => Err(refused("the peer refuses it")),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
