//! A guest that connects.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::strongswan::Side;
use super::{Ipsec, Stack, libreswan, strongswan};
use crate::guest::{Guest, Ran};
use crate::network::Seat;

/// A client on its seat: it can connect, vanish without a goodbye and come back.
pub struct Client {
    seat: Seat,
    ipsec: Ipsec,
    /// `None` while it is gone.
    guest: Option<Guest>,
}

/// A PPP link that is up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The client's inner address.
    pub address: Ipv4Addr,
    /// The server's.
    pub peer: Ipv4Addr,
}

/// What came of pings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pings {
    /// Sent.
    pub sent: u32,
    /// Answered.
    pub answered: u32,
}

impl Client {
    /// Boots a client: its IKE program runs and nothing is connected.
    pub fn boot(seat: &Seat, ipsec: &Ipsec) -> Self {
        let guest = Some(start(seat, ipsec).listens());
        Self { seat: seat.clone(), ipsec: ipsec.clone(), guest }
    }

    /// Boots several at once.
    pub fn boot_all(seats: &[Seat], ipsec: &Ipsec) -> Vec<Self> {
        let all: Vec<_> = seats.iter().map(|seat| (seat.clone(), ipsec.clone())).collect();
        Self::boot_each(&all)
    }

    /// Boots several at once that differ.
    pub fn boot_each(all: &[(Seat, Ipsec)]) -> Vec<Self> {
        // All by this thread: the kernel ends a child with the thread that made it.
        let guests: Vec<_> = all.iter().map(|(seat, ipsec)| start(seat, ipsec)).collect();
        let client = |((seat, ipsec), guest): (&(Seat, Ipsec), Guest)| Self {
            seat: seat.clone(),
            ipsec: ipsec.clone(),
            guest: Some(guest.listens()),
        };
        all.iter().zip(guests).map(client).collect()
    }

    /// Boots, connects IPsec and logs in; panics with what was said where that fails.
    pub fn connect(seat: &Seat, ipsec: &Ipsec, user: &str, password: &str) -> (Self, Link) {
        let client = Self::boot(seat, ipsec);
        client.raise().ok();
        let link = client.dial(user, password, "").unwrap_or_else(|said| panic!("no PPP link: {said}"));
        (client, link)
    }

    /// The guest, for its console.
    pub fn guest(&mut self) -> &mut Guest {
        self.guest.as_mut().expect("the client is there")
    }

    fn present(&self) -> &Guest {
        self.guest.as_ref().expect("the client is there")
    }

    /// Runs a shell command in the guest, half a minute at most.
    pub fn run(&self, command: &str) -> Ran {
        self.present().run(command)
    }

    /// Negotiates both phases; 20 seconds at most.
    pub fn raise(&self) -> Ran {
        self.raise_within(20)
    }

    /// The same with another patience: neither program takes a refusal in clear at its word.
    pub fn raise_within(&self, seconds: u32) -> Ran {
        self.run(&match self.ipsec.stack {
            Stack::StrongSwan => format!("swanctl --initiate --child l2tp --timeout {seconds}"),
            // It says how it went and ends with 0 in any case.
            Stack::Libreswan => format!(
                "timeout {seconds} ipsec auto --up vpn > /tmp/up 2>&1; cat /tmp/up; grep -q 'IPsec SA established' \
                 /tmp/up"
            ),
        })
    }

    /// Ends both phases with a goodbye.
    pub fn lower(&self) -> Ran {
        self.run(match self.ipsec.stack {
            Stack::StrongSwan => "swanctl --terminate --ike vpn --timeout 5",
            Stack::Libreswan => "ipsec auto --down vpn",
        })
    }

    /// Negotiates phase 2 anew at once, make before break.
    pub fn rekey_child(&self) -> Ran {
        self.run(match self.ipsec.stack {
            Stack::StrongSwan => "swanctl --rekey --child l2tp",
            Stack::Libreswan => "ipsec whack --rekey-ipsec --name vpn",
        })
    }

    /// Negotiates phase 1 anew at once.
    pub fn rekey_ike(&self) -> Ran {
        self.run(match self.ipsec.stack {
            Stack::StrongSwan => "swanctl --rekey --ike vpn",
            Stack::Libreswan => "ipsec whack --rekey-ike --name vpn",
        })
    }

    /// The associations as the guest's program prints them.
    pub fn associations(&self) -> String {
        self.run(match self.ipsec.stack {
            Stack::StrongSwan => "swanctl --list-sas",
            Stack::Libreswan => "ipsec trafficstatus; ipsec whack --showstates",
        })
        .said
    }

    /// Calls by L2TP and logs in; pppd's options `more`, one a line, are added. Half a minute at most; the error is what
    /// was said.
    pub fn dial(&self, user: &str, password: &str, more: &str) -> Result<Link, String> {
        let ran = self.present().run_within(
            &format!("dial '{user}' '{password}' <<'X'\nlcp-max-terminate 1\n{more}\nX\nwait_up 300"),
            Duration::from_secs(90),
        );
        let link = (ran.code == 0).then(|| link(&ran.said)).flatten();
        link.ok_or_else(|| format!("{}\n{}", ran.said, self.run("cat /tmp/pppd.log").said))
    }

    /// The same without a wait for what comes of it.
    pub fn call(&self, user: &str, password: &str, more: &str) {
        self.run(&format!("dial '{user}' '{password}' <<'X'\nlcp-max-terminate 1\n{more}\nX")).ok();
    }

    /// Hangs up by L2TP and waits until the link is gone.
    pub fn hang_up(&self) {
        self.run("hang_up; wait_down").ok();
    }

    /// Whether the PPP link is there.
    pub fn has_link(&self) -> bool {
        self.run("ip link show ppp0").code == 0
    }

    /// Pings through the tunnel, five a second; `size` is what follows ICMP's header, and fragments are forbidden.
    pub fn ping(&self, address: Ipv4Addr, count: u32, size: u16) -> Pings {
        let limit = Duration::from_secs(u64::from(count) / 5 + 15);
        let command = format!("ping -n -M do -i 0.2 -W 2 -c {count} -s {size} {address}");
        let said = self.present().run_within(&command, limit).said;
        pings(&said).unwrap_or_else(|| panic!("{command}: {said}"))
    }

    /// The same with packets as large as the link carries.
    pub fn ping_full(&self, address: Ipv4Addr, count: u32) -> Pings {
        // Headers of IPv4 and ICMP.
        self.ping(address, count, self.mtu() - 28)
    }

    /// What the PPP link carries, as both ends agreed.
    pub fn mtu(&self) -> u16 {
        let said = self.run("cat /sys/class/net/ppp0/mtu").ok();
        said.trim().parse().expect("a number")
    }

    /// Pings while other things happen: gives at once, [`Self::pinged`] tells the result.
    pub fn ping_on(&self, address: Ipv4Addr) {
        self.run(&format!("ping -n -i 0.2 {address} > /tmp/pings 2>&1 & echo $! > /tmp/ping.pid")).ok();
    }

    /// Ends [`Self::ping_on`].
    pub fn pinged(&self) -> Pings {
        let said = self.run("kill -INT $(cat /tmp/ping.pid); sleep 0.3; cat /tmp/pings").said;
        pings(&said).unwrap_or_else(|| panic!("{said}"))
    }

    /// Reads all that a TCP server sends; gives how many octets came.
    pub fn download(&self, address: Ipv4Addr, port: u16) -> usize {
        let command = format!("bash -c 'cat < /dev/tcp/{address}/{port} | wc -c'");
        let said = self.present().run_within(&command, Duration::from_secs(60)).ok();
        said.trim().parse().unwrap_or_else(|_| panic!("{command}: {said}"))
    }

    /// Sends octets to a TCP server.
    pub fn upload(&self, address: Ipv4Addr, port: u16, octets: usize) {
        let command = format!("bash -c 'head -c {octets} /dev/zero > /dev/tcp/{address}/{port}'");
        self.present().run_within(&command, Duration::from_secs(60)).ok();
    }

    /// Sends octets to an `iperf3 --server` (or has them sent, with `reverse`); gives megabits a second.
    pub fn iperf(&self, address: Ipv4Addr, octets: usize, reverse: bool) -> f64 {
        let reverse = if reverse { "--reverse" } else { "" };
        let command = format!("iperf3 --client {address} --bytes {octets} --format m {reverse}");
        let said = self.present().run_within(&command, Duration::from_secs(90)).ok();
        rate(&said).unwrap_or_else(|| panic!("{command}: {said}"))
    }

    /// The machine is switched off in mid-session: no goodbye of any kind.
    pub fn vanish(&mut self) {
        self.guest = None;
    }

    /// The machine boots again on the same seat, with no memory of what was.
    pub fn come_back(&mut self) {
        self.guest = None;
        self.guest = Some(start(&self.seat, &self.ipsec).listens());
    }
}

fn start(seat: &Seat, ipsec: &Ipsec) -> Guest {
    let start = match ipsec.stack {
        Stack::StrongSwan => strongswan::START,
        Stack::Libreswan => libreswan::START,
    };
    // Of the free ports any: xl2tpd has no word for that.
    let port = if ipsec.port == 0 {
        "$((40000 + $(od -An -N2 -tu2 /dev/urandom) % 20000))".to_owned()
    } else {
        ipsec.port.to_string()
    };
    let script = format!("LNS={}; L2TP_PORT={port}\n{start}", ipsec.server);
    Guest::boot_at(ipsec.stack.root(), seat, &script, |folder| match ipsec.stack {
        Stack::StrongSwan => strongswan::write(folder, ipsec, Side::Client),
        Stack::Libreswan => libreswan::write(folder, ipsec, seat.address()),
    })
}

/// Reads `... inet 10.77.0.10 peer 10.77.0.1/32 ...`.
fn link(said: &str) -> Option<Link> {
    let mut words = said.lines().find(|line| line.starts_with("GUEST up"))?.split_whitespace();
    let address = words.by_ref().skip_while(|word| *word != "inet").nth(1)?.parse().ok()?;
    let peer = words.skip_while(|word| *word != "peer").nth(1)?.split('/').next()?.parse().ok()?;
    Some(Link { address, peer })
}

/// Reads `5 packets transmitted, 4 received, ...`. What was lost is shown where the test fails.
fn pings(said: &str) -> Option<Pings> {
    let line = said.lines().find(|line| line.contains("packets transmitted"))?;
    let mut numbers = line.split(", ").filter_map(|part| part.split_whitespace().next()?.parse().ok());
    let pings = Pings { sent: numbers.next()?, answered: numbers.next()? };
    if pings.answered != pings.sent {
        eprintln!("{said}");
    }
    Some(pings)
}

/// Reads the last line of `[  5]   0.00-1.00   sec  1.2 MBytes  9.61 Mbits/sec      receiver`.
fn rate(said: &str) -> Option<f64> {
    let line = said.lines().rfind(|line| line.contains("receiver"))?;
    let words: Vec<_> = line.split_whitespace().collect();
    let unit = words.iter().position(|word| *word == "Mbits/sec")?;
    words.get(unit.checked_sub(1)?)?.parse().ok()
}
