//! What a domain controller's status says about a user (\[MS-ERREF\] section 2.3.1).

use tollgate_aaa::RejectReason;

/// Why the user is not let in; `None` where the status is not about a user.
pub(crate) fn reason(status: u32) -> Option<RejectReason> {
    Some(match status {
        // STATUS_LOGON_FAILURE is all that a careful controller says; STATUS_WRONG_PASSWORD.
        0xc000_006d | 0xc000_006a => RejectReason::WrongPassword,
        0xc000_0064 => RejectReason::UnknownUser,
        0xc000_006e => RejectReason::NoDialinPermission,
        0xc000_006f => RejectReason::RestrictedHours,
        0xc000_0070 => RejectReason::RestrictedWorkstation,
        0xc000_0071 => RejectReason::PasswordExpired,
        0xc000_0072 => RejectReason::Disabled,
        0xc000_015b => RejectReason::NoDialinPermission,
        0xc000_0193 => RejectReason::Expired,
        0xc000_0224 => RejectReason::PasswordMustChange,
        0xc000_0234 => RejectReason::LockedOut,
        _ => return None,
    })
}
