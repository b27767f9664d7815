//! MD5-Challenge (RFC 3748 5.4): CHAP in other packets. It proves nothing of the server and leaves no keys.

use zeroize::Zeroizing;

use super::{EapMethod, EapReply, eap_type};
use crate::auth::chap;

/// See the module.
pub(super) struct Md5Challenge {
    password: Zeroizing<Vec<u8>>,
    answered: bool,
}

impl Md5Challenge {
    pub(super) fn new(password: Zeroizing<Vec<u8>>) -> Self {
        Self { password, answered: false }
    }
}

impl EapMethod for Md5Challenge {
    fn kind(&self) -> u8 {
        eap_type::MD5_CHALLENGE
    }

    fn receive(&mut self, identifier: u8, data: &[u8]) -> EapReply {
        match chap::parse_value(data) {
            Some((challenge, _name)) if !challenge.is_empty() => {
                self.answered = true;
                let value = chap::md5_response(identifier, &self.password, challenge);
                EapReply::Respond(chap::encode_value(&value, &[]))
            }
            Some(_) | None => EapReply::Discard,
        }
    }

    fn is_satisfied(&self) -> bool {
        self.answered
    }
}
