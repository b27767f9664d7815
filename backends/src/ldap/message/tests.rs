use super::*;

fn sequence(parts: &[(u8, &[u8])]) -> Vec<u8> {
    let mut content = Vec::new();
    for (tag, part) in parts {
        put(&mut content, *tag, part);
    }
    content
}

fn answer(id: u8, operation: (u8, &[u8]), controls: Option<&[u8]>) -> Vec<u8> {
    let mut parts = vec![(INTEGER, std::slice::from_ref(&id)), operation];
    parts.extend(controls.map(|controls| (CONTROLS, controls)));
    let mut whole = Vec::new();
    put(&mut whole, SEQUENCE, &sequence(&parts));
    whole
}

fn refused(text: &str) -> Vec<u8> {
    sequence(&[(ENUMERATED, &[49]), (OCTET_STRING, b""), (OCTET_STRING, text.as_bytes())])
}

/// A control with this PasswordPolicyResponseValue.
fn control(value: &[u8]) -> Vec<u8> {
    let mut controls = Vec::new();
    put(&mut controls, SEQUENCE, &sequence(&[(OCTET_STRING, PASSWORD_POLICY), (OCTET_STRING, value)]));
    controls
}

#[test]
fn a_bind_response_tells_code_text_and_the_state_of_the_account() {
    let octets = answer(7, (BIND_RESPONSE, &refused("no\0")), Some(&control(&[0x30, 3, 0x81, 1, 1])));
    let (id, Answer::Bind(outcome)) = read(&octets).unwrap() else { panic!("no bind response") };
    assert_eq!((id, outcome.code, outcome.text.as_str()), (7, 49, "no"));
    assert_eq!(outcome.policy, Policy { error: Some(1), ..Policy::default() });
}

#[test]
fn warnings_of_the_password_policy_are_read() {
    for (value, expected) in [
        (&[0x30, 4, 0xa0, 2, 0x80, 0][..], None),
        (&[0x30, 5, 0xa0, 3, 0x80, 1, 60], Some((Some(60), None))),
        (&[0x30, 5, 0xa0, 3, 0x81, 1, 2], Some((None, Some(2)))),
        (&[0x30, 0], Some((None, None))),
    ] {
        let octets = answer(1, (BIND_RESPONSE, &refused("")), Some(&control(value)));
        let read = read(&octets).ok().map(|(_, answer)| match answer {
            Answer::Bind(outcome) => (outcome.policy.expires_in, outcome.policy.grace_logins),
            other => panic!("{other:?}"),
        });
        assert_eq!(read, expected, "{value:?}");
    }
}

#[test]
fn an_entry_keeps_octets_as_they_came() {
    let attribute = sequence(&[
        (OCTET_STRING, b"memberOf"),
        (SET, &sequence(&[(OCTET_STRING, b"one"), (OCTET_STRING, &[0xff])])),
    ]);
    let list = sequence(&[(SEQUENCE, &attribute)]);
    let octets = answer(2, (SEARCH_ENTRY, &sequence(&[(OCTET_STRING, b"cn=a"), (SEQUENCE, &list)])), None);
    let (2, Answer::Entry(entry)) = read(&octets).unwrap() else { panic!("no entry") };
    assert_eq!(entry.dn, "cn=a");
    assert_eq!(entry.values("MEMBEROF").collect::<Vec<_>>(), [b"one".as_slice(), &[0xff]]);
}

#[test]
fn active_directory_s_notice_of_disconnection_is_understood() {
    let id = [0];
    let content = refused("bye");
    let mut whole = Vec::new();
    let parts = sequence(&[
        (INTEGER, &id),
        (EXTENDED_RESPONSE, &content),
        (RESPONSE_NAME, b"1.3.6.1.4.1.1466.20036"),
    ]);
    put(&mut whole, SEQUENCE, &parts);
    assert!(matches!(read(&whole), Ok((0, Answer::Extended(outcome))) if outcome.text == "bye"));
}

#[test]
fn whatever_is_cut_off_or_flipped_is_an_error_or_another_answer_and_never_a_panic() {
    let whole = answer(7, (BIND_RESPONSE, &refused("no")), Some(&control(&[0x30, 3, 0x81, 1, 1])));
    for end in 0..whole.len() {
        assert!(read(&whole[..end]).is_err(), "cut at {end}");
    }
    for position in 0..whole.len() {
        for bit in 0..8 {
            let mut changed = whole.clone();
            changed[position] ^= 1 << bit;
            let _ = read(&changed);
        }
    }
}

#[test]
fn a_bind_request_has_the_form_of_the_rfc() {
    let request = bind(1, "cn=a", &Secret::from(&b"pw"[..]));
    let (head, controls) = request.split_at(18);
    assert_eq!(
        head,
        [&[0x30, 49, 0x02, 1, 1, 0x60, 13, 0x02, 1, 3, 0x04, 4][..], b"cn=a", &[0x80, 2]].concat()
    );
    assert!(controls.starts_with(b"pw\xa0"));
}
