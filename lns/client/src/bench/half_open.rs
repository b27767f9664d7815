//! First messages of IKE from many source addresses that are never followed by another: what a flood leaves behind at a
//! server.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Instant;

use ring::rand::{SecureRandom, SystemRandom};
use tollgate_sansio::Entropy;

use super::BenchError;
use crate::secure::{Secure, Security};

/// Half-open exchanges of one source: fewer than a server's limit for one.
const OF_ONE_SOURCE: usize = 90;

/// Leaves `count` exchanges half open at a server on this machine, each source an address of 127.0.0.0/8; gives how many
/// were answered.
pub fn leave_half_open(server: SocketAddr, security: &Security, count: usize) -> Result<usize, BenchError> {
    let mut seed = [0; 32];
    SystemRandom::new()
        .fill(&mut seed)
        .map_err(|_| BenchError::Server("the system gives no random numbers".into()))?;
    let mut entropy = Entropy::from_seed(seed);
    let mut answered = 0;
    for source in 0..count.div_ceil(OF_ONE_SOURCE) {
        let [high, low] = ((source + 256) as u16).to_be_bytes();
        let address = SocketAddr::from((Ipv4Addr::new(127, 77, high, low), 0));
        let socket = UdpSocket::bind(address).map_err(BenchError::system("cannot bind a source address"))?;
        socket.set_nonblocking(true).map_err(BenchError::system("cannot bind a source address"))?;
        let local = socket.local_addr().map_err(BenchError::system("cannot bind a source address"))?;
        let now = Instant::now();
        let mut secure = Secure::new(now, security.clone(), server.ip(), entropy.fork());
        let here = OF_ONE_SOURCE.min(count - source * OF_ONE_SOURCE);
        for _ in 0..here {
            secure.connect(now, local, None);
            while secure.poll(now, |to, datagram| drop(socket.send_to(datagram, to))).is_some() {}
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
        let mut buffer = [0; 2048];
        while socket.recv(&mut buffer).is_ok() {
            answered += 1;
        }
    }
    Ok(answered)
}
