//! What may follow a right password: a second factor, and the word of another server on what the session gets.

use std::sync::Arc;

use super::{LoginOutcome, question, told};
use crate::backend::AuthRequest;
use crate::credentials::Credentials;
use crate::group::{ServerGroup, WhenDead};
use crate::matrix::{self, MatrixCell};
use crate::request::LoginRequest;
use crate::secret::Secret;
use crate::verdict::{RejectReason, Unavailable, Verdict};

/// `secondary-authentication-server-group`: the password field holds `password,code`, and both must be right.
#[derive(Clone)]
pub struct SecondFactor {
    /// Who checks the code. It never falls back to LOCAL: without the server nobody comes in.
    pub server_group: Arc<ServerGroup>,
    /// Stands between password and code; the last one in the field counts.
    pub separator: char,
}

impl SecondFactor {
    /// The two factors in the password field.
    pub(super) fn split(&self, credentials: &Credentials) -> Result<[Credentials; 2], RejectReason> {
        let Credentials::Pap { password: field } = credentials else {
            let cell =
                MatrixCell { server_type: self.server_group.server_type(), method: credentials.method() };
            return Err(RejectReason::NotAllowed(cell));
        };
        let mut octets = [0; 4];
        let separator = self.separator.encode_utf8(&mut octets).as_bytes();
        let place = field.windows(separator.len()).rposition(|window| window == separator);
        let halves =
            place.and_then(|place| Some((field.get(..place)?, field.get(place + separator.len()..)?)));
        match halves {
            Some((password, code)) if !code.is_empty() => {
                Ok([password, code].map(|half| Credentials::Pap { password: Secret::from(half) }))
            }
            Some(_) | None => Err(RejectReason::SecondFactorMissing(self.separator)),
        }
    }

    /// Asks for the second factor of a login whose first was right; what the first answer gave stays.
    pub(super) async fn ask(
        &self,
        request: &LoginRequest,
        code: &Credentials,
        first: LoginOutcome,
    ) -> LoginOutcome {
        let group = &self.server_group;
        let method = super::presented(group.server_type(), code.method());
        if !matrix::allows(group.server_type(), method) {
            let cell = MatrixCell { server_type: group.server_type(), method };
            return first.refused(RejectReason::NotAllowed(cell));
        }
        let question = question(request, code, &first.name, &first.tunnel_group);
        let second = told(group, &question, group.ask(&question, WhenDead::KeepTrying).await);
        let round_trip = first.round_trip + second.round_trip;
        match second.verdict {
            Verdict::Accept(_) => LoginOutcome { round_trip, ..first },
            Verdict::Unavailable(silence) => {
                let why = format!("second factor: {}", silence.why);
                let verdict = Verdict::Unavailable(Unavailable::new(silence.layer, why));
                LoginOutcome { verdict, round_trip, continuation: None, ..second }
            }
            Verdict::Reject(_) | Verdict::Challenge(_) => {
                LoginOutcome { round_trip, continuation: None, ..second }
            }
        }
    }
}

/// `authorization-server-group`: asks what the session of an accepted user gets. A refusal there is a refusal.
pub(super) async fn authorize(
    group: &Arc<ServerGroup>,
    question: &AuthRequest<'_>,
    accepted: LoginOutcome,
) -> LoginOutcome {
    let Verdict::Accept(own) = &accepted.verdict else { return accepted };
    let answer = told(group, question, group.ask_to_authorize(question).await);
    let round_trip = accepted.round_trip + answer.round_trip;
    match answer.verdict {
        Verdict::Accept(more) => {
            let verdict = Verdict::Accept(Box::new(more.over((**own).clone())));
            LoginOutcome { verdict, round_trip, ..accepted }
        }
        Verdict::Unavailable(silence) => {
            let why = format!("authorization: {}", silence.why);
            let verdict = Verdict::Unavailable(Unavailable::new(silence.layer, why));
            LoginOutcome { verdict, round_trip, ..answer }
        }
        Verdict::Reject(_) | Verdict::Challenge(_) => {
            LoginOutcome { round_trip, continuation: None, ..answer }
        }
    }
}

#[cfg(test)]
mod tests;
