//! Clients that prove themselves by certificates.

use tollgate_tests::gateway::{self, Files, PASSWORD, USER};
use tollgate_tests::network::{Network, SERVER};
use tollgate_tests::pki::Authority;
use tollgate_tests::vpn::{Client, Credential, Ipsec};

/// Groups that certificates are placed in.
const GROUPS: &str = r#"
[[ipsec.certificate-map]]
sequence = 10
rules = ["subject-name attr ou eq field staff", "issuer-name co Corp CA"]
tunnel-group = "sales"
[tunnel-group.sales]
address-pool = ["clients"]
"#;

#[test]
fn a_certificate_lets_its_owner_in_and_chooses_the_tunnel_group() {
    let network = Network::new();
    let authority = Authority::new("/O=Corp/CN=Corp CA");
    let files = Files::of(&authority);
    let server = gateway::start(&network, &gateway::config(&files.table(""), GROUPS));
    let nat = network.nat();
    let issue = |subject| authority.issue(subject, None);
    let mapped = Ipsec::with_certificate(SERVER, issue("/O=Corp/OU=field staff/CN=pc1"));
    let by_ou = Ipsec::with_certificate(SERVER, issue("/O=Corp/OU=sales/CN=pc2"));
    let other = Ipsec::with_certificate(SERVER, issue("/O=Corp/OU=stock/CN=pc3")).by_libreswan();
    let clients = Client::boot_each(&[(nat.seat(), mapped), (nat.seat(), by_ou), (network.seat(), other)]);
    for client in &clients {
        client.raise().ok();
        let link = client.dial(USER, PASSWORD, "").unwrap_or_else(|said| panic!("{said}"));
        assert_eq!(client.ping(link.peer, 3, 56).answered, 3);
    }
    let groups_of = |what: &str| {
        let shown = server.show(what);
        let mut groups: Vec<_> = shown
            .as_array()
            .expect("a list")
            .iter()
            .map(|entry| entry["tunnel-group"].as_str().unwrap_or("none").to_owned())
            .collect();
        groups.sort_unstable();
        groups
    };
    assert_eq!(groups_of("sessions"), ["DefaultRAGroup", "sales", "sales"]);
    assert_eq!(groups_of("ipsec"), ["DefaultRAGroup", "sales", "sales"]);
    let shown = server.show("ipsec").to_string();
    assert!(shown.contains("CN=pc1") && shown.contains("rsa-sig"), "{shown}");
}

#[test]
fn a_revoked_an_expired_and_an_unknown_certificate_are_refused_by_cause() {
    let network = Network::new();
    let authority = Authority::new("/O=Corp/CN=Corp CA");
    let files = Files::of(&authority);
    let revoked = authority.issue("/O=Corp/CN=stolen", None);
    authority.revoke(&revoked);
    files.add("ca.crl", &authority.revocations());
    let expired = authority.issue_with(
        "/O=Corp/CN=old",
        None,
        &["-startdate", "20200101000000Z", "-enddate", "20210101000000Z"],
    );
    let stranger = Authority::new("/O=Other/CN=Other CA").issue("/O=Other/CN=stranger", None);
    let crl = format!("crl = [\"{}\"]", files.argument("ca.crl"));
    let mut server = gateway::start(&network, &gateway::config(&files.table(&crl), ""));
    let mut stranger = Ipsec::with_certificate(SERVER, stranger);
    // It trusts the server, and the server does not trust it.
    if let Credential::Certificate(issued) = &mut stranger.credential {
        issued.authorities.push(authority.certificate());
    }
    let guests = [
        (network.seat(), Ipsec::with_certificate(SERVER, revoked)),
        (network.seat(), Ipsec::with_certificate(SERVER, expired)),
        (network.seat(), stranger),
    ];
    let clients = Client::boot_each(&guests);
    let expected = [
        ["CN=stolen", "revoked", "issue a new one"],
        ["CN=old", "expired at 2021-01-01", "renew it"],
        ["CN=Other CA", "no authority that is trusted here", "add it to the authorities"],
    ];
    for (client, words) in clients.iter().zip(expected) {
        assert_ne!(client.raise_within(4).code, 0, "{words:?}");
        let line = server.wait_for_log(words[0]);
        assert!(line.contains("WARN IPsec set-up failed"), "{line}");
        assert!(words.iter().all(|word| line.contains(word)), "{words:?}: {line}");
    }
    assert_eq!(server.show("ipsec").as_array().map(Vec::len), Some(0));
}
