use super::*;

const VECTOR: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

fn octets(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// Assigned Tunnel ID 0x1234 without padding: MD5(0009 "secret" 00..0f) begins with be687dc7, computed apart from
/// this crate, over 00021234.
#[test]
fn a_value_worked_out_by_hand_is_revealed() {
    assert_eq!(reveal(9, b"secret", &VECTOR, &octets("be6a0ff3")).unwrap().as_slice(), [0x12, 0x34]);
}

/// Two blocks, so that the second key comes from the first cipher block; five octets of padding.
#[test]
fn a_value_of_two_blocks_worked_out_by_hand_is_revealed_and_hidden_alike() {
    let hidden = octets("8fff284817db23c845181cc1d1ad4143f71009cd9dd91c31adc6bccd21b68946");
    let text = b"a vendor with a long name";
    assert_eq!(reveal(8, b"secret", &VECTOR, &hidden[..]).unwrap().as_slice(), text);

    let mut again = vec![0, 25];
    again.extend_from_slice(text);
    again.extend_from_slice(&[0xee; 5]);
    hide_exactly(8, b"secret", &VECTOR, &mut again);
    assert_eq!(again, hidden);
}

#[test]
fn what_is_hidden_is_revealed_and_its_length_does_not_show() {
    let mut entropy = Entropy::from_seed([1; 32]);
    for length in [0, 1, 13, 14, 15, 16, 30, 31, 500] {
        let value = vec![0x5a; length];
        let hidden = hide(22, b"key", b"vector", &value, &mut entropy);
        assert_eq!(hidden.len() % 16, 0);
        assert!(hidden.len() >= length + 2);
        assert_eq!(reveal(22, b"key", b"vector", &hidden).unwrap().as_slice(), value);
    }
}

#[test]
fn a_wrong_secret_attribute_or_vector_does_not_reveal() {
    let hidden = hide(9, b"key", b"vector", &[1, 2], &mut Entropy::from_seed([1; 32]));
    for (attribute, secret, vector) in
        [(9, b"kex", b"vector"), (14, b"key", b"vector"), (9, b"key", b"vectos")]
    {
        let revealed = reveal(attribute, secret, vector, &hidden);
        assert_ne!(revealed.as_deref().map(Vec::as_slice), Some([1, 2].as_slice()));
    }
}

#[test]
fn an_original_length_beyond_the_value_is_refused() {
    let mut text = vec![0xff, 0xff, 1, 2];
    hide_exactly(9, b"key", b"vector", &mut text);
    assert!(reveal(9, b"key", b"vector", &text).is_none());
    assert!(reveal(9, b"key", b"vector", &[]).is_none());
    assert!(reveal(9, b"key", b"vector", &[7]).is_none());
}
