//! The client's side of EAP (RFC 3748 4): answers each Request once, repeats the answer to a copy of it, and believes
//! no Success that its method has not come to expect.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::{EapMethod, EapReply, FAILURE, REQUEST, RESPONSE, SUCCESS, eap_method, eap_type, typed};
use crate::auth::Step;
use crate::frame::{Packet, Protocol};
use crate::shared::Shared;
use crate::{ClientConfig, DownReason, Event, MppeStartKeys, terminate};

/// Requests that are remembered at the most.
const MOST_REMEMBERED: usize = 8;

/// See the module.
pub(crate) struct Supplicant {
    config: Arc<ClientConfig>,
    method: Option<Box<dyn EapMethod>>,
    last: Option<Exchange>,
    /// Fingerprints of the Requests before the last: a late copy of one must not begin the method anew.
    earlier: VecDeque<u64>,
    /// Told already; a later login on the open link is not told again.
    passed: bool,
}

/// The last Request and our Response.
struct Exchange {
    identifier: u8,
    request: u64,
    response: Vec<u8>,
}

impl Supplicant {
    pub(crate) fn new(config: Arc<ClientConfig>) -> Self {
        Self { config, method: None, last: None, earlier: VecDeque::new(), passed: false }
    }

    pub(crate) fn receive(&mut self, packet: Packet<'_>, shared: &mut Shared) -> Step {
        match packet.code {
            REQUEST => self.receive_request(packet, shared),
            SUCCESS if self.is_verdict(packet) && self.is_satisfied() => self.pass(shared),
            SUCCESS => {
                shared.warn("EAP: a Success that nothing has led to");
                Step::Wait
            }
            FAILURE if self.is_verdict(packet) => self.receive_failure(shared),
            FAILURE => Step::Wait,
            code => {
                shared.warn(format!("EAP: code {code} from the server"));
                Step::Wait
            }
        }
    }

    /// RFC 3748 4.2: a verdict bears the identifier of the Response that it is on. Servers that read RFC 2284
    /// otherwise count one up.
    fn is_verdict(&self, packet: Packet<'_>) -> bool {
        self.last.as_ref().is_some_and(|last| {
            packet.identifier == last.identifier || packet.identifier == last.identifier.wrapping_add(1)
        })
    }

    fn is_satisfied(&self) -> bool {
        self.method.as_ref().is_some_and(|method| method.is_satisfied())
    }

    /// The server goes on to network protocols: what would have said so before was lost on the way, and is not
    /// repeated (RFC 3748 4.2).
    pub(crate) fn receive_network(&mut self, shared: &mut Shared) -> Step {
        if !self.passed && self.is_satisfied() { self.pass(shared) } else { Step::Wait }
    }

    fn pass(&mut self, shared: &mut Shared) -> Step {
        if self.passed {
            return Step::Wait;
        }
        self.passed = true;
        let message = self.method.as_ref().map(|method| method.message()).unwrap_or_default();
        shared.event(Event::Authenticated { message });
        Step::Passed
    }

    fn receive_failure(&mut self, shared: &mut Shared) -> Step {
        let refusal = self.method.as_ref().and_then(|method| method.refusal());
        let (code, retry, message) =
            refusal.map_or((None, false, Vec::new()), |said| (said.code, said.retry, said.message));
        shared.event(Event::AuthenticationFailed { message, code, retry });
        Step::Failed(DownReason::AuthenticationFailed)
    }

    fn receive_request(&mut self, packet: Packet<'_>, shared: &mut Shared) -> Step {
        let Some((kind, data)) = typed(packet.data) else { return Step::Wait };
        let request = fingerprint(packet);
        if let Some(last) = self.last.as_ref().filter(|last| last.request == request) {
            shared.send(Protocol::EAP, RESPONSE, last.identifier, &last.response);
            return Step::Wait;
        }
        if self.earlier.contains(&request) {
            return Step::Wait;
        }
        let response = match kind {
            eap_type::IDENTITY => {
                self.method = None;
                respond(kind, &self.config.user)
            }
            eap_type::NOTIFICATION => {
                shared.warn(format!("EAP: the server says: {}", terminate::readable(data)));
                respond(kind, &[])
            }
            eap_type::NAK => return Step::Wait,
            _ => match self.ask_method(kind, packet.identifier, data, shared) {
                Some(EapReply::Respond(data)) => respond(kind, &data),
                Some(EapReply::Discard) => return Step::Wait,
                Some(EapReply::Fail(reason)) => return Step::Failed(reason),
                None => self.nak(kind),
            },
        };
        shared.send(Protocol::EAP, RESPONSE, packet.identifier, &response);
        let last = self.last.replace(Exchange { identifier: packet.identifier, request, response });
        if let Some(Exchange { request, .. }) = last {
            self.earlier.truncate(MOST_REMEMBERED - 1);
            self.earlier.push_front(request);
        }
        Step::Wait
    }

    /// The method's answer; `None` where there is no such method. Once a method is under way there is no other
    /// (RFC 3748 2.1).
    fn ask_method(&mut self, kind: u8, identifier: u8, data: &[u8], shared: &mut Shared) -> Option<EapReply> {
        if self.method.is_none() && self.config.eap_types.contains(&kind) {
            let (config, entropy) = (&self.config, shared.entropy.fork());
            self.method = match &config.eap_methods {
                Some(methods) => methods.create(kind, config, entropy),
                None => None,
            }
            .or_else(|| eap_method(kind, &config.user, &config.password, shared.entropy.fork()));
        }
        match &mut self.method {
            Some(method) if method.kind() == kind => Some(method.receive(identifier, data)),
            Some(_) => Some(EapReply::Discard),
            None => None,
        }
    }

    /// RFC 3748 5.3: the methods that we would take instead, or 0 for none. To an expanded type the answer has the
    /// expanded form.
    fn nak(&self, refused: u8) -> Vec<u8> {
        let liked = self.config.eap_types.iter().copied().filter(|&kind| kind != refused);
        if refused == eap_type::EXPANDED {
            let expanded = |kind: u8| [eap_type::EXPANDED, 0, 0, 0, 0, 0, 0, kind];
            let mut data = expanded(eap_type::NAK).to_vec();
            let mut list: Vec<u8> = liked.flat_map(expanded).collect();
            if list.is_empty() {
                list.extend_from_slice(&expanded(0));
            }
            data.extend_from_slice(&list);
            return data;
        }
        let mut list: Vec<u8> = liked.collect();
        if list.is_empty() {
            list.push(0);
        }
        respond(eap_type::NAK, &list)
    }

    /// The keys that the login left for MPPE.
    pub(crate) fn keys(&self) -> Option<MppeStartKeys> {
        self.method.as_ref().and_then(|method| method.keys())
    }
}

/// Enough to know a copy by; nothing secret hangs on it.
fn fingerprint(packet: Packet<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    (packet.identifier, packet.data).hash(&mut hasher);
    hasher.finish()
}

fn respond(kind: u8, data: &[u8]) -> Vec<u8> {
    let mut response = Vec::with_capacity(1 + data.len());
    response.push(kind);
    response.extend_from_slice(data);
    response
}
