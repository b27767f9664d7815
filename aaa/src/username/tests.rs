use super::*;

const HASH: Option<GroupDelimiter> = Some(GroupDelimiter::Hash);
const AT: Option<GroupDelimiter> = Some(GroupDelimiter::At);
const BANG: Option<GroupDelimiter> = Some(GroupDelimiter::Bang);
const NONE: NameOptions = NameOptions { strip_group: false, strip_realm: false, strip_domain: false };
const GROUP: NameOptions = NameOptions { strip_group: true, ..NONE };
const REALM: NameOptions = NameOptions { strip_realm: true, ..NONE };
const BOTH: NameOptions = NameOptions { strip_group: true, strip_realm: true, strip_domain: false };
const DOMAIN: NameOptions = NameOptions { strip_domain: true, ..NONE };

/// The tunnel groups of the tests: `sales` with the options of arrival, and `plain` that strips nothing.
fn split(
    name: &str,
    delimiter: Option<GroupDelimiter>,
    options: NameOptions,
) -> Result<(Option<&str>, &str), NameError> {
    let lookup = |group: &str| match group {
        "sales" => Some(options),
        "plain" => Some(NONE),
        _ => None,
    };
    resolve(name.as_bytes(), delimiter, options, lookup).map(|resolved| (resolved.group, resolved.name))
}

/// The specification, row by row.
#[test]
fn the_user_name_table() {
    let none = None;
    let rows = [
        (none, NONE, "joe@acme#sales", (None, "joe@acme#sales")),
        (HASH, NONE, "joe@acme#sales", (None, "joe@acme#sales")),
        (HASH, GROUP, "joe@acme#sales", (Some("sales"), "joe@acme")),
        (HASH, BOTH, "joe@acme#sales", (Some("sales"), "joe")),
        (HASH, REALM, "joe@acme#sales", (None, "joe")),
        (none, REALM, "joe@acme", (None, "joe")),
        (AT, GROUP, "joe@sales", (Some("sales"), "joe")),
    ];
    for (delimiter, options, name, expected) in rows {
        assert_eq!(split(name, delimiter, options), Ok(expected), "{delimiter:?} {options:?} {name}");
    }
    for delimiter in [none, HASH, BANG, AT] {
        for options in [NONE, GROUP, REALM, BOTH] {
            assert_eq!(split(r"ACME\joe", delimiter, options), Ok((None, r"ACME\joe")));
        }
        assert_eq!(split(r"ACME\joe", delimiter, DOMAIN), Ok((None, "joe")));
    }
}

#[test]
fn a_group_that_does_not_exist_is_refused_in_words() {
    let error = split("joe#nosuch", HASH, GROUP).unwrap_err();
    assert_eq!(error.to_string(), "the user name asks for tunnel group `nosuch`, which does not exist");
    // An empty group, and a realm behind the group, are groups that do not exist either.
    assert!(matches!(split("joe#", HASH, GROUP), Err(NameError::UnknownGroup { .. })));
    assert!(matches!(split("joe#sales@acme", HASH, GROUP), Err(NameError::UnknownGroup { .. })));
    assert!(matches!(split("joe@corp.com#sales", AT, GROUP), Err(NameError::UnknownGroup { .. })));
}

#[test]
fn the_last_at_and_the_last_delimiter_count() {
    assert_eq!(split("joe@home@acme", None, REALM), Ok((None, "joe@home")));
    assert_eq!(split("joe#1#sales", HASH, GROUP), Ok((Some("sales"), "joe#1")));
    assert_eq!(split("joe@acme@sales", AT, BOTH), Ok((Some("sales"), "joe")));
    assert_eq!(split("joe!sales", BANG, GROUP), Ok((Some("sales"), "joe")));
}

#[test]
fn what_is_sent_follows_the_group_chosen() {
    // Arrival strips realm and domain, the chosen group does neither.
    let all = NameOptions { strip_group: true, strip_realm: true, strip_domain: true };
    assert_eq!(split(r"ACME\joe@acme#plain", HASH, all), Ok((Some("plain"), r"ACME\joe@acme")));
    assert_eq!(split(r"ACME\joe@acme#sales", HASH, all), Ok((Some("sales"), "joe")));
}

#[test]
fn group_names_are_exact() {
    assert!(matches!(split("joe#Sales", HASH, GROUP), Err(NameError::UnknownGroup { .. })));
}

#[test]
fn nothing_left_is_refused_in_words() {
    let words = |name, options| split(name, HASH, options).unwrap_err().to_string();
    assert_eq!(words("", NONE), "the user name is empty");
    assert_eq!(words("@acme", REALM), "nothing is left of the user name once the realm is taken off");
    assert_eq!(words("#sales", GROUP), "nothing is left of the user name once the tunnel group is taken off");
    assert_eq!(words(r"ACME\", DOMAIN), "nothing is left of the user name once the domain is taken off");
}

#[test]
fn hostile_names_are_refused_in_words_and_without_a_copy() {
    let words = |name: &[u8]| resolve(name, HASH, BOTH, |_| None).unwrap_err().to_string();
    assert_eq!(words(&vec![b'a'; 1 << 20]), "the user name has 1048576 octets, at most 253 are served");
    assert_eq!(words(b"joe\0#sales"), "the user name holds the control character 0x00 at position 3");
    assert_eq!(words(b"joe\r\nroot"), "the user name holds the control character 0x0d at position 3");
    assert_eq!(
        words("joe\u{9b}2J#sales".as_bytes()),
        "the user name holds the control character 0x9b at position 3",
        "a terminal acts on those beyond ASCII too"
    );
    assert_eq!(words(b"joe\xff\xfe"), "the user name is not UTF-8 from position 3 on");
    assert!(check("Jos\u{e9}".as_bytes()).is_ok());
    assert!(check(&[b'a'; MAX_NAME]).is_ok());
}

#[test]
fn printed_names_are_bounded_and_harmless() {
    assert_eq!(PrintableName(b"joe\nroot\xff").to_string(), r"joe\nroot\xff");
    assert_eq!(
        PrintableName(b"x reason=ok").to_string(),
        "\"x reason=ok\"",
        "no field of a log line is forged"
    );
    assert_eq!(PrintableName(b"x\" y").to_string(), r#""x\" y""#);
    assert_eq!(PrintableName(&vec![b'a'; 1 << 20]).to_string().len(), 67);
    assert_eq!(PrintableName(&vec![0xff; 1 << 20]).to_string().len(), 64 * 4 + 3);
}

#[test]
fn the_delimiter_is_one_of_three() {
    for word in ["#", "!", "@"] {
        assert_eq!(
            word.parse::<GroupDelimiter>().map(|delimiter| delimiter.to_string()),
            Ok(word.to_owned())
        );
    }
    assert!("%".parse::<GroupDelimiter>().is_err());
}
