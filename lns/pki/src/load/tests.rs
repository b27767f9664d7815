use std::path::PathBuf;

use super::*;
use crate::{KeyError, PemError};

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

#[test]
fn files_make_an_identity_and_a_store() {
    let identity = identity_from_pem(&fixture("client.pem"), &fixture("key-client.pem"), None).unwrap();
    assert_eq!(identity.public_key().bits(), 2048);
    assert!(identity_from_pkcs12(&fixture("modern.p12"), "tollgate").is_ok());
    let store = trust_store(
        &[fixture("root.pem"), fixture("root-v1.pem")],
        &[fixture("empty.crl")],
        TrustPolicy::default(),
    );
    assert_eq!(store.unwrap().authorities().count(), 2);
}

#[test]
fn the_file_that_is_wrong_is_named() {
    let text = |result: Result<Identity, LoadError>| result.unwrap_err().to_string();
    let (certificate, key) = (fixture("client.pem"), fixture("key-client.pem"));
    let key_text = text(identity_from_pem(&certificate, &fixture("key-small.pem"), None));
    assert!(
        key_text.ends_with(
            "key-small.pem: the RSA key has 1024 bits, which is too few: use one of 2048 to 4096 bits"
        ),
        "{key_text}"
    );
    assert!(text(identity_from_pem(&key, &key, None)).contains("key-client.pem: there is no certificate"));
    assert!(
        text(identity_from_pem(&fixture("none"), &key, None)).contains("none: cannot be read: No such file")
    );
    let error = identity_from_pem(&certificate, &fixture("key-client-old.pem"), None).unwrap_err();
    assert!(matches!(error.problem, Problem::Identity(IdentityError::Pem(PemError::OldEncryption { .. }))));
    let error = identity_from_pem(&certificate, &fixture("key-ec.pem"), None).unwrap_err();
    assert!(matches!(error.problem, Problem::Identity(IdentityError::Key(KeyError::NotRsa))));
    assert!(
        text(identity_from_pkcs12(&fixture("modern.p12"), "x")).contains("modern.p12: the password does not")
    );
}

#[test]
fn all_wrong_files_are_told_at_once() {
    let files = [fixture("root.pem"), fixture("key-ec.pem"), fixture("none")];
    let errors = trust_store(&files, &[fixture("root.pem")], TrustPolicy::default()).unwrap_err();
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), 3, "{texts:?}");
    assert!(texts[0].contains("key-ec.pem: there is no certificate in it"));
    assert!(texts[2].contains("root.pem: there is no revocation list in it"));
}

#[test]
fn a_file_longer_than_any_is_not_read_to_its_end() {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(MAX_FILE + 1).unwrap();
    let error = identity_from_pkcs12(file.path(), "").unwrap_err();
    assert!(matches!(error.problem, Problem::TooLong { limit: MAX_FILE }));
}
