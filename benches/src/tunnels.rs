//! An access concentrator and a network server of L2TP.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Instant;

use tollgate_l2tp::{
    Config, Endpoint, Event, IdSpace, IncomingCall, MAX_DATA_HEADER, Path, Role, SessionKey, TunnelId,
};
use tollgate_sansio::Entropy;

/// Both ends and the sessions that are up between them.
pub struct Tunnels {
    /// The concentrator.
    pub lac: Endpoint,
    /// The server.
    pub lns: Endpoint,
    /// One time for everything: no timer is due.
    pub now: Instant,
    /// The way to the concentrator, as the server sees it.
    pub path: Path,
    /// Sessions by the concentrator's keys, in the order in which they came up.
    pub at_lac: Vec<SessionKey>,
    /// Sessions by the server's keys, in the order in which they came up.
    pub at_lns: Vec<SessionKey>,
    ready: Vec<TunnelId>,
}

impl Default for Tunnels {
    fn default() -> Self {
        let make = |role, seed| {
            let config = Config { receive_window: 64, ..Config::new(role, "bench.example.net") };
            Endpoint::new(config, IdSpace::whole(), Entropy::from_seed([seed; 32]))
        };
        Self {
            lac: make(Role::Lac, 1),
            lns: make(Role::Lns, 2),
            now: Instant::now(),
            path: Path {
                local: SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 1701)),
                remote: SocketAddr::from((Ipv4Addr::new(198, 51, 100, 7), 1701)),
                association: None,
            },
            at_lac: Vec::new(),
            at_lns: Vec::new(),
            ready: Vec::new(),
        }
    }
}

impl Tunnels {
    /// So many tunnels with so many sessions each.
    pub fn with(tunnels: usize, sessions: usize) -> Self {
        let mut pair = Self::default();
        for _ in 0..tunnels {
            pair.set_up(sessions);
        }
        assert_eq!((pair.at_lac.len(), pair.at_lns.len()), (tunnels * sessions, tunnels * sessions));
        pair
    }

    /// One more tunnel with so many sessions.
    pub fn set_up(&mut self, sessions: usize) {
        let to_lns = Path { local: self.path.remote, remote: self.path.local, association: None };
        // The ids are never all in use here.
        let Ok(tunnel) = self.lac.open_tunnel(self.now, to_lns) else { return };
        self.run();
        for _ in 0..sessions {
            let call = IncomingCall { framing_type: 1, tx_speed: 100_000_000, ..IncomingCall::default() };
            if self.lac.open_session(self.now, tunnel, call).is_ok() {
                self.run();
            }
        }
    }

    /// Carries datagrams until there are none.
    pub fn run(&mut self) {
        let to_lns = Path { local: self.path.remote, remote: self.path.local, association: None };
        loop {
            let (from_lac, from_lns) = (self.lac.poll_transmit(), self.lns.poll_transmit());
            if from_lac.is_none() && from_lns.is_none() {
                break;
            }
            if let Some(transmit) = from_lac {
                self.lns.handle_datagram(self.now, self.path, &transmit.datagram);
            }
            if let Some(transmit) = from_lns {
                self.lac.handle_datagram(self.now, to_lns, &transmit.datagram);
            }
        }
        while let Some(event) = self.lac.poll_event() {
            match event {
                Event::TunnelUp { tunnel, .. } => self.ready.push(tunnel),
                Event::SessionUp { key, .. } => self.at_lac.push(key),
                Event::TunnelDown { .. } | Event::SessionDown { .. } | Event::Warning { .. } => {}
            }
        }
        while let Some(event) = self.lns.poll_event() {
            if let Event::SessionUp { key, .. } = event {
                self.at_lns.push(key);
            }
        }
    }
}

/// A data packet as the end that owns `key` would send it.
pub fn data_packet(endpoint: &mut Endpoint, key: SessionKey, frame: &[u8]) -> Vec<u8> {
    let mut header = [0; MAX_DATA_HEADER];
    let length = endpoint.data_header(key, frame.len(), &mut header).map_or(0, |(length, _)| length);
    [header.get(..length).unwrap_or_default(), frame].concat()
}
