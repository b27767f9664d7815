//! The header of control and data messages, RFC 2661 section 3.1. AVPs are in `avp`, what a sequence number means in
//! `reliable` and `data`.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |T|L|x|x|S|x|O|P|x|x|x|x|  Ver  |          Length (opt)         |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |           Tunnel ID           |           Session ID          |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |             Ns (opt)          |             Nr (opt)          |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |      Offset Size (opt)        |    Offset pad... (opt)
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use std::ops::Range;

use tollgate_sansio::{Reader, Truncated};

const T: u16 = 0x8000;
const L: u16 = 0x4000;
const S: u16 = 0x0800;
const O: u16 = 0x0200;
const VERSION_MASK: u16 = 0x000f;
const VERSION: u16 = 2;

/// Octets of a control header: its length and sequence fields are always there, an offset never.
pub const CONTROL_HEADER: usize = 12;

/// The longest data header that we write (flags, length, ids, sequence numbers; an offset is never sent).
pub const MAX_DATA_HEADER: usize = 16;

/// What is wrong with a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// The datagram ends inside the header.
    #[error("header {0}")]
    Truncated(#[from] Truncated),
    /// Not version 2 of the protocol (version 1 would be L2F, 3 is RFC 3931).
    #[error("version {0} instead of 2")]
    Version(u8),
    /// A control message without its length or sequence fields.
    #[error("control message without length or sequence numbers")]
    ControlFlags,
    /// The length field says more than the datagram holds, or less than the header has.
    #[error("length field says {0}")]
    Length(u16),
    /// The offset leads out of the message.
    #[error("offset of {0}")]
    Offset(u16),
    /// A data message that carries no frame.
    #[error("no frame")]
    Empty,
}

/// The header of a control message. `ns` and `nr` belong to the tunnel whatever the session id is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ControlHeader {
    /// The receiver's tunnel id; zero while the sender has not been told it.
    pub tunnel: u16,
    /// The receiver's session id; zero when the message is about the tunnel, or the id is not known yet.
    pub session: u16,
    /// Number of this message.
    pub ns: u16,
    /// Number of the message that the sender expects next.
    pub nr: u16,
}

impl ControlHeader {
    /// Reads the header; the second part is the AVPs, empty in a ZLB acknowledgement. Octets behind the length
    /// field are ignored, as are the reserved bits and those that must be zero (O and P): peers have been seen to
    /// leave garbage in both.
    pub fn decode(datagram: &[u8]) -> Result<(Self, &[u8]), HeaderError> {
        let mut reader = Reader::new(datagram);
        let flags = flags(&mut reader)?;
        if flags & (L | S) != L | S {
            return Err(HeaderError::ControlFlags);
        }
        let length = reader.u16()?;
        let rest = usize::from(length).checked_sub(4).ok_or(HeaderError::Length(length))?;
        let mut message = reader.split(rest).map_err(|_| HeaderError::Length(length))?;
        let mut field = || message.u16().map_err(|_| HeaderError::Length(length));
        let header = Self { tunnel: field()?, session: field()?, ns: field()?, nr: field()? };
        Ok((header, message.rest()))
    }

    /// The whole message: this header, with exactly the flags T, L and S set (some clients demand that), and `body`
    /// behind it. A body that the length field cannot express does not come out of this crate; should it, the
    /// field is capped and the peer refuses the message.
    pub fn encode(&self, body: &[u8]) -> Vec<u8> {
        let length = CONTROL_HEADER.saturating_add(body.len());
        let mut out = Vec::with_capacity(length);
        out.extend_from_slice(&(T | L | S | VERSION).to_be_bytes());
        out.extend_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
        for field in [self.tunnel, self.session, self.ns, self.nr] {
            out.extend_from_slice(&field.to_be_bytes());
        }
        out.extend_from_slice(body);
        out
    }
}

/// The header of a data message, and where its frame lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataHeader {
    /// The receiver's tunnel id.
    pub tunnel: u16,
    /// The receiver's session id.
    pub session: u16,
    /// The sequence number, when the sender numbers its data. The Nr field next to it is reserved (section 3.1).
    pub ns: Option<u16>,
    /// The PPP frame inside the datagram; never empty.
    pub frame: Range<usize>,
}

impl DataHeader {
    /// Reads the header of a data message.
    pub fn decode(datagram: &[u8]) -> Result<Self, HeaderError> {
        let mut reader = Reader::new(datagram);
        let flags = flags(&mut reader)?;
        let mut end = datagram.len();
        if flags & L != 0 {
            let length = reader.u16()?;
            end = usize::from(length);
            if end > datagram.len() {
                return Err(HeaderError::Length(length));
            }
        }
        let tunnel = reader.u16()?;
        let session = reader.u16()?;
        let ns = if flags & S != 0 {
            let ns = reader.u16()?;
            reader.u16()?;
            Some(ns)
        } else {
            None
        };
        if flags & O != 0 {
            let offset = reader.u16()?;
            reader.take(usize::from(offset)).map_err(|_| HeaderError::Offset(offset))?;
        }
        let start = datagram.len() - reader.remaining();
        if start >= end {
            return Err(HeaderError::Empty);
        }
        Ok(Self { tunnel, session, ns, frame: start..end })
    }

    /// Writes the header for a frame of `payload_len` octets, always with the length field: some receivers find
    /// the end of a frame by it. Returns the header's length; `None` when header and frame together exceed 65535
    /// octets.
    pub(crate) fn encode(
        tunnel: u16,
        session: u16,
        ns: Option<u16>,
        payload_len: usize,
        out: &mut [u8; MAX_DATA_HEADER],
    ) -> Option<usize> {
        let header_len = if ns.is_some() { 12 } else { 8 };
        let length = u16::try_from(payload_len.checked_add(header_len)?).ok()?;
        let flags = L | VERSION | if ns.is_some() { S } else { 0 };
        let fields = [flags, length, tunnel, session, ns.unwrap_or(0), 0];
        for (slot, field) in out.as_chunks_mut::<2>().0.iter_mut().zip(fields) {
            *slot = field.to_be_bytes();
        }
        Some(header_len)
    }
}

/// Whether the datagram is a control message; an error when it is not L2TP version 2 at all.
pub(crate) fn is_control(datagram: &[u8]) -> Result<bool, HeaderError> {
    flags(&mut Reader::new(datagram)).map(|flags| flags & T != 0)
}

fn flags(reader: &mut Reader<'_>) -> Result<u16, HeaderError> {
    let flags = reader.u16()?;
    match flags & VERSION_MASK {
        VERSION => Ok(flags),
        // Masked to four bits, so that the conversion cannot fail.
        other => Err(HeaderError::Version(u8::try_from(other).unwrap_or(u8::MAX))),
    }
}

/// The local tunnel id in a datagram's header, found without any other parsing: enough to choose the shard that owns
/// it. `None` when the header is malformed; `Some(0)` for a message of a peer that does not know our id yet, such
/// as an SCCRQ.
pub fn peek_tunnel_id(datagram: &[u8]) -> Option<u16> {
    let mut reader = Reader::new(datagram);
    let flags = flags(&mut reader).ok()?;
    if flags & T != 0 && flags & (L | S) != L | S {
        return None;
    }
    if flags & L != 0 {
        reader.u16().ok()?;
    }
    reader.u16().ok()
}

/// Whether a datagram asks for a tunnel (SCCRQ), found without any other parsing.
pub fn is_tunnel_request(datagram: &[u8]) -> bool {
    ControlHeader::decode(datagram).is_ok_and(|(header, body)| {
        header.tunnel == 0
            && crate::message::Message::peek_type(body) == Some(crate::codes::MessageType::Sccrq)
    })
}

#[cfg(test)]
mod tests;
