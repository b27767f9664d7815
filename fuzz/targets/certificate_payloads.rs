//! What a peer sends to show who it is: CERT payloads of any kind in any number, and the ID payload beside them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tollgate_pki::{
    AlternativeName, CertPayload, Certificate, CertificateMap, Criterion, Name, Peer, Rule, Side,
    TrustPolicy, TrustStore,
};
use tollgate_sansio::Reader;

/// 2027-01-15, within the validity of the seeds.
const NOW: u64 = 1_800_000_000;

fuzz_target!(|octets: &[u8]| {
    let _ = play(octets);
});

/// One octet of flags, the ID payload (type, length, data), then payloads (encoding, length, data) to the end.
fn play(octets: &[u8]) -> Option<()> {
    let mut reader = Reader::new(octets);
    let flags = reader.u8().ok()?;
    let id_type = reader.u8().ok()?;
    let length = reader.u8().ok()?;
    let id = reader.take(length.into()).ok()?;
    let mut payloads = Vec::new();
    while let Ok(encoding) = reader.u8() {
        let length = reader.u16().ok()?;
        payloads.push(CertPayload { encoding, data: reader.take(length.into()).ok()? });
    }
    let side = if flags & 1 == 0 { Side::Client } else { Side::Server };
    let policy =
        TrustPolicy { allow_sha1: flags & 2 != 0, crl_required: flags & 4 != 0, ..TrustPolicy::default() };
    let mut store = TrustStore::new(policy);
    for root in [
        &include_bytes!("../../lns/pki/fixtures/root.pem")[..],
        include_bytes!("../../lns/pki/fixtures/root-v1.pem"),
    ] {
        store.add_authorities(root).expect("a root");
    }
    store.add_crls(include_bytes!("../../lns/pki/fixtures/empty.crl")).expect("a list");
    // Signatures cannot be forged, not by a fuzzer either: trusting what comes shows what lies behind them.
    if flags & 8 != 0 {
        for payload in &payloads {
            let _ = store.add_authorities(payload.data);
        }
    }
    match store.verify(NOW, side, &payloads, Some((id_type, id))) {
        Ok(peer) => check(&peer, id_type, id),
        Err(error) => assert!(printable(&error.to_string())),
    }
    if let Ok(name) = Name::from_der(id) {
        assert_eq!(name.as_der(), id);
        assert!(printable(&name.to_string()));
        assert_eq!(name.matches(&name), !name.is_empty());
    }
    if let Ok(name) = AlternativeName::from_der(id) {
        assert!(printable(&name.to_string()));
    }
    Some(())
}

/// What holds for every peer that is let in.
fn check(peer: &Peer, id_type: u8, id: &[u8]) {
    let certificate = Certificate::from_der(&peer.leaf).expect("it was read before");
    assert!(peer.not_after >= NOW && certificate.not_before() <= NOW);
    assert!((2048..=4096).contains(&peer.public_key.bits()));
    assert_eq!(peer.subject.is_empty(), !peer.matches_id(9, peer.subject.as_der()));
    assert!(printable(&peer.subject.to_string()) && printable(&peer.issuer.to_string()));
    assert!(peer.verify_signature(&[1; 20], &[1; 256]).is_err());
    let _ = (peer.matches_id(id_type, id), peer.ous());
    let host = String::from_utf8_lossy(id);
    if peer.names_host(&host) {
        assert!(!host.is_empty());
    }
    let word = "eq ne co nc".split(' ').nth(usize::from(id_type % 4)).expect("one of four");
    if let Ok(criterion) = Criterion::new("alt-subject-name", None, word, &host) {
        let rule = Rule { sequence: 1, criteria: vec![criterion], tunnel_group: "group".into() };
        let _ = CertificateMap::new(vec![rule]).tunnel_group(peer);
    }
}

fn printable(text: &str) -> bool {
    !text.chars().any(char::is_control)
}
