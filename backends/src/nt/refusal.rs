//! What a domain controller's status means (\[MS-ERREF\] section 2.3.1).

use tollgate_aaa::{Layer, Reject, Unavailable, Verdict};

use crate::nt_status;

/// The verdict of a status that lets nobody in.
pub(super) fn verdict(status: u32, server: &str) -> Verdict {
    match nt_status::reason(status) {
        Some(reason) => Verdict::Reject(Reject::new(reason)),
        None => Verdict::Unavailable(silence(status, server)),
    }
}

/// Statuses that say nothing about the user.
fn silence(status: u32, server: &str) -> Unavailable {
    let (layer, words) = match status {
        0xc000_0022 => {
            (Layer::Secret, "it denies access: it may forbid NTLM, or not take this machine's logins")
        }
        0xc000_005e => (Layer::Connection, "it reaches no controller of the user's domain"),
        0xc000_0133 => (Layer::Protocol, "its clock and its controller's differ too much"),
        0xc000_018a..=0xc000_018d => (Layer::Secret, "the trust between it and the user's domain is broken"),
        0xc000_0192 => (Layer::Connection, "its logon service does not run"),
        0xc000_00bb => (Layer::Protocol, "it does not take NTLM"),
        0xc000_000d => (Layer::Protocol, "it does not take NTLM in the form of SMB 2"),
        _ => (Layer::Protocol, "it answers with a status that is neither yes nor no"),
    };
    Unavailable::new(layer, format!("{server}: {words} (NT status {status:#010x})"))
}

#[cfg(test)]
mod tests {
    use tollgate_aaa::RejectReason;

    use super::*;

    #[test]
    fn a_no_is_told_from_no_answer() {
        for (status, reason) in [
            (0xc000_006d, RejectReason::WrongPassword),
            (0xc000_0234, RejectReason::LockedOut),
            (0xc000_0072, RejectReason::Disabled),
            (0xc000_006f, RejectReason::RestrictedHours),
            (0xc000_0224, RejectReason::PasswordMustChange),
        ] {
            let Verdict::Reject(reject) = verdict(status, "dc1:445") else { panic!("{status:#x}") };
            assert_eq!(reject.reason, reason);
        }
        for status in [0xc000_005e, 0xc000_0022, 0xc000_018d, 0xdead_beef, 1] {
            let Verdict::Unavailable(why) = verdict(status, "dc1:445") else { panic!("{status:#x}") };
            assert!(why.to_string().starts_with("dc1:445: "), "{why}");
        }
    }
}
