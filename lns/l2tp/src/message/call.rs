//! The messages of one call: OCRQ, OCRP, OCCN, ICRQ, ICRP, ICCN, CDN, WEN, SLI, RFC 2661 sections 6.6 to 6.14.

use std::fmt;
use std::num::NonZeroU16;

use super::connection::{put_u16, put_u32};
use super::fields::{Fault, Fields};
use super::{put_result, require};
use crate::avp::AvpWriter;
use crate::codes::{Attribute, CdnResult, ErrorCode, PppDisconnectCode};

/// Outgoing-Call-Request, section 6.9. Read so that it can be refused; never sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ocrq {
    /// The session id that the sender wants to be addressed by.
    pub assigned_session: NonZeroU16,
    /// Number of the call for both ends' logs.
    pub serial: u32,
    /// Lowest acceptable line speed, bits per second.
    pub minimum_bps: u32,
    /// Highest acceptable line speed, bits per second.
    pub maximum_bps: u32,
    /// 1 digital, 2 analogue.
    pub bearer_type: u32,
    /// 1 synchronous, 2 asynchronous.
    pub framing_type: u32,
    /// The number to dial.
    pub called_number: Vec<u8>,
    /// Further dialling information.
    pub sub_address: Option<Vec<u8>>,
}

impl Ocrq {
    pub(super) fn from_fields(fields: Fields) -> Result<Self, Fault> {
        Ok(Self {
            assigned_session: require(fields.assigned_session, Attribute::AssignedSessionId)?,
            serial: require(fields.serial, Attribute::CallSerialNumber)?,
            minimum_bps: require(fields.minimum_bps, Attribute::MinimumBps)?,
            maximum_bps: require(fields.maximum_bps, Attribute::MaximumBps)?,
            bearer_type: require(fields.bearer_type, Attribute::BearerType)?,
            framing_type: require(fields.framing_type, Attribute::FramingType)?,
            called_number: require(fields.called_number, Attribute::CalledNumber)?,
            sub_address: fields.sub_address,
        })
    }

    pub(super) fn write(&self, writer: &mut AvpWriter<'_>) {
        put_session(writer, Some(self.assigned_session));
        put_u32(writer, Attribute::CallSerialNumber, Some(self.serial));
        put_u32(writer, Attribute::MinimumBps, Some(self.minimum_bps));
        put_u32(writer, Attribute::MaximumBps, Some(self.maximum_bps));
        put_u32(writer, Attribute::BearerType, Some(self.bearer_type));
        put_u32(writer, Attribute::FramingType, Some(self.framing_type));
        writer.put(Attribute::CalledNumber, &self.called_number);
        writer.put_if(Attribute::SubAddress, self.sub_address.as_deref());
    }
}

/// Outgoing-Call-Reply, section 6.10.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ocrp {
    /// The session id that the sender wants to be addressed by.
    pub assigned_session: NonZeroU16,
    /// The LAC's channel.
    pub physical_channel: Option<u32>,
}

impl Ocrp {
    pub(super) fn from_fields(fields: &Fields) -> Result<Self, Fault> {
        Ok(Self {
            assigned_session: require(fields.assigned_session, Attribute::AssignedSessionId)?,
            physical_channel: fields.physical_channel,
        })
    }

    pub(super) fn write(&self, writer: &mut AvpWriter<'_>) {
        put_session(writer, Some(self.assigned_session));
        put_u32(writer, Attribute::PhysicalChannelId, self.physical_channel);
    }
}

/// Outgoing-Call-Connected, section 6.11.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occn {
    /// Bits per second towards the user.
    pub tx_speed: u32,
    /// 1 synchronous, 2 asynchronous.
    pub framing_type: u32,
    /// Bits per second from the user.
    pub rx_speed: Option<u32>,
    /// Data messages must be numbered.
    pub sequencing_required: bool,
}

impl Occn {
    pub(super) fn from_fields(fields: &Fields) -> Result<Self, Fault> {
        Ok(Self {
            tx_speed: require(fields.tx_speed, Attribute::TxConnectSpeed)?,
            framing_type: require(fields.framing_type, Attribute::FramingType)?,
            rx_speed: fields.rx_speed,
            sequencing_required: fields.sequencing_required,
        })
    }

    pub(super) fn write(&self, writer: &mut AvpWriter<'_>) {
        put_u32(writer, Attribute::TxConnectSpeed, Some(self.tx_speed));
        put_u32(writer, Attribute::FramingType, Some(self.framing_type));
        put_u32(writer, Attribute::RxConnectSpeed, self.rx_speed);
        if self.sequencing_required {
            writer.put(Attribute::SequencingRequired, &[]);
        }
    }
}

/// Incoming-Call-Request, section 6.6.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Icrq {
    /// The session id that the sender wants to be addressed by.
    pub assigned_session: NonZeroU16,
    /// Number of the call for both ends' logs; zero when the peer sent none.
    pub serial: u32,
    /// 1 digital, 2 analogue.
    pub bearer_type: Option<u32>,
    /// The LAC's channel.
    pub physical_channel: Option<u32>,
    /// Who called, possibly binary.
    pub calling_number: Option<Vec<u8>>,
    /// Who was called, possibly binary.
    pub called_number: Option<Vec<u8>>,
    /// Further dialling information.
    pub sub_address: Option<Vec<u8>>,
}

impl Icrq {
    pub(super) fn from_fields(fields: Fields) -> Result<Self, Fault> {
        Ok(Self {
            assigned_session: require(fields.assigned_session, Attribute::AssignedSessionId)?,
            serial: fields.serial.unwrap_or(0),
            bearer_type: fields.bearer_type,
            physical_channel: fields.physical_channel,
            calling_number: fields.calling_number,
            called_number: fields.called_number,
            sub_address: fields.sub_address,
        })
    }

    pub(super) fn write(&self, writer: &mut AvpWriter<'_>) {
        put_session(writer, Some(self.assigned_session));
        put_u32(writer, Attribute::CallSerialNumber, Some(self.serial));
        put_u32(writer, Attribute::BearerType, self.bearer_type);
        put_u32(writer, Attribute::PhysicalChannelId, self.physical_channel);
        writer.put_if(Attribute::CallingNumber, self.calling_number.as_deref());
        writer.put_if(Attribute::CalledNumber, self.called_number.as_deref());
        writer.put_if(Attribute::SubAddress, self.sub_address.as_deref());
    }
}

/// Incoming-Call-Reply, section 6.7.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Icrp {
    /// The session id that the sender wants to be addressed by.
    pub assigned_session: NonZeroU16,
}

impl Icrp {
    pub(super) fn from_fields(fields: &Fields) -> Result<Self, Fault> {
        Ok(Self { assigned_session: require(fields.assigned_session, Attribute::AssignedSessionId)? })
    }

    pub(super) fn write(&self, writer: &mut AvpWriter<'_>) {
        put_session(writer, Some(self.assigned_session));
    }
}

/// Incoming-Call-Connected, section 6.8. Speed and framing are required, but old LACs leave them out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Iccn {
    /// Bits per second towards the user.
    pub tx_speed: Option<u32>,
    /// 1 synchronous, 2 asynchronous.
    pub framing_type: Option<u32>,
    /// The first CONFREQ that the LAC had from the user: options only, without LCP header.
    pub initial_received_lcp: Option<Vec<u8>>,
    /// The last CONFREQ that the LAC sent the user.
    pub last_sent_lcp: Option<Vec<u8>>,
    /// The last CONFREQ that the LAC had from the user.
    pub last_received_lcp: Option<Vec<u8>>,
    /// How the LAC authenticated the user; a number of [`crate::ProxyAuthenType`].
    pub proxy_type: Option<u16>,
    /// The user's name.
    pub proxy_name: Option<Vec<u8>>,
    /// What the LAC challenged the user with.
    pub proxy_challenge: Option<Vec<u8>>,
    /// The identifier of the challenge.
    pub proxy_id: Option<u8>,
    /// The user's response, or password.
    pub proxy_response: Option<Vec<u8>>,
    /// The private group that the LAC puts the call into.
    pub private_group: Option<Vec<u8>>,
    /// Bits per second from the user.
    pub rx_speed: Option<u32>,
    /// Data messages must be numbered.
    pub sequencing_required: bool,
}

impl Iccn {
    pub(super) fn from_fields(fields: Fields) -> Self {
        Self {
            tx_speed: fields.tx_speed,
            framing_type: fields.framing_type,
            initial_received_lcp: fields.initial_received_lcp,
            last_sent_lcp: fields.last_sent_lcp,
            last_received_lcp: fields.last_received_lcp,
            proxy_type: fields.proxy_type,
            proxy_name: fields.proxy_name,
            proxy_challenge: fields.proxy_challenge,
            proxy_id: fields.proxy_id,
            proxy_response: fields.proxy_response,
            private_group: fields.private_group,
            rx_speed: fields.rx_speed,
            sequencing_required: fields.sequencing_required,
        }
    }

    pub(super) fn write(&self, writer: &mut AvpWriter<'_>) {
        put_u32(writer, Attribute::TxConnectSpeed, self.tx_speed);
        put_u32(writer, Attribute::FramingType, self.framing_type);
        writer.put_if(Attribute::InitialReceivedLcp, self.initial_received_lcp.as_deref());
        writer.put_if(Attribute::LastSentLcp, self.last_sent_lcp.as_deref());
        writer.put_if(Attribute::LastReceivedLcp, self.last_received_lcp.as_deref());
        put_u16(writer, Attribute::ProxyAuthenType, self.proxy_type);
        writer.put_if(Attribute::ProxyAuthenName, self.proxy_name.as_deref());
        writer.put_if(Attribute::ProxyAuthenChallenge, self.proxy_challenge.as_deref());
        put_u16(writer, Attribute::ProxyAuthenId, self.proxy_id.map(u16::from));
        writer.put_if(Attribute::ProxyAuthenResponse, self.proxy_response.as_deref());
        writer.put_if(Attribute::PrivateGroupId, self.private_group.as_deref());
        put_u32(writer, Attribute::RxConnectSpeed, self.rx_speed);
        if self.sequencing_required {
            writer.put(Attribute::SequencingRequired, &[]);
        }
    }
}

/// Q.931 Cause Code AVP, section 4.4.4.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Q931Cause {
    /// The cause as ISDN numbers it.
    pub cause: u16,
    /// The Q.931 message that brought it.
    pub message_type: u8,
    /// The switch's own words.
    pub advisory: String,
}

/// PPP Disconnect Cause Code AVP, RFC 3145. For logs; it has no effect on tunnel or session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PppDisconnectCause {
    /// Why PPP ended.
    pub code: PppDisconnectCode,
    /// The PPP control protocol that it happened in; zero when none.
    pub protocol: u16,
    /// 0 global, 1 at the peer's side, 2 at the local side of the sender.
    pub direction: u8,
    /// Why, in words.
    pub message: String,
}

impl fmt::Display for PppDisconnectCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PPP: {}", self.code)?;
        if self.protocol != 0 {
            write!(f, " in protocol {:#06x}", self.protocol)?;
        }
        if !self.message.is_empty() {
            write!(f, ", {}", self.message)?;
        }
        Ok(())
    }
}

/// Call-Disconnect-Notify, section 6.12.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cdn {
    /// The sender's session id; tells which session when the header cannot.
    pub assigned_session: Option<NonZeroU16>,
    /// Why.
    pub result: CdnResult,
    /// More about why; clients of the shorter form leave it out.
    pub error: Option<ErrorCode>,
    /// Why, in words.
    pub message: String,
    /// What the telephone network said.
    pub q931_cause: Option<Q931Cause>,
    /// What PPP said.
    pub ppp_cause: Option<PppDisconnectCause>,
}

impl Cdn {
    /// Never fails: whatever else is wrong in it, the peer has ended the call.
    pub(super) fn from_fields(fields: Fields) -> Self {
        let (result, error, message) = match fields.result_code {
            Some(code) => (code.result.into(), code.error.map(ErrorCode::from), code.message),
            None => (CdnResult::Administrative, None, String::new()),
        };
        Self {
            assigned_session: fields.assigned_session,
            result,
            error,
            message,
            q931_cause: fields.q931_cause,
            ppp_cause: fields.ppp_cause,
        }
    }

    pub(super) fn write(&self, writer: &mut AvpWriter<'_>) {
        put_result(writer, self.result.number(), self.error, &self.message);
        put_session(writer, self.assigned_session);
        if let Some(Q931Cause { cause, message_type, advisory }) = &self.q931_cause {
            let mut value = cause.to_be_bytes().to_vec();
            value.push(*message_type);
            value.extend_from_slice(advisory.as_bytes());
            writer.put(Attribute::Q931Cause, &value);
        }
        if let Some(PppDisconnectCause { code, protocol, direction, message }) = &self.ppp_cause {
            let mut value = code.number().to_be_bytes().to_vec();
            value.extend_from_slice(&protocol.to_be_bytes());
            value.push(*direction);
            value.extend_from_slice(message.as_bytes());
            writer.put(Attribute::PppDisconnectCause, &value);
        }
    }
}

/// The content of WEN: Call Errors AVP, section 4.4.6. Counts since the call began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallErrors {
    /// Frames with a wrong checksum.
    pub crc: u32,
    /// Framing errors.
    pub framing: u32,
    /// Hardware overruns.
    pub hardware_overruns: u32,
    /// Buffer overruns.
    pub buffer_overruns: u32,
    /// Timeouts.
    pub timeouts: u32,
    /// Alignment errors.
    pub alignment: u32,
}

impl CallErrors {
    pub(super) fn from_fields(fields: &Fields) -> Self {
        fields.call_errors.unwrap_or_default()
    }

    pub(super) fn write(&self, writer: &mut AvpWriter<'_>) {
        let Self { crc, framing, hardware_overruns, buffer_overruns, timeouts, alignment } = *self;
        let mut value = vec![0, 0];
        for count in [crc, framing, hardware_overruns, buffer_overruns, timeouts, alignment] {
            value.extend_from_slice(&count.to_be_bytes());
        }
        writer.put(Attribute::CallErrors, &value);
    }
}

/// The content of SLI: ACCM AVP, section 4.4.6. Of interest to a LAC with an asynchronous line only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accm {
    /// Characters to escape towards the user.
    pub send: u32,
    /// Characters that the user escapes.
    pub receive: u32,
}

impl Accm {
    /// Absent counts as "all", the default of RFC 1662 and of section 4.4.6.
    pub(super) fn from_fields(fields: &Fields) -> Self {
        fields.accm.unwrap_or(Self { send: u32::MAX, receive: u32::MAX })
    }

    pub(super) fn write(&self, writer: &mut AvpWriter<'_>) {
        let mut value = vec![0, 0];
        value.extend_from_slice(&self.send.to_be_bytes());
        value.extend_from_slice(&self.receive.to_be_bytes());
        writer.put(Attribute::Accm, &value);
    }
}

fn put_session(writer: &mut AvpWriter<'_>, id: Option<NonZeroU16>) {
    if let Some(id) = id {
        writer.put(Attribute::AssignedSessionId, &id.get().to_be_bytes());
    }
}
