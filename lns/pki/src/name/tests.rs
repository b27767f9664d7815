use super::*;
use crate::testing::*;

fn read(parts: &[Vec<u8>]) -> Name {
    Name::from_der(&tlv(der::SEQUENCE, parts.concat())).unwrap()
}

fn of_string(tag: u8, text: impl AsRef<[u8]>) -> Name {
    read(&[relative(CN, tag, text)])
}

#[test]
fn a_name_is_one_line_with_the_last_part_first() {
    let name = read(&[
        relative(AttributeType::Country.oid(), der::PRINTABLE_STRING, "DE"),
        relative(O, der::UTF8_STRING, "Häuser & Söhne"),
        relative(AttributeType::DomainComponent.oid(), der::IA5_STRING, "example"),
        relative(CN, der::UTF8_STRING, "alice"),
    ]);
    assert_eq!(name.to_string(), "CN=alice,DC=example,O=Häuser & Söhne,C=DE");
    assert_eq!(name.values(AttributeType::CommonName), ["alice"]);
    assert_eq!(Name::default().to_string(), "(no name)");
}

#[test]
fn what_has_a_meaning_in_the_line_is_escaped() {
    let shown = |text: &str| of_string(der::UTF8_STRING, text).to_string();
    assert_eq!(shown(r#"a,b+c"d\e<f>g;h"#), r#"CN=a\,b\+c\"d\\e\<f\>g\;h"#);
    assert_eq!(shown(" a b "), r"CN=\ a b\ ");
    assert_eq!(shown("#1#"), r"CN=\#1#");
    assert_eq!(shown("a=b"), "CN=a=b");
    assert_eq!(shown(" "), r"CN=\ ");
    assert_eq!(shown(""), "CN=");
}

#[test]
fn control_characters_and_turns_of_direction_do_not_reach_a_terminal() {
    let shown = |text: &str| of_string(der::UTF8_STRING, text).to_string();
    assert_eq!(shown("a\n\x1b[2J\0\x7f"), r"CN=a\0A\1B[2J\00\7F");
    assert_eq!(shown("a\u{85}\u{202e}b\u{2028}"), r"CN=a\C2\85\E2\80\AEb\E2\80\A8");
}

#[test]
fn several_values_and_unknown_attributes_are_shown() {
    let pair = |oid: &[u8], tag: u8, text: &[u8]| sequence(&[&tlv(der::OID, oid), &tlv(tag, text)]);
    let several = tlv(
        der::SET,
        [pair(CN, der::UTF8_STRING, b"a"), pair(&[0x2a, 3, 4], der::OCTET_STRING, &[1, 0xff])].concat(),
    );
    assert_eq!(read(&[several]).to_string(), "CN=a+1.2.3.4=#040201ff");
}

#[test]
fn every_kind_of_string_is_read() {
    let text = |tag, octets: &[u8]| of_string(tag, octets).values(AttributeType::CommonName).concat();
    assert_eq!(text(der::UTF8_STRING, "ä".as_bytes()), "ä");
    assert_eq!(text(der::TELETEX_STRING, &[0xe4]), "ä");
    assert_eq!(
        text(der::PRINTABLE_STRING, b"a*b_c@d"),
        "a*b_c@d",
        "as authorities write them, against the rule"
    );
    assert_eq!(text(der::BMP_STRING, &[0, b'a', 0x20, 0xac]), "a€");
    assert_eq!(text(der::UNIVERSAL_STRING, &[0, 0, 0, b'a', 0, 1, 0xf6, 0]), "a😀");
    for (tag, octets) in [
        (der::UTF8_STRING, &[0xff][..]),
        (der::BMP_STRING, &[0]),
        (der::BMP_STRING, &[0xd8, 0]),
        (der::UNIVERSAL_STRING, &[0, 0x11, 0, 0]),
        (der::INTEGER, &[1]),
    ] {
        assert_eq!(of_string(tag, octets).values(AttributeType::CommonName), Vec::<&str>::new(), "{tag:02x}");
    }
}

#[test]
fn names_match_without_regard_to_case_kind_and_white_space() {
    let one = of_string(der::PRINTABLE_STRING, "Example  Root CA");
    assert!(one.matches(&of_string(der::UTF8_STRING, " example root ca ")));
    assert!(!one.matches(&of_string(der::UTF8_STRING, "exampleroot ca")));
    assert!(!one.matches(&read(&[relative(O, der::PRINTABLE_STRING, "Example Root CA")])));
    assert!(of_string(der::BMP_STRING, [0, b'A']).matches(&of_string(der::UTF8_STRING, "a")));
    assert!(!of_string(der::OCTET_STRING, "A").matches(&of_string(der::OCTET_STRING, "a")));
}

#[test]
fn the_order_of_parts_counts_and_within_a_part_it_does_not() {
    let (a, b) = (relative(CN, der::UTF8_STRING, "a"), relative(OU, der::UTF8_STRING, "b"));
    assert!(!read(&[a.clone(), b.clone()]).matches(&read(&[b.clone(), a.clone()])));
    assert!(!read(std::slice::from_ref(&a)).matches(&read(&[a.clone(), b.clone()])));
    assert!(!read(&[a.clone(), b.clone()]).matches(&read(std::slice::from_ref(&a))));
    let inner = |part: &[u8]| part[2..].to_vec();
    let together = |parts: [Vec<u8>; 2]| read(&[tlv(der::SET, parts.concat())]);
    assert!(together([inner(&a), inner(&b)]).matches(&together([inner(&b), inner(&a)])));
    assert!(!together([inner(&a), inner(&b)]).matches(&together([inner(&a), inner(&a)])));
    assert!(!together([inner(&a), inner(&a)]).matches(&together([inner(&a), inner(&b)])));
}

#[test]
fn an_empty_name_is_nobodys() {
    assert!(!read(&[]).matches(&read(&[])));
}

#[test]
fn damaged_names_are_refused() {
    let whole = named("a");
    for cut in 0..whole.len() {
        assert_eq!(Name::from_der(&whole[..cut]), Err(Malformed), "{cut}");
    }
    assert_eq!(Name::from_der(&[whole.as_slice(), &[0]].concat()), Err(Malformed));
    assert_eq!(Name::from_der(&sequence(&[&sequence(&[])])), Err(Malformed));
}

#[test]
fn names_of_more_parts_than_anybody_has_are_not_read() {
    let part = relative(CN, der::UTF8_STRING, "a");
    assert!(Name::from_der(&tlv(der::SEQUENCE, part.repeat(MAX_PARTS))).is_ok());
    assert_eq!(Name::from_der(&tlv(der::SEQUENCE, part.repeat(MAX_PARTS + 1))), Err(Malformed));
    let together = |count| Name::from_der(&sequence(&[&tlv(der::SET, part[2..].repeat(count))]));
    assert!(together(MAX_VALUES).is_ok());
    assert_eq!(together(MAX_VALUES + 1), Err(Malformed));
}

#[test]
fn rules_words_for_attributes() {
    for attribute in AttributeType::ALL.iter().copied() {
        assert_eq!(AttributeType::from_keyword(&attribute.keyword().to_uppercase()), Some(attribute));
    }
    for (word, meant) in
        [("email", AttributeType::Email), ("sp", AttributeType::State), ("SER", AttributeType::SerialNumber)]
    {
        assert_eq!(AttributeType::from_keyword(word), Some(meant));
    }
    assert_eq!(AttributeType::from_keyword("dn"), None);
}
