//! Access lists: any rules, and any octets as the packet that they decide about.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tollgate_fuzz::script::Script;
use tollgate_policy::filter::{AccessList, Direction};

fuzz_target!(|octets: &[u8]| {
    let mut script = Script::new(octets);
    let packet = script.string();
    let Ok(text) = std::str::from_utf8(script.rest()) else { return };
    let rules: Vec<String> = text.lines().map(str::to_owned).collect();
    match AccessList::parse(&rules) {
        Ok(list) => {
            for direction in [Direction::FromClient, Direction::ToClient] {
                let permitted = list.permits(packet, direction);
                assert!(!permitted || (packet.len() >= 20 && !rules.is_empty()), "a stump passed");
            }
        }
        Err((rule, what)) => assert!((1..=rules.len()).contains(&rule) && !what.is_empty()),
    }
});
