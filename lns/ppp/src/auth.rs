//! Authentication: the methods and their names in LCP, and the choice between the protocols, PAP, CHAP and EAP, that
//! carry them.

pub(crate) mod chap;
pub(crate) mod eap;
mod mschap_error;
mod mschap_v1;
mod mschap_v2;
pub(crate) mod pap;
mod password_change;
mod request;

use std::sync::Arc;
use std::time::{Duration, Instant};

pub use request::{AuthDecision, AuthRequest, Network, Proof};

use crate::frame::{Packet, Protocol};
use crate::lcp::Methods;
use crate::shared::Shared;
use crate::{ClientConfig, DownReason, MppeStartKeys, ServerConfig};

/// The longest name that is let through to a backend, in octets.
const LONGEST_NAME: usize = 255;

/// An authentication protocol as LCP names it (RFC 1661 6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuthProtocol {
    /// Password in the clear (RFC 1334).
    Pap,
    /// CHAP with MD5 (RFC 1994).
    ChapMd5,
    /// MS-CHAP version 1 (RFC 2433).
    MsChapV1,
    /// MS-CHAP version 2 (RFC 2759).
    MsChapV2,
    /// EAP (RFC 3748): the server passes it through, and whoever decides speaks the methods in it.
    Eap,
}

impl AuthProtocol {
    /// The value of LCP's Authentication-Protocol option: protocol number and, for CHAP, the algorithm.
    pub(crate) fn option(self) -> &'static [u8] {
        match self {
            Self::Pap => &[0xC0, 0x23],
            Self::ChapMd5 => &[0xC2, 0x23, 0x05],
            Self::MsChapV1 => &[0xC2, 0x23, 0x80],
            Self::MsChapV2 => &[0xC2, 0x23, 0x81],
            Self::Eap => &[0xC2, 0x27],
        }
    }

    pub(crate) fn from_option(value: &[u8]) -> Option<Self> {
        [Self::Pap, Self::ChapMd5, Self::MsChapV1, Self::MsChapV2, Self::Eap]
            .into_iter()
            .find(|method| method.option() == value)
    }

    /// The PPP protocol that carries the method.
    pub(crate) fn protocol(self) -> Protocol {
        match self {
            Self::Pap => Protocol::PAP,
            Self::ChapMd5 | Self::MsChapV1 | Self::MsChapV2 => Protocol::CHAP,
            Self::Eap => Protocol::EAP,
        }
    }
}

impl std::fmt::Display for AuthProtocol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Pap => "PAP",
            Self::ChapMd5 => "CHAP-MD5",
            Self::MsChapV1 => "MS-CHAPv1",
            Self::MsChapV2 => "MS-CHAPv2",
            Self::Eap => "EAP",
        })
    }
}

/// The methods of a configuration that can be negotiated, each once and in its order.
pub(crate) fn negotiable(methods: &[AuthProtocol]) -> Methods {
    let mut list = Methods::default();
    let mut free = list.len();
    for &method in methods {
        if !list.contains(&Some(method)) && free > 0 {
            let at = list.len() - free;
            if let Some(slot) = list.get_mut(at) {
                *slot = Some(method);
                free -= 1;
            }
        }
    }
    list
}

/// What a peer means by the value of an Authentication-Protocol option, for the operator.
pub(crate) fn option_name(value: &[u8]) -> String {
    match (AuthProtocol::from_option(value), value) {
        (Some(method), _) => method.to_string(),
        (None, [0xC2, 0x23, algorithm, ..]) => format!("CHAP algorithm 0x{algorithm:02X}"),
        (None, [high, low, ..]) => Protocol(u16::from_be_bytes([*high, *low])).to_string(),
        (None, _) => "a malformed method".to_owned(),
    }
}

/// How an authentication stands after a packet, a timeout or a decision.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It goes on.
    Wait,
    /// The peer (or we, as a client) may come in.
    Passed,
    /// The link has to end.
    Failed(DownReason),
}

/// A name is passed on only if no backend can stumble over it (RFC 1994 4.1: not NUL terminated).
fn is_fit_name(name: &[u8]) -> bool {
    name.len() <= LONGEST_NAME && !name.contains(&0)
}

/// The answer that ended an authentication, kept for as long as the link lives: the peer may not have had it and
/// ask again (RFC 1334 2.2.1, RFC 1994 4.2).
pub(crate) struct Settled {
    protocol: Protocol,
    /// Code of the question.
    question: u8,
    identifier: u8,
    code: u8,
    data: Box<[u8]>,
}

impl Settled {
    /// Repeats the answer if `packet` is the question again. PAP counts its identifier up for each try, the Responses
    /// of CHAP and EAP carry that of what they answer.
    pub(crate) fn receive(&self, protocol: Protocol, packet: Packet<'_>, shared: &mut Shared) {
        let repeated = protocol == self.protocol
            && packet.code == self.question
            && (protocol == Protocol::PAP || packet.identifier == self.identifier);
        if repeated {
            shared.send_cut(protocol, self.code, packet.identifier, &self.data);
        }
    }

    /// Octets on the heap.
    #[cfg(test)]
    pub(crate) fn heap(&self) -> usize {
        self.data.len()
    }
}

/// The server's side of the agreed method.
pub(crate) enum Authenticator {
    Pap(pap::Authenticator),
    Chap(chap::Authenticator),
    Eap(eap::Authenticator),
}

impl Authenticator {
    /// Begins; CHAP sends its challenge, EAP asks for the identity. `None` for a method that no machine is there for.
    pub(crate) fn start(
        method: AuthProtocol,
        config: Arc<ServerConfig>,
        now: Instant,
        shared: &mut Shared,
    ) -> Option<Self> {
        match method {
            AuthProtocol::Pap => Some(Self::Pap(pap::Authenticator::new())),
            AuthProtocol::ChapMd5 | AuthProtocol::MsChapV1 | AuthProtocol::MsChapV2 => {
                let flavour = chap::Flavour::of(method)?;
                Some(Self::Chap(chap::Authenticator::start(flavour, config, now, shared)))
            }
            AuthProtocol::Eap => Some(Self::Eap(eap::Authenticator::start(now, shared))),
        }
    }

    pub(crate) fn receive(&mut self, packet: Packet<'_>, shared: &mut Shared) -> Step {
        match self {
            Self::Pap(pap) => pap.receive(packet, shared),
            Self::Chap(chap) => chap.receive(packet, shared),
            Self::Eap(eap) => eap.receive(packet, shared),
        }
    }

    /// True while a decision is awaited.
    pub(crate) fn is_pending(&self) -> bool {
        match self {
            Self::Pap(pap) => pap.is_pending(),
            Self::Chap(chap) => chap.is_pending(),
            Self::Eap(eap) => eap.is_pending(),
        }
    }

    pub(crate) fn accept(&mut self, message: &[u8], shared: &mut Shared) {
        match self {
            Self::Pap(pap) => pap.accept(message, shared),
            Self::Chap(chap) => chap.accept(message, shared),
            Self::Eap(eap) => eap.accept(message, shared),
        }
    }

    /// The server's next Request. Only EAP has one.
    pub(crate) fn proceed(
        &mut self,
        now: Instant,
        packet: &[u8],
        wait: Option<Duration>,
        shared: &mut Shared,
    ) -> Step {
        match self {
            Self::Eap(eap) => eap.proceed(now, packet, wait, shared),
            Self::Pap(_) | Self::Chap(_) => {
                let message = "the server asks for more, which only EAP can".to_owned();
                Step::Failed(DownReason::Unavailable { message })
            }
        }
    }

    pub(crate) fn reject(&mut self, message: &[u8], code: u32, retry: bool, shared: &mut Shared) -> Step {
        match self {
            Self::Pap(pap) => pap.reject(message, shared),
            Self::Chap(chap) => chap.reject(message, code, retry, shared),
            Self::Eap(eap) => eap.reject(message, shared),
        }
    }

    /// The password has expired, and a new one would be taken. Only MS-CHAPv2 can ask for it: with any other method
    /// this is a refusal.
    pub(crate) fn ask_for_new_password(
        &mut self,
        message: &[u8],
        challenge: Option<[u8; 16]>,
        shared: &mut Shared,
    ) -> Step {
        match self {
            Self::Chap(chap) => chap.ask_for_new_password(message, challenge, shared),
            Self::Pap(_) | Self::Eap(_) => self.reject(message, 0, false, shared),
        }
    }

    pub(crate) fn timer(&self) -> Option<Instant> {
        match self {
            Self::Pap(_) => None,
            Self::Chap(chap) => chap.timer(),
            Self::Eap(eap) => eap.timer(),
        }
    }

    pub(crate) fn timeout(&mut self, now: Instant, shared: &mut Shared) -> Step {
        match self {
            Self::Pap(_) => Step::Wait,
            Self::Chap(chap) => chap.timeout(now, shared),
            Self::Eap(eap) => eap.timeout(now, shared),
        }
    }

    /// The challenge of MS-CHAPv1 that the peer answered: part of its keys (RFC 3079 2.3).
    pub(crate) fn ms_chap_v1_challenge(&self) -> Option<[u8; 8]> {
        match self {
            Self::Chap(chap) => chap.ms_chap_v1_challenge(),
            Self::Pap(_) | Self::Eap(_) => None,
        }
    }

    /// What is left of it once the peer is in.
    pub(crate) fn settle(&self) -> Option<Settled> {
        match self {
            Self::Pap(pap) => pap.settle(),
            Self::Chap(chap) => chap.settle(),
            Self::Eap(eap) => eap.settle(),
        }
    }
}

/// The client's side of the agreed method. It lives as long as the link, because a server may challenge again at
/// any time (RFC 1994 2).
pub(crate) enum Supplicant {
    Pap(pap::Supplicant),
    Chap(chap::Supplicant),
    Eap(eap::Supplicant),
}

impl Supplicant {
    /// Begins; PAP sends its request. `None` for a method that no machine is there for.
    pub(crate) fn start(
        method: AuthProtocol,
        config: Arc<ClientConfig>,
        now: Instant,
        shared: &mut Shared,
    ) -> Option<Self> {
        match method {
            AuthProtocol::Pap => Some(Self::Pap(pap::Supplicant::start(config, now, shared))),
            AuthProtocol::ChapMd5 | AuthProtocol::MsChapV1 | AuthProtocol::MsChapV2 => {
                Some(Self::Chap(chap::Supplicant::new(chap::Flavour::of(method)?, config, shared)))
            }
            AuthProtocol::Eap => Some(Self::Eap(eap::Supplicant::new(config))),
        }
    }

    pub(crate) fn receive(&mut self, now: Instant, packet: Packet<'_>, shared: &mut Shared) -> Step {
        match self {
            Self::Pap(pap) => pap.receive(packet, shared),
            Self::Chap(chap) => chap.receive(now, packet, shared),
            Self::Eap(eap) => eap.receive(packet, shared),
        }
    }

    pub(crate) fn timer(&self) -> Option<Instant> {
        match self {
            Self::Pap(pap) => pap.timer(),
            Self::Chap(chap) => chap.timer(),
            // The server repeats what it wants an answer to (RFC 3748 4.3).
            Self::Eap(_) => None,
        }
    }

    pub(crate) fn timeout(&mut self, now: Instant, shared: &mut Shared) -> Step {
        match self {
            Self::Pap(pap) => pap.timeout(now, shared),
            Self::Chap(chap) => chap.timeout(now, shared),
            Self::Eap(_) => Step::Wait,
        }
    }

    /// The keys that the login left for MPPE, and the challenge that belongs to those of MS-CHAPv1.
    pub(crate) fn keys(&self) -> Option<(MppeStartKeys, Option<[u8; 8]>)> {
        match self {
            Self::Pap(_) => None,
            Self::Chap(chap) => chap.keys(),
            Self::Eap(eap) => eap.keys().map(|keys| (keys, None)),
        }
    }

    /// A packet of a network protocol came although no verdict had been heard.
    pub(crate) fn receive_network(&mut self, shared: &mut Shared) -> Step {
        match self {
            Self::Eap(eap) => eap.receive_network(shared),
            Self::Pap(_) | Self::Chap(_) => Step::Wait,
        }
    }
}

#[cfg(test)]
mod tests;
