//! Where the one answer to a question is left: the receiving task wakes the asking one directly.

use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

#[derive(Default)]
pub(super) struct Mailbox {
    answer: Mutex<Option<Vec<u8>>>,
    arrived: Notify,
}

impl Mailbox {
    pub(super) fn put(&self, packet: Vec<u8>) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(packet);
        self.arrived.notify_one();
    }

    /// Waits for the answer. A notification is kept, so nothing is lost between two calls.
    pub(super) async fn take(&self) -> Vec<u8> {
        loop {
            if let Some(answer) = self.answer.lock().unwrap_or_else(PoisonError::into_inner).take() {
                return answer;
            }
            self.arrived.notified().await;
        }
    }
}
