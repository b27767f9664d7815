//! Certificates as the openssl command makes them.

use super::*;
use crate::testing::pem_der;

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../../../fixtures/", $name))
    };
}

fn trusting_fixtures(policy: TrustPolicy) -> TrustStore {
    store(policy, &[fixture!("root.pem"), fixture!("root-v1.pem")])
}

fn der(pem: &[u8]) -> Vec<u8> {
    pem_der(std::str::from_utf8(pem).unwrap())
}

#[test]
fn a_client_below_an_intermediate() {
    let store = trusting_fixtures(TrustPolicy::default());
    let (leaf, intermediate) = (der(fixture!("client.pem")), der(fixture!("intermediate.pem")));
    let peer = ask(&store, &[&leaf, &intermediate]).unwrap();
    assert_eq!(
        peer.subject.to_string(),
        "emailAddress=alice@example.com,CN=alice,OU=Sales,O=Tollgate Tests,C=DE"
    );
    assert_eq!(peer.ous(), ["Sales"]);
    assert_eq!(
        peer.alternative_names,
        [
            crate::AlternativeName::Email("alice@example.com".into()),
            crate::AlternativeName::PrincipalName("alice@corp.example.com".into())
        ]
    );
    assert_eq!(peer.chain, [intermediate]);
    assert!(peer.matches_id(3, b"alice@example.com"));
    assert_eq!(
        ask_side(&store, Side::Server, &[&leaf, &peer.chain[0]]).unwrap_err(),
        VerifyError::WrongUsage { subject: peer.subject, missing: IkePurpose(Side::Server).missing() }
    );
}

#[test]
fn a_server_and_its_names() {
    let store = trusting_fixtures(TrustPolicy::default());
    let sent = [&der(fixture!("server.pem"))[..], &der(fixture!("intermediate.pem"))];
    let peer = ask_side(&store, Side::Server, &sent).unwrap();
    for host in ["vpn.example.com", "VPN.example.com.", "192.0.2.1", "2001:db8::1", "[2001:db8::1]"] {
        assert!(peer.names_host(host), "{host}");
    }
    for host in ["example.com", "192.0.2.2", "2001:db8::2", "vpn.example.com.evil.org", ""] {
        assert!(!peer.names_host(host), "{host}");
    }
}

#[test]
fn the_same_chain_in_pkcs7() {
    let store = trusting_fixtures(TrustPolicy::default());
    let chain = CertPayload { encoding: 1, data: fixture!("client.p7b") };
    let peer = store.verify(NOW, Side::Client, &[chain], None).unwrap();
    assert_eq!(peer.leaf, der(fixture!("client.pem")));
    let leaf = der(fixture!("client.pem"));
    let both = [CertPayload { encoding: 4, data: &leaf }, chain];
    assert_eq!(store.verify(NOW, Side::Client, &both, None).unwrap().chain.len(), 1);
}

#[test]
fn sha1_by_request_and_a_root_of_version_1() {
    let sha1 = der(fixture!("client-sha1.pem"));
    let strict = trusting_fixtures(TrustPolicy::default());
    assert!(matches!(ask(&strict, &[&sha1]).unwrap_err(), VerifyError::WeakSignature { .. }));
    let lenient = trusting_fixtures(TrustPolicy { allow_sha1: true, ..TrustPolicy::default() });
    assert!(ask(&lenient, &[&sha1]).is_ok());
    assert!(ask(&strict, &[&der(fixture!("client-below-v1.pem"))]).is_ok());
}

#[test]
fn revocation_lists_in_pem() {
    let sent = [&der(fixture!("client.pem"))[..], &der(fixture!("intermediate.pem"))];
    let mut store = trusting_fixtures(TrustPolicy::default());
    assert_eq!(store.add_crls(fixture!("empty.crl")), Ok(1));
    assert!(ask(&store, &sent).is_ok());
    let mut store = trusting_fixtures(TrustPolicy::default());
    assert_eq!(store.add_crls(fixture!("revoked.crl")), Ok(1));
    assert!(matches!(ask(&store, &sent).unwrap_err(), VerifyError::Revoked { .. }));
}
