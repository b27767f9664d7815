//! The ASCII login (RFC 8907 section 5.4.2.1): the server asks, as at a terminal, and we type what `aaa test` was given.

use tokio::time::Instant;
use tollgate_aaa::{Attributes, AuthRequest, Challenge, Credentials, RejectReason, Unavailable, Verdict};

use super::packet::{self, Answer, AuthenticationStatus, Kind, words};
use super::transport::{Question, Reply};
use super::{Caller, FOLLOW, TacacsBackend, cannot_be_sent, holds_nul, refusal};

/// `TAC_PLUS_AUTHEN_TYPE_ASCII`.
const ASCII: u8 = 1;
/// Questions that are answered at most: a name, a password, and one of each again.
const MOST_QUESTIONS: usize = 4;
const WHAT: &str = "the ASCII login";

/// What to do after an answer of the server's.
enum Next {
    Type(Typed),
    End(Verdict),
}

enum Typed {
    Name,
    Password,
}

impl TacacsBackend {
    pub(super) async fn by_dialogue(
        &self,
        request: &AuthRequest<'_>,
        deadline: Instant,
    ) -> Result<Verdict, Unavailable> {
        let Credentials::Pap { password } = request.credentials else {
            return Ok(cannot_be_sent("an ASCII login takes the password itself"));
        };
        if let Some(no) = holds_nul(request.credentials) {
            return Ok(no);
        }
        let caller = Caller::of(request.context, &self.nas);
        let body = match caller.who(ASCII, request.name).start(&[]) {
            Ok(body) => body,
            Err(long) => return Ok(cannot_be_sent(&long.to_string())),
        };
        let question = Question { kind: Kind::Authentication, minor_version: 0, body: &body, what: WHAT };
        let begun = self.transport.begin(&question, deadline).await;
        let (mut reply, mut dialogue) = begun.map_err(|failure| self.note(failure))?;
        for _ in 0..MOST_QUESTIONS {
            let typed = match self.heard(&reply)? {
                Next::End(verdict) => return Ok(verdict),
                Next::Type(Typed::Name) => request.name,
                Next::Type(Typed::Password) => password.expose(),
            };
            let body = match packet::go_on(typed) {
                Ok(body) => body,
                Err(long) => return Ok(cannot_be_sent(&long.to_string())),
            };
            reply = dialogue.go_on(&body, deadline).await.map_err(|failure| self.note(failure))?;
        }
        match self.heard(&reply)? {
            Next::End(verdict) => Ok(verdict),
            Next::Type(_) => Ok(refusal(RejectReason::ServerRejected, b"asked for the same again")),
        }
    }

    fn heard(&self, reply: &Reply) -> Result<Next, Unavailable> {
        use AuthenticationStatus as Status;
        let answer: Answer<'_, Status> = packet::authentication_reply(&reply.body)
            .map_err(|malformed| self.note(self.transport.undecodable(reply, malformed, WHAT)))?;
        let message = words(answer.message);
        match answer.status {
            Status::Pass => {
                let reply_message = Some(message).filter(|message| !message.is_empty());
                Ok(Next::End(Verdict::Accept(Box::new(Attributes {
                    reply_message,
                    ..Attributes::default()
                }))))
            }
            Status::Fail => Ok(Next::End(refusal(RejectReason::ServerRejected, answer.message))),
            Status::GetUser => Ok(Next::Type(Typed::Name)),
            Status::GetPass => Ok(Next::Type(Typed::Password)),
            // Such as the next code of a token: the server's words say what it wants.
            Status::GetData => {
                Ok(Next::End(Verdict::Challenge(Challenge { message, ..Challenge::default() })))
            }
            Status::Restart => Err(self.trouble(WHAT, "wants another kind of login (RESTART) for", &answer)),
            Status::Error => Err(self.trouble(WHAT, "reports an error (ERROR) in", &answer)),
            Status::Follow => Err(self.trouble(WHAT, FOLLOW, &answer)),
        }
    }
}
