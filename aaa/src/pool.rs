//! Connections to one server, shared by all logins: a bound on how many there are, and those that stand idle used
//! again.
//!
//! A login that finds every place taken waits for one in its turn, which costs it a queue entry and no connection: a
//! server that hangs holds at most the pool's places, however many logins wait for it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

/// Connections of one kind to one server.
#[derive(Debug)]
pub struct Pool<C> {
    places: Semaphore,
    idle: Mutex<Vec<(C, Instant)>>,
    idle_limit: Duration,
}

/// Every place was taken until the deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("every connection to the server was busy until the time was up")]
pub struct Busy;

impl<C> Pool<C> {
    /// At most `most` connections at once, each used again within `idle_limit`.
    pub fn new(most: usize, idle_limit: Duration) -> Self {
        Self { places: Semaphore::new(most.max(1)), idle: Mutex::default(), idle_limit }
    }

    /// A place, with the connection used last where one stands idle.
    pub async fn take(&self, deadline: Instant) -> Result<Place<'_, C>, Busy> {
        let permit = match timeout_at(deadline, self.places.acquire()).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) | Err(_) => return Err(Busy),
        };
        Ok(Place { pool: self, reused: self.idle_one(), _permit: permit })
    }

    fn idle_one(&self) -> Option<C> {
        let now = Instant::now();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        // The newest is last; what is behind the first stale one is staler.
        let newest = idle.pop();
        match newest {
            Some((connection, since)) if now.saturating_duration_since(since) < self.idle_limit => {
                idle.retain(|(_, since)| now.saturating_duration_since(*since) < self.idle_limit);
                Some(connection)
            }
            Some(_) | None => {
                idle.clear();
                None
            }
        }
    }

    /// How many connections stand idle.
    pub fn idle(&self) -> usize {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// The right to one connection until dropped.
#[derive(Debug)]
pub struct Place<'a, C> {
    pool: &'a Pool<C>,
    reused: Option<C>,
    _permit: SemaphorePermit<'a>,
}

impl<C> Place<'_, C> {
    /// The connection that stood idle. It may have died meanwhile: whoever finds it so opens a new one.
    pub fn reused(&mut self) -> Option<C> {
        self.reused.take()
    }

    /// Gives the connection, which is in order, to whoever comes next.
    pub fn keep(self, connection: C) {
        let mut idle = self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push((connection, Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(1)
    }

    #[tokio::test(start_paused = true)]
    async fn a_kept_connection_is_used_again_until_it_is_stale() {
        let pool = Pool::new(2, Duration::from_secs(30));
        let mut first = pool.take(soon()).await.unwrap();
        assert_eq!(first.reused(), None);
        first.keep("one");
        let mut second = pool.take(soon()).await.unwrap();
        assert_eq!(second.reused(), Some("one"));
        second.keep("one");
        tokio::time::advance(Duration::from_secs(31)).await;
        assert_eq!(pool.take(soon()).await.unwrap().reused(), None);
        assert_eq!(pool.idle(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_finds_no_place_waits_in_turn_and_no_longer_than_the_deadline() {
        let pool: Pool<()> = Pool::new(1, Duration::from_secs(30));
        let held = pool.take(soon()).await.unwrap();
        assert_eq!(pool.take(soon()).await.err(), Some(Busy));
        drop(held);
        assert!(pool.take(soon()).await.is_ok());
    }
}
