use super::*;

const AUTHENTICATOR: [u8; 16] = [0x33; 16];

fn key() -> Key {
    Key::new(Secret::from(b"secret".to_vec()))
}

/// What a server does (RFC 2548 section 2.4.2), with the clear text given whole.
fn hide(clear: &[u8], first: &[&[u8]]) -> Vec<u8> {
    let key = key();
    let mut pad = key.pad(first);
    let mut hidden = Vec::new();
    for block in clear.chunks(16) {
        let block: Vec<u8> = block.iter().zip(pad).map(|(clear, pad)| clear ^ pad).collect();
        pad = key.pad(&[&block]);
        hidden.extend(block);
    }
    hidden
}

fn wrapped(length: u8, key: &[u8], padded: usize) -> Vec<u8> {
    let mut clear = vec![length];
    clear.extend_from_slice(key);
    clear.resize(padded, 0);
    let salt = [0x80, 0x01];
    let mut value = salt.to_vec();
    value.extend(hide(&clear, &[&AUTHENTICATOR, &salt]));
    value
}

#[test]
fn a_session_key_is_unwrapped_with_its_salt() {
    let mut microsoft = Microsoft::default();
    microsoft.take(MS_MPPE_SEND_KEY, &wrapped(16, &[7; 16], 32), &AUTHENTICATOR, &key()).unwrap();
    microsoft.take(MS_MPPE_RECV_KEY, &wrapped(8, &[9; 8], 16), &AUTHENTICATOR, &key()).unwrap();
    microsoft.take(MS_MPPE_ENCRYPTION_POLICY, &[0, 0, 0, 2], &AUTHENTICATOR, &key()).unwrap();
    microsoft.take(MS_MPPE_ENCRYPTION_TYPES, &[0, 0, 0, 6], &AUTHENTICATOR, &key()).unwrap();
    let keys = microsoft.mppe.unwrap();
    assert_eq!((keys.send.as_deref(), keys.receive.as_deref()), (Some(&[7; 16][..]), Some(&[9; 8][..])));
    assert_eq!((keys.policy, keys.types), (Some(2), Some(6)));
    assert_eq!(format!("{keys:?}"), "MppeKeys(..)");
}

#[test]
fn a_session_key_of_impossible_form_is_refused() {
    let take = |value: &[u8]| Microsoft::default().take(MS_MPPE_SEND_KEY, value, &AUTHENTICATOR, &key());
    // It claims more octets than there are.
    assert_eq!(take(&wrapped(32, &[7; 16], 32)), Err(Unusable::Value("MS-MPPE-Send-Key")));
    for length in [0, 1, 2, 3, 17, 33] {
        let expected = Err(Unusable::Length { name: "MS-MPPE-Send-Key", octets: length });
        assert_eq!(take(&vec![0; length]), expected, "{length}");
    }
}

#[test]
fn the_keys_of_version_1_are_unhidden_like_a_password() {
    let mut clear = vec![1; 8];
    clear.extend_from_slice(&[2; 16]);
    clear.extend_from_slice(&[0; 8]);
    let mut microsoft = Microsoft::default();
    microsoft.take(MS_CHAP_MPPE_KEYS, &hide(&clear, &[&AUTHENTICATOR]), &AUTHENTICATOR, &key()).unwrap();
    let keys = microsoft.mppe.unwrap();
    assert_eq!((keys.lm_key.as_deref(), keys.nt_key.as_deref()), (Some(&[1; 8][..]), Some(&[2; 16][..])));
    let short = Microsoft::default().take(MS_CHAP_MPPE_KEYS, &[0; 24], &AUTHENTICATOR, &key());
    assert_eq!(short, Err(Unusable::Length { name: "MS-CHAP-MPPE-Keys", octets: 24 }));
}

#[test]
fn errors_are_read_with_or_without_their_parts() {
    let full = parse_error(b"\x07E=691 R=1 C=00112233445566778899AABBCCDDEEFF V=3 M=Wrong, try again");
    assert_eq!((full.code, full.retry, full.version), (691, true, Some(3)));
    assert_eq!(full.challenge.as_deref().map(<[u8]>::len), Some(16));
    assert_eq!(full.message.as_deref(), Some("Wrong, try again"));
    assert_eq!(
        parse_error(b"\0E=648 R=0 V=3"),
        MsChapError { version: Some(3), ..MsChapError::from_code(648, false) }
    );
    assert_eq!(parse_error(b"E=647 R=0"), MsChapError::from_code(647, false));
    for noise in
        [&b""[..], b"\x01", b"\x01\xff\xfe", b"\x01E=x R=y C=zz V=q M=", b"\x01C=0011", b"\x01E=99999999999"]
    {
        assert_eq!(parse_error(noise), MsChapError::from_code(691, false), "{noise:?}");
    }
}

#[test]
fn a_success_drops_its_identifier_and_must_hold_a_proof() {
    let proof = b"S=407A5589115FD0D6209F510FE9C04566932CDA56";
    let value = [&[7][..], proof, b" M=Welcome"].concat();
    let take = |value: &[u8]| {
        let mut microsoft = Microsoft::default();
        microsoft.take(MS_CHAP2_SUCCESS, value, &AUTHENTICATOR, &key()).map(|()| microsoft.success)
    };
    assert_eq!(take(&value), Ok(Some([&proof[..], b" M=Welcome"].concat())));
    for bad in [&b""[..], &value[..42], &proof[..], b"\x07S=407A5589115FD0D6209F510FE9C04566932CDAxx"] {
        assert_eq!(take(bad), Err(Unusable::Value("MS-CHAP2-Success")));
    }
}

#[test]
fn a_server_of_all_zeros_is_none() {
    let mut microsoft = Microsoft::default();
    microsoft.take(MS_PRIMARY_DNS_SERVER, &[0; 4], &AUTHENTICATOR, &key()).unwrap();
    microsoft.take(MS_SECONDARY_NBNS_SERVER, &[10, 0, 0, 1], &AUTHENTICATOR, &key()).unwrap();
    assert_eq!(microsoft.dns, [None, None]);
    assert_eq!(microsoft.nbns, [None, Some(Ipv4Addr::new(10, 0, 0, 1))]);
}
