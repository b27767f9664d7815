//! A login in several rounds: EAP goes to and fro between peer and server until the server has decided.
//!
//! What the first round chose holds for all: the tunnel group, the name, the server group and the one server in it that
//! knows the conversation. A reload in between changes none of it.

use std::sync::Arc;

use crate::backend::AuthRequest;
use crate::credentials::Credentials;
use crate::group::{GroupAnswer, ServerGroup};
use crate::request::SessionContext;
use crate::verdict::Verdict;

use super::{LoginOutcome, factors, log_outcome, told};

/// Who takes the next response of a peer.
#[derive(Clone)]
pub struct Continuation {
    group: Arc<ServerGroup>,
    member: usize,
    tunnel_group: String,
    name: Vec<u8>,
    typed_name: Vec<u8>,
    state: Vec<u8>,
    authorization: Option<Arc<ServerGroup>>,
}

impl std::fmt::Debug for Continuation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Continuation({}, server {})", self.group.name(), self.member)
    }
}

impl Continuation {
    pub(super) fn of(
        group: &Arc<ServerGroup>,
        question: &AuthRequest<'_>,
        answer: &GroupAnswer,
    ) -> Option<Self> {
        let Verdict::Challenge(challenge) = &answer.verdict else { return None };
        challenge.eap.as_ref()?;
        Some(Self {
            group: Arc::clone(group),
            member: answer.member?,
            tunnel_group: question.tunnel_group.to_owned(),
            name: question.name.to_vec(),
            typed_name: question.typed_name.to_vec(),
            state: challenge.state.clone(),
            authorization: None,
        })
    }

    /// Who says what the session gets, once the login is accepted.
    pub(super) fn authorized_by(&mut self, group: Option<Arc<ServerGroup>>) {
        self.authorization = group;
    }

    /// Passes the peer's next EAP Response on.
    pub async fn resume(self, message: Vec<u8>, context: &SessionContext) -> LoginOutcome {
        let credentials = Credentials::Eap { message, state: self.state };
        let question = AuthRequest {
            name: &self.name,
            typed_name: &self.typed_name,
            credentials: &credentials,
            tunnel_group: &self.tunnel_group,
            context,
        };
        let answer = self.group.ask_again(self.member, &question).await;
        let mut outcome = told(&self.group, &question, answer);
        if let Some(continuation) = &mut outcome.continuation {
            continuation.authorized_by(self.authorization);
        } else if let Some(group) = &self.authorization {
            outcome = factors::authorize(group, &question, outcome).await;
        }
        log_outcome(&self.typed_name, &context.acct_session_id, &outcome);
        outcome
    }
}
