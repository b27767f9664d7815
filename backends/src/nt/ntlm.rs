//! NTLM version 2 (\[MS-NLMP\]): the three messages, and the session key that both ends have when they agree.

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use rc4::{Rc4, StreamCipher};
use tollgate_mschap::NtHash;
use zeroize::{Zeroize, Zeroizing};

/// What every message begins with (section 2.2.1).
const SIGNATURE: &[u8; 8] = b"NTLMSSP\0";

/// Section 2.2.2.5: Unicode, target name, NTLM, signing, extended session security, target info, version, 128 bit, key
/// exchange.
const FLAGS: u32 = 0x0000_0001
    | 0x0000_0004
    | 0x0000_0010
    | 0x0000_0200
    | 0x0000_8000
    | 0x0008_0000
    | 0x0080_0000
    | 0x0200_0000
    | 0x2000_0000
    | 0x4000_0000;
const EXTENDED_SESSION_SECURITY: u32 = 0x0008_0000;
const KEY_EXCHANGE: u32 = 0x4000_0000;

/// A version to be named (section 2.2.2.10); only its last octet, the revision of NTLM, means anything.
const VERSION: [u8; 8] = [10, 0, 0, 0, 0, 0, 0, 15];

/// Octets of an AUTHENTICATE message before its payload, the check of its integrity among them.
const AUTHENTICATE_HEADER: usize = 88;
const MIC: std::ops::Range<usize> = 72..88;

/// Attributes of the server (section 2.2.2.1).
const END: u16 = 0;
const COMPUTER_NAME: u16 = 1;
const FLAGS_ATTRIBUTE: u16 = 6;
const TIMESTAMP: u16 = 7;
/// In [`FLAGS_ATTRIBUTE`]: the AUTHENTICATE message carries a check of all three.
const WITH_MIC: u32 = 2;

/// The server's answer is no CHALLENGE message, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Malformed(&'static str);

/// NEGOTIATE (section 2.2.1.1): what we can do.
pub(super) fn negotiate() -> Vec<u8> {
    let mut message = SIGNATURE.to_vec();
    message.extend(1u32.to_le_bytes());
    message.extend(FLAGS.to_le_bytes());
    message.extend([0; 16]);
    message.extend(VERSION);
    message
}

/// CHALLENGE (section 2.2.1.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Challenge {
    message: Vec<u8>,
    flags: u32,
    nonce: [u8; 8],
    attributes: Vec<(u16, Vec<u8>)>,
}

impl Challenge {
    pub(super) fn parse(message: &[u8]) -> Result<Self, Malformed> {
        if !message.starts_with(SIGNATURE) || u32_at(message, 8) != Some(2) {
            return Err(Malformed("it answers with no NTLM challenge"));
        }
        let flags = u32_at(message, 20).ok_or(Malformed("its NTLM challenge ends early"))?;
        let nonce = chunk(message, 24).ok_or(Malformed("its NTLM challenge ends early"))?;
        let length = u16_at(message, 40).ok_or(Malformed("its NTLM challenge has no target information"))?;
        let offset = u32_at(message, 44).ok_or(Malformed("its NTLM challenge has no target information"))?;
        let offset = usize::try_from(offset).map_err(|_| Malformed("its NTLM challenge is malformed"))?;
        let attributes = offset
            .checked_add(length.into())
            .and_then(|end| message.get(offset..end))
            .ok_or(Malformed("the target information of its NTLM challenge lies outside of it"))?;
        if flags & EXTENDED_SESSION_SECURITY == 0 {
            return Err(Malformed("it does not speak NTLM version 2"));
        }
        let attributes = split(attributes)?;
        Ok(Self { message: message.to_vec(), flags, nonce, attributes })
    }

    /// The NetBIOS name of the server.
    pub(super) fn computer_name(&self) -> Option<String> {
        let units = self.attribute(COMPUTER_NAME)?.chunks_exact(2).map(|pair| match pair {
            [low, high] => u16::from_le_bytes([*low, *high]),
            _ => 0,
        });
        Some(char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
    }

    fn attribute(&self, wanted: u16) -> Option<&[u8]> {
        self.attributes.iter().find(|(kind, _)| *kind == wanted).map(|(_, value)| value.as_slice())
    }

    /// The attributes as the proof covers them: those of the server, and that our message carries its own check.
    fn proven_attributes(&self) -> Vec<u8> {
        let mut octets = Vec::new();
        let mut put = |kind: u16, value: &[u8]| {
            octets.extend(kind.to_le_bytes());
            octets.extend(u16::try_from(value.len()).unwrap_or(0).to_le_bytes());
            octets.extend(value);
        };
        for (kind, value) in &self.attributes {
            if *kind != FLAGS_ATTRIBUTE {
                put(*kind, value);
            }
        }
        put(FLAGS_ATTRIBUTE, &WITH_MIC.to_le_bytes());
        put(END, &[]);
        octets
    }
}

fn split(mut octets: &[u8]) -> Result<Vec<(u16, Vec<u8>)>, Malformed> {
    let mut attributes = Vec::new();
    loop {
        let (Some(kind), Some(length)) = (u16_at(octets, 0), u16_at(octets, 2)) else {
            return Err(Malformed("the target information of its NTLM challenge has no end"));
        };
        if kind == END {
            return Ok(attributes);
        }
        let end = 4 + usize::from(length);
        let value = octets.get(4..end).ok_or(Malformed("its target information is cut off"))?;
        attributes.push((kind, value.to_vec()));
        octets = octets.get(end..).unwrap_or_default();
    }
}

/// Who logs in, and what nobody can guess.
pub(super) struct Account<'a> {
    pub(super) user: &'a str,
    /// Empty where the user name says it (`user@domain`).
    pub(super) domain: &'a str,
    pub(super) hash: &'a NtHash,
    /// Fresh for each login.
    pub(super) client_nonce: [u8; 8],
    /// Fresh for each login: what the session is signed with.
    pub(super) session_key: Zeroizing<[u8; 16]>,
    /// 100 ns since 1601, for servers that do not tell their own time.
    pub(super) now: u64,
}

/// AUTHENTICATE (section 2.2.1.3) and the key of the session.
pub(super) fn authenticate(
    negotiate: &[u8],
    challenge: &Challenge,
    account: &Account<'_>,
) -> (Vec<u8>, Zeroizing<[u8; 16]>) {
    // NTOWFv2 (section 3.3.2).
    let identity = utf16(&(upper(account.user) + account.domain));
    let key = Zeroizing::new(hmac_md5(account.hash.as_bytes(), &[&identity]));
    let time = challenge.attribute(TIMESTAMP).and_then(|value| chunk(value, 0));
    let time: [u8; 8] = time.unwrap_or_else(|| account.now.to_le_bytes());
    let attributes = challenge.proven_attributes();
    let blob =
        [&[1, 1, 0, 0, 0, 0, 0, 0][..], &time, &account.client_nonce, &[0; 4], &attributes, &[0; 4]].concat();
    let proof = hmac_md5(&*key, &[&challenge.nonce, &blob]);
    let base = Zeroizing::new(hmac_md5(&*key, &[&proof]));

    let flags = challenge.flags & FLAGS;
    let (session_key, sealed) = if flags & KEY_EXCHANGE == 0 {
        (base, Vec::new())
    } else {
        let mut sealed = account.session_key.to_vec();
        if let Ok(mut cipher) = Rc4::new_from_slice(&*base) {
            cipher.apply_keystream(&mut sealed);
        }
        (account.session_key.clone(), sealed)
    };

    let mut message = SIGNATURE.to_vec();
    message.extend(3u32.to_le_bytes());
    let mut payload = Vec::new();
    // An LM response of zeros: the proof is in the other one (section 3.1.5.1.2).
    let parts: [&[u8]; 6] = [
        &[0; 24],
        &[&proof[..], &blob].concat(),
        &utf16(account.domain),
        &utf16(account.user),
        &utf16("TOLLGATE"),
        &sealed,
    ];
    for part in parts {
        let length = u16::try_from(part.len()).unwrap_or(0);
        let offset = u32::try_from(AUTHENTICATE_HEADER + payload.len()).unwrap_or(0);
        message.extend(length.to_le_bytes());
        message.extend(length.to_le_bytes());
        message.extend(offset.to_le_bytes());
        payload.extend_from_slice(part);
    }
    message.extend(flags.to_le_bytes());
    message.extend(VERSION);
    message.extend([0; 16]);
    message.append(&mut payload);
    let check = hmac_md5(&*session_key, &[negotiate, &challenge.message, &message]);
    if let Some(place) = message.get_mut(MIC) {
        place.copy_from_slice(&check);
    }
    (message, session_key)
}

/// One character for one character, as Windows does it: names must not become longer.
fn upper(text: &str) -> String {
    text.chars()
        .map(|character| {
            let mut upper = character.to_uppercase();
            match (upper.next(), upper.next()) {
                (Some(one), None) => one,
                _ => character,
            }
        })
        .collect()
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn hmac_md5(key: &[u8], parts: &[&[u8]]) -> [u8; 16] {
    // HMAC takes a key of any length.
    let Ok(mut mac) = Hmac::<Md5>::new_from_slice(key) else { return [0; 16] };
    for part in parts {
        mac.update(part);
    }
    let mut digest = mac.finalize().into_bytes();
    let copy = digest.into();
    digest.zeroize();
    copy
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
