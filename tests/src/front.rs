//! A relay in front of a server, by TCP and UDP, on an address of 127/8 of its own: the server can be taken away, fall
//! silent, become slow and come back, while its port stays ours and what reaches it is counted.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How the way to the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Everything passes.
    Open,
    /// Nobody listens: connections are refused.
    Down,
    /// Connections are taken, and nothing comes back.
    Silent,
    /// Each question waits for a second and a half.
    Slow,
}

const DELAY: Duration = Duration::from_millis(1500);
/// How soon a change of the way is noticed.
const TURN: Duration = Duration::from_millis(20);

/// A running relay; it ends when dropped.
pub struct Front {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    behind: SocketAddr,
    way: AtomicU8,
    ended: AtomicBool,
    questions: AtomicUsize,
    connections: Mutex<Vec<TcpStream>>,
}

impl Front {
    /// Relays to a server.
    pub fn start(behind: SocketAddr) -> Self {
        let shared = Arc::new(Shared {
            behind,
            way: AtomicU8::new(Way::Open as u8),
            ended: AtomicBool::new(false),
            questions: AtomicUsize::new(0),
            connections: Mutex::default(),
        });
        let (address, listener, datagrams) = (0..100u32).find_map(bind).expect("an address of 127/8 is free");
        let (streams, packets) = (Arc::clone(&shared), Arc::clone(&shared));
        std::thread::spawn(move || streams.accept(address, Some(listener)));
        std::thread::spawn(move || packets.relay(address, Some(datagrams)));
        Self { address, shared }
    }

    /// Where clients reach it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes the way; connections that are open follow.
    pub fn set(&self, way: Way) {
        self.shared.way.store(way as u8, Ordering::Release);
        if way == Way::Down {
            for stream in lock(&self.shared.connections).drain(..) {
                // It may have ended by itself.
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
        // The threads have seen it.
        std::thread::sleep(4 * TURN);
    }

    /// Connections and datagrams that came for the server so far.
    pub fn questions(&self) -> usize {
        self.shared.questions.load(Ordering::Acquire)
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.set(Way::Down);
        self.shared.ended.store(true, Ordering::Release);
    }
}

fn bind(attempt: u32) -> Option<(SocketAddr, TcpListener, UdpSocket)> {
    let [a, b, c, high, low, ..] = RandomState::new().hash_one((std::process::id(), attempt)).to_be_bytes();
    // 127.0 is for everybody, and the kernel gives ports from 32768 on to those who ask for any.
    let address = Ipv4Addr::new(127, a.clamp(1, 254), b, c.clamp(1, 254));
    let address = (address, 10_000 + u16::from_be_bytes([high, low]) % 20_000).into();
    Some((address, listen(address).ok()?, datagrams(address).ok()?))
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn datagrams(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    socket.set_read_timeout(Some(TURN))?;
    Ok(socket)
}

impl Shared {
    fn way(&self) -> Way {
        [Way::Open, Way::Down, Way::Silent, Way::Slow]
            .into_iter()
            .find(|way| *way as u8 == self.way.load(Ordering::Acquire))
            .expect("one of them")
    }

    fn ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    fn accept(self: &Arc<Self>, address: SocketAddr, mut listener: Option<TcpListener>) {
        while !self.ended() {
            match (self.way(), &listener) {
                (Way::Down, _) => listener = None,
                (Way::Open | Way::Silent | Way::Slow, None) => listener = listen(address).ok(),
                (Way::Open | Way::Silent | Way::Slow, Some(listening)) => {
                    if let Ok((stream, _)) = listening.accept() {
                        self.questions.fetch_add(1, Ordering::AcqRel);
                        let shared = Arc::clone(self);
                        // One that cannot be relayed is closed.
                        std::thread::spawn(move || shared.connect(stream).ok());
                        continue;
                    }
                }
            }
            std::thread::sleep(TURN / 4);
        }
    }

    fn connect(self: &Arc<Self>, near: TcpStream) -> io::Result<()> {
        near.set_nonblocking(false)?;
        lock(&self.connections).push(near.try_clone()?);
        if self.way() == Way::Slow {
            std::thread::sleep(DELAY);
        }
        let far = TcpStream::connect(self.behind)?;
        let (near_again, far_again) = (near.try_clone()?, far.try_clone()?);
        let shared = Arc::clone(self);
        std::thread::spawn(move || shared.copy(near, far));
        self.copy(far_again, near_again);
        Ok(())
    }

    fn copy(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = [0; 16_384];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            if self.way() != Way::Silent && to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        // Both may be gone.
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    }

    fn relay(self: &Arc<Self>, address: SocketAddr, mut socket: Option<UdpSocket>) {
        let mut clients: HashMap<SocketAddr, Arc<UdpSocket>> = HashMap::new();
        let mut buffer = [0; 65_536];
        while !self.ended() {
            if self.way() == Way::Down {
                socket = None;
                clients.clear();
                std::thread::sleep(TURN);
                continue;
            }
            let Some(near) = &socket else {
                socket = datagrams(address).ok();
                continue;
            };
            let Ok((length, client)) = near.recv_from(&mut buffer) else { continue };
            self.questions.fetch_add(1, Ordering::AcqRel);
            if self.way() == Way::Silent {
                continue;
            }
            let far = clients.entry(client).or_insert_with(|| self.answers(near, client));
            let (far, behind, question) = (Arc::clone(far), self.behind, buffer[..length].to_vec());
            let delay = if self.way() == Way::Slow { DELAY } else { Duration::ZERO };
            let send = move || {
                std::thread::sleep(delay);
                // Who is not there loses datagrams, as in any network.
                let _ = far.send_to(&question, behind);
            };
            if delay.is_zero() {
                send();
            } else {
                std::thread::spawn(send);
            }
        }
    }

    /// A socket towards the server, whose answers go back to one client.
    fn answers(self: &Arc<Self>, near: &UdpSocket, client: SocketAddr) -> Arc<UdpSocket> {
        let far = Arc::new(UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a free port"));
        far.set_read_timeout(Some(Duration::from_millis(200))).expect("sockets have one");
        let (reading, near) = (Arc::clone(&far), near.try_clone().expect("a second handle"));
        let shared = Arc::clone(self);
        std::thread::spawn(move || {
            let mut buffer = [0; 65_536];
            while !shared.ended() && shared.way() != Way::Down {
                match reading.recv_from(&mut buffer) {
                    Ok((length, _)) if shared.way() != Way::Silent => {
                        let _ = near.send_to(&buffer[..length], client);
                    }
                    Ok(_) => {}
                    Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                    Err(_) => return,
                }
            }
        });
        far
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
