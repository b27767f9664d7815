//! What a SecurID server answers: JSON that says yes, no, or what it wants next.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tollgate_backends::sdi::in_words;

fuzz_target!(|octets: &[u8]| {
    if let Some(words) = in_words(octets, "7") {
        assert!(words.len() < 4096 + octets.len());
        assert!(in_words(octets, "8").is_none(), "an answer belongs to one question");
    }
});
