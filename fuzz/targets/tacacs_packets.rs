//! What a TACACS+ server answers: headers, bodies with and without obfuscation, the arguments of an authorization.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tollgate_backends::tacacs::arguments;
use tollgate_backends::tacacs::packet::{self, Answer, HEADER, Header, MAX_BODY, Malformed};

const KEY: &[u8] = b"testing123";

/// Every octet of a body belongs to one field.
fn adds_up<S>(body: &[u8], fixed: usize, answer: &Answer<'_, S>) {
    let arguments: usize = answer.arguments.iter().map(|argument| 1 + argument.len()).sum();
    assert_eq!(body.len(), fixed + answer.message.len() + answer.data.len() + arguments);
    for text in [answer.message, answer.data] {
        let words = packet::words(text);
        assert!(words.chars().count() <= 250 && !words.contains(char::is_control));
    }
}

fn read(body: &[u8]) {
    if let Ok(answer) = packet::authentication_reply(body) {
        adds_up(body, 6, &answer);
    }
    if let Ok(answer) = packet::accounting_reply(body) {
        adds_up(body, 5, &answer);
    }
    if let Ok(answer) = packet::authorization_response(body) {
        adds_up(body, 6, &answer);
        match arguments::attributes(&answer.arguments) {
            Ok(attributes) => assert!(attributes.framed_routes.len() <= answer.arguments.len()),
            Err(why) => assert!(!why.is_empty()),
        }
    }
}

fuzz_target!(|octets: &[u8]| {
    let Some((header, body)) = octets.split_first_chunk::<HEADER>() else { return };
    match Header::parse(*header) {
        Ok(header) => {
            assert!(header.length as usize <= MAX_BODY);
            let hidden = header.packet(body, Some(KEY));
            let mut shown = hidden[HEADER..].to_vec();
            header.obfuscate(&mut shown, KEY);
            assert_eq!(shown, body);
            let (written, _) = hidden.split_first_chunk::<HEADER>().expect("a header in front");
            assert_eq!(Header::parse(*written), Ok(Header { length: body.len() as u32, ..header }));

            let mut shown = body.to_vec();
            header.obfuscate(&mut shown, KEY);
            read(&shown);
        }
        Err(Malformed::Version(version)) => assert_ne!(version >> 4, 0xc),
        Err(Malformed::Long(length)) => assert!(length as usize > MAX_BODY),
        Err(other) => panic!("{other}"),
    }
    read(body);
});
