//! What a directory answers: results with their controls, entries, references.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tollgate_backends::ldap::in_words;

fuzz_target!(|octets: &[u8]| {
    if let Some(words) = in_words(octets) {
        assert_eq!(octets[0], 0x30);
        // Nothing of a server's text gets into the log unprinted.
        assert!(!words.contains(char::is_control));
    }
});
