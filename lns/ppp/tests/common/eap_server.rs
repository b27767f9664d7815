//! An EAP server that knows one user: MD5-Challenge, EAP-MSCHAPv2, and as many rounds of talk before as a test wants.

use std::time::Duration;

use tollgate_mschap::{NtHash, generate_authenticator_response, verify_nt_response_v2};
use tollgate_ppp::MppeStartKeys;
use tollgate_ppp::{AuthDecision, AuthRequest, Proof, eap_type};

use super::{PASSWORD, USER, network, v2_keys};

pub struct EapServer {
    /// The methods it offers, one after the other as they are refused.
    pub types: Vec<u8>,
    /// Notifications before the first method.
    pub talk: u32,
    /// Octets of each notification.
    pub notification: usize,
    /// It does not know the password.
    pub impostor: bool,
    /// It leaves the packet of its verdict to the link.
    pub silent: bool,
    pub timeout: Option<Duration>,
    /// Responses that it was handed.
    pub seen: Vec<Vec<u8>>,
    identifier: u8,
    challenge: [u8; 16],
    refused: bool,
    /// What a login by MS-CHAPv2 leaves.
    pub keys: Option<MppeStartKeys>,
}

impl Default for EapServer {
    fn default() -> Self {
        Self {
            types: vec![eap_type::MSCHAP_V2],
            talk: 0,
            notification: 20,
            impostor: false,
            silent: false,
            timeout: None,
            seen: Vec::new(),
            identifier: 0,
            challenge: *b"sixteen octets!!",
            refused: false,
            keys: None,
        }
    }
}

pub fn packet(code: u8, identifier: u8, data: &[u8]) -> Vec<u8> {
    let mut packet = vec![code, identifier];
    packet.extend_from_slice(&u16::try_from(4 + data.len()).unwrap().to_be_bytes());
    packet.extend_from_slice(data);
    packet
}

impl EapServer {
    pub fn decide(&mut self, request: &AuthRequest) -> AuthDecision {
        let Proof::Eap { packet } = &request.proof else { panic!("not EAP") };
        assert_eq!(request.name, USER.as_bytes());
        assert_eq!(packet[0], 2);
        assert_eq!(usize::from(u16::from_be_bytes([packet[2], packet[3]])), packet.len());
        self.seen.push(packet.clone());
        self.identifier = packet[1];
        let data = &packet[5..];
        match packet[4] {
            eap_type::IDENTITY | eap_type::NOTIFICATION if self.talk > 0 => {
                self.talk -= 1;
                let mut text = vec![eap_type::NOTIFICATION];
                text.resize(1 + self.notification, b'a' + (self.talk % 26) as u8);
                self.request(&text)
            }
            eap_type::IDENTITY | eap_type::NOTIFICATION => self.begin(),
            eap_type::NAK => {
                self.types.remove(0);
                match self.types.first() {
                    Some(kind) if data.contains(kind) => self.begin(),
                    _ => self.verdict(false),
                }
            }
            eap_type::MD5_CHALLENGE => {
                use md5::Digest;
                let mut hasher = md5::Md5::new();
                hasher.update([self.identifier]);
                hasher.update(PASSWORD);
                hasher.update(self.challenge);
                let right = data[0] == 16 && hasher.finalize().as_slice() == &data[1..17];
                self.verdict(right)
            }
            eap_type::MSCHAP_V2 => self.mschap_v2(data),
            other => panic!("type {other}"),
        }
    }

    fn request(&mut self, data: &[u8]) -> AuthDecision {
        self.identifier = self.identifier.wrapping_add(1);
        AuthDecision::Continue { packet: packet(1, self.identifier, data), timeout: self.timeout }
    }

    fn begin(&mut self) -> AuthDecision {
        let mut value = vec![16];
        value.extend_from_slice(&self.challenge);
        value.extend_from_slice(b"radius");
        match self.types[0] {
            eap_type::MD5_CHALLENGE => {
                value.insert(0, eap_type::MD5_CHALLENGE);
                self.request(&value)
            }
            eap_type::MSCHAP_V2 => self.ms(1, &value),
            other => self.request(&[other, 0x20]),
        }
    }

    fn ms(&mut self, code: u8, value: &[u8]) -> AuthDecision {
        let mut data = packet(code, 77, value);
        data.insert(0, eap_type::MSCHAP_V2);
        self.request(&data)
    }

    fn mschap_v2(&mut self, data: &[u8]) -> AuthDecision {
        match data {
            [3] => self.verdict(!self.refused),
            [4] => self.verdict(false),
            _ => {
                assert_eq!((data[0], data[1]), (2, 77));
                assert_eq!(usize::from(u16::from_be_bytes([data[2], data[3]])), data.len());
                let value = &data[5..54];
                assert_eq!(&data[54..], USER.as_bytes());
                let peer: [u8; 16] = value[..16].try_into().unwrap();
                let response: [u8; 24] = value[24..48].try_into().unwrap();
                let hash = NtHash::from_password(if self.impostor { "guess" } else { PASSWORD });
                let user = USER.as_bytes();
                if !self.impostor && !verify_nt_response_v2(&self.challenge, &peer, user, &hash, &response) {
                    self.refused = true;
                    return self.ms(4, b"E=691 R=0 C=00112233445566778899AABBCCDDEEFF V=3 M=Access denied");
                }
                self.keys = Some(v2_keys(&response));
                let proof = generate_authenticator_response(&hash, &response, &peer, &self.challenge, user);
                self.ms(3, format!("{proof} M=Welcome").as_bytes())
            }
        }
    }

    fn verdict(&mut self, accepted: bool) -> AuthDecision {
        let code = if accepted { 3 } else { 4 };
        let message = if self.silent { Vec::new() } else { packet(code, self.identifier, &[]) };
        match accepted {
            true => AuthDecision::Accept { message, network: network(), encryption: None },
            false => AuthDecision::Reject { message, code: 691, retry: true },
        }
    }
}
