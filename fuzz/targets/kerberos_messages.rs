//! What a KDC answers, and what its encrypted parts and a keytab hold.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tollgate_backends::kerberos::is_keytab;
use tollgate_backends::kerberos::messages::{Answer, Encrypted, ReplyPart, TicketPart, tgs_request};

fuzz_target!(|octets: &[u8]| {
    let (as_answer, tgs_answer) = (Answer::to_as_request(octets), Answer::to_tgs_request(octets));
    match (as_answer, tgs_answer) {
        // An error answers either question; a ticket only one.
        (Ok(Answer::Error(one)), Ok(Answer::Error(other))) => {
            assert_eq!(one, other);
            assert!(!one.text.contains(char::is_control));
        }
        (Ok(Answer::Reply(reply)), Err(_)) | (Err(_), Ok(Answer::Reply(reply))) => {
            // The ticket goes back as it came.
            let encrypted = Encrypted { etype: 18, version: None, cipher: vec![7; 40] };
            let request = tgs_request(&[0x30, 0], &reply.ticket, &encrypted);
            assert!(octets.len() + request.len() > reply.encrypted.cipher.len());
        }
        (Err(_), Err(_)) => {}
        other => panic!("{other:?}"),
    }
    if let Ok(part) = ReplyPart::parse(octets) {
        assert!(part.key.value.len() < octets.len());
    }
    if let Ok(part) = TicketPart::parse(octets) {
        assert!(part.end.to_string().len() >= 15);
    }
    if is_keytab(octets) {
        assert!(octets.starts_with(&[5, 2]));
    }
});
