//! Makes certificates and revocation lists for tests, good and bad ones, with the keys of `fixtures`. Everything is
//! written out octet by octet, so that a test can have whatever no decent authority would issue.

use ring::digest;
use rsa::pkcs8::DecodePrivateKey;
use tollgate_sansio::Entropy;

use crate::der::{self, write};
use crate::{CertPayload, Peer, Side, TrustPolicy, TrustStore, VerifyError, pem};

/// The time of all tests: 2027-01-15 08:00 UTC.
pub(crate) const NOW: u64 = 1_800_000_000;
pub(crate) const DAY: u64 = 86_400;

pub(crate) const ROOT_KEY: &str = include_str!("../fixtures/key-root.pem");
pub(crate) const INTERMEDIATE_KEY: &str = include_str!("../fixtures/key-intermediate.pem");
pub(crate) const CLIENT_KEY: &str = include_str!("../fixtures/key-client.pem");
pub(crate) const SERVER_KEY: &str = include_str!("../fixtures/key-server.pem");
pub(crate) const LARGE_KEY: &str = include_str!("../fixtures/key-large.pem");
pub(crate) const SMALL_KEY: &str = include_str!("../fixtures/key-small.pem");
pub(crate) const EC_KEY: &str = include_str!("../fixtures/key-ec.pem");

pub(crate) const CN: &[u8] = &[0x55, 4, 3];
pub(crate) const OU: &[u8] = &[0x55, 4, 11];
pub(crate) const O: &[u8] = &[0x55, 4, 10];

pub(crate) fn entropy() -> Entropy {
    Entropy::from_seed([7; 32])
}

/// The element of this tag.
pub(crate) fn tlv(tag: u8, value: impl AsRef<[u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out, tag, value.as_ref());
    out
}

/// The element with these parts inside.
pub(crate) fn nest(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    tlv(tag, parts.concat())
}

pub(crate) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    nest(der::SEQUENCE, parts)
}

/// A relative name of one attribute.
pub(crate) fn relative(oid: &[u8], tag: u8, text: impl AsRef<[u8]>) -> Vec<u8> {
    tlv(der::SET, sequence(&[&tlv(der::OID, oid), &tlv(tag, text)]))
}

/// A name of one CN.
pub(crate) fn named(common_name: &str) -> Vec<u8> {
    sequence(&[&relative(CN, der::UTF8_STRING, common_name)])
}

/// An extension.
pub(crate) fn extension(oid: &[u8], critical: bool, value: impl AsRef<[u8]>) -> Vec<u8> {
    let flag = if critical { tlv(der::BOOLEAN, [0xff]) } else { Vec::new() };
    sequence(&[&tlv(der::OID, oid), &flag, &tlv(der::OCTET_STRING, value)])
}

/// basicConstraints of an authority.
pub(crate) fn authority(path_length: Option<u8>) -> Vec<u8> {
    let length = path_length.map(|length| tlv(der::INTEGER, [length])).unwrap_or_default();
    extension(&[0x55, 29, 19], true, sequence(&[&tlv(der::BOOLEAN, [0xff]), &length]))
}

/// keyUsage with the bits of the first octet.
pub(crate) fn key_usage(bits: u8) -> Vec<u8> {
    extension(&[0x55, 29, 15], true, tlv(der::BIT_STRING, [0, bits]))
}

/// extendedKeyUsage.
pub(crate) fn purposes(oids: &[&[u8]]) -> Vec<u8> {
    let list: Vec<u8> = oids.iter().flat_map(|oid| tlv(der::OID, oid)).collect();
    extension(&[0x55, 29, 37], false, tlv(der::SEQUENCE, list))
}

/// subjectAltName with these GeneralNames.
pub(crate) fn alternatives(names: &[(u8, &[u8])]) -> Vec<u8> {
    let list: Vec<u8> = names.iter().flat_map(|(tag, value)| tlv(*tag, value)).collect();
    extension(&[0x55, 29, 17], false, tlv(der::SEQUENCE, list))
}

pub(crate) const DNS: u8 = der::context(2);
pub(crate) const EMAIL: u8 = der::context(1);
pub(crate) const IP: u8 = der::context(7);
pub(crate) const DIRECTORY: u8 = der::context_constructed(4);

/// nameConstraints that permit these GeneralNames.
pub(crate) fn permitted(names: &[(u8, &[u8])]) -> Vec<u8> {
    let list: Vec<u8> = names.iter().flat_map(|(tag, value)| sequence(&[&tlv(*tag, value)])).collect();
    extension(&[0x55, 29, 30], true, sequence(&[&tlv(der::context_constructed(0), list)]))
}

#[derive(Clone, Copy)]
pub(crate) enum Hash {
    Md5,
    Sha224,
    Sha1,
    Sha256,
}

impl Hash {
    fn algorithm(self) -> Vec<u8> {
        let last = match self {
            Self::Md5 => 4,
            Self::Sha1 => 5,
            Self::Sha256 => 11,
            Self::Sha224 => 14,
        };
        sequence(&[&tlv(der::OID, [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, last]), &[5, 0]])
    }

    fn sign(self, key: &str, body: &[u8]) -> Vec<u8> {
        let (algorithm, oid): (_, &[u8]) = match self {
            // Neither MD5 nor SHA-224 is needed to be refused.
            Self::Md5 | Self::Sha224 | Self::Sha1 => {
                (&digest::SHA1_FOR_LEGACY_USE_ONLY, &[0x2b, 0x0e, 3, 2, 26])
            }
            Self::Sha256 => (&digest::SHA256, &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1]),
        };
        let hash = digest::digest(algorithm, body);
        let info =
            sequence(&[&sequence(&[&tlv(der::OID, oid), &[5, 0]]), &tlv(der::OCTET_STRING, hash.as_ref())]);
        let key = rsa::PrivateKey::from_pkcs8_der(&pem_der(key)).unwrap();
        key.sign(rsa::Pkcs1v15Sign::new_unprefixed(), &info).unwrap()
    }
}

/// The DER in the one section of a PEM text.
pub(crate) fn pem_der(text: &str) -> Vec<u8> {
    pem::sections(text.as_bytes()).unwrap().remove(0).der.to_vec()
}

/// The SubjectPublicKeyInfo of a private key.
pub(crate) fn spki(key: &str) -> Vec<u8> {
    use rsa::traits::PublicKeyParts;
    let key = rsa::PrivateKey::from_pkcs8_der(&pem_der(key)).unwrap();
    let number = |digits: &[u8]| {
        let digits: Vec<u8> = digits.iter().copied().skip_while(|digit| *digit == 0).collect();
        let sign: &[u8] = if digits[0] >= 0x80 { &[0] } else { &[] };
        tlv(der::INTEGER, [sign, &digits].concat())
    };
    rsa_spki(&number(&key.n().to_be_bytes()), &number(&key.e().to_be_bytes()))
}

/// The SubjectPublicKeyInfo of an RSA key with these INTEGERs.
pub(crate) fn rsa_spki(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let algorithm = sequence(&[&tlv(der::OID, [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1]), &[5, 0]]);
    let key = sequence(&[modulus, exponent]);
    sequence(&[&algorithm, &tlv(der::BIT_STRING, [&[0], key.as_slice()].concat())])
}

fn generalized(seconds: u64) -> Vec<u8> {
    let text: String =
        crate::time::Moment(seconds).to_string().chars().filter(char::is_ascii_digit).collect();
    tlv(der::GENERALIZED_TIME, text + "Z")
}

/// A certificate to be: by default version 3, valid from yesterday to tomorrow, without extensions.
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) subject: Vec<u8>,
    pub(crate) issuer: Vec<u8>,
    pub(crate) spki: Vec<u8>,
    pub(crate) serial: u8,
    pub(crate) not_before: u64,
    pub(crate) not_after: u64,
    pub(crate) extensions: Vec<Vec<u8>>,
    pub(crate) hash: Hash,
    pub(crate) version: u8,
}

impl Draft {
    pub(crate) fn new(subject: &str, key: &str, issuer: &str) -> Self {
        Self {
            subject: named(subject),
            issuer: named(issuer),
            spki: spki(key),
            serial: 1,
            not_before: NOW - DAY,
            not_after: NOW + DAY,
            extensions: Vec::new(),
            hash: Hash::Sha256,
            version: 3,
        }
    }

    pub(crate) fn with(mut self, extension: Vec<u8>) -> Self {
        self.extensions.push(extension);
        self
    }

    pub(crate) fn change(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub(crate) fn signed_by(&self, key: &str) -> Vec<u8> {
        let version = match self.version {
            1 => Vec::new(),
            version => tlv(der::context_constructed(0), tlv(der::INTEGER, [version - 1])),
        };
        let extensions = if self.extensions.is_empty() {
            Vec::new()
        } else {
            tlv(der::context_constructed(3), tlv(der::SEQUENCE, self.extensions.concat()))
        };
        let body = sequence(&[
            &version,
            &tlv(der::INTEGER, [self.serial]),
            &self.hash.algorithm(),
            &self.issuer,
            &sequence(&[&generalized(self.not_before), &generalized(self.not_after)]),
            &self.subject,
            &self.spki,
            &extensions,
        ]);
        sign(self.hash, key, &body)
    }
}

fn sign(hash: Hash, key: &str, body: &[u8]) -> Vec<u8> {
    let signature = [&[0], hash.sign(key, body).as_slice()].concat();
    sequence(&[body, &hash.algorithm(), &tlv(der::BIT_STRING, signature)])
}

/// The root "Root" with its key.
pub(crate) fn root() -> Draft {
    Draft::new("Root", ROOT_KEY, "Root").with(authority(None))
}

/// "Intermediate" below the root.
pub(crate) fn intermediate() -> Draft {
    Draft::new("Intermediate", INTERMEDIATE_KEY, "Root").with(authority(None))
}

/// "client" below the root.
pub(crate) fn client() -> Draft {
    Draft::new("client", CLIENT_KEY, "Root")
}

/// A revocation list to be: version 2, made an hour ago, the next one tomorrow.
pub(crate) struct CrlDraft {
    pub(crate) issuer: Vec<u8>,
    pub(crate) this_update: u64,
    pub(crate) next_update: Option<u64>,
    pub(crate) revoked: Vec<u8>,
    pub(crate) hash: Hash,
    pub(crate) second_version: bool,
    pub(crate) extensions: Vec<Vec<u8>>,
}

impl CrlDraft {
    pub(crate) fn new(issuer: &str, revoked: &[u8]) -> Self {
        Self {
            issuer: named(issuer),
            this_update: NOW - 3_600,
            next_update: Some(NOW + DAY),
            revoked: revoked.to_vec(),
            hash: Hash::Sha256,
            second_version: true,
            extensions: vec![extension(&[0x55, 29, 20], false, tlv(der::INTEGER, [1]))],
        }
    }

    pub(crate) fn change(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub(crate) fn signed_by(&self, key: &str) -> Vec<u8> {
        let version = if self.second_version { tlv(der::INTEGER, [1]) } else { Vec::new() };
        let entries: Vec<u8> = self
            .revoked
            .iter()
            .flat_map(|serial| sequence(&[&tlv(der::INTEGER, [*serial]), &generalized(self.this_update)]))
            .collect();
        let entries = if entries.is_empty() { entries } else { tlv(der::SEQUENCE, entries) };
        let extensions = tlv(der::context_constructed(0), tlv(der::SEQUENCE, self.extensions.concat()));
        let body = sequence(&[
            &version,
            &self.hash.algorithm(),
            &self.issuer,
            &generalized(self.this_update),
            &self.next_update.map(generalized).unwrap_or_default(),
            &entries,
            if self.second_version { &extensions } else { &[] },
        ]);
        sign(self.hash, key, &body)
    }
}

/// A store with these authorities.
pub(crate) fn store(policy: TrustPolicy, authorities: &[&[u8]]) -> TrustStore {
    let mut store = TrustStore::new(policy);
    for authority in authorities {
        store.add_authorities(authority).unwrap();
    }
    store
}

/// Asks a store about a client that sends these certificates as they are.
pub(crate) fn ask(store: &TrustStore, certificates: &[&[u8]]) -> Result<Peer, VerifyError> {
    ask_side(store, Side::Client, certificates)
}

pub(crate) fn ask_side(store: &TrustStore, side: Side, certificates: &[&[u8]]) -> Result<Peer, VerifyError> {
    let payloads: Vec<CertPayload<'_>> =
        certificates.iter().map(|data| CertPayload { encoding: 4, data }).collect();
    store.verify(NOW, side, &payloads, None)
}

/// A peer whose certificate is this draft, below the root.
pub(crate) fn peer_of(draft: Draft) -> Peer {
    ask(&store(TrustPolicy::default(), &[&root().signed_by(ROOT_KEY)]), &[&draft.signed_by(ROOT_KEY)])
        .unwrap()
}
