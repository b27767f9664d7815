//! All AVPs of one message sorted by attribute, before anyone asks which message it is. The first fault is kept and
//! reading goes on, because the answer to a faulty message needs the ids in it.

use std::fmt;
use std::num::NonZeroU16;

use tollgate_sansio::{Reader, Truncated};

use super::{Accm, CallErrors, PppDisconnectCause, ProtocolVersion, Q931Cause};
use crate::avp::{Avps, RawAvp, hidden};
use crate::codes::{Attribute, ErrorCode, PppDisconnectCode};

/// How messages of a tunnel are read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reading<'a> {
    /// The secret that reveals hidden AVPs.
    pub secret: Option<&'a [u8]>,
    /// Read on over vendors' AVPs that have the M bit set and are not known here.
    pub ignore_unknown_mandatory_vendor_avps: bool,
}

/// Why a message cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Its AVPs do not fit together: one leads out of the message.
    #[error("an AVP leads out of the message")]
    BadAvp,
    /// The first AVP is not a readable Message Type.
    #[error("the first AVP is not the Message Type")]
    NoMessageType,
    /// A message type that RFC 2661 does not have; with the M bit it ends the tunnel (section 4.4.1).
    #[error("unknown message type {number}")]
    UnknownMessage {
        /// Its number.
        number: u16,
        /// Its M bit.
        mandatory: bool,
    },
    /// An AVP with the M bit that this crate does not know.
    #[error("unknown mandatory AVP {attribute} of vendor {vendor}")]
    UnknownMandatory {
        /// SMI number; zero is the IETF.
        vendor: u16,
        /// Attribute type.
        attribute: u16,
    },
    /// A hidden AVP with the M bit that cannot be revealed: no secret, no vector, or a wrong secret.
    #[error("hidden AVP {0} cannot be revealed with the secret set here")]
    CannotReveal(Attribute),
    /// A value of the wrong length.
    #[error("{0} has a wrong length")]
    BadLength(Attribute),
    /// A value outside its range.
    #[error("{0} has a value out of range")]
    BadValue(Attribute),
    /// A required AVP is not there.
    #[error("{0} is missing")]
    Missing(Attribute),
}

impl Fault {
    /// The general error code that tells the peer, RFC 2661 section 4.4.2.
    pub fn error_code(&self) -> ErrorCode {
        match self {
            Self::BadAvp | Self::BadLength(_) => ErrorCode::BadLength,
            Self::NoMessageType | Self::BadValue(_) | Self::Missing(_) => ErrorCode::BadValue,
            Self::UnknownMessage { .. } | Self::UnknownMandatory { .. } | Self::CannotReveal(_) => {
                ErrorCode::UnknownMandatoryAvp
            }
        }
    }
}

/// A vendor's AVP that had the M bit and was passed over because the configuration says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassedOver {
    /// SMI number of the vendor.
    pub vendor: u16,
    /// Attribute type.
    pub attribute: u16,
}

impl fmt::Display for PassedOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mandatory AVP {} of vendor {} passed over", self.attribute, self.vendor)
    }
}

/// A Result Code AVP as read, section 4.4.2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RawResult {
    pub(crate) result: u16,
    pub(crate) error: Option<u16>,
    pub(crate) message: String,
}

/// One slot for each attribute; the first of several AVPs with the same attribute counts.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    pub(crate) fault: Option<Fault>,
    pub(crate) passed_over: Vec<PassedOver>,
    pub(crate) result_code: Option<RawResult>,
    pub(crate) protocol_version: Option<ProtocolVersion>,
    pub(crate) framing_capabilities: Option<u32>,
    pub(crate) bearer_capabilities: Option<u32>,
    pub(crate) tie_breaker: Option<u64>,
    pub(crate) firmware_revision: Option<u16>,
    pub(crate) host_name: Option<Vec<u8>>,
    pub(crate) vendor_name: Option<Vec<u8>>,
    pub(crate) assigned_tunnel: Option<NonZeroU16>,
    pub(crate) receive_window: Option<u16>,
    pub(crate) challenge: Option<Vec<u8>>,
    pub(crate) q931_cause: Option<Q931Cause>,
    pub(crate) challenge_response: Option<[u8; 16]>,
    pub(crate) assigned_session: Option<NonZeroU16>,
    pub(crate) serial: Option<u32>,
    pub(crate) minimum_bps: Option<u32>,
    pub(crate) maximum_bps: Option<u32>,
    pub(crate) bearer_type: Option<u32>,
    pub(crate) framing_type: Option<u32>,
    pub(crate) called_number: Option<Vec<u8>>,
    pub(crate) calling_number: Option<Vec<u8>>,
    pub(crate) sub_address: Option<Vec<u8>>,
    pub(crate) tx_speed: Option<u32>,
    pub(crate) physical_channel: Option<u32>,
    pub(crate) initial_received_lcp: Option<Vec<u8>>,
    pub(crate) last_sent_lcp: Option<Vec<u8>>,
    pub(crate) last_received_lcp: Option<Vec<u8>>,
    pub(crate) proxy_type: Option<u16>,
    pub(crate) proxy_name: Option<Vec<u8>>,
    pub(crate) proxy_challenge: Option<Vec<u8>>,
    pub(crate) proxy_id: Option<u8>,
    pub(crate) proxy_response: Option<Vec<u8>>,
    pub(crate) call_errors: Option<CallErrors>,
    pub(crate) accm: Option<Accm>,
    pub(crate) private_group: Option<Vec<u8>>,
    pub(crate) rx_speed: Option<u32>,
    pub(crate) sequencing_required: bool,
    pub(crate) ppp_cause: Option<PppDisconnectCause>,
}

impl Fields {
    /// Reads the AVPs behind the Message Type.
    pub(crate) fn read(avps: Avps<'_>, reading: &Reading<'_>) -> Self {
        let mut fields = Self::default();
        let mut vector: Option<&[u8]> = None;
        for avp in avps {
            match avp {
                Ok(avp) if is_vector(&avp) => vector = Some(avp.value),
                Ok(avp) => fields.take(&avp, vector, reading),
                Err(_) => fields.fail(Fault::BadAvp),
            }
        }
        fields
    }

    pub(crate) fn fail(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }

    fn take(&mut self, avp: &RawAvp<'_>, vector: Option<&[u8]>, reading: &Reading<'_>) {
        let known =
            if avp.vendor == 0 && !avp.reserved { Attribute::from_number(avp.attribute) } else { None };
        let Some(attribute) = known else {
            return self.unknown(avp, reading);
        };
        if !avp.hidden {
            return self.keep(attribute, avp.value, avp.mandatory);
        }
        let revealed = match (reading.secret, vector) {
            (Some(secret), Some(vector)) => hidden::reveal(avp.attribute, secret, vector, avp.value),
            (None, _) | (_, None) => None,
        };
        match revealed {
            Some(value) => self.keep(attribute, &value, avp.mandatory),
            None if avp.mandatory => self.fail(Fault::CannotReveal(attribute)),
            None => {}
        }
    }

    fn unknown(&mut self, avp: &RawAvp<'_>, reading: &Reading<'_>) {
        if !avp.mandatory {
            return;
        }
        if avp.vendor != 0 && reading.ignore_unknown_mandatory_vendor_avps {
            self.passed_over.push(PassedOver { vendor: avp.vendor, attribute: avp.attribute });
        } else {
            self.fail(Fault::UnknownMandatory { vendor: avp.vendor, attribute: avp.attribute });
        }
    }

    fn keep(&mut self, attribute: Attribute, value: &[u8], mandatory: bool) {
        match self.store(attribute, value) {
            Ok(()) => {}
            // An optional AVP that makes no sense is as good as none.
            Err(_) if !mandatory => {}
            Err(fault) => self.fail(fault),
        }
    }

    fn store(&mut self, attribute: Attribute, value: &[u8]) -> Result<(), Fault> {
        let octets = || value.to_vec();
        match attribute {
            // Only the first AVP is the Message Type; a vector has been taken out before.
            Attribute::MessageType => return Err(Fault::BadValue(attribute)),
            Attribute::RandomVector => {}
            Attribute::ResultCode => first(&mut self.result_code, parse(attribute, value, result_code)?),
            Attribute::ProtocolVersion => {
                let [version, revision] = exactly(attribute, value)?;
                first(&mut self.protocol_version, ProtocolVersion { version, revision });
            }
            Attribute::FramingCapabilities => {
                first(&mut self.framing_capabilities, u32_of(attribute, value)?)
            }
            Attribute::BearerCapabilities => first(&mut self.bearer_capabilities, u32_of(attribute, value)?),
            Attribute::TieBreaker => {
                first(&mut self.tie_breaker, u64::from_be_bytes(exactly(attribute, value)?));
            }
            Attribute::FirmwareRevision => first(&mut self.firmware_revision, u16_of(attribute, value)?),
            Attribute::HostName => first(&mut self.host_name, octets()),
            Attribute::VendorName => first(&mut self.vendor_name, octets()),
            Attribute::AssignedTunnelId => first(&mut self.assigned_tunnel, id(attribute, value)?),
            Attribute::ReceiveWindowSize => first(&mut self.receive_window, u16_of(attribute, value)?),
            Attribute::Challenge if value.is_empty() => return Err(Fault::BadLength(attribute)),
            Attribute::Challenge => first(&mut self.challenge, octets()),
            Attribute::Q931Cause => first(&mut self.q931_cause, parse(attribute, value, q931_cause)?),
            Attribute::ChallengeResponse => first(&mut self.challenge_response, exactly(attribute, value)?),
            Attribute::AssignedSessionId => first(&mut self.assigned_session, id(attribute, value)?),
            Attribute::CallSerialNumber => first(&mut self.serial, u32_of(attribute, value)?),
            Attribute::MinimumBps => first(&mut self.minimum_bps, u32_of(attribute, value)?),
            Attribute::MaximumBps => first(&mut self.maximum_bps, u32_of(attribute, value)?),
            Attribute::BearerType => first(&mut self.bearer_type, u32_of(attribute, value)?),
            Attribute::FramingType => first(&mut self.framing_type, u32_of(attribute, value)?),
            Attribute::CalledNumber => first(&mut self.called_number, octets()),
            Attribute::CallingNumber => first(&mut self.calling_number, octets()),
            Attribute::SubAddress => first(&mut self.sub_address, octets()),
            Attribute::TxConnectSpeed => first(&mut self.tx_speed, u32_of(attribute, value)?),
            Attribute::PhysicalChannelId => first(&mut self.physical_channel, u32_of(attribute, value)?),
            Attribute::InitialReceivedLcp => first(&mut self.initial_received_lcp, octets()),
            Attribute::LastSentLcp => first(&mut self.last_sent_lcp, octets()),
            Attribute::LastReceivedLcp => first(&mut self.last_received_lcp, octets()),
            Attribute::ProxyAuthenType => first(&mut self.proxy_type, u16_of(attribute, value)?),
            Attribute::ProxyAuthenName => first(&mut self.proxy_name, octets()),
            Attribute::ProxyAuthenChallenge => first(&mut self.proxy_challenge, octets()),
            Attribute::ProxyAuthenId => {
                // The upper octet is reserved (section 4.4.5).
                let [_, id] = exactly(attribute, value)?;
                first(&mut self.proxy_id, id);
            }
            Attribute::ProxyAuthenResponse => first(&mut self.proxy_response, octets()),
            Attribute::CallErrors => first(&mut self.call_errors, parse(attribute, value, call_errors)?),
            Attribute::Accm => first(&mut self.accm, parse(attribute, value, accm)?),
            Attribute::PrivateGroupId => first(&mut self.private_group, octets()),
            Attribute::RxConnectSpeed => first(&mut self.rx_speed, u32_of(attribute, value)?),
            Attribute::SequencingRequired => self.sequencing_required = true,
            Attribute::PppDisconnectCause => first(&mut self.ppp_cause, parse(attribute, value, ppp_cause)?),
        }
        Ok(())
    }
}

fn is_vector(avp: &RawAvp<'_>) -> bool {
    avp.vendor == 0 && !avp.hidden && !avp.reserved && avp.attribute == Attribute::RandomVector.number()
}

fn first<T>(slot: &mut Option<T>, value: T) {
    slot.get_or_insert(value);
}

fn exactly<const N: usize>(attribute: Attribute, value: &[u8]) -> Result<[u8; N], Fault> {
    value.try_into().map_err(|_| Fault::BadLength(attribute))
}

fn u16_of(attribute: Attribute, value: &[u8]) -> Result<u16, Fault> {
    exactly(attribute, value).map(u16::from_be_bytes)
}

fn u32_of(attribute: Attribute, value: &[u8]) -> Result<u32, Fault> {
    exactly(attribute, value).map(u32::from_be_bytes)
}

fn id(attribute: Attribute, value: &[u8]) -> Result<NonZeroU16, Fault> {
    NonZeroU16::new(u16_of(attribute, value)?).ok_or(Fault::BadValue(attribute))
}

fn parse<T>(
    attribute: Attribute,
    value: &[u8],
    read: impl FnOnce(&mut Reader<'_>) -> Result<T, Truncated>,
) -> Result<T, Fault> {
    read(&mut Reader::new(value)).map_err(|Truncated { .. }| Fault::BadLength(attribute))
}

/// Result code, then optionally an error code and a message. Clients with an 8-octet AVP leave the error code out.
/// Apple's write the codes in their own byte order and leave garbage behind them: such a result code is recognised
/// by its empty low octet, and then nothing behind it is believed.
fn result_code(reader: &mut Reader<'_>) -> Result<RawResult, Truncated> {
    let result = reader.u16()?;
    if result > 0xff && result.trailing_zeros() >= 8 {
        return Ok(RawResult { result: result.swap_bytes(), error: None, message: String::new() });
    }
    let error = reader.u16().ok();
    Ok(RawResult { result, error, message: printable(reader.rest()) })
}

fn q931_cause(reader: &mut Reader<'_>) -> Result<Q931Cause, Truncated> {
    Ok(Q931Cause { cause: reader.u16()?, message_type: reader.u8()?, advisory: printable(reader.rest()) })
}

fn call_errors(reader: &mut Reader<'_>) -> Result<CallErrors, Truncated> {
    reader.u16()?;
    Ok(CallErrors {
        crc: reader.u32()?,
        framing: reader.u32()?,
        hardware_overruns: reader.u32()?,
        buffer_overruns: reader.u32()?,
        timeouts: reader.u32()?,
        alignment: reader.u32()?,
    })
}

fn accm(reader: &mut Reader<'_>) -> Result<Accm, Truncated> {
    reader.u16()?;
    Ok(Accm { send: reader.u32()?, receive: reader.u32()? })
}

fn ppp_cause(reader: &mut Reader<'_>) -> Result<PppDisconnectCause, Truncated> {
    Ok(PppDisconnectCause {
        code: PppDisconnectCode::from(reader.u16()?),
        protocol: reader.u16()?,
        direction: reader.u8()?,
        message: printable(reader.rest()),
    })
}

/// A peer's text made fit for a log: without the NUL octets that some peers append, without control characters.
pub(crate) fn printable(octets: &[u8]) -> String {
    let end = octets.iter().rposition(|octet| *octet != 0).map_or(0, |last| last + 1);
    String::from_utf8_lossy(octets.get(..end).unwrap_or_default())
        .chars()
        .map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c })
        .collect()
}
