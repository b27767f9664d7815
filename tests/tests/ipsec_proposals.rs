//! What the clients of this world offer for phase 1, sent by `ike-scan`, and what the default configuration takes of it.

use tollgate_tests::gateway;
use tollgate_tests::network::{Network, SERVER};
use tollgate_tests::probe::ike_scan;

/// A client's offer in the client's order (cipher/bits, hash, authentication, group in the numbers of RFC 2409) and what
/// is expected in `ike-scan`'s words.
const OFFERS: &[(&str, &[&str], &[&str])] = &[
    (
        "Windows 7, 10 and 11",
        &["7/256,2,1,20", "7/128,2,1,19", "7/256,2,1,14", "5,2,1,14", "5,2,1,2"],
        &["Enc=AES", "KeyLength=256", "Hash=SHA1", "Group=20:"],
    ),
    (
        "macOS and iOS",
        &[
            "7/256,4,1,14",
            "7/256,2,1,14",
            "7/256,1,1,14",
            "7/256,6,1,14",
            "7/256,4,1,5",
            "7/256,2,1,5",
            "7/256,1,1,5",
            "7/256,4,1,2",
            "7/256,2,1,2",
            "7/256,1,1,2",
            "7/128,2,1,2",
            "7/128,1,1,2",
            "5,2,1,2",
            "5,1,1,2",
        ],
        &["Enc=AES", "KeyLength=256", "Hash=SHA2-256", "Group=14:"],
    ),
    (
        "NetworkManager and ChromeOS",
        &["7/128,4,1,19", "7/256,5,1,20", "7/128,2,1,14", "7/256,2,1,14", "5,2,1,14"],
        &["Enc=AES", "KeyLength=128", "Hash=SHA2-256", "Group=19:"],
    ),
    (
        "ChromeOS, older",
        &["7/128,2,1,14", "5,2,1,14"],
        &["Enc=AES", "KeyLength=128", "Hash=SHA1", "Group=14:"],
    ),
];

/// Android up to 11: all with group 2.
const ANDROID: &[&str] = &[
    "7/256,5,1,2",
    "7/256,4,1,2",
    "7/256,6,1,2",
    "7/256,2,1,2",
    "7/256,1,1,2",
    "7/128,6,1,2",
    "7/128,5,1,2",
    "7/128,4,1,2",
    "7/128,2,1,2",
    "7/128,1,1,2",
    "5,4,1,2",
    "5,2,1,2",
    "5,1,1,2",
];

fn scan(network: &Network, offer: &[&str]) -> String {
    let transforms: Vec<_> = offer.iter().map(|transform| format!("--trans={transform}")).collect();
    let server = SERVER.to_string();
    let arguments: Vec<_> = transforms.iter().map(String::as_str).chain([server.as_str()]).collect();
    ike_scan(network.server(), &arguments)
}

#[test]
fn the_offers_of_common_clients_are_answered_by_default_and_androids_by_an_explicit_line() {
    let network = Network::new();
    let mut server = gateway::start(&network, &gateway::config_with_key(""));
    for (client, offer, expected) in OFFERS {
        let said = scan(&network, offer);
        assert!(said.contains("Main Mode Handshake returned"), "{client}: {said}");
        assert!(expected.iter().all(|word| said.contains(word)), "{client}: {expected:?}: {said}");
    }
    let said = scan(&network, ANDROID);
    assert!(said.contains("NO-PROPOSAL-CHOSEN"), "{said}");
    let line = server.wait_for_log("no common phase-1 proposal");
    assert!(line.contains("aes-256/sha384/group 2"), "what it offers: {line}");
    assert!(line.contains("allowed here: ") && line.contains("smallest change that would match"), "{line}");
    server.reload(|config| config.replace("[ipsec]\n", "[ipsec]\nlegacy-clients = [\"android\"]\n"));
    let said = scan(&network, ANDROID);
    assert!(said.contains("Main Mode Handshake returned"), "{said}");
    assert!(said.contains("Hash=SHA2-384") && said.contains("Group=2:"), "{said}");
}
