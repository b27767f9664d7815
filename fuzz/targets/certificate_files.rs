//! The files an operator gives: PEM and PKCS#12 with our key, authorities, revocation lists. They are not hostile, but
//! anything can be in them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tollgate_pki::{Identity, TrustPolicy, TrustStore};
use tollgate_sansio::Entropy;

fuzz_target!(|octets: &[u8]| {
    let Some((kind, file)) = octets.split_first() else { return };
    let mut store = TrustStore::new(TrustPolicy::default());
    match kind % 4 {
        0 => judge(Identity::from_pem(file, file, Some("tollgate")).map_err(|error| error.to_string())),
        1 => judge(Identity::from_pkcs12(file, "tollgate").map_err(|error| error.to_string())),
        2 => match store.add_authorities(file) {
            Ok(count) => assert!(store.authorities().count() <= count && store.authorities().count() > 0),
            Err(error) => assert!(!error.to_string().is_empty()),
        },
        _ => match store.add_crls(file) {
            Ok(count) => assert!(count > 0),
            Err(error) => assert!(!error.to_string().is_empty()),
        },
    }
});

/// An identity that was taken works.
fn judge(identity: Result<Identity, String>) {
    match identity {
        Ok(identity) => {
            let signature =
                identity.sign(&[7; 20], &mut Entropy::from_seed([7; 32])).expect("a good key signs");
            assert!(identity.public_key().verify(&[7; 20], &signature).is_ok());
            assert!(identity.certificates_der().count() >= 1);
        }
        Err(error) => assert!(!error.is_empty()),
    }
}
