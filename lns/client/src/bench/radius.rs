//! A RADIUS server that says yes: it lets a measurement show what the access server costs, not what a RADIUS server
//! costs. It checks nothing and is of no other use.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use tollgate_sys::udp::{BATCH, Inbound, Outbound, UdpSocket};

/// Codes of RFC 2865 and RFC 2866.
const ACCESS_REQUEST: u8 = 1;
const ACCESS_ACCEPT: u8 = 2;
const ACCOUNTING_REQUEST: u8 = 4;
const ACCOUNTING_RESPONSE: u8 = 5;
/// Message-Authenticator (RFC 3579 section 3.2).
const MESSAGE_AUTHENTICATOR: u8 = 80;

/// Two sockets, authentication and accounting, answered by one thread until dropped.
pub struct Responder {
    authentication: SocketAddr,
    accounting: SocketAddr,
    answered: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    worker: Option<JoinHandle<()>>,
}

impl Responder {
    /// Listens on free loopback ports.
    pub fn start(secret: &[u8]) -> io::Result<Self> {
        Self::on(
            SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            secret,
            Duration::ZERO,
        )
    }

    /// Listens on these addresses; answers to Access-Requests leave after `delay`.
    pub fn on(
        authentication: SocketAddr,
        accounting: SocketAddr,
        secret: &[u8],
        delay: Duration,
    ) -> io::Result<Self> {
        let sockets = [UdpSocket::bind(authentication)?, UdpSocket::bind(accounting)?];
        let (authentication, accounting) = (sockets[0].local_addr(), sockets[1].local_addr());
        let answered = Arc::new(AtomicU64::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let secret = secret.to_vec();
        let (count, stopped) = (Arc::clone(&answered), Arc::clone(&stop));
        let worker = std::thread::Builder::new().name("responder".into()).spawn(move || {
            if let Err(error) = serve(&sockets, &secret, delay, &count, &stopped) {
                tracing::error!(%error, "the RADIUS responder ended");
            }
        })?;
        Ok(Self { authentication, accounting, answered, stop, worker: Some(worker) })
    }

    /// Port for Access-Requests.
    pub fn authentication_port(&self) -> u16 {
        self.authentication.port()
    }

    /// Port for Accounting-Requests.
    pub fn accounting_port(&self) -> u16 {
        self.accounting.port()
    }

    /// Requests answered so far.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(worker) = self.worker.take() {
            // A worker that panicked has nothing left to stop.
            let _ = worker.join();
        }
    }
}

/// An answer that has to wait.
struct Late {
    due: Instant,
    local: SocketAddr,
    remote: SocketAddr,
    answer: Vec<u8>,
}

fn serve(
    sockets: &[UdpSocket; 2],
    secret: &[u8],
    delay: Duration,
    answered: &AtomicU64,
    stop: &AtomicBool,
) -> io::Result<()> {
    use std::os::fd::AsFd;
    let waiter = tollgate_sys::event::Waiter::new()?;
    for (number, socket) in sockets.iter().enumerate() {
        waiter.watch(socket.as_fd(), number as u32)?;
    }
    let (mut inbound, mut outbound) = (Inbound::new(), Outbound::new());
    let mut late: VecDeque<Late> = VecDeque::new();
    let send = |outbound: &mut Outbound, socket, Late { local, remote, answer, .. }: Late| {
        outbound.push(socket, local, remote, |buffer| {
            buffer[..answer.len()].copy_from_slice(&answer);
            answer.len()
        });
        answered.fetch_add(1, Ordering::Relaxed);
    };
    while !stop.load(Ordering::Relaxed) {
        let most = Duration::from_millis(100);
        let due = late.front().map(|late| late.due.saturating_duration_since(Instant::now()));
        let ready = waiter.wait(Some(due.unwrap_or(most).min(most)))?;
        let now = Instant::now();
        while late.front().is_some_and(|late| late.due <= now) {
            if let Some(late) = late.pop_front() {
                send(&mut outbound, &sockets[0], late);
            }
        }
        outbound.flush(&sockets[0]);
        for (number, socket) in sockets.iter().enumerate().filter(|(number, _)| ready & 1 << number != 0) {
            loop {
                let count = inbound.receive(socket)?;
                for index in 0..count {
                    let Some(request) = inbound.datagram(index) else { continue };
                    let Some(answer) = answer(request.bytes, secret) else { continue };
                    let answer =
                        Late { due: now + delay, local: request.local, remote: request.remote, answer };
                    if number == 0 && !delay.is_zero() {
                        late.push_back(answer);
                    } else {
                        send(&mut outbound, socket, answer);
                    }
                }
                outbound.flush(socket);
                if count < BATCH {
                    break;
                }
            }
        }
    }
    Ok(())
}

/// The answer to a request: yes.
fn answer(request: &[u8], secret: &[u8]) -> Option<Vec<u8>> {
    let header = request.first_chunk::<20>()?;
    let (code, with_proof) = match header[0] {
        ACCESS_REQUEST => (ACCESS_ACCEPT, true),
        ACCOUNTING_REQUEST => (ACCOUNTING_RESPONSE, false),
        _ => return None,
    };
    let mut answer = vec![code, header[1], 0, 20];
    answer.extend_from_slice(&header[4..20]);
    if with_proof {
        answer[3] = 38;
        answer.extend([MESSAGE_AUTHENTICATOR, 18]);
        answer.extend([0; 16]);
        let mut proof = Hmac::<Md5>::new_from_slice(secret).ok()?;
        proof.update(&answer);
        let proof = proof.finalize().into_bytes();
        answer[22..38].copy_from_slice(&proof);
    }
    let mut digest = Md5::new();
    digest.update(&answer);
    digest.update(secret);
    answer[4..20].copy_from_slice(&digest.finalize());
    Some(answer)
}
