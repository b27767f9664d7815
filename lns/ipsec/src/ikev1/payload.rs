//! The chain of payloads after the header (RFC 2408 section 3.2), read and written.

use tollgate_sansio::{Reader, Truncated};

use super::header::{HEADER, Header};

/// Payloads of one message at most: Windows asks for a certificate of every root that it knows, with a payload for each.
pub const MOST_PAYLOADS: usize = 256;

/// Payload types (RFC 2408 section 3.1, RFC 3947 section 8, and the drafts before it).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Security association.
    Sa,
    /// Key exchange.
    KeyExchange,
    /// Identification.
    Identification,
    /// Certificate.
    Certificate,
    /// Certificate request.
    CertificateRequest,
    /// Hash.
    Hash,
    /// Signature.
    Signature,
    /// Nonce.
    Nonce,
    /// Notification.
    Notification,
    /// Delete.
    Delete,
    /// Vendor id.
    VendorId,
    /// NAT detection (RFC 3947).
    NatDetection,
    /// NAT original address (RFC 3947).
    NatOriginalAddress,
    /// NAT detection of drafts 02 and 03.
    DraftNatDetection,
    /// NAT original address of drafts 02 and 03.
    DraftNatOriginalAddress,
    /// A fragment of a message (Microsoft, Cisco).
    Fragment,
    /// Anything else: passed over.
    Other(u8),
}

impl Kind {
    /// Its number.
    pub fn number(self) -> u8 {
        match self {
            Self::Sa => 1,
            Self::KeyExchange => 4,
            Self::Identification => 5,
            Self::Certificate => 6,
            Self::CertificateRequest => 7,
            Self::Hash => 8,
            Self::Signature => 9,
            Self::Nonce => 10,
            Self::Notification => 11,
            Self::Delete => 12,
            Self::VendorId => 13,
            Self::NatDetection => 20,
            Self::NatOriginalAddress => 21,
            Self::DraftNatDetection => 130,
            Self::DraftNatOriginalAddress => 131,
            Self::Fragment => 132,
            Self::Other(number) => number,
        }
    }
}

impl From<u8> for Kind {
    fn from(number: u8) -> Self {
        match number {
            1 => Self::Sa,
            4 => Self::KeyExchange,
            5 => Self::Identification,
            6 => Self::Certificate,
            7 => Self::CertificateRequest,
            8 => Self::Hash,
            9 => Self::Signature,
            10 => Self::Nonce,
            11 => Self::Notification,
            12 => Self::Delete,
            13 => Self::VendorId,
            20 => Self::NatDetection,
            21 => Self::NatOriginalAddress,
            130 => Self::DraftNatDetection,
            131 => Self::DraftNatOriginalAddress,
            132 => Self::Fragment,
            number => Self::Other(number),
        }
    }
}

/// Why a chain of payloads cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// A payload is shorter than its header, or exceeds the message.
    #[error("a payload's length is wrong")]
    Length,
    /// More than [`MOST_PAYLOADS`].
    #[error("too many payloads")]
    TooMany,
    /// A field inside a payload is cut off or holds what cannot be.
    #[error("the {0} payload is malformed")]
    Malformed(&'static str),
    /// A payload that must be there is not, or is there twice.
    #[error("the message has not exactly one {0} payload")]
    NotOne(&'static str),
}

impl From<Truncated> for PayloadError {
    fn from(_: Truncated) -> Self {
        Self::Length
    }
}

/// One payload of a message.
#[derive(Debug, Clone, Copy)]
pub struct Payload<'a> {
    /// Its type.
    pub kind: Kind,
    /// What follows the generic header.
    pub body: &'a [u8],
}

/// All payloads of a message, in order.
#[derive(Debug)]
pub struct Payloads<'a> {
    list: Vec<Payload<'a>>,
    /// Everything after the first payload, padding excluded: what the hashes of phase 2 cover.
    after_first: &'a [u8],
}

impl<'a> Payloads<'a> {
    /// Reads a chain that begins with a payload of type `first`. What follows the last payload is padding.
    pub fn decode(first: u8, body: &'a [u8]) -> Result<Self, PayloadError> {
        let mut list = Vec::new();
        let mut reader = Reader::new(body);
        let mut kind = first;
        let mut first_end = None;
        while kind != 0 {
            if list.len() == MOST_PAYLOADS {
                return Err(PayloadError::TooMany);
            }
            let next = reader.u8()?;
            // Reserved.
            reader.u8()?;
            let length = usize::from(reader.u16()?);
            let body = reader.take(length.checked_sub(4).ok_or(PayloadError::Length)?)?;
            list.push(Payload { kind: kind.into(), body });
            first_end.get_or_insert(reader.remaining());
            kind = next;
        }
        let covered = first_end.unwrap_or(reader.remaining());
        let after_first =
            body.get(body.len() - covered..body.len() - reader.remaining()).ok_or(PayloadError::Length)?;
        Ok(Self { list, after_first })
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Payload<'a>> {
        self.list.iter()
    }

    /// The first payload's type.
    pub fn first(&self) -> Option<Kind> {
        self.list.first().map(|payload| payload.kind)
    }

    /// The bodies of one type.
    pub fn all(&self, kind: Kind) -> impl Iterator<Item = &'a [u8]> {
        self.list.iter().filter(move |payload| payload.kind == kind).map(|payload| payload.body)
    }

    /// The only body of a type; `name` for the error when there is none or more than one.
    pub fn one(&self, kind: Kind, name: &'static str) -> Result<&'a [u8], PayloadError> {
        self.optional(kind, name)?.ok_or(PayloadError::NotOne(name))
    }

    /// The only body of a type, if there is one.
    pub fn optional(&self, kind: Kind, name: &'static str) -> Result<Option<&'a [u8]>, PayloadError> {
        let mut bodies = self.all(kind);
        let first = bodies.next();
        if bodies.next().is_some() {
            return Err(PayloadError::NotOne(name));
        }
        Ok(first)
    }

    /// Everything after the first payload, without padding.
    pub fn after_first(&self) -> &'a [u8] {
        self.after_first
    }
}

/// A message under construction.
#[derive(Debug, Default)]
pub struct Builder {
    first: u8,
    /// Where the next type goes that is not known yet: the header's own field, or a payload's.
    link: Option<usize>,
    body: Vec<u8>,
}

impl Builder {
    /// No payloads yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a payload of the given parts. One that does not fit its length field is left out.
    pub fn add(&mut self, kind: Kind, parts: &[&[u8]]) -> &mut Self {
        let length = 4 + parts.iter().map(|part| part.len()).sum::<usize>();
        let Ok(length) = u16::try_from(length) else { return self };
        match self.link.and_then(|at| self.body.get_mut(at)) {
            Some(link) => *link = kind.number(),
            None => self.first = kind.number(),
        }
        self.link = Some(self.body.len());
        self.body.extend([0, 0]);
        self.body.extend(length.to_be_bytes());
        for part in parts {
            self.body.extend_from_slice(part);
        }
        self
    }

    /// Adds all payloads of another chain.
    pub fn append(&mut self, other: &Self) -> &mut Self {
        let (first, octets) = other.chain();
        match self.link.and_then(|at| self.body.get_mut(at)) {
            Some(link) => *link = first,
            None => self.first = first,
        }
        if let Some(link) = other.link {
            self.link = Some(self.body.len() + link);
        }
        self.body.extend_from_slice(octets);
        self
    }

    /// The chain without a header: its first type and its octets.
    pub fn chain(&self) -> (u8, &[u8]) {
        (self.first, &self.body)
    }

    /// A whole message in clear.
    pub fn finish(self, header: Header) -> Vec<u8> {
        let header = Header { next_payload: self.first, ..header };
        let mut message = Vec::with_capacity(HEADER + self.body.len());
        message.extend(header.encode(HEADER + self.body.len()));
        message.extend(self.body);
        message
    }
}

#[cfg(test)]
mod tests;
