//! As much of SMB 2 (\[MS-SMB2\]) as a login needs: NEGOTIATE, SESSION_SETUP, and the signature that proves that the
//! server knows the session's key.
//!
//! Only dialects 2.0.2 and 2.1 are offered: every domain controller speaks them, and what they sign with needs no
//! history of the connection.

use ring::hmac;
use subtle::ConstantTimeEq;

const MAGIC: &[u8; 4] = b"\xfeSMB";
/// Octets of every message before its body (section 2.2.1.2).
const HEADER: usize = 64;
const SIGNATURE: std::ops::Range<usize> = 48..64;

const NEGOTIATE: u16 = 0;
const SESSION_SETUP: u16 = 1;

/// What an answer must belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    /// The first message of a connection.
    Negotiate,
    /// By its number.
    SessionSetup(u64),
}
const FLAG_RESPONSE: u32 = 1;
const FLAG_ASYNC: u32 = 2;
const FLAG_SIGNED: u32 = 8;
const SIGNING_REQUIRED: u8 = 2;
const DIALECTS: [u16; 2] = [0x0202, 0x0210];

/// Section 2.2.6: nobody was logged in, and the server says so beside its success.
const SESSION_IS_GUEST: u16 = 1;
const SESSION_IS_NULL: u16 = 2;

/// Messages that we take at most, in octets.
pub(super) const LONGEST: usize = 1 << 16;

/// Statuses that are no refusals (\[MS-ERREF\] section 2.3).
pub(super) const SUCCESS: u32 = 0;
pub(super) const MORE_PROCESSING_REQUIRED: u32 = 0xc000_0016;
const PENDING: u32 = 0x0000_0103;

/// The server's answer is none, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Malformed(&'static str);

/// The length in front of every message on port 445 (section 2.1).
pub(super) fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap_or(0);
    [&length.to_be_bytes()[..], message].concat()
}

/// Octets of the message that follows.
pub(super) fn length(frame: [u8; 4]) -> Result<usize, Malformed> {
    match usize::try_from(u32::from_be_bytes(frame)) {
        Ok(length) if (HEADER..=LONGEST).contains(&length) => Ok(length),
        _ => Err(Malformed("it answers with a message of an impossible length")),
    }
}

fn header(command: u16, message_id: u64, session: u64) -> Vec<u8> {
    let mut message = MAGIC.to_vec();
    message.extend(64u16.to_le_bytes());
    // One credit is charged, and some are asked for; status.
    message.extend([1, 0, 0, 0, 0, 0]);
    message.extend(command.to_le_bytes());
    message.extend(31u16.to_le_bytes());
    message.extend([0; 8]);
    message.extend(message_id.to_le_bytes());
    message.extend([0; 8]);
    message.extend(session.to_le_bytes());
    message.extend([0; 16]);
    message
}

/// NEGOTIATE Request (section 2.2.3), which insists on signatures.
pub(super) fn negotiate(client: [u8; 16]) -> Vec<u8> {
    let mut message = header(NEGOTIATE, 0, 0);
    message.extend(36u16.to_le_bytes());
    message.extend(u16::try_from(DIALECTS.len()).unwrap_or(0).to_le_bytes());
    message.extend(u16::from(SIGNING_REQUIRED).to_le_bytes());
    message.extend([0; 6]);
    message.extend(client);
    message.extend([0; 8]);
    for dialect in DIALECTS {
        message.extend(dialect.to_le_bytes());
    }
    message
}

/// SESSION_SETUP Request (section 2.2.5).
pub(super) fn session_setup(message_id: u64, session: u64, token: &[u8]) -> Vec<u8> {
    let mut message = header(SESSION_SETUP, message_id, session);
    message.extend(25u16.to_le_bytes());
    message.extend([0, SIGNING_REQUIRED]);
    message.extend([0; 8]);
    message.extend(u16::try_from(HEADER + 24).unwrap_or(0).to_le_bytes());
    message.extend(u16::try_from(token.len()).unwrap_or(0).to_le_bytes());
    message.extend([0; 8]);
    message.extend(token);
    message
}

/// An answer to one of our questions.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    message: Vec<u8>,
    pub(super) status: u32,
    pub(super) session: u64,
    flags: u32,
}

impl Answer {
    /// `None`: the server only says that its answer takes longer.
    pub(super) fn parse(message: Vec<u8>, question: Question) -> Result<Option<Self>, Malformed> {
        if message.len() < HEADER || !message.starts_with(MAGIC) {
            let old = message.starts_with(b"\xffSMB");
            return Err(Malformed(if old { "it speaks SMB 1 only" } else { "it does not speak SMB" }));
        }
        let broken = Malformed("its answer is malformed");
        let status = u32_at(&message, 8).ok_or(broken)?;
        let flags = u32_at(&message, 16).ok_or(broken)?;
        let session = chunk(&message, 40).map(u64::from_le_bytes).ok_or(broken)?;
        let (command, message_id) = match question {
            Question::Negotiate => (NEGOTIATE, 0),
            Question::SessionSetup(number) => (SESSION_SETUP, number),
        };
        if u16_at(&message, 12) != Some(command)
            || chunk(&message, 24).map(u64::from_le_bytes) != Some(message_id)
            || flags & FLAG_RESPONSE == 0
        {
            return Err(Malformed("its answer belongs to no question of ours"));
        }
        if status == PENDING && flags & FLAG_ASYNC != 0 {
            return Ok(None);
        }
        let dialect = u16_at(&message, HEADER + 4);
        if question == Question::Negotiate
            && status == SUCCESS
            && !dialect.is_some_and(|dialect| DIALECTS.contains(&dialect))
        {
            return Err(Malformed("it speaks none of SMB 2.0.2 and 2.1"));
        }
        Ok(Some(Self { message, status, session, flags }))
    }

    /// The server's token.
    pub(super) fn token(&self) -> Result<&[u8], Malformed> {
        let broken = Malformed("its answer holds no token where it says");
        let offset = usize::from(u16_at(&self.message, HEADER + 4).ok_or(broken)?);
        let length = usize::from(u16_at(&self.message, HEADER + 6).ok_or(broken)?);
        if offset < HEADER + 8 {
            return Err(broken);
        }
        self.message.get(offset..offset + length).ok_or(broken)
    }

    /// True when the server let somebody in without knowing whom.
    pub(super) fn is_nobody(&self) -> bool {
        u16_at(&self.message, HEADER + 2)
            .is_none_or(|flags| flags & (SESSION_IS_GUEST | SESSION_IS_NULL) != 0)
    }

    /// The signature (section 3.1.4.1): HMAC-SHA-256 over the message with the signature's place empty, cut to 16
    /// octets. Only who knows the password, or was told the key by one who does, can make it.
    pub(super) fn is_signed_with(&self, key: &[u8; 16]) -> bool {
        let mut unsigned = self.message.clone();
        let Some(place) = unsigned.get_mut(SIGNATURE) else { return false };
        let mut claimed = [0; 16];
        claimed.copy_from_slice(place);
        place.fill(0);
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), &unsigned);
        let right = tag.as_ref().get(..16).is_some_and(|tag| tag.ct_eq(&claimed).into());
        self.flags & FLAG_SIGNED != 0 && right
    }
}

fn chunk<const N: usize>(octets: &[u8], at: usize) -> Option<[u8; N]> {
    octets.get(at..)?.first_chunk().copied()
}

fn u16_at(octets: &[u8], at: usize) -> Option<u16> {
    chunk(octets, at).map(u16::from_le_bytes)
}

fn u32_at(octets: &[u8], at: usize) -> Option<u32> {
    chunk(octets, at).map(u32::from_le_bytes)
}

#[cfg(test)]
mod tests;
