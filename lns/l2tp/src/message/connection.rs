//! The messages that set up, keep and end a tunnel: SCCRQ, SCCRP, SCCCN, StopCCN (HELLO has no content),
//! RFC 2661 sections 6.1 to 6.5.

use std::num::NonZeroU16;

use super::fields::{Fault, Fields};
use super::{put_result, require};
use crate::avp::AvpWriter;
use crate::codes::{Attribute, ErrorCode, StopResult};

/// Window to assume of a peer that names none (section 4.4.3), and of one that names the illegal zero.
pub const DEFAULT_WINDOW: u16 = 4;

/// Protocol Version AVP, section 4.4.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProtocolVersion {
    /// 1 for RFC 2661.
    pub version: u8,
    /// 0 for RFC 2661.
    pub revision: u8,
}

impl ProtocolVersion {
    /// What RFC 2661 calls itself on the wire.
    pub const RFC_2661: Self = Self { version: 1, revision: 0 };
}

/// Start-Control-Connection-Request, section 6.1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sccrq {
    /// The sender's protocol version.
    pub protocol_version: ProtocolVersion,
    /// The sender's host name, as its octets came (some peers append a NUL).
    pub host_name: Vec<u8>,
    /// Framing capabilities: 1 synchronous, 2 asynchronous; absent counts as neither.
    pub framing_capabilities: u32,
    /// Bearer capabilities: 1 digital, 2 analogue.
    pub bearer_capabilities: Option<u32>,
    /// Decides between tunnels opened by both ends at once; the lower value wins.
    pub tie_breaker: Option<u64>,
    /// The sender's software version in its own numbering.
    pub firmware_revision: Option<u16>,
    /// Who made the sender.
    pub vendor_name: Option<Vec<u8>>,
    /// The tunnel id that the sender wants to be addressed by.
    pub assigned_tunnel: NonZeroU16,
    /// Control messages that the sender can take before acknowledging.
    pub receive_window: Option<u16>,
    /// Asks the receiver to prove that it knows the secret.
    pub challenge: Option<Vec<u8>>,
}

impl Sccrq {
    pub(super) fn from_fields(fields: Fields) -> Result<Self, Fault> {
        Ok(Self {
            protocol_version: require(fields.protocol_version, Attribute::ProtocolVersion)?,
            host_name: require(fields.host_name, Attribute::HostName)?,
            framing_capabilities: fields.framing_capabilities.unwrap_or(0),
            bearer_capabilities: fields.bearer_capabilities,
            tie_breaker: fields.tie_breaker,
            firmware_revision: fields.firmware_revision,
            vendor_name: fields.vendor_name,
            assigned_tunnel: require(fields.assigned_tunnel, Attribute::AssignedTunnelId)?,
            receive_window: fields.receive_window,
            challenge: fields.challenge,
        })
    }

    pub(super) fn write(&self, writer: &mut AvpWriter<'_>) {
        let ProtocolVersion { version, revision } = self.protocol_version;
        writer.put(Attribute::ProtocolVersion, &[version, revision]);
        writer.put(Attribute::FramingCapabilities, &self.framing_capabilities.to_be_bytes());
        put_u32(writer, Attribute::BearerCapabilities, self.bearer_capabilities);
        if let Some(value) = self.tie_breaker {
            writer.put(Attribute::TieBreaker, &value.to_be_bytes());
        }
        put_u16(writer, Attribute::FirmwareRevision, self.firmware_revision);
        writer.put(Attribute::HostName, &self.host_name);
        writer.put_if(Attribute::VendorName, self.vendor_name.as_deref());
        writer.put(Attribute::AssignedTunnelId, &self.assigned_tunnel.get().to_be_bytes());
        put_u16(writer, Attribute::ReceiveWindowSize, self.receive_window);
        writer.put_if(Attribute::Challenge, self.challenge.as_deref());
    }
}

/// Start-Control-Connection-Reply, section 6.2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sccrp {
    /// The sender's protocol version.
    pub protocol_version: ProtocolVersion,
    /// Framing capabilities: 1 synchronous, 2 asynchronous; absent counts as neither.
    pub framing_capabilities: u32,
    /// The sender's host name.
    pub host_name: Vec<u8>,
    /// The tunnel id that the sender wants to be addressed by.
    pub assigned_tunnel: NonZeroU16,
    /// Bearer capabilities: 1 digital, 2 analogue.
    pub bearer_capabilities: Option<u32>,
    /// The sender's software version in its own numbering.
    pub firmware_revision: Option<u16>,
    /// Who made the sender.
    pub vendor_name: Option<Vec<u8>>,
    /// Control messages that the sender can take before acknowledging.
    pub receive_window: Option<u16>,
    /// Asks the receiver to prove that it knows the secret.
    pub challenge: Option<Vec<u8>>,
    /// The answer to the challenge in the SCCRQ.
    pub challenge_response: Option<[u8; 16]>,
}

impl Sccrp {
    pub(super) fn from_fields(fields: Fields) -> Result<Self, Fault> {
        Ok(Self {
            protocol_version: require(fields.protocol_version, Attribute::ProtocolVersion)?,
            framing_capabilities: fields.framing_capabilities.unwrap_or(0),
            host_name: require(fields.host_name, Attribute::HostName)?,
            assigned_tunnel: require(fields.assigned_tunnel, Attribute::AssignedTunnelId)?,
            bearer_capabilities: fields.bearer_capabilities,
            firmware_revision: fields.firmware_revision,
            vendor_name: fields.vendor_name,
            receive_window: fields.receive_window,
            challenge: fields.challenge,
            challenge_response: fields.challenge_response,
        })
    }

    pub(super) fn write(&self, writer: &mut AvpWriter<'_>) {
        let ProtocolVersion { version, revision } = self.protocol_version;
        writer.put(Attribute::ProtocolVersion, &[version, revision]);
        writer.put(Attribute::FramingCapabilities, &self.framing_capabilities.to_be_bytes());
        put_u32(writer, Attribute::BearerCapabilities, self.bearer_capabilities);
        put_u16(writer, Attribute::FirmwareRevision, self.firmware_revision);
        writer.put(Attribute::HostName, &self.host_name);
        writer.put_if(Attribute::VendorName, self.vendor_name.as_deref());
        writer.put(Attribute::AssignedTunnelId, &self.assigned_tunnel.get().to_be_bytes());
        put_u16(writer, Attribute::ReceiveWindowSize, self.receive_window);
        writer.put_if(Attribute::Challenge, self.challenge.as_deref());
        writer
            .put_if(Attribute::ChallengeResponse, self.challenge_response.as_ref().map(<[u8; 16]>::as_slice));
    }
}

/// Start-Control-Connection-Connected, section 6.3.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scccn {
    /// The answer to the challenge in the SCCRP.
    pub challenge_response: Option<[u8; 16]>,
}

impl Scccn {
    pub(super) fn from_fields(fields: &Fields) -> Self {
        Self { challenge_response: fields.challenge_response }
    }

    pub(super) fn write(&self, writer: &mut AvpWriter<'_>) {
        writer
            .put_if(Attribute::ChallengeResponse, self.challenge_response.as_ref().map(<[u8; 16]>::as_slice));
    }
}

/// Stop-Control-Connection-Notification, section 6.4.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StopCcn {
    /// The sender's tunnel id. It is required, but a message without it still ends the tunnel it was sent to.
    pub assigned_tunnel: Option<NonZeroU16>,
    /// Why.
    pub result: StopResult,
    /// More about why; clients of the shorter form leave it out.
    pub error: Option<ErrorCode>,
    /// Why, in words.
    pub message: String,
}

impl StopCcn {
    /// Never fails: whatever else is wrong in it, the peer is leaving.
    pub(super) fn from_fields(fields: Fields) -> Self {
        let (result, error, message) = match fields.result_code {
            Some(code) => (code.result.into(), code.error.map(ErrorCode::from), code.message),
            None => (StopResult::GeneralRequest, None, String::new()),
        };
        Self { assigned_tunnel: fields.assigned_tunnel, result, error, message }
    }

    pub(super) fn write(&self, writer: &mut AvpWriter<'_>) {
        if let Some(id) = self.assigned_tunnel {
            writer.put(Attribute::AssignedTunnelId, &id.get().to_be_bytes());
        }
        put_result(writer, self.result.number(), self.error, &self.message);
    }
}

pub(super) fn put_u16(writer: &mut AvpWriter<'_>, attribute: Attribute, value: Option<u16>) {
    if let Some(value) = value {
        writer.put(attribute, &value.to_be_bytes());
    }
}

pub(super) fn put_u32(writer: &mut AvpWriter<'_>, attribute: Attribute, value: Option<u32>) {
    if let Some(value) = value {
        writer.put(attribute, &value.to_be_bytes());
    }
}
