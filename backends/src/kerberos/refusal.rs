//! What an error of the KDC means (RFC 4120 section 7.5.9).

use tollgate_aaa::{Layer, Reject, RejectReason, Unavailable, Verdict};

use super::messages::{KdcError, KerberosTime};
use crate::nt_status;

const NAME_EXP: i32 = 1;
const C_PRINCIPAL_UNKNOWN: i32 = 6;
const S_PRINCIPAL_UNKNOWN: i32 = 7;
const NULL_KEY: i32 = 9;
const POLICY: i32 = 12;
const ETYPE_NOSUPP: i32 = 14;
const PADATA_TYPE_NOSUPP: i32 = 16;
const CLIENT_REVOKED: i32 = 18;
const CLIENT_NOTYET: i32 = 21;
const KEY_EXPIRED: i32 = 23;
const PREAUTH_FAILED: i32 = 24;
/// The question was not refused: it wants an encrypted time.
pub(super) const PREAUTH_REQUIRED: i32 = 25;
const SVC_UNAVAILABLE: i32 = 29;
const BAD_INTEGRITY: i32 = 31;
const SKEW: i32 = 37;
/// The answer does not fit into a datagram.
pub(super) const RESPONSE_TOO_BIG: i32 = 52;
const WRONG_REALM: i32 = 68;

/// Why a login ends before its end.
#[derive(Debug)]
pub(super) enum Stop {
    No(Box<Reject>),
    Silent(Unavailable),
}

impl Stop {
    pub(super) fn silent(layer: Layer, why: String) -> Self {
        Self::Silent(Unavailable::new(layer, why))
    }
}

impl From<RejectReason> for Stop {
    fn from(reason: RejectReason) -> Self {
        Self::No(Box::new(Reject::new(reason)))
    }
}

impl From<Unavailable> for Stop {
    fn from(unavailable: Unavailable) -> Self {
        Self::Silent(unavailable)
    }
}

impl From<Stop> for Verdict {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::No(reject) => Self::Reject(*reject),
            Stop::Silent(unavailable) => Self::Unavailable(unavailable),
        }
    }
}

/// An account with keys of old types alone.
pub(super) fn no_common_etype() -> Stop {
    let why = "the account has no AES key at the KDC: its password must be set again there";
    RejectReason::CannotBeSent(why.to_owned()).into()
}

/// What an answer to an AS-REQ says about the user. `own_realm`: the realm is that of the configuration.
pub(super) fn of_user(error: &KdcError, server: &str, realm: &str, own_realm: bool) -> Stop {
    if let CLIENT_REVOKED | KEY_EXPIRED | NAME_EXP | CLIENT_NOTYET | POLICY = error.code
        && let Some(reason) = error.status.and_then(nt_status::reason)
    {
        return reason.into();
    }
    match error.code {
        C_PRINCIPAL_UNKNOWN => RejectReason::UnknownUser.into(),
        // The second: KDCs that decrypt the time before they look what it is.
        PREAUTH_FAILED | BAD_INTEGRITY => RejectReason::WrongPassword.into(),
        CLIENT_REVOKED => {
            let mut reject = Reject::new(RejectReason::Disabled);
            reject.message = "Login refused: this account is disabled, locked or expired".to_owned();
            Stop::No(Box::new(reject))
        }
        KEY_EXPIRED => RejectReason::PasswordExpired.into(),
        NAME_EXP | CLIENT_NOTYET | POLICY => RejectReason::Expired.into(),
        ETYPE_NOSUPP | NULL_KEY => no_common_etype(),
        PADATA_TYPE_NOSUPP | PREAUTH_REQUIRED => {
            let why = "the KDC wants another proof of this account than a password";
            RejectReason::CannotBeSent(why.to_owned()).into()
        }
        // Whoever types a realm that is not served is nobody here, and no fault of the KDC.
        WRONG_REALM | S_PRINCIPAL_UNKNOWN if !own_realm => RejectReason::UnknownUser.into(),
        WRONG_REALM | S_PRINCIPAL_UNKNOWN => {
            let why = format!(
                "{server} does not serve realm {realm}: kerberos-realm must be the KDC's, in its case"
            );
            Stop::silent(Layer::Secret, why)
        }
        _ => of_service(error, server, &format!("krbtgt/{realm}")),
    }
}

/// What an answer to a TGS-REQ says about our own principal.
pub(super) fn of_service(error: &KdcError, server: &str, principal: &str) -> Stop {
    let said = if error.text.is_empty() { String::new() } else { format!(": {}", error.text) };
    let (layer, why) = match error.code {
        SKEW => {
            let skew = error.time.map(|time| time.seconds_since(KerberosTime::now().0).unsigned_abs());
            let skew = skew.map_or_else(String::new, |seconds| format!(" by {seconds} s"));
            (Layer::Protocol, format!("the clock of {server} differs{skew}: synchronise both"))
        }
        S_PRINCIPAL_UNKNOWN => (
            Layer::Secret,
            format!("{server} does not know the keytab's principal {principal}: create it there{said}"),
        ),
        ETYPE_NOSUPP => {
            (Layer::Secret, format!("{server} has no AES key for {principal}: set its key again{said}"))
        }
        WRONG_REALM => (Layer::Secret, format!("{server} does not serve the realm of {principal}{said}")),
        SVC_UNAVAILABLE => (Layer::Connection, format!("{server} cannot serve at the moment{said}")),
        code => (Layer::Protocol, format!("{server} answers with error {code} about {principal}{said}")),
    };
    Stop::silent(layer, why)
}
