//! Attribute-value pairs as they stand on the wire, RFC 2661 section 4.1. What the values mean is in `message`.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |M|H| rsvd  |      Length       |           Vendor ID           |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |         Attribute Type        |        Attribute Value...
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

pub mod hidden;

use tollgate_sansio::Reader;

use crate::codes::{Attribute, MessageType};
use hidden::Hiding;

const M: u16 = 0x8000;
const H: u16 = 0x4000;
const RESERVED: u16 = 0x3c00;
const LENGTH: u16 = 0x03ff;
const HEADER: usize = 6;

/// The longest value that an AVP can carry in the clear, octets.
pub const MAX_VALUE: usize = LENGTH as usize - HEADER;
/// The longest value that fits when hidden: whole blocks, less the length inside.
const MAX_HIDDEN: usize = (MAX_VALUE / 16) * 16 - 2;

/// One AVP as it was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawAvp<'a> {
    /// The M bit: a receiver that does not know the attribute must end the tunnel or session.
    pub mandatory: bool,
    /// The H bit: the value is hidden.
    pub hidden: bool,
    /// A reserved bit was set, so that the AVP counts as unknown (section 4.1).
    pub reserved: bool,
    /// The SMI number of the vendor; zero is the IETF.
    pub vendor: u16,
    /// The attribute type within the vendor's numbers.
    pub attribute: u16,
    /// The value as it stands, hidden or not.
    pub value: &'a [u8],
}

/// An AVP whose length is smaller than its header or leads out of the message. Nothing behind it can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an AVP leads out of the message")]
pub struct BadAvp;

/// Reads the AVPs of a message one after the other; after an error it ends.
#[derive(Debug, Clone)]
pub struct Avps<'a> {
    reader: Reader<'a>,
}

impl<'a> Avps<'a> {
    /// Starts behind the message's header.
    pub fn new(body: &'a [u8]) -> Self {
        Self { reader: Reader::new(body) }
    }

    fn read(&mut self) -> Result<RawAvp<'a>, BadAvp> {
        let bits = self.reader.u16().map_err(|_| BadAvp)?;
        let rest = usize::from(bits & LENGTH).checked_sub(2).ok_or(BadAvp)?;
        let mut avp = self.reader.split(rest).map_err(|_| BadAvp)?;
        let vendor = avp.u16().map_err(|_| BadAvp)?;
        let attribute = avp.u16().map_err(|_| BadAvp)?;
        Ok(RawAvp {
            mandatory: bits & M != 0,
            hidden: bits & H != 0,
            reserved: bits & RESERVED != 0,
            vendor,
            attribute,
            value: avp.rest(),
        })
    }
}

impl<'a> Iterator for Avps<'a> {
    type Item = Result<RawAvp<'a>, BadAvp>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.is_empty() {
            return None;
        }
        let read = self.read();
        if read.is_err() {
            self.reader.rest();
        }
        Some(read)
    }
}

/// Writes the AVPs of one message, hiding those that may be hidden where there is something to hide them with.
pub(crate) struct AvpWriter<'a> {
    out: Vec<u8>,
    hiding: Option<Hiding<'a>>,
    /// The Random Vector of this message, once it has been written.
    vector: Option<[u8; 16]>,
}

impl<'a> AvpWriter<'a> {
    /// Starts with the Message Type AVP, which must be the first (section 4.4.1).
    pub(crate) fn new(message_type: MessageType, hiding: Option<Hiding<'a>>) -> Self {
        let mut writer = Self { out: Vec::with_capacity(96), hiding, vector: None };
        writer.clear(Attribute::MessageType, &message_type.number().to_be_bytes());
        writer
    }

    /// Appends an AVP; its M bit is the one its section demands. A value that is too long is cut: only texts can
    /// be that long.
    pub(crate) fn put(&mut self, attribute: Attribute, value: &[u8]) {
        if attribute.hideable() && self.hiding.is_some() {
            self.hide(attribute, value);
        } else {
            self.clear(attribute, value);
        }
    }

    /// Appends an AVP when there is a value.
    pub(crate) fn put_if(&mut self, attribute: Attribute, value: Option<&[u8]>) {
        if let Some(value) = value {
            self.put(attribute, value);
        }
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.out
    }

    fn clear(&mut self, attribute: Attribute, value: &[u8]) {
        self.write(attribute, 0, value.get(..MAX_VALUE).unwrap_or(value));
    }

    fn hide(&mut self, attribute: Attribute, value: &[u8]) {
        let vector = match self.vector {
            Some(vector) => vector,
            None => self.put_vector(),
        };
        let value = value.get(..MAX_HIDDEN).unwrap_or(value);
        if let Some(hiding) = &mut self.hiding {
            let hidden = hidden::hide(attribute.number(), hiding.secret, &vector, value, hiding.entropy);
            self.write(attribute, H, &hidden);
        }
    }

    /// One vector a message is enough: it goes in front of the first hidden AVP (section 4.3).
    fn put_vector(&mut self) -> [u8; 16] {
        let vector = self.hiding.as_mut().map(|hiding| hiding.entropy.array()).unwrap_or_default();
        self.clear(Attribute::RandomVector, &vector);
        self.vector = Some(vector);
        vector
    }

    fn write(&mut self, attribute: Attribute, flags: u16, value: &[u8]) {
        let length = u16::try_from(HEADER + value.len()).unwrap_or(LENGTH) & LENGTH;
        let mandatory = if attribute.mandatory() { M } else { 0 };
        self.out.extend_from_slice(&(mandatory | flags | length).to_be_bytes());
        self.out.extend_from_slice(&[0, 0]);
        self.out.extend_from_slice(&attribute.number().to_be_bytes());
        self.out.extend_from_slice(value);
    }
}

#[cfg(test)]
mod tests;
