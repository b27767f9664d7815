use super::*;
use crate::testing::*;

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../../fixtures/", $name)).as_slice()
    };
}

fn der(pem: &[u8]) -> Vec<u8> {
    pem_der(std::str::from_utf8(pem).unwrap())
}

fn alice() -> Identity {
    let file = [fixture!("root.pem"), fixture!("intermediate.pem"), fixture!("client.pem")].concat();
    Identity::from_pem(&file, CLIENT_KEY.as_bytes(), None).unwrap()
}

fn error(certificates: &[u8], key: &[u8]) -> IdentityError {
    Identity::from_pem(certificates, key, None).unwrap_err()
}

#[test]
fn a_chain_in_any_order_goes_out_with_ours_first_and_without_the_root() {
    let identity = alice();
    let chain: Vec<&[u8]> = identity.certificates_der().collect();
    assert_eq!(chain, [der(fixture!("client.pem")), der(fixture!("intermediate.pem"))]);
    let roots: Vec<&[u8]> = identity.authorities_der().collect();
    assert_eq!(roots, [der(fixture!("root.pem"))]);
    assert_eq!(identity.subject_der(), identity.certificate().subject().as_der());
    assert!(identity.subject().to_string().contains("CN=alice"));
}

#[test]
fn a_key_in_every_form_signs_the_same() {
    let hash = [3; 20];
    let expected = alice().sign(&hash, &mut entropy()).unwrap();
    assert_eq!(alice().public_key().verify(&hash, &expected), Ok(()));
    for (name, key) in [
        ("PKCS#1", fixture!("key-client-pkcs1.pem")),
        ("encrypted with AES", fixture!("key-client-aes.pem")),
        ("encrypted with 3DES", fixture!("key-client-des3.pem")),
        ("PKCS#8 in DER", &pem_der(CLIENT_KEY)),
        ("PKCS#1 in DER", &der(fixture!("key-client-pkcs1.pem"))),
    ] {
        let identity = Identity::from_pem(fixture!("client.pem"), key, Some("tollgate"))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(identity.sign(&hash, &mut entropy()).unwrap(), expected, "{name}");
    }
    for file in [fixture!("modern.p12"), fixture!("legacy.p12")] {
        let identity = Identity::from_pkcs12(file, "tollgate").unwrap();
        assert_eq!(identity.sign(&hash, &mut entropy()).unwrap(), expected);
        assert_eq!(identity.certificates_der().count(), 2);
        assert_eq!(identity.authorities_der().count(), 1);
    }
}

#[test]
fn one_file_may_hold_both() {
    let both = [fixture!("client.pem"), CLIENT_KEY.as_bytes()].concat();
    assert!(Identity::from_pem(&both, &both, None).is_ok());
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    assert_eq!(error(fixture!("client.pem"), SERVER_KEY.as_bytes()), IdentityError::KeyMismatch);
}

#[test]
fn sizes_and_kinds_of_keys() {
    let own = |key: &str| {
        let certificate = Draft::new("me", key, "me").signed_by(key);
        Identity::from_pem(&certificate, key.as_bytes(), None)
    };
    assert_eq!(own(SERVER_KEY).unwrap().public_key().bits(), 3072);
    assert_eq!(own(LARGE_KEY).unwrap().public_key().bits(), 4096);
    assert_eq!(own(SMALL_KEY).unwrap_err(), KeyError::TooSmall { bits: 1024 }.into());
    assert_eq!(error(fixture!("client.pem"), EC_KEY.as_bytes()), KeyError::NotRsa.into());
    let sec1 = b"-----BEGIN EC PRIVATE KEY-----\nMAA=\n-----END EC PRIVATE KEY-----\n";
    assert_eq!(error(fixture!("client.pem"), sec1), KeyError::NotRsa.into());
}

#[test]
fn what_is_missing_or_locked_is_told() {
    let certificate = fixture!("client.pem");
    assert_eq!(error(CLIENT_KEY.as_bytes(), CLIENT_KEY.as_bytes()), IdentityError::NoCertificate);
    assert_eq!(error(b"", CLIENT_KEY.as_bytes()), IdentityError::NoCertificate);
    assert_eq!(error(certificate, certificate), IdentityError::NoKey);
    assert_eq!(error(certificate, b"x"), IdentityError::NoKey);
    assert_eq!(error(certificate, fixture!("key-client-aes.pem")), IdentityError::PasswordNeeded);
    let wrong = Identity::from_pem(certificate, fixture!("key-client-aes.pem"), Some("wrong"));
    assert_eq!(wrong.unwrap_err(), IdentityError::WrongPassword);
    assert_eq!(
        error(certificate, fixture!("key-client-old.pem")),
        PemError::OldEncryption { line: 1 }.into()
    );
    let no_key = Identity::from_pkcs12(fixture!("no-key.p12"), "tollgate");
    assert_eq!(no_key.unwrap_err(), IdentityError::NoKey);
    assert_eq!(
        Identity::from_pkcs12(fixture!("modern.p12"), "wrong").unwrap_err(),
        Pkcs12Error::Password.into()
    );
    let damaged = b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    assert_eq!(error(damaged, CLIENT_KEY.as_bytes()), IdentityError::MalformedCertificate { number: 1 });
    let many = certificate.repeat(17);
    assert_eq!(error(&many, CLIENT_KEY.as_bytes()), IdentityError::TooManyCertificates);
}

#[test]
fn a_request_chooses_the_identity() {
    let alice = alice();
    let other = Draft::new("me", SERVER_KEY, "Other Root").signed_by(ROOT_KEY);
    let other = Identity::from_pem(&other, SERVER_KEY.as_bytes(), None).unwrap();
    let root = Certificate::from_der(&der(fixture!("root.pem"))).unwrap();
    let (ours, theirs) = (root.subject().as_der(), named("OTHER  root"));
    assert!(alice.answers(&[ours]) && !alice.answers(&[&theirs]) && !alice.answers(&[]));
    assert!(alice.answers(&[&theirs, &[]]), "an empty request asks for any");
    assert!(!alice.answers(&[b"nonsense"]));
    let both = [alice, other];
    let chosen = |requests: &[&[u8]]| Identity::choose(&both, requests).unwrap().public_key().bits();
    assert_eq!(chosen(&[&theirs]), 3072);
    assert_eq!(chosen(&[ours]), 2048);
    assert_eq!(chosen(&[&named("unknown")]), 2048);
    assert!(Identity::choose(&[], &[ours]).is_none());
}

#[test]
fn chains_that_go_round_end() {
    let me = Draft::new("me", SERVER_KEY, "A").signed_by(ROOT_KEY);
    let pem = |der: &[u8]| {
        use base64ct::Encoding;
        format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            base64ct::Base64::encode_string(der)
        )
    };
    let a = Draft::new("A", ROOT_KEY, "B").with(authority(None)).signed_by(ROOT_KEY);
    let b = Draft::new("B", ROOT_KEY, "A").with(authority(None)).signed_by(ROOT_KEY);
    let file = [pem(&a), pem(&b), pem(&me)].concat();
    let identity = Identity::from_pem(file.as_bytes(), SERVER_KEY.as_bytes(), None).unwrap();
    assert_eq!(identity.certificates_der().collect::<Vec<_>>(), [me, a, b]);
}

#[test]
fn nothing_of_the_key_is_printed() {
    let shown = format!("{:?}", alice());
    assert!(shown.starts_with("Identity { subject: Name(emailAddress=alice@example.com"), "{shown}");
    assert!(!shown.contains("key"), "{shown}");
}
