//! Microsoft's attributes (RFC 2548), vendor 311.

use std::net::Ipv4Addr;

use radius::core::avp::AVP;
use radius::core::packet::Packet;
use tollgate_aaa::{Credentials, MppeKeys, MsChapError, Secret};
use zeroize::Zeroizing;

use super::answer::Unusable;
use super::packet::Key;

/// Private enterprise number.
pub const VENDOR: u32 = 311;

const MS_CHAP_RESPONSE: u8 = 1;
const MS_CHAP_ERROR: u8 = 2;
const MS_CHAP_NT_ENC_PW: u8 = 6;
const MS_MPPE_ENCRYPTION_POLICY: u8 = 7;
const MS_MPPE_ENCRYPTION_TYPES: u8 = 8;
const MS_CHAP_CHALLENGE: u8 = 11;
const MS_CHAP_MPPE_KEYS: u8 = 12;
const MS_MPPE_SEND_KEY: u8 = 16;
const MS_MPPE_RECV_KEY: u8 = 17;
const MS_CHAP2_RESPONSE: u8 = 25;
const MS_CHAP2_SUCCESS: u8 = 26;
const MS_CHAP2_CPW: u8 = 27;
const MS_PRIMARY_DNS_SERVER: u8 = 28;
const MS_SECONDARY_DNS_SERVER: u8 = 29;
const MS_PRIMARY_NBNS_SERVER: u8 = 30;
const MS_SECONDARY_NBNS_SERVER: u8 = 31;

/// Codes in front of MS-CHAP-NT-Enc-PW and MS-CHAP2-CPW (sections 2.1 and 2.3.4).
const NEW_PASSWORD: u8 = 6;
const CHANGE_PASSWORD: u8 = 7;

/// Octets of the new password that one MS-CHAP-NT-Enc-PW carries behind code, identifier and sequence number.
const LONGEST_PIECE: usize = 243;

/// MS-CHAP-Challenge with MS-CHAP-Response (section 2.1.3), MS-CHAP2-Response (section 2.3.2) or, for a new password,
/// MS-CHAP2-CPW and MS-CHAP-NT-Enc-PW (sections 2.3.4 and 2.1). Nothing for other credentials.
pub(super) fn add_response(packet: &mut Packet, credentials: &Credentials) {
    match credentials {
        Credentials::MsChapV1 { identifier, challenge, lm_response, nt_response, use_nt } => {
            packet.add(super::vendor_attribute(VENDOR, MS_CHAP_CHALLENGE, &[challenge]));
            let header = [*identifier, u8::from(*use_nt)];
            packet.add(response(MS_CHAP_RESPONSE, &[&header, lm_response, nt_response]));
        }
        Credentials::MsChapV2 { identifier, authenticator_challenge, peer_challenge, nt_response, flags } => {
            packet.add(super::vendor_attribute(VENDOR, MS_CHAP_CHALLENGE, &[authenticator_challenge]));
            let header = [*identifier, *flags];
            packet.add(response(MS_CHAP2_RESPONSE, &[&header, peer_challenge, &[0; 8], nt_response]));
        }
        Credentials::PasswordChange {
            identifier,
            authenticator_challenge,
            encrypted_password,
            encrypted_hash,
            peer_challenge,
            nt_response,
            flags,
        } => {
            packet.add(super::vendor_attribute(VENDOR, MS_CHAP_CHALLENGE, &[authenticator_challenge]));
            let header = [CHANGE_PASSWORD, *identifier];
            let parts: [&[u8]; 6] = [&header, encrypted_hash, peer_challenge, &[0; 8], nt_response, flags];
            packet.add(super::vendor_attribute(VENDOR, MS_CHAP2_CPW, &parts));
            for (sequence, piece) in (1u16..).zip(encrypted_password.chunks(LONGEST_PIECE)) {
                let header = [NEW_PASSWORD, *identifier];
                let parts: [&[u8]; 3] = [&header, &sequence.to_be_bytes(), piece];
                packet.add(super::vendor_attribute(VENDOR, MS_CHAP_NT_ENC_PW, &parts));
            }
        }
        Credentials::Pap { .. } | Credentials::Chap { .. } | Credentials::Eap { .. } => {}
    }
}

fn response(kind: u8, parts: &[&[u8]]) -> AVP {
    super::vendor_attribute(VENDOR, kind, parts)
}

/// What an answer's Microsoft attributes said.
#[derive(Default)]
pub(super) struct Microsoft {
    pub(super) error: Option<MsChapError>,
    pub(super) success: Option<Vec<u8>>,
    pub(super) dns: [Option<Ipv4Addr>; 2],
    pub(super) nbns: [Option<Ipv4Addr>; 2],
    pub(super) mppe: Option<MppeKeys>,
}

impl Microsoft {
    /// Takes one attribute in. Unknown ones say nothing.
    pub(super) fn take(
        &mut self,
        kind: u8,
        value: &[u8],
        request_authenticator: &[u8; 16],
        key: &Key,
    ) -> Result<(), Unusable> {
        let [primary_dns, secondary_dns] = &mut self.dns;
        let [primary_nbns, secondary_nbns] = &mut self.nbns;
        match kind {
            MS_CHAP_ERROR => self.error = Some(parse_error(value)),
            MS_CHAP2_SUCCESS => self.success = Some(parse_success(value)?),
            MS_MPPE_ENCRYPTION_POLICY => {
                self.keys().policy = Some(super::answer::integer("MS-MPPE-Encryption-Policy", value)?);
            }
            MS_MPPE_ENCRYPTION_TYPES => {
                self.keys().types = Some(super::answer::integer("MS-MPPE-Encryption-Types", value)?);
            }
            MS_CHAP_MPPE_KEYS => {
                let clear = unhide_chap_keys(value, request_authenticator, key)?;
                let keys = self.keys();
                keys.lm_key = clear.get(..8).map(Secret::from);
                keys.nt_key = clear.get(8..24).map(Secret::from);
            }
            MS_MPPE_SEND_KEY => {
                self.keys().send = Some(unwrap_key("MS-MPPE-Send-Key", value, request_authenticator, key)?);
            }
            MS_MPPE_RECV_KEY => {
                self.keys().receive =
                    Some(unwrap_key("MS-MPPE-Recv-Key", value, request_authenticator, key)?);
            }
            MS_PRIMARY_DNS_SERVER => *primary_dns = address("MS-Primary-DNS-Server", value)?,
            MS_SECONDARY_DNS_SERVER => *secondary_dns = address("MS-Secondary-DNS-Server", value)?,
            MS_PRIMARY_NBNS_SERVER => *primary_nbns = address("MS-Primary-NBNS-Server", value)?,
            MS_SECONDARY_NBNS_SERVER => *secondary_nbns = address("MS-Secondary-NBNS-Server", value)?,
            _ => {}
        }
        Ok(())
    }

    fn keys(&mut self) -> &mut MppeKeys {
        self.mppe.get_or_insert_default()
    }
}

/// 0.0.0.0 names no server.
fn address(name: &'static str, value: &[u8]) -> Result<Option<Ipv4Addr>, Unusable> {
    super::answer::address(name, value)
        .map(|address| Some(address).filter(|address| !address.is_unspecified()))
}

/// Section 2.3.3: an identifier octet, then `S=` and 40 hexadecimal digits, perhaps with a message behind.
fn parse_success(value: &[u8]) -> Result<Vec<u8>, Unusable> {
    let proof = match value {
        [_identifier, proof @ ..] => proof,
        [] => &[],
    };
    let digits = proof.strip_prefix(b"S=").and_then(|digits| digits.get(..40)).unwrap_or_default();
    if digits.len() == 40 && digits.iter().all(u8::is_ascii_hexdigit) {
        Ok(proof.to_vec())
    } else {
        Err(Unusable::Value("MS-CHAP2-Success"))
    }
}

/// Section 2.1.5: an identifier octet, then `E=691 R=1 C=... V=3 M=text`. Everything but `E` may be missing; what
/// cannot be read is as good as missing, for the verdict is a reject all the same.
pub fn parse_error(value: &[u8]) -> MsChapError {
    let text = match value {
        // Some servers leave the identifier out.
        [b'E', b'=', ..] => value,
        [_identifier, text @ ..] => text,
        [] => value,
    };
    let text = String::from_utf8_lossy(text);
    let (fields, message) = match text.split_once("M=") {
        Some((fields, message)) => (fields, Some(message.trim_end_matches('\0').to_owned())),
        None => (&*text, None),
    };
    let mut error = MsChapError {
        message: message.filter(|text| !text.is_empty()),
        ..MsChapError::from_code(691, false)
    };
    for field in fields.split_ascii_whitespace() {
        match field.split_once('=') {
            Some(("E", code)) => error.code = code.parse().unwrap_or(error.code),
            Some(("R", retry)) => error.retry = retry == "1",
            Some(("C", challenge)) => error.challenge = hexadecimal(challenge),
            Some(("V", version)) => error.version = version.parse().ok(),
            Some(_) | None => {}
        }
    }
    error
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let octets: Option<Vec<u8>> = text
        .as_bytes()
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => {
                let digit = |digit: u8| char::from(digit).to_digit(16);
                u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()
            }
            _ => None,
        })
        .collect();
    octets.filter(|octets| octets.len() == 8 || octets.len() == 16)
}

/// Section 2.4.1: 24 octets of keys and 8 of padding, hidden like a User-Password.
fn unhide_chap_keys(
    value: &[u8],
    request_authenticator: &[u8; 16],
    key: &Key,
) -> Result<Zeroizing<[u8; 32]>, Unusable> {
    let mut clear = Zeroizing::new([0; 32]);
    if value.len() != clear.len() {
        return Err(Unusable::Length { name: "MS-CHAP-MPPE-Keys", octets: value.len() });
    }
    unhide(value, &[request_authenticator], key, clear.as_mut_slice());
    Ok(clear)
}

/// Section 2.4.2: a salt of 2 octets, then, hidden, a length octet, the key and padding to a multiple of 16.
fn unwrap_key(
    name: &'static str,
    value: &[u8],
    request_authenticator: &[u8; 16],
    key: &Key,
) -> Result<Secret, Unusable> {
    let length = Unusable::Length { name, octets: value.len() };
    let (salt, hidden) = value.split_first_chunk::<2>().ok_or(length)?;
    if hidden.is_empty() || !hidden.len().is_multiple_of(16) {
        return Err(length);
    }
    let mut clear = Zeroizing::new(vec![0; hidden.len()]);
    unhide(hidden, &[request_authenticator, salt], key, &mut clear);
    match clear.split_first() {
        Some((&length, rest)) => {
            rest.get(..usize::from(length)).map(Secret::from).ok_or(Unusable::Value(name))
        }
        None => Err(length),
    }
}

/// The pads are MD5 over the secret and the previous hidden block, `first` before there is one.
fn unhide(hidden: &[u8], first: &[&[u8]], key: &Key, clear: &mut [u8]) {
    let mut pad = Zeroizing::new(key.pad(first));
    for (hidden, clear) in hidden.chunks(16).zip(clear.chunks_mut(16)) {
        for ((clear, hidden), pad) in clear.iter_mut().zip(hidden).zip(pad.iter()) {
            *clear = hidden ^ pad;
        }
        *pad = key.pad(&[hidden]);
    }
}

#[cfg(test)]
mod tests;
