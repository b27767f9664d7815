//! The control messages of RFC 2661 section 6 as values: decoding, encoding, and what is wrong with a message that
//! cannot be used. Which message is allowed when is in `tunnel`.

mod call;
mod connection;
mod fields;

use std::num::NonZeroU16;

pub use call::{Accm, CallErrors, Cdn, Iccn, Icrp, Icrq, Occn, Ocrp, Ocrq, PppDisconnectCause, Q931Cause};
pub use connection::{DEFAULT_WINDOW, ProtocolVersion, Scccn, Sccrp, Sccrq, StopCcn};
pub(crate) use fields::printable;
pub use fields::{Fault, PassedOver, Reading};

use crate::avp::hidden::Hiding;
use crate::avp::{AvpWriter, Avps};
use crate::codes::{Attribute, ErrorCode, MessageType};
use fields::Fields;

/// One control message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Start-Control-Connection-Request.
    Sccrq(Box<Sccrq>),
    /// Start-Control-Connection-Reply.
    Sccrp(Box<Sccrp>),
    /// Start-Control-Connection-Connected.
    Scccn(Scccn),
    /// Stop-Control-Connection-Notification.
    StopCcn(StopCcn),
    /// Keep-alive.
    Hello,
    /// Outgoing-Call-Request.
    Ocrq(Box<Ocrq>),
    /// Outgoing-Call-Reply.
    Ocrp(Ocrp),
    /// Outgoing-Call-Connected.
    Occn(Occn),
    /// Incoming-Call-Request.
    Icrq(Box<Icrq>),
    /// Incoming-Call-Reply.
    Icrp(Icrp),
    /// Incoming-Call-Connected.
    Iccn(Box<Iccn>),
    /// Call-Disconnect-Notify.
    Cdn(Box<Cdn>),
    /// WAN-Error-Notify.
    Wen(CallErrors),
    /// Set-Link-Info.
    Sli(Accm),
}

/// A message that cannot be used, with what the answer to it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadMessage {
    /// What it was; `None` when not even that could be read.
    pub message_type: Option<MessageType>,
    /// What is wrong with it.
    pub fault: Fault,
    /// The sender's tunnel id, when it was in there.
    pub assigned_tunnel: Option<NonZeroU16>,
    /// The sender's session id, when it was in there.
    pub assigned_session: Option<NonZeroU16>,
}

/// A message and the AVPs of it that were passed over although mandatory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// The message.
    pub message: Message,
    /// Empty unless [`Reading::ignore_unknown_mandatory_vendor_avps`].
    pub passed_over: Vec<PassedOver>,
}

impl Message {
    /// Which message it is.
    pub fn message_type(&self) -> MessageType {
        match self {
            Self::Sccrq(_) => MessageType::Sccrq,
            Self::Sccrp(_) => MessageType::Sccrp,
            Self::Scccn(_) => MessageType::Scccn,
            Self::StopCcn(_) => MessageType::StopCcn,
            Self::Hello => MessageType::Hello,
            Self::Ocrq(_) => MessageType::Ocrq,
            Self::Ocrp(_) => MessageType::Ocrp,
            Self::Occn(_) => MessageType::Occn,
            Self::Icrq(_) => MessageType::Icrq,
            Self::Icrp(_) => MessageType::Icrp,
            Self::Iccn(_) => MessageType::Iccn,
            Self::Cdn(_) => MessageType::Cdn,
            Self::Wen(_) => MessageType::Wen,
            Self::Sli(_) => MessageType::Sli,
        }
    }

    /// Which message a body is, without reading the rest; `None` for a ZLB and for what cannot be told.
    pub fn peek_type(body: &[u8]) -> Option<MessageType> {
        let (number, _) = message_type(&mut Avps::new(body)).ok()?;
        MessageType::from_number(number)
    }

    /// Reads the AVPs behind a control header; a ZLB has none and is not a message.
    pub fn decode(body: &[u8], reading: &Reading<'_>) -> Result<Decoded, BadMessage> {
        let mut avps = Avps::new(body);
        let (number, mandatory) = message_type(&mut avps).map_err(|fault| BadMessage {
            message_type: None,
            fault,
            assigned_tunnel: None,
            assigned_session: None,
        })?;
        let mut fields = Fields::read(avps, reading);
        let (assigned_tunnel, assigned_session) = (fields.assigned_tunnel, fields.assigned_session);
        let message_type = MessageType::from_number(number);
        let bad = |fault| BadMessage { message_type, fault, assigned_tunnel, assigned_session };
        let Some(known) = message_type else {
            return Err(bad(Fault::UnknownMessage { number, mandatory }));
        };
        let passed_over = std::mem::take(&mut fields.passed_over);
        let message = match fields.fault {
            // The end of a tunnel or call is taken as such whatever else its message brings.
            Some(fault) if known != MessageType::StopCcn && known != MessageType::Cdn => {
                return Err(bad(fault));
            }
            Some(_) | None => Self::from_fields(known, fields).map_err(bad)?,
        };
        Ok(Decoded { message, passed_over })
    }

    fn from_fields(message_type: MessageType, fields: Fields) -> Result<Self, Fault> {
        Ok(match message_type {
            MessageType::Sccrq => Self::Sccrq(Box::new(Sccrq::from_fields(fields)?)),
            MessageType::Sccrp => Self::Sccrp(Box::new(Sccrp::from_fields(fields)?)),
            MessageType::Scccn => Self::Scccn(Scccn::from_fields(&fields)),
            MessageType::StopCcn => Self::StopCcn(StopCcn::from_fields(fields)),
            MessageType::Hello => Self::Hello,
            MessageType::Ocrq => Self::Ocrq(Box::new(Ocrq::from_fields(fields)?)),
            MessageType::Ocrp => Self::Ocrp(Ocrp::from_fields(&fields)?),
            MessageType::Occn => Self::Occn(Occn::from_fields(&fields)?),
            MessageType::Icrq => Self::Icrq(Box::new(Icrq::from_fields(fields)?)),
            MessageType::Icrp => Self::Icrp(Icrp::from_fields(&fields)?),
            MessageType::Iccn => Self::Iccn(Box::new(Iccn::from_fields(fields))),
            MessageType::Cdn => Self::Cdn(Box::new(Cdn::from_fields(fields))),
            MessageType::Wen => Self::Wen(CallErrors::from_fields(&fields)),
            MessageType::Sli => Self::Sli(Accm::from_fields(&fields)),
        })
    }

    /// The AVPs of the message, Message Type first; AVPs that may be hidden are, when there is `hiding`.
    pub fn encode(&self, hiding: Option<Hiding<'_>>) -> Vec<u8> {
        let mut writer = AvpWriter::new(self.message_type(), hiding);
        match self {
            Self::Sccrq(message) => message.write(&mut writer),
            Self::Sccrp(message) => message.write(&mut writer),
            Self::Scccn(message) => message.write(&mut writer),
            Self::StopCcn(message) => message.write(&mut writer),
            Self::Hello => {}
            Self::Ocrq(message) => message.write(&mut writer),
            Self::Ocrp(message) => message.write(&mut writer),
            Self::Occn(message) => message.write(&mut writer),
            Self::Icrq(message) => message.write(&mut writer),
            Self::Icrp(message) => message.write(&mut writer),
            Self::Iccn(message) => message.write(&mut writer),
            Self::Cdn(message) => message.write(&mut writer),
            Self::Wen(errors) => errors.write(&mut writer),
            Self::Sli(accm) => accm.write(&mut writer),
        }
        writer.finish()
    }
}

/// The Message Type AVP, which must be the first and in the clear (section 4.4.1).
fn message_type(avps: &mut Avps<'_>) -> Result<(u16, bool), Fault> {
    let avp = match avps.next() {
        Some(Ok(avp)) => avp,
        Some(Err(_)) => return Err(Fault::BadAvp),
        None => return Err(Fault::NoMessageType),
    };
    let number = <[u8; 2]>::try_from(avp.value).map(u16::from_be_bytes);
    match number {
        Ok(number) if avp.vendor == 0 && avp.attribute == Attribute::MessageType.number() && !avp.hidden => {
            Ok((number, avp.mandatory))
        }
        Ok(_) | Err(_) => Err(Fault::NoMessageType),
    }
}

fn require<T>(value: Option<T>, attribute: Attribute) -> Result<T, Fault> {
    value.ok_or(Fault::Missing(attribute))
}

/// Result Code AVP, always with its error code: Windows 2000 answers the shorter form with "length is wrong". A
/// message follows only when there is one, so that without it the AVP is the 10 octets that every known peer takes.
fn put_result(writer: &mut AvpWriter<'_>, result: u16, error: Option<ErrorCode>, message: &str) {
    let mut value = Vec::with_capacity(4 + message.len());
    value.extend_from_slice(&result.to_be_bytes());
    value.extend_from_slice(&error.map_or(0, ErrorCode::number).to_be_bytes());
    value.extend_from_slice(message.as_bytes());
    writer.put(Attribute::ResultCode, &value);
}

#[cfg(test)]
mod tests;
