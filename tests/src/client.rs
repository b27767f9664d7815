//! Our own client inside the test's process, for packets that no command sends.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use tollgate_client::dial::{Dial, Options};
use tollgate_client::ip::{self, Echo};
use tollgate_ppp::AuthProtocol;

/// Options for a login by MS-CHAPv2.
pub fn options(server: &str, user: &[u8], password: &str) -> Options {
    Options {
        server: server.parse().expect("an address and port"),
        user: user.to_vec(),
        password: password.as_bytes().to_vec().into(),
        new_password: None,
        method: AuthProtocol::MsChapV2,
        ppp: tollgate_client::dial::PppOptions::default(),
        tunnel_secret: None,
        security: None,
        keys: None,
        host_name: "tests".into(),
        request_servers: false,
        stage_limit: Duration::from_secs(20),
    }
}

/// Connects; panics with the stage that fails.
pub fn connect(server: &str, user: &str, password: &str) -> Dial {
    Dial::connect(&options(server, user.as_bytes(), password), &mut |_| ())
        .unwrap_or_else(|failure| panic!("{user}: {failure}"))
}

/// The inner address of a call that is up.
pub fn address(dial: &Dial) -> Ipv4Addr {
    dial.addresses().expect("it is up").local
}

/// Sends a ping under any source address.
pub fn send_ping(dial: &mut Dial, from: Ipv4Addr, to: Ipv4Addr) {
    dial.send(&ip::ping(from, to, Echo { identifier: 7, sequence: 7 }, 56));
}

/// Whether any inner packet comes within a moment.
pub fn hears_something(dial: &mut Dial, limit: Duration) -> bool {
    dial.receive(Instant::now() + limit, |_| true).is_some()
}
