//! Threads for work that must not keep a packet waiting: Diffie-Hellman and signatures. The number of jobs that wait is
//! bounded by those who give them (`tollgate_ipsec::Config::max_jobs` for each shard).

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tollgate_ipsec::Job;

use crate::shard::Message;
use crate::shared::Shared;

/// The way to the workers.
#[derive(Debug, Default)]
pub(crate) struct Workers {
    sender: OnceLock<Sender<(usize, Job)>>,
}

impl Workers {
    /// Starts the threads; they end with the server that they hold no reference to.
    pub(crate) fn start(&self, shared: &Arc<Shared>) -> io::Result<()> {
        let (sender, receiver) = channel();
        if self.sender.set(sender).is_err() {
            return Ok(());
        }
        let receiver = Arc::new(Mutex::new(receiver));
        // Half of the processors: the other half carries packets while a flood keeps these busy.
        let count = std::thread::available_parallelism().map_or(1, usize::from).div_ceil(2);
        for index in 0..count {
            let (receiver, shared) = (Arc::clone(&receiver), Arc::downgrade(shared));
            std::thread::Builder::new().name(format!("crypto-{index}")).spawn(move || {
                while let Some((shard, job)) = next(&receiver) {
                    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
                    let result = job.run(now);
                    let Some(shared) = shared.upgrade() else { return };
                    if let Some(post) = shared.post(shard) {
                        post.send(Message::JobDone(Box::new(result)));
                    }
                }
            })?;
        }
        Ok(())
    }

    /// Has a job of a shard done.
    pub(crate) fn give(&self, shard: usize, job: Job) {
        if let Some(sender) = self.sender.get() {
            // The workers end with the server only.
            let _ = sender.send((shard, job));
        }
    }
}

fn next(receiver: &Mutex<Receiver<(usize, Job)>>) -> Option<(usize, Job)> {
    receiver.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}
