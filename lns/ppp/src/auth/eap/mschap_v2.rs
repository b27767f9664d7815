//! EAP-MSCHAPv2 (draft-kamath-pppext-eap-mschapv2 section 2): the packets of MS-CHAPv2 inside EAP, and two short
//! answers of the peer to the verdict.
//!
//! ```text
//! OpCode (1)  MS-CHAPv2-ID (1)  MS-Length (2)  Data
//! ```

use tollgate_mschap::Direction;
use tollgate_sansio::{Entropy, Reader};
use zeroize::Zeroizing;

use super::{EapMethod, EapRefusal, EapReply, eap_type};
use crate::auth::chap::{self, CHALLENGE, FAILURE, RESPONSE, SUCCESS};
use crate::auth::{mschap_error, mschap_v2};
use crate::{DownReason, MppeStartKeys};

/// See the module.
pub(super) struct MsChapV2 {
    user: Vec<u8>,
    password: Zeroizing<Vec<u8>>,
    entropy: Entropy,
    /// Of the challenge that was answered.
    exchange: Option<(u8, mschap_v2::Exchange)>,
    /// The text of a proven Success.
    proven: Option<Vec<u8>>,
    refusal: Option<EapRefusal>,
}

impl MsChapV2 {
    pub(super) fn new(user: Vec<u8>, password: Zeroizing<Vec<u8>>, entropy: Entropy) -> Self {
        Self { user, password, entropy, exchange: None, proven: None, refusal: None }
    }

    fn receive_challenge(&mut self, ms_id: u8, data: &[u8]) -> EapReply {
        let Some((challenge, _name)) = chap::parse_value(data) else { return EapReply::Discard };
        let Ok(challenge) = challenge.try_into() else { return EapReply::Discard };
        let ours = self.entropy.array();
        let exchange = mschap_v2::Exchange::new(&self.user, &self.password, challenge, ours);
        let value = chap::encode_value(&exchange.value(), &self.user);
        self.exchange = Some((ms_id, exchange));
        self.proven = None;
        EapReply::Respond(encode(RESPONSE, ms_id, &value))
    }

    /// The server's proof. Wrong, it ends everything: whoever is there does not know the password.
    fn receive_success(&mut self, ms_id: u8, data: &[u8]) -> EapReply {
        let Some((_, exchange)) = self.exchange.as_ref().filter(|(id, _)| *id == ms_id) else {
            return EapReply::Discard;
        };
        if !exchange.is_proven_by(&self.user, &self.password, data) {
            return EapReply::Fail(DownReason::ServerUnproven);
        }
        self.proven = Some(mschap_v2::message_of(data));
        EapReply::Respond(vec![SUCCESS])
    }

    /// There is but one password: an invitation to try again is acknowledged and not taken up, and the server's
    /// EAP-Failure follows.
    fn receive_failure(&mut self, ms_id: u8, data: &[u8]) -> EapReply {
        if self.exchange.as_ref().is_none_or(|(id, _)| *id != ms_id) {
            return EapReply::Discard;
        }
        let mschap_error::Failure { code, retry, message, .. } = mschap_error::decode(data);
        self.proven = None;
        self.refusal = Some(EapRefusal { code, retry, message });
        EapReply::Respond(vec![FAILURE])
    }
}

impl EapMethod for MsChapV2 {
    fn kind(&self) -> u8 {
        eap_type::MSCHAP_V2
    }

    fn receive(&mut self, _identifier: u8, data: &[u8]) -> EapReply {
        let Some((code, ms_id, data)) = decode(data) else { return EapReply::Discard };
        match code {
            CHALLENGE => self.receive_challenge(ms_id, data),
            SUCCESS => self.receive_success(ms_id, data),
            FAILURE => self.receive_failure(ms_id, data),
            _ => EapReply::Discard,
        }
    }

    fn is_satisfied(&self) -> bool {
        self.proven.is_some()
    }

    fn message(&self) -> Vec<u8> {
        self.proven.clone().unwrap_or_default()
    }

    fn refusal(&self) -> Option<EapRefusal> {
        self.refusal.clone()
    }

    fn keys(&self) -> Option<MppeStartKeys> {
        self.proven.as_ref()?;
        let (_, exchange) = self.exchange.as_ref()?;
        Some(exchange.start_keys(&self.password, Direction::ClientToServer))
    }
}

/// Reads a packet; MS-Length counts from OpCode on. What follows the octets that it counts is padding, one that runs past
/// the end makes the packet one to discard.
fn decode(data: &[u8]) -> Option<(u8, u8, &[u8])> {
    let mut reader = Reader::new(data);
    let code = reader.u8().ok()?;
    let ms_id = reader.u8().ok()?;
    let length = usize::from(reader.u16().ok()?);
    Some((code, ms_id, reader.take(length.checked_sub(4)?).ok()?))
}

fn encode(code: u8, ms_id: u8, value: &[u8]) -> Vec<u8> {
    let mut data = Vec::with_capacity(4 + value.len());
    data.extend_from_slice(&[code, ms_id]);
    data.extend_from_slice(&u16::try_from(4 + value.len()).unwrap_or(u16::MAX).to_be_bytes());
    data.extend_from_slice(value);
    data
}
