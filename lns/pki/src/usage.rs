//! What a certificate must be for when it is to authenticate IKE (RFC 4945 5.1.3.12, RFC 5280 4.2.1.12).

use webpki::{ExtendedKeyUsageValidator, KeyPurposeId, KeyPurposeIdIter, RequiredEkuNotFoundContext};

use crate::Side;

const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];
/// id-kp-ipsecIKE, 1.3.6.1.5.5.7.3.17.
const IPSEC_IKE: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 17];
/// iKEIntermediate, 1.3.6.1.5.5.8.2.2: what Microsoft's and Cisco's authorities issue for IPsec.
const IKE_INTERMEDIATE: &[u8] = &[0x2b, 6, 1, 5, 5, 8, 2, 2];
/// anyExtendedKeyUsage.
const ANY: &[u8] = &[0x55, 29, 37, 0];

/// If the extension is present, one of these purposes must be in it. It holds for authorities too: one that is limited
/// to other purposes cannot issue for this one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IkePurpose(pub(crate) Side);

impl IkePurpose {
    fn allowed(self) -> [&'static [u8]; 4] {
        let by_side = match self.0 {
            Side::Client => CLIENT_AUTH,
            Side::Server => SERVER_AUTH,
        };
        [by_side, IPSEC_IKE, IKE_INTERMEDIATE, ANY]
    }

    pub(crate) fn allows(self, purpose: &[u8]) -> bool {
        self.allowed().contains(&purpose)
    }

    pub(crate) fn missing(self) -> &'static str {
        match self.0 {
            Side::Client => "clientAuth, ipsecIKE or iKEIntermediate in extendedKeyUsage",
            Side::Server => "serverAuth, ipsecIKE or iKEIntermediate in extendedKeyUsage",
        }
    }
}

impl ExtendedKeyUsageValidator for IkePurpose {
    fn validate(&self, purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        let mut absent = true;
        for purpose in purposes {
            let purpose = purpose?;
            absent = false;
            if self.allowed().into_iter().any(|allowed| KeyPurposeId::new(allowed) == purpose) {
                return Ok(());
            }
        }
        if absent {
            return Ok(());
        }
        let required = webpki::KeyUsage::required_if_present(match self.0 {
            Side::Client => CLIENT_AUTH,
            Side::Server => SERVER_AUTH,
        });
        Err(webpki::Error::RequiredEkuNotFoundContext(RequiredEkuNotFoundContext {
            required,
            present: Vec::new(),
        }))
    }
}
