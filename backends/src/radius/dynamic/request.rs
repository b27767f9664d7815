//! What a request says: which session, and what about it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use radius::core::rfc2865::{
    CALLED_STATION_ID_TYPE, CALLING_STATION_ID_TYPE, CLASS_TYPE, FILTER_ID_TYPE, FRAMED_IP_ADDRESS_TYPE,
    IDLE_TIMEOUT_TYPE, NAS_IDENTIFIER_TYPE, NAS_IP_ADDRESS_TYPE, NAS_PORT_TYPE, PROXY_STATE_TYPE,
    REPLY_MESSAGE_TYPE, SERVICE_TYPE_TYPE, SESSION_TIMEOUT_TYPE, STATE_TYPE, USER_NAME_TYPE,
    VENDOR_SPECIFIC_TYPE,
};
use radius::core::rfc2866::{ACCT_SESSION_ID_TYPE, ACCT_TERMINATE_CAUSE_TYPE};
use radius::core::rfc2869::{EVENT_TIMESTAMP_TYPE, MESSAGE_AUTHENTICATOR_TYPE};
use radius::core::rfc3162::NAS_IPV6_ADDRESS_TYPE;
use tollgate_aaa::Attributes;

use super::ErrorCause;
use crate::radius::answer::{self, Unusable};
use crate::radius::cisco::{self, Cisco, policy_of_class};
use crate::radius::packet::{Attribute, Packet};

/// Service-Type Authorize Only (RFC 5176 section 3.2).
const AUTHORIZE_ONLY: u32 = 17;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The session shall end.
    Disconnect,
    /// It shall be allowed something else (CoA).
    ChangeOfAuthorization,
}

impl Kind {
    pub(super) fn from_code(code: u8) -> Option<Self> {
        match code {
            40 => Some(Self::Disconnect),
            43 => Some(Self::ChangeOfAuthorization),
            _ => None,
        }
    }

    pub(super) fn ack(self) -> u8 {
        match self {
            Self::Disconnect => 41,
            Self::ChangeOfAuthorization => 44,
        }
    }

    pub(super) fn nak(self) -> u8 {
        self.ack() + 1
    }
}

/// A request that is believed. A session is meant when all that is named here fits it.
#[derive(Debug, Clone)]
pub struct DynamicRequest {
    /// What is asked.
    pub kind: Kind,
    /// Who asked, and where the answer goes.
    pub from: SocketAddr,
    /// Acct-Session-Id.
    pub session_id: Option<String>,
    /// User-Name.
    pub user_name: Option<Vec<u8>>,
    /// Framed-IP-Address.
    pub framed_ip: Option<Ipv4Addr>,
    /// Calling-Station-Id.
    pub calling_station_id: Option<String>,
    /// Called-Station-Id.
    pub called_station_id: Option<String>,
    /// NAS-Port.
    pub nas_port: Option<u32>,
    /// Acct-Terminate-Cause that the client wants to read in the record of the end.
    pub terminate_cause: Option<u32>,
    /// Of a change: the new session timeout, idle timeout, filter, group policy and classes. What is absent stays.
    pub attributes: Attributes,
    pub(super) identifier: u8,
    pub(super) authenticator: [u8; 16],
    /// State and Proxy-States, encoded.
    pub(super) echoed: Vec<u8>,
}

/// NAS-Identifiers that mean us, and whether an address does.
type Names<'a> = (&'a [String], fn(IpAddr) -> bool);

impl DynamicRequest {
    pub(super) fn new(kind: Kind, from: SocketAddr, packet: &Packet<'_>) -> Self {
        let mut echoed = Vec::new();
        for Attribute { kind, value } in packet.attributes() {
            if kind == PROXY_STATE_TYPE || kind == STATE_TYPE {
                // It came in an attribute, so it fits into one.
                echoed.extend_from_slice(&[kind, u8::try_from(value.len() + 2).unwrap_or(u8::MAX)]);
                echoed.extend_from_slice(value);
            }
        }
        Self {
            kind,
            from,
            session_id: None,
            user_name: None,
            framed_ip: None,
            calling_station_id: None,
            called_station_id: None,
            nas_port: None,
            terminate_cause: None,
            attributes: Attributes::default(),
            identifier: packet.identifier(),
            authenticator: *packet.authenticator(),
            echoed,
        }
    }

    /// Reads the attributes.
    pub(super) fn read(&mut self, packet: &Packet<'_>, names: Names<'_>) -> Result<(), ErrorCause> {
        is_for_us(packet, names)?;
        self.take_all(packet)
    }

    fn take_all(&mut self, packet: &Packet<'_>) -> Result<(), ErrorCause> {
        let mut changes = 0;
        let mut class_policy = None;
        for attribute in packet.attributes() {
            let changing = self.kind == Kind::ChangeOfAuthorization;
            match attribute.kind {
                CLASS_TYPE if changing => {
                    class_policy = class_policy.or_else(|| policy_of_class(attribute.value));
                    self.attributes.classes.push(attribute.value.to_vec());
                    changes += 1;
                }
                SESSION_TIMEOUT_TYPE | IDLE_TIMEOUT_TYPE | FILTER_ID_TYPE | VENDOR_SPECIFIC_TYPE
                    if changing =>
                {
                    self.change(attribute)?;
                    changes += 1;
                }
                STATE_TYPE if changing => {}
                ACCT_TERMINATE_CAUSE_TYPE if !changing => {
                    let cause = answer::integer("Acct-Terminate-Cause", attribute.value);
                    once(&mut self.terminate_cause, cause.map_err(cause_of)?)?;
                }
                _ => self.identify(attribute)?,
            }
        }
        // Cisco's own attribute goes before the general one.
        self.attributes.group_policy = self.attributes.group_policy.take().or(class_policy);
        let anybody = self.session_id.is_some()
            || self.user_name.is_some()
            || self.framed_ip.is_some()
            || self.calling_station_id.is_some()
            || self.nas_port.is_some();
        if !anybody || (self.kind == Kind::ChangeOfAuthorization && changes == 0) {
            return Err(ErrorCause::MissingAttribute);
        }
        Ok(())
    }

    fn identify(&mut self, Attribute { kind, value }: Attribute<'_>) -> Result<(), ErrorCause> {
        let text = |name| answer::text(name, value).map_err(cause_of);
        match kind {
            USER_NAME_TYPE if value.is_empty() => Err(ErrorCause::InvalidRequest),
            USER_NAME_TYPE => once(&mut self.user_name, value.to_vec()),
            ACCT_SESSION_ID_TYPE => once(&mut self.session_id, text("Acct-Session-Id")?),
            CALLING_STATION_ID_TYPE => once(&mut self.calling_station_id, text("Calling-Station-Id")?),
            CALLED_STATION_ID_TYPE => once(&mut self.called_station_id, text("Called-Station-Id")?),
            FRAMED_IP_ADDRESS_TYPE => {
                once(&mut self.framed_ip, answer::address("Framed-IP-Address", value).map_err(cause_of)?)
            }
            NAS_PORT_TYPE => once(&mut self.nas_port, answer::integer("NAS-Port", value).map_err(cause_of)?),
            SERVICE_TYPE_TYPE if value == AUTHORIZE_ONLY.to_be_bytes() => Err(ErrorCause::UnsupportedService),
            // Looked at already, or of no consequence for us.
            NAS_IP_ADDRESS_TYPE
            | NAS_IPV6_ADDRESS_TYPE
            | NAS_IDENTIFIER_TYPE
            | EVENT_TIMESTAMP_TYPE
            | MESSAGE_AUTHENTICATOR_TYPE
            | PROXY_STATE_TYPE
            | REPLY_MESSAGE_TYPE => Ok(()),
            _ => Err(ErrorCause::UnsupportedAttribute),
        }
    }

    fn change(&mut self, Attribute { kind, value }: Attribute<'_>) -> Result<(), ErrorCause> {
        let attributes = &mut self.attributes;
        let seconds = |name| match answer::seconds(name, value) {
            // There is no way to say that a session shall have no limit.
            Ok(None) => Err(ErrorCause::InvalidAttributeValue),
            Ok(Some(seconds)) => Ok(seconds),
            Err(unusable) => Err(cause_of(unusable)),
        };
        match kind {
            SESSION_TIMEOUT_TYPE => once(&mut attributes.session_timeout, seconds("Session-Timeout")?),
            IDLE_TIMEOUT_TYPE => once(&mut attributes.idle_timeout, seconds("Idle-Timeout")?),
            FILTER_ID_TYPE => {
                once(&mut attributes.filter_id, answer::text("Filter-Id", value).map_err(cause_of)?)
            }
            VENDOR_SPECIFIC_TYPE => {
                let (mut known, mut cisco) = (false, Cisco::default());
                let taken = answer::each_vendor_attribute(value, |vendor, kind, value| {
                    known = vendor == cisco::VENDOR && kind == cisco::GROUP_POLICY;
                    if known { cisco.take(kind, value) } else { Err(Unusable::Vendor(vendor)) }
                });
                match (known, taken, cisco.group_policy) {
                    (true, Ok(()), Some(policy)) => once(&mut attributes.group_policy, policy),
                    (true, Err(unusable), _) => Err(cause_of(unusable)),
                    (true | false, _, _) => Err(ErrorCause::UnsupportedAttribute),
                }
            }
            _ => Err(ErrorCause::UnsupportedAttribute),
        }
    }
}

fn is_for_us(packet: &Packet<'_>, (identifiers, is_own_address): Names<'_>) -> Result<(), ErrorCause> {
    let ours = |Attribute { kind, value }: Attribute<'_>| match kind {
        NAS_IDENTIFIER_TYPE => identifiers.iter().any(|own| own.as_bytes() == value),
        NAS_IP_ADDRESS_TYPE => {
            <[u8; 4]>::try_from(value).is_ok_and(|octets| is_own_address(IpAddr::V4(Ipv4Addr::from(octets))))
        }
        NAS_IPV6_ADDRESS_TYPE => <[u8; 16]>::try_from(value)
            .is_ok_and(|octets| is_own_address(IpAddr::V6(Ipv6Addr::from(octets)).to_canonical())),
        _ => true,
    };
    if packet.attributes().all(ours) { Ok(()) } else { Err(ErrorCause::NasIdentificationMismatch) }
}

fn once<T>(place: &mut Option<T>, value: T) -> Result<(), ErrorCause> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(ErrorCause::InvalidRequest),
    }
}

fn cause_of(unusable: Unusable) -> ErrorCause {
    match unusable {
        Unusable::Value(_) => ErrorCause::InvalidAttributeValue,
        Unusable::Length { .. }
        | Unusable::Text(_)
        | Unusable::Vendor(_)
        | Unusable::NoSuccess
        | Unusable::NoEapSuccess => ErrorCause::InvalidRequest,
    }
}
