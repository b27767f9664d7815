//! The sockets of a server, opened for every shard before the first one runs.

use std::io;
use std::net::SocketAddr;

use tollgate_policy::Config;
use tollgate_sys::udp::UdpSocket;
use tracing::{info, warn};

use super::StartError;
use crate::shard::{Links, Port};

/// Where a server listens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listens {
    /// L2TP in clear.
    pub(crate) plain: Option<SocketAddr>,
    /// ISAKMP.
    pub(crate) ike: Option<SocketAddr>,
    /// ISAKMP and ESP in UDP.
    pub(crate) nat_t: Option<SocketAddr>,
    /// ESP as IP protocol 50.
    esp: bool,
}

impl Listens {
    pub(super) fn log(&self, shards: usize) {
        let name = |address: Option<SocketAddr>| {
            address.map_or_else(|| "no".to_owned(), |address| address.to_string())
        };
        info!(
            listen = %name(self.plain),
            ike = %name(self.ike),
            nat_t = %name(self.nat_t),
            esp = self.esp,
            shards,
            "serving"
        );
    }
}

/// Opens what the configuration asks for.
pub(super) fn open(config: &Config, count: usize) -> Result<(Vec<Links>, Listens), StartError> {
    let plain = match bind(config.lns.l2tp_listen, count, "l2tp-listen in [lns]") {
        Ok(sockets) => sockets,
        // Only to tell clients without IPsec apart from silence.
        Err(error) if config.lns.require_ipsec => {
            warn!("{error}; L2TP without IPsec will not be noticed");
            Vec::new()
        }
        Err(error) => return Err(error),
    };
    let is_secure = crate::ipsec::is_configured(config);
    let (ike, nat_t) = match is_secure {
        true => (
            bind(config.ipsec.ike_listen, count, "ike-listen in [ipsec]")?,
            bind(config.ipsec.nat_t_listen, count, "nat-t-listen in [ipsec]")?,
        ),
        false => (Vec::new(), Vec::new()),
    };
    let esp = match is_secure && config.ipsec.esp {
        true => match UdpSocket::bind_esp(config.ipsec.ike_listen.ip()) {
            Ok(socket) => Some(socket),
            Err(error) => {
                warn!(
                    "no socket for ESP (IP protocol 50): {error}; every client will be made to use UDP instead. Give \
                     tollgate CAP_NET_RAW, or set esp = false in [ipsec]"
                );
                None
            }
        },
        false => None,
    };
    let first = |sockets: &[UdpSocket]| sockets.first().map(UdpSocket::local_addr);
    let listens =
        Listens { plain: first(&plain), ike: first(&ike), nat_t: first(&nat_t), esp: esp.is_some() };
    let esp_is_served = esp.is_some();
    let (mut plain, mut ike, mut nat_t) = (plain.into_iter(), ike.into_iter(), nat_t.into_iter());
    let mut esp = esp.into_iter();
    let links = (0..count)
        .map(|_| Links {
            plain: plain.next().map(Port::new),
            ike: ike.next().map(Port::new),
            nat_t: nat_t.next().map(Port::new),
            esp: esp.next().map(Port::raw),
            esp_is_served,
        })
        .collect();
    Ok((links, listens))
}

fn bind(address: SocketAddr, count: usize, key: &'static str) -> Result<Vec<UdpSocket>, StartError> {
    let listen = |address: SocketAddr| {
        UdpSocket::bind(address).map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => StartError::PortInUse { address, key },
            _ => StartError::Listen { address, key, error },
        })
    };
    // SO_REUSEPORT lets a second server of the same user share the port without a word; a socket without it tells.
    if address.port() != 0 {
        match std::net::UdpSocket::bind(address) {
            Ok(probe) => drop(probe),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                return Err(StartError::PortInUse { address, key });
            }
            Err(error) => return Err(StartError::Listen { address, key, error }),
        }
    }
    let first = listen(address)?;
    let address = first.local_addr();
    let mut sockets = vec![first];
    for _ in 1..count {
        sockets.push(listen(address)?);
    }
    Ok(sockets)
}
