use tollgate_aaa::Secret;

use super::*;

const AUTHENTICATOR: [u8; 16] = [0x33; 16];

fn decoded(code: u8, attributes: &[(u8, &[u8])], method: AuthMethod) -> Verdict {
    let mut packet = vec![code, 1, 0, 0];
    packet.extend_from_slice(&[0; 16]);
    for (kind, value) in attributes {
        packet.extend_from_slice(&[*kind, u8::try_from(value.len() + 2).unwrap()]);
        packet.extend_from_slice(value);
    }
    let length = u16::try_from(packet.len()).unwrap().to_be_bytes();
    packet[2..4].copy_from_slice(&length);
    let key = Key::new(Secret::from(b"secret".to_vec()));
    decode(&Packet::parse(&packet).unwrap(), method, &AUTHENTICATOR, &key)
}

fn accepted(attributes: &[(u8, &[u8])]) -> Attributes {
    match decoded(2, attributes, AuthMethod::Pap) {
        Verdict::Accept(attributes) => *attributes,
        other => panic!("{other:?}"),
    }
}

fn unusable(attributes: &[(u8, &[u8])]) -> String {
    match decoded(2, attributes, AuthMethod::Pap) {
        Verdict::Reject(Reject { reason: RejectReason::UnusableAccept(why), .. }) => why,
        other => panic!("{other:?}"),
    }
}

fn rejected(attributes: &[(u8, &[u8])]) -> Reject {
    match decoded(3, attributes, AuthMethod::MsChapV2) {
        Verdict::Reject(reject) => reject,
        other => panic!("{other:?}"),
    }
}

fn vendor(vendor: u32, subs: &[(u8, &[u8])]) -> Vec<u8> {
    let mut value = vendor.to_be_bytes().to_vec();
    for (kind, sub) in subs {
        value.extend_from_slice(&[*kind, u8::try_from(sub.len() + 2).unwrap()]);
        value.extend_from_slice(sub);
    }
    value
}

#[test]
fn an_empty_accept_leaves_everything_to_the_configuration() {
    let attributes = accepted(&[]);
    assert!(attributes.framed_address.is_none() && attributes.classes.is_empty());
    assert!(attributes.group_policy.is_none() && attributes.session_timeout.is_none());
}

#[test]
fn half_an_accept_lets_nobody_in() {
    let cases: [(u8, &[u8], &str); 12] = [
        (8, &[10, 0, 0], "Framed-IP-Address has 3 octets"),
        (9, &[255; 5], "Framed-IP-Netmask has 5 octets"),
        (12, &[0, 0, 0, 63], "Framed-MTU has an impossible value"),
        (12, &[0, 1, 0, 0], "Framed-MTU has an impossible value"),
        (27, &[1], "Session-Timeout has 1 octets"),
        (28, &[], "Idle-Timeout has 0 octets"),
        (85, &[0; 8], "Acct-Interim-Interval has 8 octets"),
        (11, &[0xff], "Filter-Id is not text"),
        (11, b"a\nb", "Filter-Id has an impossible value"),
        (22, &[0xff], "Framed-Route is not text"),
        (26, &[0, 0], "Vendor-Specific has 2 octets"),
        (26, &[0, 0, 1, 55, 28, 9, 1], "a Vendor-Specific attribute of vendor 311 is malformed"),
    ];
    for (kind, value, words) in cases {
        assert_eq!(unusable(&[(kind, value)]), words);
    }
    assert_eq!(unusable(&[(26, &vendor(3076, &[(5, &[1, 2])]))]), "Primary-DNS has 2 octets");
    assert_eq!(unusable(&[(26, &vendor(3076, &[(25, &[0xff])]))]), "Group-Policy is not text");
    let mut cut = vendor(3076, &[(2, &[0, 0, 0, 1])]);
    cut.push(11);
    assert_eq!(unusable(&[(26, &cut)]), "a Vendor-Specific attribute of vendor 3076 is malformed");
}

#[test]
fn strangers_attributes_say_nothing() {
    let attributes = accepted(&[
        (200, &[1, 2, 3]),
        (26, &vendor(9, &[(1, b"ip:inacl#1=permit")])),
        (26, &[0, 0, 0, 9, 77]),
        (26, &vendor(311, &[(99, &[1])])),
    ]);
    assert!(attributes.filter_id.is_none() && attributes.mppe.is_none());
}

#[test]
fn several_vendor_attributes_may_share_one() {
    let value = vendor(3076, &[(2, &[0, 0, 0, 1]), (217, b"east, west"), (217, b"south")]);
    let attributes = accepted(&[(26, &value)]);
    assert_eq!(attributes.simultaneous_logins, Some(1));
    assert_eq!(attributes.address_pools, ["east", "west", "south"]);
}

#[test]
fn the_policy_comes_from_cisco_first_and_then_from_the_first_class_that_names_one() {
    let class: &[(u8, &[u8])] = &[(25, &[0, 1, 2]), (25, b"ou=field;"), (25, b"OU=sales;x")];
    assert_eq!(accepted(class).group_policy.as_deref(), Some("field"));
    assert_eq!(accepted(class).classes.len(), 3);
    let cisco = vendor(3076, &[(25, b"OU=gold;")]);
    let both = [class, &[(26, cisco.as_slice())]].concat();
    assert_eq!(accepted(&both).group_policy.as_deref(), Some("gold"));
    for (class, policy) in [
        (&b"OU=sales"[..], Some("sales")),
        (b"OU=;", None),
        (b"OU", None),
        (b"sales", None),
        (b"OU=\xff;", None),
        (b"OU=a b;OU=c;", Some("a b")),
    ] {
        assert_eq!(accepted(&[(25, class)]).group_policy.as_deref(), policy, "{class:?}");
    }
}

#[test]
fn a_time_of_zero_is_no_limit() {
    let attributes = accepted(&[(27, &[0; 4]), (28, &[0, 0, 0, 60])]);
    assert_eq!((attributes.session_timeout, attributes.idle_timeout), (None, Some(Duration::from_secs(60))));
}

#[test]
fn an_accept_of_ms_chap_v2_needs_the_proof() {
    match decoded(2, &[], AuthMethod::MsChapV2) {
        Verdict::Reject(reject) => assert_eq!(
            reject.reason.to_string(),
            "the server's accept cannot be used: MS-CHAP2-Success is missing"
        ),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_words_of_a_reject_reach_the_user() {
    let plain = rejected(&[]);
    assert_eq!(plain.reason, RejectReason::ServerRejected);
    let said = rejected(&[(18, b"Account"), (18, b"closed")]);
    assert_eq!(said.message, "Account\nclosed");

    let error = vendor(311, &[(2, b"\x01E=648 R=0 V=3 M=Change it")]);
    let expired = rejected(&[(26, &error)]);
    assert_eq!(
        (expired.reason.clone(), expired.message.as_str()),
        (RejectReason::PasswordExpired, "Change it")
    );
    assert_eq!((expired.ms_chap_code(), expired.may_retry()), (648, false));
    let both = rejected(&[(26, &error), (18, b"Hello")]);
    assert_eq!((both.message.as_str(), both.ms_chap_code()), ("Hello", 648));
}

#[test]
fn a_broken_attribute_in_a_reject_is_still_a_reject() {
    let reject = rejected(&[(8, &[1]), (26, &[0, 0, 1, 55, 2, 99]), (18, b"no\xff")]);
    assert_eq!((reject.reason, reject.message.as_str()), (RejectReason::ServerRejected, "no\u{fffd}"));
}

#[test]
fn a_challenge_keeps_its_state() {
    match decoded(11, &[(24, &[1, 2]), (18, b"code?")], AuthMethod::Pap) {
        Verdict::Challenge(challenge) => {
            assert_eq!((challenge.state.as_slice(), challenge.message.as_str()), (&[1, 2][..], "code?"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn eap_is_passed_on_whole_and_only_where_code_and_length_fit_the_answer() {
    const SIGNED: (u8, &[u8]) = (80, &[0; 16]);
    let eap = |code, attributes: &[(u8, &[u8])]| decoded(code, attributes, AuthMethod::EapProxy);
    let long = [&[1, 7, 1, 44][..], &[4; 296]].concat();
    let (first, second) = long.split_at(253);
    match eap(11, &[(79, first), (79, second), (24, b"state"), (27, &[0, 0, 0, 30]), SIGNED]) {
        Verdict::Challenge(challenge) => {
            assert_eq!(challenge.eap, Some(long.clone()));
            assert_eq!(
                (challenge.state.as_slice(), challenge.timeout),
                (&b"state"[..], Some(Duration::from_secs(30)))
            );
        }
        other => panic!("{other:?}"),
    }
    let unavailable = [
        eap(11, &[(79, first), SIGNED]),
        eap(11, &[(79, &[3, 7, 0, 4]), SIGNED]),
        eap(11, &[SIGNED]),
        eap(11, &[(79, first), (79, second)]),
        eap(2, &[(79, &[3, 7, 0, 4])]),
    ];
    for answer in unavailable {
        assert!(matches!(answer, Verdict::Unavailable(_)), "{answer:?}");
    }
    match eap(2, &[(79, &[3, 7, 0, 4]), SIGNED]) {
        Verdict::Accept(attributes) => assert_eq!(attributes.eap, Some(vec![3, 7, 0, 4])),
        other => panic!("{other:?}"),
    }
    match eap(2, &[(79, &[4, 7, 0, 4]), SIGNED]) {
        Verdict::Reject(reject) => assert!(matches!(reject.reason, RejectReason::UnusableAccept(_))),
        other => panic!("an accept that tells the peer of a failure: {other:?}"),
    }
    match eap(3, &[(79, &[4, 7, 0, 4]), SIGNED]) {
        Verdict::Reject(reject) => assert_eq!(reject.eap, Some(vec![4, 7, 0, 4])),
        other => panic!("{other:?}"),
    }
}
