use tollgate_sansio::Entropy;

use super::*;
use crate::ServerConfig;
use crate::config::Timers;

const NETWORK: Network = Network {
    local: Ipv4Addr::new(10, 0, 0, 1),
    peer: Ipv4Addr::new(10, 0, 0, 2),
    dns: [None, Some(Ipv4Addr::new(9, 9, 9, 9))],
    nbns: [Some(Ipv4Addr::new(8, 8, 8, 8)), None],
};

fn shared() -> Shared {
    Shared::new(Entropy::from_seed([3; 32]), Timers::of_server(&ServerConfig::default()))
}

#[test]
fn each_name_server_has_its_own_option() {
    assert_eq!(name_server(&NETWORK, 129), None);
    assert_eq!(name_server(&NETWORK, 130), NETWORK.nbns[0]);
    assert_eq!(name_server(&NETWORK, 131), NETWORK.dns[1]);
    assert_eq!(name_server(&NETWORK, 132), None);
    assert_eq!(name_server(&NETWORK, 3), None);
}

#[test]
fn a_missing_address_is_never_an_empty_reject() {
    let mut ipcp = Ipcp::server(NETWORK);
    let mut shared = shared();
    ipcp.begin(&mut shared);
    assert_eq!(ipcp.judge(&[], false, &mut shared), Ok(Answer::Ack));
}

#[test]
fn a_name_server_that_the_peer_insists_on_is_rejected_in_the_end_but_the_address_is_not() {
    let mut ipcp = Ipcp::server(NETWORK);
    let mut shared = shared();
    ipcp.begin(&mut shared);
    let address = NETWORK.peer.octets();
    let asked = [
        ConfigOption { kind: IP_ADDRESS, value: &address },
        ConfigOption { kind: 131, value: &[1, 1, 1, 1] },
    ];
    assert_eq!(ipcp.judge(&asked, true, &mut shared), Ok(Answer::Nak(vec![131, 6, 9, 9, 9, 9])));
    assert_eq!(ipcp.judge(&asked, false, &mut shared), Ok(Answer::Reject(vec![131, 6, 1, 1, 1, 1])));
    let asked = [ConfigOption { kind: IP_ADDRESS, value: &[0; 4] }];
    assert!(ipcp.judge(&asked, false, &mut shared).is_err());
}

#[test]
fn a_local_address_of_zero_is_not_named() {
    let mut ipcp = Ipcp::server(Network { local: Ipv4Addr::UNSPECIFIED, ..NETWORK });
    ipcp.begin(&mut shared());
    assert_eq!(ipcp.request(), []);
}
