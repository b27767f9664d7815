//! The 256 identifiers of one socket. Pure; the time is a parameter.
//!
//! An identifier whose question may still be answered late rests before it is used again. The others go to the end of
//! the line, so that each rests as long as the load allows.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::mailbox::Mailbox;
use crate::radius::packet::Disbelief;

/// How long an identifier rests. A server that retransmits nothing has no reason to answer later than this.
pub(super) const REST: Duration = Duration::from_secs(30);

/// Identifiers of one socket.
pub(super) const IDENTIFIERS: usize = 256;

/// One question that waits.
pub(super) struct Question {
    pub(super) authenticator: [u8; 16],
    pub(super) mailbox: Arc<Mailbox>,
    /// The last answer that was not believed.
    pub(super) disbelief: Option<Disbelief>,
}

pub(super) struct Slots {
    questions: Vec<Option<Question>>,
    free: VecDeque<u8>,
    /// In order of release.
    resting: VecDeque<(Instant, u8)>,
}

impl Slots {
    pub(super) fn new() -> Self {
        Self {
            questions: std::iter::repeat_with(|| None).take(IDENTIFIERS).collect(),
            free: (0..=u8::MAX).collect(),
            resting: VecDeque::new(),
        }
    }

    /// An identifier that no late answer can meet.
    pub(super) fn take(&mut self, now: Instant) -> Option<u8> {
        if let Some((until, identifier)) = self.resting.front().copied()
            && until <= now
        {
            self.resting.pop_front();
            self.free.push_back(identifier);
        }
        self.free.pop_front()
    }

    /// The identifier that has rested longest, when there is no better one.
    pub(super) fn take_resting(&mut self) -> Option<u8> {
        self.resting.pop_front().map(|(_, identifier)| identifier)
    }

    /// From now on an answer with this identifier belongs to `question`.
    pub(super) fn arm(&mut self, identifier: u8, question: Question) {
        if let Some(slot) = self.questions.get_mut(usize::from(identifier)) {
            *slot = Some(question);
        }
    }

    pub(super) fn question(&self, identifier: u8) -> Option<&Question> {
        self.questions.get(usize::from(identifier)).and_then(Option::as_ref)
    }

    /// Hands the question out to be answered, if it is still the one with this authenticator.
    pub(super) fn answer(&mut self, identifier: u8, authenticator: &[u8; 16]) -> Option<Question> {
        self.questions
            .get_mut(usize::from(identifier))?
            .take_if(|question| question.authenticator == *authenticator)
    }

    pub(super) fn disbelieve(&mut self, identifier: u8, authenticator: &[u8; 16], disbelief: Disbelief) {
        if let Some(Some(question)) = self.questions.get_mut(usize::from(identifier))
            && question.authenticator == *authenticator
        {
            question.disbelief = Some(disbelief);
        }
    }

    /// Gives an identifier back; with `rest` it is not used for a while. Tells the last answer not believed.
    pub(super) fn release(&mut self, identifier: u8, rest: Option<Instant>) -> Option<Disbelief> {
        match rest {
            Some(now) => self.resting.push_back((now + REST, identifier)),
            None => self.free.push_back(identifier),
        }
        self.questions.get_mut(usize::from(identifier))?.take()?.disbelief
    }
}

#[cfg(test)]
mod tests;
