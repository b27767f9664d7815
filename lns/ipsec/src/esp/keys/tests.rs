//! Packets of the standards, in both directions.

use super::*;
use crate::crypto::tests::hex;

struct Sample {
    cipher: EspCipher,
    keymat: &'static str,
    /// Header and initialization vector.
    before: &'static str,
    /// Payload, padding and trailer.
    clear: &'static str,
    encrypted: &'static str,
    /// Only where the standard has one.
    icv: &'static str,
}

/// The packets of RFC 3602 section 4, which are not authenticated, and of draft-mcgrew-gcm-test-01 section 4 those with
/// 32-bit sequence numbers and our key lengths.
const SAMPLES: [Sample; 7] = [
    Sample {
        cipher: EspCipher::Aes128,
        keymat: "90d382b410eeba7ad938c46cec1a82bf",
        before: "0000432100000001 e96e8c08ab465763fd098d45dd3ff893",
        clear: "08000ebda70a00008e9c083db95b070008090a0b0c0d0e0f1011121314151617
                18191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637
                0102030405060708090a0b0c0d0e0e01",
        encrypted: "f663c25d325c18c6a9453e194e120849a4870b66cc6b9965330013b4898dc856
                    a4699e523a55db080b59ec3a8e4b7e52775b07d1db34ed9c538ab50c551b874a
                    a269add047ad2d5913ac19b7cfbad4a6",
        icv: "",
    },
    Sample {
        cipher: EspCipher::Aes128,
        keymat: "90d382b410eeba7ad938c46cec1a82bf",
        before: "0000432100000008 69d08df7d203329db093fc4924e5bd80",
        clear: "0800b5e8a80a0500a69c083d0b660e00777777777777777777777777 01020201",
        encrypted: "f51995881ec4e0c4488987ce742e8109689bb379d2d750c0d915dca346a89f75",
        icv: "",
    },
    Sample {
        cipher: EspCipher::Aes128,
        keymat: "0123456789abcdef0123456789abcdef",
        before: "0000876500000002 f4e765244f6407adf13dc1380f673f37",
        clear: "45000054090400004001f988c0a87b03c0a87bc808009f76a90a0100b49c083d
                02a2040008090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223
                2425262728292a2b2c2d2e2f3031323334353637 0102030405060708090a0a04",
        encrypted: "773b5241a4c449225e4f3ce5ed611b0c237ca96cf74a93013c1b0ea1a0cf70f8
                    e4ecaec78ac53aad7a0f022b859243c647752e94a859352b8a4d4d2decd136e5
                    c177f132ad3fbfb2201ac9904c74ee0a109e0ca1e4dfe9d5a100b842f1c22f0d",
        icv: "",
    },
    Sample {
        cipher: EspCipher::Aes128,
        keymat: "0123456789abcdef0123456789abcdef",
        before: "0000876500000005 85d47224b5f3dd5d2101d4ea8dffab22",
        clear: "45000044090c00004001f990c0a87b03c0a87bc80800d63caa0a0200c69c083d
                a3de0300ffffffffffffffffffffffffffffffffffffffffffffffffffffffff
                ffffffff 0102030405060708090a0a04",
        encrypted: "15b92683819596a8047232cc00f7048fe45318e11f8a0f62ede3c3fc61203bb5
                    0f980a08c9843fd3a1b06d5c07ff9639b7eb7dfb3512e5de435e7207ed971ef3
                    d2726d9b5ef6affc6d17a0decbb13892",
        icv: "",
    },
    Sample {
        cipher: EspCipher::Aes128Gcm,
        keymat: "feffe9928665731c6d6a8f9467308308 cafebabe",
        before: "0000a5f80000000a facedbaddecaf888",
        clear: "4500003e698f000080114dccc0a80102c0a801010a980035002a2343b2d00100
                0001000000000000037369700963796265726369747902646b00000100010001",
        encrypted: "deb22cd9b07c72c16e3a65beeb8df304a5a5897d33ae530f1ba76d5d114d2a5c
                    3de81827c10e9a4f51330d0eec416642cfbb85a5b47e48a4ec3b9ba95d918bd1",
        icv: "83b70d3aa8bc6ee4c309e9d85a41ad4a",
    },
    Sample {
        cipher: EspCipher::Aes256Gcm,
        keymat: "abbccddef00112233445566778899aababbccddef00112233445566778899aab 11223344",
        before: "4a2cbfe300000002 0102030405060708",
        clear: "4500003069a6400080062690c0a801029389155e0a9e008b2dc57ee000000000
                7002400020bf0000020405b40101040201020201",
        encrypted: "ff425c9b724599df7a3bcd510194e00d6a78107f1b0b1cbf06efae9d65a5d763
                    748a637985771d347f0545659f14e99def842d8e",
        icv: "b335f4eecfdbf831824b4c4915956c96",
    },
    Sample {
        cipher: EspCipher::Aes128Gcm,
        keymat: "7d773d00c144c525ac619d18c84a3f47 d9664267",
        before: "335467aeffffffff 43457e9182443bc6",
        clear: "01020201",
        encrypted: "437f866b",
        icv: "cb3f699fe9b0822bac961c4504bef270",
    },
];

#[test]
fn packets_of_the_standards_are_sealed_and_opened() {
    for (number, sample) in SAMPLES.iter().enumerate() {
        let integrity = (!sample.cipher.is_combined()).then_some(Integrity::HmacSha1);
        let suite = EspSuite::new(sample.cipher, integrity).unwrap();
        let layout = Layout::of(suite);
        let mac_key = [0x77; 20];
        let mut keymat = hex(sample.keymat);
        let mut sealed = [hex(sample.before), hex(sample.encrypted)].concat();
        if sample.icv.is_empty() {
            keymat.extend(mac_key);
            let icv = crate::crypto::prf(Hash::Sha1, &mac_key, &[&sealed]);
            sealed.extend(&icv[..12]);
        } else {
            sealed.extend(hex(sample.icv));
        }

        let key = SealingKey::new(suite, &keymat, &mut Entropy::from_seed([0; 32])).unwrap();
        let mut packet = [hex(sample.before), hex(sample.clear), vec![0; layout.icv]].concat();
        key.seal(layout, &mut packet).unwrap();
        assert_eq!(packet, sealed, "sealing sample {number}");

        let key = OpeningKey::new(suite, &keymat).unwrap();
        assert_eq!(key.open(layout, &mut packet).unwrap(), hex(sample.clear), "opening sample {number}");
    }
}

#[test]
fn the_whole_packet_is_authenticated() {
    for suite in crate::esp::tests::suites() {
        let layout = Layout::of(suite);
        let keymat = crate::esp::tests::keymat(suite);
        let sealing = SealingKey::new(suite, &keymat, &mut Entropy::from_seed([0; 32])).unwrap();
        let opening = OpeningKey::new(suite, &keymat).unwrap();
        let mut packet = vec![0x41; layout.before() + 48 + layout.icv];
        sealing.seal(layout, &mut packet).unwrap();
        for index in 0..packet.len() {
            let mut forged = packet.clone();
            forged[index] ^= 0x10;
            let verdict = opening.open(layout, &mut forged).map(|_| ());
            assert_eq!(verdict, Err(DropReason::Integrity), "{suite}, octet {index}");
        }
        assert!(opening.open(layout, &mut packet).is_ok());
    }
}

#[test]
fn key_material_of_another_length_is_refused() {
    for suite in crate::esp::tests::suites() {
        let right = suite.keymat_length();
        for length in (0..right + 40).filter(|length| *length != right) {
            assert!(OpeningKey::new(suite, &vec![1; length]).is_none(), "{suite} with {length}");
            let mut entropy = Entropy::from_seed([0; 32]);
            assert!(SealingKey::new(suite, &vec![1; length], &mut entropy).is_none());
        }
    }
}
