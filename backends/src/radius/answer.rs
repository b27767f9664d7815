//! What a server answered: from a packet that is believed to a verdict.
//!
//! An Access-Accept that cannot be read in full lets nobody in: what could not be read may have been the filter or the
//! time limit. Attributes that we do not know say nothing. In a reject or a challenge only the words matter, so what
//! cannot be read there is passed over.

use std::net::Ipv4Addr;
use std::time::Duration;

use radius::core::code::Code;
use radius::core::rfc2865::{
    CLASS_TYPE, FILTER_ID_TYPE, FRAMED_IP_ADDRESS_TYPE, FRAMED_IP_NETMASK_TYPE, FRAMED_MTU_TYPE,
    FRAMED_ROUTE_TYPE, IDLE_TIMEOUT_TYPE, REPLY_MESSAGE_TYPE, SESSION_TIMEOUT_TYPE, STATE_TYPE,
    VENDOR_SPECIFIC_TYPE,
};
use radius::core::rfc2869::{ACCT_INTERIM_INTERVAL_TYPE, EAP_MESSAGE_TYPE, MESSAGE_AUTHENTICATOR_TYPE};
use tollgate_aaa::{
    Attributes, AuthMethod, Challenge, FramedAddress, Layer, Reject, RejectReason, Unavailable, Verdict,
};

use super::cisco::{self, Cisco, policy_of_class};
use super::microsoft::{self, Microsoft};
use super::packet::{Attribute, Key, Packet};

/// Why an accept cannot be honoured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// Wrong number of octets.
    #[error("{name} has {octets} octets")]
    Length {
        /// The attribute.
        name: &'static str,
        /// What came.
        octets: usize,
    },
    /// Right length, impossible content.
    #[error("{0} has an impossible value")]
    Value(&'static str),
    /// Not UTF-8.
    #[error("{0} is not text")]
    Text(&'static str),
    /// Sub-attributes that do not fit in their attribute.
    #[error("a Vendor-Specific attribute of vendor {0} is malformed")]
    Vendor(u32),
    /// RFC 2548 section 2.3.3: the peer would refuse us without it.
    #[error("MS-CHAP2-Success is missing")]
    NoSuccess,
    /// RFC 3579 section 2.6.3: what the peer hears must be what was decided.
    #[error("the EAP-Message in it is no EAP-Success")]
    NoEapSuccess,
}

/// The verdict in an answer to an Access-Request by `method`. The packet has been verified.
pub fn decode(
    packet: &Packet<'_>,
    method: AuthMethod,
    request_authenticator: &[u8; 16],
    key: &Key,
) -> Verdict {
    if method == AuthMethod::EapProxy
        && !packet.attributes().any(|attribute| attribute.kind == MESSAGE_AUTHENTICATOR_TYPE)
    {
        // RFC 3579 section 3.2, whatever the configuration says about other requests.
        let why = "the server's answer to EAP has no Message-Authenticator".to_owned();
        return Verdict::Unavailable(Unavailable::new(Layer::Protocol, why));
    }
    match packet.code() {
        Code::AccessAccept => match accept(packet, method, request_authenticator, key) {
            Ok(attributes) => Verdict::Accept(Box::new(attributes)),
            Err(unusable) => Verdict::Reject(Reject::new(RejectReason::UnusableAccept(unusable.to_string()))),
        },
        Code::AccessReject => Verdict::Reject(reject(packet, request_authenticator, key)),
        Code::AccessChallenge => {
            let challenge = challenge(packet);
            if method == AuthMethod::EapProxy && challenge.eap.is_none() {
                let why = "the server's challenge holds no EAP request: it does not speak EAP with this user";
                return Verdict::Unavailable(Unavailable::new(Layer::Protocol, why));
            }
            Verdict::Challenge(challenge)
        }
        other => Verdict::Unavailable(Unavailable::new(
            Layer::Protocol,
            format!("the server answered {}", other.string()),
        )),
    }
}

fn accept(
    packet: &Packet<'_>,
    method: AuthMethod,
    request_authenticator: &[u8; 16],
    key: &Key,
) -> Result<Attributes, Unusable> {
    let mut attributes = Attributes::default();
    let (mut microsoft, mut cisco) = (Microsoft::default(), Cisco::default());
    let mut class_policy = None;
    for Attribute { kind, value } in packet.attributes() {
        match kind {
            FRAMED_IP_ADDRESS_TYPE => {
                attributes.framed_address = Some(FramedAddress::from(address("Framed-IP-Address", value)?));
            }
            FRAMED_IP_NETMASK_TYPE => attributes.framed_netmask = Some(address("Framed-IP-Netmask", value)?),
            FRAMED_MTU_TYPE => attributes.framed_mtu = Some(mtu(value)?),
            FRAMED_ROUTE_TYPE => attributes.framed_routes.push(text("Framed-Route", value)?),
            SESSION_TIMEOUT_TYPE => attributes.session_timeout = seconds("Session-Timeout", value)?,
            IDLE_TIMEOUT_TYPE => attributes.idle_timeout = seconds("Idle-Timeout", value)?,
            ACCT_INTERIM_INTERVAL_TYPE => {
                attributes.interim_interval = seconds("Acct-Interim-Interval", value)?
            }
            FILTER_ID_TYPE => attributes.filter_id = Some(text("Filter-Id", value)?),
            REPLY_MESSAGE_TYPE => add_line(&mut attributes.reply_message, value),
            CLASS_TYPE => {
                class_policy = class_policy.or_else(|| policy_of_class(value));
                attributes.classes.push(value.to_vec());
            }
            VENDOR_SPECIFIC_TYPE => each_vendor_attribute(value, |vendor, kind, value| match vendor {
                microsoft::VENDOR => microsoft.take(kind, value, request_authenticator, key),
                cisco::VENDOR => cisco.take(kind, value),
                _ => Ok(()),
            })?,
            _ => {}
        }
    }
    if method == AuthMethod::MsChapV2 && microsoft.success.is_none() {
        return Err(Unusable::NoSuccess);
    }
    attributes.eap = eap_message(packet, EAP_SUCCESS);
    if method == AuthMethod::EapProxy
        && attributes.eap.is_none()
        && packet.attributes().any(|attribute| attribute.kind == EAP_MESSAGE_TYPE)
    {
        return Err(Unusable::NoEapSuccess);
    }
    // Cisco's own attributes go before the general ones.
    attributes.group_policy = cisco.group_policy.or(class_policy);
    attributes.dns = either(cisco.dns, microsoft.dns);
    attributes.nbns = either(cisco.wins, microsoft.nbns);
    attributes.address_pools = cisco.address_pools;
    attributes.simultaneous_logins = cisco.simultaneous_logins;
    attributes.tunneling_protocols = cisco.tunneling_protocols;
    attributes.ms_chap2_success = microsoft.success;
    attributes.mppe = microsoft.mppe;
    Ok(attributes)
}

fn reject(packet: &Packet<'_>, request_authenticator: &[u8; 16], key: &Key) -> Reject {
    let mut microsoft = Microsoft::default();
    let mut message = None;
    for Attribute { kind, value } in packet.attributes() {
        match kind {
            REPLY_MESSAGE_TYPE => add_line(&mut message, value),
            VENDOR_SPECIFIC_TYPE => {
                let _ = each_vendor_attribute(value, |vendor, kind, value| match vendor {
                    microsoft::VENDOR => microsoft.take(kind, value, request_authenticator, key),
                    _ => Ok(()),
                });
            }
            _ => {}
        }
    }
    let error = microsoft.error;
    let reason = error
        .as_ref()
        .map_or(RejectReason::ServerRejected, |error| RejectReason::from_ms_chap_code(error.code));
    let mut reject = Reject::new(reason);
    if let Some(message) = message.or_else(|| error.as_ref().and_then(|error| error.message.clone())) {
        reject.message = message;
    }
    if error.is_some() {
        reject.ms_chap_error = error;
    }
    reject.eap = eap_message(packet, EAP_FAILURE);
    reject
}

fn challenge(packet: &Packet<'_>) -> Challenge {
    let (mut state, mut message, mut timeout) = (Vec::new(), None, None);
    for Attribute { kind, value } in packet.attributes() {
        match kind {
            STATE_TYPE => state = value.to_vec(),
            SESSION_TIMEOUT_TYPE => timeout = seconds("Session-Timeout", value).ok().flatten(),
            REPLY_MESSAGE_TYPE => add_line(&mut message, value),
            _ => {}
        }
    }
    Challenge { state, message: message.unwrap_or_default(), eap: eap_message(packet, EAP_REQUEST), timeout }
}

/// Codes of EAP (RFC 3748 section 4).
const EAP_REQUEST: u8 = 1;
const EAP_SUCCESS: u8 = 3;
const EAP_FAILURE: u8 = 4;

/// The EAP packet that the EAP-Message attributes make up, if it has this code and its length is right.
fn eap_message(packet: &Packet<'_>, code: u8) -> Option<Vec<u8>> {
    let message: Vec<u8> = packet
        .attributes()
        .filter(|attribute| attribute.kind == EAP_MESSAGE_TYPE)
        .flat_map(|attribute| attribute.value.iter().copied())
        .collect();
    let [first, _, high, low, ..] = message.as_slice() else { return None };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    (*first == code && length == message.len()).then_some(message)
}

/// Calls `take` with vendor, type and value of each sub-attribute (RFC 2865 section 5.26). Those of vendors that we do
/// not know need not have this form and are not looked into.
pub(super) fn each_vendor_attribute(
    value: &[u8],
    mut take: impl FnMut(u32, u8, &[u8]) -> Result<(), Unusable>,
) -> Result<(), Unusable> {
    let (vendor, mut rest) = value
        .split_first_chunk::<4>()
        .map(|(vendor, rest)| (u32::from_be_bytes(*vendor), rest))
        .ok_or(Unusable::Length { name: "Vendor-Specific", octets: value.len() })?;
    if vendor != microsoft::VENDOR && vendor != cisco::VENDOR {
        return Ok(());
    }
    while !rest.is_empty() {
        let ([kind, length], after) = rest.split_first_chunk::<2>().ok_or(Unusable::Vendor(vendor))?;
        let (value, after) = usize::from(*length)
            .checked_sub(2)
            .and_then(|length| after.split_at_checked(length))
            .ok_or(Unusable::Vendor(vendor))?;
        take(vendor, *kind, value)?;
        rest = after;
    }
    Ok(())
}

pub(super) fn integer(name: &'static str, value: &[u8]) -> Result<u32, Unusable> {
    value.try_into().map(u32::from_be_bytes).map_err(|_| Unusable::Length { name, octets: value.len() })
}

pub(super) fn address(name: &'static str, value: &[u8]) -> Result<Ipv4Addr, Unusable> {
    integer(name, value).map(Ipv4Addr::from)
}

pub(super) fn text(name: &'static str, value: &[u8]) -> Result<String, Unusable> {
    let text = std::str::from_utf8(value).map_err(|_| Unusable::Text(name))?;
    if text.is_empty() || text.contains(char::is_control) {
        return Err(Unusable::Value(name));
    }
    Ok(text.to_owned())
}

/// A time of zero is no limit of the server's own.
pub(super) fn seconds(name: &'static str, value: &[u8]) -> Result<Option<Duration>, Unusable> {
    integer(name, value).map(|seconds| (seconds > 0).then(|| Duration::from_secs(seconds.into())))
}

/// RFC 2865 section 5.12: 64 to 65535.
fn mtu(value: &[u8]) -> Result<u16, Unusable> {
    u16::try_from(integer("Framed-MTU", value)?)
        .ok()
        .filter(|mtu| *mtu >= 64)
        .ok_or(Unusable::Value("Framed-MTU"))
}

/// Words for the user; octets that are not UTF-8 are replaced.
fn add_line(lines: &mut Option<String>, value: &[u8]) {
    let line = String::from_utf8_lossy(value);
    match lines {
        Some(lines) => {
            lines.push('\n');
            lines.push_str(&line);
        }
        None => *lines = Some(line.into_owned()),
    }
}

fn either<T>([first, second]: [Option<T>; 2], [other_first, other_second]: [Option<T>; 2]) -> [Option<T>; 2] {
    [first.or(other_first), second.or(other_second)]
}

#[cfg(test)]
mod tests;
