//! The way to a server over TCP: its name, its addresses, a connection within the time.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout_at};
use tollgate_aaa::{Layer, Unavailable};

/// Host and port of a server. `Display` gives `host:port`, an IPv6 address in brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Host name, IPv4 or IPv6 address.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.parse::<IpAddr>() {
            Ok(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
            Ok(IpAddr::V4(_)) | Err(_) => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl Endpoint {
    /// Connects, trying every address that the name has.
    pub async fn connect(&self, deadline: Instant) -> Result<TcpStream, Unavailable> {
        let mut last = None;
        for address in self.addresses(deadline).await? {
            match timeout_at(deadline, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // Questions are small and each waits for its answer.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Ok(Err(error)) => last = Some(format!("cannot connect to {address}: {error}")),
                Err(_) => {
                    last = Some(format!("{address} did not accept a connection within the timeout"));
                    break;
                }
            }
        }
        let why = last.unwrap_or_else(|| format!("the name {} has no address", self.host));
        Err(Unavailable::new(Layer::Connection, why))
    }

    /// Every address that the name has, with the port.
    pub(crate) async fn addresses(&self, deadline: Instant) -> Result<Vec<SocketAddr>, Unavailable> {
        if let Ok(address) = self.host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, self.port)]);
        }
        let unresolved = |error: String| {
            Unavailable::new(
                Layer::NameResolution,
                format!("the name {} was not resolved: {error}", self.host),
            )
        };
        match timeout_at(deadline, lookup_host((self.host.as_str(), self.port))).await {
            Ok(Ok(addresses)) => Ok(addresses.collect()),
            Ok(Err(error)) => Err(unresolved(error.to_string())),
            Err(_) => Err(unresolved("the name service did not answer within the timeout".to_owned())),
        }
    }
}
