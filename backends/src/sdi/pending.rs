//! Who was asked for what: a second question waits here for the user's next login.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use zeroize::Zeroizing;

use super::api::{self, Context, Method};

/// Users that questions are kept for at once. Beyond that the oldest is forgotten, and that user begins anew.
const MOST_QUESTIONS: usize = 10_000;

/// What the server asked.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    method: Method,
    context: Context,
}

impl Asked {
    pub(super) fn new(method: Method, context: Context) -> Self {
        Self { method, context }
    }

    /// The question that brings the user's input to the server.
    pub(super) fn answer(&self, message_id: &str, input: &str) -> Zeroizing<Vec<u8>> {
        api::verify(self.method, &self.context, message_id, input)
    }
}

#[derive(Debug)]
pub(super) struct Pending {
    lifetime: Duration,
    users: Mutex<HashMap<String, State>>,
}

#[derive(Debug)]
enum State {
    /// A login is being decided.
    Deciding,
    /// One is being decided, and it has been asked something meanwhile.
    DecidingAsked(Asked, Instant),
    /// The next login answers.
    Waiting(Asked, Instant),
}

impl Pending {
    pub(super) fn new(lifetime: Duration) -> Self {
        Self { lifetime, users: Mutex::default() }
    }

    /// The right to be the only login of this user until dropped; `None` while somebody has it.
    pub(super) fn begin<'a>(&'a self, user: &'a str) -> Option<Turn<'a>> {
        let mut users = self.users();
        let state = match users.remove(user) {
            None => State::Deciding,
            Some(State::Waiting(asked, since)) => State::DecidingAsked(asked, since),
            Some(busy @ (State::Deciding | State::DecidingAsked(..))) => {
                users.insert(user.to_owned(), busy);
                return None;
            }
        };
        users.insert(user.to_owned(), state);
        Some(Turn { pending: self, user })
    }

    /// What this user's login answers. A question is answered once, whatever the answer is.
    pub(super) fn take(&self, user: &str) -> Option<Asked> {
        let mut users = self.users();
        let state = users.get_mut(user)?;
        match std::mem::replace(state, State::Deciding) {
            State::DecidingAsked(asked, since) if since.elapsed() < self.lifetime => Some(asked),
            State::Deciding | State::DecidingAsked(..) | State::Waiting(..) => None,
        }
    }

    /// The user's next login answers this.
    pub(super) fn put(&self, user: &str, asked: Asked) {
        if let Some(state) = self.users().get_mut(user) {
            *state = State::DecidingAsked(asked, Instant::now());
        }
    }

    fn end(&self, user: &str) {
        let mut users = self.users();
        let Some(State::DecidingAsked(asked, since)) = users.remove(user) else { return };
        let lifetime = self.lifetime;
        if users.len() >= MOST_QUESTIONS {
            users
                .retain(|_, state| !matches!(state, State::Waiting(_, since) if since.elapsed() >= lifetime));
        }
        if users.len() >= MOST_QUESTIONS {
            let waiting = users.iter().filter_map(|(user, state)| match state {
                State::Waiting(_, since) => Some((*since, user.clone())),
                State::Deciding | State::DecidingAsked(..) => None,
            });
            if let Some((_, oldest)) = waiting.min() {
                users.remove(&oldest);
            }
        }
        users.insert(user.to_owned(), State::Waiting(asked, since));
    }

    fn users(&self) -> MutexGuard<'_, HashMap<String, State>> {
        // Every change of the table is a single call.
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`Pending::begin`].
#[derive(Debug)]
pub(super) struct Turn<'a> {
    pending: &'a Pending,
    user: &'a str,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.pending.end(self.user);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Asked {
        let body = br#"{"context":{"authnAttemptId":"a","messageId":"m","inResponseTo":"q"},"attemptResponseCode":"CHALLENGE"}"#;
        Asked::new(Method::NewPin, api::Answer::parse(body, "q").unwrap().into_context())
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_is_answered_once_and_in_time() {
        let pending = Pending::new(Duration::from_secs(120));
        let ask = |user| {
            let _turn = pending.begin(user).unwrap();
            assert!(pending.take(user).is_none());
            pending.put(user, asked());
        };
        ask("joe");
        {
            let _turn = pending.begin("joe").unwrap();
            assert!(pending.take("joe").is_some());
            assert!(pending.take("joe").is_none(), "once");
        }
        assert!(pending.users().is_empty());
        ask("joe");
        tokio::time::advance(Duration::from_secs(121)).await;
        let _turn = pending.begin("joe").unwrap();
        assert!(pending.take("joe").is_none(), "too late");
    }

    #[tokio::test(start_paused = true)]
    async fn a_user_has_one_login_at_a_time_and_nobody_waits_for_another() {
        let pending = Pending::new(Duration::from_secs(120));
        let turn = pending.begin("joe").unwrap();
        assert!(pending.begin("joe").is_none());
        assert!(pending.begin("eve").is_some());
        drop(turn);
        assert!(pending.begin("joe").is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn the_table_is_bounded_and_the_oldest_question_goes() {
        let pending = Pending::new(Duration::from_secs(120));
        for number in 0..MOST_QUESTIONS + 10 {
            let user = format!("user{number}");
            let _turn = pending.begin(&user).unwrap();
            pending.put(&user, asked());
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert_eq!(pending.users().len(), MOST_QUESTIONS);
        assert!(!pending.users().contains_key("user0"));
        assert!(pending.users().contains_key("user20"));
    }
}
