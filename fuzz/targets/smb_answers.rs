//! What a domain controller answers: SMB 2 messages, and the NTLM challenge in them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tollgate_backends::nt::in_words;

fuzz_target!(|octets: &[u8]| {
    if in_words(octets).is_some() {
        assert!(octets.starts_with(b"\xfeSMB") && octets.len() >= 64);
    }
});
