use super::*;

#[test]
fn a_request_is_the_octets_that_others_send() {
    let name = Name::principal("joe");
    let service = Name::granting("A.TEST");
    let body = Body { name: Some(&name), realm: "A.TEST", service: &service, nonce: 7, etypes: &[18, 17] };
    let wanted = b"\x6a\x64\x30\x62\xa1\x03\x02\x01\x05\xa2\x03\x02\x01\x0a\xa4\x56\x30\x54\
        \xa0\x07\x03\x05\0\0\0\0\0\
        \xa1\x10\x30\x0e\xa0\x03\x02\x01\x01\xa1\x07\x30\x05\x1b\x03joe\
        \xa2\x08\x1b\x06A.TEST\
        \xa3\x1b\x30\x19\xa0\x03\x02\x01\x02\xa1\x12\x30\x10\x1b\x06krbtgt\x1b\x06A.TEST";
    let request = as_request(&body.encode(), None);
    let begin = &request[..wanted.len()];
    // Lengths in front of the body are those of this body.
    assert_eq!(begin[20..], wanted[20..], "{begin:02x?}");
    assert_eq!(request.len(), usize::from(request[1]) + 2);
}

#[test]
fn an_error_says_how_a_password_becomes_a_key() {
    let entry = sequence(&[
        field(0, &integer(18)),
        field(1, &element(STRING, b"A.TESTjoe")),
        field(2, &element(OCTET_STRING, &[0, 0, 16, 0])),
    ]);
    let bare = sequence(&[field(0, &integer(17))]);
    let info = sequence(&[entry, bare]);
    let padata = |kind: i64, value: &[u8]| {
        sequence(&[field(1, &integer(kind)), field(2, &element(OCTET_STRING, value))])
    };
    let methods = sequence(&[padata(2, b""), padata(19, &info)]);
    let error = element(
        application(KRB_ERROR),
        &sequence(&[
            field(0, &integer(5)),
            field(1, &integer(30)),
            field(4, &element(TIME, b"20260102030405Z")),
            field(5, &integer(1)),
            field(6, &integer(25)),
            field(9, &element(STRING, b"A.TEST")),
            field(10, &Name::granting("A.TEST").encode()),
            field(11, &element(STRING, b"NEEDED\n_PREAUTH")),
            field(12, &element(OCTET_STRING, &methods)),
        ]),
    );
    let wanted = KdcError {
        code: 25,
        time: KerberosTime::parse(b"20260102030405Z"),
        text: "NEEDED_PREAUTH".to_owned(),
        methods: vec![
            EtypeInfo { etype: 18, salt: Some(b"A.TESTjoe".to_vec()), parameters: Some(vec![0, 0, 16, 0]) },
            EtypeInfo { etype: 17, salt: None, parameters: None },
        ],
        status: None,
    };
    assert_eq!(Answer::to_as_request(&error), Ok(Answer::Error(wanted)));
    for length in 0..error.len() {
        assert!(Answer::to_as_request(&error[..length]).is_err(), "{length}");
    }
}

#[test]
fn names_are_compared_without_their_kind_and_case() {
    assert!(Name::principal("krbtgt/A.test").is(&Name::granting("A.TEST")));
    assert!(!Name::principal("krbtgt").is(&Name::granting("A.TEST")));
    assert!(!Name::principal("joe").is(&Name::principal("jo")));
    assert_eq!(Name::granting("A.TEST").to_string(), "krbtgt/A.TEST");
}
