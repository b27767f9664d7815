use super::*;

fn answer(command: u16, message_id: u64, status: u32, flags: u32, body: &[u8]) -> Vec<u8> {
    let mut message = header(command, message_id, 7);
    message[8..12].copy_from_slice(&status.to_le_bytes());
    message[16..20].copy_from_slice(&flags.to_le_bytes());
    message.extend(body);
    message
}

fn set_up_body(session_flags: u16, token: &[u8]) -> Vec<u8> {
    let mut body = 9u16.to_le_bytes().to_vec();
    body.extend(session_flags.to_le_bytes());
    body.extend(72u16.to_le_bytes());
    body.extend(u16::try_from(token.len()).unwrap().to_le_bytes());
    body.extend(token);
    body
}

fn set_up(message: &[u8], number: u64) -> Result<Option<Answer>, Malformed> {
    Answer::parse(message.to_vec(), Question::SessionSetup(number))
}

#[test]
fn an_answer_must_belong_to_its_question() {
    let good = answer(SESSION_SETUP, 2, MORE_PROCESSING_REQUIRED, FLAG_RESPONSE, &set_up_body(0, b"token"));
    let parsed = set_up(&good, 2).unwrap().unwrap();
    assert_eq!((parsed.status, parsed.session), (MORE_PROCESSING_REQUIRED, 7));
    assert_eq!(parsed.token().unwrap(), b"token");
    assert!(set_up(&good, 3).is_err());
    assert!(Answer::parse(good.clone(), Question::Negotiate).is_err());
    assert!(set_up(&answer(SESSION_SETUP, 2, 0, 0, &[]), 2).is_err(), "a question is no answer");
    for length in 0..good.len() {
        if let Ok(Some(cut)) = set_up(&good[..length], 2) {
            assert!(cut.token().is_err(), "{length} octets");
        }
    }
    let pending = answer(SESSION_SETUP, 2, PENDING, FLAG_RESPONSE | FLAG_ASYNC, &[]);
    assert!(set_up(&pending, 2).unwrap().is_none());
    assert_eq!(set_up(b"\xffSMB and so on", 2).unwrap_err().to_string(), "it speaks SMB 1 only");
    let dialect = |dialect: u16| {
        let body = [&[65, 0, 1, 0][..], &dialect.to_le_bytes(), &[0; 60]].concat();
        Answer::parse(answer(NEGOTIATE, 0, SUCCESS, FLAG_RESPONSE, &body), Question::Negotiate).is_ok()
    };
    assert!(dialect(0x0202) && dialect(0x0210) && !dialect(0x0311) && !dialect(0x02ff));
}

#[test]
fn a_success_without_the_right_signature_is_no_success() {
    let key = [0x55; 16];
    let mut message = answer(SESSION_SETUP, 2, SUCCESS, FLAG_RESPONSE | FLAG_SIGNED, &set_up_body(0, b""));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &message);
    message[SIGNATURE].copy_from_slice(&tag.as_ref()[..16]);
    let signed = |message: &[u8], key| set_up(message, 2).unwrap().unwrap().is_signed_with(key);
    assert!(signed(&message, &key));
    assert!(!signed(&message, &[0x56; 16]), "a server that does not know the key");
    for index in [8, 40, 66, 50] {
        let mut forged = message.clone();
        forged[index] ^= 1;
        assert!(!signed(&forged, &key), "octet {index}");
    }
    let mut unsigned = message;
    unsigned[16] &= !8;
    assert!(!signed(&unsigned, &key));
}

#[test]
fn a_guest_is_nobody() {
    for (flags, nobody) in [(0, false), (1, true), (2, true), (4, false)] {
        let message = answer(SESSION_SETUP, 2, SUCCESS, FLAG_RESPONSE, &set_up_body(flags, b""));
        assert_eq!(set_up(&message, 2).unwrap().unwrap().is_nobody(), nobody);
    }
    let cut = answer(SESSION_SETUP, 2, SUCCESS, FLAG_RESPONSE, &[9, 0]);
    assert!(set_up(&cut, 2).unwrap().unwrap().is_nobody(), "what cannot be read is not trusted");
}

#[test]
fn lengths_are_bounded() {
    assert_eq!(length([0, 0, 1, 0]).unwrap(), 256);
    for frame in [[0, 0, 0, 0], [0, 0, 0, 63], [0, 1, 0, 1], [0xff; 4]] {
        assert!(length(frame).is_err(), "{frame:?}");
    }
}
