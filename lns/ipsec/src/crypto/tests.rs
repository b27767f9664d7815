use super::*;
use crate::algorithm::Cipher;

pub(crate) fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits.bytes().filter(|digit| !digit.is_ascii_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

#[test]
fn hashes_give_the_digests_of_fips_180_and_rfc_1321() {
    let digests = [
        (Hash::Md5, "900150983cd24fb0d6963f7d28e17f72"),
        (Hash::Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (Hash::Sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            Hash::Sha384,
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed
             8086072ba1e7cc2358baeca134c825a7",
        ),
        (
            Hash::Sha512,
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ),
    ];
    for (algorithm, digest) in digests {
        assert_eq!(*hash(algorithm, &[b"abc"]), hex(digest), "{algorithm}");
        assert_eq!(*hash(algorithm, &[b"a", b"", b"bc"]), hex(digest), "{algorithm} in parts");
        assert_eq!(hash(algorithm, &[]).len(), algorithm.length());
    }
}

/// RFC 2202 for MD5 and SHA-1, RFC 4868 section 2.7.1 for keys as long as the output of the others.
#[test]
fn keyed_hashes_give_the_values_of_rfc_2202_and_rfc_4868() {
    let long_key = "Test Using Larger Than Block-Size Key - Hash Key First";
    let cases: [(Hash, Vec<u8>, &str, &str); 10] = [
        (Hash::Md5, vec![0x0b; 16], "Hi There", "9294727a3638bb1c13f48ef8158bfc9d"),
        (Hash::Md5, vec![0xaa; 80], long_key, "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd"),
        (Hash::Sha1, vec![0x0b; 20], "Hi There", "b617318655057264e28bc0b6fb378c8ef146be00"),
        (Hash::Sha1, vec![0xaa; 80], long_key, "aa4ae5e15272d00e95705637ce8a3b55ed402112"),
        (
            Hash::Sha256,
            vec![0x0b; 32],
            "Hi There",
            "198a607eb44bfbc69903a0f1cf2bbdc5ba0aa3f3d9ae3c1c7a3b1696a0b68cf7",
        ),
        (
            Hash::Sha256,
            b"Jefe".repeat(8),
            "what do ya want for nothing?",
            "167f928588c5cc2eef8e3093caa0e87c9ff566a14794aa61648d81621a2a40c6",
        ),
        (
            Hash::Sha384,
            vec![0x0b; 48],
            "Hi There",
            "b6a8d5636f5c6a7224f9977dcf7ee6c7fb6d0c48cbdee9737a959796489bddbc
             4c5df61d5b3297b4fb68dab9f1b582c2",
        ),
        (
            Hash::Sha384,
            b"Jefe".repeat(12),
            "what do ya want for nothing?",
            "2c7353974f1842fd66d53c452ca42122b28c0b594cfb184da86a368e9b8e16f5
             349524ca4e82400cbde0686d403371c9",
        ),
        (
            Hash::Sha512,
            vec![0x0b; 64],
            "Hi There",
            "637edc6e01dce7e6742a99451aae82df23da3e92439e590e43e761b33e910fb8
             ac2878ebd5803f6f0b61dbce5e251ff8789a4722c1be65aea45fd464e89f8f5b",
        ),
        (
            Hash::Sha512,
            b"Jefe".repeat(16),
            "what do ya want for nothing?",
            "cb370917ae8a7ce28cfd1d8f4705d6141c173b2a9362c15df235dfb251b15454
             6aa334ae9fb9afc2184932d8695e397bfa0ffb93466cfcceaae38c833b7dba38",
        ),
    ];
    for (algorithm, key, data, value) in cases {
        let data = data.as_bytes();
        assert_eq!(*prf(algorithm, &key, &[data]), hex(value), "{algorithm}");
        let (begin, rest) = data.split_at(data.len() / 3);
        assert_eq!(*prf(algorithm, &key, &[begin, rest]), hex(value), "{algorithm} in parts");
        // RFC 2403, 2404, 4868: the check value of ESP is the beginning.
        let mac = MacKey::new(algorithm, &key);
        let mut check = hex(value)[..12].to_vec();
        assert!(mac.verify(data, &check));
        check[11] ^= 1;
        assert!(!mac.verify(data, &check));
    }
}

/// RFC 3602 section 4 (AES-128), NIST SP 800-38A (AES-192 and 256), FIPS 81 (DES); Triple DES as OpenSSL does it.
#[test]
fn ciphers_give_the_blocks_of_their_standards_in_both_directions() {
    let now = "4e6f77206973207468652074696d6520666f7220616c6c20";
    let nist = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51";
    let counting = "000102030405060708090a0b0c0d0e0f";
    let cases = [
        (
            Cipher::Aes128,
            "06a9214036b8a15b512e03d534120006",
            "3dafba429d9eb430b422da802c9fac41",
            "53696e676c6520626c6f636b206d7367",
            "e353779c1079aeb82708942dbe77181a",
        ),
        (
            Cipher::Aes128,
            "56e47a38c5598974bc46903dba290349",
            "8ce82eefbea0da3c44699ed7db51b7d9",
            "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf
             c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf",
            "c30e32ffedc0774e6aff6af0869f71aa0f3af07a9a31a9c684db207eb0ef8e4e
             35907aa632c3ffdf868bb7b29d3d46ad83ce9f9a102ee99d49a53e87f4c3da55",
        ),
        (
            Cipher::Aes192,
            "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
            counting,
            nist,
            "4f021db243bc633d7178183a9fa071e8b4d9ada9ad7dedf4e5e738763f69145a",
        ),
        (
            Cipher::Aes256,
            "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
            counting,
            nist,
            "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d",
        ),
        (
            Cipher::Des,
            "0123456789abcdef",
            "1234567890abcdef",
            now,
            "e5c7cdde872bf27c43e934008c389c0f683788499a7c05f6",
        ),
        (
            Cipher::TripleDes,
            "0123456789abcdef23456789abcdef01456789abcdef0123",
            "1234567890abcdef",
            now,
            "f3c0ff026c023089656fbb169def7edb30ba36075d6f0176",
        ),
    ];
    for (cipher, key, iv, clear, encrypted) in cases {
        let key = CbcKey::new(cipher, &hex(key)).unwrap();
        let mut data = hex(clear);
        key.encrypt(&hex(iv), &mut data).unwrap();
        assert_eq!(data, hex(encrypted), "{cipher}");
        key.decrypt(&hex(iv), &mut data).unwrap();
        assert_eq!(data, hex(clear), "{cipher}");
    }
}

/// Decryption works on many blocks at once, and the batches must fit together.
#[test]
fn any_number_of_blocks_survives_both_directions() {
    for &cipher in Cipher::ALL {
        let key: Vec<u8> = (0..cipher.key_length()).map(|index| (index * 11) as u8).collect();
        let key = CbcKey::new(cipher, &key).unwrap();
        let iv = vec![0x5a; cipher.block_length()];
        for blocks in 0..150 {
            let clear: Vec<u8> = (0..blocks * cipher.block_length()).map(|index| (index * 7) as u8).collect();
            let mut data = clear.clone();
            key.encrypt(&iv, &mut data).unwrap();
            key.decrypt(&iv, &mut data).unwrap();
            assert_eq!(data, clear, "{cipher}, {blocks} blocks");
        }
    }
}

#[test]
fn wrong_lengths_are_refused_and_change_nothing() {
    for &cipher in Cipher::ALL {
        let right = cipher.key_length();
        for length in (0..=40).filter(|length| *length != right) {
            assert!(CbcKey::new(cipher, &vec![0; length]).is_none(), "{cipher} with {length} octets");
        }
        let key = CbcKey::new(cipher, &vec![0; right]).unwrap();
        let block = cipher.block_length();
        let iv = vec![0; block];
        for length in (0..=3 * block).filter(|length| length % block != 0) {
            let mut data = vec![7; length];
            assert_eq!(key.encrypt(&iv, &mut data), Err(LengthError));
            assert_eq!(key.decrypt(&iv, &mut data), Err(LengthError));
            assert_eq!(data, vec![7; length]);
        }
        for length in (0..=17).filter(|length| *length != block) {
            assert_eq!(key.encrypt(&vec![0; length], &mut vec![7; block]), Err(LengthError));
            assert_eq!(key.decrypt(&vec![0; length], &mut vec![7; block]), Err(LengthError));
        }
        key.encrypt(&iv, &mut []).unwrap();
    }
}

#[test]
fn secrets_do_not_print() {
    let digest = prf(Hash::Sha256, b"key", &[b"data"]);
    assert_eq!(format!("{digest:?}"), "Digest(32 octets)");
    let key = CbcKey::new(Cipher::Aes128, b"0123456789abcdef").unwrap();
    assert_eq!(format!("{key:?}"), "CbcKey { .. }");
}

#[test]
fn digests_are_equal_by_length_and_content() {
    let digest = hash(Hash::Sha1, &[b"abc"]);
    assert_eq!(digest, digest.clone());
    assert_ne!(digest, hash(Hash::Sha1, &[b"abd"]));
    assert_ne!(Digest::new(&[1, 2]), Digest::new(&[1, 2, 0]));
    assert_eq!(Digest::new(&[9; 100]).len(), MAX_LENGTH);
    assert!(equal(b"", b"") && equal(b"ab", b"ab") && !equal(b"ab", b"ac") && !equal(b"ab", b"abc"));
}
