use super::*;

/// \[MS-NLMP\] section 4.2: user `User`, domain `Domain`, password `Password`.
fn hash() -> NtHash {
    tollgate_mschap::nt_password_hash(b"Password")
}

/// A challenge as in section 4.2.4, with our own flags.
fn challenge(attributes: &[u8]) -> Vec<u8> {
    let mut message = SIGNATURE.to_vec();
    message.extend(2u32.to_le_bytes());
    message.extend([0; 8]);
    message.extend(FLAGS.to_le_bytes());
    message.extend([0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef]);
    message.extend([0; 8]);
    let length = u16::try_from(attributes.len()).unwrap().to_le_bytes();
    message.extend(length);
    message.extend(length);
    message.extend(56u32.to_le_bytes());
    message.extend([0; 8]);
    message.extend(attributes);
    message
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &u16::try_from(value.len()).unwrap().to_le_bytes(), value].concat()
}

#[test]
fn the_key_of_an_account_is_that_of_the_specification() {
    // Section 4.2.4.1.1.
    let identity = utf16(&(upper("User") + "Domain"));
    let key = hmac_md5(hash().as_bytes(), &[&identity]);
    assert_eq!(
        key,
        [0x0c, 0x86, 0x8a, 0x40, 0x3b, 0xfd, 0x7a, 0x93, 0xa3, 0x00, 0x1e, 0xf2, 0x2e, 0xf0, 0x2e, 0x3f]
    );
}

#[test]
fn the_proof_of_the_specification_comes_out_of_its_own_blob() {
    // Section 4.2.4.1.3 and 4.2.4.2.2: time 0, client challenge aa.., the two names, no flags.
    let names = [attribute(2, &utf16("Domain")), attribute(1, &utf16("Server")), attribute(0, &[])].concat();
    let blob = [&[1, 1, 0, 0, 0, 0, 0, 0][..], &[0; 8], &[0xaa; 8], &[0; 4], &names, &[0; 4]].concat();
    let key = hmac_md5(hash().as_bytes(), &[&utf16("USERDomain")]);
    let proof = hmac_md5(&key, &[&[0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef], &blob]);
    assert_eq!(
        proof,
        [0x68, 0xcd, 0x0a, 0xb8, 0x51, 0xe5, 0x1c, 0x96, 0xaa, 0xbc, 0x92, 0x7b, 0xeb, 0xef, 0x6a, 0x1c]
    );
    let base = hmac_md5(&key, &[&proof]);
    assert_eq!(
        base,
        [0x8d, 0xe4, 0x0c, 0xca, 0xdb, 0xc1, 0x4a, 0x82, 0xf1, 0x5c, 0xb0, 0xad, 0x0d, 0xe9, 0x5c, 0xa3]
    );
}

#[test]
fn a_challenge_is_read_and_a_broken_one_is_not() {
    let names = [attribute(1, &utf16("DC1")), attribute(7, &[9; 8]), attribute(0, &[])].concat();
    let message = challenge(&names);
    let parsed = Challenge::parse(&message).unwrap();
    assert_eq!(parsed.computer_name().as_deref(), Some("DC1"));
    assert_eq!(parsed.attribute(TIMESTAMP), Some(&[9; 8][..]));
    for length in 0..message.len() {
        assert!(Challenge::parse(&message[..length]).is_err(), "{length} octets");
    }
    let mut endless = message.clone();
    endless.truncate(message.len() - 4);
    endless[40] -= 4;
    assert!(Challenge::parse(&endless).is_err());
    let mut old = message.clone();
    old[22] &= !0x08;
    assert_eq!(Challenge::parse(&old).unwrap_err().to_string(), "it does not speak NTLM version 2");
    let mut far = message;
    far[44..48].copy_from_slice(&[0xff; 4]);
    assert!(Challenge::parse(&far).is_err());
}

#[test]
fn the_message_carries_a_check_of_all_three_and_a_key_that_the_server_can_open() {
    let names = [attribute(1, &utf16("DC1")), attribute(6, &[1, 0, 0, 0]), attribute(0, &[])].concat();
    let parsed = Challenge::parse(&challenge(&names)).unwrap();
    let hash = hash();
    let account = Account {
        user: "User",
        domain: "Domain",
        hash: &hash,
        client_nonce: [0xaa; 8],
        session_key: Zeroizing::new([0x55; 16]),
        now: 0,
    };
    let (message, key) = authenticate(&negotiate(), &parsed, &account);
    assert_eq!(*key, [0x55; 16]);
    let mut unchecked = message.clone();
    unchecked[MIC].fill(0);
    let check = hmac_md5(&*key, &[&negotiate(), &parsed.message, &unchecked]);
    assert_eq!(message[MIC], check);
    // What the server does: proof, base key, session key.
    let part = |at: usize| {
        let length = usize::from(u16_at(&message, at).unwrap());
        let offset = u32_at(&message, at + 4).unwrap() as usize;
        message[offset..offset + length].to_vec()
    };
    let (response, mut sealed) = (part(20), part(52));
    let account_key = hmac_md5(hash.as_bytes(), &[&utf16("USERDomain")]);
    let (proof, blob) = response.split_at(16);
    assert_eq!(proof, hmac_md5(&account_key, &[&parsed.nonce, blob]));
    assert!(blob.windows(8).any(|window| window == attribute(6, &[2, 0, 0, 0])), "one flags attribute, ours");
    Rc4::new_from_slice(&hmac_md5(&account_key, &[proof])).unwrap().apply_keystream(&mut sealed);
    assert_eq!(sealed, [0x55; 16]);
    assert_eq!((part(28), part(36)), (utf16("Domain"), utf16("User")));
}

#[test]
fn names_do_not_grow_when_they_are_raised() {
    assert_eq!(upper("straße µser ñandú"), "STRAßE ΜSER ÑANDÚ");
}
