//! Pieces of messages: of one that was cut, in any order and again, and of nobody's, which never become more than the
//! longest message.
#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use tollgate_fuzz::script::Script;
use tollgate_ipsec::ikev1::fragment::{Reassembly, split};
use tollgate_ipsec::ikev1::header::{Cookie, Cookies, ExchangeType, Header};
use tollgate_ipsec::ikev1::payload::{Builder, Kind, Payloads};

fuzz_target!(|octets: &[u8]| {
    let mut script = Script::new(octets);
    let cookies = Cookies { initiator: Cookie([1; 8]), responder: Cookie([2; 8]) };
    let header = Header { cookies, next_payload: 0, exchange: ExchangeType::Main, flags: 1, message_id: 0 };
    let mut builder = Builder::new();
    builder.add(Kind::Certificate, &[&vec![script.octet(); usize::from(script.number())]]);
    let whole = builder.finish(header);
    let largest = 100 + usize::from(script.octet()) * 8;
    let messages = split(whole.clone(), largest, 9);
    let bodies: Vec<Vec<u8>> = messages
        .iter()
        .filter_map(|piece| {
            let (head, body) = Header::decode(piece).expect("a header");
            let payloads = Payloads::decode(head.next_payload, body).expect("a chain");
            payloads.one(Kind::Fragment, "fragment").ok().map(<[u8]>::to_vec)
        })
        .collect();
    assert!(messages.len() == 1 || messages.iter().all(|piece| piece.len() <= largest));
    let mut reassembly = Reassembly::default();
    let mut now = Instant::now();
    while !script.is_empty() {
        let outcome = match script.octet() % 4 {
            0 => {
                now += Duration::from_secs(u64::from(script.octet()));
                continue;
            }
            1 => reassembly.add(now, script.string()),
            _ if bodies.is_empty() => continue,
            _ => {
                let body = &bodies[usize::from(script.octet()) % bodies.len()];
                reassembly.add(now, body)
            }
        };
        if let Ok(Some(message)) = outcome {
            assert!(message.len() <= 32 * 1024);
        }
    }
    // Whatever came before: all pieces make the message, where it is not longer than any that is put together.
    let mut fresh = Reassembly::default();
    let last = bodies.iter().map(|body| fresh.add(now, body)).last();
    if bodies.len() > 1 && whole.len() <= 32 * 1024 {
        assert_eq!(last, Some(Ok(Some(whole))));
    }
});
