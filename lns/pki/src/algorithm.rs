//! The signature algorithms of certificates and revocation lists: those of webpki, and RSA with SHA-1 by request.

use ring::signature::{RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, UnparsedPublicKey};
use rustls_pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id};
use webpki::ring as with;

/// sha1WithRSAEncryption and its parameters (RFC 3279 2.2.1), inside their SEQUENCE.
const SHA1_WITH_RSA: &[u8] = &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5, 5, 0];

/// The object identifiers pkcs-1 2 to 5: RSA with MD2, MD4, MD5 and SHA-1.
const WEAK_WITH_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1];

type Algorithms = &'static [&'static dyn SignatureVerificationAlgorithm];

/// All of them; the last one is taken by request only.
static ALL: Algorithms = &[
    with::RSA_PKCS1_2048_8192_SHA256,
    with::RSA_PKCS1_2048_8192_SHA384,
    with::RSA_PKCS1_2048_8192_SHA512,
    with::RSA_PKCS1_2048_8192_SHA256_ABSENT_PARAMS,
    with::RSA_PKCS1_2048_8192_SHA384_ABSENT_PARAMS,
    with::RSA_PKCS1_2048_8192_SHA512_ABSENT_PARAMS,
    with::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
    with::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
    with::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
    with::ECDSA_P256_SHA256,
    with::ECDSA_P256_SHA384,
    with::ECDSA_P384_SHA256,
    with::ECDSA_P384_SHA384,
    with::ED25519,
    &RsaSha1,
];

/// What certificates and lists may be signed with.
pub(crate) fn of_certificates(allow_sha1: bool) -> Algorithms {
    match ALL {
        [strong @ .., _sha1] if !allow_sha1 => strong,
        all => all,
    }
}

/// Whether an algorithm's object identifier names a hash that is broken.
pub(crate) fn is_weak(oid: &[u8]) -> bool {
    matches!(oid.strip_prefix(WEAK_WITH_RSA), Some([2..=5]))
}

/// RSASSA-PKCS1-v1_5 with SHA-1. Who can make two certificates with one hash can have the harmless one signed and use
/// the other, so that it is never taken unasked.
#[derive(Debug)]
struct RsaSha1;

impl SignatureVerificationAlgorithm for RsaSha1 {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, public_key)
            .verify(message, signature)
            .map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::RSA_ENCRYPTION
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        AlgorithmIdentifier::from_slice(SHA1_WITH_RSA)
    }
}
