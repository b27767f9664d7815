//! The text of an MS-CHAP Failure packet (RFC 2433 7, RFC 2759 6): `E=691 R=1 C=<challenge> V=3 M=<text>`.

use std::fmt::Write;

/// The longest `M=` text that is sent, in octets.
const LONGEST_TEXT: usize = 160;
/// Version of the change-password protocol (RFC 2759 6); clients of version 1 take it too.
const VERSION: u8 = 3;

/// The error that tells of an expired password (RFC 2759 6).
pub(super) const PASSWORD_EXPIRED: u32 = 648;

/// The text of a Failure packet with the challenge for the next attempt.
pub(super) fn encode(code: u32, retry: bool, challenge: &[u8], message: &[u8]) -> Vec<u8> {
    let mut text = format!("E={code} R={} C=", u8::from(retry));
    for octet in challenge {
        // Writing to a String cannot fail.
        let _ = write!(text, "{octet:02X}");
    }
    let _ = write!(text, " V={VERSION} M=");
    let mut text = text.into_bytes();
    let message = message.get(..message.len().min(LONGEST_TEXT)).unwrap_or_default();
    text.extend(message.iter().map(|&octet| if octet.is_ascii_control() { b' ' } else { octet }));
    text
}

/// What a client reads in a Failure packet.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) code: Option<u32>,
    pub(super) retry: bool,
    /// For the next answer, where it has the size that version 2 wants.
    pub(super) challenge: Option<[u8; 16]>,
    pub(super) message: Vec<u8>,
}

/// Reads the text field by field; a server that writes something else altogether has all of it taken as message.
pub(super) fn decode(text: &[u8]) -> Failure {
    let (fields, message) = match text.windows(2).position(|pair| pair == b"M=") {
        Some(at) => (text.get(..at).unwrap_or_default(), text.get(at + 2..).unwrap_or_default()),
        None => (text, &[][..]),
    };
    let field = |name: &[u8]| {
        fields
            .split(|&octet| octet == b' ')
            .find_map(|word| word.strip_prefix(name))
            .and_then(|value| std::str::from_utf8(value).ok())
    };
    let code = field(b"E=").and_then(|digits| digits.parse().ok());
    let retry = field(b"R=") == Some("1");
    let challenge = field(b"C=").and_then(challenge);
    let message = if code.is_none() && message.is_empty() { text } else { message };
    Failure { code, retry, challenge, message: message.to_vec() }
}

/// Thirty-two hexadecimal digits.
fn challenge(digits: &str) -> Option<[u8; 16]> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let mut challenge = [0; 16];
    if pairs.len() != challenge.len() || !rest.is_empty() {
        return None;
    }
    for (place, [high, low]) in challenge.iter_mut().zip(pairs) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        *place = u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()?;
    }
    Some(challenge)
}

#[cfg(test)]
mod tests;
