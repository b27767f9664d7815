//! The SA payload: proposals, transforms and their attributes (RFC 2408 sections 3.3 to 3.6, RFC 2407 section 4.6.1).

use tollgate_sansio::Reader;

use super::payload::PayloadError;

/// Transforms of one SA payload at most. Real clients send up to fourteen in phase 1, scanners some more.
pub const MOST_TRANSFORMS: usize = 256;

const MALFORMED: PayloadError = PayloadError::Malformed("SA");

/// The IPsec domain of interpretation (RFC 2407 section 4.2).
const DOI_IPSEC: u32 = 1;
/// SIT_IDENTITY_ONLY.
const SITUATION: u32 = 1;

/// Protocol numbers (RFC 2407 section 4.4.1).
pub mod protocol {
    /// ISAKMP itself.
    pub const ISAKMP: u8 = 1;
    /// ESP.
    pub const ESP: u8 = 3;
}

/// Attributes of phase 1 (RFC 2409 appendix A).
pub mod phase1 {
    /// Encryption algorithm.
    pub const ENCRYPTION: u16 = 1;
    /// Hash algorithm.
    pub const HASH: u16 = 2;
    /// Authentication method.
    pub const AUTHENTICATION: u16 = 3;
    /// Group description.
    pub const GROUP: u16 = 4;
    /// Life type.
    pub const LIFE_TYPE: u16 = 11;
    /// Life duration.
    pub const LIFE_DURATION: u16 = 12;
    /// Key length.
    pub const KEY_LENGTH: u16 = 14;
}

/// Attributes of phase 2 (RFC 2407 section 4.5).
pub mod phase2 {
    /// SA life type.
    pub const LIFE_TYPE: u16 = 1;
    /// SA life duration.
    pub const LIFE_DURATION: u16 = 2;
    /// Group description.
    pub const GROUP: u16 = 3;
    /// Encapsulation mode.
    pub const ENCAPSULATION: u16 = 4;
    /// Authentication algorithm.
    pub const AUTHENTICATION: u16 = 5;
    /// Key length.
    pub const KEY_LENGTH: u16 = 6;
}

/// Life type: seconds.
pub const SECONDS: u64 = 1;
/// Life type: kilobytes.
pub const KILOBYTES: u64 = 2;

/// A transform as it came.
#[derive(Debug, Clone, Copy)]
pub struct Transform<'a> {
    /// Its number in the proposal.
    pub number: u8,
    /// What it transforms with.
    pub id: u8,
    /// Its attributes, unread.
    pub attributes: &'a [u8],
}

/// A proposal as it came.
#[derive(Debug, Clone)]
pub struct Proposal<'a> {
    /// Its number; proposals of one number belong together.
    pub number: u8,
    /// [`protocol`].
    pub protocol: u8,
    /// The sender's SPI; empty or a cookie in phase 1.
    pub spi: &'a [u8],
    /// In the sender's order.
    pub transforms: Vec<Transform<'a>>,
}

/// The life that a transform asks for; the last of each kind counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Life {
    /// In seconds.
    pub seconds: Option<u64>,
    /// In kilobytes.
    pub kilobytes: Option<u64>,
}

/// Reads the body of an SA payload.
pub fn decode(body: &[u8]) -> Result<Vec<Proposal<'_>>, PayloadError> {
    let mut reader = Reader::new(body);
    let (doi, situation) = (reader.u32()?, reader.u32()?);
    // RFC 2408 section 3.4 allows the generic domain 0 in phase 1.
    if !matches!(doi, 0 | DOI_IPSEC) || situation & SITUATION == 0 {
        return Err(MALFORMED);
    }
    let mut proposals = Vec::new();
    let mut left = MOST_TRANSFORMS;
    while !reader.is_empty() {
        let (_next, mut inside) = piece(&mut reader)?;
        let number = inside.u8()?;
        let protocol = inside.u8()?;
        let spi_length = usize::from(inside.u8()?);
        let count = usize::from(inside.u8()?);
        let spi = inside.take(spi_length)?;
        left = left.checked_sub(count.max(1)).ok_or(PayloadError::TooMany)?;
        let transforms = transforms(&mut inside, count)?;
        proposals.push(Proposal { number, protocol, spi, transforms });
    }
    if proposals.is_empty() { Err(MALFORMED) } else { Ok(proposals) }
}

fn transforms<'a>(reader: &mut Reader<'a>, count: usize) -> Result<Vec<Transform<'a>>, PayloadError> {
    let mut transforms = Vec::with_capacity(count);
    for _ in 0..count {
        let (_next, mut inside) = piece(reader)?;
        let (number, id) = (inside.u8()?, inside.u8()?);
        inside.u16()?;
        transforms.push(Transform { number, id, attributes: inside.rest() });
    }
    Ok(transforms)
}

/// A proposal's or transform's own header, and the inside of it.
fn piece<'a>(reader: &mut Reader<'a>) -> Result<(u8, Reader<'a>), PayloadError> {
    let next = reader.u8()?;
    reader.u8()?;
    let length = usize::from(reader.u16()?);
    let inside = reader.split(length.checked_sub(4).ok_or(PayloadError::Length)?)?;
    Ok((next, inside))
}

/// Walks attributes: type and value. A value of more than eight octets is no number of ours and reads as the greatest.
pub fn attributes(octets: &[u8]) -> impl Iterator<Item = Result<(u16, u64), PayloadError>> {
    let mut reader = Reader::new(octets);
    std::iter::from_fn(move || {
        if reader.is_empty() {
            return None;
        }
        let item = attribute(&mut reader);
        if item.is_err() {
            reader.rest();
        }
        Some(item)
    })
}

fn attribute(reader: &mut Reader<'_>) -> Result<(u16, u64), PayloadError> {
    let kind = reader.u16()?;
    let second = reader.u16()?;
    if kind & 0x8000 != 0 {
        return Ok((kind & 0x7fff, second.into()));
    }
    let value = reader.take(usize::from(second))?;
    let number = value.iter().fold(0u64, |number, octet| {
        number.checked_mul(256).map_or(u64::MAX, |number| number | u64::from(*octet))
    });
    Ok((kind, number))
}

/// Writes an attribute: two octets where the value fits, four or eight otherwise.
pub fn put_attribute(out: &mut Vec<u8>, kind: u16, value: u64) {
    match (u16::try_from(value), u32::try_from(value)) {
        (Ok(value), _) => {
            out.extend((kind | 0x8000).to_be_bytes());
            out.extend(value.to_be_bytes());
        }
        (_, Ok(value)) => {
            out.extend(kind.to_be_bytes());
            out.extend(4u16.to_be_bytes());
            out.extend(value.to_be_bytes());
        }
        _ => {
            out.extend(kind.to_be_bytes());
            out.extend(8u16.to_be_bytes());
            out.extend(value.to_be_bytes());
        }
    }
}

/// A transform to send: its id and attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnTransform {
    /// What it transforms with.
    pub id: u8,
    /// Its attributes as they go on the wire.
    pub attributes: Vec<u8>,
}

/// Writes the body of an SA payload with one proposal; transforms are numbered from one.
pub fn encode(protocol: u8, spi: &[u8], transforms: &[OwnTransform]) -> Vec<u8> {
    let numbered = transforms.iter().zip(1..).map(|(transform, number)| Transform {
        number,
        id: transform.id,
        attributes: &transform.attributes,
    });
    write(1, protocol, spi, &numbered.collect::<Vec<_>>())
}

/// Writes the body of an SA payload with a proposal of its own for each transform, as phase 2 wants where the transforms
/// have different ids (RFC 2408 section 4.2); all have the same SPI.
pub fn encode_each(protocol: u8, spi: &[u8], transforms: &[OwnTransform]) -> Vec<u8> {
    let proposals: Vec<_> = transforms
        .iter()
        .zip(1..)
        .map(|(transform, number)| {
            let only = Transform { number: 1, id: transform.id, attributes: &transform.attributes };
            inside(number, protocol, spi, std::slice::from_ref(&only))
        })
        .collect();
    body(&proposals)
}

/// Writes the body of an SA payload that returns one transform of a proposal as it came.
pub fn answer(proposal: &Proposal<'_>, spi: &[u8], transform: &Transform<'_>) -> Vec<u8> {
    write(proposal.number, proposal.protocol, spi, std::slice::from_ref(transform))
}

fn write(number: u8, protocol: u8, spi: &[u8], transforms: &[Transform<'_>]) -> Vec<u8> {
    body(&[inside(number, protocol, spi, transforms)])
}

/// A proposal after its own header.
fn inside(number: u8, protocol: u8, spi: &[u8], transforms: &[Transform<'_>]) -> Vec<u8> {
    let mut inside = vec![number, protocol, spi.len() as u8, transforms.len() as u8];
    inside.extend_from_slice(spi);
    for (index, transform) in transforms.iter().enumerate() {
        let is_last = index + 1 == transforms.len();
        inside.extend([if is_last { 0 } else { 3 }, 0]);
        inside.extend((8 + transform.attributes.len() as u16).to_be_bytes());
        inside.extend([transform.number, transform.id, 0, 0]);
        inside.extend_from_slice(transform.attributes);
    }
    inside
}

fn body(proposals: &[Vec<u8>]) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(DOI_IPSEC.to_be_bytes());
    body.extend(SITUATION.to_be_bytes());
    for (index, inside) in proposals.iter().enumerate() {
        let is_last = index + 1 == proposals.len();
        body.extend([if is_last { 0 } else { 2 }, 0]);
        body.extend((4 + inside.len() as u16).to_be_bytes());
        body.extend_from_slice(inside);
    }
    body
}

#[cfg(test)]
mod tests;
