use super::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).unwrap()).collect()
}

fn key(etype: Etype, value: &str) -> Key {
    Key::new(etype.number(), &hex(value)).unwrap()
}

fn of_password(etype: Etype, password: &str, salt: &[u8], rounds: u32) -> Vec<u8> {
    let parameters = rounds.to_be_bytes();
    etype.key_of_password(password.as_bytes(), salt, Some(&parameters)).unwrap().value.to_vec()
}

/// RFC 3961 appendix A.1 has these among others.
#[test]
fn constants_are_folded() {
    assert_eq!(n_fold(b"kerberos").to_vec(), hex("6b657262 65726f73 7b9b5b2b 93132b93"));
}

/// RFC 3962 appendix B.
#[test]
fn passwords_become_keys_with_sha_1() {
    let salt = b"ATHENA.MIT.EDUraeburn";
    let long = "X".repeat(65);
    for (rounds, password, salt, short, wide) in [
        (
            1,
            "password",
            salt.to_vec(),
            "42263c6e89f4fc28b8df68ee09799f15",
            "fe697b52bc0d3ce14432ba036a92e65bbb52280990a2fa27883998d72af30161",
        ),
        (
            2,
            "password",
            salt.to_vec(),
            "c651bf29e2300ac27fa469d693bdda13",
            "a2e16d16b36069c135d5e9d2e25f896102685618b95914b467c67622225824ff",
        ),
        (
            1200,
            "password",
            salt.to_vec(),
            "4c01cd46d632d01e6dbe230a01ed642a",
            "55a6ac740ad17b4846941051e1e8b0a7548d93b0ab30a8bc3ff16280382b8c2a",
        ),
        (
            5,
            "password",
            hex("1234567878563412"),
            "e9b23d52273747dd5c35cb55be619d8e",
            "97a4e786be20d81a382d5ebc96d5909cabcdadc87ca48f574504159f16c36e31",
        ),
        (
            1200,
            &long,
            b"pass phrase exceeds block size".to_vec(),
            "cb8005dc5f90179a7f02104c0018751d",
            "d78c5c9cb872a8c9dad4697f0bb5b2d21496c82beb2caeda2112fceea057401b",
        ),
        (
            50,
            "\u{1d11e}",
            b"EXAMPLE.COMpianist".to_vec(),
            "f149c1f2e154a73452d43e7fe62a56e5",
            "4b6d9839f84406df1f09cc166db4b83c571848b784a3d6bdc346589a3e393f9e",
        ),
    ] {
        // The fifth sample's passwords have 64 and 65 characters; this is the one that exceeds a block.
        assert_eq!(
            of_password(Etype::Aes128Sha1, password, &salt, rounds),
            hex(short),
            "{rounds} {password}"
        );
        assert_eq!(of_password(Etype::Aes256Sha1, password, &salt, rounds), hex(wide), "{rounds} {password}");
    }
}

/// RFC 3962 appendix B, the last part.
#[test]
fn the_last_block_is_stolen_from() {
    let text = b"I would like the General Gau's Chicken, please, and wonton soup.";
    let cipher = Cipher::new(b"chicken teriyaki").unwrap();
    for (length, wanted) in [
        (17, "c6353568f2bf8cb4d8a580362da7ff7f 97"),
        (31, "fc00783e0efdb2c1d445d4c8eff7ed22 97687268d6ecccc0c07b25e25ecfe5"),
        (32, "39312523a78662d5be7fcbcc98ebf5a8 97687268d6ecccc0c07b25e25ecfe584"),
        (
            47,
            "97687268d6ecccc0c07b25e25ecfe584 b3fffd940c16a18c1b5549d2f838029e 39312523a78662d5be7fcbcc98ebf5",
        ),
        (
            64,
            "97687268d6ecccc0c07b25e25ecfe584 39312523a78662d5be7fcbcc98ebf5a8 4807efe836ee89a526730dbc2f7bc840 \
              9dad8bbb96c4cdc03bc103e1a194bbd8",
        ),
    ] {
        let mut data = text[..length].to_vec();
        cts::encrypt(&cipher, &mut data);
        assert_eq!(data, hex(wanted), "{length}");
        cts::decrypt(&cipher, &mut data);
        assert_eq!(data, text[..length], "{length}");
    }
}

/// RFC 8009 appendix A, "Sample results for string-to-key conversion".
#[test]
fn passwords_become_keys_with_sha_2() {
    let salt = [&hex("10df9dd783e5bc8acea1730e74355f61"), &b"ATHENA.MIT.EDUraeburn"[..]].concat();
    for (etype, wanted) in [
        (Etype::Aes128Sha2, "089bca48b105ea6ea77ca5d2f39dc5e7"),
        (Etype::Aes256Sha2, "45bd806dbf6a833a9cffc1c94589a222367a79bc21c413718906e9f578a78467"),
    ] {
        assert_eq!(of_password(etype, "password", &salt, 32_768), hex(wanted));
        let usual = etype.key_of_password(b"password", &salt, None).unwrap();
        assert!(usual.is(etype.number(), &hex(wanted)));
    }
}

const SHA2_128: &str = "3705d96080c17728a0e800eab6e0d23c";
const SHA2_256: &str = "6d404d37faf79f9df0d33568d320669800eb4836472ea8a026d16b7182460c52";

/// RFC 8009 appendix A, "Sample results for key derivation" and "Sample checksums"; key usage 2.
#[test]
fn keys_are_derived_with_sha_2() {
    for (etype, base, [checksum, encryption, integrity], wanted) in [
        (
            Etype::Aes128Sha2,
            SHA2_128,
            [
                "b31a018a48f54776f403e9a396325dc3",
                "9b197dd1e8c5609d6e67c3e37c62c72e",
                "9fda0e56ab2d85e1569a688696c26a6c",
            ],
            "d78367186643d67b411cba9139fc1dee",
        ),
        (
            Etype::Aes256Sha2,
            SHA2_256,
            [
                "ef5718be86cc84963d8bbb5031e9f5c4ba41f28faf69e73d",
                "56ab22bee63d82d7bc5227f6773f8ea7a5eb1c825160c38312980c442e5c7e49",
                "69b16514e3cd8e56b82010d5c73012b622c4d00ffc23ed1f",
            ],
            "45ee791567eefca37f4ac1e0222de80d43c3bfa06699672a",
        ),
    ] {
        let key = key(etype, base);
        assert_eq!(*key.derived_for(Usage::Ticket, Purpose::Checksum), hex(checksum));
        assert_eq!(*key.derived_for(Usage::Ticket, Purpose::Encryption), hex(encryption));
        assert_eq!(*key.derived_for(Usage::Ticket, Purpose::Integrity), hex(integrity));
        let text = hex("000102030405060708090a0b0c0d0e0f1011121314");
        assert_eq!(key.checksum(Usage::Ticket, &text), hex(wanted));
    }
}

/// The keys that MIT's `t_derive` has for RFC 3962, key usage 2.
#[test]
fn keys_are_derived_with_sha_1() {
    let key = key(Etype::Aes128Sha1, "42263c6e89f4fc28b8df68ee09799f15");
    assert_eq!(*key.derived_for(Usage::Ticket, Purpose::Checksum), hex("34280a382bc92769b2da2f9ef066854b"));
    assert_eq!(*key.derived_for(Usage::Ticket, Purpose::Encryption), hex("5b14fc4e250e14ddf9dccf1af6674f53"));
    assert_eq!(*key.derived_for(Usage::Ticket, Purpose::Integrity), hex("4ed31063621684f09ae8d89991af3e8f"));
}

/// RFC 8009 appendix A, "Sample encryptions"; key usage 2.
#[test]
fn messages_are_encrypted_with_sha_2() {
    let text = hex("000102030405060708090a0b0c0d0e0f1011121314");
    for (etype, base, length, confounder, wanted) in [
        (
            Etype::Aes128Sha2,
            SHA2_128,
            0,
            "7e5895eaf2672435bad817f545a37148",
            "ef85fb890bb8472f4dab20394dca781dad877eda39d50c870c0d5a0a8e48c718",
        ),
        (
            Etype::Aes128Sha2,
            SHA2_128,
            6,
            "7bca285e2fd4130fb55b1a5c83bc5b24",
            "84d7f30754ed987bab0bf3506beb09cfb55402cef7e6877ce99e247e52d16ed4421dfdf8976c",
        ),
        (
            Etype::Aes128Sha2,
            SHA2_128,
            16,
            "56ab21713ff62c0a1457200f6fa9948f",
            "3517d640f50ddc8ad3628722b3569d2ae07493fa8263254080ea65c1008e8fc295fb4852e7d83e1e7c48c37eebe6b0d3",
        ),
        (
            Etype::Aes128Sha2,
            SHA2_128,
            21,
            "a7a4e29a4728ce10664fb64e49ad3fac",
            "720f73b18d9859cd6ccb4346115cd336c70f58edc0c4437c5573544c31c813bce1e6d072c1\
             86b39a413c2f92ca9b8334a287ffcbfc",
        ),
        (
            Etype::Aes256Sha2,
            SHA2_256,
            0,
            "f764e9fa15c276478b2c7d0c4e5f58e4",
            "41f53fa5bfe7026d91faf9be959195a058707273a96a40f0a01960621ac612748b9bbfbe7eb4ce3c",
        ),
        (
            Etype::Aes256Sha2,
            SHA2_256,
            6,
            "b80d3251c1f6471494256ffe712d0b9a",
            "4ed7b37c2bcac8f74f23c1cf07e62bc7b75fb3f637b9f559c7f664f69eab7b6092237526ea0d1f61cb20d69d10f2",
        ),
        (
            Etype::Aes256Sha2,
            SHA2_256,
            16,
            "53bf8a0d105265d4e276428624ce5e63",
            "bc47ffec7998eb91e8115cf8d19dac4bbbe2e163e87dd37f49beca92027764f68cf51f14d798c2273f35df574d1f932e\
             40c4ff255b36a266",
        ),
        (
            Etype::Aes256Sha2,
            SHA2_256,
            21,
            "763e65367e864f02f55153c7e3b58af1",
            "40013e2df58e8751957d2878bcd2d6fe101ccfd556cb1eae79db3c3ee86429f2b2a602ac86fef6ecb647d6295fae077a\
             1feb517508d2c16b4192e01f62",
        ),
    ] {
        let key = key(etype, base);
        let confounder = hex(confounder).try_into().unwrap();
        let message = key.encrypt(Usage::Ticket, confounder, &text[..length]);
        assert_eq!(message, hex(wanted), "{etype:?} {length}");
        assert_eq!(*key.decrypt(Usage::Ticket, &message).unwrap(), text[..length]);
    }
}

#[test]
fn what_was_changed_does_not_decrypt() {
    for etype in Etype::ALL {
        let key = etype.key_of_password(b"password", b"salt", Some(&[0, 0, 0, 1])).unwrap();
        let other = etype.key_of_password(b"passwort", b"salt", Some(&[0, 0, 0, 1])).unwrap();
        for length in [0, 1, 15, 16, 17, 100] {
            let text = vec![7; length];
            let message = key.encrypt(Usage::AsReply, [3; BLOCK], &text);
            assert_eq!(*key.decrypt(Usage::AsReply, &message).unwrap(), text);
            assert!(key.decrypt(Usage::Ticket, &message).is_err());
            assert!(other.decrypt(Usage::AsReply, &message).is_err());
            for place in 0..message.len() {
                let mut changed = message.clone();
                changed[place] ^= 1;
                assert!(key.decrypt(Usage::AsReply, &changed).is_err(), "{etype:?} {length} {place}");
                assert!(
                    key.decrypt(Usage::AsReply, &message[..place]).is_err(),
                    "{etype:?} {length} {place}"
                );
            }
        }
    }
}

#[test]
fn a_kdc_cannot_ask_for_rounds_without_end() {
    for parameters in [&[0, 0, 0, 0][..], &[0xff, 0xff, 0xff, 0xff], &[0, 0, 1], &[]] {
        assert!(Etype::Aes256Sha1.key_of_password(b"password", b"salt", Some(parameters)).is_err());
    }
}
