use super::*;

fn octets(hex: &str) -> Vec<u8> {
    let hex: String = hex.chars().filter(|digit| !digit.is_whitespace()).collect();
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn key(secret: &str) -> Key {
    Key::new(Secret::from(secret.to_owned()))
}

fn authenticator(packet: &[u8]) -> [u8; 16] {
    packet[4..20].try_into().unwrap()
}

/// RFC 2865 section 7.1: Telnet to a host, PAP.
const REQUEST_7_1: &str = "01000038 0f403f9473978057bd83d5cb98f4227a 01066e656d6f
    02120dbe708d93d413ce3196e43f782a0aee 0406c0a80110 050600000003";
const ANSWER_7_1: &str = "02000026 86fe220e7624ba2a1005f6bf9b55e0b2 060600000001 0f0600000000 0e06c0a80103";
/// RFC 2865 section 7.2: framed, CHAP.
const REQUEST_7_2: &str = "01010047 2aee86f08d0d55969ca5978e0d3367a2 0108666c6f707379
    031316e97557c316185895f293ff634407 7275 0406c0a80110 050600000014 060600000002 070600000001";
const ANSWER_7_2: &str = "02010038 15efbc7dab26cfa3dc34d9c03c8601a4 060600000002 070600000001 0806fffffffe
    0a0600000002 0d0600000001 0c06000005dc";
const SECRET: &str = "xyzzy5461";

#[test]
fn the_password_of_rfc_2865_is_hidden_as_printed() {
    let request = octets(REQUEST_7_1);
    let packet = Packet::parse(&request).unwrap();
    assert_eq!(packet.code(), Code::AccessRequest);
    let hidden = packet.attributes().find(|attribute| attribute.kind == 2).unwrap().value;
    assert_eq!(key(SECRET).hide_password(b"arctangent", &authenticator(&request)), hidden);
}

#[test]
fn the_answers_of_rfc_2865_are_believed_and_no_others() {
    for (request, answer) in [(REQUEST_7_1, ANSWER_7_1), (REQUEST_7_2, ANSWER_7_2)] {
        let (request, answer) = (authenticator(&octets(request)), octets(answer));
        let verify = |answer: &[u8], secret: &str| {
            Packet::parse(answer).unwrap().verify(&request, &key(secret), Required::Nothing)
        };
        assert_eq!(verify(&answer, SECRET), Ok(()));
        assert_eq!(verify(&answer, "xyzzy5462"), Err(Disbelief::Authenticator));
        for position in (0..answer.len()).filter(|position| ![2, 3].contains(position)) {
            let mut changed = answer.clone();
            changed[position] ^= 1;
            if Packet::parse(&changed).is_ok() {
                assert_eq!(verify(&changed, SECRET), Err(Disbelief::Authenticator), "octet {position}");
            }
        }
    }
}

#[test]
fn passwords_are_padded_to_16_and_chained() {
    let authenticator = [0x5a; 16];
    let key = key(SECRET);
    let pad = key.pad(&[&authenticator]);
    assert_eq!(key.hide_password(b"", &authenticator), pad);
    for length in [1, 15, 16, 17, 32, 33, 128] {
        let password = vec![b'x'; length];
        let hidden = key.hide_password(&password, &authenticator);
        assert_eq!(hidden.len(), length.next_multiple_of(16));
        let mut previous = authenticator;
        let mut clear = Vec::new();
        for block in hidden.chunks(16) {
            clear.extend(block.iter().zip(key.pad(&[&previous])).map(|(hidden, pad)| hidden ^ pad));
            previous = block.try_into().unwrap();
        }
        assert_eq!(clear[..length], password);
        assert!(clear[length..].iter().all(|octet| *octet == 0));
    }
}

/// RFC 5997 section 6.1: a Status-Server request, which is signed as an Access-Request is (RFC 3579 section 3.2).
#[test]
fn the_message_authenticator_of_a_request_is_as_printed() {
    let printed = octets("0cda0026 8a54f4686fb394c52866e302185d0623 50125a665e2e1e8411f3e243822097c84fa3");
    let mut request = printed.clone();
    request[22..].fill(0xff);
    request[1] = 0;
    finish_access_request(&mut request, 0xda, &key(SECRET));
    assert_eq!(request, printed);
}

/// RFC 5997 section 6.3 has an Accounting-Response to a Status-Server; its digest is that of any answer.
#[test]
fn the_response_authenticator_of_rfc_5997_is_believed() {
    let answer = octets("02da0014 ef0d552a4bf2d693ec2b6fe8b5411d66");
    let request = octets("8a54f4686fb394c52866e302185d0623").try_into().unwrap();
    assert_eq!(Packet::parse(&answer).unwrap().verify(&request, &key(SECRET), Required::Nothing), Ok(()));
}

/// Makes an answer as a server does (RFC 3579 section 3.2); `sign` adds a Message-Authenticator at this place.
fn answer(attributes: &[&[u8]], sign: Option<usize>, request: &[u8; 16], secret: &str) -> Vec<u8> {
    let key = key(secret);
    let mut packet = vec![2, 9, 0, 0];
    packet.extend_from_slice(request);
    let mut place = None;
    for (index, attribute) in attributes.iter().enumerate() {
        if sign == Some(index) {
            place = Some(packet.len() + 2);
            packet.extend_from_slice(&[80, 18]);
            packet.extend_from_slice(&[0; 16]);
        }
        packet.extend_from_slice(attribute);
    }
    let length = u16::try_from(packet.len()).unwrap().to_be_bytes();
    packet[2..4].copy_from_slice(&length);
    if let Some(place) = place {
        let mac = key.mac.clone().chain_update(&packet).finalize().into_bytes();
        packet[place..place + 16].copy_from_slice(&mac);
    }
    let digest = Md5::new().chain_update(&packet).chain_update(secret).finalize();
    packet[4..20].copy_from_slice(&digest);
    packet
}

const MESSAGE: &[u8] = &[18, 4, b'h', b'i'];
const PROXY_STATE: &[u8] = &[33, 3, 7];

#[test]
fn a_message_authenticator_counts_wherever_it_stands() {
    let request = [7; 16];
    for place in [0, 1] {
        let good = answer(&[MESSAGE, PROXY_STATE], Some(place), &request, SECRET);
        let packet = Packet::parse(&good).unwrap();
        assert_eq!(packet.verify(&request, &key(SECRET), Required::MessageAuthenticator), Ok(()));
    }
}

#[test]
fn an_answer_without_message_authenticator_is_not_believed_where_it_is_required() {
    let request = [7; 16];
    let unsigned = answer(&[MESSAGE], None, &request, SECRET);
    let packet = Packet::parse(&unsigned).unwrap();
    let verify = |required| packet.verify(&request, &key(SECRET), required);
    assert_eq!(verify(Required::MessageAuthenticator), Err(Disbelief::NoMessageAuthenticator));
    assert_eq!(verify(Required::Nothing), Ok(()));
}

/// The attack of CVE-2024-3596 makes a right Response Authenticator without the secret; it cannot make a right
/// Message-Authenticator, and it needs a Proxy-State.
#[test]
fn what_a_collision_can_forge_is_not_believed() {
    let request = [7; 16];
    let forged = answer(&[MESSAGE, PROXY_STATE], None, &request, SECRET);
    let packet = Packet::parse(&forged).unwrap();
    assert_eq!(packet.verify(&request, &key(SECRET), Required::Nothing), Err(Disbelief::ProxyState));

    // With a Message-Authenticator made up, and the outer digest right.
    let made_up: &[u8] = &[80, 18, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
    for required in [Required::Nothing, Required::MessageAuthenticator] {
        let forged = answer(&[made_up, MESSAGE], None, &request, SECRET);
        let packet = Packet::parse(&forged).unwrap();
        assert_eq!(packet.verify(&request, &key(SECRET), required), Err(Disbelief::MessageAuthenticator));
        // Twice, or too short.
        let forged = answer(&[made_up, MESSAGE], Some(1), &request, SECRET);
        let packet = Packet::parse(&forged).unwrap();
        assert_eq!(packet.verify(&request, &key(SECRET), required), Err(Disbelief::MessageAuthenticator));
        let forged = answer(&[&[80, 3, 1]], None, &request, SECRET);
        let packet = Packet::parse(&forged).unwrap();
        assert_eq!(packet.verify(&request, &key(SECRET), required), Err(Disbelief::MessageAuthenticator));
    }
}

#[test]
fn an_accounting_request_is_signed_with_zeros_in_place() {
    let mut packet = octets("01000018 ffffffffffffffffffffffffffffffff 28060000 0001");
    packet[2..4].copy_from_slice(&26u16.to_be_bytes());
    let authenticator = finish_accounting_request(&mut packet, 0x2a, &key(SECRET));
    assert_eq!((packet[0], packet[1]), (4, 0x2a));
    assert_eq!(packet[4..20], authenticator);
    let mut zeroed = packet.clone();
    zeroed[4..20].fill(0);
    let expected = Md5::new().chain_update(&zeroed).chain_update(SECRET).finalize();
    assert_eq!(authenticator, <[u8; 16]>::from(expected));
    // An independent judge.
    assert!(radius::core::packet::Packet::is_authentic_request(&packet, SECRET.as_bytes()));
}

#[test]
fn impossible_lengths_are_refused() {
    let whole = octets(ANSWER_7_2);
    for length in 0..whole.len() {
        assert!(Packet::parse(&whole[..length]).is_err(), "cut to {length}");
    }
    let with_length = |length: u16| {
        let mut packet = whole.clone();
        packet[2..4].copy_from_slice(&length.to_be_bytes());
        Packet::parse(&packet).map(drop)
    };
    assert_eq!(with_length(19), Err(Malformed::Length(19)));
    assert_eq!(with_length(4097), Err(Malformed::Length(4097)));
    assert_eq!(with_length(0xffff), Err(Malformed::Length(0xffff)));
    assert_eq!(with_length(57), Err(Malformed::Truncated));
    assert_eq!(with_length(21), Err(Malformed::Attribute(6)));
    for length in [0, 1, 255] {
        let mut packet = whole.clone();
        packet[21] = length;
        assert_eq!(
            Packet::parse(&packet).map(drop),
            Err(Malformed::Attribute(6)),
            "attribute length {length}"
        );
    }
}

#[test]
fn octets_behind_the_length_are_padding() {
    let mut padded = octets(ANSWER_7_1);
    padded.extend_from_slice(&[0xff; 40]);
    let request = authenticator(&octets(REQUEST_7_1));
    let packet = Packet::parse(&padded).unwrap();
    assert_eq!(packet.verify(&request, &key(SECRET), Required::Nothing), Ok(()));
    assert_eq!(packet.attributes().count(), 3);
}

/// Whatever comes, there is an answer and no panic.
#[test]
fn noise_is_survived() {
    let key = key(SECRET);
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for round in 0..20_000 {
        let mut packet: Vec<u8> = (0..round % 120)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state as u8
            })
            .collect();
        let length = u16::try_from(packet.len()).unwrap().to_be_bytes();
        if let Some(place) = packet.get_mut(2..4) {
            place.copy_from_slice(&length);
        }
        if let Ok(packet) = Packet::parse(&packet) {
            assert!(packet.verify(&[0; 16], &key, Required::Nothing).is_err());
            crate::radius::answer::decode(&packet, tollgate_aaa::AuthMethod::Pap, &[0; 16], &key);
        }
    }
}
