//! PEAP version 0 (draft-kamath-pppext-peapv0): TLS with the server's certificate alone, and a second EAP inside, whose
//! packets go without code, identifier and length. The server ends it with a Result TLV (type 33), which goes with them.

use rustls::ClientConnection;
use tollgate_ppp::{
    ClientConfig, DownReason, EapMethod, EapRefusal, EapReply, MppeStartKeys, eap_method, eap_type,
};
use tollgate_sansio::Entropy;
use zeroize::Zeroizing;

use super::fragments::{Flow, Tunnel, failed};

/// The type of the packets that carry TLVs.
const EXTENSIONS: u8 = 33;
const REQUEST: u8 = 1;
const RESPONSE: u8 = 2;
/// The Result TLV, mandatory, and its values.
const RESULT: u16 = 0x8003;
const SUCCESS: u16 = 1;
const FAILURE: u16 = 2;

/// See the module.
pub(super) struct Peap {
    tunnel: Tunnel,
    user: Vec<u8>,
    password: Zeroizing<Vec<u8>>,
    entropy: Entropy,
    inner: Option<Box<dyn EapMethod>>,
    /// The server has said inside that we are in.
    succeeded: bool,
}

impl Peap {
    pub(super) fn new(tls: ClientConnection, config: &ClientConfig, entropy: Entropy) -> Self {
        Self {
            tunnel: Tunnel::new(tls),
            user: config.user.clone(),
            password: config.password.clone(),
            entropy,
            inner: None,
            succeeded: false,
        }
    }

    /// A packet from inside; the answer to it, empty if there is none to give.
    fn receive_inner(&mut self, identifier: u8, packet: &[u8]) -> Result<Vec<u8>, EapReply> {
        // Some servers send the whole header with the first Request, and all do with TLVs.
        let (identifier, packet) = match packet {
            [REQUEST, id, high, low, typed @ ..]
                if usize::from(u16::from_be_bytes([*high, *low])) == packet.len() && !typed.is_empty() =>
            {
                (*id, typed)
            }
            _ => (identifier, packet),
        };
        let Some((&kind, data)) = packet.split_first() else { return Ok(Vec::new()) };
        match kind {
            eap_type::IDENTITY => Ok([&[kind], self.user.as_slice()].concat()),
            eap_type::NOTIFICATION => Ok(vec![kind]),
            EXTENSIONS => self.receive_result(identifier, data),
            eap_type::MSCHAP_V2 => {
                if self.inner.is_none() {
                    self.inner = eap_method(kind, &self.user, &self.password, self.entropy.fork());
                }
                let Some(inner) = &mut self.inner else { return Ok(Vec::new()) };
                match inner.receive(identifier, data) {
                    EapReply::Respond(data) => Ok([&[kind], data.as_slice()].concat()),
                    other => Err(other),
                }
            }
            _ => Ok(vec![eap_type::NAK, eap_type::MSCHAP_V2]),
        }
    }

    fn receive_result(&mut self, identifier: u8, tlvs: &[u8]) -> Result<Vec<u8>, EapReply> {
        let result = match result_of(tlvs) {
            Some(SUCCESS) if self.inner.as_ref().is_some_and(|inner| inner.is_satisfied()) => {
                self.succeeded = true;
                SUCCESS
            }
            // A Success without a proof of the password is an impostor's.
            Some(SUCCESS) => return Err(EapReply::Fail(DownReason::ServerUnproven)),
            Some(_) => FAILURE,
            None => return Err(failed("PEAP: a result that is none")),
        };
        let mut answer = vec![RESPONSE, identifier, 0, 11, EXTENSIONS];
        answer.extend_from_slice(&RESULT.to_be_bytes());
        answer.extend_from_slice(&2u16.to_be_bytes());
        answer.extend_from_slice(&result.to_be_bytes());
        Ok(answer)
    }
}

/// The value of the Result TLV.
fn result_of(mut tlvs: &[u8]) -> Option<u16> {
    while let Some((&[a, b, c, d], rest)) = tlvs.split_first_chunk::<4>() {
        let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([c, d])))?;
        if u16::from_be_bytes([a, b]) == RESULT {
            return value.try_into().ok().map(u16::from_be_bytes);
        }
        tlvs = rest;
    }
    None
}

impl EapMethod for Peap {
    fn kind(&self) -> u8 {
        eap_type::PEAP
    }

    fn receive(&mut self, identifier: u8, data: &[u8]) -> EapReply {
        let clear = match self.tunnel.receive(data) {
            Flow::Reply(reply) => return reply,
            Flow::Whole(clear) => clear,
        };
        let answer = match clear.is_empty() {
            true => Vec::new(),
            false => match self.receive_inner(identifier, &clear) {
                Ok(answer) => answer,
                Err(reply) => return reply,
            },
        };
        self.tunnel.reply(&answer)
    }

    fn is_satisfied(&self) -> bool {
        self.succeeded
    }

    fn message(&self) -> Vec<u8> {
        self.inner.as_ref().map(|inner| inner.message()).unwrap_or_default()
    }

    fn refusal(&self) -> Option<EapRefusal> {
        self.inner.as_ref().and_then(|inner| inner.refusal())
    }

    fn keys(&self) -> Option<MppeStartKeys> {
        self.tunnel.keys().filter(|_| self.succeeded)
    }
}
