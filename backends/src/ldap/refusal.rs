//! What a result code means for a login: RFC 4511 appendix A, Active Directory's sub-codes, and the password policy of
//! draft-behera-ldap-password-policy.

use tollgate_aaa::{Layer, RejectReason, Unavailable};
use tracing::info;

use super::message::{Outcome, Policy};

pub(super) const SUCCESS: u32 = 0;
pub(super) const OPERATIONS_ERROR: u32 = 1;
pub(super) const SIZE_LIMIT_EXCEEDED: u32 = 4;
pub(super) const STRONGER_AUTH_REQUIRED: u32 = 8;
pub(super) const REFERRAL: u32 = 10;
pub(super) const CONFIDENTIALITY_REQUIRED: u32 = 13;
const CONSTRAINT_VIOLATION: u32 = 19;
pub(super) const NO_SUCH_OBJECT: u32 = 32;
pub(super) const INVALID_DN_SYNTAX: u32 = 34;
const INAPPROPRIATE_AUTHENTICATION: u32 = 48;
const INVALID_CREDENTIALS: u32 = 49;
pub(super) const INSUFFICIENT_ACCESS: u32 = 50;
const UNWILLING: u32 = 53;

/// What a user's bind came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Judgement {
    /// The password fits.
    Welcome,
    /// No.
    Refused(RejectReason),
    /// Ask there.
    Elsewhere(Vec<String>),
    /// The server did not decide.
    Undecided(Unavailable),
}

/// Judges the answer to a user's bind.
pub(super) fn judge(outcome: &Outcome, server: &str, name: &str) -> Judgement {
    let Policy { expires_in, grace_logins, error } = outcome.policy;
    if let Some(seconds) = expires_in {
        info!(server, name, seconds, "the password expires soon");
    }
    if let Some(logins) = grace_logins {
        info!(server, name, logins, "the password has expired; the directory grants some more logins");
    }
    let reason = match (outcome.code, error) {
        (SUCCESS, Some(2)) => RejectReason::PasswordMustChange,
        (SUCCESS, _) => return Judgement::Welcome,
        (REFERRAL, _) => return Judgement::Elsewhere(outcome.referrals.clone()),
        (INVALID_CREDENTIALS, Some(0)) => RejectReason::PasswordExpired,
        (INVALID_CREDENTIALS, Some(1)) => RejectReason::LockedOut,
        (INVALID_CREDENTIALS, Some(2)) => RejectReason::PasswordMustChange,
        (INVALID_CREDENTIALS, _) => active_directory(&outcome.text).unwrap_or(RejectReason::WrongPassword),
        // Only for a name made of a template can there be nobody.
        (NO_SUCH_OBJECT, _) => RejectReason::UnknownUser,
        // What directories say of a person's account by codes that RFC 4511 has for more.
        (CONSTRAINT_VIOLATION, _) => RejectReason::LockedOut,
        (INAPPROPRIATE_AUTHENTICATION, _) => RejectReason::NoPassword,
        (UNWILLING, _) => RejectReason::Disabled,
        (INVALID_DN_SYNTAX | INSUFFICIENT_ACCESS, _) => {
            RejectReason::CannotBeSent(format!("{server} refuses the bind as {name}: {}", words(outcome)))
        }
        (STRONGER_AUTH_REQUIRED | CONFIDENTIALITY_REQUIRED, _) => {
            return Judgement::Undecided(wants_tls(server, outcome));
        }
        _ => {
            let why = format!("{server} did not decide on the bind as {name}: {}", words(outcome));
            return Judgement::Undecided(Unavailable::new(Layer::Protocol, why));
        }
    };
    info!(server, name, answer = words(outcome), reason = %reason, "bind refused");
    Judgement::Refused(reason)
}

/// The answer to our own account's bind, where it is no success.
pub(super) fn service_refused(outcome: &Outcome, server: &str, login: &str) -> Unavailable {
    match outcome.code {
        STRONGER_AUTH_REQUIRED | CONFIDENTIALITY_REQUIRED => wants_tls(server, outcome),
        REFERRAL => {
            let elsewhere = outcome.referrals.join(", ");
            let why =
                format!("{server} refers the bind as ldap-login-dn {login} to {elsewhere}; name that server");
            Unavailable::new(Layer::Secret, why)
        }
        INVALID_CREDENTIALS => {
            let reason =
                active_directory(&outcome.text).map_or_else(String::new, |reason| format!("{reason}, "));
            let why = format!("{server} refuses ldap-login-dn {login}: {reason}{}", words(outcome));
            Unavailable::new(Layer::Secret, why)
        }
        CONSTRAINT_VIOLATION
        | NO_SUCH_OBJECT
        | INVALID_DN_SYNTAX
        | INAPPROPRIATE_AUTHENTICATION
        | INSUFFICIENT_ACCESS
        | UNWILLING => {
            let why = format!("{server} refuses ldap-login-dn {login}: {}", words(outcome));
            Unavailable::new(Layer::Secret, why)
        }
        _ => {
            let why = format!("{server} did not decide on ldap-login-dn {login}: {}", words(outcome));
            Unavailable::new(Layer::Protocol, why)
        }
    }
}

pub(super) fn wants_tls(server: &str, outcome: &Outcome) -> Unavailable {
    let why =
        format!("{server} takes no password in the clear; use StartTLS or LDAPS with it: {}", words(outcome));
    Unavailable::new(Layer::Tls, why)
}

/// `AcceptSecurityContext error, data 52e, v1db1`: the number in it is a Windows error code.
fn active_directory(text: &str) -> Option<RejectReason> {
    let (_, rest) = text.split_once("data ")?;
    let code = rest.split(|c: char| !c.is_ascii_hexdigit()).next()?;
    Some(match code.to_ascii_lowercase().as_str() {
        "525" => RejectReason::UnknownUser,
        "52e" => RejectReason::WrongPassword,
        "530" => RejectReason::RestrictedHours,
        "531" => RejectReason::RestrictedWorkstation,
        "532" => RejectReason::PasswordExpired,
        "533" => RejectReason::Disabled,
        "701" => RejectReason::Expired,
        "773" => RejectReason::PasswordMustChange,
        "775" => RejectReason::LockedOut,
        _ => return None,
    })
}

/// A result in words: `invalidCredentials (49): text`.
pub(super) fn words(outcome: &Outcome) -> String {
    let name = match outcome.code {
        SUCCESS => "success",
        OPERATIONS_ERROR => "operationsError",
        2 => "protocolError",
        3 => "timeLimitExceeded",
        SIZE_LIMIT_EXCEEDED => "sizeLimitExceeded",
        7 => "authMethodNotSupported",
        STRONGER_AUTH_REQUIRED => "strongerAuthRequired",
        REFERRAL => "referral",
        11 => "adminLimitExceeded",
        12 => "unavailableCriticalExtension",
        CONFIDENTIALITY_REQUIRED => "confidentialityRequired",
        CONSTRAINT_VIOLATION => "constraintViolation",
        NO_SUCH_OBJECT => "noSuchObject",
        INVALID_DN_SYNTAX => "invalidDNSyntax",
        INAPPROPRIATE_AUTHENTICATION => "inappropriateAuthentication",
        INVALID_CREDENTIALS => "invalidCredentials",
        INSUFFICIENT_ACCESS => "insufficientAccessRights",
        51 => "busy",
        52 => "unavailable",
        UNWILLING => "unwillingToPerform",
        80 => "other",
        _ => "result",
    };
    let code = outcome.code;
    if outcome.text.is_empty() {
        format!("{name} ({code})")
    } else {
        format!("{name} ({code}): {}", outcome.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: u32, text: &str, error: Option<u32>) -> Outcome {
        let policy = Policy { error, ..Policy::default() };
        Outcome { code, text: text.to_owned(), policy, ..Outcome::default() }
    }

    #[test]
    fn every_sub_code_of_active_directory_has_its_reason() {
        for (code, reason) in [
            ("525", RejectReason::UnknownUser),
            ("52e", RejectReason::WrongPassword),
            ("52E", RejectReason::WrongPassword),
            ("530", RejectReason::RestrictedHours),
            ("531", RejectReason::RestrictedWorkstation),
            ("532", RejectReason::PasswordExpired),
            ("533", RejectReason::Disabled),
            ("701", RejectReason::Expired),
            ("773", RejectReason::PasswordMustChange),
            ("775", RejectReason::LockedOut),
            ("999", RejectReason::WrongPassword),
        ] {
            let text = format!(
                "80090308: LdapErr: DSID-0C090447, comment: AcceptSecurityContext error, data {code}, v3839"
            );
            let judgement = judge(&refused(49, &text, None), "dc", "cn=a");
            assert_eq!(judgement, Judgement::Refused(reason), "{code}");
        }
    }

    #[test]
    fn the_password_policy_tells_more_than_the_code() {
        for (code, error, reason) in [
            (49, None, RejectReason::WrongPassword),
            (49, Some(0), RejectReason::PasswordExpired),
            (49, Some(1), RejectReason::LockedOut),
            (0, Some(2), RejectReason::PasswordMustChange),
        ] {
            assert_eq!(judge(&refused(code, "", error), "s", "cn=a"), Judgement::Refused(reason));
        }
        assert_eq!(judge(&refused(0, "", None), "s", "cn=a"), Judgement::Welcome);
    }

    #[test]
    fn the_codes_for_an_account_that_may_not_bind_have_their_reasons() {
        for (code, text, reason) in [
            (19, "Exceed password retry limit. Please try later.", RejectReason::LockedOut),
            (48, "", RejectReason::NoPassword),
            (53, "Account inactivated. Contact system administrator.", RejectReason::Disabled),
        ] {
            assert_eq!(judge(&refused(code, text, None), "s", "cn=a"), Judgement::Refused(reason), "{code}");
            assert_eq!(service_refused(&refused(code, text, None), "s", "cn=a").layer, Layer::Secret);
        }
    }

    #[test]
    fn other_refusals_are_told_in_words() {
        let Judgement::Refused(reason) = judge(&refused(50, "no auth access", None), "s", "cn=a") else {
            panic!()
        };
        assert!(reason.to_string().contains("insufficientAccessRights (50): no auth access"), "{reason}");
        assert_eq!(reason.layer(), Layer::Configuration);
        let Judgement::Undecided(why) = judge(&refused(8, "", None), "s", "cn=a") else { panic!() };
        assert_eq!(why.layer, Layer::Tls);
        let Judgement::Undecided(why) = judge(&refused(51, "later", None), "s", "cn=a") else { panic!() };
        assert!(why.why.contains("busy (51): later"), "{why}");
    }
}
