use std::time::Duration;

use super::*;
use crate::testing::*;
use crate::{CertPayload, KeyError, TrustPolicy, der};

mod fixtures;
mod lists;

const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];
const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
const EMAIL_PROTECTION: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 4];
const IPSEC_IKE: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 17];
const IKE_INTERMEDIATE: &[u8] = &[0x2b, 6, 1, 5, 5, 8, 2, 2];
const ANY: &[u8] = &[0x55, 29, 37, 0];

fn name(common_name: &str) -> Name {
    Name::from_der(&named(common_name)).unwrap()
}

fn trusting() -> TrustStore {
    store(TrustPolicy::default(), &[&root().signed_by(ROOT_KEY)])
}

/// What becomes of a client with this certificate that the root signed.
fn judge(draft: Draft) -> Result<Peer, VerifyError> {
    ask(&trusting(), &[&draft.signed_by(ROOT_KEY)])
}

#[test]
fn a_good_certificate_makes_a_peer() {
    let draft = client().with(alternatives(&[(DNS, b"client.example.com")]));
    let der = draft.signed_by(ROOT_KEY);
    let peer = ask(&trusting(), &[&der]).unwrap();
    assert_eq!(peer.leaf, der);
    assert_eq!(peer.chain, Vec::<Vec<u8>>::new());
    assert_eq!((peer.subject, peer.issuer), (name("client"), name("Root")));
    assert_eq!(peer.alternative_names, [crate::AlternativeName::Dns("client.example.com".into())]);
    assert_eq!(peer.not_after, NOW + DAY);
    assert_eq!(peer.public_key.bits(), 2048);
    assert_eq!(peer.warnings, []);
}

#[test]
fn certificates_in_any_order_and_strangers_among_them_do_no_harm() {
    let leaf = Draft::new("client", CLIENT_KEY, "Intermediate").signed_by(INTERMEDIATE_KEY);
    let intermediate = intermediate().signed_by(ROOT_KEY);
    let root = root().signed_by(ROOT_KEY);
    let stranger = Draft::new("Stranger", LARGE_KEY, "Stranger").with(authority(None)).signed_by(LARGE_KEY);
    let store = trusting();
    for order in [
        vec![&leaf, &intermediate],
        vec![&intermediate, &leaf],
        vec![&root, &intermediate, &leaf],
        vec![&stranger, &leaf, &leaf, &intermediate],
    ] {
        let order: Vec<&[u8]> = order.into_iter().map(Vec::as_slice).collect();
        let peer = ask(&store, &order).unwrap();
        assert_eq!((&peer.leaf, &peer.chain), (&leaf, &vec![intermediate.clone()]));
    }
    let garbage = ask(&store, &[&leaf, &[0x30, 3, 1, 2, 3], &intermediate]);
    assert_eq!(garbage.unwrap().leaf, leaf, "what cannot be read among others is passed over");
}

#[test]
fn a_missing_intermediate_is_named() {
    let leaf = Draft::new("client", CLIENT_KEY, "Intermediate").signed_by(INTERMEDIATE_KEY);
    assert_eq!(
        ask(&trusting(), &[&leaf]).unwrap_err(),
        VerifyError::NotTrusted { issuer: name("Intermediate") }
    );
    let nobody = store(TrustPolicy::default(), &[]);
    let intermediate = intermediate().signed_by(ROOT_KEY);
    assert_eq!(
        ask(&nobody, &[&leaf, &intermediate]).unwrap_err(),
        VerifyError::NotTrusted { issuer: name("Root") },
        "the one that is needed next, not the one that is there"
    );
}

#[test]
fn an_id_chooses_among_certificates_of_the_peers_own() {
    let one = client().signed_by(ROOT_KEY);
    let two = Draft::new("other", SERVER_KEY, "Root").signed_by(ROOT_KEY);
    let payloads = [&one, &two].map(|data| CertPayload { encoding: 4, data });
    let store = trusting();
    let subject = named("other");
    let by_id = store.verify(NOW, Side::Client, &payloads, Some((9, &subject))).unwrap();
    assert_eq!(by_id.leaf, two);
    let unknown = named("nobody");
    assert_eq!(store.verify(NOW, Side::Client, &payloads, Some((9, &unknown))).unwrap().leaf, one);
}

#[test]
fn dates_of_every_certificate_count() {
    let late = |draft: &mut Draft| draft.not_after = NOW - 1;
    let early = |draft: &mut Draft| draft.not_before = NOW + 1;
    assert_eq!(
        judge(client().change(late)).unwrap_err(),
        VerifyError::Expired { subject: name("client"), not_after: NOW - 1 }
    );
    assert_eq!(
        judge(client().change(early)).unwrap_err(),
        VerifyError::NotYetValid { subject: name("client"), not_before: NOW + 1 }
    );
    let leaf = Draft::new("client", CLIENT_KEY, "Intermediate").signed_by(INTERMEDIATE_KEY);
    let expired = intermediate().change(late).signed_by(ROOT_KEY);
    assert_eq!(
        ask(&trusting(), &[&leaf, &expired]).unwrap_err(),
        VerifyError::Expired { subject: name("Intermediate"), not_after: NOW - 1 }
    );
    let leaf = client().signed_by(ROOT_KEY);
    let old = store(TrustPolicy::default(), &[&root().change(late).signed_by(ROOT_KEY)]);
    assert_eq!(
        ask(&old, &[&leaf]).unwrap_err(),
        VerifyError::Expired { subject: name("Root"), not_after: NOW - 1 }
    );
    let future = store(TrustPolicy::default(), &[&root().change(early).signed_by(ROOT_KEY)]);
    assert_eq!(
        ask(&future, &[&leaf]).unwrap_err(),
        VerifyError::NotYetValid { subject: name("Root"), not_before: NOW + 1 }
    );
    let renewed = store(
        TrustPolicy::default(),
        &[&root().change(late).signed_by(ROOT_KEY), &root().signed_by(ROOT_KEY)],
    );
    assert!(ask(&renewed, &[&leaf]).is_ok(), "an authority's new certificate stands beside its old one");
    assert!(judge(client().change(|draft| draft.not_after = NOW)).is_ok(), "the last second is included");
    assert!(judge(client().change(|draft| draft.not_before = NOW)).is_ok(), "and the first");
}

#[test]
fn key_usage_must_allow_signatures_when_it_is_there() {
    for (bits, good) in [(0x80, true), (0x40, true), (0xa0, true), (0x20, false), (0x04, false), (0, false)] {
        let result = judge(client().with(key_usage(bits)));
        assert_eq!(result.is_ok(), good, "{bits:02x}");
        if let Err(error) = result {
            assert_eq!(
                error,
                VerifyError::WrongUsage { subject: name("client"), missing: "digitalSignature in keyUsage" }
            );
        }
    }
}

#[test]
fn extended_key_usage_must_hold_a_purpose_of_ike_when_it_is_there() {
    let both = [Side::Client, Side::Server];
    let cases: [(&[&[u8]], &[Side]); 8] = [
        (&[CLIENT_AUTH], &[Side::Client]),
        (&[SERVER_AUTH], &[Side::Server]),
        (&[EMAIL_PROTECTION, SERVER_AUTH, CLIENT_AUTH], &both),
        (&[IPSEC_IKE], &both),
        (&[IKE_INTERMEDIATE], &both),
        (&[ANY], &both),
        (&[EMAIL_PROTECTION], &[]),
        (&[], &[]),
    ];
    let store = trusting();
    for (oids, good) in cases {
        let der = client().with(purposes(oids)).signed_by(ROOT_KEY);
        for side in both {
            let result = ask_side(&store, side, &[&der]);
            assert_eq!(result.is_ok(), good.contains(&side), "{oids:02x?} {side:?}");
            if let Err(error) = result {
                let missing = IkePurpose(side).missing();
                assert_eq!(error, VerifyError::WrongUsage { subject: name("client"), missing });
            }
        }
    }
}

#[test]
fn an_authority_limited_to_other_purposes_cannot_issue_for_ike() {
    let leaf = Draft::new("client", CLIENT_KEY, "Intermediate").signed_by(INTERMEDIATE_KEY);
    let limited = intermediate().with(purposes(&[EMAIL_PROTECTION])).signed_by(ROOT_KEY);
    assert_eq!(
        ask(&trusting(), &[&leaf, &limited]).unwrap_err(),
        VerifyError::WrongUsage {
            subject: name("Intermediate"),
            missing: IkePurpose(Side::Client).missing()
        }
    );
}

#[test]
fn issuers_must_be_authorities() {
    let leaf = Draft::new("client", CLIENT_KEY, "Intermediate").signed_by(INTERMEDIATE_KEY);
    let no_authority = Draft::new("Intermediate", INTERMEDIATE_KEY, "Root").signed_by(ROOT_KEY);
    let store = trusting();
    assert_eq!(
        ask(&store, &[&leaf, &no_authority]).unwrap_err(),
        VerifyError::NotAnAuthority { subject: name("Intermediate") }
    );
    let cannot_sign = intermediate().with(key_usage(0x80)).signed_by(ROOT_KEY);
    assert_eq!(
        ask(&store, &[&leaf, &cannot_sign]).unwrap_err(),
        VerifyError::WrongUsage { subject: name("Intermediate"), missing: "keyCertSign in keyUsage" }
    );
    let may_sign = intermediate().with(key_usage(0x06)).signed_by(ROOT_KEY);
    assert!(ask(&store, &[&leaf, &may_sign]).is_ok());
}

#[test]
fn an_authority_alone_is_no_peer() {
    let intermediate = intermediate().signed_by(ROOT_KEY);
    assert_eq!(
        ask(&trusting(), &[&intermediate]).unwrap_err(),
        VerifyError::OnlyAuthorities { subject: name("Intermediate") }
    );
}

#[test]
fn a_path_may_be_as_long_as_an_authority_says() {
    let upper = |length| {
        intermediate().with(authority(Some(length))).change(|draft| drop(draft.extensions.remove(0)))
    };
    let lower =
        Draft::new("Lower", LARGE_KEY, "Intermediate").with(authority(None)).signed_by(INTERMEDIATE_KEY);
    let leaf = Draft::new("client", CLIENT_KEY, "Lower").signed_by(LARGE_KEY);
    let store = trusting();
    assert_eq!(
        ask(&store, &[&leaf, &lower, &upper(0).signed_by(ROOT_KEY)]).unwrap_err(),
        VerifyError::PathTooLong
    );
    let peer = ask(&store, &[&leaf, &lower, &upper(1).signed_by(ROOT_KEY)]).unwrap();
    assert_eq!(peer.chain.len(), 2);
}

#[test]
fn more_than_six_authorities_are_too_many() {
    let mut chain = Vec::new();
    for step in 0..8 {
        let issuer = if step == 0 { "Root".to_owned() } else { format!("Step {}", step - 1) };
        let key = if step == 0 { ROOT_KEY } else { INTERMEDIATE_KEY };
        let draft = Draft::new(&format!("Step {step}"), INTERMEDIATE_KEY, &issuer).with(authority(None));
        chain.push(draft.signed_by(key));
    }
    chain.push(Draft::new("client", CLIENT_KEY, "Step 7").signed_by(INTERMEDIATE_KEY));
    let chain: Vec<&[u8]> = chain.iter().map(Vec::as_slice).collect();
    assert_eq!(ask(&trusting(), &chain).unwrap_err(), VerifyError::PathTooLong);
}

#[test]
fn a_maze_of_authorities_is_given_up_soon() {
    // Fifteen authorities of one name, each of which may have issued each other: far more paths than can be tried.
    let mut sent = vec![Draft::new("client", CLIENT_KEY, "Maze").signed_by(LARGE_KEY)];
    for serial in 1..=15 {
        sent.push(false_authority("Maze", "Maze", serial));
    }
    let sent: Vec<&[u8]> = sent.iter().map(Vec::as_slice).collect();
    let start = std::time::Instant::now();
    let error = ask(&trusting(), &sent).unwrap_err();
    assert!(matches!(error, VerifyError::NotTrusted { .. } | VerifyError::PathTooLong), "{error}");
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

#[test]
fn a_maze_that_leads_to_authorities_again_and_again_ends_after_a_hundred_signatures() {
    let mut sent = vec![Draft::new("client", CLIENT_KEY, "Root").signed_by(CLIENT_KEY)];
    for serial in 1..=3 {
        for (subject, issuer) in [("Root", "Other"), ("Other", "Root")] {
            sent.push(false_authority(subject, issuer, serial));
        }
    }
    let sent: Vec<&[u8]> = sent.iter().map(Vec::as_slice).collect();
    let other = Draft::new("Other", LARGE_KEY, "Other").with(authority(None)).signed_by(LARGE_KEY);
    let store = store(TrustPolicy::default(), &[&root().signed_by(ROOT_KEY), &other]);
    let start = std::time::Instant::now();
    assert_eq!(ask(&store, &sent).unwrap_err(), VerifyError::TooComplex);
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

/// A certificate with a key of its own that nobody has and a signature that is nobody's.
fn false_authority(subject: &str, issuer: &str, serial: u8) -> Vec<u8> {
    let mut modulus = vec![0xc5; 257];
    (modulus[0], modulus[1], modulus[256]) = (0, 0x80 | serial, 0x01);
    let draft = Draft::new(subject, ROOT_KEY, issuer).with(authority(None)).change(|draft| {
        draft.serial = serial;
        draft.spki = rsa_spki(&tlv(der::INTEGER, &modulus), &tlv(der::INTEGER, [1, 0, 1]));
    });
    draft.signed_by(CLIENT_KEY)
}

#[test]
fn signatures_must_be_those_of_the_issuer() {
    assert_eq!(
        ask(&trusting(), &[&client().signed_by(INTERMEDIATE_KEY)]).unwrap_err(),
        VerifyError::BadSignature { issuer: name("Root") }
    );
    let mut changed = client().signed_by(ROOT_KEY);
    let place = changed.windows(6).position(|window| window == b"client").unwrap();
    changed[place] = b'x';
    assert_eq!(
        ask(&trusting(), &[&changed]).unwrap_err(),
        VerifyError::BadSignature { issuer: name("Root") }
    );
}

#[test]
fn sha1_counts_by_request_only_and_md5_never() {
    let sha1 = client().change(|draft| draft.hash = Hash::Sha1).signed_by(ROOT_KEY);
    let weak = VerifyError::WeakSignature { subject: name("client") };
    assert_eq!(ask(&trusting(), &[&sha1]).unwrap_err(), weak);
    let lenient =
        store(TrustPolicy { allow_sha1: true, ..TrustPolicy::default() }, &[&root().signed_by(ROOT_KEY)]);
    assert!(ask(&lenient, &[&sha1]).is_ok());
    let forged = client().change(|draft| draft.hash = Hash::Sha1).signed_by(INTERMEDIATE_KEY);
    assert_eq!(ask(&lenient, &[&forged]).unwrap_err(), VerifyError::BadSignature { issuer: name("Root") });
    let md5 = client().change(|draft| draft.hash = Hash::Md5).signed_by(ROOT_KEY);
    assert_eq!(ask(&lenient, &[&md5]).unwrap_err(), weak);
    let own =
        store(TrustPolicy::default(), &[&root().change(|draft| draft.hash = Hash::Sha1).signed_by(ROOT_KEY)]);
    assert!(ask(&own, &[&client().signed_by(ROOT_KEY)]).is_ok(), "how a root signs itself proves nothing");
}

#[test]
fn an_algorithm_that_is_neither_weak_nor_known_is_told() {
    assert_eq!(
        judge(client().change(|draft| draft.hash = Hash::Sha224)).unwrap_err(),
        VerifyError::UnknownAlgorithm { subject: name("client") }
    );
}

#[test]
fn keys_must_be_rsa_of_a_good_size() {
    let with_key = |key: &str| judge(Draft::new("client", key, "Root"));
    assert_eq!(with_key(CLIENT_KEY).unwrap().public_key.bits(), 2048);
    assert_eq!(with_key(SERVER_KEY).unwrap().public_key.bits(), 3072);
    assert_eq!(with_key(LARGE_KEY).unwrap().public_key.bits(), 4096);
    let refused = |error| VerifyError::Key { subject: name("client"), error };
    assert_eq!(with_key(SMALL_KEY).unwrap_err(), refused(KeyError::TooSmall { bits: 1024 }));

    let number = |octets: &[u8]| tlv(der::INTEGER, octets);
    let with_spki = |spki: Vec<u8>| judge(client().change(|draft| draft.spki = spki)).unwrap_err();
    let mut modulus = vec![0xff; 513];
    (modulus[0], modulus[512]) = (1, 0xff);
    assert_eq!(
        with_spki(rsa_spki(&number(&modulus), &number(&[3]))),
        refused(KeyError::TooLarge { bits: 4097 })
    );
    let modulus = [&[0], [0xff; 256].as_slice()].concat();
    for exponent in [&[1_u8][..], &[2], &[0], &[1, 0, 0, 0, 1]] {
        assert_eq!(with_spki(rsa_spki(&number(&modulus), &number(exponent))), refused(KeyError::Exponent));
    }
    let curve = sequence(&[
        &sequence(&[
            &tlv(der::OID, [0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1]),
            &tlv(der::OID, [0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7]),
        ]),
        &tlv(der::BIT_STRING, [0, 4, 1, 2]),
    ]);
    assert_eq!(with_spki(curve), refused(KeyError::NotRsa));
}

#[test]
fn an_intermediate_with_a_small_key_is_named() {
    let leaf = Draft::new("client", CLIENT_KEY, "Weak").signed_by(SMALL_KEY);
    let weak = Draft::new("Weak", SMALL_KEY, "Root").with(authority(None)).signed_by(ROOT_KEY);
    assert_eq!(
        ask(&trusting(), &[&leaf, &weak]).unwrap_err(),
        VerifyError::Key { subject: name("Weak"), error: KeyError::TooSmall { bits: 1024 } }
    );
}

#[test]
fn name_constraints_are_kept() {
    let limited = intermediate().with(permitted(&[(DNS, b"example.com")])).signed_by(ROOT_KEY);
    let leaf = |host: &[u8]| {
        Draft::new("client", CLIENT_KEY, "Intermediate")
            .with(alternatives(&[(DNS, host)]))
            .signed_by(INTERMEDIATE_KEY)
    };
    let store = trusting();
    assert!(ask(&store, &[&leaf(b"vpn.example.com"), &limited]).is_ok());
    assert_eq!(
        ask(&store, &[&leaf(b"vpn.example.org"), &limited]).unwrap_err(),
        VerifyError::NameConstraint { subject: name("client") }
    );
    let anchor = root().with(permitted(&[(IP, &[10, 0, 0, 0, 255, 0, 0, 0])])).signed_by(ROOT_KEY);
    let limited = crate::testing::store(TrustPolicy::default(), &[&anchor]);
    let client = |address: &[u8]| client().with(alternatives(&[(IP, address)])).signed_by(ROOT_KEY);
    assert!(ask(&limited, &[&client(&[10, 1, 2, 3])]).is_ok());
    assert!(ask(&limited, &[&client(&[11, 1, 2, 3])]).is_err(), "an anchor's limits count as well");
}

#[test]
fn a_host_name_in_the_subject_does_not_slip_past_name_constraints() {
    let plain = intermediate().signed_by(ROOT_KEY);
    let limited = intermediate().with(permitted(&[(DNS, b"example.com")])).signed_by(ROOT_KEY);
    let leaf = Draft::new("vpn.example.org", CLIENT_KEY, "Intermediate").signed_by(INTERMEDIATE_KEY);
    let store = trusting();
    assert!(ask(&store, &[&leaf, &plain]).unwrap().names_host("vpn.example.org"));
    let peer = ask(&store, &[&leaf, &limited]).unwrap();
    assert!(!peer.names_host("vpn.example.org"));
    assert!(!peer.matches_id(2, b"vpn.example.org"));
}

#[test]
fn unknown_critical_extensions_are_refused_and_others_passed_over() {
    let odd = |critical| judge(client().with(extension(&[0x2b, 6, 1, 4, 1, 99, 1], critical, [5, 0])));
    assert!(odd(false).is_ok());
    assert_eq!(odd(true).unwrap_err(), VerifyError::UnknownExtension { subject: name("client") });
}

#[test]
fn a_certificate_that_is_itself_trusted_needs_no_path() {
    let pin = Draft::new("alone", CLIENT_KEY, "alone").with(key_usage(0x80));
    let der = pin.signed_by(CLIENT_KEY);
    let pinned = store(TrustPolicy::default(), &[&der]);
    assert_eq!(ask(&pinned, &[&der]).unwrap().leaf, der);
    let as_authority = Draft::new("alone", CLIENT_KEY, "alone").with(authority(None)).signed_by(CLIENT_KEY);
    let store_of_it = store(TrustPolicy::default(), &[&as_authority]);
    assert!(ask(&store_of_it, &[&as_authority]).is_ok(), "as `openssl req -x509` makes them");
    assert!(
        matches!(ask(&trusting(), &[&der]).unwrap_err(), VerifyError::NotTrusted { .. }),
        "and without being trusted it is nobody's"
    );

    let expired = pin.clone().change(|draft| draft.not_after = NOW - 1).signed_by(CLIENT_KEY);
    let pinned_expired = store(TrustPolicy::default(), &[&expired]);
    assert!(matches!(ask(&pinned_expired, &[&expired]).unwrap_err(), VerifyError::Expired { .. }));
    let no_signer = Draft::new("alone", CLIENT_KEY, "alone").with(key_usage(0x20)).signed_by(CLIENT_KEY);
    let pinned_no_signer = store(TrustPolicy::default(), &[&no_signer]);
    assert!(matches!(ask(&pinned_no_signer, &[&no_signer]).unwrap_err(), VerifyError::WrongUsage { .. }));
}

#[test]
fn the_owner_of_a_pinned_certificate_cannot_issue_others() {
    let der = Draft::new("alone", CLIENT_KEY, "alone").signed_by(CLIENT_KEY);
    let pinned = store(TrustPolicy::default(), &[&der]);
    let below = Draft::new("below", SERVER_KEY, "alone").signed_by(CLIENT_KEY);
    assert_eq!(ask(&pinned, &[&below]).unwrap_err(), VerifyError::NotTrusted { issuer: name("alone") });
    assert_eq!(pinned.requests().count(), 0, "nor is it asked for");
}

#[test]
fn a_root_of_version_1_counts_and_a_client_of_version_1_does_not() {
    let old_root = Draft::new("Root", ROOT_KEY, "Root").change(|draft| draft.version = 1).signed_by(ROOT_KEY);
    let old = store(TrustPolicy::default(), &[&old_root]);
    assert!(ask(&old, &[&client().signed_by(ROOT_KEY)]).is_ok());
    let old_client = client().change(|draft| draft.version = 1).signed_by(ROOT_KEY);
    assert_eq!(ask(&old, &[&old_client]).unwrap_err(), VerifyError::OldVersion { subject: name("client") });
}

#[test]
fn nothing_too_much_and_nothing_readable() {
    let store = trusting();
    assert_eq!(ask(&store, &[]).unwrap_err(), VerifyError::NoCertificate);
    assert_eq!(ask(&store, &[b"nonsense"]).unwrap_err(), VerifyError::Malformed);
    let many: Vec<Vec<u8>> =
        (1..=17).map(|serial| client().change(|draft| draft.serial = serial).signed_by(ROOT_KEY)).collect();
    let many: Vec<&[u8]> = many.iter().map(Vec::as_slice).collect();
    assert_eq!(ask(&store, &many).unwrap_err(), VerifyError::TooMany);
    assert!(ask(&store, &many[..16]).is_ok());
    let large = vec![0; 32 * 1024 + 1];
    assert_eq!(ask(&store, &[&large]).unwrap_err(), VerifyError::TooLarge { octets: 32 * 1024 + 1 });
}

#[test]
fn every_error_names_the_cause_and_what_to_do() {
    let subject = || name("client");
    let errors = [
        (
            VerifyError::Expired { subject: subject(), not_after: NOW },
            "expired at 2027-01-15 08:00:00 UTC: renew",
        ),
        (
            VerifyError::NotYetValid { subject: subject(), not_before: NOW },
            "before 2027-01-15 08:00:00 UTC: wait",
        ),
        (
            VerifyError::NotTrusted { issuer: subject() },
            "CN=client, whose certificate is needed next: add it",
        ),
        (
            VerifyError::CrlExpired { issuer: subject(), fresh_until: NOW },
            "until 2027-01-15 08:00:00 UTC: fetch",
        ),
        (
            VerifyError::WeakSignature { subject: subject() },
            "CN=client: the certificate is signed with a weak hash",
        ),
        (
            VerifyError::Key { subject: subject(), error: KeyError::TooSmall { bits: 1024 } },
            "CN=client: the RSA key has 1024 bits, which is too few: use one of 2048 to 4096 bits",
        ),
    ];
    for (error, text) in errors {
        assert!(error.to_string().contains(text), "{error}");
    }
}
