use super::*;
use crate::der;
use crate::testing::*;

fn subject(parts: &[(&[u8], &str)]) -> Vec<u8> {
    let parts: Vec<u8> = parts.iter().flat_map(|(oid, text)| relative(oid, der::UTF8_STRING, text)).collect();
    tlv(der::SEQUENCE, parts)
}

/// CN=alice,OU=Field Sales,OU=Staff,O=Example below CN=Root, also alice@example.com and 192.0.2.1.
fn alice() -> Peer {
    let name = subject(&[(O, "Example"), (OU, "Staff"), (OU, "Field  Sales"), (CN, "alice")]);
    peer_of(
        client()
            .change(|draft| draft.subject = name)
            .with(alternatives(&[(EMAIL, b"Alice@example.com"), (IP, &[192, 0, 2, 1])])),
    )
}

fn meets(field: &str, attribute: Option<&str>, operator: &str, value: &str) -> bool {
    Criterion::new(field, attribute, operator, value).unwrap().matches(&alice())
}

#[test]
fn every_operator_on_an_attribute_with_two_values() {
    let ou = |operator, value| meets("subject-name", Some("ou"), operator, value);
    assert!(ou("eq", "field SALES"));
    assert!(ou("eq", "staff"));
    assert!(!ou("eq", "sales"));
    assert!(ou("ne", "sales"));
    assert!(!ou("ne", "Staff"));
    assert!(ou("co", "sal"));
    assert!(!ou("co", "marketing"));
    assert!(ou("nc", "marketing"));
    assert!(!ou("nc", "STAF"));
}

#[test]
fn an_attribute_that_is_not_there_differs_from_everything() {
    let email = |operator| meets("subject-name", Some("ea"), operator, "x");
    assert!(!email("eq") && !email("co") && email("ne") && email("nc"));
}

#[test]
fn a_whole_name_is_the_line_of_the_log() {
    let whole = |operator, value| meets("subject-name", None, operator, value);
    assert!(whole("eq", "CN=alice, OU=Field Sales, OU=Staff, O=Example"));
    assert!(whole("eq", "cn=alice,ou=field sales,ou=staff,o=example"));
    assert!(!whole("eq", "cn=alice"));
    assert!(whole("co", "ou=staff,o=ex"));
    assert!(whole("nc", "ou=guests"));
    assert!(meets("issuer-name", None, "eq", "cn=root"));
    assert!(meets("issuer-name", Some("CN"), "co", "oo"));
    assert!(meets("issuer-name", Some("cn"), "ne", "alice"));
}

#[test]
fn alternative_names_are_compared_without_their_kind() {
    let name = |operator, value| meets("alt-subject-name", None, operator, value);
    assert!(name("eq", "alice@example.com") && name("eq", "192.0.2.1") && name("co", "@EXAMPLE"));
    assert!(name("ne", "bob@example.com") && name("nc", "bob"));
    assert!(!name("ne", "192.0.2.1") && !name("nc", "alice"));
}

#[test]
fn every_attribute_can_be_asked_for() {
    for attribute in AttributeType::ALL.iter().copied() {
        let name = subject(&[(attribute.oid(), "Value")]);
        let peer = peer_of(client().change(|draft| draft.subject = name));
        let criterion = |word| Criterion::new("subject-name", Some(word), "eq", "value").unwrap();
        assert!(criterion(attribute.keyword()).matches(&peer), "{attribute:?}");
        let other = if attribute == AttributeType::CommonName { "o" } else { "cn" };
        assert!(!criterion(other).matches(&peer), "{attribute:?}");
    }
}

#[test]
fn wrong_words_are_told_with_the_right_ones() {
    let error = |field, attribute, operator, value| {
        Criterion::new(field, attribute, operator, value).unwrap_err().to_string()
    };
    let cases = [
        (
            error("subject", None, "eq", "x"),
            "\"subject\" is no field: write subject-name, issuer-name or alt-subject-name",
        ),
        (
            error("subject-name", Some("dn"), "eq", "x"),
            "\"dn\" is no attribute: write cn, ou, o, c, l, st, ea (or email), dc, uid, serialnumber, \
             sn, gn, n, i, t, genq, dnq, uname or ip",
        ),
        (
            error("alt-subject-name", Some("cn"), "eq", "x"),
            "alt-subject-name has no attributes: leave \"cn\" out",
        ),
        (error("issuer-name", None, "is", "x"), "\"is\" is no operator: write eq, ne, co or nc"),
        (error("issuer-name", None, "eq", "  "), "the value is empty: write the text to compare with"),
    ];
    for (error, text) in cases {
        assert_eq!(error, text);
    }
}

#[test]
fn the_first_rule_by_number_whose_criteria_are_all_met_decides() {
    let criterion = |value| Criterion::new("subject-name", Some("ou"), "eq", value).unwrap();
    let rule = |sequence, values: &[&'static str], group: &str| Rule {
        sequence,
        criteria: values.iter().map(|value| criterion(value)).collect(),
        tunnel_group: group.to_owned(),
    };
    let map = CertificateMap::new(vec![
        rule(30, &["staff"], "staff"),
        rule(10, &["staff", "guests"], "never"),
        rule(5, &[], "nobody"),
        rule(20, &["staff", "field sales"], "sales"),
    ]);
    assert_eq!(map.tunnel_group(&alice()), Some("sales"));
    assert_eq!(map.rules().iter().map(|rule| rule.sequence).collect::<Vec<_>>(), [5, 10, 20, 30]);
    assert_eq!(map.tunnel_group(&peer_of(client())), None);
}
