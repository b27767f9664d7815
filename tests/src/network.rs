//! The network between server and clients: one wire that all are on, and NATs at it with private networks behind. Nothing
//! of it is seen outside of its namespaces.

use std::cell::Cell;
use std::net::Ipv4Addr;

use crate::Namespace;

/// The server's address on the wire.
pub const SERVER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
/// The device of the wire in the server's namespace, for captures.
pub const WIRE: &str = "wire";

/// A wire with a server's namespace at it.
pub struct Network {
    server: Namespace,
    /// Last octets of the next address for a client and for a NAT.
    seats: Cell<u8>,
    nats: Cell<u8>,
}

impl Default for Network {
    fn default() -> Self {
        Self::new()
    }
}

impl Network {
    /// A network whose server's namespace has [`SERVER`]'s address.
    pub fn new() -> Self {
        let server = Namespace::new();
        make_bridge(&server, WIRE, &format!("{SERVER}/24"));
        Self { server, seats: Cell::new(100), nats: Cell::new(10) }
    }

    /// Where the server runs.
    pub fn server(&self) -> &Namespace {
        &self.server
    }

    /// A seat directly on the wire: no NAT between it and the server.
    pub fn seat(&self) -> Seat {
        let last = next(&self.seats);
        let address = Ipv4Addr::new(198, 51, 100, last);
        Seat::new(&self.server, WIRE, &format!("seat{last}"), address, None)
    }

    /// A NAT on the wire.
    pub fn nat(&self) -> Nat {
        let last = next(&self.nats);
        let inside = Namespace::new();
        let port = format!("nat{last}");
        self.server.ip(&[
            "link",
            "add",
            &port,
            "type",
            "veth",
            "peer",
            "name",
            OUTSIDE,
            "netns",
            inside.name(),
        ]);
        self.server.ip(&["link", "set", &port, "master", WIRE, "up"]);
        let outside = Ipv4Addr::new(198, 51, 100, last);
        inside.ip(&["addr", "add", &format!("{outside}/24"), "dev", OUTSIDE]);
        inside.ip(&["link", "set", OUTSIDE, "up"]);
        make_bridge(&inside, INSIDE, &format!("{GATEWAY}/24"));
        inside.run("sh", &["-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"], "");
        let nat = Nat { inside, outside: Cell::new(outside), seats: Cell::new(10) };
        nat.masquerade("");
        nat
    }
}

/// A NAT's device on the wire.
const OUTSIDE: &str = "outside";
/// A NAT's device in the private network.
const INSIDE: &str = "inside";
/// A NAT's address in the private network, which is 192.168.1.0/24 behind each of them.
const GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 1);

/// A router that masquerades its private network, as in every home.
pub struct Nat {
    inside: Namespace,
    outside: Cell<Ipv4Addr>,
    seats: Cell<u8>,
}

impl Nat {
    /// A seat behind the NAT. The first behind each of them has the same address, 192.168.1.10.
    pub fn seat(&self) -> Seat {
        let last = next(&self.seats);
        let address = Ipv4Addr::new(192, 168, 1, last);
        Seat::new(&self.inside, INSIDE, &format!("seat{last}"), address, Some(GATEWAY))
    }

    /// Its address on the wire.
    pub fn outside(&self) -> Ipv4Addr {
        self.outside.get()
    }

    /// Its namespace, for captures on `inside` and commands.
    pub fn namespace(&self) -> &Namespace {
        &self.inside
    }

    /// Forgets all mappings and gives the next ones ports from `first` on: what a NAT does that was restarted.
    pub fn change_ports(&self, first: u16) {
        self.masquerade(&format!(" to :{first}-{}", first.saturating_add(999)));
        self.forget();
    }

    /// Forgets all mappings and goes on under another address, as after a new dial-in at the provider.
    pub fn change_address(&self, address: Ipv4Addr) {
        let old = self.outside.replace(address);
        self.inside.ip(&["addr", "add", &format!("{address}/24"), "dev", OUTSIDE]);
        self.inside.ip(&["addr", "del", &format!("{old}/24"), "dev", OUTSIDE]);
        self.forget();
    }

    /// The kernel drops the mappings of a device that goes down.
    fn forget(&self) {
        self.inside.ip(&["link", "set", OUTSIDE, "down"]);
        self.inside.ip(&["link", "set", OUTSIDE, "up"]);
    }

    fn masquerade(&self, ports: &str) {
        let rule = if ports.is_empty() {
            format!("oifname {OUTSIDE} masquerade")
        } else {
            format!("oifname {OUTSIDE} meta l4proto {{ tcp, udp }} masquerade{ports}")
        };
        let rules = format!(
            "table ip nat\ndelete table ip nat\ntable ip nat {{\nchain post {{\ntype nat hook postrouting priority \
             100;\n{rule}\n}}\n}}\n"
        );
        self.inside.run("nft", &["-f", "-"], &rules);
    }
}

/// Where a guest can sit: a device in a namespace, and what the guest must know.
#[derive(Debug, Clone)]
pub struct Seat {
    namespace: String,
    device: String,
    address: Ipv4Addr,
    gateway: Option<Ipv4Addr>,
}

impl Seat {
    fn new(
        namespace: &Namespace,
        bridge: &str,
        device: &str,
        address: Ipv4Addr,
        gateway: Option<Ipv4Addr>,
    ) -> Self {
        namespace.ip(&["tuntap", "add", "dev", device, "mode", "tap"]);
        namespace.ip(&["link", "set", device, "master", bridge, "up"]);
        Self { namespace: namespace.name().to_owned(), device: device.to_owned(), address, gateway }
    }

    /// The guest's own address.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// The name of the namespace that it is in.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The device that the guest's packets come from.
    pub fn device(&self) -> &str {
        &self.device
    }

    /// What a guest does first to be here.
    pub(crate) fn script(&self) -> String {
        let gateway = self.gateway.map(|gateway| format!("ip route add default via {gateway}\n"));
        format!(
            "ip link set lo up; ip addr add {}/24 dev vec0; ip link set vec0 up\n{}",
            self.address,
            gateway.unwrap_or_default()
        )
    }
}

/// A bridge with an address. Packets that it only passes on are none of the firewall's business.
fn make_bridge(namespace: &Namespace, name: &str, address: &str) {
    let off =
        "for file in /proc/sys/net/bridge/bridge-nf-call-*; do [ -e $file ] && echo 0 > $file; done; true";
    namespace.ip(&["link", "add", name, "type", "bridge", "forward_delay", "0"]);
    namespace.run("sh", &["-c", off], "");
    namespace.ip(&["addr", "add", address, "dev", name]);
    // Several datagrams in one for the kernel to cut are cut here, so that captures show what travels.
    namespace.ip(&["link", "set", name, "gso_max_segs", "1", "up"]);
}

fn next(counter: &Cell<u8>) -> u8 {
    counter.replace(counter.get() + 1)
}
