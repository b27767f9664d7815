//! A RADIUS packet as octets: walking it, signing it, believing it.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +---------------+---------------+-------------------------------+
//! |     Code      |  Identifier   |            Length             |
//! +---------------+---------------+-------------------------------+
//! |                      Authenticator (16)                       |
//! +---------------+---------------+-------------------------------+
//! |     Type      |    Length     |  Value ...                      (RFC 2865 section 3 and 5)
//! +---------------+---------------+--------------
//! ```
//!
//! Received octets are walked by this module alone and never by the `radius` crate's decoder: that one copies every
//! attribute, has no Message-Authenticator, and wants the shared secret inside the packet.

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use radius::core::code::Code;
use radius::core::rfc2865::PROXY_STATE_TYPE;
use radius::core::rfc2869::MESSAGE_AUTHENTICATOR_TYPE;
use subtle::ConstantTimeEq;
use tollgate_aaa::Secret;

/// Octets before the first attribute.
pub const HEADER: usize = 20;
/// Longest packet (RFC 2865 section 3).
pub const MAX_PACKET: usize = 4096;
/// Longest value of an attribute.
pub const MAX_VALUE: usize = 253;

/// Where the value of a leading Message-Authenticator stands.
const FIRST_VALUE: std::ops::Range<usize> = HEADER + 2..HEADER + 18;

/// Octets that are no RADIUS packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Less than a header, or less than the header says.
    #[error("truncated")]
    Truncated,
    /// The header's length is below 20 or above 4096.
    #[error("impossible length {0}")]
    Length(u16),
    /// An attribute is shorter than its own header or longer than what is left.
    #[error("attribute {0} has an impossible length")]
    Attribute(u8),
}

/// One attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// Its type.
    pub kind: u8,
    /// Its value, 0 to 253 octets.
    pub value: &'a [u8],
}

/// A packet whose attribute list has been walked once and is sound.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    /// Header and attributes, without padding.
    whole: &'a [u8],
    code: u8,
    identifier: u8,
    authenticator: &'a [u8; 16],
    attributes: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Checks every length. Octets beyond the header's length are padding (RFC 2865 section 3).
    pub fn parse(datagram: &'a [u8]) -> Result<Self, Malformed> {
        let ([code, identifier, high, low], rest) =
            datagram.split_first_chunk().ok_or(Malformed::Truncated)?;
        let length = u16::from_be_bytes([*high, *low]);
        if !(HEADER..=MAX_PACKET).contains(&usize::from(length)) {
            return Err(Malformed::Length(length));
        }
        let whole = datagram.get(..usize::from(length)).ok_or(Malformed::Truncated)?;
        let (authenticator, _) = rest.split_first_chunk().ok_or(Malformed::Truncated)?;
        let attributes = whole.get(HEADER..).ok_or(Malformed::Truncated)?;
        let packet = Self { whole, code: *code, identifier: *identifier, authenticator, attributes };
        Attributes(attributes).try_for_each(|attribute| attribute.map(drop))?;
        Ok(packet)
    }

    /// Packet type.
    pub fn code(&self) -> Code {
        Code::from(self.code)
    }

    /// Header and attributes, without padding.
    pub fn octets(&self) -> &'a [u8] {
        self.whole
    }

    /// Ties an answer to its request.
    pub fn identifier(&self) -> u8 {
        self.identifier
    }

    /// Of a request: what its answer is made for.
    pub fn authenticator(&self) -> &'a [u8; 16] {
        self.authenticator
    }

    /// The attributes in order.
    pub fn attributes(&self) -> impl Iterator<Item = Attribute<'a>> {
        // The list was sound when the packet was made.
        Attributes(self.attributes).map_while(Result::ok)
    }

    /// Believes an answer or says why not.
    pub fn verify(
        &self,
        request_authenticator: &[u8; 16],
        key: &Key,
        required: Required,
    ) -> Result<(), Disbelief> {
        let header = self.whole.first_chunk::<4>().copied().unwrap_or_default();
        let expected: [u8; 16] = Md5::new()
            .chain_update(header)
            .chain_update(request_authenticator)
            .chain_update(self.attributes)
            .chain_update(key.secret.expose())
            .finalize()
            .into();
        if !bool::from(expected.ct_eq(self.authenticator)) {
            return Err(Disbelief::Authenticator);
        }
        let proxy_state = self.attributes().any(|attribute| attribute.kind == PROXY_STATE_TYPE);
        match self.has_right_mac(request_authenticator, key)? {
            true => Ok(()),
            false if required == Required::MessageAuthenticator => Err(Disbelief::NoMessageAuthenticator),
            // We never send a Proxy-State, so no server has one to return. The chosen-prefix collision of
            // CVE-2024-3596 needs one to carry its garbage.
            false if proxy_state => Err(Disbelief::ProxyState),
            false => Ok(()),
        }
    }

    /// Believes a request that is signed as an Accounting-Request is (RFC 5176 section 2.3), or says why not.
    pub fn verify_request(&self, key: &Key, required: Required) -> Result<(), Disbelief> {
        let header = self.whole.first_chunk::<4>().copied().unwrap_or_default();
        let expected: [u8; 16] = Md5::new()
            .chain_update(header)
            .chain_update([0; 16])
            .chain_update(self.attributes)
            .chain_update(key.secret.expose())
            .finalize()
            .into();
        if !bool::from(expected.ct_eq(self.authenticator)) {
            return Err(Disbelief::Authenticator);
        }
        // Made before the Request Authenticator was, with zeros in its place.
        match self.has_right_mac(&[0; 16], key)? {
            false if required == Required::MessageAuthenticator => Err(Disbelief::NoMessageAuthenticator),
            true | false => Ok(()),
        }
    }

    /// `false`: there is no Message-Authenticator. One that is wrong, or one of two, is an error.
    fn has_right_mac(&self, authenticator: &[u8; 16], key: &Key) -> Result<bool, Disbelief> {
        let header = self.whole.first_chunk::<4>().copied().unwrap_or_default();
        let mut mac = None;
        let mut offset = 0;
        for attribute in self.attributes() {
            if attribute.kind == MESSAGE_AUTHENTICATOR_TYPE {
                let value: &[u8; 16] =
                    attribute.value.try_into().map_err(|_| Disbelief::MessageAuthenticator)?;
                if mac.replace((offset, value)).is_some() {
                    return Err(Disbelief::MessageAuthenticator);
                }
            }
            offset += 2 + attribute.value.len();
        }
        let Some((offset, value)) = mac else { return Ok(false) };
        let (before, rest) = self.attributes.split_at_checked(offset + 2).unwrap_or_default();
        let after = rest.get(16..).unwrap_or_default();
        let mut expected = key.mac.clone();
        expected.update(&header);
        expected.update(authenticator);
        expected.update(before);
        expected.update(&[0; 16]);
        expected.update(after);
        if bool::from(expected.finalize().into_bytes().as_slice().ct_eq(value.as_slice())) {
            Ok(true)
        } else {
            Err(Disbelief::MessageAuthenticator)
        }
    }
}

/// What an answer must carry beyond a right Response Authenticator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Required {
    /// Nothing; one that is there must be right all the same.
    Nothing,
    /// A Message-Authenticator.
    MessageAuthenticator,
}

/// Why an answer is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Disbelief {
    /// RFC 2865 section 3: made with another key or for another request.
    #[error("wrong authenticator: another key, or forged")]
    Authenticator,
    /// RFC 3579 section 3.2.
    #[error("wrong Message-Authenticator")]
    MessageAuthenticator,
    /// Required here, since without it an answer can be forged (CVE-2024-3596).
    #[error("no Message-Authenticator, which this server is required to send")]
    NoMessageAuthenticator,
    /// A Proxy-State that was never sent, and no Message-Authenticator to vouch for it.
    #[error("a Proxy-State that was never sent, without a Message-Authenticator")]
    ProxyState,
}

struct Attributes<'a>(&'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<Attribute<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        let (&kind, _) = self.0.split_first()?;
        let attribute = self
            .0
            .split_first_chunk::<2>()
            .and_then(|([_, length], rest)| rest.split_at_checked(usize::from(*length).checked_sub(2)?));
        match attribute {
            Some((value, rest)) => {
                self.0 = rest;
                Some(Ok(Attribute { kind, value }))
            }
            None => {
                self.0 = &[];
                Some(Err(Malformed::Attribute(kind)))
            }
        }
    }
}

/// The shared secret, with the work done that every packet would repeat. Everything in it is wiped on drop.
pub struct Key {
    secret: Secret,
    /// MD5 after the secret: the pads of RFC 2865 section 5.2 and RFC 2548 section 2.4.2 begin so.
    pad: Md5,
    mac: Hmac<Md5>,
}

impl Key {
    /// From the shared secret as configured.
    pub fn new(secret: Secret) -> Self {
        // HMAC takes a key of any length, so the fallback is never used.
        let mac =
            Hmac::<Md5>::new_from_slice(&secret).unwrap_or_else(|_| Hmac::<Md5>::new(&Default::default()));
        let pad = Md5::new().chain_update(secret.expose());
        Self { secret, pad, mac }
    }

    /// One pad of 16 octets: MD5 over the secret and `chain`.
    pub(super) fn pad(&self, chain: &[&[u8]]) -> [u8; 16] {
        let mut digest = self.pad.clone();
        for part in chain {
            digest.update(part);
        }
        digest.finalize().into()
    }

    /// Hides a password (RFC 2865 section 5.2): at most 128 octets, padded with zeros to a multiple of 16.
    pub fn hide_password(&self, password: &[u8], request_authenticator: &[u8; 16]) -> Vec<u8> {
        let mut hidden: Vec<u8> = Vec::with_capacity(password.len().next_multiple_of(16).max(16));
        let mut previous = *request_authenticator;
        let mut chunks = password.chunks(16);
        let mut chunk = chunks.next().unwrap_or_default();
        loop {
            let mut block = self.pad(&[&previous]);
            for (octet, clear) in block.iter_mut().zip(chunk) {
                *octet ^= clear;
            }
            hidden.extend_from_slice(&block);
            previous = block;
            match chunks.next() {
                Some(next) => chunk = next,
                None => return hidden,
            }
        }
    }
}

/// Completes an Access-Request whose first attribute is a Message-Authenticator of zeros: its identifier and the MAC
/// (RFC 3579 section 3.2). A retransmission sends the same octets, so this is done once for each request.
pub fn finish_access_request(packet: &mut [u8], identifier: u8, key: &Key) {
    set_identifier(packet, identifier);
    if let Some(value) = packet.get_mut(FIRST_VALUE) {
        value.fill(0);
    }
    let mac = key.mac.clone().chain_update(&*packet).finalize().into_bytes();
    if let Some(value) = packet.get_mut(FIRST_VALUE) {
        value.copy_from_slice(&mac);
    }
}

/// Completes an Accounting-Request: its code, its identifier and its authenticator (RFC 2866 section 3), which is
/// returned. Message-Authenticator has no place in one (RFC 3579 section 3.3): the authenticator is a digest already.
pub fn finish_accounting_request(packet: &mut [u8], identifier: u8, key: &Key) -> [u8; 16] {
    if let Some(code) = packet.first_mut() {
        *code = Code::AccountingRequest as u8;
    }
    set_identifier(packet, identifier);
    if let Some(authenticator) = packet.get_mut(4..HEADER) {
        authenticator.fill(0);
    }
    let authenticator: [u8; 16] =
        Md5::new().chain_update(&*packet).chain_update(key.secret.expose()).finalize().into();
    if let Some(place) = packet.get_mut(4..HEADER) {
        place.copy_from_slice(&authenticator);
    }
    authenticator
}

/// An answer of ours to the request with this authenticator: a Message-Authenticator, then these attributes, which are
/// encoded already. `None`: it would be too long.
pub(super) fn answer(
    code: u8,
    identifier: u8,
    request_authenticator: &[u8; 16],
    attributes: &[u8],
    key: &Key,
) -> Option<Vec<u8>> {
    let length = HEADER + 18 + attributes.len();
    let octets = u16::try_from(length).ok().filter(|_| length <= MAX_PACKET)?.to_be_bytes();
    let mut packet = Vec::with_capacity(length);
    packet.extend_from_slice(&[code, identifier]);
    packet.extend_from_slice(&octets);
    packet.extend_from_slice(request_authenticator);
    packet.extend_from_slice(&[MESSAGE_AUTHENTICATOR_TYPE, 18]);
    packet.extend_from_slice(&[0; 16]);
    packet.extend_from_slice(attributes);
    let mac = key.mac.clone().chain_update(&packet).finalize().into_bytes();
    packet.get_mut(FIRST_VALUE)?.copy_from_slice(&mac);
    let signature = Md5::new().chain_update(&packet).chain_update(key.secret.expose()).finalize();
    packet.get_mut(4..HEADER)?.copy_from_slice(&signature);
    Some(packet)
}

fn set_identifier(packet: &mut [u8], identifier: u8) {
    if let Some(place) = packet.get_mut(1) {
        *place = identifier;
    }
}

#[cfg(test)]
mod tests;
