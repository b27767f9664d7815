//! What a peer says after the key exchange: any octets encrypted as a proof, as quick mode and as informational messages,
//! with good hashes and bad ones. What it can make the responder keep is bounded, and no time is due for ever.
#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use tollgate_fuzz::ike::{self, Client};
use tollgate_fuzz::script::Script;
use tollgate_ipsec::ikev1::header::ExchangeType;

fuzz_target!(|octets: &[u8]| {
    let mut script = Script::new(octets);
    let mut now = Instant::now();
    let mut endpoint = ike::responder(now);
    let mut client = Client::agree(&mut endpoint, now);
    if script.octet() % 4 == 0 {
        // The fifth message.
        let first = script.octet();
        let chain = script.rest();
        let message = client.encrypt(ExchangeType::Main, 0, first, chain);
        endpoint.handle_isakmp(now, client.path, &message);
        ike::pump(&mut endpoint, now);
        ike::pass(&mut endpoint, &mut now, Duration::from_secs(300));
        assert_eq!(endpoint.counters().authenticated, 0);
        return;
    }
    client.prove(&mut endpoint, now);
    assert_eq!(endpoint.counters().authenticated, 1);
    let mut message_id = 0u32;
    while !script.is_empty() && message_id < 30 {
        let action = script.octet();
        if action % 8 == 7 {
            ike::pass(&mut endpoint, &mut now, Duration::from_secs(u64::from(script.octet())));
            continue;
        }
        message_id += u32::from(action & 0x10 == 0 || message_id == 0);
        let exchange = if action & 1 == 0 { ExchangeType::Quick } else { ExchangeType::Informational };
        let first = script.octet();
        let length = usize::from(script.number());
        let rest = script.rest();
        let (chain, rest) = rest.split_at(length.min(rest.len()));
        script = Script::new(rest);
        let (first, chain) = match action & 2 {
            0 => client.authentic(message_id, first, chain),
            _ => (first, chain.to_vec()),
        };
        let message = client.encrypt(exchange, message_id, first, &chain);
        endpoint.handle_isakmp(now, client.path, &message);
        for answer in ike::pump(&mut endpoint, now) {
            assert!(answer.len() <= message.len() + 1024);
        }
        assert!(endpoint.association_count() <= 16);
    }
    ike::pass(&mut endpoint, &mut now, Duration::from_secs(600));
});
