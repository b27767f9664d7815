//! Two endpoints and a clock. Datagrams go at once and arrive, unless a test stands in between.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use tollgate_l2tp::{
    CallInfo, Config, Endpoint, Event, IdSpace, IncomingCall, MAX_DATA_HEADER, Path, Received, Role,
    SessionEnd, SessionKey, TunnelEnd, TunnelId,
};
use tollgate_sansio::Entropy;

pub(crate) const LNS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
pub(crate) const LAC: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);

pub(crate) fn lns_config() -> Config {
    Config::new(Role::Lns, "lns.example.net")
}

pub(crate) fn lac_config() -> Config {
    Config::new(Role::Lac, "client")
}

/// A path as seen from the LNS to a client at this port, in the clear.
pub(crate) fn from_port(port: u16) -> Path {
    Path { local: SocketAddr::from((LNS, 1701)), remote: SocketAddr::from((LAC, port)), association: None }
}

/// The same path from the other end.
pub(crate) fn reversed(path: Path) -> Path {
    Path { local: path.remote, remote: path.local, association: path.association }
}

pub(crate) fn endpoint(config: Config, seed: u8) -> Endpoint {
    Endpoint::new(config, IdSpace::whole(), Entropy::from_seed([seed; 32]))
}

/// An endpoint with what it has said about itself so far.
pub(crate) struct Side {
    pub(crate) endpoint: Endpoint,
    pub(crate) events: Vec<Event>,
}

impl Side {
    pub(crate) fn new(config: Config, seed: u8) -> Self {
        Self { endpoint: endpoint(config, seed), events: Vec::new() }
    }

    pub(crate) fn collect(&mut self) {
        while let Some(event) = self.endpoint.poll_event() {
            self.events.push(event);
        }
    }

    /// Takes the events so far, in words that are short enough to compare.
    pub(crate) fn story(&mut self) -> Vec<String> {
        self.collect();
        self.events
            .drain(..)
            .map(|event| match event {
                Event::TunnelUp { .. } => "tunnel up".into(),
                Event::TunnelDown { cause, .. } => format!("tunnel down: {cause}"),
                Event::SessionUp { .. } => "session up".into(),
                Event::SessionDown { cause, .. } => format!("session down: {cause}"),
                Event::Warning { text, .. } => format!("warning: {text}"),
            })
            .collect()
    }

    pub(crate) fn sessions_up(&mut self) -> Vec<(SessionKey, CallInfo)> {
        self.collect();
        let up = self.events.iter().filter_map(|event| match event {
            Event::SessionUp { key, call } => Some((*key, (**call).clone())),
            _ => None,
        });
        up.collect()
    }

    pub(crate) fn tunnel_ends(&mut self) -> Vec<TunnelEnd> {
        self.collect();
        let ends = self.events.iter().filter_map(|event| match event {
            Event::TunnelDown { cause, .. } => Some(cause.clone()),
            _ => None,
        });
        ends.collect()
    }

    pub(crate) fn session_ends(&mut self) -> Vec<SessionEnd> {
        self.collect();
        let ends = self.events.iter().filter_map(|event| match event {
            Event::SessionDown { cause, .. } => Some(cause.clone()),
            _ => None,
        });
        ends.collect()
    }
}

pub(crate) struct Wire {
    pub(crate) now: Instant,
    pub(crate) lac: Side,
    pub(crate) lns: Side,
    /// What the LNS sees of the LAC: a NAT in between can change it at any time.
    pub(crate) seen: Path,
    /// Nothing arrives any more.
    pub(crate) cut: bool,
    /// Every datagram that went, with true for those from the LAC.
    pub(crate) log: Vec<(bool, Vec<u8>)>,
}

impl Wire {
    pub(crate) fn new(lac: Config, lns: Config) -> Self {
        Self {
            now: Instant::now(),
            lac: Side::new(lac, 1),
            lns: Side::new(lns, 2),
            seen: from_port(1701),
            cut: false,
            log: Vec::new(),
        }
    }

    pub(crate) fn open(&mut self) -> TunnelId {
        let path = reversed(self.seen);
        self.lac.endpoint.open_tunnel(self.now, path).unwrap()
    }

    /// Moves datagrams until there are none.
    pub(crate) fn run(&mut self) {
        loop {
            let from_lac = self.lac.endpoint.poll_transmit();
            let from_lns = self.lns.endpoint.poll_transmit();
            if from_lac.is_none() && from_lns.is_none() {
                break;
            }
            if let Some(transmit) = from_lac {
                self.log.push((true, transmit.datagram.clone()));
                if !self.cut {
                    self.lns.endpoint.handle_datagram(self.now, self.seen, &transmit.datagram);
                }
            }
            if let Some(transmit) = from_lns {
                self.log.push((false, transmit.datagram.clone()));
                let reaches = transmit.path.remote == self.seen.remote;
                if !self.cut && reaches {
                    self.lac.endpoint.handle_datagram(self.now, reversed(self.seen), &transmit.datagram);
                }
            }
        }
        self.lac.collect();
        self.lns.collect();
    }

    /// Lets time pass, timer by timer.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        self.run();
        loop {
            let next =
                [&self.lac, &self.lns].into_iter().filter_map(|side| side.endpoint.next_timeout()).min();
            match next.filter(|next| *next <= end) {
                Some(next) => self.now = next.max(self.now),
                None => break,
            }
            self.lac.endpoint.handle_timeout(self.now);
            self.lns.endpoint.handle_timeout(self.now);
            self.run();
        }
        self.now = end;
    }

    /// A tunnel with one call in it: the keys at LAC and LNS.
    pub(crate) fn call(&mut self) -> (SessionKey, SessionKey) {
        let tunnel = self.open();
        self.call_in(tunnel)
    }

    pub(crate) fn call_in(&mut self, tunnel: TunnelId) -> (SessionKey, SessionKey) {
        self.lac.endpoint.open_session(self.now, tunnel, IncomingCall::default()).unwrap();
        self.run();
        let lac = self.lac.sessions_up().last().unwrap().0;
        let lns = self.lns.sessions_up().last().unwrap().0;
        (lac, lns)
    }

    /// One frame from LAC to LNS.
    pub(crate) fn up(&mut self, key: SessionKey, frame: &[u8]) -> Received {
        let datagram = data(&mut self.lac.endpoint, key, frame).unwrap();
        self.lns.endpoint.handle_datagram(self.now, self.seen, &datagram)
    }

    /// One frame from LNS to LAC.
    pub(crate) fn down(&mut self, key: SessionKey, frame: &[u8]) -> Received {
        let datagram = data(&mut self.lns.endpoint, key, frame).unwrap();
        self.lac.endpoint.handle_datagram(self.now, reversed(self.seen), &datagram)
    }
}

/// A data packet of this session.
pub(crate) fn data(endpoint: &mut Endpoint, key: SessionKey, frame: &[u8]) -> Option<Vec<u8>> {
    let mut header = [0; MAX_DATA_HEADER];
    let (length, _) = endpoint.data_header(key, frame.len(), &mut header)?;
    let mut datagram = header[..length].to_vec();
    datagram.extend_from_slice(frame);
    Some(datagram)
}

/// The type of each control message in a log, `ZLB` for those without.
pub(crate) fn types(log: &[(bool, Vec<u8>)]) -> Vec<String> {
    log.iter()
        .map(|(from_lac, datagram)| {
            let name = match datagram.get(18..20) {
                Some(&[_, number]) => {
                    tollgate_l2tp::MessageType::from_number(number.into()).unwrap().to_string()
                }
                _ => "ZLB".into(),
            };
            format!("{} {name}", if *from_lac { "->" } else { "<-" })
        })
        .collect()
}
