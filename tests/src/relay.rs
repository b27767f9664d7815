//! A UDP relay between a client and a server on loopback: it may change its port in mid-session, as a NAT does, it keeps
//! what it saw, and it can add datagrams of its own.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A running relay; it ends when dropped.
pub struct Relay {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    ended: AtomicBool,
    server: SocketAddr,
    /// The socket towards the server.
    outside: Mutex<Arc<UdpSocket>>,
    /// Datagrams of the client.
    seen: Mutex<Vec<Vec<u8>>>,
}

impl Relay {
    /// Relays to a server.
    pub fn start(server: &str) -> Self {
        let inside = Arc::new(socket());
        let address = inside.local_addr().expect("bound");
        let shared = Arc::new(Shared {
            ended: AtomicBool::new(false),
            server: server.parse().expect("an address and port"),
            outside: Mutex::new(Arc::new(socket())),
            seen: Mutex::default(),
        });
        let worker = Arc::clone(&shared);
        std::thread::spawn(move || worker.run(&inside));
        Self { address, shared }
    }

    /// Where clients send to.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// From now on the server sees another source port, and the old one is gone.
    pub fn change_port(&self) {
        *lock(&self.shared.outside) = Arc::new(socket());
    }

    /// Datagrams that came from the client so far.
    pub fn seen(&self) -> Vec<Vec<u8>> {
        lock(&self.shared.seen).clone()
    }

    /// Sends a datagram to the server as if it came from the client.
    pub fn inject(&self, datagram: &[u8]) {
        let outside = Arc::clone(&lock(&self.shared.outside));
        outside.send_to(datagram, self.shared.server).expect("loopback takes it");
    }

    /// The header of the client's data packets: what stands before PPP.
    pub fn data_header(&self) -> Vec<u8> {
        let seen = self.seen();
        let data = seen.iter().find(|datagram| datagram[0] & 0x80 == 0).expect("the client sent data");
        // Flags and version, an optional length, tunnel id, session id (RFC 2661 section 3.1).
        let length = if data[0] & 0x40 == 0 { 6 } else { 8 };
        let mut header = data[..length].to_vec();
        if length == 8 {
            header[0] &= !0x40;
            header.drain(2..4);
        }
        header
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Release);
    }
}

impl Shared {
    fn run(&self, inside: &UdpSocket) {
        let mut client = None;
        let mut buffer = [0; 65_536];
        while !self.ended.load(Ordering::Acquire) {
            let outside = Arc::clone(&lock(&self.outside));
            let mut idle = true;
            if let Ok((length, from)) = inside.recv_from(&mut buffer) {
                client = Some(from);
                lock(&self.seen).push(buffer[..length].to_vec());
                // Who is not there loses datagrams, as in any network.
                let _ = outside.send_to(&buffer[..length], self.server);
                idle = false;
            }
            if let (Ok((length, _)), Some(client)) = (outside.recv_from(&mut buffer), client) {
                let _ = inside.send_to(&buffer[..length], client);
                idle = false;
            }
            if idle {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    socket.set_nonblocking(true).expect("sockets can be so");
    socket
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
