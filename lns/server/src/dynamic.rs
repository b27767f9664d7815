//! Dynamic authorization (RFC 5176): RADIUS servers end sessions here, or change what they may do. The sockets, and what
//! becomes of each request.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tollgate_aaa::PrintableName;
use tollgate_aaa::accounting::TerminateCause;
use tollgate_backends::radius::dynamic::{
    DynamicAuthorization, DynamicRequest, DynamicSettings, ErrorCause, Kind, Received,
};
use tollgate_policy::{Config, session};
use tracing::{info, warn};

use crate::quiet::Quiet;
use crate::registry::Handle;
use crate::shard::{Act, Change, Ending, Found, Message};
use crate::shared::Shared;

/// The longest packet of RADIUS.
const LONGEST: usize = 4096;
/// How long the shards have to say which sessions are meant, and to do what is asked.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// A port that cannot be listened at.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot listen on {address} (udp) for dynamic authorization: {error}; stop the program that uses it, or set another \
     port in dynamic-authorization"
)]
pub(crate) struct ListenError {
    address: SocketAddr,
    error: io::Error,
}

/// All ports at which requests come in.
#[derive(Default)]
pub(crate) struct Listeners(Mutex<BTreeMap<SocketAddr, Listener>>);

struct Listener {
    machine: Arc<Mutex<DynamicAuthorization>>,
    task: AbortHandle,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Ports that are opened and not yet served.
pub(crate) struct Opened {
    settings: BTreeMap<SocketAddr, DynamicSettings>,
    sockets: BTreeMap<SocketAddr, tokio::net::UdpSocket>,
}

impl Listeners {
    /// Opens the ports that the configuration names and that are not open yet, so that what cannot be opened is told
    /// before anything changes. Called within the runtime.
    pub(crate) fn open(&self, config: &Config) -> Result<Opened, ListenError> {
        let settings = settings(config);
        let ports = lock(&self.0);
        let mut sockets = BTreeMap::new();
        for address in settings.keys().filter(|address| !ports.contains_key(address)) {
            let listen = || {
                let socket = UdpSocket::bind(address)?;
                socket.set_nonblocking(true)?;
                tokio::net::UdpSocket::from_std(socket)
            };
            let socket = listen().map_err(|error| ListenError { address: *address, error })?;
            sockets.insert(*address, socket);
        }
        Ok(Opened { settings, sockets })
    }

    /// Serves what was opened, lets the ports that stay know their new clients, and closes the others.
    pub(crate) fn serve(&self, opened: Opened, shared: &Arc<Shared>) {
        let mut ports = lock(&self.0);
        ports.retain(|address, _| opened.settings.contains_key(address));
        let mut sockets = opened.sockets;
        for (address, settings) in opened.settings {
            if let Some(listener) = ports.get(&address) {
                lock(&listener.machine).reconfigure(settings);
            } else if let Some(socket) = sockets.remove(&address) {
                info!(listen = %address, clients = settings.clients.len(), "listening for dynamic authorization");
                let machine = Arc::new(Mutex::new(DynamicAuthorization::new(settings)));
                let task = listen(socket, Arc::clone(&machine), Arc::clone(shared));
                let task = shared.runtime.spawn(task).abort_handle();
                ports.insert(address, Listener { machine, task });
            }
        }
    }

    /// What was counted at all ports.
    pub(crate) fn counters(&self) -> Vec<(String, u64)> {
        let ports = lock(&self.0);
        let each = ports.values().flat_map(|listener| {
            let counters = lock(&listener.machine).counters();
            [
                ("dynamic-requests", counters.requests),
                ("dynamic-refused", counters.refused),
                ("dynamic-duplicates", counters.duplicates),
                ("dynamic-replays", counters.replays),
                ("dynamic-stale", counters.stale),
                ("dynamic-bad-authenticators", counters.bad_authenticators),
                ("dynamic-malformed", counters.malformed),
                ("dynamic-unknown-clients", counters.unknown_clients),
            ]
        });
        each.map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// Nothing is left half done where one of these is held.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The clients of all groups by where they ask.
fn settings(config: &Config) -> BTreeMap<SocketAddr, DynamicSettings> {
    let mut all = BTreeMap::new();
    for dynamic in config.server_groups.values().filter_map(|group| group.dynamic_authorization.as_ref()) {
        let settings = all.entry(dynamic.listen).or_insert_with(|| DynamicSettings {
            identifiers: vec![config.lns.hostname.clone()],
            is_own_address,
            clients: Vec::new(),
        });
        settings.clients.extend(dynamic.clients.iter().cloned());
    }
    all
}

/// Only an address of this machine can be bound to.
fn is_own_address(address: IpAddr) -> bool {
    !address.is_unspecified() && UdpSocket::bind((address, 0)).is_ok()
}

/// One request after the other: each is done with in less time than the next takes to come.
async fn listen(
    socket: tokio::net::UdpSocket,
    machine: Arc<Mutex<DynamicAuthorization>>,
    shared: Arc<Shared>,
) {
    let mut buffer = [0; LONGEST];
    let mut quiet = Quiet::default();
    loop {
        let (length, from) = match socket.recv_from(&mut buffer).await {
            Ok(received) => received,
            // As at the admin socket: one that lasts must not keep a thread busy.
            Err(error) => {
                warn!(%error, "dynamic authorization");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let datagram = buffer.get(..length).unwrap_or_default();
        let received = lock(&machine).receive(from, datagram, SystemTime::now());
        let answer = match received {
            Received::Request(request) => {
                let request = Arc::new(*request);
                let outcome = carry_out(&shared, &request).await;
                lock(&machine).answer(&request, outcome)
            }
            Received::Answer(answer) => Some(answer),
            Received::UnderWay => None,
            Received::Dropped(why) => {
                if let Some(more) = quiet.may_log("dropped", Instant::now()) {
                    warn!(%from, more, "request for dynamic authorization dropped: {why}");
                }
                None
            }
        };
        if let Some(answer) = answer
            && let Err(error) = socket.send_to(&answer, from).await
        {
            warn!(%from, %error, "the answer for dynamic authorization cannot be sent");
        }
    }
}

async fn carry_out(shared: &Shared, request: &Arc<DynamicRequest>) -> Result<(), ErrorCause> {
    let (found, outcome) = act(shared, request).await;
    let sessions: Vec<_> = found.iter().map(|found| found.session.as_str()).collect();
    let outcome_in_words = match outcome {
        Ok(()) => "done".to_owned(),
        Err(cause) => format!("refused with Error-Cause {} ({cause:?})", cause.code()),
    };
    info!(
        from = %request.from,
        kind = ?request.kind,
        user = request.user_name.as_deref().map(|name| PrintableName(name).to_string()),
        session = sessions.join(" "),
        outcome = outcome_in_words,
        "dynamic authorization",
    );
    outcome
}

async fn act(shared: &Shared, request: &Arc<DynamicRequest>) -> (Vec<Found>, Result<(), ErrorCause>) {
    let asked = shared.gather(|answer| Message::Find(Arc::clone(request), answer));
    let found = match in_time(asked).await {
        Ok(found) if found.is_empty() => return (found, Err(ErrorCause::SessionContextNotFound)),
        Ok(found) => found,
        Err(cause) => return (Vec::new(), Err(cause)),
    };
    let outcome = match acts(shared, request, &found) {
        Ok(acts) => in_time(apply(shared, acts)).await,
        Err(cause) => Err(cause),
    };
    let outcome =
        outcome.and_then(|done| if done { Ok(()) } else { Err(ErrorCause::SessionContextNotFound) });
    (found, outcome)
}

/// A shard that does not live must not keep the next request waiting for ever. Whoever asked hears that it is not done:
/// then he asks again.
async fn in_time<T>(work: impl Future<Output = T>) -> Result<T, ErrorCause> {
    let done = tokio::time::timeout(ANSWER_LIMIT, work).await;
    done.map_err(|_| ErrorCause::ResourcesUnavailable)
}

/// What is to be done to each session. First all of it is looked at, so that of several sessions not only some are
/// changed.
fn acts(
    shared: &Shared,
    request: &Arc<DynamicRequest>,
    found: &[Found],
) -> Result<Vec<(Handle, Act)>, ErrorCause> {
    let config = &shared.snapshot.load().config;
    let act = |found: &Found| match request.kind {
        Kind::Disconnect => {
            let cause = request.terminate_cause.and_then(TerminateCause::from_code);
            let cause = cause.unwrap_or(TerminateCause::AdminReset);
            Ok(Act::Close(Ending::ours(cause, "disconnected by the RADIUS server")))
        }
        Kind::ChangeOfAuthorization => {
            change(config, found, request).map(|change| Act::Change(Box::new(change)))
        }
    };
    found.iter().map(|found| act(found).map(|act| (found.handle, act))).collect()
}

/// Has the shards do it; whether any session was still there.
async fn apply(shared: &Shared, acts: Vec<(Handle, Act)>) -> bool {
    let told: Vec<_> = acts
        .into_iter()
        .filter_map(|(handle, act)| {
            let (done, told) = oneshot::channel();
            let sent = shared.post(handle.shard)?.send(Message::Apply { handle, act, done });
            sent.then_some(told)
        })
        .collect();
    let mut any = false;
    for done in told {
        any |= done.await.unwrap_or(false);
    }
    any
}

/// What a request means for one session, by the configuration of now.
fn change(config: &Config, found: &Found, request: &Arc<DynamicRequest>) -> Result<Change, ErrorCause> {
    let asked = &request.attributes;
    let filter = asked.filter_id.as_ref().map(|name| {
        let list = config.access_lists.get(name).ok_or(ErrorCause::InvalidAttributeValue)?;
        Ok((name.clone(), Arc::clone(list)))
    });
    let filter = filter.transpose()?;
    let policy = match &asked.group_policy {
        None => None,
        Some(name) if !config.group_policies.contains_key(name) => {
            return Err(ErrorCause::InvalidAttributeValue);
        }
        // As at the login: what the server says of the user himself goes before his group's policy.
        Some(name) => {
            let (tunnel_group, attributes) =
                found.login.as_ref().ok_or(ErrorCause::SessionContextNotFound)?;
            let attributes = attributes.changed_by(asked);
            let warn_of = &mut |warning| warn!(session = found.session, warning, "policy");
            let resolved = session::resolve(config, tunnel_group, &attributes, warn_of);
            Some(resolved.map_err(|refusal| {
                warn!(session = found.session, "group policy {name} cannot be given: {refusal}");
                ErrorCause::AdministrativelyProhibited
            })?)
        }
    };
    Ok(Change { request: Arc::clone(request), filter, policy })
}
