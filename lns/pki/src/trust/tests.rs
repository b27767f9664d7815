use super::*;
use crate::testing::*;

#[test]
fn a_bundle_is_added_with_each_authority_once() {
    let mut store = TrustStore::new(TrustPolicy::default());
    let root = include_str!("../../fixtures/root.pem");
    let bundle = format!("{root}\n{}\n{root}", include_str!("../../fixtures/intermediate.pem"));
    assert_eq!(store.add_authorities(bundle.as_bytes()), Ok(3));
    assert_eq!(store.authorities().count(), 2);
    let names: Vec<String> = store.requests().map(|name| Name::from_der(name).unwrap().to_string()).collect();
    assert_eq!(names, ["CN=Root,O=Tollgate Tests,C=DE", "CN=Intermediate,O=Tollgate Tests,C=DE"]);
}

#[test]
fn what_cannot_be_an_authority_is_told_and_nothing_of_the_file_is_taken() {
    let mut store = TrustStore::new(TrustPolicy::default());
    assert_eq!(store.add_authorities(b"text"), Err(TrustError::Empty { what: "certificate" }));
    let key = CLIENT_KEY.as_bytes();
    assert_eq!(store.add_authorities(key), Err(TrustError::Empty { what: "certificate" }));
    let small = Draft::new("Small", SMALL_KEY, "Small").with(authority(None)).signed_by(SMALL_KEY);
    let error = store.add_authorities(&small).unwrap_err();
    assert_eq!(
        error.to_string(),
        "CN=Small: the RSA key has 1024 bits, which is too few: use one of 2048 to 4096 bits"
    );
    let broken = format!(
        "{}-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
        include_str!("../../fixtures/root.pem")
    );
    assert_eq!(store.add_authorities(broken.as_bytes()), Err(TrustError::MalformedCertificate { number: 2 }));
    assert_eq!(store.authorities().count(), 0);
}
