//! Revocation lists: who is on them, who made them, how old they are.

use super::*;
use crate::TrustError;

/// A store with the root, these lists and this policy.
fn listing(policy: TrustPolicy, lists: &[CrlDraft]) -> TrustStore {
    let mut store = store(policy, &[&root().signed_by(ROOT_KEY)]);
    for list in lists {
        store.add_crls(&list.signed_by(ROOT_KEY)).unwrap();
    }
    store
}

fn numbered(serial: u8) -> Vec<u8> {
    client().change(|draft| draft.serial = serial).signed_by(ROOT_KEY)
}

#[test]
fn a_certificate_on_its_issuers_list_is_refused() {
    let store = listing(TrustPolicy::default(), &[CrlDraft::new("Root", &[7, 9])]);
    assert!(ask(&store, &[&numbered(8)]).is_ok());
    assert_eq!(ask(&store, &[&numbered(9)]).unwrap_err(), VerifyError::Revoked { subject: name("client") });
    let other = listing(TrustPolicy::default(), &[CrlDraft::new("Somebody", &[9])]);
    assert!(ask(&other, &[&numbered(9)]).is_ok(), "a list speaks for its own issuer alone");
}

#[test]
fn a_revoked_intermediate_takes_its_clients_along() {
    let store = listing(TrustPolicy::default(), &[CrlDraft::new("Root", &[5])]);
    let leaf = Draft::new("client", CLIENT_KEY, "Intermediate").signed_by(INTERMEDIATE_KEY);
    let intermediate = intermediate().change(|draft| draft.serial = 5).signed_by(ROOT_KEY);
    assert!(matches!(ask(&store, &[&leaf, &intermediate]).unwrap_err(), VerifyError::Revoked { .. }));
}

#[test]
fn a_list_out_of_date_refuses_or_warns() {
    let stale = || CrlDraft::new("Root", &[9]).change(|list| list.next_update = Some(NOW - 1));
    let refusing = listing(TrustPolicy::default(), &[stale()]);
    assert_eq!(
        ask(&refusing, &[&numbered(8)]).unwrap_err(),
        VerifyError::CrlExpired { issuer: name("Root"), fresh_until: NOW - 1 }
    );
    let warning = listing(TrustPolicy { stale_crl: StaleCrl::Warn, ..TrustPolicy::default() }, &[stale()]);
    let peer = ask(&warning, &[&numbered(8)]).unwrap();
    assert_eq!(peer.warnings, [Warning::StaleCrl { issuer: name("Root"), fresh_until: NOW - 1 }]);
    assert!(peer.warnings[0].to_string().contains("CN=Root was good until 2027-01-15 07:59:59 UTC: fetch"));
    assert!(
        matches!(ask(&warning, &[&numbered(9)]).unwrap_err(), VerifyError::Revoked { .. }),
        "what it says still counts"
    );
}

#[test]
fn a_list_is_out_of_date_by_age_before_its_own_time() {
    let policy = |age| TrustPolicy { crl_max_age: Some(Duration::from_secs(age)), ..TrustPolicy::default() };
    let list = || CrlDraft::new("Root", &[]);
    assert!(ask(&listing(policy(3_600), &[list()]), &[&numbered(8)]).is_ok());
    assert_eq!(
        ask(&listing(policy(3_599), &[list()]), &[&numbered(8)]).unwrap_err(),
        VerifyError::CrlExpired { issuer: name("Root"), fresh_until: NOW - 1 }
    );
}

#[test]
fn a_newer_list_replaces_an_old_one_in_any_order() {
    let old = || {
        CrlDraft::new("Root", &[]).change(|list| {
            list.this_update = NOW - 30 * DAY;
            list.next_update = Some(NOW - 20 * DAY);
        })
    };
    let new = || CrlDraft::new("Root", &[9]);
    for lists in [[old(), new()], [new(), old()]] {
        let store = listing(TrustPolicy::default(), &lists);
        assert!(ask(&store, &[&numbered(8)]).is_ok());
        assert!(matches!(ask(&store, &[&numbered(9)]).unwrap_err(), VerifyError::Revoked { .. }));
    }
}

#[test]
fn a_list_can_be_required() {
    let policy = || TrustPolicy { crl_required: true, ..TrustPolicy::default() };
    let unknown = VerifyError::RevocationUnknown { issuer: name("Root") };
    assert_eq!(ask(&listing(policy(), &[]), &[&numbered(8)]).unwrap_err(), unknown);
    let other = listing(policy(), &[CrlDraft::new("Somebody", &[])]);
    assert_eq!(ask(&other, &[&numbered(8)]).unwrap_err(), unknown);
    assert!(ask(&listing(policy(), &[CrlDraft::new("Root", &[])]), &[&numbered(8)]).is_ok());
}

#[test]
fn a_list_must_be_signed_by_its_issuer_who_may_sign_lists() {
    let mut forged = trusting();
    forged.add_crls(&CrlDraft::new("Root", &[]).signed_by(CLIENT_KEY)).unwrap();
    assert_eq!(ask(&forged, &[&numbered(8)]).unwrap_err(), VerifyError::BadCrl { issuer: name("Root") });

    let leaf = Draft::new("client", CLIENT_KEY, "Intermediate").signed_by(INTERMEDIATE_KEY);
    let no_lists = intermediate().with(key_usage(0x04)).signed_by(ROOT_KEY);
    let mut store = trusting();
    store.add_crls(&CrlDraft::new("Intermediate", &[]).signed_by(INTERMEDIATE_KEY)).unwrap();
    assert!(matches!(ask(&store, &[&leaf, &no_lists]).unwrap_err(), VerifyError::BadCrl { .. }));
}

#[test]
fn a_list_signed_with_sha1_counts_by_request_only() {
    let list = || CrlDraft::new("Root", &[9]).change(|list| list.hash = Hash::Sha1);
    let strict = listing(TrustPolicy::default(), &[list()]);
    assert!(matches!(ask(&strict, &[&numbered(8)]).unwrap_err(), VerifyError::BadCrl { .. }));
    let lenient = listing(TrustPolicy { allow_sha1: true, ..TrustPolicy::default() }, &[list()]);
    assert!(ask(&lenient, &[&numbered(8)]).is_ok());
}

#[test]
fn lists_that_cannot_be_used_are_told_when_they_are_loaded() {
    let load = |list: CrlDraft| trusting().add_crls(&list.signed_by(ROOT_KEY)).unwrap_err();
    let issuer = || name("Root");
    let first_version = CrlDraft::new("Root", &[]).change(|list| list.second_version = false);
    assert_eq!(load(first_version), TrustError::OldCrl { issuer: issuer() });
    let endless = CrlDraft::new("Root", &[]).change(|list| list.next_update = None);
    assert_eq!(load(endless), TrustError::OldCrl { issuer: issuer() });
    let delta = CrlDraft::new("Root", &[])
        .change(|list| list.extensions.push(extension(&[0x55, 29, 27], true, tlv(der::INTEGER, [1]))));
    assert_eq!(load(delta), TrustError::UnusableCrl { issuer: issuer() });
    assert_eq!(trusting().add_crls(&[0x30, 3, 1, 2, 3]).unwrap_err(), TrustError::MalformedCrl);
    assert_eq!(trusting().add_crls(b"words").unwrap_err(), TrustError::Empty { what: "revocation list" });
}
