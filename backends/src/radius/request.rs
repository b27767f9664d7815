//! What we ask: Access-Request and Accounting-Request.
//!
//! Packets are built with the `radius` crate and its dictionaries, with two precautions. The crate never sees a secret
//! or a password: it would keep unwiped copies. And its tagged integers are not used: it writes five octets where
//! RFC 2868 section 3.1 has a tag and three.

use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use radius::core::avp::AVP;
use radius::core::code::Code;
use radius::core::packet::Packet;
use radius::core::{rfc2865, rfc2866, rfc2868, rfc2869, rfc3162};
use tollgate_aaa::accounting::{Record, RecordKind};
use tollgate_aaa::{AuthRequest, Credentials, SessionContext};

use super::packet::{HEADER, Key, MAX_VALUE};
use super::{cisco, microsoft};

/// Longest password that User-Password carries (RFC 2865 section 5.2).
pub const MAX_PASSWORD: usize = 128;

/// Framed-MTU of a request with EAP (RFC 3579 section 2.4): the server cuts its messages to fit, and this fits any link
/// that L2TP in IPsec leaves.
const EAP_MTU: u32 = 1300;

/// A request that cannot be put into a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsendable {
    /// RFC 2865 section 5.2.
    #[error("the password has more than 128 octets")]
    LongPassword,
    /// RFC 2865 section 5.2 pads with NUL: what stands behind one may not be looked at.
    #[error("the password holds a NUL, and a server may check no more than what stands before it")]
    NulInPassword,
    /// RFC 2865 section 5.40.
    #[error("the CHAP challenge has more than 253 octets")]
    LongChallenge,
    /// Too much in it, most likely Class attributes.
    #[error("the request has more than 4096 octets")]
    LongPacket,
}

/// How the server that asks names itself, where the configuration says so.
#[derive(Debug, Clone, Default)]
pub struct Nas {
    /// NAS-Identifier; empty: the session's own.
    pub identifier: String,
    /// NAS-IP-Address or NAS-IPv6-Address; `None`: the session's own.
    pub ip: Option<IpAddr>,
}

/// An Access-Request without identifier and with a Message-Authenticator of zeros in front; see
/// [`super::packet::finish_access_request`].
pub fn access_request(
    request: &AuthRequest<'_>,
    nas: &Nas,
    authenticator: &[u8; 16],
    key: &Key,
) -> Result<Vec<u8>, Unsendable> {
    let mut packet = Packet::new_with_identifier(Code::AccessRequest, &[], 0);
    packet.add(AVP::from_bytes(rfc2869::MESSAGE_AUTHENTICATOR_TYPE, &[0; 16]));
    packet.add(octets(rfc2865::USER_NAME_TYPE, request.name));
    match request.credentials {
        Credentials::Pap { password } => {
            if password.len() > MAX_PASSWORD {
                return Err(Unsendable::LongPassword);
            }
            if password.contains(&0) {
                return Err(Unsendable::NulInPassword);
            }
            let hidden = key.hide_password(password, authenticator);
            packet.add(AVP::from_bytes(rfc2865::USER_PASSWORD_TYPE, &hidden));
        }
        Credentials::Chap { identifier, challenge, response } => {
            if challenge.len() > MAX_VALUE {
                return Err(Unsendable::LongChallenge);
            }
            let mut value = [0; 17];
            let [first, rest @ ..] = &mut value;
            *first = *identifier;
            rest.copy_from_slice(response);
            packet.add(AVP::from_bytes(rfc2865::CHAP_PASSWORD_TYPE, &value));
            packet.add(AVP::from_bytes(rfc2865::CHAP_CHALLENGE_TYPE, challenge));
        }
        Credentials::MsChapV1 { .. } | Credentials::MsChapV2 { .. } | Credentials::PasswordChange { .. } => {
            microsoft::add_response(&mut packet, request.credentials);
        }
        Credentials::Eap { message, state } => {
            // In order and next to each other (RFC 3579 section 3.1).
            for piece in message.chunks(MAX_VALUE) {
                packet.add(AVP::from_bytes(rfc2869::EAP_MESSAGE_TYPE, piece));
            }
            if !state.is_empty() {
                packet.add(octets(rfc2865::STATE_TYPE, state));
            }
            rfc2865::add_framed_mtu(&mut packet, EAP_MTU);
        }
    }
    add_session(&mut packet, request.context, nas, request.tunnel_group);
    let mut bytes = packet.encode().map_err(|_| Unsendable::LongPacket)?;
    if let Some(place) = bytes.get_mut(4..HEADER) {
        place.copy_from_slice(authenticator);
    }
    Ok(bytes)
}

/// A Status-Server (RFC 5997 section 2.1), to be completed as an Access-Request is.
pub fn status_server(nas: &Nas, authenticator: &[u8; 16]) -> Result<Vec<u8>, Unsendable> {
    let mut packet = Packet::new_with_identifier(Code::StatusServer, &[], 0);
    packet.add(AVP::from_bytes(rfc2869::MESSAGE_AUTHENTICATOR_TYPE, &[0; 16]));
    match nas.ip {
        Some(IpAddr::V4(address)) => rfc2865::add_nas_ip_address(&mut packet, &address),
        Some(IpAddr::V6(address)) => packet.add(AVP::from_ipv6(rfc3162::NAS_IPV6_ADDRESS_TYPE, &address)),
        None => {}
    }
    add_text(&mut packet, rfc2865::NAS_IDENTIFIER_TYPE, &nas.identifier);
    let mut bytes = packet.encode().map_err(|_| Unsendable::LongPacket)?;
    if let Some(place) = bytes.get_mut(4..HEADER) {
        place.copy_from_slice(authenticator);
    }
    Ok(bytes)
}

/// An Accounting-Request without code, identifier and authenticator; see
/// [`super::packet::finish_accounting_request`]. Acct-Delay-Time is counted up to `now`.
pub fn accounting_request(record: &Record, nas: &Nas, now: SystemTime) -> Result<Vec<u8>, Unsendable> {
    // The crate would sign an Accounting-Request with the secret it has, and it has none.
    let mut packet = Packet::new_with_identifier(Code::AccessRequest, &[], 0);
    let status = match record.kind {
        RecordKind::Start => rfc2866::ACCT_STATUS_TYPE_START,
        RecordKind::Stop => rfc2866::ACCT_STATUS_TYPE_STOP,
        RecordKind::Interim => rfc2866::ACCT_STATUS_TYPE_INTERIM_UPDATE,
    };
    rfc2866::add_acct_status_type(&mut packet, status);
    packet.add(octets(rfc2865::USER_NAME_TYPE, &record.user_name));
    add_session(&mut packet, &record.context, nas, &record.tunnel_group);
    if let Some(address) = &record.framed_ip {
        rfc2865::add_framed_ip_address(&mut packet, address);
    }
    for class in &record.classes {
        packet.add(octets(rfc2865::CLASS_TYPE, class));
    }
    rfc2866::add_acct_authentic(&mut packet, record.authentic as u32);
    packet.add(AVP::from_u32(rfc2869::EVENT_TIMESTAMP_TYPE, unix_seconds(record.event_time)));
    rfc2866::add_acct_delay_time(&mut packet, delay(record, now));
    match record.kind {
        RecordKind::Start => {}
        RecordKind::Interim | RecordKind::Stop => add_usage(&mut packet, record),
    }
    cisco::add_session_type(&mut packet);
    packet.encode().map_err(|_| Unsendable::LongPacket)
}

/// Acct-Delay-Time (RFC 2866 section 5.2): whole seconds from the event to `now`.
pub fn delay(record: &Record, now: SystemTime) -> u32 {
    let waited = now.duration_since(record.event_time).unwrap_or_default();
    u32::try_from(waited.as_secs()).unwrap_or(u32::MAX)
}

fn add_usage(packet: &mut Packet, record: &Record) {
    let traffic = &record.counters;
    let seconds = u32::try_from(record.session_time.as_secs()).unwrap_or(u32::MAX);
    rfc2866::add_acct_session_time(packet, seconds);
    let (gigawords, octets) = halves(traffic.input_octets);
    rfc2866::add_acct_input_octets(packet, octets);
    rfc2869::add_acct_input_gigawords(packet, gigawords);
    let (gigawords, octets) = halves(traffic.output_octets);
    rfc2866::add_acct_output_octets(packet, octets);
    rfc2869::add_acct_output_gigawords(packet, gigawords);
    // Packet counters have no second word; they wrap as those of 32-bit equipment do.
    rfc2866::add_acct_input_packets(packet, halves(traffic.input_packets).1);
    rfc2866::add_acct_output_packets(packet, halves(traffic.output_packets).1);
    if let (RecordKind::Stop, Some(cause)) = (record.kind, record.terminate_cause) {
        rfc2866::add_acct_terminate_cause(packet, cause.code());
    }
}

/// The upper and the lower 32 bits (RFC 2869 section 5.1).
fn halves(value: u64) -> (u32, u32) {
    ((value >> 32) as u32, value as u32)
}

/// What both kinds of request say about the session.
fn add_session(packet: &mut Packet, context: &SessionContext, nas: &Nas, tunnel_group: &str) {
    match nas.ip.or(context.nas_ip) {
        Some(IpAddr::V4(address)) => rfc2865::add_nas_ip_address(packet, &address),
        Some(IpAddr::V6(address)) => packet.add(AVP::from_ipv6(rfc3162::NAS_IPV6_ADDRESS_TYPE, &address)),
        None => {}
    }
    let identifier = if nas.identifier.is_empty() { &context.nas_identifier } else { &nas.identifier };
    add_text(packet, rfc2865::NAS_IDENTIFIER_TYPE, identifier);
    rfc2865::add_nas_port(packet, context.nas_port);
    rfc2865::add_nas_port_type(packet, rfc2865::NAS_PORT_TYPE_VIRTUAL);
    rfc2865::add_service_type(packet, rfc2865::SERVICE_TYPE_FRAMED_USER);
    rfc2865::add_framed_protocol(packet, rfc2865::FRAMED_PROTOCOL_PPP);
    add_text(packet, rfc2865::CALLING_STATION_ID_TYPE, &context.calling_station_id);
    add_text(packet, rfc2865::CALLED_STATION_ID_TYPE, &context.called_station_id);
    add_text(packet, rfc2866::ACCT_SESSION_ID_TYPE, &context.acct_session_id);
    // Tag 0 and three octets of value: the tag belongs to a tunnel, and there is one (RFC 2868 section 3.1).
    packet.add(AVP::from_u32(rfc2868::TUNNEL_TYPE_TYPE, rfc2868::TUNNEL_TYPE_L2TP));
    let medium = match context.client_endpoint.or(context.server_endpoint) {
        Some(IpAddr::V6(_)) => rfc2868::TUNNEL_MEDIUM_TYPE_I_PV_6,
        Some(IpAddr::V4(_)) | None => rfc2868::TUNNEL_MEDIUM_TYPE_I_PV_4,
    };
    packet.add(AVP::from_u32(rfc2868::TUNNEL_MEDIUM_TYPE_TYPE, medium));
    for (kind, endpoint) in [
        (rfc2868::TUNNEL_CLIENT_ENDPOINT_TYPE, context.client_endpoint),
        (rfc2868::TUNNEL_SERVER_ENDPOINT_TYPE, context.server_endpoint),
    ] {
        if let Some(endpoint) = endpoint {
            add_text(packet, kind, &endpoint.to_string());
        }
    }
    cisco::add_session(packet, tunnel_group);
}

/// Empty attributes are not sent (RFC 2865 section 5), long ones are cut at a character.
fn add_text(packet: &mut Packet, kind: u8, text: &str) {
    let text = cut(text, MAX_VALUE);
    if !text.is_empty() {
        packet.add(AVP::from_string(kind, text));
    }
}

/// At most `limit` octets of `text`, whole characters.
pub(super) fn cut(text: &str, limit: usize) -> &str {
    if text.len() <= limit {
        return text;
    }
    let end = (0..=limit).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

fn octets(kind: u8, value: &[u8]) -> AVP {
    AVP::from_bytes(kind, value.get(..MAX_VALUE).unwrap_or(value))
}

fn unix_seconds(time: SystemTime) -> u32 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u32::try_from(since.as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
