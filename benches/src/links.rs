//! Both ends of a PPP link.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Instant;

use tollgate_ppp::{AuthDecision, ClientConfig, Event, Link, Network, ServerConfig};
use tollgate_sansio::Entropy;

/// LCP, authentication and IPCP at both ends, the decision in the client's favour; true when both are up.
pub fn set_up(
    server: &Arc<ServerConfig>,
    client: &Arc<ClientConfig>,
    now: Instant,
    entropy: &mut Entropy,
) -> bool {
    let mut server = Link::server(Arc::clone(server), entropy.fork());
    let mut client = Link::client(Arc::clone(client), entropy.fork());
    server.start(now);
    client.start(now);
    loop {
        let mut moved = false;
        while let Some(frame) = server.poll_frame() {
            client.handle_frame(now, &frame);
            moved = true;
        }
        while let Some(event) = server.poll_event() {
            if matches!(event, Event::Authenticate(_)) {
                server.authenticated(
                    now,
                    AuthDecision::Accept { message: Vec::new(), network: network(), encryption: None },
                );
                moved = true;
            }
        }
        while client.poll_event().is_some() {}
        while let Some(frame) = client.poll_frame() {
            server.handle_frame(now, &frame);
            moved = true;
        }
        if !moved {
            return server.is_up() && client.is_up();
        }
    }
}

fn network() -> Network {
    Network {
        local: Ipv4Addr::new(10, 4, 0, 1),
        peer: Ipv4Addr::new(10, 4, 5, 17),
        dns: [Some(Ipv4Addr::new(10, 0, 0, 53)), Some(Ipv4Addr::new(10, 0, 0, 54))],
        nbns: [None, None],
    }
}
