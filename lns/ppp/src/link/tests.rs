use std::net::Ipv4Addr;

use super::*;
use crate::frame::{self, Packet};
use crate::{AuthDecision, Network};

/// What an idle open link may take in all, in octets.
const BUDGET: usize = 1024;

/// Answers a server's packets as the simplest of clients would, until nothing more comes.
fn bring_up(link: &mut Link, now: Instant) {
    let mut script = vec![(Protocol::LCP, 1, vec![5, 6, 1, 2, 3, 4])];
    let mut logged_in = false;
    while let Some((protocol, code, data)) = script.pop() {
        link.handle_frame(now, &frame::encode(Framing::default(), protocol, code, 1, &data));
        while let Some(sent) = link.poll_frame() {
            let (protocol, information) = frame::split(&sent).unwrap();
            let packet = Packet::parse(information).unwrap();
            if packet.code == 1 && matches!(protocol, Protocol::LCP | Protocol::IPCP) {
                let ack = frame::encode(Framing::default(), protocol, 2, packet.identifier, packet.data);
                link.handle_frame(now, &ack);
            }
        }
        while let Some(event) = link.poll_event() {
            if let Event::Authenticate(_) = event {
                let [dns, nbns] = [[None; 2]; 2];
                let network = Network {
                    local: Ipv4Addr::new(10, 0, 0, 1),
                    peer: Ipv4Addr::new(10, 0, 0, 2),
                    dns,
                    nbns,
                };
                link.authenticated(
                    now,
                    AuthDecision::Accept { message: vec![b'x'; 100], network, encryption: None },
                );
                script.push((Protocol::IPCP, 1, vec![3, 6, 10, 0, 0, 2]));
            }
        }
        if link.phase() == Phase::Authenticate && !logged_in {
            logged_in = true;
            script.push((Protocol::PAP, 1, b"\x05alice\x03pwd".to_vec()));
        }
    }
}

#[test]
fn an_idle_open_link_is_small() {
    let config =
        Arc::new(ServerConfig { methods: vec![crate::AuthProtocol::Pap], ..ServerConfig::default() });
    let mut link = Link::server(config, Entropy::from_seed([1; 32]));
    let now = Instant::now();
    link.start(now);
    bring_up(&mut link, now);
    assert!(link.is_up());
    let settled = match &link.auth {
        Auth::Settled(settled) => settled.heap(),
        Auth::None | Auth::Server(_) | Auth::Client(_) => panic!("the login should have been settled"),
    };
    let ipcp = size_of::<Negotiator<Ipcp>>() + link.ipcp.as_ref().unwrap().heap();
    assert_eq!(link.shared.heap(), 0, "empty queues give their memory back");
    let all = size_of::<Link>() + settled + ipcp + link.lcp.heap();
    assert!(all < BUDGET, "{all} octets, of which the link itself {}", size_of::<Link>());
}

#[test]
fn a_thousand_notes_of_traffic_move_the_next_timeout_and_nothing_else() {
    let config =
        Arc::new(ServerConfig { methods: vec![crate::AuthProtocol::Pap], ..ServerConfig::default() });
    let mut link = Link::server(config, Entropy::from_seed([1; 32]));
    let now = Instant::now();
    link.start(now);
    bring_up(&mut link, now);
    let first = link.next_timeout().unwrap();
    let later = now + std::time::Duration::from_secs(20);
    for _ in 0..1000 {
        link.note_traffic(later);
    }
    assert_eq!(link.next_timeout(), Some(first + (later - now)));
    link.handle_timeout(first);
    assert!(link.poll_frame().is_none() && link.poll_event().is_none(), "too early does nothing");
}
