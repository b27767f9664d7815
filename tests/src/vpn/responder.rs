//! A guest that is called: strongSwan, and xl2tpd with pppd as the L2TP server.

use std::net::Ipv4Addr;

use super::strongswan::{self, Side};
use super::{Ipsec, Stack};
use crate::guest::{Guest, Ran};
use crate::network::Seat;

/// The responder's inner address; clients get addresses from 10.66.0.10 on.
pub const INNER: Ipv4Addr = Ipv4Addr::new(10, 66, 0, 1);

/// The L2TP server with one user and the PPP methods that `/tmp/work/lns.options` asks for.
const SERVE: &str = r#"
chmod 600 /tmp/work/secrets
for file in chap-secrets pap-secrets; do mount --bind /tmp/work/secrets /etc/ppp/$file; done
cat > /tmp/lns.conf <<X
[global]
port = 1701
[lns default]
ip range = 10.66.0.10-10.66.0.50
local ip = 10.66.0.1
require authentication = yes
name = xl2tpd
pppoptfile = /tmp/work/lns.options
X
: > /tmp/pppd.log; { tail -f /tmp/pppd.log | sed 's/^/pppd: /'; } >&3 2>&3 &
{ xl2tpd -D -c /tmp/lns.conf -C /tmp/control -p /tmp/pid 2>&1 | sed 's/^/xl2tpd: /'; } >&3 2>&3 &
i=0; until [ -p /tmp/control ] || [ $i = 50 ]; do i=$((i+1)); sleep 0.1; done
"#;

/// A strongSwan server for clients that are to be judged by somebody else's server.
pub struct Responder {
    guest: Guest,
    address: Ipv4Addr,
}

impl Responder {
    /// Boots one on a seat directly on the wire. Of `ipsec` the credential, the algorithms, the modes and the own identity
    /// count. PPP asks for MS-CHAPv2, or for what `options` say in pppd's words.
    pub fn boot(seat: &Seat, ipsec: &Ipsec, user: &str, password: &str, options: &str) -> Self {
        let server = Self::start(seat, ipsec, user, password, options);
        Self { guest: server.guest.listens(), ..server }
    }

    fn start(seat: &Seat, ipsec: &Ipsec, user: &str, password: &str, options: &str) -> Self {
        assert_eq!(ipsec.stack, Stack::StrongSwan, "Libreswan is a client only here");
        let options = if options.is_empty() { "require-mschap-v2" } else { options };
        let script = format!("{}\n{SERVE}", strongswan::START);
        let guest = Guest::boot_at(ipsec.stack.root(), seat, &script, |folder| {
            strongswan::write(folder, ipsec, Side::Server);
            let write = |name: &str, content: String| {
                std::fs::write(folder.join(name), content).expect("writable");
            };
            write("secrets", format!("{user} * {password} *\n"));
            let common = "ms-dns 10.66.0.53\nlcp-restart 1\nlcp-max-terminate 1\nmtu 1400\nmru 1400\ndebug\nlogfile /tmp/pppd.log";
            write("lns.options", format!("{options}\n{common}\n"));
        });
        Self { guest, address: seat.address() }
    }

    /// Boots several at once.
    pub fn boot_each(all: &[(Seat, Ipsec)], user: &str, password: &str) -> Vec<Self> {
        let guests: Vec<_> =
            all.iter().map(|(seat, ipsec)| Self::start(seat, ipsec, user, password, "")).collect();
        guests.into_iter().map(|server| Self { guest: server.guest.listens(), ..server }).collect()
    }

    /// Where it is called.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Runs a shell command in the guest.
    pub fn run(&self, command: &str) -> Ran {
        self.guest.run(command)
    }

    /// The guest, for its console.
    pub fn guest(&mut self) -> &mut Guest {
        &mut self.guest
    }
}
