use std::net::IpAddr;

use super::*;
use crate::testing::*;

fn read(draft: Draft) -> Result<Certificate, Malformed> {
    Certificate::from_der(&draft.signed_by(ROOT_KEY))
}

#[test]
fn every_kind_of_alternative_name_is_read() {
    let upn = {
        let mut value = tlv(der::OID, [0x2b, 6, 1, 4, 1, 0x82, 0x37, 20, 2, 3]);
        value.extend(tlv(der::context_constructed(0), tlv(der::UTF8_STRING, "alice@corp")));
        value
    };
    let name = named("other");
    let certificate = read(client().with(alternatives(&[
        (DNS, b"a.example"),
        (EMAIL, b"alice@example.com"),
        (der::context(6), b"urn:x"),
        (IP, &[192, 0, 2, 1]),
        (IP, &[0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
        (DIRECTORY, &name),
        (der::context_constructed(0), &upn),
        (der::context(8), &[0x2a, 3]),
        (DNS, &[0xff]),
        (IP, &[1, 2, 3]),
    ])))
    .unwrap();
    let shown: Vec<String> = certificate.alternative_names().iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "DNS:a.example",
            "email:alice@example.com",
            "URI:urn:x",
            "IP:192.0.2.1",
            "IP:2001:db8::1",
            "DN:CN=other",
            "UPN:alice@corp",
            "other:#88022a03",
            "other:#8201ff",
            "other:#8703010203",
        ]
    );
    assert_eq!(certificate.alternative_names()[3], AlternativeName::Ip(IpAddr::from([192, 0, 2, 1])));
    let control = AlternativeName::Dns("a\n\u{1b}b".into());
    assert_eq!(control.to_string(), "DNS:a\\n\\u{1b}b", "nothing in it can move a cursor");
}

#[test]
fn what_old_authorities_write_is_read() {
    let odd = client().change(|draft| draft.serial = 0x80);
    assert!(read(odd).is_ok(), "a serial number below zero");
    let explicit_false = sequence(&[
        &tlv(der::OID, [0x55, 29, 19]),
        &tlv(der::BOOLEAN, [0]),
        &tlv(der::OCTET_STRING, sequence(&[&tlv(der::BOOLEAN, [0])])),
    ]);
    assert!(!read(client().with(explicit_false)).unwrap().is_authority());
    let empty = extension(&[0x55, 29, 19], false, sequence(&[]));
    assert!(!read(client().with(empty)).unwrap().is_authority());
}

#[test]
fn the_same_extension_twice_is_refused() {
    assert_eq!(read(root().with(authority(None))).unwrap_err(), Malformed);
    let many =
        (0..65).fold(client(), |draft, number| draft.with(extension(&[0x2a, 3, number], false, [5, 0])));
    assert_eq!(read(many).unwrap_err(), Malformed);
}

#[test]
fn damage_anywhere_is_told_and_breaks_nothing() {
    let whole = client().with(alternatives(&[(DNS, b"a")])).with(purposes(&[&[0x2a, 3]])).signed_by(ROOT_KEY);
    for cut in 0..whole.len() {
        assert_eq!(Certificate::from_der(&whole[..cut]).unwrap_err(), Malformed, "{cut}");
    }
    for place in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[place] ^= 0x55;
        // Readable or not: no panic.
        let _ = Certificate::from_der(&damaged);
    }
    assert_eq!(Certificate::from_der(&[whole.as_slice(), &[0]].concat()).unwrap_err(), Malformed);
}

#[test]
fn general_names_match_by_their_kind() {
    let read = |tag, value: &[u8]| AlternativeName::from_der(&tlv(tag, value)).unwrap();
    assert!(read(DNS, b"A.example").matches(&read(DNS, b"a.EXAMPLE.")));
    assert!(!read(DNS, b"a@b").matches(&read(EMAIL, b"a@b")));
    assert!(read(EMAIL, b"A@b").matches(&read(EMAIL, b"a@B")));
    assert!(!read(DNS, b"").matches(&read(DNS, b"")));
    assert!(read(DIRECTORY, &named("A")).matches(&read(DIRECTORY, &named("a"))));
    assert!(read(IP, &[1, 2, 3, 4]).matches(&read(IP, &[1, 2, 3, 4])));
    assert_eq!(AlternativeName::from_der(&[DNS, 1, b'a', 0]), Err(Malformed));
}
