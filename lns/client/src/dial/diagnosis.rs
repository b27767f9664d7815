//! From a failure to its likely cause.

use tollgate_ipsec::DownCause;
use tollgate_l2tp::{SessionEnd, StopResult, TunnelEnd};
use tollgate_ppp::{DownReason, Phase};

use super::{Failure, Stage};

/// LCP opened without authentication, and then the server did not go on: pppd ends a link so when its own method was
/// declined.
pub(super) const NO_METHOD_AGREED: &str =
    "the two ends agreed on no authentication method; the server may want another one (try another --auth)";

/// What MS-CHAP's error numbers say that the text may not (RFC 2759 section 6).
pub(super) fn cause_of_error(code: u32) -> Option<&'static str> {
    match code {
        648 => {
            Some("the password has expired, and the server takes a new one: give it with --new-password-file")
        }
        709 => Some("the server did not take the new password: it may be too short or have been used before"),
        _ => None,
    }
}

/// Nothing came for too long.
pub(super) fn silence(stage: Stage) -> Failure {
    let cause = match stage {
        Stage::Ike => "no IKE server listens there, or UDP 500 or 4500 is filtered on the way",
        Stage::Ipsec => "the server stopped answering after phase 1; look into its log",
        Stage::Tunnel => {
            "no L2TP server listens there, UDP 1701 is filtered on the way, or the server wants IPsec first"
        }
        Stage::Session => "the server stopped answering after the tunnel was set up; look into its log",
        Stage::Lcp => "the server took the call but does not speak PPP on it; look into its log",
        Stage::Authentication => {
            "the server is still asking its authentication server; look whether that one answers (show aaa)"
        }
        Stage::Ipcp => {
            "the login succeeded but no address came; look into the server's log for its address pool"
        }
        Stage::Up => {
            "the tunnel is up but the packet was not answered; look for a filter or a missing route inside"
        }
    };
    Failure { stage, said: "no answer".into(), cause: cause.into() }
}

/// IPsec is up and L2TP does not answer through it.
pub(super) const L2TP_SILENT_IN_IPSEC: &str = "IPsec is up and no L2TP server answers through it: look into the server's log, and whether its L2TP daemon runs";

/// IKE began and the server does not answer any more.
pub(super) const SILENT_IN_IKE: &str = "the server began IKE and fell silent: it refuses our proof of identity (compare the pre-shared key or the certificate with its own, and see its log), or UDP 4500 is blocked on the way";

/// The IPsec association ended.
pub(super) fn association_end(stage: Stage, cause: &DownCause) -> Failure {
    let advice = match cause {
        DownCause::DeletedByPeer => "the server ended the connection; look into its log",
        DownCause::Expired => "the server did not renew its keys; look into its log",
        DownCause::DeadPeer => "the network or the server went away",
        DownCause::InitialContact | DownCause::Closed => "try again",
    };
    Failure { stage, said: cause.to_string(), cause: advice.into() }
}

/// The tunnel ended.
pub(super) fn tunnel_end(stage: Stage, end: &TunnelEnd) -> Failure {
    let cause = match end {
        TunnelEnd::ControlTimeout => return silence(stage),
        TunnelEnd::ByPeer { result: StopResult::NotAuthorized, .. } => {
            "the tunnel secrets of the two ends differ, or the server does not know this host name"
        }
        TunnelEnd::ByPeer { result: StopResult::ShuttingDown, .. } => {
            "the server is shutting down; try again later"
        }
        TunnelEnd::ByPeer { .. } if stage == Stage::Tunnel => {
            "the server refuses tunnels from here, or it wants IPsec first"
        }
        TunnelEnd::ByPeer { .. } => "the server closed the tunnel; look into its log",
        TunnelEnd::ByUs { .. } => {
            "the server did not prove that it knows the tunnel secret, or its answer was wrong"
        }
        TunnelEnd::SetupTimeout | TunnelEnd::Replaced => {
            "try again; if it stays so, look into the server's log"
        }
    };
    Failure { stage, said: end.to_string(), cause: cause.into() }
}

/// The call ended.
pub(super) fn session_end(stage: Stage, end: &SessionEnd) -> Failure {
    match end {
        SessionEnd::TunnelDown(end) => tunnel_end(stage, end),
        SessionEnd::SetupTimeout => silence(stage),
        SessionEnd::ByPeer { .. } | SessionEnd::ByUs { .. } => {
            let cause = match stage {
                Stage::Ike | Stage::Ipsec | Stage::Tunnel | Stage::Session => {
                    "the server takes no calls now; look into its log"
                }
                Stage::Lcp | Stage::Authentication => "the server gave the login up; look into its log",
                Stage::Ipcp => "the server has no address for this user; look into its log (show pools)",
                Stage::Up => "the server ended the session",
            };
            Failure { stage, said: end.to_string(), cause: cause.into() }
        }
    }
}

/// PPP ended. `said` is the last failure text of the server, where it gave one.
pub(super) fn link_down(stage: Stage, reason: &DownReason, said: Option<&str>) -> Failure {
    let cause = match reason {
        DownReason::AuthenticationFailed => "wrong user name or password, or the account may not log in",
        DownReason::MethodRefused { .. } | DownReason::PeerRejected(_) => {
            "the server does not offer this method: its server group's type does not serve it, or the tunnel group \
             does not list it; try another --auth"
        }
        DownReason::PeerTerminated { .. } => match stage {
            Stage::Ike | Stage::Ipsec | Stage::Tunnel | Stage::Session | Stage::Lcp => {
                "the server gave up negotiating; it may want another authentication method (try another --auth)"
            }
            Stage::Authentication if reason.to_string().contains("No address") => {
                "the login succeeded but the server has no address for this user (show pools)"
            }
            Stage::Authentication => {
                "the server could not decide the login: its authentication servers do not answer (show aaa), or the \
                 user may not log in now"
            }
            Stage::Ipcp => "the server has no address for this user (show pools)",
            Stage::Up => "the server ended the session",
        },
        DownReason::NotEncrypted(_) => {
            "the server encrypts nothing, or not as --mppe wants it: its policy decides that for this user"
        }
        DownReason::ServerUnproven => "the server does not know the password: it may be an impostor",
        DownReason::EapFailed { .. } => {
            "the method of EAP found a fault in what the server sent: compare --eap-ca and the server's certificate"
        }
        DownReason::NegotiationTimeout(Phase::Authenticate) => return silence(Stage::Authentication),
        DownReason::NegotiationTimeout(_) => return silence(stage),
        DownReason::Loopback => "the server sends our own packets back",
        DownReason::EchoTimeout => "the network or the server went away",
        DownReason::Unavailable { .. } | DownReason::NotConverging(_) | DownReason::Closed => {
            "look into the server's log"
        }
    };
    let said = match said {
        Some(text) if !text.is_empty() => format!("{reason}: {text:?}"),
        _ => reason.to_string(),
    };
    Failure { stage, said, cause: cause.into() }
}

/// The server's words for a person's terminal, which must not act on them.
pub(super) fn readable(words: &[u8]) -> String {
    String::from_utf8_lossy(words).chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_words_do_not_steer_the_terminal() {
        assert_eq!(readable(b"Welcome\r\n\x1b[2Jback \xff"), "Welcome   [2Jback \u{fffd}");
    }
}
