use crate::testing::*;
use crate::{Peer, der};

fn with_names(names: &[(u8, &[u8])]) -> Peer {
    peer_of(client().with(alternatives(names)))
}

fn without_names(subject: Vec<u8>) -> Peer {
    peer_of(client().change(|draft| draft.subject = subject))
}

#[test]
fn addresses_match_alternative_names_alone() {
    let six = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let peer = with_names(&[(IP, &[192, 0, 2, 1]), (IP, &six)]);
    assert!(peer.matches_id(1, &[192, 0, 2, 1]));
    assert!(peer.matches_id(5, &six));
    assert!(!peer.matches_id(1, &[192, 0, 2, 2]));
    assert!(!peer.matches_id(1, &[192, 0, 2, 1, 0]));
    assert!(!peer.matches_id(5, &[192, 0, 2, 1]));
    assert!(!without_names(named("192.0.2.1")).matches_id(1, &[192, 0, 2, 1]));
}

#[test]
fn host_names_match_alternative_names_or_else_the_subject() {
    let peer = with_names(&[(DNS, b"Client.example.com")]);
    assert!(peer.matches_id(2, b"client.EXAMPLE.com"));
    assert!(!peer.matches_id(2, b"client"), "where there are names, the subject's does not count");
    assert!(!peer.matches_id(2, b""));
    assert!(without_names(named("gw.example.com")).matches_id(2, b"gw.example.com"));
    let cisco = sequence(&[&relative(
        crate::AttributeType::UnstructuredName.oid(),
        der::IA5_STRING,
        "router.example.com",
    )]);
    assert!(without_names(cisco).matches_id(2, b"router.example.com"));
    assert!(
        !with_names(&[(DNS, b"*.example.com")]).matches_id(2, b"a.example.com"),
        "no star for an identity"
    );
}

#[test]
fn addresses_of_mail_match_alternative_names_or_else_the_subject() {
    let peer = with_names(&[(EMAIL, b"alice@example.com")]);
    assert!(peer.matches_id(3, b"Alice@Example.com"));
    assert!(!peer.matches_id(3, b"bob@example.com"));
    let in_subject =
        sequence(&[&relative(crate::AttributeType::Email.oid(), der::IA5_STRING, "bob@example.com")]);
    assert!(without_names(in_subject.clone()).matches_id(3, b"bob@example.com"));
    let both = peer_of(
        client()
            .change(|draft| draft.subject = in_subject)
            .with(alternatives(&[(EMAIL, b"alice@example.com")])),
    );
    assert!(!both.matches_id(3, b"bob@example.com"));
}

#[test]
fn distinguished_names_match_the_subject_or_a_directory_name() {
    let other = named("other");
    let peer = with_names(&[(DIRECTORY, &other)]);
    assert!(peer.matches_id(9, &sequence(&[&relative(CN, der::PRINTABLE_STRING, " CLIENT ")])));
    assert!(peer.matches_id(9, &other));
    assert!(!peer.matches_id(9, &named("third")));
    assert!(!peer.matches_id(9, &sequence(&[])));
    assert!(!peer.matches_id(9, b"CN=client"));
}

#[test]
fn general_names_match_as_what_they_are() {
    let peer = with_names(&[(DNS, b"client.example.com"), (IP, &[192, 0, 2, 1])]);
    assert!(peer.matches_id(10, &tlv(DNS, b"CLIENT.example.com")));
    assert!(peer.matches_id(10, &tlv(IP, [192, 0, 2, 1])));
    assert!(peer.matches_id(10, &tlv(DIRECTORY, named("Client"))));
    assert!(!peer.matches_id(10, &tlv(EMAIL, b"client.example.com")));
    assert!(!peer.matches_id(10, &[]));
}

#[test]
fn a_key_id_matches_the_certificates_own() {
    let peer = peer_of(client().with(extension(&[0x55, 29, 14], false, tlv(der::OCTET_STRING, [1, 2, 3]))));
    assert!(peer.matches_id(11, &[1, 2, 3]));
    assert!(!peer.matches_id(11, &[1, 2]));
    assert!(!without_names(named("x")).matches_id(11, &[]));
}

#[test]
fn subnets_ranges_and_unknown_types_match_nobody() {
    let peer = with_names(&[(IP, &[192, 0, 2, 1])]);
    for id_type in [0, 4, 6, 7, 8, 12, 255] {
        assert!(!peer.matches_id(id_type, &[192, 0, 2, 1]), "{id_type}");
        assert!(!peer.matches_id(id_type, &[192, 0, 2, 1, 255, 255, 255, 255]), "{id_type}");
    }
}

#[test]
fn a_dialled_host_is_named_with_a_star_for_one_label() {
    let peer = with_names(&[(DNS, b"*.example.com"), (DNS, b"*.com"), (DNS, b"vpn.example.org")]);
    for host in ["a.example.com", "A.EXAMPLE.COM", "vpn.example.org"] {
        assert!(peer.names_host(host), "{host}");
    }
    for host in
        ["example.com", "a.b.example.com", ".example.com", "example.org", "vpn.example.org.", "client", "com"]
    {
        assert_eq!(peer.names_host(host), host == "vpn.example.org.", "{host}");
    }
}

#[test]
fn a_dialled_host_is_looked_for_in_the_subject_when_there_are_no_names() {
    assert!(without_names(named("vpn.example.com")).names_host("VPN.example.com"));
    assert!(without_names(named("192.0.2.1")).names_host("192.0.2.1"));
    assert!(without_names(named("2001:db8::1")).names_host("[2001:db8:0::1]"));
    assert!(!without_names(named("192.0.2.1")).names_host("192.0.2.2"));
    let named_else = peer_of(
        client()
            .change(|draft| draft.subject = named("vpn.example.com"))
            .with(alternatives(&[(IP, &[192, 0, 2, 1])])),
    );
    assert!(
        !named_else.names_host("vpn.example.com"),
        "names of hosts stand where they belong, or in the subject"
    );
    assert!(named_else.names_host("192.0.2.1"));
    let mail_only = peer_of(
        client()
            .change(|draft| draft.subject = named("vpn.example.com"))
            .with(alternatives(&[(EMAIL, b"admin@example.com")])),
    );
    assert!(mail_only.names_host("vpn.example.com"));
}
