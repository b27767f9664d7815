//! A shard: one thread that owns a socket, its tunnels and sessions, and a queue to the inside. Shards share nothing on
//! the packet path; what is decided elsewhere (logins) comes as a message.
//!
//! `control` turns what the L2TP and PPP machines say into deeds, `lifetime` takes a session from its login to its stop
//! record, `dynamic` changes it meanwhile, `data` carries packets, `session` is what a session is, `message` what others may ask, `report` what they
//! hear, `drain` the way out.

mod control;
mod data;
mod drain;
mod dynamic;
mod icmp;
mod lifetime;
mod links;
mod message;
mod refusal;
mod report;
mod secure;
mod session;

use std::collections::HashMap;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use slab::Slab;
use tollgate_aaa::accounting::TerminateCause;
use tollgate_ipsec::{AssociationId, Place};
use tollgate_l2tp::{Endpoint, IdSpace, Path, SessionKey, TunnelId};
use tollgate_sansio::{Deadlines, Entropy};

use crate::inner::Inner;
use crate::quiet::Quiet;
use crate::shared::Shared;
use tollgate_sys::event::{Bell, Waiter};
use tollgate_sys::udp::{BATCH, Datagram, Inbound};

pub(crate) use dynamic::{Act, Change, Found};
pub(crate) use lifetime::credentials_of;
pub(crate) use links::{Links, Port};
pub(crate) use message::{IpsecReport, Message, Selector, SessionReport, TunnelReport};
pub(crate) use session::Ending;

use session::Session;

/// Batches taken from the socket, of packets from the inside and of messages, before the others get their turn.
const TURNS: usize = 4;
/// Longest wait of an idle shard.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Room for a packet from the inside.
const PACKET: usize = 2048;

/// Numbers of descriptors in the waiter.
const PLAIN: u32 = 0;
const INNER: u32 = 1;
const BELL: u32 = 2;
const IKE: u32 = 3;
const NAT_T: u32 = 4;
const ESP: u32 = 5;

/// How far a shard is on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Draining {
    /// It serves.
    No,
    /// PPP links are being closed; whatever is left at this time goes with a CDN.
    Links(Instant),
    /// Tunnels are being closed; whatever is left at this time is left.
    Tunnels(Instant),
    /// Nothing is left.
    Done,
}

/// Everything that one worker thread owns.
pub(crate) struct Shard {
    index: usize,
    shared: Arc<Shared>,
    ids: IdSpace,
    place: Place,
    links: Links,
    inner: Inner,
    bell: Arc<Bell>,
    rung: Arc<AtomicBool>,
    inbox: Receiver<Message>,
    endpoint: Endpoint,
    ipsec: tollgate_ipsec::Endpoint,
    /// Tunnels of each association, the newest last.
    secured: HashMap<AssociationId, Vec<TunnelId>>,
    associated: HashMap<TunnelId, AssociationId>,
    /// Associations without a tunnel, by when they are closed.
    idle: Deadlines<AssociationId>,
    require_ipsec: bool,
    entropy: Entropy,
    sessions: Slab<Session>,
    by_key: HashMap<SessionKey, u32>,
    by_address: HashMap<Ipv4Addr, u32>,
    /// Networks behind clients of this shard: network, mask, session.
    networks: Vec<(u32, u32, u32)>,
    /// Session and generation, by when they want to be looked at.
    timers: Deadlines<(u32, u32)>,
    generation: u32,
    quiet: Quiet,
    counters: data::DataCounters,
    client_to_client: bool,
    draining: Draining,
}

/// What a shard is made of.
pub(crate) struct Parts {
    pub(crate) index: usize,
    pub(crate) shared: Arc<Shared>,
    pub(crate) ids: IdSpace,
    pub(crate) links: Links,
    pub(crate) inner: Inner,
    pub(crate) bell: Arc<Bell>,
    pub(crate) rung: Arc<AtomicBool>,
    pub(crate) inbox: Receiver<Message>,
    pub(crate) seed: [u8; 32],
}

impl Shard {
    pub(crate) fn new(parts: Parts) -> Self {
        let mut entropy = Entropy::from_seed(parts.seed);
        let snapshot = parts.shared.snapshot.load();
        let endpoint = Endpoint::new(
            control::l2tp_config(&snapshot.config, parts.shared.all_posts().len()),
            parts.ids,
            entropy.fork(),
        );
        let client_to_client = snapshot.config.lns.client_to_client;
        let require_ipsec = snapshot.config.lns.require_ipsec;
        let shards = parts.shared.all_posts().len();
        let place = Place { shard: parts.ids.shard, bits: parts.ids.shard_bits };
        let settings = secure::settings(&snapshot, shards, parts.links.esp_is_served);
        let ipsec = tollgate_ipsec::Endpoint::new(Instant::now(), settings, place, entropy.fork());
        drop(snapshot);
        Self {
            index: parts.index,
            shared: parts.shared,
            ids: parts.ids,
            place,
            links: parts.links,
            inner: parts.inner,
            bell: parts.bell,
            rung: parts.rung,
            inbox: parts.inbox,
            endpoint,
            ipsec,
            secured: HashMap::new(),
            associated: HashMap::new(),
            idle: Deadlines::default(),
            require_ipsec,
            entropy,
            sessions: Slab::new(),
            by_key: HashMap::new(),
            by_address: HashMap::new(),
            networks: Vec::new(),
            timers: Deadlines::default(),
            generation: 0,
            quiet: Quiet::default(),
            counters: data::DataCounters::default(),
            client_to_client,
            draining: Draining::No,
        }
    }

    /// Serves until told to stop; an error is one of the system calls that cannot fail on a sound machine. Whatever the
    /// end, every session that was begun is billed to it.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.serve()))
            .unwrap_or_else(|_| Err(io::Error::other("it panicked")));
        if outcome.is_err() {
            let now = Instant::now();
            for token in self.matching(&Selector::All) {
                self.finish(now, token, Ending::ours(TerminateCause::NasError, "the server failed"));
            }
        }
        outcome
    }

    fn serve(&mut self) -> io::Result<()> {
        use std::os::fd::AsFd;
        let waiter = Waiter::new()?;
        let ports = [
            (&self.links.plain, PLAIN),
            (&self.links.ike, IKE),
            (&self.links.nat_t, NAT_T),
            (&self.links.esp, ESP),
        ];
        for (port, number) in ports {
            if let Some(port) = port {
                waiter.watch(port.socket.as_fd(), number)?;
            }
        }
        waiter.watch(self.bell.as_fd(), BELL)?;
        if let Some(descriptor) = self.inner.descriptor() {
            waiter.watch(descriptor, INNER)?;
        }
        let mut inbound = Inbound::new();
        let mut packet = [0u8; PACKET];
        while self.draining != Draining::Done {
            let ready = waiter.wait(Some(self.wait_for(Instant::now())))?;
            let now = Instant::now();
            if ready & 1 << BELL != 0 {
                self.bell.quiet();
                self.rung.store(false, Ordering::Release);
                self.read_inbox(now);
            }
            for source in [PLAIN, IKE, NAT_T, ESP] {
                if ready & 1 << source != 0 {
                    for _ in 0..TURNS {
                        if self.receive(now, source, &mut inbound)? < BATCH {
                            break;
                        }
                    }
                }
            }
            self.tick(now);
            if ready & 1 << INNER != 0 || self.inner.has_waiting() {
                for _ in 0..TURNS * BATCH {
                    let length = self.inner.take(&mut packet)?;
                    if length == 0 {
                        break;
                    }
                    self.carry_out(now, &mut packet[..length]);
                }
            }
            self.links.flush();
        }
        Ok(())
    }

    /// Takes messages until none waits or the others' turn has come.
    fn read_inbox(&mut self, now: Instant) {
        for _ in 0..TURNS * BATCH {
            match self.inbox.try_recv() {
                Ok(message) => self.handle_message(now, message),
                Err(_) => return,
            }
        }
        // There may be more, and nobody would ring again for it.
        self.bell.ring();
    }

    /// Takes one batch of datagrams; gives their number.
    fn receive(&mut self, now: Instant, source: u32, inbound: &mut Inbound) -> io::Result<usize> {
        let port = match source {
            PLAIN => &self.links.plain,
            IKE => &self.links.ike,
            NAT_T => &self.links.nat_t,
            _ => &self.links.esp,
        };
        let Some(port) = port else { return Ok(0) };
        let count = inbound.receive(&port.socket)?;
        for index in 0..count {
            let Some(Datagram { local, remote, bytes }) = inbound.datagram(index) else {
                self.counters.unusable += 1;
                continue;
            };
            match source {
                PLAIN if self.require_ipsec => self.refuse_plain(now, remote, bytes),
                PLAIN => self.handle_datagram(now, Path { local, remote, association: None }, bytes),
                _ => self.handle_secure(now, source, local, remote, bytes),
            }
        }
        match source {
            PLAIN => self.pump(now),
            _ => self.pump_secure(now),
        }
        Ok(count)
    }

    fn wait_for(&mut self, now: Instant) -> Duration {
        if self.inner.has_waiting() {
            return Duration::ZERO;
        }
        let drain = match self.draining {
            Draining::Links(until) | Draining::Tunnels(until) => Some(until),
            Draining::No | Draining::Done => None,
        };
        [self.timers.next(), self.endpoint.next_timeout(), self.ipsec.next_timeout(), self.idle.next(), drain]
            .into_iter()
            .flatten()
            .min()
            .map_or(LONGEST_WAIT, |due| due.saturating_duration_since(now).min(LONGEST_WAIT))
    }

    /// Everything that is due.
    fn tick(&mut self, now: Instant) {
        if self.endpoint.next_timeout().is_some_and(|due| due <= now) {
            self.endpoint.handle_timeout(now);
            self.pump(now);
        }
        self.secure_due(now);
        while let Some((token, generation)) = self.timers.due(now) {
            self.session_due(now, token, generation);
        }
        self.pump(now);
        self.drain_step(now);
    }
}
