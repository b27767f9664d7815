//! The configuration: any text either holds together or is refused with reasons.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use tollgate_policy::config;

fuzz_target!(|text: &str| {
    // A secret may lie in a file, and a fuzzer must not read what the machine happens to have: devices never end.
    if text.contains("file") || text.contains("\\") {
        return;
    }
    match config::parse(Path::new("/nonexistent/tollgate.toml"), text) {
        Ok(config) => {
            assert!(!config.warnings.is_fatal());
            for group in config.tunnel_groups.values() {
                assert!(!format!("{group:?}").is_empty());
            }
        }
        Err(problems) => assert!(problems.is_fatal() && !problems.to_string().is_empty()),
    }
});
