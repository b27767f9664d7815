//! What all shards and the AAA side share.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, OnceLock};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use tokio::sync::oneshot;
use tollgate_aaa::ServerGroup;
use tollgate_aaa::accounting::{Sink, TerminateCause};
use tollgate_policy::pool::Pools;

use crate::dynamic::Listeners;
use crate::login::Grant;
use crate::owners::Owners;
use crate::registry::{Handle, Registry};
use crate::routes::Routes;
use crate::shard::{Ending, Message};
use crate::snapshot::Snapshot;
use crate::workers::Workers;
use tollgate_sys::event::Bell;

/// Shared by reference, changed only through its parts' own rules.
pub(crate) struct Shared {
    pub(crate) snapshot: ArcSwap<Snapshot>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) pools: Arc<Pools>,
    pub(crate) owners: Owners,
    pub(crate) accounting: Arc<dyn Sink>,
    pub(crate) runtime: tokio::runtime::Handle,
    /// Routes to clients in the kernel's table.
    pub(crate) routes: Routes,
    /// The server's end of every link.
    pub(crate) inner_address: Ipv4Addr,
    /// Told when a shard ends that was not asked to.
    pub(crate) failed: tokio::sync::Notify,
    /// Threads for what takes longer than a packet may wait.
    pub(crate) workers: Workers,
    /// Where RADIUS servers may end sessions or change them.
    pub(crate) dynamic: Listeners,
    /// Where each shard takes its messages; set once, before the first shard runs.
    pub(crate) posts: OnceLock<Vec<Post>>,
    /// Distinguishes the session ids of this start from those of earlier ones.
    boot: u32,
    next_session: AtomicU32,
    /// Sessions of all shards.
    sessions: AtomicUsize,
}

/// The way to one shard.
pub(crate) struct Post {
    sender: Sender<Message>,
    bell: Arc<Bell>,
    /// True from the first message after the shard looked until it looks again: one ring is enough.
    rung: Arc<AtomicBool>,
    /// Packets on their way that the shard has not taken yet.
    packets: AtomicUsize,
}

/// Packets of other shards that wait for a shard at most: a flood that the kernel gives to the wrong socket or queue
/// must not fill the memory.
const MOST_PACKETS: usize = 4096;

impl Post {
    pub(crate) fn new(sender: Sender<Message>, bell: Arc<Bell>, rung: Arc<AtomicBool>) -> Self {
        Self { sender, bell, rung, packets: AtomicUsize::new(0) }
    }

    /// Sends a message; false when the shard is gone.
    pub(crate) fn send(&self, message: Message) -> bool {
        let sent = self.sender.send(message).is_ok();
        if sent && !self.rung.swap(true, Ordering::AcqRel) {
            self.bell.ring();
        }
        sent
    }

    /// Sends a packet or datagram, which like any other may be lost: false when too many wait already.
    pub(crate) fn send_packet(&self, message: impl FnOnce() -> Message) -> bool {
        if self.packets.fetch_add(1, Ordering::Relaxed) >= MOST_PACKETS {
            self.packet_taken();
            return false;
        }
        self.send(message())
    }

    /// The shard has taken a packet.
    pub(crate) fn packet_taken(&self) {
        self.packets.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shared {
    pub(crate) fn new(
        snapshot: Snapshot,
        pools: Arc<Pools>,
        accounting: Arc<dyn Sink>,
        runtime: tokio::runtime::Handle,
        routes: Routes,
    ) -> Self {
        let inner_address = snapshot.config.lns.inner_address;
        let boot = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as u32);
        Self {
            snapshot: ArcSwap::from_pointee(snapshot),
            registry: Registry::new(Instant::now()),
            pools,
            owners: Owners::new(),
            accounting,
            runtime,
            routes,
            inner_address,
            failed: tokio::sync::Notify::new(),
            workers: Workers::default(),
            dynamic: Listeners::default(),
            posts: OnceLock::new(),
            boot,
            next_session: AtomicU32::new(1),
            sessions: AtomicUsize::new(0),
        }
    }

    /// Where a session is billed now: the server group of its start, as the latest configuration has it.
    pub(crate) fn billing_of(&self, grant: &Grant) -> Option<Arc<ServerGroup>> {
        let group = grant.accounting.as_ref()?;
        let latest = self.snapshot.load().router.server_group(group.name()).cloned();
        Some(latest.unwrap_or_else(|| Arc::clone(group)))
    }

    /// An Acct-Session-Id that no other session has, of this start or another.
    pub(crate) fn session_id(&self) -> String {
        format!("{:08X}{:08X}", self.boot, self.next_session.fetch_add(1, Ordering::Relaxed))
    }

    /// Takes a place for one more session; false when there are `most` already.
    pub(crate) fn session_begins(&self, most: usize) -> bool {
        self.sessions
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| (now < most).then_some(now + 1))
            .is_ok()
    }

    /// Gives the place back.
    pub(crate) fn session_ends(&self) {
        self.sessions.fetch_sub(1, Ordering::Relaxed);
    }

    /// The way to a shard.
    pub(crate) fn post(&self, shard: usize) -> Option<&Post> {
        self.posts.get()?.get(shard)
    }

    /// All shards.
    pub(crate) fn all_posts(&self) -> &[Post] {
        self.posts.get().map_or(&[], Vec::as_slice)
    }

    /// Asks every shard the same and joins the answers.
    pub(crate) async fn gather<T>(&self, question: impl Fn(oneshot::Sender<Vec<T>>) -> Message) -> Vec<T> {
        let waiting: Vec<_> = self
            .all_posts()
            .iter()
            .filter_map(|post| {
                let (sender, receiver) = oneshot::channel();
                post.send(question(sender)).then_some(receiver)
            })
            .collect();
        let mut all = Vec::new();
        for receiver in waiting {
            all.extend(receiver.await.unwrap_or_default());
        }
        all
    }

    /// Ends a session at once, because its user's new one takes its place.
    pub(crate) fn preempt(&self, handle: Handle, why: &str) {
        if let Some(post) = self.post(handle.shard) {
            post.send(Message::Preempt { handle, ending: Ending::ours(TerminateCause::PortPreempted, why) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_for_a_shard_that_does_not_take_them_are_dropped_and_other_messages_are_not() {
        let (sender, inbox) = std::sync::mpsc::channel();
        let post = Post::new(sender, Arc::new(Bell::new().unwrap()), Arc::default());
        let packet = || Message::Packet(Vec::new());
        assert_eq!((0..MOST_PACKETS + 10).filter(|_| post.send_packet(packet)).count(), MOST_PACKETS);
        assert!(post.send(Message::Drain));
        assert!(inbox.try_recv().is_ok());
        post.packet_taken();
        assert!(post.send_packet(packet), "there is room again");
        assert!(!post.send_packet(packet));
    }
}
