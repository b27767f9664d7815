//! A fresh responder under a script of messages: any octets, octets behind good headers, with the cookie it gave and
//! without, and time that passes. It never panics, answers each message with little, and forgets strangers.
#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use tollgate_fuzz::ike::{self, Client};
use tollgate_fuzz::script::Script;
use tollgate_ipsec::ikev1::header::{Cookie, Cookies, ExchangeType, HEADER, Header};

fuzz_target!(|octets: &[u8]| {
    let mut script = Script::new(octets);
    let mut now = Instant::now();
    let mut endpoint = ike::responder(now);
    let path = Client::path();
    let mut cookies = Cookies { initiator: Cookie([7; 8]), responder: Cookie::ZERO };
    let mut steps = 0;
    while !script.is_empty() && steps < 40 {
        steps += 1;
        let action = script.octet();
        let message = match action % 4 {
            0 => {
                ike::pass(&mut endpoint, &mut now, Duration::from_secs(u64::from(script.octet())));
                continue;
            }
            1 => {
                let length = usize::from(script.number());
                let rest = script.rest();
                let (message, rest) = rest.split_at(length.min(rest.len()));
                script = Script::new(rest);
                message.to_vec()
            }
            2 => Client::first_message(),
            _ => {
                let (exchange, first) = (ExchangeType::from(script.octet()), script.octet());
                let length = usize::from(script.number());
                let rest = script.rest();
                let (body, rest) = rest.split_at(length.min(rest.len()));
                script = Script::new(rest);
                let cookies =
                    if action & 0x40 == 0 { cookies } else { Cookies { responder: Cookie::ZERO, ..cookies } };
                let head = Header {
                    cookies,
                    next_payload: first,
                    exchange,
                    flags: action >> 7,
                    message_id: u32::from(action >> 2 & 3),
                };
                [head.encode(HEADER + body.len()).as_slice(), body].concat()
            }
        };
        endpoint.handle_isakmp(now, path, &message);
        let answers = ike::pump(&mut endpoint, now);
        let octets: usize = answers.iter().map(Vec::len).sum();
        assert!(octets <= 2 * message.len() + 1024, "{octets} octets for {}", message.len());
        for answer in answers {
            let (head, _) = Header::decode(&answer).expect("what we send can be read");
            if head.cookies.initiator == cookies.initiator && head.cookies.responder != Cookie::ZERO {
                cookies = head.cookies;
            }
        }
    }
    ike::pass(&mut endpoint, &mut now, Duration::from_secs(200));
    assert_eq!(endpoint.counters().half_open, 0);
    assert_eq!(endpoint.association_count(), 0, "nobody has proved anything");
});
