//! What a server decided, and what it said about the session.

use std::fmt;
use std::net::Ipv4Addr;
use std::time::Duration;

use crate::layer::Layer;
use crate::matrix::{AuthMethod, MatrixCell};
use crate::secret::Secret;
use crate::username::NameError;

/// The outcome of one question to one server, or of a whole login.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// Come in, under these conditions.
    Accept(Box<Attributes>),
    /// A definite no. Nobody else is asked.
    Reject(Reject),
    /// The server wants another answer first.
    Challenge(Challenge),
    /// Nobody decided: no answer came.
    Unavailable(Unavailable),
}

/// Framed-IP-Address (RFC 2865 section 5.8) with its two magic values told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FramedAddress {
    /// 255.255.255.255: the peer may choose its own.
    PeerChooses,
    /// 255.255.255.254: take one from a pool.
    Pool,
    /// This one.
    Address(Ipv4Addr),
}

impl From<Ipv4Addr> for FramedAddress {
    fn from(address: Ipv4Addr) -> Self {
        match address.octets() {
            [255, 255, 255, 255] => Self::PeerChooses,
            [255, 255, 255, 254] => Self::Pool,
            _ => Self::Address(address),
        }
    }
}

/// What an accept said about the session. Absent means: the server left it to the configuration.
#[derive(Debug, Clone, Default)]
pub struct Attributes {
    /// Address for the peer.
    pub framed_address: Option<FramedAddress>,
    /// Framed-IP-Netmask.
    pub framed_netmask: Option<Ipv4Addr>,
    /// Framed-MTU, 64..=65535 octets.
    pub framed_mtu: Option<u16>,
    /// Framed-Route texts, in order (RFC 2865 section 5.22).
    pub framed_routes: Vec<String>,
    /// Session-Timeout.
    pub session_timeout: Option<Duration>,
    /// Idle-Timeout.
    pub idle_timeout: Option<Duration>,
    /// Acct-Interim-Interval (RFC 2869 section 5.16).
    pub interim_interval: Option<Duration>,
    /// Every Class attribute whole, echoed in accounting in this order.
    pub classes: Vec<Vec<u8>>,
    /// Group policy: Cisco's own attribute first, else the first Class of the form `OU=name;`.
    pub group_policy: Option<String>,
    /// Filter-Id.
    pub filter_id: Option<String>,
    /// Reply-Message texts, joined with a line feed.
    pub reply_message: Option<String>,
    /// Primary and secondary name server.
    pub dns: [Option<Ipv4Addr>; 2],
    /// Primary and secondary NetBIOS name server.
    pub nbns: [Option<Ipv4Addr>; 2],
    /// Names of address pools, in order.
    pub address_pools: Vec<String>,
    /// Sessions that the user may have at once.
    pub simultaneous_logins: Option<u32>,
    /// Bit mask of tunnelling protocols: 1 PPTP, 2 L2TP, 4 IPsec, 8 L2TP over IPsec.
    pub tunneling_protocols: Option<u32>,
    /// `S=` and 40 hexadecimal digits (RFC 2759 section 5): the proof that the peer checks.
    pub ms_chap2_success: Option<Vec<u8>>,
    /// Keys for MPPE (RFC 3078).
    pub mppe: Option<MppeKeys>,
    /// The server's EAP-Success, to be passed on untouched.
    pub eap: Option<Vec<u8>>,
}

impl Attributes {
    /// What stands here, and where nothing does what `base` says. The keys and proofs of the authentication are those of
    /// `base`.
    pub fn over(self, base: Self) -> Self {
        let either = |upper: [Option<Ipv4Addr>; 2], lower| if upper == [None; 2] { lower } else { upper };
        fn list<T>(upper: Vec<T>, lower: Vec<T>) -> Vec<T> {
            if upper.is_empty() { lower } else { upper }
        }
        Self {
            framed_address: self.framed_address.or(base.framed_address),
            framed_netmask: self.framed_netmask.or(base.framed_netmask),
            framed_mtu: self.framed_mtu.or(base.framed_mtu),
            framed_routes: list(self.framed_routes, base.framed_routes),
            session_timeout: self.session_timeout.or(base.session_timeout),
            idle_timeout: self.idle_timeout.or(base.idle_timeout),
            interim_interval: self.interim_interval.or(base.interim_interval),
            classes: base.classes.into_iter().chain(self.classes).collect(),
            group_policy: self.group_policy.or(base.group_policy),
            filter_id: self.filter_id.or(base.filter_id),
            reply_message: self.reply_message.or(base.reply_message),
            dns: either(self.dns, base.dns),
            nbns: either(self.nbns, base.nbns),
            address_pools: list(self.address_pools, base.address_pools),
            simultaneous_logins: self.simultaneous_logins.or(base.simultaneous_logins),
            tunneling_protocols: self.tunneling_protocols.or(base.tunneling_protocols),
            ms_chap2_success: base.ms_chap2_success,
            mppe: base.mppe,
            eap: base.eap,
        }
    }

    /// What holds after a change of authorization (RFC 5176): what it names goes before what was, and its classes take
    /// the place of the old ones.
    pub fn changed_by(&self, change: &Self) -> Self {
        let classes = if change.classes.is_empty() { &self.classes } else { &change.classes }.clone();
        Self { classes, ..change.clone().over(self.clone()) }
    }

    /// What may be kept as long as the session lives.
    pub fn without_proofs(&self) -> Self {
        Self { ms_chap2_success: None, mppe: None, eap: None, ..self.clone() }
    }
}

/// Unwrapped MPPE key material (RFC 2548 sections 2.4.1 to 2.4.5).
#[derive(Clone, Default)]
pub struct MppeKeys {
    /// MS-MPPE-Send-Key.
    pub send: Option<Secret>,
    /// MS-MPPE-Recv-Key.
    pub receive: Option<Secret>,
    /// First 8 octets of MS-CHAP-MPPE-Keys (MS-CHAPv1).
    pub lm_key: Option<Secret>,
    /// The 16 octets after it: the hash of the NT hash.
    pub nt_key: Option<Secret>,
    /// MS-MPPE-Encryption-Policy: 1 allowed, 2 required.
    pub policy: Option<u32>,
    /// MS-MPPE-Encryption-Types: bit mask, 2 = 40 bit, 4 = 128 bit.
    pub types: Option<u32>,
}

impl fmt::Debug for MppeKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MppeKeys(..)")
    }
}

/// A definite no.
#[derive(Debug, Clone)]
pub struct Reject {
    /// Why, for the log.
    pub reason: RejectReason,
    /// What the user is shown. Never tells an unknown user from a wrong password.
    pub message: String,
    /// The server's MS-CHAP-Error, or the one that the reason implies.
    pub ms_chap_error: Option<MsChapError>,
    /// The password has expired, and a new one from this peer would be taken: [`Credentials::PasswordChange`].
    ///
    /// [`Credentials::PasswordChange`]: crate::Credentials::PasswordChange
    pub password_change: bool,
    /// The server's EAP-Failure, to be passed on untouched.
    pub eap: Option<Vec<u8>>,
}

impl Reject {
    /// A refusal with the reason's own message and MS-CHAP code.
    pub fn new(reason: RejectReason) -> Self {
        let message = reason.user_message();
        let ms_chap_error = Some(MsChapError::from_code(reason.ms_chap_code(), reason.may_retry()));
        Self { reason, message, ms_chap_error, password_change: false, eap: None }
    }

    /// Code for an MS-CHAP failure packet (RFC 2759 section 6).
    pub fn ms_chap_code(&self) -> u32 {
        self.ms_chap_error.as_ref().map_or_else(|| self.reason.ms_chap_code(), |error| error.code)
    }

    /// True when the peer may try again with another password on the same link.
    pub fn may_retry(&self) -> bool {
        self.ms_chap_error.as_ref().map_or_else(|| self.reason.may_retry(), |error| error.retry)
    }
}

/// The words of a server's MS-CHAP-Error (RFC 2548 section 2.1.5): `E=691 R=1 C=... V=3 M=text`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MsChapError {
    /// `E`: 646 restricted hours, 647 disabled, 648 password expired, 649 no dial-in right, 691 wrong, 709 change.
    pub code: u32,
    /// `R`: the peer may try again.
    pub retry: bool,
    /// `C`: the challenge for the next try, 8 or 16 octets.
    pub challenge: Option<Vec<u8>>,
    /// `V`: version of the password change protocol.
    pub version: Option<u32>,
    /// `M`: text for the user.
    pub message: Option<String>,
}

impl MsChapError {
    /// Only `E` and `R`.
    pub fn from_code(code: u32, retry: bool) -> Self {
        Self { code, retry, challenge: None, version: None, message: None }
    }
}

/// Why a login was refused. `Display` gives the words of the log, the metric and the command line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RejectReason {
    /// The proof does not fit.
    #[error("wrong password")]
    WrongPassword,
    /// No such account.
    #[error("unknown user")]
    UnknownUser,
    /// The account is switched off.
    #[error("account disabled")]
    Disabled,
    /// The account has nothing that a password could be compared with.
    #[error("the account has no password here")]
    NoPassword,
    /// The account's last day has passed.
    #[error("account expired")]
    Expired,
    /// The password is too old.
    #[error("password expired")]
    PasswordExpired,
    /// An administrator wants the password changed before the first login.
    #[error("password must be changed")]
    PasswordMustChange,
    /// A new password was not taken: too short, used before, or the old one was wrong.
    #[error("the server did not take the new password")]
    PasswordNotChanged,
    /// Not from here.
    #[error("not allowed from this workstation")]
    RestrictedWorkstation,
    /// The directory names several accounts for this user name.
    #[error("the user name fits {0} accounts")]
    AmbiguousUser(usize),
    /// A directory takes an empty password for an anonymous bind and says yes to it.
    #[error("an empty password is never sent to this kind of server")]
    EmptyPassword,
    /// The tunnel group wants two factors in the password field.
    #[error("the password field holds no second factor: type the password, `{0}` and the code")]
    SecondFactorMissing(char),
    /// Not at this hour.
    #[error("outside the allowed hours")]
    RestrictedHours,
    /// The account may not use this service.
    #[error("no right to dial in")]
    NoDialinPermission,
    /// Too many wrong passwords; it opens again by itself.
    #[error("locked out after too many failures")]
    LockedOut,
    /// An empty cell of the type matrix.
    #[error("{0}")]
    NotAllowed(MatrixCell),
    /// The tunnel group's `ppp-authentication` leaves this method out.
    #[error("{} is not among the ppp-authentication methods of tunnel group {tunnel_group}", method.title())]
    MethodNotOffered {
        /// What the peer used.
        method: AuthMethod,
        /// The tunnel group chosen.
        tunnel_group: String,
    },
    /// How the account stores its password does not serve this method.
    #[error("{} cannot check {}: {fix}", stored, method.title())]
    PasswordStorage {
        /// What the peer used.
        method: AuthMethod,
        /// How the password is kept.
        stored: &'static str,
        /// What the operator can do.
        fix: &'static str,
    },
    /// Only a LAN Manager response came.
    #[error("LAN Manager responses are not served: the peer must send the NT response")]
    LanManagerOnly,
    /// The user name cannot be used.
    #[error("{0}")]
    BadName(#[from] NameError),
    /// The login arrived for, or named, a tunnel group that does not exist.
    #[error("no tunnel group named {0}")]
    UnknownTunnelGroup(String),
    /// `aaa test` named a server group that does not exist.
    #[error("no server group named {0}")]
    UnknownServerGroup(String),
    /// The login does not fit into a question to this server, or the server is configured not to be asked so.
    #[error("the login cannot be sent to this server: {0}")]
    CannotBeSent(String),
    /// The server said no, and no more than that.
    #[error("rejected by the server")]
    ServerRejected,
    /// The server's MS-CHAP-Error carries a code without a name of its own.
    #[error("rejected by the server (MS-CHAP error {0})")]
    ServerCode(u32),
    /// The server said yes but in a way that cannot be honoured; nobody comes in on half an answer.
    #[error("the server's accept cannot be used: {0}")]
    UnusableAccept(String),
}

impl RejectReason {
    /// The reason for an `E=` code of RFC 2759 section 6.
    pub fn from_ms_chap_code(code: u32) -> Self {
        match code {
            646 => Self::RestrictedHours,
            647 => Self::Disabled,
            648 => Self::PasswordExpired,
            649 => Self::NoDialinPermission,
            691 => Self::WrongPassword,
            709 => Self::PasswordNotChanged,
            other => Self::ServerCode(other),
        }
    }

    /// The `E=` code that tells the peer the same (RFC 2759 section 6).
    pub fn ms_chap_code(&self) -> u32 {
        match self {
            Self::RestrictedHours => 646,
            Self::Disabled | Self::Expired => 647,
            Self::PasswordExpired | Self::PasswordMustChange => 648,
            Self::PasswordNotChanged => 709,
            Self::NoDialinPermission
            | Self::RestrictedWorkstation
            | Self::NotAllowed(_)
            | Self::MethodNotOffered { .. }
            | Self::LanManagerOnly
            | Self::UnusableAccept(_) => 649,
            Self::ServerCode(code) => *code,
            Self::WrongPassword
            | Self::PasswordStorage { .. }
            | Self::CannotBeSent(_)
            | Self::UnknownUser
            | Self::AmbiguousUser(_)
            | Self::EmptyPassword
            | Self::SecondFactorMissing(_)
            | Self::LockedOut
            | Self::BadName(_)
            | Self::UnknownTunnelGroup(_)
            | Self::UnknownServerGroup(_)
            | Self::NoPassword
            | Self::ServerRejected => 691,
        }
    }

    /// True where another password could help, and wherever a difference would tell that the account exists.
    pub fn may_retry(&self) -> bool {
        matches!(
            self,
            Self::WrongPassword
                | Self::UnknownUser
                | Self::LockedOut
                | Self::NoPassword
                | Self::PasswordStorage { .. }
        )
    }

    /// True when our own configuration refused, not a server.
    pub fn is_configuration(&self) -> bool {
        match self {
            Self::NotAllowed(_)
            | Self::MethodNotOffered { .. }
            | Self::PasswordStorage { .. }
            | Self::LanManagerOnly
            | Self::CannotBeSent(_)
            | Self::BadName(_)
            | Self::UnknownTunnelGroup(_)
            | Self::UnknownServerGroup(_) => true,
            Self::WrongPassword
            | Self::UnknownUser
            | Self::Disabled
            | Self::Expired
            | Self::PasswordExpired
            | Self::PasswordMustChange
            | Self::PasswordNotChanged
            | Self::RestrictedWorkstation
            | Self::AmbiguousUser(_)
            | Self::EmptyPassword
            | Self::SecondFactorMissing(_)
            | Self::RestrictedHours
            | Self::NoDialinPermission
            | Self::LockedOut
            | Self::ServerRejected
            | Self::ServerCode(_)
            | Self::NoPassword
            | Self::UnusableAccept(_) => false,
        }
    }

    /// The layer that refused.
    pub fn layer(&self) -> Layer {
        match self {
            _ if self.is_configuration() => Layer::Configuration,
            Self::UnusableAccept(_) => Layer::Protocol,
            Self::Disabled
            | Self::NoPassword
            | Self::Expired
            | Self::PasswordExpired
            | Self::PasswordMustChange
            | Self::PasswordNotChanged
            | Self::RestrictedHours
            | Self::RestrictedWorkstation
            | Self::NoDialinPermission
            | Self::LockedOut
            | Self::AmbiguousUser(_) => Layer::Account,
            _ => Layer::Password,
        }
    }

    /// What the user is shown. It must not help a guesser: what depends on the account's existence is told alike.
    pub fn user_message(&self) -> String {
        match self {
            Self::WrongPassword
            | Self::UnknownUser
            | Self::LockedOut
            | Self::NoPassword
            | Self::PasswordStorage { .. }
            | Self::AmbiguousUser(_)
            | Self::EmptyPassword
            | Self::ServerRejected => "Login refused: wrong user name or password".into(),
            Self::Disabled | Self::Expired => "Login refused: this account is not active".into(),
            Self::PasswordExpired => "Login refused: the password has expired".into(),
            Self::PasswordMustChange => "Login refused: the password must be changed first".into(),
            Self::PasswordNotChanged => "Login refused: the password was not changed".into(),
            Self::RestrictedWorkstation => "Login refused: not allowed from here".into(),
            Self::SecondFactorMissing(separator) => {
                format!("Login refused: type your password, {separator} and the code of your token")
            }
            Self::RestrictedHours => "Login refused: not allowed at this hour".into(),
            Self::NoDialinPermission => "Login refused: this account may not dial in".into(),
            Self::NotAllowed(cell) => format!("Login refused: {cell}"),
            Self::MethodNotOffered { method, .. } => {
                format!("Login refused: {} is not available for this login", method.title())
            }
            Self::LanManagerOnly => "Login refused: an NT response is needed".into(),
            Self::BadName(_) | Self::UnknownTunnelGroup(_) => {
                "Login refused: the user name cannot be used".into()
            }
            Self::UnknownServerGroup(_) | Self::CannotBeSent(_) => "Login refused".into(),
            Self::ServerCode(_) => "Login refused by the server".into(),
            Self::UnusableAccept(_) => "Login refused: the server's answer cannot be used".into(),
        }
    }
}

/// Another answer is wanted first (RFC 2865 section 4.4).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Challenge {
    /// To be returned with the answer, opaque.
    pub state: Vec<u8>,
    /// What to show the user.
    pub message: String,
    /// The server's EAP-Request, to be passed on untouched.
    pub eap: Option<Vec<u8>>,
    /// How long the server waits for the answer: Session-Timeout in an Access-Challenge (RFC 3579 section 2.3).
    pub timeout: Option<Duration>,
}

/// Nobody decided.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Unavailable {
    /// The layer at which it failed.
    pub layer: Layer,
    /// For the log: which server, and what became of the question.
    pub why: String,
}

impl Unavailable {
    /// `why` names the server and what became of the question.
    pub fn new(layer: Layer, why: impl Into<String>) -> Self {
        Self { layer, why: why.into() }
    }
}

#[cfg(test)]
mod tests;
