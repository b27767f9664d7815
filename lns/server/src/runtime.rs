//! A server from start to stop: sockets, the TUN device, shards, the AAA side, accounting.

mod sockets;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ring::rand::{SecureRandom, SystemRandom};
use tollgate_aaa::accounting::{Dispatcher, Sink};
use tollgate_backends::local::LocalBackend;
use tollgate_l2tp::IdSpace;
use tollgate_policy::Config;
use tollgate_policy::config::LnsConfig;
use tollgate_policy::pool::Pools;
use tracing::{error, info, warn};

use crate::dynamic::ListenError;
use crate::inner::{Inner, MemoryNetwork};
use crate::routes::Routes;
use crate::shard::{Links, Message, Parts, Shard};
use crate::shared::{Post, Shared};
use crate::snapshot::{Snapshot, SnapshotError};
use tollgate_sys::event::Bell;
use tollgate_sys::tun::Device;

pub(crate) use sockets::Listens;

/// All that a stop may take: links, tunnels and the last records.
const STOP_LIMIT: Duration = Duration::from_secs(9);

/// Which inside network the server gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InnerKind {
    /// A TUN device, or no start.
    Tun,
    /// A network in memory.
    Memory,
}

/// What a start may be given besides its configuration.
#[derive(Default)]
pub(crate) struct Extras {
    /// Takes the place of the user file.
    pub(crate) local: Option<Arc<LocalBackend>>,
    /// Sees every accounting record besides the dispatcher.
    pub(crate) witness: Option<Arc<dyn Sink>>,
}

/// Why the server did not start: one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// The port.
    #[error("{address} (udp) is in use by another program; stop it, or set another {key}")]
    PortInUse {
        /// The address.
        address: SocketAddr,
        /// The setting.
        key: &'static str,
    },
    /// The port again.
    #[error("cannot listen on {address} (udp): {error}; check {key}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The setting.
        key: &'static str,
        /// What the kernel says.
        error: io::Error,
    },
    /// The device's name.
    #[error("the network device {name} exists already; stop its owner, or set another tun-name in [lns]")]
    TunInUse {
        /// The device.
        name: String,
    },
    /// The device's right.
    #[error(
        "no right to make the TUN device {name}: run as root or with CAP_NET_ADMIN, and see that /dev/net/tun can be \
         opened"
    )]
    TunForbidden {
        /// The device.
        name: String,
    },
    /// The device otherwise.
    #[error("cannot make the TUN device {name}: {error}")]
    Tun {
        /// The device.
        name: String,
        /// What the kernel says.
        error: io::Error,
    },
    /// A port for dynamic authorization.
    #[error(transparent)]
    Dynamic(#[from] ListenError),
    /// IPsec is asked for by a reload, and its sockets are opened at the start only.
    #[error(
        "require-ipsec = true cannot be reached by a reload: this server was started without pre-shared-key and \
         [ipsec.certificate] and has no sockets for IPsec; restart it"
    )]
    IpsecNeedsRestart,
    /// The configuration's files and servers.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The machine.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}

/// A server that runs.
pub(crate) struct Server {
    shared: Arc<Shared>,
    dispatcher: Arc<Dispatcher>,
    listens: Listens,
    workers: Vec<JoinHandle<()>>,
    // Last: dropping it ends what the others may still use.
    runtime: tokio::runtime::Runtime,
}

/// Sends each record two ways.
struct Both {
    dispatcher: Arc<Dispatcher>,
    witness: Arc<dyn Sink>,
}

impl Sink for Both {
    fn submit(
        &self,
        record: tollgate_aaa::accounting::Record,
        group: Option<Arc<tollgate_aaa::ServerGroup>>,
    ) {
        self.witness.submit(record.clone(), group.clone());
        self.dispatcher.submit(record, group);
    }
}

impl Server {
    /// Starts to serve.
    pub(crate) fn start(config: Config, inner: InnerKind, extras: Extras) -> Result<Self, StartError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("aaa")
            .enable_all()
            .build()?;
        let count = config.lns.shards.unwrap_or_else(default_shards);
        let (links, listens) = sockets::open(&config, count)?;
        let (inners, device) = inside(&config.lns, inner, count)?;
        let pools = Pools::new(config.pools.clone(), Some(config.lns.inner_address));
        let routes = Routes::new(device);
        for pool in config.pools.values() {
            for (network, prefix) in pool.range.prefixes() {
                routes.add(network, prefix);
            }
        }
        let dispatcher = Dispatcher::new(runtime.handle().clone());
        let accounting: Arc<dyn Sink> = match extras.witness {
            Some(witness) => Arc::new(Both { dispatcher: Arc::clone(&dispatcher), witness }),
            None => Arc::clone(&dispatcher) as Arc<dyn Sink>,
        };
        let snapshot = Snapshot::build(config, extras.local, None, runtime.handle())?;
        let shared = Arc::new(Shared::new(snapshot, pools, accounting, runtime.handle().clone(), routes));
        shared.workers.start(&shared)?;
        let dynamic = {
            let _guard = runtime.enter();
            shared.dynamic.open(&shared.snapshot.load().config)?
        };
        let workers = start_shards(&shared, links, inners)?;
        shared.dynamic.serve(dynamic, &shared);
        listens.log(count);
        Ok(Self { shared, dispatcher, listens, workers, runtime })
    }

    /// Where it listens.
    pub(crate) fn listens(&self) -> Listens {
        self.listens
    }

    /// What its parts share.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The AAA side's runtime.
    pub(crate) fn runtime(&self) -> &tokio::runtime::Runtime {
        &self.runtime
    }

    /// Takes a new configuration for the logins to come.
    pub(crate) fn reload(&self, config: Config) -> Result<(), StartError> {
        let old = self.shared.snapshot.load_full();
        if config.lns.require_ipsec && self.listens.ike.is_none() {
            return Err(StartError::IpsecNeedsRestart);
        }
        for key in needs_restart(&old.config, &config) {
            warn!("{key} has changed: that takes effect at the next start");
        }
        // Names are looked up and sockets opened on the runtime.
        let _guard = self.runtime.enter();
        let pools = config.pools.clone();
        let dynamic = self.shared.dynamic.open(&config)?;
        let snapshot = Snapshot::build(config, None, Some(&old), self.runtime.handle())?;
        self.shared.pools.reconfigure(pools.clone(), Some(self.shared.inner_address));
        for (name, pool) in &pools {
            if old.config.pools.get(name).is_none_or(|before| before.range != pool.range) {
                for (network, prefix) in pool.range.prefixes() {
                    self.shared.routes.add(network, prefix);
                }
            }
        }
        for name in snapshot.config.server_groups.keys() {
            if let Some(group) = snapshot.router.server_group(name) {
                self.dispatcher.adopt(group);
            }
        }
        self.shared.snapshot.store(Arc::new(snapshot));
        self.shared.dynamic.serve(dynamic, &self.shared);
        for post in self.shared.all_posts() {
            post.send(Message::Reloaded);
        }
        Ok(())
    }

    /// Closes every session at PPP and L2TP, sends the last records, ends. Takes at most ten seconds.
    pub(crate) fn stop(self) {
        let begun = Instant::now();
        for post in self.shared.all_posts() {
            post.send(Message::Drain);
        }
        for worker in self.workers {
            if worker.join().is_err() {
                error!("a shard had panicked");
            }
        }
        let left = STOP_LIMIT.saturating_sub(begun.elapsed());
        let unsent = self.runtime.block_on(self.dispatcher.drain(left));
        if unsent > 0 {
            error!(records = unsent, "accounting records that no server acknowledged are lost");
        }
        self.runtime.shutdown_timeout(Duration::from_millis(500));
        info!("stopped");
    }
}

/// Tells the rest of the server when a shard ends by an error or a panic: half a server is worse than none.
struct Alarm(Option<Arc<Shared>>);

impl Alarm {
    /// The shard ended as it was told.
    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if let Some(shared) = &self.0 {
            shared.failed.notify_one();
        }
    }
}

/// What has changed between two configurations and cannot be changed while the server runs.
fn needs_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    let (before, after) = (&old.lns, &new.lns);
    [
        ("lns.l2tp-listen", before.l2tp_listen != after.l2tp_listen),
        ("ipsec.ike-listen", old.ipsec.ike_listen != new.ipsec.ike_listen),
        ("ipsec.nat-t-listen", old.ipsec.nat_t_listen != new.ipsec.nat_t_listen),
        ("ipsec.esp", old.ipsec.esp != new.ipsec.esp),
        (
            "whether IPsec is served (pre-shared-key, [ipsec.certificate])",
            crate::ipsec::is_configured(old) != crate::ipsec::is_configured(new),
        ),
        ("lns.tun-name", before.tun_name != after.tun_name),
        ("lns.inner-address", before.inner_address != after.inner_address),
        ("lns.mtu of the TUN device", before.mtu != after.mtu),
        ("lns.shards", before.shards != after.shards),
        ("admin.socket", old.admin.socket != new.admin.socket),
    ]
    .into_iter()
    .filter_map(|(key, changed)| changed.then_some(key))
    .collect()
}

/// One for every two processors: the others serve the AAA side and the kernel's share of each packet. A single shard
/// also spares the kernel the choice of a TUN queue.
fn default_shards() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).div_ceil(2).min(16)
}

/// The inside for each shard, and the device's name where there is one.
fn inside(
    lns: &LnsConfig,
    kind: InnerKind,
    count: usize,
) -> Result<(Vec<Inner>, Option<String>), StartError> {
    let name = lns.tun_name.clone();
    match kind {
        InnerKind::Memory => {
            let inners = (0..count).map(|_| Inner::Memory(MemoryNetwork::new(lns.inner_address))).collect();
            Ok((inners, None))
        }
        InnerKind::Tun => {
            let mut device = Device::create(&name, count).map_err(|error| match error.kind() {
                io::ErrorKind::ResourceBusy => StartError::TunInUse { name: name.clone() },
                io::ErrorKind::PermissionDenied | io::ErrorKind::NotFound => {
                    StartError::TunForbidden { name: name.clone() }
                }
                _ => StartError::Tun { name: name.clone(), error },
            })?;
            device
                .configure(lns.inner_address, lns.mtu)
                .map_err(|error| StartError::Tun { name: name.clone(), error })?;
            Ok((device.take_queues().into_iter().map(Inner::Tun).collect(), Some(name)))
        }
    }
}

fn start_shards(
    shared: &Arc<Shared>,
    links: Vec<Links>,
    inners: Vec<Inner>,
) -> Result<Vec<JoinHandle<()>>, StartError> {
    let count = links.len();
    let shard_bits = count.next_power_of_two().trailing_zeros() as u8;
    let mut posts = Vec::new();
    let mut ends = Vec::new();
    for _ in 0..count {
        let (sender, inbox) = mpsc::channel();
        let bell = Arc::new(Bell::new()?);
        let rung = Arc::new(AtomicBool::new(false));
        posts.push(Post::new(sender, Arc::clone(&bell), Arc::clone(&rung)));
        ends.push((inbox, bell, rung));
    }
    // Set once, here: the shards have not begun.
    let _ = shared.posts.set(posts);
    let random = SystemRandom::new();
    links
        .into_iter()
        .zip(inners)
        .zip(ends)
        .enumerate()
        .map(|(index, ((links, inner), (inbox, bell, rung)))| {
            let mut seed = [0; 32];
            random.fill(&mut seed).map_err(|_| io::Error::other("the system gives no random numbers"))?;
            let shard = Shard::new(Parts {
                index,
                shared: Arc::clone(shared),
                ids: IdSpace { shard: index as u16, shard_bits },
                links,
                inner,
                bell,
                rung,
                inbox,
                seed,
            });
            let alarm = Alarm(Some(Arc::clone(shared)));
            let worker =
                std::thread::Builder::new().name(format!("shard-{index}")).spawn(move || {
                    match shard.run() {
                        Ok(()) => alarm.disarm(),
                        Err(error) => error!(shard = index, %error, "a shard ended"),
                    }
                })?;
            Ok(worker)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use tollgate_backends::local::{StoredPassword, User};
    use tollgate_client::dial::Dial;
    use zeroize::Zeroizing;

    use super::*;

    fn config(lns: &str) -> Config {
        // Without IPsec there is no key, so that no socket for it is opened.
        let key = if lns.contains("require-ipsec = false") { "" } else { "pre-shared-key = \"x\"" };
        let text = format!(
            r#"
                [lns]
                {lns}
                [local]
                [pool.a]
                range = "10.0.0.10-10.0.0.20"
                mask = "255.255.255.0"
                [tunnel-group.DefaultRAGroup]
                address-pool = ["a"]
                {key}
            "#
        );
        tollgate_policy::config::parse(std::path::Path::new("test.toml"), &text).unwrap()
    }

    #[test]
    fn a_server_without_tunnels_stops_at_once() {
        let extras = Extras { local: Some(Arc::new(LocalBackend::in_memory(Vec::new()))), witness: None };
        let config = config("require-ipsec = false\nl2tp-listen = \"127.0.0.1:0\"\nshards = 2");
        let server = Server::start(config, InnerKind::Memory, extras).unwrap();
        let begun = Instant::now();
        server.stop();
        assert!(begun.elapsed() < Duration::from_millis(1500), "{:?}", begun.elapsed());
    }

    #[test]
    fn max_sessions_holds_for_all_shards_together() {
        let users = vec![User::new("joe", StoredPassword::nt(b"secret"))];
        let extras = Extras { local: Some(Arc::new(LocalBackend::in_memory(users))), witness: None };
        let config =
            config("require-ipsec = false\nl2tp-listen = \"127.0.0.1:0\"\nshards = 4\nmax-sessions = 2");
        let server = Server::start(config, InnerKind::Memory, extras).unwrap();
        let options = tollgate_client::dial::Options {
            server: server.listens().plain.unwrap(),
            user: b"joe".to_vec(),
            password: Zeroizing::new(b"secret".to_vec()),
            new_password: None,
            method: tollgate_ppp::AuthProtocol::MsChapV2,
            ppp: tollgate_client::dial::PppOptions::default(),
            tunnel_secret: None,
            security: None,
            keys: None,
            host_name: "test".into(),
            request_servers: false,
            stage_limit: Duration::from_secs(5),
        };
        let dial = || Dial::connect(&options, &mut |_| ()).map_err(|failure| failure.to_string());
        let mut calls: Vec<_> = (0..10).map(|_| dial()).collect();
        let refused: Vec<_> = calls.iter().filter_map(|call| call.as_ref().err()).collect();
        assert_eq!(refused.iter().filter(|why| why.contains("too many sessions")).count(), 8, "{refused:?}");
        calls.iter_mut().flatten().for_each(Dial::hang_up);
        dial().expect("who hangs up makes room").hang_up();
        server.stop();
    }

    #[test]
    fn a_reload_cannot_ask_for_sockets_that_were_not_opened() {
        let extras = Extras { local: Some(Arc::new(LocalBackend::in_memory(Vec::new()))), witness: None };
        let config_of =
            |ipsec: bool| config(&format!("require-ipsec = {ipsec}\nl2tp-listen = \"127.0.0.1:0\""));
        let server = Server::start(config_of(false), InnerKind::Memory, extras).unwrap();
        assert!(matches!(server.reload(config_of(true)), Err(StartError::IpsecNeedsRestart)));
        server.stop();
    }

    #[test]
    fn a_reload_says_what_it_cannot_change() {
        let old = config("");
        assert!(needs_restart(&old, &config("tunnel-hello = 30")).is_empty());
        let new = config("tun-name = \"vpn1\"\nmtu = 1300");
        assert_eq!(needs_restart(&old, &new), ["lns.tun-name", "lns.mtu of the TUN device"]);
    }
}
