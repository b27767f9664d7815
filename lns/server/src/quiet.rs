//! Log lines that a hostile peer could multiply: one a second of each kind, with the number of those left out.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// When each kind of line was last written.
#[derive(Debug, Default)]
pub(crate) struct Quiet {
    kinds: HashMap<&'static str, (Instant, u64)>,
}

impl Quiet {
    /// Whether a line of this kind may be written now, and how many were left out since the last.
    pub(crate) fn may_log(&mut self, kind: &'static str, now: Instant) -> Option<u64> {
        match self.kinds.get_mut(kind) {
            Some((last, left_out)) if now.saturating_duration_since(*last) < Duration::from_secs(1) => {
                *left_out += 1;
                None
            }
            Some(entry) => {
                let left_out = entry.1;
                *entry = (now, 0);
                Some(left_out)
            }
            None => {
                self.kinds.insert(kind, (now, 0));
                Some(0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_second_of_each_kind() {
        let mut quiet = Quiet::default();
        let start = Instant::now();
        assert_eq!(quiet.may_log("a", start), Some(0));
        assert_eq!(quiet.may_log("a", start), None);
        assert_eq!(quiet.may_log("b", start), Some(0));
        assert_eq!(quiet.may_log("a", start + Duration::from_millis(999)), None);
        assert_eq!(quiet.may_log("a", start + Duration::from_secs(1)), Some(2));
    }
}
